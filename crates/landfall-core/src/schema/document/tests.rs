#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_assert_eq, prop_oneof, proptest};

use super::{DescriptorProblems, DocumentNode, NodeValue, parse_json, parse_yaml};

fn yaml(text: &str) -> Result<DocumentNode, String> {
    let problems = DescriptorProblems::new();
    let node = parse_yaml(text, "a.yaml", &problems);
    problems.into_result(node).map_err(|errors| errors.to_string())
}

fn json(text: &str) -> Result<DocumentNode, String> {
    let problems = DescriptorProblems::new();
    let node = parse_json(text, "a.json", &problems);
    problems.into_result(node).map_err(|errors| errors.to_string())
}

fn entry<'a>(node: &'a DocumentNode, key: &str) -> &'a DocumentNode {
    match &node.value {
        NodeValue::Map(entries) => &entries.iter().find(|entry| entry.key == key).unwrap().node,
        _ => panic!("not a map"),
    }
}

#[test]
fn numbers_keep_their_text() {
    let text = "9007199254740993.10";
    for node in [yaml(&format!("a: {text}")).unwrap(), json(&format!("{{\"a\": {text}}}")).unwrap()] {
        assert_eq!(node.to_json(), "{\"a\":9007199254740993.10}");
    }
}

#[test]
fn yaml_scalars_follow_the_core_schema() {
    let text = "[~, true, yes, 2020-01-01, 0x1F, 0o17, .5, -1e3, 1_000, 'x', \"1\", !!str 1, 08, e5, .]";
    let expected = "[null,true,\"yes\",\"2020-01-01\",31,15,.5,-1e3,\"1_000\",\"x\",\"1\",\"1\",08,\"e5\",\".\"]";
    assert_eq!(yaml(text).unwrap().to_json(), expected);
}

#[test]
fn places_are_counted_from_one_in_characters() {
    let node = yaml("ä: 1\nlist:\n  - { \"ö\": x }\nempty:\n").unwrap();
    let list = entry(&node, "list");
    let NodeValue::List(items) = &list.value else { panic!("not a list") };
    let x = entry(&items[0], "ö");
    assert_eq!((x.place.line(), x.place.column_number()), (3, 12));
    assert_eq!((items[0].place.line(), items[0].place.column_number()), (3, 5));
    let empty = entry(&node, "empty");
    assert_eq!((empty.place.line(), empty.place.column_number()), (4, 1));
    let node = json("{\"ä\": [1,\r\n  \"ö\", true]}").unwrap();
    let NodeValue::List(items) = &entry(&node, "ä").value else { panic!("not a list") };
    assert_eq!((items[0].place.line(), items[0].place.column_number()), (1, 8));
    assert_eq!((items[2].place.line(), items[2].place.column_number()), (2, 8));
}

#[test]
fn json_escapes_are_resolved() {
    let node = json(r#"{"a": "\ud83d\ude00 \u00e9\n\/"}"#).unwrap();
    let NodeValue::Text(text) = &entry(&node, "a").value else { panic!("not text") };
    assert_eq!(text, "😀 é\n/");
}

#[test]
fn a_lone_surrogate_is_pointed_at() {
    let expected =
        "a.json:2:7: this is not JSON: unexpected end of hex escape\n  2 |  \"b\": \"\\ud800\"}\n    |       ^";
    assert_eq!(json("{\"a\": 1,\n \"b\": \"\\ud800\"}").unwrap_err(), expected);
}

#[test]
fn json_syntax_errors_are_pointed_at() {
    let expected = "a.json:2:4: this is not JSON: expected value\n  2 |  1,]\n    |    ^";
    assert_eq!(json("[\n 1,]").unwrap_err(), expected);
}

#[test]
fn yaml_syntax_errors_are_pointed_at() {
    let error = yaml("a: [1, 2\nb: 3\n").unwrap_err();
    assert!(error.starts_with("a.yaml:2:"), "{error}");
}

#[test]
fn duplicate_keys_are_refused_and_pointed_at() {
    let expected =
        "a.yaml:2:1: the property \"a\" occurs twice in this map\n  2 | a: 2\n    | ^\n  mend: keep one of the two";
    assert_eq!(yaml("a: 1\na: 2\n").unwrap_err(), expected);
    let error = json("{\"a\": 1, \"\\u0061\": 2}").unwrap_err();
    assert!(error.starts_with("a.json:1:10: the property \"a\" occurs twice"), "{error}");
}

#[test]
fn aliases_are_resolved() {
    assert_eq!(yaml("a: &x [1, 2]\nb: *x\n").unwrap().to_json(), "{\"a\":[1,2],\"b\":[1,2]}");
}

#[test]
fn a_billion_laughs_are_refused() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    assert!(yaml(&text).unwrap_err().contains("more than 200000 values"));
}

