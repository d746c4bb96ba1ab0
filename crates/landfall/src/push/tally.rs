//! What became of all records: counts, and why records were rejected.

use std::{collections::BTreeMap, sync::Arc};

use landfall_core::reject::{CellError, ErrorCode};
use landfall_engine::{
    ledger::{Counts, LoadId},
    pipeline::{ReasonCounts, RejectReason},
};
use serde::{Deserialize, Serialize};

use super::batches::PushBatch;

/// The examples of each reason.
const EXAMPLES: usize = 3;

/// The answer to a batch.
#[derive(Debug, Deserialize)]
pub(super) struct BatchAnswer {
    pub(super) load_id: Option<LoadId>,
    #[serde(flatten)]
    pub(super) counts: Counts,
    errors: Vec<RowError>,
}

/// An error of a row.
#[derive(Debug, Deserialize)]
struct RowError {
    /// Counted from 0.
    row: u64,
    field: Option<String>,
    code: ErrorCode,
    message: String,
}

/// A rejected record.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct RejectExample {
    /// Its number in the source, from 1.
    pub(crate) record: u64,
    /// Its line in the source, from 1.
    pub(crate) line: Option<u64>,
    /// The field at fault; none where the whole record is.
    pub(crate) field: Option<String>,
    /// The error's code.
    pub(crate) code: ErrorCode,
    /// The error.
    pub(crate) message: String,
}

/// What became of all records that were answered for.
#[derive(Debug, Default)]
pub(crate) struct PushTally {
    /// The counts.
    pub(crate) counts: Counts,
    reasons: ReasonCounts,
    /// The first records of each reason.
    examples: BTreeMap<(ErrorCode, Option<String>), Vec<RejectExample>>,
}

impl PushTally {
    /// Adds the answer to `batch`.
    pub(super) fn add_answer(&mut self, batch: &PushBatch, answer: BatchAnswer) {
        self.counts += answer.counts;
        for error in answer.errors {
            let field: Option<Arc<str>> = error.field.as_deref().map(Arc::from);
            self.reasons.count_errors(&[CellError::new(error.code, field, None, "")]);
            let example = RejectExample {
                record: batch.first + error.row,
                line: batch.line_of_row(error.row),
                field: error.field,
                code: error.code,
                message: error.message,
            };
            self.keep_example(example);
        }
    }

    /// Keeps the examples that stand first in the source, whatever the order of the answers.
    fn keep_example(&mut self, example: RejectExample) {
        let kept = self.examples.entry((example.code, example.field.clone())).or_default();
        let at = kept.partition_point(|other| other.record <= example.record);
        if at < EXAMPLES {
            kept.insert(at, example);
            kept.truncate(EXAMPLES);
        }
    }

    /// Why records were rejected, the most frequent reason first.
    pub(crate) fn ranked_reasons(&self) -> Vec<RejectReason> {
        self.reasons.ranked_reasons()
    }

    /// The first records that were rejected for `reason`.
    pub(crate) fn examples_of(&self, reason: &RejectReason) -> &[RejectExample] {
        self.examples.get(&(reason.code, reason.field.clone())).map_or(&[], Vec::as_slice)
    }
}
