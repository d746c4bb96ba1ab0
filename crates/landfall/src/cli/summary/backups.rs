//! Backups, as a person reads them.

use std::fmt::Write as _;

use landfall_engine::{
    backup::{BackupOutcome, Manifest, RestoreOutcome, SetId, VerifiedSet},
    escape_controls,
};

use crate::counts::count_noun;

/// What a backup wrote.
pub(crate) fn summarize_backup(outcome: &BackupOutcome) -> String {
    let mut text = String::new();
    for table in &outcome.tables {
        let (rows, bytes) = (count_noun(table.rows, "row"), count_noun(table.bytes, "byte"));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}: {rows}, {bytes}, {:.1} s", escape_controls(&table.table), table.seconds);
    }
    for table in &outcome.missing {
        let _ = writeln!(text, "{}: the database has no such table", escape_controls(table));
    }
    let _ = writeln!(text, "backup set {} in {}", outcome.set, escape_controls(&outcome.location));
    text
}

/// What a restore found in its files.
pub(crate) fn summarize_restore(outcome: &RestoreOutcome) -> String {
    let mut text = String::new();
    for table in &outcome.tables {
        for (fields, words) in [
            (&table.ignored, "fields of the file that were left out"),
            (&table.missing, "fields that the file has not, and that are missing now"),
        ] {
            if !fields.is_empty() {
                // Writing to a string cannot fail.
                let _ = writeln!(
                    text,
                    "{}: {words}: {}",
                    escape_controls(&table.table),
                    escape_controls(&fields.join(", "))
                );
            }
        }
    }
    let _ = writeln!(text, "from {}", escape_controls(&outcome.location));
    text
}

/// The sets of a store.
pub(crate) fn list_backup_sets(location: &str, sets: &[(&SetId, Result<Manifest, String>)]) -> String {
    let mut text = String::new();
    for (set, manifest) in sets {
        match manifest {
            Ok(manifest) => {
                let rows = manifest.tables.iter().map(|table| table.rows).sum();
                let bytes = manifest.tables.iter().map(|table| table.bytes).sum();
                let tables: Vec<&str> = manifest.tables.iter().map(|table| &*table.table).collect();
                let tables = escape_controls(&tables.join(", ")).to_string();
                let _ = writeln!(text, "{set}  {}, {}  {tables}", count_noun(rows, "row"), count_noun(bytes, "byte"));
            }
            Err(error) => {
                let _ = writeln!(text, "{set}  damaged: {error}");
            }
        }
    }
    let _ = writeln!(text, "{} in {}", count_noun(sets.len() as u64, "backup set"), escape_controls(location));
    text
}

/// What was found of sets.
pub(crate) fn verified_sets(location: &str, sets: &[VerifiedSet]) -> String {
    let mut text = String::new();
    for set in sets {
        if set.findings.is_empty() {
            let _ = writeln!(text, "{}: {} as written", set.set, count_noun(set.tables.len() as u64, "table"));
        }
        for finding in &set.findings {
            let _ = writeln!(text, "{}: {}", set.set, escape_controls(finding));
        }
    }
    if sets.is_empty() {
        let _ = writeln!(text, "there is no backup set in {}", escape_controls(location));
    }
    text
}
