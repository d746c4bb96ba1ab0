//! The load command: all sources of all tables, in order.

use std::collections::HashSet;

use super::{
    LoadOptions, LoadOutcome, Observer, Selection, Silent,
    adopt::release_waiting,
    building::{Building, in_circle, is_searched},
    known::{Purpose, replaced},
    layout::written,
    load::{Session, known, load_source},
    plan::{Step, children, ordered, plan},
    resume::{abandon, end_early},
    spill::Spill,
    writer::{More, Writer},
};
use crate::{
    error::{Error, Result, TargetError, TargetErrorKind},
    ledger::{Counts, LoadEntry, LoadFilter, LoadState, Mode, OnConflict},
    project::Project,
    source::{Source, digest_of},
    target::{Fence, Pace, Table, Target, Transaction},
};
use landfall_core::reject::ErrorCode;

/// Loads the tables of `selections`, or all, parents before children. Records that break a rule go to the quarantine;
/// those of the quarantine whose parents arrived are released.
///
/// A load that stops for its rejects ends the command: its outcome is the last, with [`LoadState::Stopped`]. Where all or
/// nothing was asked for and a record was rejected, every outcome says [`LoadState::RolledBack`].
///
/// # Errors
/// What stops a command; chunks that committed before stay, and the same command goes on behind them.
pub fn load(
    target: &mut dyn Target,
    project: &Project,
    selections: &[Selection],
    options: &LoadOptions,
    observer: &dyn Observer,
) -> Result<Vec<LoadOutcome>> {
    let steps = plan(project, selections)?;
    run(target, project, &steps, options, observer)
}

/// Loads each source into the table at its position, parents before children, as [`load`] does.
///
/// # Errors
/// Those of [`load`].
pub fn load_sources(
    target: &mut dyn Target,
    project: &Project,
    sources: Vec<(usize, Source)>,
    options: &LoadOptions,
    observer: &dyn Observer,
) -> Result<Vec<LoadOutcome>> {
    run(target, project, &ordered(project, sources), options, observer)
}

/// Releases the rejects that wait for rows that `outcomes` brought: what a process owes that died just after it had loaded them.
///
/// # Errors
/// A target that cannot be written.
pub fn release(target: &mut dyn Target, project: &Project, outcomes: &[LoadOutcome]) -> Result<Vec<LoadOutcome>> {
    let tables = project.tables();
    let session = Session { project, tables: &tables, options: &LoadOptions::default(), observer: &Silent };
    let released = release_waiting(&session, &mut Writer::Each(target), outcomes, grown(outcomes))?;
    target.settle()?;
    Ok(released)
}

/// Notes in the ledger that a load of `source` into `table` does not go on for now. The same load goes on where it stopped.
///
/// # Errors
/// A target that cannot be written.
pub fn stop(target: &mut dyn Target, project: &Project, table: &str, source: &str) -> Result<()> {
    let tables = project.tables();
    let session = Session { project, tables: &tables, options: &LoadOptions::default(), observer: &Silent };
    let entries = target.loads_of(&LoadFilter { state: Some(LoadState::Running), ..LoadFilter::of_sources(table) })?;
    let mut writer = Writer::Each(&mut *target);
    for entry in entries.into_iter().filter(|entry| entry.source == source) {
        end_early(&session, &mut writer, entry, LoadState::Stopped)?;
    }
    drop(writer);
    target.settle()
}

fn run(
    target: &mut dyn Target,
    project: &Project,
    steps: &[Step],
    options: &LoadOptions,
    observer: &dyn Observer,
) -> Result<Vec<LoadOutcome>> {
    let options = &effective(options)?;
    let tables = project.tables();
    let session = Session { project, tables: &tables, options, observer };
    let replaces = options.mode == Mode::Replace && !Building::makes_all(&session, target, steps)?;
    let mut outcomes = if options.atomic || replaces {
        as_one(&session, target, steps)?
    } else {
        chunk_by_chunk(&session, target, steps)?
    };
    if outcomes.iter().all(|outcome| outcome.state != LoadState::RolledBack) {
        outcomes.extend(release_waiting(&session, &mut Writer::Each(target), &outcomes, grown(&outcomes))?);
    }
    target.settle()?;
    Ok(outcomes)
}

/// The tables that may have rows which others wait for. What the ledger knew already may have been loaded by a command
/// that died before it released them.
fn grown(outcomes: &[LoadOutcome]) -> HashSet<String> {
    let has_grown = |outcome: &&LoadOutcome| outcome.counts.inserted > 0 || matches!(outcome.state, LoadState::Known);
    outcomes.iter().filter(has_grown).map(|outcome| outcome.table.clone()).collect()
}

/// The options with what follows from the mode.
fn effective(options: &LoadOptions) -> Result<LoadOptions> {
    let mut options = options.clone();
    match options.mode {
        Mode::Retry | Mode::Rows => {
            return Err(Error::Usage(format!("a load of a source cannot have the mode {}", options.mode.as_str())));
        }
        Mode::Upsert if options.on_conflict == OnConflict::Keep => {
            return Err(Error::Usage("mode upsert updates conflicting rows; it cannot also keep them".into()));
        }
        Mode::Upsert => options.on_conflict = OnConflict::Update,
        Mode::Append | Mode::Replace => {}
    }
    Ok(options)
}

