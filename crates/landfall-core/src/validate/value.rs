//! One typed value outside its column: how keys are looked up, rows compared and parameters bound.

use std::{
    fmt,
    hash::{Hash, Hasher},
    mem::discriminant,
};

use arrow_array::{
    Array, RecordBatch,
    cast::AsArray,
    types::{Date32Type, Int64Type, Time64MicrosecondType, TimestampMicrosecondType},
};
use arrow_schema::{DataType, Field as ArrowField, TimeUnit};

use super::{TYPE_KEY, decimal, render};

/// A value of one cell, in the form in which rows hold it. Its text is owned (`String`) or borrowed ([`ValueRef`]).
///
/// Values are equal where they are of one kind and have the same content. Numbers are compared and hashed by value, not by
/// their digits: `1.0` and `1.00` are one number.
#[derive(Debug, Clone, Copy)]
pub enum Value<T = String> {
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
    /// `datetime`: microseconds since 1970-01-01T00:00:00Z.
    Datetime(i64),
    /// `number`: the exact decimal (see [`decimal`]).
    Number(T),
    /// All other types.
    Text(T),
}

/// A value that borrows its text.
pub type ValueRef<'a> = Value<&'a str>;

impl<T: AsRef<str>> PartialEq for Value<T> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Boolean(left), Self::Boolean(right)) => left == right,
            (Self::Date(left), Self::Date(right)) => left == right,
            (Self::Integer(left), Self::Integer(right))
            | (Self::Time(left), Self::Time(right))
            | (Self::Datetime(left), Self::Datetime(right)) => left == right,
            (Self::Text(left), Self::Text(right)) => left.as_ref() == right.as_ref(),
            (Self::Number(left), Self::Number(right)) => decimal::are_same_numbers(left.as_ref(), right.as_ref()),
            _ => false,
        }
    }
}

impl<T: AsRef<str>> Eq for Value<T> {}

impl<T: AsRef<str>> Hash for Value<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Or the date 0, the time 0 and the integer 0 would always collide.
        discriminant(self).hash(state);
        match self {
            Self::Null => {}
            Self::Boolean(value) => value.hash(state),
            Self::Date(value) => value.hash(state),
            Self::Integer(value) | Self::Time(value) | Self::Datetime(value) => value.hash(state),
            Self::Text(text) => text.as_ref().hash(state),
            // By value, as in the comparison: equal values with two hashes would be missed in a map.
            Self::Number(text) => decimal::hash(text.as_ref(), state),
        }
    }
}

impl<T: AsRef<str>> fmt::Display for Value<T> {
    /// The value's canonical text; nothing for a missing value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        match self {
            Self::Null => {}
            Self::Integer(value) => return value.fmt(f),
            Self::Boolean(value) => return value.fmt(f),
            Self::Text(value) | Self::Number(value) => return value.as_ref().fmt(f),
            Self::Date(day) => render::push_date(*day, &mut text),
            Self::Time(micros) => render::push_time(*micros, &mut text),
            Self::Datetime(micros) => render::datetime_text(*micros, &mut text),
        }
        text.fmt(f)
    }
}

impl<T> Value<T> {
    /// The value with its text, where it has one, changed by `change`.
    fn map_text<'v, U>(&'v self, change: impl FnOnce(&'v T) -> U) -> Value<U> {
        match self {
            Self::Null => Value::Null,
            Self::Integer(value) => Value::Integer(*value),
            Self::Boolean(value) => Value::Boolean(*value),
            Self::Date(value) => Value::Date(*value),
            Self::Time(value) => Value::Time(*value),
            Self::Datetime(value) => Value::Datetime(*value),
            Self::Number(text) => Value::Number(change(text)),
            Self::Text(text) => Value::Text(change(text)),
        }
    }
}

impl Value {
    /// The value, borrowed.
    #[must_use]
    pub fn as_ref(&self) -> ValueRef<'_> {
        self.map_text(String::as_str)
    }
}

impl ValueRef<'_> {
    /// A copy that owns its text.
    #[must_use]
    pub fn to_owned(self) -> Value {
        self.map_text(|text| (*text).to_owned())
    }
}

/// Whether a column holds numbers: text with the type `number` in its metadata (see [`TYPE_KEY`]).
#[must_use]
pub fn is_number_column(field: &ArrowField) -> bool {
    *field.data_type() == DataType::Utf8 && field.metadata().get(TYPE_KEY).is_some_and(|kind| kind == "number")
}

