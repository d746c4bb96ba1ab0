//! Constraints: <https://datapackage.org/standard/table-schema/#field-constraints>. A closed set of properties.

use super::bounds;
use crate::schema::document::{DescriptorProblems, DocumentNode, MapReader, NodeValue};
use crate::schema::{Constraints, FieldType, GeopointFormat};

const LENGTHS: &[&str] = &["string", "array", "object", "list"];
const ORDERED: &[&str] = &["integer", "number", "date", "time", "datetime", "duration", "year", "yearmonth"];
const TEXT: &[&str] = &["string"];
const ALL: &[&str] = &[];

/// Each constraint with the types that it fits; an empty list means all.
const CONSTRAINTS: [(&str, &[&str]); 10] = [
    ("required", ALL),
    ("unique", ALL),
    ("enum", ALL),
    ("pattern", TEXT),
    ("minLength", LENGTHS),
    ("maxLength", LENGTHS),
    ("minimum", ORDERED),
    ("maximum", ORDERED),
    ("exclusiveMinimum", ORDERED),
    ("exclusiveMaximum", ORDERED),
];

/// Whether `name` is a constraint.
pub(super) fn is_constraint(name: &str) -> bool {
    CONSTRAINTS.iter().any(|(known, _)| *known == name)
}

/// Reads `constraints`; `kind` is the field's type where it could be read.
pub(super) fn read(
    node: &DocumentNode,
    kind: Option<&FieldType>,
    problems: &DescriptorProblems,
) -> Option<Constraints> {
    let mut reader = node.read_map("\"constraints\"", problems)?;
    // Before the unknown properties: `jsonSchema` is in the standard, and "unknown" would be wrong.
    refuse_json_schema(&mut reader);
    refuse_unfit(&reader, kind);
    let constraints = Constraints {
        required: reader.take_flag("required").unwrap_or(false),
        unique: reader.take_flag("unique").unwrap_or(false),
        min_length: reader.take_whole_number("minLength"),
        max_length: reader.take_whole_number("maxLength"),
        minimum: read_bound(&mut reader, "minimum", kind),
        maximum: read_bound(&mut reader, "maximum", kind),
        exclusive_minimum: read_bound(&mut reader, "exclusiveMinimum", kind),
        exclusive_maximum: read_bound(&mut reader, "exclusiveMaximum", kind),
        pattern: read_pattern(&mut reader),
        enumeration: read_enum(&mut reader, kind),
    };
    bounds::check_bounds(&constraints, kind, &node.place, problems);
    reader.refuse_unknown();
    Some(constraints)
}

/// The values of `categories`: a list of values, or of maps with `value` and `label`.
pub(super) fn read_categories(reader: &mut MapReader<'_>, kind: Option<&FieldType>) -> Option<Vec<String>> {
    let problems = reader.problems();
    // Read for its form only: an order of categories has no meaning for loading.
    reader.take_flag("categoriesOrdered");
    let nodes = reader.take_list("categories")?;
    let mut values = Vec::new();
    for node in nodes {
        let Some(value) = read_category(node, kind, problems) else { continue };
        if values.contains(&value) {
            problems.report_problem(&node.place, format!("the category \"{}\" occurs twice", value.escape_debug()));
        }
        values.push(value);
    }
    Some(values)
}

fn read_category(node: &DocumentNode, kind: Option<&FieldType>, problems: &DescriptorProblems) -> Option<String> {
    if !matches!(node.value, NodeValue::Map(_)) {
        return read_literal(node, "a category", kind, problems);
    }
    let mut reader = node.read_map("a category", problems)?;
    let value = reader.require_value("value").and_then(|value| read_literal(value, "\"value\"", kind, problems));
    reader.take_text("label");
    reader.refuse_unknown();
    value
}

fn refuse_json_schema(reader: &mut MapReader<'_>) {
    let entry = reader.entries().iter().find(|entry| entry.key == "jsonSchema");
    if let Some(entry) = entry {
        reader.accept_names(&["jsonSchema"]);
        reader.problems().report_with_mend(&entry.key_place, "\"jsonSchema\" is not supported", "remove it");
    }
}

