//! Whole blocks: which records pass, and with which errors the others are listed.

mod any_text;
mod json_rows;

use arrow_array::cast::AsArray;

use super::*;
use crate::{
    decode::RecordFault,
    reject::ErrorCode,
    schema::{Constraints, FieldType, ListItem, NumberFormat, StringFormat, TemporalFormat},
};

fn integer() -> FieldType {
    FieldType::Integer { bare_number: true, group_char: None, zero_decimals: false }
}

fn string() -> FieldType {
    FieldType::String(StringFormat::Default)
}

fn field(name: &str, kind: FieldType, constraints: Constraints) -> Field {
    let missing_values = vec![String::new()];
    Field { name: name.into(), title: None, description: None, kind, constraints, missing_values }
}

fn required() -> Constraints {
    Constraints { required: true, ..Constraints::default() }
}

fn validator(fields: Vec<Field>) -> Validator {
    let map = ColumnMap::identity(fields.len());
    mapped(fields, map)
}

fn mapped(fields: Vec<Field>, map: ColumnMap) -> Validator {
    Validator::new(Arc::new(TableSchema { fields, ..TableSchema::default() }), map).expect("a sound schema")
}

/// The fields `a` (integer), `b` (required text) and `c` (text).
fn three() -> Vec<Field> {
    vec![
        field("a", integer(), Constraints::default()),
        field("b", string(), required()),
        field("c", string(), Constraints::default()),
    ]
}

/// Errors as `record field code`, in their order.
fn errors(validated: &ValidatedBlock) -> Vec<String> {
    let of_record = |reject: &RejectedRecord| {
        let record = reject.record;
        let line =
            move |error: &CellError| format!("{record} {} {}", error.field.as_deref().unwrap_or("-"), error.code);
        reject.errors.iter().map(line).collect::<Vec<_>>()
    };
    validated.rejects.iter().flat_map(of_record).collect()
}

#[test]
fn sound_records_cost_no_filter() {
    let validated = validator(three()).validate_records(&Records::from_cells(&[["1", "x", ""], ["-2", "y", "z"]]));
    assert_eq!(validated.row_records, RecordPositions::All);
    assert_eq!((validated.rows.num_rows(), validated.rejected_rows.num_rows()), (2, 0));
    assert_eq!(validated.rows.column(0).as_primitive::<arrow_array::types::Int64Type>().values(), &[1, -2]);
    assert!(validated.rows.column(2).is_null(0));
    assert_eq!(validated.rows.schema().field(0).metadata()[TYPE_KEY], "integer");
}

#[test]
fn numbers_keep_their_digits_except_in_keys() {
    let number = |name| field(name, FieldType::Number(NumberFormat::default()), Constraints::default());
    let schema =
        TableSchema { fields: vec![number("key"), number("b")], primary_key: vec![0.into()], ..TableSchema::default() };
    let validator = Validator::new(Arc::new(schema), ColumnMap::identity(2)).expect("a sound schema");
    let cells = [["1.50", "1.50"], ["-0.0", "-0.0"], ["7", "7"], ["1e3", "1e3"], ["nan", "INF"]];
    let cells: Vec<&[&str]> = cells.iter().map(|record| &record[..]).collect();
    let rows = validator.validate_records(&Records::from_cells(&cells)).rows;
    let texts = |column: usize| -> Vec<&str> { rows.column(column).as_string::<i32>().iter().flatten().collect() };
    assert_eq!(texts(0), ["1.5", "0", "7", "1000", "NaN"]);
    assert_eq!(texts(1), ["1.50", "0.0", "7", "1000", "INF"]);
    assert_eq!(scalars_of_row(&rows, 0), [Value::Number("1.5"), Value::Number("1.5")]);
}

/// As frictionless-py reports this file, which also has a constraint-error for each required field whose cell is missing.
#[test]
fn the_reference_validators_errors() {
    let rows: &[&[&str]] =
        &[&["1", "x"], &["1"], &["", "", ""], &[""], &["1"], &[""], &["1", "x", "y", "z", "w"], &[" x", "", ""]];
    let validated = validator(three()).validate_records(&Records::from_cells(rows));
    let expected = [
        "0 c missing-cell",
        "1 b missing-cell",
        "1 c missing-cell",
        "2 - blank-row",
        "3 - blank-row",
        "4 b missing-cell",
        "4 c missing-cell",
        "5 - blank-row",
        "6 - extra-cell",
        "6 - extra-cell",
        "7 a type-error",
        "7 b constraint-error",
    ];
    assert_eq!(errors(&validated), expected);
    assert_eq!(validated.rows.num_rows(), 0);
    assert_eq!(validated.rejected_rows.num_rows(), 8);
}

