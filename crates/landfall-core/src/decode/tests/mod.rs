//! Tests of the cutter and the decoder together: what comes out of a source.

#![expect(clippy::unwrap_used, reason = "a test may")]

mod encodings;
mod header;
mod hostile;
mod limits;
mod oracle;
mod properties;
mod quoting;
mod resume;

use super::*;
use crate::schema::{Dialect, Encoding, HeaderRows};

/// A record (or what is too long to be one) as tests compare it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    offset: u64,
    /// Counted from 1.
    line: u64,
    raw: Vec<u8>,
    cells: Vec<String>,
    fault: Option<RecordFault>,
    too_long: Option<TooLong>,
}

/// The default dialect without a header.
fn bare() -> Dialect {
    Dialect { header: HeaderRows::None, ..Dialect::default() }
}

fn rows(dialect: &Dialect, source: &[u8]) -> Vec<Row> {
    rows_in(dialect, Encoding::Utf8, CutterLimits::default(), source)
}

fn rows_in(dialect: &Dialect, encoding: Encoding, limits: CutterLimits, source: &[u8]) -> Vec<Row> {
    decode_all(dialect, encoding, limits, source).parts.iter().flat_map(rows_of_part).collect()
}

fn rows_of_part(part: &DecodedPart) -> Vec<Row> {
    match &part.records {
        Ok(records) => (0..records.len()).map(|record| row(part, records, record)).collect(),
        Err(too_long) => vec![Row {
            offset: part.offset,
            line: part.lines_before + 1,
            raw: Vec::new(),
            cells: Vec::new(),
            fault: None,
            too_long: Some(*too_long),
        }],
    }
}

fn row(part: &DecodedPart, records: &Records, record: usize) -> Row {
    let fault = |(at, fault): &(u32, RecordFault)| (*at as usize == record).then(|| fault.clone());
    Row {
        offset: part.offset + records.byte_offset(record) as u64,
        line: part.lines_before + records.lines_before(record) as u64 + 1,
        raw: records.raw_bytes(record).to_vec(),
        cells: (0..records.cell_count(record))
            .filter_map(|column| records.cell_text(record, column))
            .map(Into::into)
            .collect(),
        fault: records.record_faults().iter().find_map(fault),
        too_long: None,
    }
}

/// The cells of all records; a fault stands for the cells that are not there.
fn cells(dialect: &Dialect, source: &[u8]) -> Vec<Vec<String>> {
    rows(dialect, source).into_iter().map(cells_or_fault).collect()
}

fn cells_or_fault(row: Row) -> Vec<String> {
    match row.fault {
        Some(fault) => vec![format!("{fault:?} in {:?}", String::from_utf8_lossy(&row.raw))],
        None => row.cells,
    }
}

/// Checks the cells, and checks them again in a block that must go through the state machine.
#[track_caller]
fn check(dialect: &Dialect, source: &str, expected: &[&[&str]]) {
    assert_eq!(cells(dialect, source.as_bytes()), expected);
    let end = if source.is_empty() || source.ends_with('\n') { "" } else { "\n" };
    let mut exact = cells(dialect, format!("{source}{end}\"\"\n").as_bytes());
    exact.pop();
    assert_eq!(exact, expected, "with the state machine");
}
