//! Requests that are taken in together.

use std::{
    collections::{BTreeMap, HashSet},
    time::Instant,
};

use landfall_core::{
    batches::concat_batches,
    schema::TableIndex,
    validate::{FieldPresence, RecordPositions, RejectedRecord, ValidatedBlock},
};

use super::{
    super::{
        LoadOptions, LoadOutcome, SilentObserver,
        adopt::release_waiting,
        chunk::hold_parents,
        judge::BlockJudge,
        keys::TableKeys,
        load::LoadSession,
        resolve::{record_of_row, resolve_keys},
        writer::ChunkWriter,
    },
    RowsLoad, RowsOutcome, RowsRequest,
    account::{MergedAccount, RequestRows, RowsSlot},
    answers::{RowsAnswer, find_stored_answers, new_answer_document},
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
        // One conflict rule for all: the fence of the transaction and the keys depend on it.
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
                // Rows were taken for new, or parents for there, and another process knows better.
                table_positions(requests).for_each(|position| rules.trust.lose_trust(position));
                attempt += 1;
            }
            Err(error) => return Err(error),
            Ok(answers) => {
                release_after_rows(target, rules, &answers);
                return Ok(answers);
            }
        }
    }
}

/// The positions of the tables that have rows in `requests`.
fn table_positions<'r>(requests: &'r [&RowsRequest]) -> impl Iterator<Item = TableIndex> + 'r {
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
    let fence = Fence::for_conflicts(requests[0].on_conflict);
    let mut transaction = target.begin_transaction(fence, Pace::InStep)?;
    let mut answers = find_stored_answers(&*transaction, requests)?;
    let open: Vec<&RowsRequest> =
        requests.iter().zip(&answers).filter(|(_, answer)| answer.is_none()).map(|(request, _)| *request).collect();
    if open.is_empty() {
        return Ok(answers.into_iter().flatten().collect());
    }
    let begun = Instant::now();
    let slots = RequestSlots::from_requests(&open);
    let mut booked = vec![RowsSlot::default(); slots.0.len()];
    for position in slots.ordered_tables(rules) {
        let trusting = may_trust && rules.trust.is_trusted(position);
        let taking = TableTaking { rules, position, slots: &slots, on_conflict: requests[0].on_conflict, trusting };
        taking.run(&mut *transaction, &mut booked)?;
        rules.trust.note_close_look(position);
    }
    // An atomic request is alone in its group: see `shares`.
    let rolled_back = open[0].atomic && booked.iter().any(|slot| slot.counts.rejected > 0);
    if rolled_back {
        drop(transaction);
        booked.iter_mut().for_each(roll_back_slot);
        // A new one for the ledger alone: it has to show the request, although its rows are taken back.
        transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep)?;
        // Meanwhile another process may have answered.
        if let Some(answer) = find_stored_answers(&*transaction, &open)?.pop().flatten() {
            return Ok(vec![answer]);
        }
    }
    booked.iter_mut().for_each(|slot| slot.bound_rejects(rules.rejected_record_bytes));
    let dry_run = open[0].dry_run;
    let bytes: u64 = booked.iter().map(RowsSlot::reject_bytes).sum();
    // A request whose rejects nothing has room for is refused as a whole: no rejected row may be lost.
    if !dry_run && bytes > 0 && !rules.room.has_room(&*transaction, bytes)? {
        drop(transaction);
        return take_sound_ones(target, rules, requests, &slots.requests_with_rejects(&booked));
    }
    let seconds = begun.elapsed().as_secs_f64();
    let outcomes = enter_loads(&mut *transaction, rules, &slots, &open, booked, rolled_back, seconds)?;
    let documents: Vec<NewDocument> =
        open.iter().zip(&outcomes).filter_map(|(request, outcome)| new_answer_document(request, outcome)).collect();
    if !dry_run {
        // With the rows: if the process dies here, either both are there or neither.
        transaction.add_documents(&documents)?;
        transaction.commit_now()?;
        // Only what was committed takes room.
        rules.room.take_room(bytes);
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
    table_positions(requests).for_each(|position| rules.trust.lose_trust(position));
    let is_refused = |request: &RowsRequest| refused.iter().any(|other| std::ptr::eq(*other, request));
    let rest: Vec<&RowsRequest> = requests.iter().copied().filter(|request| !is_refused(request)).collect();
    // Without trust: keys of the refused rows were learned, and those rows are not there.
    let taken = if rest.is_empty() { Vec::new() } else { attempt_group(target, rules, &rest, false)? };
    let mut taken = taken.into_iter();
    let answer = |request: &&RowsRequest| {
        if is_refused(request) { Some(RowsAnswer::QuarantineFull) } else { taken.next() }
    };
    Ok(requests.iter().filter_map(answer).collect())
}

