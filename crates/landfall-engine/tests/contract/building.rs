//! Tables that are built aside, by targets that do so; the others make them at once, and the rest holds for them too.

use landfall_engine::{
    Error, TargetErrorKind,
    targets::{Fence, Pace},
};

use crate::{
    ground::Ground,
    tables::{content, fields_at, insert, people, prepared, row, teams_and_members, within},
};

fn what_is_built_is_unseen_until_it_is_finished(ground: &Ground) {
    let people = people();
    let mut target = prepared(ground, &[]);
    let reader = ground.read();
    let can_build = target.can_stage(&people).unwrap();
    let builds = target.begin_staging(&people, false).unwrap();
    assert_eq!(builds, can_build);
    assert_eq!(target.can_find_rows(&people), !builds);
    let rows = [row![1, "a", ()], row![2, "b", ()]];
    for row in &rows {
        within(&mut *target, |transaction| {
            assert_eq!(transaction.can_find_rows(&people), !builds);
            assert_eq!(insert(transaction, &people, std::slice::from_ref(row)), []);
        });
    }
    assert_eq!(target.has_table(&people).unwrap(), !builds);
    assert_eq!(reader.has_table(&people).unwrap(), !builds);
    assert_eq!(reader.row_count(&people).unwrap(), if builds { 0 } else { 2 });
    // Whoever builds it counts and reads the rows so far: a load that goes on has to know their keys.
    assert_eq!((target.row_count(&people).unwrap(), content(&*target, &people)), (2, rows.to_vec()));
    target.finish_staging(&people).unwrap();
    assert!(target.can_find_rows(&people) && target.has_table(&people).unwrap());
    assert_eq!(content(&*reader, &people), rows);
    let refused =
        within(&mut *target, |transaction| insert(transaction, &people, &[row![1, "c", ()], row![3, "b", ()]]));
    assert_eq!(refused.len(), 2, "it has its keys now");
    target.finish_staging(&people).unwrap();
    target.prepare_tables(std::slice::from_ref(&people)).unwrap();
    assert_eq!(target.find_differences(&[people]).unwrap(), []);
}

fn what_is_built_can_be_asked_at_the_end(ground: &Ground) {
    let people = people();
    let mut target = prepared(ground, &[]);
    target.begin_staging(&people, false).unwrap();
    within(&mut *target, |transaction| {
        insert(transaction, &people, &[row![1, "a", ()], row![2, "b", ()]]);
        let found = transaction.find_rows(&people, &fields_at([1]), &[row!["b"], row!["z"]]).unwrap();
        assert_eq!(found, [Some(row![2, "b", ()]), None]);
    });
    within(&mut *target, |transaction| {
        let found = transaction.find_rows(&people, &fields_at([0]), &[row![1], row![3]]).unwrap();
        assert_eq!(found, [Some(row![1, "a", ()]), None]);
    });
}

fn what_is_built_can_be_asked_by_a_transaction_that_wrote_nothing(ground: &Ground) {
    let people = people();
    let mut target = prepared(ground, &[]);
    target.begin_staging(&people, false).unwrap();
    within(&mut *target, |transaction| insert(transaction, &people, &[row![1, "a", ()], row![2, "b", ()]]));
    target.flush_commits().unwrap();
    for pace in [Pace::Ahead, Pace::InStep, Pace::Ahead] {
        let transaction = target.begin_transaction(Fence::Pipeline, pace).unwrap();
        for (position, key) in [(0, row![2]), (1, row!["b"])] {
            let found = transaction.find_rows(&people, &fields_at([position]), &[key]).unwrap();
            assert_eq!(found, [Some(row![2, "b", ()])]);
        }
        transaction.commit_now().unwrap();
    }
    target.finish_staging(&people).unwrap();
    assert_eq!(target.row_count(&people).unwrap(), 2);
}