/// As frictionless-py 5.21 reports this file.
#[test]
fn blank_rows() {
    let rows: &[&[&str]] = &[&["", "", "", ""], &["", ""], &[" ", " ", " "], &["", "", "", "x"], &["1", "x", ""]];
    let validated = validator(three()).validate_records(&Records::from_cells(rows));
    assert_eq!(errors(&validated), ["0 - blank-row", "1 - blank-row", "2 a type-error", "3 - blank-row"]);
    assert_eq!(validated.row_records, RecordPositions::Some(vec![4]));
}

#[test]
fn empty_lines_are_blank_even_where_empty_text_is_a_value() {
    let mut only = field("a", string(), Constraints::default());
    only.missing_values = vec!["-".into()];
    let validated = validator(vec![only.clone()]).validate_records(&Records::from_cells(&[[""], ["-"], ["x"]]));
    assert_eq!(errors(&validated), ["0 - blank-row", "1 - blank-row"]);
    let mut second = only.clone();
    second.name = "b".into();
    let rows: &[&[&str]] = &[&["-", "-"], &["", ""], &[""], &["x"]];
    let validated = validator(vec![only, second]).validate_records(&Records::from_cells(rows));
    assert_eq!(errors(&validated), ["0 - blank-row", "2 - blank-row", "3 b missing-cell"]);
    assert_eq!(validated.row_records, RecordPositions::Some(vec![1]));
}

/// As frictionless-py 5.21 reports a file whose columns are `q,b,a` with `fieldsMatch: subset`.
#[test]
fn columns_in_another_order_and_unknown_ones() {
    let fields = vec![field("a", integer(), Constraints::default()), field("b", string(), required())];
    let map = ColumnMap { columns: vec![Some(2), Some(1)], width: 3 };
    let rows: &[&[&str]] = &[&["2"], &["2", "x"], &["2", "x", "1", "y"], &["", "x", ""], &["x", "", ""], &["", "", ""]];
    let validated = mapped(fields, map).validate_records(&Records::from_cells(rows));
    let expected = [
        "0 a missing-cell",
        "0 b missing-cell",
        "1 a missing-cell",
        "2 - extra-cell",
        "4 b constraint-error",
        "5 - blank-row",
    ];
    assert_eq!(errors(&validated), expected);
    assert_eq!(validated.row_records, RecordPositions::Some(vec![3]));
}

#[test]
fn fields_that_the_source_lacks_are_null() {
    let map = ColumnMap { columns: vec![Some(0), None, None], width: 1 };
    let mut fields = three();
    let validated = mapped(fields.clone(), map.clone()).validate_records(&Records::from_cells(&[["1"]]));
    assert_eq!(errors(&validated), ["0 b constraint-error"]);
    fields[1].constraints.required = false;
    let validated = mapped(fields, map).validate_records(&Records::from_cells(&[["1"]]));
    assert_eq!((errors(&validated).len(), validated.rows.num_rows()), (0, 1));
    assert!(validated.rows.column(1).is_null(0));
}

#[test]
fn faults_are_the_only_error_of_their_record() {
    let mut records = Records::from_cells::<&[&str], _>(&[&["1", "x", ""], &[], &[], &[]]);
    records.faults = vec![
        (1, RecordFault::UnclosedQuote { column: 1 }),
        (2, RecordFault::TextAfterQuote { column: 0 }),
        (3, RecordFault::Encoding { offset: 4 }),
    ];
    let validated = validator(three()).validate_records(&records);
    assert_eq!(errors(&validated), ["1 - source-error", "2 - source-error", "3 - encoding-error"]);
    let message = &validated.rejects[0].errors[0].message;
    assert_eq!(message, "the record cannot be split into cells: the quote that opens cell 2 is never closed");
}

