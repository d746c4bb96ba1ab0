//! Records that are longer than allowed.

use super::*;

fn limits(record_bytes: usize) -> CutterLimits {
    CutterLimits { block_bytes: 8, record_bytes, ..CutterLimits::default() }
}

fn found(record_bytes: usize, source: &str) -> Vec<Row> {
    rows_in(&bare(), Encoding::Utf8, limits(record_bytes), source.as_bytes())
}

fn too_long(offset: u64, len: u64, line_ends: u64, terminator_len: u64) -> Option<TooLong> {
    Some(TooLong { offset, len, terminator_len, line_ends, comment: false })
}

#[test]
fn the_limit_counts_the_line_end() {
    assert_eq!(found(16, "0123456789abcde\nb\n")[0].cells, ["0123456789abcde"]);
    let longer = found(16, "0123456789abcdef\nb\n");
    assert_eq!((longer[0].too_long, longer[1].cells[0].as_str()), (too_long(0, 17, 1, 1), "b"));
    assert_eq!(found(16, "0123456789abcdef")[0].cells, ["0123456789abcdef"]);
    assert_eq!(found(16, "0123456789abcdefg")[0].too_long, too_long(0, 17, 0, 0));
}

#[test]
fn a_record_that_is_too_long_ends_at_its_line_end_and_its_neighbours_are_kept() {
    for end in ["\n", "\r\n", "\r"] {
        let long = "x".repeat(1000);
        let rows = found(32, &format!("a,b{end}{long},y{end}c,d{end}"));
        let len = 1002 + end.len() as u64;
        assert_eq!(rows[0].cells, ["a", "b"]);
        assert_eq!(rows[1].too_long, too_long(3 + end.len() as u64, len, 1, end.len() as u64));
        assert_eq!((rows[2].line, rows[2].cells.as_slice()), (3, &["c".to_string(), "d".to_string()][..]));
    }
}

#[test]
fn a_quote_open_at_the_limit_costs_its_line() {
    let text = "x\n".repeat(30);
    let rows = found(32, &format!("a,\"b\n{text}c\",d\n"));
    assert_eq!(
        (&rows[0].fault, rows[0].raw.as_slice()),
        (&Some(RecordFault::UnclosedQuote { column: 1 }), &b"a,\"b"[..])
    );
    assert_eq!(rows.len(), 32);
    assert_eq!(rows[31].cells, ["c\"", "d"]);
}

#[test]
fn a_quote_open_at_the_limit_without_a_line_end_is_too_long() {
    let long = "x".repeat(100);
    let rows = found(32, &format!("a,\"{long}\",b\nc\n"));
    assert_eq!((rows[0].too_long, rows[1].cells[0].as_str()), (too_long(0, 107, 1, 1), "c"));
}

#[test]
fn line_ends_before_the_limit_are_counted() {
    let rows = found(16, &format!("\"a\n\r\nb\",{}\nc\n", "x".repeat(30)));
    assert_eq!((rows[0].too_long, rows[1].line), (too_long(0, 39, 3, 1), 4));
}

#[test]
fn a_comment_or_a_header_can_be_too_long() {
    let dialect = Dialect { comment_char: Some(b'#'), ..bare() };
    let source = format!("#{}\na\n", "x".repeat(100));
    let rows = rows_in(&dialect, Encoding::Utf8, limits(16), source.as_bytes());
    assert!(rows[0].too_long.is_some_and(|record| record.comment && record.len == 102));
    let source = format!("{}\na\n", "x".repeat(100));
    let decoded = decode_all(&Dialect::default(), Encoding::Utf8, limits(16), source.as_bytes());
    assert_eq!((decoded.header, decoded.header_fault), (None, Some(HeaderFault::TooLong)));
    assert_eq!((decoded.parts[0].offset, decoded.parts[0].lines_before), (101, 1));
}

#[test]
fn memory_is_bounded_however_long_a_record_is() {
    let mut cutter = Cutter::new(
        &bare(),
        Encoding::Utf8,
        CutterLimits { block_bytes: 1 << 10, record_bytes: 1 << 16, ..CutterLimits::default() },
    );
    cutter.feed_bytes(b"a,\"");
    for _ in 0..20_000 {
        let space = cutter.input_space();
        assert!(space.len() <= (1 << 16) + (1 << 10) + 2, "{}", space.len());
        space.fill(b'x');
        let len = space.len();
        cutter.mark_filled(len);
        assert!(cutter.next_piece().is_none());
    }
    cutter.finish_input();
    assert!(
        matches!(cutter.next_piece(), Some(Piece::TooLong(record)) if record.line_ends == 0 && record.len > 10 << 20)
    );
    assert!(cutter.next_piece().is_none());
}

/// The most records that a piece of `source` has.
fn most_records(dialect: &Dialect, limits: CutterLimits, source: &[u8]) -> usize {
    let decoded = decode_all(dialect, Encoding::Utf8, limits, source);
    decoded.parts.iter().filter_map(|part| part.records.as_ref().ok()).map(Records::len).max().unwrap_or(0)
}

#[test]
fn a_block_of_very_short_records_has_no_more_than_allowed() {
    let limits = CutterLimits { block_records: 100, ..CutterLimits::default() };
    let commented = Dialect { comment_char: Some(b'#'), ..bare() };
    for (dialect, text) in [
        (bare(), "\n"),
        (bare(), "\r\n"),
        (bare(), "\r"),
        (bare(), "a\n"),
        (bare(), "\"\"\n"),
        (bare(), "\"a\"\r"),
        (bare(), "x\nx\n\"y\"\n"),
        (commented, "#\n\n"),
    ] {
        let source = text.repeat(5000);
        let found = most_records(&dialect, limits, source.as_bytes());
        assert!((50..=200).contains(&found), "{text:?}: {found}");
    }
}

#[test]
fn a_record_of_very_many_cells_is_malformed_and_its_neighbours_are_kept() {
    for quote in ["", "\"\""] {
        let source = format!("a,b\n{quote}{}\nc,d\n", ",".repeat(CutterLimits::MOST_CELLS + 1_000_000));
        let rows = rows(&bare(), source.as_bytes());
        assert_eq!((rows[0].cells.len(), rows[2].cells.len(), rows.len()), (2, 2, 3));
        assert_eq!((&rows[1].fault, rows[1].cells.len()), (&Some(RecordFault::TooManyCells), 0));
        assert_eq!(rows[1].raw.len(), source.len() - 9);
    }
}
