//! Parents are held by the transaction that names them.

use landfall_engine::{
    Error, TargetErrorKind,
    targets::{Fence, Pace},
};

use crate::{
    ground::Ground,
    tables::{Row, fields_at, insert, prepared, row, teams_and_members, within},
};

fn parents_that_are_there_are_held(ground: &Ground) {
    let (teams, members) = teams_and_members();
    let mut target = prepared(ground, &[teams.clone(), members.clone()]);
    let rows: Vec<Row> = (0..3_000).map(|id| row![id, format!("{id}").as_str()]).collect();
    within(&mut *target, |transaction| insert(transaction, &teams, &rows));
    let values: Vec<Row> = (0..3_000).map(|id| row![id]).collect();
    within(&mut *target, |transaction| {
        transaction.hold_parents(&members, &teams, &fields_at([0]), &values).unwrap();
        transaction.hold_parents(&members, &teams, &fields_at([0]), &[]).unwrap();
        insert(transaction, &members, &[row![1, 2_999]]);
    });
    assert_eq!(target.row_count(&members).unwrap(), 1);
}

fn parents_of_the_same_transaction_are_held(ground: &Ground) {
    let (teams, members) = teams_and_members();
    let mut target = prepared(ground, &[teams.clone(), members.clone()]);
    within(&mut *target, |transaction| {
        insert(transaction, &teams, &[row![1, "one"]]);
        transaction.hold_parents(&members, &teams, &fields_at([0]), &[row![1]]).unwrap();
    });
}

fn a_parent_that_is_gone_is_an_error(ground: &Ground) {
    let (teams, members) = teams_and_members();
    let mut target = prepared(ground, &[teams.clone(), members.clone()]);
    within(&mut *target, |transaction| insert(transaction, &teams, &[row![1, "one"], row![2, "two"]]));
    let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep).unwrap();
    insert(&mut *transaction, &members, &[row![1, 3]]);
    let outcome = transaction.hold_parents(&members, &teams, &fields_at([0]), &[row![1], row![3], row![2]]);
    match outcome {
        Err(Error::Target(error)) => {
            assert_eq!(error.kind, TargetErrorKind::Constraint);
            assert!(error.message.contains("teams") && !error.message.contains('3'), "{}", error.message);
        }
        other => panic!("{other:?}"),
    }
    drop(transaction);
    assert_eq!(target.row_count(&members).unwrap(), 0);
}

/// Another program that takes the parent away waits, or is refused; it never succeeds while the row that names it does.
fn a_parent_that_is_held_stays(ground: &Ground) {
    let (teams, members) = teams_and_members();
    let mut target = prepared(ground, &[teams.clone(), members.clone()]);
    within(&mut *target, |transaction| insert(transaction, &teams, &[row![1, "one"]]));
    let (held, holds) = std::sync::mpsc::channel();
    let parents = teams.clone();
    let deleted = std::thread::scope(|scope| {
        let other = scope.spawn(move || -> Result<(), Error> {
            holds.recv().unwrap();
            let mut target = ground.open();
            let mut transaction = target.begin_transaction(Fence::Database, Pace::InStep)?;
            transaction.delete_rows(&parents)?;
            transaction.commit_now()
        });
        let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep).unwrap();
        transaction.hold_parents(&members, &teams, &fields_at([0]), &[row![1]]).unwrap();
        held.send(()).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(300));
        assert_eq!(insert(&mut *transaction, &members, &[row![5, 1]]), []);
        transaction.commit_now().unwrap();
        other.join().unwrap()
    });
    assert!(deleted.is_err(), "the row is named by now");
    assert_eq!((target.row_count(&teams).unwrap(), target.row_count(&members).unwrap()), (1, 1));
}

contract! {
    parents_that_are_there_are_held,
    parents_of_the_same_transaction_are_held,
    a_parent_that_is_gone_is_an_error,
    a_parent_that_is_held_stays,
}
