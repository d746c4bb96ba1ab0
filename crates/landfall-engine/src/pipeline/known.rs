//! What the ledger knows of a source: that it was loaded, or that a load of it was interrupted.

use landfall_core::schema::Resource;

use super::LoadOptions;
use crate::{
    error::{Error, Result, TargetError, TargetErrorKind},
    ledger::{LoadEntry, LoadFilter, LoadId, LoadState, Mode},
    source::{Source, digest_of},
    target::Read,
};

/// What the ledger knows.
pub(super) enum Knowledge {
    /// Nothing: the source is read from its start.
    New,
    /// Its content was loaded.
    Loaded(Box<LoadEntry>),
    /// A load of it was interrupted, and can go on.
    Interrupted(Box<LoadEntry>),
    /// A load of it was interrupted, and the source or the rules have changed since: it is read from its start.
    Changed(Box<LoadEntry>),
}

/// The rules of `resource` as a digest: a load under other rules may end otherwise.
pub(crate) fn rules_digest(resource: &Resource) -> String {
    let Resource { schema, dialect, encoding, .. } = resource;
    let untold = |field: &landfall_core::schema::Field| landfall_core::schema::Field {
        title: None,
        description: None,
        ..field.clone()
    };
    let fields: Vec<_> = schema.fields.iter().map(untold).collect();
    let keys = (&schema.primary_key, &schema.unique_keys, &schema.foreign_keys, schema.fields_match);
    let text = format!("{fields:?}{keys:?}{dialect:?}{encoding:?}");
    blake3::hash(text.as_bytes()).to_hex()[..32].to_owned()
}

/// What a load finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The table with the rows that it has.
    Adds,
    /// A table without rows: it was emptied, or is new.
    FillsEmpty,
    /// A table that an interrupted load of the same command has begun to build.
    GoesOn,
}

/// What the ledger, whose entries are `entries`, knows of `source` for the table of `resource`.
pub(super) fn knowledge(
    entries: Vec<LoadEntry>,
    resource: &Resource,
    source: &Source,
    options: &LoadOptions,
    purpose: Purpose,
) -> Result<Knowledge> {
    if purpose == Purpose::FillsEmpty {
        // Whatever was loaded before.
        return Ok(Knowledge::New);
    }
    let forced = options.force || options.force_keyed && !is_keyless(resource);
    let force = forced && purpose != Purpose::GoesOn;
    let entries = current(entries, &resource.name);
    let rules = rules_digest(resource);
    let alike = |entry: &&LoadEntry| is_alike(entry, &rules, options);
    // Rejects that were released later may be of whichever load.
    let was_released = entries.iter().any(|entry| entry.mode == Mode::Retry && entry.counts.inserted > 0);
    let has_rows = |entry: &&LoadEntry| entry.counts.inserted > 0 || was_released;
    if !force && let Some(entry) = loaded(&entries, resource, source, &alike)? {
        return Ok(Knowledge::Loaded(Box::new(entry)));
    }
    if !force
        && is_keyless(resource)
        && let Some(entry) = loaded(&entries, resource, source, &has_rows)?
    {
        return Err(doubled(source, &entry));
    }
    let open = |entry: &&LoadEntry| matches!(entry.state, LoadState::Running | LoadState::Stopped);
    let Some(entry) = entries.iter().rev().filter(open).find(|entry| entry.source == source.name) else {
        return Ok(Knowledge::New);
    };
    // All or nothing is said of the whole source, so that it is read from its start.
    let same = !options.atomic
        && alike(&entry)
        && entry.record_bytes == options.work.record_bytes as u64
        && digest_of(source, Some(entry.digested))? == (entry.digest.clone(), entry.digested);
    let entry = Box::new(entry.clone());
    Ok(if same { Knowledge::Interrupted(entry) } else { Knowledge::Changed(entry) })
}

/// Refuses to go on with `entry`, which has just been entered in the ledger, where another process has entered a load of the
/// same source since the ledger was read up to the entry `known`: its rows would come twice.
pub(super) fn refuse_race(read: &dyn Read, entry: &LoadEntry, known: LoadId) -> Result<()> {
    let races = |other: &LoadEntry| {
        let same = other.table == entry.table && other.source == entry.source && other.mode != Mode::Retry;
        same && other.id > known && other.id != entry.id && other.state != LoadState::RolledBack
    };
    if entry.mode == Mode::Replace || !read.loads_of(&LoadFilter::of_sources(&entry.table))?.iter().any(races) {
        return Ok(());
    }
    let message = format!(
        "another process has begun to load {} into {:?} at the same time; this one stops, and nothing is doubled",
        entry.source, entry.table
    );
    Err(TargetError::new(TargetErrorKind::Again, message).into())
}

