//! Resolving keys: which of a block's rows are inserted, updated, unchanged or rejected.
//!
//! Rows are taken in record order, so the first of two equal keys always wins. What was seen tells for almost every row
//! that nothing stands against it; only where it says "yes" or "perhaps" is the judge asked what is really there, and
//! by then every row accepted before has been handed to it.

use std::ops::Range;

use arrow_array::RecordBatch;
use landfall_core::{
    keys::{KeyColumns, Scalar},
    reject::CellError,
    validate::{RecordPositions, RejectedRecord, ValidatedBlock},
};

use super::{
    block::Block,
    change::RowChange,
    foreseen::foresee,
    keys::{Foreign, Keys},
};
use crate::{error::Result, ledger::OnConflict, targets::Table};

/// Whether to go on after a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// Go on.
    Continue,
    /// Stop: this record was the last.
    Stop,
}

/// Knows what the tables hold, and is told what becomes of each record. Records are given by their position in the
/// block.
pub(super) trait Judge {
    /// Whether the rows of the table can be looked for now.
    fn finds(&self) -> bool {
        true
    }
    /// Whether it wants to be told what it may be asked for.
    fn foresees(&self) -> bool {
        false
    }
    /// Is told, before a block's first row, for which values of the fields at `positions` of `table` it may be asked. In
    /// the table itself no other values are held by rows of earlier blocks.
    fn expect(&mut self, _table: &Table, _positions: &[usize], _values: Vec<Vec<Scalar>>) -> Result<()> {
        Ok(())
    }
    /// A record is put aside until rows can be looked for: its key may have occurred before.
    fn defer(&mut self, record: u32, errors: Vec<CellError>) -> Result<Flow> {
        self.reject(record, errors)
    }
    /// The row of `table` whose fields at `positions` have `values`, rows accepted before included.
    fn find(&mut self, table: &Table, positions: &[usize], values: &[Scalar]) -> Result<Option<Vec<Scalar>>>;
    /// The same for values that an update would make, of which the judge was not told beforehand.
    fn find_made(&mut self, table: &Table, positions: &[usize], values: &[Scalar]) -> Result<Option<Vec<Scalar>>> {
        self.find(table, positions, values)
    }
    /// The rows at `accepted` are to be inserted.
    fn accept(&mut self, table: &Table, rows: &RecordBatch, accepted: &[Range<usize>]) -> Result<()>;
    /// The row with this row's primary key is to be changed so; the target's words where it refuses at once.
    fn update(&mut self, table: &Table, rows: &RecordBatch, row: usize, change: RowChange) -> Result<Option<String>>;
    /// The table holds this row, or keeps its own.
    fn unchanged(&mut self, row: usize);
    /// This row is the same as row `other`, which was accepted and is still to be handed over.
    fn repeats(&mut self, row: usize, _other: usize) {
        self.unchanged(row);
    }
    /// A record is rejected.
    fn reject(&mut self, record: u32, errors: Vec<CellError>) -> Result<Flow>;
    /// Whether a parent of this foreign key that is not known to be there is forgiven, since it will be there before
    /// the commit.
    fn pardons(&mut self, _foreign: &Foreign, _columns: &KeyColumns<'_>, _row: usize) -> Result<bool> {
        Ok(false)
    }
}

/// The record of row `row` of the rows that passed.
pub(super) fn record_of(positions: &RecordPositions, row: usize) -> u32 {
    positions.record_at(row)
}

/// Resolves the keys of all records of a block; `rejected` are those that the validator rejected.
pub(super) fn resolve(
    keys: &mut Keys,
    validated: &ValidatedBlock,
    mut rejected: Vec<RejectedRecord>,
    on_conflict: OnConflict,
    judge: &mut dyn Judge,
) -> Result<Flow> {
    foresee(keys, validated, judge)?;
    let mut block = Block::new(keys, validated, on_conflict);
    let rejects = rejected.len();
    let mut next = 0;
    for row in 0..validated.rows.num_rows() {
        let record = record_of(&validated.row_records, row);
        while next < rejects && rejected[next].record < record {
            if block.rejected(next, &mut rejected[next], judge)? == Flow::Stop {
                return block.finish(Flow::Stop, judge);
            }
            next += 1;
        }
        if block.row(row, judge)? == Flow::Stop {
            return block.finish(Flow::Stop, judge);
        }
    }
    while next < rejects {
        if block.rejected(next, &mut rejected[next], judge)? == Flow::Stop {
            return block.finish(Flow::Stop, judge);
        }
        next += 1;
    }
    block.finish(Flow::Continue, judge)
}