/// For each batch of each request its request and its place among its batches.
struct RequestSlots<'r>(Vec<(usize, &'r RowsRequest, usize)>);

impl<'r> RequestSlots<'r> {
    fn from_requests(requests: &[&'r RowsRequest]) -> Self {
        let of_request = |(at, request): (usize, &&'r RowsRequest)| {
            (0..request.batches.len()).map(|batch| (at, *request, batch)).collect::<Vec<_>>()
        };
        Self(requests.iter().enumerate().flat_map(of_request).collect())
    }

    /// The requests that have rejects.
    fn requests_with_rejects(&self, booked: &[RowsSlot]) -> Vec<&'r RowsRequest> {
        let with_rejects = self.0.iter().zip(booked).filter(|(_, slot)| !slot.rejects.is_empty());
        with_rejects.map(|((_, request, _), _)| *request).collect()
    }

    fn table_of_slot(&self, slot: usize) -> TableIndex {
        let (_, request, batch) = self.0[slot];
        request.batches[batch].position
    }

    /// The positions of the tables that have rows, parents first.
    fn ordered_tables(&self, rules: &RowRules) -> Vec<TableIndex> {
        let wanted: HashSet<TableIndex> = (0..self.0.len()).map(|slot| self.table_of_slot(slot)).collect();
        // By the data package and not by the request, so that children find parents of the same request.
        rules.project.package.load_order().into_iter().flatten().filter(|position| wanted.contains(position)).collect()
    }

    /// The parts of the rows for the table at `table_of_slot`, each with its slot.
    fn parts_of_table(&self, position: TableIndex) -> Vec<(usize, &'r RowPart)> {
        let slots = (0..self.0.len()).filter(|&slot| self.table_of_slot(slot) == position);
        let parts = slots.flat_map(|slot| {
            let (_, request, batch) = self.0[slot];
            request.batches[batch].parts.iter().map(move |part| (slot, part))
        });
        parts.filter(|(_, part)| !part.records.is_empty()).collect()
    }
}

/// The rows for one table, on their way in.
struct TableTaking<'t> {
    rules: &'t RowRules,
    position: TableIndex,
    slots: &'t RequestSlots<'t>,
    on_conflict: OnConflict,
    /// Whether rows are taken for new without a question.
    trusting: bool,
}

impl TableTaking<'_> {
    fn run(&self, transaction: &mut dyn Transaction, booked: &mut [RowsSlot]) -> Result<()> {
        let &Self { rules, position, slots, on_conflict, trusting } = self;
        let parts = slots.parts_of_table(position);
        for (slot, part) in &parts {
            booked[*slot].counts.read += part.records.len() as u64;
        }
        let Some((mut validated, stretches)) = merge_parts(&parts) else { return Ok(()) };
        let table = rules.table_at(position);
        if on_conflict == OnConflict::Update {
            validated = validated.admit_updates(&table.schema);
        }
        // A row that may only change another is none to be taken for new.
        let trusting = trusting && validated.lacking.is_empty();
        let rejected = std::mem::take(&mut validated.rejects);
        let mut keys = TableKeys::for_new_rows(table, &rules.tables, &*transaction);
        if trusting {
            rules.trust.lend_parents(position, &mut keys);
        }
        let mut account =
            MergedAccount { transaction, on_conflict, validated: &validated, stretches: &stretches, slots: booked };
        let mut judge = BlockJudge::new(&mut account, table, &validated);
        judge.learn_block(&mut keys, trusting)?;
        resolve_keys(&mut keys, &validated, rejected, on_conflict, &mut judge)?;
        judge.finish_block()?;
        if keys.refers_to_itself() {
            // After all rows: only now it is known which parents come later in the same group.
            settle_own_parents(&mut account, table, &mut keys, &rules.tables)?;
        }
        hold_parents(account.transaction, &mut keys)?;
        rules.trust.take_back_parents(position, &mut keys);
        Ok(())
    }
}

