//! `landfall rejects discard`.

use anyhow::Result;
use landfall_engine::{pipeline, targets::TargetAccess};
use serde_json::json;

use super::filter::FilterArgs;
use crate::{
    cli::Invocation,
    exit::{CommandError, Exit},
    output,
};

/// Discard rejects, with a reason.
///
/// They stay in the quarantine as discarded, and are not tried again, not even when their parents are loaded.
#[derive(Debug, clap::Args)]
pub(super) struct DiscardArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// All open rejects.
    #[arg(long, conflicts_with_all = ["table", "load", "code", "field", "id"])]
    all: bool,
    /// The reason.
    #[arg(long, value_name = "TEXT", value_parser = parse_reason)]
    reason: String,
}

fn parse_reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() { Err("a reason is wanted".into()) } else { Ok(text.to_owned()) }
}

pub(super) fn run(args: DiscardArgs, invocation: &Invocation) -> Result<Exit> {
    // A filter that was forgotten would give up all rejects of the project.
    if args.filter.is_empty() && !args.all {
        return Err(CommandError::usage_error("say which: --id, --table, --load, --code, --field, or --all").into());
    }
    let settings = invocation.read_settings()?;
    let filter = args.filter.resolve_filter(&settings.package)?;
    let mut opened = invocation.open_with(settings, TargetAccess::Write)?;
    let count = pipeline::discard_rejects(&mut *opened.target, &filter, &args.reason)?;
    if invocation.globals.json {
        output::print_document(&json!({ "discarded": count }))?;
        return Ok(Exit::Done);
    }
    invocation.print_note(&match count {
        0 => "there is no such reject in the quarantine; nothing was changed".to_owned(),
        1 => "1 reject was discarded".to_owned(),
        count => format!("{count} rejects were discarded"),
    });
    Ok(Exit::Done)
}
