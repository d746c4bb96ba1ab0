//! Tables that Landfall has made, that nobody changed, and that have no rows: they can be made anew for another dictionary.

use mysql::Value;

use super::{
    Table,
    connection::MysqlConnection,
    ddl::without_key_checks,
    existing_table::{MysqlDialect, MysqlObject, read, row_texts},
    failure::MysqlContext as _,
    lock::with_lock,
    names::quote_name,
    own_tables::MysqlOwnConnection,
    triggers,
};
use crate::{
    error::Result,
    targets::sql::{
        compare::compare_table,
        made_tables::{self, TableCatalogue},
    },
};

/// Triggers of a table, and views that name it.
const BESIDE: &str = "SELECT concat('trigger ', trigger_name, ' ', action_timing, ' ', event_manipulation, ' ', action_statement) AS words
     FROM information_schema.triggers WHERE event_object_schema = database() AND event_object_table = ?
     UNION ALL SELECT concat('view ', table_schema, '.', table_name) FROM information_schema.views
     WHERE instr(view_definition, concat('`', database(), '`.`', ?, '`')) > 0 ORDER BY words";
const REFERRING: &str = "SELECT DISTINCT CASE WHEN table_schema = database() THEN table_name
         ELSE concat(table_schema, '.', table_name) END
     FROM information_schema.key_column_usage WHERE referenced_table_schema = database() AND referenced_table_name = ?";

struct MysqlCatalogue<'c> {
    connection: &'c mut MysqlConnection,
    tables: &'c [Table],
}

impl TableCatalogue for MysqlCatalogue<'_> {
    fn empty_differs(&mut self, table: &Table) -> Result<Option<bool>> {
        let MysqlObject::Table(existing) = read(self.connection, table)? else { return Ok(None) };
        let dialect = MysqlDialect { server: &self.connection.server, tables: self.tables };
        Ok((!existing.has_rows).then(|| !compare_table(table, &existing, &dialect).is_empty()))
    }

    /// A trigger that the user cannot see may be there, and would be lost.
    fn is_as_made(&mut self, table: &Table) -> Result<bool> {
        Ok(triggers::sees_triggers(self.connection, &table.name)? && is_as_made(self.connection, &table.name)?)
    }

    fn referring_tables(&mut self, table: &Table) -> Result<Vec<String>> {
        let found =
            self.connection.query_all(REFERRING, vec![text_value(&table.name)], &|| read_description(&table.name))?;
        Ok(found.into_iter().flat_map(row_texts).collect())
    }
}

/// Those of `tables` that can be made anew.
pub(super) fn find_remakable(connection: &mut MysqlConnection, tables: &[Table]) -> Result<Vec<Table>> {
    made_tables::find_remakable(&mut MysqlCatalogue { connection, tables }, tables)
}

/// Removes those of `tables` that can be made anew.
pub(super) fn remove(connection: &mut MysqlConnection, tables: &[Table]) -> Result<()> {
    if find_remakable(connection, tables)?.is_empty() {
        return Ok(());
    }
    with_lock(connection, |connection| {
        let unused = find_remakable(connection, tables)?;
        if unused.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = unused.iter().map(|table| quote_name(&table.name)).collect();
        // A user without the right to lock tables keeps them: rows that come meanwhile would be lost.
        let locks: Vec<String> = names.iter().map(|name| format!("{name} WRITE")).collect();
        if let Err(error) = connection.run(&format!("LOCK TABLES {}", locks.join(", "))) {
            tracing::debug!(%error, "empty tables cannot be locked, and stay");
            return Ok(());
        }
        let outcome = remove_locked(connection, &names);
        connection.run("UNLOCK TABLES").context(|| DOING.into())?;
        outcome
    })
}

const DOING: &str = "cannot make empty tables anew";

/// Removes the tables called `names`, which nobody else uses now, where they are all without rows.
fn remove_locked(connection: &mut MysqlConnection, names: &[String]) -> Result<()> {
    for name in names {
        let any = format!("SELECT 1 FROM {name} LIMIT 1");
        if !connection.query_all(&any, Vec::new(), &|| DOING.into())?.is_empty() {
            return Ok(());
        }
    }
    without_key_checks(connection, |connection| {
        connection.run(&format!("DROP TABLE {}", names.join(", "))).map(drop).context(|| DOING.into())
    })
}

/// Notes that Landfall has made the table called `name`.
pub(super) fn note_made_table(connection: &mut MysqlConnection, name: &str) -> Result<()> {
    let traits = table_traits(connection, name)?;
    made_tables::note_made_table(&MysqlOwnConnection::new(connection), name, &traits)
}

/// Whether the table called `name` is as Landfall has made it.
pub(super) fn is_as_made(connection: &mut MysqlConnection, name: &str) -> Result<bool> {
    let traits = table_traits(connection, name)?;
    made_tables::is_as_made(&MysqlOwnConnection::new(connection), name, &traits)
}

/// All that the catalogue says of a table.
fn table_traits(connection: &mut MysqlConnection, name: &str) -> Result<String> {
    let doing = || read_description(name);
    let mut found = connection.query_all(&format!("SHOW CREATE TABLE {}", quote_name(name)), Vec::new(), &doing)?;
    found.extend(connection.query_all(BESIDE, vec![text_value(name), text_value(name)], &doing)?);
    Ok(found.into_iter().flat_map(row_texts).collect::<Vec<_>>().join("\n"))
}

fn read_description(name: &str) -> String {
    format!("cannot read the definition of the table {name:?}")
}

fn text_value(name: &str) -> Value {
    Value::Bytes(name.as_bytes().to_vec())
}
