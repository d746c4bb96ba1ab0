//! Requests that are taken in together.

use std::{
    collections::{BTreeMap, HashSet},
    time::Instant,
};

use landfall_core::{
    batches::concat_batches,
    validate::{FieldPresence, RecordPositions, RejectedRecord, ValidatedBlock},
};

use super::{
    super::{
        LoadOptions, LoadOutcome, Silent,
        adopt::release_waiting,
        chunk::hold_parents,
        judge::BlockJudge,
        keys::Keys,
        load::Session,
        resolve::{record_of, resolve},
        writer::Writer,
    },
    RowsLoad, RowsOutcome, RowsRequest,
    account::{Merged, Slot, Stretch},
    answers::{RowsAnswer, document, stored},
    own_parents::settle_own_parents,
    rules::{RowPart, RowRules},
};
use crate::{
    document::NewDocument,
    error::{Error, Result, TargetErrorKind},
    ledger::{Counts, LoadEntry, LoadId, LoadState, Mode, OnConflict, Position},
    quarantine::NewReject,
    targets::{Fence, Pace, Table, Target, Transaction},
};

/// How often requests are begun anew after another process was in the way.
const MOST_ATTEMPTS: u32 = 8;

/// Takes in `requests`, in this order; the answer to each. Those that can share a transaction do. Rejects of the quarantine whose
/// parents came are released afterwards.
///
/// # Errors
/// What stops one of them. Those before it may have committed; under a key, asking again is safe.
pub fn take_rows(target: &mut dyn Target, rules: &RowRules, requests: &[RowsRequest]) -> Result<Vec<RowsAnswer>> {
    let mut answers = Vec::with_capacity(requests.len());
    let mut rest = requests;
    while let Some(first) = rest.first() {
        let together = |other: &RowsRequest| shares(first) && shares(other) && first.on_conflict == other.on_conflict;
        let count = 1 + rest[1..].iter().take_while(|other| together(other)).count();
        let (group, later) = rest.split_at(count);
        answers.extend(take_group(target, rules, &group.iter().collect::<Vec<_>>())?);
        rest = later;
    }
    Ok(answers)
}

/// Whether a request may share a transaction with others.
const fn shares(request: &RowsRequest) -> bool {
    !request.atomic && !request.dry_run
}

fn take_group(target: &mut dyn Target, rules: &RowRules, requests: &[&RowsRequest]) -> Result<Vec<RowsAnswer>> {
    let mut attempt = 1;
    loop {
        match attempt_group(target, rules, requests, attempt == 1) {
            Err(Error::Target(error)) if in_the_way(error.kind) && attempt < MOST_ATTEMPTS => {
                tracing::debug!(%error, attempt, "requests for rows are begun anew");
                positions(requests).for_each(|position| rules.trust.lose(position));
                attempt += 1;
            }
            Err(error) => return Err(error),
            Ok(answers) => {
                release(target, rules, &answers);
                return Ok(answers);
            }
        }
    }
}

/// The positions of the tables that have rows in `requests`.
fn positions<'r>(requests: &'r [&RowsRequest]) -> impl Iterator<Item = usize> + 'r {
    requests.iter().flat_map(|request| request.batches.iter().map(|batch| batch.position))
}

/// Whether an error of `kind` says that another process was there first: nothing stayed, and what it left is read afresh.
const fn in_the_way(kind: TargetErrorKind) -> bool {
    matches!(
        kind,
        TargetErrorKind::Again | TargetErrorKind::Constraint | TargetErrorKind::Overtaken | TargetErrorKind::Locked
    )
}

