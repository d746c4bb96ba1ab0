//! Bytes of any kind are cut into the same records whatever the size of the parts in which they arrive and of the blocks,
//! and every record's raw bytes are those of the source.

#![no_main]

use landfall_core::decode::CutterLimits;
use landfall_fuzz::{Case, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some(case) = Case::new(data) else { return };
    let records = read(&case, usize::MAX);
    for record in &records {
        let start = record.offset as usize;
        assert_eq!(record.raw, case.source[start..start + record.raw.len()], "not the source's bytes");
    }
    let small = CutterLimits { block_bytes: 1, ..case.limits };
    assert_eq!(records, read(&Case { limits: small, ..case }, 3), "the cut depends on the size of parts and blocks");
});
