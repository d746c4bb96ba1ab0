//! The tables as SQL, and how a database differs from the data package.

use std::fmt::Write as _;

use landfall_engine::{escape_controls, targets::Difference};

use crate::counts::count_noun;

/// The statements as a script, and behind it the differences as comments.
pub(crate) fn render_schema(statements: &[String], differences: &[Difference], location: &str) -> String {
    let script = render_script(&statements.iter().map(String::as_str).collect::<Vec<_>>());
    format!("{script}\n{}", comment_lines(&self::list_differences(differences, location)))
}

/// The statements that an apply is about to carry out, as a script.
pub(crate) fn render_additions(statements: &[&str]) -> String {
    if statements.is_empty() { String::new() } else { format!("{}\n", render_script(statements)) }
}

/// What an apply has done, or would do, and what remains, as comments behind its statements.
pub(crate) fn summarize_apply(count: usize, remaining: &[Difference], location: &str, dry_run: bool) -> String {
    let location = escape_controls(location);
    let done = match (count, dry_run) {
        (0, _) => format!("Nothing can be added to {location}."),
        (1, true) => format!("Nothing was altered. Without --dry-run, this statement is carried out on {location}."),
        (_, true) => format!("Nothing was altered. Without --dry-run, these statements are carried out on {location}."),
        (1, false) => format!("1 statement was carried out on {location}."),
        (count, false) => format!("{count} statements were carried out on {location}."),
    };
    let state = match (remaining.is_empty(), dry_run && count > 0) {
        (true, false) => "The tables are as the data package says.\n".into(),
        (true, true) => String::new(),
        (false, _) => format!("What adding does not mend:\n{}", difference_lines(remaining)),
    };
    comment_lines(&format!("{done}\n{state}"))
}

/// The differences, one a line, and what follows from them.
pub(crate) fn list_differences(differences: &[Difference], location: &str) -> String {
    let location = escape_controls(location);
    if differences.is_empty() {
        return format!("{location} has the tables as the data package says.\n");
    }
    let count = count_noun(differences.len() as u64, "difference");
    let addable = differences.iter().any(|found| found.addition.is_some());
    let mend = if addable { "; `landfall schema apply` adds what is missing" } else { "" };
    format!("{}{count} between the data package and {location}{mend}.\n", difference_lines(differences))
}

/// The message where `serious` differences remain after an apply.
pub(crate) fn describe_remaining(serious: &[Difference]) -> String {
    let found: Vec<String> = serious.iter().map(format_difference).collect();
    format!("adding cannot mend what stops loads; rename the table, or mend the data package:\n{}", found.join("\n"))
}

fn difference_lines(differences: &[Difference]) -> String {
    differences.iter().fold(String::new(), |text, found| {
        let effect = match found {
            Difference { addition: Some(_), .. } => " (schema apply adds it)",
            Difference { harmless: false, .. } => " (stops loads)",
            _ => "",
        };
        format!("{text}{}{effect}\n", format_difference(found))
    })
}

/// `people: has no column "age"`. The names in it come from the database, and stay on one line.
fn format_difference(found: &Difference) -> String {
    escape_controls(&format!("{}: {}", found.table, found.message)).into_owned()
}

/// Statements that run as they stand, a blank line between two.
fn render_script(statements: &[&str]) -> String {
    let statements: Vec<String> = statements.iter().map(|statement| format!("{statement};\n")).collect();
    statements.join("\n")
}

/// Each line of `text` as a comment of SQL.
fn comment_lines(text: &str) -> String {
    text.lines().fold(String::new(), |mut out, line| {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "-- {line}");
        out
    })
}
