//! Tables that Landfall has made, that nobody changed, and that have no rows: they can be made anew for another dictionary.

use rusqlite::{Connection, TransactionBehavior};

use super::{
    Table,
    catalogue::{self, Found},
    ddl::SqliteDialect,
    failure::Context as _,
    own::Own,
    quoted,
};
use crate::{
    error::Result,
    targets::sql::{
        compare::compare,
        made::{self, Tables},
    },
};

/// All that the catalogue says of a table, and of what speaks of it.
const TRAITS: &str = "SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_schema
     WHERE tbl_name = ?1 COLLATE NOCASE OR type IN ('view', 'trigger') AND instr(lower(sql), lower(?1)) > 0 ORDER BY 1";
const REFERRING: &str = "SELECT DISTINCT s.name FROM sqlite_schema AS s JOIN pragma_foreign_key_list(s.name) AS k
     WHERE s.type = 'table' AND k.\"table\" = ? COLLATE NOCASE";

struct Catalogue<'c> {
    connection: &'c Connection,
    dialect: SqliteDialect<'c>,
}

impl Tables for Catalogue<'_> {
    fn empty_differs(&mut self, table: &Table) -> Result<Option<bool>> {
        Ok(match catalogue::read(self.connection, table)? {
            Found::Table(existing) if !existing.has_rows => Some(!compare(table, &existing, &self.dialect).is_empty()),
            _ => None,
        })
    }

    fn is_as_made(&mut self, table: &Table) -> Result<bool> {
        is_as_made(self.connection, &table.name)
    }

    fn referring(&mut self, table: &Table) -> Result<Vec<String>> {
        texts(self.connection, REFERRING, &table.name)
    }
}

/// Those of `tables` that can be made anew.
pub(super) fn unused(connection: &Connection, tables: &[Table]) -> Result<Vec<Table>> {
    let dialect = SqliteDialect { tables, taken: Vec::new() };
    made::unused(&mut Catalogue { connection, dialect }, tables)
}

/// Removes those of `tables` that can be made anew.
pub(super) fn remove(connection: &mut Connection, tables: &[Table]) -> Result<()> {
    if unused(connection, tables)?.is_empty() {
        return Ok(());
    }
    let doing = || "cannot make empty tables anew".to_owned();
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).context(doing)?;
    for table in unused(&transaction, tables)? {
        transaction.execute_batch(&format!("DROP TABLE {}", quoted(&table.name))).context(doing)?;
    }
    transaction.commit().context(doing)
}

/// Notes that Landfall has made the table called `name`.
pub(super) fn note(connection: &Connection, name: &str) -> Result<()> {
    made::note(&Own(connection), name, &traits(connection, name)?)
}

/// Whether the table called `name` is as Landfall has made it.
pub(super) fn is_as_made(connection: &Connection, name: &str) -> Result<bool> {
    made::is_as_made(&Own(connection), name, &traits(connection, name)?)
}

fn traits(connection: &Connection, name: &str) -> Result<String> {
    Ok(texts(connection, TRAITS, name)?.join("\n"))
}

fn texts(connection: &Connection, sql: &str, name: &str) -> Result<Vec<String>> {
    let doing = || format!("cannot read the definition of the table {name:?}");
    let mut statement = connection.prepare_cached(sql).context(doing)?;
    let rows = statement.query_map([name], |row| row.get(0)).context(doing)?;
    rows.collect::<rusqlite::Result<_>>().context(doing)
}
