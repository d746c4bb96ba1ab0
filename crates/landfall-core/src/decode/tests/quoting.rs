//! Records, cells, quotes, escapes, line ends and recovery.

use super::*;
use crate::schema::{LineTerminator, StrayQuotes};

fn escaping() -> Dialect {
    Dialect { escape_char: Some(b'\\'), ..bare() }
}

#[test]
fn records_end_at_lf_crlf_and_cr() {
    check(&bare(), "a,b\nc,d\r\ne,f\rg,h", &[&["a", "b"], &["c", "d"], &["e", "f"], &["g", "h"]]);
    check(&bare(), "a\r\r\nb\n\rc\n", &[&["a"], &[""], &["b"], &[""], &["c"]]);
}

#[test]
fn a_blank_line_is_a_record_and_the_nothing_after_the_last_line_end_is_not() {
    check(&bare(), "a\n\nb\n", &[&["a"], &[""], &["b"]]);
    check(&bare(), "\n", &[&[""]]);
    check(&bare(), "", &[]);
    check(&bare(), "a,\n,", &[&["a", ""], &["", ""]]);
}

#[test]
fn a_quoted_cell_may_hold_delimiters_line_ends_and_quotes() {
    check(&bare(), "\"a,b\",\"c\nd\"\r\n\"e\"\"f\",\"\"\n", &[&["a,b", "c\nd"], &["e\"f", ""]]);
    check(&bare(), "\"\"\"\",\"\"\"a\"\"\"\n", &[&["\"", "\"a\""]]);
}

#[test]
fn a_quote_within_an_unquoted_cell_is_text() {
    check(&bare(), "a\"b,c\"\"d,e\"\nf\n", &[&["a\"b", "c\"\"d", "e\""], &["f"]]);
    check(&bare(), " \"a\",b\n", &[&[" \"a\"", "b"]]);
}

#[test]
fn without_a_quote_character_quotes_are_text() {
    let dialect = Dialect { quote_char: None, ..bare() };
    check(&dialect, "\"a,b\n\"c\"\n", &[&["\"a", "b"], &["\"c\""]]);
}

#[test]
fn without_doubled_quotes_the_second_quote_is_text_after_the_first() {
    let dialect = Dialect { double_quote: false, ..bare() };
    check(&dialect, "\"a\"\"b\",c\nd\n", &[&["TextAfterQuote { column: 0 } in \"\\\"a\\\"\\\"b\\\",c\""], &["d"]]);
}

#[test]
fn an_escape_takes_the_meaning_from_the_next_character() {
    check(&escaping(), "a\\,b,\\\"c,\\\\\n\"d\\\"e\",\"\\\\\"\n", &[&["a,b", "\"c", "\\"], &["d\"e", "\\"]]);
    check(&escaping(), "a\\\nb,c\\\r\nd\ne\n", &[&["a\nb", "c\r\nd"], &["e"]]);
    check(&escaping(), "\"a\\\r\nb\",c\n", &[&["a\r\nb", "c"]]);
    assert_eq!(cells(&escaping(), b"a,b\\"), [["a", "b\\"]]);
}

#[test]
fn an_escape_that_is_the_quote_means_doubled_quotes() {
    let dialect = Dialect { escape_char: Some(b'"'), double_quote: false, ..bare() };
    check(&dialect, "\"a\"\"b\",c\n", &[&["a\"b", "c"]]);
}

#[test]
fn initial_spaces_are_skipped_where_the_dialect_says_so() {
    let dialect = Dialect { skip_initial_space: true, ..bare() };
    check(&dialect, "  a,  b , \"c, d\",\t e\n  \n", &[&["a", "b ", "c, d", "\t e"], &[""]]);
    check(&bare(), " a, b\n", &[&[" a", " b"]]);
}

#[test]
fn spaces_after_a_closing_quote_are_text_after_it() {
    check(&bare(), "\"a\" ,b\nc\n", &[&["TextAfterQuote { column: 0 } in \"\\\"a\\\" ,b\""], &["c"]]);
}

#[test]
fn other_characters_can_be_declared() {
    let dialect = Dialect { delimiter: b';'.into(), quote_char: Some(b'\''), ..bare() };
    check(&dialect, "'a;b';c\"d\n'e''f';g,h\n", &[&["a;b", "c\"d"], &["e'f", "g,h"]]);
    check(&Dialect { delimiter: b'\t'.into(), ..bare() }, "a\tb\n", &[&["a", "b"]]);
}

#[test]
fn a_custom_line_terminator_is_exactly_that_text() {
    let dialect = Dialect { line_terminator: LineTerminator::Custom("|~".into()), ..bare() };
    let found = cells(&dialect, b"a,b\nc|~\"d|~e\",f|g|~|~h");
    assert_eq!(found, [vec!["a", "b\nc"], vec!["d|~e", "f|g"], vec![""], vec!["h"]]);
    let lines: Vec<u64> = rows(&dialect, b"a|~\"b|~\"|~c").iter().map(|row| row.line).collect();
    assert_eq!(lines, [1, 2, 4]);
}

