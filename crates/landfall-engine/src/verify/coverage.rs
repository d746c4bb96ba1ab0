//! Sources of the data package that no complete load covers: what the ledger does not know of was never loaded, whatever
//! anybody was told.

use std::collections::HashSet;

use landfall_core::schema::Resource;

use super::{FindingKind, VerifyFinding};
use crate::{
    error::Result,
    ledger::{LoadEntry, LoadState, Mode},
    origin::Origin,
    project::Project,
    source::{Source, digest_source, resolve_sources},
};

/// What the sources of a table lack.
#[derive(Debug, Default)]
pub(super) struct SourceCoverage {
    /// Sources that are there, and that no complete load covers.
    pub(super) findings: Vec<VerifyFinding>,
    /// Paths that name no file, and that no load has read, as sentences: a table that takes rows over HTTP alone may have one.
    pub(super) notes: Vec<String>,
}

/// Looks for the sources of `resource` in `ledger`. Those called as in `read_again` were found to be what their complete load
/// has read.
///
/// # Errors
/// A source that is there and cannot be read.
pub(super) fn check_coverage(
    project: &Project,
    resource: &Resource,
    ledger: &[LoadEntry],
    read_again: &HashSet<&str>,
) -> Result<SourceCoverage> {
    let of_table: Vec<&LoadEntry> =
        // A retry brings records that an earlier load has read; it covers no source.
        ledger.iter().filter(|entry| entry.table == *resource.name && entry.mode != Mode::Retry).collect();
    let mut coverage = SourceCoverage::default();
    if began_with_restore(&of_table) {
        coverage.notes.push("it was restored from a backup, and its sources were not compared with that".to_owned());
        return Ok(coverage);
    }
    for path in &resource.paths {
        match resolve_sources(path, &project.folder, &project.folder) {
            Ok(sources) => {
                for source in sources {
                    if let Some(why) = explain_uncovered(&source, &of_table, read_again.contains(&*source.name))? {
                        coverage.findings.push(not_loaded_finding(resource, &source.name, &why));
                    }
                }
            }
            // It was loaded and is gone now, as files that are cleared away are.
            Err(_) if of_table.iter().any(|entry| entry.source == path.0) => {}
            Err(error) => coverage.notes.push(format!("{error}, and no load has read it")),
        }
    }
    Ok(coverage)
}

/// Whether the rows of a table, whose loads are `entries`, began with a backup: that holds what sources had brought before.
fn began_with_restore(entries: &[&LoadEntry]) -> bool {
    // Only what came after the last replace is in the table.
    let replaced = entries.iter().rev().find(|entry| entry.is_complete_replace());
    replaced.or(entries.first()).is_some_and(|entry| entry.origin == Origin::Backup)
}

/// Why no complete load covers `source`; none if one does. `unchanged` says that a complete load of its name was read again,
/// and the source began with just the bytes that were read.
fn explain_uncovered(source: &Source, entries: &[&LoadEntry], unchanged: bool) -> Result<Option<String>> {
    let named = || entries.iter().rev().filter(|entry| entry.source == source.name);
    let is_complete = |entry: &&&LoadEntry| entry.state == LoadState::Complete;
    let size = source.read_stamp()?.size;
    let same_size = |entry: &LoadEntry| size == Some(entry.digested);
    // Its records were counted in this run, so that it need not be read for its digest too.
    if unchanged && named().any(|entry| is_complete(&entry) && same_size(entry)) {
        return Ok(None);
    }
    // The same content under another name is the same source, as it is for a load.
    // The ledger has the digest of decompressed bytes, and the size of a compressed file says nothing about these.
    let compressed = source.open()?.is_compressed();
    let candidates: Vec<_> =
        entries.iter().filter(is_complete).filter(|entry| compressed || size.is_none() || same_size(entry)).collect();
    if !candidates.is_empty() {
        let (digest, _) = digest_source(source, None)?;
        if candidates.iter().any(|entry| entry.digest == digest) {
            return Ok(None);
        }
    }
    Ok(Some(match named().next() {
        None => "not loaded".to_owned(),
        Some(entry) => match entry.state {
            LoadState::Complete => format!("not loaded: it has changed since load {}", entry.id),
            LoadState::RolledBack => format!("not loaded: load {} was rolled back", entry.id),
            _ => format!("not loaded completely: load {} has not ended; run the same command again", entry.id),
        },
    }))
}

fn not_loaded_finding(resource: &Resource, source: &str, why: &str) -> VerifyFinding {
    VerifyFinding {
        kind: FindingKind::NotLoaded,
        table: resource.name.to_string(),
        load_id: None,
        source: Some(source.to_owned()),
        message: why.to_owned(),
    }
}