fn attempt_group(
    target: &mut dyn Target,
    rules: &RowRules,
    requests: &[&RowsRequest],
    may_trust: bool,
) -> Result<Vec<RowsAnswer>> {
    let fence = match requests[0].on_conflict {
        OnConflict::Update => Fence::Database,
        _ => Fence::Pipeline,
    };
    let mut transaction = target.transaction(fence, Pace::InStep)?;
    let mut answers = stored(&*transaction, requests)?;
    let open: Vec<&RowsRequest> =
        requests.iter().zip(&answers).filter(|(_, answer)| answer.is_none()).map(|(request, _)| *request).collect();
    if open.is_empty() {
        return Ok(answers.into_iter().flatten().collect());
    }
    let begun = Instant::now();
    let slots = Slots::of(&open);
    let mut booked = vec![Slot::default(); slots.0.len()];
    for position in slots.tables(rules) {
        let trusting = may_trust && rules.trust.is_given(position);
        let taking = Taking { rules, position, slots: &slots, on_conflict: requests[0].on_conflict, trusting };
        taking.run(&mut *transaction, &mut booked)?;
        rules.trust.regain(position);
    }
    let rolled_back = open[0].atomic && booked.iter().any(|slot| slot.counts.rejected > 0);
    if rolled_back {
        drop(transaction);
        booked.iter_mut().for_each(roll_back);
        transaction = target.transaction(Fence::Pipeline, Pace::InStep)?;
        // Meanwhile another process may have answered.
        if let Some(answer) = stored(&*transaction, &open)?.pop().flatten() {
            return Ok(vec![answer]);
        }
    }
    booked.iter_mut().for_each(|slot| slot.bound_rejects(rules.rejected_record_bytes));
    let dry_run = open[0].dry_run;
    let bytes: u64 = booked.iter().map(Slot::reject_bytes).sum();
    if !dry_run && bytes > 0 && !rules.room.has(&*transaction, bytes)? {
        drop(transaction);
        return take_sound_ones(target, rules, requests, &slots.requests_with_rejects(&booked));
    }
    let seconds = begun.elapsed().as_secs_f64();
    let outcomes = enter(&mut *transaction, rules, &slots, &open, booked, rolled_back, seconds)?;
    let documents: Vec<NewDocument> =
        open.iter().zip(&outcomes).filter_map(|(request, outcome)| document(request, outcome)).collect();
    if !dry_run {
        transaction.add_documents(&documents)?;
        transaction.commit()?;
        rules.room.take(bytes);
    }
    let mut outcomes = outcomes.into_iter();
    for answer in &mut answers {
        if answer.is_none() {
            *answer = outcomes.next().map(RowsAnswer::Done);
        }
    }
    Ok(answers.into_iter().flatten().collect())
}

/// Takes in those of `requests` that are not among `refused`, whose rejects nothing has room for.
fn take_sound_ones(
    target: &mut dyn Target,
    rules: &RowRules,
    requests: &[&RowsRequest],
    refused: &[&RowsRequest],
) -> Result<Vec<RowsAnswer>> {
    // What was learned of their rows is not true.
    positions(requests).for_each(|position| rules.trust.lose(position));
    let is_refused = |request: &RowsRequest| refused.iter().any(|other| std::ptr::eq(*other, request));
    let rest: Vec<&RowsRequest> = requests.iter().copied().filter(|request| !is_refused(request)).collect();
    let taken = if rest.is_empty() { Vec::new() } else { attempt_group(target, rules, &rest, false)? };
    let mut taken = taken.into_iter();
    let answer = |request: &&RowsRequest| {
        if is_refused(request) { Some(RowsAnswer::QuarantineFull) } else { taken.next() }
    };
    Ok(requests.iter().filter_map(answer).collect())
}

/// For each batch of each request its request and its place among its batches.
struct Slots<'r>(Vec<(usize, &'r RowsRequest, usize)>);

impl<'r> Slots<'r> {
    fn of(requests: &[&'r RowsRequest]) -> Self {
        let of_request = |(at, request): (usize, &&'r RowsRequest)| {
            (0..request.batches.len()).map(|batch| (at, *request, batch)).collect::<Vec<_>>()
        };
        Self(requests.iter().enumerate().flat_map(of_request).collect())
    }

    /// The requests that have rejects.
    fn requests_with_rejects(&self, booked: &[Slot]) -> Vec<&'r RowsRequest> {
        let with_rejects = self.0.iter().zip(booked).filter(|(_, slot)| !slot.rejects.is_empty());
        with_rejects.map(|((_, request, _), _)| *request).collect()
    }

    fn position(&self, slot: usize) -> usize {
        let (_, request, batch) = self.0[slot];
        request.batches[batch].position
    }

