//! `landfall rejects`: the quarantine.

mod discard;
mod export;
mod filter;
mod group;
mod list;
mod retry;
mod show;

use anyhow::Result;
use clap::Subcommand;

use super::Invocation;
use crate::exit::{CommandError, Exit};

/// List the quarantine, mend rejects and try them again.
///
/// Without a command, lists the open rejects.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(super) struct RejectsArgs {
    #[command(subcommand)]
    command: Option<RejectsCommand>,
    #[command(flatten)]
    list: list::ListArgs,
}

#[derive(Debug, Subcommand)]
enum RejectsCommand {
    List(list::ListArgs),
    #[command(visible_alias = "groups")]
    Group(group::GroupArgs),
    Show(show::ShowArgs),
    Export(export::ExportArgs),
    Retry(retry::RetryArgs),
    Discard(discard::DiscardArgs),
}

pub(super) fn run(args: RejectsArgs, invocation: &Invocation) -> Result<Exit> {
    // clap takes options before the command for those of the list, and they would be lost.
    if args.command.is_some() && !args.list.is_default() {
        return Err(CommandError::usage_error(
            "write the options after the name of the command: landfall rejects list --table …",
        )
        .into());
    }
    match args.command {
        None => list::run(args.list, invocation),
        Some(RejectsCommand::List(args)) => list::run(args, invocation),
        Some(RejectsCommand::Group(args)) => group::run(args, invocation),
        Some(RejectsCommand::Show(args)) => show::run(args, invocation),
        Some(RejectsCommand::Export(args)) => export::run(args, invocation),
        Some(RejectsCommand::Retry(args)) => retry::run(args, invocation),
        Some(RejectsCommand::Discard(args)) => discard::run(args, invocation),
    }
}
