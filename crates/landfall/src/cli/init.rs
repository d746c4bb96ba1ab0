//! `landfall init`.

use std::path::PathBuf;

use anyhow::Result;
use landfall_engine::{init, shown};

use super::Invocation;
use crate::{
    config::{PACKAGE_FILES, PROJECT_FILE},
    exit::{Exit, Fault},
    output::{self, Replace},
};

/// Propose a project from a folder of CSV files.
///
/// Writes datapackage.yaml (dialect, header, types, keys that the data supports) and landfall.yaml, commented and ready to
/// run. Read them: they are a proposal.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder with the CSV files; the project's folder where none is named.
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Replace files that exist.
    #[arg(long)]
    force: bool,
}

pub(super) fn run(args: Args, invocation: &Invocation) -> Result<Exit> {
    let folder = args.folder.unwrap_or_else(|| invocation.globals.project.clone());
    let replace = if args.force { Replace::Yes } else { refuse_existing(&folder)? };
    let proposal = init::propose(&folder)?;
    for (name, text) in [(PACKAGE_FILES[0], &proposal.package_yaml), (PROJECT_FILE, &proposal.landfall_yaml)] {
        output::to_file(&folder.join(name), replace, |out| Ok(out.write_all(text.as_bytes())?))?;
    }
    if !invocation.globals.quiet {
        let notes: String = proposal.notes.iter().map(|note| format!("  {}\n", shown(note))).collect();
        let folder = folder.display();
        output::print(&format!(
            "Wrote {folder}/{} and {folder}/{PROJECT_FILE}.\n{notes}Next: read them, then\n  \
             landfall check --project {folder}\n  landfall load --project {folder}\n",
            PACKAGE_FILES[0]
        ))?;
    }
    Ok(Exit::Done)
}

/// Looks at both files before either is written.
fn refuse_existing(folder: &std::path::Path) -> Result<Replace, Fault> {
    let names = PACKAGE_FILES.iter().copied().chain([PROJECT_FILE]);
    match names.map(|name| folder.join(name)).find(|path| path.exists()) {
        Some(path) => Err(Fault::usage(format!("{} exists; --force replaces it", path.display()))),
        None => Ok(Replace::No),
    }
}