    /// The positions of the tables that have rows, parents first.
    fn tables(&self, rules: &RowRules) -> Vec<usize> {
        let wanted: HashSet<usize> = (0..self.0.len()).map(|slot| self.position(slot)).collect();
        rules.project.package.load_order().into_iter().flatten().filter(|position| wanted.contains(position)).collect()
    }

    /// The parts of the rows for the table at `position`, each with its slot.
    fn parts(&self, position: usize) -> Vec<(usize, &'r RowPart)> {
        let slots = (0..self.0.len()).filter(|&slot| self.position(slot) == position);
        let parts = slots.flat_map(|slot| {
            let (_, request, batch) = self.0[slot];
            request.batches[batch].parts.iter().map(move |part| (slot, part))
        });
        parts.filter(|(_, part)| !part.records.is_empty()).collect()
    }
}

/// The rows for one table, on their way in.
struct Taking<'t> {
    rules: &'t RowRules,
    position: usize,
    slots: &'t Slots<'t>,
    on_conflict: OnConflict,
    /// Whether rows are taken for new without a question.
    trusting: bool,
}

impl Taking<'_> {
    fn run(&self, transaction: &mut dyn Transaction, booked: &mut [Slot]) -> Result<()> {
        let &Self { rules, position, slots, on_conflict, trusting } = self;
        let parts = slots.parts(position);
        for (slot, part) in &parts {
            booked[*slot].counts.read += part.records.len() as u64;
        }
        let Some((mut validated, stretches)) = merged(&parts) else { return Ok(()) };
        let table = &rules.tables[position];
        if on_conflict == OnConflict::Update {
            validated = validated.admit_updates(&table.schema);
        }
        // A row that may only change another is none to be taken for new.
        let trusting = trusting && validated.lacking.is_empty();
        let rejected = std::mem::take(&mut validated.rejects);
        let mut keys = Keys::fresh(table, &rules.tables, &*transaction);
        if trusting {
            rules.trust.lend(position, &mut keys);
        }
        let mut account =
            Merged { transaction, on_conflict, validated: &validated, stretches: &stretches, slots: booked };
        let mut judge = BlockJudge::new(&mut account, table, &validated);
        judge.learn(&mut keys, trusting)?;
        resolve(&mut keys, &validated, rejected, on_conflict, &mut judge)?;
        judge.finish()?;
        if keys.refers_to_itself() {
            settle_own_parents(&mut account, table, &mut keys, &rules.tables)?;
        }
        hold_parents(account.transaction, &mut keys)?;
        rules.trust.take_back(position, &mut keys);
        Ok(())
    }
}

/// The parts as one block, and where each part begins. None where there are none.
fn merged<'g>(parts: &[(usize, &'g RowPart)]) -> Option<(ValidatedBlock, Vec<Stretch<'g>>)> {
    let (mut stretches, mut rejected, mut positions) = (Vec::new(), Vec::new(), Vec::new());
    let mut first = 0_u32;
    for (slot, part) in parts {
        stretches.push(Stretch { slot: *slot, first, part });
        let rows = part.validated.rows.num_rows();
        positions.extend((0..rows).map(|row| first + record_of(&part.validated.row_records, row)));
        let moved =
            |reject: &RejectedRecord| RejectedRecord { record: first + reject.record, errors: reject.errors.clone() };
        rejected.extend(part.validated.rejects.iter().map(moved));
        first += u32::try_from(part.records.len()).unwrap_or(u32::MAX);
    }
    let (_, one) = parts.first()?;
    let presences: Vec<_> = parts.iter().map(|(_, part)| (&part.validated.presence, part.records.len())).collect();
    let schema = one.validated.rows.schema();
    let join = |of_part: fn(&ValidatedBlock) -> &arrow_array::RecordBatch| {
        let batches: Vec<_> = parts.iter().map(|(_, part)| of_part(&part.validated)).collect();
        concat_batches(&schema, &batches)
    };
    let validated = ValidatedBlock {
        rows: join(|validated| &validated.rows),
        row_records: RecordPositions::Some(positions),
        rejects: rejected,
        rejected_rows: join(|validated| &validated.rejected_rows),
        presence: FieldPresence::concat_blocks(&presences, schema.fields().len()),
        lacking: Vec::new(),
    };
    Some((validated, stretches))
}

