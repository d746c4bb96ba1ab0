//! The keys of a parent table: what a foreign key is checked against.

use std::collections::HashSet;

use arrow_array::RecordBatch;
use foldhash::fast::FixedState;

use super::{
    IntegerSet, KeyColumns, Scalar,
    columns::{self, Key},
    seen::Answer,
};

/// The most fingerprints kept in memory (32 MiB or so a million); a larger parent is asked row by row.
const FINGERPRINT_LIMIT: usize = 2_000_000;
/// The most integer pages kept in memory where they are sparse.
const PAGE_LIMIT: usize = 500_000;

/// The keys of a parent table: exact, or [`Answer::Perhaps`] for every key where the table is too large to hold.
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
    pub fn unknown() -> Self {
        Self { overflown: true, ..Self::default() }
    }

    /// An empty set that holds every key, whatever the memory.
    #[must_use]
    pub fn unbounded() -> Self {
        Self { unbounded: true, ..Self::default() }
    }

    /// Adds the keys of all rows of `batch`, made up of the columns at `positions`.
    pub fn insert_all(&mut self, batch: &RecordBatch, positions: &[usize]) {
        let columns = KeyColumns::new(batch, positions);
        for row in 0..batch.num_rows() {
            self.insert(&columns, row);
        }
    }

    /// Adds the key of one row.
    pub fn insert(&mut self, columns: &KeyColumns<'_>, row: usize) {
        if self.overflown {
            return;
        }
        match columns.key(row) {
            Key::Null => {}
            Key::Integer(value) => {
                self.integers.insert(value);
            }
            Key::Hash(_) => self.fingerprints.extend(columns.fingerprint(row)),
        }
        self.bound();
    }

    /// Knows nothing any more where it would know too much.
    fn bound(&mut self) {
        let full = self.fingerprints.len() > FINGERPRINT_LIMIT || self.integers.pages() > PAGE_LIMIT;
        if full && !self.unbounded {
            *self = Self::unknown();
        }
    }

    /// Adds one key, given by its values.
    pub fn insert_values(&mut self, values: &[Scalar]) {
        if self.overflown {
            return;
        }
        match Key::of(values) {
            Key::Null => {}
            Key::Integer(value) => {
                self.integers.insert(value);
            }
            Key::Hash(_) => self.fingerprints.extend(columns::fingerprint(values)),
        }
        self.bound();
    }

    /// Whether the key with these values is that of a parent.
    #[must_use]
    pub fn contains_values(&self, values: &[Scalar]) -> Answer {
        let found = match Key::of(values) {
            Key::Null => true,
            _ if self.overflown => return Answer::Perhaps,
            Key::Integer(value) => self.integers.contains(value),
            Key::Hash(_) => columns::fingerprint(values).is_some_and(|print| self.fingerprints.contains(&print)),
        };
        if found { Answer::Yes } else { Answer::No }
    }

    /// Whether the key of `row` is that of a parent. A key with a missing value needs none.
    #[inline]
    #[must_use]
    pub fn contains(&self, columns: &KeyColumns<'_>, row: usize) -> Answer {
        let found = match columns.key(row) {
            Key::Null => true,
            _ if self.overflown => return Answer::Perhaps,
            Key::Integer(value) => self.integers.contains(value),
            Key::Hash(_) => columns.fingerprint(row).is_some_and(|print| self.fingerprints.contains(&print)),
        };
        if found { Answer::Yes } else { Answer::No }
    }
}
