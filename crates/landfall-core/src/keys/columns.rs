//! The keys of the rows of a batch.

use std::hash::{BuildHasher, Hash, Hasher};

use arrow_array::{Array, Int64Array, RecordBatch};
use foldhash::quality::FixedState;

use super::scalar::{Scalar, ScalarRef, scalar_at};

/// Makes hashes the same in every run; the filters and fingerprints never leave the process.
const SEED: u64 = 0x1a4d_fa11;
const SECOND_SEED: u64 = 0x5ea5_1de5;

/// The columns of a batch that make up one key.
#[derive(Debug, Clone)]
pub struct KeyColumns<'a> {
    columns: Vec<&'a dyn Array>,
    /// The column itself, where the key is one integer.
    integers: Option<&'a Int64Array>,
}

/// The key of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// At least one of the values is missing: SQL compares no such key with any other.
    Null,
    /// A key of one integer.
    Integer(i64),
    /// Any other key, as the hash of its values.
    Hash(u64),
}

impl<'a> KeyColumns<'a> {
    /// The key of `batch` that is made up of the columns at `positions`.
    #[must_use]
    pub fn new(batch: &'a RecordBatch, positions: &[usize]) -> Self {
        let columns: Vec<&dyn Array> = positions.iter().map(|&at| batch.column(at).as_ref()).collect();
        let integers = match columns[..] {
            [column] => column.as_any().downcast_ref::<Int64Array>(),
            _ => None,
        };
        Self { columns, integers }
    }

    /// The key of `row`.
    #[inline]
    #[must_use]
    pub fn key(&self, row: usize) -> Key {
        match self.integers {
            Some(column) if column.is_null(row) => Key::Null,
            Some(column) => Key::Integer(column.value(row)),
            None => self.hash(row, SEED).map_or(Key::Null, Key::Hash),
        }
    }

    /// A fingerprint of the key of `row` of 128 bits, or none where a value is missing.
    #[must_use]
    pub fn fingerprint(&self, row: usize) -> Option<u128> {
        let high = self.hash(row, SEED)?;
        self.hash(row, SECOND_SEED).map(|low| (u128::from(high) << 64) | u128::from(low))
    }

    /// The values of the key of `row`.
    #[must_use]
    pub fn values(&self, row: usize) -> Vec<Scalar> {
        self.columns.iter().map(|column| scalar_at(*column, row).to_owned()).collect()
    }

    fn hash(&self, row: usize, seed: u64) -> Option<u64> {
        hash(self.columns.iter().map(|column| scalar_at(*column, row)), seed)
    }
}

impl Key {
    /// The key with these values.
    #[must_use]
    pub fn of(values: &[Scalar]) -> Self {
        match values {
            [Scalar::Integer(value)] => Self::Integer(*value),
            _ => hash(values.iter().map(Scalar::as_ref), SEED).map_or(Self::Null, Self::Hash),
        }
    }
}

/// A fingerprint of the key with these values, or none where one is missing.
pub(super) fn fingerprint(values: &[Scalar]) -> Option<u128> {
    let half = |seed| hash(values.iter().map(Scalar::as_ref), seed).map(u128::from);
    Some((half(SEED)? << 64) | half(SECOND_SEED)?)
}

fn hash<'v>(values: impl Iterator<Item = ScalarRef<'v>>, seed: u64) -> Option<u64> {
    let mut hasher = FixedState::with_seed(seed).build_hasher();
    for value in values {
        match value {
            ScalarRef::Null => return None,
            value => value.hash(&mut hasher),
        }
    }
    Some(hasher.finish())
}
