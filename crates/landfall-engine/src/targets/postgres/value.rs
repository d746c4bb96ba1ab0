//! One value in PostgreSQL's binary form, and back.

use landfall_core::{
    keys::{Scalar, ScalarRef},
    schema::FieldType,
};

use super::{
    numeric,
    parameters::{Oid, oid, push_bytes},
};

/// Days from 1970-01-01 to 2000-01-01, PostgreSQL's day 0.
pub(super) const EPOCH_DAYS: i32 = 10_957;
/// The same in microseconds.
pub(super) const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// The type in which values of `kind` are stored.
pub(super) const fn oid_of(kind: &FieldType) -> Oid {
    match kind {
        FieldType::Integer { .. } | FieldType::Year => oid::INT8,
        FieldType::Number(_) => oid::NUMERIC,
        FieldType::Boolean(_) => oid::BOOL,
        FieldType::Date(_) => oid::DATE,
        FieldType::Time(_) => oid::TIME,
        FieldType::Datetime { .. } => oid::TIMESTAMPTZ,
        _ => oid::TEXT,
    }
}

/// Writes `value`; `false` for a missing one.
pub(super) fn write(value: ScalarRef<'_>, out: &mut Vec<u8>) -> bool {
    match value {
        ScalarRef::Null => false,
        ScalarRef::Integer(value) => push_bytes(out, &value.to_be_bytes()),
        ScalarRef::Boolean(value) => push_bytes(out, &[u8::from(value)]),
        // The validator lets no year beyond 9999 pass, so that nothing wraps.
        ScalarRef::Date(day) => push_bytes(out, &day.wrapping_sub(EPOCH_DAYS).to_be_bytes()),
        ScalarRef::Time(micros) => push_bytes(out, &micros.to_be_bytes()),
        ScalarRef::Datetime(micros) => push_bytes(out, &micros.wrapping_sub(EPOCH_MICROS).to_be_bytes()),
        ScalarRef::Number(text) => {
            numeric::write(text, out);
            true
        }
        ScalarRef::Text(text) => push_bytes(out, text.as_bytes()),
    }
}

/// A text that equals no value of ours: no row of ours has a NUL in it.
pub(super) const UNKNOWN: ScalarRef<'static> = ScalarRef::Text("\0");

/// The value that the server sent as `sent` for a field of type `kind`; a number is sent as its text. None where another program
/// stored what the field cannot hold.
#[inline]
pub(super) fn value_view<'s>(kind: &FieldType, sent: Option<&'s [u8]>) -> Option<ScalarRef<'s>> {
    let Some(sent) = sent else { return Some(ScalarRef::Null) };
    match oid_of(kind) {
        oid::INT8 => sent.try_into().ok().map(|value| ScalarRef::Integer(i64::from_be_bytes(value))),
        oid::BOOL => sent.first().map(|&byte| ScalarRef::Boolean(byte != 0)),
        oid::DATE => sent.try_into().ok().and_then(|value| date_scalar(i32::from_be_bytes(value))),
        oid::TIME => sent.try_into().ok().map(|value| ScalarRef::Time(i64::from_be_bytes(value))),
        oid::TIMESTAMPTZ => sent.try_into().ok().and_then(|value| datetime_scalar(i64::from_be_bytes(value))),
        oid::NUMERIC => std::str::from_utf8(sent).ok().map(|text| ScalarRef::Number(numeric::read(text))),
        _ => std::str::from_utf8(sent).ok().map(ScalarRef::Text),
    }
}

/// The same; what the field cannot hold is a text that equals no value of ours.
pub(super) fn read(kind: &FieldType, sent: Option<&[u8]>) -> Scalar {
    match value_view(kind, sent) {
        Some(value) => value.to_owned(),
        // With its bytes, so that two different values of others do not look alike.
        None => Scalar::Text(format!("\0{:?}", sent.unwrap_or_default())),
    }
}

/// None for the infinities, and for what is beyond the numbers of Landfall.
fn date_scalar<'s>(day: i32) -> Option<ScalarRef<'s>> {
    // PostgreSQL's `infinity` and `-infinity` are the two ends of the range.
    (day != i32::MAX && day != i32::MIN).then(|| day.checked_add(EPOCH_DAYS).map(ScalarRef::Date))?
}

fn datetime_scalar<'s>(micros: i64) -> Option<ScalarRef<'s>> {
    (micros != i64::MAX && micros != i64::MIN).then(|| micros.checked_add(EPOCH_MICROS).map(ScalarRef::Datetime))?
}

#[cfg(test)]
mod tests {
    use landfall_core::schema::{BooleanWords, NumberFormat, StringFormat, TemporalFormat};
    use proptest::prelude::*;

    use super::*;

    fn there_and_back(kind: &FieldType, value: &Scalar) -> Scalar {
        let mut out = Vec::new();
        let there = write(value.as_ref(), &mut out);
        read(kind, there.then_some(&out))
    }

    fn integer() -> FieldType {
        FieldType::Integer { bare_number: true, group_char: None, zero_decimals: false }
    }

    proptest! {
        #[test]
        fn values_come_back(value: i64, day in -719_162..2_932_896_i32, micros in 0..86_400_000_000_i64, text: String) {
            let datetime = FieldType::Datetime { format: TemporalFormat::Default, timezone: None, ambiguous: Default::default() };
            for (kind, value) in [
                (integer(), Scalar::Integer(value)),
                (FieldType::Date(TemporalFormat::Default), Scalar::Date(day)),
                (FieldType::Time(TemporalFormat::Default), Scalar::Time(micros)),
                (datetime, Scalar::Datetime(i64::from(day) * 86_400_000_000 + micros)),
                (FieldType::Boolean(BooleanWords::default()), Scalar::Boolean(value > 0)),
                (FieldType::String(StringFormat::Default), Scalar::Text(text)),
                (integer(), Scalar::Null),
            ] {
                prop_assert_eq!(there_and_back(&kind, &value), value);
            }
        }
    }

    #[test]
    fn what_others_stored_equals_nothing_of_ours() {
        let datetime =
            FieldType::Datetime { format: TemporalFormat::Default, timezone: None, ambiguous: Default::default() };
        let sent = i64::MAX.to_be_bytes();
        assert!(matches!(read(&datetime, Some(&sent)), Scalar::Text(text) if text.starts_with('\0')));
        assert!(matches!(read(&integer(), Some(b"abc")), Scalar::Text(text) if text.starts_with('\0')));
    }

    #[test]
    fn numbers_are_read_as_text() {
        let number = FieldType::Number(NumberFormat::default());
        assert_eq!(read(&number, Some(b"1.50")), Scalar::Number("1.50".into()));
    }
}
