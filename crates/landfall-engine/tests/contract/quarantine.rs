//! The quarantine.

use landfall_core::reject::{CellError, ErrorCode};
use landfall_engine::{
    Error, TargetErrorKind,
    ledger::{LoadEntry, LoadId, LoadState, Mode},
    quarantine::{ClosingRule, NewReject, RawRecord, Reject, RejectEvent, RejectFilter, RejectId, RejectState},
    targets::{Fence, Pace, Table, Target, TargetRead},
};

use crate::{
    ground::Ground,
    ledger::entry,
    tables::{people, prepared, within},
};

/// The error of `code` at `field`.
pub(crate) fn error(code: ErrorCode, field: Option<&str>, value: Option<&str>) -> CellError {
    CellError::new(code, field.map(Into::into), value, "what is wrong, \"quoted\", with ünïcode\nand a line")
}

/// A reject of the record `record`, with these codes.
pub(crate) fn reject(record: u64, codes: &[ErrorCode]) -> NewReject {
    NewReject {
        record,
        line: record * 2,
        offset: record * 100,
        raw: RawRecord::Whole(format!("{record},\"a\nb\"\0\u{7f}\r").into_bytes()),
        errors: codes.iter().map(|&code| error(code, Some("id"), Some("x"))).collect(),
        deferred: false,
    }
}

pub(crate) fn any() -> RejectFilter {
    RejectFilter { any_state: true, ..RejectFilter::default() }
}

/// A load of `table` in the ledger.
pub(crate) fn load(target: &mut dyn Target, table: &str) -> LoadId {
    within(target, |transaction| transaction.add_load(&entry(table)).unwrap())
}

pub(crate) fn records(rejects: &[Reject]) -> Vec<u64> {
    rejects.iter().map(|reject| reject.record).collect()
}

pub(crate) fn wanted(read: &dyn TargetRead, filter: &RejectFilter) -> Vec<u64> {
    let found = read.find_rejects(filter).unwrap();
    assert_eq!(read.reject_count(&RejectFilter { limit: None, ..filter.clone() }).unwrap(), found.len() as u64);
    for limit in [0, 1, 1000] {
        let count = read.reject_count(&RejectFilter { limit: Some(limit), ..filter.clone() }).unwrap();
        assert_eq!(count, limit.min(found.len() as u64));
    }
    records(&found)
}

pub(crate) fn ids(read: &dyn TargetRead) -> Vec<RejectId> {
    read.find_rejects(&any()).unwrap().iter().map(|reject| reject.id).collect()
}

fn rejects_come_back_as_they_went_in(ground: &Ground) {
    let table = people();
    let mut target = prepared(ground, &[]);
    let load = load(&mut *target, "people");
    let mut rejects: Vec<NewReject> = (1..=100).map(|record| reject(record, &ErrorCode::ALL[..3])).collect();
    rejects[3].raw = RawRecord::Whole((0..=255).collect());
    rejects[4].raw = RawRecord::Whole(Vec::new());
    rejects[5].errors = vec![
        error(ErrorCode::BlankRow, None, None),
        error(ErrorCode::TypeError, Some("größe \"x\""), Some("\\N\t'\0")),
    ];
    rejects[6].deferred = true;
    rejects[7].errors.clear();
    within(&mut *target, |transaction| {
        transaction.add_rejects(load, &table, &[]).unwrap();
        transaction.add_rejects(load, &table, &rejects[..70]).unwrap();
        for reject in &rejects[70..] {
            transaction.add_reject(load, &table, reject).unwrap();
        }
    });
    let found = target.find_rejects(&any()).unwrap();
    assert!(found.windows(2).all(|pair| pair[0].id < pair[1].id), "in the order in which they were added");
    for (new, found) in rejects.iter().zip(&found) {
        let RawRecord::Whole(raw) = &new.raw else { panic!("a whole record") };
        let expected = Reject {
            id: found.id,
            load,
            table: "people".into(),
            source: entry("people").source,
            record: new.record,
            line: new.line,
            offset: new.offset,
            length: raw.len() as u64,
            raw: raw.clone(),
            errors: new.errors.clone(),
            state: new.state(),
        };
        assert_eq!(*found, expected);
    }
    assert_eq!(found.len(), rejects.len());
}

