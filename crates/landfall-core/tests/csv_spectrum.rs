//! The records of the csv-spectrum collection come out as its JSON says.
//!
//! The collection is not kept here: `LANDFALL_CONFORMANCE` names the folder that holds `conformance/csv-spectrum`.

#![expect(clippy::unwrap_used, reason = "a test may")]
#![expect(clippy::print_stdout, reason = "a skipped test says so")]

use std::{env, fs, path::Path};

use landfall_core::{
    decode::{CutterLimits, DecodedSource, decode_all},
    schema::{Dialect, Encoding},
};
use serde_json::{Map, Value};

#[test]
fn records_come_out_as_the_json_says() {
    let Some(folder) = env::var_os("LANDFALL_CONFORMANCE") else {
        println!("SKIPPED: set LANDFALL_CONFORMANCE to the folder that holds conformance/csv-spectrum");
        return;
    };
    let folder = Path::new(&folder).join("conformance/csv-spectrum");
    let mut files = 0;
    for entry in fs::read_dir(folder.join("csvs")).unwrap() {
        let path = entry.unwrap().path();
        let source = fs::read(&path).unwrap();
        let json = folder.join("json").join(path.file_name().unwrap()).with_extension("json");
        let expected = expected(&fs::read_to_string(json).unwrap(), &source);
        for block_bytes in [1, 16, 1 << 20] {
            let limits = CutterLimits { block_bytes, ..CutterLimits::default() };
            let decoded = decode_all(&Dialect::default(), Encoding::Utf8, limits, &source);
            assert_eq!(objects(&decoded), expected, "{}", path.display());
        }
        files += 1;
    }
    assert!(files > 0, "no files in {}", folder.display());
}

/// The JSON, with the collection's own slips mended: one file is an object where the others are arrays, and has another
/// phone number than its CSV; and copies whose line ends were made LF have lost those within cells too.
fn expected(json: &str, source: &[u8]) -> Value {
    let json = json.replace("1234567890", "2095257564");
    let json = if source.contains(&b'\r') { json } else { json.replace("\\r\\n", "\\n") };
    match serde_json::from_str(&json).unwrap() {
        Value::Array(objects) => Value::Array(objects),
        object => Value::Array(vec![object]),
    }
}

fn objects(decoded: &DecodedSource) -> Value {
    let labels = decoded.header.as_ref().unwrap();
    let mut objects = Vec::new();
    for part in &decoded.parts {
        let records = part.records.as_ref().unwrap();
        assert!(records.record_faults().is_empty());
        objects.extend((0..records.len()).map(|record| {
            let cells = labels.iter().enumerate();
            let cells = cells.map(|(column, label)| (label.clone(), records.cell_text(record, column).into()));
            Value::Object(cells.collect::<Map<String, Value>>())
        }));
    }
    Value::Array(objects)
}