fn chunk_by_chunk(session: &Session<'_>, target: &mut dyn Target, steps: &[Step]) -> Result<Vec<LoadOutcome>> {
    let mut outcomes = Vec::new();
    let mut plan = Building::plan(session, target, steps)?;
    for step in steps {
        plan.begin(session, target, step)?;
        let mut mode = session.options.mode;
        for source in &step.sources {
            let purpose = match mode {
                Mode::Replace if target.row_count(&session.tables[step.position])? > 0 => Purpose::GoesOn,
                Mode::Replace => Purpose::FillsEmpty,
                _ => Purpose::Adds,
            };
            let mut writer = Writer::Each(target);
            let (_, outcome) = load_source(session, &mut writer, step.position, source, (mode, purpose), None)?;
            mode = following(mode);
            let stopped = outcome.state == LoadState::Stopped;
            outcomes.push(outcome);
            if stopped {
                return Ok(outcomes);
            }
        }
        target.finish(&session.tables[step.position])?;
    }
    target.prepare(session.tables)?;
    Ok(outcomes)
}

/// The mode of the sources after the first one: what it left of the table, they add to.
const fn following(mode: Mode) -> Mode {
    match mode {
        Mode::Replace => Mode::Append,
        other => other,
    }
}

/// A load with its ledger entry and its source.
type Loaded = (LoadEntry, LoadOutcome, Source);

/// All of it in one transaction, which others see only once it is whole.
fn as_one(session: &Session<'_>, target: &mut dyn Target, steps: &[Step]) -> Result<Vec<LoadOutcome>> {
    target.prepare(session.tables)?;
    let mut spill = Spill::new()?;
    let fence = match session.options.on_conflict {
        OnConflict::Update => Fence::Database,
        _ => Fence::Pipeline,
    };
    let writer = Writer::Whole(target.transaction(fence, Pace::InStep)?);
    match load_whole(session, writer, steps, &mut spill)? {
        Whole::Committed(outcomes) => Ok(outcomes),
        Whole::Stopped(loads) => roll_back(session, target, loads, spill),
    }
}

/// How loads in one transaction ended.
enum Whole {
    Committed(Vec<LoadOutcome>),
    /// Nothing of them was kept.
    Stopped(Vec<Loaded>),
}

/// Loads through one transaction, and commits it where nothing stands against that.
fn load_whole(session: &Session<'_>, mut writer: Writer<'_>, steps: &[Step], spill: &mut Spill) -> Result<Whole> {
    let mut loads: Vec<Loaded> = Vec::new();
    let mut stopped = false;
    let known: Vec<_> = steps.iter().map(|step| known_replace(session, &writer, step)).collect::<Result<_>>()?;
    let loaded: Vec<&Step> =
        steps.iter().zip(&known).filter(|(_, known)| known.is_none()).map(|(step, _)| step).collect();
    if session.options.mode == Mode::Replace {
        clear(session, &mut writer, &loaded)?;
    }
    for (step, known) in steps.iter().zip(known) {
        if let Some(entries) = known {
            loads.extend(as_known(session, step, entries));
            continue;
        }
        let mut mode = session.options.mode;
        for source in &step.sources {
            let purpose = if mode == Mode::Replace { Purpose::FillsEmpty } else { Purpose::Adds };
            let (entry, outcome) =
                load_source(session, &mut writer, step.position, source, (mode, purpose), Some(spill))?;
            mode = following(mode);
            stopped |= outcome.state == LoadState::Stopped;
            loads.push((entry, outcome, source.clone()));
        }
    }
    if stopped || session.options.atomic && spill.len() > 0 {
        return Ok(Whole::Stopped(loads));
    }
    let mut outcomes: Vec<LoadOutcome> = loads.into_iter().map(|(_, outcome, _)| outcome).collect();
    let takes_over = session.options.on_conflict != OnConflict::Update;
    if session.options.mode == Mode::Replace
        && takes_over
        && loaded.iter().any(|step| in_circle(session, step.position))
    {
        // Rows that name each other wait for each other, and nobody is to see the tables without them.
        outcomes.extend(release_waiting(session, &mut writer, &outcomes, grown(&outcomes))?);
    }
    let Writer::Whole(transaction) = writer else { unreachable!("the writer stays what it was") };
    check_children(session, &*transaction, steps, &loaded)?;
    transaction.commit()?;
    Ok(Whole::Committed(outcomes))
}

/// The loads of a replace that the ledger knows: the table holds just the sources' content already.
fn known_replace(session: &Session<'_>, writer: &Writer<'_>, step: &Step) -> Result<Option<Vec<LoadEntry>>> {
    if session.options.mode != Mode::Replace {
        return Ok(None);
    }
    let resource = written(&session.options.overrides, &session.project.package.resources[step.position])?;
    replaced(writer.read(), &resource, &step.sources, session.options)
}

