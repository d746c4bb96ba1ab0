//! The distinct values of a column, as far as memory allows: integers in bitmaps, text as hashes.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use arrow_array::{Array, ArrayRef, cast::AsArray as _, types::Int64Type};
use arrow_schema::DataType;
use landfall_core::{keys::IntegerSet, schema::FieldType};

use super::records::{PlaceTally, RecordPlace};

/// The most hashes of all columns that are likely to be keys, of all others, and of one of these.
const MANY: usize = 4_000_000;
const OTHERS: usize = 2_000_000;
const FEW: usize = 200_000;
/// The most pages of integers of all columns that are likely to be keys, and of all others. At the worst, eight values take 8 KiB.
const MANY_PAGES: usize = 20_000;
const OTHER_PAGES: usize = 10_000;

/// How much of a column is held.
#[derive(Debug, Clone, Copy)]
pub(super) struct DistinctRoom {
    texts: usize,
    pages: usize,
}

impl DistinctRoom {
    /// The room of a column that is one of so many which are likely to be keys.
    pub(super) fn for_likely_key(columns: usize) -> Self {
        Self { texts: MANY / columns.max(1), pages: MANY_PAGES / columns.max(1) }
    }

    /// The room of another column, of so many.
    pub(super) fn for_other(columns: usize) -> Self {
        Self { texts: FEW.min(OTHERS / columns.max(1)), pages: OTHER_PAGES / columns.max(1) }
    }
}
/// After so many values, one repeated value in twenty shows that the column is no key.
const PATIENCE: u64 = 1000;

/// A value that may be a key.
#[derive(Debug, Clone, Copy)]
pub(super) enum KeyValue {
    Integer(i64),
    Text(u64),
}

/// The value in `row` of a column of integers or text; none where it is missing.
pub(super) fn key_value_at(column: &ArrayRef, row: usize) -> Option<KeyValue> {
    if column.is_null(row) {
        return None;
    }
    match column.data_type() {
        DataType::Int64 => Some(KeyValue::Integer(column.as_primitive::<Int64Type>().value(row))),
        DataType::Utf8 => {
            let mut hasher = DefaultHasher::new();
            column.as_string::<i32>().value(row).hash(&mut hasher);
            Some(KeyValue::Text(hasher.finish()))
        }
        _ => None,
    }
}

/// Whether values of a type may be keys that init proposes.
pub(super) const fn may_be_key(kind: &FieldType) -> bool {
    matches!(kind, FieldType::Integer { .. } | FieldType::String(_))
}

/// The distinct values of a column.
#[derive(Debug, Clone)]
pub(super) struct DistinctValues {
    seen: DistinctState,
    room: DistinctRoom,
    /// Values, repeated ones too.
    pub(super) values: u64,
    /// Values that occurred before.
    pub(super) repeated: PlaceTally,
    /// The least and the greatest integer.
    range: Option<(i64, i64)>,
}

#[derive(Debug, Clone)]
enum DistinctState {
    Integers(IntegerSet),
    Texts(HashSet<u64>),
    /// Too many values are repeated: no key.
    Repeated,
    /// Too many values to hold.
    TooMany,
}

impl DistinctValues {
    /// An empty set for values of `kind`, of which no more are held than `room` has place for.
    pub(super) fn new(kind: &FieldType, room: DistinctRoom) -> Self {
        let seen = match kind {
            FieldType::Integer { .. } => DistinctState::Integers(IntegerSet::default()),
            FieldType::String(_) => DistinctState::Texts(HashSet::new()),
            _ => DistinctState::Repeated,
        };
        Self { seen, room, values: 0, repeated: PlaceTally::default(), range: None }
    }

    /// Adds the value at `place`.
    pub(super) fn add_value(&mut self, value: KeyValue, place: RecordPlace) {
        let new = match (&mut self.seen, value) {
            (DistinctState::Integers(set), KeyValue::Integer(value)) => set.insert(value),
            (DistinctState::Texts(set), KeyValue::Text(hash)) => set.insert(hash),
            _ => return,
        };
        self.values += 1;
        if let KeyValue::Integer(value) = value {
            let (least, greatest) = self.range.unwrap_or((value, value));
            self.range = Some((least.min(value), greatest.max(value)));
        }
        if !new {
            self.repeated.add_place(place);
        }
        self.enforce_bound();
    }

    fn enforce_bound(&mut self) {
        let full = match &self.seen {
            DistinctState::Integers(set) => set.page_count() > self.room.pages,
            DistinctState::Texts(set) => set.len() > self.room.texts,
            DistinctState::Repeated | DistinctState::TooMany => false,
        };
        if full {
            self.seen = DistinctState::TooMany;
        } else if self.values > PATIENCE && self.repeated.count * 20 > self.values {
            self.seen = DistinctState::Repeated;
        }
    }

    /// Whether the values were too many to hold.
    pub(super) const fn is_unknown(&self) -> bool {
        matches!(self.seen, DistinctState::TooMany)
    }

    /// Whether all values are held.
    pub(super) const fn is_known(&self) -> bool {
        matches!(self.seen, DistinctState::Integers(_) | DistinctState::Texts(_))
    }

    /// Whether `value` is among those held.
    pub(super) fn contains_value(&self, value: KeyValue) -> bool {
        match (&self.seen, value) {
            (DistinctState::Integers(set), KeyValue::Integer(value)) => set.contains(value),
            (DistinctState::Texts(set), KeyValue::Text(hash)) => set.contains(&hash),
            _ => false,
        }
    }

    /// Whether the values are texts.
    pub(super) const fn holds_texts(&self) -> bool {
        matches!(self.seen, DistinctState::Texts(_))
    }

    /// How likely it is that a value of another column is among these by accident, if it is in their range: 1 for all integers from the
    /// least to the greatest. Texts are hardly ever equal by accident.
    pub(super) fn accident_odds(&self) -> f64 {
        match self.range {
            Some((least, greatest)) => {
                #[expect(clippy::cast_precision_loss, reason = "a rough share is enough")]
                let share = self.len() as f64 / (greatest as f64 - least as f64 + 1.0);
                share.min(1.0)
            }
            None => 0.02,
        }
    }

    /// The number of values held.
    pub(super) fn len(&self) -> u64 {
        match &self.seen {
            DistinctState::Integers(set) => set.len(),
            DistinctState::Texts(set) => set.len() as u64,
            DistinctState::Repeated | DistinctState::TooMany => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use landfall_core::schema::StringFormat;

    use super::*;

    const PLACE: RecordPlace = RecordPlace { file: 0, line: 1 };

    #[test]
    fn memory_is_bounded() {
        let mut texts =
            DistinctValues::new(&FieldType::String(StringFormat::Default), DistinctRoom::for_other(200_000));
        (0..20).for_each(|n| texts.add_value(KeyValue::Text(n), PLACE));
        assert!(texts.is_unknown() && texts.len() == 0);
        let mut sparse = DistinctValues::new(
            &FieldType::Integer { bare_number: true, group_char: None, zero_decimals: false },
            DistinctRoom::for_likely_key(1),
        );
        (0..50_000).for_each(|n| sparse.add_value(KeyValue::Integer(n << 20), PLACE));
        assert!(sparse.is_unknown());
    }

    #[test]
    fn a_column_with_many_repeated_values_is_given_up() {
        let mut values = DistinctValues::new(
            &FieldType::Integer { bare_number: true, group_char: None, zero_decimals: false },
            DistinctRoom::for_likely_key(1),
        );
        (0..3000).for_each(|n| values.add_value(KeyValue::Integer(n % 7), PLACE));
        assert!(!values.is_known() && !values.is_unknown());
    }
}
