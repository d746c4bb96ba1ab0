//! `landfall rejects group`.

use anyhow::Result;
use landfall_engine::{escape_controls, quarantine::RejectGroup, targets::TargetAccess};
use serde_json::json;

use super::filter::{FilterArgs, TypedState};
use crate::{cli::Invocation, counts::group_thousands, exit::Exit, output};

/// Count rejects by table, code and field, the most frequent cause first.
#[derive(Debug, clap::Args)]
pub(super) struct GroupArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// Rejects in this state.
    #[arg(long, value_enum, default_value_t, value_name = "STATE")]
    state: TypedState,
}

pub(super) fn run(args: GroupArgs, invocation: &Invocation) -> Result<Exit> {
    let settings = invocation.read_settings()?;
    let filter = args.state.apply_to(args.filter.resolve_filter(&settings.package)?);
    let opened = invocation.open_with(settings, TargetAccess::Read)?;
    let groups = opened.target.reject_groups(&filter)?;
    if invocation.globals.json {
        output::print_document(&json!({ "groups": groups }))?;
        return Ok(Exit::Done);
    }
    let width = groups.iter().map(|group| format_place(group).chars().count()).max().unwrap_or_default();
    output::write_stdout(|out| {
        for group in &groups {
            writeln!(out, "{}", format_group(group, width))?;
        }
        Ok(())
    })?;
    if groups.is_empty() && !invocation.globals.quiet {
        output::print_note("No rejects.");
    }
    Ok(Exit::Done)
}

fn format_group(group: &RejectGroup, width: usize) -> String {
    let place = format_place(group);
    let blanks = " ".repeat(width.saturating_sub(place.chars().count()));
    let example = group
        .example
        .as_deref()
        .filter(|value| !value.is_empty())
        .map(|value| format!("such as \"{}\"", escape_controls(value)))
        .unwrap_or_default();
    let text = format!("{:>9}  {:<16}  {place}{blanks}  {example}", group_thousands(group.count), group.code);
    text.trim_end().to_owned()
}

fn format_place(group: &RejectGroup) -> String {
    let field = group.field.as_ref().map(|field| format!(".{field}")).unwrap_or_default();
    escape_controls(&format!("{}{field}", group.table)).into_owned()
}
