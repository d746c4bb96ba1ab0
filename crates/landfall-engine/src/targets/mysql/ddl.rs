//! Tables of the dictionary: made where they are missing, checked where they exist.
//!
//! A statement that defines something commits by itself. So each makes one table with all its keys, and is repeated by
//! the next command where this one dies between two. Foreign keys may name tables that are still to come, which the server
//! allows while its check of foreign keys is off.

use landfall_core::schema::{FieldIndex, ForeignKey};

use super::{
    Difference, Table,
    columns::{check_keys, sql_type},
    connection::MysqlConnection,
    existing_table::{MysqlDialect, MysqlObject, read},
    failure::MysqlContext as _,
    lock::with_lock,
    names::{self, key_name, quote_name, quoted_names},
    remakable,
    rows::has_table,
    server::MysqlServer,
};
use crate::{
    error::Result,
    targets::sql::compare::{compare_table, has_other_foreign_key, missing_table, not_a_table, refuse_differences},
};

/// Makes or checks all `tables`. Whether one of them has a foreign key that is not in the dictionary.
pub(super) fn prepare_tables(connection: &mut MysqlConnection, tables: &[Table]) -> Result<bool> {
    check_names_and_keys(connection, tables)?;
    let checked = check_tables(connection, tables)?;
    if checked.missing.is_empty() {
        return Ok(checked.other_foreign_keys);
    }
    with_lock(connection, |connection| {
        // Once more under the lock: another process may have made tables since.
        let checked = check_tables(connection, tables)?;
        without_key_checks(connection, |connection| {
            checked.missing.iter().try_for_each(|table| {
                let statement = create_table(&connection.server, table, tables);
                connection.run(&statement).map(drop).context(|| format!("cannot make the table {:?}", &*table.name))
            })
        })?;
        checked.missing.iter().try_for_each(|table| remakable::note_made_table(connection, &table.name))?;
        Ok(checked.other_foreign_keys)
    })
}

/// Refuses what the database cannot take, before anything is made.
pub(super) fn check_names_and_keys(connection: &MysqlConnection, tables: &[Table]) -> Result<()> {
    names::check_names(&connection.server, tables)?;
    tables.iter().try_for_each(check_keys)
}

/// Runs `work` while the server does not check foreign keys.
pub(super) fn without_key_checks<R>(
    connection: &mut MysqlConnection,
    work: impl FnOnce(&mut MysqlConnection) -> Result<R>,
) -> Result<R> {
    let doing = || "cannot set up the session".to_owned();
    connection.run("SET SESSION foreign_key_checks = 0").context(doing)?;
    let outcome = work(connection);
    // Also after an error, since the connection is used on. Without the check, rows would come in without parents.
    connection.run("SET SESSION foreign_key_checks = 1").context(doing)?;
    outcome
}

/// What came of checking tables.
#[derive(Default)]
struct MysqlCheckedTables<'t> {
    /// Those that do not exist.
    missing: Vec<&'t Table>,
    /// Whether one that exists has a foreign key that is not in the dictionary.
    other_foreign_keys: bool,
}

/// Checks those of `tables` that exist against the dictionary; nothing is altered.
fn check_tables<'t>(connection: &mut MysqlConnection, tables: &'t [Table]) -> Result<MysqlCheckedTables<'t>> {
    let mut checked = MysqlCheckedTables::default();
    for table in tables {
        match read(connection, table)? {
            MysqlObject::Nothing => checked.missing.push(table),
            MysqlObject::Other(what) => refuse_differences(table, &[not_a_table(table, &what)])?,
            MysqlObject::Table(existing) => {
                let dialect = MysqlDialect { server: &connection.server, tables };
                refuse_differences(table, &compare_table(table, &existing, &dialect))?;
                checked.other_foreign_keys |= has_other_foreign_key(table, &existing, &dialect);
            }
        }
    }
    Ok(checked)
}

/// How the database differs from `tables`.
pub(super) fn find_differences(connection: &mut MysqlConnection, tables: &[Table]) -> Result<Vec<Difference>> {
    check_names_and_keys(connection, tables)?;
    let mut found = Vec::new();
    for table in tables {
        match read(connection, table)? {
            MysqlObject::Nothing => found.push(missing_table(table, create_table(&connection.server, table, tables))),
            MysqlObject::Other(what) => found.push(not_a_table(table, &what)),
            MysqlObject::Table(existing) => {
                found.extend(compare_table(table, &existing, &MysqlDialect { server: &connection.server, tables }));
            }
        }
    }
    Ok(found)
}

