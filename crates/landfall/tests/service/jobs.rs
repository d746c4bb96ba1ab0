//! Tasks whose service dies, stands still or is one of several: each takes effect once.

use std::{
    fs::File,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant, SystemTime},
};

use serde_json::{Value, json};
use testbed::{ObjectStorage, ObjectStorageKind};

use super::{
    asked::{connect, exchange, request},
    files::ended_at,
    place::Kind,
    served::{Served, on_every_database},
    support::random::Random,
};

const PACKAGE: &str = "resources:\n\
    - {name: notes, path: notes.csv, schema: {fields: [{name: text, type: string}]}}\n\
    - {name: people, path: people.csv, schema: {primaryKey: id, fields: [{name: id, type: integer}, {name: name, type: string}]}}\n";

const CSV: [(&str, &str); 1] = [("Content-Type", "text/csv")];
const LATER: [(&str, &str); 2] = [("Content-Type", "application/json"), ("Prefer", "respond-async")];

fn notes(name: &str, count: usize) -> Vec<u8> {
    let lines: String = (0..count).map(|at| format!("{name} {at}\n")).collect();
    format!("text\n{lines}").into_bytes()
}

fn path_of(task: &Value) -> String {
    format!("/v1/tasks/{}", task["task_id"].as_str().unwrap())
}

/// Sends a signal to the process that does a task.
fn signal(worker: &str, name: &str) {
    let process = worker.rsplit(':').next().unwrap();
    assert!(Command::new("kill").args([&format!("-{name}"), process]).status().unwrap().success(), "{worker}");
}

