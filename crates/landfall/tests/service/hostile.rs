//! Clients that mean no good, or know no better: they are told so, and hold up nobody else.

use std::{
    io::{Read as _, Write as _},
    time::{Duration, Instant},
};

use super::{
    asked::{connect, exchange, request},
    place::Kind,
    served::Served,
};

const PATH: &str = "/v1/tables/departments/rows";

#[test]
fn a_body_beyond_the_limit_is_refused_before_it_is_read() {
    let served = Served::example(Kind::Sqlite);
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n"
    );
    let answer = exchange(&mut connect(served.address).unwrap(), head.as_bytes()).unwrap();
    assert_eq!((answer.status, answer.problem().as_str()), (413, "content-too-large"));
    let mut stream = connect(served.address).unwrap();
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let chunk = [b"100000\r\n", &vec![b' '; 1 << 20][..], b"\r\n"].concat();
    for _ in 0..20 {
        if stream.write_all(&chunk).is_err() {
            break;
        }
    }
    let mut told = Vec::new();
    let _ = stream.read_to_end(&mut told);
    assert!(told.is_empty() || String::from_utf8_lossy(&told).contains(" 413 "), "{}", String::from_utf8_lossy(&told));
    served.get("/readyz").of(200);
}

#[test]
fn what_is_no_request_is_refused() {
    let served = Served::example(Kind::Sqlite);
    let long = "x".repeat(100_000);
    let many: String = (0..200).map(|at| format!("X-{at}: y\r\n")).collect();
    for head in [
        "NONSENSE\r\n\r\n".to_owned(),
        "GET / HTTP/9.9\r\n\r\n".to_owned(),
        format!("GET /{long} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {long}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: localhost\r\n{many}\r\n"),
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n".to_owned(),
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n".to_owned(),
        "GET /\0 HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
    ] {
        let answer = exchange(&mut connect(served.address).unwrap(), head.as_bytes());
        let status = answer.map_or(400, |answer| answer.status);
        assert!((400..500).contains(&status), "{status}: {}", &head[..head.len().min(60)]);
    }
    served.get("/readyz").of(200);
}

/// The HTTP library's own refusals had a status and no body.
#[test]
fn what_is_no_request_is_told_as_a_problem() {
    let served = Served::example(Kind::Sqlite);
    let long = "x".repeat(40_000);
    let longer = "x".repeat(300_000);
    let many: String = (0..200).map(|at| format!("X-{at}: y\r\n")).collect();
    let get = |rest: &str| format!("GET /v1/tables HTTP/1.1\r\n{rest}\r\n");
    for (head, status, problem) in [
        ("NONSENSE\r\n\r\n".to_owned(), 400, "bad-request"),
        ("GET /\0 HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(), 400, "bad-request"),
        (get("Host: localhost\r\nContent-Length: x\r\n"), 400, "bad-request"),
        (get("Host: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n"), 400, "bad-request"),
        (get(""), 400, "bad-header"),
        (get("Host: a\r\nHost: b\r\n"), 400, "bad-header"),
        (format!("GET /?{long} HTTP/1.1\r\nHost: localhost\r\n\r\n"), 414, "uri-too-long"),
        (format!("GET /?{longer} HTTP/1.1\r\nHost: localhost\r\n\r\n"), 431, "request-header-fields-too-large"),
        (get(&format!("Host: localhost\r\nX: {longer}\r\n")), 431, "request-header-fields-too-large"),
        (get(&format!("Host: localhost\r\nX: {long}\r\nY: {long}\r\n")), 431, "request-header-fields-too-large"),
        (get(&format!("Host: localhost\r\n{many}")), 431, "request-header-fields-too-large"),
    ] {
        let answer = exchange(&mut connect(served.address).unwrap(), head.as_bytes()).unwrap();
        assert_eq!((answer.status, answer.problem().as_str()), (status, problem), "{}", &head[..head.len().min(60)]);
    }
    // Behind an answer, on the same connection.
    let mut stream = connect(served.address).unwrap();
    assert_eq!(exchange(&mut stream, &request("GET", "/v1/tables", &[], b"")).unwrap().status, 200);
    assert_eq!(exchange(&mut stream, b"NONSENSE\r\n\r\n").unwrap().problem(), "bad-request");
    // In HTTP/1.0 nobody need name a host.
    let old = exchange(&mut connect(served.address).unwrap(), b"GET /healthz HTTP/1.0\r\n\r\n").unwrap();
    assert_eq!(old.status, 200);
}

#[test]
fn a_body_with_two_lengths_is_not_smuggled() {
    let served = Served::example(Kind::Sqlite);
    let body = "0\r\n\r\nGET /v1/tables HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n{body}",
        body.len()
    );
    let mut stream = connect(served.address).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
    let mut told = Vec::new();
    let _ = stream.read_to_end(&mut told);
    let told = String::from_utf8_lossy(&told);
    assert!(!told.contains("\"tables\""), "{told}");
}

