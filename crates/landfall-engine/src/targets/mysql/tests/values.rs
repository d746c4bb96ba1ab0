//! What goes in comes out, whichever way it goes.

use landfall_core::{
    keys::{Scalar, scalars_of_row},
    schema::FieldIndex,
};
use proptest::{prelude::*, test_runner::TestRunner};

use super::*;
use crate::targets::{Fence, Pace, Target, TargetRead};

const EVERYTHING: &str = "{fields: [{name: id, type: integer}, {name: text, type: string}, {name: key, type: string}],
    primaryKey: id, uniqueKeys: [[key]]}";

/// Texts with everything that is a mark of the form in which they are sent, or near it.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[\\\\\t\n\r'\"`N0 aé𝄞\u{1a}\u{8}]{0,12}",
        Just("\\N".to_owned()),
        Just("NULL".to_owned()),
        Just("  blank  ".to_owned()),
        any::<String>().prop_map(|text| text.replace('\0', "")),
    ]
}

/// Sends texts to a table of a target, and compares what it holds afterwards.
fn round_trips(target: Mysql) {
    let target = std::cell::RefCell::new(target);
    let table = table("everything", EVERYTHING);
    target.borrow_mut().prepare_tables(std::slice::from_ref(&table)).expect("makes the table");
    let mut runner =
        TestRunner::new(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() });
    let texts = proptest::collection::vec(proptest::option::of(text()), 1..20);
    let outcome = runner.run(&texts, |texts| {
        let ids = Int64Array::from_iter_values(0..i64::try_from(texts.len()).expect("few"));
        let keys: Vec<String> =
            texts.iter().enumerate().map(|(at, text)| format!("{}{at}", text.as_deref().unwrap_or(""))).collect();
        let rows = batch(
            &table.schema,
            vec![Arc::new(ids), Arc::new(StringArray::from(texts)), Arc::new(StringArray::from(keys))],
        );
        let mut target = target.borrow_mut();
        let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep).expect("begins");
        transaction.delete_rows(&table).expect("empties");
        let all = 0..rows.num_rows();
        let refused = transaction.insert_rows(&table, &rows, std::slice::from_ref(&all)).expect("inserts");
        prop_assert_eq!(refused, []);
        transaction.commit_now().expect("commits");
        for at in 0..rows.num_rows() {
            let wanted: Vec<Scalar> = scalars_of_row(&rows, at).into_iter().map(|value| value.to_owned()).collect();
            prop_assert_eq!(
                target.find_row(&table, &[0].map(FieldIndex::from), &wanted[..1]).expect("answers"),
                Some(wanted.clone())
            );
            prop_assert_eq!(
                target.find_row(&table, &[2].map(FieldIndex::from), &wanted[2..]).expect("answers"),
                Some(wanted)
            );
        }
        Ok(())
    });
    outcome.unwrap_or_else(|fault| panic!("{fault}"));
}

#[test]
fn texts_sent_as_a_file() {
    round_trips(open(&fresh().url()).expect("connects"));
}

#[test]
fn texts_sent_with_statements_where_the_server_forbids_files() {
    let options = testbed::ServerOptions::default().with_setting("local_infile", "OFF");
    let server = Mariadb::start_with(&options).expect("a server");
    let target = open(&server.fresh_database().expect("a database").url()).expect("connects");
    assert!(!target.server.local_infile);
    round_trips(target);
}

#[test]
fn keys_that_end_with_blanks_or_differ_in_case_are_keys_of_their_own() {
    let mut target = open(&fresh().url()).expect("connects");
    let table = table("keys", "{fields: [{name: key, type: string}], primaryKey: key}");
    target.prepare_tables(std::slice::from_ref(&table)).expect("makes the table");
    let keys = ["a", "a ", "A", "ä", "á", "", " ", "ss", "ß"];
    let rows = batch(&table.schema, vec![Arc::new(StringArray::from(keys.to_vec()))]);
    let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep).expect("begins");
    let all = 0..keys.len();
    assert_eq!(transaction.insert_rows(&table, &rows, std::slice::from_ref(&all)).expect("inserts"), []);
    transaction.commit_now().expect("commits");
    assert_eq!(target.row_count(&table).expect("counts"), keys.len() as u64);
}
