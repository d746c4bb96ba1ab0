use super::{errors, field, field_messages, field_text};
use crate::schema::{
    Ambiguous, BooleanWords, FieldType, GeoFormat, GeopointFormat, ListItem, NumberFormat, StringFormat, TemporalFormat,
};

#[test]
fn every_type_is_read() {
    let integer = FieldType::Integer { bare_number: true, group_char: None, zero_decimals: false };
    let list = |delimiter: &str, item| FieldType::List { delimiter: delimiter.into(), item };
    let datetime = |format, zone: Option<&str>| FieldType::Datetime {
        format,
        timezone: zone.map(String::from),
        ambiguous: Default::default(),
    };
    let pattern = |text: &str| TemporalFormat::Pattern(text.into());
    for (properties, kind) in [
        ("title: x", FieldType::Any),
        ("type: any, format: default", FieldType::Any),
        ("type: string", FieldType::String(StringFormat::Default)),
        ("type: string, format: email", FieldType::String(StringFormat::Email)),
        ("type: string, format: uri", FieldType::String(StringFormat::Uri)),
        ("type: string, format: binary", FieldType::String(StringFormat::Binary)),
        ("type: string, format: uuid", FieldType::String(StringFormat::Uuid)),
        ("type: integer", integer),
        (
            "type: integer, bareNumber: false, groupChar: ','",
            FieldType::Integer { bare_number: false, group_char: Some(",".into()), zero_decimals: false },
        ),
        (
            "type: integer, decimals: zero",
            FieldType::Integer { bare_number: true, group_char: None, zero_decimals: true },
        ),
        (
            "type: datetime, timezone: Europe/Berlin, ambiguous: earlier",
            FieldType::Datetime {
                format: TemporalFormat::Default,
                timezone: Some("Europe/Berlin".into()),
                ambiguous: Ambiguous::Earlier,
            },
        ),
        ("type: number", FieldType::Number(NumberFormat::default())),
        (
            "type: number, decimalChar: ',', groupChar: '.', bareNumber: false",
            FieldType::Number(NumberFormat {
                decimal_char: ",".into(),
                group_char: Some(".".into()),
                bare_number: false,
            }),
        ),
        ("type: boolean", FieldType::Boolean(BooleanWords::default())),
        (
            "type: boolean, trueValues: [yes], falseValues: [no]",
            FieldType::Boolean(BooleanWords { true_values: vec!["yes".into()], false_values: vec!["no".into()] }),
        ),
        ("type: date", FieldType::Date(TemporalFormat::Default)),
        ("type: date, format: '%d/%m/%Y'", FieldType::Date(pattern("%d/%m/%Y"))),
        ("type: date, format: 'fmt:%Y-%m-%d'", FieldType::Date(pattern("%Y-%m-%d"))),
        ("type: time, format: any", FieldType::Time(TemporalFormat::Any)),
        ("type: datetime", datetime(TemporalFormat::Default, None)),
        ("type: datetime, timezone: UTC", datetime(TemporalFormat::Default, Some("UTC"))),
        ("type: datetime, timezone: '+02:00'", datetime(TemporalFormat::Default, Some("+02:00"))),
        ("type: year", FieldType::Year),
        ("type: yearmonth", FieldType::YearMonth),
        ("type: duration", FieldType::Duration),
        ("type: object", FieldType::Object),
        ("type: array", FieldType::Array),
        ("type: list", list(",", ListItem::String)),
        ("type: list, delimiter: '; ', itemType: date", list("; ", ListItem::Date)),
        ("type: geopoint", FieldType::Geopoint(GeopointFormat::Default)),
        ("type: geopoint, format: object", FieldType::Geopoint(GeopointFormat::Object)),
        ("type: geojson", FieldType::Geojson(GeoFormat::Default)),
        ("type: geojson, format: topojson", FieldType::Geojson(GeoFormat::Topojson)),
    ] {
        assert_eq!(field(properties).kind, kind, "{properties}");
    }
}

#[test]
fn wrong_types_and_formats_are_refused() {
    assert_eq!(field_messages("type: strng"), ["unknown type \"strng\"; did you mean \"string\"?"]);
    assert!(field_messages("type: blob")[0].starts_with("unknown type \"blob\" | write one of: string, number, "));
    assert_eq!(
        field_messages("type: string, format: mail"),
        ["\"format\" cannot be \"mail\"; did you mean \"email\"?"]
    );
    let mend = "write \"default\", \"any\" or a pattern such as \"%d/%m/%Y\"";
    let expected = format!("\"format\" cannot be \"YYYY\" | {mend}");
    assert_eq!(field_messages("type: date, format: YYYY"), [expected]);
    let expected = "a field of type \"integer\" has no format \"x\" | remove \"format\"";
    assert_eq!(field_messages("type: integer, format: x"), [expected]);
}

