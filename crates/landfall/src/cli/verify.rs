//! `landfall verify`.

use anyhow::Result;
use landfall_engine::{target::Access, verify};

use super::Invocation;
use crate::{exit::Exit, output, summary};

/// Count sources and database afresh, and compare them with the ledger.
///
/// Ends with code 1 where they differ. Nothing is changed.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print the findings as one JSON document.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: Args, invocation: &Invocation) -> Result<Exit> {
    let opened = invocation.open(Access::Read)?;
    let reporter = invocation.reporter();
    let verification = verify::verify(&*opened.target, &opened.project, &reporter)?;
    reporter.clear();
    if args.json {
        output::print(&format!("{}\n", serde_json::to_string(&verification)?))?;
    } else {
        output::print(&summary::verified(&verification))?;
    }
    Ok(if verification.findings.is_empty() { Exit::Done } else { Exit::Found })
}
