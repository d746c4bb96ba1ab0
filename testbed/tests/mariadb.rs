//! A private MariaDB starts, answers, keeps databases apart, and outlives what tests do to it.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use testbed::{Mariadb, ServerOptions, Tls};

#[test]
fn fresh_databases_are_apart_and_owned_by_ordinary_users() {
    let mariadb = Mariadb::shared();
    let [one, two] = [(), ()].map(|()| mariadb.fresh_database().unwrap());
    one.run_sql("CREATE TABLE t (n integer); INSERT INTO t VALUES (1), (2)").unwrap();
    assert_eq!(mariadb.run_sql(&one, "SELECT n FROM t ORDER BY n").unwrap(), "1\n2\n");
    assert!(two.run_sql("SELECT n FROM t").is_err());
    let stranger = one.as_user(two.user(), two.password());
    assert!(stranger.run_sql("SELECT 1").is_err(), "another user can connect");
    assert!(one.as_user(one.user(), "wrong").run_sql("SELECT 1").is_err(), "any password will do");
    assert!(one.as_user("root", "").run_sql("SELECT 1").is_err(), "root has no password");
    assert_eq!(one.run_sql("SELECT @@character_set_database").unwrap(), "utf8mb4\n");
}

#[test]
fn a_database_can_have_any_name_and_its_rights_end_there() {
    let name = "Ödd_`name`; --";
    let database = Mariadb::shared().fresh_database_named(name, "o'wn \"er", "p:@/?#%' \\").unwrap();
    assert_eq!(database.run_sql("SELECT database()").unwrap(), format!("{name}\n"));
    database.run_sql("CREATE TABLE t (n integer)").unwrap();
    assert!(database.run_sql("CREATE DATABASE `Ödd-``name``; --`").is_err());
    Mariadb::shared().drop_database(&database).unwrap();
    assert!(database.run_sql("SELECT 1").is_err());
}

#[test]
fn a_failed_statement_is_an_error_with_the_servers_words() {
    let error = Mariadb::shared().superuser("mysql").run_sql("SELECT 1; SELECT nothing; SELECT 2").unwrap_err();
    assert!(error.to_string().contains("Unknown column"), "{error}");
}

#[test]
fn committed_rows_outlive_a_kill_of_the_server() {
    let mariadb = Mariadb::start_with(&ServerOptions::stock_settings()).unwrap();
    let database = mariadb.fresh_database().unwrap();
    assert_eq!(database.run_sql("SELECT @@innodb_flush_log_at_trx_commit").unwrap(), "1\n");
    database.run_sql("CREATE TABLE t (n integer PRIMARY KEY); INSERT INTO t SELECT seq FROM seq_1_to_1000").unwrap();
    for _ in 0..3 {
        mariadb.kill_server().unwrap();
        assert!(!mariadb.is_running());
        assert!(database.run_sql("SELECT 1").is_err(), "a dead server answers");
        mariadb.restart_server().unwrap();
        assert_eq!(database.run_sql("SELECT count(*) FROM t").unwrap(), "1000\n");
    }
    assert!(mariadb.read_log().contains("crash recovery"), "it was not killed");
    mariadb.restart_server().unwrap();
    assert_eq!(database.run_sql("SELECT count(*) FROM t").unwrap(), "1000\n");
}

#[test]
fn a_paused_server_answers_when_it_goes_on() {
    let mariadb = Mariadb::start().unwrap();
    let database = mariadb.fresh_database().unwrap();
    mariadb.pause_server().unwrap();
    let (sender, answer) = mpsc::channel();
    thread::spawn(move || sender.send(database.run_sql("SELECT 1")));
    assert!(answer.recv_timeout(Duration::from_secs(1)).is_err(), "a paused server answers");
    mariadb.resume_server().unwrap();
    assert_eq!(answer.recv_timeout(Duration::from_secs(10)).unwrap().unwrap(), "1\n");
}

#[test]
fn connections_can_be_killed() {
    let mariadb = Mariadb::shared();
    let database = mariadb.fresh_database().unwrap();
    let sleeping = database.clone();
    let sleeper = thread::spawn(move || sleeping.run_sql("SELECT sleep(60)"));
    let start = Instant::now();
    while !sleeper.is_finished() {
        mariadb.kill_connections(&database).unwrap();
        assert!(start.elapsed() < Duration::from_secs(10), "the connection is still there");
    }
    assert!(sleeper.join().unwrap().is_err());
    assert_eq!(database.run_sql("SELECT 1").unwrap(), "1\n");
}

#[test]
fn tls_is_checked_against_the_authority() {
    let mariadb = Mariadb::start_with(&ServerOptions::default().with_tls(Tls::Required)).unwrap();
    let database = mariadb.fresh_database().unwrap().through_host("localhost");
    let certificates = mariadb.certificates().unwrap();
    let connect = |options: &[&str]| {
        let mut client = database.client_command().unwrap();
        client.args(options).args(["--execute", "SELECT 1"]).output().unwrap().status.success()
    };
    let trusting =
        |authority: std::path::PathBuf| connect(&["--ssl-verify-server-cert", "--ssl-ca", authority.to_str().unwrap()]);
    assert!(trusting(certificates.authority_file()));
    assert!(!trusting(certificates.unrelated_authority()));
    assert!(connect(&["--ssl"]));
    assert!(!connect(&["--skip-ssl"]), "it takes connections without TLS");
}

#[test]
fn a_server_can_forbid_local_files() {
    let mariadb = Mariadb::start_with(&ServerOptions::default().with_setting("local_infile", "OFF")).unwrap();
    let database = mariadb.fresh_database().unwrap();
    let load = "CREATE TABLE t (n text); LOAD DATA LOCAL INFILE '/dev/null' INTO TABLE t";
    assert!(database.run_sql(load).is_err());
    Mariadb::shared().fresh_database().unwrap().run_sql(load).unwrap();
}

#[test]
fn servers_that_start_at_once_do_not_remove_each_others_files() {
    let starting: Vec<_> = (0..6).map(|_| thread::spawn(Mariadb::start)).collect();
    for server in starting {
        assert!(server.join().unwrap().unwrap().is_running());
    }
}
