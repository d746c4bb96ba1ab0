//! The page to read first: how records come from sources to targets. The only place that knows both ends.
//!
//! ```text
//! plan ─▶ known? ─▶ opened ─▶ blocks ─▶ resolve ─▶ chunk ─▶ target
//! ```
//!
//! - `plan` says which sources go into which tables, parents first; `known` asks the ledger whether a source was loaded,
//!   or a load of it interrupted.
//! - `opened` reads the header and holds it against the schema (`layout`); `blocks` cuts, decodes and validates on threads
//!   of their own and hands over blocks in order.
//! - `resolve` decides what becomes of each record by its keys (`keys`), and tells a judge. The judge of a load is `chunk`,
//!   which writes to a transaction of the target; that of a check writes nothing.
//! - `load` is one source into one table; `command` is all of them, each chunk by itself, or `whole`, in one transaction; `replace`
//!   is what a replace does before and after; `adopt` makes rows of rejects whose parents arrived.

mod adopt;
mod block;
mod blocks;
mod building;
mod change;
mod check;
mod chunk;
mod command;
mod export;
mod foreseen;
mod judge;
mod kept_answer;
mod key_errors;
mod keys;
mod known;
mod layout;
mod ledger_questions;
mod load;
mod mended;
mod null_cells;
mod opened;
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
mod suspects;
mod trial;
mod whole;
mod writer;

pub use check::check;
pub use command::{can_dry_run, load, load_sources, positions_of, release, stop};
pub use export::{export_rejects, export_rejects_guarded};
pub use kept_answer::WriteAnswer;
pub use options::{LoadOptions, MaxRejects, Selection, Work};
pub use outcome::{LoadOutcome, Observer, Progress, Reason, Reasons, Silent, Stages};
pub use replace::{Refusal, RefusalReason};
pub use retry::{MendedFile, Retry, discard, discard_with, retry, retry_with};
pub use rows::{
    RequestKey, RowBatch, RowRules, RowsAnswer, RowsForm, RowsLoad, RowsOutcome, RowsReply, RowsRequest,
    answer_document, describe_row_limit, forget_answers, quarantine_full, read_rows, stored_answer, take_rows,
};

pub(crate) use adopt::pages;
pub(crate) use known::current;
pub(crate) use layout::is_of_json;
pub(crate) use recount::{Recount, recount};
