//! Whatever stands in the cells: no panic, and each record is a row or a reject.

use proptest::prelude::*;

use super::*;
use crate::schema::{BooleanWords, GeoFormat, GeopointFormat};

/// One field of every type and format.
fn every_type() -> Vec<Field> {
    let temporal = || [TemporalFormat::Default, TemporalFormat::Any];
    let mut kinds = vec![
        FieldType::Integer { bare_number: false, group_char: Some(",".into()), zero_decimals: false },
        integer(),
        FieldType::Number(NumberFormat::default()),
        FieldType::Number(NumberFormat { decimal_char: ",".into(), group_char: Some(".".into()), bare_number: false }),
        FieldType::Boolean(BooleanWords::default()),
        FieldType::Year,
        FieldType::YearMonth,
        FieldType::Duration,
        FieldType::Object,
        FieldType::Array,
        FieldType::Any,
        FieldType::Geojson(GeoFormat::Default),
        FieldType::Geojson(GeoFormat::Topojson),
        FieldType::Date(TemporalFormat::Pattern("%d %b %y %a %j".into())),
        FieldType::Time(TemporalFormat::Pattern("%I%M%S%f%p".into())),
        FieldType::Datetime {
            format: TemporalFormat::Pattern("%m%Y%d%H %z".into()),
            timezone: Some("America/New_York".into()),
            ambiguous: Default::default(),
        },
    ];
    kinds.extend(temporal().map(FieldType::Date));
    kinds.extend(temporal().map(FieldType::Time));
    kinds.extend(temporal().map(|format| FieldType::Datetime {
        format,
        timezone: Some("Europe/Berlin".into()),
        ambiguous: Default::default(),
    }));
    kinds.extend(
        [StringFormat::Default, StringFormat::Email, StringFormat::Uri, StringFormat::Binary, StringFormat::Uuid]
            .map(FieldType::String),
    );
    kinds.extend([GeopointFormat::Default, GeopointFormat::Array, GeopointFormat::Object].map(FieldType::Geopoint));
    let items = [
        ListItem::String,
        ListItem::Integer,
        ListItem::Number,
        ListItem::Boolean,
        ListItem::Datetime,
        ListItem::Date,
        ListItem::Time,
    ];
    kinds.extend(items.map(|item| FieldType::List { delimiter: ";".into(), item }));
    kinds.into_iter().enumerate().map(|(at, kind)| field(&format!("f{at}"), kind, Constraints::default())).collect()
}

proptest! {
    /// Whatever the text: no panic, each record is a row or a reject, in order.
    #[test]
    fn records_are_conserved(rows in prop::collection::vec(prop::collection::vec(cell(), 0..5), 0..8)) {
        let validated = validator(three()).validate_records(&Records::from_cells(&rows));
        let passed: Vec<u32> = match &validated.row_records {
            RecordPositions::All => (0..u32::try_from(rows.len()).expect("few")).collect(),
            RecordPositions::Some(records) => records.clone(),
        };
        prop_assert_eq!(passed.len(), validated.rows.num_rows());
        prop_assert_eq!(validated.rejects.len(), validated.rejected_rows.num_rows());
        let mut all: Vec<u32> = passed.into_iter().chain(validated.rejects.iter().map(|reject| reject.record)).collect();
        all.sort_unstable();
        prop_assert_eq!(all, (0..u32::try_from(rows.len()).expect("few")).collect::<Vec<_>>());
        prop_assert!(validated.rejects.iter().all(|reject| !reject.errors.is_empty()));
        let controls = validated.rejects.iter().flat_map(|reject| &reject.errors).any(|error| error.message.contains(char::is_control));
        prop_assert!(!controls);
    }

    #[test]
    fn no_text_makes_a_reader_panic(texts in prop::collection::vec(cell(), 1..4)) {
        let fields = every_type();
        let rows: Vec<Vec<String>> = texts.iter().map(|text| vec![text.clone(); fields.len()]).collect();
        let validated = validator(fields).validate_records(&Records::from_cells(&rows));
        prop_assert_eq!(validated.rows.num_rows() + validated.rejects.len(), rows.len());
    }

    /// The same cells in a block of their own give the same answer.
    #[test]
    fn blocks_do_not_matter(rows in prop::collection::vec(prop::collection::vec(cell(), 0..5), 1..8)) {
        let validator = validator(three());
        let whole: Vec<_> = validator.validate_records(&Records::from_cells(&rows)).rejects.into_iter().map(|reject| reject.errors).collect();
        let apart: Vec<_> = rows.iter().flat_map(|row| validator.validate_records(&Records::from_cells(&[row])).rejects).map(|reject| reject.errors).collect();
        prop_assert_eq!(whole, apart);
    }
}

/// Texts near the forms that are read, and any text at all.
fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[-+0-9.,eE:TZPW ]{0,24}",
        "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,8})?(Z|[+-][0-9]{2}:[0-9]{2})?",
        "-?P([0-9]{1,15}[YMWD]){0,3}(T([0-9]{1,15}[.,]?[0-9]{0,20}[HMS]){0,3})?",
        "[\\[\\]{}\",:0-9a-z\\\\]{0,20}",
        any::<String>(),
    ]
}
