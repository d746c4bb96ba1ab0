//! Tables of the dictionary in SQLite: made where they are missing, checked where they exist.

use landfall_core::schema::{Field, FieldType, ForeignKey};
use rusqlite::{Connection, TransactionBehavior};

use super::{Difference, Table, failure::Context as _, mismatch, quoted, rows::has_table};
use crate::error::Result;

/// SQLite's own limit on the columns of a table (`SQLITE_MAX_COLUMN`).
const MOST_COLUMNS: usize = 2000;

/// Makes or checks all `tables` in one transaction.
pub(super) fn prepare(connection: &mut Connection, tables: &[Table]) -> Result<()> {
    let missing = missing_or_checked(connection, tables)?;
    if missing.is_empty() {
        return Ok(());
    }
    let doing = || "cannot make the tables of the data package".to_owned();
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).context(doing)?;
    for table in missing_or_checked(&transaction, tables)? {
        let statement = create_table(table)?;
        transaction.execute_batch(&statement).context(|| format!("cannot make the table {:?}", &*table.name))?;
    }
    transaction.commit().context(doing)
}

/// The tables that do not exist; those that do are checked.
fn missing_or_checked<'t>(connection: &Connection, tables: &'t [Table]) -> Result<Vec<&'t Table>> {
    let mut missing = Vec::new();
    for table in tables {
        if has_table(connection, &table.name)? {
            check(connection, table)?;
        } else {
            missing.push(table);
        }
    }
    Ok(missing)
}

/// The statement that makes `table`.
pub(super) fn create_table(table: &Table) -> Result<String> {
    let schema = &table.schema;
    if schema.fields.len() > MOST_COLUMNS {
        return Err(mismatch(format!(
            "the table {:?} has {} fields; SQLite holds at most {MOST_COLUMNS}",
            &*table.name,
            schema.fields.len()
        )));
    }
    let mut parts: Vec<String> = schema.fields.iter().map(column).collect();
    if !schema.primary_key.is_empty() {
        parts.push(format!("PRIMARY KEY ({})", names(table, &schema.primary_key)));
    }
    parts.extend(schema.unique_keys.iter().map(|key| format!("UNIQUE ({})", names(table, key))));
    parts.extend(schema.foreign_keys.iter().map(|key| foreign_key(table, key)));
    Ok(format!("CREATE TABLE {} (\n  {}\n) STRICT", quoted(&table.name), parts.join(",\n  ")))
}

fn column(field: &Field) -> String {
    let required = if field.constraints.required { " NOT NULL" } else { "" };
    format!("{} {}{required}", quoted(&field.name), sql_type(&field.kind))
}

/// The STRICT type of a field: INTEGER or TEXT, so that nothing is ever stored as a float.
pub(super) const fn sql_type(kind: &FieldType) -> &'static str {
    match kind {
        FieldType::Integer { .. } | FieldType::Year | FieldType::Boolean(_) => "INTEGER",
        _ => "TEXT",
    }
}

/// A foreign key that is checked at the end of the transaction, so that rows may name each other.
fn foreign_key(table: &Table, key: &ForeignKey) -> String {
    let parents: Vec<String> = key.parent_fields.iter().map(|name| quoted(name)).collect();
    format!(
        "FOREIGN KEY ({}) REFERENCES {} ({}) DEFERRABLE INITIALLY DEFERRED",
        names(table, &key.fields),
        quoted(&key.parent),
        parents.join(", ")
    )
}

/// The fields at `positions`, quoted and joined.
pub(super) fn names(table: &Table, positions: &[usize]) -> String {
    let names: Vec<String> = positions.iter().map(|&at| quoted(&table.schema.fields[at].name)).collect();
    names.join(", ")
}

/// A column of a table that exists: its name, type, whether it may be null, and its place in the primary key.
struct Existing {
    name: String,
    sql_type: String,
    key: usize,
    /// Whether it must be given a value.
    required: bool,
}