/// Waits until `holds` of the task; the task.
#[track_caller]
fn wait_until(served: &Served, task: &Value, holds: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let task = served.get(&path_of(task)).of(200);
        if holds(&task) {
            return task;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{task}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Killed at any moment of a task of each kind, and started again.
fn tasks_of_every_kind_survive_being_killed(kind: Kind) {
    let mut served = Served::package(kind, PACKAGE, "load: {chunkRecords: 300}\njobs: {lease: 1s}\n");
    let people: String = (0..3000).map(|id| format!("{id},n{id}\n")).collect();
    let people = format!("id,name\n{people}");
    served.send("POST", "/v1/tables/people/files?wait=60", &CSV, people.as_bytes()).of(200);
    served.post("/v1/backups?wait=60", "").of(200);
    let mut random = Random::new(kind as u64 + 41);
    for round in 0..3 {
        let row = format!(r#"[{{"text":"later {round}"}}]"#);
        let file = notes(&format!("round {round}"), 4000);
        let tasks = [
            served.send("POST", "/v1/tables/notes/files", &CSV, &file).of(202),
            served.send("POST", "/v1/tables/notes/rows", &LATER, row.as_bytes()).of(202),
            served.post("/v1/backups", "").of(202),
            served.post("/v1/tables/people/restore", "").of(202),
        ];
        thread::sleep(Duration::from_millis(random.below(400)));
        served.kill();
        served.start();
        for task in &tasks {
            let task = ended_at(served.address, task);
            assert_eq!(task["state"], "done", "{kind:?}, round {round}: {task}");
        }
        assert_eq!((served.count("notes"), served.count("people")), ((round + 1) * 4001, 3000), "{kind:?}");
    }
    // A worker removes an upload just after its job has ended.
    let begun = Instant::now();
    while !served.uploads().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(10), "{kind:?}: {:?}", served.uploads());
        thread::sleep(Duration::from_millis(20));
    }
    served.verifies();
}

/// Has the process of a worker stand still. While the test holds the only write lock of a file, the worker waits for it and has no
/// transaction.
fn stop_outside_of_transactions(served: &Served, kind: Kind, worker: &str) {
    let holder = (kind == Kind::Sqlite).then(|| served.project.database());
    if let Some(holder) = &holder {
        holder.busy_timeout(Duration::ZERO).unwrap();
        // The gaps between two chunks are short.
        while holder.execute_batch("BEGIN IMMEDIATE").is_err() {
            thread::sleep(Duration::from_micros(200));
        }
        thread::sleep(Duration::from_millis(50));
    }
    signal(worker, "STOP");
    if let Some(holder) = &holder {
        holder.execute_batch("ROLLBACK").unwrap();
    }
}

/// The service that does a task stands still for longer than its lease. Another one does the task, and the first one is refused
/// when it goes on.
fn a_worker_that_stood_still_commits_nothing_more(kind: Kind) {
    // The load must outlast several attempts to stop its worker.
    let rows = 400_000;
    let served = Served::package(kind, PACKAGE, "load: {chunkRecords: 200}\njobs: {lease: 1s}\n");
    let beside = served.beside();
    let task = served.send("POST", "/v1/tables/notes/files", &CSV, &notes("note", rows)).of(202);
    let running = wait_until(&served, &task, |task| task["worker"].is_string());
    let worker = running["worker"].as_str().unwrap().to_owned();
    let own = worker.ends_with(&format!(":{}", served.process()));
    let (first, other) = if own { (served.address, beside.address) } else { (beside.address, served.address) };
    let (ended, taken_over) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        // A worker that stands still within a transaction keeps its claim. On a server, requests that wait keep the load from
        // being in one at every moment. A file has one writer at a time: below, that is the test itself.
        for client in 0..if kind == Kind::Sqlite { 0 } else { 3 } {
            let ended = &ended;
            scope.spawn(move || {
                let mut row = 0;
                while !ended.load(Ordering::Relaxed) {
                    row += 1;
                    let body = format!(r#"[{{"id":{},"name":"x"}}]"#, client * 1_000_000 + row);
                    let headers = [("Content-Type", "application/json")];
                    let sent = request("POST", "/v1/tables/people/rows", &headers, body.as_bytes());
                    let _ = connect(first).and_then(|mut stream| exchange(&mut stream, &sent));
                }
            });
        }
        let mut random = Random::new(kind as u64 + 5);
        for _ in 0..40 {
            thread::sleep(Duration::from_millis(20 + random.below(60)));
            stop_outside_of_transactions(&served, kind, &worker);
            thread::sleep(Duration::from_millis(2500));
            let shown =
                connect(other).and_then(|mut stream| exchange(&mut stream, &request("GET", &path_of(&task), &[], b"")));
            let is_taken = shown.is_ok_and(|answer| answer.status == 200 && answer.json()["attempts"] == 2);
            if is_taken {
                taken_over.store(true, Ordering::Relaxed);
                let task = ended_at(other, &task);
                assert_eq!((&task["state"], &task["inserted"]), (&json!("done"), &json!(rows)), "{kind:?}: {task}");
            }
            signal(&worker, "CONT");
            if is_taken || served.get(&path_of(&task)).of(200)["state"] == "done" {
                break;
            }
        }
        ended.store(true, Ordering::Relaxed);
    });
    assert!(taken_over.into_inner(), "{kind:?}: nobody took the task over");
    // The first one learns of it at its next commit or renewal.
    let log = if own { &served.log } else { &beside.log };
    let begun = Instant::now();
    while !log.lock().unwrap().contains("another worker has taken over a job") {
        assert!(begun.elapsed() < Duration::from_secs(20), "{kind:?}: {}", log.lock().unwrap());
        thread::sleep(Duration::from_millis(20));
    }
    thread::sleep(Duration::from_millis(500));
    assert_eq!(served.count("notes"), rows as u64, "{kind:?}");
    let task = served.get(&path_of(&task)).of(200);
    assert_eq!((&task["state"], &task["attempts"], &task["worker"]), (&json!("done"), &json!(2), &Value::Null));
    served.verifies();
}

/// A task is cancelled through a service that does not do it.
fn a_task_is_cancelled_through_another_service(kind: Kind) {
    // The load must last for several renewals of its lease, which needs more rows on a fast machine.
    assert!((0..4).any(|more| is_cancelled_in_time(kind, 3_000_000 << more)), "{kind:?}: no load was long enough");
}

