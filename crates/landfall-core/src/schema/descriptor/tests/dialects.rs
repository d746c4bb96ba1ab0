use super::{resource, resource_messages};
use crate::schema::{Dialect, HeaderRows, LineTerminator};

fn dialect(properties: &str) -> Dialect {
    resource(&format!("dialect: {{{properties}}}")).dialect
}

fn dialect_messages(properties: &str) -> Vec<String> {
    resource_messages(&format!("dialect: {{{properties}}}"))
}

#[test]
fn the_default_is_the_standard_one() {
    assert_eq!(resource("title: x").dialect, Dialect::default());
    assert_eq!(dialect("").header, HeaderRows::At(vec![1]));
}

#[test]
fn every_property_is_read() {
    let read = dialect(
        r##"$schema: x, header: true, headerRows: [2, 3], headerJoin: "-", commentRows: [1, 5], commentChar: "#",
        delimiter: "\t", lineTerminator: "\r\n", quoteChar: "'", doubleQuote: false, escapeChar: "\\",
        nullSequence: "\\N", skipInitialSpace: true, csvddfVersion: 1.2, caseSensitiveHeader: true"##,
    );
    let expected = Dialect {
        delimiter: b'\t',
        quote_char: Some(b'\''),
        double_quote: false,
        escape_char: Some(b'\\'),
        null_sequence: Some("\\N".into()),
        skip_initial_space: true,
        header: HeaderRows::At(vec![2, 3]),
        header_join: "-".into(),
        comment_char: Some(b'#'),
        comment_rows: vec![1, 5],
        line_terminator: LineTerminator::Any,
    };
    assert_eq!(read, expected);
}

#[test]
fn the_reference_implementations_csv_map_is_read() {
    assert_eq!(dialect("csv: {delimiter: ';'}, header: false"), dialect("delimiter: ';', header: false"));
}

#[test]
fn usual_line_ends_are_one_and_others_custom() {
    for usual in ["\\n", "\\r\\n", "\\r"] {
        assert_eq!(dialect(&format!("lineTerminator: \"{usual}\"")).line_terminator, LineTerminator::Any);
    }
    assert_eq!(dialect("lineTerminator: ';'").line_terminator, LineTerminator::Custom(";".into()));
    assert_eq!(dialect_messages("lineTerminator: ''").len(), 1);
    assert_eq!(
        dialect_messages("lineTerminator: '|,'"),
        ["\"lineTerminator\" holds the delimiter, the quote or the escape character"]
    );
}

#[test]
fn quotes_can_be_turned_off() {
    assert_eq!(dialect("quoteChar: ''").quote_char, None);
}

#[test]
fn the_header_can_be_turned_off() {
    assert_eq!(dialect("header: false").header, HeaderRows::None);
    let both = dialect_messages("header: false, headerRows: [1]");
    assert_eq!(both, ["\"headerRows\" contradicts \"header\": false | remove one of the two"]);
    assert_eq!(dialect_messages("headerRows: []").len(), 1);
    let order = "row numbers count from 1, and each is greater than the one before";
    assert_eq!(dialect_messages("headerRows: [0]"), [order]);
    assert_eq!(dialect_messages("headerRows: [2, 1]"), [order]);
    assert_eq!(dialect_messages("commentRows: [1]"), ["row 1 is both in \"headerRows\" and in \"commentRows\""]);
}

#[test]
fn unknown_properties_are_refused() {
    assert_eq!(dialect_messages("delimeter: ';'"), ["unknown property \"delimeter\"; did you mean \"delimiter\"?"]);
    assert!(dialect_messages("colour: red")[0].starts_with("the dialect has no property \"colour\" | write one of: "));
    let sheet = "\"sheetName\" is not for delimited text, which is all that Landfall reads | remove it";
    assert_eq!(dialect_messages("sheetName: x"), [sheet]);
    assert!(
        dialect_messages("caseSensitiveHeader: false")[0].starts_with("a header that ignores upper and lower case")
    );
}

#[test]
fn characters_are_single_and_ascii() {
    let mend = "write one character such as \",\", \";\", \"|\" or \"\\t\"; a file with another one must be converted";
    for (delimiter, reason) in
        [("'||'", "must be one ASCII character"), ("§", "must be one ASCII character"), ("''", "must not be empty")]
    {
        assert_eq!(dialect_messages(&format!("delimiter: {delimiter}")), [format!("\"delimiter\" {reason} | {mend}")]);
    }
    assert!(dialect_messages("delimiter: \"\\n\"")[0].starts_with("\"delimiter\" must not be a line end"));
    assert!(dialect_messages("commentChar: '//'")[0].starts_with("\"commentChar\" must be one ASCII character"));
}

#[test]
fn roles_do_not_share_a_character() {
    assert_eq!(
        dialect_messages("escapeChar: '\"'"),
        [
            "\"quoteChar\" and \"escapeChar\" are the same character | remove \"escapeChar\", and write \"doubleQuote\": true"
        ]
    );
    assert_eq!(dialect_messages("quoteChar: ','"), ["\"delimiter\" and \"quoteChar\" are the same character"]);
    assert_eq!(dialect_messages("commentChar: ','"), ["\"delimiter\" and \"commentChar\" are the same character"]);
    assert_eq!(
        dialect_messages("delimiter: ' ', skipInitialSpace: true"),
        ["\"skipInitialSpace\" cannot be true where \"delimiter\" is a space"]
    );
}
