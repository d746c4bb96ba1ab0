//! What the servers write into their logs of what Landfall does: nothing that somebody would have to look into.

use testbed::{Mariadb, Postgres, ServerOptions};

use super::{
    place::{Kind, Place},
    site::Site,
};
use crate::support::Project;

/// The lines of a log that warn, or tell of an error.
fn warnings(log: &str) -> Vec<&str> {
    let words = ["WARNING", "ERROR", "FATAL", "PANIC", "[Warning]"];
    log.lines().filter(|line| words.iter().any(|word| line.contains(word))).collect()
}

/// Each report began and ended its transaction twice, which PostgreSQL wrote into its log.
#[test]
fn reports_write_no_warnings_into_the_log_of_postgres() {
    let server = Postgres::start_with(&ServerOptions::default().with_setting("log_min_messages", "warning")).unwrap();
    let project = Project::example();
    let file = project.read("landfall.yaml");
    project.write("landfall.yaml", format!("{file}\n  ends: {{sql: reports/ends.sql}}\n"));
    project.write("reports/ends.sql", "SELECT 1");
    let folder = project.path().to_owned();
    let site = Site::at(project, Place::on(Kind::Postgres, server.fresh_database().unwrap()));
    site.run(&["load", "-q"]).exits(0);
    let before = server.read_log().len();
    let reports = |site: &Site| {
        for _ in 0..3 {
            site.run(&["report", "departments_above_mean", "--param", "year=2021"]).exits(0);
            site.run(&["report", "hires_by_quarter", "--format", "csv"]).exits(0);
        }
        site.run(&["report"]).exits(0);
    };
    reports(&site);
    site.run(&["verify"]).exits(0);
    let log = server.read_log();
    assert_eq!(warnings(&log[before..]), Vec::<&str>::new());
    // A report that ends the transaction by itself is none.
    for sql in ["COMMIT", "ROLLBACK", "SET search_path = nowhere"] {
        std::fs::write(folder.join("reports/ends.sql"), sql).unwrap();
        let run = site.run(&["report", "ends"]);
        assert!(run.code != 0 && run.stderr.contains("may only read"), "{sql}: {} {}", run.code, run.stderr);
    }
    let log = server.read_log();
    assert_eq!(warnings(&log[before..]), Vec::<&str>::new());
}

#[test]
fn reports_write_no_warnings_into_the_log_of_mariadb() {
    let server = Mariadb::start_with(&ServerOptions::default().with_setting("log_warnings", "4")).unwrap();
    let site = Site::at(Project::example(), Place::on(Kind::Mariadb, server.fresh_database().unwrap()));
    // A client that would rather have TLS asks a server without it first, and leaves.
    site.aim(&format!("{}?sslmode=disable", site.place.url));
    site.run(&["load", "-q"]).exits(0);
    let before = server.read_log().len();
    for _ in 0..3 {
        site.run(&["report", "hires_by_quarter", "--format", "csv"]).exits(0);
    }
    let log = server.read_log();
    assert_eq!(warnings(&log[before..]), Vec::<&str>::new());
}
