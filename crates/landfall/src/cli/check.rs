//! `landfall check`.

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
    output::{self, JsonList},
    progress::ProgressReporter,
    typed::{TypedMode, TypedRule},
};

/// Validate CSV files and write nothing.
///
/// Lists every record that a load would reject, with file, line, field, reason and value. Keys are also checked against the rows in the
/// database. Ends with code 1 if there is such a record. With --json, `rejects` has these records and `loads` the counts of each file.
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
    let json = invocation.globals.json;
    // Each record goes out as it is found, since there may be millions.
    let outcomes = output::write_stdout(|out| {
        let check = |visit: &mut dyn FnMut(ShownReject) -> Result<(), Error>| {
            pipeline::check_tables(&*opened.target, &opened.project, &selections, &options, visit, &reporter)
        };
        if !json {
            return Ok(check(&mut |record| {
                out.write_all(summary::reject_lines(&record).as_bytes()).map_err(output_error)
            })?);
        }
        let mut list = JsonList::begin_list(out, "rejects")?;
        let outcomes = check(&mut |record| list.write_item(&record).map_err(output_error))?;
        // The counts are only known now, and so they stand behind the list.
        list.end_list(&[("loads", summary::render_document(&outcomes)?["loads"].take())])?;
        Ok(outcomes)
    })?;
    reporter.clear_bar();
    if !json && !invocation.globals.quiet {
        output::print_result(&summary::summarize_check(&outcomes, invocation))?;
    }
    let rejected: u64 = outcomes.iter().map(|outcome| outcome.counts.rejected).sum();
    Ok(if rejected > 0 { Exit::Found } else { Exit::Done })
}

fn output_error(cause: std::io::Error) -> Error {
    Error::System { doing: "write to standard output", cause }
}
