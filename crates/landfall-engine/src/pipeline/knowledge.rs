//! What the ledger knows of a source: that it was loaded, or that a load of it was interrupted.

use landfall_core::schema::Resource;

use super::{
    LoadOptions,
    ledger_questions::{last_replace, newest_load},
};
use crate::{
    count_noun,
    error::{Error, Result, TargetError, TargetErrorKind},
    ledger::{LoadEntry, LoadFilter, LoadId, LoadState, Mode},
    rules_digest::RulesDigest,
    source::{Source, digest_source},
    targets::TargetRead,
};

/// What the ledger knows.
pub(super) enum SourceKnowledge {
    /// Nothing: the source is read from its start.
    New,
    /// Its content was loaded.
    Loaded(Box<LoadEntry>),
    /// A load of it was interrupted, and can go on.
    Interrupted(Box<LoadEntry>),
    /// A load of it was interrupted, and the source or the rules have changed since: it is read from its start.
    Changed(Box<LoadEntry>),
}

/// What a load finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LoadPurpose {
    /// The table with the rows that it has.
    Adds,
    /// A table without rows: it was emptied, or is new.
    FillsEmpty,
    /// A table that an interrupted load of the same command has begun to build.
    GoesOn,
}

/// What the ledger of `read` knows of `source` for the table of `resource`, and the number of the newest load of a source of that name.
pub(super) fn look_up_source(
    read: &dyn TargetRead,
    resource: &Resource,
    source: &Source,
    options: &LoadOptions,
    purpose: LoadPurpose,
) -> Result<(SourceKnowledge, LoadId)> {
    if purpose == LoadPurpose::FillsEmpty {
        // Whatever was loaded before.
        let newest = newest_load(read, &resource.name, &source.name)?;
        return Ok((SourceKnowledge::New, newest.map_or(LoadId::NONE, |entry| entry.id)));
    }
    let of_source = newest_first(read, resource, source)?;
    let known_to = of_source.first().map_or(LoadId::NONE, |entry| entry.id);
    let mut complete = Vec::new();
    if purpose == LoadPurpose::GoesOn || !is_forced_again(resource, options) {
        complete = complete_loads(read, resource, source)?;
    }
    // Most often the source is new, and nothing more need be asked.
    if of_source.is_empty() && complete.is_empty() {
        return Ok((SourceKnowledge::New, known_to));
    }
    // A replace took the rows of earlier loads out of the table, so that what these loaded is not there any more.
    let since = last_replace(read, &resource.name)?;
    let rules = RulesDigest::from_resource(resource);
    complete.retain(|entry| entry.id >= since);
    if let Some(entry) = complete.iter().find(|entry| decides_alike(entry, &rules, options)) {
        return Ok((SourceKnowledge::Loaded(Box::new(entry.clone())), known_to));
    }
    if has_no_key(resource) && !complete.is_empty() {
        // Rejects that were released later may be of whichever load.
        let retries = LoadFilter { mode: Some(Mode::Retry), since, ..LoadFilter::loads_of_sources(&resource.name) };
        let was_released = read.find_loads(&retries)?.iter().any(|entry| entry.counts.inserted > 0);
        if let Some(entry) = complete.iter().find(|entry| entry.counts.inserted > 0 || was_released) {
            return Err(doubled_content_error(source, entry));
        }
    }
    let interrupted = |entry: &LoadEntry| entry.id >= since && entry.state.is_resumable();
    let Some(entry) = of_source.into_iter().find(interrupted) else { return Ok((SourceKnowledge::New, known_to)) };
    // All or nothing is said of the whole source, so that it is read from its start.
    let same = !options.atomic
        && decides_alike(&entry, &rules, options)
        // Under another limit for records, the part that was read might have other rejects.
        && entry.record_bytes == options.work.record_bytes as u64
        // Last of all, since it reads the beginning of the source once more.
        && digest_source(source, Some(entry.digested))? == (entry.digest.clone(), entry.digested);
    let entry = Box::new(entry);
    Ok((if same { SourceKnowledge::Interrupted(entry) } else { SourceKnowledge::Changed(entry) }, known_to))
}

