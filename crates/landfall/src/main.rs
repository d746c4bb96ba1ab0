//! The command line of Landfall: CSV files become a SQL database under declared rules, with every row accounted for.

mod cli;
mod config;
mod counts;
mod exit;
mod failure;
mod globals;
mod http;
mod logging;
mod output;
mod progress;
mod push;
mod stop_signal;
mod typed;
mod web;
mod workers;

use std::process::ExitCode;

use exit::Exit;

fn main() -> ExitCode {
    failure::hide_panics();
    let exit = std::panic::catch_unwind(run).unwrap_or(Exit::Internal);
    ExitCode::from(exit.code())
}

fn run() -> Exit {
    // First: the words of a shell that completes are no command line.
    cli::answer_shell();
    let typed = match cli::parse() {
        Ok(typed) => typed,
        Err(exit) => return exit,
    };
    let globals = typed.globals.clone();
    logging::start_log(&globals);
    cli::dispatch_command(typed).unwrap_or_else(|error| failure::report_error(&error, &globals))
}
