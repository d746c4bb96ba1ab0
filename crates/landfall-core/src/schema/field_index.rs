//! The position of a field in its schema: a type of its own, so that no other position is taken for it.

use std::{
    fmt,
    ops::{Index, IndexMut},
};

use super::{Field, TableSchema};

/// The position of a field in its table's schema, from 0.
///
/// It is also the column of the field in a batch of whole rows. The columns of a *source* lie as its header says, and those of a batch
/// that has only some of the fields lie as these were asked for: both are plain numbers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldIndex(usize);

impl FieldIndex {
    /// The position as a number, for a list that is parallel to the fields, such as the values of a row.
    #[inline]
    #[must_use]
    pub const fn get(self) -> usize {
        self.0
    }
}

impl From<usize> for FieldIndex {
    #[inline]
    fn from(position: usize) -> Self {
        Self(position)
    }
}

/// The bare number. The digests that version 0.1.0 wrote are of the `Debug` output of keys, in which positions were numbers: another
/// text here, and a file that it has loaded would be loaded again.
impl fmt::Debug for FieldIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TableSchema {
    /// The positions of all fields, in their order.
    pub fn field_positions(&self) -> impl DoubleEndedIterator<Item = FieldIndex> + Clone + use<> {
        (0..self.fields.len()).map(FieldIndex)
    }

    /// All fields with their positions, in their order.
    pub fn positioned_fields(&self) -> impl Iterator<Item = (FieldIndex, &Field)> {
        self.field_positions().zip(&self.fields)
    }

    /// The position of the field called `name`.
    #[must_use]
    pub fn field_position(&self, name: &str) -> Option<FieldIndex> {
        self.field_positions().find(|&field| *self[field].name == *name)
    }
}

impl Index<FieldIndex> for TableSchema {
    type Output = Field;

    #[inline]
    fn index(&self, field: FieldIndex) -> &Field {
        &self.fields[field.0]
    }
}

impl IndexMut<FieldIndex> for TableSchema {
    #[inline]
    fn index_mut(&mut self, field: FieldIndex) -> &mut Field {
        &mut self.fields[field.0]
    }
}
