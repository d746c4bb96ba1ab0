//! Schemas of files of other programs, and texts that are none.

#![expect(clippy::unwrap_used, reason = "a test may")]

use super::*;

fn root(text: &str) -> AvroType {
    AvroSchema::parse(text).unwrap().row_type().clone()
}

fn error(text: &str) -> String {
    AvroSchema::parse(text).unwrap_err().to_string()
}

#[test]
fn logical_types_are_known_where_they_are_well_formed() {
    let stamp = |unit, local| AvroType::Timestamp { unit, local };
    for (text, kind) in [
        (r#""long""#, AvroType::Long),
        (r#"{"type":"int","logicalType":"date"}"#, AvroType::Date),
        (r#"{"type":"int","logicalType":"time-millis"}"#, AvroType::Time(TimeUnit::Millis)),
        (r#"{"type":"long","logicalType":"time-micros"}"#, AvroType::Time(TimeUnit::Micros)),
        (r#"{"type":"long","logicalType":"timestamp-nanos"}"#, stamp(TimeUnit::Nanos, false)),
        (r#"{"type":"long","logicalType":"local-timestamp-millis"}"#, stamp(TimeUnit::Millis, true)),
        (r#"{"type":"int","logicalType":"timestamp-millis"}"#, AvroType::Int),
        (r#"{"type":"string","logicalType":"uuid"}"#, AvroType::String),
        (r#"{"type":"string","logicalType":"no-such"}"#, AvroType::String),
        (r#"{"type":"fixed","name":"u","size":16,"logicalType":"uuid"}"#, AvroType::Uuid),
        (r#"{"type":"fixed","name":"u","size":12,"logicalType":"duration"}"#, AvroType::Duration),
        (r#"{"type":"fixed","name":"u","size":11,"logicalType":"duration"}"#, AvroType::Fixed(11)),
        (
            r#"{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}"#,
            AvroType::Decimal { size: None, scale: 2 },
        ),
        (r#"{"type":"bytes","logicalType":"decimal","precision":4}"#, AvroType::Decimal { size: None, scale: 0 }),
        (r#"{"type":"bytes","logicalType":"decimal","precision":1,"scale":2}"#, AvroType::Bytes),
        (r#"{"type":"bytes","logicalType":"decimal"}"#, AvroType::Bytes),
        (r#"{"type":"bytes","logicalType":"big-decimal"}"#, AvroType::Bytes),
        (
            r#"{"type":"fixed","name":"d","size":4,"logicalType":"decimal","precision":9}"#,
            AvroType::Decimal { size: Some(4), scale: 0 },
        ),
        (r#"{"type":"fixed","name":"d","size":4,"logicalType":"decimal","precision":10}"#, AvroType::Fixed(4)),
        (r#"{"type":{"type":"string","avro.java.string":"String"}}"#, AvroType::String),
    ] {
        assert_eq!(root(text), kind, "{text}");
    }
}

#[test]
fn names_are_found_by_the_rules_of_namespaces() {
    let schema = AvroSchema::parse(
        r#"{"type":"record","name":"a.R","fields":[
            {"name":"e","type":{"type":"enum","name":"E","symbols":["X"]}},
            {"name":"f","type":"E"},
            {"name":"g","type":"a.E"},
            {"name":"h","type":{"type":"fixed","name":"F","namespace":"b","size":2}},
            {"name":"i","type":"b.F"},
            {"name":"j","type":{"type":"record","name":"S","namespace":"","fields":[{"name":"k","type":["null","a.R","S"]}]}}
        ]}"#,
    )
    .unwrap();
    let AvroType::Record(record) = schema.row_type() else { panic!() };
    assert_eq!(record.name, "a.R");
    let kinds: Vec<_> = record.fields.iter().map(|field| schema.get(field.kind).describe_values()).collect();
    assert_eq!(kinds, ["an enum", "an enum", "an enum", "a fixed", "a fixed", "a record"]);
    assert_eq!(record.fields[0].kind, record.fields[1].kind);
}

#[test]
fn rows_of_old_backups_may_be_called_like_a_type() {
    for name in ["null", "boolean", "int", "long", "float", "double", "bytes", "string"] {
        let text = format!(r#"{{"type":"record","name":"{name}","fields":[{{"name":"a","type":["null","{name}"]}}]}}"#);
        let AvroType::Record(record) = root(&text) else { panic!() };
        assert_eq!((record.name.as_str(), record.fields.len()), (name, 1));
        let inner = format!(r#"{{"type":"record","name":"R","fields":[{{"name":"a","type":{text}}}]}}"#);
        assert!(error(&inner).contains("which is that of another"), "{inner}");
    }
}

#[test]
fn own_properties_of_fields_are_kept() {
    let text = r#"{"type":"record","name":"R","fields":[{"name":"a_b","aliases":["x",1],"type":["null","string"],
        "default":null,"landfall.field":"a b","landfall.type":"object"}]}"#;
    let AvroType::Record(record) = root(text) else { panic!() };
    let field = &record.fields[0];
    assert_eq!(field.aliases, ["x"]);
    assert_eq!((field.own_name.as_deref(), field.own_type.as_deref()), (Some("a b"), Some("object")));
}

#[test]
fn what_is_no_schema_is_told_in_a_sentence() {
    for (text, words) in [
        ("{", "is not JSON"),
        ("1", "has 1 where a type is expected"),
        (r#""R""#, "names the type \"R\", which is not defined"),
        ("{}", "a type without \"type\""),
        ("[]", "a union of no types"),
        (r#"["null",["int","null"]]"#, "a union within a union"),
        (r#"{"type":"record","name":"R"}"#, "the record \"R\" without \"fields\""),
        (r#"{"type":"record","fields":[]}"#, "without a name"),
        (r#"{"type":"record","name":"R","fields":[{"name":"a"}]}"#, "a field of \"R\" without a name or type"),
        (
            r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"a","type":"int"}]}"#,
            "the field \"a\" of \"R\" twice",
        ),
        (r#"{"type":"fixed","name":"F","size":-1}"#, "without a size"),
        (r#"{"type":"enum","name":"int","symbols":[]}"#, "which is that of another"),
        (r#"{"type":"array"}"#, "\"array\" without \"items\""),
    ] {
        assert!(error(text).contains(words), "{}", error(text));
    }
}

#[test]
fn schemas_are_bounded() {
    assert!(error(&" ".repeat(MOST_TEXT + 1)).contains("at most"));
    let deep = format!("{}\"int\"{}", r#"{"type":"array","items":"#.repeat(70), "}".repeat(70));
    assert!(error(&deep).contains("deeper than 64"));
    let deeper = "[".repeat(100_000);
    assert!(error(&deeper).contains("recursion limit"));
    let wide = format!("[{}]", vec!["\"int\""; 60_000].join(","));
    assert!(error(&wide).contains("more than 100000"));
}
