//! The columns' types, and what the database can hold in them.
//!
//! | field | column |
//! |---|---|
//! | integer, year | `bigint` |
//! | boolean | `tinyint(1)` |
//! | number | `decimal(65,30)` |
//! | date, time, datetime | `date`, `time(6)`, `datetime(6)` in UTC |
//! | all others | `longtext`; in a key `varchar(n)`, with as many characters as the key can hold |

use landfall_core::{
    schema::{Field, FieldIndex, FieldType, TableSchema},
    validate::{NumberLimits, TargetLimits},
};

use super::{Table, mismatch_error, server::MysqlServer};
use crate::error::Result;

/// The most bytes of a key (InnoDB, pages of 16 KiB, row format DYNAMIC).
const KEY_BYTES: usize = 3072;
/// The most bytes of a character.
const CHARACTER_BYTES: usize = 4;
/// Digits before and after the point of a number.
const NUMBER_DIGITS: (u64, u64) = (35, 30);
/// 0001-01-01 and 9999-12-31, in days since 1970-01-01. The servers' manuals vouch for the years from 1000 on only; those
/// before are stored, compared and given back in the same way.
const DATES: std::ops::RangeInclusive<i32> = -719_162..=2_932_896;
/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// The type of the column for the field at `at`.
pub(super) fn sql_type(table: &Table, at: FieldIndex) -> String {
    match &table.schema[at].kind {
        FieldType::Integer { .. } | FieldType::Year => "bigint".into(),
        FieldType::Boolean(_) => "tinyint(1)".into(),
        FieldType::Number(_) => "decimal(65,30)".into(),
        FieldType::Date(_) => "date".into(),
        FieldType::Time(_) => "time(6)".into(),
        FieldType::Datetime { .. } => "datetime(6)".into(),
        _ => match key_characters(&table.schema, at) {
            None => "longtext".into(),
            Some(characters) => format!("varchar({characters})"),
        },
    }
}

/// Refuses keys that are longer than the database can hold.
pub(super) fn check_keys(table: &Table) -> Result<()> {
    let mut texts = table.schema.positioned_fields().filter(|(_, field)| field.kind.is_text());
    match texts.find(|(at, _)| key_characters(&table.schema, *at) == Some(0)) {
        None => Ok(()),
        Some((_, field)) => Err(mismatch_error(format!(
            "the keys that the field {:?} of the table {:?} is part of are longer than MySQL can hold, {KEY_BYTES} bytes; \
             declare a smaller maxLength for their texts (a character takes {CHARACTER_BYTES} bytes)",
            &*field.name, &*table.name
        ))),
    }
}

/// How many characters the text field at `at` may have, where there is a limit: by its keys, or by the dictionary.
pub(super) fn most_characters(schema: &TableSchema, at: FieldIndex) -> Option<usize> {
    key_characters(schema, at).or_else(|| declared_characters(&schema[at]))
}

/// How many characters the text field at `at` may have because it is part of a key; none where it is in no key, and 0 where
/// the key cannot be.
fn key_characters(schema: &TableSchema, at: FieldIndex) -> Option<usize> {
    let foreign = schema.foreign_keys.iter().map(|key| &key.fields);
    let primary = std::iter::once(&schema.primary_key);
    let keys = primary.chain(&schema.unique_keys).chain(foreign).filter(|key| key.contains(&at));
    keys.map(|key| key_share(schema, key, at)).min()
}

/// The characters of the field at `at` in `key`: those that it declares, else its share of what the others leave.
fn key_share(schema: &TableSchema, key: &[FieldIndex], at: FieldIndex) -> usize {
    let fields = || key.iter().map(|&at| &schema[at]);
    let declared: usize = fields().filter_map(declared_characters).fold(0, usize::saturating_add);
    let fixed: usize = fields().map(|field| fixed_bytes(&field.kind)).sum();
    let rest = (KEY_BYTES.saturating_sub(fixed) / CHARACTER_BYTES).checked_sub(declared);
    let Some(rest) = rest else { return 0 };
    let open = fields().filter(|field| field.kind.is_text() && self::declared_characters(field).is_none()).count();
    self::declared_characters(&schema[at]).unwrap_or_else(|| rest / open.max(1))
}

/// The characters that a text of `field` may have by the dictionary. `maxLength` of other types counts something else.
fn declared_characters(field: &Field) -> Option<usize> {
    match field.kind {
        FieldType::String(_) => {
            field.constraints.max_length.map(|most| usize::try_from(most).unwrap_or(usize::MAX).max(1))
        }
        FieldType::YearMonth => Some(7),
        _ => None,
    }
}