/// Whether a load of so many rows had not ended when it was cancelled; it must be stopped then.
fn is_cancelled_in_time(kind: Kind, rows: usize) -> bool {
    let served = Served::package(kind, PACKAGE, "load: {chunkRecords: 200}\njobs: {lease: 1s}\n");
    let beside = served.beside();
    let task = served.send("POST", "/v1/tables/notes/files", &CSV, &notes("note", rows)).of(202);
    let running = wait_until(&served, &task, |task| task["worker"].is_string());
    let own = running["worker"].as_str().unwrap().ends_with(&format!(":{}", served.process()));
    let (worker, other) = if own { (served.address, beside.address) } else { (beside.address, served.address) };
    // Only the service that does a task knows its progress.
    let begun = Instant::now();
    let shown = || exchange(&mut connect(worker).unwrap(), &request("GET", &path_of(&task), &[], b"")).unwrap().of(200);
    while shown()["progress"]["records"].as_u64().unwrap_or(0) == 0 && shown()["state"] == "running" {
        assert!(begun.elapsed() < Duration::from_secs(20));
    }
    let cancelled = exchange(&mut connect(other).unwrap(), &request("DELETE", &path_of(&task), &[], b"")).unwrap();
    let ended = ended_at(other, &task);
    // It may be done before the next renewal, which tells the worker of the wish.
    if ended["state"] == "done" {
        return false;
    }
    assert_eq!(cancelled.of(202)["state"], "running");
    assert_eq!((&ended["state"], &ended["load_state"]), (&json!("cancelled"), &json!("stopped")), "{kind:?}: {ended}");
    let inserted = ended["inserted"].as_u64().unwrap();
    assert!(inserted < rows as u64, "{ended}");
    assert_eq!(served.count("notes"), inserted, "{kind:?}");
    assert!(served.uploads().is_empty());
    served.verifies();
    true
}

on_every_database! {
    tasks_of_every_kind_survive_being_killed,
    a_worker_that_stood_still_commits_nothing_more,
    a_task_is_cancelled_through_another_service,
}

#[test]
fn tasks_that_ended_long_ago_are_forgotten() {
    let served = Served::package(Kind::Sqlite, PACKAGE, "jobs: {keep: 3s}\n");
    let task = served.send("POST", "/v1/tables/notes/files?wait=30", &CSV, &notes("note", 3)).of(200);
    let listed = |query: &str| served.get(&format!("/v1/tasks{query}")).of(200)["tasks"].as_array().unwrap().len();
    assert_eq!((listed("?state=done"), listed("?state=running"), listed("")), (1, 0, 1));
    let begun = Instant::now();
    while served.get(&path_of(&task)).status == 200 {
        assert!(begun.elapsed() < Duration::from_secs(30));
        thread::sleep(Duration::from_millis(100));
    }
    assert!(begun.elapsed() > Duration::from_secs(1));
    assert_eq!(served.get(&path_of(&task)).problem(), "not-found");
    assert_eq!((listed(""), served.count("notes")), (0, 3));
}

/// Parts that nobody receives any more are removed once they are old; those that may yet come to their end stay.
#[test]
fn parts_that_nobody_receives_are_removed() {
    let served = Served::package(Kind::Sqlite, PACKAGE, "jobs: {keep: 10s}\n");
    served.send("POST", "/v1/tables/notes/files?wait=30", &CSV, &notes("note", 3)).of(200);
    let folder = served.project.path().join(".landfall/uploads");
    let old = SystemTime::now() - Duration::from_secs(3 * 3600);
    for name in ["a.part", "b.part", "other.txt"] {
        File::create(folder.join(name))
            .unwrap()
            .set_modified(if name == "b.part" { SystemTime::now() } else { old })
            .unwrap();
    }
    let begun = Instant::now();
    while folder.join("a.part").exists() {
        assert!(begun.elapsed() < Duration::from_secs(20));
        thread::sleep(Duration::from_millis(50));
    }
    let mut left = served.uploads();
    left.sort();
    assert_eq!(left, ["b.part", "other.txt"]);
}

