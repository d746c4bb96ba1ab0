//! The page to read first: how records come from sources to targets. The only place that knows both ends.
//!
//! ```text
//! plan ─▶ knowledge ─▶ open_source ─▶ blocks ─▶ resolve ─▶ chunk ─▶ target
//! ```
//!
//! - `plan` says which sources go into which tables, parents first; `knowledge` asks the ledger whether a source was loaded,
//!   or a load of it interrupted.
//! - `open_source` reads the header and holds it against the schema (`layout`); `blocks` cuts, decodes and validates on threads
//!   of their own and hands over blocks in order.
//! - `resolve` decides what becomes of each record by its keys (`keys`), and tells a judge. The judge of a load is `chunk`,
//!   which writes to a transaction of the target; that of a check writes nothing.
//! - `load` is one source into one table; `command` is all of them, each chunk by itself, or `one_transaction`, in one transaction; `replace`
//!   is what a replace does before and after; `adopt` makes rows of rejects whose parents arrived.

mod adopt;
mod block;
mod blocks;
mod change;
mod check;
mod chunk;
mod command;
mod export;
mod header_correction;
mod judge;
mod key_errors;
mod keys;
mod knowledge;
mod layout;
mod layout_exporter;
mod ledger_questions;
mod load;
mod lookups;
mod mended_file;
mod null_cells;
mod one_transaction;
mod open_source;
mod options;
mod outcome;
mod plan;
mod preflight;
mod recount;
mod reject_bound;
mod replace;
mod resolve;
mod resume;
mod retry;
mod rows;
mod spill;
mod staging;
mod stored_answer;
mod suspects;
mod trial;
mod writer;

pub use check::check_tables;
pub use command::{can_dry_run, load_sources, load_tables, positions_of, release_after_loads, stop_load};
pub use export::{export_rejects, export_rejects_guarded};
pub use options::{LoadOptions, MaxRejects, Selection, WorkLimits};
pub use outcome::{LoadOutcome, LoadProgress, Observer, ReasonCounts, RejectReason, SilentObserver, StageSeconds};
pub use replace::{ReplaceRefusal, ReplaceRefusalReason};
pub use retry::{MendedFilePath, RetrySelection, discard_rejects, discard_with, retry_rejects, retry_with};
pub use rows::{
    RequestKey, RowBatch, RowRules, RowsAnswer, RowsForm, RowsLoad, RowsOutcome, RowsReply, RowsRequest,
    answer_document, describe_row_limit, forget_answers, quarantine_full, read_rows, stored_answer, take_rows,
};
pub use stored_answer::WriteAnswer;

pub(crate) use adopt::visit_rejects;
pub(crate) use knowledge::current_loads;
pub(crate) use layout::is_json_layout;
pub(crate) use recount::{RecountResult, recount_load};
