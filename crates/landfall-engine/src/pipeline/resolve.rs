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
    schema::FieldIndex,
    validate::{RecordPositions, RejectedRecord, ValidatedBlock},
};

use super::{
    block::BlockResolver,
    change::RowChange,
    keys::{ForeignKeyState, TableKeys},
    lookups::announce_keys,
};
use crate::{error::Result, ledger::OnConflict, targets::Table};

/// Whether to go on after a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LoadFlow {
    /// Go on.
    Continue,
    /// Stop: this record was the last.
    Stop,
}

/// Knows what the tables hold, and is told what becomes of each record. Records are given by their position in the
/// block.
pub(super) trait RowJudge {
    /// Whether the rows of the table can be looked for now.
    fn can_find_rows(&self) -> bool {
        true
    }
    /// Whether it wants to be told what it may be asked for.
    fn wants_announcements(&self) -> bool {
        false
    }
    /// Is told, before a block's first row, for which values of the fields at `positions` of `table` it may be asked. In
    /// the table itself no other values are held by rows of earlier blocks.
    fn expect_values(&mut self, _table: &Table, _positions: &[FieldIndex], _values: Vec<Vec<Scalar>>) -> Result<()> {
        Ok(())
    }
    /// A record is put aside until rows can be looked for: its key may have occurred before.
    fn defer_record(&mut self, record: u32, errors: Vec<CellError>) -> Result<LoadFlow> {
        self.reject_record(record, errors)
    }
    /// The row of `table` whose fields at `positions` have `values`, rows accepted before included.
    fn find(&mut self, table: &Table, positions: &[FieldIndex], values: &[Scalar]) -> Result<Option<Vec<Scalar>>>;
    /// The same for values that an update would make, of which the judge was not told beforehand.
    fn find_made(&mut self, table: &Table, positions: &[FieldIndex], values: &[Scalar]) -> Result<Option<Vec<Scalar>>> {
        self.find(table, positions, values)
    }
    /// The rows at `accepted` are to be inserted.
    fn accept_rows(&mut self, table: &Table, rows: &RecordBatch, accepted: &[Range<usize>]) -> Result<()>;
    /// The row with this row's primary key is to be changed so; the target's words where it refuses at once.
    fn update_row(
        &mut self,
        table: &Table,
        rows: &RecordBatch,
        row: usize,
        change: RowChange,
    ) -> Result<Option<String>>;
    /// The table holds this row, or keeps its own.
    fn count_unchanged(&mut self, row: usize);
    /// This row is the same as row `other`, which was accepted and is still to be handed over.
    fn count_repeat(&mut self, row: usize, _other: usize) {
        self.count_unchanged(row);
    }
    /// A record is rejected.
    fn reject_record(&mut self, record: u32, errors: Vec<CellError>) -> Result<LoadFlow>;
    /// Whether a parent of this foreign key that is not known to be there is forgiven, since it will be there before
    /// the commit.
    fn pardons_parent(&mut self, _foreign: &ForeignKeyState, _columns: &KeyColumns<'_>, _row: usize) -> Result<bool> {
        Ok(false)
    }
}

/// The record of row `row` of the rows that passed.
pub(super) fn record_of_row(positions: &RecordPositions, row: usize) -> u32 {
    positions.record_at(row)
}

/// Resolves the keys of all records of a block; `extend_reject` are those that the validator rejected.
pub(super) fn resolve_keys(
    keys: &mut TableKeys,
    validated: &ValidatedBlock,
    mut rejected: Vec<RejectedRecord>,
    on_conflict: OnConflict,
    judge: &mut dyn RowJudge,
) -> Result<LoadFlow> {
    // Before the first row: later, the answers would have to tell apart what the block itself has written.
    announce_keys(keys, validated, judge)?;
    let mut block = BlockResolver::new(keys, validated, on_conflict);
    let rejects = rejected.len();
    let mut next = 0;
    for row in 0..validated.rows.num_rows() {
        let record = record_of_row(&validated.row_records, row);
        // A reject takes its turn between the rows, since its key errors depend on the rows accepted before it.
        while next < rejects && rejected[next].record < record {
            if block.extend_reject(next, &mut rejected[next], judge)? == LoadFlow::Stop {
                return block.finish_block(LoadFlow::Stop, judge);
            }
            next += 1;
        }
        if block.resolve_row(row, judge)? == LoadFlow::Stop {
            return block.finish_block(LoadFlow::Stop, judge);
        }
    }
    while next < rejects {
        if block.extend_reject(next, &mut rejected[next], judge)? == LoadFlow::Stop {
            return block.finish_block(LoadFlow::Stop, judge);
        }
        next += 1;
    }
    block.finish_block(LoadFlow::Continue, judge)
}
