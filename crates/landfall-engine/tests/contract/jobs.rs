//! Jobs: the queue, the lease, and the claim under which a worker commits.

use std::{
    collections::BTreeSet,
    ops::ControlFlow,
    thread,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use landfall_engine::{
    Error, TargetErrorKind,
    job::{JobClaim, JobEnd, JobEntry, JobFilter, JobState, NewJob},
    targets::{Fence, Pace, Target},
};
use serde_json::{Value, json};

use crate::{
    ground::Ground,
    tables::{content, insert, people, prepared, row, within},
};

/// The kinds of jobs that workers take here.
const KINDS: [&str; 2] = ["load", "backup"];

const LONG: Duration = Duration::from_secs(600);
const OVER: Duration = Duration::from_millis(1);

fn add(target: &mut dyn Target, kind: &str, table: &str) -> String {
    let job = NewJob::new(kind, vec![table.to_owned()], json!({"text": "ä€😀\0'\\"})).unwrap();
    within(target, |transaction| transaction.add_jobs(std::slice::from_ref(&job)).unwrap());
    job.id
}

fn try_take(target: &mut dyn Target, worker: &str, lease: Duration) -> Result<Option<JobEntry>, Error> {
    let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep)?;
    let entry = transaction.take_job(&KINDS, worker, lease)?;
    transaction.commit_now()?;
    Ok(entry)
}

fn take(target: &mut dyn Target, worker: &str, lease: Duration) -> Option<JobEntry> {
    try_take(target, worker, lease).unwrap()
}

/// Takes a job once its lease is over.
fn take_soon(target: &mut dyn Target, worker: &str) -> JobEntry {
    take_soon_for(target, worker, LONG)
}

fn take_soon_for(target: &mut dyn Target, worker: &str, lease: Duration) -> JobEntry {
    let begun = Instant::now();
    loop {
        if let Some(entry) = take(target, worker, lease) {
            return entry;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "no job was due");
        thread::sleep(Duration::from_millis(5));
    }
}

fn end(target: &mut dyn Target, claim: &JobClaim, end: &JobEnd) -> bool {
    let mut ended = false;
    within(target, |transaction| ended = transaction.end_job(claim, end).unwrap());
    ended
}

fn renew(target: &mut dyn Target, claim: &JobClaim, lease: Duration) -> Option<bool> {
    let mut renewed = None;
    within(target, |transaction| renewed = transaction.renew_lease(claim, lease).unwrap());
    renewed
}

fn kind_of<T>(outcome: Result<T, Error>) -> Option<TargetErrorKind> {
    match outcome {
        Err(Error::Target(error)) => Some(error.kind),
        _ => None,
    }
}

fn a_job_is_taken_once_and_ends(ground: &Ground) {
    let mut target = ground.open();
    assert_eq!(target.next_job_due(&KINDS).unwrap(), None);
    let id = add(&mut *target, "load", "people");
    assert_eq!(target.next_job_due(&KINDS).unwrap(), Some(Duration::ZERO));
    let stored = target.find_job(&id).unwrap().unwrap();
    assert_eq!((stored.state, stored.attempt, stored.worker), (JobState::Pending, 0, None));
    assert_eq!(stored.request, json!({"text": "ä€😀\0'\\"}));

    let taken = take(&mut *target, "a", LONG).unwrap();
    assert_eq!((taken.id.as_str(), taken.state, taken.attempt), (id.as_str(), JobState::Running, 1));
    assert_eq!(taken.worker.as_deref(), Some("a"));
    assert!(taken.started_at.is_some());
    assert_eq!(take(&mut *target, "b", LONG), None);
    let due = target.next_job_due(&KINDS).unwrap().unwrap();
    assert!(due > LONG / 2 && due <= LONG, "{due:?}");

    let claim = taken.claim();
    within(&mut *target, |transaction| assert!(transaction.note_request(&claim, &json!(1)).unwrap()));
    assert!(end(&mut *target, &claim, &JobEnd::Done { outcome: json!({"rows": 7}) }));
    assert!(!end(&mut *target, &claim, &JobEnd::Done { outcome: Value::Null }), "it has ended already");
    assert_eq!(renew(&mut *target, &claim, LONG), None);
    let ended = ground.open().find_job(&id).unwrap().unwrap();
    assert_eq!((ended.state, ended.worker, ended.request), (JobState::Done, None, json!(1)));
    assert_eq!(ended.outcome, json!({"rows": 7}));
    assert!(ended.ended_at.is_some());
    assert_eq!(target.next_job_due(&KINDS).unwrap(), None);
}

