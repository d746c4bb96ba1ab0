//! Commits that nobody waits for.

use landfall_engine::{
    Error, TargetErrorKind,
    ledger::LoadEntry,
    targets::{Fence, Memory, MemoryOptions, Pace, Target, Transaction},
};

use crate::{
    ground::Ground,
    ledger::{advanced, entry},
    tables::{Row, content, fields_at, insert, people, prepared, row, within},
};

/// A chunk ahead of the database: `rows`, and the ledger's entry from `was_at` on.
fn chunk(target: &mut dyn Target, rows: &[Row], entry: &LoadEntry, was_at: u64) -> Result<(), Error> {
    let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::Ahead)?;
    insert(&mut *transaction, &people(), rows);
    transaction.save_load(entry, was_at)?;
    transaction.commit_later()
}

fn started(target: &mut dyn Target) -> LoadEntry {
    let new = entry("people");
    let id = within(target, |transaction| transaction.add_load(&new).unwrap());
    LoadEntry { id, ..new }
}

fn chunks_commit_in_their_order(ground: &Ground) {
    let people = people();
    let mut target = prepared(ground, std::slice::from_ref(&people));
    let mut at = started(&mut *target);
    for number in 0..20 {
        let next = advanced(&at, 10);
        chunk(&mut *target, &[row![number, format!("{number}").as_str(), ()]], &next, at.position.offset).unwrap();
        at = next;
        let reader = ground.read();
        // The ledger first: a chunk may commit between the two questions.
        let offset = reader.all_loads().unwrap()[0].position.offset;
        let rows = reader.row_count(&people).unwrap();
        assert!(rows * 10 >= offset && offset <= at.position.offset, "rows and ledger commit together");
    }
    target.flush_commits().unwrap();
    assert_eq!(target.row_count(&people).unwrap(), 20);
    assert_eq!(target.all_loads().unwrap()[0].position, at.position);
}

fn a_chunk_sees_those_before_it(ground: &Ground) {
    let people = people();
    let mut target = prepared(ground, std::slice::from_ref(&people));
    for number in 0..5i64 {
        let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::Ahead).unwrap();
        let asked: Vec<Row> = (0..5i64).map(|id| row![id]).collect();
        let found = transaction.find_rows(&people, &fields_at([0]), &asked).unwrap();
        let seen = found.iter().filter(|row| row.is_some()).count();
        assert_eq!(seen, usize::try_from(number).unwrap());
        insert(&mut *transaction, &people, &[row![number, format!("{number}").as_str(), ()]]);
        transaction.commit_later().unwrap();
    }
    assert_eq!(target.row_count(&people).unwrap(), 5, "a question outside comes after what was sent");
}

fn what_cannot_stay_is_told_in_the_end(ground: &Ground) {
    let people = people();
    let mut target = prepared(ground, std::slice::from_ref(&people));
    within(&mut *target, |transaction| insert(transaction, &people, &[row![1, "a", ()]]));
    let at = started(&mut *target);
    let (one, two, three) = (advanced(&at, 10), advanced(&at, 20), advanced(&at, 30));
    chunk(&mut *target, &[row![2, "b", ()]], &one, 0).unwrap();
    let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::Ahead).unwrap();
    let refused = insert(&mut *transaction, &people, &[row![3, "c", ()], row![1, "clash", ()]]);
    transaction.save_load(&two, 10).unwrap();
    let told =
        [transaction.commit_later(), chunk(&mut *target, &[row![4, "d", ()]], &three, 20), target.flush_commits()];
    if refused.is_empty() {
        let error = told.into_iter().find_map(Result::err).expect("the clash is told");
        assert!(matches!(&error, Error::Target(error) if error.kind == TargetErrorKind::Again), "{error:?}");
        assert_eq!(content(&*target, &people), [row![1, "a", ()], row![2, "b", ()]]);
        assert_eq!(target.all_loads().unwrap()[0].position.offset, 10);
    } else {
        // A target that answers each step is free to do so.
        told.into_iter().for_each(|told| told.unwrap());
        assert_eq!((refused[0].row, target.row_count(&people).unwrap()), (1, 4));
    }
    within(&mut *target, |transaction| insert(transaction, &people, &[row![9, "later", ()]]));
    assert!(target.find_row(&people, &fields_at([0]), &row![9]).unwrap().is_some(), "the handle is of use afterwards");
}

