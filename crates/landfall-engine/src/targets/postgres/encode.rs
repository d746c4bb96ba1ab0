//! Rows in the binary form of COPY, written for speed: the columns are looked at once, and every value is copied once, into
//! the buffer that goes to the server.
//!
//! Format: <https://www.postgresql.org/docs/current/sql-copy.html>, "Binary Format".

use std::ops::Range;

use arrow_array::{
    Array, BooleanArray, Date32Array, Int64Array, RecordBatch, StringArray, Time64MicrosecondArray,
    TimestampMicrosecondArray,
};
use arrow_schema::{DataType, TimeUnit};
use landfall_core::schema::FieldType;

use super::{
    failure::PostgresResult,
    numeric,
    parameters::push_sized,
    value::{EPOCH_DAYS, EPOCH_MICROS},
};
use crate::targets::Table;

/// Bytes that are sent at once: enough to make the cost of sending small, few enough to stay in the processor's cache.
const MESSAGE_BYTES: usize = 256 << 10;
/// The kind and length of a `CopyData` message.
const HEAD: usize = 5;
/// What a COPY begins with: the signature, no flags, no extension.
const SIGNATURE: &[u8; 19] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What it ends with: a row of −1 fields.
const TRAILER: [u8; 2] = [0xff, 0xff];

/// Takes whole `CopyData` messages.
pub(super) type SendMessages<'a> = &'a mut dyn FnMut(&[u8]) -> PostgresResult<()>;

/// Rows on their way to the server, message by message.
#[derive(Debug)]
pub(super) struct CopyEncoder {
    message: Vec<u8>,
    /// Rows so far, of those that came as batches.
    pub(super) count: u64,
}

impl CopyEncoder {
    /// A COPY without rows as yet.
    pub(super) fn new() -> Self {
        let mut message = Vec::with_capacity(MESSAGE_BYTES + (64 << 10));
        message.extend_from_slice(&[b'd', 0, 0, 0, 0]);
        message.extend_from_slice(SIGNATURE);
        Self { message, count: 0 }
    }

    /// Adds the rows of `batch`, of the fields of `table`, at `selected`.
    pub(super) fn encode_rows(
        &mut self,
        table: &Table,
        batch: &RecordBatch,
        selected: &[Range<usize>],
        send: SendMessages<'_>,
    ) -> PostgresResult<()> {
        let columns = encoding_columns(table, batch);
        for row in selected.iter().cloned().flatten() {
            self.encode_row(&columns, row);
            self.count += 1;
            if self.message.len() >= MESSAGE_BYTES {
                self.flush_message(send)?;
            }
        }
        Ok(())
    }

    /// Adds rows that are in this form already.
    pub(super) fn append_encoded(&mut self, rows: &[u8], send: SendMessages<'_>) -> PostgresResult<()> {
        for part in rows.chunks(MESSAGE_BYTES) {
            self.message.extend_from_slice(part);
            self.flush_message(send)?;
        }
        Ok(())
    }

    /// Adds the end.
    pub(super) fn finish_copy(mut self, send: SendMessages<'_>) -> PostgresResult<()> {
        self.message.extend_from_slice(&TRAILER);
        self.flush_message(send)
    }

    #[inline]
    fn encode_row(&mut self, columns: &[CopyColumn<'_>], row: usize) {
        // PostgreSQL's tables have at most 1,600 columns.
        let count = u16::try_from(columns.len()).unwrap_or(u16::MAX);
        self.message.extend_from_slice(&count.to_be_bytes());
        columns.iter().for_each(|column| column.write(row, &mut self.message));
    }

    fn flush_message(&mut self, send: SendMessages<'_>) -> PostgresResult<()> {
        // The length counts itself, and not the kind.
        let length = u32::try_from(self.message.len() - 1).unwrap_or(u32::MAX);
        self.message[1..HEAD].copy_from_slice(&length.to_be_bytes());
        send(&self.message)?;
        self.message.truncate(HEAD);
        Ok(())
    }
}

fn encoding_columns<'b>(table: &Table, batch: &'b RecordBatch) -> Vec<CopyColumn<'b>> {
    let fields = table.schema.fields.iter();
    fields.zip(batch.columns()).map(|(field, column)| CopyColumn::new(&field.kind, column.as_ref())).collect()
}

/// A column that knows how to write its values.
enum CopyColumn<'a> {
    Integers(&'a Int64Array),
    Booleans(&'a BooleanArray),
    Texts(&'a StringArray),
    Numbers(&'a StringArray),
    Dates(&'a Date32Array),
    Times(&'a Time64MicrosecondArray),
    Datetimes(&'a TimestampMicrosecondArray),
}

const NULL: [u8; 4] = [0xff; 4];

impl<'a> CopyColumn<'a> {
    fn new(kind: &FieldType, column: &'a dyn Array) -> Self {
        let any = column.as_any();
        match column.data_type() {
            DataType::Int64 => any.downcast_ref().map(Self::Integers),
            DataType::Boolean => any.downcast_ref().map(Self::Booleans),
            DataType::Utf8 if matches!(kind, FieldType::Number(_)) => any.downcast_ref().map(Self::Numbers),
            DataType::Utf8 => any.downcast_ref().map(Self::Texts),
            DataType::Date32 => any.downcast_ref().map(Self::Dates),
            DataType::Time64(TimeUnit::Microsecond) => any.downcast_ref().map(Self::Times),
            _ => any.downcast_ref().map(Self::Datetimes),
        }
        .unwrap_or_else(|| unreachable!("the validator makes no column of type {}", column.data_type()))
    }

    #[inline]
    fn write(&self, row: usize, out: &mut Vec<u8>) {
        match self {
            Self::Integers(column) if column.is_valid(row) => push_i64(column.value(row), out),
            Self::Texts(column) if column.is_valid(row) => {
                let text = column.value(row);
                // A record is at most a few MiB.
                out.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
                out.extend_from_slice(text.as_bytes());
            }
            Self::Datetimes(column) if column.is_valid(row) => {
                push_i64(column.value(row).wrapping_sub(EPOCH_MICROS), out);
            }
            Self::Times(column) if column.is_valid(row) => push_i64(column.value(row), out),
            Self::Dates(column) if column.is_valid(row) => {
                let mut sized = [0, 0, 0, 4, 0, 0, 0, 0];
                sized[4..].copy_from_slice(&column.value(row).wrapping_sub(EPOCH_DAYS).to_be_bytes());
                out.extend_from_slice(&sized);
            }
            Self::Booleans(column) if column.is_valid(row) => {
                out.extend_from_slice(&[0, 0, 0, 1, u8::from(column.value(row))]);
            }
            Self::Numbers(column) if column.is_valid(row) => push_sized(out, |out| {
                numeric::write(column.value(row), out);
                true
            }),
            _ => out.extend_from_slice(&NULL),
        }
    }
}

#[inline]
fn push_i64(value: i64, out: &mut Vec<u8>) {
    let mut sized = [0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0];
    sized[4..].copy_from_slice(&value.to_be_bytes());
    out.extend_from_slice(&sized);
}
