//! Landfall's own tables, under versioned migrations.

use std::{sync::Barrier, thread};

use landfall_engine::{
    Error, TargetErrorKind,
    targets::{TargetAccess, open},
};

use crate::{ground::Ground, ledger::entry, tables::within};

fn a_database_from_a_newer_version_is_refused(ground: &Ground) {
    let mut target = ground.open();
    within(&mut *target, |transaction| transaction.add_load(&entry("people")).unwrap());
    drop(target);
    ground.sql(&format!("INSERT INTO {}migrations VALUES (9999, '2099-01-01T00:00:00Z')", ground.own()));
    for access in [TargetAccess::Write, TargetAccess::Read] {
        match open(&ground.location(), access) {
            Err(Error::Target(error)) => {
                assert_eq!(error.kind, TargetErrorKind::NewerVersion);
                assert!(error.message.contains("newer"), "{}", error.message);
            }
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("it was opened"),
        }
    }
}

fn migrations_are_applied_once_by_two_at_once(ground: &Ground) {
    for _ in 0..5 {
        let barrier = Barrier::new(3);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    barrier.wait();
                    let target = open(&ground.location(), TargetAccess::Write).unwrap();
                    assert_eq!(target.all_loads().unwrap(), []);
                });
            }
        });
    }
}

fn what_was_written_is_there_when_it_is_opened_again(ground: &Ground) {
    let mut target = ground.open();
    within(&mut *target, |transaction| transaction.add_load(&entry("people")).unwrap());
    target.flush_commits().unwrap();
    drop(target);
    for access in [TargetAccess::Write, TargetAccess::Read] {
        let target = open(&ground.location(), access).unwrap();
        assert_eq!(target.all_loads().unwrap().len(), 1);
        assert_eq!(target.location(), ground.location().to_string());
    }
}

fn a_database_that_is_only_read_is_left_alone(ground: &Ground) {
    let reader = ground.read();
    assert_eq!(reader.all_loads().unwrap(), []);
    assert_eq!(reader.find_rejects(&Default::default()).unwrap(), []);
    assert_eq!(reader.reject_count(&Default::default()).unwrap(), 0);
    assert_eq!(reader.reject_groups(&Default::default()).unwrap(), []);
    assert_eq!(reader.reject_events(1.into()).unwrap(), []);
    assert!(!reader.has_table(&crate::tables::people()).unwrap());
}

contract_in_sql! {
    a_database_from_a_newer_version_is_refused,
    migrations_are_applied_once_by_two_at_once,
    what_was_written_is_there_when_it_is_opened_again,
    a_database_that_is_only_read_is_left_alone,
}
