//! Files that are uploaded, and the tasks that load them.

use std::{
    io::{Read as _, Write as _},
    net::SocketAddr,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    asked::{Answer, connect, exchange, request},
    place::Kind,
    served::{Served, on_every_database},
    support::random::Random,
};

const NOTES: &str = "resources:\n\
    - {name: notes, path: notes.csv, schema: {fields: [{name: text, type: string}]}}\n\
    - {name: people, path: people.csv, schema: {primaryKey: id, fields: [{name: id, type: integer}, {name: name, type: string}]}}\n";

const PEOPLE: &str = "/v1/tables/people/files";

impl Served {
    #[track_caller]
    fn upload(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.send("POST", path, headers, body)
    }

    /// The task, once it has ended.
    #[track_caller]
    fn ended(&self, task: &Value) -> Value {
        ended_at(self.address, task)
    }

    pub(crate) fn uploads(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.project.path().join(".landfall/uploads")) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }
}

/// The task, once it has ended, as the service at `address` tells it.
#[track_caller]
pub(crate) fn ended_at(address: SocketAddr, task: &Value) -> Value {
    let path = format!("/v1/tasks/{}", task["task_id"].as_str().unwrap());
    let mut stream = connect(address).unwrap();
    let begun = Instant::now();
    loop {
        let task = exchange(&mut stream, &request("GET", &path, &[], b"")).unwrap().of(200);
        if ["done", "failed", "cancelled"].contains(&task["state"].as_str().unwrap()) {
            return task;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{task}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn counts(task: &Value) -> [u64; 5] {
    ["read", "inserted", "updated", "unchanged", "rejected"].map(|name| task[name].as_u64().unwrap())
}

fn people(count: u64) -> Vec<u8> {
    let lines: String = (1..=count).map(|id| format!("{id},name {id}\n")).collect();
    format!("id,name\n{lines}").into_bytes()
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn a_file_is_loaded_as_a_task(kind: Kind) {
    let served = Served::package(kind, NOTES, "");
    let body = [&people(2000)[..], b"3,again\nx,y\n"].concat();
    let answer = served.upload(&format!("{PEOPLE}?name=people.csv"), &[("Content-Type", "text/csv")], &body);
    let task = answer.json();
    assert_eq!(answer.header("location"), Some(format!("/v1/tasks/{}", task["task_id"].as_str().unwrap()).as_str()));
    let task = served.ended(&task);
    assert_eq!((task["state"].as_str(), counts(&task)), (Some("done"), [2002, 2000, 0, 0, 2]), "{task}");
    assert_eq!((task["file"].as_str(), task["bytes"].as_u64()), (Some("people.csv"), Some(body.len() as u64)));
    let rejects = served.get(task["links"]["rejects"].as_str().unwrap()).of(200);
    assert_eq!(rejects["count"], 2, "{rejects}");
    assert_eq!(served.count("people"), 2000);
    // The same bytes again are known.
    let again = served.upload(&format!("{PEOPLE}?wait=60"), &[], &body).of(200);
    assert_eq!((again["load_state"].as_str(), counts(&again)), (Some("known"), [0; 5]), "{again}");
    assert_eq!(again["load_id"], task["load_id"]);
    // A retry finds the record as it was sent.
    served.post("/v1/tables/people/rejects/retry", "").of(200);
    let listed = served.get("/v1/tasks?table=people").of(200);
    assert_eq!(listed["tasks"].as_array().unwrap().len(), 2);
    assert_eq!(served.uploads(), Vec::<String>::new());
    served.verifies();
}

fn rows_may_be_taken_later(kind: Kind) {
    let served = Served::package(kind, NOTES, "");
    let headers = [("Content-Type", "application/json"), ("Prefer", "respond-async"), ("Idempotency-Key", "k")];
    let body = br#"[{"id":1,"name":"a"},{"id":"x","name":"b"}]"#;
    let answer = served.send("POST", "/v1/tables/people/rows", &headers, body);
    assert_eq!(answer.header("preference-applied"), Some("respond-async"));
    let task = served.ended(&answer.json());
    assert_eq!((task["status"].as_u64(), task["answer"]["inserted"].as_u64()), (Some(200), Some(1)), "{task}");
    assert_eq!(task["answer"]["errors"][0]["row"], 1);
    let again = served.send("POST", "/v1/tables/people/rows", &headers, body);
    assert_eq!((again.header("idempotency-replayed"), again.text()), (Some("true"), answer.text()));
    let other = served.send("POST", "/v1/tables/people/rows", &headers, br#"[{"id":2,"name":"a"}]"#);
    assert_eq!(other.problem(), "idempotency-key-reused");
    // What is no JSON is said at once.
    assert_eq!(served.send("POST", "/v1/rows", &headers[..2], b"{").problem(), "not-json");
    let several = br#"{"people":[{"id":3,"name":"c"}],"notes":[{"text":"t"}]}"#;
    let task = served.ended(&served.send("POST", "/v1/rows", &headers[..2], several).of(202));
    assert_eq!((task["status"].as_u64(), &task["tables"]), (Some(201), &json!(["people", "notes"])), "{task}");
    assert_eq!((served.count("people"), served.count("notes")), (2, 1));
    served.verifies();
}

/// Killed at any moment, and started again: each task that was told of is done once.
fn tasks_survive_being_killed(kind: Kind) {
    let mut served = Served::package(kind, NOTES, "load: {chunkRecords: 500}\n");
    let mut random = Random::new(kind as u64 + 3);
    let mut told = Vec::new();
    for round in 0..6 {
        // A table without keys would be given rows twice by any mistake.
        let lines: String = (0..30_000).map(|at| format!("round {round} note {at}\n")).collect();
        let task = served.upload("/v1/tables/notes/files", &[], format!("text\n{lines}").as_bytes()).of(202);
        told.push(task);
        std::thread::sleep(Duration::from_millis(random.below(250)));
        served.kill();
        served.start();
    }
    for task in &told {
        let task = served.ended(task);
        assert_eq!((task["state"].as_str(), task["inserted"].as_u64()), (Some("done"), Some(30_000)), "{task}");
        assert_eq!(counts(&task), [30_000, 30_000, 0, 0, 0]);
    }
    assert_eq!(served.count("notes"), 180_000);
    assert_eq!(served.uploads(), Vec::<String>::new());
    served.verifies();
}

on_every_database!(a_file_is_loaded_as_a_task, rows_may_be_taken_later, tasks_survive_being_killed);

#[test]
fn several_services_share_tasks_and_do_none_twice() {
    for kind in [Kind::Postgres, Kind::Sqlite] {
        let served = Served::package(kind, NOTES, "load: {chunkRecords: 500}\n");
        let others = [served.beside(), served.beside()];
        let tasks: Vec<Value> = (0..12)
            .map(|at| {
                let lines: String = (0..5000).map(|line| format!("file {at} note {line}\n")).collect();
                served.upload("/v1/tables/notes/files", &[], format!("text\n{lines}").as_bytes()).of(202)
            })
            .collect();
        for (at, task) in tasks.iter().enumerate() {
            let task = ended_at(others[at % 2].address, task);
            assert_eq!(
                (task["state"].as_str(), counts(&task)),
                (Some("done"), [5000, 5000, 0, 0, 0]),
                "{kind:?} {task}"
            );
        }
        assert_eq!(served.count("notes"), 60_000, "{kind:?}");
        served.verifies();
    }
}

#[test]
fn a_task_can_be_cancelled_and_its_file_sent_again() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let served = Served::package(kind, NOTES, "load: {chunkRecords: 200}\n");
        let lines: String = (0..400_000).map(|at| format!("note {at}\n")).collect();
        let body = format!("text\n{lines}");
        let task = served.upload("/v1/tables/notes/files", &[], body.as_bytes()).of(202);
        let path = format!("/v1/tasks/{}", task["task_id"].as_str().unwrap());
        // One that waits behind it is cancelled at once on a database that has one thread for them.
        let begun = Instant::now();
        while served.get(&path).of(200)["progress"]["records"].as_u64().unwrap_or(0) == 0 {
            assert!(begun.elapsed() < Duration::from_secs(20));
        }
        let answer = served.send("DELETE", &path, &[], b"");
        assert!([200, 202].contains(&answer.status), "{}", answer.text());
        let ended = served.ended(&task);
        assert_eq!(ended["state"], "cancelled", "{kind:?} {ended}");
        let [read, inserted, ..] = counts(&ended);
        assert!(read == inserted && inserted < 400_000, "{ended}");
        assert_eq!(served.count("notes"), inserted, "{kind:?}");
        assert_eq!(ended["load_state"], "stopped");
        served.verifies();
        // The same file goes on where it stopped.
        let again = served.upload("/v1/tables/notes/files?wait=60", &[], body.as_bytes()).of(200);
        assert_eq!((again["state"].as_str(), counts(&again)), (Some("done"), [400_000, 400_000, 0, 0, 0]), "{again}");
        assert_eq!(served.count("notes"), 400_000, "{kind:?}");
        assert_eq!(served.send("DELETE", &path, &[], b"").status, 200);
        let other = format!("/v1/tasks/{}", again["task_id"].as_str().unwrap());
        assert_eq!(served.send("DELETE", &other, &[], b"").problem(), "conflict");
        served.verifies();
    }
}

#[test]
fn files_come_plain_compressed_and_in_forms() {
    let served = Served::package(Kind::Sqlite, NOTES, "");
    let form = |parts: &str| format!("{parts}--edge--\r\n").into_bytes();
    let part = |head: &str, body: &str| format!("--edge\r\nContent-Disposition: form-data; {head}\r\n\r\n{body}\r\n");
    let multipart = [("Content-Type", "multipart/form-data; boundary=edge")];
    let file = part("name=\"file\"; filename=\"C:\\dir\\p.csv\"", "id,name\n1,a\n");
    let task = served.upload(&format!("{PEOPLE}?wait=60"), &multipart, &form(&file)).of(200);
    assert_eq!((task["file"].as_str(), task["inserted"].as_u64()), (Some("p.csv"), Some(1)), "{task}");
    let gzip = gzipped(b"id,name\n2,b\n3,c\n");
    let encoded = [("Content-Encoding", "gzip"), ("Content-Type", "text/csv")];
    let task = served.upload(&format!("{PEOPLE}?wait=60"), &encoded, &gzip).of(200);
    assert_eq!(task["inserted"], 2, "{task}");
    let zstd = zstd::encode_all(&b"id,name\n4,d\n"[..], 3).unwrap();
    assert_eq!(served.upload(&format!("{PEOPLE}?wait=60"), &[], &zstd).of(200)["inserted"], 1);
    assert_eq!(served.count("people"), 4);
    for body in
        [form(""), form(&[file.clone(), file.clone()].concat()), form(&part("name=\"a\"", "b")), b"--edg".to_vec()]
    {
        assert_eq!(served.upload(PEOPLE, &multipart, &body).problem(), "wrong-shape");
    }
    let halved = &gzip[..gzip.len() - 6];
    assert_eq!(served.upload(PEOPLE, &encoded, halved).problem(), "wrong-shape");
    for (name, value) in
        [("Content-Type", "application/json"), ("Content-Encoding", "br"), ("Content-Type", "multipart/mixed")]
    {
        assert_eq!(
            served.upload(PEOPLE, &[(name, value)], b"id,name\n").problem(),
            "unsupported-media-type",
            "{value}"
        );
    }
    assert_eq!(served.upload("/v1/tables/none/files", &[], b"x").status, 404);
    std::thread::sleep(Duration::from_millis(200));
    served.get("/healthz").of(200);
}

#[test]
fn a_file_may_be_written_otherwise_than_its_table_says() {
    let served = Served::package(Kind::Sqlite, NOTES, "");
    let asked = format!("{PEOPLE}?wait=60&delimiter=%3B&header=false&encoding=windows-1252&quoteChar='");
    let task = served.upload(&asked, &[], b"1;'M\xfcller; A'\nx;'\x80'\n").of(200);
    assert_eq!(counts(&task), [2, 1, 0, 0, 1], "{task}");
    let rows = served.get("/v1/tables/people/rows").of(200);
    assert_eq!(rows["rows"], json!([{"id": 1, "name": "Müller; A"}]));
    // The record is read again as it was written, by the service and by the command.
    let retried = served.post("/v1/tables/people/rejects/retry", "").of(200);
    assert_eq!(retried["loads"][0]["rejected"], 1, "{retried}");
    let exported = served.get("/v1/tables/people/rejects.csv").text();
    assert!(exported.contains("\nx,€,"), "{exported}");
    served.project.write("mended.csv", exported.replace("\nx,", "\n2,"));
    served.run(&["rejects", "retry", "--from", "mended.csv"]).exits(0);
    assert_eq!(served.count("people"), 2);
    served.verifies();
    for wrong in
        ["delimiter=%0A", "ragged=no", "header=1", "encoding=klingon", "headerRows=2", "mode=rows", "max_rejects=x"]
    {
        assert_eq!(
            served.upload(&format!("{PEOPLE}?{wrong}"), &[], b"id,name\n").problem(),
            "bad-parameter",
            "{wrong}"
        );
    }
}

#[test]
fn what_is_asked_of_a_file_is_done() {
    let served = Served::package(Kind::Sqlite, NOTES, "");
    let load =
        |query: &str, body: &str| served.upload(&format!("{PEOPLE}?wait=60&{query}"), &[], body.as_bytes()).of(200);
    assert_eq!(counts(&load("", "id,name\n1,a\n2,b\n")), [2, 2, 0, 0, 0]);
    assert_eq!(counts(&load("mode=upsert", "id,name\n1,A\n2,b\n")), [2, 0, 1, 1, 0]);
    assert_eq!(counts(&load("on_conflict=keep", "id,name\n1,x\n3,c\n")), [2, 1, 0, 1, 0]);
    let atomic = load("atomic=true", "id,name\n4,d\nx,y\n");
    assert_eq!((atomic["state"].as_str(), atomic["load_state"].as_str()), (Some("failed"), Some("rolled-back")));
    assert_eq!((counts(&atomic), served.count("people")), ([2, 0, 0, 0, 2], 3));
    let stopped = load("max_rejects=0", "id,name\n5,e\nx,y\n");
    assert_eq!(
        (stopped["state"].as_str(), stopped["load_state"].as_str()),
        (Some("failed"), Some("stopped")),
        "{stopped}"
    );
    assert_eq!(counts(&load("mode=replace", "id,name\n9,z\n")), [1, 1, 0, 0, 0]);
    assert_eq!(served.count("people"), 1);
    let failed = load("name=wrong.csv", "name,id\n");
    assert_eq!(failed["state"], "failed");
    let detail = failed["problem"]["detail"].as_str().unwrap();
    assert!(detail.starts_with("wrong.csv: its header is not that of the table"), "{detail}");
    assert_eq!(served.uploads(), Vec::<String>::new());
    served.verifies();
}

#[test]
fn uploads_are_bounded() {
    let settings = "api: {maxUpload: 100kB, uploadSpace: 150kB, bodyTimeout: 1}\n";
    let served = Served::package(Kind::Sqlite, NOTES, settings);
    assert_eq!(served.upload(PEOPLE, &[], &people(20_000)).problem(), "content-too-large");
    // A small file that becomes a large one.
    let bomb = gzipped(&vec![b'a'; 2_000_000]);
    assert!(bomb.len() < 20_000);
    assert_eq!(served.upload(PEOPLE, &[], &bomb).problem(), "content-too-large");
    assert_eq!(served.uploads(), Vec::<String>::new());
    // It takes space as long as its request may yet store its job.
    let folder = served.project.path().join(".landfall/uploads");
    std::fs::write(folder.join("0.upload"), vec![0; 20_000]).unwrap();
    let mut stream = connect(served.address).unwrap();
    let mut asked = request("POST", PEOPLE, &[], &people(5000));
    asked.truncate(asked.len() - 10);
    stream.write_all(&asked).unwrap();
    let mut told = String::new();
    stream.read_to_string(&mut told).unwrap();
    assert!(told.starts_with("HTTP/1.1 408"), "{told}");
    assert_eq!(served.uploads(), ["0.upload"]);
    served.upload(&format!("{PEOPLE}?wait=30"), &[], &people(1000)).of(200);
}

#[test]
fn the_space_of_all_uploads_is_bounded() {
    let served = Served::package(Kind::Sqlite, NOTES, "api: {uploadSpace: 100kB}\njobs: {keep: 10s}\n");
    served.upload(&format!("{PEOPLE}?wait=30"), &[], &people(10)).of(200);
    // As another process would store it.
    let path = served.project.path().join(".landfall/uploads/0.upload");
    std::fs::write(&path, vec![0; 90_000]).unwrap();
    let answer = served.upload(PEOPLE, &[], &people(5000));
    assert_eq!((answer.problem().as_str(), answer.header("retry-after")), ("no-space", Some("60")));
    served.upload(&format!("{PEOPLE}?wait=30"), &[], &people(20)).of(200);
    // A file that no task is about is removed once no request can be about to store the task.
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(std::time::SystemTime::now() - Duration::from_secs(3 * 3600)).unwrap();
    let begun = Instant::now();
    while path.exists() {
        assert!(begun.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(100));
    }
    served.upload(&format!("{PEOPLE}?wait=30"), &[], &people(5000)).of(200);
}

#[test]
fn who_watches_a_task_is_told_of_its_end() {
    let served = Served::package(Kind::Sqlite, NOTES, "load: {chunkRecords: 500}\n");
    let task = served.upload(PEOPLE, &[], &people(100_000)).of(202);
    let path = format!("/v1/tasks/{}/events", task["task_id"].as_str().unwrap());
    let answer = served.get(&path);
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    let text = answer.text();
    let last = text.trim_end().rsplit("\n\n").next().unwrap();
    let data = last.strip_prefix("event: end\ndata: ").unwrap_or_else(|| panic!("{text}"));
    let task: Value = serde_json::from_str(data).unwrap();
    assert_eq!((task["state"].as_str(), task["inserted"].as_u64()), (Some("done"), Some(100_000)));
    assert_eq!(served.get("/v1/tasks/none/events").status, 404);
}

/// Rows waited for the whole load of a file, and were refused in the end.
#[test]
fn rows_are_taken_while_a_file_is_loaded() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let served = Served::package(kind, NOTES, "load: {chunkRecords: 20000}\n");
        let task = served.upload(PEOPLE, &[], &people(700_000)).of(202);
        let (mut longest, mut sent) = (Duration::ZERO, 0);
        loop {
            let begun = Instant::now();
            served.post("/v1/tables/notes/rows", r#"[{"text":"meanwhile"}]"#).of(201);
            (longest, sent) = (longest.max(begun.elapsed()), sent + 1);
            let state = served.get(&format!("/v1/tasks/{}", task["task_id"].as_str().unwrap())).of(200);
            if state["state"] == "done" {
                break;
            }
        }
        assert!(longest < Duration::from_secs(3), "{kind:?}: {longest:?} for one of {sent} requests");
        assert_eq!((served.count("notes"), served.count("people")), (sent, 700_000));
    }
}

/// What stood before the first part of a form, or in the headers of a part, was held in memory whole.
#[test]
fn a_form_without_its_file_is_bounded() {
    let served = Served::package(Kind::Sqlite, NOTES, "");
    let form = [("Content-Type", "multipart/form-data; boundary=b")];
    let part = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"p.csv\"\r\n";
    let long = "x".repeat(8 << 20);
    let end = "id,name\n1,a\n\r\n--b--\r\n";
    for body in [
        format!("{long}\r\n{part}\r\n{end}"),
        long.clone(),
        format!("{part}X: {long}\r\n\r\n{end}"),
        format!("{part}X: {long}"),
        format!("{}{end}", "--b\r\nX: y\r\n".repeat(300_000)),
    ] {
        let answer = served.upload(PEOPLE, &form, body.as_bytes());
        assert!([413, 422].contains(&answer.status), "{}", answer.text());
        answer.problem();
    }
    // A preamble, and a file that is longer than what may stand before one, are sound.
    let file = String::from_utf8(people(20_000)).unwrap();
    let body = format!("preamble\r\n{part}X: y\r\n\r\n{file}\r\n--b--\r\nepilogue");
    let task = served.upload(&format!("{PEOPLE}?wait=60"), &form, body.as_bytes()).of(200);
    assert_eq!(task["inserted"], 20_000, "{task}");
}
