//! The log: what happens inside, on standard error, as text or as JSON lines. It holds no values of the data.

use std::io::{IsTerminal as _, stderr};

use tracing::level_filters::LevelFilter;

use crate::globals::{Globals, LogFormat};

/// Starts the log.
pub(crate) fn start_log(globals: &Globals) {
    let log =
        // Errors of the log itself are not told: standard error is closed then, and to write there would panic.
        tracing_subscriber::fmt().with_writer(stderr).with_max_level(choose_level(globals)).log_internal_errors(false);
    match globals.log {
        LogFormat::Json => log.json().flatten_event(true).init(),
        LogFormat::Text => log.with_ansi(globals.color.uses_color(stderr().is_terminal())).with_target(false).init(),
    }
}

/// JSON lines are for programs, which are told of progress too.
fn choose_level(globals: &Globals) -> LevelFilter {
    match (globals.quiet, globals.verbose, globals.log) {
        (true, ..) => LevelFilter::ERROR,
        (_, 0, LogFormat::Text) => LevelFilter::WARN,
        (_, 0, LogFormat::Json) | (_, 1, LogFormat::Text) => LevelFilter::INFO,
        (_, 1, LogFormat::Json) | (_, 2, _) => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    }
}
