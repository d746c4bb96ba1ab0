//! Messages that travel with others: what the server says of each must be told at the right place.

use std::time::{Duration, Instant};

use testbed::Postgres as Server;

use super::{
    super::{connection::PostgresConnection, parameters::BoundParameters},
    ask, open,
    target::{fresh, target_at},
    words,
};
use crate::targets::{ReadBooks as _, ReadJobs as _};

fn connected() -> PostgresConnection {
    open(&fresh().url()).expect("connects")
}

const NONE: fn() -> BoundParameters = BoundParameters::default;

#[test]
fn a_transaction_begins_with_its_first_statement_and_ends_unanswered() {
    let mut connection = connected();
    for round in 0..3 {
        assert!(connection.is_fresh(), "round {round}");
        connection.begin_with_next("BEGIN READ ONLY; SET LOCAL work_mem = '1MB'".into());
        assert!(!connection.is_idle());
        connection.set_with_next("SET LOCAL enable_seqscan = off");
        let setting = "SELECT current_setting('work_mem'), current_setting('enable_seqscan'), current_setting('transaction_read_only')";
        assert_eq!(ask(&mut connection, setting, &NONE()).expect("answers"), "1MB|off|on\n");
        connection.set_with_next("SET LOCAL enable_seqscan TO DEFAULT");
        let count = "SELECT count(*) FROM generate_series(1, 1000)";
        assert_eq!(ask(&mut connection, count, &NONE()).expect("answers"), "1000\n");
        connection.end_reading().expect("ends");
        assert!(connection.is_idle());
    }
    let outside = "SELECT current_setting('enable_seqscan'), current_setting('transaction_read_only')";
    assert_eq!(ask(&mut connection, outside, &NONE()).expect("answers"), "on|off\n");
}

#[test]
fn a_transaction_in_which_nothing_was_done_is_never_begun() {
    let mut connection = connected();
    for end in [PostgresConnection::end_reading, PostgresConnection::commit_transaction] {
        connection.begin_with_next("BEGIN; no SQL at all".into());
        end(&mut connection).expect("ends");
        assert!(connection.is_idle());
        assert_eq!(ask(&mut connection, "SELECT 1", &NONE()).expect("answers"), "1\n");
    }
    connection.begin_with_next("no SQL at all".into());
    connection.roll_back();
    assert!(connection.is_idle() && connection.is_fresh());
}

#[test]
fn a_refusal_of_what_went_ahead_is_the_refusal_of_the_statement() {
    let mut connection = connected();
    connection.begin_with_next("BEGIN; SET LOCAL nothing = 1".into());
    assert!(words(ask(&mut connection, "SELECT 1", &NONE())).contains("nothing"), "a setting is refused");
    connection.roll_back();
    assert!(connection.is_idle());

    connection.run_batch("BEGIN").expect("begins");
    connection.set_with_next("SET LOCAL nothing = 1");
    assert!(words(connection.begin_copy("COPY (SELECT 1) TO STDOUT")).contains("nothing"));
    connection.roll_back();

    connection.run_batch("BEGIN; CREATE TEMPORARY TABLE t (a int)").expect("begins");
    connection.set_with_next("SET LOCAL work_mem = '1MB'");
    connection.begin_copy("COPY t FROM STDIN").expect("begins to copy");
    assert_eq!(connection.end_copy().expect("ends"), 0);
    assert!(words(ask(&mut connection, "SELECT 1 / 0", &NONE())).contains("division by zero"));
    connection.set_with_next("SET LOCAL work_mem = '2MB'");
    assert!(words(connection.end_reading()).contains("failed before"));
    assert_eq!(ask(&mut connection, "SELECT 1", &NONE()).expect("answers"), "1\n");
}

/// Until a version ago, BEGIN was a question of its own, and showed that the connection was gone.
#[test]
fn a_connection_that_the_server_has_closed_is_not_begun_upon() {
    let database = fresh();
    let target = target_at(&database.url());
    assert_eq!(target.all_loads().expect("reads"), []);
    let owner = Server::shared().superuser(database.name());
    let ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = \
                 current_database()";
    for round in 0..5 {
        owner.run_sql(ended).expect("ends the connections");
        // The server tells the end a moment later.
        let gone = Instant::now() + Duration::from_millis(300);
        while Instant::now() < gone {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(target.all_loads().unwrap_or_else(|error| panic!("round {round}: {error}")), []);
        assert_eq!(target.next_job_due(&["load-file"]).expect("reads"), None);
    }
}
