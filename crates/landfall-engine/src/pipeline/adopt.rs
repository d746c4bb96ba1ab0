//! Rejects whose parents arrived become rows.
//!
//! Rows that refer to their own table, or to each other's in a circle, may be named before they are there. So those that
//! wait are looked at together: each claims keys and needs parents, and the largest set in which every need is met is
//! taken over (a greatest fixpoint, found by striking out what cannot be and then all that needed it).

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Instant,
};

use super::{
    LoadOutcome, ReasonCounts,
    load::LoadSession,
    trial::{KeyClaim, KeyNeeds, RecordBytes, RecordTrial, TrialVerdict},
    writer::{ChunkWriter, MoreChunks},
};
use landfall_core::{
    reject::{CellError, ErrorCode},
    schema::TableIndex,
};

use crate::{
    error::{Error, Result, TargetErrorKind},
    ledger::{Counts, LoadEntry, LoadFilter, LoadId, LoadState, Mode, OnConflict},
    origin::QUARANTINE,
    quarantine::{Reject, RejectFilter, RejectId, RejectState},
    targets::{Fence, Pace, Table, TargetRead, Transaction},
    timestamp,
};

/// Rejects looked at in one go.
const PAGE: u64 = 1000;

/// The rejects that `filter` wants, page by page.
pub(crate) fn visit_rejects(
    read: &dyn TargetRead,
    filter: &RejectFilter,
    visit: &mut dyn FnMut(Reject) -> Result<()>,
) -> Result<()> {
    let mut filter = RejectFilter { limit: Some(PAGE), ..filter.clone() };
    loop {
        let page = read.find_rejects(&filter)?;
        let Some(last) = page.last() else { return Ok(()) };
        filter.after = last.id;
        page.into_iter().try_for_each(&mut *visit)?;
    }
}

/// The numbers of the rejects that `filter` wants.
pub(super) fn reject_ids(read: &dyn TargetRead, filter: &RejectFilter) -> Result<Vec<RejectId>> {
    let mut found = Vec::new();
    visit_rejects(read, filter, &mut |reject| {
        found.push(reject.id);
        Ok(())
    })?;
    Ok(found)
}

/// One reject, as it stands.
pub(super) fn find_reject(read: &dyn TargetRead, id: RejectId) -> Result<Option<Reject>> {
    let filter = RejectFilter { id: Some(id), any_state: true, ..RejectFilter::default() };
    Ok(read.find_rejects(&filter)?.pop())
}

/// One reject, as long as it is open: another process may have released it since it was looked for.
pub(super) fn open(read: &dyn TargetRead, id: RejectId) -> Result<Option<Reject>> {
    Ok(find_reject(read, id)?.filter(|reject| reject.state == RejectState::Open))
}

/// All bytes of a reject; none where it is longer than a record may be, or the quarantine keeps only the first of them.
pub(super) fn read_raw(session: &LoadSession<'_>, read: &dyn TargetRead, reject: &Reject) -> Result<Option<Vec<u8>>> {
    if reject.length > session.options.work.record_bytes as u64 {
        return Ok(None);
    }
    if reject.raw.len() as u64 == reject.length {
        return Ok(Some(reject.raw.clone()));
    }
    let mut bytes = Vec::new();
    read.read_reject_bytes(reject.id, &mut |part| {
        bytes.extend_from_slice(part);
        Ok(())
    })?;
    Ok(Some(bytes).filter(|bytes| bytes.len() as u64 == reject.length))
}

/// Tries a reject of the quarantine as it is; one that is too long still is.
pub(super) fn try_as_is(
    session: &LoadSession<'_>,
    transaction: &mut dyn Transaction,
    trial: &mut RecordTrial<'_>,
    reject: &Reject,
) -> Result<TrialVerdict> {
    match read_raw(session, &*transaction, reject)? {
        Some(bytes) => trial.try_record(transaction, reject.load, RecordBytes::Raw(&bytes)),
        None => Ok(TrialVerdict::Rejected(reject.errors.clone())),
    }
}

