//! Rejects that are mended, sent back, and given up over HTTP.

use serde_json::{Value, json};

use super::{
    asked::Answer,
    place::Kind,
    served::{Served, on_every_database},
};

const PACKAGE: &str = "resources:\n  - name: people\n    path: people.csv\n    schema:\n      primaryKey: id\n      missingValues: [\"\", \"-\"]\n\
    \x20     fields: [{name: id, type: integer}, {name: name, type: string, constraints: {required: true}}, {name: born, type: date}]\n";

impl Served {
    fn patch(&self, id: &Value, body: &str) -> Answer {
        let path = format!("/v1/rejects/{id}");
        self.send("PATCH", &path, &[("Content-Type", "application/json")], body.as_bytes())
    }

    fn rejects(&self, query: &str) -> Vec<Value> {
        self.get(&format!("/v1/rejects?table=people&{query}")).of(200)["rejects"].as_array().unwrap().clone()
    }
}

fn a_reject_is_mended_by_its_fields(kind: Kind) {
    let served = Served::package(kind, PACKAGE, "");
    let csv = "id,name,born\n1,,2001-02-03\n2,b,tomorrow\n3,c,2003-03-03,more\n";
    served.send("POST", "/v1/tables/people/rows", &[("Content-Type", "text/csv")], csv.as_bytes()).of(422);
    served.post("/v1/tables/people/rows", r#"[{"id":"x","name":"d"},{"id":9007199254740993,"name":5}]"#).of(422);
    let rejects = served.rejects("");
    assert_eq!(rejects.len(), 5);
    let id = |at: usize| &rejects[at]["reject_id"];
    // A value that is no better: the reject stays, with its reasons of now.
    let still = served.patch(id(0), r#"{"name":"a","born":"2001-02-30"}"#).of(422);
    assert_eq!(still["reject"]["errors"][0]["field"], "born", "{still}");
    let mended = served.patch(id(0), r#"{"name":"a, and \"more\""}"#).of(200);
    assert_eq!(
        (mended["reject"]["state"].as_str(), mended["loads"][0]["inserted"].as_u64()),
        (Some("released"), Some(1))
    );
    assert_eq!(served.patch(id(0), r#"{"name":"a"}"#).problem(), "conflict");
    served.patch(id(1), r#"{"born":null}"#).of(200);
    // A record without its cells is only mended as a whole.
    assert_eq!(served.patch(id(2), r#"{"born":"2003-03-03"}"#).problem(), "wrong-shape");
    served.patch(id(2), r#"{"id":3,"name":"c","born":"2003-03-03"}"#).of(200);
    // Rows of JSON too, and numbers keep their digits.
    served.patch(id(3), r#"{"id":4}"#).of(200);
    served.patch(id(4), r#"{"name":"e","id":9007199254740995}"#).of(200);
    let rows = served.get("/v1/tables/people/rows").text();
    for row in [
        r#"{"id":1,"name":"a, and \"more\"","born":"2001-02-03"}"#,
        r#"{"id":2,"name":"b","born":null}"#,
        r#"{"id":3,"name":"c","born":"2003-03-03"}"#,
        r#"{"id":4,"name":"d","born":null}"#,
        r#"{"id":9007199254740995,"name":"e","born":null}"#,
    ] {
        assert!(rows.contains(row), "{row} in {rows}");
    }
    for (body, problem) in [("{", "not-json"), ("[]", "wrong-shape"), ("{}", "wrong-shape")] {
        assert_eq!(served.patch(id(0), body).problem(), problem, "{body}");
    }
    assert_eq!(served.patch(&json!(99), r#"{"id":1}"#).status, 404);
    served.verifies();
}

fn rejects_are_given_up_with_a_reason(kind: Kind) {
    let served = Served::package(kind, PACKAGE, "");
    served.post("/v1/tables/people/rows", r#"[{"id":1},{"id":2},{"id":"x","name":"a"}]"#).of(422);
    let rejects = served.rejects("");
    let path = format!("/v1/rejects/{}/discard", rejects[0]["reject_id"]);
    for body in ["{}", r#"{"reason":" "}"#, r#"{"reason":5}"#, r#"{"reason":"r","more":1}"#] {
        assert_eq!(served.post(&path, body).problem(), "wrong-shape", "{body}");
    }
    assert_eq!(served.post(&path, r#"{"reason":"a test of the sender"}"#).of(200)["discarded"], 1);
    assert_eq!(served.post(&path, r#"{"reason":"again"}"#).problem(), "conflict");
    let reject = served.get(&format!("/v1/rejects/{}", rejects[0]["reject_id"])).of(200);
    assert_eq!(
        (reject["state"].as_str(), reject["events"][0]["reason"].as_str()),
        (Some("discarded"), Some("a test of the sender"))
    );
    served.post("/v1/tables/people/rejects/retry", "").of(200);
    assert_eq!((served.rejects("").len(), served.rejects("state=discarded").len()), (2, 1));
    let all = served.post("/v1/tables/people/rejects/discard?code=constraint-error", r#"{"reason":"old"}"#).of(200);
    assert_eq!(all["discarded"], 1);
    let run = served.run(&["rejects", "discard", "--table", "people", "--reason", "by hand"]);
    assert_eq!((run.code, run.stderr.contains("1 reject was discarded")), (0, true), "{}", run.stderr);
    assert_eq!(served.rejects("state=discarded").len(), 3);
    served.verifies();
}

fn rejects_of_rows_and_of_files_are_exported_together_and_sent_back(kind: Kind) {
    let served = Served::package(kind, PACKAGE, "");
    let csv = "id,name,born\n1,,2001-02-03\n";
    served.send("POST", "/v1/tables/people/rows", &[("Content-Type", "text/csv")], csv.as_bytes()).of(422);
    served.post("/v1/tables/people/rows", r#"[{"name":"b","born":"x"},{"id":3,"name":null}]"#).of(422);
    let path = "/v1/tables/people/rejects.csv";
    let exported = served.get(path).text();
    assert!(exported.starts_with("id,name,born,landfall_reject,"), "{exported}");
    let mended = exported.replace("\n1,,", "\n1,a,").replace("\n,b,x", "\n2,b,-");
    let sent = served.send("POST", path, &[("Content-Type", "text/csv")], mended.as_bytes()).of(200);
    assert_eq!(
        (sent["loads"][0]["inserted"].as_u64(), sent["loads"][0]["rejected"].as_u64()),
        (Some(2), Some(1)),
        "{sent}"
    );
    assert_eq!(served.count("people"), 2);
    for wrong in ["", "{}", "id,name\n1,2\n", &exported.replace("landfall_line", "line")] {
        assert_eq!(
            served.send("POST", path, &[("Content-Type", "text/csv")], wrong.as_bytes()).problem(),
            "wrong-shape"
        );
    }
    served.verifies();
}

/// The file for people guards formulas, and is not taken back; the one for mending gives the bytes back.
fn rejects_for_people_guard_formulas_and_those_for_mending_do_not(kind: Kind) {
    let served = Served::package(kind, PACKAGE, "");
    let names = ["=1+1", "+1", "-1", "@x", "\t=1", "\n=1", "\r=1", " =1", "＝1", "＋1", "－1", "＠1", "plain"];
    for name in names {
        let row = json!([{"id": "x", "name": name}]).to_string();
        served.post("/v1/tables/people/rows", &row).of(422);
    }
    let path = "/v1/tables/people/rejects.csv";
    let cells = |csv: &[u8]| -> Vec<String> {
        let mut reader = csv::Reader::from_reader(csv);
        reader.records().map(|record| record.unwrap()[1].to_owned()).collect()
    };
    let guarded = served.get(&format!("{path}?guard_formulas=true"));
    for (cell, name) in cells(&guarded.body).iter().zip(names) {
        let expected = if name == "plain" { name.to_owned() } else { format!("'{name}") };
        assert_eq!(*cell, expected);
    }
    let headers = [("Content-Type", "text/csv")];
    let refused = served.send("POST", path, &headers, &guarded.body);
    assert_eq!(refused.problem(), "wrong-shape");
    assert!(refused.text().contains("guard_formulas"), "{}", refused.text());
    let run = served.run(&["rejects", "export", "--table", "people", "--guard-formulas"]).exits(0);
    assert_eq!(run.stdout, guarded.text());
    // Mended in the other cells alone, the names come in as they were.
    let exported = served.get(path);
    assert_eq!(cells(&exported.body), names);
    let text = exported.text();
    let mut mended = csv::WriterBuilder::new().from_writer(Vec::new());
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    mended.write_record(reader.headers().unwrap()).unwrap();
    for (at, record) in reader.records().enumerate() {
        let record = record.unwrap();
        let id = at.to_string();
        mended
            .write_record(record.iter().enumerate().map(|(place, cell)| if place == 0 { &id } else { cell }))
            .unwrap();
    }
    served.send("POST", path, &headers, &mended.into_inner().unwrap()).of(200);
    let rows = served.get("/v1/tables/people/rows").of(200);
    let stored: Vec<&str> = rows["rows"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(stored, names);
    served.verifies();
}

on_every_database!(
    rejects_for_people_guard_formulas_and_those_for_mending_do_not,
    a_reject_is_mended_by_its_fields,
    rejects_are_given_up_with_a_reason,
    rejects_of_rows_and_of_files_are_exported_together_and_sent_back,
);
