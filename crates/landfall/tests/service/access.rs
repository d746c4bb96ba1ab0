//! Who may do what: nobody may do anything that is not granted.

use std::collections::BTreeMap;

use super::{asked::Answer, place::Kind, served::Served};

/// Who may take each route, by its method and path in the document; a route that is not here fails the test.
const GRANTED: [(&str, &[&str]); 39] = [
    ("get /healthz", &["nobody", "reader", "writer", "admin"]),
    ("get /readyz", &["nobody", "reader", "writer", "admin"]),
    ("get /openapi.json", &["nobody", "reader", "writer", "admin"]),
    ("get /metrics", &["reader", "writer", "admin"]),
    ("get /v1/tables", &["reader", "writer", "admin"]),
    ("get /v1/tables/{table}", &["reader", "writer", "admin"]),
    ("get /v1/tables/{table}/rows", &["reader", "admin"]),
    ("post /v1/tables/{table}/rows", &["writer", "admin"]),
    ("post /v1/rows", &["writer", "admin"]),
    ("get /v1/loads", &["reader", "writer", "admin"]),
    ("get /v1/loads/{load}", &["reader", "writer", "admin"]),
    ("get /v1/rejects", &["writer", "admin"]),
    ("get /v1/rejects/groups", &["writer", "admin"]),
    ("get /v1/rejects/{reject}", &["writer", "admin"]),
    ("get /v1/rejects/{reject}/raw", &["writer", "admin"]),
    ("post /v1/rejects/{reject}/retry", &["writer", "admin"]),
    ("post /v1/tables/{table}/rejects/retry", &["writer", "admin"]),
    ("patch /v1/rejects/{reject}", &["writer", "admin"]),
    ("post /v1/rejects/{reject}/discard", &["admin"]),
    ("post /v1/tables/{table}/rejects/discard", &["admin"]),
    ("post /v1/tables/{table}/rejects.csv", &["writer", "admin"]),
    ("get /v1/tables/{table}/rejects.csv", &["writer", "admin"]),
    ("post /v1/tables/{table}/files", &["writer", "admin"]),
    ("post /v1/tables/{table}/restore", &["admin"]),
    ("post /v1/backups", &["admin"]),
    ("get /v1/backups", &["admin"]),
    ("get /v1/backups/{set}/{file}", &["admin"]),
    ("get /v1/tasks", &["writer", "admin"]),
    ("get /v1/tasks/{task}", &["writer", "admin"]),
    ("delete /v1/tasks/{task}", &["writer", "admin"]),
    ("post /v1/tasks/{task}/retry", &["writer", "admin"]),
    ("get /v1/tasks/{task}/events", &["writer", "admin"]),
    ("get /v1/reports", &["reader", "admin"]),
    ("get /v1/reports/{report}", &["reader", "admin"]),
    ("post /v1/reports/{report}/exports", &["reader", "admin"]),
    ("get /v1/exports/{export}/{file}", &["nobody", "reader", "writer", "admin"]),
    ("get /", &["nobody", "reader", "writer", "admin"]),
    ("get /docs", &["nobody", "reader", "writer", "admin"]),
    ("get /docs/{file}", &["nobody", "reader", "writer", "admin"]),
];

