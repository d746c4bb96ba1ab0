//! Values of each type as the fields of a table take them.

use super::{
    encode::{Datum, long, sized},
    *,
};

#[test]
fn values_in_their_own_form() {
    let float = |value: f32| value.to_le_bytes().to_vec();
    let double = |value: f64| value.to_le_bytes().to_vec();
    for (kind, avro, bytes, json) in [
        (boolean(), "\"boolean\"", vec![1], "true"),
        (INTEGER, "\"int\"", long(-7), "-7"),
        (INTEGER, "\"long\"", long(i64::MIN), "-9223372036854775808"),
        (number(), "\"float\"", float(0.1), "0.1"),
        (number(), "\"double\"", double(0.1), "0.1"),
        (number(), "\"double\"", double(1e300), "1e300"),
        (number(), "\"double\"", double(-1.5e-9), "-1.5e-9"),
        (number(), "\"double\"", double(-0.0), "-0"),
        (INTEGER, "\"double\"", double(9_007_199_254_740_993.0), "9007199254740992"),
        (number(), "\"float\"", float(f32::NAN), "\"NaN\""),
        (number(), "\"double\"", double(f64::NEG_INFINITY), "\"-INF\""),
        (STRING, "\"string\"", sized("a\"\\\n\u{1}é😀".as_bytes()), "\"a\\\"\\\\\\n\\u0001é😀\""),
        (STRING, "\"bytes\"", sized(b"a\xffb\xc3\xa4\xc3"), "\"a\\udcffbä\\udcc3\""),
        (FieldType::String(StringFormat::Binary), "\"bytes\"", sized(b"\xff\x00a"), "\"/wBh\""),
        (FieldType::String(StringFormat::Binary), "\"string\"", sized(b"/wBh"), "\"/wBh\""),
        (STRING, r#"{"type":"enum","name":"E","symbols":["X","Y"]}"#, long(1), "\"Y\""),
        (
            FieldType::String(StringFormat::Uuid),
            r#"{"type":"fixed","name":"U","size":16,"logicalType":"uuid"}"#,
            (0..16).map(|byte| byte * 17).collect(),
            "\"00112233-4455-6677-8899-aabbccddeeff\"",
        ),
        (DATE, r#"{"type":"int","logicalType":"date"}"#, long(18_938), "\"2021-11-07\""),
        (TIME, r#"{"type":"int","logicalType":"time-millis"}"#, long(86_399_999), "\"23:59:59.999000\""),
        (TIME, r#"{"type":"int","logicalType":"time-millis"}"#, long(86_400_000), "86400000"),
        (TIME, r#"{"type":"long","logicalType":"time-micros"}"#, long(-1), "-1"),
        (
            FieldType::Duration,
            r#"{"type":"fixed","name":"D","size":12,"logicalType":"duration"}"#,
            vec![1, 0, 0, 0, 2, 0, 0, 0, 0xbc, 0x0b, 0, 0],
            "\"P1M2DT3.004S\"",
        ),
        (
            FieldType::Duration,
            r#"{"type":"fixed","name":"D","size":12,"logicalType":"duration"}"#,
            vec![0; 12],
            "\"PT0S\"",
        ),
    ] {
        assert_eq!(value(kind, avro, &bytes), json, "{avro} {bytes:?}");
    }
}

#[test]
fn points_in_time_by_their_unit() {
    let stamp = |logical: &str, count: i64| {
        let kind = FieldType::Datetime {
            format: TemporalFormat::Default,
            timezone: Some("UTC".into()),
            ambiguous: Default::default(),
        };
        value(kind, &format!("{{\"type\":\"long\",\"logicalType\":\"{logical}\"}}"), &long(count))
    };
    assert_eq!(stamp("timestamp-millis", 1), "\"1970-01-01T00:00:00.001000Z\"");
    assert_eq!(stamp("timestamp-micros", -1), "\"1969-12-31T23:59:59.999999Z\"");
    assert_eq!(stamp("timestamp-nanos", 1_000), "\"1970-01-01T00:00:00.000001Z\"");
    assert_eq!(stamp("timestamp-nanos", -1), "\"1969-12-31T23:59:59.999999999Z\"");
    assert_eq!(stamp("local-timestamp-millis", 0), "\"1970-01-01T00:00:00\"");
    assert_eq!(stamp("local-timestamp-nanos", 1), "\"1970-01-01T00:00:00.000000001\"");
    assert_eq!(stamp("timestamp-millis", i64::MAX), i64::MAX.to_string());
    assert_eq!(stamp("timestamp-micros", i64::MAX), "\"+294247-01-10T04:00:54.775807Z\"");
}

#[test]
fn decimals_keep_all_digits() {
    let decimal = |scale: usize, bytes: &[u8]| {
        let avro = format!("{{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":3000,\"scale\":{scale}}}");
        value(number(), &avro, &sized(bytes))
    };
    assert_eq!(decimal(2, &[0x30, 0x39]), "123.45");
    assert_eq!(decimal(2, &[0xff]), "-0.01");
    assert_eq!(decimal(5, &[0x80]), "-0.00128");
    assert_eq!(decimal(0, &[0]), "0");
    assert_eq!(decimal(3, &[0; 40]), "0.000");
    assert_eq!(
        decimal(0, &[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        "-170141183460469231731687303715884105728"
    );
    let two_to_the_128 = [&[1][..], &[0; 16]].concat();
    assert_eq!(decimal(1, &two_to_the_128), "34028236692093846346337460743176821145.6");
    let minus_that = [&[0xff][..], &[0; 16]].concat();
    assert_eq!(decimal(0, &minus_that), "-340282366920938463463374607431768211456");
    let reading = reading(number(), r#"{"type":"bytes","logicalType":"decimal","precision":3000}"#).unwrap();
    assert_eq!(line(&reading, &sized(&[1; 1024])).unwrap().unwrap().len(), "{\"v\":}\n".len() + 2464);
    for bytes in [vec![], vec![1; 1025]] {
        assert!(line(&reading, &sized(&bytes)).unwrap_err().to_string().contains("a decimal of"));
    }
}

#[test]
fn what_is_missing_is_null_in_either_order() {
    assert_eq!(value(INTEGER, r#"["null","long"]"#, &[0]), "null");
    assert_eq!(value(INTEGER, r#"["null","long"]"#, &[2, 2]), "1");
    assert_eq!(value(STRING, r#"["string","null"]"#, &[2]), "null");
    assert_eq!(value(STRING, r#"["string","null"]"#, &[0, 2, b'a']), "\"a\"");
    assert_eq!(value(STRING, r#""null""#, &[]), "null");
    assert_eq!(value(STRING, r#"["null","string","int"]"#, &[0]), "null");
}

#[test]
fn a_branch_that_the_field_does_not_take_keeps_its_own_form() {
    let avro = r#"["null","string","int",{"type":"int","logicalType":"date"},{"type":"array","items":"int"}]"#;
    assert_eq!(value(STRING, avro, &[4, 14]), "7");
    assert_eq!(value(STRING, avro, &[6, 14]), "7", "a date does not pass for text");
    assert_eq!(value(INTEGER, avro, &[6, 14]), "\"1970-01-08\"");
    assert_eq!(value(INTEGER, avro, &[8, 2, 14, 0]), "[7]");
}

#[test]
fn nested_values_are_json() {
    let avro = r#"{"type":"record","name":"N","fields":[
        {"name":"a","type":{"type":"array","items":["null","double"]}},
        {"name":"m","type":{"type":"map","values":"bytes"}},
        {"name":"e","type":{"type":"record","name":"Empty","fields":[]}},
        {"name":"n","type":["null","N"]}]}"#;
    let inner = |next| {
        let array = vec![Datum::Branch(0, Datum::Null.into()), Datum::Branch(1, Datum::Double(1.5).into())];
        Datum::Record(vec![
            ("a".into(), Datum::Array(array, 1, true)),
            ("m".into(), Datum::Map(vec![("k\n".into(), Datum::Bytes(b"v".to_vec()))], 9, false)),
            ("e".into(), Datum::Record(vec![])),
            ("n".into(), next),
        ])
    };
    let datum = inner(Datum::Branch(1, inner(Datum::Branch(0, Datum::Null.into())).into()));
    let expected = r#"{"a":[null,1.5],"m":{"k\n":"v"},"e":{},"n":{"a":[null,1.5],"m":{"k\n":"v"},"e":{},"n":null}}"#;
    assert_eq!(value(FieldType::Object, avro, &datum.bytes()), expected);
    let skipped = resolve_fields(
        &record(&[("x", avro), ("v", "\"int\"")]),
        &table(vec![field("v", INTEGER)]),
        &FieldMapping { ignore_extra: true, ..FieldMapping::default() },
    );
    let bytes = [datum.bytes(), long(5)].concat();
    assert_eq!(line(&skipped.unwrap(), &bytes).unwrap().unwrap(), "{\"v\":5}\n");
}

#[test]
fn strings_of_landfall_hold_what_their_field_keeps() {
    let own = |kind: FieldType, text: &str| {
        let avro = format!("[\"null\",\"string\"] & \"landfall.type\":\"{}\"", kind.name());
        value(kind, &avro, &[vec![2], sized(text.as_bytes())].concat())
    };
    assert_eq!(own(FieldType::Object, "{\"a\" : 1}"), "{\"a\" : 1}");
    assert_eq!(own(FieldType::Object, "[1]"), "\"[1]\"");
    assert_eq!(own(FieldType::Object, "{"), "\"{\"");
    assert_eq!(own(FieldType::Object, "{} {}"), "\"{} {}\"");
    assert_eq!(own(FieldType::Array, "[1, 2.50]"), "[1, 2.50]");
    assert_eq!(own(list(), "[1,2]"), "[1,2]");
    assert_eq!(own(GEOPOINT, "[90.50,45.5]"), "[90.50,45.5]");
    assert_eq!(own(GEOJSON, "{\"type\":\"X\"}"), "{\"type\":\"X\"}");
    assert_eq!(own(number(), "1.50"), "1.50");
    assert_eq!(own(number(), "-1e30"), "-1e30");
    assert_eq!(own(number(), "INF"), "\"INF\"");
    assert_eq!(own(number(), "0x1"), "\"0x1\"");
    assert_eq!(own(STRING, "1"), "\"1\"");
    assert_eq!(own(FieldType::Any, "{}"), "\"{}\"");
    assert_eq!(own(FieldType::YearMonth, "2021-11"), "\"2021-11\"");
}

/// JSON may have line ends between its values, and would have been cut there.
#[test]
fn line_ends_within_json_come_back_as_they_were() {
    use crate::decode::json::JsonDecoder;
    let reading = reading(FieldType::Object, "\"string\" & \"landfall.type\":\"object\"").unwrap();
    let texts = ["{\r\n\"a\":\r1\n\n}", "{\"b\":\"\\n\"}"];
    let mut lines = String::new();
    for text in texts {
        reading.read_row(&sized(text.as_bytes()), &mut lines).unwrap().unwrap();
    }
    assert_eq!(lines.matches(['\n', '\r']).count(), 2);
    let table = table(vec![field("v", FieldType::Object)]);
    let dialect =
        crate::schema::Dialect { quote_char: None, header: crate::schema::HeaderRows::None, ..Default::default() };
    let mut cutter = crate::decode::Cutter::new(&dialect, crate::schema::Encoding::Utf8, Default::default());
    cutter.input_space()[..lines.len()].copy_from_slice(lines.as_bytes());
    cutter.mark_filled(lines.len());
    cutter.finish_input();
    let crate::decode::Piece::Block(block) = cutter.next_piece().unwrap() else { panic!() };
    let records = JsonDecoder::new(&table).decode_block(block);
    assert_eq!((records.cell_text(0, 0), records.cell_text(1, 0)), (Some(texts[0]), Some(texts[1])));
    assert_eq!((records.len(), records.lines_before(1), records.line_end_count()), (2, 1, 2));
    assert_eq!(records.byte_offset(1), lines.find('\n').unwrap() + 1);
    assert_eq!(records.raw_bytes(0), "{\"v\":{\r\n\"a\":\r1\n\n}}".as_bytes());
}

#[test]
fn dates_and_times_come_in_the_pattern_of_their_field() {
    let pattern = |text: &str| TemporalFormat::Pattern(text.into());
    let timestamp = r#"{"type":"long","logicalType":"timestamp-micros"}"#;
    let datetime = |text: &str| FieldType::Datetime {
        format: pattern(text),
        timezone: Some("UTC".into()),
        ambiguous: Default::default(),
    };
    assert_eq!(value(datetime("%d/%m/%Y %H:%M"), timestamp, &long(60_000_000)), "\"01/01/1970 00:01\"");
    // The pattern has no seconds: the row is rejected, with all that it holds.
    assert_eq!(value(datetime("%d/%m/%Y %H:%M"), timestamp, &long(1_000_000)), "\"1970-01-01T00:00:01Z\"");
    let date = r#"["null",{"type":"int","logicalType":"date"}]"#;
    assert_eq!(value(FieldType::Date(pattern("%d.%m.%Y")), date, &[2, 2]), "\"02.01.1970\"");
    let millis = r#"{"type":"int","logicalType":"time-millis"}"#;
    assert_eq!(value(FieldType::Time(pattern("%I:%M %p")), millis, &long(60_000)), "\"12:01 AM\"");
    assert_eq!(value(FieldType::Time(pattern("%H\"%M")), "\"string\"", &sized(b"x\"y")), "\"x\\\"y\"");
    let local = r#"{"type":"long","logicalType":"local-timestamp-millis"}"#;
    assert_eq!(value(datetime("%Y-%j %H:%M"), local, &long(60_000)), "\"1970-001 00:01\"");
}
