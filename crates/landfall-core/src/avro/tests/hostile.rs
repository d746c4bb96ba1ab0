//! Bytes that were made to hurt: they are refused soon, and nothing is reserved for what they claim.

use proptest::prelude::*;

use super::{
    encode::{Datum, long},
    *,
};

fn error(kind: FieldType, avro: &str, bytes: &[u8]) -> String {
    let reading = reading(kind, avro).unwrap();
    reading.read_row(bytes, &mut String::new()).unwrap_err().to_string()
}

#[test]
fn bytes_that_can_be_no_value_are_told() {
    for (kind, avro, bytes, words) in [
        (INTEGER, "\"long\"", vec![0xff; 11], "a number of more than 64 bits"),
        (INTEGER, "\"int\"", long(1 << 40), "an int of more than 32 bits"),
        (INTEGER, "[\"null\",\"long\"]", long(2), "number 2 of 2 branches"),
        (INTEGER, "[\"null\",\"long\"]", long(-1), "number -1 of 2 branches"),
        (boolean(), "\"boolean\"", vec![2], "a boolean of the value 2"),
        (STRING, "\"string\"", long(-1), "a negative length"),
        (STRING, "\"string\"", long(1 << 40), "a value of 1099511627776 bytes"),
        (STRING, "\"string\"", vec![2, 0xff], "a string that is not UTF-8"),
        (STRING, r#"{"type":"enum","name":"E","symbols":["X"]}"#, long(1), "number 1 of 1 symbols"),
        (list(), r#"{"type":"array","items":"int"}"#, vec![1, 6, 2, 2, 0], "another length than it says"),
        (list(), r#"{"type":"array","items":"int"}"#, vec![1, 1], "a block of -1 bytes"),
        (list(), r#"{"type":"array","items":"null"}"#, long(i64::MAX), "more than 1000000 values without a byte"),
        (list(), r#"{"type":"array","items":"null"}"#, [long(i64::MIN), long(0)].concat(), "values without a byte"),
        (
            FieldType::Object,
            r#"{"type":"record","name":"L","fields":[{"name":"l","type":"L"}]}"#,
            vec![0],
            "deeper than 64",
        ),
        (FieldType::Any, r#"{"type":"fixed","name":"F","size":2000000000}"#, vec![0], "a value of 2000000000 bytes"),
    ] {
        let found = error(kind, avro, &bytes);
        assert!(found.contains(words) && found.starts_with("the field \"v\": "), "{avro}: {found}");
    }
}

/// A record of two of which each has two, and so on: nothing of bytes, and more values than can be counted.
#[test]
fn records_that_double_at_each_level_end() {
    let mut parts = vec![r#"{"name":"r0","type":{"type":"record","name":"R0","fields":[]}}"#.to_owned()];
    for level in 1..40 {
        let below = level - 1;
        parts.push(format!(
            "{{\"name\":\"r{level}\",\"type\":{{\"type\":\"record\",\"name\":\"R{level}\",\"fields\":[{{\"name\":\"a\",\"type\":\"R{below}\"}},{{\"name\":\"b\",\"type\":\"R{below}\"}}]}}}}"
        ));
    }
    let schema =
        AvroSchema::parse(&format!("{{\"type\":\"record\",\"name\":\"Top\",\"fields\":[{}]}}", parts.join(",")))
            .unwrap();
    let fields = vec![field("r39", FieldType::Object)];
    let mapping = FieldMapping { ignore_extra: true, ..FieldMapping::default() };
    for fields in [fields, vec![field("r0", FieldType::Object)]] {
        let reading = resolve_fields(&schema, &table(fields), &mapping).unwrap();
        let error = reading.read_row(&[], &mut String::new()).unwrap_err().to_string();
        assert!(error.contains("values without a byte"), "{error}");
    }
}

#[test]
fn a_row_does_not_grow_beyond_its_bound() {
    let reading = reading(list(), r#"{"type":"array","items":{"type":"record","name":"A_name","fields":[{"name":"and_one_that_is_long","type":"boolean"}]}}"#).unwrap();
    let bytes = [long(1_000_000), vec![0; 1_000_000]].concat();
    let error = reading.read_row(&bytes, &mut String::new()).unwrap_err().to_string();
    assert!(error.contains("with it the row has more than"), "{error}");
}

fn everything() -> (RowMapping, Vec<u8>) {
    let schema = record(&[
        ("a", "[\"null\",\"long\"]"),
        ("b", "\"string\""),
        ("c", r#"{"type":"array","items":["null","double",{"type":"map","values":"bytes"}]}"#),
        ("d", r#"{"type":"bytes","logicalType":"decimal","precision":20,"scale":2}"#),
        ("e", r#"["null",{"type":"long","logicalType":"timestamp-nanos"},"boolean","float"]"#),
        ("f", r#"{"type":"record","name":"L","fields":[{"name":"n","type":["null","L"]}]}"#),
    ]);
    let names = ["a", "b", "c", "d", "e", "f"];
    let table = table(names.iter().map(|name| field(name, FieldType::Any)).collect());
    let map = Datum::Map(vec![("k".into(), Datum::Bytes(vec![0xff]))], 1, true);
    let bytes = [
        Datum::Branch(1, Datum::Long(300).into()),
        Datum::text("text"),
        Datum::Array(vec![Datum::Branch(0, Datum::Null.into()), Datum::Branch(2, map.into())], 1, true),
        Datum::Bytes(vec![1, 2]),
        Datum::Branch(1, Datum::Long(1_636_253_322_000_000_001).into()),
        Datum::Branch(1, Datum::Branch(1, Datum::Branch(0, Datum::Null.into()).into()).into()),
    ];
    let reading = resolve_fields(&schema, &table, &FieldMapping::default()).unwrap();
    (reading, bytes.iter().flat_map(Datum::bytes).collect())
}

#[test]
fn the_row_that_is_then_damaged_is_sound() {
    let (reading, bytes) = everything();
    let expected = "{\"a\":300,\"b\":\"text\",\"c\":[null,{\"k\":\"\\udcff\"}],\"d\":2.58,\
        \"e\":\"2021-11-07T02:48:42.000000001Z\",\"f\":{\"n\":{\"n\":{\"n\":null}}}}\n";
    assert_eq!(line(&reading, &bytes).unwrap().unwrap(), expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]
    /// What comes out of damaged bytes is one line of JSON, or nothing.
    #[test]
    fn damaged_bytes_are_a_row_or_an_error(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4), end: prop::sample::Index) {
        let (reading, mut bytes) = everything();
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(end.index(bytes.len() + 1));
        let mut out = String::new();
        if let Ok(Some(taken)) = reading.read_row(&bytes, &mut out) {
            prop_assert!(taken <= bytes.len());
            prop_assert_eq!(out.matches('\n').count(), 1);
            let records = crate::decode::json::JsonDecoder::new(&table(vec![field("a", INTEGER)])).decode_row(out.trim_end().as_bytes());
            prop_assert!(records.record_faults().is_empty());
        } else {
            prop_assert!(out.is_empty());
        }
    }
}
