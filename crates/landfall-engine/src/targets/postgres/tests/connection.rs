//! The connection: logging in, TLS, waiting, losing it.

use std::time::{Duration, Instant};

use testbed::{PgBouncer, Postgres, Proxy, ProxyRule, ServerOptions, Tls};

use super::{super::parameters::BoundParameters, ask, open, words};

fn fresh() -> testbed::TestDatabase {
    Postgres::shared().fresh_database().expect("a database")
}

#[test]
fn questions_with_values() {
    let mut connection = open(&fresh().url()).expect("connects");
    let values = BoundParameters::default().with_integer(-7).with_text("Straße 'x'");
    assert_eq!(ask(&mut connection, "SELECT $1 * 2, $2, NULL", &values).expect("answers"), "-14|Straße 'x'|NULL\n");
    let none = BoundParameters::default();
    assert_eq!(ask(&mut connection, "SELECT n FROM generate_series(1, 3) AS n", &none).expect("answers"), "1\n2\n3\n");
    assert_eq!(connection.run_batch("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2)").expect("runs"), 2);
    assert_eq!(
        connection
            .execute_statement("DELETE FROM t WHERE a = $1", &BoundParameters::default().with_integer(2))
            .expect("runs"),
        1
    );
}

#[test]
fn a_refusal_leaves_the_connection_in_order() {
    let mut connection = open(&fresh().url()).expect("connects");
    let none = BoundParameters::default();
    assert!(words(ask(&mut connection, "SELEKT 1", &none)).contains("syntax error"));
    assert!(words(connection.begin_copy("COPY nowhere FROM STDIN")).contains("does not exist"));
    connection.run_batch("BEGIN").expect("begins");
    assert!(!connection.is_idle());
    assert!(words(connection.run_batch("SELECT 1 / 0")).contains("division by zero"));
    connection.run_batch("ROLLBACK").expect("rolls back");
    assert!(connection.is_idle());
    assert_eq!(ask(&mut connection, "SELECT 1", &none).expect("answers"), "1\n");
}

#[test]
fn what_cannot_be_reached_is_told_without_the_password() {
    let database = fresh();
    let wrong = database.as_user(database.user(), "wr0ng");
    assert!(words(open(&wrong.url())).contains("mend the user or the password"));
    let url = format!(
        "postgres://{}@{}:{}/{}?sslmode=disable",
        database.user(),
        database.host(),
        database.port(),
        database.name()
    );
    let none = words(open(&(url.clone() + "&passfile=/nowhere")));
    assert!(none.contains("asks for a password and there is none"), "{none}");
    let other = database.url().replace(database.name(), "elsewhere");
    assert!(words(open(&other)).contains("create the database first"), "{}", words(open(&other)));
    let closed = words(open(&database.through_port(1).url()));
    assert!(closed.contains("see that it runs there") && !closed.contains(database.password()), "{closed}");
    assert!(words(open("postgres://ann@host.invalid/base")).contains("host.invalid"));
}

#[test]
fn a_server_that_hangs_is_given_up() {
    let server = Postgres::start().expect("a server");
    let url = format!("{}?answer_timeout=1&connect_timeout=1", server.superuser_url("postgres"));
    let mut connection = open(&url).expect("connects");
    server.pause_server().expect("pauses");
    let start = Instant::now();
    let silent = words(connection.run_batch("SELECT 1"));
    assert!(silent.contains("did not answer for 1 seconds"), "{silent}");
    assert!(connection.is_broken());
    let unreachable = words(open(&url));
    assert!(unreachable.contains("did not answer for 1 seconds"), "{unreachable}");
    assert!(start.elapsed() < Duration::from_secs(10));
    server.resume_server().expect("goes on");
}

#[test]
fn long_statements_are_waited_for_while_the_server_lives() {
    let url = format!("{}?answer_timeout=1", Postgres::shared().superuser_url("postgres"));
    let mut connection = open(&url).expect("connects");
    connection.without_timeout(|connection| connection.run_batch("SELECT pg_sleep(2.5)")).expect("is waited for");
    assert!(words(connection.run_batch("SELECT pg_sleep(2.5)")).contains("did not answer"));
}