#[test]
fn a_line_terminator_may_start_with_the_delimiter() {
    let dialect = Dialect { delimiter: b';'.into(), line_terminator: LineTerminator::Custom(";\n".into()), ..bare() };
    assert_eq!(cells(&dialect, b"a;b;\n\"c\";d;\n"), [["a", "b"], ["c", "d"]]);
}

#[test]
fn a_wrong_quote_costs_its_line_alone() {
    let expected = ["TextAfterQuote { column: 1 } in \"1,\\\"Bob,x\"", "2 Al y", "3 Zo z"];
    let found = cells(&bare(), b"1,\"Bob,x\n2,\"Al\",y\n3,Zo,z\n");
    assert_eq!(found.iter().map(|cells| cells.join(" ")).collect::<Vec<_>>(), expected);
}

#[test]
fn an_unclosed_quote_costs_its_line_alone() {
    let mut source: Vec<u8> = (1..=9).flat_map(|line| format!("{line},x\n").into_bytes()).collect();
    source[16] = b'5';
    source[17] = b',';
    source[18] = b'"';
    let found = rows(&bare(), &source);
    assert_eq!(found.len(), 9);
    let faults: Vec<_> = found.iter().filter_map(|row| Some((row.line, row.fault.clone()?))).collect();
    assert_eq!(faults, [(5, RecordFault::UnclosedQuote { column: 1 })]);
}

#[test]
fn a_malformed_record_starts_where_the_record_starts() {
    let found = rows(&bare(), b"a,\"b\nc\",\"d\ne\"f\ng\n");
    assert_eq!(found[0].raw, b"a,\"b\nc\",\"d");
    assert_eq!(found[0].fault, Some(RecordFault::TextAfterQuote { column: 2 }));
    assert_eq!((found[1].line, found[1].raw.as_slice()), (3, &b"e\"f"[..]));
    assert_eq!((found[2].line, found[2].cells[0].as_str()), (4, "g"));
}

#[test]
fn an_unclosed_quote_in_the_last_line_without_a_line_end() {
    let found = rows(&bare(), b"a\nb,\"c,d");
    assert_eq!(found[1].fault, Some(RecordFault::UnclosedQuote { column: 1 }));
    assert_eq!(found[1].raw, b"b,\"c,d");
}

#[test]
fn records_know_their_offset_and_line() {
    let found = rows(&bare(), b"a\r\n\"b\nc\r\nd\"\re\nf");
    let places: Vec<(u64, u64)> = found.iter().map(|row| (row.offset, row.line)).collect();
    assert_eq!(places, [(0, 1), (3, 2), (12, 5), (14, 6)]);
    assert_eq!(found[1].raw, b"\"b\nc\r\nd\"");
}

#[test]
fn a_single_record_can_be_decoded_again() {
    let decoder = Decoder::new(&bare(), Encoding::Utf8);
    let good = decoder.decode_record(b"a,\"b\nc\"");
    assert_eq!((good.len(), good.cell_text(0, 1), good.raw_bytes(0)), (1, Some("b\nc"), &b"a,\"b\nc\""[..]));
    let blank = decoder.decode_record(b"");
    assert_eq!((blank.len(), blank.cell_count(0), blank.cell_text(0, 0)), (1, 1, Some("")));
    let malformed = decoder.decode_record(b"a,\"b");
    assert_eq!((malformed.len(), malformed.record_faults()), (1, &[(0, RecordFault::UnclosedQuote { column: 1 })][..]));
    assert_eq!(decoder.decode_record(b"a\nb").len(), 2);
    assert_eq!(decoder.decode_record(b"\xFF").record_faults(), &[(0, RecordFault::Encoding { offset: 0 })]);
}

#[test]
fn quotes_that_are_not_doubled_are_text_where_the_dialect_says_so() {
    let literal = Dialect { stray_quotes: StrayQuotes::Literal, ..bare() };
    for (source, expected) in [
        ("\"\"Oar\",b\n", &["\"Oar", "b"][..]),
        ("a,\"6\" nail\",\"say \"\"x\"\"\"\n", &["a", "6\" nail", "say \"x\""]),
        ("\"a\nb\",\"c\"d\",e\n", &["a\nb", "c\"d", "e"]),
        ("'\",\"1\"2\"", &["'\"", "1\"2"]),
    ] {
        let found = rows(&literal, source.as_bytes());
        assert_eq!(found.iter().map(|row| row.cells.clone()).collect::<Vec<_>>(), [expected], "{source:?}");
        assert!(rows(&bare(), source.as_bytes())[0].fault.is_some(), "{source:?}");
    }
    // A quote that nothing closes is none of them.
    let open = rows(&literal, b"\"x\" y,z\na,b\n");
    assert_eq!(open[0].fault, Some(RecordFault::TextAfterQuote { column: 0 }));
    assert_eq!(open[1].cells, ["a", "b"]);
}
