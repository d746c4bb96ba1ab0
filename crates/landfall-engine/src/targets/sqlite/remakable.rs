//! Tables that Landfall has made, that nobody changed, and that have no rows: they can be made anew for another dictionary.

use rusqlite::{Connection, TransactionBehavior};

use super::{
    Table,
    catalogue::{self, SqliteObject},
    ddl::SqliteDialect,
    failure::SqliteContext as _,
    own_tables::SqliteOwnConnection,
    quote_name,
};
use crate::{
    error::Result,
    targets::sql::{
        compare::compare_table,
        made_tables::{self, TableCatalogue},
    },
};

/// All that the catalogue says of a table, and of what speaks of it.
const TRAITS: &str = "SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_schema
     WHERE tbl_name = ?1 COLLATE NOCASE OR type IN ('view', 'trigger') AND instr(lower(sql), lower(?1)) > 0 ORDER BY 1";
const REFERRING: &str = "SELECT DISTINCT s.name FROM sqlite_schema AS s JOIN pragma_foreign_key_list(s.name) AS k
     WHERE s.type = 'table' AND k.\"table\" = ? COLLATE NOCASE";

struct SqliteCatalogue<'c> {
    connection: &'c Connection,
    dialect: SqliteDialect<'c>,
}

impl TableCatalogue for SqliteCatalogue<'_> {
    fn empty_differs(&mut self, table: &Table) -> Result<Option<bool>> {
        Ok(match catalogue::read(self.connection, table)? {
            SqliteObject::Table(existing) if !existing.has_rows => {
                Some(!compare_table(table, &existing, &self.dialect).is_empty())
            }
            _ => None,
        })
    }

    fn is_as_made(&mut self, table: &Table) -> Result<bool> {
        is_as_made(self.connection, &table.name)
    }

    fn referring_tables(&mut self, table: &Table) -> Result<Vec<String>> {
        query_texts(self.connection, REFERRING, &table.name)
    }
}

/// Those of `tables` that can be made anew.
pub(super) fn find_remakable(connection: &Connection, tables: &[Table]) -> Result<Vec<Table>> {
    let dialect = SqliteDialect { tables, taken: Vec::new() };
    made_tables::find_remakable(&mut SqliteCatalogue { connection, dialect }, tables)
}

/// Removes those of `tables` that can be made anew.
pub(super) fn remove(connection: &mut Connection, tables: &[Table]) -> Result<()> {
    if find_remakable(connection, tables)?.is_empty() {
        return Ok(());
    }
    let doing = || "cannot make empty tables anew".to_owned();
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).context(doing)?;
    for table in find_remakable(&transaction, tables)? {
        transaction.execute_batch(&format!("DROP TABLE {}", quote_name(&table.name))).context(doing)?;
    }
    transaction.commit().context(doing)
}

/// Notes that Landfall has made the table called `name`.
pub(super) fn note_made_table(connection: &Connection, name: &str) -> Result<()> {
    made_tables::note_made_table(&SqliteOwnConnection(connection), name, &table_traits(connection, name)?)
}

/// Whether the table called `name` is as Landfall has made it.
pub(super) fn is_as_made(connection: &Connection, name: &str) -> Result<bool> {
    made_tables::is_as_made(&SqliteOwnConnection(connection), name, &table_traits(connection, name)?)
}

fn table_traits(connection: &Connection, name: &str) -> Result<String> {
    Ok(query_texts(connection, TRAITS, name)?.join("\n"))
}

fn query_texts(connection: &Connection, sql: &str, name: &str) -> Result<Vec<String>> {
    let doing = || format!("cannot read the definition of the table {name:?}");
    let mut statement = connection.prepare_cached(sql).context(doing)?;
    let rows = statement.query_map([name], |row| row.get(0)).context(doing)?;
    rows.collect::<rusqlite::Result<_>>().context(doing)
}
