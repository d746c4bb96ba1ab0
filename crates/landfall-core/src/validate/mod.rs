//! Records become typed rows, or rejects with every reason.
//!
//! The rules are those of the Data Package standard's Table Schema (v2). The set of (record, field, error code) is that of
//! the reference validator, frictionless-py 5, except for what follows.
//!
//! **Nothing is trimmed, rounded or made up.** Where the reference validator takes a text for a value that it does not quite
//! say, it is a `type-error` here:
//!
//! - integers and numbers with white space around them, underscores (`1_000`) or digits of other scripts; `Infinity`,
//!   `sNaN`, `-NaN`; an integer beyond 64 bits; a number whose exponent has more than 17 digits; groups of digits that are not of
//!   three (or as in India), stand behind the decimal point, or begin with a zero: `1,5`, `0,500`;
//! - with `bareNumber: false`, other characters around a number than currencies, `%` and units known not to change it (`units`):
//!   `(2.00)`, `3.00-`, `−5`, `12.5 k` and `5 CR` would lose their sign or scale;
//! - `2021-1-1` for a date; `24:00:00`, a comma before the fraction, `+01` or `+0100` as an offset, a space or `t` for the `T`
//!   and `z` for `Z` in `default` forms (`any` takes the last four);
//! - fractions of a second finer than a microsecond, unless the further digits are zeros; a leap second (both refuse it);
//! - a datetime without a zone, unless the field declares `timezone`; a local time that daylight saving skips or repeats;
//!   years beyond 0001 to 9999 in UTC;
//! - a time of day with a zone: it would be lost (the standard has none either);
//! - `+999` or ` 202` for a year, `2021-1` for a month, `PT` and `P1DT` for a duration, which both have nothing after the
//!   `T`, and the alternative form `P0001-01-01T00:00:00`;
//! - `any` takes the unambiguous forms of ISO 8601, not whatever can be guessed (`01/02/2021`, `Nov 7`);
//! - patterns must say the whole value and nothing that the type cannot hold; a weekday must be that of the date;
//! - `NaN` and `Infinity` in JSON, and JSON nested deeper than 128 levels;
//! - URIs with characters that RFC 3986 does not allow, UUIDs in other forms than 8-4-4-4-12, base64 with characters outside
//!   its alphabet;
//! - NUL characters, which not every database can hold.
//!
//! **More is accepted:** `NaN` and `INF` with `bareNumber: false`; `GeoJSON` whose coordinates are wrong (only the outermost
//! object is checked). Integers with `groupChar`, which the reference validator does not know.
//!
//! **Constraints:** a `pattern` matches the whole cell even where it has alternatives at its top level, and not a text with a
//! line end after the match. Bounds of durations are supported where the order does not depend on the calendar.
//!
//! **Records:** of an overlong record ten superfluous cells are listed and the others are counted in one more `extra-cell`;
//! the `missing-cell` errors of a very short record are bounded by its length, and one
//! for a required field is not followed by a `constraint-error`. A required field that the source lacks is one
//! `constraint-error` for each record, where the reference validator has one `missing-label` for the source.
//!
//! **Numbers** are exact decimals, as text in a `Utf8` column. They are compared and hashed by value: `1.0` and `1.00` are one
//! content and one key, since databases that have a decimal type return other digits than were put in. The column is known
//! by the metadata of its Arrow field ([`TYPE_KEY`] is `number`), so a batch of rows, also one that was read from a database,
//! is made with [`arrow_field`]. A number keeps the digits that it was written with, the zeros at its end included; only in
//! the fields of a key (primary, unique or foreign) is it stored with one text for each value ([`decimal::write_reduced`]), so
//! that the keys of a database which holds numbers as text agree with ours.

mod boolean;
mod cells;
mod column;
mod compile;
mod constraints;
pub mod decimal;
mod digits;
mod formats;
mod geopoint;
mod integer;
mod json;
mod limits;
mod list;
mod number;
mod presence;
mod problem;
mod record_errors;
pub mod render;
mod scalar;
mod structured;
mod temporal;
#[cfg(test)]
mod tests;
mod text;
mod units;
mod value;

use std::{collections::HashMap, sync::Arc};

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field as ArrowField, Schema, SchemaRef};