/// The parts as one block, and where each part begins. None where there are none.
fn merge_parts<'g>(parts: &[(usize, &'g RowPart)]) -> Option<(ValidatedBlock, Vec<RequestRows<'g>>)> {
    let (mut stretches, mut rejected, mut positions) = (Vec::new(), Vec::new(), Vec::new());
    let mut first = 0_u32;
    for (slot, part) in parts {
        stretches.push(RequestRows { slot: *slot, first, part });
        let rows = part.validated.rows.num_rows();
        positions.extend((0..rows).map(|row| first + record_of_row(&part.validated.row_records, row)));
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
        // `admit_updates` fills it, once the rows are one block.
        lacking: Vec::new(),
    };
    Some((validated, stretches))
}

/// What is booked of rows that were taken back.
fn roll_back_slot(slot: &mut RowsSlot) {
    slot.counts = Counts { read: slot.counts.read, rejected: slot.counts.read, ..Counts::default() };
}

/// Enters the loads in the ledger and their rejects in the quarantine; the outcome of each request.
fn enter_loads(
    transaction: &mut dyn Transaction,
    rules: &RowRules,
    slots: &RequestSlots<'_>,
    requests: &[&RowsRequest],
    booked: Vec<RowsSlot>,
    rolled_back: bool,
    seconds: f64,
) -> Result<Vec<RowsOutcome>> {
    let dry_run = requests[0].dry_run;
    let entries: Vec<LoadEntry> = (0..booked.len())
        .map(|slot| new_entry(rules, slots, slot, booked[slot].counts, rolled_back, seconds))
        .collect();
    let numbers = if dry_run { Vec::new() } else { transaction.add_ended_loads(&entries)? };
    // By request: the answers are handed out in the order of the requests.
    let mut outcomes: BTreeMap<usize, RowsOutcome> = BTreeMap::new();
    for (slot, RowsSlot { counts, rejects }) in booked.into_iter().enumerate() {
        let load = numbers.get(slot).copied();
        let table = rules.table_at(slots.table_of_slot(slot));
        if let Some(load) = load.filter(|_| !rejects.is_empty()) {
            transaction.add_rejects(load, table, &rejects)?;
        }
        let outcome = outcomes.entry(slots.0[slot].0);
        let outcome = outcome.or_insert_with(|| RowsOutcome { loads: Vec::new(), rolled_back });
        outcome.loads.push(RowsLoad { load, table: table.name.to_string(), counts, errors: cell_errors(rejects) });
    }
    Ok(outcomes.into_values().collect())
}

fn cell_errors(rejects: Vec<NewReject>) -> Vec<(u64, landfall_core::reject::CellError)> {
    let of_reject = |reject: NewReject| reject.errors.into_iter().map(move |error| (reject.record - 1, error));
    rejects.into_iter().flat_map(of_reject).collect()
}

fn new_entry(
    rules: &RowRules,
    slots: &RequestSlots<'_>,
    slot: usize,
    counts: Counts,
    rolled_back: bool,
    seconds: f64,
) -> LoadEntry {
    let (_, request, batch) = slots.0[slot];
    let batch = &request.batches[batch];
    let entry = LoadEntry::new(&rules.table_at(batch.position).name, &request.source, Mode::Rows, request.on_conflict);
    LoadEntry {
        rules: rules.rules_digest(batch.position).to_owned(),
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
fn release_after_rows(target: &mut dyn Target, rules: &RowRules, answers: &[RowsAnswer]) {
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
                outcomes.push(load_outcome(number, load));
            }
        }
    }
    if grown.is_empty() {
        return;
    }
    let options = LoadOptions::default();
    let session = LoadSession { project, tables: &rules.tables, options: &options, observer: &SilentObserver };
    if let Err(error) = release_waiting(&session, &mut ChunkWriter::Each(target), &outcomes, grown) {
        tracing::warn!(%error, "rejects whose parents came were not released; the next load tries again");
    }
}

fn load_outcome(load_id: LoadId, load: &RowsLoad) -> LoadOutcome {
    let entry = LoadEntry::new(&load.table, "", Mode::Rows, OnConflict::Reject);
    LoadOutcome::from_entry(&LoadEntry { id: load_id, state: LoadState::Complete, counts: load.counts, ..entry })
}
