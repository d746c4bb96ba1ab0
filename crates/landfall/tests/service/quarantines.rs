//! A large quarantine: asked quickly, and bounded over all loads.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{
    files::ended_at,
    place::Kind,
    served::{Served, on_every_database},
};

const PACKAGE: &str = "resources:\n\
    - {name: people, path: p.csv, schema: {primaryKey: id, fields: [{name: id, type: integer}, {name: n, type: integer}]}}\n\
    - {name: rare, path: r.csv, schema: {primaryKey: id, fields: [{name: id, type: integer}, {name: n, type: integer}]}}\n";

const COLUMNS: &str = "load_id, table_name, record, line, byte_offset, length, raw, errors, waiting, state, kept_bytes";

/// Fills the quarantine to half a million rejects, every second of which is released.
fn fill(served: &Served) {
    served.post("/v1/tables/people/rows", &json!([{"id": 1, "n": "some text that is no number"}]).to_string()).of(422);
    let rejects = served.place.own("rejects");
    for _ in 0..19 {
        served.place.run(&format!("INSERT INTO {rejects} ({COLUMNS}) SELECT {COLUMNS} FROM {rejects}"));
    }
    served.place.run(&format!("UPDATE {rejects} SET state = 'released' WHERE reject_id % 2 = 1"));
    served.post("/v1/tables/rare/rows", &json!([{"id": 1, "n": "x"}]).to_string()).of(422);
}

/// The shortest time of a few in which `path` is answered: others need the processors too.
fn fastest(served: &Served, path: &str) -> Duration {
    let ask = |_| {
        let begun = Instant::now();
        assert_eq!(served.get(path).status, 200, "{path}");
        begun.elapsed()
    };
    (0..4).map(ask).min().unwrap()
}

/// A page of rejects took as long as there were rejects in other states, or of other tables, before its own.
fn a_page_of_rejects_takes_less_than_a_second(kind: Kind) {
    let served = Served::package(kind, PACKAGE, "");
    fill(&served);
    let load = served.get("/v1/loads?table=rare").of(200)["loads"][0]["load_id"].as_u64().unwrap();
    let page = served.get("/v1/rejects").of(200);
    assert_eq!((page["count"].as_u64(), page["count_is_exact"].as_bool()), (Some(100_000), Some(false)));
    let rare = served.get("/v1/rejects?table=rare").of(200);
    assert_eq!((rare["count"].as_u64(), rare["rejects"].as_array().unwrap().len()), (Some(1), 1));
    for path in [
        "/v1/rejects".to_owned(),
        "/v1/rejects?limit=1000".to_owned(),
        "/v1/rejects?after=400000".to_owned(),
        "/v1/rejects?state=discarded".to_owned(),
        "/v1/rejects?state=released&after=500000".to_owned(),
        "/v1/rejects?table=rare".to_owned(),
        "/v1/rejects?table=people&state=superseded".to_owned(),
        format!("/v1/rejects?load={load}"),
        "/v1/rejects?code=type-error&field=n".to_owned(),
        "/v1/rejects?table=rare&code=type-error".to_owned(),
    ] {
        let time = fastest(&served, &path);
        // Reasons are read one by one, to count up to 100,000 that have a code.
        let most = if path.contains("code=") { 3 } else { 1 };
        assert!(time < Duration::from_secs(most), "{kind:?} {path}: {time:?}");
    }
    // So does what a load asks before it begins, and a request whose rows break rules.
    let begun = Instant::now();
    served.post("/v1/tables/rare/rows", &json!([{"id": 2, "n": "x"}]).to_string()).of(422);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

/// Rejects of rows, of files and of tasks were bounded load by load, and not in all.
fn rejects_of_the_project_are_bounded_in_bytes(kind: Kind) {
    let served = Served::package(kind, PACKAGE, "load: {maxProjectRejectBytes: 20kB}\n");
    let bad = |from: u64| -> String {
        json!((from..from + 20).map(|id| json!({"id": id, "n": "x"})).collect::<Vec<_>>()).to_string()
    };
    let path = "/v1/tables/people/rows";
    let mut sent = 0;
    let full = loop {
        let answer = served.post(path, &bad(sent * 20));
        if answer.status != 422 {
            break answer;
        }
        sent += 1;
        assert!(sent < 20);
    };
    assert!(sent > 1);
    assert_eq!((full.status, full.problem().as_str()), (507, "quarantine-full"));
    assert!(full.header("retry-after").is_some());
    assert!(full.text().contains("maxProjectRejectBytes"), "{}", full.text());
    let rejects = served.place.number(&format!("SELECT count(*) FROM {}", served.place.own("rejects")));
    assert_eq!(rejects, sent * 20);
    // Some of what is left of the bound is for a few rows.
    let mut last = sent * 20;
    while served.post(path, &json!([{"id": last, "n": "x"}]).to_string()).status == 422 {
        last += 1;
    }
    // Rows that break no rule go in, alone and beside others.
    served.post(path, &json!([{"id": 1000, "n": 1}]).to_string()).of(201);
    std::thread::scope(|scope| {
        let good: Vec<_> = (0..10)
            .map(|at| scope.spawn(move || json!([{"id": 1001 + at, "n": 1}]).to_string()))
            .map(|rows| rows.join().unwrap())
            .collect();
        let served = &served;
        for rows in good {
            scope.spawn(move || served.post(path, &rows).of(201));
            scope.spawn(move || assert_eq!(served.post(path, &bad(5000)).problem(), "quarantine-full"));
        }
    });
    assert_eq!(served.count("people"), 11);
    // All or nothing is nothing, and a trial keeps nothing.
    assert_eq!(served.post(&format!("{path}?atomic=true"), &bad(6000)).problem(), "quarantine-full");
    served.post(&format!("{path}?dry_run=true"), &bad(6000)).of(422);
    // A file stops at its first reject, and a task of rows waits for room.
    let file = served.send("POST", "/v1/tables/people/files?wait=60", &[], b"id,n\n2000,1\n2001,x\n").of(200);
    assert_eq!((&file["state"], &file["load_state"]), (&json!("failed"), &json!("stopped")), "{file}");
    assert!(file["problem"]["detail"].as_str().unwrap().contains("maxProjectRejectBytes"), "{file}");
    served.project.write("p.csv", "id,n\n3000,1\n3001,x\n");
    let load = served.run(&["load", "people"]).exits(10);
    assert!(format!("{}{}", load.stdout, load.stderr).contains("maxProjectRejectBytes"), "{}", load.stderr);
    let headers = [("Content-Type", "application/json"), ("Prefer", "respond-async")];
    let task = served.send("POST", path, &headers, bad(7000).as_bytes()).of(202);
    std::thread::sleep(Duration::from_millis(500));
    let waiting = served.get(&format!("/v1/tasks/{}", task["task_id"].as_str().unwrap())).of(200);
    assert_eq!((&waiting["state"], &waiting["problem"]["status"]), (&json!("pending"), &json!(507)), "{waiting}");
    // Whoever gives rejects up makes room.
    served.post("/v1/tables/people/rejects/discard", r#"{"reason": "r"}"#).of(200);
    let ended = ended_at(served.address, &task);
    assert_eq!((&ended["state"], &ended["answer"]["rejected"]), (&json!("done"), &json!(20)), "{ended}");
    served.run(&["load", "people"]).exits(0);
    served.verifies();
}

on_every_database! { a_page_of_rejects_takes_less_than_a_second, rejects_of_the_project_are_bounded_in_bytes }
