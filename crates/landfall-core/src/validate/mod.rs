//! Records become typed rows, or rejects with every reason.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use crate::{decode::Records, reject::CellError, schema::TableSchema};

/// The outcome of validating the records of one block.
#[derive(Debug, Clone)]
pub struct Validated {
    /// The rows that passed, in record order; one column for each field, in the schema's order.
    pub rows: RecordBatch,
    /// For each row of `rows` the record it comes from (its position in the block).
    pub row_records: RecordPositions,
    /// The records that did not pass, in order, with all their errors in the order of the fields.
    pub rejects: Vec<Rejected>,
    /// The typed values of the rejected records, as far as they could be read (null elsewhere): so that keys can be
    /// checked for them too. One row for each entry of `rejects`.
    pub rejected_rows: RecordBatch,
}

/// A record that did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Its position in the block, counted from 0.
    pub record: u32,
    /// Every reason.
    pub errors: Vec<CellError>,
}

/// The positions of rows in their block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordPositions {
    /// Every record passed: row *n* is record *n*.
    All,
    /// The record of each row.
    Some(Vec<u32>),
}

/// Which column of a source holds which field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnMap {
    /// For each field of the schema the column of the source, counted from 0, or none where the source lacks the field.
    pub columns: Vec<Option<usize>>,
    /// The number of cells that a record of the source has.
    pub width: usize,
}

impl ColumnMap {
    /// The map of a source whose columns are the fields in their order.
    #[must_use]
    pub fn identity(fields: usize) -> Self {
        Self { columns: (0..fields).map(Some).collect(), width: fields }
    }
}

/// The validator of one table: immutable, to be shared by threads.
#[derive(Debug)]
pub struct Validator {
    _schema: Arc<TableSchema>,
    _map: ColumnMap,
}

impl Validator {
    /// A validator for sources whose columns are mapped by `map`.
    ///
    /// # Errors
    /// A constraint that cannot be read with its field's type (the message names field and constraint).
    pub fn new(schema: Arc<TableSchema>, map: ColumnMap) -> Result<Self, String> {
        Ok(Self { _schema: schema, _map: map })
    }

    /// The Arrow schema of the rows.
    #[must_use]
    pub fn row_schema(&self) -> SchemaRef {
        unimplemented!()
    }

    /// Validates all `records` of a block.
    #[must_use]
    pub fn validate(&self, _records: &Records) -> Validated {
        unimplemented!()
    }
}
/// stub
#[expect(missing_docs)]
pub mod canonical {
    pub fn date(_d: i32, _o: &mut String) {}
    pub fn time(_d: i64, _o: &mut String) {}
    pub fn datetime(_d: i64, _o: &mut String) {}
    pub fn text(_v: crate::keys::ScalarRef<'_>) -> String {
        String::new()
    }
}
