//! Tables that Landfall has made, that nobody changed, and that have no rows: they can be made anew for another dictionary.

use mysql::Value;

use super::{
    Table,
    connection::Connection,
    ddl::unchecked,
    existing::{Found, MysqlDialect, read, texts},
    failure::Context as _,
    lock::with_lock,
    names::quoted,
    own::Own,
    triggers,
};
use crate::{
    error::Result,
    targets::sql::{
        compare::compare,
        made::{self, Tables},
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

struct Catalogue<'c> {
    connection: &'c mut Connection,
    tables: &'c [Table],
}

impl Tables for Catalogue<'_> {
    fn empty_differs(&mut self, table: &Table) -> Result<Option<bool>> {
        let Found::Table(existing) = read(self.connection, table)? else { return Ok(None) };
        let dialect = MysqlDialect { server: &self.connection.server, tables: self.tables };
        Ok((!existing.has_rows).then(|| !compare(table, &existing, &dialect).is_empty()))
    }

    /// A trigger that the user cannot see may be there, and would be lost.
    fn is_as_made(&mut self, table: &Table) -> Result<bool> {
        Ok(triggers::sees(self.connection, &table.name)? && is_as_made(self.connection, &table.name)?)
    }

    fn referring(&mut self, table: &Table) -> Result<Vec<String>> {
        let found = self.connection.all(REFERRING, vec![text(&table.name)], &|| reading(&table.name))?;
        Ok(found.into_iter().flat_map(texts).collect())
    }
}

/// Those of `tables` that can be made anew.
pub(super) fn unused(connection: &mut Connection, tables: &[Table]) -> Result<Vec<Table>> {
    made::unused(&mut Catalogue { connection, tables }, tables)
}

/// Removes those of `tables` that can be made anew.
pub(super) fn remove(connection: &mut Connection, tables: &[Table]) -> Result<()> {
    if unused(connection, tables)?.is_empty() {
        return Ok(());
    }
    with_lock(connection, |connection| {
        let unused = unused(connection, tables)?;
        if unused.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = unused.iter().map(|table| quoted(&table.name)).collect();
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
fn remove_locked(connection: &mut Connection, names: &[String]) -> Result<()> {
    for name in names {
        let any = format!("SELECT 1 FROM {name} LIMIT 1");
        if !connection.all(&any, Vec::new(), &|| DOING.into())?.is_empty() {
            return Ok(());
        }
    }
    unchecked(connection, |connection| {
        connection.run(&format!("DROP TABLE {}", names.join(", "))).map(drop).context(|| DOING.into())
    })
}

/// Notes that Landfall has made the table called `name`.
pub(super) fn note(connection: &mut Connection, name: &str) -> Result<()> {
    let traits = traits(connection, name)?;
    made::note(&Own::new(connection), name, &traits)
}

/// Whether the table called `name` is as Landfall has made it.
pub(super) fn is_as_made(connection: &mut Connection, name: &str) -> Result<bool> {
    let traits = traits(connection, name)?;
    made::is_as_made(&Own::new(connection), name, &traits)
}

/// All that the catalogue says of a table.
fn traits(connection: &mut Connection, name: &str) -> Result<String> {
    let doing = || reading(name);
    let mut found = connection.all(&format!("SHOW CREATE TABLE {}", quoted(name)), Vec::new(), &doing)?;
    found.extend(connection.all(BESIDE, vec![text(name), text(name)], &doing)?);
    Ok(found.into_iter().flat_map(texts).collect::<Vec<_>>().join("\n"))
}

fn reading(name: &str) -> String {
    format!("cannot read the definition of the table {name:?}")
}

fn text(name: &str) -> Value {
    Value::Bytes(name.as_bytes().to_vec())
}