#[test]
fn every_broken_constraint_is_listed_and_the_value_is_kept() {
    let constraints = Constraints {
        min_length: Some(3),
        max_length: Some(1),
        pattern: Some("[0-9]+".into()),
        enumeration: Some(vec!["x".into()]),
        ..Constraints::default()
    };
    let fields = vec![field("s", string(), constraints), field("n", integer(), Constraints::default())];
    let validated = validator(fields).validate_records(&Records::from_cells(&[["äb", "7"]]));
    let messages: Vec<&str> = validated.rejects[0].errors.iter().map(|error| error.message.as_str()).collect();
    let expected = [
        "field \"s\": \"äb\" has 2 characters; at least 3 are required",
        "field \"s\": \"äb\" has 2 characters; at most 1 are allowed",
        "field \"s\": \"äb\" does not match the pattern \"[0-9]+\"",
        "field \"s\": \"äb\" is not one of \"x\"",
    ];
    assert_eq!(messages, expected);
    assert_eq!(scalar_at(&validated.rejected_rows, 0, 0), Value::Text("äb"));
    assert_eq!(scalar_at(&validated.rejected_rows, 1, 0), Value::Integer(7));
}

#[test]
fn ten_thousand_superfluous_cells_are_summarised() {
    let long = vec!["x"; 10_003];
    let validated = validator(three()).validate_records(&Records::from_cells(&[long]));
    let errors = &validated.rejects[0].errors;
    assert_eq!(errors.iter().filter(|error| error.code == ErrorCode::ExtraCell).count(), 11);
    let last = errors.last().expect("an error");
    assert_eq!(last.message, "the record has 10003 cells where 3 are expected; 9990 more follow");
}

#[test]
fn ten_thousand_absent_cells_are_summarised() {
    let fields = (0..10_000).map(|at| field(&format!("f{at}"), string(), Constraints::default())).collect();
    let validated = validator(fields).validate_records(&Records::from_cells(&[["x"]]));
    let errors = &validated.rejects[0].errors;
    assert_eq!(errors.len(), 12);
    assert_eq!(errors[11].message, "the record has 1 cell of 10000; 9988 more are missing");
}

#[test]
fn no_records_and_no_fields() {
    let none: &[[&str; 3]] = &[];
    let validated = validator(three()).validate_records(&Records::from_cells(none));
    assert_eq!((validated.rows.num_rows(), validated.rejects.len()), (0, 0));
    let validated = validator(Vec::new()).validate_records(&Records::from_cells(&[["x"]]));
    assert_eq!(errors(&validated), ["0 - blank-row"]);
}

/// The codes of `texts` in a field of `kind` with `constraints`.
fn breaks(kind: FieldType, constraints: Constraints, texts: &[&str]) -> Vec<bool> {
    let reader = ValueReader::new(&field("f", kind, constraints)).expect("a sound field");
    texts.iter().map(|text| reader.read(text).is_err()).collect()
}

#[test]
fn bounds_compare_values() {
    let bounds = |minimum: &str, exclusive: &str| Constraints {
        minimum: Some(minimum.into()),
        exclusive_maximum: Some(exclusive.into()),
        ..Constraints::default()
    };
    let number = FieldType::Number(NumberFormat::default());
    let texts = ["9.99", "10.0", "1e1", "99.999999999999999999999", "100.0", "NaN", "INF"];
    assert_eq!(breaks(number, bounds("10", "1e2"), &texts), [true, false, false, false, true, true, true]);
    assert_eq!(breaks(integer(), bounds("-1", "+3"), &["-2", "-1", "2", "3"]), [true, false, false, true]);
    let date = FieldType::Date(TemporalFormat::Pattern("%d/%m/%Y".into()));
    assert_eq!(
        breaks(date, bounds("2/1/2020", "1/2/2020"), &["1/1/2020", "02/01/2020", "1/2/2020"]),
        [true, false, true]
    );
    let datetime =
        FieldType::Datetime { format: TemporalFormat::Default, timezone: None, ambiguous: Default::default() };
    let texts = ["2020-01-01T00:59:59+01:00", "2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z"];
    assert_eq!(
        breaks(datetime, bounds("2020-01-01T01:00:00+01:00", "2021-01-01T00:00:00Z"), &texts),
        [true, false, true]
    );
    assert_eq!(
        breaks(FieldType::YearMonth, bounds("2020-02", "2021-01"), &["2020-01", "2020-12", "2021-01"]),
        [true, false, true]
    );
    let texts = ["PT23H", "PT24H", "P27D", "P1M", "P1Y"];
    assert_eq!(breaks(FieldType::Duration, bounds("P1D", "P28D"), &texts), [true, false, false, true, true]);
}