#[test]
fn time_zones_are_checked() {
    let mend = "write an IANA name such as \"Europe/Paris\", \"UTC\", or an offset such as \"+02:00\"";
    for zone in ["Mars/Base", "+25:99", "EST5EDT,M3.2.0,M11.1.0"] {
        let expected = format!("unknown time zone \"{zone}\" | {mend}");
        assert_eq!(field_messages(&format!("type: datetime, timezone: '{zone}'")), [expected]);
    }
}

#[test]
fn which_of_two_times_is_meant_is_one_of_three_words_and_needs_a_zone() {
    assert_eq!(
        field_messages("type: datetime, timezone: UTC, ambiguous: first"),
        ["\"ambiguous\" cannot be \"first\" | write one of: reject, earlier, later"]
    );
    assert_eq!(
        field_messages("type: datetime, ambiguous: later"),
        ["\"ambiguous\" does nothing without a \"timezone\" | write \"timezone\" as well, or remove it"]
    );
    assert!(
        field_messages("type: date, ambiguous: later")[0].starts_with("\"ambiguous\" does nothing on a field of type")
    );
}

#[test]
fn decimals_of_integers_are_zero_or_not_there() {
    assert_eq!(field_messages("type: integer, decimals: any"), ["\"decimals\" cannot be \"any\" | write one of: zero"]);
    assert_eq!(
        field_messages("type: integer, decimals: zero, groupChar: '.'"),
        [
            "\"decimals\" needs the point that is the \"groupChar\" here | write another \"groupChar\", or remove \"decimals\""
        ]
    );
    assert!(
        field_messages("type: number, decimals: zero")[0].starts_with("\"decimals\" does nothing on a field of type")
    );
}

#[test]
fn marks_between_digits_are_told_apart() {
    assert_eq!(
        field_messages("type: number, groupChar: '.'"),
        ["\"groupChar\" and \"decimalChar\" are both \".\" | write another \"groupChar\" or \"decimalChar\""]
    );
    let expected = "\"groupChar\" must not be empty, nor hold a digit or a sign";
    assert_eq!(field_messages("type: integer, groupChar: ''"), [expected]);
    assert_eq!(field_messages("type: integer, groupChar: '0'"), [expected]);
}

#[test]
fn a_word_is_true_or_false() {
    let messages = field_messages("type: boolean, trueValues: ['0']");
    assert!(messages[0].starts_with("the word \"0\" means both true and false"), "{messages:?}");
    let messages = field_messages("type: boolean, trueValues: [true]");
    assert_eq!(messages, ["an item of \"trueValues\" must be text, not true or false | write it in quotes: \"true\""]);
}

#[test]
fn properties_of_another_type_are_refused() {
    assert_eq!(
        field_messages("decimalChar: ','"),
        ["\"decimalChar\" does nothing on a field of type \"any\" | remove it, or write \"type\": \"number\""]
    );
    assert_eq!(field_messages("type: date, timezone: UTC").len(), 1);
    assert_eq!(
        field_messages("type: string, required: true"),
        ["\"required\" is a constraint and belongs into \"constraints\" | write \"constraints\": {\"required\": true}"]
    );
}

#[test]
fn every_constraint_is_read() {
    let text = field(
        "type: string, constraints: {required: true, unique: true, minLength: 1, maxLength: 3, pattern: 'a|b', enum: [a, b]}",
    );
    let read = text.constraints;
    assert!(read.required && read.unique);
    assert_eq!((read.min_length, read.max_length), (Some(1), Some(3)));
    assert_eq!(read.pattern.as_deref(), Some("a|b"));
    assert_eq!(read.enumeration, Some(vec!["a".into(), "b".into()]));
    let read = field("type: integer, constraints: {minimum: 1, maximum: '9'}").constraints;
    assert_eq!((read.minimum.as_deref(), read.maximum.as_deref()), (Some("1"), Some("9")));
    let read =
        field("type: date, constraints: {exclusiveMinimum: 2020-01-01, exclusiveMaximum: 2021-01-01}").constraints;
    assert_eq!(read.exclusive_minimum.as_deref(), Some("2020-01-01"));
}

#[test]
fn values_are_kept_in_the_fields_lexical_form() {
    let enumeration = |properties: &str| field(properties).constraints.enumeration.unwrap();
    assert_eq!(
        enumeration("type: number, decimalChar: ',', constraints: {enum: [1.5, '2,5', .inf]}"),
        ["1,5", "2,5", "INF"]
    );
    assert_eq!(enumeration("type: boolean, trueValues: [yes], constraints: {enum: [true]}"), ["yes"]);
    assert_eq!(enumeration("type: array, constraints: {enum: [[1, 2.50], '[3]']}"), ["[1,2.50]", "[3]"]);
    let expected = "a value of \"enum\" must be text, not a number | write it in quotes: \"1\"";
    assert_eq!(field_messages("type: string, constraints: {enum: [1]}"), [expected]);
}

