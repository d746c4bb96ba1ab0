//! A field of the dictionary becomes a column that can be read.

use std::sync::Arc;

use super::{
    boolean::BooleanReader,
    column::{CellReader, FieldColumn, ReadColumn},
    constraints::FieldChecks,
    geopoint::GeopointReader,
    integer::{IntegerReader, YearReader},
    list::ListReader,
    number::NumberReader,
    problem::RuleError,
    structured::{GeojsonReader, JsonReader},
    temporal::{DateReader, DatetimeReader, DurationReader, TimeReader, YearMonthReader},
    text::{FormatReader, TextReader},
};
use crate::schema::{Field, FieldType, StringFormat};

/// The column of `field`, which is at `position` in its schema, and part of a key or not.
pub(super) fn compile_column(field: &Field, position: u32, in_key: bool) -> Result<Box<dyn ReadColumn>, RuleError> {
    let refuse = |rule, reason| RuleError { field: Arc::clone(&field.name), rule, reason };
    match &field.kind {
        FieldType::String(StringFormat::Default) => compile_boxed(field, position, TextReader::STRING),
        FieldType::Any => compile_boxed(field, position, TextReader::ANY),
        FieldType::String(format) => compile_boxed(field, position, FormatReader::new(*format)),
        FieldType::Integer { bare_number, group_char, zero_decimals } => {
            compile_boxed(field, position, IntegerReader::new(*bare_number, group_char.clone(), *zero_decimals))
        }
        // An empty separator would be found before the first digit of every number.
        FieldType::Number(format) if format.decimal_char.is_empty() => Err(refuse("decimalChar", "is empty".into())),
        // Only key fields lose the zeros at the end of a number: equal keys must be equal texts in every database.
        FieldType::Number(format) => compile_boxed(field, position, NumberReader::new(format.clone(), in_key)),
        FieldType::Boolean(words) => compile_boxed(field, position, BooleanReader::new(words.clone())),
        FieldType::Date(format) => {
            compile_boxed(field, position, DateReader::new(format).map_err(|why| refuse("format", why))?)
        }
        FieldType::Time(format) => {
            compile_boxed(field, position, TimeReader::new(format).map_err(|why| refuse("format", why))?)
        }
        FieldType::Datetime { format, timezone, ambiguous } => {
            let reader = DatetimeReader::new(format, timezone.as_deref(), *ambiguous);
            let reader = reader.map_err(|(rule, why)| refuse(rule, why))?;
            compile_boxed(field, position, reader)
        }
        FieldType::Year => compile_boxed(field, position, YearReader),
        FieldType::YearMonth => compile_boxed(field, position, YearMonthReader),
        FieldType::Duration => compile_boxed(field, position, DurationReader),
        FieldType::Object => compile_boxed(field, position, JsonReader::OBJECT),
        FieldType::Array => compile_boxed(field, position, JsonReader::ARRAY),
        FieldType::List { delimiter, item } => {
            compile_boxed(field, position, ListReader::new(delimiter, *item).map_err(|why| refuse("delimiter", why))?)
        }
        FieldType::Geopoint(format) => compile_boxed(field, position, GeopointReader::new(*format)),
        FieldType::Geojson(format) => compile_boxed(field, position, GeojsonReader::new(*format)),
    }
}

fn compile_boxed<R: CellReader + 'static>(
    field: &Field,
    position: u32,
    reader: R,
) -> Result<Box<dyn ReadColumn>, RuleError> {
    let checks = FieldChecks::new(field, &reader)?;
    Ok(Box::new(FieldColumn::new(field, position, reader, checks)))
}
