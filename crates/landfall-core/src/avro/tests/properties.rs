//! Any value of any type is read as what was encoded, however much of it is there at a time.

use proptest::prelude::*;

use super::{encode::Datum, *};

/// A type as JSON, and a value of it.
fn typed() -> impl Strategy<Value = (String, Datum)> {
    let simple = |name: &str| format!("\"{name}\"");
    let leaf = prop_oneof![
        Just((simple("null"), Datum::Null)),
        any::<bool>().prop_map(move |value| (simple("boolean"), Datum::Boolean(value))),
        any::<i32>().prop_map(move |value| (simple("int"), Datum::Long(value.into()))),
        (any::<i64>(), 0u32..64).prop_map(move |(value, shift)| (simple("long"), Datum::Long(value >> shift))),
        prop::num::f32::NORMAL.prop_map(move |value| (simple("float"), Datum::Float(value))),
        prop::num::f64::NORMAL.prop_map(move |value| (simple("double"), Datum::Double(value))),
        any::<String>().prop_map(move |text| (simple("string"), Datum::Text(text))),
        any::<String>().prop_map(move |text| (simple("bytes"), Datum::Bytes(text.into_bytes()))),
        "[a-z]{0,5}".prop_map(|text| {
            let kind = format!("{{\"type\":\"fixed\",\"name\":\"F#\",\"size\":{}}}", text.len());
            (kind, Datum::Fixed(text.into_bytes()))
        }),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let blocks = (0usize..4, any::<bool>());
        prop_oneof![
            (inner.clone(), 0usize..4, blocks.clone()).prop_map(|((kind, datum), count, (size, told))| {
                let items = vec![datum; count];
                (format!("{{\"type\":\"array\",\"items\":{kind}}}"), Datum::Array(items, size, told))
            }),
            (inner.clone(), 0usize..4, blocks).prop_map(|((kind, datum), count, (size, told))| {
                let items = (0..count).map(|at| (format!("k{at}"), datum.clone())).collect();
                (format!("{{\"type\":\"map\",\"values\":{kind}}}"), Datum::Map(items, size, told))
            }),
            prop::collection::vec(inner.clone(), 0..4).prop_map(|parts| {
                let named = |at: usize| format!("f{at}");
                let fields: Vec<String> = parts
                    .iter()
                    .enumerate()
                    .map(|(at, (kind, _))| format!("{{\"name\":\"{}\",\"type\":{kind}}}", named(at)))
                    .collect();
                let data = parts.into_iter().enumerate().map(|(at, (_, datum))| (named(at), datum)).collect();
                let kind = format!("{{\"type\":\"record\",\"name\":\"R#\",\"fields\":[{}]}}", fields.join(","));
                (kind, Datum::Record(data))
            }),
            inner.prop_map(|(kind, datum)| {
                if kind.starts_with('[') {
                    (kind, datum)
                } else {
                    (format!("[\"boolean\",{kind}]"), Datum::Branch(1, Box::new(datum)))
                }
            }),
        ]
    })
}

/// The schema with a name of its own for each type that has one.
fn with_names(kind: &str) -> String {
    let mut parts = kind.split('#');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.enumerate().fold(first, |text, (at, part)| format!("{text}{at}{part}"))
}

proptest! {
    #[test]
    fn values_come_out_as_they_went_in((kind, datum) in typed(), before: i64, after: String) {
        let kind = with_names(&kind);
        let schema = record(&[("a", "[\"null\",\"long\"]"), ("v", &kind), ("z", "\"string\"")]);
        let fields = vec![field("a", INTEGER), field("v", FieldType::Any), field("z", STRING)];
        let reading = resolve_fields(&schema, &table(fields), &FieldMapping::default()).unwrap();
        let bytes = [
            Datum::Branch(1, Datum::Long(before).into()).bytes(),
            datum.bytes(),
            Datum::text(&after).bytes(),
        ]
        .concat();
        let found = line(&reading, &bytes).unwrap().unwrap();
        prop_assert_eq!(found.matches('\n').count(), 1);
        let found: serde_json::Value = serde_json::from_str(&found).unwrap();
        let expected = serde_json::json!({"a": before, "v": datum.json(), "z": after});
        prop_assert_eq!(found, expected);
        for end in 0..bytes.len() {
            prop_assert_eq!(line(&reading, &bytes[..end]).unwrap(), None);
        }
        // What is left out takes the same bytes.
        let skipping = resolve_fields(
            &schema,
            &table(vec![field("z", STRING)]),
            &FieldMapping { ignore_extra: true, ..FieldMapping::default() },
        );
        let found: serde_json::Value = serde_json::from_str(&line(&skipping.unwrap(), &bytes).unwrap().unwrap()).unwrap();
        prop_assert_eq!(found, serde_json::json!({"z": after}));
    }

    #[test]
    fn floats_read_back_as_the_same(double: f64, float: f32) {
        let text = value(FieldType::Any, "\"double\"", &double.to_le_bytes());
        if double.is_finite() {
            prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), double.to_bits());
        }
        let text = value(FieldType::Any, "\"float\"", &float.to_le_bytes());
        if float.is_finite() {
            prop_assert_eq!(text.parse::<f32>().unwrap().to_bits(), float.to_bits());
        }
    }

    /// The digits of a number of any size, by another way: its bytes one after the other.
    #[test]
    fn decimals_of_any_size(bytes in prop::collection::vec(any::<u8>(), 1..60), scale in 0usize..20) {
        let negative = bytes[0] >= 0x80;
        let mut digits = vec![0u8];
        let magnitude: Vec<u8> = if negative {
            let mut flipped: Vec<u8> = bytes.iter().map(|byte| !byte).collect();
            let mut at = flipped.len();
            loop {
                if at == 0 { flipped.insert(0, 1); break; }
                at -= 1;
                if flipped[at] == 255 { flipped[at] = 0; } else { flipped[at] += 1; break; }
            }
            flipped
        } else { bytes.clone() };
        for byte in magnitude {
            let mut carry = u32::from(byte);
            for digit in digits.iter_mut().rev() {
                let sum = u32::from(*digit) * 256 + carry;
                *digit = (sum % 10) as u8;
                carry = sum / 10;
            }
            while carry > 0 {
                digits.insert(0, (carry % 10) as u8);
                carry /= 10;
            }
        }
        while digits.len() <= scale { digits.insert(0, 0); }
        let mut expected: String = digits.iter().map(|digit| char::from(b'0' + digit)).collect();
        if scale > 0 { expected.insert(expected.len() - scale, '.'); }
        if negative { expected.insert(0, '-'); }
        let avro = format!("{{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":200,\"scale\":{scale}}}");
        prop_assert_eq!(value(number(), &avro, &super::encode::sized(&bytes)), expected);
    }
}
