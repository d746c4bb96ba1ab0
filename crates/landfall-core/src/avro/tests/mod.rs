//! Rows by several schemas, against an encoder of the tests.

#![expect(clippy::unwrap_used, reason = "a test may")]

mod encode;
mod fields;
mod hostile;
mod properties;
mod values;

use super::{
    read::ValueError,
    resolve::{FieldMapping, RowMapping, resolve_fields},
    schema::AvroSchema,
};
use crate::schema::{
    Ambiguous, BooleanWords, Constraints, Field, FieldType, GeoFormat, GeopointFormat, ListItem, NumberFormat,
    StringFormat, TableSchema, TemporalFormat,
};

fn field(name: &str, kind: FieldType) -> Field {
    Field {
        name: name.into(),
        title: None,
        description: None,
        kind,
        constraints: Constraints::default(),
        missing_values: vec![String::new()],
    }
}

fn table(fields: Vec<Field>) -> TableSchema {
    TableSchema { fields, ..TableSchema::default() }
}

const INTEGER: FieldType = FieldType::Integer { bare_number: true, group_char: None, zero_decimals: false };
const STRING: FieldType = FieldType::String(StringFormat::Default);
const DATE: FieldType = FieldType::Date(TemporalFormat::Default);
const TIME: FieldType = FieldType::Time(TemporalFormat::Default);
const DATETIME: FieldType =
    FieldType::Datetime { format: TemporalFormat::Default, timezone: None, ambiguous: Ambiguous::Reject };
const GEOPOINT: FieldType = FieldType::Geopoint(GeopointFormat::Default);
const GEOJSON: FieldType = FieldType::Geojson(GeoFormat::Default);

fn number() -> FieldType {
    FieldType::Number(NumberFormat::default())
}

fn boolean() -> FieldType {
    FieldType::Boolean(BooleanWords::default())
}

fn list() -> FieldType {
    FieldType::List { delimiter: ",".into(), item: ListItem::Integer }
}

/// A record with these fields, of which each is a name and the JSON of its type (or of more properties).
fn record(fields: &[(&str, &str)]) -> AvroSchema {
    let fields: Vec<String> = fields
        .iter()
        .map(|(name, kind)| {
            let (kind, more) =
                kind.split_once(" & ").map_or((*kind, String::new()), |(kind, more)| (kind, format!(",{more}")));
            format!("{{\"name\":{name:?},\"type\":{kind}{more}}}")
        })
        .collect();
    AvroSchema::parse(&format!("{{\"type\":\"record\",\"name\":\"R\",\"fields\":[{}]}}", fields.join(","))).unwrap()
}

/// How the only field of a table, of `kind`, reads values of the type `avro`.
fn reading(kind: FieldType, avro: &str) -> Result<RowMapping, Vec<String>> {
    resolve_fields(&record(&[("v", avro)]), &table(vec![field("v", kind)]), &FieldMapping::default())
}

/// The line of the row that `bytes` are.
fn line(reading: &RowMapping, bytes: &[u8]) -> Result<Option<String>, ValueError> {
    let mut out = String::from("before");
    let taken = reading.read_row(bytes, &mut out)?;
    Ok(match taken {
        Some(taken) => {
            assert_eq!(taken, bytes.len());
            Some(out.strip_prefix("before").unwrap().to_owned())
        }
        None => {
            assert_eq!(out, "before");
            None
        }
    })
}

/// The JSON of the value that `bytes` are.
fn value(kind: FieldType, avro: &str, bytes: &[u8]) -> String {
    let line = line(&reading(kind, avro).unwrap(), bytes).unwrap().unwrap();
    line.strip_prefix("{\"v\":").and_then(|rest| rest.strip_suffix("}\n")).unwrap().to_owned()
}
