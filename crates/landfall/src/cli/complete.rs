//! What a shell offers behind a command: the names of the project's tables, reports and backup sets.
//!
//! The shell runs the program at each Tab, so that nothing here writes, connects to a server, or complains: a project that cannot be read
//! has nothing to offer.

use std::{ffi::OsStr, path::PathBuf};

use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use landfall_engine::backup::{BackupStore as _, LocalStore};

use crate::config::{FileDestination, ProjectSettings};

/// Offers the names of tables for an argument.
pub(super) fn offer_tables() -> ArgValueCompleter {
    ArgValueCompleter::new(complete_tables)
}

/// Offers the names of reports for an argument.
pub(super) fn offer_reports() -> ArgValueCompleter {
    ArgValueCompleter::new(complete_reports)
}

/// Offers the names of backup sets for an argument.
pub(super) fn offer_sets() -> ArgValueCompleter {
    ArgValueCompleter::new(complete_sets)
}

/// The tables, also where `=SOURCE` may follow.
fn complete_tables(current: &OsStr) -> Vec<CompletionCandidate> {
    let tables = |settings: ProjectSettings| {
        settings.package.resources.into_iter().map(|table| (table.name.to_string(), table.title)).collect()
    };
    offer_names(current, tables)
}

/// The reports.
fn complete_reports(current: &OsStr) -> Vec<CompletionCandidate> {
    offer_names(current, |settings| settings.reports.into_iter().map(|report| (report.name, report.title)).collect())
}

/// The backup sets of the project's own folder, the newest first. A store on the network might keep the shell waiting.
fn complete_sets(current: &OsStr) -> Vec<CompletionCandidate> {
    let sets = |settings: ProjectSettings| {
        let FileDestination::Folder(folder) = settings.backup.to else { return Vec::new() };
        let sets = LocalStore::new(&folder).list_sets().unwrap_or_default();
        let newest = (!sets.is_empty()).then(|| ("latest".to_owned(), None));
        newest.into_iter().chain(sets.iter().rev().map(|set| (set.as_str().to_owned(), None))).collect()
    };
    offer_names(current, sets)
}

/// The names of the typed project that begin with `current`, each with its title.
fn offer_names(
    current: &OsStr,
    names: impl FnOnce(ProjectSettings) -> Vec<(String, Option<String>)>,
) -> Vec<CompletionCandidate> {
    let (Some(begun), Ok(settings)) = (current.to_str(), read_typed_project()) else { return Vec::new() };
    let fitting = names(settings).into_iter().filter(|(name, _)| name.starts_with(begun));
    fitting.map(|(name, title)| CompletionCandidate::new(name).help(title.map(Into::into))).collect()
}

/// The project of the command line that is being completed, which the shell passes behind `--`.
fn read_typed_project() -> anyhow::Result<ProjectSettings> {
    // A word that is no UTF-8 names no project that is read here; the other words count all the same.
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let words: Vec<String> = words.skip_while(|word| word != "--").collect();
    let joined = words.iter().find_map(|word| word.strip_prefix("--project="));
    let apart = words.iter().position(|word| word == "--project").and_then(|at| words.get(at + 1)).map(String::as_str);
    let folder = PathBuf::from(joined.or(apart).unwrap_or("."));
    ProjectSettings::open(&folder, &|name| std::env::var(name).ok())
}
