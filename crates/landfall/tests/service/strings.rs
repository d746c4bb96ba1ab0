//! Strings that have broken programs: kept as values, refused as names.

use serde_json::{Value, json};

use super::{
    asked::encoded,
    place::Kind,
    served::{Served, on_every_database},
    support::conformance_folder,
};

/// Texts are kept as they are: none stands for a missing value.
const PACKAGE: &str = "resources: [{name: texts, path: t.csv, schema: {missingValues: [], \
                       fields: [{name: id, type: integer}, {name: text, type: string}], primaryKey: id}}]";
const REPORT: &str = "reports: {texts: {sql: texts.sql}}\n";

#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn they_come_out_as_they_went_in(kind: Kind) {
    let Some(folder) = conformance_folder() else {
        println!("SKIPPED: set LANDFALL_CONFORMANCE to the folder that holds conformance/strings");
        return;
    };
    let strings = std::fs::read(folder.join("conformance/strings/blns.json")).unwrap();
    let strings: Vec<String> = serde_json::from_slice(&strings).unwrap();
    assert!(strings.len() > 500);
    let mut served = Served::package(kind, PACKAGE, REPORT);
    served.project.write("texts.sql", "SELECT id, text FROM texts ORDER BY id");
    served.kill();
    served.start();
    let rows: Vec<Value> = strings.iter().enumerate().map(|(id, text)| json!({"id": id, "text": text})).collect();
    served.post("/v1/tables/texts/rows", &Value::from(rows.clone()).to_string()).of(201);
    let page = served.get("/v1/tables/texts/rows?limit=1000").of(200);
    assert_eq!(page["rows"], Value::from(rows.clone()));
    assert_eq!(served.get("/v1/reports/texts").of(200), Value::from(rows));
    let csv = served.get("/v1/reports/texts?format=csv");
    let mut reader = csv::ReaderBuilder::new().from_reader(&csv.body[..]);
    let read: Vec<String> = reader.records().map(|record| record.unwrap()[1].to_owned()).collect();
    assert_eq!(read, strings);
    served.verifies();
}

on_every_database! { they_come_out_as_they_went_in }

#[test]
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn as_names_they_are_refused() {
    let Some(folder) = conformance_folder() else {
        println!("SKIPPED: set LANDFALL_CONFORMANCE to the folder that holds conformance/strings");
        return;
    };
    let strings = std::fs::read(folder.join("conformance/strings/blns.json")).unwrap();
    let strings: Vec<String> = serde_json::from_slice(&strings).unwrap();
    let served = Served::package(Kind::Sqlite, PACKAGE, "");
    for text in strings.iter().filter(|text| !text.is_empty()) {
        let name = encoded(text);
        for path in [
            format!("/v1/tables/{name}/rows"),
            format!("/v1/tables/{name}"),
            format!("/v1/reports/{name}"),
            format!("/v1/tables/texts/rows?fields={name}"),
            format!("/v1/tables/texts/rows?{name}=1"),
            format!("/v1/loads?{name}=1"),
            format!("/v1/rejects?table={name}"),
        ] {
            let answer = served.get(&path);
            assert!(matches!(answer.status, 400 | 404), "{path}: {} {}", answer.status, answer.text());
        }
        let row = json!([{"id": 1, text: "x"}]).to_string();
        assert_eq!(served.post("/v1/tables/texts/rows", &row).of(422)["errors"][0]["code"], "extra-cell", "{text}");
        assert_eq!(served.post("/v1/rows", &json!({text: [{"id": 1}]}).to_string()).problem(), "wrong-shape");
    }
    assert_eq!(served.count("texts"), 0);
}
