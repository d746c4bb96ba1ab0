//! What SQLite's catalogue says of a table: <https://www.sqlite.org/pragma.html>.

use rusqlite::{Connection, OptionalExtension as _};

use super::{
    Table,
    failure::{SqliteContext as _, sqlite_error},
    quote_name,
};
use crate::{
    error::Result,
    targets::sql::existing_table::{ExistingColumn, ExistingForeignKey, ExistingTable},
};

/// What has the name of a table.
pub(super) enum SqliteObject {
    /// Nothing.
    Nothing,
    /// A table.
    Table(ExistingTable),
    /// Something that takes no rows: what it is, such as `a view`.
    Other(&'static str),
}

/// How SQLite compares texts where nothing else is said: byte by byte.
const BINARY: &str = "BINARY";

/// What `connection` has by the name of `table`.
pub(super) fn read(connection: &Connection, table: &Table) -> Result<SqliteObject> {
    look_up_object(connection, &table.name)
        .map_err(|error| sqlite_error(&error, &format!("cannot read the columns of the table {:?}", &*table.name)))
}

/// The names that tables, views and indexes of the database have; a new one needs another.
pub(super) fn taken_names(connection: &Connection) -> Result<Vec<String>> {
    let doing = || "cannot read the database's schema".to_owned();
    let mut statement = connection.prepare_cached("SELECT name FROM sqlite_schema").context(doing)?;
    let names = statement.query_map([], |row| row.get(0)).context(doing)?;
    names.collect::<rusqlite::Result<_>>().context(doing)
}

fn look_up_object(connection: &Connection, name: &str) -> rusqlite::Result<SqliteObject> {
    let found: Option<(String, String)> = connection
        .prepare_cached(
            "SELECT type, name FROM sqlite_schema WHERE type IN ('table', 'view', 'index') AND name = ? COLLATE NOCASE",
        )?
        .query_row([name], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(match found {
        None => SqliteObject::Nothing,
        Some((kind, name)) if kind == "table" => SqliteObject::Table(read_existing(connection, name)?),
        Some((kind, _)) => SqliteObject::Other(if kind == "view" { "a view" } else { "an index" }),
    })
}

fn read_existing(connection: &Connection, name: String) -> rusqlite::Result<ExistingTable> {
    let has_rows = connection.prepare(&format!("SELECT 1 FROM {}", quote_name(&name)))?.exists([])?;
    let mut columns = read_columns(connection, &name)?;
    let primary_key = read_primary_key(connection, &name)?;
    if let [key] = primary_key.as_slice()
        && has_row_numbers(connection, &name)?
        && let Some(column) = columns.iter_mut().find(|column| column.name == *key && is_integer_column(column))
    {
        // SQLite's row number under another name: never NULL, and counted on where it is not given.
        (column.required, column.filled) = (true, true);
    }
    let unique_keys = read_unique_keys(connection, &name)?;
    let foreign_keys = foreign_keys(connection, &name)?;
    Ok(ExistingTable { name, columns, primary_key, unique_keys, foreign_keys, has_rows })
}

fn read_columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<ExistingColumn>> {
    let mut statement = connection.prepare_cached(
        // `hidden` is 1 for columns of virtual tables that no SELECT * shows, and 2 or 3 for computed ones.
        "SELECT name, type, \"notnull\", dflt_value IS NOT NULL, hidden > 1 FROM pragma_table_xinfo(?) WHERE hidden <> 1",
    )?;
    let rows = statement.query_map([table], |row| {
        let (required, filled, computed) = (row.get(2)?, row.get(3)?, row.get(4)?);
        Ok(ExistingColumn { name: row.get(0)?, sql_type: row.get(1)?, collation: None, required, filled, computed })
    })?;
    rows.map(|column| with_collation(connection, table, column?)).collect()
}

fn with_collation(
    connection: &Connection,
    table: &str,
    mut column: ExistingColumn,
) -> rusqlite::Result<ExistingColumn> {
    let (_, collation, ..) = connection.column_metadata(Some("main"), table, &column.name)?;
    let collation = collation.map(|name| name.to_string_lossy().into_owned());
    column.collation = collation.filter(|name| !name.eq_ignore_ascii_case(BINARY));
    Ok(column)
}

fn is_integer_column(column: &ExistingColumn) -> bool {
    column.sql_type.eq_ignore_ascii_case("INTEGER")
}

/// Whether the rows of a table have numbers: it was made without `WITHOUT ROWID`.
fn has_row_numbers(connection: &Connection, table: &str) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM pragma_table_list(?) WHERE schema = 'main' AND NOT wr")?.exists([table])
}

fn read_primary_key(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    query_names(connection, "SELECT name FROM pragma_table_xinfo(?) WHERE pk > 0 ORDER BY pk", table)
}

/// The keys whose every column is a column of the table and is compared byte by byte, beside the primary key.
fn read_unique_keys(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Vec<String>>> {
    let indexes = query_names(
        connection,
        // SQLite lists the newest first. A partial index holds for some rows only, and is no key.
        "SELECT name FROM pragma_index_list(?) WHERE \"unique\" AND NOT partial AND origin <> 'pk' ORDER BY seq DESC",
        table,
    )?;
    let mut keys = Vec::new();
    for index in indexes {
        let mut statement =
            connection.prepare_cached("SELECT name, coll FROM pragma_index_xinfo(?) WHERE key ORDER BY seqno")?;
        let parts = statement.query_map([index], |row| {
            // An index over an expression has no name of a column here.
            let (name, collation): (Option<String>, String) = (row.get(0)?, row.get(1)?);
            Ok(name.filter(|_| collation.eq_ignore_ascii_case(BINARY)))
        })?;
        keys.extend(parts.collect::<rusqlite::Result<Option<Vec<String>>>>()?);
    }
    Ok(keys)
}

fn foreign_keys(connection: &Connection, table: &str) -> rusqlite::Result<Vec<ExistingForeignKey>> {
    let mut keys: Vec<(i64, ExistingForeignKey)> = Vec::new();
    let mut statement = connection.prepare_cached(
        // As for indexes, the newest comes first.
        "SELECT id, \"table\", \"from\", \"to\" FROM pragma_foreign_key_list(?) ORDER BY id DESC, seq",
    )?;
    let mut rows = statement.query([table])?;
    while let Some(row) = rows.next()? {
        let (id, parent, field): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if keys.last().is_none_or(|(last, _)| *last != id) {
            keys.push((id, ExistingForeignKey { parent, ..ExistingForeignKey::default() }));
        }
        if let Some((_, key)) = keys.last_mut() {
            key.fields.push(field);
            key.parent_fields.extend(row.get::<_, Option<String>>(3)?);
        }
    }
    keys.into_iter().map(|(_, key)| with_parent_fields(connection, key)).collect()
}

/// A foreign key that names no columns of its parent means the parent's primary key.
fn with_parent_fields(connection: &Connection, mut key: ExistingForeignKey) -> rusqlite::Result<ExistingForeignKey> {
    if key.parent_fields.is_empty() {
        key.parent_fields = read_primary_key(connection, &key.parent)?;
    }
    Ok(key)
}

fn query_names(connection: &Connection, sql: &str, table: &str) -> rusqlite::Result<Vec<String>> {
    connection.prepare_cached(sql)?.query_map([table], |row| row.get(0))?.collect()
}
