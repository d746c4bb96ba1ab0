//! Landfall's own tables, as the shared statements reach them.

use std::cell::RefCell;

use landfall_core::reject::CellError;

use super::{
    connection::{PostgresConnection, ValueFormat},
    encode::CopyEncoder,
    failure::{PostgresContext as _, PostgresFailure, PostgresResult},
    message::protocol_failure,
    parameters::{BoundParameters, oid, push_bytes, push_sized},
    rows::{push_key_array, with_index_scans},
    session::PostgresSession,
};
use crate::{
    error::Result,
    ledger::LoadId,
    quarantine::{NewReject, Reject, RejectId, lacks_only_parents},
    targets::{
        Table,
        sql::{self, OwnRow, SqlParameter, SqlSpelling, StoredValue, VisitOwnRow, quarantine},
    },
};

const DOING: &str = "cannot read or write Landfall's own tables";

/// An `int8` in binary.
pub(super) fn parse_integer(bytes: &[u8]) -> Option<i64> {
    bytes.try_into().ok().map(i64::from_be_bytes)
}

/// A connection that speaks for Landfall's own tables, within a transaction.
pub(super) struct PostgresOwnConnection<'c> {
    pub(super) session: &'c PostgresSession,
    pub(super) connection: RefCell<&'c mut PostgresConnection>,
    pub(super) is_there: bool,
    /// Whether they are of this version, since this process writes to them.
    pub(super) is_current: bool,
}

impl<'c> PostgresOwnConnection<'c> {
    /// Of a database that has the tables.
    pub(super) fn new(session: &'c PostgresSession, connection: &'c mut PostgresConnection) -> Self {
        Self { session, connection: RefCell::new(connection), is_there: true, is_current: true }
    }
}

