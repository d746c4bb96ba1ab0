//! Reports: one SELECT with bound parameters that can change nothing.

use landfall_core::keys::Scalar;

use super::{
    connection::{AnswerColumn, PostgresConnection, ValueFormat},
    ddl::quote_name,
    failure::{PostgresContext as _, PostgresFailure, PostgresResult},
    parameters::{BoundParameters, oid, push_bytes},
    session::PostgresSession,
};
use crate::{
    error::{Error, Result},
    targets::{
        Cell, QueryRows,
        placeholders::{PositionalQuery, number_parameters},
    },
};

/// Runs `sql` in the tables' schema, in a transaction that reads and has begun, and hands its columns and rows to `result`.
pub(super) fn run_query(
    session: &PostgresSession,
    connection: &mut PostgresConnection,
    sql: &str,
    parameters: &[(String, Scalar)],
    result: &mut dyn QueryRows,
) -> Result<()> {
    let doing = || "cannot run the query".to_owned();
    let PositionalQuery { sql, names } = number_parameters(sql);
    let values = bind_parameters(&names, parameters)?;
    let path = format!("SET LOCAL search_path = {}, public", quote_name(&session.settings.schema));
    connection.run_batch(&path).context(doing)?;
    let answered = run(connection, &sql, &values, result);
    if matches!(&answered, Err(failure) if failure.sql_state() == Some("25006")) {
        connection.roll_back();
        return Err(read_only_error());
    }
    // Whoever has begun this transaction ends it: to end it twice is a warning in the server's log.
    answered.context(doing)
}

fn read_only_error() -> Error {
    Error::Usage("a report's SQL may only read: write one SELECT".into())
}

fn run(
    connection: &mut PostgresConnection,
    sql: &str,
    values: &BoundParameters,
    result: &mut dyn QueryRows,
) -> PostgresResult<()> {
    let mut begun = false;
    let mut cells = Vec::new();
    let (columns, _) = connection.without_timeout(|connection| {
        connection.run_query(sql, values, ValueFormat::Text, &mut |columns, row| {
            if !begun {
                begin_result(columns, result)?;
                begun = true;
            }
            cells.clear();
            cells.extend(columns.iter().zip(row).map(|(column, value)| result_cell(column, *value)));
            result.take_row(&cells).map_err(PostgresFailure::Taker)
        })
    })?;
    match columns.is_empty() {
        // It is no query, but may have ended the transaction, or set something.
        true => Err(PostgresFailure::Taker(read_only_error())),
        false if begun => Ok(()),
        false => begin_result(&columns, result),
    }
}

fn begin_result(columns: &[AnswerColumn], result: &mut dyn QueryRows) -> PostgresResult<()> {
    let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
    result.take_columns(&names).map_err(PostgresFailure::Taker)
}

fn bind_parameters(names: &[String], values: &[(String, Scalar)]) -> Result<BoundParameters> {
    let mut parameters = BoundParameters::as_text();
    for name in names {
        let Some((_, value)) = values.iter().find(|(known, _)| known == name) else {
            return Err(Error::Usage(format!("the query uses the parameter :{name}, which is not declared")));
        };
        let kind = match value {
            Scalar::Integer(_) => oid::INT8,
            Scalar::Boolean(_) => oid::BOOL,
            Scalar::Date(_) => oid::DATE,
            Scalar::Time(_) => oid::TIME,
            Scalar::Datetime(_) => oid::TIMESTAMPTZ,
            Scalar::Number(_) => oid::NUMERIC,
            // The server finds out what type it wants.
            Scalar::Text(_) | Scalar::Null => 0,
        };
        parameters
            .push(kind, |out| !matches!(value, Scalar::Null) && push_bytes(out, value.as_ref().to_string().as_bytes()));
    }
    Ok(parameters)
}

/// A value in the form that it has on every database: truth values are 0 and 1, points in time RFC 3339 in UTC.
fn result_cell(column: &AnswerColumn, value: Option<&[u8]>) -> Cell {
    let Some(value) = value else { return Cell::Null };
    let text = String::from_utf8_lossy(value);
    match column.kind {
        oid::BOOL => Cell::Integer(i64::from(&*text == "t")),
        20 | 21 | 23 | 26 => text.parse().map_or_else(|_| Cell::Text(text.to_string()), Cell::Integer),
        700 | 701 => text.parse().map_or_else(|_| Cell::Text(text.to_string()), Cell::Real),
        // Sums of integers are such numbers; a column of the dictionary is shown as it is stored.
        oid::NUMERIC if !column.is_stored => {
            text.parse().map_or_else(|_| Cell::Text(super::numeric::read(&text).to_owned()), Cell::Integer)
        }
        oid::NUMERIC => Cell::Text(super::numeric::read(&text).to_owned()),
        oid::TIMESTAMPTZ => Cell::Text(to_utc_text(&text)),
        oid::TIME => Cell::Text(with_micros(&text)),
        oid::BYTEA => Cell::Text(format!("X'{}'", text.trim_start_matches("\\x").to_uppercase())),
        _ => Cell::Text(text.into_owned()),
    }
}

/// `2021-11-07 02:48:42.5+00` as `2021-11-07T02:48:42.500000Z`.
fn to_utc_text(text: &str) -> String {
    match text.strip_suffix("+00") {
        Some(local) => format!("{}Z", with_micros(&local.replacen(' ', "T", 1))),
        // An infinity, or a year before the first.
        None => text.to_owned(),
    }
}

/// A time with no fraction, or with one of six digits.
fn with_micros(text: &str) -> String {
    match text.split_once('.') {
        Some((whole, fraction)) => format!("{whole}.{fraction:0<6}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_in_time_are_those_of_every_database() {
        assert_eq!(to_utc_text("2021-11-07 02:48:42+00"), "2021-11-07T02:48:42Z");
        assert_eq!(to_utc_text("2021-11-07 02:48:42.5+00"), "2021-11-07T02:48:42.500000Z");
        assert_eq!(to_utc_text("infinity"), "infinity");
        assert_eq!(with_micros("23:59:59.000001"), "23:59:59.000001");
    }
}
