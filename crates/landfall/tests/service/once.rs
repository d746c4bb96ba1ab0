//! One Idempotency-Key, one effect.

use std::thread;

use super::{
    asked::{connect, exchange, request},
    place::Kind,
    served::{Served, on_every_database},
};

const PATH: &str = "/v1/tables/departments/rows";
const ROWS: &str = r#"[{"id":1,"department":"Sales"},{"id":2}]"#;

fn the_first_answer_is_repeated_byte_for_byte_also_after_a_crash(kind: Kind) {
    let mut served = Served::example(kind);
    let send = |served: &Served, key: &str, path: &str, body: &str| {
        let headers = [("Content-Type", "application/json"), ("Idempotency-Key", key)];
        served.send("POST", path, &headers, body.as_bytes())
    };
    let first = send(&served, "one", PATH, ROWS);
    assert_eq!((first.status, first.header("idempotency-replayed")), (200, None));
    for crash in [false, true] {
        if crash {
            served.kill();
            served.start();
        }
        let again = send(&served, "one", PATH, ROWS);
        assert_eq!((again.status, &again.body), (first.status, &first.body));
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
        assert_eq!(send(&served, "one", PATH, r#"[{"id":3,"department":"x"}]"#).problem(), "idempotency-key-reused");
        assert_eq!(send(&served, "one", &format!("{PATH}?atomic=true"), ROWS).problem(), "idempotency-key-reused");
    }
    assert_eq!(send(&served, "two", PATH, ROWS).status, 200);
    assert_eq!((served.count("departments"), &served.get("/v1/rejects").of(200)["count"]), (1, &serde_json::json!(2)));
    assert_eq!(send(&served, "", PATH, ROWS).problem(), "bad-header");
    assert_eq!(send(&served, &"k".repeat(256), PATH, ROWS).problem(), "bad-header");
    served.verifies();
}

fn a_thousand_copies_at_once_have_one_effect(kind: Kind) {
    const THREADS: usize = 50;
    const COPIES: usize = 20;
    let served = Served::example(kind);
    let address = served.address;
    let headers = [("Content-Type", "application/json"), ("Idempotency-Key", "all the same")];
    let bytes = request("POST", PATH, &headers, ROWS.as_bytes());
    let answers: Vec<_> = thread::scope(|scope| {
        let copy = || {
            let mut stream = connect(address).unwrap();
            (0..COPIES).map(|_| exchange(&mut stream, &bytes).unwrap()).collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(copy)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(answers.len(), THREADS * COPIES);
    let done: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert!(done.iter().all(|answer| answer.body == done[0].body));
    assert_eq!(done.iter().filter(|answer| answer.header("idempotency-replayed").is_none()).count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!((answer.status, answer.problem().as_str()), (409, "request-in-flight"));
    }
    assert_eq!(served.get("/v1/loads").of(200)["loads"].as_array().unwrap().len(), 1);
    assert_eq!((served.count("departments"), &served.get("/v1/rejects").of(200)["count"]), (1, &serde_json::json!(1)));
}

const PEOPLE: &str = "resources: [{name: people, path: p.csv, schema: {primaryKey: id, fields: [{name: id, type: integer}, {name: n, type: integer}]}}]";
const REPORTS: &str = "reports: {all: {sql: all.sql}}\n";

/// What is asked under a key, and what is to be counted of its effects.
struct Asked {
    method: &'static str,
    path: String,
    media: &'static str,
    body: &'static str,
}

/// A key was refused, or did nothing, where it was not of rows.
fn every_request_with_an_effect_has_it_once_under_a_key(kind: Kind) {
    let mut served = Served::package(kind, PEOPLE, REPORTS);
    served.project.write("all.sql", "SELECT id FROM people");
    served.kill();
    served.start();
    for id in 1..=8 {
        served.post("/v1/tables/people/rows", &format!(r#"[{{"id":{id},"n":"x"}}]"#)).of(422);
    }
    let mended = served.get("/v1/tables/people/rejects.csv").text();
    let mended: &'static str = mended.replace("\n8,x", "\n8,8").leak();
    let json = "application/json";
    let asked = |method, path: &str, media, body| Asked { method, path: path.into(), media, body };
    let mut all = vec![
        asked("POST", "/v1/reports/all/exports", json, ""),
        asked("PATCH", "/v1/rejects/1", json, r#"{"n":1}"#),
        asked("PATCH", "/v1/rejects/2", json, r#"{"n":"y"}"#),
        asked("POST", "/v1/rejects/3/retry", json, ""),
        asked("POST", "/v1/rejects/4/discard", json, r#"{"reason":"r"}"#),
        asked("POST", "/v1/tables/people/rejects.csv", "text/csv", mended),
        asked("POST", "/v1/tables/people/rejects/retry", json, ""),
        asked("POST", "/v1/tables/people/rejects/discard?load=5", json, r#"{"reason":"r"}"#),
        asked("POST", "/v1/tables/people/files", "text/csv", "id,n\n20,20\n"),
        asked("POST", "/v1/backups", json, ""),
    ];
    let send = |served: &Served, asked: &Asked, key: &str| {
        let headers = [("Content-Type", asked.media), ("Idempotency-Key", key)];
        served.send(asked.method, &asked.path, &headers, asked.body.as_bytes())
    };
    let mut answers = Vec::new();
    for (at, one) in all.iter().enumerate() {
        let first = send(&served, one, &format!("key {at}"));
        assert!(first.status < 300 || first.status == 422, "{}: {}", one.path, first.text());
        assert_eq!(first.header("idempotency-replayed"), None, "{}", one.path);
        answers.push(first);
    }
    let task = answers[9].json();
    super::files::ended_at(served.address, &answers[8].json());
    super::files::ended_at(served.address, &task);
    all.push(asked("POST", "/v1/tables/people/restore?mode=append", json, ""));
    answers.push(send(&served, &all[10], "key 10"));
    super::files::ended_at(served.address, &answers[10].json());
    let effects = |served: &Served| {
        let count = |path: &str, name: &str| served.get(path).of(200)[name].as_array().unwrap().len();
        let exports = std::fs::read_dir(served.project.path().join(".landfall/exports")).unwrap().count();
        let events: usize = (1..=8).map(|id| count(&format!("/v1/rejects/{id}"), "events")).sum();
        [count("/v1/loads", "loads"), count("/v1/tasks", "tasks"), count("/v1/backups", "backups"), exports, events]
    };
    let before = effects(&served);
    for crash in [false, true] {
        if crash {
            served.kill();
            served.start();
        }
        for (at, (one, first)) in all.iter().zip(&answers).enumerate() {
            let again = send(&served, one, &format!("key {at}"));
            assert_eq!((again.status, again.text()), (first.status, first.text()), "{}", one.path);
            assert_eq!(again.header("idempotency-replayed"), Some("true"), "{}", one.path);
            assert_eq!(again.header("location"), first.header("location"), "{}", one.path);
            let other = send(&served, &all[(at + 1) % all.len()], &format!("key {at}"));
            assert_eq!(other.problem(), "idempotency-key-reused", "{}", one.path);
        }
        assert_eq!(effects(&served), before);
    }
    served.verifies();
}

/// Copies that come at once: one has the effect, and the others its answer, or are told that it is under way.
fn copies_at_once_have_one_effect(kind: Kind) {
    let served = Served::package(kind, PEOPLE, REPORTS);
    served.project.write("all.sql", "SELECT id FROM people");
    served.post("/v1/tables/people/rows", r#"[{"id":1,"n":"x"},{"id":2,"n":"x"}]"#).of(422);
    let cases = [
        ("PATCH", "/v1/rejects/1", r#"{"n":5}"#, 200),
        ("POST", "/v1/rejects/2/discard", r#"{"reason":"r"}"#, 200),
        ("POST", "/v1/tables/people/files", "id,n\n9,9\n", 202),
        ("POST", "/v1/backups", "", 202),
    ];
    for (method, path, body, status) in cases {
        let media = if path.ends_with("files") { "text/csv" } else { "application/json" };
        let bytes = request(method, path, &[("Content-Type", media), ("Idempotency-Key", path)], body.as_bytes());
        let answers: Vec<_> = thread::scope(|scope| {
            let copy =
                || (0..5).map(|_| exchange(&mut connect(served.address).unwrap(), &bytes).unwrap()).collect::<Vec<_>>();
            let threads: Vec<_> = (0..12).map(|_| scope.spawn(copy)).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        let first =
            answers.iter().filter(|answer| answer.status == status && answer.header("idempotency-replayed").is_none());
        assert_eq!(first.count(), 1, "{path}");
        let done: Vec<_> = answers.iter().filter(|answer| answer.status == status).collect();
        assert!(done.iter().all(|answer| answer.body == done[0].body), "{path}");
        for answer in answers.iter().filter(|answer| answer.status != status) {
            assert_eq!((answer.status, answer.problem().as_str()), (409, "request-in-flight"), "{path}");
        }
    }
    assert_eq!(served.get("/v1/tasks").of(200)["tasks"].as_array().unwrap().len(), 2);
}

/// A copy whose first is still being sent need not send its file too.
#[test]
fn a_copy_of_an_upload_that_is_under_way_is_refused_at_once() {
    let served = Served::package(Kind::Sqlite, PEOPLE, "");
    let headers = [("Content-Type", "text/csv"), ("Idempotency-Key", "one")];
    let whole = request("POST", "/v1/tables/people/files", &headers, b"id,n\n1,1\n");
    let mut slow = connect(served.address).unwrap();
    std::io::Write::write_all(&mut slow, &whole[..whole.len() - 3]).unwrap();
    thread::sleep(std::time::Duration::from_millis(300));
    let copy = exchange(&mut connect(served.address).unwrap(), &whole).unwrap();
    assert_eq!((copy.status, copy.problem().as_str()), (409, "request-in-flight"));
    assert_eq!(exchange(&mut slow, &whole[whole.len() - 3..]).unwrap().status, 202);
    let again = exchange(&mut connect(served.address).unwrap(), &whole).unwrap();
    assert_eq!((again.status, again.header("idempotency-replayed")), (202, Some("true")));
}

on_every_database! {
    every_request_with_an_effect_has_it_once_under_a_key,
    copies_at_once_have_one_effect,
    the_first_answer_is_repeated_byte_for_byte_also_after_a_crash,
    a_thousand_copies_at_once_have_one_effect,
}

#[test]
fn two_services_on_one_database_share_their_keys() {
    for kind in [Kind::Postgres, Kind::Mariadb, Kind::Sqlite] {
        let one = Served::example(kind);
        let other = one.beside();
        let answers: Vec<_> = thread::scope(|scope| {
            let copy = |address| {
                scope.spawn(move || {
                    let mut stream = connect(address).unwrap();
                    let ask = |number: usize| {
                        let key = format!("key {number}");
                        let headers = [("Content-Type", "application/json"), ("Idempotency-Key", key.as_str())];
                        let body = format!(r#"[{{"id":{number},"department":"d"}}]"#);
                        exchange(&mut stream, &request("POST", PATH, &headers, body.as_bytes())).unwrap()
                    };
                    (1..=50).map(ask).collect::<Vec<_>>()
                })
            };
            let threads = [copy(one.address), copy(other.address)];
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        for (left, right) in answers[0].iter().zip(&answers[1]) {
            assert_eq!((left.status, right.status), (201, 201), "{}{}", left.text(), right.text());
            assert_eq!(left.body, right.body);
        }
        drop(other);
        assert_eq!(one.count("departments"), 50);
        one.verifies();
    }
}
