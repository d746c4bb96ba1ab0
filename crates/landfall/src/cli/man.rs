//! `landfall man`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use serde_json::json;

use super::{CommandLine, Invocation};
use crate::{
    exit::{CommandError, Exit},
    output,
};

/// Print the manual page, or write the pages of all commands to a folder.
#[derive(Debug, clap::Args)]
pub(super) struct ManArgs {
    /// The folder for the pages of all commands.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: ManArgs, invocation: &Invocation) -> Result<Exit> {
    let command = CommandLine::command().disable_help_subcommand(true);
    let json = invocation.globals.json;
    match args.out {
        Some(folder) => {
            write_pages(command, &folder)?;
            if json {
                output::print_document(&json!({ "folder": folder }))?;
            }
        }
        None => print_page(command, json)?,
    }
    Ok(Exit::Done)
}

fn print_page(command: Command, json: bool) -> Result<()> {
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    if json {
        return output::print_document(&json!({ "page": String::from_utf8_lossy(&page) }));
    }
    output::write_stdout(|out| Ok(out.write_all(&page)?))
}

/// Writes a page for each command, such as `landfall-rejects-list.1`.
fn write_pages(command: Command, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(command, folder))
        .map_err(|error| CommandError::usage_error(format!("cannot write to {}: {error}", folder.display())).into())
}