/// Services without a common folder share uploads in a bucket.
#[test]
fn uploads_may_be_in_object_storage() {
    let storage = ObjectStorage::start(ObjectStorageKind::S3).unwrap();
    let mut served = Served::prepared(Kind::Sqlite, |project| {
        for (name, value) in storage.credential_variables() {
            project.set(name, &value);
        }
        let settings = project.read("landfall.yaml");
        let (uploads, endpoint) = (storage.object_url("uploads"), storage.endpoint_url());
        let reach = format!("{{endpoint: '{endpoint}', allow_http: true, allow_private_addresses: true}}");
        let api = format!("api: {{uploads: '{uploads}', uploadSpace: 1MB}}");
        project.write("landfall.yaml", format!("{settings}\n{api}\nstorage: {reach}\nload: {{chunkRecords: 200}}\n"));
    });
    let objects = || -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(storage.bucket_folder().join("uploads")) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    };
    let departments = |from: usize, count: usize| -> Vec<u8> {
        (from..from + count).map(|id| format!("{id},d{id}\n")).collect::<String>().into_bytes()
    };
    let files = "/v1/tables/departments/files";
    let task = served.send("POST", &format!("{files}?wait=60"), &CSV, &departments(1, 100)).of(200);
    assert_eq!((&task["state"], &task["inserted"]), (&json!("done"), &json!(100)), "{task}");
    // The service is killed while the upload is in the bucket, and goes on with it.
    let task = served.send("POST", files, &CSV, &departments(101, 40_000)).of(202);
    wait_until(&served, &task, |task| task["worker"].is_string());
    assert_eq!(objects(), [format!("{}.upload", task["task_id"].as_str().unwrap())]);
    served.kill();
    served.start();
    let ended = ended_at(served.address, &task);
    assert_eq!((&ended["state"], &ended["inserted"]), (&json!("done"), &json!(40_000)), "{ended}");
    let rows = br#"[{"id":90000,"department":"later"}]"#;
    let task = served.send("POST", "/v1/tables/departments/rows", &LATER, rows).of(202);
    assert_eq!(ended_at(served.address, &task)["status"], 201);
    assert_eq!((objects(), served.uploads()), (Vec::new(), Vec::new()));
    assert_eq!(served.count("departments"), 40_101);
    // What lies in the bucket counts for the space.
    std::fs::create_dir_all(storage.bucket_folder().join("uploads")).unwrap();
    std::fs::write(storage.bucket_folder().join("uploads/0.upload"), vec![0; 999_000]).unwrap();
    assert_eq!(served.send("POST", files, &CSV, &departments(1, 900)).problem(), "no-space");
    std::fs::remove_file(storage.bucket_folder().join("uploads/0.upload")).unwrap();
    storage.stop_server().unwrap();
    assert_eq!(served.send("POST", files, &CSV, &departments(1, 9)).problem(), "storage");
    assert_eq!(served.uploads(), Vec::<String>::new());
    served.verifies();
}

/// A task of version 0.1.0 is a document, and its upload was locked by its process, which is gone.
#[test]
fn a_task_of_an_earlier_version_is_taken_up() {
    let mut served = Served::package(Kind::Sqlite, PACKAGE, "");
    served.kill();
    let project = &served.project;
    std::fs::remove_file(project.path().join("landfall.db")).unwrap();
    let _ = std::fs::remove_file(project.path().join("landfall.db-wal"));
    let _ = std::fs::remove_file(project.path().join("landfall.db-shm"));
    let database = project.database();
    database.execute_batch(include_str!("../cli/fixtures/ledger_0_1_0.sql")).unwrap();
    database.execute_batch("DROP TABLE staff; DROP TABLE teams; DROP TABLE notes").unwrap();
    let body = b"text\none\ntwo\n";
    let source = format!("upload:{}", &blake3_hex(body)[..32]);
    let request = json!({
        "table": "notes", "file": "n.csv", "bytes": body.len(), "source": source, "mode": "append", "on_conflict": "reject",
        "atomic": false, "force": false, "max_rejects": null, "ledger": 4,
    });
    let shown = json!({"type": "urn:landfall:problem:conflict", "title": "…", "status": 409, "detail": "no"});
    let begun = json!({
        "id": "0650000000000100000001", "kind": "file", "tables": ["notes"], "state": "running", "request": request,
        "attempts": 1, "created_at": "2026-01-01T00:00:00Z", "started_at": "2026-01-01T00:00:01Z",
    });
    let failed = json!({
        "id": "0650000000000000000002", "kind": "file", "tables": ["notes"], "state": "failed", "request": {}, "problem": shown,
        "attempts": 2, "created_at": "2026-01-01T00:00:00Z", "ended_at": "2099-01-01T00:00:01Z",
    });
    for task in [&begun, &failed] {
        let body = task.to_string().into_bytes();
        let sql = "INSERT INTO landfall_documents VALUES ('task', ?, 1, ?, '2026-01-01T00:00:00Z')";
        database.execute(sql, rusqlite::params![task["id"].as_str().unwrap(), body]).unwrap();
    }
    drop(database);
    project.write(".landfall/uploads/0650000000000100000001.upload", body);
    served.start();
    let task = ended_at(served.address, &json!({"task_id": begun["id"]}));
    assert_eq!(
        (&task["state"], &task["inserted"], &task["attempts"]),
        (&json!("done"), &json!(2), &json!(2)),
        "{task}"
    );
    let task = served.get(&path_of(&json!({"task_id": failed["id"]}))).of(200);
    assert_eq!((&task["state"], &task["problem"]), (&json!("failed"), &shown), "{task}");
    assert_eq!((served.count("notes"), served.uploads()), (2, Vec::new()));
}

fn blake3_hex(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}