fn bytes_of(read: &dyn TargetRead, reject: RejectId) -> Vec<u8> {
    let mut bytes = Vec::new();
    read.read_reject_bytes(reject, &mut |part| {
        assert!(part.len() <= Reject::RAW_LIMIT);
        bytes.extend_from_slice(part);
        Ok(())
    })
    .unwrap();
    bytes
}

fn long_records_are_kept_in_parts(ground: &Ground) {
    let table = people();
    let mut target = prepared(ground, &[]);
    let load = load(&mut *target, "people");
    let bytes = |length: usize| -> Vec<u8> { (0..length).map(|at| (at * 7 % 251) as u8).collect() };
    let lengths = [Reject::RAW_LIMIT, Reject::RAW_LIMIT + 1, 2 * Reject::RAW_LIMIT + 500];
    let whole = |length| NewReject { raw: RawRecord::Whole(bytes(length)), ..reject(1, &[]) };
    let long = NewReject { raw: RawRecord::Long(Reject::RAW_LIMIT as u64 + 10), ..reject(9, &[]) };
    within(&mut *target, |transaction| {
        let rejects: Vec<NewReject> = lengths.iter().map(|&length| whole(length)).collect();
        transaction.add_rejects(load, &table, &rejects).unwrap();
        transaction.add_reject(load, &table, &rejects[2]).unwrap();
        let id = transaction.add_reject(load, &table, &long).unwrap();
        for (part, bytes) in (0..).zip(bytes(Reject::RAW_LIMIT + 10).chunks(Reject::RAW_LIMIT)) {
            transaction.append_reject_bytes(id, part, bytes).unwrap();
        }
    });
    let found = target.find_rejects(&any()).unwrap();
    let expected = lengths.into_iter().chain([lengths[2], Reject::RAW_LIMIT + 10]);
    for (length, reject) in expected.zip(&found) {
        assert_eq!(reject.length, length as u64);
        assert!(reject.raw == bytes(length)[..length.min(Reject::RAW_LIMIT)], "the head of {length} bytes");
        assert!(bytes_of(&*target, reject.id) == bytes(length), "all {length} bytes");
    }
    within(&mut *target, |transaction| transaction.withdraw_rejects(&ids(transaction)).unwrap());
    assert_eq!(bytes_of(&*target, found[2].id), b"");
}

/// Three loads: rejects 1 to 5 of people, 6 to 8 of places, 9 and 10 of people again.
pub(crate) fn three_loads(ground: &Ground) -> (Box<dyn Target>, [LoadId; 3]) {
    use ErrorCode::{ConstraintError, ForeignKey, PrimaryKey, TypeError};
    let places = crate::tables::table("places", "{fields: [{name: id, type: integer}]}");
    let mut target = prepared(ground, &[]);
    let loads = ["people", "places", "people"].map(|table| load(&mut *target, table));
    let at = |record, errors: &[(ErrorCode, &str)]| NewReject {
        errors: errors.iter().map(|(code, field)| error(*code, Some(field), Some(&format!("v{record}")))).collect(),
        ..reject(record, &[])
    };
    let first = [
        at(1, &[(TypeError, "id"), (ConstraintError, "name")]),
        at(2, &[(ForeignKey, "team")]),
        at(3, &[(TypeError, "name"), (TypeError, "id")]),
        at(4, &[(ForeignKey, "team"), (ForeignKey, "boss")]),
        NewReject { deferred: true, ..at(5, &[(TypeError, "id")]) },
    ];
    let second = [
        at(6, &[(ForeignKey, "team")]),
        at(7, &[(PrimaryKey, "id"), (ForeignKey, "team")]),
        at(8, &[(TypeError, "id")]),
    ];
    let third = [at(9, &[(TypeError, "id"), (TypeError, "id")]), at(10, &[(ForeignKey, "team")])];
    within(&mut *target, |transaction| {
        transaction.add_rejects(loads[0], &people(), &first).unwrap();
        transaction.add_rejects(loads[1], &places, &second).unwrap();
        transaction.add_rejects(loads[2], &people(), &third).unwrap();
    });
    (target, loads)
}

