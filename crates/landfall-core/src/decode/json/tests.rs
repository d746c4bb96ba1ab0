//! Rows of JSON, the errors of what is none, and the scanner against another parser.

#![expect(clippy::unwrap_used, reason = "a test may")]

use proptest::prelude::*;

use super::*;
use crate::{
    decode::{RecordFault, Records},
    schema::{Field, FieldType, StringFormat, TableSchema},
};

fn decoder() -> JsonDecoder {
    let field = |name: &str| Field {
        name: name.into(),
        title: None,
        description: None,
        kind: FieldType::String(StringFormat::Default),
        constraints: Default::default(),
        missing_values: vec![String::new()],
    };
    JsonDecoder::new(&TableSchema { fields: vec![field("id"), field("name")], ..TableSchema::default() })
}

fn array(text: &str) -> Result<Records, JsonError> {
    decoder().decode_array(text.to_owned(), 1000)
}

/// The cells of a record with their kinds.
fn row(records: &Records, record: usize) -> Vec<(JsonKind, &str)> {
    (0..records.cell_count(record))
        .map(|column| (records.json_kind(record, column).unwrap(), records.cell_text(record, column).unwrap()))
        .collect()
}

#[test]
fn members_become_the_cells_of_their_fields_in_any_order() {
    let records =
        array("[{\"id\": 9007199254740993, \"name\":\"a\\u00e4\\n\"},\n {\"name\":null, \"id\":1.50}, {}]").unwrap();
    assert_eq!(row(&records, 0), [(JsonKind::Number, "9007199254740993"), (JsonKind::String, "aä\n")]);
    assert_eq!(row(&records, 1), [(JsonKind::Number, "1.50"), (JsonKind::Null, "null")]);
    assert_eq!(row(&records, 2), [(JsonKind::Absent, ""), (JsonKind::Absent, "")]);
    assert_eq!(
        (records.len(), records.lines_before(0), records.lines_before(1), records.line_end_count()),
        (3, 0, 1, 1)
    );
    assert_eq!(records.raw_bytes(1), b"{\"name\":null, \"id\":1.50}");
    assert_eq!(records.byte_offset(0), 1);
}

