//! What the service says of itself.

use serde_json::Value;

use super::{place::Kind, served::Served, support::Project};

#[test]
fn the_openapi_document() {
    let served = Served::example(Kind::Sqlite);
    let document = served.get("/openapi.json").of(200);
    assert_eq!(document["openapi"], "3.1.0");
    insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!("openapi", serde_json::to_string_pretty(&document).unwrap());
    });
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            assert_ne!(operation["summary"], "", "{method} {path} says nothing of itself");
        }
    }
    refers(&document, &document);
}

/// Every reference of the document leads somewhere.
fn refers(document: &Value, part: &Value) {
    match part {
        Value::Object(members) => {
            if let Some(Value::String(target)) = members.get("$ref") {
                assert!(document.pointer(target.trim_start_matches('#')).is_some(), "{target}");
            }
            members.values().for_each(|member| refers(document, member));
        }
        Value::Array(items) => items.iter().for_each(|item| refers(document, item)),
        _ => {}
    }
}

#[test]
fn the_page_needs_nothing_from_the_network() {
    let served = Served::example(Kind::Sqlite);
    assert_eq!((served.get("/").status, served.get("/").header("location")), (307, Some("/docs")));
    assert_eq!(served.get("/docs").header("location"), Some("/docs/index.html"));
    let page = served.get("/docs/index.html").text();
    assert!(!page.contains("https://") && !page.contains("http://"), "{page}");
    for file in ["swagger-ui.css", "swagger-ui-bundle.js", "swagger-initializer.js"] {
        assert_eq!(served.get(&format!("/docs/{file}")).status, 200, "{file}");
    }
    assert!(served.get("/docs/swagger-initializer.js").text().contains("/openapi.json"));
    assert_eq!(served.get("/docs/..%2f..%2fCargo.toml").problem(), "not-found");
}

#[test]
fn health_readiness_and_metrics() {
    let served = Served::example(Kind::Sqlite);
    assert_eq!(served.get("/healthz").of(200)["status"], "ok");
    assert_eq!(served.get("/readyz").of(200)["status"], "ready");
    served.post("/v1/tables/departments/rows", r#"[{"id":1,"department":"a"},{"id":2}]"#).of(200);
    let text = served.get("/metrics").text();
    assert!(text.contains("\nlandfall_readers_busy "), "{text}");
    for line in [
        "landfall_rows_total{table=\"departments\",outcome=\"inserted\"} 1",
        "landfall_rows_total{table=\"departments\",outcome=\"rejected\"} 1",
        "landfall_tasks_under_way 0",
        "landfall_reject_errors_total{table=\"departments\",code=\"constraint-error\"} 1",
        "landfall_loads_total{table=\"departments\"} 1",
        "landfall_http_requests_total{method=\"POST\",route=\"/v1/tables/{table}/rows\",status=\"200\"} 1",
        "landfall_writer_queue 0",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[test]
fn every_answer_has_a_number_and_is_safe_in_a_browser() {
    let served = Served::example(Kind::Sqlite);
    let answer = served.send("GET", "/v1/tables", &[("X-Request-Id", "abc-1")], b"");
    assert_eq!(answer.header("x-request-id"), Some("abc-1"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let answer = served.send("GET", "/v1/nowhere", &[("X-Request-Id", "a\tb c")], b"");
    assert!(answer.header("x-request-id").is_some_and(|id| id != "a\tb c"), "{:?}", answer.headers);
}

#[test]
fn the_service_ends_when_it_is_told_to() {
    let mut served = Served::example(Kind::Sqlite);
    served.post("/v1/tables/departments/rows", r#"[{"id":1,"department":"a"}]"#).of(201);
    assert_eq!(served.stop(), 0);
    assert_eq!(served.count("departments"), 1);
    served.start();
    served.get("/readyz").of(200);
}

#[test]
fn a_service_that_cannot_start_says_why() {
    let project = Project::example();
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap().to_string();
    let run = project.run(&["serve", "--listen", &address]);
    assert!(run.code != 0 && run.stderr.contains(&format!("cannot listen on {address}")), "{}", run.stderr);
    let run = project.run(&["serve", "--listen", "0.0.0.0:0"]).exits(3);
    assert!(run.stderr.contains("there is no token"), "{}", run.stderr);
    project.run(&["serve", "--listen", "nowhere"]).exits(2);
}