/// Checks a table that exists against the dictionary; nothing is altered.
fn check(connection: &Connection, table: &Table) -> Result<()> {
    let found = compare(connection, table)?;
    let serious: Vec<&str> = found.iter().filter(|difference| !difference.harmless).map(|d| &*d.message).collect();
    if serious.is_empty() {
        return Ok(());
    }
    Err(mismatch(format!(
        "the table {:?} exists and differs from the data package: it {}. Nothing was altered: rename the table, or mend \
         the data package; `landfall schema` shows every difference",
        &*table.name,
        serious.join("; it ")
    )))
}

/// How the database differs from `tables`.
pub(super) fn differences(connection: &Connection, tables: &[Table]) -> Result<Vec<Difference>> {
    let mut found = Vec::new();
    for table in tables {
        if has_table(connection, &table.name)? {
            found.extend(compare(connection, table)?);
        } else {
            let addition = Some(create_table(table)?);
            let message = "does not exist".to_owned();
            found.push(Difference { table: table.name.clone(), message, addition, harmless: true });
        }
    }
    Ok(found)
}

/// Carries out the additions of `differences`, all or none.
pub(super) fn add_missing(connection: &mut Connection, differences: &[Difference]) -> Result<()> {
    let doing = || "cannot alter the database".to_owned();
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).context(doing)?;
    for Difference { table, addition, .. } in differences {
        let Some(statement) = addition else { continue };
        transaction.execute_batch(statement).context(|| format!("cannot alter the table {table:?}"))?;
    }
    transaction.commit().context(doing)
}

/// How a table that exists differs from the dictionary.
fn compare(connection: &Connection, table: &Table) -> Result<Vec<Difference>> {
    let existing = columns(connection, table)?;
    let mut found = Vec::new();
    let mut differs = |message: String, addition: Option<String>| {
        found.push(Difference { table: table.name.clone(), message, addition, harmless: false });
    };
    for field in &table.schema.fields {
        let name = &*field.name;
        match existing.iter().find(|column| column.name == name) {
            None => differs(format!("has no column {name:?}"), added_column(table, field)),
            Some(column) if !column.sql_type.eq_ignore_ascii_case(sql_type(&field.kind)) => {
                let (is, wanted) = (&column.sql_type, sql_type(&field.kind));
                differs(format!("has the column {name:?} as {is} and not {wanted}"), None);
            }
            Some(_) => {}
        }
    }
    if let Some(message) = key_difference(table, &existing) {
        differs(message, None);
    }
    for column in existing.iter().filter(|column| column.required && table.schema.position(&column.name).is_none()) {
        differs(format!("asks for a value of the column {:?}, which is not in the data package", column.name), None);
    }
    Ok(found)
}

/// The statement that adds a column. SQLite adds no required one to a table that may hold rows, and none to a key.
fn added_column(table: &Table, field: &Field) -> Option<String> {
    let at = table.schema.position(&field.name)?;
    let schema = &table.schema;
    let in_key = schema.primary_key.contains(&at) || schema.unique_keys.iter().any(|key| key.contains(&at));
    let addable = !in_key && !field.constraints.required;
    addable.then(|| format!("ALTER TABLE {} ADD COLUMN {}", quoted(&table.name), column(field)))
}

fn key_difference(table: &Table, existing: &[Existing]) -> Option<String> {
    let mut key: Vec<&Existing> = existing.iter().filter(|column| column.key > 0).collect();
    key.sort_by_key(|column| column.key);
    let key: Vec<&str> = key.iter().map(|column| column.name.as_str()).collect();
    let wanted: Vec<&str> = table.schema.primary_key.iter().map(|&at| &*table.schema.fields[at].name).collect();
    (key != wanted).then(|| format!("has the primary key ({}) and not ({})", key.join(", "), wanted.join(", ")))
}

fn columns(connection: &Connection, table: &Table) -> Result<Vec<Existing>> {
    let doing = || format!("cannot read the columns of the table {:?}", &*table.name);
    let mut statement = connection
        .prepare("SELECT name, type, pk, \"notnull\" AND dflt_value IS NULL AND pk = 0 FROM pragma_table_info(?)")
        .context(doing)?;
    let rows = statement
        .query_map([&*table.name], |row| {
            Ok(Existing { name: row.get(0)?, sql_type: row.get(1)?, key: row.get(2)?, required: row.get(3)? })
        })
        .context(doing)?;
    rows.collect::<rusqlite::Result<_>>().context(doing)
}
