//! Jobs as the database keeps them: work that some process does later, perhaps on another machine.
//!
//! The row of a job is the queue, the lease and the outcome in one. A worker that takes a job raises its attempt and gets a lease,
//! by the database's clock. The number of the attempt is the right to do the job ([`JobClaim`]): each transaction of the worker
//! holds it, so a worker that lost its job cannot commit anything more. What must change together: the statements in
//! `targets/sql/jobs`, the target in memory, and the claim that `Target::commit_under` sets.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    error::{Result, TargetError, TargetErrorKind},
    timestamp,
};

/// The state of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobState {
    /// It waits for a worker, perhaps once more.
    Pending,
    /// A worker does it, or died while it did. Then another one takes it once the lease is over.
    Running,
    /// It was done.
    Done,
    /// It could not be done, and is not tried again.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
}

impl JobState {
    /// All states.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Running, Self::Done, Self::Failed, Self::Cancelled];

    /// The state as it is written in JSON and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state written as `text`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether no other state follows.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}

/// A job to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct NewJob {
    /// Its name: later jobs have greater ones.
    pub id: String,
    /// What sort of work it is.
    pub kind: String,
    /// The tables that it is about.
    pub tables: Vec<String>,
    /// The work, in the terms of its kind.
    pub request: Value,
    /// When it was made, RFC 3339 in UTC.
    pub created_at: String,
}

impl NewJob {
    /// A job of `kind` about `tables`, with a new name.
    ///
    /// # Errors
    /// A system that gives no random numbers.
    pub fn new(kind: &str, tables: Vec<String>, request: Value) -> Result<Self> {
        Ok(Self { id: new_job_id()?, kind: kind.to_owned(), tables, request, created_at: timestamp::now_utc() })
    }

    /// The job as it is stored at first.
    #[must_use]
    pub fn to_entry(&self) -> JobEntry {
        JobEntry {
            id: self.id.clone(),
            kind: self.kind.clone(),
            tables: self.tables.clone(),
            state: JobState::Pending,
            request: self.request.clone(),
            outcome: Value::Null,
            problem: Value::Null,
            attempt: 0,
            handed_back: 0,
            put_off: 0,
            is_given_up: false,
            is_cancelled: false,
            worker: None,
            created_at: self.created_at.clone(),
            started_at: None,
            ended_at: None,
        }
    }
}

/// A name for a new job: the time in microseconds, and a random number.
///
/// # Errors
/// A system that gives no random numbers.
pub fn new_job_id() -> Result<String> {
    let mut random = [0; 4];
    getrandom::fill(&mut random).map_err(|error| {
        let message = format!("the system gives no random numbers: {error}");
        TargetError::new(TargetErrorKind::Unavailable, message)
    })?;
    // With zeros before it, so that texts sort as the times do: lists and pages rely on that.
    Ok(format!("{:014x}{:08x}", Timestamp::now().as_microsecond(), u32::from_le_bytes(random)))
}

/// A job as the database has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobEntry {
    /// Its name: later jobs have greater ones.
    pub id: String,
    /// What sort of work it is.
    pub kind: String,
    /// The tables that it is about.
    pub tables: Vec<String>,
    /// Its state.
    pub state: JobState,
    /// The work, in the terms of its kind.
    pub request: Value,
    /// The result: of the work so far, or of all of it.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub outcome: Value,
    /// Why it failed, or why it is tried once more.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub problem: Value,
    /// The number of the last attempt; 0 before the first.
    #[serde(default, rename = "attempts")]
    pub attempt: u32,
    /// Attempts that a worker gave back because it stopped. They do not count as failures.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub handed_back: u32,
    /// Attempts that the database or the storage put off. They do not count as failures either.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub put_off: u32,
    /// Whether it was given up although nothing is wrong with its request: a person may have it tried again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_given_up: bool,
    /// Whether somebody wants it to end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_cancelled: bool,
    /// The worker that does it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// When it was made, RFC 3339 in UTC.
    pub created_at: String,
    /// When its first attempt began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference over")]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl JobEntry {
    /// Attempts before the present one that ended without a word: their workers died, or stood still until their lease was over.
    #[must_use]
    pub const fn lost_attempts(&self) -> u32 {
        self.attempt.saturating_sub(1).saturating_sub(self.handed_back).saturating_sub(self.put_off)
    }

    /// Has a job that was given up wait for a worker again, with all its attempts before it. Whether it was given up.
    pub fn try_again(&mut self) -> bool {
        if !self.is_given_up {
            return false;
        }
        (self.state, self.is_given_up, self.ended_at) = (JobState::Pending, false, None);
        // Attempts are never numbered anew, since a number is the right of one worker. So the lost ones are counted as others.
        self.handed_back = self.attempt - self.put_off;
        true
    }

    /// The right to do it, of the attempt that it has now.
    #[must_use]
    pub fn claim(&self) -> JobClaim {
        JobClaim { job: self.id.clone(), attempt: self.attempt }
    }
}

