//! The types of fields: <https://datapackage.org/standard/table-schema/#field-types>.

use jiff::fmt::temporal::DateTimeParser;

use super::table_schema::read_named_choice;
use crate::schema::document::{DocumentNode, MapReader, find_nearest};
use crate::schema::{
    Ambiguous, BooleanWords, FieldType, GeoFormat, GeopointFormat, ListItem, NumberFormat, StringFormat, TemporalFormat,
};

const TYPES: [&str; 16] = [
    "string",
    "number",
    "integer",
    "boolean",
    "object",
    "array",
    "list",
    "datetime",
    "date",
    "time",
    "year",
    "yearmonth",
    "duration",
    "geopoint",
    "geojson",
    "any",
];

/// Properties that only some types have.
const TYPE_PROPERTIES: [(&str, &[&str]); 12] = [
    ("bareNumber", &["integer", "number"]),
    ("groupChar", &["integer", "number"]),
    ("decimalChar", &["number"]),
    ("decimals", &["integer"]),
    ("trueValues", &["boolean"]),
    ("falseValues", &["boolean"]),
    ("delimiter", &["list"]),
    ("itemType", &["list"]),
    ("timezone", &["datetime"]),
    ("ambiguous", &["datetime"]),
    ("categories", &["string", "integer"]),
    ("categoriesOrdered", &["string", "integer"]),
];

const STRING_FORMATS: [(&str, StringFormat); 5] = [
    ("default", StringFormat::Default),
    ("email", StringFormat::Email),
    ("uri", StringFormat::Uri),
    ("binary", StringFormat::Binary),
    ("uuid", StringFormat::Uuid),
];

const LIST_ITEMS: [(&str, ListItem); 7] = [
    ("string", ListItem::String),
    ("integer", ListItem::Integer),
    ("number", ListItem::Number),
    ("boolean", ListItem::Boolean),
    ("datetime", ListItem::Datetime),
    ("date", ListItem::Date),
    ("time", ListItem::Time),
];

const GEOPOINT_FORMATS: [(&str, GeopointFormat); 3] =
    [("default", GeopointFormat::Default), ("array", GeopointFormat::Array), ("object", GeopointFormat::Object)];

const GEOJSON_FORMATS: [(&str, GeoFormat); 2] = [("default", GeoFormat::Default), ("topojson", GeoFormat::Topojson)];

/// Reads `type`, `format` and the properties of the type; `any` where there is no type, as version 2 says.
pub(super) fn read(reader: &mut MapReader<'_>) -> Option<FieldType> {
    let name = match reader.take_value("type") {
        None => "any",
        // An unknown type is the empty name, for which the rest of the field is read and not judged.
        Some(node) => read_name(reader, node).unwrap_or_default(),
    };
    let format = reader.take_value("format");
    refuse_misplaced(reader, name);
    match name {
        "string" => read_choice(reader, format, &STRING_FORMATS).map(FieldType::String),
        "geopoint" => read_choice(reader, format, &GEOPOINT_FORMATS).map(FieldType::Geopoint),
        "geojson" => read_choice(reader, format, &GEOJSON_FORMATS).map(FieldType::Geojson),
        "date" => read_temporal(reader, format).map(FieldType::Date),
        "time" => read_temporal(reader, format).map(FieldType::Time),
        "datetime" => {
            let timezone = read_timezone(reader);
            let ambiguous = read_ambiguous(reader, timezone.is_some());
            read_temporal(reader, format).map(|format| FieldType::Datetime { format, timezone, ambiguous })
        }
        "" => None,
        _ => {
            refuse_format(reader, format, name);
            Some(without_format(reader, name))
        }
    }
}

fn read_name<'a>(reader: &MapReader<'a>, node: &'a DocumentNode) -> Option<&'a str> {
    let problems = reader.problems();
    let name = node.read_text("\"type\"", problems)?;
    if TYPES.contains(&name) {
        return Some(name);
    }
    match find_nearest(name, TYPES.into_iter()) {
        Some(near) => {
            problems.report_problem(&node.place, format!("unknown type \"{name}\"; did you mean \"{near}\"?"))
        }
        None => {
            let mend = format!("write one of: {}", TYPES.join(", "));
            problems.report_with_mend(&node.place, format!("unknown type \"{name}\""), mend);
        }
    }
    None
}

