//! Inputs made to cost time or memory.

use std::time::{Duration, Instant};

use super::*;

/// Cuts and decodes, and counts records and faults. The time must be that of a linear method, with much to spare for
/// slow machines and unoptimised builds.
fn counted(dialect: &Dialect, source: &[u8]) -> (usize, usize) {
    let start = Instant::now();
    let decoded = decode_all(dialect, Encoding::Utf8, CutterLimits::default(), source);
    let records = || decoded.parts.iter().filter_map(|part| part.records.as_ref().ok());
    let counts = (records().map(Records::len).sum(), records().map(|records| records.record_faults().len()).sum());
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    counts
}

fn repeated(line: &str, bytes: usize) -> Vec<u8> {
    line.as_bytes().iter().copied().cycle().take(bytes - bytes % line.len()).collect()
}

#[test]
fn a_wrong_quote_in_every_line_takes_linear_time() {
    let source = repeated("1,\"abc\n", 64 << 20);
    let lines = source.len() / 7;
    assert_eq!(counted(&bare(), &source), (lines, lines));
}

#[test]
fn an_open_quote_before_much_text_without_quotes_takes_linear_time() {
    let mut source = b"1,\"abc\n".to_vec();
    source.extend(repeated("2,abc\n", 64 << 20));
    let (records, faults) = counted(&bare(), &source);
    assert_eq!((records, faults), (1 + (source.len() - 7) / 6, 1));
}

#[test]
fn an_open_quote_before_doubled_quotes_takes_linear_time() {
    let mut source = b"1,\"abc\n".to_vec();
    source.extend(repeated("2,\"\",x\"\"y\n", 64 << 20));
    let (records, faults) = counted(&bare(), &source);
    assert_eq!((records, faults), (1 + (source.len() - 7) / 10, 1));
}

#[test]
fn open_quotes_far_from_each_other_take_linear_time() {
    let mut line = b"1,\"abc\n".to_vec();
    line.extend(repeated("2,\"\"\n", 1 << 20));
    let source = line.repeat(32);
    let (_, faults) = counted(&bare(), &source);
    assert_eq!(faults, 32);
}

#[test]
fn escapes_that_hide_quotes_take_linear_time() {
    let dialect = Dialect { escape_char: Some(b'\\'), ..bare() };
    counted(&dialect, &repeated("\"a\\\"b\\\n", 16 << 20));
    counted(&dialect, &repeated(",\"\\\",\\\n", 16 << 20));
}

#[test]
fn a_field_without_end_and_columns_without_number() {
    assert_eq!(counted(&bare(), &repeated("x", 32 << 20)), (0, 0));
    let mut source = repeated("a,", 200_000);
    source.extend(b"\n\"b\"\n");
    assert_eq!(counted(&bare(), &source), (2, 0));
}
