//! Killed under load from many clients, and started again: what was acknowledged is there once, and nothing is half there.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use super::{
    asked::{connect, exchange, request},
    place::Kind,
    served::{Served, on_every_database},
    support::{random::Random, rounds},
};

const CLIENTS: u64 = 12;
/// Rows of a batch: all of one batch, or none, are there.
const BATCH: u64 = 20;

fn what_was_acknowledged_is_there_once(kind: Kind) {
    let mut served = Served::example(kind);
    let parents: Vec<String> = (1..=5).map(|id| format!(r#"{{"id":{id},"department":"d{id}"}}"#)).collect();
    served.post("/v1/tables/departments/rows", &format!("[{}]", parents.join(","))).of(201);
    served.post("/v1/tables/jobs/rows", r#"[{"id":1,"job":"j"}]"#).of(201);
    let next = AtomicU64::new(1);
    let acknowledged: Mutex<BTreeMap<u64, String>> = Mutex::default();
    let mut random = Random::new(kind as u64 + 7);
    for round in 0..rounds(4) {
        let stopped = AtomicBool::new(false);
        let address = served.address;
        let sent: Vec<(u64, Option<String>)> = thread::scope(|scope| {
            let client = || {
                let mut outcomes = Vec::new();
                let Ok(mut stream) = connect(address) else { return outcomes };
                while !stopped.load(Ordering::Relaxed) {
                    let batch = next.fetch_add(1, Ordering::Relaxed);
                    match exchange(&mut stream, &sending(batch)) {
                        Ok(answer) if answer.status == 201 => outcomes.push((batch, Some(answer.text()))),
                        Ok(answer) => panic!("{} {}", answer.status, answer.text()),
                        Err(_) => {
                            outcomes.push((batch, None));
                            break;
                        }
                    }
                }
                outcomes
            };
            let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
            thread::sleep(Duration::from_millis(50 + random.below(300)));
            served.kill();
            stopped.store(true, Ordering::Relaxed);
            clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
        });
        served.start();
        let mut acknowledged = acknowledged.lock().unwrap();
        let batches = batches(&served, sent.iter().map(|(batch, _)| *batch).min().unwrap_or(0));
        let mut stream = connect(served.address).unwrap();
        for (batch, answer) in sent {
            let there = batches.get(&batch).copied().unwrap_or(0);
            assert!(there == 0 || there == BATCH, "round {round}: {there} rows of batch {batch}");
            assert!(answer.is_none() || there == BATCH, "round {round}: batch {batch} was acknowledged");
            // The same request again: what was done is told, and what was not is done.
            let again = exchange(&mut stream, &sending(batch)).unwrap();
            assert_eq!(again.status, 201, "{}", again.text());
            assert_eq!(again.header("idempotency-replayed").is_some(), there == BATCH, "round {round}, batch {batch}");
            if let Some(answer) = answer {
                assert_eq!(again.text(), answer);
            }
            acknowledged.insert(batch, again.text());
        }
        assert_eq!(served.count("hired_employees"), acknowledged.len() as u64 * BATCH, "round {round}");
    }
    assert!(acknowledged.into_inner().unwrap().len() as u64 > rounds(4));
    served.verifies();
}

/// The request that sends a batch, under its key.
fn sending(batch: u64) -> Vec<u8> {
    let row = |at: u64| {
        let id = batch * BATCH + at;
        format!(
            r#"{{"id":{id},"name":"n{id}","datetime":"2021-11-07T02:48:42Z","department_id":{},"job_id":1}}"#,
            id % 5 + 1
        )
    };
    let rows: Vec<String> = (0..BATCH).map(row).collect();
    let key = format!("batch-{batch}");
    let headers = [("Content-Type", "application/json"), ("Idempotency-Key", key.as_str())];
    request("POST", "/v1/tables/hired_employees/rows", &headers, format!("[{}]", rows.join(",")).as_bytes())
}

/// The rows that are there of each batch from `first` on.
fn batches(served: &Served, first: u64) -> BTreeMap<u64, u64> {
    let table = served.place.quoted("hired_employees");
    let rows = served.place.rows(&format!(
        "SELECT id - id % {BATCH}, count(*) FROM {table} WHERE id >= {} GROUP BY id - id % {BATCH}",
        first * BATCH
    ));
    rows.iter().map(|row| (row[0].parse::<u64>().unwrap() / BATCH, row[1].parse().unwrap())).collect()
}

const PEOPLE: &str = "resources: [{name: people, path: p.csv, schema: {primaryKey: id, fields: [{name: id, type: integer}, {name: n, type: integer}]}}]";

/// A mend was answered for only after its commit: a crash in between left an effect without an answer under its key.
fn a_mend_and_its_answer_are_both_there_or_neither(kind: Kind) {
    let mut served = Served::package(kind, PEOPLE, "");
    let mut random = Random::new(kind as u64 + 5);
    for round in 0..rounds(4) {
        let first = round * CLIENTS + 1;
        let rows: Vec<String> = (first..first + CLIENTS).map(|id| format!(r#"{{"id":{id},"n":"x"}}"#)).collect();
        served.post("/v1/tables/people/rows", &format!("[{}]", rows.join(","))).of(422);
        let address = served.address;
        thread::scope(|scope| {
            for id in first..first + CLIENTS {
                scope.spawn(move || connect(address).and_then(|mut stream| exchange(&mut stream, &mending(id))));
            }
            thread::sleep(Duration::from_millis(random.below(40)));
            served.kill();
        });
        let done = served.place.rows(&format!("SELECT id FROM people WHERE id >= {first}"));
        served.start();
        for id in first..first + CLIENTS {
            let was_done = done.contains(&vec![id.to_string()]);
            let answer = exchange(&mut connect(served.address).unwrap(), &mending(id)).unwrap();
            assert_eq!(answer.of(200)["reject"]["state"], "released", "round {round}");
            assert_eq!(answer.header("idempotency-replayed").is_some(), was_done, "round {round}, reject {id}");
            let events = served.get(&format!("/v1/rejects/{id}")).of(200)["events"].as_array().unwrap().len();
            assert_eq!(events, 1, "round {round}, reject {id}");
        }
    }
    assert_eq!(served.count("people"), rounds(4) * CLIENTS);
    served.verifies();
}

/// The request that mends the reject `id`, under its key.
fn mending(id: u64) -> Vec<u8> {
    let key = format!("mend-{id}");
    let headers = [("Content-Type", "application/json"), ("Idempotency-Key", key.as_str())];
    request("PATCH", &format!("/v1/rejects/{id}"), &headers, br#"{"n":1}"#)
}

on_every_database! { a_mend_and_its_answer_are_both_there_or_neither, what_was_acknowledged_is_there_once }

/// An export is a file, and its answer a document: a service that died between the two had made one that nobody has a link to.
#[test]
fn an_export_that_was_not_answered_for_is_made_again() {
    let mut served = Served::package(Kind::Sqlite, PEOPLE, "reports: {all: {sql: all.sql}}\n");
    served.project.write("all.sql", "SELECT id FROM people");
    served.kill();
    served.start();
    served.post("/v1/tables/people/rows", r#"[{"id":1,"n":1}]"#).of(201);
    let export = || request("POST", "/v1/reports/all/exports", &[("Idempotency-Key", "one")], b"");
    // The key of links is there before the database is held.
    served.post("/v1/reports/all/exports", "").of(201);
    let files = |served: &Served| std::fs::read_dir(served.project.path().join(".landfall/exports")).unwrap().count();
    let holder = rusqlite::Connection::open(served.project.path().join("landfall.db")).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let address = served.address;
    let asked = thread::spawn(move || exchange(&mut connect(address).unwrap(), &export()).is_ok());
    let begun = std::time::Instant::now();
    while files(&served) < 2 {
        assert!(begun.elapsed() < Duration::from_secs(20));
        thread::sleep(Duration::from_millis(10));
    }
    served.kill();
    assert!(!asked.join().unwrap());
    drop(holder);
    served.start();
    let answer = exchange(&mut connect(served.address).unwrap(), &export()).unwrap();
    assert_eq!(answer.header("idempotency-replayed"), None);
    let url = answer.of(201)["url"].as_str().unwrap().to_owned();
    assert_eq!(served.get(&url).text(), "id\n1\n");
    let again = exchange(&mut connect(served.address).unwrap(), &export()).unwrap();
    assert_eq!((again.header("idempotency-replayed"), &again.body), (Some("true"), &answer.body));
    // The file that nobody knows goes when its time ends.
    assert_eq!(files(&served), 3);
}
