//! Landfall's own tables, read and written through the shared statements.

use std::{cell::RefCell, sync::LazyLock};

use mysql::{Column, Value, consts::ColumnType};

use super::{connection::MysqlConnection, failure::MysqlContext as _, rows::has_table, server::ServerFamily};
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

/// The character set of bytes that are no text.
const BINARY: u16 = 63;

/// The errors of a reject as a table. Its texts are told their character set: else they have that of the database, which may
/// not hold all of them.
macro_rules! errors {
    ($collation:literal) => {
        concat!(
            "JSON_TABLE(r.errors, '$[*]' COLUMNS (",
            "code VARCHAR(64) CHARACTER SET utf8mb4 COLLATE ",
            $collation,
            " PATH '$.code', field LONGTEXT CHARACTER SET utf8mb4 COLLATE ",
            $collation,
            " PATH '$.field', value LONGTEXT CHARACTER SET utf8mb4 COLLATE ",
            $collation,
            " PATH '$.value')) AS e"
        )
    };
}

static MYSQL: LazyLock<SqlSpelling> = LazyLock::new(|| mysql_spelling(errors!("utf8mb4_0900_bin")));
static MARIADB: LazyLock<SqlSpelling> = LazyLock::new(|| mysql_spelling(errors!("utf8mb4_nopad_bin")));

fn mysql_spelling(errors: &'static str) -> SqlSpelling {
    SqlSpelling {
        own: "landfall_".into(),
        or_nothing: "",
        integer: "SIGNED",
        source_is: "source = ?",
        now: "CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)",
        for_update_if_free: " FOR UPDATE SKIP LOCKED",
        for_share: " LOCK IN SHARE MODE",
        errors,
        code: "e.code",
        field: "e.field",
        value: "e.value",
    }
}

/// The table that is made last: each commits by itself, so that a process which dies leaves those before it.
const LAST: &str = "landfall_reject_events";

/// A connection that speaks for Landfall's own tables.
pub(super) struct MysqlOwnConnection<'c>(RefCell<&'c mut MysqlConnection>);

impl<'c> MysqlOwnConnection<'c> {
    pub(super) const fn new(connection: &'c mut MysqlConnection) -> Self {
        Self(RefCell::new(connection))
    }
}

