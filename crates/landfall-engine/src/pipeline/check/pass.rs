//! One reading of a table's sources, and what the next needs to know of it.

use std::collections::{HashMap, HashSet};

use landfall_core::keys::{Membership, ParentSet, RowKey, Scalar};

use super::TableCheck;
use crate::{
    error::Result,
    pipeline::{
        adopt::greatest_fixpoint,
        keys::Keys,
        trial::{Claim, Wanted},
    },
    targets::Table,
};

/// Keys of one unique key that may occur twice, with the row that claimed each.
pub(super) type Suspects = HashMap<Vec<Scalar>, Option<Vec<Scalar>>>;

/// A row that names rows of its own table which were not there yet.
pub(super) struct Waiting {
    pub(super) claims: Vec<Claim>,
    pub(super) needs: Vec<Need>,
}

/// A row of the same table that another names.
pub(super) struct Need {
    pub(super) claim: Claim,
    pub(super) values: Vec<Scalar>,
}

/// The rows that the first reading found acceptable: at once, or once the others are there.
pub(super) struct Settled {
    pub(super) accepted: Vec<(Vec<usize>, ParentSet)>,
    pub(super) claims: HashSet<Claim>,
}

/// One reading of all sources of a table.
pub(super) struct Pass<'p> {
    /// Taken while a block is resolved.
    pub(super) keys: Option<Keys>,
    /// What the target holds of each unique key.
    pub(super) stored: Vec<landfall_core::keys::SeenKeys>,
    /// For each unique key the values that may occur twice.
    pub(super) suspects: Vec<Suspects>,
    /// The keys that foreign keys refer to.
    pub(super) parents: Vec<(Vec<usize>, ParentSet)>,
    /// Rows that name rows of their own table which were not there yet.
    pub(super) waiting: Vec<Waiting>,
    /// In the second reading: what the first has found.
    pub(super) settled: Option<Settled>,
    pub(super) table: &'p Table,
}

impl<'p> Pass<'p> {
    pub(super) fn first(check: &'p TableCheck<'_>, keys: Keys) -> Result<Self> {
        Ok(Self {
            stored: keys.uniques.iter().map(|unique| unique.seen.clone()).collect(),
            suspects: vec![Suspects::default(); keys.uniques.len()],
            parents: check.referred()?,
            waiting: Vec::new(),
            settled: None,
            table: check.table(),
            keys: Some(keys),
        })
    }

    pub(super) fn needs_second(&self) -> bool {
        !self.waiting.is_empty() || self.suspects.iter().any(|suspects| !suspects.is_empty())
    }

    /// The second reading: only suspect keys are looked at, and their rows are kept.
    pub(super) fn second(self, check: &'p TableCheck<'_>, mut keys: Keys) -> Result<Self> {
        keys.learns = false;
        for (unique, suspects) in keys.uniques.iter_mut().zip(&self.suspects) {
            for values in suspects.keys() {
                unique.seen.insert(RowKey::from_values(values));
            }
        }
        let accepted = self.parents;
        let met = |need: &Need| {
            let of = |(positions, set): &(Vec<usize>, ParentSet)| {
                *positions == need.claim.1 && set.contains_values(&need.values) == Membership::Yes
            };
            accepted.iter().any(of)
        };
        let open = self.waiting.into_iter().map(|waiting| Wanted {
            claims: waiting.claims,
            needs: waiting.needs.into_iter().filter(|need| !met(need)).map(|need| need.claim).collect(),
        });
        let claims = greatest_fixpoint(open.collect());
        Ok(Self {
            keys: Some(keys),
            stored: self.stored,
            suspects: self.suspects,
            parents: check.referred()?,
            waiting: Vec::new(),
            settled: Some(Settled { accepted, claims }),
            table: self.table,
        })
    }
}
