//! Transactions: all of it lasts, or none of it leaves a trace.

use landfall_engine::{
    quarantine::RejectFilter,
    targets::{Fence, Pace, Transaction},
};

use crate::{
    ground::Ground,
    ledger::entry,
    quarantine::reject,
    tables::{batch, content, fields_at, insert, people, prepared, row, teams_and_members, within},
};

/// Writes something of every kind.
fn write_everything(transaction: &mut dyn Transaction) {
    let people = people();
    insert(transaction, &people, &[row![2, "b", ()]]);
    assert_eq!(
        transaction.update_rows(&people, &batch(&people, &[row![1, "changed", ()]]), &[0], &fields_at([1, 2])).unwrap(),
        []
    );
    let load = transaction.add_load(&entry("people")).unwrap();
    transaction.add_rejects(load, &people, &[reject(1, &[])]).unwrap();
    let id = transaction.add_reject(load, &people, &reject(2, &[])).unwrap();
    transaction.append_reject_bytes(id, 1, b"more").unwrap();
    assert_eq!(content(transaction, &people), [row![1, "changed", ()], row![2, "b", ()]]);
    assert_eq!((transaction.all_loads().unwrap().len(), transaction.row_count(&people).unwrap()), (1, 2));
}

fn what_is_dropped_leaves_no_trace(ground: &Ground) {
    let people = people();
    let mut target = prepared(ground, std::slice::from_ref(&people));
    within(&mut *target, |transaction| insert(transaction, &people, &[row![1, "a", ()]]));
    for pace in [Pace::InStep, Pace::Ahead] {
        for fence in [Fence::Pipeline, Fence::Database] {
            let mut transaction = target.begin_transaction(fence, pace).unwrap();
            write_everything(&mut *transaction);
            drop(transaction);
            assert_eq!(content(&*target, &people), [row![1, "a", ()]]);
            assert_eq!(target.all_loads().unwrap(), []);
            let any = RejectFilter { any_state: true, ..RejectFilter::default() };
            assert_eq!(target.reject_count(&any).unwrap(), 0);
        }
    }
}

fn what_is_cleared_and_dropped_is_still_there(ground: &Ground) {
    let people = people();
    let mut target = prepared(ground, std::slice::from_ref(&people));
    within(&mut *target, |transaction| insert(transaction, &people, &[row![1, "a", ()]]));
    let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep).unwrap();
    transaction.delete_rows(&people).unwrap();
    assert_eq!(transaction.row_count(&people).unwrap(), 0);
    assert_eq!(insert(&mut *transaction, &people, &[row![2, "a", ()]]), [], "its keys are free");
    drop(transaction);
    assert_eq!(content(&*target, &people), [row![1, "a", ()]]);
}

fn what_is_committed_is_seen_by_all(ground: &Ground) {
    let people = people();
    let mut target = prepared(ground, std::slice::from_ref(&people));
    let reader = ground.read();
    within(&mut *target, |transaction| insert(transaction, &people, &[row![1, "a", ()]]));
    assert_eq!(content(&*reader, &people), [row![1, "a", ()]]);
    within(&mut *target, write_everything);
    assert_eq!(content(&*reader, &people), [row![1, "changed", ()], row![2, "b", ()]]);
    assert_eq!(reader.all_loads().unwrap().len(), 1);
    target.flush_commits().unwrap();
    assert_eq!(content(&*ground.open(), &people), [row![1, "changed", ()], row![2, "b", ()]]);
}

fn nobody_sees_what_is_not_committed(ground: &Ground) {
    let people = people();
    let mut target = prepared(ground, std::slice::from_ref(&people));
    let reader = ground.read();
    let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep).unwrap();
    insert(&mut *transaction, &people, &[row![1, "a", ()]]);
    transaction.add_load(&entry("people")).unwrap();
    assert_eq!((reader.row_count(&people).unwrap(), reader.all_loads().unwrap().len()), (0, 0));
    transaction.commit_now().unwrap();
    assert_eq!((reader.row_count(&people).unwrap(), reader.all_loads().unwrap().len()), (1, 1));
}

fn rows_may_come_before_their_parents(ground: &Ground) {
    let (teams, members) = teams_and_members();
    let mut target = prepared(ground, &[teams.clone(), members.clone()]);
    within(&mut *target, |transaction| {
        assert_eq!(insert(transaction, &members, &[row![1, 7], row![2, ()]]), []);
        assert_eq!(insert(transaction, &teams, &[row![7, "seven"]]), []);
    });
    assert_eq!(target.row_count(&members).unwrap(), 2);
}

/// An orphan is told with its row or by the commit, and never stays.
fn the_database_stops_orphans_where_it_is_the_fence(ground: &Ground) {
    let (teams, members) = teams_and_members();
    let mut target = prepared(ground, &[teams.clone(), members.clone()]);
    within(&mut *target, |transaction| insert(transaction, &teams, &[row![1, "one"]]));
    let mut transaction = target.begin_transaction(Fence::Database, Pace::InStep).unwrap();
    assert_eq!(insert(&mut *transaction, &members, &[row![1, 1], row![3, ()]]), []);
    let refused = insert(&mut *transaction, &members, &[row![2, 99]]);
    match transaction.commit_now() {
        Ok(()) => assert_eq!((refused.len(), target.row_count(&members).unwrap()), (1, 2)),
        Err(_) => assert_eq!((refused.len(), target.row_count(&members).unwrap()), (0, 0)),
    }
}

fn orphans_are_counted(ground: &Ground) {
    let (teams, members) = teams_and_members();
    let mut target = prepared(ground, &[teams.clone(), members.clone()]);
    within(&mut *target, |transaction| {
        insert(transaction, &teams, &[row![1, "one"], row![2, "two"]]);
        insert(transaction, &members, &[row![1, 1], row![2, 2], row![3, 2], row![4, ()]]);
    });
    let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep).unwrap();
    assert_eq!(transaction.find_orphans(&[&teams, &members], &[]).unwrap(), Vec::<String>::new());
    transaction.delete_rows(&teams).unwrap();
    insert(&mut *transaction, &teams, &[row![1, "other"]]);
    let words = transaction.find_orphans(&[&teams, &members], &[]).unwrap();
    assert!(matches!(&words[..], [only] if only.contains("2 rows") && only.contains("members")), "{words:?}");
    drop(transaction);
    assert_eq!(target.row_count(&teams).unwrap(), 2);
}

contract! {
    what_is_dropped_leaves_no_trace,
    what_is_cleared_and_dropped_is_still_there,
    what_is_committed_is_seen_by_all,
    nobody_sees_what_is_not_committed,
    rows_may_come_before_their_parents,
    the_database_stops_orphans_where_it_is_the_fence,
    orphans_are_counted,
}
