//! What must hold for any input.

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;
use crate::schema::{CodePage, Delimiter, LineTerminator, StrayQuotes};

const PARTS: [&[u8]; 18] = [
    b"a",
    b",",
    b"\"",
    b"\n",
    b"\r",
    b"\\",
    b"#",
    b" ",
    "é".as_bytes(),
    b"\"\"",
    b",\"",
    b"\",",
    b"\r\n",
    b"aaaaaaaaaa",
    b"\t",
    b",,",
    b"\xFF",
    b"\xE9",
];

fn source() -> impl Strategy<Value = Vec<u8>> {
    vec(select(&PARTS[..]), 0..80).prop_map(|parts| parts.concat())
}

fn encoding() -> impl Strategy<Value = Encoding> {
    let single = Encoding::SingleByte(encoding_rs::WINDOWS_1252);
    prop_oneof![
        4 => Just(Encoding::Utf8),
        2 => select(vec![Encoding::Latin1, single, Encoding::Utf16, Encoding::Utf16Be]),
        2 => select(vec![encoding_rs::SHIFT_JIS, encoding_rs::GB18030, encoding_rs::BIG5, encoding_rs::EUC_JP])
            .prop_map(Encoding::MultiByte),
        1 => Just(Encoding::CodePage(CodePage::from_label("cp857").unwrap())),
    ]
}

prop_compose! {
    fn dialect()(
        quote in prop_oneof![4 => Just(Some(b'"')), 1 => Just(None)],
        double_quote: bool,
        escape in prop_oneof![3 => Just(None), 2 => Just(Some(b'\\')), 1 => Just(Some(b'"'))],
        skip_initial_space: bool,
        comment in prop_oneof![2 => Just(None), 1 => Just(Some(b'#'))],
        comment_rows in vec(1..9_u64, 0..3),
        header in vec(1..4_u64, 0..3),
        delimiter in select(vec![",", ",", ",", ",", " ", "a", ",,", ", ", "é", "aé,"]),
        stray_quotes in select(vec![StrayQuotes::Keep, StrayQuotes::Literal, StrayQuotes::Reject]),
        trim in prop_oneof![3 => Just(false), 1 => Just(true)],
        quoted_missing: bool,
        terminator in prop_oneof![5 => Just(None), 1 => Just(Some("a")), 1 => Just(Some(",\n")), 1 => Just(Some("\r\ré"))],
    ) -> Dialect {
        Dialect {
            delimiter: Delimiter::parse(delimiter).unwrap(),
            stray_quotes,
            trim,
            quoted_missing,
            quote_char: quote,
            double_quote,
            escape_char: escape,
            skip_initial_space,
            header: if header.is_empty() { HeaderRows::None } else { HeaderRows::At(header) },
            comment_char: comment,
            comment_rows,
            line_terminator: terminator.map_or(LineTerminator::Any, |text| LineTerminator::Custom(text.into())),
            ..Dialect::default()
        }
    }
}

/// What comes out when the source is fed in parts of the given sizes; with the pieces' places.
type Outcome = (Vec<Row>, Option<Vec<String>>, Option<HeaderFault>, Option<DataStart>);

