use proptest::prelude::*;

use super::*;
use crate::{
    decode::Records,
    schema::{Constraints, Field, NumberFormat, StringFormat, TemporalFormat},
    validate::{ColumnMap, ValidatedBlock, Validator, Value, scalars_of_row},
};

const DAY: i64 = 86_400_000_000;

fn date() -> FieldType {
    FieldType::Date(TemporalFormat::Default)
}

fn datetime() -> FieldType {
    FieldType::Datetime { format: TemporalFormat::Default, timezone: None, ambiguous: Default::default() }
}

fn number() -> FieldType {
    FieldType::Number(NumberFormat::default())
}

fn string() -> FieldType {
    FieldType::String(StringFormat::Default)
}

/// Fields `a`, `b`, … of these types.
fn schema(kinds: &[FieldType]) -> TableSchema {
    let field = |(name, kind): (char, &FieldType)| Field {
        name: name.to_string().into(),
        title: None,
        description: None,
        kind: kind.clone(),
        constraints: Constraints::default(),
        missing_values: vec![String::new()],
    };
    TableSchema { fields: ('a'..).zip(kinds).map(field).collect(), ..TableSchema::default() }
}

fn validate(kinds: &[FieldType], limits: &TargetLimits, records: &[&[&str]]) -> ValidatedBlock {
    let validator =
        Validator::with_limits(Arc::new(schema(kinds)), ColumnMap::identity(kinds.len()), limits).expect("sound");
    validator.validate_records(&Records::from_cells(records))
}

/// The messages about one column of cells.
fn messages(kind: FieldType, limits: &TargetLimits, cells: &[&str]) -> Vec<String> {
    let records: Vec<[&str; 1]> = cells.iter().map(|cell| [*cell]).collect();
    let records: Vec<&[&str]> = records.iter().map(|record| &record[..]).collect();
    let errors = validate(&[kind], limits, &records).rejects.into_iter().flat_map(|reject| reject.errors);
    let message = |error: CellError| {
        assert_eq!((error.code, error.field.as_deref()), (ErrorCode::TargetLimit, Some("a")));
        error.message
    };
    errors.map(message).collect()
}

const NUMBERS: NumberLimits = NumberLimits { before: 5, after: 3, nan: false, infinity: true };

#[test]
fn dates_and_datetimes_have_a_first_and_a_last() {
    let limits = TargetLimits { dates: Some(-10..=10), datetimes: Some(-DAY..=DAY), ..TargetLimits::default() };
    let cells = ["1969-12-21", "1969-12-22", "1970-01-11", "1970-01-12"];
    let expected = [
        "field \"a\": \"1969-12-21\" is before 1969-12-22, the first date that the database can hold; mend it, or declare \
         the field as a string",
        "field \"a\": \"1970-01-12\" is after 1970-01-11, the last date that the database can hold; mend it, or declare \
         the field as a string",
    ];
    assert_eq!(messages(date(), &limits, &cells), expected);
    let cells = ["1969-12-30T23:59:59.999999Z", "1969-12-31T00:00:00Z", "1970-01-02T00:00:00.000001Z"];
    let found = messages(datetime(), &limits, &cells);
    assert_eq!(found.len(), 2);
    assert!(found[1].contains("is after 1970-01-02T00:00:00Z, the last datetime"), "{}", found[1]);
}

#[test]
fn numbers_have_so_many_digits() {
    let limits = TargetLimits { numbers: Some(NUMBERS), ..TargetLimits::default() };
    let held = ["12345.678", "-99999", "0.001", "1e4", "INF", "-INF", "0.000", "00012345", "1000e-3"];
    assert_eq!(messages(number(), &limits, &held), Vec::<String>::new());
    let beyond = ["123456", "1e5", "0.0001", "1.0000", "1e-4", "1e200", "1e-200", "nan"];
    let found = messages(number(), &limits, &beyond);
    let counts = ["6 digits before", "6 digits before", "4 digits after", "4 digits after", "4 digits after"];
    for (message, words) in found.iter().zip(counts.iter().chain(&["201 digits before", "200 digits after"])) {
        assert!(message.contains(words), "{message}");
    }
    let expected = "field \"a\": \"nan\" is no number that the database can hold; leave the cell empty, or declare the \
                    field as a string";
    assert_eq!((found.len(), &*found[7]), (8, expected));
}

