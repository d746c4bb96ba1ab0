//! What is told of loads and checks while they run and afterwards.

use std::sync::Arc;

use landfall_core::reject::{CellError, ErrorCode};
use serde::{Serialize, Serializer};

use super::replace::ReplaceRefusal;
use crate::{
    ledger::{Counts, LoadEntry, LoadId, LoadState},
    quarantine::ClosedRejects,
};

/// The outcome of one load.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LoadOutcome {
    /// The load's number in the ledger. JSON has null where nothing was stored.
    #[serde(serialize_with = "serialize_stored_id")]
    pub load_id: LoadId,
    /// The table.
    pub table: String,
    /// The source as the user knows it; `quarantine` for rejects that were released.
    pub source: String,
    /// How it ended.
    pub state: LoadState,
    /// What became of the records.
    #[serde(flatten)]
    pub counts: Counts,
    /// Time spent by this command, in seconds.
    pub seconds: f64,
    /// Why records were rejected, the most frequent reason first.
    pub reasons: Vec<RejectReason>,
    /// The cells that hold a quote and do not begin with one, as far as this command has read: their quotes are kept as text.
    #[serde(skip_serializing_if = "is_zero")]
    pub stray_quotes: u64,
    /// The records that an earlier, interrupted command had read already (they are part of `read`).
    #[serde(skip_serializing_if = "is_zero")]
    pub resumed: u64,
    /// The rows that a replace took out of the table: told by the first load of each table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removed: Option<u64>,
    /// The rejects of earlier loads that this one closed.
    #[serde(skip_serializing_if = "ClosedRejects::is_empty")]
    pub closed_rejects: ClosedRejects,
    /// Why a replace was stopped, although its rejects were not too many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<ReplaceRefusal>,
    /// The most bytes that its rejects may have, where it stopped because they have more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_reject_bytes: Option<u64>,
    /// The most bytes that all open rejects of the project may have, where it stopped because they would have more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_project_reject_bytes: Option<u64>,
    /// Where the time went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stages: Option<StageSeconds>,
}

fn serialize_stored_id<S: Serializer>(id: &LoadId, serializer: S) -> Result<S::Ok, S::Error> {
    id.to_stored().serialize(serializer)
}

impl LoadOutcome {
    /// The outcome that the ledger tells.
    #[must_use]
    pub fn from_entry(entry: &LoadEntry) -> Self {
        Self {
            load_id: entry.id,
            table: entry.table.clone(),
            source: entry.source.clone(),
            state: entry.state,
            counts: entry.counts,
            seconds: entry.seconds,
            reasons: Vec::new(),
            stray_quotes: 0,
            resumed: 0,
            removed: None,
            closed_rejects: ClosedRejects::default(),
            refusal: None,
            max_reject_bytes: None,
            max_project_reject_bytes: None,
            stages: None,
        }
    }
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// One cause of rejects, and how many errors there were of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RejectReason {
    /// The error's code.
    pub code: ErrorCode,
    /// The error's field.
    pub field: Option<String>,
    /// The number of errors.
    pub count: u64,
}

/// Seconds spent in each stage, summed over threads.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct StageSeconds {
    /// Reading, hashing and cutting.
    pub read: f64,
    /// Cutting records into cells.
    pub decode: f64,
    /// Reading cells as values and checking constraints.
    pub validate: f64,
    /// Resolving keys.
    pub keys: f64,
    /// Writing rows, rejects and the ledger.
    pub write: f64,
}

impl std::ops::AddAssign for StageSeconds {
    fn add_assign(&mut self, other: Self) {
        self.read += other.read;
        self.decode += other.decode;
        self.validate += other.validate;
        self.keys += other.keys;
        self.write += other.write;
    }
}

/// Counts errors by cause. There are few causes and many errors, so that a list is faster than a map.
#[derive(Debug, Clone, Default)]
pub struct ReasonCounts {
    counts: Vec<(ErrorCode, Option<Arc<str>>, u64)>,
}

impl ReasonCounts {
    /// Counts `errors` of one record.
    pub fn count_errors(&mut self, errors: &[CellError]) {
        for error in errors {
            *self.count_mut(error.code, error.field.as_ref()) += 1;
        }
    }

    /// Counts `count_mut` errors of one cause.
    pub fn add_count(&mut self, code: ErrorCode, field: Option<&Arc<str>>, count: u64) {
        *self.count_mut(code, field) += count;
    }

    /// Takes away `errors` of one record that were counted.
    pub fn remove(&mut self, errors: &[CellError]) {
        for error in errors {
            let count = self.count_mut(error.code, error.field.as_ref());
            *count = count.saturating_sub(1);
        }
    }

    fn count_mut(&mut self, code: ErrorCode, field: Option<&Arc<str>>) -> &mut u64 {
        // Nearly always it is the very same name, so that the texts need not be compared.
        let same = |known: &Option<Arc<str>>| match (known, field) {
            (Some(known), Some(field)) => Arc::ptr_eq(known, field) || known == field,
            (known, field) => known.is_none() && field.is_none(),
        };
        let at = self.counts.iter().position(|(known, of, _)| *known == code && same(of));
        let at = at.unwrap_or_else(|| {
            self.counts.push((code, field.cloned(), 0));
            self.counts.len() - 1
        });
        &mut self.counts[at].2
    }

    /// The causes, the most frequent first.
    #[must_use]
    pub fn ranked_reasons(&self) -> Vec<RejectReason> {
        let mut counts: Vec<_> = self.counts.iter().filter(|(.., count)| *count > 0).collect();
        // Equal counts go by code and field: the order must not depend on threads (promise 6).
        counts.sort_by_key(|(code, field, count)| (std::cmp::Reverse(*count), *code, field.clone()));
        let reason = |(code, field, count): &(ErrorCode, Option<Arc<str>>, u64)| RejectReason {
            code: *code,
            field: field.as_deref().map(str::to_owned),
            count: *count,
        };
        counts.into_iter().map(reason).collect()
    }
}

/// How far a load or check has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LoadProgress {
    /// Bytes of the source's file read.
    pub bytes: u64,
    /// Bytes of the source's file; 0 if it is not known how many.
    pub total_bytes: u64,
    /// Records read.
    pub records: u64,
    /// Records rejected.
    pub rejected: u64,
}

/// Is told what happens while a command runs.
pub trait Observer {
    /// A source is about to be read.
    fn source_begins(&self, _table: &str, _source: &str) {}
    /// Records were read.
    fn report_progress(&self, _progress: LoadProgress) {}
    /// Between two chunks: nothing is locked until it returns.
    fn chunk_ends(&self) {}
    /// Whether to stop: what the chunk under way has done is undone, and the command ends with [`Error::Cancelled`](crate::Error).
    fn is_cancelled(&self) -> bool {
        false
    }
    /// A source was read.
    fn source_ends(&self, _outcome: &LoadOutcome) {}
}

/// An observer that does nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct SilentObserver;

impl Observer for SilentObserver {}