/// The keys that will be claimed by the rejects of `family` that wait, were they all taken over together that can be.
pub(super) fn claims_to_come(
    session: &LoadSession<'_>,
    read: &dyn TargetRead,
    family: &[TableIndex],
    load: Option<LoadId>,
    on_conflict: OnConflict,
) -> Result<HashSet<KeyClaim>> {
    let names: Vec<Arc<str>> = family.iter().map(|&at| session.table_at(at).name.clone()).collect();
    let mut wanted: Vec<KeyNeeds> = Vec::new();
    for &position in family {
        let mut trial = RecordTrial::new(session, read, position, on_conflict);
        let filter = RejectFilter {
            table: Some(session.table_at(position).name.to_string()),
            load,
            waiting: true,
            ..RejectFilter::default()
        };
        visit_rejects(read, &filter, &mut |reject| {
            if let Some(bytes) = read_raw(session, read, &reject)? {
                wanted.extend(trial.survey_record(read, reject.load, RecordBytes::Raw(&bytes), &names)?);
            }
            Ok(())
        })?;
    }
    Ok(greatest_fixpoint(wanted))
}

/// The claims of the largest set of records in which every need is a claim. The first of two equal claims counts.
pub(super) fn greatest_fixpoint(wanted: Vec<KeyNeeds>) -> HashSet<KeyClaim> {
    let mut holders: HashMap<&KeyClaim, usize> = HashMap::new();
    let mut struck: Vec<usize> = Vec::new();
    for (at, record) in wanted.iter().enumerate() {
        if record.claims.iter().any(|claim| holders.contains_key(claim)) {
            struck.push(at);
        } else {
            holders.extend(record.claims.iter().map(|claim| (claim, at)));
        }
    }
    let mut needed_by: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut alive = vec![true; wanted.len()];
    for (at, record) in wanted.iter().enumerate() {
        for need in &record.needs {
            match holders.get(need) {
                Some(&holder) => needed_by.entry(holder).or_default().push(at),
                None => struck.push(at),
            }
        }
    }
    while let Some(at) = struck.pop() {
        if std::mem::replace(&mut alive[at], false) {
            struck.extend(needed_by.remove(&at).unwrap_or_default());
        }
    }
    let survivors = wanted.iter().zip(&alive).filter(|(_, alive)| **alive);
    survivors.flat_map(|(record, _)| record.claims.iter().cloned()).collect()
}

/// Makes rows of the records of a load that only waited for a parent further down in the same source; they leave the
/// quarantine without a trace. `told` hears of each.
pub(super) fn settle_deferred(
    session: &LoadSession<'_>,
    transaction: &mut dyn Transaction,
    table: &Table,
    entry: &LoadEntry,
    told: &mut dyn FnMut(&Reject, &TrialVerdict),
) -> Result<()> {
    let filter = RejectFilter { load: Some(entry.id), waiting: true, ..RejectFilter::default() };
    let waiting = reject_ids(&*transaction, &filter)?;
    if waiting.is_empty() {
        return Ok(());
    }
    let position = session.project.find_position(&table.name)?;
    let mut trial = RecordTrial::new(session, &*transaction, position, entry.on_conflict);
    trial.own = serde_json::from_str(&entry.layout).ok().map(|layout| (entry.id, layout));
    trial.pardoned = claims_to_come(session, &*transaction, &[position], Some(entry.id), entry.on_conflict)?;
    settle_in_turn(session, transaction, &mut trial, waiting, told)?;
    // Where rows are updated the database itself is the fence.
    if entry.on_conflict == OnConflict::Update { Ok(()) } else { trial.hold_parents(transaction) }
}

