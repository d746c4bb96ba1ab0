//! `landfall rejects retry`.

use std::path::PathBuf;

use anyhow::Result;
use landfall_engine::{
    OptionStyle,
    pipeline::{self, MendedFilePath, RetrySelection},
    targets::TargetAccess,
};

use super::filter::FilterArgs;
use crate::{
    cli::{Invocation, summary},
    exit::Exit,
};

/// Try rejects again, from the quarantine or from an exported file that a person mended.
///
/// A record that passes now is inserted and leaves the quarantine, with a trace of what was changed and when.
#[derive(Debug, clap::Args)]
pub(super) struct RetryArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// The mended file.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["table", "load", "code", "field", "id"])]
    from: Option<PathBuf>,
    /// Also accept changes to cells that had no error. They are refused by default, since spreadsheets change cells by themselves.
    #[arg(long, requires = "from")]
    allow_other_changes: bool,
}

pub(super) fn run(args: RetryArgs, invocation: &Invocation) -> Result<Exit> {
    let settings = invocation.read_settings()?;
    let what = match args.from {
        Some(path) => {
            let (allows_other_changes, option_style) = (args.allow_other_changes, OptionStyle::CommandLine);
            RetrySelection::Mended(MendedFilePath { path, table: None, allows_other_changes, option_style })
        }
        None => RetrySelection::Quarantine(args.filter.resolve_filter(&settings.package)?),
    };
    let mut opened = invocation.open_with(settings, TargetAccess::Write)?;
    let reporter = invocation.progress_reporter();
    let outcomes = pipeline::retry_rejects(&mut *opened.target, &opened.project, &what, &reporter)?;
    reporter.clear_bar();
    summary::print_loads(&outcomes, &*opened.target, invocation)?;
    Ok(Exit::from_loads(&outcomes))
}
