//! Clients that are slow, stalled or greedy: what they ask for ends some day, and nobody else waits for them.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use super::{
    asked::{connect, exchange, request},
    place::Kind,
    served::{Served, on_every_database},
};

const THINGS: &str = "resources: [{name: things, path: t.csv, schema: {fields: [{name: a, type: integer}]}}]";
const ROWS: &str = "/v1/tables/things/rows";

/// A report of some 6 MB: more than what the system keeps of it on the way.
const LONG: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
    SELECT i, 'a text that is some fifty characters long as texts are' AS t FROM n";
/// One that does not end in the time of a test.
const ENDLESS: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000000000)
    SELECT count(*) AS c FROM n";

/// A service with reports and a token that may do everything.
fn served(kind: Kind, api: &str) -> Served {
    let more = format!(
        "api: {{{api}}}\nreports: {{long: {{sql: long.sql}}, endless: {{sql: endless.sql}}, quick: {{sql: quick.sql}}}}\n"
    );
    let mut served = Served::package(kind, THINGS, &more);
    let endless = match kind {
        Kind::Sqlite => ENDLESS,
        Kind::Postgres | Kind::Pooled => "SELECT 1 AS c FROM pg_sleep(1000)",
        Kind::Mariadb => "SELECT sleep(1000) AS c",
    };
    // Its recursion is bounded.
    let sequence =
        "SELECT seq AS i, 'a text that is some fifty characters long as texts are' AS t FROM seq_1_to_100000";
    let long = if kind == Kind::Mariadb { sequence } else { LONG };
    served.project.write("long.sql", long);
    served.project.write("endless.sql", endless);
    served.project.write("quick.sql", "SELECT count(*) AS c FROM things");
    served.kill();
    served.start();
    served.token = Some(served.make_token(&["--role", "admin"]));
    // Until the service knows of it, all are one caller, who has everything.
    while exchange(&mut connect(served.address).unwrap(), &request("GET", "/v1/tables", &[], b"")).unwrap().status
        != 401
    {
        thread::sleep(Duration::from_millis(100));
    }
    served
}

/// Asks for something and does not wait for the answer.
fn ask(served: &Served, path: &str) -> TcpStream {
    let bearer = format!("Bearer {}", served.token.as_deref().unwrap());
    let mut stream = connect(served.address).unwrap();
    stream.write_all(&request("GET", path, &[("Authorization", &bearer)], b"")).unwrap();
    stream
}

