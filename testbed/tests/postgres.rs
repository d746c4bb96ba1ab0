//! A private PostgreSQL starts, answers, keeps databases apart, and outlives what tests do to it.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use testbed::{Options, Postgres, Tls};

#[test]
fn fresh_databases_are_apart_and_owned_by_ordinary_roles() {
    let postgres = Postgres::shared();
    let [one, two] = [(), ()].map(|()| postgres.fresh_database().unwrap());
    one.sql("CREATE TABLE t (n integer); INSERT INTO t VALUES (1), (2)").unwrap();
    assert_eq!(postgres.psql(&one, "SELECT n FROM t ORDER BY n").unwrap(), "1\n2\n");
    assert!(two.sql("SELECT n FROM t").is_err());
    assert_eq!(one.sql("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").unwrap(), "f\n");
    let stranger = postgres.superuser(one.name()).as_user(two.user(), two.password());
    assert!(stranger.sql("SELECT 1").is_err(), "another role can connect");
    assert!(one.as_user(one.user(), "wrong").sql("SELECT 1").is_err(), "any password will do");
}

#[test]
fn a_database_can_have_any_name_and_the_url_still_opens_it() {
    let name = r#"Ödd "name"; --"#;
    let database = Postgres::shared().fresh_database_named(name, r#"o'wn "er"#, "p:@/?#%' \\").unwrap();
    assert_eq!(database.sql("SELECT current_database()").unwrap(), format!("{name}\n"));
    Postgres::shared().drop_database(&database).unwrap();
    assert!(database.sql("SELECT 1").is_err());
}

#[test]
fn a_failed_statement_is_an_error_with_the_servers_words() {
    let error = Postgres::shared().superuser("postgres").sql("SELECT 1; SELECT 1/0; SELECT 2").unwrap_err();
    assert!(error.to_string().contains("division by zero"), "{error}");
}

#[test]
fn committed_rows_outlive_a_kill_of_the_server() {
    let postgres = Postgres::start_with(&Options::stock()).unwrap();
    let database = postgres.fresh_database().unwrap();
    assert_eq!(database.sql("SHOW fsync").unwrap(), "on\n");
    database.sql("CREATE TABLE t (n integer); INSERT INTO t SELECT generate_series(1, 1000)").unwrap();
    for _ in 0..3 {
        postgres.kill9().unwrap();
        assert!(!postgres.is_running());
        assert!(database.sql("SELECT 1").is_err(), "a dead server answers");
        postgres.restart().unwrap();
        assert_eq!(database.sql("SELECT count(*) FROM t").unwrap(), "1000\n");
    }
    assert!(postgres.log().contains("automatic recovery in progress"), "it was not killed");
    postgres.restart().unwrap();
    assert_eq!(database.sql("SELECT count(*) FROM t").unwrap(), "1000\n");
}

#[test]
fn a_paused_server_answers_when_it_goes_on() {
    let postgres = Postgres::start().unwrap();
    let database = postgres.fresh_database().unwrap();
    postgres.pause().unwrap();
    let (sender, answer) = mpsc::channel();
    thread::spawn(move || sender.send(database.sql("SELECT 1")));
    assert!(answer.recv_timeout(Duration::from_secs(1)).is_err(), "a paused server answers");
    postgres.resume().unwrap();
    assert_eq!(answer.recv_timeout(Duration::from_secs(10)).unwrap().unwrap(), "1\n");
}

#[test]
fn connections_can_be_killed() {
    let postgres = Postgres::shared();
    let database = postgres.fresh_database().unwrap();
    let sleeping = database.clone();
    let sleeper = thread::spawn(move || sleeping.sql("SELECT pg_sleep(60)"));
    let start = Instant::now();
    while postgres.kill_backends(&database).unwrap() == 0 {
        assert!(start.elapsed() < Duration::from_secs(10), "there is no connection to kill");
    }
    assert!(sleeper.join().unwrap().is_err());
    assert_eq!(database.sql("SELECT 1").unwrap(), "1\n");
}

#[test]
fn tls_is_checked_against_the_authority() {
    let postgres = Postgres::start_with(&Options::default().tls(Tls::Required)).unwrap();
    let database = postgres.fresh_database().unwrap().at_host("localhost");
    let certificates = postgres.certificates().unwrap();
    let connect = |mode: &str, authority: std::path::PathBuf| {
        let mut psql = database.client().unwrap();
        psql.env("PGSSLMODE", mode).env("PGSSLROOTCERT", authority).args(["--command", "SELECT 1"]);
        psql.output().unwrap().status.success()
    };
    assert!(connect("verify-full", certificates.authority()));
    assert!(!connect("verify-full", certificates.unrelated_authority()));
    assert!(!connect("disable", certificates.authority()));
}

#[test]
fn a_certificate_of_another_host_is_told_apart() {
    let postgres = Postgres::start_with(&Options::default().tls(Tls::WrongHost)).unwrap();
    let database = postgres.fresh_database().unwrap().at_host("localhost");
    let connect = |mode: &str| {
        let mut psql = database.client().unwrap();
        psql.env("PGSSLMODE", mode).env("PGSSLROOTCERT", postgres.certificates().unwrap().authority());
        psql.args(["--command", "SELECT 1"]).output().unwrap().status.success()
    };
    assert!(connect("verify-ca"));
    assert!(!connect("verify-full"));
}

#[test]
fn settings_and_a_locale_can_be_chosen() {
    let options = Options::default().setting("max_connections", "17").icu_locale("en-US");
    let postgres = Postgres::start_with(&options).unwrap();
    let database = postgres.fresh_database().unwrap();
    assert_eq!(database.sql("SHOW max_connections").unwrap(), "17\n");
    let sorted = "SELECT string_agg(t, '' ORDER BY t) FROM (VALUES ('a'), ('B'), ('c')) v (t)";
    assert_eq!(database.sql(sorted).unwrap(), "aBc\n");
    assert_eq!(Postgres::shared().superuser("postgres").sql(sorted).unwrap(), "Bac\n");
}
