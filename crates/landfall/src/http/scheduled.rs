//! Backups that the schedule wants: each time one task, whichever of several services comes first.

use std::{sync::Weak, time::Duration};

use axum::body::Body;
use jiff::{SignedDuration, Timestamp};
use landfall_engine::{
    Error, TargetErrorKind,
    document::{Document, DocumentFilter, NewDocument},
    targets::{Fence, Pace, Target},
    task::{self, Task},
};
use serde_json::json;
use tokio::time::sleep;

use super::{
    backups::{BACKUP, BackupWork, names},
    problem::{Outcome, Problem},
    service::Service,
    uploads::Incoming,
};
use crate::config::Schedule;

/// Of each time that was come to there is a document of this kind, called by the time.
const KIND: &str = "scheduled-backup";

/// How often the clock is looked at.
const GLANCE: Duration = Duration::from_secs(1);
/// How long the database is left alone that cannot be used now.
const PAUSE: Duration = Duration::from_secs(10);

/// How far behind another one the clock of a service may be. What was done at a later time than that was done while a clock was wrong.
const CLOCKS: SignedDuration = SignedDuration::from_hours(1);
/// Times that are looked at of those that were come to.
const LATEST: u64 = 100;

/// Has backups made by the schedule, as long as the service runs.
pub(super) async fn run(service: Weak<Service>) {
    let Some(schedule) = service.upgrade().and_then(|service| service.backups.settings.schedule.clone()) else {
        return;
    };
    let mut after = None;
    loop {
        {
            let Some(service) = service.upgrade() else { return };
            if let Err(problem) = look(&service, &schedule, &mut after).await {
                tracing::warn!(problem = problem.detail(), "the schedule of backups cannot be looked at now");
                sleep(PAUSE).await;
            }
        }
        sleep(GLANCE).await;
    }
}

/// Has a backup made where a time has come since the last one that was come to, which is `after` where it is known.
async fn look(service: &Service, schedule: &Schedule, after: &mut Option<Timestamp>) -> Outcome<()> {
    let now = Timestamp::now();
    // Where the clock went back, what was last done is looked for once more: it would wait for the time that the clock once showed.
    let last = match after.filter(|after| *after <= now) {
        Some(after) => after,
        None => find_last_time(service, now).await?,
    };
    *after = Some(request_backup(service, schedule, last, now).await?);
    Ok(())
}

/// The last time until `now` that a service has come to; `now`, where there is none. Later ones are of a clock that was wrong: they
/// are forgotten, since a backup will be due when it is that time.
async fn find_last_time(service: &Service, now: Timestamp) -> Outcome<Timestamp> {
    let latest = DocumentFilter { last_first: true, limit: Some(LATEST), ..DocumentFilter::all_of_kind(KIND) };
    service
        .desk
        .write(move |target| {
            loop {
                let found = target.find_documents(&latest)?;
                let (wrong, times) = split_wrong_times(&found, now);
                if !wrong.is_empty() {
                    forget_times(target, &wrong)?;
                    // There may be more of them than were looked at.
                    if wrong.len() == found.len() {
                        continue;
                    }
                }
                if let Some(last) = times.into_iter().filter(|time| *time <= now).max() {
                    return Ok(last);
                }
                // From now on, what is missed is known.
                let begun = NewDocument { kind: KIND, name: now.to_string(), body: Vec::new() };
                let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep)?;
                transaction.add_documents(std::slice::from_ref(&begun))?;
                transaction.commit_now()?;
                return Ok(now);
            }
        })
        .await
}

/// The documents of a clock that was wrong at `now`, and the times of the others.
fn split_wrong_times(found: &[Document], now: Timestamp) -> (Vec<Document>, Vec<Timestamp>) {
    let time = |document: &Document| document.name.parse::<Timestamp>().ok();
    let is_wrong = |document: &&Document| time(document).is_some_and(|time| time.duration_since(now) > CLOCKS);
    let (wrong, right): (Vec<&Document>, Vec<&Document>) = found.iter().partition(is_wrong);
    (wrong.into_iter().cloned().collect(), right.into_iter().filter_map(time).collect())
}

fn forget_times(target: &mut dyn Target, wrong: &[Document]) -> Result<(), Error> {
    tracing::warn!(
        times = wrong.len(),
        latest = wrong[0].name,
        "backups were made by a clock that was ahead; the schedule goes by the time of now"
    );
    let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep)?;
    for document in wrong {
        // Another service may have forgotten it already.
        transaction.change_document(document, None)?;
    }
    transaction.commit_now()
}

/// Has a backup made where a time has come since `last`; the last time that has come.
async fn request_backup(service: &Service, schedule: &Schedule, last: Timestamp, now: Timestamp) -> Outcome<Timestamp> {
    let (due, missed) = schedule.last_between(last, now);
    if missed == 0 {
        return Ok(last);
    }
    if missed > 1 || now.duration_since(due) > SignedDuration::from_secs(60) {
        tracing::warn!(missed, at = %due, "the service did not run when a backup was due; it is made now");
    }
    let at = due.to_string();
    let work = BackupWork { scheduled_at: Some(at.clone()), ..BackupWork::default() };
    let task = Task::new(BACKUP, names(service, &work), json!(work))?;
    let uploads = service.tasks.uploads.clone();
    let upload = uploads.receive(task.id.clone(), Incoming::Body(Body::empty()), service.pause()).await?;
    let document = NewDocument { kind: KIND, name: at.clone(), body: task.id.clone().into_bytes() };
    let stored = service.desk.write(move |target| match task::add(target, &task, Some(document)) {
        Err(Error::Target(error)) if error.kind == TargetErrorKind::Overtaken => Ok(false),
        stored => stored.map(|()| true),
    });
    let stored: Result<bool, Problem> = stored.await;
    match stored {
        Ok(true) => {
            drop(upload);
            tracing::info!(at, "a backup is due");
            service.tasks.wake();
        }
        // Another service makes it.
        Ok(false) => uploads.remove(&upload.path),
        Err(problem) => {
            uploads.remove(&upload.path);
            return Err(problem);
        }
    }
    Ok(due)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(name: &str) -> Document {
        Document { kind: KIND.into(), name: name.into(), version: 1, body: Vec::new(), changed_at: String::new() }
    }

    /// A clock that had jumped forward silenced the schedule until the time that it had shown.
    #[test]
    fn what_was_done_in_the_future_is_of_a_clock_that_was_wrong() {
        let found = ["2031-05-01T06:00:00Z", "2026-11-29T13:00:01Z", "2026-11-29T12:59:59Z", "2026-11-28T06:00:00Z"];
        let found = found.map(document);
        let now: Timestamp = "2026-11-29T12:00:00Z".parse().unwrap_or_default();
        let (wrong, times) = split_wrong_times(&found, now);
        assert_eq!(wrong, found[..2]);
        // Within an hour it may be another service's clock: what that has done is not done again.
        assert_eq!(times.len(), 2);
        assert_eq!(
            times.into_iter().filter(|time| *time <= now).max().map(|time| time.to_string()).as_deref(),
            Some("2026-11-28T06:00:00Z")
        );
    }
}