/// Whether content is loaded again that was loaded before.
fn is_forced_again(resource: &Resource, options: &LoadOptions) -> bool {
    options.force || options.force_keyed && !has_no_key(resource)
}

/// Sources that are read for their digest without a question before: no longer than a question takes.
const SMALL: u64 = 64 << 10;

fn is_small(source: &Source) -> Result<bool> {
    Ok(source.read_stamp()?.size.is_some_and(|size| size <= SMALL))
}

/// Sources of one question.
pub(super) const SOURCES_PER_QUESTION: usize = 256;

/// For each of `sources` that is small the load of its content by the same rules, where there was one: one question for all of them,
/// since each takes longer than to read a small file.
pub(super) fn known_small_sources(
    read: &dyn TargetRead,
    resource: &Resource,
    sources: &[Source],
    options: &LoadOptions,
) -> Result<Vec<Option<LoadEntry>>> {
    let mut known = vec![None; sources.len()];
    if is_forced_again(resource, options) || sources.len() < 2 {
        return Ok(known);
    }
    let mut digests: Vec<Option<String>> = Vec::with_capacity(sources.len());
    for source in sources {
        digests.push(if is_small(source)? { Some(digest_source(source, None)?.0) } else { None });
    }
    let since = last_replace(read, &resource.name)?;
    let filter = LoadFilter {
        state: Some(LoadState::Complete),
        since,
        digests: Some(digests.iter().flatten().cloned().collect()),
        ..LoadFilter::loads_of_sources(&resource.name)
    };
    if filter.digests.as_ref().is_none_or(Vec::is_empty) {
        return Ok(known);
    }
    let rules = RulesDigest::from_resource(resource);
    let keyless = has_no_key(resource);
    for entry in read.find_loads(&filter)? {
        let is_of = |at: &usize| {
            digests[*at].as_ref() == Some(&entry.digest) && (!keyless || sources[*at].name == entry.source)
        };
        if entry.mode != Mode::Retry && decides_alike(&entry, &rules, options) {
            for at in (0..sources.len()).filter(is_of) {
                known[at].get_or_insert_with(|| entry.clone());
            }
        }
    }
    Ok(known)
}

/// Refuses to go on with `entry`, which has just been entered in the ledger, where another process has entered a load of the
/// same source since the ledger was read up to the entry `known`: its rows would come twice.
pub(super) fn refuse_race(read: &dyn TargetRead, entry: &LoadEntry, known: LoadId) -> Result<()> {
    if entry.mode == Mode::Replace {
        return Ok(());
    }
    let since = LoadFilter { after: known, ..LoadFilter::loads_of_source(&entry.table, &entry.source) };
    let races =
        |other: &LoadEntry| other.mode != Mode::Retry && other.id != entry.id && other.state != LoadState::RolledBack;
    if !read.find_loads(&since)?.iter().any(races) {
        return Ok(());
    }
    let message = format!(
        "another process has begun to load {} into {:?} at the same time; this one stops, and nothing is doubled",
        entry.source, entry.table
    );
    Err(TargetError::new(TargetErrorKind::Again, message).into())
}

/// Whether a load by `rules` with `options` would decide as `entry` did.
fn decides_alike(entry: &LoadEntry, rules: &RulesDigest, options: &LoadOptions) -> bool {
    rules.matches_stored(&entry.rules) && entry.on_conflict == options.on_conflict
}

/// The loads of `table` that its rows come from: those since it was last replaced.
pub(crate) fn current_loads<'e>(entries: &'e [LoadEntry], table: &str) -> Vec<&'e LoadEntry> {
    let mut entries: Vec<&LoadEntry> = entries.iter().filter(|entry| entry.table == table).collect();
    let replaced = entries.iter().rposition(|entry| entry.is_complete_replace());
    entries.split_off(replaced.unwrap_or(0))
}

