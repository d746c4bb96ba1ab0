//! The ledger.

use landfall_engine::{
    Error, TargetErrorKind,
    ledger::{Counts, LoadEntry, LoadId, LoadState, Mode, OnConflict, Position},
    origin::Origin,
};

use crate::{
    ground::Ground,
    tables::{prepared, within},
};

/// A load of `table` that has just begun.
pub(crate) fn entry(table: &str) -> LoadEntry {
    LoadEntry {
        id: LoadId::NONE,
        table: table.to_owned(),
        source: "data/päople's \"1\".csv".to_owned(),
        origin: Origin::Upload,
        mode: Mode::Append,
        on_conflict: OnConflict::Reject,
        record_bytes: 16 << 20,
        rules: "0123456789abcdef".to_owned(),
        layout: "{\"columns\":[0,1],\"width\":2}".to_owned(),
        state: LoadState::Running,
        counts: Counts::default(),
        position: Position::default(),
        digest: "d1".to_owned(),
        digested: 0,
        started_at: "2024-05-06T07:08:09Z".to_owned(),
        changed_at: "2024-05-06T07:08:09Z".to_owned(),
        seconds: 0.0,
    }
}

/// The same load, when its source was read up to `offset`.
pub(crate) fn advanced(entry: &LoadEntry, offset: u64) -> LoadEntry {
    let counts = Counts { read: offset / 2, inserted: offset / 4, updated: 1, unchanged: 2, rejected: 3 };
    LoadEntry {
        counts,
        position: Position { offset, lines: offset / 2 },
        digest: format!("digest of {offset}"),
        digested: offset + 100,
        changed_at: "2024-05-06T07:08:10Z".to_owned(),
        seconds: 1.25,
        ..entry.clone()
    }
}

fn entries_come_back_as_they_went_in(ground: &Ground) {
    let mut target = prepared(ground, &[]);
    assert_eq!(target.all_loads().unwrap(), []);
    let mut expected = Vec::new();
    let modes = [Mode::Append, Mode::Upsert, Mode::Replace, Mode::Retry];
    let rules = [OnConflict::Reject, OnConflict::Update, OnConflict::Keep];
    for number in 0..40usize {
        let mut entry = advanced(&entry(if number % 2 == 0 { "people" } else { "select \"ü\"" }), number as u64);
        (entry.mode, entry.on_conflict) = (modes[number % modes.len()], rules[number % rules.len()]);
        entry.counts.read = u64::from(u32::MAX) + number as u64;
        entry.id = within(&mut *target, |transaction| transaction.add_load(&entry).unwrap());
        expected.push(entry);
    }
    assert!(expected.windows(2).all(|pair| pair[0].id < pair[1].id) && expected[0].id.is_stored(), "numbers ascend");
    assert_eq!(target.all_loads().unwrap(), expected);
    assert_eq!(ground.read().all_loads().unwrap(), expected);
}

fn several_loads_of_one_transaction_have_their_own_numbers(ground: &Ground) {
    let mut target = prepared(ground, &[]);
    let ids = within(&mut *target, |transaction| {
        let ids: Vec<_> = (0..3).map(|_| transaction.add_load(&entry("people")).unwrap()).collect();
        assert_eq!(transaction.all_loads().unwrap().len(), 3);
        ids
    });
    assert!(ids[0] < ids[1] && ids[1] < ids[2], "{ids:?}");
}

fn progress_is_written_over(ground: &Ground) {
    let mut target = prepared(ground, &[]);
    let mut entry = entry("people");
    entry.id = within(&mut *target, |transaction| transaction.add_load(&entry).unwrap());
    let other = within(&mut *target, |transaction| transaction.add_load(&super::ledger::entry("people")).unwrap());
    for (offset, was_at, state) in [
        (10, 0, LoadState::Running),
        (10, 10, LoadState::Stopped),
        (99, 10, LoadState::Running),
        (99, 99, LoadState::Complete),
    ] {
        entry = LoadEntry { state, ..advanced(&entry, offset) };
        within(&mut *target, |transaction| {
            transaction.save_load(&entry, was_at).unwrap();
            assert_eq!(transaction.all_loads().unwrap()[0], entry);
        });
    }
    let loads = target.all_loads().unwrap();
    assert_eq!(loads[0], entry);
    assert_eq!((loads[1].id, loads[1].position.offset), (other, 0), "others are left alone");
}

fn what_does_not_change_is_left_alone(ground: &Ground) {
    let mut target = prepared(ground, &[]);
    let mut entry = entry("people");
    entry.id = within(&mut *target, |transaction| transaction.add_load(&entry).unwrap());
    let meddled = LoadEntry {
        table: "other".into(),
        source: "other".into(),
        started_at: "2030-01-01T00:00:00Z".into(),
        rules: "other".into(),
        ..advanced(&entry, 10)
    };
    within(&mut *target, |transaction| transaction.save_load(&meddled, 0).unwrap());
    assert_eq!(target.all_loads().unwrap(), [advanced(&entry, 10)]);
}

fn a_load_that_stands_elsewhere_is_overtaken(ground: &Ground) {
    let mut target = prepared(ground, &[]);
    let mut entry = entry("people");
    entry.id = within(&mut *target, |transaction| transaction.add_load(&entry).unwrap());
    within(&mut *target, |transaction| transaction.save_load(&advanced(&entry, 10), 0).unwrap());
    let overtaken = |outcome: Result<(), Error>| match outcome {
        Err(Error::Target(error)) => assert_eq!(error.kind, TargetErrorKind::Overtaken),
        other => panic!("{other:?}"),
    };
    within(&mut *target, |transaction| overtaken(transaction.save_load(&advanced(&entry, 20), 0)));
    within(&mut *target, |transaction| {
        let unknown = LoadEntry { id: (i64::from(entry.id) + 1).into(), ..advanced(&entry, 20) };
        overtaken(transaction.save_load(&unknown, 10));
    });
    for ended in [LoadState::Complete, LoadState::Abandoned, LoadState::RolledBack] {
        let mut entry = super::ledger::entry("people");
        entry.id = within(&mut *target, |transaction| transaction.add_load(&entry).unwrap());
        let end = LoadEntry { state: ended, ..entry.clone() };
        within(&mut *target, |transaction| transaction.save_load(&end, 0).unwrap());
        within(&mut *target, |transaction| overtaken(transaction.save_load(&advanced(&entry, 20), 0)));
    }
    assert_eq!(target.all_loads().unwrap()[0], advanced(&entry, 10));
}

contract! {
    entries_come_back_as_they_went_in,
    several_loads_of_one_transaction_have_their_own_numbers,
    progress_is_written_over,
    what_does_not_change_is_left_alone,
    a_load_that_stands_elsewhere_is_overtaken,
}
