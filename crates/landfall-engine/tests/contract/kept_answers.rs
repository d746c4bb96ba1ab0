//! Answers that are kept in the transaction of their effect: neither is there without the other.

use std::panic::{AssertUnwindSafe, catch_unwind};

use landfall_engine::{
    Error, Project, TargetErrorKind,
    document::NewDocument,
    pipeline::{
        LoadOutcome, Observer, RetrySelection, RowsAnswer, SilentObserver, answer_document, discard_with,
        retry_rejects, retry_with, stored_answer,
    },
    quarantine::RejectFilter,
    targets::Target,
};

use crate::{ground::Ground, requests::Desk};

const DIGEST: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A team that was rejected, and somebody who waits for it.
fn desk_with_rejects(ground: &Ground) -> (Desk, Project, RetrySelection) {
    let mut desk = Desk::open(ground);
    desk.one(&[("teams", r#"[{"id":5}]"#)]);
    desk.one(&[("people", r#"[{"id":9,"team":5}]"#)]);
    assert_eq!(desk.open_rejects(), 2);
    let first = desk.target.find_rejects(&RejectFilter::default()).unwrap()[0].id;
    let project = desk.rules.rules_project().clone();
    (desk, project, RetrySelection::Corrected(first, vec![("name".into(), Some("e".into()))]))
}

fn answer(outcomes: &[LoadOutcome]) -> NewDocument {
    answer_document("key".into(), DIGEST, outcomes.len().to_string().as_bytes())
}

fn kept(target: &dyn Target) -> Option<String> {
    stored_answer(target, "key", DIGEST).unwrap().map(|answer| match answer {
        RowsAnswer::Repeated(body) => String::from_utf8(body).unwrap(),
        other => panic!("{other:?}"),
    })
}

fn the_answer_to_a_retry_tells_what_was_released_after_it(ground: &Ground) {
    let (mut desk, project, what) = desk_with_rejects(ground);
    let mut seen = Vec::new();
    let outcomes = retry_with(&mut *desk.target, &project, &what, &SilentObserver, &mut |read, outcomes| {
        seen.push((outcomes.len(), read.find_document("answer", "key")?.is_some()));
        Ok(Some(answer(outcomes)))
    });
    assert_eq!(outcomes.unwrap().len(), 2);
    assert_eq!(seen, [(1, false), (2, true)]);
    assert_eq!(kept(&*desk.target).as_deref(), Some("2"));
    assert_eq!((desk.rows("teams").len(), desk.rows("people").len(), desk.open_rejects()), (1, 1, 0));
}

/// Dies when the first load has committed.
struct Mortal;

impl Observer for Mortal {
    fn source_ends(&self, _outcome: &LoadOutcome) {
        std::panic::resume_unwind(Box::new("killed"));
    }
}

/// A retry answered for what it had done only when all was done: a crash before that left an effect without an answer.
fn a_retry_that_dies_after_its_commit_has_left_its_answer(ground: &Ground) {
    let (mut desk, project, what) = desk_with_rejects(ground);
    let died = catch_unwind(AssertUnwindSafe(|| {
        retry_with(&mut *desk.target, &project, &what, &Mortal, &mut |_, outcomes| Ok(Some(answer(outcomes))))
    }));
    assert!(died.is_err());
    assert_eq!(kept(&*desk.target).as_deref(), Some("1"));
    // What it did not come to is done by the next one, and nothing is doubled.
    assert_eq!((desk.rows("teams").len(), desk.rows("people").len(), desk.open_rejects()), (1, 0, 1));
    let again = retry_rejects(&mut *desk.target, &project, &what, &SilentObserver);
    assert!(matches!(again, Err(Error::Usage(_))), "{again:?}");
    retry_rejects(&mut *desk.target, &project, &RetrySelection::Quarantine(RejectFilter::default()), &SilentObserver)
        .unwrap();
    assert_eq!((desk.rows("teams").len(), desk.rows("people").len(), desk.open_rejects()), (1, 1, 0));
}

fn what_was_answered_before_has_no_second_effect(ground: &Ground) {
    let (mut desk, project, what) = desk_with_rejects(ground);
    crate::tables::within(&mut *desk.target, |transaction| transaction.add_documents(&[answer(&[])]).unwrap());
    let is_overtaken = |error: Option<Error>| match error {
        Some(Error::Target(error)) => error.kind == TargetErrorKind::Overtaken,
        _ => false,
    };
    let tried =
        retry_with(&mut *desk.target, &project, &what, &SilentObserver, &mut |_, outcomes| Ok(Some(answer(outcomes))));
    assert!(is_overtaken(tried.err()));
    let discarded = discard_with(&mut *desk.target, &RejectFilter::default(), "r", |_| Some(answer(&[])));
    assert!(is_overtaken(discarded.err()));
    assert_eq!((desk.rows("teams").len(), desk.open_rejects()), (0, 2));
    assert_eq!(kept(&*desk.target).as_deref(), Some("0"));
}

/// Where there is nothing to try, the answer is kept all the same.
fn a_retry_of_nothing_is_answered_once(ground: &Ground) {
    let mut desk = Desk::open(ground);
    let project = desk.rules.rules_project().clone();
    let what = RetrySelection::Quarantine(RejectFilter::default());
    let outcomes =
        retry_with(&mut *desk.target, &project, &what, &SilentObserver, &mut |_, outcomes| Ok(Some(answer(outcomes))));
    assert_eq!(outcomes.unwrap(), []);
    assert_eq!(kept(&*desk.target).as_deref(), Some("0"));
}

contract! {
    a_retry_of_nothing_is_answered_once,
    a_retry_that_dies_after_its_commit_has_left_its_answer,
    the_answer_to_a_retry_tells_what_was_released_after_it,
    what_was_answered_before_has_no_second_effect,
}
