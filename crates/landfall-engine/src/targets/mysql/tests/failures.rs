//! Rows that cannot stay, and connections that break.

use std::time::{Duration, Instant};

use landfall_core::schema::FieldIndex;
use testbed::{Proxy, ProxyRule, ServerOptions};

use super::*;
use crate::{
    document::NewDocument,
    error::TargetErrorKind as Kind,
    ledger::{LoadId, LoadState},
    targets::{Fence, Pace, ReadBooks as _, Target, TargetRead, Transaction},
};

/// Begins a chunk of a load that is new where `load` is 0.
fn chunk(transaction: &mut dyn Transaction, table: &Table, load: LoadId, ids: std::ops::Range<i64>) -> Result<LoadId> {
    let mut entry = entry();
    entry.id = if load.is_stored() { load } else { transaction.add_load(&entry)? };
    let batch = rows(table, ids.clone());
    let all = 0..batch.num_rows();
    transaction.insert_rows(table, &batch, std::slice::from_ref(&all))?;
    let was_at = if load.is_stored() { ids.start.unsigned_abs() } else { 0 };
    entry.position.offset = ids.end.unsigned_abs();
    transaction.save_load(&entry, was_at)?;
    Ok(entry.id)
}

fn ahead<'t>(target: &'t mut Mysql) -> Box<dyn Transaction + 't> {
    target.begin_transaction(Fence::Pipeline, Pace::Ahead).expect("begins")
}

fn prepared(url: &str) -> (Mysql, Table) {
    let mut target = open(url).expect("connects");
    let table = people();
    target.prepare_tables(std::slice::from_ref(&table)).expect("makes the table");
    (target, table)
}

#[test]
fn a_row_that_cannot_stay_undoes_its_chunk_and_those_after_it() {
    let database = fresh();
    let (mut target, table) = prepared(&database.url());
    let mut first = ahead(&mut target);
    let load = chunk(&mut *first, &table, LoadId::NONE, 0..100).expect("is sent");
    first.commit_later().expect("is under way");
    // The row comes in by another program after the pipeline looked.
    database.run_sql("INSERT INTO people VALUES (150, 'other')").expect("inserts");
    let mut second = ahead(&mut target);
    chunk(&mut *second, &table, load, 100..200).expect("is sent");
    second.commit_later().expect("is under way");
    let mut third = ahead(&mut target);
    let found = third
        .find_row(&table, &[0].map(FieldIndex::from), &[landfall_core::keys::Scalar::Integer(170)])
        .expect("answers");
    assert!(found.is_some(), "rows under way are found");
    chunk(&mut *third, &table, load, 200..300).expect("is sent");
    let fault = fault(third.commit_now());
    assert_eq!(fault.kind, Kind::Again, "{}", fault.message);
    assert!(fault.message.contains("another row has the same key PRIMARY"), "{}", fault.message);
    assert_eq!(target.row_count(&table).expect("counts"), 101);
    let loads = target.all_loads().expect("the ledger");
    assert_eq!((loads.len(), loads[0].position.offset), (1, 100));
}

#[test]
fn in_step_only_the_rows_that_cannot_stay_are_refused() {
    let database = fresh();
    let (mut target, table) = prepared(&database.url());
    database.run_sql("INSERT INTO people VALUES (150, 'other'), (1000, 'name 170')").expect("inserts");
    database.run_sql("ALTER TABLE people ADD CHECK (id <> 180)").expect("adds a rule");
    let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep).expect("begins");
    let batch = rows(&table, 100..200);
    let refused = transaction.insert_rows(&table, &batch, &[0..60, 60..100]).expect("inserts the others");
    transaction.commit_now().expect("commits");
    assert_eq!(refused.iter().map(|row| row.row).collect::<Vec<_>>(), [50, 70, 80]);
    assert!(refused[0].message.contains("(id)") && refused[1].message.contains("(name)"), "{refused:?}");
    assert!(refused.iter().all(|row| !row.message.contains("name 1")), "no value of a cell: {refused:?}");
    assert_eq!(target.row_count(&table).expect("counts"), 99);
}