/// Whether a load by `rules` with `options` would decide as `entry` did.
fn is_alike(entry: &LoadEntry, rules: &str, options: &LoadOptions) -> bool {
    entry.rules == rules && entry.on_conflict == options.on_conflict
}

/// The loads of `table` that its rows come from: those since it was last replaced.
pub(crate) fn current(entries: Vec<LoadEntry>, table: &str) -> Vec<LoadEntry> {
    let mut entries: Vec<LoadEntry> = entries.into_iter().filter(|entry| entry.table == table).collect();
    let replaced = entries.iter().rposition(|entry| entry.mode == Mode::Replace && entry.state == LoadState::Complete);
    entries.split_off(replaced.unwrap_or(0))
}

/// The complete load of the same content, where there is one.
fn loaded(
    entries: &[LoadEntry],
    resource: &Resource,
    source: &Source,
    alike: &dyn Fn(&&LoadEntry) -> bool,
) -> Result<Option<LoadEntry>> {
    let complete = |entry: &&LoadEntry| entry.state == LoadState::Complete && entry.mode != Mode::Retry && alike(entry);
    let mut candidates: Vec<&LoadEntry> = entries.iter().filter(complete).collect();
    if is_keyless(resource) {
        // Two files with the same bytes are two lots of rows, where no key says that they are the same.
        candidates.retain(|entry| entry.source == source.name);
    }
    let size = source.stamp()?.size;
    let compressed = source.open()?.is_compressed();
    candidates.retain(|entry| compressed || entry.digested == size);
    if candidates.is_empty() {
        return Ok(None);
    }
    let (digest, _) = digest_of(source, None)?;
    Ok(candidates.into_iter().find(|entry| entry.digest == digest).cloned())
}

/// The loads of the last replace, where it was one of just `sources` as they are now, and nothing was loaded since.
pub(super) fn replaced(
    read: &dyn Read,
    resource: &Resource,
    sources: &[Source],
    options: &LoadOptions,
) -> Result<Option<Vec<LoadEntry>>> {
    let entries = current(read.loads_of(&LoadFilter::of_sources(&resource.name))?, &resource.name);
    let rules = rules_digest(resource);
    let alike = |entry: &LoadEntry| {
        entry.state == LoadState::Complete && entry.mode != Mode::Retry && is_alike(entry, &rules, options)
    };
    let replaced = entries.first().is_some_and(|entry| entry.mode == Mode::Replace);
    if options.force || !replaced || entries.len() != sources.len() || !entries.iter().all(alike) {
        return Ok(None);
    }
    for (entry, source) in entries.iter().zip(sources) {
        if digest_of(source, None)? != (entry.digest.clone(), entry.digested) {
            return Ok(None);
        }
    }
    Ok(Some(entries))
}

/// The error where a table without keys would be given rows twice.
pub(super) fn refuse_twice(resource: &Resource, source: &Source, entry: &LoadEntry) -> Result<()> {
    if is_keyless(resource) && entry.counts.inserted > 0 {
        return Err(Error::source(
            &source.name,
            format!(
                "load {} of it was interrupted after {} rows, and the source or the rules have changed since; the \
                 table {:?} has no key by which those rows would be known again. Give it a primary key, or load with \
                 --mode replace",
                entry.id, entry.counts.inserted, entry.table
            ),
        ));
    }
    Ok(())
}

/// The error where content that was loaded by other rules would be added to a table without keys once more.
fn doubled(source: &Source, entry: &LoadEntry) -> Error {
    Error::source(
        &source.name,
        format!(
            "load {} has read just this content by other rules, and the table {:?} has no key by which its rows would be \
             known again; load it with --mode replace, or with --force to add the rows once more",
            entry.id, entry.table
        ),
    )
}

/// Whether rows of a table cannot be known again.
fn is_keyless(resource: &Resource) -> bool {
    resource.schema.primary_key.is_empty() && resource.schema.unique_keys.is_empty()
}
