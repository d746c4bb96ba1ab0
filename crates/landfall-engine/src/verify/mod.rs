//! Promise 1, checked afresh: every record of every source is looked for in the database.
//!
//! The sources are read again, and each record must be a row of its table or a reject of its load. No counter of a load is
//! compared with another counter, but with what is found in the source, the table and the quarantine.

mod coverage;
mod load;

use std::collections::HashSet;

use landfall_core::schema::TableIndex;
use serde::Serialize;

use self::{
    coverage::{SourceCoverage, check_coverage},
    load::{CountingRules, load_finding, lost_rejects, quarantined_records, reopen_source, verify_load},
};
use crate::{
    count_noun,
    error::Result,
    ledger::{Counts, LoadEntry, LoadFilter, LoadId, LoadState, Mode, OnConflict},
    pipeline::{Observer, current_loads},
    project::Project,
    quarantine::{RejectFilter, RejectState},
    receipt::{Receipt, find_discrepancy},
    targets::{Table, TargetRead},
};

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verification {
    /// One entry for each load.
    pub loads: Vec<VerifiedLoad>,
    /// One entry for each table.
    pub tables: Vec<VerifiedTable>,
    /// What is wrong.
    pub findings: Vec<VerifyFinding>,
}

impl Verification {
    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }
}

/// In what way something is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// What was counted afresh differs from the ledger.
    Discrepancy,
    /// A source of the data package is covered by no complete load.
    NotLoaded,
    /// The ledger lacks what a receipt says was acknowledged.
    Receipt,
}

/// What is wrong with a load or a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifyFinding {
    /// In what way.
    pub kind: FindingKind,
    /// The table.
    pub table: String,
    /// The load, where it is one's.
    pub load_id: Option<LoadId>,
    /// The source, where it is one's.
    pub source: Option<String>,
    /// What is wrong.
    pub message: String,
}

/// What was found of a load.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VerifiedLoad {
    /// The load.
    pub load_id: LoadId,
    /// The table.
    pub table: String,
    /// The source.
    pub source: String,
    /// Records counted in the source, where it could be read again.
    pub records: Option<u64>,
    /// Records found as rows of the table with just their content.
    pub in_table: Option<u64>,
    /// What became of the records, as the ledger has it: of those in the table, only the inserted ones made a row.
    pub counts: Counts,
    /// Records whose key the table holds with other content, as later loads may have given it.
    pub changed_since: Option<u64>,
    /// Records found in the quarantine, where they still are.
    pub in_quarantine: u64,
    /// Records that were in the quarantine, and left it as rows.
    pub released: u64,
    /// Why the source was not read again.
    pub note: Option<String>,
}

/// What was found of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifiedTable {
    /// The table.
    pub table: String,
    /// Rows counted in the table.
    pub rows: u64,
    /// Rows that loads have inserted since it was last replaced.
    pub inserted: u64,
    /// Those of the loads that were requests for rows, sent to the service: they cannot be read again.
    pub requests: u64,
    /// What may explain a difference.
    pub note: Option<String>,
}

/// Verifies all tables of the project, and that each source of its data package was loaded.
///
/// # Errors
/// A target that cannot be read. What is found to be wrong is not an error.
pub fn verify_tables(read: &dyn TargetRead, project: &Project, observer: &dyn Observer) -> Result<Verification> {
    let mut verification = Verification { loads: Vec::new(), tables: Vec::new(), findings: Vec::new() };
    // Requests for rows are left out here: there may be millions, and they are read page by page.
    let ledger = read.find_loads(&LoadFilter { rows: Some(false), ..LoadFilter::default() })?;
    for (position, table) in project.package.table_positions().zip(&project.target_tables()) {
        let loads = current_loads(&ledger, &table.name);
        let requests = verify_requests(read, table, &loads, &mut verification)?;
        let updates = requests.counts.updated > 0 || loads.iter().any(|entry| entry.counts.updated > 0);
        let aside = read.is_staged(table)?;
        for entry in loads.iter().filter(|entry| entry.mode != Mode::Retry) {
            // Rows that were updated, or kept in spite of other content, differ from their source by right.
            let may_change = updates || entry.on_conflict == OnConflict::Keep;
            let source = if aside { Err(ASIDE.to_owned()) } else { reopen_source(project, position, entry) };
            let counting = CountingRules { position, source, may_change };
            verify_load(read, project, counting, entry, observer, &mut verification)?;
        }
        verify_table(read, table, aside, &loads, &ledger, requests, &mut verification)?;
        verify_sources(project, position, &ledger, &mut verification)?;
    }
    Ok(verification)
}

