//! How long a record takes: `cargo run --release -p landfall-core --example validate_speed [records]`.
//!
//! A million records of (integer, text, datetime, integer, integer), in blocks as a load has them, and the same with one
//! record in a hundred that does not pass; then the text of a million datetimes.

#![expect(clippy::print_stdout, reason = "it prints what it measured")]

use std::{hint::black_box, sync::Arc, time::Instant};

use landfall_core::{
    decode::Records,
    schema::{Constraints, Field, FieldType, StringFormat, TableSchema, TemporalFormat},
    validate::{ColumnMap, Validator, render},
};

const BLOCK: usize = 16_384;
const ROUNDS: usize = 5;

fn main() {
    let records: usize = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(1_000_000);
    let validator = validator();
    measure("all records pass", &validator, &blocks(records, false));
    measure("1 in 100 does not pass", &validator, &blocks(records, true));
    measure_text(records);
}

fn measure(name: &str, validator: &Validator, blocks: &[Records]) {
    let records: usize = blocks.iter().map(Records::len).sum();
    let best = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        let rows: usize = blocks.iter().map(|block| black_box(validator.validate_records(block)).rows.num_rows()).sum();
        (start.elapsed(), rows)
    });
    if let Some((time, rows)) = best.min() {
        println!("{name}: {:.1} ns a record, {rows} rows of {records} records", nanos(time, records));
    }
}

fn measure_text(count: usize) {
    let mut text = String::new();
    let best = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        for at in 0..count {
            text.clear();
            render::datetime_text(1_636_253_322_000_000 + at as i64 * 61_000_000, &mut text);
            black_box(&text);
        }
        start.elapsed()
    });
    if let Some(time) = best.min() {
        println!("text of a datetime: {:.1} ns", nanos(time, count));
    }
}

fn nanos(time: std::time::Duration, count: usize) -> f64 {
    time.as_nanos() as f64 / count.max(1) as f64
}

fn blocks(records: usize, faulty: bool) -> Vec<Records> {
    let rows: Vec<[String; 5]> = (0..records).map(|at| row(at, faulty)).collect();
    rows.chunks(BLOCK).map(Records::from_cells).collect()
}

fn row(at: usize, faulty: bool) -> [String; 5] {
    const NAMES: [&str; 5] = ["Marcelo Gonzalez", "Lidia Mendez", "Harold Vogt", "Ty Hofer", "Anna-Maria Zubiri"];
    let (day, hour, second) = (at % 28 + 1, at % 24, at * 7 % 60);
    let month = if faulty && at % 100 == 7 { 13 } else { at % 12 + 1 };
    let hired = format!("2021-{month:02}-{day:02}T{hour:02}:48:{second:02}Z");
    [at.to_string(), NAMES[at % 5].to_owned(), hired, (at % 12 + 1).to_string(), (at % 183 + 1).to_string()]
}

fn validator() -> Validator {
    let integer = FieldType::Integer { bare_number: true, group_char: None, zero_decimals: false };
    let datetime =
        FieldType::Datetime { format: TemporalFormat::Default, timezone: None, ambiguous: Default::default() };
    let text = FieldType::String(StringFormat::Default);
    let kinds = [integer.clone(), text, datetime, integer.clone(), integer];
    let fields =
        kinds.into_iter().zip(["id", "name", "hired", "department", "job"]).map(|(kind, name)| field(name, kind));
    let schema = TableSchema { fields: fields.collect(), ..TableSchema::default() };
    Validator::new(Arc::new(schema), ColumnMap::identity(5)).expect("a sound schema")
}

fn field(name: &str, kind: FieldType) -> Field {
    Field {
        name: name.into(),
        title: None,
        description: None,
        kind,
        constraints: Constraints { required: true, ..Constraints::default() },
        missing_values: vec![String::new()],
    }
}