fn refuse_unfit(reader: &MapReader<'_>, kind: Option<&FieldType>) {
    let Some(type_name) = kind.map(FieldType::name) else { return };
    for entry in reader.entries() {
        let types = CONSTRAINTS.iter().find(|(name, _)| *name == entry.key).map_or(ALL, |(_, types)| *types);
        if !types.is_empty() && !types.contains(&type_name) {
            let message = format!("\"{}\" does not fit a field of type \"{type_name}\"", entry.key);
            let mend = format!("remove it; it fits {}", types.join(", "));
            reader.problems().report_with_mend(&entry.key_place, message, mend);
        }
    }
}

fn read_bound(reader: &mut MapReader<'_>, name: &'static str, kind: Option<&FieldType>) -> Option<String> {
    let problems = reader.problems();
    let node = reader.take_value(name)?;
    // The misfit is reported already; reading it by the type would add an error that misleads.
    let unfit = kind.is_some_and(|kind| !ORDERED.contains(&kind.name()));
    if unfit { None } else { read_literal(node, &format!("\"{name}\""), kind, problems) }
}

fn read_enum(reader: &mut MapReader<'_>, kind: Option<&FieldType>) -> Option<Vec<String>> {
    let problems = reader.problems();
    let node = reader.take_value("enum")?;
    let nodes = node.read_list("\"enum\"", problems)?;
    if nodes.is_empty() {
        problems.report_problem(&node.place, "\"enum\" allows no value at all");
    }
    Some(nodes.iter().filter_map(|node| read_literal(node, "a value of \"enum\"", kind, problems)).collect())
}

/// A pattern must be a regular expression of one of the two engines that the validator knows.
fn read_pattern(reader: &mut MapReader<'_>) -> Option<String> {
    let problems = reader.problems();
    let node = reader.take_value("pattern")?;
    let pattern = node.read_text("\"pattern\"", problems)?;
    // In the validator's order: the engine with linear time first, the other one for look-around.
    if regex::Regex::new(pattern).is_err()
        && let Err(error) = fancy_regex::Regex::new(pattern)
    {
        let reason = error.to_string();
        // The error may draw the pattern over several lines; the last one has the reason.
        let reason = reason.trim().lines().last().unwrap_or_default().trim().to_owned();
        problems.report_problem(&node.place, format!("\"pattern\" is not a regular expression: {reason}"));
    }
    Some(pattern.into())
}

/// A value in the field's lexical form. JSON's own numbers and booleans may stand for those of the field.
fn read_literal(
    node: &DocumentNode,
    what: &str,
    kind: Option<&FieldType>,
    problems: &DescriptorProblems,
) -> Option<String> {
    match (&node.value, kind) {
        (NodeValue::Text(text), _) => Some(text.clone()),
        // Without a type, nothing tells whether the number is wrong. Its own error is reported already.
        (NodeValue::Number(text), None | Some(FieldType::Integer { .. } | FieldType::Year)) => Some(text.clone()),
        (NodeValue::Number(text), Some(FieldType::Number(format))) => {
            // JSON and YAML know only the point; the field may read another sign.
            Some(standard_number(text).replace('.', &format.decimal_char))
        }
        (NodeValue::Bool(flag), Some(FieldType::Boolean(words))) => {
            let words = if *flag { &words.true_values } else { &words.false_values };
            // Any of the words would do, since values are compared and not texts.
            words.first().cloned()
        }
        (NodeValue::List(_) | NodeValue::Map(_), Some(kind)) if is_json(kind) => Some(node.to_json()),
        _ => node.read_text(what, problems).map(String::from),
    }
}

/// YAML's infinities and not-a-number in the form of the standard.
fn standard_number(text: &str) -> &str {
    match text.to_ascii_lowercase().as_str() {
        ".inf" | "+.inf" => "INF",
        "-.inf" => "-INF",
        ".nan" => "NaN",
        _ => text,
    }
}

const fn is_json(kind: &FieldType) -> bool {
    matches!(
        kind,
        FieldType::Array
            | FieldType::Object
            | FieldType::Geojson(_)
            | FieldType::Geopoint(GeopointFormat::Array | GeopointFormat::Object)
    )
}