#[test]
fn slow_clients_are_cut_off_and_hold_up_nobody() {
    let served = Served::package(
        Kind::Sqlite,
        "resources: [{name: things, path: t.csv, schema: {fields: [{name: a, type: integer}]}}]",
        "api: {bodyTimeout: 1}\n",
    );
    let mut slow: Vec<_> = (0..200).map(|_| connect(served.address).unwrap()).collect();
    for (at, stream) in slow.iter_mut().enumerate() {
        // Half of them stop within the head, and half within the body.
        let head = "POST /v1/tables/things/rows HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        if at % 2 == 0 {
            stream.write_all(b"\r\n[").unwrap();
        }
    }
    let begun = Instant::now();
    served.post("/v1/tables/things/rows", r#"[{"a":1}]"#).of(201);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    let answer = exchange(&mut slow[0], b"").unwrap();
    assert_eq!((answer.status, answer.problem().as_str()), (408, "request-timeout"));
}

/// Rows that were acknowledged went to a file that nobody could open any more.
#[test]
fn a_database_file_that_was_removed_is_noticed() {
    let served = Served::example(Kind::Sqlite);
    served.post(PATH, r#"[{"id":1,"department":"a"}]"#).of(201);
    for name in ["landfall.db", "landfall.db-wal", "landfall.db-shm"] {
        let _ = std::fs::remove_file(served.project.path().join(name));
    }
    let answer = served.post(PATH, r#"[{"id":2,"department":"b"}]"#);
    assert!(answer.status >= 500, "{} {}", answer.status, answer.text());
}

/// A column that another program had renamed was read as its own name.
#[test]
fn a_column_that_is_gone_is_an_error() {
    let served = Served::example(Kind::Sqlite);
    served.post(PATH, r#"[{"id":1,"department":"a"}]"#).of(201);
    served.place.run("ALTER TABLE departments RENAME COLUMN department TO other");
    let answer = served.get(PATH);
    assert!(answer.status >= 500, "{} {}", answer.status, answer.text());
}

/// A table that another program had dropped was read as an empty one, and the service called itself ready.
#[test]
fn a_table_that_is_gone_is_no_empty_table() {
    let served = Served::example(Kind::Sqlite);
    served.post(PATH, r#"[{"id":1,"department":"a"}]"#).of(201);
    assert_eq!(served.get("/readyz").of(200)["checks"]["tables"], "ok");
    served.place.run("PRAGMA foreign_keys = OFF; DROP TABLE departments");
    for path in [PATH, "/v1/tables/departments", "/v1/tables?counts=true"] {
        assert_eq!(served.get(path).problem(), "database", "{path}");
    }
    assert_eq!(served.get("/v1/tables/jobs/rows").of(200)["rows"], serde_json::json!([]));
    served.get("/v1/tables/departments?counts=false").of(200);
    let noticed = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        served.get("/readyz").status == 503
    });
    assert!(noticed);
    assert_eq!(served.get("/readyz").of(503)["checks"]["tables"], "unavailable");
}

#[test]
fn bodies_in_other_encodings_are_refused() {
    let served = Served::example(Kind::Sqlite);
    for headers in [
        [("Content-Type", "application/json; charset=utf-16"), ("X", "y")],
        [("Content-Type", "text/csv; charset=\"iso-8859-1\""), ("X", "y")],
        [("Content-Type", "application/json"), ("Content-Encoding", "gzip")],
    ] {
        assert_eq!(served.send("POST", PATH, &headers, b"[{}]").problem(), "unsupported-media-type");
    }
    let headers = [("Content-Type", "application/json; charset=UTF-8"), ("Content-Encoding", "identity")];
    assert_eq!(served.send("POST", PATH, &headers, br#"[{"id":1,"department":"a"}]"#).status, 201);
}

#[test]
fn deep_and_wide_bodies_are_answered() {
    let served = Served::example(Kind::Sqlite);
    let wide: Vec<String> = (0..100_000).map(|at| format!("\"f{at}\":1")).collect();
    for (body, status) in [
        ("[".repeat(1_000_000), 400),
        (format!("[{{\"id\":{}}}]", "[".repeat(500_000)), 400),
        (format!("[{{{}}}]", wide.join(",")), 422),
        (format!("[{{\"id\":1,\"department\":\"{}\"}}]", "x".repeat(5_000_000)), 201),
        (format!("[{{\"id\":{},\"department\":\"x\"}}]", "9".repeat(1_000_000)), 422),
        (format!("[{{\"id\":1e{},\"department\":\"x\"}}]", "9".repeat(100)), 422),
        ("[{\"id\":1e999999999,\"department\":\"x\"}]".to_owned(), 422),
    ] {
        let answer = served.post(PATH, &body);
        assert_eq!(answer.status, status, "{}", answer.text().chars().take(300).collect::<String>());
    }
    served.get("/readyz").of(200);
    served.verifies();
}

#[test]
fn a_client_that_goes_away_leaves_nothing_half_done() {
    let served = Served::example(Kind::Sqlite);
    for id in 1..50 {
        let body = format!(r#"[{{"id":{id},"department":"d"}}]"#);
        let bytes = request("POST", PATH, &[("Content-Type", "application/json")], body.as_bytes());
        let mut stream = connect(served.address).unwrap();
        stream.write_all(&bytes[..bytes.len() - id % 3]).unwrap();
    }
    // Whoever does not wait for the answer may be taken for gone, and nothing is done then.
    std::thread::sleep(Duration::from_millis(500));
    let there = served.count("departments");
    assert!(there <= 16, "{there}: only what was sent whole");
    let loads = served.get("/v1/loads?limit=1000").of(200);
    assert_eq!(loads["loads"].as_array().unwrap().len() as u64, there);
    served.verifies();
}
