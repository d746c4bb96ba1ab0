//! The second pass: what the proposed schema makes of the data, found out by the validator itself.

use std::{
    collections::{BTreeMap, HashSet},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
};

use landfall_core::{
    decode::Records,
    reject::ErrorCode,
    schema::{Field, TableSchema},
    validate::{ColumnMap, RecordPositions, RejectedRecord, ValidatedBlock, Validator},
};

use super::{
    distinct::{DistinctRoom, DistinctValues, key_value_at, may_be_key},
    records::{FilePart, FileReading, LocatedRecords, PlaceTally, SniffedForm},
};
use crate::{
    error::{Error, Result},
    source::Source,
};

/// The most records among which copies are looked for: their hashes take some 20 MiB.
const MOST_RECORDS: usize = 1 << 20;

/// What the schema makes of the data.
#[derive(Debug, Default)]
pub(super) struct DataMeasures {
    pub(super) records: u64,
    /// Records that pass all rules but those of keys.
    pub(super) fine: u64,
    /// Records that pass and are the same as an earlier one, cell by cell; none once there are too many to tell.
    pub(super) copies: Option<u64>,
    seen: HashSet<u64>,
    /// What is wrong with whole records.
    pub(super) faults: BTreeMap<ErrorCode, PlaceTally>,
    pub(super) fields: Vec<FieldMeasures>,
}

/// What the schema makes of a field.
#[derive(Debug, Default)]
pub(super) struct FieldMeasures {
    /// Values that are not of the type.
    pub(super) wrong: PlaceTally,
    /// Missing values, where the field is required.
    pub(super) missing: PlaceTally,
    /// The values of the records that pass, where they may be keys.
    pub(super) values: Option<DistinctValues>,
}

/// A validator for records whose columns are `fields`.
pub(super) fn build_validator(fields: &[Field]) -> Result<Validator> {
    let schema = Arc::new(TableSchema { fields: fields.to_vec(), ..TableSchema::default() });
    Validator::new(schema, ColumnMap::identity(fields.len())).map_err(|error| Error::Rule(error.to_string()))
}

/// The record of `row`.
pub(super) fn record_of_row(validated: &ValidatedBlock, row: usize) -> usize {
    match &validated.row_records {
        RecordPositions::All => row,
        RecordPositions::Some(records) => records[row] as usize,
    }
}

/// Validates all records of `sources` as `fields`; those at `likely` are likely to be keys.
///
/// # Errors
/// A source that cannot be read.
pub(super) fn measure_data(
    sources: &[Source],
    form: &SniffedForm,
    fields: &[Field],
    likely: &[bool],
    reading: FileReading<'_>,
) -> Result<DataMeasures> {
    let validator = build_validator(fields)?;
    let keys = likely.iter().filter(|likely| **likely).count();
    let others = fields.len();
    let room = |at: usize| {
        if likely.get(at) == Some(&true) { DistinctRoom::for_likely_key(keys) } else { DistinctRoom::for_other(others) }
    };
    let values =
        |(at, field): (usize, &Field)| may_be_key(&field.kind).then(|| DistinctValues::new(&field.kind, room(at)));
    let empty = |values| FieldMeasures { values, ..FieldMeasures::default() };
    let fields = fields.iter().enumerate().map(values).map(empty).collect();
    let mut measured = DataMeasures { fields, copies: Some(0), ..DataMeasures::default() };
    reading.read_records(sources, form, likely.len(), &mut |part| match part {
        FilePart::Block(block) => measured.measure_block(&block, &validator),
        FilePart::TooLong(place) => {
            measured.records += 1;
            measured.faults.entry(ErrorCode::RecordTooLong).or_default().add_place(place);
        }
    })?;
    Ok(measured)
}

impl DataMeasures {
    fn measure_block(&mut self, block: &LocatedRecords, validator: &Validator) {
        let validated = validator.validate_records(&block.records);
        self.records += block.records.len() as u64;
        self.fine += validated.rows.num_rows() as u64;
        for row in 0..validated.rows.num_rows() {
            self.count_copy(&block.records, record_of_row(&validated, row));
        }
        for (column, field) in validated.rows.columns().iter().zip(&mut self.fields) {
            let Some(values) = &mut field.values else { continue };
            for row in 0..column.len() {
                if let Some(value) = key_value_at(column, row) {
                    values.add_value(value, block.place_of(record_of_row(&validated, row)));
                }
            }
        }
        let position = |name: &str| validator.row_schema().index_of(name).ok();
        validated.rejects.iter().for_each(|reject| self.count_reject(reject, block, &position));
    }

    /// Notes whether a record is the same as an earlier one.
    fn count_copy(&mut self, records: &Records, record: usize) {
        let Some(copies) = &mut self.copies else { return };
        let mut hasher = DefaultHasher::new();
        (0..records.cell_count(record)).for_each(|column| records.cell_text(record, column).hash(&mut hasher));
        *copies += u64::from(!self.seen.insert(hasher.finish()));
        if self.seen.len() > MOST_RECORDS {
            (self.copies, self.seen) = (None, HashSet::new());
        }
    }

    fn count_reject(
        &mut self,
        reject: &RejectedRecord,
        block: &LocatedRecords,
        position: &dyn Fn(&str) -> Option<usize>,
    ) {
        let place = block.place_of(reject.record as usize);
        let mut whole: Vec<ErrorCode> = Vec::new();
        for error in &reject.errors {
            let field = error.field.as_deref().and_then(position);
            match (error.code, field) {
                (ErrorCode::TypeError, Some(field)) => self.fields[field].wrong.add_place(place),
                // Without a value, the cell itself is missing, which is an error of its own.
                (ErrorCode::ConstraintError, _) if error.value.is_none() => {}
                (ErrorCode::ConstraintError, Some(field)) => self.fields[field].missing.add_place(place),
                (code, _) if !whole.contains(&code) => whole.push(code),
                _ => {}
            }
        }
        whole.into_iter().for_each(|code| self.faults.entry(code).or_default().add_place(place));
    }
}