/// Tries records until no more of them pass: a database that looks at foreign keys at once refuses a row whose parent comes
/// further down.
fn settle_in_turn(
    session: &LoadSession<'_>,
    transaction: &mut dyn Transaction,
    trial: &mut RecordTrial<'_>,
    mut waiting: Vec<RejectId>,
    told: &mut dyn FnMut(&Reject, &TrialVerdict),
) -> Result<()> {
    loop {
        let mut refused = Vec::new();
        let tried = waiting.len();
        for id in waiting {
            let Some(reject) = find_reject(&*transaction, id)? else { continue };
            let verdict = try_as_is(session, transaction, trial, &reject)?;
            match &verdict {
                TrialVerdict::Rejected(errors) if errors.iter().any(|error| error.code == ErrorCode::TargetError) => {
                    refused.push(id);
                }
                TrialVerdict::Rejected(_) => {}
                _ => transaction.withdraw_rejects(&[id])?,
            }
            told(&reject, &verdict);
        }
        if refused.is_empty() || refused.len() == tried {
            return Ok(());
        }
        waiting = refused;
    }
}

/// Releases the rejects that waited for rows of the tables `grown`, after a command with `outcomes`: a load of its own
/// for each table.
pub(super) fn release_waiting(
    session: &LoadSession<'_>,
    writer: &mut ChunkWriter<'_>,
    outcomes: &[LoadOutcome],
    mut grown: HashSet<String>,
) -> Result<Vec<LoadOutcome>> {
    let mut released: Vec<LoadOutcome> = Vec::new();
    for family in session.project.package.load_order() {
        let refers =
            |at: &TableIndex| session.table_at(*at).schema.foreign_keys.iter().any(|key| grown.contains(&*key.parent));
        // In a circle of tables nothing may have been inserted, since everything waited for the rest.
        let loaded = |at: &TableIndex| outcomes.iter().any(|outcome| *outcome.table == *session.table_at(*at).name);
        let circle = family.len() > 1 && family.iter().any(loaded);
        if !circle && !family.iter().any(refers) {
            continue;
        }
        let circular = is_circular(session, &family);
        let pardoned = if circular {
            claims_to_come(session, writer.read(), &family, None, OnConflict::Reject)?
        } else {
            HashSet::new()
        };
        // What this command itself rejected was held against parents that were loaded before: but not in a circle, nor where
        // another source of the same table brought them, nor where they were released themselves just now.
        let late = |at: &TableIndex| {
            let mut keys = session.table_at(*at).schema.foreign_keys.iter();
            keys.any(|key| released.iter().any(|outcome| *outcome.table == *key.parent))
        };
        let loaded = outcomes.iter().filter(|outcome| outcome.state != LoadState::Known).map(|outcome| outcome.load_id);
        let before = if circular || family.iter().any(late) { None } else { loaded.min() };
        let outcome = match release_family(session, writer, &family, before, &pardoned) {
            // Another process has released them meanwhile.
            Err(Error::Target(error)) if error.kind == TargetErrorKind::Overtaken && writer.commits_each() => continue,
            outcome => outcome?,
        };
        grown.extend(outcome.iter().map(|outcome| outcome.table.clone()));
        released.extend(outcome);
    }
    Ok(released)
}

/// Whether the tables of a family refer to themselves or to each other in a circle.
pub(super) fn is_circular(session: &LoadSession<'_>, family: &[TableIndex]) -> bool {
    let own = |at: &TableIndex| {
        let table = session.table_at(*at);
        table.schema.foreign_keys.iter().any(|key| key.parent == table.name)
    };
    family.len() > 1 || family.iter().any(own)
}

