//! Landfall's own properties of a dialect at each door of the service: files with parameters, bodies of CSV, and pushes.

use serde_json::{Value, json};

use super::{place::Kind, served::Served};

const TABLES: &str = "resources:\n\
    - {name: plain, path: p.csv, schema: {fields: [{name: id, type: integer}, {name: name, type: string}]}}\n\
    - name: odd\n  path: o.csv\n  dialect: {delimiter: '||', ragged: pad, quotedMissing: false, trim: true, headerMatch: position}\n  \
      schema: {fields: [{name: id, type: integer}, {name: name, type: string}]}\n";

fn rows(served: &Served, table: &str) -> Value {
    served.get(&format!("/v1/tables/{table}/rows")).of(200)["rows"].clone()
}

#[test]
fn a_file_over_http_may_have_each_property_of_a_dialect() {
    let served = Served::package(Kind::Sqlite, TABLES, "");
    let send = |query: &str, body: &[u8]| {
        served
            .send("POST", &format!("/v1/tables/plain/files?wait=60&mode=replace&allow_empty=true&{query}"), &[], body)
            .of(200)
    };
    for (query, body, row) in [
        ("delimiter=%3A%3A", &b"id::name\n1::a:b\n"[..], json!({"id": 1, "name": "a:b"})),
        ("ragged=pad", b"id,name\n2\n", json!({"id": 2, "name": null})),
        ("ragged=truncate-empty", b"id,name\n3,a,,\n", json!({"id": 3, "name": "a"})),
        ("trim=true", b"id,name\n 4 , a \n", json!({"id": 4, "name": "a"})),
        ("quotedMissing=false", b"id,name\n5,\"\"\n", json!({"id": 5, "name": ""})),
        ("headerMatch=position", b",\n6,a\n", json!({"id": 6, "name": "a"})),
        ("encoding=shift_jis", b"id,name\n7,\x95\x5C\n", json!({"id": 7, "name": "表"})),
        ("encoding=cp437", b"id,name\n8,\x81\n", json!({"id": 8, "name": "ü"})),
    ] {
        let task = send(query, body);
        assert_eq!(task["inserted"], 1, "{query}: {task}");
        assert_eq!(rows(&served, "plain"), json!([row]), "{query}");
    }
    let kept = send("", b"id,name\n9,6\" nail\n");
    assert_eq!((&kept["inserted"], &kept["stray_quotes"]), (&json!(1), &json!(1)), "{kept}");
    let refused = send("strayQuotes=reject&max_rejects=100%25", b"id,name\n10,7\" nail\n11,x\n12,y\n");
    assert_eq!((&refused["inserted"], &refused["rejected"]), (&json!(2), &json!(1)), "{refused}");
    let wrong = served.send("POST", "/v1/tables/plain/files?encoding=iso-2022-jp", &[], b"id,name\n");
    assert!(wrong.text().contains("iconv -f iso-2022-jp"), "{}", wrong.text());
    served.verifies();
}

#[test]
fn bodies_and_pushes_are_read_in_the_dialect_of_the_table() {
    let served = Served::package(Kind::Sqlite, TABLES, "");
    let body = b",\n1 || \"\"\n2\n3 ||\nx || a|b\n";
    let answer = served.send("POST", "/v1/tables/odd/rows", &[("Content-Type", "text/csv")], body).json();
    assert_eq!((&answer["inserted"], &answer["rejected"]), (&json!(3), &json!(1)), "{answer}");
    let expected = json!([{"id": 1, "name": ""}, {"id": 2, "name": null}, {"id": 3, "name": null}]);
    assert_eq!(rows(&served, "odd"), expected);
    served.project.write("more.csv", ",,\n4 || b\n5\n6 || c\n");
    served.run(&["push", "more.csv", "--to", &served.url(), "--table", "odd", "--batch", "2", "-q"]).exits(0);
    assert_eq!(rows(&served, "odd").as_array().map(Vec::len), Some(6));
    // The rejected record is mended in the form of exports.
    let exported = served.get("/v1/tables/odd/rejects.csv").text();
    served.project.write("mended.csv", exported.replace("\nx,", "\n7,"));
    served.run(&["rejects", "retry", "-q", "--from", "mended.csv"]).exits(0);
    assert_eq!(rows(&served, "odd")[6], json!({"id": 7, "name": "a|b"}));
    served.verifies();
}
