//! What became of a COMMIT that was not answered, or never came.

use std::{
    thread,
    time::{Duration, Instant},
};

use testbed::{Postgres as Server, Proxy, ProxyRule, TestDatabase};

use super::target::{all, family, fresh, insert, kind, rows, target_at};
use crate::{
    TargetErrorKind,
    targets::{Fence, Pace, Target as _, TargetRead as _},
};

/// A proxy before `database`, and the URL of a target that gives up after a few seconds.
fn behind_proxy(database: &TestDatabase) -> (Proxy, String) {
    let proxy = Proxy::start(database.port()).expect("a proxy");
    let url = format!("{}?answer_timeout=5", proxy.proxy_url(database));
    (proxy, url)
}

#[test]
fn a_commit_whose_answer_never_came_stays() {
    let database = fresh();
    let (mut target, parent, _) = family(&database.url());
    drop(target);
    let (proxy, url) = behind_proxy(&database);
    target = target_at(&url);
    let mut transaction = target.begin_transaction(Fence::Database, Pace::InStep).expect("begins");
    let batch = rows(&parent, 20..30, 0);
    transaction.insert_rows(&parent, &batch, &all(&batch)).expect("inserts");
    proxy.set(ProxyRule::swallow_answer("COMMIT", 0));
    transaction.commit_now().expect("the server says that it committed");
    assert_eq!(proxy.times_fired(), 1);
    assert_eq!(target.row_count(&parent).expect("counts"), 19);
}

#[test]
fn a_commit_that_never_came_to_the_server_leaves_nothing() {
    let database = fresh();
    let (_, parent, _) = family(&database.url());
    let (proxy, url) = behind_proxy(&database);
    let mut target = target_at(&url);
    let mut transaction = target.begin_transaction(Fence::Database, Pace::InStep).expect("begins");
    let batch = rows(&parent, 20..30, 0);
    transaction.insert_rows(&parent, &batch, &all(&batch)).expect("inserts");
    proxy.set(ProxyRule::swallow_request("COMMIT", 0));
    assert_eq!(kind(transaction.commit_now()), TargetErrorKind::Lost);
    assert_eq!((proxy.times_fired(), target.row_count(&parent).expect("connects again")), (1, 9));
    let left = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'";
    assert_eq!(database.run_sql(left).expect("answers"), "0\n", "its COMMIT cannot arrive later");
}

/// A server that recovers hands out numbers of transactions again that it had not flushed. They once were the witness of a
/// commit: rows were acknowledged that never came in.
#[test]
fn a_number_that_was_reused_after_a_crash_is_no_witness() {
    let server = Server::start().expect("a server");
    let database = server.fresh_database().expect("a database");
    let (_, parent, _) = family(&database.url());
    let (proxy, url) = behind_proxy(&database);
    let mut target = target_at(&url);
    let mut transaction = target.begin_transaction(Fence::Database, Pace::InStep).expect("begins");
    let batch = rows(&parent, 20..30, 0);
    transaction.insert_rows(&parent, &batch, &all(&batch)).expect("inserts");
    let number =
        database.run_sql("SELECT backend_xid FROM pg_stat_activity WHERE backend_xid IS NOT NULL").expect("answers");
    let number = number.lines().next().expect("a transaction is under way").to_owned();
    proxy.set(ProxyRule::swallow_request("COMMIT", 0));
    let outcome = thread::scope(|scope| {
        scope.spawn(|| {
            while proxy.times_fired() == 0 {
                thread::sleep(Duration::from_millis(5));
            }
            assert!(server.kill9_backend(&database).expect("is found"));
            use_numbers(&database);
        });
        transaction.commit_now()
    });
    let status = database.run_sql(&format!("SELECT pg_xact_status('{number}'::xid8)")).expect("answers");
    assert_eq!(status, "committed\n", "the number was used again");
    assert_eq!(kind(outcome), TargetErrorKind::Lost);
    assert_eq!(target.row_count(&parent).expect("connects again"), 9);
}

#[test]
fn a_token_is_removed_by_the_next_transaction_of_its_connection() {
    let database = fresh();
    let (mut target, parent, _) = family(&database.url());
    for id in 20..25 {
        insert(&mut target, Fence::Database, &parent, &rows(&parent, id..id + 1, 0)).expect("inserts");
    }
    let tokens = "SELECT count(*) FROM landfall.commits";
    let left: u64 = database.run_sql(tokens).expect("answers").trim().parse().expect("a number");
    assert!((1..=2).contains(&left), "{left}: one of each connection");
    database.run_sql("UPDATE landfall.commits SET entered_at = now() - interval '2 days'").expect("ages them");
    drop(target);
    let _ = target_at(&database.url());
    assert_eq!(database.run_sql(tokens).expect("answers"), "0\n", "what ended connections left is removed");
}

/// Uses numbers of transactions as soon as the server has recovered.
fn use_numbers(database: &TestDatabase) {
    let uses = "DO $$ BEGIN FOR i IN 1..50 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$";
    let begun = Instant::now();
    while database.run_sql(uses).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(30), "the server does not recover");
        thread::sleep(Duration::from_millis(2));
    }
}
