//! Values that were read from a database, as batches.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, RecordBatch, RecordBatchOptions,
    builder::{
        BooleanBuilder, Date32Builder, Int64Builder, StringBuilder, Time64MicrosecondBuilder,
        TimestampMicrosecondBuilder,
    },
};
use arrow_schema::{Field as ArrowField, Schema, SchemaRef};
use landfall_core::{
    keys::ScalarRef,
    schema::{FieldIndex, FieldType},
    validate::arrow_field,
};

use super::Table;
use crate::error::{Result, TargetError, TargetErrorKind};

/// Takes batches.
pub(super) type VisitBatch<'v> = &'v mut dyn FnMut(RecordBatch) -> Result<()>;

/// Hands batches to one who only looks at them.
pub(super) fn visit_only(visit: &mut dyn FnMut(&RecordBatch)) -> impl FnMut(RecordBatch) -> Result<()> {
    |batch| {
        visit(&batch);
        Ok(())
    }
}

/// Rows of one batch.
const ROWS: usize = 8192;
/// Bytes of text in one batch: a batch of long texts has fewer rows.
const BYTES: usize = 4 << 20;

/// What becomes of a value that is not of its field's type, as another program may have stored it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnForeignValue {
    /// It is taken for a missing one: it equals no value of ours.
    Missing,
    /// Nothing may be missed: it is an error.
    Refused,
}

/// Rows of a table on their way into batches.
pub(super) struct BatchBuilder<'t> {
    table: &'t Table,
    positions: &'t [FieldIndex],
    columns: Vec<ArrowColumnBuilder>,
    schema: SchemaRef,
    foreign: OnForeignValue,
    rows: usize,
    bytes: usize,
}

enum ArrowColumnBuilder {
    Integer(Int64Builder),
    Boolean(BooleanBuilder),
    Date(Date32Builder),
    Time(Time64MicrosecondBuilder),
    Datetime(TimestampMicrosecondBuilder),
    Number(StringBuilder),
    Text(StringBuilder),
}

impl<'t> BatchBuilder<'t> {
    /// Batches of the fields at `positions` of `table`.
    pub(super) fn new(table: &'t Table, positions: &'t [FieldIndex], foreign: OnForeignValue) -> Self {
        let mut columns: Vec<ArrowColumnBuilder> =
            positions.iter().map(|&at| ArrowColumnBuilder::for_type(&table.schema[at].kind)).collect();
        let field = |(column, &at): (&mut ArrowColumnBuilder, &FieldIndex)| {
            // An empty array tells the Arrow type, so that it is not written down a second time.
            arrow_field(&table.schema[at], column.finish_column().data_type().clone())
        };
        let fields: Vec<ArrowField> = columns.iter_mut().zip(positions).map(field).collect();
        Self { table, positions, columns, schema: Arc::new(Schema::new(fields)), foreign, rows: 0, bytes: 0 }
    }

    /// Adds the value of the `at`th of the positions to the row under way.
    ///
    /// # Errors
    /// A value that is not of its field's type, as another program may have stored it, where that counts.
    #[inline]
    pub(super) fn push(&mut self, at: usize, value: ScalarRef<'_>) -> Result<()> {
        if let ScalarRef::Text(text) | ScalarRef::Number(text) = value {
            self.bytes += text.len();
        }
        // No text of ours begins with NUL: so targets mark what they cannot make sense of.
        let is_foreign =
            !self.columns[at].push(value) || matches!(value, ScalarRef::Text(text) if text.starts_with('\0'));
        if is_foreign && self.foreign == OnForeignValue::Refused { Err(self.foreign_value_error(at)) } else { Ok(()) }
    }

    #[cold]
    fn foreign_value_error(&self, at: usize) -> crate::Error {
        let field = &self.table.schema[self.positions[at]];
        let message = format!(
            "the table {:?} holds something in its field {:?} that is no {}: another program has stored it; mend it in the database",
            &*self.table.name,
            &*field.name,
            field.kind.name(),
        );
        TargetError::new(TargetErrorKind::Mismatch, message).into()
    }

    /// Ends the row under way; whether the batch is full.
    #[inline]
    pub(super) fn finish_row(&mut self) -> bool {
        self.rows += 1;
        self.rows >= ROWS || self.bytes >= BYTES
    }

    /// Hands the rows so far to `visit`, where there are any.
    pub(super) fn hand_over_batch(&mut self, visit: VisitBatch<'_>) -> Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        // Taken before the count is reset. It is needed where no column was asked for.
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        (self.rows, self.bytes) = (0, 0);
        let columns = self.columns.iter_mut().map(ArrowColumnBuilder::finish_column).collect();
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options).map_err(|error| {
            let message = format!("cannot read the table {:?}: {error}", &*self.table.name);
            crate::Error::from(TargetError::new(TargetErrorKind::Mismatch, message))
        })?;
        visit(batch)
    }
}

impl ArrowColumnBuilder {
    fn for_type(kind: &FieldType) -> Self {
        match kind {
            FieldType::Integer { .. } | FieldType::Year => Self::Integer(Int64Builder::new()),
            FieldType::Boolean(_) => Self::Boolean(BooleanBuilder::new()),
            FieldType::Date(_) => Self::Date(Date32Builder::new()),
            FieldType::Time(_) => Self::Time(Time64MicrosecondBuilder::new()),
            FieldType::Datetime { .. } => Self::Datetime(TimestampMicrosecondBuilder::new()),
            FieldType::Number(_) => Self::Number(StringBuilder::new()),
            _ => Self::Text(StringBuilder::new()),
        }
    }

    #[inline]
    fn push(&mut self, value: ScalarRef<'_>) -> bool {
        match (self, value) {
            (Self::Integer(column), ScalarRef::Integer(value)) => column.append_value(value),
            (Self::Boolean(column), ScalarRef::Boolean(value)) => column.append_value(value),
            (Self::Date(column), ScalarRef::Date(value)) => column.append_value(value),
            (Self::Time(column), ScalarRef::Time(value)) => column.append_value(value),
            (Self::Datetime(column), ScalarRef::Datetime(value)) => column.append_value(value),
            (Self::Number(column), ScalarRef::Number(text)) | (Self::Text(column), ScalarRef::Text(text)) => {
                column.append_value(text);
            }
            (column, value) => {
                // Each column gets a value for each row, or all later rows of the batch would be shifted.
                column.push_null_value();
                return matches!(value, ScalarRef::Null);
            }
        }
        true
    }

    fn push_null_value(&mut self) {
        match self {
            Self::Integer(column) => column.append_null(),
            Self::Boolean(column) => column.append_null(),
            Self::Date(column) => column.append_null(),
            Self::Time(column) => column.append_null(),
            Self::Datetime(column) => column.append_null(),
            Self::Number(column) | Self::Text(column) => column.append_null(),
        }
    }

    fn finish_column(&mut self) -> ArrayRef {
        match self {
            Self::Integer(column) => Arc::new(column.finish()),
            Self::Boolean(column) => Arc::new(column.finish()),
            Self::Date(column) => Arc::new(column.finish()),
            Self::Time(column) => Arc::new(column.finish()),
            Self::Datetime(column) => Arc::new(column.finish()),
            Self::Number(column) | Self::Text(column) => Arc::new(column.finish()),
        }
    }
}