/// One transaction for all tables of a family, since their rows may need each other.
fn release_family(
    session: &LoadSession<'_>,
    writer: &mut ChunkWriter<'_>,
    family: &[TableIndex],
    before_load: Option<LoadId>,
    pardoned: &HashSet<KeyClaim>,
) -> Result<Vec<LoadOutcome>> {
    let mut waiting = Vec::new();
    for &position in family {
        let table = Some(session.table_at(position).name.to_string());
        let earlier = LoadFilter { table: table.clone(), before: before_load, limit: Some(1), ..LoadFilter::default() };
        if writer.read().find_loads(&earlier)?.is_empty() {
            continue;
        }
        let filter = RejectFilter { table, before_load, waiting: true, ..RejectFilter::default() };
        waiting.push((position, reject_ids(writer.read(), &filter)?));
    }
    if waiting.iter().all(|(_, numbers)| numbers.is_empty()) {
        return Ok(Vec::new());
    }
    // Rows that need each other come one after the other, so that the parents are held when all are there.
    writer.write_chunk(Fence::Pipeline, Pace::InStep, |transaction| {
        let mut outcomes = Vec::new();
        let mut trials = Vec::new();
        for (position, numbers) in waiting {
            let mut trial = RecordTrial::new(session, &*transaction, position, OnConflict::Reject);
            trial.pardoned.clone_from(pardoned);
            outcomes.extend(release_passing(session, transaction, session.table_at(position), &mut trial, &numbers)?);
            trials.push(trial);
        }
        trials.iter_mut().try_for_each(|trial| trial.hold_parents(transaction))?;
        Ok((outcomes, MoreChunks::No))
    })
}

/// Releases those of the rejects `numbers` that pass now; the outcome where there was one.
fn release_passing(
    session: &LoadSession<'_>,
    transaction: &mut dyn Transaction,
    table: &Table,
    trial: &mut RecordTrial<'_>,
    numbers: &[RejectId],
) -> Result<Option<LoadOutcome>> {
    let started = Instant::now();
    let mut entry = LoadEntry::new(&table.name, QUARANTINE, Mode::Retry, OnConflict::Reject);
    let mut reasons = ReasonCounts::default();
    for &id in numbers {
        let Some(reject) = open(&*transaction, id)? else { continue };
        let verdict = try_as_is(session, transaction, trial, &reject)?;
        // As long as a parent is missing it waits on, whatever else stands against it by now.
        let orphan = |errors: &[CellError]| errors.iter().any(|error| error.code == ErrorCode::ForeignKey);
        if matches!(&verdict, TrialVerdict::Rejected(errors) if orphan(errors)) {
            continue;
        }
        if !entry.id.is_stored() {
            entry.id = transaction.add_load(&entry)?;
        }
        record_verdict(transaction, entry.id, &reject, &verdict, None, &mut entry.counts, &mut reasons)?;
    }
    if !entry.id.is_stored() {
        return Ok(None);
    }
    complete_retry(transaction, &mut entry, started)?;
    Ok(Some(retry_outcome(&entry, &reasons)))
}

/// Notes in quarantine and counts what became of a reject that `load` tried.
pub(super) fn record_verdict(
    transaction: &mut dyn Transaction,
    load: LoadId,
    reject: &Reject,
    verdict: &TrialVerdict,
    mended: Option<&[u8]>,
    counts: &mut Counts,
    reasons: &mut ReasonCounts,
) -> Result<()> {
    counts.read += 1;
    match verdict {
        TrialVerdict::Inserted => counts.inserted += 1,
        TrialVerdict::Updated => counts.updated += 1,
        TrialVerdict::Unchanged => counts.unchanged += 1,
        TrialVerdict::Rejected(errors) => {
            counts.rejected += 1;
            reasons.count_errors(errors);
            return transaction.retry_failed(reject.id, load, errors, mended);
        }
    }
    transaction.release_reject(reject.id, load, mended)
}

/// Brings the ledger's entry of a retry to its end.
pub(super) fn complete_retry(transaction: &mut dyn Transaction, entry: &mut LoadEntry, started: Instant) -> Result<()> {
    entry.state = LoadState::Complete;
    entry.changed_at = timestamp::now_utc();
    entry.seconds = started.elapsed().as_secs_f64();
    transaction.save_load(entry, 0)
}

/// The outcome of a retry.
pub(super) fn retry_outcome(entry: &LoadEntry, reasons: &ReasonCounts) -> LoadOutcome {
    LoadOutcome { reasons: reasons.ranked_reasons(), ..LoadOutcome::from_entry(entry) }
}
