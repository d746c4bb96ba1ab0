//! The load command: all sources of all tables, in order.

use std::collections::HashSet;

use super::{
    LoadOptions, LoadOutcome, Observer, Selection, Silent,
    adopt::release_waiting,
    building::Building,
    check::{WithoutRows, check_steps},
    keys::will_be_asked,
    known::{Purpose, SOURCES_PER_QUESTION, known_small_sources},
    layout::written,
    load::{Session, known_outcome, load_source, records_of},
    plan::{Step, ordered, plan},
    preflight::check_before,
    resume::end_early,
    whole::{as_of_load, as_one, can_roll_back},
    writer::Writer,
};
use crate::{
    error::{Error, Result},
    ledger::{LoadFilter, LoadState, Mode, OnConflict},
    project::Project,
    source::Source,
    targets::Target,
};

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

/// The positions of the tables of `selections`; of all where there are none.
///
/// # Errors
/// A table that is not in the data package.
pub fn positions_of(project: &Project, selections: &[Selection]) -> Result<Vec<usize>> {
    if selections.is_empty() {
        return Ok((0..project.package.resources.len()).collect());
    }
    selections.iter().map(|selection| project.position(&selection.table)).collect()
}

/// Whether a dry run of loads into the tables at `positions` writes, and rolls that back: it needs a target that may be written. Where
/// one of the tables is not there yet, it only reads.
///
/// # Errors
/// A target that cannot be read.
pub fn can_dry_run(target: &dyn Target, project: &Project, positions: &[usize]) -> Result<bool> {
    let tables = project.tables();
    let session = Session { project, tables: &tables, options: &LoadOptions::default(), observer: &Silent };
    let steps: Vec<Step> = positions.iter().map(|&position| Step { position, sources: Vec::new() }).collect();
    can_roll_back(&session, target, &steps)
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
    let running = LoadFilter { state: Some(LoadState::Running), ..LoadFilter::of_source(table, source) };
    let entries = target.loads_of(&running)?;
    let mut writer = Writer::Each(&mut *target);
    for entry in entries {
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
    check_before(&session, target, steps)?;
    if options.dry_run {
        return dry_run(&session, target, steps);
    }
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

/// The real run, rolled back. Where a table is not there yet, or would be made anew, its rows are held against nothing but the rules, and
/// nothing is made.
fn dry_run(session: &Session<'_>, target: &mut dyn Target, steps: &[Step]) -> Result<Vec<LoadOutcome>> {
    let unused = target.unused(session.tables)?;
    if unused.is_empty() && can_roll_back(session, &*target, steps)? {
        return as_one(session, target, steps);
    }
    let read = WithoutRows { read: &*target, names: unused.into_iter().map(|table| table.name).collect() };
    let outcomes = check_steps(&read, session.project, steps, session.options, &mut |_| Ok(()), session.observer)?;
    as_of_load(session, &*target, outcomes)
}

/// The tables that may have rows which others wait for. What the ledger knew already may have been loaded by a command
/// that died before it released them.
pub(super) fn grown(outcomes: &[LoadOutcome]) -> HashSet<String> {
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
        load_step(session, target, step, &mut outcomes)?;
        if outcomes.last().is_some_and(|outcome| outcome.state == LoadState::Stopped) {
            return Ok(outcomes);
        }
        target.finish(&session.tables[step.position])?;
    }
    target.prepare(session.tables)?;
    Ok(outcomes)
}

/// Loads the sources of a step one after the other, until one stops.
fn load_step(
    session: &Session<'_>,
    target: &mut dyn Target,
    step: &Step,
    outcomes: &mut Vec<LoadOutcome>,
) -> Result<()> {
    let resource = written(&session.options.overrides, &session.project.package.resources[step.position])?;
    let mut mode = session.options.mode;
    for sources in step.sources.chunks(SOURCES_PER_QUESTION) {
        let mut known = vec![None; sources.len()];
        if mode != Mode::Replace {
            known = known_small_sources(&*target, &resource, sources, session.options)?;
        }
        for (source, known) in sources.iter().zip(known) {
            let outcome = match known {
                Some(entry) => {
                    session.observer.begins(&resource.name, &source.name);
                    known_outcome(entry, source).1
                }
                None => load_new_source(session, target, step.position, source, mode)?,
            };
            mode = following(mode);
            let stopped = outcome.state == LoadState::Stopped;
            outcomes.push(outcome);
            if stopped {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Loads one source of a step.
fn load_new_source(
    session: &Session<'_>,
    target: &mut dyn Target,
    position: usize,
    source: &Source,
    mode: Mode,
) -> Result<LoadOutcome> {
    let table = &session.tables[position];
    let purpose = match mode {
        Mode::Replace if target.row_count_within(table, 1)? > 0 => Purpose::GoesOn,
        Mode::Replace => Purpose::FillsEmpty,
        _ => Purpose::Adds,
    };
    // In a table without keys each record of a small source would be put aside first.
    if purpose == Purpose::Adds && !target.finds(table) && will_be_asked(&*target, table, records_of(source)?)? {
        target.finish(table)?;
    }
    let mut writer = Writer::Each(target);
    let (_, mut outcome) = load_source(session, &mut writer, position, source, (mode, purpose), None)?;
    // A table that is being made had no rows before.
    outcome.removed = (mode == Mode::Replace && outcome.state != LoadState::Known).then_some(0);
    Ok(outcome)
}

/// The mode of the sources after the first one: what it left of the table, they add to.
pub(super) const fn following(mode: Mode) -> Mode {
    match mode {
        Mode::Replace => Mode::Append,
        other => other,
    }
}
