//! Receipts: what a command was told about its records, kept outside the database.
//!
//! A ledger cannot prove that an entry is missing. A receipt can: it is written once a load or a push has been acknowledged,
//! and `verify` holds it against the ledger later.

use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    ledger::{Counts, LoadEntry, LoadFilter, LoadId, LoadState},
    pipeline::LoadOutcome,
    targets::TargetRead,
    timestamp,
};

/// The version of the form.
const VERSION: u32 = 1;

/// What a command was told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The version of the form, 1.
    pub receipt: u32,
    /// The command: `load` or `push`.
    pub command: String,
    /// When it was written, RFC 3339 in UTC.
    pub written_at: String,
    /// What was acknowledged.
    pub loads: Vec<ReceiptLoad>,
}

/// An acknowledged load, or request for rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptLoad {
    /// The number of its ledger entry.
    pub load_id: LoadId,
    /// The table.
    pub table: String,
    /// The source, as whoever wrote the receipt knows it.
    pub source: String,
    /// What became of its records.
    pub counts: Counts,
}

impl Receipt {
    /// The receipt of `command`.
    #[must_use]
    pub fn new(command: &str, loads: Vec<ReceiptLoad>) -> Self {
        Self { receipt: VERSION, command: command.to_owned(), written_at: timestamp::now_utc(), loads }
    }

    /// The receipt of a load. Content that the ledger knew already is acknowledged as the ledger has it.
    ///
    /// # Errors
    /// A target that cannot be read.
    pub fn from_loads(outcomes: &[LoadOutcome], read: &dyn TargetRead) -> Result<Self> {
        let mut loads = Vec::with_capacity(outcomes.len());
        for outcome in outcomes {
            let mut counts = outcome.counts;
            // A known load has read nothing this time; what it is acknowledged for is what the ledger holds.
            if outcome.state == LoadState::Known
                && let Some(entry) = find_entry(read, outcome.load_id)?
            {
                counts = entry.counts;
            }
            let (table, source) = (outcome.table.clone(), outcome.source.clone());
            loads.push(ReceiptLoad { load_id: outcome.load_id, table, source, counts });
        }
        Ok(Self::new("load", loads))
    }

    /// Reads a receipt.
    ///
    /// # Errors
    /// A text that is not a receipt of this version; `name` says where it stands.
    pub fn parse(text: &str, name: &str) -> Result<Self> {
        let receipt: Self = serde_json::from_str(text)
            .map_err(|error| Error::source_error(name, format!("it is not a receipt of Landfall: {error}")))?;
        if receipt.receipt != VERSION {
            let message = format!("its form has the version {}, and this program reads {VERSION}", receipt.receipt);
            return Err(Error::source_error(name, message));
        }
        Ok(receipt)
    }
}

/// What the database lacks of `acknowledged`; none if it has it all.
///
/// # Errors
/// A target that cannot be read.
pub fn find_discrepancy(read: &dyn TargetRead, acknowledged: &ReceiptLoad) -> Result<Option<String>> {
    let ReceiptLoad { load_id, table, counts, .. } = acknowledged;
    let Some(entry) = find_entry(read, *load_id)? else {
        return Ok(Some(format!("load {load_id} was acknowledged, and the ledger has no such load")));
    };
    if entry.table != *table {
        let message =
            format!("load {load_id} was acknowledged for this table, and the ledger has it for {:?}", entry.table);
        return Ok(Some(message));
    }
    // All counts, not only the sum: an insert that became an update is a difference too.
    if entry.counts != *counts {
        return Ok(Some(format!(
            "load {load_id} was acknowledged with {}, and the ledger says {}",
            describe_counts(counts),
            describe_counts(&entry.counts)
        )));
    }
    Ok(None)
}

fn find_entry(read: &dyn TargetRead, id: LoadId) -> Result<Option<LoadEntry>> {
    Ok(read.find_loads(&LoadFilter { id: Some(id), ..LoadFilter::default() })?.pop())
}

fn describe_counts(counts: &Counts) -> String {
    let Counts { read, inserted, updated, unchanged, rejected } = counts;
    format!("{read} read = {inserted} inserted + {updated} updated + {unchanged} unchanged + {rejected} rejected")
}
