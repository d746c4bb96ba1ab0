//! `landfall check`.

use std::io::Write;

use anyhow::Result;
use landfall_engine::{
    Error,
    pipeline::{self, LoadOptions},
    quarantine::ShownReject,
    targets::TargetAccess,
};

use super::{
    Invocation,
    load::mode_and_rule,
    selection::{SelectedSources, WorkArgs},
};
use crate::{
    cli::summary,
    exit::Exit,
    output,
    progress::ProgressReporter,
    typed::{TypedMode, TypedRule},
};

/// Validate CSV files and write nothing.
///
/// Lists every record that a load would reject, with file, line, field, reason and value. Keys are also checked against the rows in the
/// database. Ends with code 1 if there is such a record.
#[derive(Debug, clap::Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    selected: SelectedSources,
    /// How the load would treat existing rows. [default: append]
    #[arg(long, value_enum, value_name = "MODE")]
    mode: Option<TypedMode>,
    /// What the load would do with a row whose key exists with other content. [default: reject]
    #[arg(long, value_enum, value_name = "RULE")]
    on_conflict: Option<TypedRule>,
    /// Print one line of JSON for each rejected record.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    cut: WorkArgs,
}

pub(super) fn run(args: CheckArgs, invocation: &Invocation) -> Result<Exit> {
    let settings = invocation.read_settings()?;
    let (mode, on_conflict) = mode_and_rule(args.mode, args.on_conflict, &settings.load)?;
    let options =
        LoadOptions { mode, on_conflict, work: args.cut.resolve_work(&settings.load), ..LoadOptions::default() };
    let selections = args.selected.resolve_selections(&settings.package)?;
    let opened = invocation.open_with(settings, TargetAccess::Read)?;
    let reporter = ProgressReporter::beside_results(&invocation.globals);
    let outcomes = output::write_stdout(|out| {
        let mut visit = |record: ShownReject| write(&record, args.json, out).map_err(output_error);
        Ok(pipeline::check_tables(&*opened.target, &opened.project, &selections, &options, &mut visit, &reporter)?)
    })?;
    reporter.clear_bar();
    if !args.json && !invocation.globals.quiet {
        output::print_result(&summary::summarize_check(&outcomes))?;
    }
    let rejected: u64 = outcomes.iter().map(|outcome| outcome.counts.rejected).sum();
    Ok(if rejected > 0 { Exit::Found } else { Exit::Done })
}

fn write(record: &ShownReject, json: bool, out: &mut dyn Write) -> std::io::Result<()> {
    if json {
        serde_json::to_writer(&mut *out, record)?;
        return out.write_all(b"\n");
    }
    out.write_all(summary::reject_lines(record).as_bytes())
}

fn output_error(cause: std::io::Error) -> Error {
    Error::System { doing: "write to standard output", cause }
}
