//! Two handles on one database at once.

use std::{sync::Barrier, thread};

use landfall_engine::{
    Error, TargetErrorKind,
    ledger::LoadEntry,
    targets::{Fence, Pace},
};

use crate::{
    ground::Ground,
    ledger::{advanced, entry},
    tables::{Row, content, insert, people, prepared, row, teams_and_members, within},
};

/// Runs `work` in `THREADS` threads at once, each with its number.
fn at_once<R: Send>(work: impl Fn(i64) -> R + Sync) -> Vec<R> {
    const THREADS: i64 = 4;
    let barrier = Barrier::new(THREADS as usize);
    thread::scope(|scope| {
        let run = |number| {
            let (work, barrier) = (&work, &barrier);
            scope.spawn(move || {
                barrier.wait();
                work(number)
            })
        };
        let threads: Vec<_> = (0..THREADS).map(run).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// Tries again what another writer has stopped.
fn patiently<R>(mut work: impl FnMut() -> Result<R, Error>) -> R {
    for _ in 0..100 {
        match work() {
            Ok(outcome) => return outcome,
            Err(Error::Target(error)) if matches!(error.kind, TargetErrorKind::Locked | TargetErrorKind::Again) => {}
            Err(error) => panic!("{error}"),
        }
    }
    panic!("it never came through");
}

fn databases_are_opened_at_once(ground: &Ground) {
    at_once(|_| {
        let target = ground.open();
        assert_eq!(target.all_loads().unwrap(), []);
    });
}

fn tables_are_made_at_once(ground: &Ground) {
    let (teams, members) = teams_and_members();
    let both = [members, teams];
    drop(ground.open());
    at_once(|_| {
        let mut target = ground.open();
        patiently(|| target.prepare_tables(&both));
        assert!(target.has_table(&both[0]).unwrap());
    });
    assert_eq!(ground.open().find_differences(&both).unwrap(), []);
}

/// Each row is inserted by one of them, and refused to the others.
fn equal_keys_are_inserted_once(ground: &Ground) {
    let people = people();
    drop(prepared(ground, std::slice::from_ref(&people)));
    let inserted = at_once(|number| {
        let mut target = ground.open();
        let mut inserted = 0;
        for chunk in 0..10 {
            let rows: Vec<Row> =
                (0..10).map(|at| chunk * 10 + at).map(|id| row![id, format!("{id}").as_str(), ()]).collect();
            inserted += patiently(|| {
                let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep)?;
                let batch = crate::tables::batch(&people, &rows);
                let refused = transaction.insert_rows(&people, &batch, std::slice::from_ref(&(0..10)))?.len();
                transaction.commit_now()?;
                Ok(10 - refused)
            });
            thread::sleep(std::time::Duration::from_millis(u64::try_from(number).unwrap()));
        }
        inserted
    });
    assert_eq!(inserted.iter().sum::<usize>(), 100, "{inserted:?}");
    assert_eq!(ground.open().row_count(&people).unwrap(), 100);
}

/// Of several that go on with a load, one does so and the others are told.
fn one_goes_on_with_a_load(ground: &Ground) {
    let mut target = prepared(ground, &[]);
    let new = entry("people");
    let id = within(&mut *target, |transaction| transaction.add_load(&new).unwrap());
    let at = LoadEntry { id, ..new };
    let outcomes = at_once(|number| {
        let mut target = ground.open();
        patiently(|| {
            let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep)?;
            let next = advanced(&at, 10 + u64::try_from(number).unwrap());
            match transaction.save_load(&next, 0) {
                Err(Error::Target(error)) if error.kind == TargetErrorKind::Overtaken => return Ok(false),
                outcome => outcome?,
            }
            match transaction.commit_now() {
                Err(Error::Target(error)) if error.kind == TargetErrorKind::Overtaken => Ok(false),
                outcome => outcome.map(|()| true),
            }
        })
    });
    assert_eq!(outcomes.iter().filter(|went_on| **went_on).count(), 1, "{outcomes:?}");
}

fn loads_have_their_own_numbers(ground: &Ground) {
    drop(ground.open());
    let mut ids = at_once(|_| {
        let mut target = ground.open();
        patiently(|| {
            let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep)?;
            let id = transaction.add_load(&entry("people"))?;
            transaction.commit_now().map(|()| id)
        })
    });
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), ground.open().all_loads().unwrap().len()), (4, 4));
}

fn one_sees_what_the_other_has_committed(ground: &Ground) {
    let people = people();
    let mut one = prepared(ground, std::slice::from_ref(&people));
    let mut two = ground.open();
    for number in 0..6i64 {
        let (writer, reader) = if number % 2 == 0 { (&mut one, &two) } else { (&mut two, &one) };
        within(&mut **writer, |transaction| {
            insert(transaction, &people, &[row![number, format!("{number}").as_str(), ()]])
        });
        assert_eq!(content(&**reader, &people).len(), usize::try_from(number).unwrap() + 1);
    }
}

contract! {
    databases_are_opened_at_once,
    tables_are_made_at_once,
    equal_keys_are_inserted_once,
    one_goes_on_with_a_load,
    loads_have_their_own_numbers,
    one_sees_what_the_other_has_committed,
}