pub(crate) use self::value::value_at;
use self::{
    cells::CellBlock,
    column::ReadColumn,
    limits::{BlockCells, FieldLimits},
    problem::FoundError,
    record_errors::{RecordErrors, RecordInspector},
};
pub use self::{
    limits::{KeyLimit, NumberLimits, TargetLimits},
    presence::FieldPresence,
    problem::RuleError,
    scalar::ValueReader,
    temporal::PatternWriter,
    value::{Value, ValueRef, is_number_column, scalar_at, scalars_of_row},
};
use crate::{
    batches::{filter_rows, take_rows},
    decode::Records,
    reject::CellError,
    schema::{Field, FieldIndex, Ragged, TableSchema},
};

/// The key of the metadata of an Arrow field that tells the Table Schema type. [`arrow_field`] writes it.
pub const TYPE_KEY: &str = "landfall:type";

/// The outcome of validating the records of one block.
#[derive(Debug, Clone)]
pub struct ValidatedBlock {
    /// The rows that passed, in record order; one column for each field, in the schema's order.
    pub rows: RecordBatch,
    /// For each row of `rows` the record it comes from (its position in the block).
    pub row_records: RecordPositions,
    /// The records that did not pass, in order, with all their errors in the order of the fields.
    pub rejects: Vec<RejectedRecord>,
    /// The typed values of the rejected records, as far as they could be read (null elsewhere): so that keys can be
    /// checked for them too. One row for each entry of `collect_rejects`.
    pub rejected_rows: RecordBatch,
    /// Which fields the records have.
    pub presence: FieldPresence,
    /// Records among the rows that leave out required fields, with what stands against them as new rows, in order. There are
    /// none before [`admit_updates`](Self::admit_updates).
    pub lacking: Vec<RejectedRecord>,
}

/// A record that did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedRecord {
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

impl RecordPositions {
    /// The record of row `row` of the rows that passed.
    #[must_use]
    pub fn record_at(&self, row: usize) -> u32 {
        match self {
            Self::All => u32::try_from(row).unwrap_or(u32::MAX),
            Self::Some(records) => records[row],
        }
    }
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

    /// For each column of the source the field that it holds.
    fn fields_by_column(&self) -> Vec<Option<FieldIndex>> {
        let mut fields = vec![None; self.width];
        for (field, column) in self.columns.iter().enumerate() {
            // A column beyond the width of the source is one that no record has.
            if let Some(slot) = column.and_then(|at| fields.get_mut(at)) {
                *slot = Some(FieldIndex::from(field));
            }
        }
        fields
    }
}

/// The validator of one table: immutable, to be shared by threads.
#[derive(Debug)]
pub struct Validator {
    schema: Arc<TableSchema>,
    map: ColumnMap,
    field_of: Vec<Option<FieldIndex>>,
    columns: Vec<Box<dyn ReadColumn>>,
    limits: FieldLimits,
    row_schema: SchemaRef,
    ragged: Ragged,
}

impl Validator {
    /// A validator for sources whose columns are mapped by `map`, which has an entry for each field.
    ///
    /// # Errors
    /// A rule that cannot be applied, such as a bound that cannot be read with its field's type (the message names field and
    /// constraint).
    pub fn new(schema: Arc<TableSchema>, map: ColumnMap) -> Result<Self, RuleError> {
        Self::with_limits(schema, map, &TargetLimits::default())
    }

    /// As [`Validator::new`], for rows that go to a database with `limits`: what it cannot hold is a reject.
    ///
    /// # Errors
    /// As [`Validator::new`].
    pub fn with_limits(schema: Arc<TableSchema>, map: ColumnMap, limits: &TargetLimits) -> Result<Self, RuleError> {
        let columns = (0..)
            .zip(schema.positioned_fields())
            .map(|(at, (position, field))| compile::compile_column(field, at, schema.is_in_key(position)));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let arrow = schema.fields.iter().zip(&columns).map(|(field, column)| arrow_field(field, column.data_type()));
        let row_schema = Arc::new(Schema::new(arrow.collect::<Vec<_>>()));
        let limits = FieldLimits::new(&schema, limits);
        let ragged = Ragged::Reject;
        Ok(Self { field_of: map.fields_by_column(), schema, map, columns, limits, row_schema, ragged })
    }

    /// The same for records that may have too few or too many cells, as `ragged` says.
    #[must_use]
    pub fn with_ragged(self, ragged: Ragged) -> Self {
        Self { ragged, ..self }
    }

    /// The Arrow schema of the rows.
    #[must_use]
    pub fn row_schema(&self) -> SchemaRef {
        Arc::clone(&self.row_schema)
    }

