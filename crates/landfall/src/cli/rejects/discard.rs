//! `landfall rejects discard`.

use anyhow::Result;
use landfall_engine::{pipeline, targets::Access};

use super::filter::Filter;
use crate::{
    cli::Invocation,
    exit::{Exit, Fault},
};

/// Give rejects up, and say why.
///
/// They stay in the quarantine as discarded, with the reason, and are not tried again: also not when their parents are loaded.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    filter: Filter,
    /// All open rejects.
    #[arg(long, conflicts_with_all = ["table", "load", "code", "field", "id"])]
    all: bool,
    /// Why.
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: String,
}

fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() { Err("a reason is wanted".into()) } else { Ok(text.to_owned()) }
}

pub(super) fn run(args: Args, invocation: &Invocation) -> Result<Exit> {
    if args.filter.is_empty() && !args.all {
        return Err(Fault::usage("say which: --id, --table, --load, --code, --field, or --all").into());
    }
    let settings = invocation.settings()?;
    let filter = args.filter.resolve(&settings.package)?;
    let mut opened = invocation.open_with(settings, Access::Write)?;
    let count = pipeline::discard(&mut *opened.target, &filter, &args.reason)?;
    invocation.tell(&match count {
        0 => "there is no such reject in the quarantine; nothing was changed".to_owned(),
        1 => "1 reject was discarded".to_owned(),
        count => format!("{count} rejects were discarded"),
    });
    Ok(Exit::Done)
}
