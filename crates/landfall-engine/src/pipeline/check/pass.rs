//! One reading of a table's sources, and what the next needs to know of it.

use std::collections::{HashMap, HashSet};

use landfall_core::{
    keys::{Membership, ParentSet, RowKey, Scalar},
    schema::FieldIndex,
};

use super::TableCheck;
use crate::{
    error::Result,
    pipeline::{
        adopt::greatest_fixpoint,
        keys::TableKeys,
        trial::{KeyClaim, KeyNeeds},
    },
    targets::Table,
};

/// Keys of one unique key that may occur twice, with the row that claimed each.
pub(super) type SuspectKeys = HashMap<Vec<Scalar>, Option<Vec<Scalar>>>;

/// A row that names rows of its own table which were not there yet.
pub(super) struct WaitingRow {
    pub(super) claims: Vec<KeyClaim>,
    pub(super) needs: Vec<OwnParentNeed>,
}

/// A row of the same table that another names.
pub(super) struct OwnParentNeed {
    pub(super) claim: KeyClaim,
    pub(super) values: Vec<Scalar>,
}

/// The rows that the first reading found acceptable: at once, or once the others are there.
pub(super) struct AcceptableRows {
    pub(super) accepted: Vec<(Vec<FieldIndex>, ParentSet)>,
    pub(super) claims: HashSet<KeyClaim>,
}

/// One reading of all sources of a table.
pub(super) struct CheckPass<'p> {
    /// Taken while a block is resolved.
    pub(super) keys: Option<TableKeys>,
    /// What the target holds of each unique key.
    pub(super) stored: Vec<landfall_core::keys::SeenKeys>,
    /// For each unique key the values that may occur twice.
    pub(super) suspects: Vec<SuspectKeys>,
    /// The keys that foreign keys refer to.
    pub(super) parents: Vec<(Vec<FieldIndex>, ParentSet)>,
    /// Rows that name rows of their own table which were not there yet.
    pub(super) waiting: Vec<WaitingRow>,
    /// In the second reading: what the first has found.
    pub(super) settled: Option<AcceptableRows>,
    pub(super) table: &'p Table,
}

impl<'p> CheckPass<'p> {
    pub(super) fn first_pass(check: &'p TableCheck<'_>, keys: TableKeys) -> Result<Self> {
        Ok(Self {
            stored: keys.uniques.iter().map(|unique| unique.seen.clone()).collect(),
            suspects: vec![SuspectKeys::default(); keys.uniques.len()],
            parents: check.read_referred_keys()?,
            waiting: Vec::new(),
            settled: None,
            table: check.checked_table(),
            keys: Some(keys),
        })
    }

    pub(super) fn needs_second(&self) -> bool {
        !self.waiting.is_empty() || self.suspects.iter().any(|suspects| !suspects.is_empty())
    }

    /// The second reading: only suspect keys are looked at, and their rows are kept.
    pub(super) fn second_pass(self, check: &'p TableCheck<'_>, mut keys: TableKeys) -> Result<Self> {
        // Only the suspect keys count as seen now: the first reading has found all others to occur once.
        keys.learns = false;
        for (unique, suspects) in keys.uniques.iter_mut().zip(&self.suspects) {
            for values in suspects.keys() {
                unique.seen.insert(RowKey::from_values(values));
            }
        }
        let accepted = self.parents;
        let met = |need: &OwnParentNeed| {
            let of = |(positions, set): &(Vec<FieldIndex>, ParentSet)| {
                *positions == need.claim.1 && set.contains_values(&need.values) == Membership::Yes
            };
            accepted.iter().any(of)
        };
        let open = self.waiting.into_iter().map(|waiting| KeyNeeds {
            claims: waiting.claims,
            needs: waiting.needs.into_iter().filter(|need| !met(need)).map(|need| need.claim).collect(),
        });
        let claims = greatest_fixpoint(open.collect());
        Ok(Self {
            keys: Some(keys),
            stored: self.stored,
            suspects: self.suspects,
            parents: check.read_referred_keys()?,
            waiting: Vec::new(),
            settled: Some(AcceptableRows { accepted, claims }),
            table: self.table,
        })
    }
}
