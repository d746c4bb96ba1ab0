//! How typed values are stored: integers and booleans as INTEGER, everything else as TEXT.

use jiff::{Timestamp, civil};
use landfall_core::{
    keys::{Scalar, ScalarRef},
    schema::FieldType,
    validate::render,
};
use rusqlite::{ToSql, types::ToSqlOutput, types::Value, types::ValueRef};

/// A value as it is bound to a statement.
pub(super) struct BoundValue<'a>(pub(super) ScalarRef<'a>);

impl ToSql for BoundValue<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let rendered = |write: &dyn Fn(&mut String)| {
            let mut text = String::new();
            write(&mut text);
            ToSqlOutput::Owned(Value::Text(text))
        };
        Ok(match self.0 {
            ScalarRef::Null => ToSqlOutput::Owned(Value::Null),
            ScalarRef::Integer(value) => ToSqlOutput::Owned(Value::Integer(value)),
            ScalarRef::Boolean(value) => ToSqlOutput::Owned(Value::Integer(i64::from(value))),
            ScalarRef::Text(text) | ScalarRef::Number(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            ScalarRef::Date(days) => rendered(&|out| render::push_date(days, out)),
            ScalarRef::Time(micros) => rendered(&|out| render::push_time(micros, out)),
            ScalarRef::Datetime(micros) => rendered(&|out| render::datetime_text(micros, out)),
        })
    }
}

/// The value of a field of type `kind` that is stored as `value`; as text where another program stored what the field
/// cannot hold, so that it equals no row of ours.
pub(super) fn read_scalar(kind: &FieldType, value: ValueRef<'_>) -> Scalar {
    match (read_any_scalar(kind, value), kind) {
        (Scalar::Text(text), FieldType::Number(_)) => Scalar::Number(text),
        (value, _) => value,
    }
}

/// The same for a field that holds text, where the text stands there as it is: the usual case, which needs no copy.
#[inline]
pub(super) fn stored_text<'v>(kind: &FieldType, value: ValueRef<'v>) -> Option<ScalarRef<'v>> {
    let ValueRef::Text(bytes) = value else { return None };
    std::str::from_utf8(bytes).ok().filter(|_| kind.is_text()).map(ScalarRef::Text)
}

fn read_any_scalar(kind: &FieldType, value: ValueRef<'_>) -> Scalar {
    match value {
        ValueRef::Null => Scalar::Null,
        ValueRef::Integer(value) if matches!(kind, FieldType::Boolean(_)) => Scalar::Boolean(value != 0),
        ValueRef::Integer(value) => Scalar::Integer(value),
        ValueRef::Real(value) => Scalar::Text(value.to_string()),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => parse_temporal(kind, text).unwrap_or_else(|| Scalar::Text(text.to_owned())),
            // No row of ours has a NUL in it, so this equals none.
            Err(_) => Scalar::Text(format!("\0{bytes:?}")),
        },
    }
}

fn parse_temporal(kind: &FieldType, text: &str) -> Option<Scalar> {
    match kind {
        FieldType::Datetime { .. } => {
            // A timestamp of the library ends a day before the calendar does.
            let time = match text.strip_suffix('Z').and_then(|text| text.parse::<civil::DateTime>().ok()) {
                Some(time) => time.duration_since(civil::DateTime::constant(1970, 1, 1, 0, 0, 0, 0)).as_micros(),
                None => i128::from(text.parse::<Timestamp>().ok()?.as_microsecond()),
            };
            i64::try_from(time).ok().map(Scalar::Datetime)
        }
        FieldType::Date(_) => {
            let days = text.parse::<civil::Date>().ok()?.since(civil::Date::constant(1970, 1, 1)).ok()?;
            Some(Scalar::Date(days.get_days()))
        }
        FieldType::Time(_) => {
            let time = text.parse::<civil::Time>().ok()?;
            let nanos = time.duration_since(civil::Time::midnight()).as_micros();
            i64::try_from(nanos).ok().map(Scalar::Time)
        }
        _ => None,
    }
}
