//! Rows: what is answered, and what is there afterwards.

use serde_json::{Value, json};

use super::{
    place::Kind,
    served::{Served, on_every_database},
};

const DEPARTMENTS: &str = "/v1/tables/departments/rows";

fn counts(answer: &Value) -> [u64; 5] {
    let counts = ["read", "inserted", "updated", "unchanged", "rejected"].map(|name| answer[name].as_u64().unwrap());
    assert_eq!(counts[0], counts[1..].iter().sum::<u64>(), "{answer}");
    counts
}

fn the_status_says_whether_all_some_or_no_rows_passed(kind: Kind) {
    let served = Served::example(kind);
    let all = served.post(DEPARTMENTS, r#"[{"id":1,"department":"Sales"},{"id":2,"department":"IT"}]"#).of(201);
    assert_eq!((counts(&all), &all["errors"]), ([2, 2, 0, 0, 0], &json!([])));
    let some =
        served.post(DEPARTMENTS, r#"[{"id":3,"department":" "},{"id":1,"department":"Sales"},{"id":"4"}]"#).of(200);
    assert_eq!(counts(&some), [3, 0, 0, 1, 2]);
    let told: Vec<_> = some["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (e["row"].as_u64().unwrap(), e["field"].as_str().unwrap(), e["code"].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [(0, "department", "constraint-error"), (2, "id", "type-error"), (2, "department", "constraint-error")]
    );
    let none = served.post(DEPARTMENTS, r#"[{"id":1,"department":"Other"}]"#).of(422);
    assert_eq!((counts(&none), none["errors"][0]["code"].as_str()), ([1, 0, 0, 0, 1], Some("primary-key")));
    assert_eq!(served.count("departments"), 2);
    let loads = served.get("/v1/loads").of(200);
    let numbers: Vec<_> = loads["loads"].as_array().unwrap().iter().map(|load| load["load_id"].clone()).collect();
    assert_eq!(numbers, [none["load_id"].clone(), some["load_id"].clone(), all["load_id"].clone()]);
    assert_eq!(served.get("/v1/rejects").of(200)["count"], 3);
    served.verifies();
}

fn all_or_nothing_and_trials_and_conflict_rules(kind: Kind) {
    let served = Served::example(kind);
    let rows = r#"[{"id":1,"department":"Sales"},{"id":2}]"#;
    let trial = served.post(&format!("{DEPARTMENTS}?dry_run=true"), rows).of(200);
    assert_eq!((counts(&trial), &trial["load_id"]), ([2, 1, 0, 0, 1], &Value::Null));
    // Nothing was created, although all would pass.
    let trial = served.post(&format!("{DEPARTMENTS}?dry_run=true"), r#"[{"id":1,"department":"Sales"}]"#).of(200);
    assert_eq!((counts(&trial), served.count("departments")), ([1, 1, 0, 0, 0], 0));
    served.post(&format!("{DEPARTMENTS}?dry_run=true"), r#"[{"id":2}]"#).of(422);
    let nothing = served.post(&format!("{DEPARTMENTS}?atomic=true"), rows).of(422);
    assert_eq!((counts(&nothing), nothing["errors"].as_array().unwrap().len()), ([2, 0, 0, 0, 2], 1));
    assert_eq!((served.count("departments"), &served.get("/v1/rejects").of(200)["count"]), (0, &json!(1)));
    served.post(DEPARTMENTS, r#"[{"id":1,"department":"Sales"}]"#).of(201);
    let other = r#"[{"id":1,"department":"Other"}]"#;
    assert_eq!(counts(&served.post(&format!("{DEPARTMENTS}?on_conflict=keep"), other).of(201)), [1, 0, 0, 1, 0]);
    assert_eq!(counts(&served.post(&format!("{DEPARTMENTS}?on_conflict=update"), other).of(201)), [1, 0, 1, 0, 0]);
    assert_eq!(served.get(DEPARTMENTS).of(200)["rows"], json!([{"id": 1, "department": "Other"}]));
    served.verifies();
}

fn several_tables_parents_first(kind: Kind) {
    let served = Served::example(kind);
    let body = r#"{"hired_employees":[{"id":1,"name":"Ann","datetime":"2021-11-07T02:48:42Z","department_id":5,"job_id":7},
                   {"id":2,"name":"Bob","datetime":"2021-11-07T02:48:42.5Z","department_id":6,"job_id":7}],
                   "jobs":[{"id":7,"job":"Clerk"}],"departments":[{"id":5,"department":"Sales"}]}"#;
    let answer = served.post("/v1/rows", body).of(200);
    assert_eq!(counts(&answer), [4, 3, 0, 0, 1]);
    assert_eq!((&answer["errors"][0]["table"], &answer["errors"][0]["row"]), (&json!("hired_employees"), &json!(1)));
    assert_eq!(counts(&answer["tables"]["hired_employees"]), [2, 1, 0, 0, 1]);
    // The reject waits for its parent, and comes in with it.
    served.post(DEPARTMENTS, r#"[{"id":6,"department":"IT"}]"#).of(201);
    let rows = served.get("/v1/tables/hired_employees/rows?fields=id,datetime&id[gt]=1").of(200);
    assert_eq!(rows["rows"], json!([{"id": 2, "datetime": "2021-11-07T02:48:42.500000Z"}]));
    assert_eq!(served.get("/v1/rejects").of(200)["count"], 0);
    served.verifies();
}

fn numbers_keep_their_digits(kind: Kind) {
    let package = "resources: [{name: sums, path: s.csv, schema: {fields: [{name: id, type: integer}, \
                   {name: sum, type: number}], primaryKey: id}}]";
    let served = Served::package(kind, package, "");
    let long = "12345678901234567890123456789.012345678901234567890123456789";
    let body = format!(r#"[{{"id":9007199254740993,"sum":{long}}},{{"id":9223372036854775807,"sum":0.1}}]"#);
    served.post("/v1/tables/sums/rows", &body).of(201);
    let text = served.get("/v1/tables/sums/rows").text();
    assert_eq!(
        text,
        format!(
            r#"{{"rows":[{{"id":9007199254740993,"sum":{long}}},{{"id":9223372036854775807,"sum":0.1}}],"next":null}}"#
        )
    );
}

on_every_database! {
    the_status_says_whether_all_some_or_no_rows_passed,
    all_or_nothing_and_trials_and_conflict_rules,
    several_tables_parents_first,
    numbers_keep_their_digits,
}

#[test]
fn too_few_and_too_many_rows_are_refused_with_the_limit() {
    let served = Served::example(Kind::Sqlite);
    let rows = |count: usize| {
        let rows: Vec<String> = (1..=count).map(|id| format!(r#"{{"id":{id},"department":"d"}}"#)).collect();
        format!("[{}]", rows.join(","))
    };
    for (body, problem) in [("[]".to_owned(), "no-rows"), (rows(1001), "too-many-rows")] {
        let answer = served.post(DEPARTMENTS, &body);
        assert_eq!(answer.problem(), problem);
        assert!(answer.text().contains("1000"), "{}", answer.text());
    }
    assert_eq!(served.post("/v1/rows", "{}").problem(), "no-rows");
    assert_eq!(served.post("/v1/rows", r#"{"jobs":[]}"#).problem(), "no-rows");
    let sum = format!(r#"{{"departments":{},"jobs":[{{"id":1,"job":"x"}}]}}"#, rows(1000));
    assert_eq!(served.post("/v1/rows", &sum).problem(), "too-many-rows");
    assert_eq!(served.get("/v1/loads").of(200)["loads"], json!([]));
    assert_eq!(counts(&served.post(DEPARTMENTS, &rows(1000)).of(201)), [1000, 1000, 0, 0, 0]);
    assert_eq!(served.count("departments"), 1000);
}

#[test]
fn rows_come_as_json_lines_and_csv_too() {
    let served = Served::example(Kind::Sqlite);
    let send = |media: &str, body: &str| served.send("POST", DEPARTMENTS, &[("Content-Type", media)], body.as_bytes());
    let lines = send(
        "application/x-ndjson",
        "{\"id\":1,\"department\":\"a\"}\n\n{\"id\":2,\"department\n{\"id\":3,\"department\":\"c\"}",
    )
    .of(200);
    assert_eq!((counts(&lines), lines["errors"][0]["code"].as_str()), ([3, 2, 0, 0, 1], Some("source-error")));
    let csv = send("text/csv; charset=utf-8", "4,d\n5,\"e\n").of(200);
    assert_eq!(counts(&csv), [2, 1, 0, 0, 1]);
    assert_eq!(send("application/xml", "<a/>").problem(), "unsupported-media-type");
    assert_eq!(send("application/x-www-form-urlencoded", "[]").problem(), "unsupported-media-type");
    let raw = served.get("/v1/rejects/1/raw");
    assert_eq!(raw.text(), "{\"id\":2,\"department");
    served.verifies();
}

/// That a listed record was cut could only be guessed.
#[test]
fn a_long_reject_tells_its_length() {
    let served = Served::example(Kind::Sqlite);
    let body = format!("[{{\"id\":\"{}\"}},{{\"id\":\"x\"}}]", "x".repeat(100_000));
    served.post(DEPARTMENTS, &body).of(422);
    let rejects = &served.get("/v1/rejects").of(200)["rejects"];
    assert_eq!((&rejects[0]["raw_length"], &rejects[0]["raw_escaped"]), (&json!(100_009), &json!(true)));
    assert!(rejects[0]["raw"].as_str().unwrap().len() < 70_000);
    assert_eq!((&rejects[1]["raw_length"], &rejects[1]["raw"]), (&json!(10), &json!("{\"id\":\"x\"}")));
    assert_eq!(served.get("/v1/rejects/1/raw").body.len(), 100_009);
}

#[test]
fn a_byte_order_mark_before_json_is_ignored() {
    let served = Served::example(Kind::Sqlite);
    served.post(DEPARTMENTS, "\u{feff}[{\"id\":1,\"department\":\"a\"}]").of(201);
    let media = [("Content-Type", "application/x-ndjson")];
    served.send("POST", DEPARTMENTS, &media, "\u{feff}{\"id\":2,\"department\":\"b\"}".as_bytes()).of(201);
    served.post("/v1/rows", "\u{feff}{\"departments\":[{\"id\":3,\"department\":\"c\"}]}").of(201);
    assert_eq!(served.post(DEPARTMENTS, "\u{feff}[{]").of(400)["offset"], 5);
    served.post(DEPARTMENTS, r#"[{"id":4}]"#).of(422);
    let patch = "\u{feff}{\"department\":\"d\"}";
    served.send("PATCH", "/v1/rejects/1", &[("Content-Type", "application/json")], patch.as_bytes()).of(200);
    assert_eq!(served.count("departments"), 4);
}

#[test]
fn what_is_not_known_is_refused_and_nothing_is_done() {
    let served = Served::example(Kind::Sqlite);
    let row = r#"[{"id":1,"department":"a"}]"#;
    for (path, problem) in [
        ("/v1/tables/departments/rows?atomik=true", "bad-parameter"),
        ("/v1/tables/departments/rows?atomic=maybe", "bad-parameter"),
        ("/v1/tables/departments/rows?atomic=true&atomic=false", "bad-parameter"),
        ("/v1/tables/departments/rows?on_conflict=overwrite", "bad-parameter"),
        ("/v1/tables/departments/rows?a=%FF", "bad-parameter"),
        ("/v1/tables/depts/rows", "not-found"),
        ("/v1/tables/departments%22/rows", "not-found"),
        ("/v1/tables/%FF/rows", "not-found"),
        ("/v1/table/departments/rows", "not-found"),
    ] {
        assert_eq!(served.post(path, row).problem(), problem, "{path}");
    }
    assert_eq!(served.post("/v1/rows", r#"{"depts":[{"id":1}]}"#).problem(), "wrong-shape");
    assert_eq!(served.send("PUT", DEPARTMENTS, &[], b"").problem(), "method-not-allowed");
    assert_eq!((served.count("departments"), &served.get("/v1/loads").of(200)["loads"]), (0, &json!([])));
}

#[test]
fn pages_follow_each_other() {
    let served = Served::example(Kind::Sqlite);
    let rows: Vec<String> = (1..=25).map(|id| format!(r#"{{"id":{id},"job":"j{id}"}}"#)).collect();
    served.post("/v1/tables/jobs/rows", &format!("[{}]", rows.join(","))).of(201);
    let (mut next, mut seen) = (String::new(), Vec::new());
    loop {
        let page = served.get(&format!("/v1/tables/jobs/rows?limit=10&fields=id{next}")).of(200);
        seen.extend(page["rows"].as_array().unwrap().iter().map(|row| row["id"].as_u64().unwrap()));
        let Some(after) = page["next"].as_str() else { break };
        next = format!("&after={after}");
    }
    assert_eq!(seen, (1..=25).collect::<Vec<_>>());
    for wrong in ["limit=0", "limit=x", "after=x", "fields=nope", "fields=id,id", "nope=1", "id[near]=1", "id=x"] {
        assert_eq!(served.get(&format!("/v1/tables/jobs/rows?{wrong}")).problem(), "bad-parameter", "{wrong}");
    }
    let tables = served.get("/v1/tables?counts=true").of(200);
    assert_eq!(tables["tables"][1], json!({"name": "jobs", "rows": 25}));
    assert_eq!(served.get("/v1/tables/jobs").of(200)["schema"]["primaryKey"], json!(["id"]));
}

#[test]
fn reports_come_in_every_format_with_their_tag() {
    let served = Served::example(Kind::Sqlite);
    let body = r#"{"departments":[{"id":1,"department":"=Sum"}],"jobs":[{"id":1,"job":"Clerk"}],
                   "hired_employees":[{"id":1,"name":"Ann","datetime":"2021-02-07T02:48:42Z","department_id":1,"job_id":1}]}"#;
    served.post("/v1/rows", body).of(201);
    let path = "/v1/reports/hires_by_quarter?year=2021";
    let answer = served.get(path);
    assert_eq!(answer.of(200), json!([{"department": "=Sum", "job": "Clerk", "Q1": 1, "Q2": 0, "Q3": 0, "Q4": 0}]));
    let tag = answer.header("etag").unwrap();
    assert_eq!(served.send("GET", path, &[("If-None-Match", tag)], b"").status, 304);
    served.post("/v1/rows", &body.replace("\"id\":1,\"name\"", "\"id\":2,\"name\"")).of(201);
    assert_eq!(served.send("GET", path, &[("If-None-Match", tag)], b"").status, 200);
    let csv = served.send("GET", path, &[("Accept", "text/csv")], b"").text();
    assert_eq!(csv, "department,job,Q1,Q2,Q3,Q4\n=Sum,Clerk,2,0,0,0\n");
    let guarded = served.get(&format!("{path}&format=csv&guard_formulas=true")).text();
    assert!(guarded.ends_with("'=Sum,Clerk,2,0,0,0\n"), "{guarded}");
    for (format, start) in [("ndjson", "{\"department\""), ("markdown", "| department |"), ("html", "<!DOCTYPE html>")]
    {
        assert!(served.get(&format!("{path}&format={format}")).text().starts_with(start), "{format}");
    }
    assert_eq!(served.send("GET", path, &[("Accept", "image/png")], b"").problem(), "not-acceptable");
    assert_eq!(served.get("/v1/reports/hires_by_quarter?year=MMXXI").problem(), "bad-parameter");
    assert_eq!(served.get("/v1/reports/hires_by_quarter?month=1").problem(), "bad-parameter");
    assert_eq!(served.get("/v1/reports/nope").problem(), "not-found");
}

#[test]
fn rejects_are_tried_again_and_exported() {
    let served = Served::example(Kind::Sqlite);
    let employee = r#"[{"id":1,"name":"Ann","datetime":"2021-02-07T02:48:42Z","department_id":1,"job_id":1}]"#;
    served.post("/v1/tables/hired_employees/rows", employee).of(422);
    let groups = served.get("/v1/rejects/groups").of(200);
    assert_eq!(groups["groups"].as_array().unwrap().len(), 2);
    let csv = served.get("/v1/tables/hired_employees/rejects.csv");
    assert!(csv.text().contains("\n1,Ann,2021-02-07T02:48:42Z,1,1,1,rows,"), "{}", csv.text());
    let tried = served.send("POST", "/v1/rejects/1/retry", &[], b"").of(200);
    assert_eq!(tried["loads"][0]["rejected"], 1);
    served.post("/v1/rows", r#"{"departments":[{"id":1,"department":"a"}],"jobs":[{"id":1,"job":"b"}]}"#).of(201);
    assert_eq!(served.send("POST", "/v1/rejects/1/retry", &[], b"").problem(), "conflict");
    let reject = served.get("/v1/rejects/1").of(200);
    assert_eq!((&reject["state"], reject["events"].as_array().unwrap().len()), (&json!("released"), 2));
    assert_eq!(served.get("/v1/rejects/99").problem(), "not-found");
    served.verifies();
}
