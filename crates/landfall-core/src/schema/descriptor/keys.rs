//! Primary and unique keys: <https://datapackage.org/standard/table-schema/#primaryKey>.

use crate::schema::document::{DescriptorProblems, DocumentNode, MapReader, NodeValue, find_nearest};
use crate::schema::{FieldIndex, TableSchema};

/// Reads `primaryKey` and `uniqueKeys`, and adds the fields with the constraint `unique`.
pub(super) fn read(reader: &mut MapReader<'_>, schema: &mut TableSchema) {
    let problems = reader.problems();
    let primary = reader.take_value("primaryKey").and_then(|node| read_key(node, "\"primaryKey\"", schema, problems));
    schema.primary_key = primary.unwrap_or_default();
    for at in schema.primary_key.clone() {
        // As SQL has it: no part of a primary key may be NULL.
        schema[at].constraints.required = true;
    }
    for node in reader.take_list("uniqueKeys").unwrap_or_default() {
        // A single name would be ambiguous here: `["a", "b"]` is a list of two keys or one key of two fields.
        if node.read_list("a unique key", problems).is_some()
            && let Some(key) = read_key(node, "a unique key", schema, problems)
        {
            add_unique_key(key, schema);
        }
    }
    for at in schema.field_positions() {
        if schema[at].constraints.unique {
            add_unique_key(vec![at], schema);
        }
    }
}

/// A key that says nothing new is left out: the same fields as another one, or as the primary key.
fn add_unique_key(key: Vec<FieldIndex>, schema: &mut TableSchema) {
    let known =
        // A second index on the same fields would only cost time with each row.
        std::iter::once(&schema.primary_key).chain(&schema.unique_keys).any(|other| have_same_fields(other, &key));
    if !known && !key.is_empty() {
        schema.unique_keys.push(key);
    }
}

/// Whether two keys have the same fields, in whatever order.
pub(super) fn have_same_fields(a: &[FieldIndex], b: &[FieldIndex]) -> bool {
    a.len() == b.len() && a.iter().all(|at| b.contains(at))
}

/// The positions of the fields of a key: one name, or a list of names.
pub(super) fn read_key(
    node: &DocumentNode,
    what: &str,
    schema: &TableSchema,
    problems: &DescriptorProblems,
) -> Option<Vec<FieldIndex>> {
    let mut key = Vec::new();
    for name in read_name_nodes(node, what, problems)? {
        let text = name.read_text(&format!("a field of {what}"), problems)?;
        let at = find_field(text, name, schema, problems)?;
        if key.contains(&at) {
            problems.report_problem(&name.place, format!("the field \"{text}\" occurs twice in {what}"));
        }
        key.push(at);
    }
    Some(key)
}

/// The nodes of one name or a list of names.
pub(super) fn read_name_nodes<'a>(
    node: &'a DocumentNode,
    what: &str,
    problems: &DescriptorProblems,
) -> Option<&'a [DocumentNode]> {
    match &node.value {
        NodeValue::Text(_) => Some(std::slice::from_ref(node)),
        _ => node.read_list(what, problems),
    }
}

/// The position of the field `text`. Without any field, the fields themselves were wrong, which is reported already.
pub(super) fn find_field(
    text: &str,
    node: &DocumentNode,
    schema: &TableSchema,
    problems: &DescriptorProblems,
) -> Option<FieldIndex> {
    let at = schema.field_position(text);
    if at.is_none() && !schema.fields.is_empty() {
        problems.report_problem(&node.place, unknown_field(text, schema));
    }
    at
}

/// The message for a field that the schema does not have.
pub(super) fn unknown_field(name: &str, schema: &TableSchema) -> String {
    match find_nearest(name, schema.fields.iter().map(|field| &*field.name)) {
        Some(near) => format!("unknown field \"{name}\"; did you mean \"{near}\"?"),
        None => format!("unknown field \"{name}\""),
    }
}
