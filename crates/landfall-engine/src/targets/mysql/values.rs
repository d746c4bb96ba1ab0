//! How typed values are bound to statements, and read from results.

use jiff::{SignedDuration, civil};
use landfall_core::{
    keys::{Scalar, ScalarRef},
    schema::FieldType,
};
use mysql::Value;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// A value as it is bound to a statement.
pub(super) fn bind_value(value: ScalarRef<'_>) -> Value {
    match value {
        ScalarRef::Null => Value::NULL,
        ScalarRef::Integer(value) => Value::Int(value),
        ScalarRef::Boolean(value) => Value::Int(value.into()),
        ScalarRef::Text(text) | ScalarRef::Number(text) => Value::Bytes(text.as_bytes().to_vec()),
        ScalarRef::Date(days) => datetime_value(i64::from(days).saturating_mul(DAY)),
        ScalarRef::Datetime(micros) => datetime_value(micros),
        ScalarRef::Time(micros) => time_value(micros),
    }
}

/// 1970-01-01T00:00:00.
const EPOCH: civil::DateTime = civil::DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// A point in time, given in microseconds since 1970 in UTC. Beyond the years that the protocol can say it is NULL, which
/// equals nothing: no row of the table has it. The library's timestamps end a day before its calendar does, so this is one
/// of the calendar.
fn datetime_value(micros: i64) -> Value {
    let Ok(civil) = EPOCH.checked_add(SignedDuration::from_micros(micros)) else { return Value::NULL };
    let Ok(year) = u16::try_from(civil.year()) else { return Value::NULL };
    let part = |number: i8| number.unsigned_abs();
    let micros = u32::try_from(civil.subsec_nanosecond() / 1000).unwrap_or_default();
    let (month, day) = (part(civil.month()), part(civil.day()));
    Value::Date(year, month, day, part(civil.hour()), part(civil.minute()), part(civil.second()), micros)
}

fn time_value(micros: i64) -> Value {
    // Less than a day, so that each part fits.
    let part = |number: i64| u8::try_from(number).unwrap_or_default();
    let seconds = micros.rem_euclid(DAY) / SECOND;
    let micros = u32::try_from(micros.rem_euclid(SECOND)).unwrap_or_default();
    Value::Time(false, 0, part(seconds / 3600), part(seconds / 60 % 60), part(seconds % 60), micros)
}

/// The value of a field of type `kind` that is stored as `value`; as text where another program stored what the field
/// cannot hold, so that it equals no row of ours.
pub(super) fn read_scalar(kind: &FieldType, value: Value) -> Scalar {
    match (kind, value) {
        (_, Value::NULL) => Scalar::Null,
        (FieldType::Boolean(_), Value::Int(value)) => Scalar::Boolean(value != 0),
        (FieldType::Boolean(_), Value::UInt(value)) => Scalar::Boolean(value != 0),
        (_, Value::Int(value)) => Scalar::Integer(value),
        (_, Value::UInt(value)) => {
            i64::try_from(value).map_or_else(|_| Scalar::Text(value.to_string()), Scalar::Integer)
        }
        (_, Value::Float(value)) => Scalar::Text(value.to_string()),
        (_, Value::Double(value)) => Scalar::Text(value.to_string()),
        (FieldType::Number(_), Value::Bytes(digits)) => Scalar::Number(without_padding(read_text(digits))),
        (_, Value::Bytes(bytes)) => Scalar::Text(read_text(bytes)),
        (kind, Value::Date(year, month, day, hour, minute, second, micros)) => {
            let days = [month, day, hour, minute, second];
            read_point(kind, year, days, micros).unwrap_or_else(|| Scalar::Text(format!("\0{year}-{month}-{day}")))
        }
        (_, Value::Time(negative, days, hours, minutes, seconds, micros)) => {
            let seconds =
                (i64::from(days) * 24 + i64::from(hours)) * 3600 + i64::from(minutes) * 60 + i64::from(seconds);
            let micros = seconds * SECOND + i64::from(micros);
            Scalar::Time(if negative { -micros } else { micros })
        }
    }
}

fn read_point(kind: &FieldType, year: u16, [month, day, hour, minute, second]: [u8; 5], micros: u32) -> Option<Scalar> {
    let signed = |number: u8| i8::try_from(number).ok();
    let date = civil::Date::new(i16::try_from(year).ok()?, signed(month)?, signed(day)?).ok()?;
    if matches!(kind, FieldType::Date(_)) {
        return Some(Scalar::Date(date.since(civil::date(1970, 1, 1)).ok()?.get_days()));
    }
    let nanos = i32::try_from(micros).ok()? * 1000;
    let time = civil::Time::new(signed(hour)?, signed(minute)?, signed(second)?, nanos).ok()?;
    let micros = date.to_datetime(time).duration_since(EPOCH).as_micros();
    i64::try_from(micros).ok().map(Scalar::Datetime)
}

/// Text as it is stored. No row of ours has a NUL, so what is not UTF-8 equals none.
fn read_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| format!("\0{:?}", error.into_bytes()))
}

/// A decimal without the zeros by which the server fills its fraction up to the column's scale.
pub(super) fn without_padding(mut digits: String) -> String {
    if digits.contains('.') {
        digits.truncate(digits.trim_end_matches('0').trim_end_matches('.').len());
    }
    if digits == "-0" { "0".into() } else { digits }
}

#[cfg(test)]
mod tests {
    use landfall_core::schema::{NumberFormat, TemporalFormat};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decimals_lose_their_padding_only() {
        for (stored, shown) in [("1.500", "1.5"), ("100", "100"), ("100.000", "100"), ("0.000", "0"), ("-0.10", "-0.1")]
        {
            assert_eq!(without_padding(stored.into()), shown);
            let read = read_scalar(&FieldType::Number(NumberFormat::default()), Value::Bytes(stored.into()));
            assert_eq!(read, Scalar::Number(shown.into()));
        }
    }

    #[test]
    fn what_no_field_holds_equals_nothing_of_ours() {
        let date = FieldType::Date(TemporalFormat::Default);
        assert!(
            matches!(read_scalar(&date, Value::Date(2021, 0, 0, 0, 0, 0, 0)), Scalar::Text(text) if text.starts_with('\0'))
        );
        assert!(
            matches!(read_scalar(&FieldType::Any, Value::Bytes(vec![0xff])), Scalar::Text(text) if text.starts_with('\0'))
        );
        assert_eq!(bind_value(ScalarRef::Datetime(i64::MIN)), Value::NULL);
    }

    proptest! {
        #[test]
        fn points_in_time_come_back(micros in -62_135_596_800_000_000i64..253_402_300_800_000_000) {
            let datetime = FieldType::Datetime { format: TemporalFormat::Default, timezone: None, ambiguous: Default::default() };
            prop_assert_eq!(read_scalar(&datetime, bind_value(ScalarRef::Datetime(micros))), Scalar::Datetime(micros));
            let day = i32::try_from(micros.div_euclid(DAY)).expect("a day");
            let date = FieldType::Date(TemporalFormat::Default);
            prop_assert_eq!(read_scalar(&date, bind_value(ScalarRef::Date(day))), Scalar::Date(day));
            let time = FieldType::Time(TemporalFormat::Default);
            let within = micros.rem_euclid(DAY);
            prop_assert_eq!(read_scalar(&time, bind_value(ScalarRef::Time(within))), Scalar::Time(within));
        }
    }
}
