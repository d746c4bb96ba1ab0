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
    support::random::Random,
};

const CLIENTS: u64 = 12;
/// Rows of a batch: all of one batch, or none, are there.
const BATCH: u64 = 20;

fn rounds() -> u64 {
    if std::env::var_os("LANDFALL_SOAK").is_none() {
        return 4;
    }
    std::env::var("LANDFALL_SOAK_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1000)
}

fn what_was_acknowledged_is_there_once(kind: Kind) {
    let mut served = Served::example(kind);
    let parents: Vec<String> = (1..=5).map(|id| format!(r#"{{"id":{id},"department":"d{id}"}}"#)).collect();
    served.post("/v1/tables/departments/rows", &format!("[{}]", parents.join(","))).of(201);
    served.post("/v1/tables/jobs/rows", r#"[{"id":1,"job":"j"}]"#).of(201);
    let next = AtomicU64::new(1);
    let acknowledged: Mutex<BTreeMap<u64, String>> = Mutex::default();
    let mut random = Random::new(kind as u64 + 7);
    for round in 0..rounds() {
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
    assert!(acknowledged.into_inner().unwrap().len() as u64 > rounds());
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

on_every_database! { what_was_acknowledged_is_there_once }