fn a_job_of_another_kind_is_not_due(ground: &Ground) {
    let mut target = ground.open();
    let id = add(&mut *target, "backup", "people");
    assert_eq!(target.next_job_due(&["load"]).unwrap(), None);
    assert_eq!(target.next_job_due(&KINDS).unwrap(), Some(Duration::ZERO));
    within(&mut *target, |transaction| assert_eq!(transaction.take_job(&["load"], "a", LONG).unwrap(), None));
    assert_eq!(take(&mut *target, "a", LONG).unwrap().id, id);
}

fn a_job_that_was_given_up_is_tried_again_if_a_person_wants_that(ground: &Ground) {
    let mut target = ground.open();
    let id = add(&mut *target, "load", "people");
    let retry = |target: &mut dyn Target| {
        let mut entry = None;
        within(target, |transaction| entry = transaction.retry_job(&id).unwrap());
        entry.unwrap()
    };
    // One that was put off and one that was handed back are not lost.
    let claim = take(&mut *target, "a", LONG).unwrap().claim();
    assert!(end(&mut *target, &claim, &JobEnd::Retry { after: Duration::ZERO, problem: json!("later") }));
    let claim = take_soon(&mut *target, "a").claim();
    assert!(end(&mut *target, &claim, &JobEnd::HandedBack));
    for lost in 0..2 {
        let entry = take_soon_for(&mut *target, "a", Duration::from_millis(10));
        assert_eq!(entry.lost_attempts(), lost);
        assert_eq!(retry(&mut *target), entry, "it is under way");
    }
    let last = take_soon(&mut *target, "b");
    assert_eq!((last.attempt, last.lost_attempts()), (5, 2));
    assert!(end(&mut *target, &last.claim(), &JobEnd::GivenUp { problem: json!("dead") }));
    let given_up = ground.open().find_job(&id).unwrap().unwrap();
    assert_eq!((given_up.state, given_up.is_given_up, &given_up.problem), (JobState::Failed, true, &json!("dead")));
    assert_eq!(target.next_job_due(&KINDS).unwrap(), None);

    let waits = retry(&mut *target);
    assert_eq!((waits.state, waits.is_given_up, waits.ended_at.as_ref()), (JobState::Pending, false, None));
    let again = take_soon(&mut *target, "c");
    assert_eq!((again.attempt, again.lost_attempts()), (6, 0));
    assert!(end(&mut *target, &again.claim(), &JobEnd::Done { outcome: json!(1) }));
    assert_eq!(retry(&mut *target).state, JobState::Done, "it has ended for good");
}

fn the_job_that_was_due_first_is_taken_first(ground: &Ground) {
    let mut target = ground.open();
    let first = add(&mut *target, "load", "a");
    thread::sleep(Duration::from_millis(5));
    let second = add(&mut *target, "backup", "b");
    add(&mut *target, "of another version", "c");
    assert_eq!(take(&mut *target, "w", LONG).unwrap().id, first);
    assert_eq!(take(&mut *target, "w", LONG).unwrap().id, second);
    assert_eq!(take(&mut *target, "w", LONG), None, "nobody here knows that kind");
}