/// The value at `row` of a column, whose text is `number`s or not.
///
/// # Panics
/// Where the column is of a type that the validator never makes.
pub(crate) fn value_at(column: &dyn Array, number: bool, row: usize) -> ValueRef<'_> {
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Int64 => Value::Integer(column.as_primitive::<Int64Type>().value(row)),
        DataType::Utf8 if number => Value::Number(column.as_string::<i32>().value(row)),
        DataType::Utf8 => Value::Text(column.as_string::<i32>().value(row)),
        DataType::Boolean => Value::Boolean(column.as_boolean().value(row)),
        DataType::Date32 => Value::Date(column.as_primitive::<Date32Type>().value(row)),
        DataType::Time64(TimeUnit::Microsecond) => {
            Value::Time(column.as_primitive::<Time64MicrosecondType>().value(row))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            Value::Datetime(column.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        other => unreachable!("the validator makes no column of type {other}"),
    }
}

/// The value of the column of `batch` at position `column` in `row`.
///
/// # Panics
/// Where the column is of a type that the validator never makes.
#[must_use]
pub fn scalar_at(batch: &RecordBatch, column: usize, row: usize) -> ValueRef<'_> {
    value_at(batch.column(column).as_ref(), is_number_column(batch.schema_ref().field(column)), row)
}

/// All values of `batch` at `row`.
#[must_use]
pub fn scalars_of_row(batch: &RecordBatch, row: usize) -> Vec<ValueRef<'_>> {
    (0..batch.num_columns()).map(|column| scalar_at(batch, column, row)).collect()
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use foldhash::quality::FixedState;
    use proptest::prelude::*;

    use super::{Value, ValueRef, decimal};

    fn hash_of(value: &ValueRef<'_>) -> u64 {
        FixedState::with_seed(1).hash_one(value)
    }

    fn numbers(left: &str, right: &str) -> bool {
        let (left, right) = (Value::Number(left), Value::Number(right));
        assert!(left != right || hash_of(&left) == hash_of(&right), "{left} {right}: equal, with two hashes");
        left == right
    }

    #[test]
    fn numbers_are_equal_by_value() {
        for (left, right) in
            [("1.0", "1.00"), ("-0", "0.000"), ("0.00", "0"), ("1E+100", "10E+99"), ("NaN", "NaN"), ("1500", "1.5e3")]
        {
            assert!(numbers(left, right), "{left} {right}");
        }
        for (left, right) in [("1", "-1"), ("1", "10"), ("0.1", "0.01"), ("INF", "-INF"), ("NaN", "0"), ("0", "")] {
            assert!(!numbers(left, right), "{left} {right}");
        }
    }

    #[test]
    fn text_is_no_number_and_what_is_no_number_equals_only_itself() {
        assert_ne!(Value::Text("1"), Value::Number("1"));
        assert_ne!(Value::Text("1.0"), Value::Text("1.00"));
        assert!(numbers("\0[255]", "\0[255]") && !numbers("\0[255]", "255"));
    }

    #[test]
    fn borrowed_and_owned_values_are_the_same() {
        for value in [Value::Null, Value::Number("1.50"), Value::Text("ä"), Value::Date(3), Value::Boolean(true)] {
            assert_eq!(value.to_owned().as_ref(), value);
            assert_eq!(FixedState::with_seed(1).hash_one(value.to_owned()), hash_of(&value));
        }
    }

    /// A number of few digits, so that many of them are equal.
    fn number() -> impl Strategy<Value = String> {
        let digits = "-?(0{0,3}[0-3]{1,3}(\\.[0-2]{0,2}0{0,20})?|\\.[01]{1,2}0{0,20})";
        (digits, -3i32..4, any::<bool>())
            .prop_map(|(digits, exponent, plain)| if plain { digits } else { format!("{digits}e{exponent}") })
    }

    proptest! {
        /// The oracle is the one normal text that [`decimal::normalize_number`] makes of each value.
        #[test]
        fn equality_and_hashes_agree_with_the_normal_text(left in number(), right in number()) {
            let same = decimal::normalize_number(&left) == decimal::normalize_number(&right);
            prop_assert_eq!(numbers(&left, &right), same, "{} {}", left, right);
            let hashes = hash_of(&Value::Number(&left)) == hash_of(&Value::Number(&right));
            prop_assert_eq!(hashes, same, "{} {}", left, right);
        }

        #[test]
        fn any_text_can_be_compared(left: String, right in "[-+0-9.eEINFa]{0,8}") {
            prop_assert!(numbers(&left, &left) && numbers(&right, &right));
            prop_assert_eq!(numbers(&left, &right), numbers(&right, &left));
        }
    }
}
