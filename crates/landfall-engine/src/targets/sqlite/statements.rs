//! The statements that are wanted again and again: their texts are long, and are written once.

use std::{cell::RefCell, collections::HashMap, sync::Arc};

use landfall_core::schema::FieldIndex;
use rusqlite::{CachedStatement, Connection};

use super::{Table, cache::CacheSize, ddl::quoted_names, quote_name};

/// The texts of statements, by table and purpose, and the cache that goes with what they write.
#[derive(Debug, Default)]
pub(super) struct StatementCache {
    texts: RefCell<HashMap<StatementPurpose, Arc<str>>>,
    pub(super) cache: CacheSize,
}

#[derive(Debug, PartialEq, Eq, Hash)]
enum StatementPurpose {
    /// To insert this many rows.
    Insert(Arc<str>, usize),
    /// To find the row with values of the fields at these positions.
    Find(Arc<str>, Vec<FieldIndex>),
}

impl StatementCache {
    /// The statement that inserts `rows` rows into `table`.
    pub(super) fn insert<'c>(
        &self,
        connection: &'c Connection,
        table: &Table,
        rows: usize,
    ) -> rusqlite::Result<CachedStatement<'c>> {
        let purpose = StatementPurpose::Insert(table.name.clone(), rows);
        connection.prepare_cached(&self.statement_text(purpose, || insert(table, rows)))
    }

    /// The statement that finds the row of `table` whose fields at `positions` have the values bound.
    pub(super) fn find<'c>(
        &self,
        connection: &'c Connection,
        table: &Table,
        positions: &[FieldIndex],
    ) -> rusqlite::Result<CachedStatement<'c>> {
        let purpose = StatementPurpose::Find(table.name.clone(), positions.to_vec());
        connection.prepare_cached(&self.statement_text(purpose, || find(table, positions)))
    }

    fn statement_text(&self, purpose: StatementPurpose, write: impl FnOnce() -> String) -> Arc<str> {
        self.texts.borrow_mut().entry(purpose).or_insert_with(|| write().into()).clone()
    }
}

/// `OR ABORT` stands against what a table may say of its own constraints, such as `ON CONFLICT REPLACE`, by which rows vanish.
fn insert(table: &Table, rows: usize) -> String {
    let row = format!("({})", vec!["?"; table.schema.fields.len()].join(", "));
    let rows = vec![row.as_str(); rows].join(", ");
    format!("INSERT OR ABORT INTO {} ({}) VALUES {rows}", quote_name(&table.name), quoted_field_names(table))
}

fn find(table: &Table, positions: &[FieldIndex]) -> String {
    let conditions: Vec<String> =
        positions.iter().map(|&at| format!("{} = ?", quote_name(&table.schema[at].name))).collect();
    format!("SELECT {} FROM {} WHERE {}", quoted_field_names(table), quote_name(&table.name), conditions.join(" AND "))
}

fn quoted_field_names(table: &Table) -> String {
    quoted_names(table, &table.schema.field_positions().collect::<Vec<_>>())
}
