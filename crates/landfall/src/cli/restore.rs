//! `landfall restore`.

use std::path::PathBuf;

use anyhow::Result;
use jiff::Timestamp;
use landfall_core::avro::resolve::FieldMapping;
use landfall_engine::{
    backup::{
        BackupStore, Manifest, PreparedRestore, RestoreFrom, RestoreOptions, RestoreOutcome, SetId, read_manifest,
    },
    origin::Origin,
    pipeline::{LoadOutcome, MaxRejects},
    targets::TargetAccess,
};
use serde_json::json;

use super::{
    Invocation,
    backup::BackupPlace,
    backups::find_set,
    complete,
    invocation::OpenProject,
    load_result,
    selection::{WorkArgs, require_tables},
};
use crate::{
    cli::summary,
    config::ProjectSettings,
    exit::{CommandError, Exit},
    output,
    typed::TypedMode,
};

/// Restore tables from a backup set, or one table from any Avro file.
///
/// Reads every file to its end and compares it with the manifest before it changes a table. A restore is a load: every row passes the
/// validator, rows that break a rule go to the quarantine, and the ledger has an entry.
#[derive(Debug, clap::Args)]
pub(super) struct RestoreArgs {
    /// The tables.
    #[arg(value_name = "TABLE", required = true, add = complete::offer_tables())]
    tables: Vec<String>,
    #[command(flatten)]
    place: BackupPlace,
    /// The set, as in `landfall backups list`, or latest: the newest one that has the tables.
    #[arg(long, value_name = "SET", default_value = "latest", add = complete::offer_sets(), conflicts_with_all = ["at", "from"])]
    set: String,
    /// The newest set that began at this time or before, such as 2026-11-30T00:00:00Z.
    #[arg(long, value_name = "TIME", conflicts_with = "from")]
    at: Option<Timestamp>,
    /// An Avro file of any program, instead of a set.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// How to treat existing rows: replace leaves only the rows of the backup, in one step; append adds rows; upsert adds rows and
    /// updates those with the same key.
    #[arg(long, value_enum, value_name = "MODE", default_value_t = TypedMode::Replace)]
    mode: TypedMode,
    /// Also restore the tables that refer to these, from the same set.
    #[arg(long)]
    with_dependents: bool,
    /// A field of the file and the field of the table that it becomes; may be repeated.
    #[arg(long, value_name = "FILE_FIELD=FIELD", value_parser = parse_pair)]
    map: Vec<(String, String)>,
    /// Ignore fields of the file that the table does not have.
    #[arg(long)]
    ignore_extra: bool,
    /// All or nothing: if there is one reject, no row is restored. This is the default of --mode replace, unless --max-rejects is given.
    #[arg(long)]
    atomic: bool,
    /// Stop the restore if a file has more than N rejects, or more than P percent of its rows.
    #[arg(long, value_name = "N|P%", value_parser = MaxRejects::parse)]
    max_rejects: Option<MaxRejects>,
    /// Allow a replace that leaves a table empty, or with fewer rows than rejects.
    #[arg(long)]
    allow_empty: bool,
    /// Dry run: do everything in one transaction, and roll it back at the end.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    cut: WorkArgs,
}

fn parse_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((from, to)) if !from.is_empty() && !to.is_empty() => Ok((from.into(), to.into())),
        _ => Err(format!("{text:?} is not a field of the file and a field of the table with = between them")),
    }
}