/// The worker was stopped for longer than its lease, and goes on afterwards.
fn a_worker_that_lost_its_job_commits_nothing_more(ground: &Ground) {
    let people = people();
    let mut slow = prepared(ground, std::slice::from_ref(&people));
    add(&mut *slow, "load", "people");
    let claim = take(&mut *slow, "slow", OVER).unwrap().claim();
    slow.commit_under(Some(claim.clone()));
    within(&mut *slow, |transaction| insert(transaction, &people, &[row![1, "one", ()]]));

    let mut other = ground.open();
    let taken = take_soon(&mut *other, "other");
    assert_eq!((taken.attempt, taken.worker.as_deref()), (2, Some("other")));
    for pace in [Pace::Ahead, Pace::InStep] {
        assert_eq!(kind_of(slow.begin_transaction(Fence::Pipeline, pace)), Some(TargetErrorKind::ClaimLost));
    }
    slow.commit_under(None);
    assert_eq!(renew(&mut *slow, &claim, LONG), None);
    assert!(!end(&mut *slow, &claim, &JobEnd::Failed { outcome: Value::Null, problem: json!("late") }));
    assert_eq!(other.find_job(&taken.id).unwrap().unwrap(), taken, "the late one changed nothing");

    other.commit_under(Some(taken.claim()));
    within(&mut *other, |transaction| insert(transaction, &people, &[row![2, "two", ()]]));
    assert_eq!(content(&*other, &people).len(), 2);
}

/// The lease is over, but the chunk of a live worker is under way: both would load the same records.
fn a_transaction_under_way_keeps_the_job(ground: &Ground) {
    let people = people();
    let mut slow = prepared(ground, std::slice::from_ref(&people));
    add(&mut *slow, "load", "people");
    let claim = take(&mut *slow, "slow", OVER).unwrap().claim();
    slow.commit_under(Some(claim.clone()));
    let mut transaction = slow.begin_transaction(Fence::Pipeline, Pace::InStep).unwrap();
    insert(&mut *transaction, &people, &[row![1, "one", ()]]);
    thread::sleep(Duration::from_millis(20));
    // Where one writes at a time, the other worker does not even come to look.
    let taken = try_take(&mut *ground.open(), "other", LONG);
    assert!(matches!(&taken, Ok(None)) || kind_of(taken) == Some(TargetErrorKind::Locked));
    transaction.commit_now().unwrap();
    slow.commit_under(None);
    assert_eq!(renew(&mut *slow, &claim, OVER), Some(false), "it is still the worker's");
    assert_eq!(take_soon(&mut *ground.open(), "other").attempt, 2);
}

/// A renewal and a cancellation that waited for the chunk would come too late.
fn a_lease_is_renewed_while_a_chunk_is_under_way(ground: &Ground) {
    let mut worker = ground.open();
    let id = add(&mut *worker, "load", "people");
    let claim = take(&mut *worker, "w", LONG).unwrap().claim();
    worker.commit_under(Some(claim.clone()));
    let transaction = worker.begin_transaction(Fence::Pipeline, Pace::InStep).unwrap();
    let mut other = ground.open();
    assert_eq!(renew(&mut *other, &claim, LONG), Some(false));
    within(&mut *other, |transaction| drop(transaction.cancel_job(&id).unwrap()));
    assert_eq!(renew(&mut *other, &claim, LONG), Some(true));
    transaction.commit_now().unwrap();
}

fn a_job_that_was_never_begun_is_cancelled_at_once(ground: &Ground) {
    let mut target = ground.open();
    let (waits, runs) = (add(&mut *target, "load", "a"), add(&mut *target, "load", "b"));
    let claim = take(&mut *target, "w", LONG).unwrap().claim();
    assert_eq!(claim.job, waits);
    within(&mut *target, |transaction| {
        let running = transaction.cancel_job(&waits).unwrap().unwrap();
        assert_eq!((running.state, running.is_cancelled), (JobState::Running, true));
        let ended = transaction.cancel_job(&runs).unwrap().unwrap();
        assert_eq!((ended.state, ended.is_cancelled), (JobState::Cancelled, true));
        assert!(ended.ended_at.is_some());
        assert_eq!(transaction.cancel_job("none").unwrap(), None);
    });
    assert_eq!(take(&mut *target, "w", LONG), None);
    assert!(end(&mut *target, &claim, &JobEnd::Cancelled { outcome: json!({"read": 1}) }));
    within(&mut *target, |transaction| {
        let ended = transaction.cancel_job(&waits).unwrap().unwrap();
        assert_eq!((ended.state, ended.outcome), (JobState::Cancelled, json!({"read": 1})));
    });
}