impl sql::SqlConnection for MysqlOwnConnection<'_> {
    fn sql_spelling(&self) -> &SqlSpelling {
        match self.0.borrow().server.flavour {
            ServerFamily::Mysql => &MYSQL,
            ServerFamily::Mariadb => &MARIADB,
        }
    }

    fn has_own_tables(&self) -> Result<bool> {
        has_table(&mut self.0.borrow_mut(), LAST)
    }

    fn has_own_table(&self, table: &str) -> Result<bool> {
        has_table(&mut self.0.borrow_mut(), &MYSQL.own_table(table))
    }

    fn has_own_column(&self, table: &str, column: &str) -> Result<bool> {
        let sql = "SELECT 1 FROM information_schema.columns
            WHERE table_schema = database() AND table_name = ? AND column_name = ?";
        let mut found = false;
        self.query_rows(sql, &[MYSQL.own_table(table).as_str().into(), column.into()], &mut |_| {
            found = true;
            Ok(())
        })?;
        Ok(found)
    }

    fn execute_statement(&self, sql: &str, parameters: &[SqlParameter<'_>]) -> Result<u64> {
        self.0
            .borrow_mut()
            .execute_statement(sql, bound_values(parameters))
            .map(|done| done.rows)
            .context(|| DOING.into())
    }

    fn insert_numbered(&self, sql: &str, parameters: &[SqlParameter<'_>], _id: &str) -> Result<i64> {
        let done = self.0.borrow_mut().execute_statement(sql, bound_values(parameters)).context(|| DOING.into())?;
        Ok(done.id.unwrap_or_default())
    }

    fn insert_all_numbered(
        &self,
        sql: &str,
        parameters: &[SqlParameter<'_>],
        id: &str,
        count: usize,
    ) -> Result<Vec<i64>> {
        let first = self.insert_numbered(sql, parameters, id)?;
        // How far apart the numbers of one statement are is a setting of the server (for servers that copy each other).
        let step = self.0.borrow().server.number_step;
        Ok((0..i64::try_from(count).unwrap_or(0)).map(|at| first + at * step).collect())
    }

    fn confirm_rejects(&self, rejects: &[(RejectId, Vec<CellError>)]) -> Result<()> {
        quarantine::confirm_rejects(self, rejects)
    }

    fn query_rows(&self, sql: &str, parameters: &[SqlParameter<'_>], visit: VisitOwnRow<'_>) -> Result<()> {
        self.0.borrow_mut().query_rows(sql, bound_values(parameters), &|| DOING.into(), &mut |columns, values| {
            visit(&mut OwnRow::new(
                columns.iter().zip(values).map(|(column, value)| to_stored_value(column, value)).collect(),
            ))
        })
    }
}

fn bound_values(parameters: &[SqlParameter<'_>]) -> Vec<Value> {
    let each = parameters.iter().map(|parameter| match *parameter {
        SqlParameter::Integer(value) => Value::Int(value),
        SqlParameter::Real(value) => Value::Double(value),
        SqlParameter::Text(text) => Value::Bytes(text.as_bytes().to_vec()),
        SqlParameter::Bytes(Some(bytes)) => Value::Bytes(bytes.to_vec()),
        SqlParameter::Bytes(None) => Value::NULL,
    });
    each.collect()
}

fn to_stored_value(column: &Column, value: Value) -> StoredValue {
    match value {
        Value::NULL => StoredValue::Null,
        Value::Int(value) => StoredValue::Integer(value),
        Value::UInt(value) => StoredValue::Integer(i64::try_from(value).unwrap_or(i64::MAX)),
        Value::Float(value) => StoredValue::Real(value.into()),
        Value::Double(value) => StoredValue::Real(value),
        Value::Bytes(bytes) if is_binary_column(column) => StoredValue::Bytes(bytes),
        Value::Bytes(bytes) => StoredValue::Text(String::from_utf8_lossy(&bytes).into_owned()),
        // None of these tables has such a column.
        Value::Date(..) | Value::Time(..) => StoredValue::Text(String::new()),
    }
}

/// Whether a column holds bytes that are no text.
pub(super) fn is_binary_column(column: &Column) -> bool {
    let may_be = matches!(
        column.column_type(),
        ColumnType::MYSQL_TYPE_BLOB
            | ColumnType::MYSQL_TYPE_TINY_BLOB
            | ColumnType::MYSQL_TYPE_MEDIUM_BLOB
            | ColumnType::MYSQL_TYPE_LONG_BLOB
            | ColumnType::MYSQL_TYPE_STRING
            | ColumnType::MYSQL_TYPE_VAR_STRING
            | ColumnType::MYSQL_TYPE_VARCHAR
    );
    may_be && column.character_set() == BINARY
}

/// Rejects added by one statement; fewer where their bytes are many.
const REJECTS_PER_STATEMENT: usize = 128;
/// With the statement's other values, they fit into the smallest packet that a server is usually set to take, 1 MiB.
const BYTES_PER_STATEMENT: usize = 1 << 19;

/// Adds rejects, many with each statement.
pub(super) fn add_rejects(
    connection: &mut MysqlConnection,
    load: LoadId,
    table: &Table,
    rejects: &[NewReject],
) -> Result<()> {
    let mut group = Vec::with_capacity(REJECTS_PER_STATEMENT);
    let mut bytes = 0;
    for reject in rejects {
        let size = usize::try_from(reject.raw.len()).unwrap_or(usize::MAX);
        if size > Reject::RAW_LIMIT {
            // Its parts need its number; those before it have lower ones.
            add_reject_group(connection, load, table, &mut group)?;
            quarantine::add_reject(&MysqlOwnConnection::new(connection), load, table, reject)?;
            bytes = 0;
            continue;
        }
        // Its reasons are stored beside its bytes.
        let size = usize::try_from(reject.stored_size()).unwrap_or(usize::MAX);
        if group.len() == REJECTS_PER_STATEMENT || bytes + size > BYTES_PER_STATEMENT {
            add_reject_group(connection, load, table, &mut group)?;
            bytes = 0;
        }
        group.push(reject);
        bytes += size;
    }
    add_reject_group(connection, load, table, &mut group)
}

fn add_reject_group(
    connection: &mut MysqlConnection,
    load: LoadId,
    table: &Table,
    group: &mut Vec<&NewReject>,
) -> Result<()> {
    // Few different texts of statements, so that they stay prepared.
    while !group.is_empty() {
        let count = if group.len() == REJECTS_PER_STATEMENT { group.len() } else { 1 << group.len().ilog2() };
        let row = format!("({})", ["?"; quarantine::COLUMNS.len()].join(", "));
        let (columns, rows) = (quarantine::COLUMNS.join(", "), vec![row; count].join(", "));
        let sql = format!("INSERT INTO landfall_rejects ({columns}) VALUES {rows}");
        let values = group.drain(..count).flat_map(|reject| {
            let errors = quarantine::errors_json(&reject.errors);
            bound_values(&quarantine::reject_values(load, table, reject, &errors))
        });
        let values = values.collect();
        connection.execute_statement(&sql, values).context(|| DOING.into())?;
    }
    Ok(())
}
