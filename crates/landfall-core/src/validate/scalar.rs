//! A single value: for report parameters, JSON rows, and whatever else comes one cell at a time.

use arrow_array::{
    Array,
    cast::AsArray,
    types::{Date32Type, Int64Type, Time64MicrosecondType, TimestampMicrosecondType},
};
use arrow_schema::{DataType, TimeUnit};

use super::{column::ReadColumn, compile, problem::RuleError};
use crate::{reject::CellError, schema::Field};

/// A value of one cell, in the form in which rows hold it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value {
    /// A missing value.
    Null,
    /// `integer` and `year`.
    Integer(i64),
    /// `boolean`.
    Boolean(bool),
    /// `date`: days since 1970-01-01.
    Date(i32),
    /// `time`: microseconds since midnight.
    Time(i64),
    /// `datetime`: microseconds since 1970-01-01 in UTC.
    Datetime(i64),
    /// All other types.
    Text(String),
}

impl Value {
    /// The value in `row` of a column of one of Landfall's types.
    #[must_use]
    pub fn of(column: &dyn Array, row: usize) -> Self {
        if column.is_null(row) {
            return Self::Null;
        }
        match column.data_type() {
            DataType::Utf8 => Self::Text(column.as_string::<i32>().value(row).to_owned()),
            DataType::Int64 => Self::Integer(column.as_primitive::<Int64Type>().value(row)),
            DataType::Boolean => Self::Boolean(column.as_boolean().value(row)),
            DataType::Date32 => Self::Date(column.as_primitive::<Date32Type>().value(row)),
            DataType::Time64(TimeUnit::Microsecond) => {
                Self::Time(column.as_primitive::<Time64MicrosecondType>().value(row))
            }
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                Self::Datetime(column.as_primitive::<TimestampMicrosecondType>().value(row))
            }
            _ => Self::Null,
        }
    }
}

/// Reads single values of one field, by the same rules as [`super::Validator`].
#[derive(Debug)]
pub struct ValueReader {
    column: Box<dyn ReadColumn>,
}

impl ValueReader {
    /// A reader of values of `field`.
    ///
    /// # Errors
    /// A rule of the field cannot be applied.
    pub fn new(field: &Field) -> Result<Self, RuleError> {
        Ok(Self { column: compile::column(field, 0)? })
    }

    /// The value that `text` stands for.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(&self, text: &str) -> Result<Value, Vec<CellError>> {
        let (column, errors) = self.column.read_cell(text);
        if errors.is_empty() { Ok(Value::of(&column, 0)) } else { Err(errors) }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::schema::{Constraints, FieldType, StringFormat};

    /// A field `f` of a type, where the empty text is a missing value.
    pub(crate) fn field(kind: &FieldType, constraints: Constraints) -> Field {
        Field {
            name: "f".into(),
            title: None,
            description: None,
            kind: kind.clone(),
            constraints,
            missing_values: vec![String::new()],
        }
    }

    pub(crate) fn read(kind: &FieldType, text: &str) -> Result<Value, Vec<CellError>> {
        ValueReader::new(&field(kind, Constraints::default())).expect("a sound field").read(text)
    }

    pub(crate) fn value_of(kind: &FieldType, text: &str) -> Option<Value> {
        read(kind, text).ok()
    }

    pub(crate) fn integer_of(kind: &FieldType, text: &str) -> Option<i64> {
        match value_of(kind, text)? {
            Value::Integer(value) => Some(value),
            other => panic!("{other:?} is not an integer"),
        }
    }

    pub(crate) fn text_of(kind: &FieldType, text: &str) -> Option<String> {
        match value_of(kind, text)? {
            Value::Text(text) => Some(text),
            other => panic!("{other:?} is not text"),
        }
    }

    pub(crate) fn problems_of(kind: &FieldType, text: &str) -> Vec<CellError> {
        read(kind, text).expect_err("not a value")
    }

    #[test]
    fn missing_values_are_null() {
        assert_eq!(value_of(&FieldType::Year, ""), Some(Value::Null));
        let required = Constraints { required: true, ..Constraints::default() };
        let reader = ValueReader::new(&field(&FieldType::Year, required)).expect("sound");
        assert_eq!(
            reader.read("").expect_err("refused")[0].message,
            "field \"f\": the value is missing, and the field is required"
        );
    }

    #[test]
    fn a_nul_character_is_a_type_error() {
        let problems = problems_of(&FieldType::String(StringFormat::Default), "a\0b");
        assert_eq!(
            problems[0].message,
            "field \"f\": \"a\\u{0}b\" is not text (it contains a NUL character, which not every database can hold); take \
             that character out"
        );
    }
}
