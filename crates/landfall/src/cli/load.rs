//! `landfall load`.

use std::path::PathBuf;

use anyhow::Result;
use landfall_engine::{
    ledger::{Mode, OnConflict},
    pipeline::{self, LoadOptions, LoadOutcome, MaxRejects},
    receipt::Receipt,
    targets::{Target, TargetAccess},
};

use super::{
    Invocation, load_result,
    selection::{SelectedSources, WorkArgs},
};
use crate::{
    cli::summary,
    config::LoadDefaults,
    exit::{CommandError, Exit},
    output,
    typed::{TypedMode, TypedRule},
};

/// Load tables from their CSV files.
///
/// Parents load before children. A record that breaks a rule goes to the quarantine, with every reason. A source that was loaded before
/// is not loaded again. If a load was interrupted, the same command resumes it.
#[derive(Debug, clap::Args)]
pub(super) struct LoadArgs {
    #[command(flatten)]
    selected: SelectedSources,
    /// How to treat existing rows: append adds rows; upsert adds rows and updates those with the same key; replace leaves only
    /// the source's rows, in one step. [default: append]
    #[arg(long, value_enum, value_name = "MODE")]
    mode: Option<TypedMode>,
    /// What to do with a row whose key exists with other content. [default: reject]
    #[arg(long, value_enum, value_name = "RULE")]
    on_conflict: Option<TypedRule>,
    /// All or nothing: if there is one reject, no row is inserted.
    #[arg(long)]
    atomic: bool,
    /// Stop the load if it has more than N rejects, or more than P percent of its records.
    #[arg(long, value_name = "N|P%", value_parser = MaxRejects::parse)]
    max_rejects: Option<MaxRejects>,
    /// Allow a replace that leaves a table empty, or with fewer rows than rejects.
    #[arg(long)]
    allow_empty: bool,
    /// Load a source again even if the same content was loaded before.
    #[arg(long)]
    force: bool,
    /// Dry run: do everything in one transaction, and roll it back at the end.
    #[arg(long, conflicts_with = "receipt")]
    dry_run: bool,
    /// Write a receipt of the acknowledged rows to this file; `verify --receipt` compares it with the database.
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
    #[command(flatten)]
    cut: WorkArgs,
}

pub(super) fn run(args: LoadArgs, invocation: &Invocation) -> Result<Exit> {
    let settings = invocation.read_settings()?;
    let options = resolve_options(&args, &settings.load)?;
    // Before the database is opened, so that a typing error is told without one.
    let selections = args.selected.resolve_selections(&settings.package)?;
    let mut opened = if options.dry_run {
        invocation.open_for_dry_run(|opened| {
            let positions = pipeline::positions_of(&opened.project, &selections)?;
            Ok(pipeline::can_dry_run(&*opened.target, &opened.project, &positions)?)
        })?
    } else {
        invocation.open_with(settings, TargetAccess::Write)?
    };
    let reporter = invocation.progress_reporter();
    let outcomes = match pipeline::load_tables(&mut *opened.target, &opened.project, &selections, &options, &reporter) {
        Ok(outcomes) => outcomes,
        Err(error) => {
            // What is one step with what failed has not taken effect.
            let whole = options.atomic || options.mode == Mode::Replace || options.dry_run;
            let finished = if whole { Vec::new() } else { reporter.finished_loads() };
            // What was committed before the failure was acknowledged, and stays.
            let written = write_receipt(&args, &finished, &*opened.target);
            if invocation.globals.json {
                summary::print_loads(&finished, &*opened.target, invocation)?;
            } else if !whole {
                reporter.tell_finished();
            }
            return load_result::combine_outcomes(Err(error.into()), written);
        }
    };
    reporter.clear_bar();
    // Before anything is printed: if nobody reads standard output any more, the receipt is there.
    let written = write_receipt(&args, &outcomes, &*opened.target);
    if options.dry_run {
        summary::print_dry_run(&outcomes, invocation)?;
    } else {
        summary::print_loads(&outcomes, &*opened.target, invocation)?;
    }
    let all_or_nothing = args.atomic.then_some("--atomic inserts all or nothing, and there are rejects");
    load_result::combine_outcomes(Ok(load_result::end_loads(&outcomes, all_or_nothing, invocation)), written)
}

/// Writes what was acknowledged down, where that is asked for.
fn write_receipt(args: &LoadArgs, outcomes: &[LoadOutcome], target: &dyn Target) -> Result<()> {
    let Some(path) = &args.receipt else { return Ok(()) };
    output::write_receipt(path, &Receipt::from_loads(outcomes, target)?)
}

/// What is asked of the load: as typed, else as the project says.
fn resolve_options(args: &LoadArgs, defaults: &LoadDefaults) -> Result<LoadOptions, CommandError> {
    let (mode, on_conflict) = mode_and_rule(args.mode, args.on_conflict, defaults)?;
    Ok(LoadOptions {
        mode,
        on_conflict,
        atomic: args.atomic,
        max_rejects: args.max_rejects.or(defaults.max_rejects),
        // The project says so for every load. To lose most of a table by one, it takes somebody who means it.
        allow_rejects: args.max_rejects.is_some(),
        allow_empty: args.allow_empty,
        force: args.force,
        dry_run: args.dry_run,
        work: args.cut.resolve_work(defaults),
        ..LoadOptions::default()
    })
}

/// How to treat what the tables hold, and conflicting rows: as typed, else as the project says.
pub(super) fn mode_and_rule(
    mode: Option<TypedMode>,
    rule: Option<TypedRule>,
    defaults: &LoadDefaults,
) -> Result<(Mode, OnConflict), CommandError> {
    let mode = mode.map(Mode::from).or(defaults.mode).unwrap_or_default();
    let requested = rule.map(OnConflict::from);
    let contradiction = || {
        CommandError::usage_error(format!(
            "--on-conflict {} contradicts the mode upsert, which updates; leave it out, or take --mode append",
            requested.unwrap_or_default().as_str()
        ))
    };
    let rule = mode.choose_conflict_rule(requested, defaults.on_conflict).ok_or_else(contradiction)?;
    Ok((mode, rule))
}
