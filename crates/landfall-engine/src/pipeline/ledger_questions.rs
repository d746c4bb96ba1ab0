//! Questions to the ledger. Each is answered through an index: what a load asks does not cost more when more was loaded before.

use crate::{
    error::Result,
    ledger::{LoadEntry, LoadFilter, LoadId, LoadState, Mode},
    source::Source,
    targets::TargetRead,
};

/// The load of the last complete replace of `table`, or no load. The rows of the table come from this load and those after it.
pub(super) fn last_replace(read: &dyn TargetRead, table: &str) -> Result<LoadId> {
    let last = LoadFilter {
        mode: Some(Mode::Replace),
        state: Some(LoadState::Complete),
        newest_first: true,
        limit: Some(1),
        ..LoadFilter::loads_of_sources(table)
    };
    Ok(read.find_loads(&last)?.pop().map_or(LoadId::NONE, |entry| entry.id))
}

/// The newest load into `table` of the source called `source`.
pub(super) fn newest_load(read: &dyn TargetRead, table: &str, source: &str) -> Result<Option<LoadEntry>> {
    let newest = LoadFilter { newest_first: true, limit: Some(1), ..LoadFilter::loads_of_source(table, source) };
    Ok(read.find_loads(&newest)?.pop())
}

/// Whether the ledger has a load into `table` of any of `sources`.
pub(super) fn has_load_of_any(read: &dyn TargetRead, table: &str, sources: &[Source]) -> Result<bool> {
    let any = LoadFilter { limit: Some(1), ..LoadFilter::loads_of_sources(table) };
    if read.find_loads(&any)?.is_empty() {
        return Ok(false);
    }
    for source in sources {
        if newest_load(read, table, &source.name)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}
