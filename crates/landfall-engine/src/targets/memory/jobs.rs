//! Jobs in memory, by the same rules as in `targets/sql/jobs`.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::Value;

use crate::{
    error::{Result, TargetError, TargetErrorKind},
    job::{JobClaim, JobEnd, JobEntry, JobPage, JobState, NewJob},
    timestamp,
};

/// All jobs by their names.
#[derive(Debug, Clone, Default)]
pub(super) struct JobStore {
    entries: BTreeMap<String, MemoryJob>,
}

/// A job, and when it may be taken: milliseconds since 1970. None once it has ended.
#[derive(Debug, Clone)]
struct MemoryJob {
    entry: JobEntry,
    due_at: Option<u128>,
}

fn now_millis() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()
}

fn millis_from_now(time: Duration) -> Option<u128> {
    Some(now_millis() + time.as_millis())
}

impl JobStore {
    pub(super) fn list_jobs(&self, page: &JobPage) -> Vec<JobEntry> {
        // Names of jobs sort by time, so that the last name is the newest job.
        let entries = self.entries.values().rev().map(|job| &job.entry);
        let of_state = entries.filter(|entry| page.state.is_none_or(|state| state == entry.state));
        let wanted = of_state.filter(|entry| page.before.as_ref().is_none_or(|before| entry.id < *before));
        wanted.take(usize::try_from(page.limit).unwrap_or(usize::MAX)).cloned().collect()
    }

    pub(super) fn find(&self, id: &str) -> Option<JobEntry> {
        self.entries.get(id).map(|job| job.entry.clone())
    }

    pub(super) fn next_job_due(&self, kinds: &[&str]) -> Option<Duration> {
        let of_kinds = self.entries.values().filter(|job| kinds.contains(&job.entry.kind.as_str()));
        let first = of_kinds.filter_map(|job| job.due_at).min()?;
        Some(Duration::from_millis(u64::try_from(first.saturating_sub(now_millis())).unwrap_or(u64::MAX)))
    }

    pub(super) fn add_jobs(&mut self, jobs: &[NewJob]) -> Result<()> {
        for job in jobs {
            let added = MemoryJob { entry: job.to_entry(), due_at: Some(now_millis()) };
            if self.entries.insert(job.id.clone(), added).is_some() {
                let message = "there is a job of this name already";
                return Err(TargetError::new(TargetErrorKind::Overtaken, message).into());
            }
        }
        Ok(())
    }

    pub(super) fn take_job(&mut self, kinds: &[&str], worker: &str, lease: Duration) -> Option<JobEntry> {
        let now = now_millis();
        let is_due = |job: &&mut MemoryJob| {
            job.due_at.is_some_and(|due_at| due_at <= now) && kinds.contains(&job.entry.kind.as_str())
        };
        let due = self.entries.values_mut().filter(is_due);
        // By name where two are due at once, as the SQL orders them: the contract suite compares the targets.
        let MemoryJob { entry, due_at } = due.min_by_key(|job| (job.due_at, job.entry.id.clone()))?;
        *due_at = millis_from_now(lease);
        // The attempt is what fences off the worker before: its claim names an older one.
        (entry.state, entry.attempt, entry.worker) = (JobState::Running, entry.attempt + 1, Some(worker.to_owned()));
        // Of the first attempt: a job that is taken over did not begin anew.
        entry.started_at.get_or_insert_with(timestamp::now_utc);
        Some(entry.clone())
    }

    fn find_claimed(&mut self, claim: &JobClaim) -> Option<&mut MemoryJob> {
        let job = self.entries.get_mut(&claim.job)?;
        (job.entry.state == JobState::Running && job.entry.attempt == claim.attempt).then_some(job)
    }

    pub(super) fn renew_lease(&mut self, claim: &JobClaim, lease: Duration) -> Option<bool> {
        let job = self.find_claimed(claim)?;
        job.due_at = millis_from_now(lease);
        Some(job.entry.is_cancelled)
    }

    /// # Errors
    /// [`TargetErrorKind::ClaimLost`] if another worker has taken the job.
    pub(super) fn check_claim(&self, claim: &JobClaim) -> Result<()> {
        let is_held = self.entries.get(&claim.job).is_some_and(|job| job.entry.attempt == claim.attempt);
        if is_held { Ok(()) } else { Err(claim.lost().into()) }
    }

    pub(super) fn note_request(&mut self, claim: &JobClaim, request: &Value) -> bool {
        let job = self.find_claimed(claim);
        job.map(|job| job.entry.request = request.clone()).is_some()
    }

    pub(super) fn end_job(&mut self, claim: &JobClaim, end: &JobEnd) -> bool {
        // A worker that lost its claim must not end what another one does now.
        let Some(job) = self.find_claimed(claim) else { return false };
        end.apply(&mut job.entry);
        job.due_at = end.pause().and_then(millis_from_now);
        true
    }

    pub(super) fn cancel_job(&mut self, id: &str) -> Option<JobEntry> {
        let MemoryJob { entry, due_at } = self.entries.get_mut(id)?;
        if !entry.state.is_final() {
            entry.is_cancelled = true;
        }
        // One that waits for another attempt has left something behind, which only a worker can clear away.
        if entry.state == JobState::Pending && entry.attempt == 0 {
            (entry.state, entry.ended_at, *due_at) = (JobState::Cancelled, Some(timestamp::now_utc()), None);
        }
        Some(entry.clone())
    }

    pub(super) fn retry_job(&mut self, id: &str) -> Option<JobEntry> {
        let MemoryJob { entry, due_at } = self.entries.get_mut(id)?;
        if entry.try_again() {
            *due_at = Some(now_millis());
        }
        Some(entry.clone())
    }

    pub(super) fn forget_jobs(&mut self, ended_before: &str) -> Vec<String> {
        let has_ended = |job: &MemoryJob| job.entry.ended_at.as_deref().is_some_and(|ended_at| ended_at < ended_before);
        let names: Vec<String> =
            self.entries.iter().filter(|(_, job)| has_ended(job)).map(|(id, _)| id.clone()).collect();
        self.entries.retain(|_, job| !has_ended(job));
        names
    }
}
