//! How fast the rows of an Avro file become JSON, in memory.
//!
//! `cargo run --release -p landfall-core --example avro_speed`

#![expect(clippy::print_stdout, reason = "it prints its measurements")]

use std::time::Instant;

use landfall_core::{
    avro::{
        resolve::{FieldMapping, RowMapping, resolve_fields},
        schema::AvroSchema,
    },
    schema::Package,
};

const ROWS: i64 = 200_000;

const SCHEMA: &str = r#"{"type":"record","name":"hired","fields":[
    {"name":"id","type":"long"},
    {"name":"name","type":["null","string"]},
    {"name":"datetime","type":["null",{"type":"long","logicalType":"timestamp-micros"}]},
    {"name":"department_id","type":["null","long"]},
    {"name":"job_id","type":["null","long"]}]}"#;

const PACKAGE: &str = "resources: [{name: hired, path: hired.csv, schema: {fields: [{name: id, type: integer}, \
    {name: name, type: string}, {name: datetime, type: datetime}, {name: department_id, type: integer}, \
    {name: job_id, type: integer}]}}]";

fn main() {
    let schema = AvroSchema::parse(SCHEMA).expect("a schema");
    let package = Package::from_yaml(PACKAGE, "hired").expect("a data package");
    let reading = resolve_fields(&schema, &package.resources[0].schema, &FieldMapping::default()).expect("a mapping");
    let bytes: Vec<u8> = (0..ROWS).flat_map(row).collect();
    let best = [(); 9].map(|()| timed(&reading, &bytes)).into_iter().fold(f64::INFINITY, f64::min);
    println!("{:.0} ns a row", best * 1e9 / ROWS as f64);
}

fn row(id: i64) -> Vec<u8> {
    let name = format!("Harold Vogt {id}");
    let mut bytes = long(id);
    bytes.extend([vec![2], long(name.len() as i64), name.into_bytes()].concat());
    for value in [1_636_253_322_000_000 + id * 61_000_000, id % 12, id % 183] {
        bytes.extend([vec![2], long(value)].concat());
    }
    bytes
}

fn long(value: i64) -> Vec<u8> {
    let mut rest = (value << 1) ^ (value >> 63);
    let mut bytes = Vec::new();
    while rest > 0x7f {
        bytes.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
    bytes
}

fn timed(reading: &RowMapping, bytes: &[u8]) -> f64 {
    let start = Instant::now();
    let (mut at, mut out) = (0, String::new());
    while at < bytes.len() {
        at += reading.read_row(&bytes[at..], &mut out).ok().flatten().expect("a row");
        if out.len() > 100_000 {
            out.clear();
        }
    }
    start.elapsed().as_secs_f64()
}