/// Bytes that a value takes in a key, where that is the same for all.
const fn fixed_bytes(kind: &FieldType) -> usize {
    match kind {
        FieldType::Integer { .. } | FieldType::Year | FieldType::Datetime { .. } => 8,
        FieldType::Boolean(_) => 1,
        FieldType::Number(_) => 30,
        FieldType::Date(_) => 3,
        FieldType::Time(_) => 6,
        _ => 0,
    }
}

/// What the database can hold of the rows of `table`.
pub(super) fn server_limits(server: &MysqlServer, table: &Table) -> TargetLimits {
    let schema = &table.schema;
    let characters = schema.field_positions().filter(|&at| schema[at].kind.is_text());
    let (before, after) = NUMBER_DIGITS;
    TargetLimits {
        dates: Some(DATES),
        datetimes: Some(i64::from(*DATES.start()) * DAY..=(i64::from(*DATES.end()) + 1) * DAY - 1),
        numbers: Some(NumberLimits { before, after, nan: false, infinity: false }),
        // What is stored must be read again, in a packet that also holds the row's other values.
        text_bytes: Some(server.max_packet - server.max_packet / 16),
        row_bytes: Some(server.max_packet - server.max_packet / 16),
        characters: characters.filter_map(|at| Some((at, key_characters(schema, at)?))).collect(),
        keys: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use landfall_core::schema::{Constraints, ForeignKey, NumberFormat, StringFormat};

    use super::*;

    fn text(max_length: Option<u64>) -> Field {
        field(FieldType::String(StringFormat::Default), max_length)
    }

    fn field(kind: FieldType, max_length: Option<u64>) -> Field {
        let constraints = Constraints { max_length, ..Constraints::default() };
        Field { name: "f".into(), title: None, description: None, kind, constraints, missing_values: Vec::new() }
    }

    fn schema(fields: Vec<Field>, key: &[usize]) -> TableSchema {
        TableSchema { fields, primary_key: key.iter().map(|&at| at.into()).collect(), ..TableSchema::default() }
    }

    #[test]
    fn text_of_a_key_has_its_share() {
        let number = || field(FieldType::Number(NumberFormat::default()), None);
        assert_eq!(key_characters(&schema(vec![text(None)], &[]), 0.into()), None);
        assert_eq!(key_characters(&schema(vec![text(None)], &[0]), 0.into()), Some(768));
        assert_eq!(key_characters(&schema(vec![text(Some(20))], &[0]), 0.into()), Some(20));
        assert_eq!(key_characters(&schema(vec![text(None), text(None)], &[0, 1]), 1.into()), Some(384));
        assert_eq!(key_characters(&schema(vec![text(None), text(Some(68))], &[0, 1]), 0.into()), Some(700));
        assert_eq!(key_characters(&schema(vec![text(None), number()], &[0, 1]), 0.into()), Some(760));
        assert_eq!(key_characters(&schema(vec![field(FieldType::YearMonth, None)], &[0]), 0.into()), Some(7));
    }

    #[test]
    fn a_field_of_several_keys_has_the_least_share() {
        let mut schema = schema(vec![text(None), text(None)], &[0]);
        schema.unique_keys = vec![vec![0.into(), 1.into()]];
        schema.foreign_keys =
            vec![ForeignKey { fields: vec![1.into()], parent: "p".into(), parent_fields: vec!["f".into()] }];
        assert_eq!((key_characters(&schema, 0.into()), key_characters(&schema, 1.into())), (Some(384), Some(384)));
    }

    #[test]
    fn keys_that_are_too_long_are_told() {
        assert_eq!(key_characters(&schema(vec![text(Some(769))], &[0]), 0.into()), Some(0));
        assert_eq!(key_characters(&schema(vec![text(Some(768)), text(None)], &[0, 1]), 1.into()), Some(0));
        assert_eq!(
            key_characters(&schema(vec![text(Some(u64::MAX)), text(Some(u64::MAX))], &[0, 1]), 1.into()),
            Some(0)
        );
    }

    #[test]
    fn dates_are_those_of_four_digits() {
        let day = |text: &str| {
            let date: jiff::civil::Date = text.parse().expect("a date");
            date.since(jiff::civil::date(1970, 1, 1)).expect("a span").get_days()
        };
        assert_eq!((*DATES.start(), *DATES.end()), (day("0001-01-01"), day("9999-12-31")));
    }
}
