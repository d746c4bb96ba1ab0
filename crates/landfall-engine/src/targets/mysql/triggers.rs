//! Triggers that may alter rows as they come. The server tells nothing of what they did, so the rows are read back and compared.

use arrow_array::RecordBatch;
use landfall_core::keys::{KeyColumns, Scalar};
use mysql::Value;

use super::{
    Table,
    connection::Connection,
    rows::{find_all, scan},
};
use crate::{
    error::Result,
    targets::{
        RefusedRow,
        batch::Foreign,
        stored::{self, Census},
    },
};

/// What stands against rows that were written together.
#[derive(Debug)]
pub(super) enum Objection {
    /// What the server said of one of them.
    Words(String),
    /// These were not stored as they were sent.
    Rows(Vec<RefusedRow>),
}

/// Whether the user may see the triggers of the database: the server hides them from others. Names of databases are patterns there.
const SEES: &str = "SELECT 1 FROM information_schema.user_privileges WHERE privilege_type = 'TRIGGER'
     UNION ALL SELECT 1 FROM information_schema.schema_privileges
     WHERE privilege_type = 'TRIGGER' AND database() LIKE table_schema
     UNION ALL SELECT 1 FROM information_schema.table_privileges
     WHERE privilege_type = 'TRIGGER' AND table_schema = database() AND table_name = ? LIMIT 1";
const TRIGGERS: &str = "SELECT 1 FROM information_schema.triggers
     WHERE event_object_schema = database() AND event_object_table = ? LIMIT 1";

/// Whether a trigger may alter rows of `table`: there is one, or the user could not see it.
pub(super) fn may_alter(connection: &mut Connection, table: &Table) -> Result<bool> {
    let named = vec![Value::Bytes(table.name.as_bytes().to_vec())];
    Ok(!sees(connection, &table.name)? || !connection.all(TRIGGERS, named, &|| looking(&table.name))?.is_empty())
}

/// Whether the user may see the triggers of the table called `name`.
pub(super) fn sees(connection: &mut Connection, name: &str) -> Result<bool> {
    let named = vec![Value::Bytes(name.as_bytes().to_vec())];
    Ok(!connection.all(SEES, named, &|| looking(name))?.is_empty())
}

fn looking(name: &str) -> String {
    format!("cannot look for the triggers of the table {name:?}")
}

/// Those of `rows` that are not in the table as they were sent; only the fields at `fields` were.
pub(super) fn altered(
    connection: &mut Connection,
    table: &Table,
    batch: &RecordBatch,
    rows: &[usize],
    fields: &[usize],
) -> Result<Option<Objection>> {
    let key = &table.schema.primary_key;
    let columns = KeyColumns::new(batch, key);
    let values: Vec<Vec<Scalar>> = rows.iter().map(|&row| columns.row_values(row)).collect();
    let found = find_all(connection, table, key, &values)?;
    let refused = stored::refusals(table, batch, rows, fields, &found);
    Ok((!refused.is_empty()).then_some(Objection::Rows(refused)))
}

/// What a table without a primary key holds.
pub(super) fn census(connection: &mut Connection, table: &Table) -> Result<Census> {
    let every: Vec<usize> = (0..table.schema.fields.len()).collect();
    let mut census = Census::default();
    scan(connection, table, (&every, Foreign::Missing), &mut |batch| {
        census.add_all(&batch);
        Ok(())
    })?;
    Ok(census)
}

/// What stands against `rows` where not just they came to the table since `before`.
pub(super) fn census_objection(
    connection: &mut Connection,
    table: &Table,
    batch: &RecordBatch,
    rows: &[usize],
    before: Census,
) -> Result<Option<Objection>> {
    let now = census(connection, table)?;
    let mut sent = Census::default();
    rows.iter().for_each(|&row| sent.add(batch, row));
    Ok(before.objection(&sent, &now).map(Objection::Words))
}
