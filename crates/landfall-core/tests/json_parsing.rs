//! JSON texts against a suite of tests for JSON parsers (its README in the conformance folder names the source).
//!
//! The suite is read in place from `$LANDFALL_CONFORMANCE/conformance/json-parsing`: files `y_…` are JSON, files `n_…` are not, and
//! of files `i_…` a parser may say either.

#![expect(clippy::print_stdout, reason = "a skipped test says so")]

use std::{fs, path::Path};

use landfall_core::{
    decode::json::{JsonDecoder, JsonErrorKind},
    schema::TableSchema,
};

#[test]
fn the_suite_is_judged_as_it_says() {
    let Some(folder) = std::env::var_os("LANDFALL_CONFORMANCE") else {
        println!("SKIPPED: set LANDFALL_CONFORMANCE to the folder that holds conformance/json-parsing");
        return;
    };
    let folder = Path::new(&folder).join("conformance/json-parsing");
    let mut counts = [0; 3];
    for entry in fs::read_dir(&folder).expect("the suite") {
        let path = entry.expect("a file").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let text = String::from_utf8(fs::read(&path).expect("a file"));
        let decoder = JsonDecoder::new(&TableSchema::default());
        let judged = text.map(|text| decoder.decode_array(text, 1000).map(drop).map_err(|error| error.kind));
        let is_json = matches!(judged, Ok(Ok(()) | Err(JsonErrorKind::Shape)));
        match name.as_bytes()[0] {
            b'y' => assert!(is_json, "{name}: {judged:?}"),
            b'n' => assert!(!is_json, "{name}: {judged:?}"),
            _ => {}
        }
        counts[match name.as_bytes()[0] {
            b'y' => 0,
            b'n' => 1,
            _ => 2,
        }] += 1;
    }
    assert!(counts.iter().all(|count| *count > 30), "{counts:?}");
}
