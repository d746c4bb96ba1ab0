//! Reports: one SELECT with bound parameters that can change nothing.

use landfall_core::{keys::Scalar, schema::FieldType, validate::render};
use mysql::{Column, Value, consts::ColumnType};

use super::{
    Cell, QueryRows,
    connection::MysqlConnection,
    failure::MysqlContext as _,
    own_tables::is_binary_column,
    values::{bind_value, read_scalar, without_padding},
};
use crate::error::{Error, Result};

const DOING: &str = "cannot run the query";

/// Runs `sql` and hands its columns and rows to `result`.
pub(super) fn run_query(
    connection: &mut MysqlConnection,
    sql: &str,
    parameters: &[(String, Scalar)],
    result: &mut dyn QueryRows,
) -> Result<()> {
    // The server refuses what would write, whatever the text of the query is.
    connection.run("START TRANSACTION READ ONLY").context(|| DOING.into())?;
    let outcome = read(connection, sql, parameters, result);
    if !connection.is_lost() {
        connection.run("ROLLBACK").context(|| DOING.into())?;
    }
    outcome
}

fn read(
    connection: &mut MysqlConnection,
    sql: &str,
    parameters: &[(String, Scalar)],
    result: &mut dyn QueryRows,
) -> Result<()> {
    let (sql, names) = to_positional(sql);
    let values = names.iter().map(|name| parameter_value(name, parameters)).collect::<Result<Vec<_>>>()?;
    let statement = connection.prepare_statement(&sql).context(|| DOING.into())?;
    let columns = statement.columns();
    // A statement without columns changes something, or reads nothing.
    if columns.is_empty() {
        return Err(Error::Usage("a report's SQL may only read: write one SELECT".into()));
    }
    result.take_columns(&columns.iter().map(|column| column.name_str().into_owned()).collect::<Vec<_>>())?;
    let mut cells = Vec::with_capacity(columns.len());
    connection.query_rows(&sql, values, &|| DOING.into(), &mut |columns, row| {
        cells.clear();
        cells.extend(columns.iter().zip(row).map(|(column, value)| result_cell(column, value)));
        result.take_row(&cells)
    })
}

fn parameter_value(name: &str, parameters: &[(String, Scalar)]) -> Result<Value> {
    let value = parameters.iter().find(|(known, _)| known == name);
    let unknown = || Error::Usage(format!("the query uses the parameter :{name}, which is not declared"));
    value.map(|(_, value)| bind_value(value.as_ref())).ok_or_else(unknown)
}

/// `sql` with `?` in the place of each `:name`, and the names in their order. What stands in quotes or in a comment stays.
fn to_positional(sql: &str) -> (String, Vec<String>) {
    let (mut out, mut names) = (String::with_capacity(sql.len()), Vec::new());
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            // A doubled quote ends one literal and begins the next, which comes to the same. The session has no
            // escapes by backslash.
            '\'' | '"' | '`' => rest[1..].find(first).map_or(rest.len(), |end| end + 2),
            '#' => rest.find('\n').unwrap_or(rest.len()),
            // MySQL wants a blank behind the two dashes: `5--1` is a subtraction.
            '-' if rest.starts_with("-- ") || rest.starts_with("--\n") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            ':' => {
                let name = parameter_name_at(&rest[1..]);
                if !name.is_empty() {
                    names.push(name.to_owned());
                    out.push('?');
                    rest = &rest[1 + name.len()..];
                    continue;
                }
                1
            }
            other => other.len_utf8(),
        };
        out.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    (out, names)
}

/// The name at the head of `text`; empty where there is none.
fn parameter_name_at(text: &str) -> &str {
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        return "";
    }
    let end = text.find(|char: char| !char.is_alphanumeric() && char != '_').unwrap_or(text.len());
    &text[..end]
}

/// A value as every database shows it.
fn result_cell(column: &Column, value: Value) -> Cell {
    let kind = column.column_type();
    match value {
        Value::NULL => Cell::Null,
        Value::Int(value) => Cell::Integer(value),
        // BIGINT UNSIGNED goes beyond the integers of other databases.
        Value::UInt(value) => i64::try_from(value).map_or_else(|_| Cell::Text(value.to_string()), Cell::Integer),
        Value::Float(value) => Cell::Real(value.into()),
        Value::Double(value) => Cell::Real(value),
        // The protocol sends texts and bytes alike. Only the column says which they are.
        Value::Bytes(bytes) if is_binary_column(column) => Cell::Text(hex_literal(&bytes)),
        Value::Bytes(bytes) => {
            let text = String::from_utf8(bytes).unwrap_or_else(|error| hex_literal(error.as_bytes()));
            if matches!(kind, ColumnType::MYSQL_TYPE_NEWDECIMAL | ColumnType::MYSQL_TYPE_DECIMAL) {
                return decimal_cell(column, text);
            }
            Cell::Text(text)
        }
        Value::Date(year, month, day, ..) if kind == ColumnType::MYSQL_TYPE_DATE => {
            Cell::Text(format!("{year:04}-{month:02}-{day:02}"))
        }
        time => temporal_cell(time),
    }
}

/// A decimal without padding. The sum of integers is one without a fraction, and shown as the integer that it is.
fn decimal_cell(column: &Column, text: String) -> Cell {
    if column.decimals() == 0
        && let Ok(whole) = text.parse()
    {
        return Cell::Integer(whole);
    }
    Cell::Text(without_padding(text))
}

fn temporal_cell(value: Value) -> Cell {
    let mut text = String::new();
    let any = FieldType::Datetime { format: Default::default(), timezone: None, ambiguous: Default::default() };
    match read_scalar(&any, value) {
        Scalar::Datetime(micros) => render::datetime_text(micros, &mut text),
        Scalar::Time(micros) => render::push_time(micros, &mut text),
        other => text = other.as_ref().to_string().trim_start_matches('\0').to_owned(),
    }
    Cell::Text(text)
}

/// Bytes that are not text, as SQL writes them: `X'00FF'`.
fn hex_literal(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    format!("X'{digits}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_outside_of_quotes_and_comments() {
        let (sql, names) = to_positional(
            "SELECT ':a', \":b\", `:c`, 'it''s :d' -- :e\n, :year /* :f */, x # :g\n FROM t WHERE y = :jahr_ä AND z > :year",
        );
        assert_eq!(names, ["year", "jahr_ä", "year"]);
        assert_eq!(
            sql,
            "SELECT ':a', \":b\", `:c`, 'it''s :d' -- :e\n, ? /* :f */, x # :g\n FROM t WHERE y = ? AND z > ?"
        );
    }

    #[test]
    fn what_is_no_parameter_stays() {
        for sql in ["SELECT 1 : 2", "SELECT a:=1", "SELECT 'open :x", "a - - b --c", "SELECT ':"] {
            assert_eq!(to_positional(sql), (sql.to_owned(), Vec::new()), "{sql}");
        }
    }
}
