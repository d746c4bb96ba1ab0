//! Primary and unique keys: <https://datapackage.org/standard/table-schema/#primaryKey>.

use crate::schema::document::{Node, Problems, Reader, Value, nearest};
use crate::schema::{Field, TableSchema};

/// Reads `primaryKey` and `uniqueKeys`, and adds the fields with the constraint `unique`.
pub(super) fn read(reader: &mut Reader<'_>, schema: &mut TableSchema) {
    let problems = reader.problems();
    let primary = reader.take("primaryKey").and_then(|node| read_key(node, "\"primaryKey\"", schema, problems));
    schema.primary_key = primary.unwrap_or_default();
    for &at in &schema.primary_key {
        schema.fields[at].constraints.required = true;
    }
    for node in reader.list("uniqueKeys").unwrap_or_default() {
        if node.list("a unique key", problems).is_some()
            && let Some(key) = read_key(node, "a unique key", schema, problems)
        {
            add_unique_key(key, schema);
        }
    }
    let unique = |(at, field): (usize, &Field)| field.constraints.unique.then_some(at);
    let columns: Vec<usize> = schema.fields.iter().enumerate().filter_map(unique).collect();
    columns.into_iter().for_each(|at| add_unique_key(vec![at], schema));
}

/// A key that says nothing new is left out: the same fields as another one, or as the primary key.
fn add_unique_key(key: Vec<usize>, schema: &mut TableSchema) {
    let known = std::iter::once(&schema.primary_key).chain(&schema.unique_keys).any(|other| same_fields(other, &key));
    if !known && !key.is_empty() {
        schema.unique_keys.push(key);
    }
}

/// Whether two keys have the same fields, in whatever order.
pub(super) fn same_fields(a: &[usize], b: &[usize]) -> bool {
    a.len() == b.len() && a.iter().all(|at| b.contains(at))
}

/// The positions of the fields of a key: one name, or a list of names.
pub(super) fn read_key(node: &Node, what: &str, schema: &TableSchema, problems: &Problems) -> Option<Vec<usize>> {
    let mut key = Vec::new();
    for name in names(node, what, problems)? {
        let text = name.text(&format!("a field of {what}"), problems)?;
        let at = position(text, name, schema, problems)?;
        if key.contains(&at) {
            problems.report(&name.place, format!("the field \"{text}\" occurs twice in {what}"));
        }
        key.push(at);
    }
    Some(key)
}

/// The nodes of one name or a list of names.
pub(super) fn names<'a>(node: &'a Node, what: &str, problems: &Problems) -> Option<&'a [Node]> {
    match &node.value {
        Value::Text(_) => Some(std::slice::from_ref(node)),
        _ => node.list(what, problems),
    }
}

/// The position of the field `text`. Without any field, the fields themselves were wrong, which is reported already.
pub(super) fn position(text: &str, node: &Node, schema: &TableSchema, problems: &Problems) -> Option<usize> {
    let at = schema.position(text);
    if at.is_none() && !schema.fields.is_empty() {
        problems.report(&node.place, unknown_field(text, schema));
    }
    at
}

/// The message for a field that the schema does not have.
pub(super) fn unknown_field(name: &str, schema: &TableSchema) -> String {
    match nearest(name, schema.fields.iter().map(|field| &*field.name)) {
        Some(near) => format!("unknown field \"{name}\"; did you mean \"{near}\"?"),
        None => format!("unknown field \"{name}\""),
    }
}
