//! Connecting, TLS, and servers that do not answer.

use std::time::{Duration, Instant};

use testbed::{Mariadb, ServerOptions, Tls};

use super::*;
use crate::{error::TargetErrorKind as Kind, targets::TargetRead};

#[test]
fn what_stands_against_a_connection_is_told_without_the_password() {
    let database = fresh();
    let wrong = fault(open(&database.as_user(database.user(), "wr0ng").url()));
    assert_eq!(wrong.kind, Kind::Denied);
    assert!(wrong.message.contains("MYSQL_PWD") && !wrong.message.contains("wr0ng"), "{}", wrong.message);
    let elsewhere = fault(open(&Mariadb::shared().superuser_url("elsewhere")));
    assert!(elsewhere.message.contains("CREATE DATABASE"), "{}", elsewhere.message);
    let closed = fault(open(&database.through_port(1).url()));
    assert!(closed.message.contains("that the server is running"), "{}", closed.message);
    assert!(!closed.message.contains(database.password()), "{}", closed.message);
    assert_eq!(fault(open("mysql://ann@host.invalid/base")).kind, Kind::Unavailable);
}

#[test]
fn names_of_hosts_are_tried_at_all_their_addresses() {
    let target = open(&fresh().through_host("localhost").url()).expect("connects");
    assert!(!target.has_table(&people()).expect("answers"));
}

#[test]
fn a_server_that_is_stopped_is_given_up() {
    let server = Mariadb::start().expect("a server");
    let database = server.fresh_database().expect("a database");
    let url = format!("{}?answer_timeout=1&connect_timeout=1", database.url());
    let target = open(&url).expect("connects");
    server.pause_server().expect("pauses");
    let begun = Instant::now();
    let silent = fault(target.has_table(&people()));
    assert_eq!(silent.kind, Kind::Lost);
    assert!(silent.message.contains("stopped answering"), "{}", silent.message);
    let unreachable = fault(open(&url));
    assert!(unreachable.message.contains("in time"), "{}", unreachable.message);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    server.resume_server().expect("goes on");
    assert!(!target.has_table(&people()).expect("another connection answers"));
}

#[test]
fn protected_connections() {
    let server = Mariadb::start_with(&ServerOptions::default().with_tls(Tls::Required)).expect("a server");
    let certificates = server.certificates().expect("certificates");
    let url = server.fresh_database().expect("a database").through_host("localhost").url();
    let (right, wrong) = (certificates.authority_file(), certificates.unrelated_authority());
    let with = |parameters: &str| open(&format!("{url}?{parameters}"));
    with("sslmode=require").expect("connects");
    with("").expect("prefers TLS");
    for mode in ["require", "verify-ca", "verify-full"] {
        with(&format!("sslmode={mode}&sslrootcert={}", right.display())).expect("knows the authority");
        let other = fault(with(&format!("sslmode={mode}&sslrootcert={}", wrong.display())));
        assert!(other.message.contains("sslrootcert"), "{mode}: {}", other.message);
    }
    assert!(fault(with("sslmode=verify-ca")).message.contains("sslrootcert"), "an authority that nobody knows");
    assert!(fault(with("sslmode=verify-full")).message.contains("sslrootcert"), "an authority that nobody knows");
    let plain = fault(with("sslmode=disable"));
    assert!(plain.message.contains("sslmode=require"), "{}", plain.message);
}

#[test]
fn certificates_of_another_host_are_refused() {
    let server = Mariadb::start_with(&ServerOptions::default().with_tls(Tls::WrongHost)).expect("a server");
    let authority = server.certificates().expect("certificates").authority_file();
    let url = server.fresh_database().expect("a database").through_host("localhost").url();
    let other = fault(open(&format!("{url}?sslmode=verify-full&sslrootcert={}", authority.display())));
    assert!(other.message.contains("sslrootcert"), "{}", other.message);
    open(&format!("{url}?sslmode=require")).expect("does not look at the name");
    for mode in ["require", "verify-ca"] {
        open(&format!("{url}?sslmode={mode}&sslrootcert={}", authority.display())).expect("does not look at the name");
    }
}

#[test]
fn a_server_without_tls() {
    let url = fresh().url();
    open(&url).expect("prefers TLS, and does without");
    let none = fault(open(&format!("{url}?sslmode=require")));
    assert!(none.message.contains("sslmode=disable"), "{}", none.message);
}
