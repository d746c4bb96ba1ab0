//! Inserting batches, fast: many rows a statement, each value bound straight from its Arrow column.

use std::ops::Range;

use arrow_array::{
    Array, BooleanArray, Date32Array, Int64Array, RecordBatch, StringArray, Time64MicrosecondArray,
    TimestampMicrosecondArray,
};
use arrow_schema::{DataType, TimeUnit};
use landfall_core::{
    keys::{KeyColumns, Scalar, scalar_at},
    schema::FieldIndex,
    validate::render,
};
use rusqlite::{CachedStatement, Connection};

use super::{
    RefusedRow, Table,
    ddl::quoted_names,
    failure::{SqliteContext as _, is_constraint, sqlite_error},
    quote_name, rows,
    statements::StatementCache,
    values::BoundValue,
};
use crate::{
    error::Result,
    targets::altered_rows::{SKIPPED, check_stored_row},
};

/// What is said of a row that is to be updated, and is not there.
const GONE: &str = "no row has its primary key any more";

/// Values bound to one statement: enough to make the cost of a statement small, few enough to stay in the cache.
const VALUES_PER_STATEMENT: usize = 320;
/// What is left over is inserted with statements of a quarter of the rows, and so on down to one.
const SHRINK: usize = 4;

/// Inserts the rows of `rows` at `selected` into `table`; the rows that a constraint stops are returned.
pub(super) fn insert(
    connection: &Connection,
    texts: &StatementCache,
    table: &Table,
    rows: &RecordBatch,
    selected: &[Range<usize>],
) -> Result<Vec<RefusedRow>> {
    texts.cache.fit_to_rows(connection, rows).context(|| insert_description(table))?;
    let selected: Vec<usize> = selected.iter().cloned().flatten().collect();
    let columns = rows.columns().iter().map(|column| BindingColumn::new(column.as_ref(), &selected)).collect();
    let mut insertion = SqliteInsertion { connection, texts, table, columns, selected, refused: Vec::new() };
    // A trigger may skip a row or alter it, and SQLite calls that a success.
    if has_triggers(connection, table).context(|| insert_description(table))? {
        insertion.insert_watched(rows)?;
    } else {
        insertion.insert_all()?;
    }
    Ok(insertion.refused)
}

/// An insertion under way. Rows are counted in the order in which they were selected.
struct SqliteInsertion<'i> {
    connection: &'i Connection,
    texts: &'i StatementCache,
    table: &'i Table,
    columns: Vec<BindingColumn<'i>>,
    selected: Vec<usize>,
    refused: Vec<RefusedRow>,
}

impl SqliteInsertion<'_> {
    fn insert_all(&mut self) -> Result<()> {
        let count = self.selected.len();
        let mut per_statement = (VALUES_PER_STATEMENT / self.columns.len().max(1)).max(1);
        let mut first = 0;
        while first < count {
            // Few different lengths, so that their statements stay prepared.
            while per_statement > count - first {
                per_statement = (per_statement / SHRINK).max(1);
            }
            let mut statement = self
                .texts
                .insert(self.connection, self.table, per_statement)
                .context(|| insert_description(self.table))?;
            while first + per_statement <= count {
                // A constraint undoes the whole statement. Which rows it is about shows when they go one by one.
                if self.execute_insert(&mut statement, first, per_statement)?.is_some() {
                    self.insert_one_by_one(first..first + per_statement)?;
                }
                first += per_statement;
            }
            // It is kept, and its copies of the values may be long.
            statement.clear_bindings();
        }
        Ok(())
    }

    /// Inserts rows with a statement each, and notes those that a constraint stops.
    fn insert_one_by_one(&mut self, rows: Range<usize>) -> Result<()> {
        let mut statement =
            self.texts.insert(self.connection, self.table, 1).context(|| insert_description(self.table))?;
        for at in rows {
            if let Some(message) = self.execute_insert(&mut statement, at, 1)? {
                self.refused.push(RefusedRow { row: self.selected[at], message });
            }
        }
        statement.clear_bindings();
        Ok(())
    }

    /// Inserts rows one by one, and looks at each whether it is stored as it was sent.
    fn insert_watched(&mut self, rows: &RecordBatch) -> Result<()> {
        let reader = WrittenRowReader::new(self.connection, self.texts, self.table)?;
        let mut statement =
            self.texts.insert(self.connection, self.table, 1).context(|| insert_description(self.table))?;
        let every: Vec<FieldIndex> = self.table.schema.field_positions().collect();
        for at in 0..self.selected.len() {
            let row = self.selected[at];
            let refused = attempt_row(self.connection, || match self.execute_insert(&mut statement, at, 1)? {
                None => {
                    Ok(check_stored_row(self.table, rows, row, &every, reader.read_inserted(rows, row)?.as_deref()))
                }
                some => Ok(some),
            })?;
            self.refused.extend(refused.map(|message| RefusedRow { row, message }));
        }
        Ok(())
    }

    /// Inserts `count` rows from `first` with one statement; the database's words where a constraint stopped it, and
    /// with it all of them.
    fn execute_insert(
        &self,
        statement: &mut CachedStatement<'_>,
        first: usize,
        count: usize,
    ) -> Result<Option<String>> {
        self.bind_rows(statement, first, count).context(|| insert_description(self.table))?;
        match statement.raw_execute() {
            Ok(stored) if stored == count => Ok(None),
            Ok(_) => Ok(Some(SKIPPED.to_owned())),
            Err(error) if is_constraint(&error) => Ok(Some(error.to_string())),
            Err(error) => Err(sqlite_error(&error, &insert_description(self.table))),
        }
    }

    fn bind_rows(&self, statement: &mut CachedStatement<'_>, first: usize, count: usize) -> rusqlite::Result<()> {
        let mut parameter = 1;
        for at in first..first + count {
            for column in &self.columns {
                column.bind_value(statement, parameter, at, self.selected[at])?;
                parameter += 1;
            }
        }
        Ok(())
    }
}