fn as_bearer(served: &Served, token: Option<&str>, method: &str, path: &str) -> Answer {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let mut headers = vec![("Content-Type", "application/json")];
    headers.extend(bearer.as_deref().map(|bearer| ("Authorization", bearer)));
    let body = if path.ends_with("/rows") { r#"[{"id":1,"department":"a"}]"# } else { "" };
    let body = if path == "/v1/rows" { r#"{"jobs":[{"id":1,"job":"x"}]}"# } else { body };
    served.send(&method.to_uppercase(), path, &headers, if method == "get" { b"" } else { body.as_bytes() })
}

#[test]
fn every_route_with_every_role() {
    let served = Served::example(Kind::Sqlite);
    served.post("/v1/tables/departments/rows", r#"[{"id":9}]"#).of(422);
    let document = served.get("/openapi.json").of(200);
    let documented: Vec<String> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| methods.as_object().unwrap().keys().map(move |method| format!("{method} {path}")))
        .collect();
    let granted: BTreeMap<&str, &[&str]> = GRANTED.into_iter().collect();
    for route in &documented {
        assert!(granted.contains_key(route.as_str()), "say in this test who may take {route}");
    }
    let tokens: BTreeMap<&str, String> =
        ["reader", "writer", "admin"].into_iter().map(|role| (role, served.make_token(&["--role", role]))).collect();
    wait_for_tokens(&served);
    for (route, roles) in GRANTED {
        let (method, path) = route.split_once(' ').unwrap();
        let is_page = path == "/" || path.starts_with("/docs");
        assert!(is_page || documented.contains(&route.to_owned()), "{route} is not in the document");
        let path = path.replace("{table}", "departments").replace("{report}", "hires_by_quarter");
        let path = path
            .replace("{load}", "1")
            .replace("{reject}", "1")
            .replace("{export}", "1")
            .replace("{set}", "1")
            .replace("{file}", "index.html");
        for who in ["nobody", "reader", "writer", "admin"] {
            let answer = as_bearer(&served, tokens.get(who).map(String::as_str), method, &path);
            match (roles.contains(&who), who) {
                (true, _) => assert!(
                    !matches!(answer.status, 401 | 403) && answer.status < 500,
                    "{who} {route}: {}",
                    answer.status
                ),
                (false, "nobody") => {
                    assert_eq!((answer.status, answer.problem().as_str()), (401, "unauthorized"), "{route}")
                }
                (false, _) => {
                    assert_eq!((answer.status, answer.problem().as_str()), (403, "forbidden"), "{who} {route}")
                }
            }
        }
        for wrong in ["", "x", "landfall_0000000000000000_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "Ünïcode"] {
            if !roles.contains(&"nobody") {
                assert_eq!(as_bearer(&served, Some(wrong), method, &path).status, 401, "{route} {wrong}");
            }
        }
    }
}

/// A service learns of new tokens after a moment.
pub(crate) fn wait_for_tokens(served: &Served) {
    for _ in 0..100 {
        if served.get("/v1/tables").status == 401 {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("the service does not know the tokens");
}

#[test]
fn a_token_sees_only_what_it_is_limited_to() {
    let mut served = Served::example(Kind::Sqlite);
    served.post("/v1/tables/departments/rows", r#"[{"id":9},{"id":1,"department":"a"}]"#).of(200);
    served.post("/v1/tables/jobs/rows", r#"[{"id":9},{"id":1,"job":"a"}]"#).of(200);
    let token = served.make_token(&[
        "--role",
        "reader",
        "--role",
        "writer",
        "--table",
        "jobs",
        "--report",
        "departments_above_mean",
    ]);
    wait_for_tokens(&served);
    served.token = Some(token);
    assert_eq!(served.get("/v1/tables").of(200)["tables"].as_array().unwrap().len(), 1);
    assert_eq!(served.get("/v1/tables/jobs/rows").status, 200);
    for path in [
        "/v1/tables/departments/rows",
        "/v1/tables/departments",
        "/v1/loads/1",
        "/v1/rejects/1",
        "/v1/rejects/1/raw",
        "/v1/reports/hires_by_quarter",
    ] {
        assert_eq!(served.get(path).problem(), "not-found", "{path}");
    }
    for path in [
        "/v1/loads/2",
        "/v1/rejects/2",
        "/v1/rejects?table=jobs",
        "/v1/loads?table=jobs",
        "/v1/reports/departments_above_mean",
    ] {
        assert_eq!(served.get(path).status, 200, "{path}");
    }
    assert_eq!(served.get("/v1/rejects").problem(), "bad-parameter");
    assert_eq!(served.get("/v1/rejects?table=departments").problem(), "not-found");
    assert_eq!(served.post("/v1/tables/departments/rows", r#"[{"id":2,"department":"b"}]"#).problem(), "not-found");
    assert_eq!(
        served.post("/v1/rows", r#"{"jobs":[{"id":2,"job":"b"}],"departments":[{"id":2,"department":"b"}]}"#).problem(),
        "wrong-shape"
    );
    assert_eq!(served.send("POST", "/v1/rejects/1/retry", &[], b"").problem(), "not-found");
    assert_eq!((served.count("departments"), served.count("jobs")), (1, 1));
    assert_eq!(served.get("/v1/reports").of(200)["reports"].as_array().unwrap().len(), 1);
}

#[test]
fn a_token_in_the_query_is_for_reports_alone() {
    let served = Served::example(Kind::Sqlite);
    let token = served.make_token(&["--role", "admin"]);
    wait_for_tokens(&served);
    assert_eq!(served.get(&format!("/v1/reports/hires_by_quarter?token={token}&year=2021")).status, 200);
    assert_eq!(served.get(&format!("/v1/reports?token={token}")).status, 200);
    assert_eq!(served.get("/v1/reports?token=x").problem(), "unauthorized");
    for path in ["/v1/tables", "/v1/loads", "/metrics"] {
        assert_eq!(served.get(&format!("{path}?token={token}")).problem(), "unauthorized", "{path}");
    }
}

#[test]
fn a_revoked_token_is_refused_after_a_moment() {
    let served = Served::example(Kind::Sqlite);
    let (token, other) = (served.make_token(&["--role", "reader"]), served.make_token(&["--role", "reader"]));
    wait_for_tokens(&served);
    let status = |token: &str| as_bearer(&served, Some(token), "get", "/v1/tables").status;
    assert_eq!((status(&token), status(&other)), (200, 200));
    let id = token.split('_').nth(1).unwrap();
    served.run(&["token", "revoke", id]).exits(0);
    for _ in 0..100 {
        if status(&token) == 401 {
            assert_eq!(status(&other), 200);
            let list = served.run(&["token", "list"]).exits(0).stdout;
            assert!(!list.contains(id) && list.lines().count() == 1, "{list}");
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("the token is still good");
}

/// A service that opened itself to everybody when its last token was revoked.
#[test]
fn a_service_stays_closed_when_the_last_token_is_revoked() {
    let served = Served::example(Kind::Sqlite);
    let token = served.make_token(&["--role", "admin"]);
    wait_for_tokens(&served);
    served.run(&["token", "revoke", token.split('_').nth(1).unwrap()]).exits(0);
    std::thread::sleep(std::time::Duration::from_millis(2500));
    assert_eq!(as_bearer(&served, Some(&token), "get", "/v1/tables").status, 401);
    assert_eq!(as_bearer(&served, None, "get", "/v1/tables").status, 401);
}

/// After the last token was revoked and the service was started again, everybody local was an admin.
fn a_service_without_its_tokens_stays_closed_until_it_is_opened(kind: Kind) {
    let mut served = Served::example(kind);
    let ask = |served: &Served| as_bearer(served, None, "get", "/v1/tables").status;
    assert_eq!(ask(&served), 200);
    let token = served.make_token(&["--role", "admin"]);
    served.make_token(&["--role", "reader", "--expires", "1s"]);
    wait_for_tokens(&served);
    served.run(&["token", "open"]).exits(2);
    served.run(&["token", "revoke", token.split('_').nth(1).unwrap()]).exits(0);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    // The other one has expired, and is still kept.
    served.kill();
    served.start();
    assert_eq!(ask(&served), 401);
    // Somebody takes all tokens out of the database by hand.
    served.place.run(&format!("DELETE FROM {} WHERE kind = 'token'", served.place.own("documents")));
    served.kill();
    served.start();
    assert_eq!((ask(&served), as_bearer(&served, Some(&token), "get", "/v1/tables").status), (401, 401));
    assert_eq!(as_bearer(&served, None, "post", "/v1/rows").status, 401);
    let words = served.run(&["token", "list"]).exits(0);
    assert!(words.stderr.contains("landfall token open"), "{}", words.stderr);
    served.run(&["token", "open"]).exits(0);
    for _ in 0..100 {
        if ask(&served) == 200 {
            served.kill();
            served.start();
            assert_eq!(ask(&served), 200);
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("the service is still closed");
}

super::served::on_every_database! { a_service_without_its_tokens_stays_closed_until_it_is_opened }

/// A page of another site could have a report run, and rows sent, where a browser told of it by other means than one Origin.
#[test]
fn without_a_token_pages_of_other_sites_are_refused_at_every_route() {
    let served = Served::example(Kind::Sqlite);
    let own = ("Origin", "http://localhost");
    for foreign in [
        &[("Sec-Fetch-Site", "cross-site")][..],
        &[("Sec-Fetch-Site", "same-site")],
        &[("Origin", "null")],
        &[own, ("Origin", "https://evil.example")],
        &[("Origin", "https://evil.example"), own],
    ] {
        for (route, _) in GRANTED.iter().filter(|(_, roles)| !roles.contains(&"nobody")) {
            let (method, path) = route.split_once(' ').unwrap();
            let path = path.replace("{table}", "departments").replace("{report}", "hires_by_quarter");
            let answer = served.send(&method.to_uppercase(), &path, foreign, b"");
            assert_eq!((answer.status, answer.problem().as_str()), (403, "forbidden"), "{route} {foreign:?}");
        }
    }
    assert_eq!(served.send("GET", "/v1/tables", &[own, ("Sec-Fetch-Site", "same-origin")], b"").status, 200);
    // With a token, it is the token that decides: other sites do not have it.
    let token = format!("Bearer {}", served.make_token(&["--role", "reader"]));
    wait_for_tokens(&served);
    let headers = [("Sec-Fetch-Site", "cross-site"), ("Authorization", token.as_str())];
    assert_eq!(served.send("GET", "/v1/tables", &headers, b"").status, 200);
}

#[test]
fn without_a_token_only_this_machine_is_answered() {
    let served = Served::example(Kind::Sqlite);
    let ask = |headers: &[(&str, &str)]| {
        let mut head = "GET /v1/tables HTTP/1.1\r\n".to_owned();
        headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
        let mut stream = super::asked::connect(served.address).unwrap();
        super::asked::exchange(&mut stream, format!("{head}\r\n").as_bytes()).unwrap().status
    };
    assert_eq!(ask(&[("Host", "localhost:8080")]), 200);
    assert_eq!(ask(&[("Host", "[::1]:8080")]), 200);
    assert_eq!(ask(&[("Host", "evil.example")]), 403);
    assert_eq!(ask(&[("Host", "localhost:8080"), ("Origin", "http://localhost:8080")]), 200);
    assert_eq!(ask(&[("Host", "localhost:8080"), ("Origin", "https://evil.example")]), 403);
    assert_eq!(ask(&[("Host", "localhost:8080"), ("Origin", "null")]), 403);
}

#[test]
fn a_token_is_told_once_and_its_making_is_checked() {
    let served = Served::example(Kind::Sqlite);
    for wrong in [
        &["token", "create", "--name", "x"][..],
        &["token", "create", "--role", "reader"],
        &["token", "create", "--name", "x", "--role", "owner"],
        &["token", "create", "--name", "x", "--role", "reader", "--table", "nope"],
        &["token", "create", "--name", "x", "--role", "reader", "--report", "nope"],
        &["token", "create", "--name", "x", "--role", "reader", "--expires", "2001-01-01T00:00:00Z"],
        &["token", "create", "--name", "x", "--role", "reader", "--expires", "soon"],
        &["token", "revoke", "nope"],
    ] {
        served.run(wrong).exits(2);
    }
    assert_eq!(served.run(&["token", "list"]).exits(0).stdout, "There are no tokens.\n");
    let token = served.make_token(&["--role", "writer", "--expires", "90d"]);
    let list = served.run(&["token", "list", "--json"]).exits(0).stdout;
    assert!(list.contains("\"expires_at\"") && list.contains("\"writer\""), "{list}");
    assert!(!list.contains(token.rsplit('_').next().unwrap()) && !list.contains("hash"), "{list}");
}
