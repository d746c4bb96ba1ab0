//! Inserting batches, fast: many rows a statement, each value bound straight from its Arrow column.

use std::{cell::RefCell, collections::HashMap, sync::Arc};

use arrow_array::{
    Array, BooleanArray, Date32Array, Int64Array, RecordBatch, StringArray, Time64MicrosecondArray,
    TimestampMicrosecondArray,
};
use arrow_schema::{DataType, TimeUnit};
use landfall_core::{keys::scalar_at, validate::render};
use rusqlite::{CachedStatement, Connection};

use super::{
    RefusedRow, Table,
    ddl::names,
    failure::{Context as _, failure, is_constraint},
    quoted,
    stored::Bound,
};
use crate::error::Result;

/// Values bound to one statement: enough to make the cost of a statement small, few enough to stay in the cache.
const VALUES_PER_STATEMENT: usize = 320;
/// What is left over is inserted with statements of a quarter of the rows, and so on down to one.
const SHRINK: usize = 4;

/// Inserts all rows of `rows` into `table`; the rows that a constraint stops are returned.
pub(super) fn insert(
    connection: &Connection,
    texts: &Statements,
    table: &Table,
    rows: &RecordBatch,
) -> Result<Vec<RefusedRow>> {
    let columns: Vec<Column<'_>> = rows.columns().iter().map(|column| Column::new(column.as_ref())).collect();
    let mut per_statement = (VALUES_PER_STATEMENT / columns.len().max(1)).max(1);
    let mut refused = Vec::new();
    let mut first = 0;
    while first < rows.num_rows() {
        while per_statement > rows.num_rows() - first {
            per_statement = (per_statement / SHRINK).max(1);
        }
        let mut statement = texts.prepare(connection, table, per_statement)?;
        while first + per_statement <= rows.num_rows() {
            if !execute(&mut statement, &columns, first, per_statement, table)? {
                one_by_one(connection, texts, table, &columns, first..first + per_statement, &mut refused)?;
            }
            first += per_statement;
        }
    }
    Ok(refused)
}

