//! Rows that are sent to the service: a request's rows, their rejects, their entries in the ledger and the stored answer commit
//! in one transaction.
//!
//! Requests that wait at the same time share one transaction, each with an answer and ledger entries of its own: their rows
//! are merged table by table ([`group`]), the database is asked for all of their keys at once, and what becomes of each record is
//! booked to its request ([`account`]). A request that is all or nothing, or only a trial, has a transaction to itself.

mod account;
mod answers;
mod body;
mod group;
mod own_parents;
mod reply;
mod room;
mod rules;
mod trust;

pub use answers::{RequestKey, RowsAnswer, answer_document, forget_answers, stored_answer};
pub use body::{RowsForm, describe_row_limit, read_rows};
pub use group::take_rows;
pub use reply::{RowsReply, quarantine_full};
pub use rules::{RowBatch, RowRules};

use landfall_core::reject::CellError;

use crate::ledger::{Counts, LoadId, OnConflict};

/// Rows to be taken in: for one table or several.
#[derive(Debug)]
pub struct RowsRequest {
    /// The rows, each table once.
    pub batches: Vec<RowBatch>,
    /// What to do with rows whose key the table holds with other content.
    pub on_conflict: OnConflict,
    /// One reject, and no row is inserted.
    pub atomic: bool,
    /// Nothing is written at all.
    pub dry_run: bool,
    /// What the ledger calls their source.
    pub source: String,
    /// The key under which the answer is stored, where there is one.
    pub key: Option<RequestKey>,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct RowsOutcome {
    /// One for each batch, in their order.
    pub loads: Vec<RowsLoad>,
    /// Whether it was all or nothing, and is nothing.
    pub rolled_back: bool,
}

/// What became of the rows of one table.
#[derive(Debug, Clone, PartialEq)]
pub struct RowsLoad {
    /// The number in the ledger; none for a trial.
    pub load: Option<LoadId>,
    /// The table.
    pub table: String,
    /// What became of the rows.
    pub counts: Counts,
    /// The errors of the rejected rows, in their order; rows count from 0.
    pub errors: Vec<(u64, CellError)>,
}
