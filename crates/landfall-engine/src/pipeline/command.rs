//! The load command: all sources of all tables, in order.

use std::collections::HashSet;

use landfall_core::schema::TableIndex;

use super::{
    LoadOptions, LoadOutcome, Observer, Selection, SilentObserver,
    adopt::release_waiting,
    check::{WithoutRows, check_steps},
    keys::will_be_asked,
    knowledge::{LoadPurpose, SOURCES_PER_QUESTION, known_small_sources},
    layout::apply_overrides,
    load::{LoadSession, estimate_records, known_outcome, load_source},
    one_transaction::{as_load_outcomes, can_roll_back, load_in_one_transaction},
    plan::{LoadStep, order_sources, plan_steps},
    preflight::check_before,
    resume::end_interrupted,
    staging::StagingPlan,
    writer::ChunkWriter,
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
pub fn load_tables(
    target: &mut dyn Target,
    project: &Project,
    selections: &[Selection],
    options: &LoadOptions,
    observer: &dyn Observer,
) -> Result<Vec<LoadOutcome>> {
    let steps = plan_steps(project, selections)?;
    run(target, project, &steps, options, observer)
}

/// Loads each source into the table at its position, parents before children, as [`load_tables`] does.
///
/// # Errors
/// Those of [`load_tables`].
pub fn load_sources(
    target: &mut dyn Target,
    project: &Project,
    sources: Vec<(TableIndex, Source)>,
    options: &LoadOptions,
    observer: &dyn Observer,
) -> Result<Vec<LoadOutcome>> {
    run(target, project, &order_sources(project, sources), options, observer)
}

/// The positions of the tables of `selections`; of all where there are none.
///
/// # Errors
/// A table that is not in the data package.
pub fn positions_of(project: &Project, selections: &[Selection]) -> Result<Vec<TableIndex>> {
    if selections.is_empty() {
        return Ok(project.package.table_positions().collect());
    }
    selections.iter().map(|selection| project.find_position(&selection.table)).collect()
}

/// Whether a dry run of loads into the tables at `positions` writes, and rolls that back: it needs a target that may be written. Where
/// one of the tables is not there yet, it only reads.
///
/// # Errors
/// A target that cannot be read.
pub fn can_dry_run(target: &dyn Target, project: &Project, positions: &[TableIndex]) -> Result<bool> {
    let tables = project.target_tables();
    let session = LoadSession { project, tables: &tables, options: &LoadOptions::default(), observer: &SilentObserver };
    let steps: Vec<LoadStep> = positions.iter().map(|&position| LoadStep { position, sources: Vec::new() }).collect();
    can_roll_back(&session, target, &steps)
}

/// Releases the rejects that wait for rows that `outcomes` brought: what a process owes that died just after it had loaded them.
///
/// # Errors
/// A target that cannot be written.
pub fn release_after_loads(
    target: &mut dyn Target,
    project: &Project,
    outcomes: &[LoadOutcome],
) -> Result<Vec<LoadOutcome>> {
    let tables = project.target_tables();
    let session = LoadSession { project, tables: &tables, options: &LoadOptions::default(), observer: &SilentObserver };
    let released = release_waiting(&session, &mut ChunkWriter::Each(target), outcomes, grown_tables(outcomes))?;
    target.flush_commits()?;
    Ok(released)
}

/// Notes in the ledger that a load of `source` into `table` does not go on for now. The same load goes on where it stopped.
///
/// # Errors
/// A target that cannot be written.
pub fn stop_load(target: &mut dyn Target, project: &Project, table: &str, source: &str) -> Result<()> {
    let tables = project.target_tables();
    let session = LoadSession { project, tables: &tables, options: &LoadOptions::default(), observer: &SilentObserver };
    let running = LoadFilter { state: Some(LoadState::Running), ..LoadFilter::loads_of_source(table, source) };
    let entries = target.find_loads(&running)?;
    let mut writer = ChunkWriter::Each(&mut *target);
    for entry in entries {
        end_interrupted(&session, &mut writer, entry, LoadState::Stopped)?;
    }
    drop(writer);
    target.flush_commits()
}

fn run(
    target: &mut dyn Target,
    project: &Project,
    steps: &[LoadStep],
    options: &LoadOptions,
    observer: &dyn Observer,
) -> Result<Vec<LoadOutcome>> {
    let options = &effective_options(options)?;
    let tables = project.target_tables();
    let session = LoadSession { project, tables: &tables, options, observer };
    // Everything that can be found out without writing comes first (promise 7).
    check_before(&session, target, steps)?;
    if options.dry_run {
        return run_and_roll_back(&session, target, steps);
    }
    // A table that nobody sees yet needs no transaction for all of it: its chunks may commit one by one.
    let replaces = options.mode == Mode::Replace && !StagingPlan::stages_all(&session, target, steps)?;
    let mut outcomes = if options.atomic || replaces {
        load_in_one_transaction(&session, target, steps)?
    } else {
        chunk_by_chunk(&session, target, steps)?
    };
    // After a rollback no table has grown, so that nothing can be released.
    if outcomes.iter().all(|outcome| outcome.state != LoadState::RolledBack) {
        outcomes.extend(release_waiting(&session, &mut ChunkWriter::Each(target), &outcomes, grown_tables(&outcomes))?);
    }
    target.flush_commits()?;
    Ok(outcomes)
}

/// The real run, rolled back. Where a table is not there yet, or would be made anew, its rows are held against nothing but the rules, and
/// nothing is made.
fn run_and_roll_back(
    session: &LoadSession<'_>,
    target: &mut dyn Target,
    steps: &[LoadStep],
) -> Result<Vec<LoadOutcome>> {
    let unused = target.find_remakable(session.tables)?;
    if unused.is_empty() && can_roll_back(session, &*target, steps)? {
        return load_in_one_transaction(session, target, steps);
    }
    let read = WithoutRows { read: &*target, names: unused.into_iter().map(|table| table.name).collect() };
    let outcomes = check_steps(&read, session.project, steps, session.options, &mut |_| Ok(()), session.observer)?;
    as_load_outcomes(session, &*target, outcomes)
}

/// The tables that may have rows which others wait for. What the ledger knew already may have been loaded by a command
/// that died before it released them.
pub(super) fn grown_tables(outcomes: &[LoadOutcome]) -> HashSet<String> {
    let has_grown = |outcome: &&LoadOutcome| outcome.counts.inserted > 0 || matches!(outcome.state, LoadState::Known);
    outcomes.iter().filter(has_grown).map(|outcome| outcome.table.clone()).collect()
}

/// The options with what follows from the mode.
fn effective_options(options: &LoadOptions) -> Result<LoadOptions> {
    let mut options = options.clone();
    match options.mode {
        Mode::Retry | Mode::Rows => {
            return Err(Error::Usage(format!("a load of a source cannot have the mode {}", options.mode.as_str())));
        }
        Mode::Append | Mode::Replace | Mode::Upsert => {
            // The default of the options says nothing.
            let requested = Some(options.on_conflict).filter(|rule| *rule != OnConflict::default());
            let contradiction =
                || Error::Usage("mode upsert updates conflicting rows; it cannot also keep them".into());
            options.on_conflict = options.mode.choose_conflict_rule(requested, None).ok_or_else(contradiction)?;
        }
    }
    Ok(options)
}

fn chunk_by_chunk(session: &LoadSession<'_>, target: &mut dyn Target, steps: &[LoadStep]) -> Result<Vec<LoadOutcome>> {
    let mut outcomes = Vec::new();
    let mut plan = StagingPlan::plan_tables(session, target, steps)?;
    for step in steps {
        plan.begin_table(session, target, step)?;
        load_step(session, target, step, &mut outcomes)?;
        if outcomes.last().is_some_and(|outcome| outcome.state == LoadState::Stopped) {
            return Ok(outcomes);
        }
        // Before the next table, whose rows may name rows of this one.
        target.finish_staging(session.table_at(step.position))?;
    }
    // What waited for tables that were built aside can be made now.
    target.prepare_tables(session.tables)?;
    Ok(outcomes)
}

/// Loads the sources of a step one after the other, until one stops.
fn load_step(
    session: &LoadSession<'_>,
    target: &mut dyn Target,
    step: &LoadStep,
    outcomes: &mut Vec<LoadOutcome>,
) -> Result<()> {
    let resource = apply_overrides(&session.options.overrides, &session.project.package[step.position])?;
    let mut mode = session.options.mode;
    for sources in step.sources.chunks(SOURCES_PER_QUESTION) {
        let mut known = vec![None; sources.len()];
        if mode != Mode::Replace {
            known = known_small_sources(&*target, &resource, sources, session.options)?;
        }
        for (source, known) in sources.iter().zip(known) {
            let outcome = match known {
                Some(entry) => {
                    session.observer.source_begins(&resource.name, &source.name);
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
    session: &LoadSession<'_>,
    target: &mut dyn Target,
    position: TableIndex,
    source: &Source,
    mode: Mode,
) -> Result<LoadOutcome> {
    let table = session.table_at(position);
    let purpose = match mode {
        Mode::Replace if target.row_count_within(table, 1)? > 0 => LoadPurpose::GoesOn,
        Mode::Replace => LoadPurpose::FillsEmpty,
        _ => LoadPurpose::Adds,
    };
    // In a table without keys each record of a small source would be put aside first.
    if purpose == LoadPurpose::Adds
        && !target.can_find_rows(table)
        && will_be_asked(&*target, table, estimate_records(source)?)?
    {
        target.finish_staging(table)?;
    }
    let mut writer = ChunkWriter::Each(target);
    let (_, mut outcome) = load_source(session, &mut writer, position, source, mode, purpose, None)?;
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
