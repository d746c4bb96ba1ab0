//! The queue of jobs, which a target keeps in Landfall's own tables.
//!
//! As with the books, a database that speaks SQL writes none of this itself: whatever reaches Landfall's own tables has the jobs.

use std::{ops::ControlFlow, time::Duration};

use jiff::Timestamp;
use serde_json::Value;

use super::sql::{OwnTables, WritesOwnTables, jobs};
use crate::{
    error::Result,
    job::{JobClaim, JobEnd, JobEntry, JobFilter, JobPage, NewJob},
    timestamp,
};

/// The jobs as they can be read, within a transaction or outside one.
pub trait ReadJobs {
    /// Hands a page of jobs to `visit`, the newest first, one after the other: each may have an answer of many bytes. `visit` asks
    /// nothing of this target.
    fn visit_job_page(&self, page: &JobPage, visit: &mut dyn FnMut(JobEntry) -> Result<()>) -> Result<()>;

    /// The job called `id`.
    fn find_job(&self, id: &str) -> Result<Option<JobEntry>>;

    /// How long it takes until a job of one of `kinds` may be taken, by the database's clock: zero if one is due. None if no such job
    /// waits or runs.
    fn next_job_due(&self, kinds: &[&str]) -> Result<Option<Duration>>;

    /// Hands the jobs that `filter` wants to `visit`, the newest first, until it wants no more. `visit` asks nothing of this target.
    ///
    /// # Errors
    /// A target that cannot be read, and those of `visit`.
    fn visit_jobs(&self, filter: &JobFilter, visit: &mut dyn FnMut(JobEntry) -> Result<ControlFlow<()>>) -> Result<()> {
        // Few, since each job may have an answer of many bytes in memory.
        const JOBS_AT_ONCE: u64 = 8;
        let mut page = JobPage { state: filter.state, before: filter.before.clone(), limit: JOBS_AT_ONCE };
        let (mut left, mut has_ended) = (filter.limit, filter.limit == 0);
        while !has_ended {
            let mut count = 0;
            let mut last = None;
            self.visit_job_page(&page, &mut |entry| {
                (count, last) = (count + 1, Some(entry.id.clone()));
                // `visit_job_page` cannot be stopped within a page, so that the rest of it is passed over.
                if !has_ended && filter.wants(&entry) {
                    left -= 1;
                    has_ended = visit(entry)?.is_break() || left == 0;
                }
                Ok(())
            })?;
            has_ended |= count < JOBS_AT_ONCE;
            // By name and not by offset: jobs that are added meanwhile shift nothing.
            page.before = last;
        }
        Ok(())
    }
}

/// The jobs as a write transaction changes them.
pub trait WriteJobs: ReadJobs {
    /// Stores new jobs, which may be taken at once.
    ///
    /// # Errors
    /// [`TargetErrorKind::Overtaken`](crate::TargetErrorKind) if there is one of the same name.
    fn add_jobs(&mut self, jobs: &[NewJob]) -> Result<()>;

    /// Takes the job of one of `kinds` that was due first: one that waits, or one whose lease is over. `worker` has it for the time of
    /// `lease`, by the database's clock. None if no such job is due, or a transaction of its worker is under way.
    fn take_job(&mut self, kinds: &[&str], worker: &str, lease: Duration) -> Result<Option<JobEntry>>;

    /// Gives a claim a new lease from now on; whether somebody wants the job to end. None if the claim is lost.
    fn renew_lease(&mut self, claim: &JobClaim, lease: Duration) -> Result<Option<bool>>;

    /// Gives the job of a claim another request; whether the claim was good.
    fn note_request(&mut self, claim: &JobClaim, request: &Value) -> Result<bool>;

    /// Ends the attempt of a claim; whether the claim was good.
    fn end_job(&mut self, claim: &JobClaim, end: &JobEnd) -> Result<bool>;

    /// Notes that somebody wants a job to end; one that was never begun ends at once. The job as it is afterwards; one that had ended
    /// is as it was.
    fn cancel_job(&mut self, id: &str) -> Result<Option<JobEntry>>;

    /// Has a job that was given up wait for a worker again. The job as it is afterwards; any other one is as it was.
    fn retry_job(&mut self, id: &str) -> Result<Option<JobEntry>>;

    /// Takes jobs away that ended before `ended_before`, at most a thousand; their names.
    fn forget_jobs(&mut self, ended_before: Timestamp) -> Result<Vec<String>>;
}

impl<T: OwnTables> ReadJobs for T {
    fn visit_job_page(&self, page: &JobPage, visit: &mut dyn FnMut(JobEntry) -> Result<()>) -> Result<()> {
        self.with_own_tables(|own| jobs::visit_job_page(own, page, visit))
    }

    fn find_job(&self, id: &str) -> Result<Option<JobEntry>> {
        self.with_own_tables(|own| jobs::find(own, id))
    }

    fn next_job_due(&self, kinds: &[&str]) -> Result<Option<Duration>> {
        self.with_own_tables(|own| jobs::next_job_due(own, kinds))
    }
}

impl<T: WritesOwnTables> WriteJobs for T {
    fn add_jobs(&mut self, jobs: &[NewJob]) -> Result<()> {
        self.with_own_tables(|own| jobs::add_jobs(own, jobs))
    }

    fn take_job(&mut self, kinds: &[&str], worker: &str, lease: Duration) -> Result<Option<JobEntry>> {
        self.with_own_tables(|own| jobs::take_job(own, kinds, worker, lease))
    }

    fn renew_lease(&mut self, claim: &JobClaim, lease: Duration) -> Result<Option<bool>> {
        self.with_own_tables(|own| jobs::renew_lease(own, claim, lease))
    }

    fn note_request(&mut self, claim: &JobClaim, request: &Value) -> Result<bool> {
        self.with_own_tables(|own| jobs::note_request(own, claim, request))
    }

    fn end_job(&mut self, claim: &JobClaim, end: &JobEnd) -> Result<bool> {
        self.with_own_tables(|own| jobs::end_job(own, claim, end))
    }

    fn cancel_job(&mut self, id: &str) -> Result<Option<JobEntry>> {
        self.with_own_tables(|own| jobs::cancel_job(own, id))
    }

    fn retry_job(&mut self, id: &str) -> Result<Option<JobEntry>> {
        self.with_own_tables(|own| jobs::retry_job(own, id))
    }

    fn forget_jobs(&mut self, ended_before: Timestamp) -> Result<Vec<String>> {
        self.with_own_tables(|own| jobs::forget_jobs(own, &timestamp::format_utc(ended_before)))
    }
}