/// The actions noted of a reject, with their load and the mended bytes.
fn events(read: &dyn TargetRead, reject: RejectId) -> Vec<(String, LoadId, Option<Vec<u8>>)> {
    let events = read.reject_events(reject).unwrap();
    assert!(events.iter().all(|event| event.reject == reject && event.at.ends_with('Z')), "{events:?}");
    events.into_iter().map(|event| (event.action, event.load, event.mended)).collect()
}

fn released_rejects_leave_a_trace(ground: &Ground) {
    let (mut target, loads) = three_loads(ground);
    let ids = ids(&*target);
    let mended = b"mended \0\xff".as_slice();
    within(&mut *target, |transaction| {
        transaction.release_reject(ids[1], loads[2], None).unwrap();
        transaction.release_reject(ids[3], loads[2], Some(mended)).unwrap();
        transaction.release_reject(ids[5], loads[2], Some(b"")).unwrap();
    });
    let released = RejectFilter { state: Some(RejectState::Released), ..RejectFilter::default() };
    assert_eq!(wanted(&*target, &released), [2, 4, 6]);
    assert_eq!(wanted(&*target, &RejectFilter { waiting: true, ..RejectFilter::default() }), [10]);
    assert_eq!(wanted(&*target, &RejectFilter { waiting: true, ..any() }), [10], "what was released waits no more");
    assert_eq!(events(&*target, ids[1]), [("released".into(), loads[2], None)]);
    assert_eq!(events(&*target, ids[3]), [("released".into(), loads[2], Some(mended.to_vec()))]);
    assert_eq!(events(&*target, ids[5]), [("released".into(), loads[2], Some(Vec::new()))]);
    assert_eq!(events(&*target, ids[0]), []);
}

fn a_reject_is_released_once(ground: &Ground) {
    let (mut target, loads) = three_loads(ground);
    let ids = ids(&*target);
    within(&mut *target, |transaction| transaction.release_reject(ids[1], loads[2], None).unwrap());
    let mut transaction = target.begin_transaction(Fence::Database, Pace::InStep).unwrap();
    match transaction.release_reject(ids[1], loads[2], None) {
        Err(Error::Target(error)) => assert_eq!(error.kind, TargetErrorKind::Overtaken),
        other => panic!("{other:?}"),
    }
    drop(transaction);
    assert_eq!(events(&*target, ids[1]).len(), 1);
}

fn failed_retries_leave_a_trace(ground: &Ground) {
    let (mut target, loads) = three_loads(ground);
    let ids = ids(&*target);
    let orphan = [error(ErrorCode::ForeignKey, Some("boss"), None)];
    let other = [error(ErrorCode::TypeError, Some("id"), Some("y"))];
    within(&mut *target, |transaction| {
        transaction.retry_failed(ids[0], loads[2], &orphan, None).unwrap();
        transaction.retry_failed(ids[1], loads[2], &other, None).unwrap();
        transaction.retry_failed(ids[3], loads[2], &orphan, Some(b"mended")).unwrap();
        transaction.retry_failed(ids[0], loads[1], &orphan, None).unwrap();
    });
    let found = target.find_rejects(&any()).unwrap();
    assert_eq!(
        (&found[0].errors[..], &found[1].errors[..], &found[3].errors[..]),
        (&orphan[..], &other[..], &orphan[..])
    );
    assert!(found[..4].iter().all(|reject| reject.state == RejectState::Open));
    // What was mended does not wait: its bytes in the quarantine are not those that were tried.
    assert_eq!(wanted(&*target, &RejectFilter { waiting: true, ..RejectFilter::default() }), [1, 6, 10]);
    assert_eq!(events(&*target, ids[0]), [("retried".into(), loads[2], None), ("retried".into(), loads[1], None)]);
    assert_eq!(events(&*target, ids[3]), [("retried".into(), loads[2], Some(b"mended".to_vec()))]);
}

