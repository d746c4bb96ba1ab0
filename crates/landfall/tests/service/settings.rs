//! What `api` in `landfall.yaml` sets.

use std::{
    io::Write as _,
    process::{Command, Stdio},
    time::Duration,
};

use testbed::{Postgres, ServerOptions, Tls};

use super::{place::Kind, served::Served, support::Project};

const PACKAGE: &str = "resources: [{name: things, path: t.csv, schema: {fields: [{name: a, type: integer}]}}]";
const ROWS: &str = "/v1/tables/things/rows";

#[test]
fn a_token_has_so_many_requests_a_second() {
    let mut served = Served::package(Kind::Sqlite, PACKAGE, "api: {requestsPerSecond: 5}\n");
    let answers: Vec<_> = (0..20).map(|_| served.get("/v1/tables")).collect();
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert!((10..=15).contains(&refused.len()), "{}", refused.len());
    assert_eq!((refused[0].problem().as_str(), refused[0].header("retry-after")), ("too-many-requests", Some("1")));
    assert_eq!(served.get("/healthz").status, 200, "who watches the service is not counted");
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(served.get("/v1/tables").status, 200);
    served.stop();
}

#[test]
fn the_most_rows_and_bytes_can_be_set() {
    let served = Served::package(Kind::Sqlite, PACKAGE, "api: {maxRows: 2, maxBody: 100B}\n");
    served.post(ROWS, r#"[{"a":1},{"a":2}]"#).of(201);
    assert_eq!(served.post(ROWS, r#"[{"a":1},{"a":2},{"a":3}]"#).problem(), "too-many-rows");
    assert_eq!(served.post(ROWS, &format!("[{{\"a\":{}}}]", " ".repeat(100))).problem(), "content-too-large");
}

#[test]
fn pages_of_other_sites_are_let_in_only_where_that_is_set() {
    let origin = [("Origin", "https://app.example.com"), ("Access-Control-Request-Method", "POST")];
    let served = Served::package(Kind::Sqlite, PACKAGE, "");
    let answer = served.send("OPTIONS", ROWS, &origin, b"");
    assert_eq!(answer.header("access-control-allow-origin"), None);
    let mut served = Served::package(Kind::Sqlite, PACKAGE, "api: {cors: ['https://app.example.com']}\n");
    let answer = served.send("OPTIONS", ROWS, &origin, b"");
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example.com"));
    served.token = Some(served.make_token(&["--role", "reader"]));
    // A page could not send `Prefer`, nor see where its task is.
    let allowed = answer.header("access-control-allow-headers").unwrap().to_owned();
    for name in
        ["authorization", "content-type", "content-encoding", "idempotency-key", "if-none-match", "prefer", "range"]
    {
        assert!(allowed.split(',').any(|allowed| allowed.trim() == name), "{name}: {allowed}");
    }
    let answer = served.send("GET", "/v1/tables", &[origin[0]], b"");
    let seen = answer.header("access-control-expose-headers").unwrap().to_owned();
    for name in ["location", "retry-after", "last-modified", "etag", "link", "content-range", "preference-applied"] {
        assert!(seen.split(',').any(|seen| seen.trim() == name), "{name}: {seen}");
    }
    let other = served.send("OPTIONS", ROWS, &[("Origin", "https://evil.example"), origin[1]], b"");
    assert_eq!(other.header("access-control-allow-origin"), None);
}

#[test]
fn it_speaks_tls_with_the_certificates_that_are_set() {
    let server = Postgres::start_with(&ServerOptions::default().with_tls(Tls::On)).unwrap();
    let certificates = server.certificates().unwrap();
    let api = format!(
        "api: {{tls: {{certificate: '{}', key: '{}'}}}}\n",
        certificates.server_file().display(),
        certificates.key_file().display()
    );
    let served = Served::package(Kind::Sqlite, PACKAGE, &api);
    let mut client = Command::new("openssl");
    client.args(["s_client", "-quiet", "-verify_return_error", "-verify_hostname", "localhost", "-CAfile"]);
    client.arg(certificates.authority_file()).args(["-connect", &served.address.to_string()]);
    let mut client = client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    client
        .stdin
        .as_mut()
        .unwrap()
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .unwrap();
    let told = client.wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&told.stdout).contains("{\"status\":\"ok\"}"), "{told:?}");
    assert!(served.try_send("GET", "/healthz", &[], b"").is_err(), "plain HTTP is not spoken there");
}

#[test]
fn mistakes_are_told_with_their_line() {
    let project = Project::empty();
    project.write("datapackage.yaml", PACKAGE);
    for (api, words) in [
        ("{listen: nowhere}", "\"nowhere\" is no address"),
        ("{maxRow: 5}", "maxRows"),
        ("{maxRows: 0}", "from 1 to"),
        ("{tls: {certificate: a.pem}}", "key"),
        ("{tls: {certificate: a.pem, key: b.pem}}", "cannot use"),
        ("{cors: ['*']}", "is no origin"),
        ("{requestsPerSecond: many}", "whole number"),
    ] {
        project.write("landfall.yaml", format!("target: sqlite:a.db\napi: {api}\n"));
        let run = project.run(&["serve", "--listen", "0"]).exits(3);
        assert!(run.stderr.contains(words), "{api}: {}", run.stderr);
    }
}
