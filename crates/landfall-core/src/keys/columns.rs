//! The keys of the rows of a batch.
//!
//! To be changed together: [`KeyColumns::row_key`] with [`RowKey::from_values`], and [`KeyColumns::row_fingerprint`] with
//! `fingerprint_values`. One side reads rows of a batch, the other reads values that a database gave. If they disagree about one value, a
//! key that the table holds counts as new, and a parent that is there counts as missing.

use std::hash::{BuildHasher, Hash, Hasher};

use arrow_array::{Array, Int64Array, RecordBatch};
use foldhash::quality::FixedState;

use super::{Scalar, ScalarRef};
use crate::{
    schema::FieldIndex,
    validate::{is_number_column, value_at},
};

/// Makes hashes the same in every run; the filters and fingerprints never leave the process.
const SEED: u64 = 0x1a4d_fa11;
const SECOND_SEED: u64 = 0x5ea5_1de5;

/// The columns of a batch that make up one key.
#[derive(Debug, Clone)]
pub struct KeyColumns<'a> {
    columns: Vec<KeyColumn<'a>>,
    /// The column itself, where the key is one integer.
    integers: Option<&'a Int64Array>,
}

/// A column, and whether its text is numbers, which are compared by value.
#[derive(Debug, Clone, Copy)]
struct KeyColumn<'a> {
    values: &'a dyn Array,
    number: bool,
}

impl<'a> KeyColumn<'a> {
    fn new(batch: &'a RecordBatch, column: usize) -> Self {
        let number = is_number_column(batch.schema_ref().field(column));
        Self { values: batch.column(column).as_ref(), number }
    }

    fn value_at(&self, row: usize) -> ScalarRef<'a> {
        value_at(self.values, self.number, row)
    }
}

/// The key of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowKey {
    /// At least one of the values is missing: SQL compares no such key with any other.
    Null,
    /// A key of one integer.
    Integer(i64),
    /// Any other key, as the hash of its values.
    Hash(u64),
}

impl<'a> KeyColumns<'a> {
    /// The key of `batch`, which holds whole rows, that is made up of the fields at `positions`.
    #[must_use]
    pub fn new(batch: &'a RecordBatch, positions: &[FieldIndex]) -> Self {
        Self::from_columns(positions.iter().map(|at| KeyColumn::new(batch, at.get())).collect())
    }

    /// The key of `batch` that is made up of all of its columns: those of a key alone, as a table was asked for them.
    #[must_use]
    pub fn from_whole_batch(batch: &'a RecordBatch) -> Self {
        Self::from_columns((0..batch.num_columns()).map(|column| KeyColumn::new(batch, column)).collect())
    }

    fn from_columns(columns: Vec<KeyColumn<'a>>) -> Self {
        // `RowKey::from_values` tells an integer key by its one value, and must come to the same.
        let integers = match columns[..] {
            [column] => column.values.as_any().downcast_ref::<Int64Array>(),
            _ => None,
        };
        Self { columns, integers }
    }

    /// The key of `row`.
    #[inline]
    #[must_use]
    pub fn row_key(&self, row: usize) -> RowKey {
        match self.integers {
            Some(column) if column.is_null(row) => RowKey::Null,
            Some(column) => RowKey::Integer(column.value(row)),
            None => self.hash(row, SEED).map_or(RowKey::Null, RowKey::Hash),
        }
    }

    /// A fingerprint of the key of `row` of 128 bits, or none where a value is missing.
    #[must_use]
    pub fn row_fingerprint(&self, row: usize) -> Option<u128> {
        let high = self.hash(row, SEED)?;
        self.hash(row, SECOND_SEED).map(|low| (u128::from(high) << 64) | u128::from(low))
    }

    /// The values of the key of `row`.
    #[must_use]
    pub fn row_values(&self, row: usize) -> Vec<Scalar> {
        self.columns.iter().map(|column| column.value_at(row).to_owned()).collect()
    }

    fn hash(&self, row: usize, seed: u64) -> Option<u64> {
        hash(self.columns.iter().map(|column| column.value_at(row)), seed)
    }
}

impl RowKey {
    /// The key with these values.
    #[must_use]
    pub fn from_values(values: &[Scalar]) -> Self {
        match values {
            [Scalar::Integer(value)] => Self::Integer(*value),
            _ => hash(values.iter().map(Scalar::as_ref), SEED).map_or(Self::Null, Self::Hash),
        }
    }
}

/// A fingerprint of the key with these values, or none where one is missing.
pub(super) fn fingerprint_values(values: &[Scalar]) -> Option<u128> {
    let half = |seed| hash(values.iter().map(Scalar::as_ref), seed).map(u128::from);
    Some((half(SEED)? << 64) | half(SECOND_SEED)?)
}

fn hash<'v>(values: impl Iterator<Item = ScalarRef<'v>>, seed: u64) -> Option<u64> {
    let mut hasher = FixedState::with_seed(seed).build_hasher();
    for value in values {
        match value {
            // SQL compares a key that lacks a value with no other key, whatever its other values are.
            ScalarRef::Null => return None,
            value => value.hash(&mut hasher),
        }
    }
    Some(hasher.finish())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{RecordBatch, StringArray};
    use arrow_schema::{DataType, Schema};

    use super::{KeyColumns, RowKey, Scalar, fingerprint_values};
    use crate::{
        schema::{Constraints, Field, FieldType, NumberFormat, StringFormat},
        validate::arrow_field,
    };

    fn column(kind: FieldType, texts: &[&str]) -> RecordBatch {
        let constraints = Constraints::default();
        let field =
            Field { name: "f".into(), title: None, description: None, kind, constraints, missing_values: Vec::new() };
        let schema = Schema::new(vec![arrow_field(&field, DataType::Utf8)]);
        RecordBatch::try_new(Arc::new(schema), vec![Arc::new(StringArray::from(texts.to_vec()))]).expect("one column")
    }

    #[test]
    fn numbers_are_keys_by_value() {
        let batch = column(FieldType::Number(NumberFormat::default()), &["1.0", "1.00", "10"]);
        let keys = KeyColumns::from_whole_batch(&batch);
        assert_eq!((keys.row_key(0), keys.row_fingerprint(0)), (keys.row_key(1), keys.row_fingerprint(1)));
        assert_ne!(keys.row_key(0), keys.row_key(2));
        assert_eq!(keys.row_values(0), [Scalar::Number("1".into())]);
        assert_eq!(RowKey::from_values(&[Scalar::Number("1e0".into())]), keys.row_key(0));
        assert_eq!(fingerprint_values(&keys.row_values(1)), keys.row_fingerprint(0));
    }

    #[test]
    fn texts_are_keys_as_they_are_written() {
        let batch = column(FieldType::String(StringFormat::Default), &["1.0", "1.00"]);
        let keys = KeyColumns::from_whole_batch(&batch);
        assert_ne!(keys.row_key(0), keys.row_key(1));
        assert_eq!(keys.row_values(0), [Scalar::Text("1.0".into())]);
    }
}