fn without_format(reader: &mut MapReader<'_>, name: &str) -> FieldType {
    match name {
        "integer" => read_integer(reader),
        "number" => FieldType::Number(read_number(reader)),
        "boolean" => FieldType::Boolean(read_words(reader)),
        "year" => FieldType::Year,
        "yearmonth" => FieldType::YearMonth,
        "duration" => FieldType::Duration,
        "object" => FieldType::Object,
        "array" => FieldType::Array,
        "list" => read_list(reader),
        _ => FieldType::Any,
    }
}

fn read_integer(reader: &mut MapReader<'_>) -> FieldType {
    let (bare_number, group_char) = (reader.take_flag("bareNumber").unwrap_or(true), read_mark(reader, "groupChar"));
    let problems = reader.problems();
    let node = reader.take_value("decimals");
    let decimals = node.and_then(|node| read_named_choice(node, "\"decimals\"", &[("zero", ())], problems));
    // Else `1.000` could mean a thousand as well as one.
    if let Some(node) = node.filter(|_| decimals.is_some() && group_char.as_deref() == Some(".")) {
        let mend = "write another \"groupChar\", or remove \"decimals\"";
        problems.report_with_mend(&node.place, "\"decimals\" needs the point that is the \"groupChar\" here", mend);
    }
    FieldType::Integer { bare_number, group_char, zero_decimals: decimals.is_some() }
}

fn read_number(reader: &mut MapReader<'_>) -> NumberFormat {
    let format = NumberFormat {
        decimal_char: read_mark(reader, "decimalChar").unwrap_or_else(|| ".".into()),
        group_char: read_mark(reader, "groupChar"),
        bare_number: reader.take_flag("bareNumber").unwrap_or(true),
    };
    if format.group_char.as_ref() == Some(&format.decimal_char) {
        let mend = "write another \"groupChar\" or \"decimalChar\"";
        let message = format!("\"groupChar\" and \"decimalChar\" are both \"{}\"", format.decimal_char);
        reader.problems().report_with_mend(reader.place(), message, mend);
    }
    format
}

/// The text that stands between digits.
fn read_mark(reader: &mut MapReader<'_>, name: &'static str) -> Option<String> {
    let problems = reader.problems();
    let node = reader.take_value(name)?;
    let text = node.read_text(&format!("\"{name}\""), problems)?;
    // A digit or a sign as a separator would change the number that it stands in.
    if text.is_empty() || text.chars().any(|char| char.is_ascii_digit() || matches!(char, '+' | '-')) {
        problems.report_problem(&node.place, format!("\"{name}\" must not be empty, nor hold a digit or a sign"));
        return None;
    }
    Some(text.into())
}

fn read_words(reader: &mut MapReader<'_>) -> BooleanWords {
    let default = BooleanWords::default();
    let words = BooleanWords {
        true_values: reader.take_texts("trueValues").unwrap_or(default.true_values),
        false_values: reader.take_texts("falseValues").unwrap_or(default.false_values),
    };
    // The reader takes such a word for false; here the writer of the dictionary learns of it.
    for word in words.true_values.iter().filter(|word| words.false_values.contains(word)) {
        let mend = "write \"trueValues\" and \"falseValues\" without a common word; absent ones have their defaults";
        let message = format!("the word \"{}\" means both true and false", word.escape_debug());
        reader.problems().report_with_mend(reader.place(), message, mend);
    }
    words
}

fn read_list(reader: &mut MapReader<'_>) -> FieldType {
    let problems = reader.problems();
    let delimiter =
        reader.take_value("delimiter").and_then(|node| Some((node.read_text("\"delimiter\"", problems)?, node)));
    if let Some((_, node)) = delimiter.filter(|(text, _)| text.is_empty()) {
        problems.report_problem(&node.place, "\"delimiter\" must not be empty");
    }
    let item =
        reader.take_value("itemType").and_then(|node| read_named_choice(node, "\"itemType\"", &LIST_ITEMS, problems));
    FieldType::List { delimiter: delimiter.map_or(",", |(text, _)| text).into(), item: item.unwrap_or_default() }
}

