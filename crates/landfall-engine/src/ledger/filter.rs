//! Questions to the ledger.

use super::{LoadEntry, LoadId, LoadState, Mode};

/// Which loads are wanted; nothing given means all, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LoadFilter {
    /// This one.
    pub id: Option<LoadId>,
    /// Into this table.
    pub table: Option<String>,
    /// Of the source that is called so.
    pub source: Option<String>,
    /// Whose digest covers so many bytes.
    pub digested: Option<u64>,
    /// Whose digest is one of these.
    pub digests: Option<Vec<String>>,
    /// With this mode.
    pub mode: Option<Mode>,
    /// In this state.
    pub state: Option<LoadState>,
    /// Only those that the same command would resume.
    pub resumable: bool,
    /// Loads of rows that were sent to the service: only those, or all but those.
    pub rows: Option<bool>,
    /// Only those with a greater number: to page.
    pub after: LoadId,
    /// This one, and those after it.
    pub since: LoadId,
    /// Only those with a smaller number.
    pub before: Option<LoadId>,
    /// The newest first.
    pub newest_first: bool,
    /// At most this many.
    pub limit: Option<u64>,
}

impl LoadFilter {
    /// The loads of sources into `table`: those that can be known again by their content.
    #[must_use]
    pub fn loads_of_sources(table: &str) -> Self {
        Self { table: Some(table.to_owned()), rows: Some(false), ..Self::default() }
    }

    /// The loads into `table` of the source that is called `source`.
    #[must_use]
    pub fn loads_of_source(table: &str, source: &str) -> Self {
        Self { source: Some(source.to_owned()), ..Self::loads_of_sources(table) }
    }

    /// Whether it wants `entry`, the limit aside.
    pub(crate) fn wants_load(&self, entry: &LoadEntry) -> bool {
        // The SQL of `targets/sql/ledger.rs` says the same: what is added here must be added there.
        self.id.is_none_or(|id| id == entry.id)
            && self.table.as_ref().is_none_or(|table| *table == entry.table)
            && self.source.as_ref().is_none_or(|source| *source == entry.source)
            && self.digested.is_none_or(|digested| digested == entry.digested)
            && self.digests.as_ref().is_none_or(|digests| digests.contains(&entry.digest))
            && self.mode.is_none_or(|mode| mode == entry.mode)
            && self.state.is_none_or(|state| state == entry.state)
            && (!self.resumable || entry.state.is_resumable())
            && self.rows.is_none_or(|rows| rows == (entry.mode == Mode::Rows))
            && entry.id > self.after
            && entry.id >= self.since
            && self.before.is_none_or(|before| entry.id < before)
    }
}