    /// Validates all `records` of a block.
    #[must_use]
    pub fn validate_records(&self, records: &Records) -> ValidatedBlock {
        let block = CellBlock::new(records, self.map.width, self.ragged);
        let mut found = Vec::new();
        let mut arrays: Vec<ArrayRef> = self
            .columns
            .iter()
            .zip(self.schema.field_positions())
            .map(|(column, at)| column.read_column(&block, self.source_column(at), &mut found))
            .collect();
        // Limits of the database come after the types: only a value that could be read can be too large.
        let cells = BlockCells { block: &block, schema: &self.schema, columns: &self.map.columns };
        self.limits.apply_limits(&cells, &mut arrays, &mut found);
        let (fields, columns) = (&self.schema.fields, &self.columns);
        let inspector = RecordInspector { fields, columns, map: &self.map, block: &block, field_of: &self.field_of };
        // Blank records are found by their nulls, so all columns must be read before.
        let whole = inspector.find_record_errors(&arrays);
        inspector.note_width_errors(&whole, &mut found);
        let presence = FieldPresence::from_records(records, &self.map);
        self.divide_rows(self.build_batch(arrays, records.len()), collect_rejects(found, whole), presence)
    }

    /// The column of the source that holds `field`.
    fn source_column(&self, field: FieldIndex) -> Option<usize> {
        self.map.columns.get(field.get()).copied().flatten().filter(|&column| column < self.map.width)
    }

    fn build_batch(&self, arrays: Vec<ArrayRef>, rows: usize) -> RecordBatch {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        // The number of rows is told, since a batch without columns cannot count them.
        RecordBatch::try_new_with_options(self.row_schema(), arrays, &options)
            .expect("each column has the type of its field and a value for each record")
    }

    /// All records divided into those that passed and those that did not.
    fn divide_rows(&self, all: RecordBatch, rejects: Vec<RejectedRecord>, presence: FieldPresence) -> ValidatedBlock {
        let lacking = Vec::new();
        // Nearly all blocks: no row is copied, and no list of positions is made.
        if rejects.is_empty() {
            let rejected_rows = RecordBatch::new_empty(self.row_schema());
            let row_records = RecordPositions::All;
            return ValidatedBlock { rows: all, row_records, rejects, rejected_rows, presence, lacking };
        }
        let mut passed = vec![true; all.num_rows()];
        rejects.iter().for_each(|reject| passed[reject.record as usize] = false);
        let row_records = (0u32..).zip(&passed).filter(|(_, passed)| **passed).map(|(record, _)| record).collect();
        let rows = filter_rows(&all, |record| passed[record]);
        let rejected_rows = take_rows(&all, rejects.iter().map(|reject| reject.record as usize));
        let row_records = RecordPositions::Some(row_records);
        ValidatedBlock { rows, row_records, rejects, rejected_rows, presence, lacking }
    }
}

/// Every rule of `field` that cannot be applied.
#[must_use]
pub fn broken_rules(field: &Field) -> Vec<RuleError> {
    let mut rest = field.clone();
    let mut found = Vec::new();
    while let Err(error) = compile::compile_column(&rest, 0, false) {
        // Each rule that fails is taken away and the field compiled again, so that all broken rules show up in one
        // run.
        let is_constraint = rest.constraints.remove(error.rule);
        found.push(error);
        if !is_constraint {
            // Without its type, nothing else of the field can be read.
            break;
        }
    }
    found
}

/// The Arrow field of a column of `data_type` that holds the values of `field`, wherever they come from.
#[must_use]
pub fn arrow_field(field: &Field, data_type: DataType) -> ArrowField {
    // Numbers and texts are both `Utf8`; without the type nobody downstream could tell them apart.
    let metadata = HashMap::from([(TYPE_KEY.to_owned(), field.kind.name().to_owned())]);
    ArrowField::new(&*field.name, data_type, true).with_metadata(metadata)
}

/// The errors sorted by record and field. A record in `whole` has that error only.
fn collect_rejects(mut found: Vec<FoundError>, whole: RecordErrors) -> Vec<RejectedRecord> {
    // Ten type errors about an empty line would only hide that the line is empty.
    if !whole.is_empty() {
        found.retain(|found| !whole.contains_key(&found.record));
        found.extend(whole.into_iter().map(|(record, error)| FoundError { record, field: 0, error }));
    }
    // The errors came column by column. The sort is stable, so those of one cell keep their order.
    found.sort_by_key(|found| (found.record, found.field));
    let mut rejects: Vec<RejectedRecord> = Vec::new();
    for FoundError { record, error, .. } in found {
        match rejects.last_mut() {
            Some(last) if last.record == record => last.errors.push(error),
            _ => rejects.push(RejectedRecord { record, errors: vec![error] }),
        }
    }
    rejects
}
