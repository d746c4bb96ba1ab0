//! The account of one table's rows in a group of requests: what becomes of each is booked to its request.

use std::{ops::Range, time::Duration};

use landfall_core::{reject::CellError, validate::ValidatedBlock};

use super::{
    super::{
        judge::{BlockLedger, RowFate},
        resolve::record_of_row,
    },
    rules::RowPart,
};
use crate::{
    error::Result,
    ledger::{Counts, OnConflict},
    quarantine::{NewReject, RawRecord},
    targets::Transaction,
};

/// Rows of one request within the merged ones.
#[derive(Debug, Clone, Copy)]
pub(super) struct RequestRows<'g> {
    /// To which of the accounts they are booked.
    pub(super) slot: usize,
    /// The position of the first of them among the merged records.
    pub(super) first: u32,
    pub(super) part: &'g RowPart,
}

/// What becomes of the rows of one slot: one table's of one request.
#[derive(Debug, Clone, Default)]
pub(super) struct RowsSlot {
    pub(super) counts: Counts,
    /// Its rejects, in record order; `record` counts from 1.
    pub(super) rejects: Vec<NewReject>,
}

impl RowsSlot {
    /// Lets its rejects keep at most `most` bytes of their records each.
    pub(super) fn bound_rejects(&mut self, most: u64) {
        self.rejects = std::mem::take(&mut self.rejects).into_iter().map(|reject| reject.with_at_most(most)).collect();
    }

    /// About the bytes that its rejects take.
    pub(super) fn reject_bytes(&self) -> u64 {
        self.rejects.iter().map(NewReject::stored_size).sum()
    }
}

/// The account of merged rows.
pub(super) struct MergedAccount<'g> {
    pub(super) transaction: &'g mut dyn Transaction,
    pub(super) on_conflict: OnConflict,
    pub(super) validated: &'g ValidatedBlock,
    /// In the order of their first records.
    pub(super) stretches: &'g [RequestRows<'g>],
    pub(super) slots: &'g mut [RowsSlot],
}

impl<'g> MergedAccount<'g> {
    /// The reject that was made of `record`.
    pub(super) fn find_reject(&self, record: u32) -> Option<&NewReject> {
        let (slot, number) = self.slot_of(record);
        self.slots[slot].rejects.iter().find(|reject| reject.record == number)
    }

    /// Takes the reject that was made of `record` back: it is judged once more.
    pub(super) fn withdraw_reject(&mut self, record: u32) {
        let (slot, number) = self.slot_of(record);
        let slot = &mut self.slots[slot];
        let before = slot.rejects.len();
        slot.rejects.retain(|reject| reject.record != number);
        slot.counts.rejected -= (before - slot.rejects.len()) as u64;
    }

    /// The slot of `record`, and its number there, from 1.
    fn slot_of(&self, record: u32) -> (usize, u64) {
        let RequestRows { slot, first, part } = self.request_rows(record);
        (slot, part.rows_before + u64::from(record - first) + 1)
    }

    fn request_rows(&self, record: u32) -> RequestRows<'g> {
        let behind = self.stretches.partition_point(|stretch| stretch.first <= record);
        self.stretches[behind.saturating_sub(1)]
    }

    fn count_mut(&mut self, became: RowFate, row: usize) -> &mut u64 {
        let slot = self.request_rows(record_of_row(&self.validated.row_records, row)).slot;
        let counts = &mut self.slots[slot].counts;
        match became {
            RowFate::Inserted => &mut counts.inserted,
            RowFate::Updated => &mut counts.updated,
            RowFate::Unchanged => &mut counts.unchanged,
        }
    }
}

impl BlockLedger for MergedAccount<'_> {
    fn open_transaction(&mut self) -> &mut dyn Transaction {
        self.transaction
    }

    fn read(&self) -> &dyn Transaction {
        self.transaction
    }

    fn conflict_rule(&self) -> OnConflict {
        self.on_conflict
    }

    fn count_rows(&mut self, became: RowFate, rows: &[Range<usize>]) {
        rows.iter().cloned().flatten().for_each(|row| *self.count_mut(became, row) += 1);
    }

    fn did_not_become(&mut self, became: RowFate, row: usize) {
        *self.count_mut(became, row) -= 1;
    }

    fn set_aside(&mut self, record: u32, errors: Vec<CellError>, deferred: bool) -> Result<()> {
        let RequestRows { slot, first, part } = self.request_rows(record);
        let at = (record - first) as usize;
        let reject = NewReject {
            record: part.rows_before + at as u64 + 1,
            line: part.lines_before + part.records.lines_before(at) as u64 + 1,
            offset: part.offset + part.records.byte_offset(at) as u64,
            raw: RawRecord::Whole(part.records.raw_bytes(at).to_vec()),
            errors,
            deferred,
        };
        let slot = &mut self.slots[slot];
        slot.counts.rejected += 1;
        // A row that the database refuses is told after its turn.
        let place = slot.rejects.partition_point(|held| held.record < reject.record);
        slot.rejects.insert(place, reject);
        Ok(())
    }

    fn has_too_many_rejects(&self) -> bool {
        // A request has a bound on its rows, and all of its rejects are told in the answer.
        false
    }

    fn add_target_time(&mut self, _time: Duration) {}
}
