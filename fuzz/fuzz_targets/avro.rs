//! Any schema (up to a NUL) and any bytes behind it: they are rows of JSON that another reader takes, or errors; what is there of a
//! row is no row, and no error either.

#![no_main]

use landfall_core::{
    avro::{
        read::restore_line_ends,
        resolve::{FieldMapping, RowMapping, resolve_fields},
        schema::{AvroSchema, AvroType},
    },
    decode::json::JsonDecoder,
    schema::{Constraints, Field, FieldType, Package, TableSchema},
};
use libfuzzer_sys::fuzz_target;

const PACKAGE: &str = "resources: [{name: t, path: t.csv, schema: {fields: [{name: i, type: integer}, {name: n, type: number}, \
    {name: s, type: string}, {name: b, type: boolean}, {name: d, type: datetime, format: '%d/%m/%y %H:%M', timezone: UTC}, \
    {name: o, type: object}, {name: a, type: array}, {name: l, type: list}, {name: g, type: geopoint}, {name: x, type: string, format: binary}]}}]";

fuzz_target!(|data: &[u8]| {
    let Some(end) = data.iter().position(|&byte| byte == 0) else { return };
    let Ok(text) = std::str::from_utf8(&data[..end]) else { return };
    let Ok(schema) = AvroSchema::parse(text) else { return };
    let mapping = FieldMapping { ignore_extra: true, ..FieldMapping::default() };
    let typed = Package::from_yaml(PACKAGE, "fuzz").expect("a sound package").resources[0].schema.clone();
    for table in [anything(&schema), typed] {
        if let Ok(reading) = resolve_fields(&schema, &table, &mapping) {
            read(&reading, &table, &data[end + 1..]);
        }
    }
});

/// A table that takes whatever the fields of `schema` are.
fn anything(schema: &AvroSchema) -> TableSchema {
    let AvroType::Record(record) = schema.row_type() else { return TableSchema::default() };
    let field = |name: &str| Field {
        name: name.into(),
        title: None,
        description: None,
        kind: FieldType::Any,
        constraints: Constraints::default(),
        missing_values: Vec::new(),
    };
    let fields = record.fields.iter().map(|avro| field(avro.own_name.as_ref().unwrap_or(&avro.name))).collect();
    TableSchema { fields, ..TableSchema::default() }
}

fn read(reading: &RowMapping, table: &TableSchema, bytes: &[u8]) {
    let decoder = JsonDecoder::new(table);
    let (mut at, mut line) = (0, String::new());
    for _ in 0..20 {
        line.clear();
        let Ok(Some(taken)) = reading.read_row(&bytes[at..], &mut line) else {
            assert!(line.is_empty());
            return;
        };
        assert_eq!(line.find('\n'), Some(line.len() - 1));
        let mut text = line.clone().into_bytes();
        restore_line_ends(&mut text);
        let records = decoder.decode_row(&text);
        assert!(records.record_faults().is_empty(), "{line:?}: {:?}", records.record_faults());
        if taken > 0 {
            let mut part = String::new();
            assert_eq!(reading.read_row(&bytes[at..at + taken / 2], &mut part), Ok(None), "{line}");
        }
        at += taken;
    }
}
