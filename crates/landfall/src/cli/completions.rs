//! `landfall completions`.

use anyhow::Result;
use clap::CommandFactory as _;
use clap_complete::Shell;

use super::CommandLine;
use crate::{exit::Exit, output};

/// Print the completions of a shell.
///
/// For bash: landfall completions bash > ~/.local/share/bash-completion/completions/landfall
#[derive(Debug, clap::Args)]
pub(super) struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(args: CompletionsArgs) -> Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut CommandLine::command(), "landfall", &mut script);
    output::write_stdout(|out| Ok(out.write_all(&script)?))?;
    Ok(Exit::Done)
}
