//! Sending rows: `LOAD DATA LOCAL INFILE`, whose file is a stream of ours; statements with many rows where the server does
//! not let a client send files.
//!
//! With LOCAL, the server turns what is wrong with a row into a warning and goes on: it skips a second row with the same
//! key, and changes a value that does not fit. So one warning, or one row fewer than was sent, is trouble.

use std::{
    io::Write as _,
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use arrow_array::RecordBatch;
use landfall_core::keys::scalar_at;
use mysql::{LocalInfileHandler, Value};

use super::{
    Table,
    connection::{MysqlConnection, StatementResult},
    encode::{FORM, encode_rows},
    failure::{forbids_local, is_constraint, mask_row_values, mysql_error, refusal_message},
    names::{quote_name, quoted_field_names},
    values::bind_value,
};
use crate::{count_noun, error::Result};

/// Rows of a batch that are to be inserted.
#[derive(Debug, Clone)]
pub(super) struct RowsToSend {
    pub(super) batch: RecordBatch,
    pub(super) selected: Vec<Range<usize>>,
}

impl RowsToSend {
    pub(super) fn row_count(&self) -> u64 {
        self.selected.iter().map(|range| range.len() as u64).sum()
    }
}

/// What the server had against rows that were sent; nothing where all of them were inserted as they are.
pub(super) type SendTrouble = Option<String>;

/// Gives the next rows to send; none at the end.
pub(super) trait RowFeed: Send + 'static {
    fn next(&mut self) -> Option<RowsToSend>;
}

impl<F: FnMut() -> Option<RowsToSend> + Send + 'static> RowFeed for F {
    fn next(&mut self) -> Option<RowsToSend> {
        self()
    }
}

/// Sends all rows of `feed` to `table`. Where there is trouble, rows may have been inserted and others not: the caller
/// rolls back.
///
/// # Errors
/// What is not a fault of a row.
pub(super) fn send_rows(connection: &mut MysqlConnection, table: &Table, feed: impl RowFeed) -> Result<SendTrouble> {
    let feed = Arc::new(Mutex::new(SendingState { feed, rows: 0 }));
    if connection.server.local_infile {
        let sql = format!(
            "LOAD DATA LOCAL INFILE 'landfall' INTO TABLE {} {FORM} ({})",
            quote_name(&table.name),
            quoted_field_names(table)
        );
        match connection.send_rows(&sql, infile_handler(feed.clone())) {
            Ok(done) => {
                let sent = feed.lock().unwrap_or_else(PoisonError::into_inner).rows;
                return find_trouble(connection, table, done, sent);
            }
            // It says so before it asks for the file.
            Err(error) if forbids_local(&error) => connection.server.local_infile = false,
            Err(error) if is_constraint(&error) => return Ok(refusal_message(&error)),
            Err(error) => return Err(mysql_error(&error, &insert_description(table))),
        }
    }
    let mut feed = feed.lock().unwrap_or_else(PoisonError::into_inner);
    while let Some(rows) = feed.feed.next() {
        if let Some(words) = insert(connection, table, &rows)? {
            return Ok(Some(words));
        }
    }
    Ok(None)
}

struct SendingState<F> {
    feed: F,
    /// Rows sent so far.
    rows: u64,
}

fn infile_handler<F: RowFeed>(sending: Arc<Mutex<SendingState<F>>>) -> LocalInfileHandler {
    let mut text = String::new();
    LocalInfileHandler::new(move |_, writer| {
        let mut sending = sending.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(rows) = sending.feed.next() {
            text.clear();
            encode_rows(&rows.batch, &rows.selected, &mut text);
            writer.write_all(text.as_bytes())?;
            sending.rows += rows.row_count();
        }
        Ok(())
    })
}

/// What the server had against rows of which it says that it has `done` this.
fn find_trouble(
    connection: &mut MysqlConnection,
    table: &Table,
    done: StatementResult,
    sent: u64,
) -> Result<SendTrouble> {
    if done.rows == sent && done.warnings == 0 {
        return Ok(None);
    }
    let warnings = connection.read_warnings(&|| insert_description(table))?;
    let words = warnings.into_iter().next().map(|(code, message)| mask_row_values(code, &message));
    Ok(Some(words.unwrap_or_else(|| format!("{} of {} inserted", done.rows, count_noun(sent, "row")))))
}

pub(super) fn insert_description(table: &Table) -> String {
    format!("cannot insert into the table {:?}", &*table.name)
}

/// The most values bound to one statement; the protocol has room for 65,535.
const VALUES_PER_STATEMENT: usize = 8192;

/// Inserts rows with statements of many rows each.
fn insert(connection: &mut MysqlConnection, table: &Table, rows: &RowsToSend) -> Result<SendTrouble> {
    let columns = table.schema.fields.len().max(1);
    let most_bytes = connection.server.max_packet / 4;
    let mut most = (VALUES_PER_STATEMENT / columns).max(1);
    // A power of two, so that few different statements are prepared.
    most = 1 << most.ilog2();
    let positions: Vec<usize> = rows.selected.iter().cloned().flatten().collect();
    let mut rest = &positions[..];
    while !rest.is_empty() {
        let mut count = most.min(1 << rest.len().ilog2());
        let mut values = row_values(&rows.batch, &rest[..count]);
        while count > 1 && values_size(&values) > most_bytes {
            count /= 2;
            values = row_values(&rows.batch, &rest[..count]);
        }
        if let Some(words) = insert_values(connection, table, count, values)? {
            return Ok(Some(words));
        }
        rest = &rest[count..];
    }
    Ok(None)
}

fn row_values(batch: &RecordBatch, rows: &[usize]) -> Vec<Value> {
    let columns = 0..batch.num_columns();
    rows.iter().flat_map(|&row| columns.clone().map(move |at| bind_value(scalar_at(batch, at, row)))).collect()
}

fn values_size(values: &[Value]) -> usize {
    values.iter().map(|value| if let Value::Bytes(bytes) = value { bytes.len() } else { 12 }).sum()
}

fn insert_values(
    connection: &mut MysqlConnection,
    table: &Table,
    count: usize,
    values: Vec<Value>,
) -> Result<SendTrouble> {
    let row = format!("({})", vec!["?"; table.schema.fields.len()].join(", "));
    let rows = vec![row; count].join(", ");
    let sql = format!("INSERT INTO {} ({}) VALUES {rows}", quote_name(&table.name), quoted_field_names(table));
    match connection.execute_statement(&sql, values) {
        Ok(done) => find_trouble(connection, table, done, count as u64),
        Err(error) if is_constraint(&error) => Ok(refusal_message(&error)),
        Err(error) => Err(mysql_error(&error, &insert_description(table))),
    }
}
