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
use crate::exit::{Exit, Fault};

/// Look into the quarantine, mend rejects and try them again.
///
/// Without a command, lists the rejects that are open.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: list::Args,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::Args),
    #[command(visible_alias = "groups")]
    Group(group::Args),
    Show(show::Args),
    Export(export::Args),
    Retry(retry::Args),
    Discard(discard::Args),
}

pub(super) fn run(args: Args, invocation: &Invocation) -> Result<Exit> {
    if args.command.is_some() && !args.list.is_default() {
        return Err(
            Fault::usage("write the options after the name of the command: landfall rejects list --table …").into()
        );
    }
    match args.command {
        None => list::run(args.list, invocation),
        Some(Command::List(args)) => list::run(args, invocation),
        Some(Command::Group(args)) => group::run(args, invocation),
        Some(Command::Show(args)) => show::run(args, invocation),
        Some(Command::Export(args)) => export::run(args, invocation),
        Some(Command::Retry(args)) => retry::run(args, invocation),
        Some(Command::Discard(args)) => discard::run(args, invocation),
    }
}
