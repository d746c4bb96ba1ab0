//! The command line, in two steps: what was typed ([`CommandLine`], without side effects), and the commands, which resolve it
//! against the project and run.

mod backup;
mod backups;
mod check;
mod complete;
mod completions;
mod init;
mod invocation;
mod load;
mod load_result;
mod loads;
mod man;
mod push;
mod rejects;
mod report;
mod restore;
mod schema;
mod selection;
mod serve;
mod summary;
mod token;
mod verify;
mod worker;

use std::ffi::OsString;

use anyhow::Result;
use clap::{
    CommandFactory as _, FromArgMatches as _, Parser, Subcommand,
    error::{ContextKind, ContextValue},
};

pub(crate) use completions::answer_shell;
use invocation::Invocation;

use crate::{
    exit::{self, Exit},
    globals::{Globals, LogFormat},
};

/// Load CSV files into a SQL database under declared rules, with every row accounted for.
///
/// A project is a folder with two files. landfall.yaml says how it runs (target, reports). datapackage.yaml says what the data is
/// (tables, types, rules, keys). `landfall init` proposes both for a folder of CSV files.
#[derive(Debug, Parser)]
#[command(
    name = "landfall",
    version,
    after_help = exit::describe_exit_codes(),
    subcommand_required = true,
    arg_required_else_help = true,
    propagate_version = false
)]
pub(crate) struct CommandLine {
    /// Options of every command.
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Load(load::LoadArgs),
    Check(check::CheckArgs),
    Rejects(rejects::RejectsArgs),
    Loads(loads::LoadsArgs),
    Verify(verify::VerifyArgs),
    Backup(backup::BackupArgs),
    Backups(backups::BackupsArgs),
    Restore(restore::RestoreArgs),
    Report(report::ReportArgs),
    Serve(serve::ServeArgs),
    Worker(worker::WorkerArgs),
    Push(push::PushArgs),
    Token(token::TokenArgs),
    Schema(schema::SchemaArgs),
    Init(init::InitArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

/// What was typed, or how the program ends where that was asked for help or makes no sense.
pub(crate) fn parse() -> Result<CommandLine, Exit> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    // Before anything is understood: also a mistake in the command line is told as --log and --color want it.
    let early = Globals::scan_arguments(&arguments);
    let command = command_with_short_help().color(early.color.for_clap());
    let typed = command.try_get_matches_from(&arguments).and_then(|matches| CommandLine::from_arg_matches(&matches));
    typed.map_err(|error| print_usage_error(&without_secrets(error), &early))
}

/// The command line, whose options of every command are listed only once: in the help of `landfall` itself.
fn command_with_short_help() -> clap::Command {
    fn hide_globals(command: clap::Command, end: &str) -> clap::Command {
        let command = command.mut_args(|option| if option.is_global_set() { option.hide(true) } else { option });
        command.after_help(end.to_owned()).mut_subcommands(|command| hide_globals(command, end))
    }
    let mut command = CommandLine::command();
    // Subcommands have these options only then.
    command.build();
    let names = command.get_arguments().filter(|option| option.is_global_set()).filter_map(clap::Arg::get_long);
    let names: Vec<String> = names.map(|name| format!("--{name}")).collect();
    let end = format!("Common options: {} (see `landfall --help`)", names.join(", "));
    command.mut_subcommands(|command| hide_globals(command, &end))
}

/// A mistake without the passwords of URLs that were typed.
fn without_secrets(mut error: clap::Error) -> clap::Error {
    for kind in [ContextKind::InvalidValue, ContextKind::InvalidArg, ContextKind::InvalidSubcommand] {
        // A URL may be typed at the wrong place, and what is printed ends up in logs.
        let Some(ContextValue::String(typed)) = error.get(kind) else { continue };
        if let Some(hidden) = hide_secrets(typed) {
            error.insert(kind, ContextValue::String(hidden));
            // Advice repeats what was typed.
            error.remove(ContextKind::Suggested);
        }
    }
    error
}

/// `typed` without what may be a secret in it, if it may be a URL with one: a name and a password, or a query. Where they end cannot be
/// told, since a password may have any character.
fn hide_secrets(typed: &str) -> Option<String> {
    let (start, rest) = match typed.find("://") {
        Some(at) => typed.split_at(at + 3),
        None => ("", typed),
    };
    let has_scheme = !start.is_empty();
    let hides = rest.contains('@') && (has_scheme || rest.contains([':', '?'])) || has_scheme && rest.contains('?');
    hides.then(|| format!("{start}…"))
}

/// Help goes to standard output, a mistake to standard error.
fn print_usage_error(error: &clap::Error, early: &Globals) -> Exit {
    // clap prints for people. Its own label goes, since the line says its level.
    if error.use_stderr() && early.log == LogFormat::Json {
        let message = error.to_string();
        crate::failure::print_error(message.trim_start_matches("error: ").trim_end(), Exit::Usage, early);
    } else {
        // Where nobody reads, there is nobody to tell.
        let _ = error.print();
    }
    if error.use_stderr() { Exit::Usage } else { Exit::Done }
}

/// Runs what was typed.
pub(crate) fn dispatch_command(typed: CommandLine) -> Result<Exit> {
    let invocation = Invocation::new(typed.globals);
    match typed.command {
        Command::Load(args) => load::run(args, &invocation),
        Command::Check(args) => check::run(args, &invocation),
        Command::Rejects(args) => rejects::run(args, &invocation),
        Command::Loads(args) => loads::run(args, &invocation),
        Command::Verify(args) => verify::run(args, &invocation),
        Command::Backup(args) => backup::run(args, &invocation),
        Command::Backups(args) => backups::run(args, &invocation),
        Command::Restore(args) => restore::run(args, &invocation),
        Command::Report(args) => report::run(args, &invocation),
        Command::Serve(args) => serve::run(args, &invocation),
        Command::Worker(args) => worker::run(args, &invocation),
        Command::Push(args) => push::run(args, &invocation),
        Command::Token(args) => token::run(args, &invocation),
        Command::Schema(args) => schema::run(args, &invocation),
        Command::Init(args) => init::run(args, &invocation),
        Command::Completions(args) => completions::run(args, &invocation),
        Command::Man(args) => man::run(args, &invocation),
    }
}
