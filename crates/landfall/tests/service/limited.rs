//! Tokens for some tables alone see nothing of the others, whatever they ask for.

use std::io::Read as _;

use serde_json::Value;

use super::{
    access::wait_for_tokens,
    asked::{Answer, connect, request},
    place::Kind,
    served::{Served, on_every_database},
};

/// `crew` waits for rows of `ships`; the names stand in no other word.
const PACKAGE: &str = "resources:
- {name: ships, path: s.csv, schema: {primaryKey: id, fields: [{name: id, type: integer}]}}
- name: secret_crew
  path: c.csv
  schema:
    primaryKey: id
    fields: [{name: id, type: integer}, {name: vessel, type: integer}]
    foreignKeys: [{fields: vessel, reference: {resource: ships, fields: id}}]
";
const OTHER: &str = "secret_crew";

struct Limited {
    served: Served,
    token: String,
}

impl Limited {
    fn ask(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        self.served.send(method, path, &[("Authorization", &bearer), ("Content-Type", "text/csv")], body)
    }

    #[track_caller]
    fn sees_nothing(&self, answer: &Answer, what: &str) {
        let told = format!("{:?} {}", answer.headers, String::from_utf8_lossy(&answer.body));
        assert!(!told.contains(OTHER), "{what}: {told}");
    }
}

/// What a load of one table released of another was told to those who may not see that one, and so was what was counted of it.
fn a_token_for_one_table_sees_no_other_in_any_answer(kind: Kind) {
    let served = Served::package(kind, PACKAGE, "");
    // Two of the crew wait for their ships.
    served
        .post("/v1/tables/secret_crew/rows", r#"[{"id":1,"vessel":7},{"id":2,"vessel":8},{"id":3,"vessel":"x"}]"#)
        .of(422);
    let all = format!("Bearer {}", served.make_token(&["--role", "admin"]));
    let token = served.make_token(&["--role", "admin", "--table", "ships"]);
    wait_for_tokens(&served);
    let limited = Limited { served, token };
    let uploaded = limited.ask("POST", "/v1/tables/ships/files", b"id\n7\n8\nx\n");
    let task = uploaded.of(202);
    let path = format!("/v1/tasks/{}", task["task_id"].as_str().unwrap());
    let mut ended = Value::Null;
    for _ in 0..600 {
        ended = limited.ask("GET", &path, b"").of(200);
        if ended["state"] == "done" {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!((ended["state"].as_str(), ended["inserted"].as_u64()), (Some("done"), Some(2)), "{ended}");
    assert_eq!(ended["released"], serde_json::json!([]), "{ended}");
    // They were released all the same, and whoever sees all tables is told so.
    assert_eq!(limited.served.count("secret_crew"), 2);
    let backup = limited.ask("POST", "/v1/backups?wait=60", b"").of(200);
    assert_eq!(backup["state"], "done", "{backup}");
    let all = |method: &str, path: &str| limited.served.send(method, path, &[("Authorization", &all)], b"");
    let seen = all("GET", &path).of(200);
    assert_eq!(seen["released"][0]["table"], OTHER, "{seen}");
    assert!(all("GET", "/metrics").text().contains(OTHER));
    let others = all("POST", "/v1/backups?wait=60").of(200);
    let restored = limited.ask("POST", "/v1/tables/ships/restore?mode=append&wait=60", b"");
    limited.sees_nothing(&restored, "restore");
    // Rows of the other table are in the way, and the words do not say whose.
    let replaced = limited.ask("POST", "/v1/tables/ships/files?mode=replace&wait=60", b"id\n9\n");
    limited.sees_nothing(&replaced, "replace");
    assert_eq!(replaced.of(200)["state"], "failed", "{}", replaced.text());
    let others = others["task_id"].as_str().unwrap();
    assert_eq!(limited.ask("GET", &format!("/v1/tasks/{others}"), b"").status, 404);
    assert_eq!(limited.ask("DELETE", &format!("/v1/tasks/{others}"), b"").status, 404);
    for path in everything(&path) {
        let answer = limited.ask("GET", &path, b"");
        assert!(answer.status < 500, "{path}: {}", answer.text());
        limited.sees_nothing(&answer, &path);
    }
    let metrics = limited.ask("GET", "/metrics", b"").text();
    assert!(metrics.contains("ships") && metrics.ends_with("# EOF\n"), "{metrics}");
    for (method, path, body) in [
        ("POST", "/v1/tables/ships/rejects/retry", ""),
        ("PATCH", "/v1/rejects/4", r#"{"id":"y"}"#),
        ("POST", "/v1/tables/ships/rejects/discard", r#"{"reason":"r"}"#),
        ("POST", "/v1/rows", r#"{"ships":[{"id":10}]}"#),
    ] {
        let bearer = format!("Bearer {}", limited.token);
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        let answer = limited.served.send(method, path, &headers, body.as_bytes());
        assert!(answer.status < 500, "{path}: {}", answer.text());
        limited.sees_nothing(&answer, path);
    }
    limited.sees_nothing(&events(&limited, &path), "events");
}

/// Every route that is read.
fn everything(task: &str) -> Vec<String> {
    let mut paths: Vec<String> = [
        "/v1/tables",
        "/v1/tables?counts=true",
        "/v1/tables/ships",
        "/v1/tables/ships/rows",
        "/v1/tables/ships/rejects.csv",
        "/v1/loads",
        "/v1/loads?table=ships",
        "/v1/rejects",
        "/v1/rejects?table=ships",
        "/v1/rejects/groups",
        "/v1/rejects/groups?table=ships",
        "/v1/tasks",
        "/v1/tasks?state=done",
        "/v1/tasks?state=failed",
        "/v1/tasks?table=ships",
        "/v1/backups",
        "/v1/reports",
        "/metrics",
        "/openapi.json",
        "/readyz",
        "/healthz",
    ]
    .map(str::to_owned)
    .to_vec();
    for id in 1..=12 {
        paths.extend([format!("/v1/loads/{id}"), format!("/v1/rejects/{id}"), format!("/v1/rejects/{id}/raw")]);
    }
    paths.push(task.to_owned());
    paths
}

/// All events of a task that has ended.
fn events(limited: &Limited, task: &str) -> Answer {
    let bearer = format!("Bearer {}", limited.token);
    let asks = request("GET", &format!("{task}/events"), &[("Authorization", &bearer), ("Connection", "close")], b"");
    let mut stream = connect(limited.served.address).unwrap();
    std::io::Write::write_all(&mut stream, &asks).unwrap();
    let mut body = Vec::new();
    stream.read_to_end(&mut body).unwrap();
    assert!(String::from_utf8_lossy(&body).contains("event: end"));
    Answer { status: 200, headers: Vec::new(), body }
}

on_every_database! { a_token_for_one_table_sees_no_other_in_any_answer }