/// Looks for sources of the data package that no complete load covers.
fn verify_sources(
    project: &Project,
    position: TableIndex,
    ledger: &[LoadEntry],
    found: &mut Verification,
) -> Result<()> {
    let resource = &project.package[position];
    let of_table = |load: &&VerifiedLoad| load.table == *resource.name && load.records.is_some();
    let read_again: HashSet<&str> = found.loads.iter().filter(of_table).map(|load| load.source.as_str()).collect();
    let SourceCoverage { findings, notes } = check_coverage(project, resource, ledger, &read_again)?;
    found.findings.extend(findings);
    if let Some(table) = found.tables.last_mut() {
        let notes: Vec<String> = table.note.take().into_iter().chain(notes).collect();
        table.note = (!notes.is_empty()).then(|| notes.join("; "));
    }
    Ok(())
}

/// Holds `receipt` against the ledger; what is missing there is added to the findings.
///
/// # Errors
/// A target that cannot be read.
pub fn verify_receipt(read: &dyn TargetRead, receipt: &Receipt, found: &mut Verification) -> Result<()> {
    for acknowledged in &receipt.loads {
        if let Some(message) = find_discrepancy(read, acknowledged)? {
            found.findings.push(VerifyFinding {
                kind: FindingKind::Receipt,
                table: acknowledged.table.clone(),
                load_id: Some(acknowledged.load_id),
                source: Some(acknowledged.source.clone()),
                message,
            });
        }
    }
    Ok(())
}

fn table_finding(table: &Table, message: String) -> VerifyFinding {
    let table = table.name.to_string();
    VerifyFinding { kind: FindingKind::Discrepancy, table, load_id: None, source: None, message }
}

/// Why rows of a table cannot be looked for that a load builds and has not finished.
const ASIDE: &str =
    "its load was interrupted, or goes on now: its rows come into sight when the same command has ended";

fn verify_table(
    read: &dyn TargetRead,
    table: &Table,
    aside: bool,
    loads: &[&LoadEntry],
    ledger: &[LoadEntry],
    requests: RowRequests,
    found: &mut Verification,
) -> Result<()> {
    let rows = read.row_count(table)?;
    let of_sources: u64 = loads.iter().map(|entry| entry.counts.inserted).sum();
    let inserted = of_sources + requests.counts.inserted;
    let mut note = None;
    if aside {
        note = Some(ASIDE.to_owned());
    // More rows are a note and no finding: Landfall has no claim to be the only writer.
    } else if rows > inserted {
        note = Some("other programs have inserted rows, or rows were there before the first load".to_owned());
    } else if rows < inserted {
        let rows = count_noun(rows, "row");
        let message = format!("the table has {rows}, and loads have inserted {inserted}: rows were deleted");
        found.findings.push(table_finding(table, message));
    }
    let filter = RejectFilter {
        table: Some(table.name.to_string()),
        state: Some(RejectState::Released),
        ..RejectFilter::default()
    };
    let released = read.reject_count(&filter)?;
    let retried: u64 = ledger
        .iter()
        // Of the whole ledger: a retry may have been before the last replace, and its rejects are still marked.
        .filter(|entry| entry.mode == Mode::Retry && *entry.table == *table.name)
        .map(|entry| entry.counts.inserted + entry.counts.updated + entry.counts.unchanged)
        .sum();
    if released != retried {
        let message = format!("{released} of its rejects are marked as released, and retries have released {retried}");
        found.findings.push(table_finding(table, message));
    }
    let (table, requests) = (table.name.to_string(), requests.count);
    found.tables.push(VerifiedTable { table, rows, inserted, requests, note });
    Ok(())
}

/// The requests for rows of a table: each is a load, and there may be very many.
#[derive(Debug, Clone, Copy, Default)]
struct RowRequests {
    count: u64,
    counts: Counts,
}

/// Loads looked at in one go.
const PAGE: u64 = 10_000;

/// Adds up the requests for rows of `table` since it was last replaced by one of `loads`. Their rows cannot be read again; but
/// their numbers must add up, and the quarantine must hold what they rejected.
fn verify_requests(
    read: &dyn TargetRead,
    table: &Table,
    loads: &[&LoadEntry],
    found: &mut Verification,
) -> Result<RowRequests> {
    let replaced = loads.first().filter(|first| first.mode == Mode::Replace).map_or(LoadId::NONE, |first| first.id);
    let mut filter = LoadFilter {
        table: Some(table.name.to_string()),
        rows: Some(true),
        after: replaced,
        limit: Some(PAGE),
        ..LoadFilter::default()
    };
    let mut requests = RowRequests::default();
    loop {
        let page = read.find_loads(&filter)?;
        let Some(last) = page.last() else { return Ok(requests) };
        filter.after = last.id;
        for entry in page {
            requests.count += 1;
            requests.counts += entry.counts;
            let mut wrong = Vec::new();
            if !entry.counts.conserved() {
                wrong.push("its numbers do not add up".to_owned());
            }
            // There may be millions of requests, so that the quarantine is asked only about those with rejects.
            if entry.counts.rejected > 0 && entry.state != LoadState::RolledBack {
                wrong.extend(lost_rejects(&entry, quarantined_records(read, &entry)?.0.len()));
            }
            found.findings.extend(wrong.into_iter().map(|message| load_finding(&entry, message)));
        }
    }
}
