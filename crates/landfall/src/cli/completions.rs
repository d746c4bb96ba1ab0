//! `landfall completions`.

use anyhow::Result;
use clap::CommandFactory as _;
use clap_complete::{CompleteEnv, Shell, env::Shells};
use serde_json::json;

use super::{CommandLine, Invocation};
use crate::{
    exit::{CommandError, Exit},
    output,
};

/// Print the completions of a shell: commands, options, and the names of tables, reports and backup sets.
///
/// For bash: landfall completions bash > ~/.local/share/bash-completion/completions/landfall
#[derive(Debug, clap::Args)]
pub(super) struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// The variable by which a shell's script asks for what may follow.
const VARIABLE: &str = "LANDFALL_COMPLETE";

/// Answers a shell's script and ends the program, if it is one that asks.
pub(crate) fn answer_shell() {
    CompleteEnv::with_factory(CommandLine::command).var(VARIABLE).complete();
}

pub(super) fn run(args: CompletionsArgs, invocation: &Invocation) -> Result<Exit> {
    let shell = args.shell.to_string();
    let shells = Shells::builtins();
    let unknown = || CommandError::usage_error(format!("there are no completions for {shell}"));
    let completer = shells.completer(&shell).ok_or_else(unknown)?;
    let mut script = Vec::new();
    // By its name alone, the program is found where the user's PATH has it, also after an upgrade.
    completer.write_registration(VARIABLE, "landfall", "landfall", "landfall", &mut script)?;
    if invocation.globals.json {
        output::print_document(&json!({ "shell": shell, "script": String::from_utf8_lossy(&script) }))?;
    } else {
        output::write_stdout(|out| Ok(out.write_all(&script)?))?;
    }
    Ok(Exit::Done)
}