/// The outcomes of loads that the ledger knows.
fn as_known(session: &Session<'_>, step: &Step, entries: Vec<LoadEntry>) -> impl Iterator<Item = Loaded> {
    let name = &session.project.package.resources[step.position].name;
    entries.into_iter().zip(&step.sources).map(|(entry, source)| {
        session.observer.begins(name, &source.name);
        let (entry, outcome) = known(entry, source);
        (entry, outcome, source.clone())
    })
}

/// Empties the tables of a replace, or has them made anew. Loads of them that were interrupted do not go on.
fn clear(session: &Session<'_>, writer: &mut Writer<'_>, steps: &[&Step]) -> Result<()> {
    let tables: Vec<&Table> = steps.iter().map(|step| &session.tables[step.position]).collect();
    let open = |entry: &LoadEntry| matches!(entry.state, LoadState::Running | LoadState::Stopped);
    for table in &tables {
        for entry in writer.read().loads_of(&LoadFilter::of_sources(&table.name))?.into_iter().filter(open) {
            abandon(session, writer, entry)?;
        }
    }
    let searched = session.options.atomic || steps.iter().any(|step| is_searched(session, step.position));
    writer.chunk(Fence::Pipeline, Pace::InStep, |transaction| {
        if searched || !transaction.make_anew(&tables)? {
            // Children first: a foreign key made by another program may not wait for the end of the transaction.
            tables.iter().rev().try_for_each(|table| transaction.clear(table))?;
        }
        Ok(((), More::No))
    })
}

/// Refuses a replace that would take parents away from rows of other tables.
fn check_children(
    session: &Session<'_>,
    transaction: &dyn Transaction,
    steps: &[Step],
    loaded: &[&Step],
) -> Result<()> {
    if session.options.mode != Mode::Replace {
        return Ok(());
    }
    let mut affected: Vec<&Table> = steps.iter().map(|step| &session.tables[step.position]).collect();
    for step in steps {
        affected.extend(children(&session.project.package, session.tables, &session.tables[step.position]));
    }
    affected.sort_by(|a, b| a.name.cmp(&b.name));
    affected.dedup_by(|a, b| a.name == b.name);
    // In a circle, rows of the first table may name rows of the last one that were there before.
    let sound = loaded.iter().filter(|step| !in_circle(session, step.position));
    let sound: Vec<&Table> = sound.map(|step| &session.tables[step.position]).collect();
    let orphans = transaction.orphans(&affected, &sound)?;
    if orphans.is_empty() {
        return Ok(());
    }
    Err(Error::Target(TargetError::new(
        TargetErrorKind::Constraint,
        format!("the tables were left as they were, since {}; replace those tables with them", orphans.join(", and ")),
    )))
}

/// Writes the ledger and the rejects of loads that were rolled back.
fn roll_back(
    session: &Session<'_>,
    target: &mut dyn Target,
    loads: Vec<(LoadEntry, LoadOutcome, Source)>,
    spill: Spill,
) -> Result<Vec<LoadOutcome>> {
    let mut transaction = target.transaction(Fence::Pipeline, Pace::InStep)?;
    let mut outcomes = Vec::new();
    let mut numbers = Vec::new();
    for (mut entry, mut outcome, source) in loads {
        if outcome.state == LoadState::Known {
            outcomes.push(outcome);
            continue;
        }
        let own = outcome.counts.rejected;
        let counts = Counts { read: outcome.counts.read, rejected: outcome.counts.read, ..Counts::default() };
        if counts.rejected > own {
            outcome.reasons.push(super::Reason {
                code: ErrorCode::RolledBack,
                field: None,
                count: counts.rejected - own,
            });
        }
        let whole = outcome.state == LoadState::Complete;
        if !whole {
            // How far ahead of the record at which it stopped a source was read is by chance.
            (entry.digest, entry.digested) = digest_of(&source, None)?;
        }
        (entry.state, entry.counts) = (LoadState::RolledBack, counts);
        (outcome.state, outcome.counts) = (LoadState::RolledBack, counts);
        let was = entry.id;
        outcome.load_id = transaction.add_load(&entry)?;
        // One that stopped has not met all the records that an earlier load rejected.
        if entry.mode != Mode::Replace && whole {
            let number = outcome.load_id;
            transaction.supersede(&LoadEntry { id: number, ..entry.clone() })?;
        }
        numbers.push((was, outcome.load_id, entry.table.clone(), source));
        outcomes.push(outcome);
    }
    spill.drain(&mut |load, reject| {
        let Some((_, number, table, source)) = numbers.iter().find(|(was, ..)| *was == load) else { return Ok(()) };
        let table = &session.tables[session.project.position(table)?];
        super::chunk::store_reject(&mut *transaction, *number, table, source, reject).map(drop)
    })?;
    transaction.commit()?;
    Ok(outcomes)
}
