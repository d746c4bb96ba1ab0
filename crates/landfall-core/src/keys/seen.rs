//! The keys that a table holds and a load has accepted.

use super::{HashFilter, IntegerSet, KeyColumns, columns::RowKey};

/// A set of integers with fewer values a page than this, and more than [`SPARSE_FROM`] values, becomes a filter.
const SPARSE_PAGE: u64 = 16;
const SPARSE_FROM: u64 = 1 << 18;

/// Whether a key was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    /// It was not.
    No,
    /// It was.
    Yes,
    /// Only the table can tell.
    Perhaps,
}

/// The keys seen so far: exact for integers that are not too sparse, a filter for the rest. Memory is bounded: an
/// eighth of a byte for each dense integer, about two bytes for any other key.
#[derive(Debug, Clone)]
pub enum SeenKeys {
    /// Nothing is known of what the table holds: only the table can tell.
    Unknown,
    /// Integer keys, exact.
    Integers(IntegerSet),
    /// Other keys, as hashes.
    Hashes(HashFilter),
}

impl SeenKeys {
    /// An empty set for keys of one integer, or of any other kind.
    #[must_use]
    pub fn new(integer: bool) -> Self {
        if integer { Self::Integers(IntegerSet::default()) } else { Self::Hashes(HashFilter::default()) }
    }

    /// Whether `key` was seen. A key with a missing value never was.
    #[inline]
    #[must_use]
    pub fn contains_key(&self, key: RowKey) -> Membership {
        match (self, key) {
            (_, RowKey::Null) => Membership::No,
            (Self::Integers(set), RowKey::Integer(value)) => {
                if set.contains(value) {
                    Membership::Yes
                } else {
                    Membership::No
                }
            }
            (Self::Hashes(filter), RowKey::Integer(_) | RowKey::Hash(_)) => {
                if filter.may_contain(hash_of(key)) {
                    Membership::Perhaps
                } else {
                    Membership::No
                }
            }
            // What is not known is never "no": a wrong "perhaps" costs a question, a wrong "no" a row that stands twice.
            (Self::Unknown, _) | (Self::Integers(_), RowKey::Hash(_)) => Membership::Perhaps,
        }
    }

    /// Whether the key of `row` is that of a row seen, as a foreign key that refers to its own table asks. A key with
    /// a missing value needs none.
    #[inline]
    #[must_use]
    pub fn contains_parent(&self, columns: &KeyColumns<'_>, row: usize) -> Membership {
        match columns.row_key(row) {
            RowKey::Null => Membership::Yes,
            key => self.contains_key(key),
        }
    }

    /// Adds `key`.
    #[inline]
    pub fn insert(&mut self, key: RowKey) {
        match (&mut *self, key) {
            (Self::Integers(set), RowKey::Integer(value)) => {
                let new = set.insert(value);
                if new && set.len() % SPARSE_FROM == 0 {
                    self.give_up_sparse();
                }
            }
            (Self::Hashes(filter), RowKey::Integer(_) | RowKey::Hash(_)) => filter.insert(hash_of(key)),
            _ => {}
        }
    }

    /// Replaces a set with few integers a page, which would take many bytes for each, by a filter.
    #[cold]
    fn give_up_sparse(&mut self) {
        let Self::Integers(set) = &*self else { return };
        if set.len() < SPARSE_PAGE * set.page_count() as u64 {
            let mut filter = HashFilter::default();
            // All keys move: a filter that lacks one would say "no" to a key that the table holds.
            set.iter().for_each(|value| filter.insert(hash_of(RowKey::Integer(value))));
            *self = Self::Hashes(filter);
        }
    }
}

/// The hash of a key (Steele, Lea, Flood: the finaliser of `SplitMix64`, for integers).
#[expect(clippy::cast_sign_loss, reason = "the bits are what is wanted")]
const fn hash_of(key: RowKey) -> u64 {
    match key {
        RowKey::Null => 0,
        RowKey::Hash(hash) => hash,
        RowKey::Integer(value) => {
            let z = (value as u64).wrapping_add(0x9E37_79B9_7F4A_7C15);
            let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^ (z >> 31)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Membership, RowKey, SeenKeys};

    #[test]
    fn sparse_integers_become_a_filter_and_none_is_forgotten() {
        let mut seen = SeenKeys::new(true);
        let value = |n: i64| n.wrapping_mul(-0x61C8_8646_80B5_83EB);
        (0..600_000).for_each(|n| seen.insert(RowKey::Integer(value(n))));
        assert!(matches!(seen, SeenKeys::Hashes(_)));
        assert!((0..600_000).all(|n| seen.contains_key(RowKey::Integer(value(n))) == Membership::Perhaps));
    }

    #[test]
    fn dense_integers_stay_exact() {
        let mut seen = SeenKeys::new(true);
        (0..600_000).for_each(|n| seen.insert(RowKey::Integer(n)));
        assert_eq!(seen.contains_key(RowKey::Integer(599_999)), Membership::Yes);
        assert_eq!(seen.contains_key(RowKey::Integer(600_000)), Membership::No);
        assert_eq!(seen.contains_key(RowKey::Null), Membership::No);
    }
}