/// The loads of a source of this name, the newest first. One question for all: another process may end one of them between two, which
/// would then look as if nobody had loaded the source.
fn newest_first(read: &dyn TargetRead, resource: &Resource, source: &Source) -> Result<Vec<LoadEntry>> {
    read.find_loads(&LoadFilter { newest_first: true, ..LoadFilter::loads_of_source(&resource.name, &source.name) })
}

/// The complete loads of the same content, oldest first.
fn complete_loads(read: &dyn TargetRead, resource: &Resource, source: &Source) -> Result<Vec<LoadEntry>> {
    let mut alike = LoadFilter {
        state: Some(LoadState::Complete),
        // Two files with the same bytes are two lots of rows, where no key says that they are the same.
        source: has_no_key(resource).then(|| source.name.clone()),
        ..LoadFilter::loads_of_sources(&resource.name)
    };
    if !is_small(source)? {
        // How many bytes a compressed file gives is only known once it is read.
        let digested = if source.open()?.is_compressed() { None } else { source.read_stamp()?.size };
        if read.find_loads(&LoadFilter { digested, limit: Some(1), ..alike.clone() })?.is_empty() {
            return Ok(Vec::new());
        }
    }
    // Without the size: a database might look through all loads of that size instead.
    alike.digests = Some(vec![digest_source(source, None)?.0]);
    let mut found = read.find_loads(&alike)?;
    found.retain(|entry| entry.mode != Mode::Retry);
    Ok(found)
}

/// The loads of the last replace, where it was one of just `sources` as they are now, and nothing was loaded since.
pub(super) fn find_replace_loads(
    read: &dyn TargetRead,
    resource: &Resource,
    sources: &[Source],
    options: &LoadOptions,
) -> Result<Option<Vec<LoadEntry>>> {
    let since = last_replace(read, &resource.name)?;
    // One more than would do tells that there are too many.
    let limit = Some(sources.len() as u64 + 1);
    let entries = read.find_loads(&LoadFilter { since, limit, ..LoadFilter::loads_of_sources(&resource.name) })?;
    let rules = RulesDigest::from_resource(resource);
    let alike = |entry: &LoadEntry| {
        entry.state == LoadState::Complete && entry.mode != Mode::Retry && decides_alike(entry, &rules, options)
    };
    let replaced = entries.first().is_some_and(|entry| entry.mode == Mode::Replace);
    if options.force || !replaced || entries.len() != sources.len() || !entries.iter().all(alike) {
        return Ok(None);
    }
    for (entry, source) in entries.iter().zip(sources) {
        if digest_source(source, None)? != (entry.digest.clone(), entry.digested) {
            return Ok(None);
        }
    }
    Ok(Some(entries))
}

/// The error where a table without keys would be given rows twice.
pub(super) fn refuse_twice(resource: &Resource, source: &Source, entry: &LoadEntry) -> Result<()> {
    if has_no_key(resource) && entry.counts.inserted > 0 {
        return Err(Error::source_error(
            &source.name,
            format!(
                "load {} of it was interrupted after {}, and the source or the rules have changed since; the \
                 table {:?} has no key by which those rows would be known again. Give it a primary key, or load with \
                 the mode replace",
                entry.id,
                count_noun(entry.counts.inserted, "row"),
                entry.table
            ),
        ));
    }
    Ok(())
}

/// The error where content that was loaded by other rules would be added to a table without keys once more.
fn doubled_content_error(source: &Source, entry: &LoadEntry) -> Error {
    Error::source_error(
        &source.name,
        format!(
            "load {} has read just this content by other rules, and the table {:?} has no key by which its rows would be \
             known again; load it with --mode replace, or with --force to add the rows once more",
            entry.id, entry.table
        ),
    )
}

/// Whether rows of a table cannot be known again.
fn has_no_key(resource: &Resource) -> bool {
    resource.schema.primary_key.is_empty() && resource.schema.unique_keys.is_empty()
}
