//! What PostgreSQL holds in which column, and what it can add to a table.

use landfall_core::schema::ForeignKey;

use super::{
    catalog::{FOLDS, Standing},
    ddl::{self, Place, add_foreign_key, in_circle, names, sql_type},
};
use crate::targets::{
    Difference, Table,
    sql::{
        compare::{compare, has_other_foreign_key},
        existing::{Dialect, ExistingColumn, Fit},
    },
};

/// What PostgreSQL does differently, for tables in one schema.
pub(super) struct PostgresDialect<'t> {
    /// The tables of the dictionary.
    pub(super) tables: &'t [Table],
    pub(super) schema: &'t str,
}

impl PostgresDialect<'_> {
    /// How `standing` differs from `table`.
    pub(super) fn compare(&self, table: &Table, standing: &Standing) -> Vec<Difference> {
        compare(table, &standing.existing, self)
    }

    /// Whether only the server itself can check what rows of `table` need.
    pub(super) fn must_check(&self, table: &Table, standing: &Standing) -> bool {
        standing.has_triggers || has_other_foreign_key(table, &standing.existing, self)
    }

    /// Whether the heap of a table that is being built has the dictionary's columns.
    pub(super) fn has_columns(&self, table: &Table, standing: &Standing) -> bool {
        let columns = &standing.existing.columns;
        let alike = |(at, column): (usize, &ExistingColumn)| {
            column.name == *table.schema.fields[at].name && self.fit(table, at, column) == Fit::Same
        };
        columns.len() == table.schema.fields.len() && columns.iter().enumerate().all(alike)
    }

    fn place(&self, table: &Table) -> Place {
        Place::new(self.schema, &table.name)
    }
}

impl Dialect for PostgresDialect<'_> {
    fn same_name(&self, a: &str, b: &str) -> bool {
        a == b
    }

    /// Others may write between the pipeline's check and the commit.
    fn needs_unique_key(&self, _table: &Table, _key: &[usize]) -> bool {
        true
    }

    fn needs_foreign_key(&self, _key: &ForeignKey) -> bool {
        true
    }

    fn sql_type(&self, table: &Table, at: usize) -> String {
        sql_type(&table.schema.fields[at].kind).into()
    }

    /// Rows are sent in binary, so that the type must be the very one; without a length, `varchar` is another name of
    /// `text`.
    fn fit(&self, table: &Table, at: usize, column: &ExistingColumn) -> Fit {
        match (column.sql_type.as_str(), sql_type(&table.schema.fields[at].kind)) {
            (is, wanted) if is == wanted => Fit::Same,
            ("character varying", "text") => Fit::Alike,
            _ => Fit::Other,
        }
    }

    /// Under most collations only equal bytes are equal, and only the order is another.
    fn fit_of_collation(&self, table: &Table, at: usize, column: &ExistingColumn) -> Fit {
        let folds = column.collation.as_ref().is_some_and(|collation| collation.ends_with(FOLDS));
        if folds && table.schema.is_in_key(at) { Fit::Other } else { Fit::Alike }
    }

    fn add_column(&self, table: &Table, at: usize) -> Option<String> {
        let field = &table.schema.fields[at];
        let column = ddl::column(field, field.constraints.required);
        Some(format!("ALTER TABLE {} ADD COLUMN {column}", self.place(table)))
    }

    fn add_primary_key(&self, table: &Table) -> Option<String> {
        let key = names(table, &table.schema.primary_key);
        Some(format!("ALTER TABLE {} ADD PRIMARY KEY ({key})", self.place(table)))
    }

    fn add_unique_key(&self, table: &Table, key: &[usize]) -> Option<String> {
        Some(format!("ALTER TABLE {} ADD UNIQUE ({})", self.place(table), names(table, key)))
    }

    fn add_foreign_key(&self, table: &Table, key: &ForeignKey) -> Option<String> {
        Some(add_foreign_key(table, &self.place(table), key, self.schema, in_circle(table, self.tables)))
    }
}