/// Whether rows of `table` set off triggers. Nobody can make one while the transaction writes.
fn has_triggers(connection: &Connection, table: &Table) -> rusqlite::Result<bool> {
    let sql = "SELECT 1 FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ? COLLATE NOCASE";
    connection.prepare_cached(sql)?.exists([&*table.name])
}

/// Runs `work` on a row, and leaves no trace of it where something stands against the row.
fn attempt_row(connection: &Connection, work: impl FnOnce() -> Result<Option<String>>) -> Result<Option<String>> {
    let run = |sql: &str| connection.execute_batch(sql).context(|| "cannot write a row".into());
    run("SAVEPOINT landfall_row")?;
    let refused = work()?;
    if refused.is_some() {
        run("ROLLBACK TO landfall_row")?;
    }
    run("RELEASE landfall_row")?;
    Ok(refused)
}

/// Reads rows that were just written.
struct WrittenRowReader<'r> {
    connection: &'r Connection,
    texts: &'r StatementCache,
    table: &'r Table,
    /// Finds a row by its number, in a table without a primary key.
    by_number: Option<String>,
}

impl<'r> WrittenRowReader<'r> {
    fn new(connection: &'r Connection, texts: &'r StatementCache, table: &'r Table) -> Result<Self> {
        // A column of this name hides the number of the row.
        let is_free = |name: &&str| table.schema.fields.iter().all(|field| !field.name.eq_ignore_ascii_case(name));
        let number = ["rowid", "_rowid_", "oid"].into_iter().find(is_free).unwrap_or("rowid");
        let by_number = table.schema.primary_key.is_empty().then(|| {
            let every: Vec<FieldIndex> = table.schema.field_positions().collect();
            format!("SELECT {} FROM {} WHERE {number} = ?", quoted_names(table, &every), quote_name(&table.name))
        });
        Ok(Self { connection, texts, table, by_number })
    }

    /// What the table holds of row `row` of `rows`, the last that was inserted.
    fn read_inserted(&self, rows: &RecordBatch, row: usize) -> Result<Option<Vec<Scalar>>> {
        match &self.by_number {
            None => self.read_by_key(rows, row),
            Some(sql) => rows::find_by_number(self.connection, self.table, sql, self.connection.last_insert_rowid()),
        }
    }

    /// What the table holds of the row with the primary key of row `row` of `rows`.
    fn read_by_key(&self, rows: &RecordBatch, row: usize) -> Result<Option<Vec<Scalar>>> {
        let key = &self.table.schema.primary_key;
        let values = KeyColumns::new(rows, key).row_values(row);
        rows::find(self.connection, self.texts, self.table, key, &values)
    }
}

fn insert_description(table: &Table) -> String {
    format!("cannot insert into the table {:?}", &*table.name)
}

