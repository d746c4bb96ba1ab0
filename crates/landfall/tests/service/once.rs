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

on_every_database! {
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