/// Inserts rows with a statement each, and notes those that a constraint stops.
fn one_by_one(
    connection: &Connection,
    texts: &Statements,
    table: &Table,
    columns: &[Column<'_>],
    rows: std::ops::Range<usize>,
    refused: &mut Vec<RefusedRow>,
) -> Result<()> {
    let mut statement = texts.prepare(connection, table, 1)?;
    for row in rows {
        bind(&mut statement, columns, row, 1).context(|| inserting(table))?;
        match statement.raw_execute() {
            Ok(_) => {}
            Err(error) if is_constraint(&error) => refused.push(RefusedRow { row, message: error.to_string() }),
            Err(error) => return Err(failure(&error, &inserting(table))),
        }
    }
    Ok(())
}

/// Inserts `count` rows from `first` with one statement; `false` where a constraint stopped it, and with it all of them.
fn execute(
    statement: &mut CachedStatement<'_>,
    columns: &[Column<'_>],
    first: usize,
    count: usize,
    table: &Table,
) -> Result<bool> {
    bind(statement, columns, first, count).context(|| inserting(table))?;
    match statement.raw_execute() {
        Ok(_) => Ok(true),
        Err(error) if is_constraint(&error) => Ok(false),
        Err(error) => Err(failure(&error, &inserting(table))),
    }
}

fn bind(
    statement: &mut CachedStatement<'_>,
    columns: &[Column<'_>],
    first: usize,
    count: usize,
) -> rusqlite::Result<()> {
    let mut parameter = 1;
    for row in first..first + count {
        for column in columns {
            column.bind(statement, parameter, row)?;
            parameter += 1;
        }
    }
    Ok(())
}

/// The texts of the statements that insert, by table and number of rows: they are long, and wanted often.
#[derive(Debug, Default)]
pub(super) struct Statements {
    texts: RefCell<HashMap<Wanted, Arc<str>>>,
}

/// A table and a number of rows.
type Wanted = (Arc<str>, usize);

impl Statements {
    fn prepare<'c>(&self, connection: &'c Connection, table: &Table, rows: usize) -> Result<CachedStatement<'c>> {
        let key = (table.name.clone(), rows);
        let text = self.texts.borrow_mut().entry(key).or_insert_with(|| text(table, rows)).clone();
        connection.prepare_cached(&text).context(|| inserting(table))
    }
}

/// The statement that inserts `rows` rows into `table`.
fn text(table: &Table, rows: usize) -> Arc<str> {
    let all: Vec<usize> = (0..table.schema.fields.len()).collect();
    let row = format!("({})", vec!["?"; all.len()].join(", "));
    let rows = vec![row.as_str(); rows].join(", ");
    format!("INSERT INTO {} ({}) VALUES {rows}", quoted(&table.name), names(table, &all)).into()
}

fn inserting(table: &Table) -> String {
    format!("cannot insert into the table {:?}", &*table.name)
}

/// A column that knows how to bind its values.
enum Column<'a> {
    Integers(&'a Int64Array),
    Booleans(&'a BooleanArray),
    Texts(&'a StringArray),
    /// Dates and times, written out as text once for the whole batch.
    Rendered {
        text: String,
        ends: Vec<u32>,
        column: &'a dyn Array,
    },
}

impl<'a> Column<'a> {
    fn new(column: &'a dyn Array) -> Self {
        let any = column.as_any();
        match column.data_type() {
            DataType::Int64 => any.downcast_ref().map(Self::Integers),
            DataType::Boolean => any.downcast_ref().map(Self::Booleans),
            DataType::Utf8 => any.downcast_ref().map(Self::Texts),
            DataType::Date32 => any
                .downcast_ref::<Date32Array>()
                .map(|dates| Self::rendered(column, |row, out| render::date_text(dates.value(row), out))),
            DataType::Time64(TimeUnit::Microsecond) => any
                .downcast_ref::<Time64MicrosecondArray>()
                .map(|times| Self::rendered(column, |row, out| render::time_text(times.value(row), out))),
            _ => any
                .downcast_ref::<TimestampMicrosecondArray>()
                .map(|times| Self::rendered(column, |row, out| render::datetime_text(times.value(row), out))),
        }
        .unwrap_or_else(|| unreachable!("the validator makes no column of type {}", column.data_type()))
    }

    fn rendered(column: &'a dyn Array, write: impl Fn(usize, &mut String)) -> Self {
        let mut text = String::with_capacity(column.len() * 20);
        let mut ends = Vec::with_capacity(column.len());
        for row in 0..column.len() {
            if column.is_valid(row) {
                write(row, &mut text);
            }
            ends.push(u32::try_from(text.len()).unwrap_or(u32::MAX));
        }
        Self::Rendered { text, ends, column }
    }

    #[inline]
    fn bind(&self, statement: &mut CachedStatement<'_>, parameter: usize, row: usize) -> rusqlite::Result<()> {
        match self {
            Self::Integers(column) if column.is_valid(row) => {
                statement.raw_bind_parameter(parameter, column.value(row))
            }
            Self::Texts(column) if column.is_valid(row) => statement.raw_bind_parameter(parameter, column.value(row)),
            Self::Booleans(column) if column.is_valid(row) => {
                statement.raw_bind_parameter(parameter, column.value(row))
            }
            Self::Rendered { text, ends, column } if column.is_valid(row) => {
                let start = if row == 0 { 0 } else { ends[row - 1] };
                statement.raw_bind_parameter(parameter, &text[start as usize..ends[row] as usize])
            }
            _ => statement.raw_bind_parameter(parameter, rusqlite::types::Null),
        }
    }
}

/// Gives the row with the primary key of row `row` of `rows` that row's content; the database's words where one of its
/// constraints stops it.
pub(super) fn update(connection: &Connection, table: &Table, rows: &RecordBatch, row: usize) -> Result<Option<String>> {
    let key = &table.schema.primary_key;
    let others: Vec<usize> = (0..table.schema.fields.len()).filter(|at| !key.contains(at)).collect();
    let list = |positions: &[usize], joint: &str| -> String {
        let each: Vec<String> =
            positions.iter().map(|&at| format!("{} = ?", quoted(&table.schema.fields[at].name))).collect();
        each.join(joint)
    };
    let sql = format!("UPDATE {} SET {} WHERE {}", quoted(&table.name), list(&others, ", "), list(key, " AND "));
    let values = others.iter().chain(key).map(|&at| Bound(scalar_at(rows.column(at).as_ref(), row)));
    let updated =
        connection.prepare_cached(&sql).and_then(|mut statement| statement.execute(rusqlite::params_from_iter(values)));
    match updated {
        Ok(_) => Ok(None),
        Err(error) if is_constraint(&error) => Ok(Some(error.to_string())),
        Err(error) => Err(failure(&error, &format!("cannot update the table {:?}", &*table.name))),
    }
}
