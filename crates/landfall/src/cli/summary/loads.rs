//! What became of the records of a command's loads, as text and as JSON.

use std::{fmt::Write as _, path::Path};

use anyhow::Result;
use landfall_engine::{
    escape_controls,
    ledger::{Counts, LoadEntry, LoadFilter, LoadState},
    pipeline::{LoadOutcome, StageSeconds},
    targets::Target,
};

use super::{one_cause, reasons};
use crate::counts::{count_noun, format_equation, group_thousands};
use crate::{
    cli::{Invocation, invocation::option_for_shell},
    output,
};

/// Prints what became of `outcomes`.
pub(crate) fn print_loads(outcomes: &[LoadOutcome], target: &dyn Target, invocation: &Invocation) -> Result<()> {
    if invocation.globals.json {
        return output::print_document(&render_document(outcomes)?);
    }
    if invocation.globals.quiet {
        return Ok(());
    }
    let ledger = find_known_loads(outcomes, target)?;
    let advice = suggest_next_steps(outcomes, &invocation.command_prefix());
    output::print_result(&format!("{}{advice}", summarize_tables(outcomes, &ledger, invocation)))
}

/// Prints what would become of `outcomes`: nothing was written.
pub(crate) fn print_dry_run(outcomes: &[LoadOutcome], invocation: &Invocation) -> Result<()> {
    if invocation.globals.json {
        let mut document = render_document(outcomes)?;
        document["dry_run"] = true.into();
        return output::print_document(&document);
    }
    if invocation.globals.quiet {
        return Ok(());
    }
    output::print_result(&format!("{}Dry run: nothing was written.\n", summarize_check(outcomes, invocation)))
}

/// The entries of the loads that the ledger knew: it may have millions of others.
fn find_known_loads(outcomes: &[LoadOutcome], target: &dyn Target) -> Result<Vec<LoadEntry>> {
    let mut entries = Vec::new();
    for load in outcomes.iter().filter(|load| load.state == LoadState::Known) {
        entries.extend(target.find_loads(&LoadFilter { id: Some(load.load_id), ..LoadFilter::default() })?);
    }
    Ok(entries)
}

/// `{"loads": […], "stages": {…}}`; the stages are summed over the loads.
pub(crate) fn render_document(outcomes: &[LoadOutcome]) -> Result<serde_json::Value> {
    let mut stages: Option<StageSeconds> = None;
    let mut loads = Vec::with_capacity(outcomes.len());
    for outcome in outcomes {
        if let Some(spent) = outcome.stages {
            *stages.get_or_insert_default() += spent;
        }
        loads.push(serde_json::to_value(LoadOutcome { stages: None, ..outcome.clone() })?);
    }
    let mut document = serde_json::json!({ "loads": loads });
    if let (Some(stages), Some(map)) = (stages, document.as_object_mut()) {
        map.insert("stages".into(), serde_json::to_value(stages)?);
    }
    Ok(document)
}

/// What `check` found: as after a load, in the words of a check.
pub(crate) fn summarize_check(outcomes: &[LoadOutcome], invocation: &Invocation) -> String {
    let mut text = String::new();
    for loads in group_by_table(outcomes) {
        let counts = sum_counts(&loads);
        let passed = counts.read - counts.rejected;
        let _ = writeln!(
            text,
            "{}: {} read = {} would pass + {} would be rejected",
            escape_controls(&loads[0].table),
            group_thousands(counts.read),
            group_thousands(passed),
            group_thousands(counts.rejected)
        );
        text.push_str(&reasons::reason_lines(&loads));
        text.push_str(&describe_stray_quotes(&loads));
        text.extend(one_cause::explain_total_rejection(&loads, &invocation.globals.project));
        text.push_str(&describe_consequences(&loads, "would be "));
    }
    text
}

/// The quotes that were taken for text, although a program may have meant them otherwise.
fn describe_stray_quotes(loads: &[&LoadOutcome]) -> String {
    match loads.iter().map(|load| load.stray_quotes).sum() {
        0 => String::new(),
        1 => "  1 cell holds a quote and does not begin with one: the quote is part of its text (see strayQuotes)\n"
            .into(),
        count => format!(
            "  {} cells hold a quote and do not begin with one: the quotes are part of their text (see strayQuotes)\n",
            group_thousands(count)
        ),
    }
}

/// What else became of the table and its rejects: rows that a replace removed, and rejects that were closed, with why. `would` says
/// so of what is not done.
fn describe_consequences(loads: &[&LoadOutcome], would: &str) -> String {
    let mut text = String::new();
    let would_or = |was: &'static str| if would.is_empty() { was } else { would };
    for removed in loads.iter().filter_map(|load| load.removed) {
        let _ = writeln!(
            text,
            "  replaced: {} {}removed",
            count_noun(removed, "row"),
            would_or(if removed == 1 { "was " } else { "were " })
        );
    }
    for refusal in loads.iter().filter_map(|load| load.refusal) {
        let _ = writeln!(text, "  stopped, and nothing changed: {refusal}");
    }
    let closed = |count: fn(&LoadOutcome) -> u64| loads.iter().map(|load| count(load)).sum::<u64>();
    for (count, why) in [
        (closed(|load| load.closed_rejects.same_content), "the same content was loaded again"),
        (closed(|load| load.closed_rejects.same_source), "the replace has read their source again"),
    ] {
        if count > 0 {
            let _ = writeln!(text, "  {} {}closed: {why}", count_noun(count, "earlier reject"), would);
        }
    }
    text
}