#[test]
fn a_connection_that_is_ended_says_so() {
    let database = fresh();
    let mut connection = open(&database.url()).expect("connects");
    Postgres::shared().kill_backends(&database).expect("ends it");
    let ended = words(connection.run_batch("SELECT 1"));
    assert!(ended.contains("run the same command again"), "{ended}");
    assert!(connection.is_broken());
    assert!(words(connection.run_batch("SELECT 1")).contains("lost"));
}

#[test]
fn a_connection_that_is_cut_says_so() {
    let database = fresh();
    let proxy = Proxy::start(database.port()).expect("a proxy");
    let mut connection = open(&proxy.proxy_url(&database)).expect("connects");
    proxy.cut_connections();
    assert!(words(connection.run_batch("SELECT 1")).contains("lost"));
    proxy.set(ProxyRule::Pass);
    open(&proxy.proxy_url(&database)).expect("connects again");
}

#[test]
fn through_pgbouncer() {
    let database = fresh();
    let bouncer = PgBouncer::start(Postgres::shared()).expect("a PgBouncer");
    let mut connections: Vec<_> = (0..8).map(|_| open(&bouncer.pool_url(&database)).expect("connects")).collect();
    for round in 0..20 {
        for connection in &mut connections {
            let answer =
                ask(connection, "SELECT $1 + 1", &BoundParameters::default().with_integer(round)).expect("answers");
            assert_eq!(answer, format!("{}\n", round + 1));
        }
    }
}

#[test]
fn tls_as_sslmode_asks_for_it() {
    let server = Postgres::start_with(&ServerOptions::default().with_tls(Tls::Required)).expect("a server");
    let certificates = server.certificates().expect("certificates");
    let url = server.superuser("postgres").through_host("localhost").url();
    let with = |parameters: &str| open(&format!("{url}?{parameters}"));
    let authority = certificates.authority_file().display().to_string();
    let unrelated = certificates.unrelated_authority().display().to_string();
    for parameters in [
        "sslmode=prefer",
        "sslmode=require",
        &format!("sslmode=require&sslrootcert={authority}"),
        &format!("sslmode=verify-ca&sslrootcert={authority}"),
        &format!("sslmode=verify-full&sslrootcert={authority}"),
    ] {
        let mut connection = with(parameters).unwrap_or_else(|failure| panic!("{parameters}: {failure:?}"));
        let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        assert_eq!(ask(&mut connection, sql, &BoundParameters::default()).expect("answers"), "t\n", "{parameters}");
    }
    for parameters in [
        "sslmode=disable",
        &format!("sslmode=require&sslrootcert={unrelated}"),
        &format!("sslmode=verify-ca&sslrootcert={unrelated}"),
        &format!("sslmode=verify-full&sslrootcert={unrelated}"),
        "sslmode=verify-full",
        "sslmode=verify-ca&sslrootcert=/nowhere.pem",
    ] {
        let refused = with(parameters).err().unwrap_or_else(|| panic!("{parameters} passed"));
        let refused = refused.into_error("cannot connect").to_string();
        assert!(!refused.contains(server.superuser("postgres").password()), "{refused}");
    }
}

#[test]
fn a_certificate_of_another_host_is_good_for_verify_ca_alone() {
    let server = Postgres::start_with(&ServerOptions::default().with_tls(Tls::WrongHost)).expect("a server");
    let authority = server.certificates().expect("certificates").authority_file().display().to_string();
    let url = server.superuser_url("postgres");
    open(&format!("{url}?sslmode=verify-ca&sslrootcert={authority}")).expect("connects");
    let refused = words(open(&format!("{url}?sslmode=verify-full&sslrootcert={authority}")));
    assert!(refused.contains("certificate"), "{refused}");
}

#[test]
fn tls_that_the_server_does_not_offer() {
    let url = fresh().url();
    open(&format!("{url}?sslmode=prefer")).expect("connects without");
    assert!(words(open(&format!("{url}?sslmode=require"))).contains("does not offer TLS"));
}