#[test]
fn texts_are_so_long_in_bytes_or_characters() {
    let bytes = TargetLimits { text_bytes: Some(4), ..TargetLimits::default() };
    let expected = ["field \"a\": \"äöü\" has 6 bytes; the database can hold at most 4 in this field; shorten it"];
    assert_eq!(messages(string(), &bytes, &["äö", "äöü", "abcd"]), expected);
    let characters = TargetLimits { characters: vec![(0.into(), 2)], ..TargetLimits::default() };
    assert_eq!(messages(string(), &characters, &["äö", "äöü", "ab"]).len(), 1);
    assert_eq!(messages(number(), &bytes, &["123456"]), Vec::<String>::new());
}

#[test]
fn the_texts_of_a_key_have_so_many_bytes_together() {
    let keys = vec![
        KeyLimit { fields: [0, 1, 2].map(FieldIndex::from).to_vec(), bytes: 5 },
        KeyLimit { fields: vec![1.into()], bytes: 0 },
    ];
    let limits = TargetLimits { keys, ..TargetLimits::default() };
    let integer = FieldType::Integer { bare_number: true, group_char: None, zero_decimals: false };
    let records: &[&[&str]] =
        &[&["ab", "12345678", "1.5"], &["abc", "1", "1.5"], &["", "1", "1.5"], &["abcdef", "", ""]];
    let validated = validate(&[string(), integer, number()], &limits, records);
    let found: Vec<(u32, &str)> =
        validated.rejects.iter().map(|reject| (reject.record, &*reject.errors[0].message)).collect();
    let words = "; the database can hold at most 5 in a key; shorten it";
    let message = |bytes: u32| format!("the key \"a,c\" has {bytes} bytes{words}");
    assert_eq!(found, [(1, &*message(6)), (3, &*message(6))]);
    assert_eq!(validated.rejects[0].errors[0].value.as_deref(), Some("abc,1.5"));
}

#[test]
fn a_value_that_the_database_cannot_be_asked_for_is_taken_out_and_others_stay() {
    let limits = TargetLimits { numbers: Some(NUMBERS), dates: Some(0..=9), ..TargetLimits::default() };
    let records: &[&[&str]] = &[&["1969-12-31", "1"], &["1970-01-02", "1e9"], &["1970-01-03", "2"]];
    let validated = validate(&[date(), number()], &limits, records);
    assert_eq!(scalars_of_row(&validated.rejected_rows, 0), [Value::Null, Value::Number("1")]);
    assert_eq!(scalars_of_row(&validated.rejected_rows, 1), [Value::Date(1), Value::Null]);
    assert_eq!(scalars_of_row(&validated.rows, 0), [Value::Date(2), Value::Number("2")]);
}

#[test]
fn a_limit_is_one_reason_among_others_and_none_for_a_record_without_cells() {
    let limits = TargetLimits { dates: Some(0..=9), ..TargetLimits::default() };
    let records: &[&[&str]] = &[&["1969-12-31", "x"], &["", ""]];
    let validated = validate(&[date(), number()], &limits, records);
    let codes: Vec<Vec<ErrorCode>> =
        validated.rejects.iter().map(|reject| reject.errors.iter().map(|error| error.code).collect()).collect();
    assert_eq!(codes, [vec![ErrorCode::TargetLimit, ErrorCode::TypeError], vec![ErrorCode::BlankRow]]);
}

#[test]
fn without_limits_nothing_is_checked() {
    let kinds = [date(), datetime(), number(), string()];
    let limits = FieldLimits::new(&schema(&kinds), &TargetLimits::default());
    assert!(limits.fields.is_empty() && limits.keys.is_empty());
    // A limit of what the table has not is none.
    let keys = vec![KeyLimit { fields: vec![0.into()], bytes: 1 }];
    let limits = TargetLimits {
        numbers: Some(NUMBERS),
        characters: vec![(1.into(), 1), (9.into(), 1)],
        keys,
        ..TargetLimits::default()
    };
    let limits = FieldLimits::new(&schema(&[date(), date()]), &limits);
    assert!(limits.fields.is_empty() && limits.keys.is_empty());
}

proptest! {
    /// A number within limits has as many digits as `{whole}.{fraction}` shows, however it is written.
    #[test]
    fn digits_are_counted_as_they_would_be_written_out(whole in "[1-9][0-9]{0,7}", fraction in "[0-9]{0,5}", shift in -4i32..4) {
        let moved = format!("{}.{fraction}e{}", whole, shift);
        let mut text = String::new();
        prop_assert!(decimal::write_canonical(&moved, &mut text));
        let (before, after) = text.split_once('.').unwrap_or((&text, ""));
        let before = before.trim_start_matches('0');
        prop_assert_eq!(decimal::count_digits(&text), Some((before.len() as u64, after.len() as u64)), "{}", &text);
        let problem = NUMBERS.find_problem(&text);
        prop_assert_eq!(problem.is_some(), before.len() > 5 || after.len() > 3, "{}", text);
    }
}
