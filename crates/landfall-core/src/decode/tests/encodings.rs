//! Byte order marks, encodings, and text that is invalid in them.

use super::*;
use crate::schema::LineTerminator;

fn decoded(encoding: Encoding, source: &[u8]) -> Vec<Row> {
    rows_in(&bare(), encoding, CutterLimits::default(), source)
}

fn utf16(text: &str, big_endian: bool) -> Vec<u8> {
    text.encode_utf16().flat_map(|unit| if big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
}

fn windows_1252() -> Encoding {
    Encoding::SingleByte(encoding_rs::WINDOWS_1252)
}

#[test]
fn a_byte_order_mark_is_no_text_but_counts_in_offsets() {
    let found = rows(&bare(), b"\xEF\xBB\xBFa,b\nc\n");
    assert_eq!((found[0].offset, &found[0].cells), (3, &vec!["a".to_string(), "b".to_string()]));
    assert_eq!(found[1].offset, 7);
}

#[test]
fn invalid_utf8_is_the_fault_of_its_record_alone() {
    for quoted in ["x", "\"y\"\"z\""] {
        let source = [b"a,b\nc\xFF,d\n".as_slice(), quoted.as_bytes(), b"\n\xC3\n\xA9e\nf\n"].concat();
        let found = rows(&bare(), &source);
        assert_eq!(found[0].cells, ["a", "b"]);
        assert_eq!(
            (&found[1].fault, &found[1].raw),
            (&Some(RecordFault::Encoding { offset: 1 }), &b"c\xFF,d".to_vec())
        );
        assert_eq!(found[2].fault, None);
        assert_eq!((&found[3].fault, &found[3].raw), (&Some(RecordFault::Encoding { offset: 0 }), &b"\xC3".to_vec()));
        assert_eq!(found[4].fault, Some(RecordFault::Encoding { offset: 0 }));
        assert_eq!(found[5].cells, ["f"]);
    }
}

#[test]
fn invalid_text_in_cells_with_doubled_quotes_harms_no_other_cell() {
    let found = rows(&bare(), b"\"\"\"\xC3\"\n\"\xA9\"\"\"\n\"\xC3\xA9\"\"\"\n");
    assert_eq!(found[2].cells, ["é\""]);
    assert_eq!(found.iter().filter(|row| row.fault.is_some()).count(), 2);
}

#[test]
fn latin1_is_the_characters_of_the_same_number() {
    let found = decoded(Encoding::Latin1, b"caf\xE9,\x80\n\"\xFF\"\"\",b\n");
    assert_eq!(found[0].cells, ["café", "\u{80}"]);
    assert_eq!((found[0].raw.as_slice(), found[1].offset), (&b"caf\xE9,\x80"[..], 7));
    assert_eq!((&found[1].cells[0], found[1].raw.as_slice()), (&"ÿ\"".to_string(), &b"\"\xFF\"\"\",b"[..]));
}

#[test]
fn the_undefined_bytes_of_a_windows_encoding_are_faults() {
    let found = decoded(windows_1252(), b"\x80,\xE9\na\x81\n\x9D\nb\n");
    assert_eq!(found[0].cells, ["€", "é"]);
    assert_eq!((&found[1].fault, found[1].raw.as_slice()), (&Some(RecordFault::Encoding { offset: 1 }), &b"a\x81"[..]));
    assert_eq!(found[2].fault, Some(RecordFault::Encoding { offset: 0 }));
    assert_eq!((found[3].offset, found[3].cells.as_slice()), (9, &["b".to_string()][..]));
}

#[test]
fn utf16_in_either_order() {
    let text = "é,\"b\"\"€\"\r\n😀,\"c\nd\"\n\nz,Ċ\n";
    for (encoding, big) in [(Encoding::Utf16Le, false), (Encoding::Utf16Be, true), (Encoding::Utf16, false)] {
        let found = decoded(encoding, &utf16(text, big));
        let cells: Vec<String> = found.iter().map(|row| row.cells.join("|")).collect();
        assert_eq!(cells, ["é|b\"€", "😀|c\nd", "", "z|Ċ"], "{encoding:?}");
        assert_eq!(found[1].raw, utf16("😀,\"c\nd\"", big));
        let places: Vec<(u64, u64)> = found.iter().map(|row| (row.offset, row.line)).collect();
        assert_eq!(places, [(0, 1), (20, 2), (38, 4), (40, 5)]);
    }
}

#[test]
fn the_utf16_mark_decides_the_order() {
    for (mark, big) in [(b"\xFE\xFF", true), (b"\xFF\xFE", false)] {
        let source = [mark.as_slice(), &utf16("a,b\n", big)].concat();
        let found = decoded(Encoding::Utf16, &source);
        assert_eq!((found[0].offset, found[0].cells.as_slice()), (2, &["a".to_string(), "b".to_string()][..]));
    }
}

#[test]
fn malformed_utf16_is_the_fault_of_its_record_alone() {
    let mut source = utf16("a\nbc\n", true);
    source.extend(b"\0d\xD8\x00\0,\0e\0\n\xDC\x00\0\n");
    source.extend(utf16("\u{FFFD}\n\"f\",\"\n", true));
    source.push(0);
    let found = decoded(Encoding::Utf16Be, &source);
    let faults: Vec<_> = found.iter().map(|row| row.fault.clone()).collect();
    let bad = |offset| Some(RecordFault::Encoding { offset });
    assert_eq!(faults, [None, None, bad(2), bad(0), None, Some(RecordFault::UnclosedQuote { column: 1 }), bad(0)]);
    assert_eq!(found[2].raw, b"\0d\xD8\x00\0,\0e");
    assert_eq!(found[4].cells, ["\u{FFFD}"]);
    assert_eq!((found[6].offset, found[6].raw.as_slice()), (source.len() as u64 - 1, &b"\0"[..]));
}

#[test]
fn a_custom_line_terminator_is_found_in_every_encoding() {
    let dialect = Dialect { line_terminator: LineTerminator::Custom("é\n".into()), ..bare() };
    let text = "a\nbé\n\"cé\n\",éaé\n";
    let latin1: Vec<u8> = text.chars().map(|char| char as u8).collect();
    let sources = [
        (Encoding::Utf8, text.as_bytes().to_vec()),
        (Encoding::Latin1, latin1.clone()),
        (windows_1252(), latin1),
        (Encoding::Utf16Be, utf16(text, true)),
    ];
    for (encoding, source) in sources {
        let found = rows_in(&dialect, encoding, CutterLimits::default(), &source);
        let cells: Vec<String> = found.iter().map(|row| row.cells.join("|")).collect();
        assert_eq!(cells, ["a\nb", "cé\n|éa"], "{encoding:?}");
    }
}

#[test]
fn a_single_record_can_be_decoded_again_once_the_order_is_known() {
    let mut cutter = Cutter::new(&bare(), Encoding::Utf16, CutterLimits::default());
    cutter.feed_bytes(b"\xFE\xFF\0a");
    cutter.finish_input();
    while cutter.next_piece().is_some() {}
    let decoder = Decoder::new(&bare(), cutter.encoding());
    assert_eq!(decoder.decode_record(b"\0a\0,\0b").cell_text(0, 1), Some("b"));
}
