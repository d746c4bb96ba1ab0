//! What `verify` found.

use std::fmt::Write as _;

use landfall_engine::{
    escape_controls,
    ledger::Counts,
    verify::{FindingKind, Verification, VerifiedLoad, VerifiedTable, VerifyFinding},
};

use crate::counts::{count_noun, group_thousands};

/// What was counted, and the findings. `program` is how the next command begins.
pub(crate) fn summarize_verification(verification: &Verification, program: &str) -> String {
    let loads = verification.loads.iter().map(describe_load);
    let tables = verification.tables.iter().map(describe_table);
    let findings = verification.findings.iter().map(describe_finding);
    let mut text: String = loads.chain(tables).chain(findings).collect();
    let unread = verification.loads.iter().filter(|load| load.records.is_none()).count();
    // Writing to a string cannot fail.
    let _ = match (verification.findings.len(), unread) {
        (0, 0) => writeln!(text, "Every record is accounted for."),
        (0, _) => writeln!(text, "Every record that could be looked for is accounted for."),
        (count, _) => writeln!(text, "{}.", count_noun(count as u64, "discrepancy")),
    };
    if unread > 0 {
        let loads = count_noun(unread as u64, "load");
        let _ = writeln!(text, "The records of {loads} were not looked for: the reason stands with each.");
    }
    if is_untouched(verification) {
        let _ = writeln!(text, "Nothing was loaded yet: {program} load");
    }
    text
}

/// Whether no load, request or receipt has left anything to be verified.
fn is_untouched(verification: &Verification) -> bool {
    let unused = |table: &VerifiedTable| table.inserted == 0 && table.requests == 0;
    verification.loads.is_empty()
        && verification.tables.iter().all(unused)
        && verification.findings.iter().all(|finding| finding.kind == FindingKind::NotLoaded)
}

/// `load 3  people ← people.csv: 5 in the source = 3 in the table + 2 in the quarantine`.
fn describe_load(load: &VerifiedLoad) -> String {
    let (table, source) = (escape_controls(&load.table), escape_controls(&load.source));
    let count = |name: &str, count: Option<u64>| count.map(|count| format!("{} {name}", group_thousands(count)));
    let changed = count("changed since", load.changed_since.filter(|count| *count > 0));
    let released = count("released", Some(load.released).filter(|count| *count > 0));
    let quarantined = count("in the quarantine", Some(load.in_quarantine));
    let in_table = count("in the table", load.in_table).map(|found| found + &explain_rows(load));
    let places = [in_table, changed, quarantined, released];
    let places = places.into_iter().flatten().collect::<Vec<_>>().join(" + ");
    let records = count("in the source = ", load.records).unwrap_or_default();
    format!("load {}  {table} ← {source}: {records}{places}{}\n", load.load_id, format_note(load.note.as_deref()))
}

/// ` (3 inserted + 1 unchanged)`: why the table has fewer rows than records were found in it. Without that, the number of rows below
/// would look like a loss.
fn explain_rows(load: &VerifiedLoad) -> String {
    let Counts { inserted, updated, unchanged, .. } = load.counts;
    if updated + unchanged == 0 || load.in_table != Some(inserted + updated + unchanged) {
        return String::new();
    }
    let parts = [(inserted, "inserted"), (updated, "updated"), (unchanged, "unchanged")];
    let parts = parts.iter().filter(|(count, _)| *count > 0);
    format!(
        " ({})",
        parts.map(|(count, name)| format!("{} {name}", group_thousands(*count))).collect::<Vec<_>>().join(" + ")
    )
}

fn describe_table(table: &VerifiedTable) -> String {
    let (name, rows, inserted) =
        (escape_controls(&table.table), count_noun(table.rows, "row"), group_thousands(table.inserted));
    let requests = match table.requests {
        0 => String::new(),
        1 => " (1 of them a request for rows, which cannot be read again)".to_owned(),
        count => format!(" ({} of them requests for rows, which cannot be read again)", group_thousands(count)),
    };
    format!("table {name}: {rows}, {inserted} inserted by loads{requests}{}\n", format_note(table.note.as_deref()))
}

fn describe_finding(finding: &VerifyFinding) -> String {
    let mark = if finding.kind == FindingKind::NotLoaded { ": " } else { " ← " };
    let source = finding.source.as_ref().map(|source| format!("{mark}{source}")).unwrap_or_default();
    let place = format!("{}{source}", finding.table);
    format!("WRONG  {}: {}\n", escape_controls(&place), escape_controls(&finding.message))
}

fn format_note(note: Option<&str>) -> String {
    note.map(|note| format!(" ({})", escape_controls(note))).unwrap_or_default()
}
