//! `landfall loads`.

use std::fmt::Write as _;

use anyhow::Result;
use clap::{ValueEnum, builder::PossibleValuesParser};
use landfall_core::schema::Package;
use landfall_engine::{
    escape_controls,
    ledger::{LoadEntry, LoadFilter, LoadId, LoadState},
    targets::{Target, TargetAccess},
};
use serde_json::{Value, json};

use super::{Invocation, complete, selection::require_tables};
use crate::{
    counts::format_equation,
    exit::{CommandError, Exit},
    output,
};

/// Show the ledger: the loads and their counts.
///
/// Shows the newest loads, the newest last, and says if there are older ones. A service writes an entry for each request with rows, so
/// the ledger may be long. With --json, `next` is the --before of the next older page, or null.
#[derive(Debug, clap::Args)]
pub(super) struct LoadsArgs {
    /// Only loads into this table.
    #[arg(long, value_name = "TABLE", add = complete::offer_tables())]
    table: Option<String>,
    /// Only loads in this state.
    #[arg(long, value_name = "STATE", value_parser = state_values())]
    state: Option<String>,
    /// Only loads of files (and retries), or of rows sent to a service.
    #[arg(long, value_enum, value_name = "SOURCE")]
    source: Option<SourceKind>,
    /// Only loads before this one.
    #[arg(long, value_name = "ID")]
    before: Option<LoadId>,
    /// At most this many, the newest of them.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    limit: u64,
}

/// Where records came from, as the service names it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SourceKind {
    Files,
    Rows,
}

fn state_values() -> PossibleValuesParser {
    let states =
        [LoadState::Running, LoadState::Complete, LoadState::Stopped, LoadState::RolledBack, LoadState::Abandoned];
    PossibleValuesParser::new(states.map(LoadState::as_str))
}

impl LoadsArgs {
    /// What is asked of the ledger, once the table is known to exist.
    fn resolve_filter(&self, package: &Package) -> Result<LoadFilter, CommandError> {
        require_tables(&self.table, package)?;
        Ok(LoadFilter {
            table: self.table.clone(),
            state: self.state.as_deref().and_then(LoadState::parse),
            rows: self.source.map(|source| source == SourceKind::Rows),
            before: self.before,
            newest_first: true,
            ..LoadFilter::default()
        })
    }

    fn is_filtered(&self) -> bool {
        self.table.is_some() || self.state.is_some() || self.source.is_some() || self.before.is_some()
    }
}

pub(super) fn run(args: LoadsArgs, invocation: &Invocation) -> Result<Exit> {
    let settings = invocation.read_settings()?;
    let filter = args.resolve_filter(&settings.package)?;
    let opened = invocation.open_with(settings, TargetAccess::Read)?;
    let (loads, next) = newest_loads(&*opened.target, filter, args.limit)?;
    if invocation.globals.json {
        output::print_document(&render_document(&loads, next))?;
        return Ok(Exit::Done);
    }
    if loads.is_empty() && args.is_filtered() {
        output::print_note("No such loads.");
        return Ok(Exit::Done);
    }
    output::print_result(&render_listing(&loads, invocation))?;
    if let Some(next) = next.filter(|_| !invocation.globals.quiet) {
        output::print_note(&format!(
            "There are older loads: ask for them with --before {next}, or for more with --limit N."
        ));
    }
    Ok(Exit::Done)
}

/// The newest loads that `filter` wants, oldest first, and the one before which there are others.
fn newest_loads(target: &dyn Target, filter: LoadFilter, limit: u64) -> Result<(Vec<LoadEntry>, Option<LoadId>)> {
    // One more than is shown tells whether there are older ones.
    let mut loads = target.find_loads(&LoadFilter { limit: Some(limit + 1), ..filter })?;
    let more = loads.len() as u64 > limit;
    if more {
        loads.pop();
    }
    let next = loads.last().filter(|_| more).map(|load| load.id);
    loads.reverse();
    Ok((loads, next))
}

fn render_document(loads: &[LoadEntry], next: Option<LoadId>) -> Value {
    let loads: Vec<Value> = loads.iter().map(LoadEntry::to_json).collect();
    json!({ "loads": loads, "next": next })
}

fn render_listing(loads: &[LoadEntry], invocation: &Invocation) -> String {
    if loads.is_empty() {
        return format!("Nothing was loaded yet: {} load\n", invocation.command_prefix());
    }
    loads.iter().fold(String::new(), |mut text, load| {
        let (table, source, state) = (escape_controls(&load.table), escape_controls(&load.source), load.state.as_str());
        let (mode, since) = (load.mode.as_str(), &load.started_at);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "load {}  {since}  {state}  {table} ← {source}  ({mode})", load.id);
        let _ = writeln!(text, "  {}", format_equation(load.counts));
        text
    })
}
