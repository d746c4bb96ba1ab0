//! The database crashes under a service that goes on: what was acknowledged is there, and what was not is done by the same request
//! once.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{scope, sleep},
    time::{Duration, Instant},
};

use serde_json::Value;
use testbed::{Mariadb, Postgres};

use super::{
    asked::{connect, exchange, request},
    place::{Kind, Place},
    served::Served,
    support::{random::Random, rounds},
};

const CLIENTS: u64 = 16;
/// Rows of a request.
const BATCH: u64 = 5;
/// No request may be refused for longer than this.
const PATIENCE: Duration = Duration::from_secs(90);

const PACKAGE: &str = "resources:\n\
    - {name: people, path: people.csv, schema: {primaryKey: id, fields: [{name: id, type: integer}, {name: name, type: string}]}}\n";

/// A server of a test alone, since that kills it.
enum Mortal {
    Postgres(Postgres),
    Mariadb(Mariadb),
}

impl Mortal {
    fn start(kind: Kind) -> Self {
        match kind {
            Kind::Mariadb => Self::Mariadb(Mariadb::start().unwrap()),
            _ => Self::Postgres(Postgres::start().unwrap()),
        }
    }

    fn place(&self) -> Place {
        match self {
            Self::Postgres(server) => Place::on(Kind::Postgres, server.fresh_database().unwrap()),
            Self::Mariadb(server) => Place::on(Kind::Mariadb, server.fresh_database().unwrap()),
        }
    }

    /// Kills one process as the system does where memory is short; the server is there again afterwards.
    fn crash(&self, place: &Place) {
        match self {
            Self::Postgres(server) => {
                server.kill9_backend(place.database()).unwrap();
                server.wait_until_recovered().unwrap();
            }
            Self::Mariadb(server) => {
                server.kill9().unwrap();
                server.restart().unwrap();
            }
        }
    }
}

/// The request that sends the rows of `batch`, under its key.
fn sending(batch: u64) -> Vec<u8> {
    let rows: Vec<String> =
        (0..BATCH).map(|at| format!(r#"{{"id":{},"name":"n{batch}"}}"#, batch * BATCH + at)).collect();
    let key = format!("batch-{batch}");
    let headers = [("Content-Type", "application/json"), ("Idempotency-Key", key.as_str())];
    request("POST", "/v1/tables/people/rows", &headers, format!("[{}]", rows.join(",")).as_bytes())
}

/// Sends `batch` until it is acknowledged.
fn send_until_acknowledged(served: &Served, batch: u64) {
    let begun = Instant::now();
    loop {
        let answer = connect(served.address).and_then(|mut stream| exchange(&mut stream, &sending(batch)));
        match answer {
            Ok(answer) if answer.status == 201 => return,
            Ok(answer) => assert!([409, 429, 503].contains(&answer.status), "{} {}", answer.status, answer.text()),
            Err(_) => {}
        }
        assert!(begun.elapsed() < PATIENCE, "batch {batch} is refused for too long");
        sleep(Duration::from_millis(20));
    }
}

fn rows_that_were_acknowledged_are_there(kind: Kind) {
    let server = Mortal::start(kind);
    let served = Served::package_at(server.place(), PACKAGE);
    let next = AtomicU64::new(0);
    let mut random = Random::new(kind as u64 + 71);
    for round in 0..rounds(4) {
        let stopped = AtomicBool::new(false);
        let acknowledged: Mutex<BTreeSet<u64>> = Mutex::default();
        scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    while !stopped.load(Ordering::Relaxed) {
                        let batch = next.fetch_add(1, Ordering::Relaxed);
                        send_until_acknowledged(&served, batch);
                        acknowledged.lock().unwrap().insert(batch);
                    }
                });
            }
            sleep(Duration::from_millis(50 + random.below(300)));
            server.crash(&served.place);
            stopped.store(true, Ordering::Relaxed);
        });
        let there = served.place.rows("SELECT name, count(*) FROM people GROUP BY name");
        let whole = |row: &Vec<String>| row[1] == BATCH.to_string();
        assert!(there.iter().all(whole), "round {round}: a request came in by halves");
        assert_eq!(there.len() as u64, next.load(Ordering::Relaxed), "round {round}: each request has come in once");
        let names: BTreeSet<&str> = there.iter().map(|row| row[0].as_str()).collect();
        for batch in acknowledged.into_inner().unwrap() {
            assert!(names.contains(format!("n{batch}").as_str()), "round {round}: batch {batch} was acknowledged");
        }
    }
    served.verifies();
}

#[test]
fn rows_that_were_acknowledged_are_there_after_postgres_crashed() {
    rows_that_were_acknowledged_are_there(Kind::Postgres);
}

#[test]
fn rows_that_were_acknowledged_are_there_after_mariadb_crashed() {
    rows_that_were_acknowledged_are_there(Kind::Mariadb);
}

/// Sends the file with the number `file` until it is taken; its task.
fn upload_until_taken(served: &Served, file: u64) -> Value {
    let lines: String = (0..400).map(|line| format!("{},f{file}\n", file * 400 + line)).collect();
    let path = format!("/v1/tables/people/files?name=f{file}.csv");
    let begun = Instant::now();
    loop {
        match served.try_send("POST", &path, &[("Content-Type", "text/csv")], format!("id,name\n{lines}").as_bytes()) {
            Ok(answer) if answer.status == 202 => return answer.json(),
            Ok(answer) => assert!([409, 429, 503].contains(&answer.status), "{} {}", answer.status, answer.text()),
            Err(_) => {}
        }
        assert!(begun.elapsed() < PATIENCE, "file {file} is refused for too long");
        sleep(Duration::from_millis(20));
    }
}

/// The task, once it has ended. Until the service has found the database again, it says that it cannot answer.
fn wait_until_ended(served: &Served, task: &Value) -> Value {
    let path = format!("/v1/tasks/{}", task["task_id"].as_str().unwrap());
    let begun = Instant::now();
    loop {
        match served.try_send("GET", &path, &[], b"") {
            Ok(answer) if answer.status == 200 => {
                let task = answer.json();
                if ["done", "failed", "cancelled"].contains(&task["state"].as_str().unwrap()) {
                    return task;
                }
            }
            Ok(answer) => assert_eq!(answer.status, 503, "{}", answer.text()),
            Err(_) => {}
        }
        assert!(begun.elapsed() < PATIENCE, "a task does not end");
        sleep(Duration::from_millis(20));
    }
}

fn tasks_that_were_accepted_are_done(kind: Kind) {
    let server = Mortal::start(kind);
    let served = Served::package_at(server.place(), PACKAGE);
    let mut random = Random::new(kind as u64 + 17);
    for round in 0..rounds(2) {
        let tasks: Vec<Value> = (0..4).map(|file| upload_until_taken(&served, round * 4 + file)).collect();
        sleep(Duration::from_millis(random.below(200)));
        server.crash(&served.place);
        for task in tasks {
            let ended = wait_until_ended(&served, &task);
            assert_eq!(ended["state"], "done", "round {round}: {ended}");
        }
        assert_eq!(served.count("people"), (round + 1) * 4 * 400, "round {round}");
    }
    served.verifies();
}

#[test]
fn tasks_that_were_accepted_are_done_after_postgres_crashed() {
    tasks_that_were_accepted_are_done(Kind::Postgres);
}

#[test]
fn tasks_that_were_accepted_are_done_after_mariadb_crashed() {
    tasks_that_were_accepted_are_done(Kind::Mariadb);
}