pub(super) fn run(args: RestoreArgs, invocation: &Invocation) -> Result<Exit> {
    let settings = invocation.read_settings()?;
    require_tables(&args.tables, &settings.package)?;
    let store = args.place.open_store(&settings)?;
    let from = match &args.from {
        Some(path) => RestoreFrom::File { name: path.display().to_string(), origin: Origin::File, path: path.clone() },
        None => RestoreFrom::Set(choose_set(&args, &*store)?),
    };
    let options = RestoreOptions {
        mode: args.mode.into(),
        with_dependents: args.with_dependents,
        atomic: args.atomic,
        max_rejects: args.max_rejects,
        allow_empty: args.allow_empty,
        mapping: FieldMapping { renames: args.map.clone(), ignore_extra: args.ignore_extra, ..FieldMapping::default() },
        most_bytes: None,
        work: args.cut.resolve_work(&settings.load),
    };
    let reporter = invocation.progress_reporter();
    // All files are read and compared with the manifest in here, before a table changes.
    let (mut opened, restore) = open(&args, invocation, settings, &|opened| {
        Ok(PreparedRestore::prepare_restore(&opened.project, &*store, &args.tables, &from, &options, &reporter)?)
    })?;
    let outcome = if args.dry_run {
        restore.run_and_roll_back(&mut *opened.target, &opened.project, &reporter)
    } else {
        restore.run(&mut *opened.target, &opened.project, &reporter)
    };
    reporter.clear_bar();
    let outcome = outcome?;
    if invocation.globals.json {
        output::print_document(&json!({
            "set": outcome.set, "location": outcome.location, "tables": outcome.tables, "loads": untimed_loads(&outcome),
            "dry_run": args.dry_run,
        }))?;
    } else if args.dry_run {
        output::print_result(&format!(
            "{}{}",
            summary::summarize_restore(&outcome),
            summary::summarize_check(&outcome.loads, invocation)
        ))?;
    } else {
        if !invocation.globals.quiet {
            output::print_result(&summary::summarize_restore(&outcome))?;
        }
        summary::print_loads(&outcome.loads, &*opened.target, invocation)?;
    }
    Ok(load_result::end_loads(&outcome.loads, all_or_nothing(&args), invocation))
}

/// The project with its database, and what was found of the files.
fn open(
    args: &RestoreArgs,
    invocation: &Invocation,
    settings: ProjectSettings,
    prepare: &dyn Fn(&OpenProject) -> Result<PreparedRestore>,
) -> Result<(OpenProject, PreparedRestore)> {
    let access = if args.dry_run { TargetAccess::Read } else { TargetAccess::Write };
    let opened = invocation.open_with(settings, access)?;
    let restore = prepare(&opened)?;
    if !args.dry_run || !restore.tries_by_writing(&*opened.target, &opened.project)? {
        return Ok((opened, restore));
    }
    // The files are not read again: what was found of them holds for the second connection as well.
    drop(opened);
    Ok((invocation.open(TargetAccess::Write)?, restore))
}

/// Why one reject stops the restore, where it does.
fn all_or_nothing(args: &RestoreArgs) -> Option<&'static str> {
    match (args.atomic, args.mode, args.max_rejects) {
        (true, ..) => Some("--atomic restores all or nothing, and there are rejects"),
        (_, TypedMode::Replace, None) => {
            Some("a restore that replaces takes all rows or none, and there are rejects; --max-rejects N allows them")
        }
        _ => None,
    }
}

/// The loads without how their time was spent.
fn untimed_loads(outcome: &RestoreOutcome) -> Vec<LoadOutcome> {
    outcome.loads.iter().map(|load| LoadOutcome { stages: None, ..load.clone() }).collect()
}

/// The set that is asked for.
fn choose_set(args: &RestoreArgs, store: &dyn BackupStore) -> Result<SetId> {
    if args.at.is_none() && args.set != "latest" {
        return find_set(store, &args.set);
    }
    let in_time = |set: &SetId| args.at.is_none_or(|at| set.started_at() <= at);
    // A set that is damaged, or lacks a table, is passed over: an older one is better than none.
    for set in store.list_sets()?.into_iter().rev().filter(in_time) {
        let has_all = |manifest: Manifest| args.tables.iter().all(|table| manifest.find_table(table).is_some());
        if read_manifest(store, &set)?.is_ok_and(has_all) {
            return Ok(set);
        }
    }
    let when = args.at.map(|at| format!(" of {at} or before")).unwrap_or_default();
    let tables = args.tables.join(", ");
    Err(CommandError::source_error(format!("there is no sound backup set{when} with {tables} in {}", store.location()))
        .into())
}
