//! What became of each batch.

use std::fmt::Write as _;

use landfall_engine::ledger::{Counts, LoadId};

/// What became of one batch.
#[derive(Debug, Clone, Default)]
pub(crate) struct BatchEntry {
    /// The number of its first record, from 1.
    pub(crate) first: u64,
    /// The number of its records.
    pub(crate) records: u64,
    /// How often it was sent.
    pub(crate) attempts: u32,
    /// The status of the last answer, where there was one.
    pub(crate) status: Option<u16>,
    /// The load in the service's ledger.
    pub(crate) load_id: Option<LoadId>,
    /// What became of its records; none where it was not taken.
    pub(crate) counts: Option<Counts>,
    /// From its first attempt to its answer.
    pub(crate) milliseconds: u64,
    /// Whether it had been answered in an earlier push.
    pub(crate) replayed: bool,
}

impl BatchEntry {
    /// The number of its last record.
    pub(crate) fn last_record(&self) -> u64 {
        self.first + self.records.saturating_sub(1)
    }
}

/// All batches as CSV, in the order of the source.
pub(crate) fn render_csv(entries: &[BatchEntry]) -> String {
    let mut text =
        "first_record,records,attempts,status,load_id,inserted,updated,unchanged,rejected,milliseconds,replayed\n"
            .to_owned();
    for entry in entries {
        let BatchEntry { first, records, attempts, milliseconds, replayed, .. } = entry;
        let (status, load) = (format_cell(entry.status), format_cell(entry.load_id));
        let count = |of: fn(&Counts) -> u64| format_cell(entry.counts.as_ref().map(of));
        let (inserted, updated) = (count(|counts| counts.inserted), count(|counts| counts.updated));
        let (unchanged, rejected) = (count(|counts| counts.unchanged), count(|counts| counts.rejected));
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{first},{records},{attempts},{status},{load},{inserted},{updated},{unchanged},{rejected},{milliseconds},{replayed}"
        );
    }
    text
}

fn format_cell(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}
