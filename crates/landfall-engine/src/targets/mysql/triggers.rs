//! Triggers that may alter rows as they come. The server tells nothing of what they did, so the rows are read back and compared.

use arrow_array::RecordBatch;
use landfall_core::{
    keys::{KeyColumns, Scalar},
    schema::FieldIndex,
};
use mysql::Value;

use super::{
    Table,
    connection::MysqlConnection,
    rows::{find_rows, scan_rows},
};
use crate::{
    error::Result,
    targets::{
        RefusedRow,
        altered_rows::{self, Census},
        batch::OnForeignValue,
    },
};

/// What stands against rows that were written together.
#[derive(Debug)]
pub(super) enum RowsObjection {
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
pub(super) fn may_alter(connection: &mut MysqlConnection, table: &Table) -> Result<bool> {
    let named = vec![Value::Bytes(table.name.as_bytes().to_vec())];
    Ok(!sees_triggers(connection, &table.name)?
        || !connection.query_all(TRIGGERS, named, &|| look_description(&table.name))?.is_empty())
}

/// Whether the user may see the triggers of the table called `name`.
pub(super) fn sees_triggers(connection: &mut MysqlConnection, name: &str) -> Result<bool> {
    let named = vec![Value::Bytes(name.as_bytes().to_vec())];
    Ok(!connection.query_all(SEES, named, &|| look_description(name))?.is_empty())
}

fn look_description(name: &str) -> String {
    format!("cannot look for the triggers of the table {name:?}")
}

/// Those of `rows` that are not in the table as they were sent; only the fields at `fields` were.
pub(super) fn find_altered_rows(
    connection: &mut MysqlConnection,
    table: &Table,
    batch: &RecordBatch,
    rows: &[usize],
    fields: &[FieldIndex],
) -> Result<Option<RowsObjection>> {
    let key = &table.schema.primary_key;
    let columns = KeyColumns::new(batch, key);
    let values: Vec<Vec<Scalar>> = rows.iter().map(|&row| columns.row_values(row)).collect();
    let found = find_rows(connection, table, key, &values)?;
    let refused = altered_rows::find_altered_rows(table, batch, rows, fields, &found);
    Ok((!refused.is_empty()).then_some(RowsObjection::Rows(refused)))
}

/// What a table without a primary key holds.
pub(super) fn take_census(connection: &mut MysqlConnection, table: &Table) -> Result<Census> {
    let every: Vec<FieldIndex> = table.schema.field_positions().collect();
    let mut census = Census::default();
    scan_rows(connection, table, &every, OnForeignValue::Missing, &mut |batch| {
        census.add_batch(&batch);
        Ok(())
    })?;
    Ok(census)
}

/// What stands against `rows` where not just they came to the table since `before`.
pub(super) fn census_objection(
    connection: &mut MysqlConnection,
    table: &Table,
    batch: &RecordBatch,
    rows: &[usize],
    before: Census,
) -> Result<Option<RowsObjection>> {
    let now = take_census(connection, table)?;
    let mut sent = Census::default();
    rows.iter().for_each(|&row| sent.add_row(batch, row));
    Ok(before.compare_with(&sent, &now).map(RowsObjection::Words))
}
