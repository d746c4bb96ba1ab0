//! Which Avro types a field of a table takes, and how.

use super::schema::{AvroField, AvroType};
use crate::{
    decode::json::JsonKind,
    schema::{Field, FieldType, GeopointFormat, StringFormat},
    validate::PatternWriter,
};

/// How the values of a field are taken where their own JSON form is not what the field takes.
#[derive(Debug)]
pub(super) enum Conversion {
    /// In their own form.
    Plain,
    /// For a field of text: what is a moment or a duration is told as its number, so that it does not pass for text.
    Text,
    /// Bytes as base64.
    Base64,
    /// Strings that hold JSON of these kinds.
    Json(&'static [JsonKind]),
    /// Strings that hold a number.
    Number,
    /// Dates and times in the field's pattern.
    Pattern(Box<PatternWriter>),
}

impl Conversion {
    /// How `field` takes the values of `avro`.
    pub(super) fn new(field: &Field, avro: &AvroField) -> Self {
        match &field.kind {
            FieldType::String(StringFormat::Binary) => Self::Base64,
            FieldType::String(_) => Self::Text,
            FieldType::Number(_) if is_own_type(avro, "number") => Self::Number,
            kind if is_json_text(kind, avro) => Self::Json(stored_json_kinds(kind)),
            kind => PatternWriter::new(kind).map_or(Self::Plain, |writer| Self::Pattern(Box::new(writer))),
        }
    }
}

/// Whether the field says that its strings are of the table's type `kind`.
fn is_own_type(avro: &AvroField, kind: &str) -> bool {
    avro.own_type.as_deref() == Some(kind)
}

/// Whether the field says that its strings hold the JSON of `kind`, as Landfall keeps it.
fn is_json_text(kind: &FieldType, avro: &AvroField) -> bool {
    let like: &[&str] = match kind {
        FieldType::Object | FieldType::Geojson(_) => &["object", "geojson"],
        FieldType::Array | FieldType::List { .. } => &["array", "list"],
        FieldType::Geopoint(_) => &["geopoint"],
        _ => &[],
    };
    like.iter().any(|name| is_own_type(avro, name))
}

/// The JSON that a field of `kind` is kept as.
fn stored_json_kinds(kind: &FieldType) -> &'static [JsonKind] {
    match kind {
        FieldType::Object | FieldType::Geojson(_) => &[JsonKind::Object],
        _ => &[JsonKind::Array],
    }
}

/// Whether `field` takes values of `kind`, which is no union and not null; otherwise what could be done.
pub(super) fn check_type_fits(field: &Field, avro: &AvroField, kind: &AvroType) -> Result<(), &'static str> {
    use AvroType as A;
    let numeric = matches!(kind, A::Int | A::Long | A::Float | A::Double | A::Decimal { .. });
    let text = matches!(kind, A::String);
    let takes = match &field.kind {
        FieldType::Any => true,
        FieldType::Integer { .. } | FieldType::Year => numeric,
        FieldType::Number(_) => numeric || (text && is_own_type(avro, "number")),
        FieldType::Boolean(_) => matches!(kind, A::Boolean),
        FieldType::String(_) => {
            if matches!(kind, A::Date | A::Time(_) | A::Timestamp { .. } | A::Duration) {
                return Err("declare it as a date, time, datetime or duration");
            }
            text || matches!(kind, A::Enum(_) | A::Uuid | A::Bytes | A::Fixed(_))
        }
        FieldType::Date(_) => text || matches!(kind, A::Date),
        FieldType::Time(_) => text || matches!(kind, A::Time(_)),
        FieldType::Datetime { .. } => return check_datetime_fits(field, kind),
        FieldType::YearMonth => text,
        FieldType::Duration => text || matches!(kind, A::Duration),
        FieldType::Object | FieldType::Geojson(_) => {
            matches!(kind, A::Record(_) | A::Map(_)) || (text && is_json_text(&field.kind, avro))
        }
        FieldType::Array | FieldType::List { .. } => {
            matches!(kind, A::Array(_)) || (text && is_json_text(&field.kind, avro))
        }
        FieldType::Geopoint(format) => fits_geopoint(*format, kind) || (text && is_json_text(&field.kind, avro)),
    };
    if takes { Ok(()) } else { Err("") }
}

fn fits_geopoint(format: GeopointFormat, kind: &AvroType) -> bool {
    match kind {
        AvroType::Array(_) => true,
        AvroType::Record(_) | AvroType::Map(_) => format == GeopointFormat::Object,
        AvroType::String => format == GeopointFormat::Default,
        _ => false,
    }
}

fn check_datetime_fits(field: &Field, kind: &AvroType) -> Result<(), &'static str> {
    let FieldType::Datetime { timezone, .. } = &field.kind else { return Err("") };
    let writer = PatternWriter::new(&field.kind);
    match kind {
        AvroType::String => Ok(()),
        AvroType::Timestamp { local: true, .. } if timezone.is_none() => {
            Err("declare in which zone its times are, with the property timezone")
        }
        AvroType::Timestamp { local: false, .. } if writer.is_some_and(|writer| !writer.has_zone()) => {
            Err("declare a timezone: its format has no zone, and could not say when that is")
        }
        AvroType::Timestamp { .. } => Ok(()),
        _ => Err(""),
    }
}
