//! How an error reaches the user: one message with its causes on standard error, as text or as a JSON line.

use std::io::{IsTerminal as _, Write as _, stderr};

use landfall_engine::escape_controls;

use crate::{
    exit::Exit,
    globals::{Globals, LogFormat},
};

/// Tells `error` and says how the command ends.
pub(crate) fn report_error(error: &anyhow::Error, globals: &Globals) -> Exit {
    let exit = Exit::from_error(error);
    if exit != Exit::Done {
        print_error(&join_causes(error), exit, globals);
    }
    exit
}

/// Tells `message`, with which the command ends.
pub(crate) fn print_error(message: &str, exit: Exit, globals: &Globals) {
    let line = match globals.log {
        LogFormat::Json => render_json(message, exit),
        LogFormat::Text => format!("{} {message}", error_label(globals)),
    };
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(stderr(), "{line}");
}

fn error_label(globals: &Globals) -> &'static str {
    if globals.color.uses_color(stderr().is_terminal()) { "\u{1b}[1;31merror:\u{1b}[0m" } else { "error:" }
}

fn render_json(message: &str, exit: Exit) -> String {
    serde_json::json!({"level": "ERROR", "message": message, "exit_code": exit.code()}).to_string()
}

/// The message of `error` and of its causes, each once.
fn join_causes(error: &anyhow::Error) -> String {
    let mut said = String::new();
    for cause in error.chain() {
        let text = escape_lines(&cause.to_string());
        if said.is_empty() {
            said = text;
        // Some libraries put the cause in their own message already.
        } else if !said.ends_with(&text) {
            said = format!("{said}: {text}");
        }
    }
    said
}

/// `text` safe for a terminal; its line breaks are ours (errors of descriptors show the line) and stay.
fn escape_lines(text: &str) -> String {
    text.lines().map(escape_controls).collect::<Vec<_>>().join("\n")
}

/// Panics are told without their message, which may hold values of the data.
pub(crate) fn hide_panics() {
    let verbose = std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0");
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if verbose {
            return usual(panic);
        }
        let place = panic.location().map(|place| format!(" at {place}")).unwrap_or_default();
        let _ = writeln!(
            stderr(),
            "error: internal error{place}: this is a mistake of Landfall's own. What was committed is safe. \
             Run again with RUST_BACKTRACE=1 to see more, and report it."
        );
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_once_and_cannot_act_on_a_terminal() {
        let error = anyhow::anyhow!("no such\u{7} file").context("a.csv: no such\u{7} file").context("cannot read");
        assert_eq!(join_causes(&error), "cannot read: a.csv: no such\\u{7} file");
    }
}
