//! Clocks that were wrong: schedules go by what was done.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{
    place::Kind,
    served::{Served, on_every_database},
};

const PACKAGE: &str = "resources: [{name: things, path: t.csv, schema: {fields: [{name: a, type: integer}]}}]";
const MINUTELY: &str = "backup: {cron: '* * * * *'}\n";

impl Served {
    fn add_document(&self, kind: &str, name: &str, body: &str) {
        let own = self.place.own("documents");
        let changed = "2026-01-01T00:00:00.000000Z";
        let bytes = match self.place.kind {
            Kind::Postgres | Kind::Pooled => format!("convert_to('{body}', 'UTF8')"),
            Kind::Sqlite => format!("CAST('{body}' AS BLOB)"),
            Kind::Mariadb => format!("'{body}'"),
        };
        self.place.run(&format!(
            "INSERT INTO {own} (kind, name, version, body, changed_at) VALUES ('{kind}', '{name}', 1, {bytes}, '{changed}')"
        ));
    }

    fn documents(&self, kind: &str) -> Vec<String> {
        let sql = format!("SELECT name FROM {} WHERE kind = '{kind}' ORDER BY name", self.place.own("documents"));
        self.place.rows(&sql).into_iter().map(|mut row| row.remove(0)).collect()
    }
}

/// A clock that had jumped forward silenced scheduled backups until the time that it had shown.
fn backups_go_on_after_a_clock_that_was_ahead(kind: Kind) {
    let mut served = Served::package(kind, PACKAGE, MINUTELY);
    served.kill();
    for wrong in ["2041-05-01T06:00:00Z", "2041-05-01T06:01:00Z", "2099-12-31T23:59:00Z"] {
        served.add_document("scheduled-backup", wrong, "task");
    }
    served.start();
    let begun = Instant::now();
    let tasks = loop {
        let tasks = served.get("/v1/tasks?state=done").of(200)["tasks"].as_array().unwrap().clone();
        if !tasks.is_empty() {
            break tasks;
        }
        assert!(begun.elapsed() < Duration::from_secs(90), "no backup was made");
        std::thread::sleep(Duration::from_millis(200));
    };
    assert_eq!(tasks[0]["kind"], Value::from("backup"));
    let times = served.documents("scheduled-backup");
    assert!(times.iter().all(|time| time.as_str() < "2040"), "{times:?}");
    // A clock that goes back does not do again what was done: the same time is there already.
    served.kill();
    served.start();
    std::thread::sleep(Duration::from_millis(2500));
    let again = served.documents("scheduled-backup");
    assert!(again.len() <= times.len() + 1, "{times:?} {again:?}");
}

on_every_database! { backups_go_on_after_a_clock_that_was_ahead }