fn the_same_command_goes_on_building(ground: &Ground) {
    let people = people();
    let mut target = prepared(ground, &[]);
    target.begin_staging(&people, false).unwrap();
    within(&mut *target, |transaction| insert(transaction, &people, &[row![1, "a", ()]]));
    drop(target);
    let mut target = ground.open();
    let can_build = target.can_stage(&people).unwrap();
    assert_eq!(target.begin_staging(&people, true).unwrap(), can_build);
    assert_eq!(content(&*target, &people), [row![1, "a", ()]]);
    within(&mut *target, |transaction| insert(transaction, &people, &[row![2, "b", ()]]));
    target.finish_staging(&people).unwrap();
    assert_eq!(target.row_count(&people).unwrap(), 2);
}

fn another_command_finishes_what_was_begun(ground: &Ground) {
    let people = people();
    let mut target = prepared(ground, &[]);
    target.begin_staging(&people, false).unwrap();
    within(&mut *target, |transaction| insert(transaction, &people, &[row![1, "a", ()]]));
    drop(target);
    let mut other = ground.open();
    assert!(!other.begin_staging(&people, false).unwrap(), "it is there, whole");
    assert!(other.can_find_rows(&people));
    assert_eq!(content(&*ground.read(), &people), [row![1, "a", ()]]);
}

fn preparing_finishes_what_was_begun(ground: &Ground) {
    let people = people();
    let mut target = prepared(ground, &[]);
    target.begin_staging(&people, false).unwrap();
    within(&mut *target, |transaction| insert(transaction, &people, &[row![1, "a", ()]]));
    drop(target);
    let mut other = ground.open();
    other.prepare_tables(std::slice::from_ref(&people)).unwrap();
    assert!(other.can_find_rows(&people));
    assert_eq!(content(&*ground.read(), &people), [row![1, "a", ()]]);
}

fn a_table_that_is_there_is_not_built(ground: &Ground) {
    let people = people();
    let mut target = prepared(ground, std::slice::from_ref(&people));
    assert!(!target.can_stage(&people).unwrap());
    assert!(!target.begin_staging(&people, false).unwrap() && !target.begin_staging(&people, true).unwrap());
    assert!(target.can_find_rows(&people));
}

fn what_stands_against_the_keys_is_told(ground: &Ground) {
    let people = people();
    let mut target = prepared(ground, &[]);
    let builds = target.begin_staging(&people, false).unwrap();
    let refused =
        within(&mut *target, |transaction| insert(transaction, &people, &[row![1, "a", ()], row![1, "b", ()]]));
    if !builds {
        assert_eq!(refused.len(), 1);
        return;
    }
    match target.finish_staging(&people) {
        Err(Error::Target(error)) => assert_eq!(error.kind, TargetErrorKind::Constraint),
        other => panic!("{other:?}"),
    }
    assert!(!target.can_find_rows(&people) && !target.has_table(&people).unwrap(), "it goes on being built");
}

fn parents_stay_until_it_is_finished(ground: &Ground) {
    let (teams, members) = teams_and_members();
    let mut target = prepared(ground, std::slice::from_ref(&teams));
    within(&mut *target, |transaction| insert(transaction, &teams, &[row![1, "one"]]));
    let builds = target.begin_staging(&members, false).unwrap();
    within(&mut *target, |transaction| {
        insert(transaction, &members, &[row![5, 1]]);
        transaction.hold_parents(&members, &teams, &fields_at([0]), &[row![1]]).unwrap();
    });
    let mut other = ground.open();
    let mut clear = || -> Result<(), Error> {
        let mut transaction = other.begin_transaction(Fence::Database, Pace::InStep)?;
        transaction.delete_rows(&teams)?;
        transaction.commit_now()
    };
    assert!(clear().is_err(), "built aside: {builds}");
    target.finish_staging(&members).unwrap();
    assert!(clear().is_err(), "the database's own keys hold it now");
    assert_eq!((target.row_count(&teams).unwrap(), target.row_count(&members).unwrap()), (1, 1));
}

contract! {
    what_is_built_is_unseen_until_it_is_finished,
    what_is_built_can_be_asked_at_the_end,
    what_is_built_can_be_asked_by_a_transaction_that_wrote_nothing,
    the_same_command_goes_on_building,
    another_command_finishes_what_was_begun,
    preparing_finishes_what_was_begun,
    a_table_that_is_there_is_not_built,
    what_stands_against_the_keys_is_told,
    parents_stay_until_it_is_finished,
}
