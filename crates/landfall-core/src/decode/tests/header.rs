//! Headers, comments, and where the data start.

use super::*;
use crate::schema::StrayQuotes;

fn labels(dialect: &Dialect, source: &str) -> Option<Vec<String>> {
    decode_all(dialect, Encoding::Utf8, CutterLimits::default(), source.as_bytes()).header
}

fn with_header(rows: &[u64]) -> Dialect {
    Dialect { header: HeaderRows::At(rows.to_vec()), ..Dialect::default() }
}

fn start(dialect: &Dialect, source: &[u8]) -> Option<DataStart> {
    let mut cutter = Cutter::new(dialect, Encoding::Utf8, CutterLimits::default());
    cutter.feed_bytes(source);
    cutter.finish_input();
    while cutter.next_piece().is_some() {}
    cutter.data_start()
}

#[test]
fn the_first_record_is_the_header() {
    let dialect = Dialect::default();
    assert_eq!(labels(&dialect, "id, name \n1,Al\n"), Some(vec!["id".into(), "name".into()]));
    check(&dialect, "id,name\n1,Al\n", &[&["1", "Al"]]);
    check(&dialect, "\"i\nd\",name\r\n1,Al\n", &[&["1", "Al"]]);
    assert_eq!(start(&dialect, b"\xEF\xBB\xBF\"i\nd\",name\r\n1,Al\n"), Some(DataStart { offset: 15, line_ends: 2 }));
}

#[test]
fn a_source_may_end_before_its_data_do_start() {
    let dialect = Dialect::default();
    assert_eq!(labels(&dialect, ""), None);
    assert_eq!(start(&dialect, b""), Some(DataStart::default()));
    assert_eq!(start(&dialect, b"\xEF\xBB\xBF"), Some(DataStart { offset: 3, line_ends: 0 }));
    assert_eq!(labels(&dialect, "id,name"), Some(vec!["id".into(), "name".into()]));
    assert_eq!(labels(&dialect, "id,name\n"), Some(vec!["id".into(), "name".into()]));
    assert_eq!(start(&dialect, b"id,name"), Some(DataStart { offset: 7, line_ends: 0 }));
    assert_eq!(cells(&dialect, b"id,name\n"), Vec::<Vec<String>>::new());
    assert_eq!(labels(&with_header(&[3]), "a\nb\n"), None);
}

#[test]
fn several_header_rows_are_joined_and_what_stands_between_is_no_data() {
    let dialect = with_header(&[2, 4]);
    let source = "title\nsize,size,note\n---\ncm,inch,note\n1,2,3\n";
    assert_eq!(labels(&dialect, source), Some(vec!["size cm".into(), "size inch".into(), "note".into()]));
    assert_eq!(cells(&dialect, source.as_bytes()), [["1", "2", "3"]]);
}

#[test]
fn no_header_means_that_all_records_are_data() {
    assert_eq!(labels(&bare(), "1,2\n"), None);
    assert_eq!(start(&bare(), b"1,2\n"), Some(DataStart::default()));
}

#[test]
fn a_header_that_cannot_be_read_is_told_and_the_data_follow() {
    let decoded = |source: &[u8]| decode_all(&Dialect::default(), Encoding::Utf8, CutterLimits::default(), source);
    let malformed = decoded(b"id,\"name\n1,Al\n");
    assert_eq!(malformed.header, None);
    let fault = HeaderFault::Malformed(RecordFault::UnclosedQuote { column: 1 });
    assert_eq!(malformed.header_fault, Some(fault));
    assert_eq!(rows_of_part(&malformed.parts[0])[0].cells, ["1", "Al"]);
    let fault = HeaderFault::Malformed(RecordFault::Encoding { offset: 3 });
    assert_eq!(decoded(b"id,\xFF\n1,Al\n").header_fault, Some(fault));
}

#[test]
fn comments_are_physical_lines_and_no_records() {
    let dialect = Dialect { comment_char: Some(b'#'), ..bare() };
    check(&dialect, "#a\nb,#c\n#d\n\ne\n", &[&["b", "#c"], &[""], &["e"]]);
    check(&dialect, "a\n#it's \"quoted\nb\n", &[&["a"], &["b"]]);
    check(&dialect, "\"#a\",b\n", &[&["#a", "b"]]);
    let lines: Vec<u64> = rows(&dialect, b"#\n\"a\n#\"\n#\r\nb").iter().map(|row| row.line).collect();
    assert_eq!(lines, [2, 5]);
}

#[test]
fn invalid_text_in_a_comment_is_no_fault() {
    let dialect = Dialect { comment_char: Some(b'#'), ..bare() };
    check(&dialect, "a\n", &[&["a"]]);
    assert_eq!(cells(&dialect, b"a\n#\xFF\xC3\nb\n"), [["a"], ["b"]]);
}

