//! Rules that read well, and that the validator cannot apply: a pattern that does not say the whole date, a bound that is no value of
//! its field. They are found with the rest of the descriptor, so that no table is loaded before those of another are known to be sound.

use crate::schema::Field;
use crate::schema::document::{DescriptorProblems, DocumentNode, DocumentPlace, NodeValue};
use crate::validate::broken_rules;

/// Reports every rule of `field`, which stands at `node`, that cannot be applied.
pub(super) fn check_field_rules(field: &Field, node: &DocumentNode, problems: &DescriptorProblems) {
    for error in broken_rules(field) {
        let place = rule_place(node, error.rule);
        let message = format!(
            "\"{}\" of the field \"{}\" {}",
            error.rule,
            error.field.escape_debug(),
            reason_verb(&error.reason)
        );
        match mend(error.rule) {
            Some(mend) => problems.report_with_mend(place, message, mend),
            None => problems.report_problem(place, message),
        }
    }
}

/// The reason as the end of a sentence: some begin with the value that is at fault.
fn reason_verb(reason: &str) -> String {
    if reason.starts_with('"') { format!("cannot be applied: {reason}") } else { reason.to_owned() }
}

const fn mend(rule: &str) -> Option<&'static str> {
    match rule.as_bytes() {
        b"format" => Some("write \"default\", \"any\" or a pattern that says the whole value, such as \"%d/%m/%Y\""),
        b"timezone" => Some("write an IANA name such as \"Europe/Paris\", \"UTC\", or an offset such as \"+02:00\""),
        b"minimum" | b"maximum" | b"exclusiveMinimum" | b"exclusiveMaximum" | b"enum" => {
            Some("write it as a cell of the field would be written")
        }
        _ => None,
    }
}

/// Where a rule stands: among the properties of the field, or among its constraints.
fn rule_place<'a>(node: &'a DocumentNode, rule: &str) -> &'a DocumentPlace {
    let found = |node: &'a DocumentNode, name: &str| match &node.value {
        NodeValue::Map(entries) => entries.iter().find(|entry| entry.key == name).map(|entry| &entry.node),
        _ => None,
    };
    let constraint = found(node, "constraints").and_then(|constraints| found(constraints, rule));
    let categories = (rule == "enum").then(|| found(node, "categories")).flatten();
    let place = constraint.or_else(|| found(node, rule)).or(categories).unwrap_or(node);
    &place.place
}
