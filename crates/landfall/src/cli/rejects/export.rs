//! `landfall rejects export`.

use std::{io, path::PathBuf};

use anyhow::Result;
use landfall_engine::{pipeline, targets::TargetAccess};

use super::filter::FilterArgs;
use crate::{
    cli::Invocation,
    counts::group_thousands,
    exit::Exit,
    output::{self, ReplaceFile},
};

/// Write rejects as CSV, in the columns of their source and with their reasons, so that people can mend them.
///
/// `landfall rejects retry --from FILE` then tries the mended records.
#[derive(Debug, clap::Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// The file to write. [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Overwrite an existing file.
    #[arg(long)]
    force: bool,
    /// Put ' before cells that a spreadsheet would run as a formula. Such a file is for reading only: it cannot be retried.
    #[arg(long)]
    guard_formulas: bool,
}

pub(super) fn run(args: ExportArgs, invocation: &Invocation) -> Result<Exit> {
    let settings = invocation.read_settings()?;
    let filter = args.filter.resolve_filter(&settings.package)?;
    let opened = invocation.open_with(settings, TargetAccess::Read)?;
    let replace = if args.force { ReplaceFile::Yes } else { ReplaceFile::No };
    let count = output::to_file_or_stdout(args.out.as_ref(), replace, |mut out: &mut dyn io::Write| {
        let export = if args.guard_formulas { pipeline::export_rejects_guarded } else { pipeline::export_rejects };
        Ok(export(&*opened.target, &opened.project, &filter, &mut out)?)
    })?;
    if !invocation.globals.quiet {
        output::print_note(&format!("{} rejects exported.", group_thousands(count)));
    }
    Ok(Exit::Done)
}
