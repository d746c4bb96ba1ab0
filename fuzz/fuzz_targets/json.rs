//! Texts of any kind as JSON rows: what is sound JSON to another parser is sound here, each row is read again from its own bytes, and
//! the validator accounts for every one.

#![no_main]

use std::sync::Arc;

use landfall_core::{
    decode::json::{JsonDecoder, JsonErrorKind, split_tables},
    schema::Package,
    validate::{ColumnMap, Validator},
};
use libfuzzer_sys::fuzz_target;

const PACKAGE: &str = "resources: [{name: t, path: t.csv, schema: {fields: [{name: i, type: integer}, {name: n, type: number}, \
    {name: s, type: string, constraints: {required: true}}, {name: b, type: boolean}, {name: d, type: datetime}, \
    {name: o, type: object}, {name: a, type: array}, {name: l, type: list}, {name: g, type: geopoint}, {name: y, type: any}]}}]";

fuzz_target!(|text: &str| {
    let package = Package::from_yaml(PACKAGE, "fuzz").expect("a sound package");
    let schema = Arc::new(package.resources[0].schema.clone());
    let decoder = JsonDecoder::new(&schema);
    let _ = split_tables(text);
    let array = decoder.decode_array(text.to_owned(), 1000);
    let is_json = !matches!(&array, Err(error) if error.kind == JsonErrorKind::Syntax);
    let is_deep = matches!(&array, Err(error) if error.kind == JsonErrorKind::TooDeep);
    let other = serde_json::from_str::<serde::de::IgnoredAny>(text);
    assert!(is_deep || is_json == other.is_ok(), "{array:?} {other:?}");
    let validator = Validator::new(schema.clone(), ColumnMap::identity(schema.fields.len())).expect("sound rules");
    let lines = decoder.decode_lines(text.to_owned(), 1000);
    for records in [array.ok(), lines.ok()].into_iter().flatten() {
        let validated = validator.validate_records(&records);
        assert_eq!(validated.rows.num_rows() + validated.rejects.len(), records.len());
        for record in 0..records.len() {
            let again = decoder.decode_row(records.raw_bytes(record));
            assert_eq!(again.len(), 1);
            assert_eq!(again.cell_count(0), records.cell_count(record));
            for column in 0..again.cell_count(0) {
                assert_eq!(again.cell_text(0, column), records.cell_text(record, column));
                assert_eq!(again.json_kind(0, column), records.json_kind(record, column));
            }
        }
    }
});
