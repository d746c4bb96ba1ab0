//! Options of every command.

use std::{ffi::OsString, path::PathBuf};

use clap::{ArgAction, Args, ValueEnum};

/// Options of every command; they may stand before or after its name.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Globals {
    /// The folder of the project.
    #[arg(long, global = true, value_name = "DIR", default_value = ".")]
    pub(crate) project: PathBuf,
    /// Print only errors and requested data: no progress, no summary.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// More logging (-vv for debug).
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Print the results as one JSON object.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// The format of errors, progress and log on standard error.
    #[arg(long, global = true, value_name = "FORM", value_enum, default_value_t)]
    pub(crate) log: LogFormat,
    /// When to use colors.
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t)]
    pub(crate) color: ColorChoice,
}

/// The form of what goes to standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// When to use colors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl ColorChoice {
    /// Whether to use colors on a stream that is a `terminal` or not.
    pub(crate) fn uses_color(self, terminal: bool) -> bool {
        match self {
            // no-color.org: an empty value does not count.
            Self::Auto => terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
            Self::Always => true,
            Self::Never => false,
        }
    }

    pub(super) const fn for_clap(self) -> clap::ColorChoice {
        match self {
            Self::Auto => clap::ColorChoice::Auto,
            Self::Always => clap::ColorChoice::Always,
            Self::Never => clap::ColorChoice::Never,
        }
    }
}

impl Globals {
    /// How errors are told while the command line is not understood yet.
    pub(super) fn scan_arguments(arguments: &[OsString]) -> Self {
        Self {
            project: PathBuf::from("."),
            quiet: false,
            verbose: 0,
            json: false,
            log: scan_option(arguments, "--log").unwrap_or_default(),
            color: scan_option(arguments, "--color").unwrap_or_default(),
        }
    }
}

/// The value of the option `name`, where it stands plainly in `arguments`.
fn scan_option<T: ValueEnum>(arguments: &[OsString], name: &str) -> Option<T> {
    let texts: Vec<&str> = arguments.iter().filter_map(|argument| argument.to_str()).collect();
    let joined = texts.iter().find_map(|text| text.strip_prefix(name)?.strip_prefix('='));
    let apart = texts.iter().position(|text| *text == name).and_then(|at| texts.get(at + 1).copied());
    T::from_str(joined.or(apart)?, true).ok()
}
