//! `landfall loads`.

use std::fmt::Write as _;

use anyhow::Result;
use landfall_engine::{ledger::LoadEntry, shown, target::Access};
use serde_json::json;

use super::Invocation;
use crate::{exit::Exit, output, summary::equation};

/// Show the ledger: every load, and what became of its records.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print the ledger as one JSON document.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: Args, invocation: &Invocation) -> Result<Exit> {
    let opened = invocation.open(Access::Read)?;
    let loads = opened.target.loads()?;
    let text = if args.json { document(&loads) } else { listing(&loads, invocation) };
    output::print(&text)?;
    Ok(Exit::Done)
}

fn document(loads: &[LoadEntry]) -> String {
    let loads: Vec<serde_json::Value> = loads.iter().map(entry).collect();
    format!("{}\n", json!({ "loads": loads }))
}

/// The entry with the keys of `load --json`, and those that only the ledger knows.
fn entry(load: &LoadEntry) -> serde_json::Value {
    json!({
        "load_id": load.id,
        "table": load.table,
        "source": load.source,
        "state": load.state,
        "read": load.counts.read,
        "inserted": load.counts.inserted,
        "updated": load.counts.updated,
        "unchanged": load.counts.unchanged,
        "rejected": load.counts.rejected,
        "seconds": load.seconds,
        "mode": load.mode,
        "on_conflict": load.on_conflict,
        "offset": load.position.offset,
        "digest": load.digest,
        "started_at": load.started_at,
        "changed_at": load.changed_at,
    })
}

fn listing(loads: &[LoadEntry], invocation: &Invocation) -> String {
    if loads.is_empty() {
        return format!("Nothing was loaded yet: {} load\n", invocation.program());
    }
    loads.iter().fold(String::new(), |mut text, load| {
        let (table, source, state) = (shown(&load.table), shown(&load.source), load.state.as_str());
        let (mode, since) = (load.mode.as_str(), &load.started_at);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "load {}  {since}  {state}  {table} ← {source}  ({mode})", load.id);
        let _ = writeln!(text, "  {}", equation(load.counts));
        text
    })
}
