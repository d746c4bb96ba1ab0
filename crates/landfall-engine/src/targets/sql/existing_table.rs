//! A table that exists, as a database's catalogue tells it.
//!
//! Each database reads its own catalogue into [`ExistingTable`], and says through [`SqlDialect`] what its types hold and how
//! something is added. How that is held against the dictionary is the same for all: see `compare`.

use landfall_core::schema::{FieldIndex, ForeignKey};

use crate::targets::Table;

/// A table that exists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::targets) struct ExistingTable {
    /// Its name, as the database has it.
    pub(in crate::targets) name: String,
    /// The columns, in their order.
    pub(in crate::targets) columns: Vec<ExistingColumn>,
    /// The columns of the primary key; empty where there is none.
    pub(in crate::targets) primary_key: Vec<String>,
    /// The other sets of columns whose values occur once, byte for byte. Keys of some rows only, of expressions or of
    /// texts that are folded are not among them.
    pub(in crate::targets) unique_keys: Vec<Vec<String>>,
    /// The foreign keys.
    pub(in crate::targets) foreign_keys: Vec<ExistingForeignKey>,
    /// Whether it has rows, to which a column with a value for each cannot be added.
    pub(in crate::targets) has_rows: bool,
}

/// A column of a table that exists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::targets) struct ExistingColumn {
    /// The name.
    pub(in crate::targets) name: String,
    /// The type, in the database's words.
    pub(in crate::targets) sql_type: String,
    /// How its texts are compared, where that is not byte by byte.
    pub(in crate::targets) collation: Option<String>,
    /// Whether it is never NULL.
    pub(in crate::targets) required: bool,
    /// Whether the database fills it in where it is not given a value: a default, a number of its own.
    pub(in crate::targets) filled: bool,
    /// Whether the database computes it, so that it can be given no value.
    pub(in crate::targets) computed: bool,
}

/// A foreign key of a table that exists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::targets) struct ExistingForeignKey {
    /// The columns.
    pub(in crate::targets) fields: Vec<String>,
    /// The parent's name, as the database has it.
    pub(in crate::targets) parent: String,
    /// The parent's columns, in the order of `fields`.
    pub(in crate::targets) parent_fields: Vec<String>,
}

/// How well a column holds a field's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::targets) enum ColumnFit {
    /// It is of the type that Landfall makes.
    Same,
    /// It differs, and still gives back every value as it went in.
    Alike,
    /// It is not for these values.
    Other,
}

/// What databases do differently.
pub(in crate::targets) trait SqlDialect {
    /// Whether the database takes two names of columns as one.
    fn are_same_column(&self, a: &str, b: &str) -> bool;

    /// Whether the database takes two names of tables as one.
    fn are_same_table(&self, a: &str, b: &str) -> bool {
        self.are_same_column(a, b)
    }

    /// Whether loads need the database's own unique key beside the pipeline's check: where others may write between check
    /// and commit, or a foreign key refers to it.
    fn needs_unique_key(&self, table: &Table, key: &[FieldIndex]) -> bool;

    /// Whether loads need the database's own foreign key beside the pipeline's check.
    fn needs_foreign_key(&self, key: &ForeignKey) -> bool;

    /// The type that Landfall gives the column of the field at `at`, in the words of the database's catalogue.
    fn sql_type(&self, table: &Table, at: FieldIndex) -> String;

    /// How well `column` holds the values of the field at `at`.
    fn column_fit(&self, table: &Table, at: FieldIndex, column: &ExistingColumn) -> ColumnFit;

    /// How well `column`, which does not compare texts byte by byte, does for the field at `at`. In a key it takes texts
    /// that differ as one.
    fn fit_of_collation(&self, table: &Table, at: FieldIndex, _column: &ExistingColumn) -> ColumnFit {
        // Outside of keys a collation only orders, and changes nothing of what is stored.
        if table.schema.is_in_key(at) { ColumnFit::Other } else { ColumnFit::Alike }
    }

    /// The statement that adds the column of the field at `at`, which is in no primary key, and is not required where
    /// the table has rows; none where the database cannot.
    fn add_column(&self, table: &Table, at: FieldIndex) -> Option<String>;

    /// The statement that adds the primary key to a table that has none; none where the database cannot.
    fn add_primary_key(&self, table: &Table) -> Option<String>;

    /// The statement that adds a unique key; none where the database cannot.
    fn add_unique_key(&self, table: &Table, key: &[FieldIndex]) -> Option<String>;

    /// The statement that adds a foreign key; none where the database cannot.
    fn add_foreign_key(&self, table: &Table, key: &ForeignKey) -> Option<String>;

    /// Whether a foreign key comes with a column of its own that [`SqlDialect::add_column`] adds.
    fn comes_with_its_column(&self, _key: &ForeignKey) -> bool {
        false
    }
}