fn being_overtaken_is_told_in_the_end(ground: &Ground) {
    let people = people();
    let mut target = prepared(ground, std::slice::from_ref(&people));
    let at = started(&mut *target);
    let (one, two) = (advanced(&at, 10), advanced(&at, 20));
    within(&mut *ground.open(), |transaction| transaction.save_load(&advanced(&at, 5), 0).unwrap());
    let told =
        [chunk(&mut *target, &[row![1, "a", ()]], &one, 0), chunk(&mut *target, &[], &two, 10), target.flush_commits()];
    let error = told.into_iter().find_map(Result::err).expect("it is told");
    assert!(matches!(&error, Error::Target(error) if error.kind == TargetErrorKind::Overtaken), "{error:?}");
    assert_eq!((target.row_count(&people).unwrap(), target.all_loads().unwrap()[0].position.offset), (0, 5));
}

fn the_last_commit_waits_for_those_before(ground: &Ground) {
    let people = people();
    let mut target = prepared(ground, std::slice::from_ref(&people));
    let at = started(&mut *target);
    let (one, two) = (advanced(&at, 10), advanced(&at, 20));
    chunk(&mut *target, &[row![1, "a", ()]], &one, 0).unwrap();
    let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::Ahead).unwrap();
    insert(&mut *transaction, &people, &[row![2, "b", ()]]);
    transaction.save_load(&two, 10).unwrap();
    transaction.commit_now().unwrap();
    let reader = ground.read();
    assert_eq!((reader.row_count(&people).unwrap(), reader.all_loads().unwrap()[0].position.offset), (2, 20));
}

contract! {
    chunks_commit_in_their_order,
    a_chunk_sees_those_before_it,
    what_cannot_stay_is_told_in_the_end,
    being_overtaken_is_told_in_the_end,
    the_last_commit_waits_for_those_before,
}

#[test]
fn in_memory_commits_are_really_under_way() {
    let mut target = Memory::with(MemoryOptions { ahead: 2, ..MemoryOptions::default() });
    let reader = target.another_handle();
    target.prepare_tables(&[people()]).unwrap();
    let mut at = started(&mut target);
    let mut rows = Vec::new();
    for number in 0..4 {
        let next = advanced(&at, 10);
        chunk(&mut target, &[row![number, format!("{number}").as_str(), ()]], &next, at.position.offset).unwrap();
        at = next;
        rows.push(landfall_engine::targets::TargetRead::row_count(&reader, &people()).unwrap());
    }
    assert_eq!(rows, [0, 0, 0, 1], "others see what has come to its end");
}

#[test]
fn in_memory_a_failing_commit_takes_those_after_it_along() {
    let failing_commits = vec![(3, TargetErrorKind::Again)];
    let mut target = Memory::with(MemoryOptions { ahead: 4, failing_commits, ..MemoryOptions::default() });
    target.prepare_tables(&[people()]).unwrap();
    let mut at = started(&mut target);
    for number in 0..4 {
        let next = advanced(&at, 10);
        chunk(&mut target, &[row![number, format!("{number}").as_str(), ()]], &next, at.position.offset).unwrap();
        at = next;
    }
    assert!(matches!(target.flush_commits(), Err(Error::Target(error)) if error.kind == TargetErrorKind::Again));
    assert_eq!(content(&target, &people()), [row![0, "0", ()]]);
    target.flush_commits().unwrap();
}

/// Drops what was begun: a transaction is of no use any more once it is dropped.
#[test]
fn in_memory_one_writes_at_a_time() {
    let mut one = Memory::default();
    let mut two = one.another_handle();
    let transaction = one.begin_transaction(Fence::Pipeline, Pace::InStep).unwrap();
    let refused = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| two.begin_transaction(Fence::Pipeline, Pace::InStep).map(drop));
        std::thread::sleep(std::time::Duration::from_millis(100));
        drop::<Box<dyn Transaction + '_>>(transaction);
        waiting.join().unwrap()
    });
    assert!(refused.is_ok(), "{refused:?}");
}
