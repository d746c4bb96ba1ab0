//! Landfall's own tables, read and written through the shared statements.

use std::sync::LazyLock;

use rusqlite::{
    Connection, ToSql, params_from_iter,
    types::{ToSqlOutput, Value, ValueRef},
};

use super::failure::SqliteContext as _;
use crate::{
    error::Result,
    ledger::LoadId,
    quarantine::{NewReject, Reject, RejectId},
    targets::{
        Table,
        sql::{self, OwnRow, SqlParameter, SqlSpelling, StoredValue, VisitOwnRow, quarantine},
    },
};
use landfall_core::reject::CellError;

const DOING: &str = "cannot read or write Landfall's own tables";

// SQLite has no locks on rows, and a write transaction keeps all others out: hence no `FOR UPDATE`.
static SPELLING: LazyLock<SqlSpelling> = LazyLock::new(|| SqlSpelling {
    own: "landfall_".into(),
    or_nothing: " ON CONFLICT DO NOTHING",
    integer: "INTEGER",
    source_is: "source = ?",
    now: "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
    for_update_if_free: "",
    for_share: "",
    errors: "json_each(r.errors) AS e",
    code: "e.value ->> 'code'",
    field: "e.value ->> 'field'",
    value: "e.value ->> 'value'",
});

/// A connection that speaks for Landfall's own tables.
pub(super) struct SqliteOwnConnection<'c>(pub(super) &'c Connection);

impl sql::SqlConnection for SqliteOwnConnection<'_> {
    fn sql_spelling(&self) -> &SqlSpelling {
        &SPELLING
    }

    fn has_own_tables(&self) -> Result<bool> {
        super::rows::has_table(self.0, "landfall_loads")
    }

    fn has_own_table(&self, table: &str) -> Result<bool> {
        super::rows::has_table(self.0, &SPELLING.own_table(table))
    }

    fn has_own_column(&self, table: &str, column: &str) -> Result<bool> {
        self.0
            .prepare_cached("SELECT 1 FROM pragma_table_info(?) WHERE name = ?")
            .and_then(|mut statement| statement.exists([&*SPELLING.own_table(table), column]))
            .context(|| DOING.into())
    }

    fn execute_statement(&self, sql: &str, parameters: &[SqlParameter<'_>]) -> Result<u64> {
        let mut statement = self.0.prepare_cached(sql).context(|| DOING.into())?;
        statement.execute(params_from_iter(parameters)).map(|count| count as u64).context(|| DOING.into())
    }

    fn insert_numbered(&self, sql: &str, parameters: &[SqlParameter<'_>], _id: &str) -> Result<i64> {
        self.execute_statement(sql, parameters)?;
        Ok(self.0.last_insert_rowid())
    }

    fn insert_all_numbered(
        &self,
        sql: &str,
        parameters: &[SqlParameter<'_>],
        _id: &str,
        count: usize,
    ) -> Result<Vec<i64>> {
        self.execute_statement(sql, parameters)?;
        // The numbers of rows that one statement inserts follow each other: nobody else writes meanwhile.
        let last = self.0.last_insert_rowid();
        Ok((0..i64::try_from(count).unwrap_or(0)).rev().map(|before| last - before).collect())
    }

    fn confirm_rejects(&self, rejects: &[(RejectId, Vec<CellError>)]) -> Result<()> {
        quarantine::confirm_rejects(self, rejects)
    }

    fn query_rows(&self, sql: &str, parameters: &[SqlParameter<'_>], visit: VisitOwnRow<'_>) -> Result<()> {
        let mut statement = self.0.prepare_cached(sql).context(|| DOING.into())?;
        let columns = statement.column_count();
        let mut rows = statement.query(params_from_iter(parameters)).context(|| DOING.into())?;
        while let Some(row) = rows.next().context(|| DOING.into())? {
            let values = (0..columns).map(|at| row.get_ref(at).map(to_stored_value));
            visit(&mut OwnRow::new(values.collect::<rusqlite::Result<_>>().context(|| DOING.into())?))?;
        }
        Ok(())
    }
}

fn to_stored_value(value: ValueRef<'_>) -> StoredValue {
    match value {
        ValueRef::Null => StoredValue::Null,
        ValueRef::Integer(value) => StoredValue::Integer(value),
        ValueRef::Real(value) => StoredValue::Real(value),
        ValueRef::Text(bytes) => StoredValue::Text(String::from_utf8_lossy(bytes).into_owned()),
        ValueRef::Blob(bytes) => StoredValue::Bytes(bytes.to_vec()),
    }
}

impl ToSql for SqlParameter<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match *self {
            SqlParameter::Integer(value) => ToSqlOutput::Owned(Value::Integer(value)),
            SqlParameter::Real(value) => ToSqlOutput::Owned(Value::Real(value)),
            SqlParameter::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            SqlParameter::Bytes(Some(bytes)) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
            SqlParameter::Bytes(None) => ToSqlOutput::Owned(Value::Null),
        })
    }
}

/// Rejects added by one statement.
const REJECTS_PER_STATEMENT: usize = 16;

/// Adds rejects, many with each statement.
pub(super) fn add_rejects(connection: &Connection, load: LoadId, table: &Table, rejects: &[NewReject]) -> Result<()> {
    let row = format!("({})", ["?"; quarantine::COLUMNS.len()].join(", "));
    let columns = quarantine::COLUMNS.join(", ");
    let rows = vec![row; REJECTS_PER_STATEMENT].join(", ");
    let sql = format!("INSERT INTO landfall_rejects ({columns}) VALUES {rows}");
    let (groups, rest) = rejects.as_chunks::<REJECTS_PER_STATEMENT>();
    let one =
        |reject: &NewReject| quarantine::add_reject(&SqliteOwnConnection(connection), load, table, reject).map(drop);
    if !groups.is_empty() {
        let mut statement = connection.prepare_cached(&sql).context(|| DOING.into())?;
        for group in groups {
            // The rest of a long record goes in parts, which need the number of the reject.
            if group.iter().any(|reject| reject.raw.len() > Reject::RAW_LIMIT as u64) {
                group.iter().try_for_each(one)?;
                continue;
            }
            for (at, reject) in group.iter().enumerate() {
                let errors = quarantine::errors_json(&reject.errors);
                for (column, value) in quarantine::reject_values(load, table, reject, &errors).iter().enumerate() {
                    let parameter = at * quarantine::COLUMNS.len() + column + 1;
                    statement.raw_bind_parameter(parameter, value).context(|| DOING.into())?;
                }
            }
            statement.raw_execute().context(|| DOING.into())?;
        }
    }
    rest.iter().try_for_each(one)
}