fn summarize_tables(outcomes: &[LoadOutcome], ledger: &[LoadEntry], invocation: &Invocation) -> String {
    let project = &invocation.globals.project;
    let mut text: String =
        group_by_table(outcomes).iter().map(|loads| summarize_table(loads, ledger, project)).collect();
    if outcomes.iter().all(|load| load.state == LoadState::Known) {
        text.push_str("Nothing new to read.\n");
    } else if group_by_table(outcomes).len() > 1 {
        let all: Vec<&LoadOutcome> = outcomes.iter().collect();
        let _ = writeln!(text, "all tables\n  {}", format_equation(sum_counts(&all)));
    }
    text
}

/// The loads of one table: the sources, the equation over them, and the reasons.
fn summarize_table(loads: &[&LoadOutcome], ledger: &[LoadEntry], project: &Path) -> String {
    let mut text = format!("{}\n", escape_controls(&loads[0].table));
    for load in loads {
        let _ = writeln!(text, "  {}", describe_source(load, ledger));
    }
    if loads.iter().any(|load| load.state != LoadState::Known) {
        let _ = writeln!(text, "  {}", format_equation(sum_counts(loads)));
    }
    text.push_str(&reasons::reason_lines(loads));
    text.extend(one_cause::explain_total_rejection(loads, project));
    text + &describe_stray_quotes(loads) + &describe_consequences(loads, "")
}

fn describe_source(load: &LoadOutcome, ledger: &[LoadEntry]) -> String {
    let source = escape_controls(&load.source);
    let (id, seconds) = (load.load_id, load.seconds);
    let told = match load.state {
        LoadState::Known => {
            let entry = ledger.iter().find(|entry| entry.id == id);
            let since = entry.map(|entry| format!(", {}", entry.changed_at)).unwrap_or_default();
            return format!("{source}: known since load {id}{since}, not read again (--force reads it)");
        }
        LoadState::Complete => String::new(),
        LoadState::Running => ", not finished: the same command goes on".into(),
        LoadState::Stopped if load.max_reject_bytes.is_some() => {
            let most = count_noun(load.max_reject_bytes.unwrap_or_default(), "byte");
            format!(
                ", stopped: its rejects have more than {most}; see whether the dictionary fits the file, or raise \
                 maxRejectBytes in landfall.yaml, and run the same command again to go on"
            )
        }
        LoadState::Stopped if load.max_project_reject_bytes.is_some() => {
            let most = count_noun(load.max_project_reject_bytes.unwrap_or_default(), "byte");
            format!(
                ", stopped: all open rejects have more than {most}; mend or discard some (landfall rejects), or raise \
                 maxProjectRejectBytes in landfall.yaml, and run the same command again to go on"
            )
        }
        LoadState::Stopped => {
            ", stopped: too many rejects; the same command with a higher --max-rejects goes on".into()
        }
        LoadState::RolledBack if load.refusal.is_some() => ", rolled back".into(),
        LoadState::RolledBack => ", rolled back: it is all or nothing, and there are too many rejects".into(),
        LoadState::Abandoned => ", abandoned: the source has changed".into(),
    };
    let resumed = match load.resumed {
        0 => String::new(),
        count => format!(", resumed after {}", count_noun(count, "record")),
    };
    format!("{source}: load {id}, {seconds:.2} s{resumed}{told}")
}

/// What the user may do next, where something was rejected.
fn suggest_next_steps(outcomes: &[LoadOutcome], program: &str) -> String {
    let tables = group_by_table(outcomes);
    let rejecting: Vec<&str> =
        tables.iter().filter(|loads| sum_counts(loads).rejected > 0).map(|loads| &*loads[0].table).collect();
    let Some(first) = rejecting.first() else { return String::new() };
    let mut text = format!(
        "\nNothing is lost: rejected records are in the quarantine, with every reason.\n  {program} rejects list\n  \
         {program} rejects group\nTo mend them in a file, and try them again:\n"
    );
    for table in &rejecting {
        let (name, file) = (option_for_shell("--table", table), option_for_shell("--out", &name_rejects_file(table)));
        let _ = writeln!(text, "  {program} rejects export {name} {file}");
    }
    let _ = writeln!(text, "  {program} rejects retry {}", option_for_shell("--from", &name_rejects_file(first)));
    text
}

/// The file for the rejects of `table`, in the current folder whatever the name has in it.
fn name_rejects_file(table: &str) -> String {
    format!("{}-rejects.csv", table.replace(['/', '\\'], "_"))
}

/// The outcomes by table, in the order in which the tables first occur.
fn group_by_table(outcomes: &[LoadOutcome]) -> Vec<Vec<&LoadOutcome>> {
    let mut tables: Vec<Vec<&LoadOutcome>> = Vec::new();
    for outcome in outcomes {
        match tables.iter_mut().find(|loads| loads[0].table == outcome.table) {
            Some(loads) => loads.push(outcome),
            None => tables.push(vec![outcome]),
        }
    }
    tables
}

/// The sum over what was read now: a load that is known read nothing.
fn sum_counts(loads: &[&LoadOutcome]) -> Counts {
    loads.iter().filter(|load| load.state != LoadState::Known).fold(Counts::default(), |mut sum, load| {
        sum += load.counts;
        sum
    })
}
