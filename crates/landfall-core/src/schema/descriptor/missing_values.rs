//! `missingValues`: <https://datapackage.org/standard/table-schema/#missingValues>.

use crate::schema::document::{Node, Problems, Reader};

/// The texts of `missingValues`, where the property is there: a list of texts, or of maps with `value` and `label`.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<Vec<String>> {
    let problems = reader.problems();
    let nodes = reader.list("missingValues")?;
    let mut texts: Vec<String> = Vec::new();
    for node in nodes {
        let Some(text) = read_one(node, problems) else { continue };
        if texts.contains(&text) {
            problems.report(&node.place, format!("the missing value \"{}\" occurs twice", text.escape_debug()));
        }
        texts.push(text);
    }
    Some(texts)
}

fn read_one(node: &Node, problems: &Problems) -> Option<String> {
    if !matches!(node.value, crate::schema::document::Value::Map(_)) {
        return node.text("a missing value", problems).map(String::from);
    }
    let mut reader = node.map("a missing value", problems)?;
    let value = reader.require("value").and_then(|value| value.text("\"value\"", problems));
    reader.text("label");
    reader.finish();
    value.map(String::from)
}
