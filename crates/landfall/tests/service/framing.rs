//! Requests that two programs may read in two ways, and answers that come before the request has ended.

use std::{
    io::{Read as _, Write as _},
    time::{Duration, Instant},
};

use super::{
    access::wait_for_tokens,
    asked::{Answer, connect, exchange, request},
    place::Kind,
    served::Served,
};

const PATH: &str = "/v1/tables/departments/rows";

fn post(headers: &str, body: &str) -> String {
    format!("POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{headers}\r\n{body}")
}

/// How many answers with an error there are in what the service has said.
fn refusals(told: &str) -> usize {
    told.matches("HTTP/1.1 4").count()
}

/// All that the service says to `bytes`, which are sent at once, until it ends the connection or says no more.
fn all_of(served: &Served, bytes: &[u8]) -> String {
    let mut stream = connect(served.address).unwrap();
    let _ = stream.write_all(bytes);
    stream.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
    let mut told = Vec::new();
    let _ = stream.read_to_end(&mut told);
    String::from_utf8_lossy(&told).into_owned()
}

/// A body that a proxy before the service reads otherwise would hide a request of its own.
#[test]
fn what_two_programs_may_read_in_two_ways_is_refused_whole() {
    let served = Served::example(Kind::Sqlite);
    let hidden = "GET /v1/tables HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let chunked = format!("0\r\n\r\n{hidden}");
    for headers in [
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding:\r\n",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length:\r\n",
        "Content-Length : 5\r\n",
        "X: y\r\n Content-Length: 5\r\n",
        "X: y\r\n\tz\r\n",
        "X: y\nContent-Length: 5\r\n",
        "X: y\rContent-Length: 5\r\n",
        "X\r\n",
    ] {
        let told = all_of(&served, post(headers, &chunked).as_bytes());
        assert!(told.starts_with("HTTP/1.1 400 "), "{headers:?}: {told}");
        assert!(told.contains("urn:landfall:problem:bad-request"), "{headers:?}: {told}");
        assert_eq!((refusals(&told), told.matches("HTTP/1.1 2").count()), (1, 0), "{headers:?}: {told}");
        assert!(!told.contains("\"tables\""), "{headers:?}: {told}");
    }
    // Lines that end in LF alone, and HTTP/1.0 with chunks.
    for head in [
        format!("GET /v1/tables HTTP/1.1\nHost: localhost\n\n{hidden}"),
        format!("GET /v1/tables HTTP/1.1\r\nHost: localhost\r\n\n{hidden}"),
        format!("POST {PATH} HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n{chunked}"),
    ] {
        let told = all_of(&served, head.as_bytes());
        assert!(told.starts_with("HTTP/1.1 400 ") && refusals(&told) == 1, "{head:?}: {told}");
    }
    // Chunks whose size is none, or that do not end where they say.
    for body in [
        "x\r\n[]\r\n0\r\n\r\n",
        "2\n[]\r\n0\r\n\r\n",
        "2;a\n[]\r\n0\r\n\r\n",
        "+2\r\n[]\r\n0\r\n\r\n",
        "2\r\n[]x\r\n0\r\n\r\n",
        "0x2\r\n[]\r\n0\r\n\r\n",
        "ffffffffffffffffff\r\n[]\r\n0\r\n\r\n",
        "2\r\n[]0\r\n\r\n",
    ] {
        let sent = post("Transfer-Encoding: chunked\r\n", body) + hidden;
        let told = all_of(&served, sent.as_bytes());
        assert!(told.starts_with("HTTP/1.1 400 ") && refusals(&told) == 1, "{body:?}: {told}");
        assert!(!told.contains("\"tables\""), "{body:?}: {told}");
    }
    assert_eq!(served.count("departments"), 0);
    // What is sound is taken, one behind the other.
    let rows = r#"[{"id":1,"department":"a"}]"#;
    let sized = post(&format!("Content-Length: {}\r\n", rows.len()), rows);
    let rows = format!("{:x};ext=1\r\n{rows}\r\n0\r\nTrailer: x\r\n\r\n", rows.len());
    let told = all_of(&served, (sized + &post("Transfer-Encoding: Chunked\r\n", &rows) + hidden).as_bytes());
    assert_eq!((told.matches("HTTP/1.1 201 ").count(), told.matches("HTTP/1.1 200 ").count()), (2, 1), "{told}");
}