/// Carries out the additions of `differences`, one after the other: each commits by itself.
pub(super) fn add_missing(connection: &mut MysqlConnection, differences: &[Difference]) -> Result<()> {
    let additions = differences.iter().filter_map(|found| Some((&found.table, found.addition.as_ref()?)));
    with_lock(connection, |connection| {
        let mut own = Vec::new();
        for (table, _) in additions.clone() {
            // Asked before anything is altered, since afterwards no table is as it was made.
            if !has_table(connection, table)? || remakable::is_as_made(connection, table)? {
                own.push(table);
            }
        }
        let (tables, others): (Vec<_>, Vec<_>) =
            additions.partition(|(_, statement)| statement.starts_with("CREATE TABLE"));
        without_key_checks(connection, |connection| run_additions(connection, &tables))?;
        // With the server's check on, so that rows which stand against a new key are found.
        run_additions(connection, &others)?;
        own.into_iter().try_for_each(|table| remakable::note_made_table(connection, table))
    })
}

fn run_additions(connection: &mut MysqlConnection, additions: &[(&std::sync::Arc<str>, &String)]) -> Result<()> {
    additions.iter().try_for_each(|(table, statement)| {
        connection.run(statement).map(drop).context(|| format!("cannot alter the table {table:?}"))
    })
}

/// The statement that makes `table`, which is one of `tables`.
pub(super) fn create_table(server: &MysqlServer, table: &Table, tables: &[Table]) -> String {
    let schema = &table.schema;
    let mut parts: Vec<String> = schema.field_positions().map(|at| column_definition(server, table, at)).collect();
    if !schema.primary_key.is_empty() {
        parts.push(format!("PRIMARY KEY ({})", quoted_names(table, &schema.primary_key)));
    }
    parts.extend(schema.unique_keys.iter().map(|key| unique_key_definition(table, key)));
    parts.extend(schema.foreign_keys.iter().map(|key| foreign_key_definition(table, key, tables)));
    format!(
        "CREATE TABLE {} (\n  {}\n) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE {}",
        quote_name(&table.name),
        parts.join(",\n  "),
        server.collation()
    )
}

/// The column for the field at `at`. Those of the primary key are required in any case.
pub(super) fn column_definition(server: &MysqlServer, table: &Table, at: FieldIndex) -> String {
    let field = &table.schema[at];
    let required = field.constraints.required || table.schema.primary_key.contains(&at);
    let required = if required { "NOT NULL" } else { "NULL" };
    let collation = if field.kind.is_text() {
        format!(" CHARACTER SET utf8mb4 COLLATE {}", server.collation())
    } else {
        String::new()
    };
    format!("{} {}{collation} {required}", quote_name(&field.name), sql_type(table, at))
}

/// The part of a statement that adds a unique key.
pub(super) fn unique_key_definition(table: &Table, key: &[FieldIndex]) -> String {
    format!("UNIQUE KEY {} ({})", quote_name(&constraint_name("uk", table, key)), quoted_names(table, key))
}

/// The part of a statement that adds a foreign key. Its fields stand in the order of the parent's key, as InnoDB wants it.
pub(super) fn foreign_key_definition(table: &Table, key: &ForeignKey, tables: &[Table]) -> String {
    let mut pairs: Vec<(FieldIndex, &str)> =
        key.fields.iter().copied().zip(key.parent_fields.iter().map(|name| &**name)).collect();
    if let Some(order) = parent_key_fields(key, tables) {
        pairs.sort_by_key(|(_, name)| order.iter().position(|parent| parent == name));
    }
    let (fields, parents): (Vec<FieldIndex>, Vec<&str>) = pairs.into_iter().unzip();
    let parents: Vec<String> = parents.into_iter().map(quote_name).collect();
    format!(
        "CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({})",
        quote_name(&constraint_name("fk", table, &key.fields)),
        quoted_names(table, &fields),
        quote_name(&key.parent),
        parents.join(", ")
    )
}

/// The fields of the parent's key that `key` names, in that key's own order.
fn parent_key_fields<'t>(key: &ForeignKey, tables: &'t [Table]) -> Option<Vec<&'t str>> {
    let parent = tables.iter().find(|table| table.name == key.parent)?;
    let schema = &parent.schema;
    std::iter::once(&schema.primary_key)
        .chain(&schema.unique_keys)
        .map(|positions| positions.iter().map(|&at| &*schema[at].name).collect::<Vec<_>>())
        .find(|names| {
            names.len() == key.parent_fields.len() && key.parent_fields.iter().all(|name| names.contains(&&**name))
        })
}

fn constraint_name(kind: &str, table: &Table, fields: &[FieldIndex]) -> String {
    let fields: Vec<&str> = fields.iter().map(|&at| &*table.schema[at].name).collect();
    key_name(kind, &table.name, &fields)
}
