use super::{resource, resource_messages};
use crate::schema::{Dialect, HeaderMatch, HeaderRows, LineTerminator, Ragged, StrayQuotes};

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
        nullSequence: "\\N", skipInitialSpace: true, csvddfVersion: 1.2, caseSensitiveHeader: true, ragged: truncate-empty,
        strayQuotes: reject, quotedMissing: false, trim: true, headerMatch: position"##,
    );
    let expected = Dialect {
        delimiter: b'\t'.into(),
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
        ragged: Ragged::TruncateEmpty,
        stray_quotes: StrayQuotes::Reject,
        quoted_missing: false,
        trim: true,
        header_match: HeaderMatch::Position,
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
    assert!(dialect_messages("caseSensitiveHeader: false")[0].contains("matchCase"));
}

#[test]
fn characters_are_single_and_ascii() {
    assert!(dialect_messages("quoteChar: '§'")[0].starts_with("\"quoteChar\" must be one ASCII character"));
    assert!(dialect_messages("commentChar: '//'")[0].starts_with("\"commentChar\" must be one ASCII character"));
}

#[test]
fn a_delimiter_may_have_several_characters() {
    for text in ["||", "§", ", ", "::"] {
        assert_eq!(dialect(&format!("delimiter: '{text}'")).delimiter.as_str(), text);
    }
    for (delimiter, reason) in [
        ("''", "must not be empty"),
        ("\"\\n\"", "must not be a line end"),
        ("\"|\\n\"", "must not hold a line end"),
        ("----------------------------------", "must not be longer than 32 bytes"),
    ] {
        let messages = dialect_messages(&format!("delimiter: {delimiter}"));
        assert!(messages[0].starts_with(&format!("\"delimiter\" {reason} | write what stands")), "{messages:?}");
    }
    for (properties, message) in [
        ("delimiter: '\"|'", "\"delimiter\" holds the character of \"quoteChar\""),
        ("delimiter: '##', commentChar: '#'", "\"delimiter\" holds the character of \"commentChar\""),
        ("delimiter: ' |', trim: true", "\"trim\" cannot be true where \"delimiter\" begins with a space"),
        (
            "delimiter: '||', lineTerminator: '|'",
            "\"lineTerminator\" holds the delimiter, the quote or the escape character",
        ),
    ] {
        assert_eq!(dialect_messages(properties), [message]);
    }
}

#[test]
fn named_values_are_told_where_another_is_written() {
    assert_eq!(
        dialect_messages("ragged: drop"),
        ["\"ragged\" must be one of: reject, pad, truncate-empty, pad-or-truncate-empty"]
    );
    assert_eq!(dialect_messages("strayQuotes: drop"), ["\"strayQuotes\" must be one of: keep, literal, reject"]);
    assert_eq!(dialect_messages("headerMatch: names"), ["\"headerMatch\" must be one of: labels, position"]);
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