fn withdrawn_rejects_leave_none(ground: &Ground) {
    let (mut target, _) = three_loads(ground);
    let ids = ids(&*target);
    within(&mut *target, |transaction| {
        transaction.withdraw_rejects(&[]).unwrap();
        transaction.withdraw_rejects(&[ids[4], ids[0], ids[9]]).unwrap();
    });
    assert_eq!(wanted(&*target, &any()), [2, 3, 4, 6, 7, 8, 9]);
}

fn many_are_withdrawn_and_confirmed(ground: &Ground) {
    let mut target = prepared(ground, &[]);
    let load = load(&mut *target, "people");
    let deferred = |record| NewReject { deferred: true, ..reject(record, &[]) };
    let rejects: Vec<NewReject> = (1..=3_000).map(deferred).collect();
    within(&mut *target, |transaction| transaction.add_rejects(load, &people(), &rejects).unwrap());
    let ids = ids(&*target);
    let code = |at: usize| if at.is_multiple_of(2) { ErrorCode::ForeignKey } else { ErrorCode::UniqueError };
    let errors = |at: usize| vec![error(code(at), Some("id"), Some(&format!("{at} 'quoted'")))];
    let confirmed: Vec<(RejectId, Vec<CellError>)> = (0..1_500).map(|at| (ids[at], errors(at))).collect();
    within(&mut *target, |transaction| {
        transaction.confirm_rejects(&[]).unwrap();
        transaction.confirm_rejects(&confirmed).unwrap();
        transaction.withdraw_rejects(&ids[1_500..]).unwrap();
    });
    let found = target.find_rejects(&any()).unwrap();
    assert_eq!(found.len(), 1_500);
    for (at, reject) in found.iter().enumerate() {
        assert_eq!((reject.id, reject.state, &reject.errors), (ids[at], RejectState::Open, &errors(at)));
    }
    let waiting = RejectFilter { waiting: true, ..RejectFilter::default() };
    assert_eq!(target.reject_count(&waiting).unwrap(), 750);
}

/// Ends a load in the ledger, with the digest of its content.
fn end(target: &mut dyn Target, id: LoadId, table: &str, digest: &str, mode: Mode, state: LoadState) -> LoadEntry {
    let entry = LoadEntry { id, state, mode, digest: digest.into(), ..entry(table) };
    within(target, |transaction| transaction.save_load(&entry, 0).unwrap());
    entry
}

fn the_same_content_supersedes(ground: &Ground) {
    let (mut target, loads) = three_loads(ground);
    let ids = ids(&*target);
    within(&mut *target, |transaction| transaction.release_reject(ids[1], loads[1], None).unwrap());
    end(&mut *target, loads[0], "people", "same", Mode::Append, LoadState::Complete);
    end(&mut *target, loads[1], "places", "same", Mode::Append, LoadState::Complete);
    let last = end(&mut *target, loads[2], "people", "same", Mode::Append, LoadState::Complete);
    let different = LoadEntry { digest: "other".into(), ..last.clone() };
    within(&mut *target, |transaction| {
        assert_eq!(transaction.supersede_rejects(&different, ClosingRule::SameContent).unwrap(), 0);
        assert_eq!(transaction.supersede_rejects(&last, ClosingRule::RolledBack).unwrap(), 0, "none was rolled back");
        assert_eq!(
            transaction.supersede_rejects(&last, ClosingRule::SameContent).unwrap(),
            3,
            "open ones of the same table before it"
        );
        assert_eq!(transaction.supersede_rejects(&last, ClosingRule::SameContent).unwrap(), 0);
    });
    let superseded = RejectFilter { state: Some(RejectState::Superseded), ..RejectFilter::default() };
    assert_eq!(wanted(&*target, &superseded), [1, 3, 4]);
    assert_eq!(wanted(&*target, &RejectFilter { waiting: true, ..any() }), [6, 10]);
    assert_eq!(events(&*target, ids[0]), [("superseded".into(), loads[2], None)]);
}

