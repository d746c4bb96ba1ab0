//! JSON rows: the same rules, for values that say themselves what they are.

use super::*;
use crate::decode::json::JsonDecoder;

/// The outcome for `rows`, a JSON array.
fn validate(fields: Vec<Field>, rows: &str) -> ValidatedBlock {
    let schema = Arc::new(TableSchema { fields, ..TableSchema::default() });
    let records = JsonDecoder::new(&schema).decode_array(rows.to_owned(), 1000).expect("JSON");
    let map = ColumnMap::identity(schema.fields.len());
    Validator::new(schema, map).expect("a sound schema").validate_records(&records)
}

fn one(kind: FieldType) -> Vec<Field> {
    vec![field("v", kind, Constraints::default())]
}

/// The stored text of each value that passes; `None` for a rejected row.
fn texts(kind: FieldType, values: &[&str]) -> Vec<Option<String>> {
    let text_of = |value: &&str| {
        let validated = validate(one(kind.clone()), &format!("[{{\"v\":{value}}}]"));
        let mut text = String::new();
        (validated.rows.num_rows() == 1 && render::push_value(validated.rows.column(0), 0, &mut text)).then_some(text)
    };
    values.iter().map(text_of).collect()
}

fn check(kind: FieldType, good: &[(&str, &str)], bad: &[&str]) {
    for (value, text) in good {
        assert_eq!(texts(kind.clone(), &[value]), [Some((*text).to_owned())], "{value}");
    }
    for value in bad {
        assert_eq!(texts(kind.clone(), &[value]), [None], "{value}");
        let errors = errors(&validate(one(kind.clone()), &format!("[{{\"v\":{value}}}]")));
        assert_eq!(errors, ["0 v type-error"], "{value}");
    }
}

#[test]
fn a_value_is_what_its_json_kind_says() {
    check(
        integer(),
        &[("1", "1"), ("-0", "0"), ("2.0", "2"), ("2e2", "200"), ("9223372036854775807", "9223372036854775807")],
        &["\"1\"", "1.5", "true", "[1]", "1e400", "9223372036854775808", "{}", "1e-1"],
    );
    check(FieldType::Year, &[("2021", "2021"), ("7", "7")], &["\"2021\"", "10000", "-1"]);
    check(
        FieldType::Number(NumberFormat { decimal_char: ",".into(), group_char: Some(".".into()), bare_number: false }),
        &[("1.50", "1.50"), ("9007199254740993", "9007199254740993"), ("1e3", "1000"), ("\"NaN\"", "NaN")],
        &["\"1.5\"", "true", "\"€ 5\"", "\"nan\""],
    );
    check(
        FieldType::Number(NumberFormat::default()),
        &[("0.1000000000000000000000000000000000001", "0.1000000000000000000000000000000000001")],
        &[],
    );
    check(FieldType::Boolean(crate::schema::BooleanWords::default()), &[("true", "true")], &["\"true\"", "1", "0"]);
    check(string(), &[("\"1\"", "1"), ("\" a\"", " a")], &["1", "true", "{}", "\"\\u0000\""]);
    check(FieldType::Object, &[("{\"a\" : 1}", "{\"a\" : 1}")], &["\"{}\"", "[]"]);
    check(FieldType::Array, &[("[1, 2.50]", "[1, 2.50]")], &["\"[]\"", "{}"]);
    check(
        FieldType::List { delimiter: ",".into(), item: ListItem::Integer },
        &[("[1, 2]", "[1,2]"), ("[]", "[]")],
        &["\"1,2\"", "[\"1\"]", "[1.5]", "[null]"],
    );
    check(
        FieldType::List { delimiter: ",".into(), item: ListItem::String },
        &[("[\"a,b\", \"\"]", "[\"a,b\",\"\"]")],
        &["[1]", "[\"\\ud800\"]", "[\"\\u0000\"]"],
    );
    let point = FieldType::Geopoint(crate::schema::GeopointFormat::Default);
    check(point, &[("\"90.50, 45.5\"", "[90.50,45.5]"), ("[90.50, 45.5]", "[90.50,45.5]")], &["[200, 1]", "{}"]);
    let form = TemporalFormat::Default;
    check(
        FieldType::Datetime { format: form, timezone: None, ambiguous: Default::default() },
        &[("\"2021-11-07T02:48:42Z\"", "2021-11-07T02:48:42Z")],
        &["\"2021-11-07\"", "1636253322"],
    );
    check(FieldType::Any, &[("\"x\"", "x"), ("1.50", "1.50"), ("true", "true"), ("[1]", "[1]")], &[]);
}

