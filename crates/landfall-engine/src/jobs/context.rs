//! What a job works with, and how its errors end it.

use std::{
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{ActiveJob, JobControl, JobHooks, JobResources, uploads::FetchedUpload};
use crate::{
    error::{Error, Result, TargetErrorKind},
    job::{JobEnd, JobEntry},
    pipeline::{LoadProgress, Observer},
    project::Project,
    public_error::{PublicError, PublicErrorCode},
    targets::Target,
};

/// How long a job that could not be done waits before it is tried again: after the first attempt, and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// How many attempts may not find their upload before the job has failed.
const MISSING_ATTEMPTS: u32 = 3;
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How long a load lets other work go first between two chunks.
const COURTESY: Duration = Duration::from_millis(250);

/// The end of a job whose work could not begin; in a box, since it is larger than what it stands for.
pub(super) type EarlyEnd = Box<JobEnd>;

/// What a job works with.
pub struct JobContext<'c> {
    /// A target of its own. Each of its transactions holds the claim of the job.
    pub target: &'c mut dyn Target,
    /// The job as it was taken.
    pub entry: &'c JobEntry,
    /// What all jobs share.
    pub resources: &'c JobResources,
    /// What the work tells of its progress, and asks whether it may go on.
    pub watch: &'c JobWatch<'c>,
}

/// The observer of a job's work.
pub struct JobWatch<'c> {
    active: &'c ActiveJob,
    control: &'c JobControl,
    hooks: &'c dyn JobHooks,
}

impl<'c> JobWatch<'c> {
    pub(super) const fn new(active: &'c ActiveJob, control: &'c JobControl, hooks: &'c dyn JobHooks) -> Self {
        Self { active, control, hooks }
    }

    fn others_wait(&self) -> bool {
        self.hooks.has_waiting_writers() || self.control.is_renewing.load(Ordering::Relaxed)
    }
}

impl Observer for JobWatch<'_> {
    fn report_progress(&self, progress: LoadProgress) {
        self.active.set_progress(progress);
    }

    fn chunk_ends(&self) {
        // A database in a file has one writer at a time: what waits for it goes first.
        let begun = Instant::now();
        while self.others_wait() && begun.elapsed() < COURTESY {
            thread::sleep(Duration::from_millis(2));
        }
    }

    fn is_cancelled(&self) -> bool {
        self.active.is_cancelled() || self.active.is_lost() || self.control.is_stopping()
    }
}

impl<'c> JobContext<'c> {
    /// The project.
    #[must_use]
    pub fn project(&self) -> &'c Project {
        self.resources.rules.rules_project()
    }

    /// Whether somebody wants the job to end, for good.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.watch.active.is_cancelled()
    }

    /// Whether its worker is to stop, so that another one does the job.
    #[must_use]
    pub fn is_handed_back(&self) -> bool {
        !self.is_cancelled() && self.watch.is_cancelled()
    }

    /// The upload of the job.
    ///
    /// # Errors
    /// The end of the job if it cannot be read.
    pub fn fetch_upload(&self) -> Result<FetchedUpload, EarlyEnd> {
        match self.resources.uploads.fetch_upload(&self.entry.id) {
            Ok(Some(upload)) => Ok(upload),
            // Another worker may see it: on another machine, a folder of the same name is another one.
            Ok(None) if self.count_attempts() < MISSING_ATTEMPTS => {
                tracing::warn!(job = self.entry.id, "the upload of a job cannot be found here");
                let detail = "what was sent cannot be found by this worker; if several machines do tasks, they must share api.uploads";
                Err(self.retry_later(&PublicError::new(PublicErrorCode::Storage, detail)).into())
            }
            Ok(None) => {
                tracing::error!(job = self.entry.id, "the upload of a job is gone");
                let detail = "what was sent is not there any more; send it again";
                Err(fail_job(&PublicError::new(PublicErrorCode::Internal, detail)).into())
            }
            // Storage comes back, and a full disk does too.
            Err(error) => Err(self.retry_later(&PublicError::describe(&error)).into()),
        }
    }

    /// Attempts that were no worker's wish to stop, with this one.
    fn count_attempts(&self) -> u32 {
        self.entry.attempt.saturating_sub(self.entry.handed_back).max(1)
    }

    /// The end of an attempt that is tried again later.
    #[must_use]
    pub fn retry_later(&self, problem: &PublicError) -> JobEnd {
        if self.is_handed_back() {
            return JobEnd::HandedBack;
        }
        let attempts = self.count_attempts();
        let after = FIRST_PAUSE.saturating_mul(1 << (attempts - 1).min(6)).min(LONGEST_PAUSE);
        JobEnd::Retry { after, problem: to_json(problem) }
    }

    /// The end of an attempt after an error that says nothing of the job: its worker is to stop, its claim is lost, or the database
    /// or the storage may be there again later. None after any other error.
    #[must_use]
    pub fn end_after_outage(&self, error: &Error) -> Option<JobEnd> {
        match error {
            Error::Cancelled if !self.is_cancelled() => Some(JobEnd::HandedBack),
            Error::Target(error) if error.kind == TargetErrorKind::ClaimLost => {
                self.watch.active.lose_claim();
                Some(JobEnd::HandedBack)
            }
            Error::Target(target) if comes_back(target.kind) => Some(self.retry_later(&PublicError::describe(error))),
            _ => None,
        }
    }
}

/// Whether the same may succeed later without anybody's doing.
const fn comes_back(kind: TargetErrorKind) -> bool {
    use TargetErrorKind::{Again, Denied, Full, Locked, Lost, Overtaken, Unavailable};
    matches!(kind, Again | Denied | Full | Locked | Lost | Overtaken | Unavailable)
}

/// The end of a job that cannot be done and has no result.
pub(super) fn fail_job(problem: &PublicError) -> JobEnd {
    JobEnd::Failed { outcome: Value::Null, problem: to_json(problem) }
}

pub(super) fn to_json(problem: &PublicError) -> Value {
    serde_json::to_value(problem).unwrap_or_default()
}