#[test]
fn enums_compare_values() {
    let of = |texts: &[&str]| Constraints {
        enumeration: Some(texts.iter().map(|text| (*text).to_owned()).collect()),
        ..Constraints::default()
    };
    let number = FieldType::Number(NumberFormat::default());
    assert_eq!(breaks(number, of(&["1.0", "2e1"]), &["1", "1.00", "20", "2"]), [false, false, false, true]);
    assert_eq!(breaks(integer(), of(&["7", "1"]), &["007", "1", "2"]), [false, false, true]);
    let datetime =
        FieldType::Datetime { format: TemporalFormat::Default, timezone: None, ambiguous: Default::default() };
    let texts = ["2020-01-01T01:00:00+01:00", "2020-01-01T00:00:01Z"];
    assert_eq!(breaks(datetime, of(&["2020-01-01T00:00:00Z"]), &texts), [false, true]);
    assert_eq!(breaks(FieldType::Array, of(&["[1, 2.0]"]), &["[1.0,2]", "[2,1]"]), [false, true]);
    assert_eq!(breaks(FieldType::Duration, of(&["P1D"]), &["PT24H", "PT25H"]), [false, true]);
    let many: Vec<String> = (0..20).map(|at| format!("w{at}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(breaks(string(), of(&many), &["w7", "w20"]), [false, true]);
}

#[test]
fn lengths_count_what_the_type_holds() {
    let lengths = Constraints { min_length: Some(2), max_length: Some(2), ..Constraints::default() };
    assert_eq!(breaks(string(), lengths.clone(), &["ä", "ää", "äää"]), [true, false, true]);
    assert_eq!(breaks(FieldType::Array, lengths.clone(), &["[[1,2,3]]", "[1,2]"]), [true, false]);
    assert_eq!(breaks(FieldType::Object, lengths.clone(), &[r#"{"a":1,"a":2}"#, r#"{"a":1,"b":2}"#]), [true, false]);
    let list = FieldType::List { delimiter: ";".into(), item: ListItem::String };
    assert_eq!(breaks(list, lengths, &["a", "a;b", "a;b;c"]), [true, false, true]);
}

#[test]
fn patterns_match_the_whole_cell() {
    let pattern = |text: &str| Constraints { pattern: Some(text.into()), ..Constraints::default() };
    assert_eq!(breaks(string(), pattern("a|ab"), &["a", "ab", "abc", "xa", "a\n"]), [false, false, true, true, true]);
    assert_eq!(breaks(string(), pattern("^a.*$"), &["apple", "orange"]), [false, true]);
    assert_eq!(breaks(string(), pattern(r"(?=.*\d)\w+"), &["a1", "a"]), [false, true]);
    assert_eq!(breaks(string(), pattern(r"(\w)\1"), &["aa", "ab"]), [false, true]);
    let slow = breaks(string(), pattern(r"(?=x)(x+x+)+y\1"), &["x".repeat(60).as_str()]);
    assert_eq!(slow, [true]);
}

#[test]
fn rules_that_cannot_be_applied() {
    let refused = |kind, constraints| {
        let schema = TableSchema { fields: vec![field("f", kind, constraints)], ..TableSchema::default() };
        Validator::new(Arc::new(schema), ColumnMap::identity(1)).expect_err("refused").to_string()
    };
    let minimum = |text: &str| Constraints { minimum: Some(text.into()), ..Constraints::default() };
    let pattern = |text: &str| Constraints { pattern: Some(text.into()), ..Constraints::default() };
    assert_eq!(
        refused(integer(), minimum("x")),
        "field \"f\": minimum \"x\" is not an integer; write it with digits only, like 1234 or -5"
    );
    assert!(refused(FieldType::Number(NumberFormat::default()), minimum("NaN")).contains("no order"));
    assert!(
        refused(string(), pattern("a)|(b")).starts_with("field \"f\": pattern \"a)|(b\" is not a regular expression")
    );
    let length = Constraints { min_length: Some(1), ..Constraints::default() };
    assert_eq!(refused(integer(), length), "field \"f\": minLength does not apply to the type integer");
}
