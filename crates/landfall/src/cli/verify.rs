//! `landfall verify`.

use std::path::PathBuf;

use anyhow::Result;
use landfall_engine::{Error, receipt::Receipt, targets::TargetAccess, verify};

use super::Invocation;
use crate::{cli::summary, exit::Exit, output};

/// Count sources and database again, and compare them with the ledger.
///
/// Names each source of the data package that no complete load covers. Ends with code 1 if anything is wrong. Changes nothing.
#[derive(Debug, clap::Args)]
pub(super) struct VerifyArgs {
    /// Also compare a receipt of load or push with the ledger; may be repeated.
    #[arg(long, value_name = "FILE")]
    receipt: Vec<PathBuf>,
}

pub(super) fn run(args: VerifyArgs, invocation: &Invocation) -> Result<Exit> {
    // First, since counting may take hours: a wrong path is told at once.
    let receipts = args.receipt.iter().map(read_receipt).collect::<Result<Vec<_>>>()?;
    let opened = invocation.open(TargetAccess::Read)?;
    let reporter = invocation.progress_reporter();
    let mut verification = verify::verify_tables(&*opened.target, &opened.project, &reporter)?;
    for receipt in &receipts {
        verify::verify_receipt(&*opened.target, receipt, &mut verification)?;
    }
    reporter.clear_bar();
    if invocation.globals.json {
        output::print_document(&verification)?;
    } else {
        output::print_result(&summary::summarize_verification(&verification, &invocation.command_prefix()))?;
    }
    Ok(if verification.findings.is_empty() { Exit::Done } else { Exit::Found })
}

fn read_receipt(path: &PathBuf) -> Result<Receipt> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| Error::source_error(&name, error))?;
    Ok(Receipt::parse(&text, &name)?)
}
