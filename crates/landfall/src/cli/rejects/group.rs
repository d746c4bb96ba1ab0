//! `landfall rejects group`.

use anyhow::Result;
use landfall_engine::{escape_controls, quarantine::RejectGroup, targets::Access};

use super::filter::{Filter, State};
use crate::{cli::Invocation, counts::thousands, exit::Exit, output};

/// Count rejects by table, code and field, the most frequent cause first.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    filter: Filter,
    /// Rejects in this state.
    #[arg(long, value_enum, default_value_t, value_name = "STATE")]
    state: State,
    /// Print one line of JSON for each cause.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: Args, invocation: &Invocation) -> Result<Exit> {
    let settings = invocation.settings()?;
    let filter = args.state.of(args.filter.resolve(&settings.package)?);
    let opened = invocation.open_with(settings, Access::Read)?;
    let groups = opened.target.reject_groups(&filter)?;
    let width = groups.iter().map(|group| place(group).chars().count()).max().unwrap_or_default();
    output::to_stdout(|out| {
        for group in &groups {
            let line = if args.json { serde_json::to_string(group)? } else { line(group, width) };
            writeln!(out, "{line}")?;
        }
        Ok(())
    })?;
    if groups.is_empty() && !args.json && !invocation.globals.quiet {
        output::note("No rejects.");
    }
    Ok(Exit::Done)
}

fn line(group: &RejectGroup, width: usize) -> String {
    let place = place(group);
    let blanks = " ".repeat(width.saturating_sub(place.chars().count()));
    let example = group
        .example
        .as_deref()
        .filter(|value| !value.is_empty())
        .map(|value| format!("such as \"{}\"", escape_controls(value)))
        .unwrap_or_default();
    let text = format!("{:>9}  {:<16}  {place}{blanks}  {example}", thousands(group.count), group.code);
    text.trim_end().to_owned()
}

fn place(group: &RejectGroup) -> String {
    let field = group.field.as_ref().map(|field| format!(".{field}")).unwrap_or_default();
    escape_controls(&format!("{}{field}", group.table)).into_owned()
}
