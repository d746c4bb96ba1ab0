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

use serde_json::{Value, json};
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
                server.kill_server().unwrap();
                server.restart_server().unwrap();
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

/// Sends a request until it is answered with `status`; the answer. Under its key, it has one effect.
fn ask_until(served: &Served, status: u16, (method, path): (&str, &str), key: &str, body: &[u8]) -> Value {
    let begun = Instant::now();
    let media = if path.contains("/rejects") { "application/json" } else { "application/octet-stream" };
    let headers = [("Content-Type", media), ("Idempotency-Key", key)];
    loop {
        match served.try_send(method, path, &headers, body) {
            Ok(answer) if answer.status == status => return answer.json(),
            Ok(answer) => assert!([409, 429, 503].contains(&answer.status), "{} {}", answer.status, answer.text()),
            Err(_) => {}
        }
        assert!(begun.elapsed() < PATIENCE, "{path} is refused for too long");
        sleep(Duration::from_millis(20));
    }
}

/// Restores that were accepted: of a set and of a file, which replace, add and update.
fn restores_that_were_accepted_are_done(kind: Kind) {
    const ROWS: u64 = 4000;
    let server = Mortal::start(kind);
    let served = Served::package_at(server.place(), PACKAGE);
    let lines: String = (0..ROWS).map(|id| format!("{id},n{id}\n")).collect();
    served.send("POST", "/v1/tables/people/files?wait=60", &[], format!("id,name\n{lines}").as_bytes()).of(200);
    let set = served.post("/v1/backups?wait=60", "").of(200)["backup"]["set"].as_str().unwrap().to_owned();
    let avro = served.get(&format!("/v1/backups/{set}/people.avro")).body;
    let mut random = Random::new(kind as u64 + 29);
    for round in 0..rounds(3) {
        for (query, body) in
            [("mode=replace", &b""[..]), ("mode=replace", &avro), ("mode=append", b""), ("mode=upsert", &avro)]
        {
            // What is to be undone: rows are gone, and others changed where the restore changes rows.
            let name = if query == "mode=append" { "n" } else { "x" };
            let lines: String = (0..1000).map(|id| format!("{id},{name}{id}\n")).collect();
            let key = format!("before {round} {query} {}", body.len());
            let asked = ("POST", "/v1/tables/people/files?mode=replace&force=true");
            let replaced = ask_until(&served, 202, asked, &key, format!("id,name\n{lines}").as_bytes());
            assert_eq!(wait_until_ended(&served, &replaced)["state"], "done", "round {round}");
            let key = format!("{round} {query} {}", body.len());
            let path = format!("/v1/tables/people/restore?{query}");
            let task = ask_until(&served, 202, ("POST", &path), &key, body);
            sleep(Duration::from_millis(random.below(150)));
            server.crash(&served.place);
            let ended = wait_until_ended(&served, &task);
            assert_eq!(ended["state"], "done", "round {round}, {query}: {ended}");
            let there = served.place.rows("SELECT count(*), count(DISTINCT name), min(name) FROM people");
            assert_eq!(there, [[ROWS.to_string(), ROWS.to_string(), "n0".into()]], "round {round}, {query}: {ended}");
            assert_eq!(ask_until(&served, 202, ("POST", &path), &key, body)["task_id"], ended["task_id"]);
        }
    }
    served.verifies();
}

#[test]
fn restores_that_were_accepted_are_done_after_postgres_crashed() {
    restores_that_were_accepted_are_done(Kind::Postgres);
}

#[test]
fn restores_that_were_accepted_are_done_after_mariadb_crashed() {
    restores_that_were_accepted_are_done(Kind::Mariadb);
}

const FAMILY: &str = "
resources:
  - {name: teams, path: t.csv, schema: {primaryKey: id, fields: [{name: id, type: integer}]}}
  - name: members
    path: m.csv
    schema:
      primaryKey: id
      fields: [{name: id, type: integer}, {name: team, type: integer}, {name: n, type: integer}]
      foreignKeys: [{fields: team, reference: {resource: teams, fields: id}}]
";

/// How often each reject was released, as the quarantine says.
fn releases(served: &Served) -> Vec<Vec<String>> {
    let own = |table| served.place.own(table);
    served.place.rows(&format!(
        "SELECT n, count(*) FROM (SELECT count(*) AS n FROM {} WHERE action = 'released' GROUP BY reject_id) AS events GROUP BY n",
        own("reject_events")
    ))
}

/// Rejects that were mended by many clients, and retried table by table: each was released once, and every answer is true.
fn retries_that_were_answered_are_done_once(kind: Kind) {
    const MENDED: u64 = 48;
    const WAITING: u64 = 200;
    let server = Mortal::start(kind);
    let served = Served::package_at(server.place(), FAMILY);
    let mut random = Random::new(kind as u64 + 43);
    let mut last = 0;
    for round in 0..rounds(3) {
        let team = round + 1;
        let bad: Vec<Value> = (0..MENDED).map(|at| json!({"id": round * 1000 + at, "n": "x"})).collect();
        let orphans: Vec<Value> =
            (0..WAITING).map(|at| json!({"id": round * 1000 + MENDED + at, "team": team, "n": 1})).collect();
        served.post("/v1/tables/members/rows", &json!(bad).to_string()).of(422);
        served.post("/v1/tables/members/rows", &json!(orphans).to_string()).of(422);
        // By another door, so that nothing is released by itself.
        served.place.run(&format!("INSERT INTO teams (id) VALUES ({team})"));
        let rejects = served.get("/v1/rejects?code=type-error&limit=1000").of(200)["rejects"].clone();
        let rejects: Vec<u64> =
            rejects.as_array().unwrap().iter().map(|reject| reject["reject_id"].as_u64().unwrap()).collect();
        assert_eq!(rejects.len() as u64, MENDED);
        let left = Mutex::new(rejects);
        scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    loop {
                        let Some(reject) = left.lock().unwrap().pop() else { return };
                        let path = format!("/v1/rejects/{reject}");
                        let told = ask_until(&served, 200, ("PATCH", &path), &format!("mend {reject}"), br#"{"n":1}"#);
                        assert_eq!(told["reject"]["state"], "released", "round {round}: {told}");
                    }
                });
            }
            scope.spawn(|| {
                let (path, key) = ("/v1/tables/members/rejects/retry?code=foreign-key", format!("retry {round}"));
                // A mend may have released those that waited before.
                let told = ask_until(&served, 200, ("POST", path), &key, b"");
                assert_eq!(ask_until(&served, 200, ("POST", path), &key, b""), told, "round {round}");
            });
            sleep(Duration::from_millis(10 + random.below(150)));
            server.crash(&served.place);
        });
        last += MENDED + WAITING;
        assert_eq!(served.count("members"), last, "round {round}");
        assert_eq!(releases(&served), [["1".to_owned(), last.to_string()]], "round {round}");
    }
    served.verifies();
}

#[test]
fn retries_that_were_answered_are_done_once_after_postgres_crashed() {
    retries_that_were_answered_are_done_once(Kind::Postgres);
}

#[test]
fn retries_that_were_answered_are_done_once_after_mariadb_crashed() {
    retries_that_were_answered_are_done_once(Kind::Mariadb);
}