/// Each of many tries of a large record was read whole, to tell that it was tried.
fn events_are_bounded(ground: &Ground) {
    let (mut target, loads) = three_loads(ground);
    let first = ids(&*target)[0];
    let large = b"x".repeat(3 * RejectEvent::MENDED_LIMIT);
    within(&mut *target, |transaction| {
        for try_at in 0..RejectEvent::MOST + 5 {
            let mended = if try_at < 10 { large.clone() } else { try_at.to_string().into_bytes() };
            transaction.retry_failed(first, loads[1], &[], Some(&mended)).unwrap();
        }
    });
    let told = events(&*target, first);
    assert_eq!(told.len(), RejectEvent::MOST);
    // The last ones, oldest first.
    assert_eq!(told[0].2.as_deref(), Some(&large[..RejectEvent::MENDED_LIMIT]));
    assert_eq!(told[5].2.as_deref(), Some(&b"10"[..]));
    assert_eq!(told[RejectEvent::MOST - 1].2, Some((RejectEvent::MOST + 4).to_string().into_bytes()));
}

fn a_replace_closed_rejects_of_other_sources(ground: &Ground) {
    let (mut target, loads) = three_loads(ground);
    let last = LoadEntry { id: loads[2], mode: Mode::Replace, digest: "new".into(), ..entry("people") };
    let other = LoadEntry { source: "other.csv".into(), ..last.clone() };
    within(&mut *target, |transaction| {
        assert_eq!(transaction.supersede_rejects(&other, ClosingRule::SameSource).unwrap(), 0);
        assert_eq!(transaction.supersede_rejects(&last, ClosingRule::SameSource).unwrap(), 4);
    });
    assert_eq!(wanted(&*target, &RejectFilter::default()), [6, 7, 8, 9, 10]);
    let first = ids(&*target)[0];
    assert_eq!(events(&*target, first), [("replaced".into(), loads[2], None)]);
}

fn a_load_that_was_rolled_back_closes_only_rejects_of_others_that_were(ground: &Ground) {
    let (mut target, loads) = three_loads(ground);
    end(&mut *target, loads[0], "people", "same", Mode::Append, LoadState::RolledBack);
    let last = LoadEntry { id: loads[2], digest: "same".into(), ..entry("people") };
    within(&mut *target, |transaction| {
        assert_eq!(transaction.supersede_rejects(&last, ClosingRule::RolledBack).unwrap(), 4)
    });
}

fn rejects_of_a_load_that_was_rolled_back_do_not_wait(ground: &Ground) {
    let (mut target, loads) = three_loads(ground);
    end(&mut *target, loads[0], "people", "d", Mode::Append, LoadState::RolledBack);
    assert_eq!(wanted(&*target, &RejectFilter { waiting: true, ..RejectFilter::default() }), [6, 10]);
    assert_eq!(wanted(&*target, &RejectFilter { load: Some(loads[0]), ..RejectFilter::default() }), [1, 2, 3, 4]);
}

fn a_transaction_reads_what_it_wrote(ground: &Ground) {
    let table: Table = people();
    let mut target = prepared(ground, &[]);
    within(&mut *target, |transaction| {
        let load = transaction.add_load(&entry("people")).unwrap();
        transaction.add_rejects(load, &table, &[reject(1, &[ErrorCode::TypeError])]).unwrap();
        let id = transaction.add_reject(load, &table, &reject(2, &[ErrorCode::ForeignKey])).unwrap();
        assert_eq!(wanted(transaction, &RejectFilter::default()), [1, 2]);
        assert_eq!(transaction.reject_groups(&any()).unwrap().len(), 2);
        transaction.release_reject(id, load, None).unwrap();
        assert_eq!(transaction.reject_events(id).unwrap().len(), 1);
        assert_eq!(wanted(transaction, &RejectFilter::default()), [1]);
        assert_eq!(bytes_of(transaction, id), b"2,\"a\nb\"\0\x7f\r");
    });
}

contract! {
    events_are_bounded,
    rejects_come_back_as_they_went_in,
    long_records_are_kept_in_parts,
    released_rejects_leave_a_trace,
    a_reject_is_released_once,
    failed_retries_leave_a_trace,
    withdrawn_rejects_leave_none,
    many_are_withdrawn_and_confirmed,
    the_same_content_supersedes,
    a_replace_closed_rejects_of_other_sources,
    a_load_that_was_rolled_back_closes_only_rejects_of_others_that_were,
    rejects_of_a_load_that_was_rolled_back_do_not_wait,
    a_transaction_reads_what_it_wrote,
}