#[test]
fn nothing_is_made_up_for_what_is_missing() {
    let rows = r#"[{"a":1,"b":"x","c":null}, {"a":null,"b":""}, {"b":null,"a":3}, {}, {"a":null,"c":""}]"#;
    let validated = validate(three(), rows);
    let found = errors(&validated);
    assert_eq!(found, ["1 - blank-row", "2 b constraint-error", "3 - blank-row", "4 - blank-row"]);
    assert!(validated.rows.column(2).is_null(0));
}

#[test]
fn a_text_for_a_missing_value_is_only_a_string() {
    let kind = integer();
    let mut fields = vec![field("v", kind, Constraints::default()), field("w", string(), Constraints::default())];
    fields.iter_mut().for_each(|field| field.missing_values = vec!["0".into(), "-".into()]);
    let validated = validate(fields, r#"[{"v":0,"w":""}, {"v":"-","w":"x"}, {"v":"0","w":"-"}]"#);
    assert_eq!(errors(&validated), ["2 - blank-row"]);
    assert!(validated.rows.column(0).is_null(1) && !validated.rows.column(0).is_null(0));
    assert_eq!(validated.rows.column(1).as_string::<i32>().value(0), "");
}

#[test]
fn every_reason_is_listed_in_the_order_of_the_fields() {
    let validated = validate(three(), r#"[{"a":"x","b":null,"a":1,"d":[],"c":5}, 3]"#);
    let expected = [
        "0 a type-error",
        "0 a extra-cell",
        "0 b constraint-error",
        "0 c type-error",
        "0 - extra-cell",
        "1 - source-error",
    ];
    assert_eq!(errors(&validated), expected);
    let messages: Vec<&str> = validated.rejects[0].errors.iter().map(|error| error.message.as_str()).collect();
    assert_eq!(
        messages[0],
        "field \"a\": \"x\" is a JSON string and not an integer; an integer is written as a JSON number"
    );
    assert_eq!(messages[4], "the row has \"d\", which is no field of the table; it has a, b, c");
}

/// What was left out of the list was not told.
#[test]
fn members_beyond_those_that_are_listed_are_counted() {
    let row = |count: usize| {
        let members: Vec<String> = (0..count).map(|at| format!("\"x{at}\":1")).collect();
        format!("{{\"v\":\"a\",{}}}", members.join(","))
    };
    let rows = format!("[{},{},{}]", row(10), row(11), row(1000));
    let validated = validate(one(FieldType::String(StringFormat::Default)), &rows);
    let told = |at: usize| {
        let errors = &validated.rejects[at].errors;
        (errors.len(), errors[errors.len() - 1].message.clone())
    };
    assert_eq!(told(0).0, 10);
    assert_eq!(told(1), (11, "1 more member of the row are no field of the table, or occur twice".into()));
    assert_eq!(told(2), (11, "990 more members of the row are no field of the table, or occur twice".into()));
}

#[test]
fn half_a_surrogate_pair_is_no_text() {
    assert_eq!(errors(&validate(three(), r#"[{"b":"\udead"}]"#)), ["0 b encoding-error"]);
}

#[test]
fn superfluous_members_are_listed_to_a_bound() {
    let members: Vec<String> = (0..1000).map(|at| format!("\"x{at}\":1")).collect();
    let validated = validate(three(), &format!("[{{\"b\":\"x\",{}}}]", members.join(",")));
    assert_eq!(validated.rejects[0].errors.len(), 11);
}
