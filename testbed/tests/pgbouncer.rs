//! PgBouncer gives each transaction another connection of a small pool.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use testbed::{PgBouncer, Postgres};

#[test]
fn transactions_share_a_small_pool() {
    let pgbouncer = PgBouncer::start_with_pool(Postgres::shared(), 2).unwrap();
    let direct = Postgres::shared().fresh_database().unwrap();
    let pooled = pgbouncer.through_pool(&direct);
    assert_ne!(pooled.port(), direct.port());
    pooled.run_sql("CREATE TABLE t (n integer)").unwrap();
    let wait = "BEGIN; INSERT INTO t SELECT pg_backend_pid(); SELECT pg_sleep(0.1); COMMIT";
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..8).map(|_| scope.spawn(|| pooled.run_sql(wait))).collect();
        clients.into_iter().for_each(|client| drop(client.join().unwrap().unwrap()));
    });
    assert_eq!(direct.run_sql("SELECT count(*), count(DISTINCT n) FROM t").unwrap(), "8|2\n");
    assert!(pooled.as_user(pooled.user(), "wrong").run_sql("SELECT 1").is_err());
}

#[test]
fn it_can_be_killed_and_started_again() {
    let pgbouncer = PgBouncer::start(Postgres::shared()).unwrap();
    let database = pgbouncer.through_pool(&Postgres::shared().fresh_database().unwrap());
    pgbouncer.kill_server().unwrap();
    assert!(database.run_sql("SELECT 1").is_err());
    pgbouncer.restart_server().unwrap();
    assert_eq!(database.run_sql("SELECT 1").unwrap(), "1\n");
}