fn a_job_that_is_tried_again_waits_its_time(ground: &Ground) {
    let mut target = ground.open();
    add(&mut *target, "load", "a");
    let claim = take(&mut *target, "w", LONG).unwrap().claim();
    let after = Duration::from_millis(1500);
    assert!(end(&mut *target, &claim, &JobEnd::Retry { after, problem: json!("down") }));
    let ended = Instant::now();
    assert_eq!(take(&mut *target, "w", LONG), None);
    let again = take_soon(&mut *target, "w");
    assert!(ended.elapsed() > after / 2);
    assert_eq!((again.attempt, again.problem), (2, json!("down")));

    let claim = JobClaim { attempt: 2, ..claim };
    assert!(end(&mut *target, &claim, &JobEnd::HandedBack));
    let again = take(&mut *target, "w", LONG).unwrap();
    assert_eq!((again.attempt, again.handed_back), (3, 1), "the number of an attempt is never used again");
}

fn jobs_are_listed_by_state_and_table(ground: &Ground) {
    let mut target = ground.open();
    let jobs: Vec<NewJob> = (0..40)
        .map(|at| NewJob {
            id: format!("{at:03}"),
            kind: "load".into(),
            tables: vec![if at % 2 == 0 { "a" } else { "b" }.to_owned()],
            request: Value::Null,
            created_at: "2026-01-01T00:00:00Z".into(),
        })
        .collect();
    within(&mut *target, |transaction| transaction.add_jobs(&jobs).unwrap());
    let claim = take(&mut *target, "w", LONG).unwrap().claim();
    let list = |filter: JobFilter| {
        let mut found = Vec::new();
        let mut visit = |entry: JobEntry| {
            found.push(entry.id);
            Ok(ControlFlow::Continue(()))
        };
        target.visit_jobs(&filter, &mut visit).unwrap();
        found
    };
    let of_a = JobFilter { tables: Some(vec!["a".into()]), limit: 2, ..JobFilter::default() };
    assert_eq!(list(of_a.clone()), ["038", "036"]);
    assert_eq!(list(JobFilter { before: Some("036".into()), ..of_a }), ["034", "032"]);
    assert_eq!(list(JobFilter { limit: 100, ..JobFilter::default() }).len(), 40);
    let in_state = |state| JobFilter { state: Some(state), limit: 100, ..JobFilter::default() };
    assert_eq!(list(in_state(JobState::Running)), [claim.job]);
    assert_eq!(list(in_state(JobState::Pending)).len(), 39);
    assert_eq!(list(in_state(JobState::Done)).len(), 0);
}

fn a_name_is_taken_once(ground: &Ground) {
    let mut target = ground.open();
    let job = NewJob::new("load", Vec::new(), Value::Null).unwrap();
    within(&mut *target, |transaction| transaction.add_jobs(std::slice::from_ref(&job)).unwrap());
    let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep).unwrap();
    assert_eq!(kind_of(transaction.add_jobs(&[job])), Some(TargetErrorKind::Overtaken));
}

fn ended_jobs_are_forgotten_and_others_stay(ground: &Ground) {
    let mut target = ground.open();
    let (ends, stays) = (add(&mut *target, "load", "a"), add(&mut *target, "load", "b"));
    let claim = take(&mut *target, "w", LONG).unwrap().claim();
    assert!(end(&mut *target, &claim, &JobEnd::Done { outcome: Value::Null }));
    let later = Timestamp::now() + LONG;
    within(&mut *target, |transaction| {
        assert_eq!(transaction.forget_jobs(Timestamp::now() - LONG).unwrap(), [""; 0]);
        assert_eq!(transaction.forget_jobs(later).unwrap(), [ends.as_str()]);
        assert_eq!(transaction.forget_jobs(later).unwrap(), [""; 0]);
    });
    assert_eq!(target.find_job(&ends).unwrap(), None);
    assert!(target.find_job(&stays).unwrap().is_some());
}