#[test]
fn a_commit_without_an_answer_stays_or_leaves_nothing() {
    for (rule, committed) in
        [(ProxyRule::swallow_answer("COMMIT", 0), true), (ProxyRule::swallow_answer("LOAD DATA", 0), false)]
    {
        let database = fresh();
        let proxy = Proxy::start(database.port()).expect("a proxy");
        let (mut target, table) = prepared(&proxy.proxy_url(&database));
        let mut transaction = ahead(&mut target);
        proxy.set(rule);
        chunk(&mut *transaction, &table, LoadId::NONE, 0..100).expect("is sent");
        let outcome = transaction.commit_now();
        assert_eq!(proxy.times_fired(), 1);
        assert_eq!(outcome.is_ok(), committed, "{outcome:?}");
        let (count, loads) = (target.row_count(&table).expect("counts"), target.all_loads().expect("the ledger").len());
        assert_eq!((count, loads), if committed { (100, 1) } else { (0, 0) });
    }
}

/// Documents alone, without an entry of the ledger: a COMMIT of these was told as failed although they had stayed.
#[test]
fn a_commit_of_documents_without_an_answer_stays() {
    let database = fresh();
    let proxy = Proxy::start(database.port()).expect("a proxy");
    let (mut target, _) = prepared(&proxy.proxy_url(&database));
    let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep).expect("begins");
    let document = NewDocument { kind: "note", name: "one".into(), body: b"{}".to_vec() };
    transaction.add_documents(&[document]).expect("adds");
    proxy.set(ProxyRule::swallow_answer("COMMIT", 0));
    transaction.commit_now().expect("the token says that it committed");
    assert!(target.find_document("note", "one").expect("answers").is_some());
}

#[test]
fn a_commit_that_never_came_to_the_server_leaves_nothing() {
    let database = fresh();
    let proxy = Proxy::start(database.port()).expect("a proxy");
    let (mut target, table) = prepared(&format!("{}?answer_timeout=5", proxy.proxy_url(&database)));
    let mut transaction = ahead(&mut target);
    chunk(&mut *transaction, &table, LoadId::NONE, 0..100).expect("is sent");
    proxy.set(ProxyRule::swallow_request("COMMIT", 0));
    assert_eq!(fault(transaction.commit_now()).kind, Kind::Lost);
    assert_eq!((proxy.times_fired(), target.row_count(&table).expect("counts")), (1, 0));
    let left = "SELECT count(*) FROM information_schema.innodb_trx";
    assert_eq!(database.run_sql(left).unwrap_or_else(|_| "0\n".into()), "0\n", "its COMMIT cannot arrive later");
}

#[test]
fn a_token_is_removed_by_the_next_transaction_of_its_connection() {
    let database = fresh();
    let (mut target, table) = prepared(&database.url());
    for first in (0..500).step_by(100) {
        let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep).expect("begins");
        chunk(&mut *transaction, &table, LoadId::NONE, first..first + 100).expect("is sent");
        transaction.commit_now().expect("commits");
    }
    let tokens = "SELECT count(*) FROM landfall_commits";
    let left: u64 = database.run_sql(tokens).expect("answers").trim().parse().expect("a number");
    assert!((1..=2).contains(&left), "{left}: one of each connection");
    database.run_sql("UPDATE landfall_commits SET entered_at = now() - INTERVAL 2 DAY").expect("ages them");
    drop(target);
    drop(open(&database.url()).expect("connects"));
    assert_eq!(database.run_sql(tokens).expect("answers"), "0\n", "what ended connections left is removed");
}

