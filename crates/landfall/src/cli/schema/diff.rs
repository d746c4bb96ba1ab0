//! `landfall schema diff`.

use anyhow::Result;
use landfall_engine::targets::TargetAccess;
use serde_json::json;

use crate::{
    cli::{Invocation, summary},
    exit::Exit,
    output,
};

/// List how the database differs from the data package.
///
/// Ends with code 1 if it differs, even if that stops no load. Changes nothing.
#[derive(Debug, clap::Args)]
pub(super) struct DiffArgs {}

pub(super) fn run(DiffArgs {}: DiffArgs, invocation: &Invocation) -> Result<Exit> {
    let opened = invocation.open(TargetAccess::Read)?;
    let differences = super::find_differences(&*opened.target, &opened.project.tables_to_make())?;
    let location = opened.target.location();
    if invocation.globals.json {
        output::print_document(&json!({ "target": location, "differences": differences }))?;
    } else {
        output::print_result(&summary::list_differences(&differences, &location))?;
    }
    Ok(if differences.is_empty() { Exit::Done } else { Exit::Found })
}