/// What is booked of rows that were taken back.
fn roll_back(slot: &mut Slot) {
    slot.counts = Counts { read: slot.counts.read, rejected: slot.counts.read, ..Counts::default() };
}

/// Enters the loads in the ledger and their rejects in the quarantine; the outcome of each request.
fn enter(
    transaction: &mut dyn Transaction,
    rules: &RowRules,
    slots: &Slots<'_>,
    requests: &[&RowsRequest],
    booked: Vec<Slot>,
    rolled_back: bool,
    seconds: f64,
) -> Result<Vec<RowsOutcome>> {
    let dry_run = requests[0].dry_run;
    let entries: Vec<LoadEntry> =
        (0..booked.len()).map(|slot| entry(rules, slots, slot, booked[slot].counts, rolled_back, seconds)).collect();
    let numbers = if dry_run { Vec::new() } else { transaction.add_ended_loads(&entries)? };
    let mut outcomes: BTreeMap<usize, RowsOutcome> = BTreeMap::new();
    for (slot, Slot { counts, rejects }) in booked.into_iter().enumerate() {
        let load = numbers.get(slot).copied();
        let table = &rules.tables[slots.position(slot)];
        if let Some(load) = load.filter(|_| !rejects.is_empty()) {
            transaction.add_rejects(load, table, &rejects)?;
        }
        let outcome = outcomes.entry(slots.0[slot].0);
        let outcome = outcome.or_insert_with(|| RowsOutcome { loads: Vec::new(), rolled_back });
        outcome.loads.push(RowsLoad { load, table: table.name.to_string(), counts, errors: errors(rejects) });
    }
    Ok(outcomes.into_values().collect())
}

fn errors(rejects: Vec<NewReject>) -> Vec<(u64, landfall_core::reject::CellError)> {
    let of_reject = |reject: NewReject| reject.errors.into_iter().map(move |error| (reject.record - 1, error));
    rejects.into_iter().flat_map(of_reject).collect()
}

fn entry(
    rules: &RowRules,
    slots: &Slots<'_>,
    slot: usize,
    counts: Counts,
    rolled_back: bool,
    seconds: f64,
) -> LoadEntry {
    let (_, request, batch) = slots.0[slot];
    let batch = &request.batches[batch];
    let entry = LoadEntry::new(&rules.tables[batch.position].name, &request.source, Mode::Rows, request.on_conflict);
    LoadEntry {
        rules: rules.digest(batch.position).to_owned(),
        layout: batch.layout.to_string(),
        state: if rolled_back { LoadState::RolledBack } else { LoadState::Complete },
        counts,
        position: Position { offset: batch.bytes, lines: 0 },
        seconds,
        ..entry
    }
}

/// Releases rejects that waited for the rows that came. The rows are there whatever becomes of that: the next load or request
/// tries again.
fn release(target: &mut dyn Target, rules: &RowRules, answers: &[RowsAnswer]) {
    let project = &*rules.project;
    let has_children = |table: &Table| {
        let refers = |other: &Table| other.schema.foreign_keys.iter().any(|key| key.parent == table.name);
        rules.tables.iter().any(refers)
    };
    let (mut outcomes, mut grown) = (Vec::new(), HashSet::new());
    for answer in answers {
        let RowsAnswer::Done(outcome) = answer else { continue };
        for load in outcome.loads.iter().filter(|load| load.counts.inserted > 0) {
            let table = rules.tables.iter().find(|table| *table.name == *load.table);
            if let (Some(number), true) = (load.load, table.is_some_and(has_children)) {
                grown.insert(load.table.clone());
                outcomes.push(loaded(number, load));
            }
        }
    }
    if grown.is_empty() {
        return;
    }
    let options = LoadOptions::default();
    let session = Session { project, tables: &rules.tables, options: &options, observer: &Silent };
    if let Err(error) = release_waiting(&session, &mut Writer::Each(target), &outcomes, grown) {
        tracing::warn!(%error, "rejects whose parents came were not released; the next load tries again");
    }
}

fn loaded(load_id: LoadId, load: &RowsLoad) -> LoadOutcome {
    let entry = LoadEntry::new(&load.table, "", Mode::Rows, OnConflict::Reject);
    LoadOutcome::of(&LoadEntry { id: load_id, state: LoadState::Complete, counts: load.counts, ..entry })
}
