//! Which rejects are wanted, and how many there are of a cause.

use landfall_core::reject::ErrorCode;
use landfall_engine::quarantine::{NewReject, RejectFilter, RejectId, RejectState};

use crate::{
    ground::Ground,
    quarantine::{any, error, ids, load, records, reject, three_loads, wanted},
    tables::{people, prepared, within},
};

fn every_filter(ground: &Ground) {
    let (mut target, loads) = three_loads(ground);
    let ids = ids(&*target);
    within(&mut *target, |transaction| transaction.release_reject(ids[2], loads[2], None).unwrap());
    let none = RejectFilter::default;
    let filters: Vec<(RejectFilter, &[u64])> = vec![
        (none(), &[1, 2, 4, 6, 7, 8, 9, 10]),
        (any(), &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        (RejectFilter { state: Some(RejectState::Deferred), ..none() }, &[5]),
        (RejectFilter { state: Some(RejectState::Released), ..none() }, &[3]),
        (RejectFilter { state: Some(RejectState::Superseded), ..none() }, &[]),
        (RejectFilter { table: Some("people".into()), ..none() }, &[1, 2, 4, 9, 10]),
        (RejectFilter { table: Some("PEOPLE".into()), ..none() }, &[]),
        (RejectFilter { load: Some(loads[1]), ..none() }, &[6, 7, 8]),
        (RejectFilter { load: Some(loads[0]), ..any() }, &[1, 2, 3, 4, 5]),
        (RejectFilter { code: Some(ErrorCode::TypeError), ..none() }, &[1, 8, 9]),
        (RejectFilter { field: Some("team".into()), ..none() }, &[2, 4, 6, 7, 10]),
        (RejectFilter { field: Some("name".into()), ..none() }, &[1]),
        (RejectFilter { code: Some(ErrorCode::TypeError), field: Some("name".into()), ..any() }, &[3]),
        (RejectFilter { code: Some(ErrorCode::PrimaryKey), field: Some("team".into()), ..any() }, &[]),
        (RejectFilter { id: Some(ids[6]), ..none() }, &[7]),
        (RejectFilter { id: Some(ids[2]), ..none() }, &[]),
        (RejectFilter { id: Some(ids[2]), ..any() }, &[3]),
        (RejectFilter { before_load: Some(loads[2]), ..none() }, &[1, 2, 4, 6, 7, 8]),
        (RejectFilter { waiting: true, ..none() }, &[2, 4, 6, 10]),
        (RejectFilter { waiting: true, before_load: Some(loads[1]), ..none() }, &[2, 4]),
        (RejectFilter { waiting: true, load: Some(loads[2]), ..none() }, &[10]),
        (RejectFilter { after: ids[5], ..none() }, &[7, 8, 9, 10]),
    ];
    for (filter, expected) in filters {
        assert_eq!(wanted(&*target, &filter), expected, "{filter:?}");
    }
    let page = |after, limit| {
        let filter = RejectFilter { after, limit: Some(limit), ..none() };
        records(&target.find_rejects(&filter).unwrap())
    };
    let first = RejectId::default();
    assert_eq!(
        (page(first, 3), page(ids[3], 2), page(first, 0), page(ids[9], 9)),
        (vec![1, 2, 4], vec![6, 7], vec![], vec![])
    );
}

fn groups_by_cause(ground: &Ground) {
    let (target, _) = three_loads(ground);
    type Group = (String, String, Option<String>, u64, Option<String>);
    let groups = |filter: &RejectFilter| -> Vec<Group> {
        let groups = target.reject_groups(filter).unwrap().into_iter();
        groups.map(|group| (group.table, group.code, group.field, group.count, group.example)).collect()
    };
    let group = |table: &str, code: &str, field: &str, count: u64, example: &str| {
        (table.to_owned(), code.to_owned(), Some(field.to_owned()), count, Some(example.to_owned()))
    };
    let expected = [
        // The largest first, then by table, code and field; a reject counts once in a group.
        group("people", "foreign-key", "team", 3, "v10"),
        group("people", "type-error", "id", 3, "v1"),
        group("places", "foreign-key", "team", 2, "v6"),
        group("people", "constraint-error", "name", 1, "v1"),
        group("people", "foreign-key", "boss", 1, "v4"),
        group("people", "type-error", "name", 1, "v3"),
        group("places", "primary-key", "id", 1, "v7"),
        group("places", "type-error", "id", 1, "v8"),
    ];
    assert_eq!(groups(&RejectFilter::default()), expected);
    // All errors of the rejects that a filter wants.
    let filter = RejectFilter { code: Some(ErrorCode::ConstraintError), ..RejectFilter::default() };
    let expected = [group("people", "constraint-error", "name", 1, "v1"), group("people", "type-error", "id", 1, "v1")];
    assert_eq!(groups(&filter), expected);
    let filter = RejectFilter { table: Some("places".into()), field: Some("id".into()), ..RejectFilter::default() };
    assert_eq!(groups(&filter).len(), 3);
}

fn groups_without_a_field_or_value(ground: &Ground) {
    let mut target = prepared(ground, &[]);
    let load = load(&mut *target, "people");
    let blank = NewReject { errors: vec![error(ErrorCode::BlankRow, None, None)], ..reject(1, &[]) };
    within(&mut *target, |transaction| transaction.add_rejects(load, &people(), &[blank]).unwrap());
    let groups = target.reject_groups(&RejectFilter::default()).unwrap();
    assert_eq!((groups.len(), &groups[0].field, &groups[0].example, groups[0].count), (1, &None, &None, 1));
}

contract! { every_filter, groups_by_cause, groups_without_a_field_or_value }
