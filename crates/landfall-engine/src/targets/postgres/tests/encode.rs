//! Rows in binary: what is sent is what the server holds.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Int64Array, RecordBatch, StringArray, Time64MicrosecondArray,
    TimestampMicrosecondArray,
};
use landfall_core::schema::{
    BooleanWords, Constraints, Field, FieldType, NumberFormat, StringFormat, TableSchema, TemporalFormat,
};
use testbed::Postgres;

use super::{
    super::{encode::CopyEncoder, parameters::BoundParameters},
    ask, open,
};
use crate::targets::Table;

fn field(name: &str, kind: FieldType) -> Field {
    Field {
        name: name.into(),
        title: None,
        description: None,
        kind,
        constraints: Constraints::default(),
        missing_values: Vec::new(),
    }
}

/// A table with a field of each kind, and its rows: a good one, one of nulls, one of odd values, one that does not fit.
fn everything() -> (Table, RecordBatch) {
    let kinds = [
        ("i", FieldType::Integer { bare_number: true, group_char: None, zero_decimals: false }),
        ("n", FieldType::Number(NumberFormat::default())),
        ("s", FieldType::String(StringFormat::Default)),
        ("b", FieldType::Boolean(BooleanWords::default())),
        ("d", FieldType::Date(TemporalFormat::Default)),
        ("t", FieldType::Time(TemporalFormat::Default)),
        ("z", FieldType::Datetime { format: TemporalFormat::Default, timezone: None, ambiguous: Default::default() }),
    ];
    let fields = kinds.map(|(name, kind)| field(name, kind)).to_vec();
    let schema = TableSchema { fields, unique_keys: vec![vec![2.into()]], ..TableSchema::default() };
    let long = "x".repeat(3000);
    let columns: [(&str, ArrayRef); 7] = [
        ("i", Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some(-1), Some(0), Some(1), Some(2)]))),
        (
            "n",
            Arc::new(StringArray::from(vec![
                Some("-12345.6780"),
                None,
                Some("1E+120"),
                Some("1E+200000"),
                Some("0.000"),
                Some("NaN"),
            ])),
        ),
        (
            "s",
            Arc::new(StringArray::from(vec![
                Some("Straße\t\n\\N"),
                None,
                Some(""),
                Some("x"),
                Some("a\0b"),
                Some(&long),
            ])),
        ),
        ("b", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false), None, None, None]))),
        ("d", Arc::new(Date32Array::from(vec![Some(0), None, Some(-719_162), None, None, None]))),
        ("t", Arc::new(Time64MicrosecondArray::from(vec![Some(1), None, Some(86_399_999_999), None, None, None]))),
        (
            "z",
            Arc::new(
                TimestampMicrosecondArray::from(vec![
                    Some(1_636_253_322_000_001),
                    None,
                    Some(253_402_300_799_999_999),
                    None,
                    None,
                    None,
                ])
                .with_timezone("UTC"),
            ),
        ),
    ];
    let table = Table { name: "t".into(), schema: Arc::new(schema) };
    (table, RecordBatch::try_from_iter(columns).expect("a batch"))
}

#[test]
fn every_type_arrives_as_it_was() {
    let (table, batch) = everything();
    let database = Postgres::shared().fresh_database().expect("a database");
    let mut connection = open(&database.url()).expect("connects");
    connection
        .run_batch("CREATE TABLE t (i bigint, n numeric, s text, b boolean, d date, t time, z timestamptz)")
        .expect("makes the table");
    connection.begin_copy("COPY t FROM STDIN (FORMAT binary)").expect("begins");
    let mut copy = CopyEncoder::new();
    let mut send = |message: &[u8]| connection.send_copy(message);
    copy.encode_rows(&table, &batch, &[0..2, 2..3], &mut send).expect("takes the rows");
    copy.finish_copy(&mut send).expect("ends");
    assert_eq!(connection.end_copy().expect("answers"), 3);
    connection.run_batch("SET timezone = 'UTC'").expect("sets");
    let rows = ask(&mut connection, "SELECT * FROM t", &BoundParameters::default()).expect("answers");
    let expected = format!(
        "-9223372036854775808|-12345.6780|Straße\t\n\\N|t|1970-01-01|00:00:00.000001|2021-11-07 02:48:42.000001+00\n\
         NULL|NULL|NULL|NULL|NULL|NULL|NULL\n\
         -1|1{}||f|0001-01-01|23:59:59.999999|9999-12-31 23:59:59.999999+00\n",
        "0".repeat(120)
    );
    assert_eq!(rows, expected);
}

#[test]
fn many_messages_make_one_copy() {
    let (table, batch) = everything();
    let database = Postgres::shared().fresh_database().expect("a database");
    let mut connection = open(&database.url()).expect("connects");
    connection
        .run_batch("CREATE TABLE t (i bigint, n numeric, s text, b boolean, d date, t time, z timestamptz)")
        .expect("makes");
    connection.begin_copy("COPY t FROM STDIN (FORMAT binary)").expect("begins");
    let mut copy = CopyEncoder::new();
    let mut messages = 0;
    let mut send = |message: &[u8]| {
        messages += 1;
        connection.send_copy(message)
    };
    for _ in 0..10_000 {
        copy.encode_rows(&table, &batch, &[0..1, 1..3], &mut send).expect("takes the rows");
    }
    copy.finish_copy(&mut send).expect("ends");
    assert!(messages > 4, "{messages}");
    assert_eq!(connection.end_copy().expect("answers"), 30_000);
}
