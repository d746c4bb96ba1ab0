//! Files of each codec and of other programs, damaged ones, and loads of them.

#![expect(clippy::unwrap_used, reason = "a test may")]

mod codecs;
mod conformance;
mod damage;
mod loads;

use std::{
    io::{BufReader, Read as _},
    sync::Arc,
};

use landfall_core::{
    avro::{
        resolve::{FieldMapping, RowMapping, resolve_fields},
        schema::AvroSchema,
    },
    schema::{Package, TableSchema},
};

use super::reader::AvroInput;

const SYNC: [u8; 16] = *b"0123456789abcdef";

fn long(value: i64) -> Vec<u8> {
    let mut rest = ((value as u64) << 1) ^ ((value >> 63) as u64);
    let mut bytes = Vec::new();
    while rest > 0x7f {
        bytes.push((rest as u8) | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
    bytes
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    [long(bytes.len() as i64), bytes.to_vec()].concat()
}

/// The header of a file.
fn header(schema: &str, codec: &str) -> Vec<u8> {
    let meta = [
        long(2),
        sized(b"avro.schema"),
        sized(schema.as_bytes()),
        sized(b"avro.codec"),
        sized(codec.as_bytes()),
        long(0),
    ];
    [b"Obj\x01".to_vec(), meta.concat(), SYNC.to_vec()].concat()
}

/// A block of `count` rows whose bytes in the file are `bytes`.
fn block(count: i64, bytes: &[u8]) -> Vec<u8> {
    [long(count), sized(bytes), SYNC.to_vec()].concat()
}

/// The schema of a table from the YAML of its fields.
fn table(fields: &str) -> TableSchema {
    let text = format!("resources: [{{name: t, path: t.csv, schema: {{fields: {fields}}}}}]");
    Package::from_yaml(&text, "test").unwrap().resources[0].schema.clone()
}

fn reading(schema: &str, fields: &str) -> Arc<RowMapping> {
    let schema = AvroSchema::parse(schema).unwrap();
    Arc::new(resolve_fields(&schema, &table(fields), &FieldMapping::default()).unwrap())
}

/// The lines of a file, or why it cannot be read to its end; with those before.
fn lines(bytes: &[u8], reading: &Arc<RowMapping>) -> (String, Option<String>) {
    let mut text = Vec::new();
    let input = AvroInput::new_over(BufReader::with_capacity(7, bytes), Arc::clone(reading));
    let error = input.and_then(|mut input| input.read_to_end(&mut text)).err();
    (String::from_utf8(text).unwrap(), error.map(|error| error.to_string()))
}

const PAIR: &str =
    r#"{"type":"record","name":"R","fields":[{"name":"id","type":"long"},{"name":"s","type":["null","string"]}]}"#;
const PAIR_FIELDS: &str = "[{name: id, type: integer}, {name: s, type: string}]";

fn pair(id: i64, text: &str) -> Vec<u8> {
    [long(id), vec![2], sized(text.as_bytes())].concat()
}

fn pairs(range: std::ops::Range<i64>) -> Vec<u8> {
    range.flat_map(|id| pair(id, &format!("row {id}"))).collect()
}
