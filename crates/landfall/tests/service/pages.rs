//! Pages of what the service lists: bounded in bytes, and whole together.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    place::Kind,
    served::{Served, on_every_database},
};

/// A table whose rows have many reasons to be rejected.
fn wide_package() -> String {
    let fields: Vec<String> = (0..20).map(|at| format!("{{name: f{at}, type: integer}}")).collect();
    format!("resources: [{{name: wide, path: w.csv, schema: {{fields: [{}]}}}}]", fields.join(", "))
}

/// SQL that counts the tasks that have ended, without asking the service for them.
fn ended_tasks(served: &Served) -> String {
    format!("SELECT count(*) FROM {} WHERE ended_at IS NOT NULL", served.place.own("jobs"))
}

/// Tasks of rows have an answer of megabytes each, and a page of them had no bound but their number.
fn a_page_of_tasks_ends_at_8_mib(kind: Kind) {
    const TASKS: usize = 8;
    let served = Served::package(kind, &wide_package(), "");
    let row: serde_json::Map<String, Value> = (0..20).map(|at| (format!("f{at}"), json!("x"))).collect();
    let rows = json!(vec![row; 1000]).to_string();
    let headers = [("Content-Type", "application/json"), ("Prefer", "respond-async")];
    let send = |_| {
        let task = served.send("POST", "/v1/tables/wide/rows", &headers, rows.as_bytes()).of(202);
        task["task_id"].as_str().unwrap().to_owned()
    };
    let sent: BTreeSet<String> = (0..TASKS).map(send).collect();
    let begun = Instant::now();
    while served.place.number(&ended_tasks(&served)) < TASKS as u64 {
        assert!(begun.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(100));
    }
    let before = served.peak_memory();
    let (mut met, mut path, mut pages) = (Vec::new(), "/v1/tasks?limit=1000".to_owned(), 0);
    loop {
        let page = served.get(&path);
        assert!(page.body.len() < 12 << 20, "{} bytes", page.body.len());
        let page = page.of(200);
        met.extend(page["tasks"].as_array().unwrap().iter().map(|task| task["task_id"].as_str().unwrap().to_owned()));
        pages += 1;
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/tasks?limit=1000&before={next}");
    }
    assert!(pages > 1, "{pages}");
    assert_eq!(met.len(), TASKS);
    assert_eq!(met.into_iter().collect::<BTreeSet<_>>(), sent);
    let more = served.peak_memory() - before;
    assert!(more < 128 << 20, "{more} bytes more than were needed to take the rows");
}

on_every_database! { a_page_of_tasks_ends_at_8_mib }