/// The labels and the cells of `source` by each way of reading it.
#[track_caller]
fn check_labels(rows: &[u64], source: &str, expected: &[&str], data: &[&[&str]]) {
    let dialect = Dialect { comment_char: Some(b'#'), ..with_header(rows) };
    assert_eq!(labels(&dialect, source), Some(expected.iter().map(ToString::to_string).collect()), "{source:?}");
    assert_eq!(cells(&dialect, source.as_bytes()), data, "{source:?}");
}

#[test]
fn comments_before_the_header_do_not_take_its_place() {
    let data: &[&[&str]] = &[&["1", "2"]];
    check_labels(&[1], "# x\nb,a\n1,2\n", &["b", "a"], data);
    check_labels(&[1], "\u{feff}# x\n#\n# \"z\nb,a\n# y\n1,2\n", &["b", "a"], data);
    check_labels(&[2], "# x\nb,a\n1,2\n", &["b", "a"], data);
    check_labels(&[2], "# x\n# y\r\nb,a\n1,2\n", &["b", "a"], data);
    check_labels(&[2], "title\n# y\nb,a\n1,2\n", &["b", "a"], data);
    check_labels(&[1, 2], "# x\nb,a\n# y\nm,kg\n1,2\n", &["b m", "a kg"], data);
    check_labels(&[1], "# only comments\n# here\nb,a", &["b", "a"], &[]);
}

#[test]
fn blank_lines_before_the_header_do_not_take_its_place() {
    let data: &[&[&str]] = &[&["1", "2"]];
    check_labels(&[1], "\n\r\nb,a\n1,2\n", &["b", "a"], data);
    check_labels(&[1], "# x\n\nb,a\n1,2\n", &["b", "a"], data);
    check_labels(&[2], "title\n\nb,a\n1,2\n", &["b", "a"], data);
    check_labels(&[3], "title\n\nb,a\n1,2\n", &["b", "a"], data);
}

#[test]
fn a_comment_behind_initial_spaces_does_not_take_the_headers_place() {
    let dialect = Dialect { comment_char: Some(b'#'), skip_initial_space: true, ..Dialect::default() };
    assert_eq!(labels(&dialect, "  # x\nb, a\n1, 2\n"), Some(vec!["b".into(), "a".into()]));
    assert_eq!(cells(&dialect, b"  # x\nb, a\n1, 2\n"), [["1", "2"]]);
}

#[test]
fn a_comment_by_its_number_does_not_take_the_headers_place() {
    let dialect = Dialect { comment_char: Some(b'#'), comment_rows: vec![2], ..with_header(&[1]) };
    assert_eq!(labels(&dialect, "# x\ntitle\nb,a\n1,2\n"), Some(vec!["b".into(), "a".into()]));
}

#[test]
fn a_source_without_its_header_has_no_data() {
    let dialect = Dialect { comment_char: Some(b'#'), ..Dialect::default() };
    for source in ["# x\n# y\n", "# x", "\n\n# x\n\n"] {
        assert_eq!(labels(&dialect, source), None);
        assert_eq!(cells(&dialect, source.as_bytes()), Vec::<Vec<String>>::new());
    }
}

#[test]
fn a_long_comment_before_the_header_does_not_take_its_place() {
    let dialect = Dialect { comment_char: Some(b'#'), ..Dialect::default() };
    let source = format!("#{}\nb,a\n1,2\n", "x".repeat(100));
    let limits = CutterLimits { block_bytes: 8, record_bytes: 16, ..CutterLimits::default() };
    let decoded = decode_all(&dialect, Encoding::Utf8, limits, source.as_bytes());
    assert_eq!((decoded.header, decoded.header_fault), (Some(vec!["b".into(), "a".into()]), None));
    assert_eq!(rows_of_part(&decoded.parts[0])[0].cells, ["1", "2"]);
}

#[test]
fn records_can_be_comments_by_their_number() {
    let dialect = Dialect { comment_rows: vec![1, 4, 6], ..with_header(&[2]) };
    let source = "title\nid\n1\n\"un\nits\"\n2\n\"x\n3\n";
    assert_eq!(labels(&dialect, source), Some(vec!["id".into()]));
    let found = rows(&dialect, source.as_bytes());
    let found: Vec<_> = found.iter().map(|row| (row.line, row.cells.join(","))).collect();
    assert_eq!(found, [(3, "1".into()), (6, "2".into()), (8, "3".into())]);
}

#[test]
fn a_header_with_a_bare_quote_is_read_where_quotes_are_literal() {
    let literal = Dialect { stray_quotes: StrayQuotes::Literal, ..Dialect::default() };
    for (source, labels) in [
        (&b"\"\"id\",\"na\"me\"\n1,a\n"[..], Some(["\"id", "na\"me"].map(String::from).to_vec())),
        (b"\"id\" x,name\n1,a\n", None),
    ] {
        let decoded = decode_all(&literal, Encoding::Utf8, CutterLimits::default(), source);
        assert_eq!((decoded.header.as_ref(), decoded.header_fault.is_none()), (labels.as_ref(), labels.is_some()));
        assert_eq!(rows(&literal, source)[0].cells, ["1", "a"]);
    }
}