fn fed(
    dialect: &Dialect,
    encoding: Encoding,
    limits: CutterLimits,
    source: &[u8],
    sizes: &[usize],
) -> (Outcome, Vec<(u64, u64)>) {
    let mut cutter = Cutter::new(dialect, encoding, limits);
    let decoder = Decoder::new(dialect, encoding);
    let (mut rows, mut places, mut lines) = (Vec::new(), Vec::new(), 0);
    let mut rest = source;
    let mut sizes = sizes.iter().cycle();
    loop {
        while let Some(piece) = cutter.next_piece() {
            places.push((piece.offset(), piece.len()));
            let lines_before = cutter.data_start().unwrap().line_ends + lines;
            let (offset, len) = (piece.offset(), piece.len());
            let records = match piece {
                Piece::Block(block) => Ok(decoder.decode_block(block)),
                Piece::TooLong(record) => Err(record),
            };
            lines += records.as_ref().map_or_else(|record| record.line_ends, |records| records.line_end_count().into());
            rows.extend(rows_of_part(&DecodedPart { offset, len, lines_before, records }));
        }
        if cutter.is_finished() {
            break;
        }
        let size = (*sizes.next().unwrap()).min(rest.len());
        let taken = cutter.feed_bytes(&rest[..size]);
        rest = &rest[taken..];
        if rest.is_empty() {
            cutter.finish_input();
        }
    }
    let header = cutter.header_labels().map(<[_]>::to_vec);
    ((rows, header, cutter.header_fault().cloned(), cutter.data_start()), places)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn sizes_of_blocks_and_reads_change_nothing(
        dialect in dialect(),
        encoding in encoding(),
        source in source(),
        record_bytes in prop_oneof![Just(8_usize), 8..40_usize, Just(1000)],
        block_bytes in 1..60_usize,
        block_records in prop_oneof![1..6_usize, Just(1000)],
        sizes in vec(1..40_usize, 1..6),
    ) {
        let whole = CutterLimits { block_bytes: record_bytes, record_bytes, ..CutterLimits::default() };
        let (expected, places) = fed(&dialect, encoding, whole, &source, &[usize::MAX]);
        prop_assert_eq!(tiled(&expected, &places), source.len() as u64);
        let limits = CutterLimits { block_bytes, record_bytes, block_records };
        let (found, places) = fed(&dialect, encoding, limits, &source, &sizes);
        prop_assert_eq!(tiled(&found, &places), source.len() as u64);
        prop_assert_eq!(&found, &expected);
        for row in found.0.iter().filter(|row| row.too_long.is_none()) {
            let at = row.offset as usize;
            prop_assert_eq!(&source[at..at + row.raw.len()], &row.raw[..]);
        }
    }

    #[test]
    fn what_a_writer_wrote_is_read_back(
        rows in vec(vec("[a-z,;\"\n\r\\\\ é😀]{0,12}", 1..5), 0..20),
        end in select(vec!["\n", "\r\n", "\r", "|~"]),
        delimiter in select(vec![",", ";;", "=;=", "§"]),
        all_quoted: bool,
        escaped: bool,
        trim: bool,
        block_bytes in 1..200_usize,
    ) {
        // What is trimmed must stand in quotes to be read back.
        let all_quoted = all_quoted || trim;
        let custom = end == "|~";
        let dialect = Dialect {
            escape_char: escaped.then_some(b'\\'),
            double_quote: !escaped,
            line_terminator: if custom { LineTerminator::Custom(end.into()) } else { LineTerminator::Any },
            delimiter: Delimiter::parse(delimiter).unwrap(),
            trim,
            ..bare()
        };
        let between = if trim { format!(" {delimiter}\t ") } else { delimiter.to_owned() };
        let text: String = rows.iter().map(|row| written(row, &between, all_quoted, escaped) + end).collect();
        let limits = CutterLimits { block_bytes, ..CutterLimits::default() };
        let found = rows_in(&dialect, Encoding::Utf8, limits, text.as_bytes());
        let found: Vec<Vec<String>> = found.into_iter().map(|row| row.cells).collect();
        prop_assert_eq!(found, rows);
    }

    #[test]
    fn the_csv_crate_reads_the_same(
        rows in vec(vec("[a-z,\"\n\r é]{0,8}", 1..4), 0..20),
        block_bytes in 1..200_usize,
    ) {
        let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
        for row in &rows {
            writer.write_record(row).unwrap();
        }
        let text = writer.into_inner().unwrap();
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(&text[..]);
        let theirs: Vec<(u64, Vec<String>)> = reader
            .records()
            .map(|record| record.unwrap())
            .map(|record| (record.position().unwrap().byte(), record.iter().map(Into::into).collect()))
            .collect();
        let limits = CutterLimits { block_bytes, ..CutterLimits::default() };
        let ours = rows_in(&bare(), Encoding::Utf8, limits, &text);
        let ours: Vec<(u64, Vec<String>)> = ours.into_iter().map(|row| (row.offset, row.cells)).collect();
        prop_assert_eq!(ours, theirs);
    }

    #[test]
    fn the_rules_byte_by_byte_say_the_same(
        dialect in dialect(),
        parts in vec(select(&PARTS[..16]), 0..60),
        block_bytes in 1..100_usize,
    ) {
        let literal = dialect.stray_quotes == StrayQuotes::Literal;
        let stray_quotes = if literal { StrayQuotes::Keep } else { dialect.stray_quotes };
        let dialect = Dialect { header: HeaderRows::None, stray_quotes, ..dialect };
        let source = parts.concat();
        let limits = CutterLimits { block_bytes, ..CutterLimits::default() };
        let found = rows_in(&dialect, Encoding::Utf8, limits, &source).into_iter();
        let found: Vec<oracle::Expected> =
            found.map(|row| (row.offset, row.raw, row.fault.map_or(Ok(row.cells), Err))).collect();
        prop_assert_eq!(found, oracle::records(&dialect, &source));
    }

    #[test]
    fn literal_quotes_change_broken_records_only_and_lose_no_character(dialect in dialect(), source in source()) {
        let keep = Dialect { stray_quotes: StrayQuotes::Keep, header: HeaderRows::None, ..dialect.clone() };
        let literal = Dialect { stray_quotes: StrayQuotes::Literal, ..keep.clone() };
        let (kept, read) = (rows(&keep, &source), rows(&literal, &source));
        prop_assert_eq!(kept.len(), read.len());
        for (kept, read) in kept.iter().zip(&read) {
            prop_assert_eq!((kept.offset, kept.line, &kept.raw), (read.offset, read.line, &read.raw));
            match &kept.fault {
                Some(RecordFault::TextAfterQuote { .. }) if read.fault.is_none() => {
                    // Of the letters, every one is there.
                    let letters = |bytes: &[u8]| bytes.iter().filter(|&&byte| byte == b'#').count();
                    prop_assert_eq!(letters(&read.raw), letters(read.cells.concat().as_bytes()));
                }
                _ => prop_assert_eq!(kept, read),
            }
        }
    }

    #[test]
    fn a_single_record_never_panics(dialect in dialect(), encoding in encoding(), source in source()) {
        let _ = Decoder::new(&dialect, encoding).decode_record(&source);
    }

    #[test]
    fn a_good_record_decodes_to_the_same_cells_again(dialect in dialect(), source in source()) {
        let decoder = Decoder::new(&dialect, Encoding::Utf8);
        for row in rows(&dialect, &source).iter().filter(|row| row.fault.is_none()) {
            let records = decoder.decode_record(&row.raw);
            prop_assert_eq!(records.len(), 1);
            let cells: Vec<_> = (0..records.cell_count(0)).map(|column| records.cell_text(0, column).unwrap()).collect();
            prop_assert_eq!(&row.cells, &cells);
        }
    }
}

/// The end of the last piece, where each starts at the end of the one before, and the first where the data start.
fn tiled(outcome: &Outcome, places: &[(u64, u64)]) -> u64 {
    let mut at = outcome.3.unwrap().offset;
    for &(offset, len) in places {
        assert_eq!(offset, at);
        assert!(len > 0);
        at += len;
    }
    at
}

/// A record by the book.
fn written(row: &[String], between: &str, all_quoted: bool, escaped: bool) -> String {
    let cells: Vec<String> = row.iter().map(|cell| written_cell(cell, all_quoted, escaped)).collect();
    cells.join(between)
}

fn written_cell(cell: &str, all_quoted: bool, escaped: bool) -> String {
    if !all_quoted && !cell.contains([',', ';', '"', '\n', '\r', '\\', '|']) {
        return cell.to_owned();
    }
    let cell = if escaped { cell.replace('\\', "\\\\").replace('"', "\\\"") } else { cell.replace('"', "\"\"") };
    format!("\"{cell}\"")
}