#[test]
fn depth_is_bounded() {
    let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(json(&nested(70)).unwrap_err().contains("more than 64 deep"));
    assert!(yaml(&nested(70)).unwrap_err().contains("more than 64 deep"));
    assert!(json(&nested(100_000)).is_err());
    assert!(yaml(&nested(100_000)).is_err());
    assert!(yaml(&"- ".repeat(100_000)).unwrap_err().contains("more than 64 deep"));
    let nested = format!("{}1{}", "[".repeat(60), "]".repeat(60));
    assert_eq!(json(&nested).unwrap().to_json(), yaml(&nested).unwrap().to_json());
}

#[test]
fn what_yaml_has_beyond_json_is_refused() {
    for (text, message) in [
        ("", "the file is empty"),
        ("a: 1\n---\nb: 2\n", "a second document"),
        ("a: !mine 1", "tags"),
        ("a: &x {b: 1}\nc: {<<: *x}", "merge keys"),
        ("? [a]\n: 1", "a key must be text"),
        ("a: &x [*x]", "within the value that it names"),
    ] {
        let error = yaml(text).unwrap_err();
        assert!(error.contains(message), "{text}: {error}");
    }
}

#[test]
fn a_byte_order_mark_is_skipped() {
    assert_eq!(yaml("\u{feff}a: 1").unwrap().to_json(), "{\"a\":1}");
    assert_eq!(json("\u{feff}{\"a\": 1}").unwrap().to_json(), "{\"a\":1}");
}

#[test]
fn long_lines_are_shown_in_part() {
    let text = format!("[{}, x, {}]", "1,".repeat(200), "1,".repeat(200));
    let error = json(&text).unwrap_err();
    assert!(error.lines().all(|line| line.chars().count() < 130), "{error}");
}

#[test]
fn a_reader_tells_unknown_properties() {
    let problems = DescriptorProblems::new();
    let node = parse_yaml("target: x\nreportz: 1\ncolour: 2\n", "landfall.yaml", &problems).unwrap();
    let mut reader = node.read_map("the project", &problems).unwrap();
    assert_eq!(reader.take_text("target"), Some("x"));
    assert!(reader.take_list("reports").is_none());
    reader.refuse_unknown();
    let expected = "landfall.yaml:2:1: unknown property \"reportz\"; did you mean \"reports\"?
  2 | reportz: 1
    | ^^^^^^^

landfall.yaml:3:1: the project has no property \"colour\"
  3 | colour: 2
    | ^^^^^^
  mend: write one of: target, reports";
    assert_eq!(problems.into_result(Some(())).unwrap_err().to_string(), expected);
}

/// Any JSON value, its numbers as integers: `serde_json` would print other numbers in its own way.
fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<String>().prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(serde_json::Value::from),
            proptest::collection::hash_map(any::<String>(), inner, 0..8)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_parsers_panic(text in "\\PC*|[\\[\\]{}:,\"'&*!|>?%@`#\\-\\n\\r\\t ab1\\\\]{0,40}") {
        let _ = yaml(&text);
        let _ = json(&text);
    }

    #[test]
    fn json_means_what_serde_json_reads(value in any_json(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value).unwrap() } else { value.to_string() };
        prop_assert_eq!(json(&text).unwrap().to_json(), value.to_string());
    }

    #[test]
    fn what_serde_json_refuses_is_refused(text in "[\\[\\]{}:,\" \\-0-9.eEtrufalsn\\\\\\n]{0,12}") {
        prop_assert_eq!(serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok(), json(&text).is_ok());
    }
}

/// A password was told with the line on which a mistake stood.
#[test]
fn lines_that_may_hold_a_password_are_shown_without_it() {
    for line in [
        "targt: \"postgres://lf:s3cret@127.0.0.1/wh\"",
        "targt: postgres//lf:s3cret@127.0.0.1/wh",
        "targt: lf:s3cret@127.0.0.1",
        "targt: postgres://lf@h/wh?password=s3cret",
        "Password: s3cret",
    ] {
        let error = yaml(&format!("{line}\n{line}\n")).unwrap_err();
        assert!(!error.contains("s3cret") && error.contains("2 | "), "{error}");
    }
}