#[test]
fn constraints_are_a_closed_set_that_fits_the_type() {
    let message = |properties: &str| field_messages(properties).join("\n");
    let expected =
        "\"minLength\" does not fit a field of type \"integer\" | remove it; it fits string, array, object, list";
    assert_eq!(message("type: integer, constraints: {minLength: 1}"), expected);
    let expected = "\"pattern\" does not fit a field of type \"date\" | remove it; it fits string";
    assert_eq!(message("type: date, constraints: {pattern: a}"), expected);
    let expected = "unknown property \"patern\"; did you mean \"pattern\"?";
    assert_eq!(message("type: string, constraints: {patern: a}"), expected);
    assert_eq!(message("type: object, constraints: {jsonSchema: {}}"), "\"jsonSchema\" is not supported | remove it");
    assert_eq!(message("type: string, constraints: {enum: []}"), "\"enum\" allows no value at all");
    let expected = "\"required\" must be true or false, not text | write it without quotes: true";
    assert_eq!(message("constraints: {required: 'true'}"), expected);
    let expected = "\"minLength\" must be a whole number, 0 or more, not a number";
    assert_eq!(message("type: string, constraints: {minLength: -1}"), expected);
}

#[test]
fn bounds_leave_room_for_a_value() {
    let message =
        |kind: &str, bounds: &str| field_messages(&format!("type: {kind}, constraints: {{{bounds}}}")).join("\n");
    let expected = "no value lies between \"minimum\" 10 and \"maximum\" 9.99";
    assert_eq!(message("number", "minimum: 10, maximum: 9.99"), expected);
    let expected = "no value lies between \"exclusiveMinimum\" 5 and \"maximum\" 5";
    assert_eq!(message("integer", "exclusiveMinimum: 5, maximum: 5"), expected);
    let expected = "no value lies between \"minimum\" -1 and \"maximum\" -2";
    assert_eq!(message("integer", "minimum: -1, maximum: -2"), expected);
    let expected = "no value lies between \"minimum\" 2021-01-01 and \"maximum\" 2020-12-31";
    assert_eq!(message("date", "minimum: 2021-01-01, maximum: 2020-12-31"), expected);
    let expected = "\"minLength\" 3 is greater than \"maxLength\" 2";
    assert_eq!(message("string", "minLength: 3, maxLength: 2"), expected);
    for sound in
        ["minimum: 5, maximum: 5", "minimum: -0, maximum: 0.0", "minimum: 9, maximum: 10", "minimum: 1e3, maximum: 1"]
    {
        field(&format!("type: number, constraints: {{{sound}}}"));
    }
    // A group of digits was read as a fraction: 1.000 was less than 900.
    let german = "type: number, decimalChar: ',', groupChar: '.'";
    field(&format!("{german}, constraints: {{minimum: '900', maximum: '1.000,5'}}"));
    let messages = field_messages(&format!("{german}, constraints: {{minimum: '1.000', maximum: '900'}}"));
    assert!(messages.join("\n").contains("no value lies between"), "{messages:?}");
}

#[test]
fn patterns_must_compile_in_one_of_the_engines() {
    field("type: string, constraints: {pattern: '(?=a)\\w+'}");
    let message = field_messages("type: string, constraints: {pattern: '(a'}").join("\n");
    assert!(message.starts_with("\"pattern\" is not a regular expression: "), "{message}");
}

#[test]
fn categories_are_the_only_values() {
    let values = field("type: string, categories: [a, b], categoriesOrdered: true").constraints.enumeration.unwrap();
    assert_eq!(values, ["a", "b"]);
    let labelled =
        field("type: integer, categories: [{value: 0, label: no}, {value: 1}]").constraints.enumeration.unwrap();
    assert_eq!(labelled, ["0", "1"]);
    let subset = field("type: string, categories: [a, b], constraints: {enum: [b]}").constraints.enumeration.unwrap();
    assert_eq!(subset, ["b"]);
    let message = field_messages("type: string, categories: [a], constraints: {enum: [c]}");
    assert_eq!(message, ["the value \"c\" of \"enum\" is not among the categories"]);
    assert_eq!(field_messages("type: string, categories: [a, a]"), ["the category \"a\" occurs twice"]);
}

/// They were found when the first file of their table was opened, after its parents had been loaded.
#[test]
fn rules_that_cannot_be_applied_were_found_when_a_file_was_opened() {
    for (properties, words) in [
        (
            "type: date, format: '%Y'",
            "\"format\" of the field \"a\" does not say year, month and day | write \"default\"",
        ),
        (
            "type: date, format: '%d/%m/%Y %Q'",
            "\"format\" of the field \"a\" has the directive %Q, which is not supported",
        ),
        (
            "type: integer, constraints: {minimum: few}",
            "\"minimum\" of the field \"a\" cannot be applied: \"few\" is not",
        ),
        ("type: integer, categories: [1, many]", "\"enum\" of the field \"a\" cannot be applied: \"many\" is not"),
    ] {
        let messages = field_messages(properties);
        assert!(messages.len() == 1 && messages[0].starts_with(words), "{properties}: {messages:?}");
    }
    let all = "type: date, constraints: {minimum: soon, enum: ['2000-01-01', never]}";
    assert_eq!(field_messages(all).len(), 2, "all at once");
    assert!(errors(&field_text(all)).contains("datapackage.yaml:6:"));
}
