//! What PostgreSQL holds in which column, and what it can add to a table.

use landfall_core::schema::{FieldIndex, ForeignKey};

use super::{
    catalog::{ExistingRelation, FOLDS},
    ddl::{self, RelationPlace, add_foreign_key, is_in_circle, quoted_names, sql_type},
};
use crate::targets::{
    Difference, Table,
    sql::{
        compare::{compare_table, has_other_foreign_key},
        existing_table::{ColumnFit, ExistingColumn, SqlDialect},
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
    pub(super) fn compare_relation(&self, table: &Table, standing: &ExistingRelation) -> Vec<Difference> {
        compare_table(table, &standing.existing, self)
    }

    /// Whether only the server itself can check what rows of `table` need.
    pub(super) fn needs_server_check(&self, table: &Table, standing: &ExistingRelation) -> bool {
        standing.has_triggers || has_other_foreign_key(table, &standing.existing, self)
    }

    /// Whether the heap of a table that is being built has the dictionary's columns.
    pub(super) fn has_columns(&self, table: &Table, standing: &ExistingRelation) -> bool {
        let columns = &standing.existing.columns;
        // `Same` and not `Alike`: rows are on their way there in binary, column by column.
        let alike = |(at, column): (FieldIndex, &ExistingColumn)| {
            column.name == *table.schema[at].name && self.column_fit(table, at, column) == ColumnFit::Same
        };
        columns.len() == table.schema.fields.len() && table.schema.field_positions().zip(columns).all(alike)
    }

    fn table_place(&self, table: &Table) -> RelationPlace {
        RelationPlace::new(self.schema, &table.name)
    }
}

impl SqlDialect for PostgresDialect<'_> {
    fn are_same_column(&self, a: &str, b: &str) -> bool {
        a == b
    }

    /// Others may write between the pipeline's check and the commit.
    fn needs_unique_key(&self, _table: &Table, _key: &[FieldIndex]) -> bool {
        true
    }

    fn needs_foreign_key(&self, _key: &ForeignKey) -> bool {
        true
    }

    fn sql_type(&self, table: &Table, at: FieldIndex) -> String {
        sql_type(&table.schema[at].kind).into()
    }

    /// Rows are sent in binary, so that the type must be the very one; without a length, `varchar` is another name of
    /// `text`.
    fn column_fit(&self, table: &Table, at: FieldIndex, column: &ExistingColumn) -> ColumnFit {
        match (column.sql_type.as_str(), sql_type(&table.schema[at].kind)) {
            (is, wanted) if is == wanted => ColumnFit::Same,
            ("character varying", "text") => ColumnFit::Alike,
            _ => ColumnFit::Other,
        }
    }

    /// Under most collations only equal bytes are equal, and only the order is another.
    fn fit_of_collation(&self, table: &Table, at: FieldIndex, column: &ExistingColumn) -> ColumnFit {
        let folds = column.collation.as_ref().is_some_and(|collation| collation.ends_with(FOLDS));
        if folds && table.schema.is_in_key(at) { ColumnFit::Other } else { ColumnFit::Alike }
    }

    fn add_column(&self, table: &Table, at: FieldIndex) -> Option<String> {
        let field = &table.schema[at];
        let column = ddl::column_definition(field, field.constraints.required);
        Some(format!("ALTER TABLE {} ADD COLUMN {column}", self.table_place(table)))
    }

    fn add_primary_key(&self, table: &Table) -> Option<String> {
        let key = quoted_names(table, &table.schema.primary_key);
        Some(format!("ALTER TABLE {} ADD PRIMARY KEY ({key})", self.table_place(table)))
    }

    fn add_unique_key(&self, table: &Table, key: &[FieldIndex]) -> Option<String> {
        Some(format!("ALTER TABLE {} ADD UNIQUE ({})", self.table_place(table), quoted_names(table, key)))
    }

    fn add_foreign_key(&self, table: &Table, key: &ForeignKey) -> Option<String> {
        Some(add_foreign_key(table, &self.table_place(table), key, self.schema, is_in_circle(table, self.tables)))
    }
}