/// The right of one worker to do a job. It is lost when another worker takes the job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobClaim {
    /// The name of the job.
    pub job: String,
    /// The attempt that the worker began.
    pub attempt: u32,
}

impl JobClaim {
    /// The error of a worker that lost its job.
    #[must_use]
    pub fn lost(&self) -> TargetError {
        let message = format!(
            "another worker has taken over the job {}; this one stops at its attempt {}, and nothing is doubled",
            self.job, self.attempt
        );
        TargetError::new(TargetErrorKind::ClaimLost, message)
    }
}

/// How an attempt at a job ends.
#[derive(Debug, Clone, PartialEq)]
pub enum JobEnd {
    /// The work is done.
    Done {
        /// The result.
        outcome: Value,
    },
    /// It cannot be done, and is not tried again.
    Failed {
        /// The result so far; null if there is none.
        outcome: Value,
        /// Why.
        problem: Value,
    },
    /// Too many attempts were lost. It has failed, and may be tried again if a person wants that.
    GivenUp {
        /// How many, and what to do.
        problem: Value,
    },
    /// Somebody cancelled it.
    Cancelled {
        /// The result so far; null if there is none.
        outcome: Value,
    },
    /// It is tried once more, not before some time has passed by the database's clock.
    Retry {
        /// How long it waits at least.
        after: Duration,
        /// What stopped it.
        problem: Value,
    },
    /// The worker stops: another one takes the job at once.
    HandedBack,
}

impl JobEnd {
    /// The state of the job after such an end.
    #[must_use]
    pub const fn state(&self) -> JobState {
        match self {
            Self::Done { .. } => JobState::Done,
            Self::Failed { .. } | Self::GivenUp { .. } => JobState::Failed,
            Self::Cancelled { .. } => JobState::Cancelled,
            Self::Retry { .. } | Self::HandedBack => JobState::Pending,
        }
    }

    /// How long the job waits before it may be taken again; none if it has ended.
    #[must_use]
    pub const fn pause(&self) -> Option<Duration> {
        match self {
            Self::Retry { after, .. } => Some(*after),
            Self::HandedBack => Some(Duration::ZERO),
            Self::Done { .. } | Self::Failed { .. } | Self::GivenUp { .. } | Self::Cancelled { .. } => None,
        }
    }

    /// Changes `entry` as this end does; the database's clock is not part of it.
    pub fn apply(&self, entry: &mut JobEntry) {
        entry.state = self.state();
        entry.worker = None;
        entry.ended_at = entry.state.is_final().then(timestamp::now_utc);
        match self {
            Self::Done { outcome } | Self::Cancelled { outcome } => {
                (entry.outcome, entry.problem) = (outcome.clone(), Value::Null);
            }
            Self::Failed { outcome, problem } => {
                (entry.outcome, entry.problem) = (outcome.clone(), problem.clone());
            }
            Self::GivenUp { problem } => (entry.problem, entry.is_given_up) = (problem.clone(), true),
            Self::Retry { problem, .. } => {
                entry.problem = problem.clone();
                entry.put_off += 1;
            }
            Self::HandedBack => entry.handed_back += 1,
        }
    }
}

/// Which jobs a page of the list has: the newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobPage {
    /// In this state.
    pub state: Option<JobState>,
    /// Made before the one with this name.
    pub before: Option<String>,
    /// At most so many.
    pub limit: u64,
}

/// Which jobs somebody may see, or asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobFilter {
    /// In this state.
    pub state: Option<JobState>,
    /// Made before the one with this name.
    pub before: Option<String>,
    /// About some of these tables and no others.
    pub tables: Option<Vec<String>>,
    /// At most so many.
    pub limit: usize,
}

impl JobFilter {
    /// Whether `entry` is about the tables of the filter only.
    #[must_use]
    pub fn wants(&self, entry: &JobEntry) -> bool {
        let is_within = |tables: &Vec<String>| entry.tables.iter().all(|table| tables.contains(table));
        self.state.is_none_or(|state| state == entry.state) && self.tables.as_ref().is_none_or(is_within)
    }
}