/// A column that knows how to bind its values.
enum BindingColumn<'a> {
    Integers(&'a Int64Array),
    Booleans(&'a BooleanArray),
    Texts(&'a StringArray),
    /// Dates and times, written out as text for all selected rows: for each the end of its text.
    Rendered {
        text: String,
        ends: Vec<u32>,
        column: &'a dyn Array,
    },
}

impl<'a> BindingColumn<'a> {
    fn new(column: &'a dyn Array, selected: &[usize]) -> Self {
        let any = column.as_any();
        match column.data_type() {
            DataType::Int64 => any.downcast_ref().map(Self::Integers),
            DataType::Boolean => any.downcast_ref().map(Self::Booleans),
            DataType::Utf8 => any.downcast_ref().map(Self::Texts),
            DataType::Date32 => any
                .downcast_ref::<Date32Array>()
                .map(|dates| Self::new_rendered(column, selected, |row, out| render::push_date(dates.value(row), out))),
            DataType::Time64(TimeUnit::Microsecond) => any
                .downcast_ref::<Time64MicrosecondArray>()
                .map(|times| Self::new_rendered(column, selected, |row, out| render::push_time(times.value(row), out))),
            _ => any.downcast_ref::<TimestampMicrosecondArray>().map(|times| {
                Self::new_rendered(column, selected, |row, out| render::datetime_text(times.value(row), out))
            }),
        }
        .unwrap_or_else(|| unreachable!("the validator makes no column of type {}", column.data_type()))
    }

    fn new_rendered(column: &'a dyn Array, selected: &[usize], write: impl Fn(usize, &mut String)) -> Self {
        let mut text = String::with_capacity(selected.len() * 20);
        let mut ends = Vec::with_capacity(selected.len());
        for &row in selected {
            if column.is_valid(row) {
                write(row, &mut text);
            }
            ends.push(u32::try_from(text.len()).unwrap_or(u32::MAX));
        }
        Self::Rendered { text, ends, column }
    }

    #[inline]
    fn bind_value(
        &self,
        statement: &mut CachedStatement<'_>,
        parameter: usize,
        at: usize,
        row: usize,
    ) -> rusqlite::Result<()> {
        match self {
            Self::Integers(column) if column.is_valid(row) => {
                statement.raw_bind_parameter(parameter, column.value(row))
            }
            Self::Texts(column) if column.is_valid(row) => statement.raw_bind_parameter(parameter, column.value(row)),
            Self::Booleans(column) if column.is_valid(row) => {
                statement.raw_bind_parameter(parameter, column.value(row))
            }
            Self::Rendered { text, ends, column } if column.is_valid(row) => {
                // `at` counts the selected rows, as `new_rendered` has written them.
                let start = if at == 0 { 0 } else { ends[at - 1] };
                statement.raw_bind_parameter(parameter, &text[start as usize..ends[at] as usize])
            }
            _ => statement.raw_bind_parameter(parameter, rusqlite::types::Null),
        }
    }
}

/// Gives the rows with the primary keys of the rows of `rows` at `selected` those rows' content in `fields`; the rows that a
/// constraint stops are returned.
pub(super) fn update_rows(
    connection: &Connection,
    texts: &StatementCache,
    table: &Table,
    rows: &RecordBatch,
    selected: &[usize],
    fields: &[FieldIndex],
) -> Result<Vec<RefusedRow>> {
    let doing = || format!("cannot update the table {:?}", &*table.name);
    texts.cache.fit_to_rows(connection, rows).context(doing)?;
    let key = &table.schema.primary_key;
    // Where there is nothing but the key, it is set to what it is.
    let others = if fields.is_empty() { key.as_slice() } else { fields };
    let list = |positions: &[FieldIndex], joint: &str| -> String {
        let each: Vec<String> =
            positions.iter().map(|&at| format!("{} = ?", quote_name(&table.schema[at].name))).collect();
        each.join(joint)
    };
    let sql =
        format!("UPDATE OR ABORT {} SET {} WHERE {}", quote_name(&table.name), list(others, ", "), list(key, " AND "));
    let mut statement = connection.prepare_cached(&sql).context(doing)?;
    let mut refused = Vec::new();
    let watched = has_triggers(connection, table).context(doing)?;
    let reader = WrittenRowReader::new(connection, texts, table)?;
    for &row in selected {
        let mut execute = || {
            let values = others.iter().chain(key).map(|at| BoundValue(scalar_at(rows, at.get(), row)));
            match statement.execute(rusqlite::params_from_iter(values)) {
                Ok(0) if !watched || reader.read_by_key(rows, row)?.is_none() => Ok(Some(GONE.to_owned())),
                Ok(0) => Ok(Some(SKIPPED.to_owned())),
                Ok(_) if watched => {
                    Ok(check_stored_row(table, rows, row, fields, reader.read_by_key(rows, row)?.as_deref()))
                }
                Ok(_) => Ok(None),
                Err(error) if is_constraint(&error) => Ok(Some(error.to_string())),
                Err(error) => Err(sqlite_error(&error, &doing())),
            }
        };
        let message = if watched { attempt_row(connection, execute)? } else { execute()? };
        refused.extend(message.map(|message| RefusedRow { row, message }));
    }
    Ok(refused)
}
