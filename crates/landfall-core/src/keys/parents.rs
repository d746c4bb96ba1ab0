//! The keys of a parent table: what a foreign key is checked against.

use std::collections::HashSet;

use arrow_array::RecordBatch;
use foldhash::fast::FixedState;

use super::{
    IntegerSet, KeyColumns, Scalar,
    columns::{self, RowKey},
    seen::Membership,
};

/// The most fingerprints kept in memory (32 MiB or so a million); a larger parent is asked row by row.
const FINGERPRINT_LIMIT: usize = 2_000_000;
/// The most integer pages kept in memory where they are sparse.
const PAGE_LIMIT: usize = 500_000;

/// The keys of a parent table: exact, or [`Membership::Perhaps`] for every key where the table is too large to hold.
#[derive(Debug, Clone, Default)]
pub struct ParentSet {
    integers: IntegerSet,
    fingerprints: HashSet<u128, FixedState>,
    overflown: bool,
    /// Whether it may grow without a limit.
    unbounded: bool,
}

impl ParentSet {
    /// A set that knows nothing: only the table can tell.
    #[must_use]
    pub fn without_knowledge() -> Self {
        Self { overflown: true, ..Self::default() }
    }

    /// An empty set that holds every key, whatever the memory.
    #[must_use]
    pub fn without_bound() -> Self {
        Self { unbounded: true, ..Self::default() }
    }

    /// Adds the keys of all rows of `batch`, made up of all of its columns.
    pub fn insert_rows(&mut self, batch: &RecordBatch) {
        let columns = KeyColumns::from_whole_batch(batch);
        for row in 0..batch.num_rows() {
            self.insert(&columns, row);
        }
    }

    /// Adds the key of one row.
    pub fn insert(&mut self, columns: &KeyColumns<'_>, row: usize) {
        if self.overflown {
            return;
        }
        match columns.row_key(row) {
            RowKey::Null => {}
            RowKey::Integer(value) => {
                self.integers.insert(value);
            }
            RowKey::Hash(_) => self.fingerprints.extend(columns.row_fingerprint(row)),
        }
        self.enforce_bound();
    }

    /// Knows nothing any more where it would know too much.
    fn enforce_bound(&mut self) {
        let full = self.fingerprints.len() > FINGERPRINT_LIMIT || self.integers.page_count() > PAGE_LIMIT;
        if full && !self.unbounded {
            // All of it goes: a set with a part of the keys would deny parents that are there.
            *self = Self::without_knowledge();
        }
    }

    /// Adds one key, given by its values.
    pub fn insert_values(&mut self, values: &[Scalar]) {
        if self.overflown {
            return;
        }
        match RowKey::from_values(values) {
            RowKey::Null => {}
            RowKey::Integer(value) => {
                self.integers.insert(value);
            }
            RowKey::Hash(_) => self.fingerprints.extend(columns::fingerprint_values(values)),
        }
        self.enforce_bound();
    }

    /// Whether the key with these values is that of a parent.
    #[must_use]
    pub fn contains_values(&self, values: &[Scalar]) -> Membership {
        let found = match RowKey::from_values(values) {
            RowKey::Null => true,
            _ if self.overflown => return Membership::Perhaps,
            RowKey::Integer(value) => self.integers.contains(value),
            RowKey::Hash(_) => {
                columns::fingerprint_values(values).is_some_and(|print| self.fingerprints.contains(&print))
            }
        };
        if found { Membership::Yes } else { Membership::No }
    }

    /// Whether the key of `row` is that of a parent. A key with a missing value needs none.
    #[inline]
    #[must_use]
    pub fn contains_parent(&self, columns: &KeyColumns<'_>, row: usize) -> Membership {
        let found = match columns.row_key(row) {
            RowKey::Null => true,
            _ if self.overflown => return Membership::Perhaps,
            RowKey::Integer(value) => self.integers.contains(value),
            RowKey::Hash(_) => columns.row_fingerprint(row).is_some_and(|print| self.fingerprints.contains(&print)),
        };
        if found { Membership::Yes } else { Membership::No }
    }
}
