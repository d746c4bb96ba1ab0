//! One typed value outside its column: how keys are looked up and rows are compared.

use std::fmt;

use arrow_array::{
    Array, BooleanArray, Date32Array, Int64Array, RecordBatch, StringArray, Time64MicrosecondArray,
    TimestampMicrosecondArray,
};
use arrow_schema::{DataType, TimeUnit};

/// A typed value that owns its text.
pub use crate::validate::Value as Scalar;
use crate::validate::render;

/// A typed value that borrows its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScalarRef<'a> {
    /// No value.
    Null,
    /// An integer or a year.
    Integer(i64),
    /// True or false.
    Boolean(bool),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since midnight.
    Time(i64),
    /// Microseconds since 1970-01-01T00:00:00Z.
    Datetime(i64),
    /// Text; also numbers (canonical decimals) and JSON.
    Text(&'a str),
}

impl fmt::Display for ScalarRef<'_> {
    /// The value's canonical text; nothing for a missing value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        match self {
            Self::Null => {}
            Self::Integer(value) => return value.fmt(f),
            Self::Boolean(value) => return value.fmt(f),
            Self::Text(value) => return value.fmt(f),
            Self::Date(day) => render::date_text(*day, &mut text),
            Self::Time(micros) => render::time_text(*micros, &mut text),
            Self::Datetime(micros) => render::datetime_text(*micros, &mut text),
        }
        text.fmt(f)
    }
}

impl ScalarRef<'_> {
    /// A copy that owns its text.
    #[must_use]
    pub fn to_owned(self) -> Scalar {
        match self {
            Self::Null => Scalar::Null,
            Self::Integer(value) => Scalar::Integer(value),
            Self::Boolean(value) => Scalar::Boolean(value),
            Self::Date(value) => Scalar::Date(value),
            Self::Time(value) => Scalar::Time(value),
            Self::Datetime(value) => Scalar::Datetime(value),
            Self::Text(value) => Scalar::Text(value.to_owned()),
        }
    }
}

impl Scalar {
    /// The value, borrowed.
    #[must_use]
    pub fn as_ref(&self) -> ScalarRef<'_> {
        match self {
            Self::Null => ScalarRef::Null,
            Self::Integer(value) => ScalarRef::Integer(*value),
            Self::Boolean(value) => ScalarRef::Boolean(*value),
            Self::Date(value) => ScalarRef::Date(*value),
            Self::Time(value) => ScalarRef::Time(*value),
            Self::Datetime(value) => ScalarRef::Datetime(*value),
            Self::Text(value) => ScalarRef::Text(value),
        }
    }
}

/// The value of `column` at `row`.
///
/// # Panics
/// Where the column is of a type that the validator never makes.
#[must_use]
pub fn scalar_at(column: &dyn Array, row: usize) -> ScalarRef<'_> {
    if column.is_null(row) {
        return ScalarRef::Null;
    }
    let any = column.as_any();
    match column.data_type() {
        DataType::Int64 => any.downcast_ref::<Int64Array>().map(|c| ScalarRef::Integer(c.value(row))),
        DataType::Utf8 => any.downcast_ref::<StringArray>().map(|c| ScalarRef::Text(c.value(row))),
        DataType::Boolean => any.downcast_ref::<BooleanArray>().map(|c| ScalarRef::Boolean(c.value(row))),
        DataType::Date32 => any.downcast_ref::<Date32Array>().map(|c| ScalarRef::Date(c.value(row))),
        DataType::Time64(TimeUnit::Microsecond) => {
            any.downcast_ref::<Time64MicrosecondArray>().map(|c| ScalarRef::Time(c.value(row)))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            any.downcast_ref::<TimestampMicrosecondArray>().map(|c| ScalarRef::Datetime(c.value(row)))
        }
        _ => None,
    }
    .unwrap_or_else(|| unreachable!("the validator makes no column of type {}", column.data_type()))
}

/// All values of `batch` at `row`.
#[must_use]
pub fn row_scalars(batch: &RecordBatch, row: usize) -> Vec<ScalarRef<'_>> {
    batch.columns().iter().map(|column| scalar_at(column.as_ref(), row)).collect()
}
