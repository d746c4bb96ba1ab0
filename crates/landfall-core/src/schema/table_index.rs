//! The position of a table in its package: a type of its own, so that no other position is taken for it.

use std::ops::{Index, IndexMut};

use super::{Package, Resource};

/// The position of a table in the package's list of tables, from 0.
///
/// It belongs to one package: another package, or a later state of the same one, may have another table there. So it is kept in
/// memory only; what lasts names a table by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableIndex(usize);

impl TableIndex {
    /// The position as a number, for a list that is parallel to the tables.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0
    }
}

impl From<usize> for TableIndex {
    fn from(position: usize) -> Self {
        Self(position)
    }
}

impl Package {
    /// The positions of all tables, in the order of the descriptor.
    pub fn table_positions(&self) -> impl DoubleEndedIterator<Item = TableIndex> + Clone + use<> {
        (0..self.resources.len()).map(TableIndex)
    }

    /// The position of the table called `name`.
    #[must_use]
    pub fn table_position(&self, name: &str) -> Option<TableIndex> {
        self.table_positions().find(|&table| *self[table].name == *name)
    }
}

impl Index<TableIndex> for Package {
    type Output = Resource;

    fn index(&self, table: TableIndex) -> &Resource {
        &self.resources[table.0]
    }
}

impl IndexMut<TableIndex> for Package {
    fn index_mut(&mut self, table: TableIndex) -> &mut Resource {
        &mut self.resources[table.0]
    }
}
