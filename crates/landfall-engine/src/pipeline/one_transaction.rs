//! Loads in one transaction, which others see only once it is whole: those that replace tables, that are all or nothing, and dry runs.

use std::collections::HashSet;

use landfall_core::reject::ErrorCode;

use super::{
    LoadOptions, LoadOutcome, RejectReason,
    adopt::release_waiting,
    chunk::store_reject,
    command::{following, grown_tables},
    knowledge::LoadPurpose,
    load::{LoadSession, load_source},
    plan::LoadStep,
    replace::{EmptiedTables, ReplaceRefusal, check_children, empty_tables, known_replace},
    spill::RejectSpill,
    staging::{find_ancestors, is_in_circle},
    writer::ChunkWriter,
};
use crate::{
    error::Result,
    ledger::{Counts, LoadEntry, LoadId, LoadState, Mode, OnConflict},
    quarantine::{ClosedRejects, ClosingRule, RejectFilter},
    source::{Source, digest_source},
    targets::{Fence, Pace, Target, TargetRead},
};

/// A load with its ledger entry and its source.
type LoadedSource = (LoadEntry, LoadOutcome, Source);

/// Whether a dry run of `steps` can be a real one that is rolled back: the tables are there, and none need be made.
pub(super) fn can_roll_back(session: &LoadSession<'_>, read: &dyn TargetRead, steps: &[LoadStep]) -> Result<bool> {
    for step in steps {
        for at in find_ancestors(session, step.position) {
            if !read.has_table(session.table_at(at))? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// All of it in one transaction.
pub(super) fn load_in_one_transaction(
    session: &LoadSession<'_>,
    target: &mut dyn Target,
    steps: &[LoadStep],
) -> Result<Vec<LoadOutcome>> {
    prepare_tables(session, target)?;
    let mut spill = RejectSpill::new()?;
    let mut ended = attempt_loads(session, target, steps, &mut spill, true)?;
    if matches!(ended, TransactionEnd::Stopped { anew: true, .. }) {
        // While tables are made anew, records whose keys may have occurred before are judged late: their reasons stand in the
        // quarantine of the transaction alone, which is gone.
        spill = RejectSpill::new()?;
        ended = attempt_loads(session, target, steps, &mut spill, false)?;
    }
    match ended {
        TransactionEnd::Done(outcomes) => Ok(outcomes),
        TransactionEnd::Stopped { loads, .. } if session.options.dry_run => {
            Ok(loads.into_iter().map(|(_, outcome, _)| undo_outcome(without_number(outcome))).collect())
        }
        TransactionEnd::Stopped { loads, .. } => write_rolled_back(session, target, loads, spill),
    }
}

/// Makes the tables that are missing; in a dry run those that are needed are there.
fn prepare_tables(session: &LoadSession<'_>, target: &mut dyn Target) -> Result<()> {
    if !session.options.dry_run {
        // Not within the transaction: in MySQL, a statement that makes a table would commit it.
        return target.prepare_tables(session.tables);
    }
    Ok(())
}

/// How loads in one transaction ended.
enum TransactionEnd {
    /// All of them were read; they were committed, unless it was a dry run.
    Done(Vec<LoadOutcome>),
    /// Nothing of them was kept.
    Stopped {
        loads: Vec<LoadedSource>,
        /// Whether tables were made anew.
        anew: bool,
    },
}

/// Loads through one transaction, and commits it where nothing stands against that.
fn attempt_loads(
    session: &LoadSession<'_>,
    target: &mut dyn Target,
    steps: &[LoadStep],
    spill: &mut RejectSpill,
    may_make_anew: bool,
) -> Result<TransactionEnd> {
    let options = session.options;
    let mut writer =
        ChunkWriter::Whole(target.begin_transaction(Fence::for_conflicts(options.on_conflict), Pace::InStep)?);
    let replaces = options.mode == Mode::Replace;
    let known = |step| if replaces { known_replace(session, &writer, step) } else { Ok(None) };
    // Before anything is emptied: a table that holds just its sources already keeps its rows.
    let known: Vec<_> = steps.iter().map(known).collect::<Result<_>>()?;
    let loaded: Vec<&LoadStep> =
        steps.iter().zip(&known).filter(|(_, known)| known.is_none()).map(|(step, _)| step).collect();
    let emptied = match replaces {
        true => empty_tables(session, &mut writer, &loaded, may_make_anew)?,
        false => EmptiedTables::default(),
    };
    let (mut loads, stopped) = load_steps(session, &mut writer, steps, known, spill)?;
    note_removed(session, &mut loads, &loaded, &emptied);
    let mut outcomes: Vec<LoadOutcome> = loads.iter().map(|(_, outcome, _)| outcome.clone()).collect();
    let takes_over = replaces && options.on_conflict != OnConflict::Update;
    if takes_over && !stopped && loaded.iter().any(|step| is_in_circle(session, step.position)) {
        // Rows that name each other wait for each other, and nobody is to see the tables without them.
        outcomes.extend(release_waiting(session, &mut writer, &outcomes, grown_tables(&outcomes))?);
    }
    if stopped || is_refused(session.options, writer.read(), &mut outcomes, loads.len())? {
        loads.iter_mut().zip(outcomes).for_each(|((_, outcome, _), judged)| outcome.refusal = judged.refusal);
        return Ok(TransactionEnd::Stopped { loads, anew: emptied.anew });
    }
    end_loads(session, writer, steps, &loaded, outcomes).map(TransactionEnd::Done)
}

/// Commits what was loaded, where no rows of other tables would lose their parents. A dry run releases what waited, as it would be
/// after the commit, and lets go of all.
fn end_loads(
    session: &LoadSession<'_>,
    mut writer: ChunkWriter<'_>,
    steps: &[LoadStep],
    loaded: &[&LoadStep],
    mut outcomes: Vec<LoadOutcome>,
) -> Result<Vec<LoadOutcome>> {
    let dry_run = session.options.dry_run;
    if dry_run {
        outcomes.extend(release_waiting(session, &mut writer, &outcomes, grown_tables(&outcomes))?);
    }
    let ChunkWriter::Whole(transaction) = writer else { unreachable!("the writer stays what it was") };
    if session.options.mode == Mode::Replace {
        // At the very end, since what was loaded may have brought the parents back.
        check_children(session, &*transaction, steps, loaded)?;
    }
    if dry_run {
        return Ok(outcomes.into_iter().map(without_number).collect());
    }
    transaction.commit_now()?;
    Ok(outcomes)
}

/// Loads the sources of all steps; whether one of them stopped for its rejects, so that nothing of them stays.
fn load_steps(
    session: &LoadSession<'_>,
    writer: &mut ChunkWriter<'_>,
    steps: &[LoadStep],
    known: Vec<Option<Vec<LoadEntry>>>,
    spill: &mut RejectSpill,
) -> Result<(Vec<LoadedSource>, bool)> {
    let mut loads: Vec<LoadedSource> = Vec::new();
    let mut stopped = false;
    for (step, known) in steps.iter().zip(known) {
        if let Some(entries) = known {
            loads.extend(known_outcomes(session, step, entries));
            continue;
        }
        let mut mode = session.options.mode;
        for source in &step.sources {
            let purpose = if mode == Mode::Replace { LoadPurpose::FillsEmpty } else { LoadPurpose::Adds };
            let (entry, outcome) = load_source(session, writer, step.position, source, mode, purpose, Some(spill))?;
            mode = following(mode);
            let stops = outcome.state == LoadState::Stopped;
            loads.push((entry, outcome, source.clone()));
            if stops && !session.options.takes_effect_at_once() {
                // A dry run: what the real one has committed by then stays, and it ends here.
                return Ok((loads, false));
            }
            stopped |= stops;
        }
    }
    Ok((loads, stopped))
}

/// The outcomes of loads that the ledger knows.
fn known_outcomes(
    session: &LoadSession<'_>,
    step: &LoadStep,
    entries: Vec<LoadEntry>,
) -> impl Iterator<Item = LoadedSource> {
    let name = &session.project.package[step.position].name;
    entries.into_iter().zip(&step.sources).map(|(entry, source)| {
        session.observer.source_begins(name, &source.name);
        let (entry, outcome) = super::load::known_outcome(entry, source);
        (entry, outcome, source.clone())
    })
}

/// Notes with the first load of each table how many rows it took out of it.
fn note_removed(session: &LoadSession<'_>, loads: &mut [LoadedSource], loaded: &[&LoadStep], emptied: &EmptiedTables) {
    for (step, removed) in loaded.iter().zip(&emptied.removed) {
        let name = &session.table_at(step.position).name;
        if let Some((_, outcome, _)) = loads.iter_mut().find(|(_, outcome, _)| *outcome.table == **name) {
            outcome.removed = Some(*removed);
        }
    }
}

/// Whether the first `own` of `outcomes` may not take effect: there are rejects, and it is all or nothing; or a replace would leave
/// little or nothing, which is noted with its load. The others are of what was released since.
fn is_refused(options: &LoadOptions, read: &dyn TargetRead, outcomes: &mut [LoadOutcome], own: usize) -> Result<bool> {
    let mut rejects = Vec::with_capacity(own);
    for outcome in &outcomes[..own] {
        let filter = RejectFilter { load: Some(outcome.load_id), ..RejectFilter::default() };
        rejects.push(match outcome.state {
            LoadState::Known => 0,
            _ if outcomes.len() == own => outcome.counts.rejected,
            _ => read.reject_count(&filter)?,
        });
    }
    let mut refused = options.atomic && rejects.iter().sum::<u64>() > 0;
    for at in 0..own {
        let Some(removed) = outcomes[at].removed else { continue };
        let of_table = |outcome: &&LoadOutcome| outcome.table == outcomes[at].table;
        let kept = outcomes.iter().filter(of_table).map(|outcome| outcome.counts.inserted).sum();
        let rejected =
            outcomes.iter().zip(&rejects).filter(|(outcome, _)| of_table(outcome)).map(|(_, count)| count).sum();
        outcomes[at].refusal = ReplaceRefusal::check_replace(options, removed, kept, rejected);
        refused |= outcomes[at].refusal.is_some();
    }
    Ok(refused)
}

/// The outcomes of a check as those of a load by the same options would be, into tables some of which are not there yet.
pub(super) fn as_load_outcomes(
    session: &LoadSession<'_>,
    read: &dyn TargetRead,
    outcomes: Vec<LoadOutcome>,
) -> Result<Vec<LoadOutcome>> {
    let (options, mut outcomes) = (session.options, outcomes);
    let mut met = HashSet::new();
    let mut stopped = false;
    for outcome in &mut outcomes {
        let table = session.table_at(session.project.find_position(&outcome.table)?);
        if options.mode == Mode::Replace && met.insert(outcome.table.clone()) {
            outcome.removed = Some(read.row_count(table)?);
        }
        let Counts { read, rejected, .. } = outcome.counts;
        if options.max_rejects.is_some_and(|most| most.is_exceeded(rejected, read, true)) {
            (outcome.state, stopped) = (LoadState::Stopped, true);
        }
    }
    let own = outcomes.len();
    let refused = is_refused(options, read, &mut outcomes, own)?;
    if (stopped || refused) && options.takes_effect_at_once() {
        outcomes = outcomes.into_iter().map(undo_outcome).collect();
    }
    Ok(outcomes)
}

/// What is told of a dry run has no number in the ledger.
fn without_number(outcome: LoadOutcome) -> LoadOutcome {
    match outcome.state {
        LoadState::Known => outcome,
        _ => LoadOutcome { load_id: LoadId::NONE, ..outcome },
    }
}

/// The outcome of a load of which nothing was kept: every record counts as rejected.
fn undo_outcome(mut outcome: LoadOutcome) -> LoadOutcome {
    if outcome.state == LoadState::Known {
        return outcome;
    }
    let Counts { read, rejected: own, .. } = outcome.counts;
    if read > own {
        outcome.reasons.push(RejectReason { code: ErrorCode::RolledBack, field: None, count: read - own });
    }
    outcome.state = LoadState::RolledBack;
    outcome.counts = Counts { read, rejected: read, ..Counts::default() };
    (outcome.removed, outcome.closed_rejects) = (None, ClosedRejects::default());
    outcome
}

/// Writes the ledger and the rejects of loads that were rolled back.
fn write_rolled_back(
    session: &LoadSession<'_>,
    target: &mut dyn Target,
    loads: Vec<LoadedSource>,
    spill: RejectSpill,
) -> Result<Vec<LoadOutcome>> {
    let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep)?;
    let mut outcomes = Vec::new();
    let mut numbers = Vec::new();
    for (mut entry, outcome, source) in loads {
        if outcome.state == LoadState::Known {
            outcomes.push(outcome);
            continue;
        }
        let whole = outcome.state == LoadState::Complete;
        if !whole {
            // How far ahead of the record at which it stopped a source was read is by chance.
            (entry.digest, entry.digested) = digest_source(&source, None)?;
        }
        let mut outcome = undo_outcome(outcome);
        (entry.state, entry.counts) = (outcome.state, outcome.counts);
        // The spill knows the load by the number that it had in the transaction that is gone.
        let was = entry.id;
        entry.id = transaction.add_load(&entry)?;
        outcome.load_id = entry.id;
        // One that stopped has not met all the records that an earlier load rejected.
        if whole {
            outcome.closed_rejects.same_content = transaction.supersede_rejects(&entry, ClosingRule::RolledBack)?;
        }
        numbers.push((was, entry.id, entry.table.clone(), source));
        outcomes.push(outcome);
    }
    let most = session.options.work.rejected_record_bytes;
    spill.drain_rejects(&mut |load, reject| {
        let Some((_, number, table, source)) = numbers.iter().find(|(was, ..)| *was == load) else { return Ok(()) };
        let table = session.table_at(session.project.find_position(table)?);
        store_reject(&mut *transaction, *number, table, source, reject, most).map(drop)
    })?;
    transaction.commit_now()?;
    Ok(outcomes)
}
