//! Backups that a timetable wants: each time is one job, whichever of several processes comes first.
//!
//! Of each time that was come to there is a document, called by the time. It commits with the job, and its name is unique, so the
//! second process that comes to the time adds no job.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{Job as _, MakeBackup};
use crate::{
    document::{Document, DocumentFilter, NewDocument},
    error::{Error, Result, TargetErrorKind},
    job::NewJob,
    project::Project,
    targets::{Fence, Pace, Target},
};

/// The kind of document of a time that was come to.
const KIND: &str = "scheduled-backup";

/// How far behind another one the clock of a process may be. A later time than that was come to while a clock was wrong.
const CLOCKS: SignedDuration = SignedDuration::from_hours(1);
/// Times that are looked at of those that were come to.
const LATEST: u64 = 100;
/// A backup that is made later than this was missed.
const LATE: SignedDuration = SignedDuration::from_secs(60);

/// When something is done without a request.
pub trait Timetable: Send + Sync {
    /// The last time after `after` and until `until`, and how many there are; `after` if there is none.
    fn last_between(&self, after: Timestamp, until: Timestamp) -> (Timestamp, u64);
}

/// The schedule of backups, as one process follows it.
pub(super) struct BackupSchedule {
    timetable: Arc<dyn Timetable>,
    /// The last time that was come to, if it is known.
    last: Option<Timestamp>,
}

impl BackupSchedule {
    pub(super) fn new(timetable: Arc<dyn Timetable>) -> Self {
        Self { timetable, last: None }
    }

    /// Whether the database must be asked: a time has come at `now`, or it is not known which one was the last. If the clock went
    /// back, the last one is looked for again: the schedule would wait for the time that the clock once showed.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        // If the clock was set back, the last time is looked up again.
        let last = self.last.filter(|last| *last <= now);
        last.is_none_or(|last| self.timetable.last_between(last, now).1 > 0)
    }

    /// Adds the job of a backup if a time has come at `now` since the last one that any process came to; whether it did.
    pub(super) fn request_backup(
        &mut self,
        target: &mut dyn Target,
        project: &Project,
        now: Timestamp,
    ) -> Result<bool> {
        let last = match self.last.filter(|last| *last <= now) {
            Some(last) => last,
            None => find_last_time(target, now)?,
        };
        self.last = Some(last);
        let (due, missed) = self.timetable.last_between(last, now);
        if missed == 0 {
            return Ok(false);
        }
        if missed > 1 || now.duration_since(due) > LATE {
            tracing::warn!(missed, at = %due, "no service ran when a backup was due; it is made now");
        }
        let is_added = add_backup(target, project, &due.to_string())?;
        // Also if another process was first: the time is done with.
        self.last = Some(due);
        if is_added {
            tracing::info!(at = %due, "a backup is due");
        }
        Ok(is_added)
    }
}

/// Adds the job of the backup of a time; whether no other process has.
fn add_backup(target: &mut dyn Target, project: &Project, at: &str) -> Result<bool> {
    let backup = MakeBackup { scheduled_at: Some(at.to_owned()), ..MakeBackup::default() };
    let job = NewJob::new(MakeBackup::KIND, backup.table_names(project), json!(backup))?;
    let document = NewDocument { kind: KIND, name: at.to_owned(), body: job.id.clone().into_bytes() };
    let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep)?;
    let added = transaction.add_jobs(&[job]).and_then(|()| transaction.add_documents(&[document]));
    match added.and_then(|()| transaction.commit_now()) {
        // The name of the document was there already, so that the job was rolled back with it.
        Err(Error::Target(error)) if error.kind == TargetErrorKind::Overtaken => Ok(false),
        added => added.map(|()| true),
    }
}

/// The last time until `now` that a process has come to; `now`, if there is none. Later ones are of a clock that was wrong: they
/// are forgotten, since a backup will be due when it is that time.
fn find_last_time(target: &mut dyn Target, now: Timestamp) -> Result<Timestamp> {
    let latest = DocumentFilter { last_first: true, limit: Some(LATEST), ..DocumentFilter::all_of_kind(KIND) };
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
}

/// The documents of a clock that was wrong at `now`, and the times of the others.
fn split_wrong_times(found: &[Document], now: Timestamp) -> (Vec<Document>, Vec<Timestamp>) {
    let time = |document: &Document| document.name.parse::<Timestamp>().ok();
    let is_wrong = |document: &&Document| time(document).is_some_and(|time| time.duration_since(now) > CLOCKS);
    let (wrong, right): (Vec<&Document>, Vec<&Document>) = found.iter().partition(is_wrong);
    (wrong.into_iter().cloned().collect(), right.into_iter().filter_map(time).collect())
}

fn forget_times(target: &mut dyn Target, wrong: &[Document]) -> Result<()> {
    tracing::warn!(
        times = wrong.len(),
        latest = wrong[0].name,
        "backups were made by a clock that was ahead; the schedule goes by the time of now"
    );
    let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep)?;
    for document in wrong {
        // Another process may have forgotten it already.
        transaction.change_document(document, None)?;
    }
    transaction.commit_now()
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
