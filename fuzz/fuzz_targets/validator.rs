//! Records of any kind, for tables of every type: each is a row or a reject, never both, and a reject has its reasons.

#![no_main]

use std::sync::{Arc, LazyLock};

use landfall_core::{
    decode::{Cutter, CutterLimits, Decoder, Piece},
    schema::{Dialect, Encoding, HeaderRows, Package},
    validate::{ColumnMap, Validator},
};
use libfuzzer_sys::fuzz_target;

static VALIDATORS: LazyLock<Vec<Validator>> = LazyLock::new(|| {
    let package = Package::from_yaml(include_str!("../src/tables.yaml"), "tables.yaml").expect("the tables are sound");
    package.resources.into_iter().map(|table| validator(Arc::new(table.schema))).collect()
});

fn validator(schema: Arc<landfall_core::schema::TableSchema>) -> Validator {
    let map = ColumnMap::identity(schema.fields.len());
    Validator::new(schema, map).expect("the constraints are sound")
}

fuzz_target!(|data: &[u8]| {
    let Some((digit, source)) = data.split_first() else { return };
    let validator = &VALIDATORS[usize::from(digit.wrapping_sub(b'0')) % VALIDATORS.len()];
    let dialect = Dialect { header: HeaderRows::None, ..Dialect::default() };
    let mut cutter = Cutter::new(&dialect, Encoding::Utf8, CutterLimits::default());
    let fed = cutter.feed_bytes(source);
    cutter.finish_input();
    let decoder = Decoder::new(&dialect, Encoding::Utf8);
    while let (true, Some(piece)) = (fed == source.len(), cutter.next_piece()) {
        let Piece::Block(block) = piece else { continue };
        let records = decoder.decode_block(block);
        let outcome = validator.validate_records(&records);
        assert_eq!(outcome.rows.num_rows() + outcome.rejects.len(), records.len(), "a record is lost or doubled");
        assert_eq!(outcome.rejected_rows.num_rows(), outcome.rejects.len());
        assert!(outcome.rejects.iter().all(|reject| !reject.errors.is_empty()), "refused without a reason");
    }
});