impl sql::SqlConnection for PostgresOwnConnection<'_> {
    fn sql_spelling(&self) -> &SqlSpelling {
        &self.session.spelling
    }

    fn has_own_tables(&self) -> Result<bool> {
        Ok(self.is_there)
    }

    fn has_own_table(&self, table: &str) -> Result<bool> {
        // Only a database that is read without being migrated needs the look into the catalogue.
        if self.is_current || !self.is_there {
            return Ok(self.is_there);
        }
        let sql = "SELECT FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
             WHERE n.nspname = ? AND c.relname = ?";
        Ok(self.execute_statement(sql, &[self.session.own.as_str().into(), table.into()])? > 0)
    }

    fn has_own_column(&self, table: &str, column: &str) -> Result<bool> {
        if self.is_current || !self.is_there {
            return Ok(self.is_there);
        }
        let sql = "SELECT FROM pg_catalog.pg_attribute AS a
             JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
             WHERE n.nspname = ? AND c.relname = ? AND a.attname = ?";
        Ok(self.execute_statement(sql, &[self.session.own.as_str().into(), table.into(), column.into()])? > 0)
    }

    fn execute_statement(&self, sql: &str, parameters: &[SqlParameter<'_>]) -> Result<u64> {
        self.connection
            .borrow_mut()
            .execute_statement(&number_parameters(sql), &bind_values(parameters))
            .context(|| DOING.into())
    }

    fn insert_all_numbered(
        &self,
        sql: &str,
        parameters: &[SqlParameter<'_>],
        id: &str,
        count: usize,
    ) -> Result<Vec<i64>> {
        let mut numbers = Vec::with_capacity(count);
        self.query_rows(&format!("{sql} RETURNING {id}"), parameters, &mut |row| {
            numbers.push(row.take_integer()?);
            Ok(())
        })?;
        Ok(numbers)
    }

    fn insert_numbered(&self, sql: &str, parameters: &[SqlParameter<'_>], id: &str) -> Result<i64> {
        let mut number = 0;
        self.query_rows(&format!("{sql} RETURNING {id}"), parameters, &mut |row| {
            number = row.take_integer()?;
            Ok(())
        })?;
        Ok(number)
    }

    fn confirm_rejects(&self, rejects: &[(RejectId, Vec<CellError>)]) -> Result<()> {
        confirm_rejects(self.session, &mut self.connection.borrow_mut(), rejects)
    }

    fn query_rows(&self, sql: &str, parameters: &[SqlParameter<'_>], visit: VisitOwnRow<'_>) -> Result<()> {
        let mut connection = self.connection.borrow_mut();
        let asked = connection.run_query(
            &number_parameters(sql),
            &bind_values(parameters),
            ValueFormat::Binary,
            &mut |columns, values| {
                let stored = columns.iter().zip(values).map(|(column, value)| to_stored_value(column.kind, *value));
                visit(&mut OwnRow::new(stored.collect::<PostgresResult<_>>()?)).map_err(PostgresFailure::Taker)
            },
        );
        asked.map(drop).context(|| DOING.into())
    }
}

/// The shared statements have `?` for each parameter and no other question mark; PostgreSQL has `$1` and so on.
fn number_parameters(sql: &str) -> String {
    let mut parts = sql.split('?');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for (number, part) in (1..).zip(parts) {
        text += &format!("${number}{part}");
    }
    text
}

fn bind_values(values: &[SqlParameter<'_>]) -> BoundParameters {
    let mut parameters = BoundParameters::default();
    for value in values {
        match *value {
            SqlParameter::Integer(value) => parameters.push(oid::INT8, |out| push_bytes(out, &value.to_be_bytes())),
            SqlParameter::Real(value) => parameters.push(oid::FLOAT8, |out| push_bytes(out, &value.to_be_bytes())),
            SqlParameter::Text(text) => parameters.push(oid::TEXT, |out| push_bytes(out, text.as_bytes())),
            SqlParameter::Bytes(value) => {
                parameters.push(oid::BYTEA, |out| value.is_some_and(|value| push_bytes(out, value)));
            }
        }
    }
    parameters
}

fn to_stored_value(kind: u32, value: Option<&[u8]>) -> PostgresResult<StoredValue> {
    let Some(value) = value else { return Ok(StoredValue::Null) };
    Ok(match kind {
        oid::INT8 => StoredValue::Integer(parse_integer(value).ok_or_else(protocol_failure)?),
        oid::FLOAT8 => StoredValue::Real(f64::from_be_bytes(value.try_into().map_err(|_| protocol_failure())?)),
        oid::BYTEA => StoredValue::Bytes(value.to_vec()),
        _ => StoredValue::Text(String::from_utf8(value.to_vec()).map_err(|_| protocol_failure())?),
    })
}

/// Turns deferred rejects into open ones with their errors. The shared statement takes time with the square of their number
/// here.
fn confirm_rejects(
    session: &PostgresSession,
    connection: &mut PostgresConnection,
    rejects: &[(RejectId, Vec<CellError>)],
) -> Result<()> {
    let sql = format!(
        "UPDATE {} AS r SET state = 'open', errors = c.errors, waiting = c.waiting
         FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3)) AS c (id, errors, waiting)
         WHERE r.reject_id = c.id",
        session.own_table("rejects")
    );
    for some in rejects.chunks(REJECTS_PER_STATEMENT) {
        let mut values = BoundParameters::default();
        let number = |value: i64, out: &mut Vec<u8>| push_bytes(out, &value.to_be_bytes());
        push_key_array(&mut values, oid::INT8, some.len(), &mut |at, out| number(some[at].0.into(), out));
        push_key_array(&mut values, oid::TEXT, some.len(), &mut |at, out| {
            push_bytes(out, quarantine::errors_json(&some[at].1).as_bytes())
        });
        push_key_array(&mut values, oid::INT8, some.len(), &mut |at, out| {
            number(lacks_only_parents(&some[at].1).into(), out)
        });
        with_index_scans(connection, |connection| connection.execute_statement(&sql, &values))
            .context(|| DOING.into())?;
    }
    Ok(())
}

/// Rejects on their way, in the form of COPY. Those that do not fit into one row wait apart.
#[derive(Debug, Default)]
pub(super) struct RejectCopy {
    rows: Vec<u8>,
}

/// Rejects that are given other errors by one statement.
const REJECTS_PER_STATEMENT: usize = 5000;

/// Rejects of more bytes than this are not kept for later.
const MOST_BYTES: usize = 8 << 20;

impl RejectCopy {
    /// Adds `reject`; whether it could be added: one that is too long for a row has to be stored by itself.
    pub(super) fn add_reject(&mut self, load: LoadId, table: &Table, reject: &NewReject) -> bool {
        if reject.raw.len() > Reject::RAW_LIMIT as u64 {
            return false;
        }
        let errors = quarantine::errors_json(&reject.errors);
        let values = quarantine::reject_values(load, table, reject, &errors);
        self.rows.extend_from_slice(&(quarantine::COLUMNS.len() as u16).to_be_bytes());
        for value in values {
            push_sized(&mut self.rows, |out| match value {
                SqlParameter::Integer(value) => push_bytes(out, &value.to_be_bytes()),
                SqlParameter::Real(value) => push_bytes(out, &value.to_be_bytes()),
                SqlParameter::Text(text) => push_bytes(out, text.as_bytes()),
                SqlParameter::Bytes(value) => value.is_some_and(|value| push_bytes(out, value)),
            });
        }
        true
    }

    /// Whether there are so many that they should be sent.
    pub(super) const fn are_many(&self) -> bool {
        self.rows.len() > MOST_BYTES
    }

    /// Sends them.
    pub(super) fn send_rejects(
        &mut self,
        session: &PostgresSession,
        connection: &mut PostgresConnection,
    ) -> PostgresResult<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let columns = quarantine::COLUMNS.join(", ");
        connection
            .begin_copy(&format!("COPY {} ({columns}) FROM STDIN (FORMAT binary)", session.own_table("rejects")))?;
        let mut copy = CopyEncoder::new();
        let mut send = |message: &[u8]| connection.send_copy(message);
        copy.append_encoded(&self.rows, &mut send)?;
        copy.finish_copy(&mut send)?;
        connection.end_copy()?;
        // Only after the server has confirmed them. The allocation stays for the next ones.
        self.rows.clear();
        Ok(())
    }
}