#[test]
fn a_connection_that_breaks_anywhere_leaves_all_or_nothing() {
    let database = fresh();
    let proxy = Proxy::start(database.port()).expect("a proxy");
    let (mut target, table) = prepared(&proxy.proxy_url(&database));
    let mut cut = 0;
    for step in 0..40 {
        let before = target.row_count(&table).expect("counts");
        let loads = target.all_loads().expect("the ledger").len() as u64;
        proxy.set(ProxyRule::CutAfterFromClient(step * 211));
        let ids = step.cast_signed() * 100..step.cast_signed() * 100 + 100;
        let outcome = target.begin_transaction(Fence::Pipeline, Pace::Ahead).and_then(|mut transaction| {
            chunk(&mut *transaction, &table, LoadId::NONE, ids)?;
            transaction.commit_now()
        });
        proxy.set(ProxyRule::Pass);
        cut += u64::from(outcome.is_err());
        let now = target.row_count(&table).expect("counts");
        let more = if outcome.is_ok() { 1 } else { 0 };
        assert_eq!(now - before, more * 100, "step {step}: {outcome:?}");
        assert_eq!(target.all_loads().expect("the ledger").len() as u64 - loads, more, "step {step}");
    }
    assert!((2..40).contains(&cut), "{cut}");
}

#[test]
fn a_server_that_stops_in_the_middle_is_given_up() {
    let server = Mariadb::start_with(&ServerOptions::default()).expect("a server");
    let url = format!("{}?answer_timeout=1&connect_timeout=1", server.fresh_database().expect("a database").url());
    let (mut target, table) = prepared(&url);
    let mut transaction = ahead(&mut target);
    chunk(&mut *transaction, &table, LoadId::NONE, 0..10).expect("is sent");
    server.pause_server().expect("pauses");
    let begun = Instant::now();
    let fault = fault(transaction.commit_now());
    assert_eq!(fault.kind, Kind::Lost, "{}", fault.message);
    assert!(begun.elapsed() < Duration::from_secs(45), "{:?}", begun.elapsed());
    server.resume_server().expect("goes on");
    assert_eq!(target.row_count(&table).expect("counts"), 0);
}

#[test]
fn a_table_that_another_program_has_locked_is_told() {
    let database = fresh();
    let (target, table) = prepared(&database.url());
    let mut other = open(&database.url()).expect("connects");
    let mut holding = other.begin_transaction(Fence::Pipeline, Pace::InStep).expect("begins");
    chunk(&mut *holding, &table, LoadId::NONE, 0..10).expect("is sent");
    let mut target = target;
    let begun = Instant::now();
    let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep).expect("begins");
    let batch = rows(&table, 5..6);
    let all = 0..1;
    let fault = fault(transaction.insert_rows(&table, &batch, std::slice::from_ref(&all)));
    assert_eq!(fault.kind, Kind::Locked, "{}", fault.message);
    assert!((5..40).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    drop(transaction);
    holding.commit_now().expect("commits");
    assert_eq!(target.row_count(&table).expect("counts"), 10);
}

#[test]
fn sessions_are_left_as_they_were() {
    let (mut target, table) = prepared(&fresh().url());
    let mut transaction = ahead(&mut target);
    chunk(&mut *transaction, &table, LoadId::NONE, 0..10).expect("is sent");
    transaction.commit_now().expect("commits");
    assert_eq!(target.all_loads().expect("the ledger")[0].state, LoadState::Running);
    for connection in target.idle.borrow_mut().iter_mut() {
        let asked = "SELECT @@foreign_key_checks, @@unique_checks, @@autocommit";
        let answer = connection.query_all(asked, Vec::new(), &String::new).expect("answers");
        assert_eq!(answer, [vec![mysql::Value::Int(1); 3]]);
    }
}

/// A process was killed while it made Landfall's tables; a reader found some of them, and asked for others.
#[test]
fn a_reader_does_not_stumble_over_landfalls_tables_that_are_half_made() {
    let database = fresh();
    open(&database.url()).expect("makes them");
    for made in ["reject_events", "reject_parts", "rejects", "loads"] {
        database.run_sql(&format!("DELETE FROM landfall_migrations; DROP TABLE landfall_{made}")).expect("drops");
        let settings = MysqlSettings::parse(&database.url(), Path::new("/")).expect("a URL");
        let reader = Mysql::open(settings, TargetAccess::Read).expect("opens");
        assert_eq!(reader.all_loads().expect("no loads"), []);
        assert_eq!(reader.reject_count(&crate::quarantine::RejectFilter::default()).expect("no rejects"), 0);
    }
    let whole = open(&database.url()).expect("makes the rest");
    assert_eq!(whole.all_loads().expect("no loads"), []);
}
