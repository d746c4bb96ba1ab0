//! `landfall rejects export`.

use std::{
    io,
    path::{Path, PathBuf},
};

use anyhow::Result;
use landfall_engine::{pipeline, targets::TargetAccess};
use serde_json::json;

use super::filter::FilterArgs;
use crate::{
    cli::Invocation,
    counts::count_noun,
    exit::{CommandError, Exit},
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
    let file = args.out.as_ref().filter(|path| **path != Path::new("-"));
    if invocation.globals.json && file.is_none() {
        let words =
            "with --json, standard output tells how many rejects were exported; name a file for them with --out";
        return Err(CommandError::usage_error(words).into());
    }
    let settings = invocation.read_settings()?;
    let filter = args.filter.resolve_filter(&settings.package)?;
    let opened = invocation.open_with(settings, TargetAccess::Read)?;
    let replace = if args.force { ReplaceFile::Yes } else { ReplaceFile::No };
    let count = output::to_file_or_stdout(args.out.as_ref(), replace, |mut out: &mut dyn io::Write| {
        let export = if args.guard_formulas { pipeline::export_rejects_guarded } else { pipeline::export_rejects };
        Ok(export(&*opened.target, &opened.project, &filter, &mut out)?)
    })?;
    if invocation.globals.json {
        output::print_document(&json!({ "exported": count, "file": file }))?;
    } else {
        invocation.print_note(&format!("{} exported.", count_noun(count, "reject")));
    }
    Ok(Exit::Done)
}