fn read_choice<T: Copy + Default>(
    reader: &MapReader<'_>,
    format: Option<&DocumentNode>,
    choices: &[(&str, T)],
) -> Option<T> {
    match format {
        None => Some(T::default()),
        Some(node) => read_named_choice(node, "\"format\"", choices, reader.problems()),
    }
}

/// The form of a date or time. `fmt:` is how version 0 began a pattern.
fn read_temporal(reader: &MapReader<'_>, format: Option<&DocumentNode>) -> Option<TemporalFormat> {
    let Some(node) = format else { return Some(TemporalFormat::Default) };
    let text = node.read_text("\"format\"", reader.problems())?;
    match text.strip_prefix("fmt:").unwrap_or(text) {
        "default" => Some(TemporalFormat::Default),
        "any" => Some(TemporalFormat::Any),
        // A text without any directive would be a constant, and is nearly always a misspelled word.
        pattern if pattern.contains('%') => Some(TemporalFormat::Pattern(pattern.into())),
        other => {
            let mend = "write \"default\", \"any\" or a pattern such as \"%d/%m/%Y\"";
            let message = format!("\"format\" cannot be \"{}\"", other.escape_debug());
            reader.problems().report_with_mend(&node.place, message, mend);
            None
        }
    }
}

/// A zone that the zone database or ISO 8601 knows: an IANA name or an offset such as `+02:00`.
fn read_timezone(reader: &mut MapReader<'_>) -> Option<String> {
    let problems = reader.problems();
    let node = reader.take_value("timezone")?;
    let text = node.read_text("\"timezone\"", problems)?;
    // jiff's own look-up knows names only, no offsets.
    let known = match text.starts_with(['+', '-']) {
        true => DateTimeParser::new().parse_time_zone(text).is_ok(),
        false => jiff::tz::TimeZone::get(text).is_ok(),
    };
    if !known {
        let mend = "write an IANA name such as \"Europe/Paris\", \"UTC\", or an offset such as \"+02:00\"";
        problems.report_with_mend(&node.place, format!("unknown time zone \"{}\"", text.escape_debug()), mend);
    }
    known.then(|| text.into())
}

/// What becomes of a local time that occurs twice in the zone.
fn read_ambiguous(reader: &mut MapReader<'_>, zoned: bool) -> Ambiguous {
    let problems = reader.problems();
    let Some(node) = reader.take_value("ambiguous") else { return Ambiguous::Reject };
    let all = [Ambiguous::Reject, Ambiguous::Earlier, Ambiguous::Later].map(|choice| (choice.name(), choice));
    let choice = read_named_choice(node, "\"ambiguous\"", &all, problems);
    if choice.is_some() && !zoned {
        let mend = "write \"timezone\" as well, or remove it";
        problems.report_with_mend(&node.place, "\"ambiguous\" does nothing without a \"timezone\"", mend);
    }
    choice.unwrap_or_default()
}

fn refuse_format(reader: &MapReader<'_>, format: Option<&DocumentNode>, type_name: &str) {
    let problems = reader.problems();
    let Some(node) = format else { return };
    let Some(text) = node.read_text("\"format\"", problems) else { return };
    if text != "default" {
        let message = format!("a field of type \"{type_name}\" has no format \"{}\"", text.escape_debug());
        problems.report_with_mend(&node.place, message, "remove \"format\"");
    }
}

/// A property of another type would do nothing. Nothing is said where the type itself is unknown.
fn refuse_misplaced(reader: &mut MapReader<'_>, type_name: &str) {
    for (name, types) in TYPE_PROPERTIES {
        let Some(entry) = reader.take_entry(name) else { continue };
        if !type_name.is_empty() && !types.contains(&type_name) {
            let message = format!("\"{name}\" does nothing on a field of type \"{type_name}\"");
            let mend = format!("remove it, or write \"type\": \"{}\"", types.join("\" or \""));
            reader.problems().report_with_mend(&entry.key_place, message, mend);
        }
    }
}
