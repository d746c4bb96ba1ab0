//! `missingValues`: <https://datapackage.org/standard/table-schema/#missingValues>.

use crate::schema::document::{DescriptorProblems, DocumentNode, MapReader};

/// The texts of `missingValues`, where the property is there: a list of texts, or of maps with `value` and `label`.
pub(super) fn read(reader: &mut MapReader<'_>) -> Option<Vec<String>> {
    let problems = reader.problems();
    let nodes = reader.take_list("missingValues")?;
    // An empty list is allowed: then no text is missing, and the empty text is a value.
    let mut texts: Vec<String> = Vec::new();
    for node in nodes {
        let Some(text) = read_missing_value(node, problems) else { continue };
        if texts.contains(&text) {
            problems.report_problem(&node.place, format!("the missing value \"{}\" occurs twice", text.escape_debug()));
        }
        texts.push(text);
    }
    Some(texts)
}

fn read_missing_value(node: &DocumentNode, problems: &DescriptorProblems) -> Option<String> {
    if !matches!(node.value, crate::schema::document::NodeValue::Map(_)) {
        return node.read_text("a missing value", problems).map(String::from);
    }
    let mut reader = node.read_map("a missing value", problems)?;
    let value = reader.require_value("value").and_then(|value| value.read_text("\"value\"", problems));
    reader.take_text("label");
    reader.refuse_unknown();
    value.map(String::from)
}
