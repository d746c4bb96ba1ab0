//! A file becomes requests to a service. Each has one effect, however often it is sent: so what was interrupted is started again.
//!
//! `batches` cuts the source, `client` sends one request until it is answered, `push_run` does so for many at once, and `history`
//! and `tally` know what became of them.

mod batches;
mod client;
mod history;
mod push_run;
mod table;
mod tally;

use std::{path::PathBuf, time::Duration};

use landfall_engine::ledger::OnConflict;
use ureq::http::Uri;

pub(crate) use client::PushClient;
pub(crate) use history::{BatchEntry, render_csv};
pub(crate) use push_run::{PushOutcome, push};
pub(crate) use table::{FileForm, ask_file_form};
pub(crate) use tally::{PushTally, RejectExample};

/// What is asked of a push.
#[derive(Debug)]
pub(crate) struct PushOptions {
    /// Where the service is; its path has no slash at the end.
    pub(crate) service: Uri,
    /// The table.
    pub(crate) table: String,
    /// The bearer token.
    pub(crate) token: Option<String>,
    /// The certificates that are trusted in place of the system's.
    pub(crate) authority: Option<PathBuf>,
    /// The most records of a batch.
    pub(crate) batch: usize,
    /// Batches under way at once.
    pub(crate) parallel: usize,
    /// How often a request is sent again.
    pub(crate) retries: u32,
    /// How long an answer is waited for.
    pub(crate) patience: Duration,
    /// What to do with a row whose key is there with other content.
    pub(crate) on_conflict: OnConflict,
    /// Whether a batch is all or nothing.
    pub(crate) atomic: bool,
    /// What makes the keys of this push differ from those of another one with the same file, where that is wanted.
    pub(crate) salt: Option<u64>,
}
