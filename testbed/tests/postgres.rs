//! A private PostgreSQL starts, answers, keeps databases apart, and outlives what tests do to it.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use testbed::{Postgres, ServerOptions, Tls};

#[test]
fn fresh_databases_are_apart_and_owned_by_ordinary_roles() {
    let postgres = Postgres::shared();
    let [one, two] = [(), ()].map(|()| postgres.fresh_database().unwrap());
    one.run_sql("CREATE TABLE t (n integer); INSERT INTO t VALUES (1), (2)").unwrap();
    assert_eq!(postgres.run_psql(&one, "SELECT n FROM t ORDER BY n").unwrap(), "1\n2\n");
    assert!(two.run_sql("SELECT n FROM t").is_err());
    assert_eq!(one.run_sql("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").unwrap(), "f\n");
    let stranger = postgres.superuser(one.name()).as_user(two.user(), two.password());
    assert!(stranger.run_sql("SELECT 1").is_err(), "another role can connect");
    assert!(one.as_user(one.user(), "wrong").run_sql("SELECT 1").is_err(), "any password will do");
}

#[test]
fn a_database_can_have_any_name_and_the_url_still_opens_it() {
    let name = r#"Ödd "name"; --"#;
    let database = Postgres::shared().fresh_database_named(name, r#"o'wn "er"#, "p:@/?#%' \\").unwrap();
    assert_eq!(database.run_sql("SELECT current_database()").unwrap(), format!("{name}\n"));
    Postgres::shared().drop_database(&database).unwrap();
    assert!(database.run_sql("SELECT 1").is_err());
}

#[test]
fn a_failed_statement_is_an_error_with_the_servers_words() {
    let error = Postgres::shared().superuser("postgres").run_sql("SELECT 1; SELECT 1/0; SELECT 2").unwrap_err();
    assert!(error.to_string().contains("division by zero"), "{error}");
}

#[test]
fn committed_rows_outlive_a_kill_of_the_server() {
    let postgres = Postgres::start_with(&ServerOptions::stock_settings()).unwrap();
    let database = postgres.fresh_database().unwrap();
    assert_eq!(database.run_sql("SHOW fsync").unwrap(), "on\n");
    database.run_sql("CREATE TABLE t (n integer); INSERT INTO t SELECT generate_series(1, 1000)").unwrap();
    for _ in 0..3 {
        postgres.kill_server().unwrap();
        assert!(!postgres.is_running());
        assert!(database.run_sql("SELECT 1").is_err(), "a dead server answers");
        postgres.restart_server().unwrap();
        assert_eq!(database.run_sql("SELECT count(*) FROM t").unwrap(), "1000\n");
    }
    assert!(postgres.read_log().contains("automatic recovery in progress"), "it was not killed");
    postgres.restart_server().unwrap();
    assert_eq!(database.run_sql("SELECT count(*) FROM t").unwrap(), "1000\n");
}

#[test]
fn a_paused_server_answers_when_it_goes_on() {
    let postgres = Postgres::start().unwrap();
    let database = postgres.fresh_database().unwrap();
    postgres.pause_server().unwrap();
    let (sender, answer) = mpsc::channel();
    thread::spawn(move || sender.send(database.run_sql("SELECT 1")));
    assert!(answer.recv_timeout(Duration::from_secs(1)).is_err(), "a paused server answers");
    postgres.resume_server().unwrap();
    assert_eq!(answer.recv_timeout(Duration::from_secs(10)).unwrap().unwrap(), "1\n");
}

#[test]
fn connections_can_be_killed() {
    let postgres = Postgres::shared();
    let database = postgres.fresh_database().unwrap();
    let sleeping = database.clone();
    let sleeper = thread::spawn(move || sleeping.run_sql("SELECT pg_sleep(60)"));
    let start = Instant::now();
    while postgres.kill_backends(&database).unwrap() == 0 {
        assert!(start.elapsed() < Duration::from_secs(10), "there is no connection to kill");
    }
    assert!(sleeper.join().unwrap().is_err());
    assert_eq!(database.run_sql("SELECT 1").unwrap(), "1\n");
}

#[test]
fn tls_is_checked_against_the_authority() {
    let postgres = Postgres::start_with(&ServerOptions::default().with_tls(Tls::Required)).unwrap();
    let database = postgres.fresh_database().unwrap().through_host("localhost");
    let certificates = postgres.certificates().unwrap();
    let connect = |mode: &str, authority: std::path::PathBuf| {
        let mut psql = database.client_command().unwrap();
        psql.env("PGSSLMODE", mode).env("PGSSLROOTCERT", authority).args(["--command", "SELECT 1"]);
        psql.output().unwrap().status.success()
    };
    assert!(connect("verify-full", certificates.authority_file()));
    assert!(!connect("verify-full", certificates.unrelated_authority()));
    assert!(!connect("disable", certificates.authority_file()));
}

#[test]
fn a_certificate_of_another_host_is_told_apart() {
    let postgres = Postgres::start_with(&ServerOptions::default().with_tls(Tls::WrongHost)).unwrap();
    let database = postgres.fresh_database().unwrap().through_host("localhost");
    let connect = |mode: &str| {
        let mut psql = database.client_command().unwrap();
        psql.env("PGSSLMODE", mode).env("PGSSLROOTCERT", postgres.certificates().unwrap().authority_file());
        psql.args(["--command", "SELECT 1"]).output().unwrap().status.success()
    };
    assert!(connect("verify-ca"));
    assert!(!connect("verify-full"));
}

#[test]
fn settings_and_a_locale_can_be_chosen() {
    let options = ServerOptions::default().with_setting("max_connections", "17").with_icu_locale("en-US");
    let postgres = Postgres::start_with(&options).unwrap();
    let database = postgres.fresh_database().unwrap();
    assert_eq!(database.run_sql("SHOW max_connections").unwrap(), "17\n");
    let sorted = "SELECT string_agg(t, '' ORDER BY t) FROM (VALUES ('a'), ('B'), ('c')) v (t)";
    assert_eq!(database.run_sql(sorted).unwrap(), "aBc\n");
    assert_eq!(Postgres::shared().superuser("postgres").run_sql(sorted).unwrap(), "Bac\n");
}
