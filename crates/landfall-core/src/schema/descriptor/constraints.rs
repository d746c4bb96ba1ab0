//! Constraints: <https://datapackage.org/standard/table-schema/#field-constraints>. A closed set of properties.

use super::bounds;
use crate::schema::document::{Node, Problems, Reader, Value};
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
pub(super) fn is_name(name: &str) -> bool {
    CONSTRAINTS.iter().any(|(known, _)| *known == name)
}

/// Reads `constraints`; `kind` is the field's type where it could be read.
pub(super) fn read(node: &Node, kind: Option<&FieldType>, problems: &Problems) -> Option<Constraints> {
    let mut reader = node.map("\"constraints\"", problems)?;
    refuse_json_schema(&mut reader);
    refuse_unfit(&reader, kind);
    let constraints = Constraints {
        required: reader.flag("required").unwrap_or(false),
        unique: reader.flag("unique").unwrap_or(false),
        min_length: reader.whole("minLength"),
        max_length: reader.whole("maxLength"),
        minimum: read_bound(&mut reader, "minimum", kind),
        maximum: read_bound(&mut reader, "maximum", kind),
        exclusive_minimum: read_bound(&mut reader, "exclusiveMinimum", kind),
        exclusive_maximum: read_bound(&mut reader, "exclusiveMaximum", kind),
        pattern: read_pattern(&mut reader),
        enumeration: read_enum(&mut reader, kind),
    };
    bounds::check(&constraints, kind, &node.place, problems);
    reader.finish();
    Some(constraints)
}

/// The values of `categories`: a list of values, or of maps with `value` and `label`.
pub(super) fn read_categories(reader: &mut Reader<'_>, kind: Option<&FieldType>) -> Option<Vec<String>> {
    let problems = reader.problems();
    reader.flag("categoriesOrdered");
    let nodes = reader.list("categories")?;
    let mut values = Vec::new();
    for node in nodes {
        let Some(value) = read_category(node, kind, problems) else { continue };
        if values.contains(&value) {
            problems.report(&node.place, format!("the category \"{}\" occurs twice", value.escape_debug()));
        }
        values.push(value);
    }
    Some(values)
}

fn read_category(node: &Node, kind: Option<&FieldType>, problems: &Problems) -> Option<String> {
    if !matches!(node.value, Value::Map(_)) {
        return literal(node, "a category", kind, problems);
    }
    let mut reader = node.map("a category", problems)?;
    let value = reader.require("value").and_then(|value| literal(value, "\"value\"", kind, problems));
    reader.text("label");
    reader.finish();
    value
}

fn refuse_json_schema(reader: &mut Reader<'_>) {
    let entry = reader.entries().iter().find(|entry| entry.key == "jsonSchema");
    if let Some(entry) = entry {
        reader.accept(&["jsonSchema"]);
        reader.problems().report_with_mend(&entry.key_place, "\"jsonSchema\" is not supported", "remove it");
    }
}

fn refuse_unfit(reader: &Reader<'_>, kind: Option<&FieldType>) {
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

fn read_bound(reader: &mut Reader<'_>, name: &'static str, kind: Option<&FieldType>) -> Option<String> {
    let problems = reader.problems();
    let node = reader.take(name)?;
    let unfit = kind.is_some_and(|kind| !ORDERED.contains(&kind.name()));
    if unfit { None } else { literal(node, &format!("\"{name}\""), kind, problems) }
}

fn read_enum(reader: &mut Reader<'_>, kind: Option<&FieldType>) -> Option<Vec<String>> {
    let problems = reader.problems();
    let node = reader.take("enum")?;
    let nodes = node.list("\"enum\"", problems)?;
    if nodes.is_empty() {
        problems.report(&node.place, "\"enum\" allows no value at all");
    }
    Some(nodes.iter().filter_map(|node| literal(node, "a value of \"enum\"", kind, problems)).collect())
}

/// A pattern must be a regular expression of one of the two engines that the validator knows.
fn read_pattern(reader: &mut Reader<'_>) -> Option<String> {
    let problems = reader.problems();
    let node = reader.take("pattern")?;
    let pattern = node.text("\"pattern\"", problems)?;
    if regex::Regex::new(pattern).is_err()
        && let Err(error) = fancy_regex::Regex::new(pattern)
    {
        let reason = error.to_string();
        let reason = reason.trim().lines().last().unwrap_or_default().trim().to_owned();
        problems.report(&node.place, format!("\"pattern\" is not a regular expression: {reason}"));
    }
    Some(pattern.into())
}

/// A value in the field's lexical form. JSON's own numbers and booleans may stand for those of the field.
fn literal(node: &Node, what: &str, kind: Option<&FieldType>, problems: &Problems) -> Option<String> {
    match (&node.value, kind) {
        (Value::Text(text), _) => Some(text.clone()),
        (Value::Number(text), None | Some(FieldType::Integer { .. } | FieldType::Year)) => Some(text.clone()),
        (Value::Number(text), Some(FieldType::Number(format))) => Some(number(text).replace('.', &format.decimal_char)),
        (Value::Bool(flag), Some(FieldType::Boolean(words))) => {
            let words = if *flag { &words.true_values } else { &words.false_values };
            words.first().cloned()
        }
        (Value::List(_) | Value::Map(_), Some(kind)) if is_json(kind) => Some(node.to_json()),
        _ => node.text(what, problems).map(String::from),
    }
}

/// YAML's infinities and not-a-number in the form of the standard.
fn number(text: &str) -> &str {
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