#[test]
fn a_host_or_token_that_may_be_read_in_two_ways_is_refused() {
    let mut served = Served::example(Kind::Sqlite);
    let ask = |served: &Served, head: &str| {
        let answer = exchange(&mut connect(served.address).unwrap(), format!("{head}\r\n").as_bytes()).unwrap();
        (answer.status, if answer.status < 300 { String::new() } else { answer.problem() })
    };
    let get = |host: &str| format!("GET /v1/tables HTTP/1.1\r\n{host}");
    for host in [
        "",
        "Host:\r\n",
        "Host: a b\r\n",
        "Host: localhost/x\r\n",
        "Host: /\r\n",
        "Host: user@localhost\r\n",
        "Host: user:word@localhost\r\n",
        "Host: localhost?x\r\n",
        "Host: localhost#x\r\n",
        "Host: localhost,evil.example\r\n",
        "Host: localhost\\x\r\n",
        "Host: localhost:x\r\n",
        "Host: localhost:99999\r\n",
        "Host: :80\r\n",
        "Host: [::1\r\n",
        "Host: localhost\r\nHost: localhost\r\n",
    ] {
        assert_eq!(ask(&served, &get(host)), (400, "bad-header".into()), "{host:?}");
    }
    for host in ["Host: localhost\r\n", "Host: localhost:80\r\n", "Host: [::1]:80\r\n", "HOST:127.0.0.1\r\n"] {
        assert_eq!(ask(&served, &get(host)).0, 200, "{host:?}");
    }
    // The target may name the host too; then both are the same.
    let whole = "GET http://evil.example/v1/tables HTTP/1.1\r\nHost: localhost\r\n";
    assert_eq!(ask(&served, whole), (400, "bad-header".into()));
    assert_eq!(ask(&served, "GET http://localhost/v1/tables HTTP/1.1\r\nHost: localhost\r\n").0, 200);
    let token = served.make_token(&["--role", "reader"]);
    wait_for_tokens(&served);
    let bearer = format!("Authorization: Bearer {token}\r\n");
    let host = get("Host: localhost\r\n");
    assert_eq!(ask(&served, &format!("{host}{bearer}{bearer}")), (400, "bad-header".into()));
    assert_eq!(ask(&served, &format!("{host}{bearer}Authorization: Bearer x\r\n")), (400, "bad-header".into()));
    for twice in ["Content-Type: text/csv\r\n", "Idempotency-Key: a\r\n", "Content-Encoding: gzip\r\n"] {
        assert_eq!(ask(&served, &format!("{host}{bearer}{twice}{twice}")), (400, "bad-header".into()), "{twice}");
    }
    assert_eq!(ask(&served, &format!("{host}{bearer}")).0, 200);
    served.token = Some(token);
    served.get("/v1/tables").of(200);
}

/// Sends all of a request before it looks for an answer, as many clients do.
fn sent_whole(served: &Served, head: &str, body: &[u8]) -> Option<Answer> {
    let mut stream = connect(served.address).unwrap();
    stream.write_all(head.as_bytes()).ok()?;
    for part in body.chunks(64 << 10) {
        stream.write_all(part).ok()?;
    }
    exchange(&mut stream, b"").ok()
}

/// The connection was closed over a body that was still on its way, so that the answer was lost.
#[test]
fn an_answer_before_the_end_of_a_large_body_reaches_the_client() {
    let mut served = Served::package(
        Kind::Sqlite,
        "resources: [{name: things, path: t.csv, schema: {fields: [{name: a, type: integer}]}}]",
        "api: {maxBody: 1MiB, maxUpload: 1MiB, requestsPerSecond: 5}\n",
    );
    let token = served.make_token(&["--role", "admin"]);
    wait_for_tokens(&served);
    let body = vec![b' '; 24 << 20];
    let bearer = format!("Authorization: Bearer {token}\r\n");
    let mut cases = vec![
        ("/v1/tables/things/rows", "Content-Type: application/json\r\n".to_owned(), 401),
        ("/v1/tables/things/rows", format!("{bearer}Content-Type: application/json\r\n"), 413),
        ("/v1/tables/things/rows", format!("{bearer}Content-Type: image/png\r\n"), 415),
        ("/v1/tables/nothing/rows", format!("{bearer}Content-Type: application/json\r\n"), 404),
        ("/v1/nowhere", bearer.clone(), 404),
        ("/v1/tables/things/files", bearer.clone(), 413),
        ("/v1/tables/things/rows", format!("{bearer}Host: twice\r\n"), 400),
    ];
    cases.push(("/v1/tables/things", bearer.clone(), 405));
    for (path, headers, status) in &cases {
        for framing in [format!("Content-Length: {}\r\n", body.len()), "Transfer-Encoding: chunked\r\n".to_owned()] {
            let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{headers}{framing}\r\n");
            let chunked = [format!("{:x}\r\n", body.len()).as_bytes(), &body, b"\r\n0\r\n\r\n"].concat();
            let sent = if framing.starts_with('C') { &body } else { &chunked };
            let answer = sent_whole(&served, &head, sent).unwrap_or_else(|| panic!("{path} {status} {framing}"));
            assert_eq!(answer.status, *status, "{path} {headers:?} {framing} {}", answer.text());
            assert_eq!(answer.header("connection"), Some("close"), "{path} {framing}");
            answer.problem();
            std::thread::sleep(Duration::from_millis(250));
        }
    }
    // Too many requests, and a small body: the connection stays.
    served.token = Some(token);
    let mut stream = connect(served.address).unwrap();
    let small = request(
        "POST",
        "/v1/tables/nothing/rows",
        &[("Authorization", &format!("Bearer {}", served.token.as_ref().unwrap()))],
        b"[]",
    );
    for _ in 0..2 {
        assert_eq!(exchange(&mut stream, &small).unwrap().status, 404);
    }
    let head = format!(
        "POST /v1/tables/things/rows HTTP/1.1\r\nHost: localhost\r\n{bearer}Content-Length: {}\r\n\r\n",
        body.len()
    );
    let many: Vec<_> = (0..20).map(|_| sent_whole(&served, &head, &body).unwrap().status).collect();
    assert!(many.contains(&429), "{many:?}");
}

/// What a client sends behind its answer is read for a bounded time.
#[test]
fn a_body_without_an_end_is_not_read_for_ever() {
    let served = Served::example(Kind::Sqlite);
    let mut stream = connect(served.address).unwrap();
    stream.write_all(post("Content-Length: 99999999999\r\n", "").as_bytes()).unwrap();
    assert_eq!(exchange(&mut stream, b"").unwrap().status, 413);
    let begun = Instant::now();
    while stream.write_all(b" ").is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(100));
    }
}
