//! Clocks that were wrong: schedules go by what was done.

use std::{
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;

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

/// A clock that is moved under a running service.
struct Clock(TempDir);

impl Clock {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/service/clock.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-o"]).arg(folder.path().join("clock.so")).arg(source).arg("-ldl");
        assert!(compiler.status().unwrap().success());
        Self(folder)
    }

    /// Lets the service show `time` now, and go on from there.
    fn show(&self, time: &str) {
        let moved = time.parse::<Timestamp>().unwrap().as_second() - Timestamp::now().as_second();
        let (written, file) = (self.0.path().join("new"), self.0.path().join("moved"));
        std::fs::write(&written, moved.to_string()).unwrap();
        std::fs::rename(written, file).unwrap();
    }

    /// Starts the service anew, so that it goes by this clock.
    fn give_to(&self, served: &mut Served) {
        served.kill();
        served.project.set("LD_PRELOAD", &self.0.path().join("clock.so").display().to_string());
        served.project.set("CLOCK_FILE", &self.0.path().join("moved").display().to_string());
        served.start();
    }
}

/// Asks until the answer is one.
#[track_caller]
fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The schedule went by the time that was last come to, so that a clock that goes back would silence it until then.
fn scheduled_backups_go_on_while_the_clock_jumps(kind: Kind) {
    let clock = Clock::new();
    clock.show("2031-05-04T11:59:57Z");
    let mut served = Served::package(kind, PACKAGE, MINUTELY);
    clock.give_to(&mut served);
    let mut made = 0;
    for (shown, due) in [
        ("2031-05-04T11:59:57Z", "2031-05-04T12:00:00Z"),
        // Back by hours, by less than an hour, ahead by months, and back.
        ("2031-05-04T08:59:57Z", "2031-05-04T09:00:00Z"),
        ("2031-05-04T08:29:57Z", "2031-05-04T08:30:00Z"),
        ("2031-09-01T03:09:57Z", "2031-09-01T03:10:00Z"),
        ("2031-05-04T09:29:57Z", "2031-05-04T09:30:00Z"),
    ] {
        clock.show(shown);
        wait_for(due, || served.documents("scheduled-backup").iter().any(|time| time == due).then_some(()));
        let done = || {
            let tasks = served.get("/v1/tasks?state=done&limit=1000").of(200)["tasks"].as_array().unwrap().len();
            (tasks > made).then_some(tasks)
        };
        made = wait_for("the backup is not made", done);
    }
    let times = served.documents("scheduled-backup");
    assert!(times.iter().all(|time| time.as_str() < "2031-05-04T12"), "times to come are forgotten: {times:?}");
    served.verifies();
}

/// When the result that is given is of, as the service tells.
fn modified(served: &Served) -> String {
    let answer = served.get("/v1/reports/all");
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.header("last-modified").unwrap().to_owned()
}

/// A stored result of a time to come would have been given until that time.
fn stored_results_are_renewed_while_the_clock_jumps(kind: Kind) {
    let clock = Clock::new();
    clock.show("2031-05-04T11:58:30Z");
    let mut served = Served::package(kind, PACKAGE, "reports: {all: {sql: all.sql, refresh: {cron: '0 * * * *'}}}\n");
    served.project.write("all.sql", "SELECT a FROM things");
    clock.give_to(&mut served);
    let rows = |served: &Served| served.get("/v1/reports/all").json().as_array().unwrap().len();
    assert!(modified(&served).starts_with("Sun, 04 May 2031 11:58:"), "{}", modified(&served));
    for (count, (shown, of)) in (1..).zip([
        // The hour comes; the clock goes back by hours and by minutes, ahead by months, and back.
        ("2031-05-04T11:59:58Z", "Sun, 04 May 2031 12:00:"),
        ("2031-05-04T08:20:00Z", "Sun, 04 May 2031 08:20:"),
        ("2031-05-04T08:10:00Z", "Sun, 04 May 2031 08:10:"),
        ("2031-09-01T03:30:00Z", "Mon, 01 Sep 2031 03:30:"),
        ("2031-05-04T09:20:00Z", "Sun, 04 May 2031 09:20:"),
    ]) {
        served.post("/v1/tables/things/rows", &format!(r#"[{{"a":{count}}}]"#)).of(201);
        assert_eq!(rows(&served), count - 1, "the result is not asked for anew before its time");
        clock.show(shown);
        wait_for(of, || modified(&served).starts_with(of).then_some(()));
        assert_eq!(rows(&served), count);
    }
}

on_every_database! {
    scheduled_backups_go_on_while_the_clock_jumps,
    stored_results_are_renewed_while_the_clock_jumps,
}