#[test]
fn a_name_may_be_written_with_escapes() {
    let records = array(r#"[{"i\u0064": 1}]"#).unwrap();
    assert_eq!(row(&records, 0)[0], (JsonKind::Number, "1"));
}

/// `a\n` as the name of a field is a backslash and an n; as JSON it is a line end.
#[test]
fn a_name_that_needs_escapes_is_found_by_them_alone() {
    let named = |name: &str| {
        let field = Field {
            name: name.into(),
            title: None,
            description: None,
            kind: FieldType::String(StringFormat::Default),
            constraints: Default::default(),
            missing_values: Vec::new(),
        };
        JsonDecoder::new(&TableSchema { fields: vec![field], ..TableSchema::default() })
    };
    let found = |name: &str, text: &str| {
        let records = named(name).decode_array(text.to_owned(), 9).map_err(|error| error.to_string())?;
        Ok::<_, String>(records.json_kind(0, 0).unwrap() == JsonKind::Number)
    };
    assert_eq!(found(r"a\n", r#"[{"a\n": 1}]"#), Ok(false));
    assert_eq!(found(r"a\n", r#"[{"a\\n": 1}]"#), Ok(true));
    assert_eq!(found("a\n", r#"[{"a\n": 1}]"#), Ok(true));
    assert_eq!(found("a\"b", r#"[{"a\"b": 1}]"#), Ok(true));
    assert!(found("a\"b", r#"[{"a"b":1}]"#).is_err());
    assert!(found("a\nb", "[{\"a\nb\":1}]").is_err());
    assert_eq!(found("", r#"[{"":1}]"#), Ok(true));
}

#[test]
fn nested_values_keep_their_text() {
    let records = array(r#"[{"id": {"a": [1, {}, "x]"]} , "name": [ ]}]"#).unwrap();
    assert_eq!(row(&records, 0), [(JsonKind::Object, r#"{"a": [1, {}, "x]"]}"#), (JsonKind::Array, "[ ]")]);
}

#[test]
fn what_one_row_has_wrong_is_of_that_row_alone() {
    let records = array(r#"[{"id":1,"id":2,"x":3}, 7, {"id":3}, [1], "\ud800", {"name":"\udc00"}]"#).unwrap();
    let extras: Vec<_> =
        records.extra_members().iter().map(|extra| (extra.record, &*extra.name, extra.again)).collect();
    assert_eq!(extras, [(0, "id", Some(0)), (0, "x", None)]);
    assert_eq!(row(&records, 0)[0].1, "1", "the first value is kept, and the row rejected");
    let fault = |found| RecordFault::NotAnObject { found };
    let faults = [(1, fault(JsonKind::Number)), (3, fault(JsonKind::Array)), (4, fault(JsonKind::String))];
    assert_eq!(records.record_faults(), faults);
    assert_eq!(row(&records, 5)[1].0, JsonKind::BrokenString);
}

#[test]
fn surrogate_pairs_are_one_character() {
    let records = array(r#"[{"name":"\ud83d\ude00\u0000/\/"}]"#).unwrap();
    assert_eq!(row(&records, 0)[1].1, "😀\0//");
}

#[test]
fn other_shapes_and_too_many_rows_are_told_apart_from_syntax() {
    let kind = |text: &str| array(text).map(|records| records.len()).map_err(|error| error.kind);
    assert_eq!(kind("{}"), Err(JsonErrorKind::Shape));
    assert_eq!(kind(" 1 "), Err(JsonErrorKind::Shape));
    assert_eq!(kind("1 2"), Err(JsonErrorKind::Syntax));
    assert_eq!(kind(""), Err(JsonErrorKind::Syntax));
    assert_eq!(kind("[]"), Ok(0));
    assert_eq!(kind("[{}] x"), Err(JsonErrorKind::Syntax));
    assert_eq!(kind("[{},]"), Err(JsonErrorKind::Syntax));
    assert_eq!(kind(&"[".repeat(100_000)), Err(JsonErrorKind::TooDeep));
    let text = format!("[{}]", vec!["{}"; 1001].join(","));
    assert_eq!(kind(&text), Err(JsonErrorKind::TooMany));
    assert_eq!(kind(&text.replacen("{},", "", 1)), Ok(1000));
}

#[test]
fn a_syntax_error_says_where_and_what() {
    let error = array("[{\"id\": 01}]").unwrap_err();
    assert_eq!((error.offset, error.reason.as_str()), (10, "there is a number that begins with a superfluous zero"));
    let error = array("[{\"id\": 1,}]").unwrap_err();
    assert_eq!((error.offset, error.reason.as_str()), (10, "there is '}' where a name in quotes is expected"));
}

#[test]
fn each_line_is_a_row_and_a_bad_line_costs_only_itself() {
    let text = "{\"id\":1}\r\n\n  \n{\"id\":2,\"name\":\"\\n\n{\"id\":3} {}\n{\"id\":4}";
    let records = decoder().decode_lines(text.to_owned(), 10).unwrap();
    assert_eq!(records.len(), 4);
    assert_eq!(row(&records, 3)[0].1, "4");
    assert_eq!(records.lines_before(3), 5);
    assert!(matches!(
        records.record_faults(),
        [(1, RecordFault::Json { .. }), (2, RecordFault::Json { offset: 9, .. })]
    ));
    assert_eq!(records.raw_bytes(2), b"{\"id\":3} {}");
    assert_eq!(decoder().decode_lines(text.to_owned(), 3).unwrap_err().kind, JsonErrorKind::TooMany);
}

#[test]
fn a_row_is_read_again_from_its_bytes() {
    let records = array(r#"[ {"id":1,"z":2} , 5]"#).unwrap();
    for record in 0..2 {
        let again = decoder().decode_row(records.raw_bytes(record));
        assert_eq!(again.len(), 1);
        assert_eq!(row(&again, 0), row(&records, record));
        assert_eq!(again.record_faults().len(), usize::from(record == 1));
    }
    assert!(matches!(
        decoder().decode_row(b"{\"id\":\"\xff\"}").record_faults(),
        [(0, RecordFault::Encoding { offset: 7 })]
    ));
}

#[test]
fn tables_are_found_with_their_arrays() {
    let text = r#" {"jobs": [{"id": 1}], "a\u0062": [] } "#;
    let found = split_tables(text).unwrap();
    let found: Vec<_> = found.iter().map(|(name, range)| (name.as_str(), &text[range.clone()])).collect();
    assert_eq!(found, [("jobs", r#"[{"id": 1}]"#), ("ab", "[]")]);
    let kind = |text: &str| split_tables(text).map_err(|error| error.kind);
    assert_eq!(kind("[]"), Err(JsonErrorKind::Shape));
    assert_eq!(kind(r#"{"a": 1}"#), Err(JsonErrorKind::Shape));
    assert_eq!(kind(r#"{"a": [], "a": []}"#), Err(JsonErrorKind::Shape));
    assert_eq!(kind(r#"{"a": 1, }"#), Err(JsonErrorKind::Syntax));
    assert_eq!(kind("{}"), Ok(Vec::new()));
}

/// JSON, and what is nearly JSON.
fn text() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        Just("[".to_owned()),
        Just("]".to_owned()),
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just(",".to_owned()),
        Just(":".to_owned()),
        Just("\"id\"".to_owned()),
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just(" ".to_owned()),
        Just("{\"id\":".to_owned()),
        "-?[0-9]{1,3}(\\.[0-9]{0,2})?([eE][+-]?[0-9]{0,2})?",
        "\"(\\\\[nu\"/]|[a-zé\u{1}]|\\\\u[0-9a-f]{3,4}){0,4}\"?",
    ];
    prop::collection::vec(token, 0..12).prop_map(|tokens| tokens.concat())
}

proptest! {
    /// What another strict parser takes for JSON, and nothing else, is JSON here. Half surrogate pairs and numbers beyond a
    /// float are JSON by its grammar, but no values there.
    #[test]
    fn the_grammar_is_that_of_another_parser(text in text()) {
        let ours = array(&text).map(drop).map_err(|error| error.kind);
        let theirs = serde_json::from_str::<serde::de::IgnoredAny>(&text);
        prop_assert_eq!(ours != Err(JsonErrorKind::Syntax), theirs.is_ok(), "{}: {:?} {:?}", text, ours, theirs);
    }

    #[test]
    fn rows_come_out_as_they_went_in(rows in prop::collection::vec((any::<String>(), any::<Option<i64>>()), 0..20)) {
        let value = |(name, id): &(String, Option<i64>)| serde_json::json!({"name": name, "id": id});
        let text = serde_json::Value::Array(rows.iter().map(value).collect()).to_string();
        let records = array(&text).unwrap();
        prop_assert_eq!(records.len(), rows.len());
        for (at, (name, id)) in rows.iter().enumerate() {
            prop_assert_eq!(records.cell_text(at, 1), Some(name.as_str()));
            let id = id.map_or_else(|| "null".to_owned(), |id| id.to_string());
            prop_assert_eq!(records.cell_text(at, 0), Some(id.as_str()));
        }
    }

    #[test]
    fn any_text_is_read_without_panic(text: String, most in 0usize..4) {
        let _ = array(&text);
        let _ = decoder().decode_lines(text.clone(), most);
        let _ = decoder().decode_row(text.as_bytes());
        let _ = split_tables(&text);
    }
}

/// A byte order mark, which some programs write, was taken for a mistake in the JSON.
#[test]
fn a_byte_order_mark_is_ignored_and_counts_in_offsets() {
    let records = array("\u{feff}[{\"id\":1}]").unwrap();
    assert_eq!((row(&records, 0)[0], records.byte_offset(0)), ((JsonKind::Number, "1"), 4));
    assert_eq!(array("\u{feff}[1,]").unwrap_err().offset, array("   [1,]").unwrap_err().offset);
    assert_eq!(array("\u{feff}{}").unwrap_err().kind, JsonErrorKind::Shape);
    array("[\u{feff}]").unwrap_err();
    array("\u{feff}\u{feff}[]").unwrap_err();
    let lines = |text: &str| decoder().decode_lines(text.to_owned(), 1000).unwrap();
    let records = lines("\u{feff}{\"id\":1}\n{\"id\":2}\n");
    assert_eq!((records.len(), records.record_faults().len(), records.byte_offset(0)), (2, 0, 3));
    assert_eq!(lines("\u{feff}\n").len(), 0);
    assert_eq!(split_tables("\u{feff}{\"a\":[]}").unwrap(), [("a".to_owned(), 8..10)]);
}
