//! Reports: one SELECT with bound parameters that can change nothing.

use landfall_core::keys::Scalar;
use rusqlite::{Connection, Statement, types::ValueRef};

use super::{Cell, QueryRows, failure::SqliteContext as _, values::BoundValue};
use crate::error::{Error, Result};

/// Runs `sql` and hands its columns and rows to `result`.
pub(super) fn run_query(
    connection: &Connection,
    sql: &str,
    parameters: &[(String, Scalar)],
    result: &mut dyn QueryRows,
) -> Result<()> {
    let doing = || "cannot run the query".to_owned();
    let mut statement = connection.prepare(sql).context(doing)?;
    if !statement.readonly() {
        return Err(Error::Usage("a report's SQL may only read: write one SELECT".into()));
    }
    bind_parameters(&mut statement, parameters)?;
    let names: Vec<String> = statement.column_names().map(String::from).collect();
    result.take_columns(&names)?;
    let mut rows = statement.raw_query();
    let mut cells = Vec::with_capacity(names.len());
    while let Some(row) = rows.next().context(doing)? {
        cells.clear();
        for column in 0..names.len() {
            cells.push(result_cell(row.get_ref(column).context(doing)?));
        }
        result.take_row(&cells)?;
    }
    Ok(())
}

/// Binds every parameter of the statement; one that has no value is an error, one that the statement lacks is not.
fn bind_parameters(statement: &mut Statement<'_>, parameters: &[(String, Scalar)]) -> Result<()> {
    for at in 1..=statement.parameter_count() {
        let name = statement.parameter_name(at).unwrap_or("?").to_owned();
        let value = parameters.iter().find(|(known, _)| name.get(1..) == Some(known)).map(|(_, value)| value);
        let Some(value) = value else {
            return Err(Error::Usage(format!("the query uses the parameter {name}, which is not declared")));
        };
        statement.raw_bind_parameter(at, BoundValue(value.as_ref())).context(|| format!("cannot bind {name}"))?;
    }
    Ok(())
}

fn result_cell(value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(value) => Cell::Integer(value),
        ValueRef::Real(value) => Cell::Real(value),
        ValueRef::Text(bytes) => {
            Cell::Text(std::str::from_utf8(bytes).map_or_else(|_| hex_literal(bytes), str::to_owned))
        }
        ValueRef::Blob(bytes) => Cell::Text(hex_literal(bytes)),
    }
}

/// Bytes that are not text, as SQL writes them: `X'00FF'`.
fn hex_literal(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    format!("X'{digits}'")
}