/// Rows are taken, and the service says that it is ready, as fast as ever.
#[track_caller]
fn is_at_ease(served: &Served) {
    let begun = Instant::now();
    served.post(ROWS, r#"[{"a":1}]"#).of(201);
    served.get("/readyz").of(200);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

/// Writers had no answer for two minutes, as long as eight clients took a large report slowly.
fn slow_readers_stop_nobody(kind: Kind) {
    let served = served(kind, "");
    let mut slow: Vec<TcpStream> = (0..12).map(|_| ask(&served, "/v1/reports/long?format=csv")).collect();
    // Tokens are read again every two seconds.
    for _ in 0..6 {
        is_at_ease(&served);
        thread::sleep(Duration::from_millis(500));
    }
    for stream in &mut slow {
        let mut head = [0; 400];
        stream.read_exact(&mut head).unwrap();
        assert!(head.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&head));
    }
    // None of them has taken its report, and nobody reads for them any more.
    let begun = Instant::now();
    while !served.get("/metrics").text().contains("landfall_readers_busy 0") {
        assert!(begun.elapsed() < Duration::from_secs(60));
        thread::sleep(Duration::from_millis(100));
    }
    assert!(served.get("/v1/reports/quick").of(200)[0]["c"].as_u64() >= Some(6));
    is_at_ease(&served);
    assert!(served.peak_memory() < 200 << 20, "{} bytes", served.peak_memory());
    let mut whole = Vec::new();
    slow[0].read_to_end(&mut whole).unwrap_or_default();
    assert!(whole.len() > 6_000_000 && whole.ends_with(b"as texts are\n"), "{}", whole.len());
}

/// Sixteen requests for a long report, abandoned at once, blocked all writes until the last of them had been run.
fn who_leaves_stops_its_query(kind: Kind) {
    let served = served(kind, "");
    let waiting: Vec<TcpStream> = (0..16).map(|_| ask(&served, "/v1/reports/endless")).collect();
    thread::sleep(Duration::from_millis(500));
    is_at_ease(&served);
    drop(waiting);
    let begun = Instant::now();
    assert_eq!(served.get("/v1/reports/quick").of(200)[0]["c"], 1);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let begun = Instant::now();
    while !served.get("/metrics").text().contains("landfall_readers_busy 0") {
        assert!(begun.elapsed() < Duration::from_secs(20));
        thread::sleep(Duration::from_millis(100));
    }
    let running = match kind {
        Kind::Sqlite => return,
        Kind::Mariadb => {
            "SELECT count(*) FROM information_schema.processlist WHERE info LIKE '%sleep(1000)%' AND info NOT LIKE '%processlist%'"
        }
        _ => {
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(1000)%' AND query NOT LIKE '%activity%'"
        }
    };
    assert_eq!(served.place.superuser().run_sql(running).unwrap().trim(), "0");
}

fn a_report_has_a_time_limit(kind: Kind) {
    let served = served(kind, "reportTimeout: 1");
    for path in ["/v1/reports/endless", "/v1/reports/endless?format=csv"] {
        let begun = Instant::now();
        let answer = served.get(path);
        assert_eq!((answer.status, answer.problem().as_str()), (504, "report-timeout"));
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }
    assert_eq!(served.send("POST", "/v1/reports/endless/exports", &[], b"").problem(), "report-timeout");
    assert_eq!(served.get("/v1/reports/quick").of(200)[0]["c"], 0);
}

on_every_database!(slow_readers_stop_nobody, who_leaves_stops_its_query, a_report_has_a_time_limit);

#[test]
fn one_token_does_not_take_all_that_runs_reports() {
    let mut served = served(Kind::Sqlite, "");
    let _waiting: Vec<TcpStream> = (0..16).map(|_| ask(&served, "/v1/reports/endless")).collect();
    thread::sleep(Duration::from_millis(500));
    served.token = Some(served.make_token(&["--role", "reader"]));
    // Services learn of new tokens within seconds.
    thread::sleep(Duration::from_millis(2500));
    let begun = Instant::now();
    served.get("/v1/reports/quick").of(200);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

/// A download was cut off where the system took nothing for a while, although the client did.
#[test]
fn a_slow_but_steady_download_comes_to_its_end() {
    let served = served(Kind::Sqlite, "bodyTimeout: 1");
    let mut stream = ask(&served, "/v1/reports/long?format=csv");
    let (mut taken, mut part) = (Vec::new(), vec![0; 256 << 10]);
    // Longer than it may take nothing, some three times.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(13) {
        let read = stream.read(&mut part).unwrap();
        assert!(read > 0, "it was cut off after {} bytes", taken.len());
        taken.extend_from_slice(&part[..read]);
        thread::sleep(Duration::from_secs_f64(read as f64 / 400_000.0));
    }
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let _ = stream.read_to_end(&mut taken);
    let head = taken.windows(4).position(|part| part == b"\r\n\r\n").unwrap();
    let text = String::from_utf8_lossy(&taken[..head]).to_ascii_lowercase();
    let length: usize = text.split("content-length: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
    assert_eq!(taken.len() - head - 4, length);
}

#[test]
fn a_client_that_takes_nothing_is_left() {
    let served = served(Kind::Sqlite, "bodyTimeout: 1");
    let mut stream = ask(&served, "/v1/reports/long?format=csv");
    let mut taken = vec![0; 100];
    stream.read_exact(&mut taken).unwrap();
    thread::sleep(Duration::from_secs(8));
    let _ = stream.read_to_end(&mut taken);
    assert!(taken.len() < 5_000_000, "{}", taken.len());
}

/// Begins a body of rows that announces `length` bytes, and sends `bytes` of it.
fn begin_body(served: &Served, length: usize, bytes: &[u8]) -> TcpStream {
    let bearer = format!("Bearer {}", served.token.as_deref().unwrap());
    let head = format!(
        "POST {ROWS} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {bearer}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n"
    );
    let mut stream = connect(served.address).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(bytes).unwrap();
    stream
}

/// Three bodies that were announced and did not come took all the memory for bodies.
fn stalled_bodies_block_nobody(kind: Kind) {
    let served = served(kind, "");
    let _stalled: Vec<TcpStream> = (0..40).map(|_| begin_body(&served, 16 << 20, b"[")).collect();
    thread::sleep(Duration::from_millis(300));
    is_at_ease(&served);
    let large = format!("[{{\"a\":1}}{}]", " ".repeat(15 << 20));
    served.post(ROWS, &large).of(201);
}

on_every_database!(stalled_bodies_block_nobody);

#[test]
fn one_token_does_not_take_all_the_memory_for_bodies() {
    let mut served = served(Kind::Sqlite, "");
    let most = [b" ".repeat((16 << 20) - 10)].concat();
    let _stalled: Vec<TcpStream> = thread::scope(|scope| {
        let begin = || scope.spawn(|| begin_body(&served, 16 << 20, &most[..8 << 20]));
        let begun: Vec<_> = (0..3).map(|_| begin()).collect();
        begun.into_iter().map(|body| body.join().unwrap()).collect()
    });
    served.token = Some(served.make_token(&["--role", "writer"]));
    thread::sleep(Duration::from_millis(2500));
    let begun = Instant::now();
    served.post(ROWS, &format!("[{{\"a\":1}}{}]", " ".repeat(15 << 20))).of(201);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

/// A byte now and then kept a body alive for as long as its sender liked.
#[test]
fn a_body_that_trickles_is_ended() {
    let served = served(Kind::Sqlite, "bodyTimeout: 2");
    let bearer = format!("Bearer {}", served.token.as_deref().unwrap());
    let start = |path: &str, kind: &str, length: &str| {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {bearer}\r\nContent-Type: {kind}\r\n{length}\r\n\r\n"
        );
        let mut stream = connect(served.address).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        stream
    };
    let chunked = "Transfer-Encoding: chunked";
    // What came quickly at first gives no credit.
    let mut fast = start(ROWS, "application/json", "Content-Length: 10000000");
    fast.write_all(&b" ".repeat(9_000_000)).unwrap();
    for (mut stream, trickle) in [
        (fast, &b" "[..]),
        (start(ROWS, "application/json", "Content-Length: 100000"), b" "),
        (start(ROWS, "application/json", chunked), b"1\r\n \r\n"),
        (start("/v1/tables/things/files", "text/csv", "Content-Length: 100000"), b"a"),
        (start("/v1/tables/things/files", "multipart/form-data; boundary=x", chunked), b"1\r\nx\r\n"),
        (start("/v1/tables/things/files", "multipart/form-data; boundary=x", "Content-Length: 100000"), b"x"),
    ] {
        stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let begun = Instant::now();
        let mut told = Vec::new();
        let mut part = [0; 1000];
        while told.is_empty() && begun.elapsed() < Duration::from_secs(10) {
            let _ = stream.write_all(trickle);
            let read = stream.read(&mut part).unwrap_or(0);
            told.extend_from_slice(&part[..read]);
        }
        assert!(told.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&told));
        assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    }
    assert_eq!(exchange(&mut connect(served.address).unwrap(), b"GET /healthz HTTP/1.0\r\n\r\n").unwrap().status, 200);
    is_at_ease(&served);
}

/// A decimal that is written as few bytes can be a hundred thousand digits: ten thousand rows of them were an answer of 500 MB.
fn pages_of_wide_rows_are_bounded(kind: Kind) {
    let package = "resources: [{name: wide, path: t.csv, schema: {primaryKey: id, fields: [{name: id, type: integer}, \
                   {name: n, type: number}, {name: t, type: string}]}}, {name: bare, path: b.csv, schema: {fields: \
                   [{name: t, type: string}]}}]";
    let served = Served::package(kind, package, "");
    let (wide, bare) = (served.place.quoted("wide"), served.place.quoted("bare"));
    let text = match kind {
        Kind::Sqlite => "replace(hex(zeroblob(25000)), '00', 'text')",
        _ => "repeat('text', 25000)",
    };
    let number = if kind == Kind::Postgres { "1e-16000::numeric" } else { "'1'" };
    let numbers = match kind {
        Kind::Mariadb => "SELECT seq AS i FROM seq_1_to_600",
        _ => "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600) SELECT i FROM n",
    };
    served.place.run(&format!("INSERT INTO {wide} (id, n, t) SELECT i, {number}, {text} FROM ({numbers}) AS x"));
    served.place.run(&format!("INSERT INTO {bare} (t) SELECT {text} FROM ({numbers}) AS x"));
    let first = served.get("/v1/tables/wide/rows?limit=10000");
    let page = first.of(200);
    let rows = page["rows"].as_array().unwrap();
    assert!(first.body.len() < 10 << 20 && rows.len() > 50, "{} bytes, {} rows", first.body.len(), rows.len());
    assert_eq!(page["next"], rows.len().to_string());
    // Whoever follows the links has every row once.
    let (mut after, mut all) = (String::new(), 0);
    loop {
        let page = served.get(&format!("/v1/tables/wide/rows?limit=10000&fields=id{after}")).of(200);
        let rows = page["rows"].as_array().unwrap();
        assert_eq!(rows.first().map_or(all + 1, |row| row["id"].as_u64().unwrap()), all + 1);
        all += rows.len() as u64;
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(all, 600);
    assert_eq!(served.get("/v1/tables/bare/rows?limit=10000").problem(), "bad-parameter");
    assert_eq!(served.get("/v1/tables/bare/rows?limit=10").of(200)["rows"].as_array().unwrap().len(), 10);
    assert!(served.peak_memory() < 128 << 20, "{} bytes", served.peak_memory());
}

/// A thousand rejects, each with all that is kept of its bytes at once, were read before the first of them was sent.
fn pages_of_large_rejects_are_bounded(kind: Kind) {
    let served = Served::package(kind, THINGS, "api: {maxBody: 64MiB}");
    let long = "x".repeat(50_000);
    let rows: Vec<String> = (0..250).map(|_| format!("{{\"a\":\"{long}\"}}")).collect();
    served.post(ROWS, &format!("[{}]", rows.join(","))).of(422);
    let (mut after, mut all, mut pages) = (0, 0, 0);
    loop {
        let answer = served.get(&format!("/v1/rejects?limit=1000&after={after}"));
        assert!(answer.body.len() < 12 << 20, "{}", answer.body.len());
        let page = answer.of(200);
        assert_eq!(page["count"], 250);
        (all, pages) = (all + page["rejects"].as_array().unwrap().len(), pages + 1);
        let Some(next) = page["next"].as_u64() else { break };
        after = next;
    }
    assert!(all == 250 && pages > 1, "{all} in {pages}");
    let export = served.get("/v1/tables/things/rejects.csv");
    assert!(export.status == 200 && export.body.len() > 12_000_000, "{}", export.body.len());
    assert_eq!(served.get("/v1/rejects/1/raw").status, 200);
}

on_every_database!(pages_of_wide_rows_are_bounded, pages_of_large_rejects_are_bounded);

/// A download of hours that broke off began anew.
fn files_are_fetched_in_parts(kind: Kind) {
    let served = served(kind, "");
    served.post(ROWS, r#"[{"a":1},{"a":2},{"a":3}]"#).of(201);
    let export = served.send("POST", "/v1/reports/quick/exports", &[], b"").of(201);
    let task = served.send("POST", "/v1/backups?wait=60", &[], b"").of(200);
    assert_eq!(task["state"], "done", "{task}");
    let set = served.get("/v1/backups").of(200)["backups"][0]["set"].as_str().unwrap().to_owned();
    for path in [export["url"].as_str().unwrap().to_owned(), format!("/v1/backups/{set}/things.avro")] {
        let fetch = |headers: &[(&str, &str)]| served.send("GET", &path, headers, b"");
        let whole = fetch(&[]);
        let length = whole.body.len();
        let tag = whole.header("etag").unwrap().to_owned();
        assert_eq!((whole.status, whole.header("accept-ranges")), (200, Some("bytes")));
        let expected = |range: &str| Some(format!("bytes {range}/{length}"));
        for (range, first, end) in [
            ("bytes=0-0".to_owned(), 0, 1),
            ("bytes=1-2".to_owned(), 1, 3),
            (format!("bytes={}-", length - 1), length - 1, length),
            ("bytes=-2".to_owned(), length - 2, length),
            ("bytes=1-999999".to_owned(), 1, length),
        ] {
            let part = fetch(&[("Range", &range)]);
            assert_eq!((part.status, &part.body[..]), (206, &whole.body[first..end]), "{range}");
            assert_eq!(part.header("content-range").map(str::to_owned), expected(&format!("{first}-{}", end - 1)));
            assert_eq!(part.header("etag"), Some(tag.as_str()));
            assert_eq!(fetch(&[("Range", &range), ("If-Range", &tag)]).status, 206);
            let other = fetch(&[("Range", &range), ("If-Range", "\"other\"")]);
            assert_eq!((other.status, &other.body), (200, &whole.body));
        }
        let none = fetch(&[("Range", &format!("bytes={length}-"))]);
        assert_eq!((none.status, none.problem().as_str()), (416, "range-not-satisfiable"));
        assert_eq!(none.header("content-range").map(str::to_owned), expected("*"));
        // Several parts, and what is no range: the whole file.
        for range in ["bytes=0-0,2-2", "bytes=2-1", "lines=0-1"] {
            assert_eq!((fetch(&[("Range", range)]).status, fetch(&[("Range", range)]).body), (200, whole.body.clone()));
        }
        let bearer = format!("Bearer {}", served.token.as_deref().unwrap());
        let mut head = connect(served.address).unwrap();
        let headers = [("Authorization", bearer.as_str()), ("Connection", "close"), ("Range", "bytes=0-0")];
        head.write_all(&request("HEAD", &path, &headers, b"")).unwrap();
        let mut told = String::new();
        head.read_to_string(&mut told).unwrap();
        let told = told.to_ascii_lowercase();
        assert!(told.starts_with("http/1.1 200") && told.contains(&format!("content-length: {length}\r\n")), "{told}");
    }
}

on_every_database!(files_are_fetched_in_parts);

/// The service said that it was ready while its user might write nothing.
fn readiness_is_tried_and_told(kind: Kind) {
    let served = served(kind, "");
    let ready = served.get("/readyz").of(200);
    let checks = &ready["checks"];
    assert_eq!(
        (&checks["database_read"], &checks["database_write"], &checks["tables"]),
        (&"ok".into(), &"ok".into(), &"ok".into())
    );
    // Nothing is left of the trial.
    let probes = format!("SELECT count(*) FROM {} WHERE kind = 'probe'", served.place.own("documents"));
    assert_eq!(served.place.number(&probes), 0);
    let becomes = |word: &str, check: &str| {
        let begun = Instant::now();
        loop {
            let answer = served.get("/readyz");
            if answer.json()["checks"][check] == word {
                assert_eq!(answer.status, if word == "ok" { 200 } else { 503 });
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "{}", answer.text());
            thread::sleep(Duration::from_millis(200));
        }
    };
    match kind {
        Kind::Sqlite => {
            // Another program writes for a while: that is no reason to send nobody here.
            let path = served.place.url.strip_prefix("sqlite:").unwrap();
            let other = rusqlite::Connection::open(path).unwrap();
            other.execute_batch("BEGIN IMMEDIATE").unwrap();
            let begun = Instant::now();
            while served.get("/readyz").of(200)["checks"]["database_write"] != "busy" {
                assert!(begun.elapsed() < Duration::from_secs(20));
                thread::sleep(Duration::from_millis(200));
            }
            other.execute_batch("COMMIT").unwrap();
        }
        Kind::Mariadb => return,
        _ => {
            let owner = served
                .place
                .superuser()
                .run_sql("SELECT tableowner FROM pg_tables WHERE tablename = 'things'")
                .unwrap();
            for table in ["things", "landfall.documents"] {
                served
                    .place
                    .superuser()
                    .run_sql(&format!("REVOKE INSERT ON {table} FROM \"{}\"", owner.trim()))
                    .unwrap();
                becomes("denied", "database_write");
                served.place.superuser().run_sql(&format!("GRANT INSERT ON {table} TO \"{}\"", owner.trim())).unwrap();
                becomes("ok", "database_write");
            }
            let name = served.place.database().name().to_owned();
            served
                .place
                .superuser()
                .run_sql(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on"))
                .unwrap();
            served.place.kill_connections();
            becomes("read-only", "database_write");
            let answer = served.post(ROWS, r#"[{"a":1}]"#);
            assert_eq!(answer.problem(), "database");
            assert!(answer.text().contains("read-only"), "{}", answer.text());
            served
                .place
                .superuser()
                .run_sql(&format!(
                    "SET default_transaction_read_only = off; ALTER DATABASE {name} RESET default_transaction_read_only"
                ))
                .unwrap();
            served.place.kill_connections();
        }
    }
    becomes("ok", "database_write");
    is_at_ease(&served);
}

on_every_database!(readiness_is_tried_and_told);

/// Uploads at once looked at what lay there, and all of them went on.
#[test]
fn uploads_at_once_take_no_more_space_than_there_is() {
    let served = Served::package(Kind::Sqlite, THINGS, "api: {uploadSpace: 1MB}\n");
    let beside = served.beside();
    let part = b"1\n".repeat(150_000);
    let mut uploads: Vec<TcpStream> = (0..8)
        .map(|at| {
            let head = format!(
                "POST /v1/tables/things/files HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\nContent-Length: {}\r\n\r\n",
                part.len() + 10
            );
            let mut stream = connect(if at % 2 == 0 { served.address } else { beside.address }).unwrap();
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&part));
            stream
        })
        .collect();
    thread::sleep(Duration::from_secs(1));
    let files = std::fs::read_dir(served.project.path().join(".landfall/uploads")).unwrap();
    let bytes: u64 = files.map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(bytes <= 1_000_000, "{bytes}");
    let statuses =
        uploads.iter_mut().map(|stream| exchange(stream, b"1\n1\n1\n1\n1\n").map_or(0, |answer| answer.status));
    let statuses: Vec<u16> = statuses.collect();
    let taken = statuses.iter().filter(|status| **status == 202).count();
    assert!((1..=3).contains(&taken), "{statuses:?}");
    assert!(statuses.iter().all(|status| [0, 202, 507].contains(status)), "{statuses:?}");
}
