//! The proxy fails when it is told to, and not before.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use testbed::{Mariadb, Postgres, Proxy, ProxyRule, TestDatabase};

fn behind(database: &TestDatabase) -> (Proxy, TestDatabase) {
    let proxy = Proxy::start(database.port()).unwrap();
    let through = proxy.through_proxy(database);
    (proxy, through)
}

fn postgres() -> (TestDatabase, Proxy, TestDatabase) {
    let database = Postgres::shared().fresh_database().unwrap();
    database.run_sql("CREATE TABLE t (n integer)").unwrap();
    let (proxy, through) = behind(&database);
    (database, proxy, through)
}

#[test]
fn connections_are_cut_now_and_taken_again() {
    let (_, proxy, through) = postgres();
    let sleeping = through.clone();
    let sleeper = thread::spawn(move || sleeping.run_sql("SELECT pg_sleep(60)"));
    let start = Instant::now();
    while !sleeper.is_finished() {
        assert!(start.elapsed() < Duration::from_secs(10), "the connection is still there");
        proxy.cut_connections();
    }
    assert!(sleeper.join().unwrap().is_err());
    assert_eq!(through.run_sql("SELECT 1").unwrap(), "1\n");
}

#[test]
fn connections_are_cut_after_so_many_bytes() {
    let (database, proxy, through) = postgres();
    proxy.set(ProxyRule::CutAfterFromClient(20_000));
    assert!(through.run_sql(&format!("INSERT INTO t SELECT length('{}')", "x".repeat(100_000))).is_err());
    proxy.set(ProxyRule::CutAfterFromServer(20_000));
    assert!(through.run_sql("SELECT repeat('x', 100000)").is_err());
    assert_eq!(proxy.times_fired(), 2);
    assert_eq!(database.run_sql("SELECT count(*) FROM t").unwrap(), "0\n");
    assert_eq!(through.run_sql("SELECT length(repeat('x', 100000))").unwrap(), "100000\n");
}

#[test]
fn the_answer_to_a_commit_is_swallowed_and_the_rows_are_there() {
    let mariadb = Mariadb::shared().fresh_database().unwrap();
    mariadb.run_sql("CREATE TABLE t (n integer)").unwrap();
    let (maria_proxy, maria_through) = behind(&mariadb);
    let (database, proxy, through) = postgres();
    for (database, proxy, through) in [(database, proxy, through), (mariadb, maria_proxy, maria_through)] {
        proxy.set(ProxyRule::swallow_answer("COMMIT", 1));
        let sql = "BEGIN; INSERT INTO t VALUES (1); COMMIT; BEGIN; INSERT INTO t VALUES (2); COMMIT; INSERT INTO t VALUES (3)";
        assert!(through.run_sql(sql).is_err(), "the answer came back");
        assert_eq!(proxy.times_fired(), 1);
        assert_eq!(database.run_sql("SELECT sum(n) FROM t").unwrap(), "3\n");
        assert_eq!(through.run_sql("SELECT 1").unwrap(), "1\n");
    }
}

#[test]
fn a_hanging_line_goes_on_where_it_stopped() {
    let (_, proxy, through) = postgres();
    proxy.set(ProxyRule::Hang);
    let (sender, answer) = mpsc::channel();
    let asking = through.clone();
    thread::spawn(move || sender.send(asking.run_sql("SELECT 1")));
    assert!(answer.recv_timeout(Duration::from_secs(1)).is_err(), "an answer came through");
    proxy.set(ProxyRule::Pass);
    assert_eq!(answer.recv_timeout(Duration::from_secs(10)).unwrap().unwrap(), "1\n");
}

#[test]
fn new_connections_are_refused() {
    let (_, proxy, through) = postgres();
    proxy.set(ProxyRule::Refuse);
    assert!(through.run_sql("SELECT 1").is_err());
    proxy.set(ProxyRule::Pass);
    assert!(through.run_sql("SELECT 1").is_ok());
}
