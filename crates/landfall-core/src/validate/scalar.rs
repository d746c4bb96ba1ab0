//! A single value: for report parameters, JSON rows, and whatever else comes one cell at a time.

use super::{
    column::ReadColumn,
    compile,
    problem::RuleError,
    value::{Value, value_at},
};
use crate::{
    reject::CellError,
    schema::{Field, FieldType},
};

/// Reads single values of one field, by the same rules as [`super::Validator`].
#[derive(Debug)]
pub struct ValueReader {
    column: Box<dyn ReadColumn>,
    number: bool,
}

impl ValueReader {
    /// A reader of values of `field`.
    ///
    /// # Errors
    /// A rule of the field cannot be applied.
    pub fn new(field: &Field) -> Result<Self, RuleError> {
        let number = matches!(field.kind, FieldType::Number(_));
        // A parameter is part of no key, so it keeps the digits that it was written with.
        Ok(Self { column: compile::compile_column(field, 0, false)?, number })
    }

    /// The value that `text` stands for.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(&self, text: &str) -> Result<Value, Vec<CellError>> {
        let (column, errors) = self.column.read_cell(text);
        if errors.is_empty() { Ok(value_at(&column, self.number, 0).to_owned()) } else { Err(errors) }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::schema::{Constraints, StringFormat};

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
            Value::Text(text) | Value::Number(text) => Some(text),
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