fn each_job_is_taken_by_one_of_several_workers(ground: &Ground) {
    let mut target = ground.open();
    let ids: BTreeSet<String> = (0..20).map(|_| add(&mut *target, "load", "a")).collect();
    let work = |worker: usize| {
        let mut target = ground.open();
        let mut taken = Vec::new();
        loop {
            match try_take(&mut *target, &worker.to_string(), LONG) {
                Ok(Some(entry)) => taken.push(entry.id),
                Ok(None) => {
                    // What another worker looks at just now is left out.
                    if target.next_job_due(&KINDS).unwrap() != Some(Duration::ZERO) {
                        return taken;
                    }
                }
                Err(Error::Target(error)) if matches!(error.kind, TargetErrorKind::Locked | TargetErrorKind::Again) => {
                }
                Err(error) => panic!("{error}"),
            }
        }
    };
    let taken: Vec<String> = thread::scope(|scope| {
        let workers: Vec<_> = (0..4).map(|worker| scope.spawn(move || work(worker))).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert_eq!(taken.len(), 20, "a job was taken twice: {taken:?}");
    assert_eq!(taken.into_iter().collect::<BTreeSet<_>>(), ids);
}

contract! {
    a_job_is_taken_once_and_ends,
    a_job_of_another_kind_is_not_due,
    a_job_that_was_given_up_is_tried_again_if_a_person_wants_that,
    the_job_that_was_due_first_is_taken_first,
    a_worker_that_lost_its_job_commits_nothing_more,
    a_transaction_under_way_keeps_the_job,
    a_job_that_was_never_begun_is_cancelled_at_once,
    a_job_that_is_tried_again_waits_its_time,
    jobs_are_listed_by_state_and_table,
    a_name_is_taken_once,
    ended_jobs_are_forgotten_and_others_stay,
    each_job_is_taken_by_one_of_several_workers,
}

/// Where several write at once.
mod on_servers {
    use super::a_lease_is_renewed_while_a_chunk_is_under_way;
    on_target! { postgres; a_lease_is_renewed_while_a_chunk_is_under_way }
    on_target! { mysql; a_lease_is_renewed_while_a_chunk_is_under_way }
}

/// Documents of tasks, as versions before the tables of jobs had them.
fn tasks_of_an_older_version_become_jobs(ground: &Ground) {
    use landfall_engine::document::{DocumentFilter, NewDocument};
    let mut target = ground.open();
    let task = |id: &str, state: &str, attempts: u32| NewDocument {
        kind: "task",
        name: id.into(),
        body: json!({
            "id": id, "kind": "load", "tables": ["a"], "state": state, "request": {"x": 1}, "attempts": attempts,
            "outcome": {"read": 1}, "created_at": "2026-01-01T00:00:00Z", "started_at": "2026-01-01T00:00:01Z",
            "ended_at": if state == "done" { json!("2026-01-01T00:00:02Z") } else { Value::Null },
        })
        .to_string()
        .into_bytes(),
    };
    within(&mut *target, |transaction| {
        let many = (0..40).map(|at| task(&format!("{at:02}"), "done", 1));
        let tasks: Vec<_> = many.chain([task("x", "running", 3), task("y", "pending", 0)]).collect();
        transaction.add_documents(&tasks).unwrap();
    });
    drop(target);
    let own = ground.own();
    ground.sql(&format!("DELETE FROM {own}migrations WHERE version >= 6"));
    ground.sql(&format!("DROP TABLE {own}jobs"));
    ground.sql(&format!("DROP TABLE {own}job_claims"));

    let mut target = ground.open();
    assert_eq!(target.find_documents(&DocumentFilter::all_of_kind("task")).unwrap(), []);
    let done = target.find_job("07").unwrap().unwrap();
    assert_eq!((done.state, done.attempt, &done.outcome), (JobState::Done, 1, &json!({"read": 1})));
    assert_eq!(done.ended_at.as_deref(), Some("2026-01-01T00:00:02Z"));
    let taken: Vec<(String, u32)> =
        (0..2).map(|_| take(&mut *target, "w", LONG).unwrap()).map(|entry| (entry.id, entry.attempt)).collect();
    assert_eq!(taken, [("x".to_owned(), 4), ("y".to_owned(), 1)]);
    assert_eq!(take(&mut *target, "w", LONG), None);
}

contract_in_sql! {
    tasks_of_an_older_version_become_jobs,
}
