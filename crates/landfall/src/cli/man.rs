//! `landfall man`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Command, CommandFactory as _};
use clap_mangen::Man;

use super::Typed;
use crate::{
    exit::{Exit, Fault},
    output,
};

/// Print the manual page, or write the pages of all commands.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder to write the pages of all commands to.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: Args) -> Result<Exit> {
    let command = Typed::command().disable_help_subcommand(true);
    match args.out {
        Some(folder) => write_pages(command, &folder)?,
        None => print_page(command)?,
    }
    Ok(Exit::Done)
}

fn print_page(command: Command) -> Result<()> {
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    output::to_stdout(|out| Ok(out.write_all(&page)?))
}

/// Writes a page for each command, such as `landfall-rejects-list.1`.
fn write_pages(command: Command, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(command, folder))
        .map_err(|error| Fault::usage(format!("cannot write to {}: {error}", folder.display())).into())
}
