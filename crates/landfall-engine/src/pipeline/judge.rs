//! Judges the records of one block of a load, and writes what becomes of them.
//!
//! A row is counted when it is decided, but the database may still refuse it, because another program was there first. Then `judge_refusal`
//! takes the counts back: of the row, and of the rows that count as unchanged because they repeat it. So each place that counts needs its
//! counterpart in `did_not_become`, or the equation breaks (promise 1).

use std::{
    collections::HashSet,
    ops::Range,
    time::{Duration, Instant},
};

use arrow_array::RecordBatch;
use landfall_core::{
    keys::{KeyColumns, Scalar, scalars_of_row},
    reject::{CellError, ErrorCode},
    schema::FieldIndex,
    validate::ValidatedBlock,
};

use super::{
    change::{RowChange, agrees_with_stored, group_updates},
    key_errors::{clash_error, refusal_error},
    keys::{ForeignKeyState, TableKeys},
    lookups::{BlockLookups, look_up_block},
    resolve::{LoadFlow, RowJudge, record_of_row},
    trial::{KeyClaim, key_claim},
};
use crate::{
    error::{Result, TargetError, TargetErrorKind},
    ledger::OnConflict,
    targets::{RefusedRow, Table, Transaction},
};

/// What becomes of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowFate {
    /// It is in the table now.
    Inserted,
    /// The row with its key has its content now.
    Updated,
    /// The table held it already, or keeps its own.
    Unchanged,
}

/// Keeps count of what becomes of the records of a block, and knows the transaction that writes it.
pub(super) trait BlockLedger {
    /// The transaction, to be written to.
    fn open_transaction(&mut self) -> &mut dyn Transaction;
    /// The transaction, to be read.
    fn read(&self) -> &dyn Transaction;
    /// What is done with a row whose key the table holds with other content.
    fn conflict_rule(&self) -> OnConflict;
    /// Rows of the block became this.
    fn count_rows(&mut self, became: RowFate, rows: &[Range<usize>]);
    /// A row that was counted so did not become that after all.
    fn did_not_become(&mut self, became: RowFate, row: usize);
    /// A record is rejected, or put aside until rows can be looked for.
    fn set_aside(&mut self, record: u32, errors: Vec<CellError>, deferred: bool) -> Result<()>;
    /// Whether there are more rejects than allowed.
    fn has_too_many_rejects(&self) -> bool;
    /// Time was spent in the target.
    fn add_target_time(&mut self, time: Duration);
}

/// The judge of one block.
pub(super) struct BlockJudge<'c, A> {
    account: &'c mut A,
    table: &'c Table,
    validated: &'c ValidatedBlock,
    /// The record after which to stop.
    stopped: Option<u32>,
    foreseen: BlockLookups<'c>,
    /// Whether everything that can be asked for was foreseen before the block began.
    all_foreseen: bool,
    /// Whether rows were taken for new without a question.
    trusting: bool,
    /// Rows that are to update the table's, each with the fields that it gives, and were not yet sent.
    updates: Vec<(usize, Vec<FieldIndex>)>,
    /// Rows that count as unchanged since an earlier row of the block is the same, with that row.
    repeats: Vec<(usize, usize)>,
    /// Whether the database refused rows, whose records were rejected when later ones had been read.
    late: bool,
    /// Keys of parents that will be there before the commit.
    pardoned: HashSet<KeyClaim>,
}

impl<'c, A: BlockLedger> BlockJudge<'c, A> {
    pub(super) fn new(account: &'c mut A, table: &'c Table, validated: &'c ValidatedBlock) -> Self {
        Self {
            account,
            table,
            validated,
            stopped: None,
            foreseen: BlockLookups::new(table, &validated.rows),
            all_foreseen: false,
            trusting: false,
            updates: Vec::new(),
            repeats: Vec::new(),
            late: false,
            pardoned: HashSet::new(),
        }
    }

    /// The same, for a block whose rows may name the parents `pardoned`.
    pub(super) fn with_pardons(self, pardoned: HashSet<KeyClaim>) -> Self {
        Self { pardoned, ..self }
    }

    /// Asks for the rows that hold the keys of the block, and for the parents that it names and that are not known; `keys` then
    /// know just those. With `trusting`, rows that passed are taken for new: the judge gives up where the database knows
    /// better ([`TargetErrorKind::Again`]).
    pub(super) fn learn_block(&mut self, keys: &mut TableKeys, trusting: bool) -> Result<()> {
        self.trusting = trusting;
        let (read, foreseen) = (self.account.read(), &mut self.foreseen);
        look_up_block(keys, self.validated, trusting, foreseen, &|table, positions, values| {
            read.find_rows(table, positions, values)
        })?;
        // From here on, silence of the lookups means that there is no such row.
        self.all_foreseen = true;
        Ok(())
    }

    /// Sends what is left. The record after which to stop, where there is one, and whether records were rejected after
    /// their turn.
    pub(super) fn finish_block(mut self) -> Result<(Option<u32>, bool)> {
        self.send_updates()?;
        Ok((self.stopped, self.late))
    }

    /// Runs `work` and counts its time as time spent in the target.
    fn time_target<T>(&mut self, work: impl FnOnce(&mut dyn Transaction) -> Result<T>) -> Result<T> {
        let start = Instant::now();
        let outcome = work(self.account.open_transaction());
        self.account.add_target_time(start.elapsed());
        outcome
    }

    /// What became of a row that the database refused although nothing was known against it: another program was there
    /// first.
    fn judge_refusal(&mut self, rows: &RecordBatch, row: usize, words: &str) -> Result<()> {
        let table = self.table;
        let schema = &table.schema;
        let (validated, record) = (self.validated, record_of_row(&self.validated.row_records, row));
        let content = scalars_of_row(rows, row);
        let mut change = None;
        let on_conflict = self.account.conflict_rule();
        let mut errors = Vec::new();
        let mut conflict = false;
        let primary = (!schema.primary_key.is_empty()).then_some((&schema.primary_key, ErrorCode::PrimaryKey));
        let uniques = schema.unique_keys.iter().map(|key| (key, ErrorCode::UniqueError));
        for (positions, code) in primary.into_iter().chain(uniques) {
            let values = KeyColumns::new(rows, positions).row_values(row);
            // SQL compares no key with a missing value, so that it is not this key which the database refused.
            if values.contains(&Scalar::Null) {
                continue;
            }
            let Some(found) = self.time_target(|transaction| transaction.find_row(table, positions, &values))? else {
                continue;
            };
            // Another program has inserted the same row: it is unchanged, as if it had been there before.
            if agrees_with_stored(rows, row, &validated.presence, record, &found) {
                self.count_unchanged(row);
                return Ok(());
            }
            let is_primary = code == ErrorCode::PrimaryKey;
            if is_primary && on_conflict == OnConflict::Update {
                change = Some(RowChange::new(table, validated, row, &found));
            }
            conflict |= is_primary && on_conflict != OnConflict::Reject;
            // The row found is the one to be updated, so that its other keys are no clash.
            let own = schema.primary_key.iter().all(|at| found[at.get()].as_ref() == content[at.get()]);
            if !(conflict && own) {
                errors.push(clash_error(code, &schema.key_name(positions), &values));
            }
        }
        match on_conflict {
            _ if !errors.is_empty() => {}
            OnConflict::Keep if conflict => {
                self.count_unchanged(row);
                return Ok(());
            }
            _ => match change.map(|change| self.update_row(table, rows, row, change)).transpose()? {
                Some(None) => return Ok(()),
                Some(Some(words)) => errors.push(refusal_error(&words)),
                None => errors.push(refusal_error(words)),
            },
        }
        self.reject_late(row, errors)
    }

    /// The rows that count as unchanged since `row` is the same.
    fn repeats_of_row(&self, row: usize) -> Vec<usize> {
        self.repeats.iter().filter(|(_, other)| *other == row).map(|(repeat, _)| *repeat).collect()
    }

    /// Rejects the record of `row`, whose turn is over: later ones have been read, and the load cannot stop behind it.
    fn reject_late(&mut self, row: usize, errors: Vec<CellError>) -> Result<()> {
        // Nothing stops here. The chunk looks at the limits when the block is done.
        self.late = true;
        self.account.set_aside(record_of_row(&self.validated.row_records, row), errors, false)
    }

    fn send_updates(&mut self) -> Result<()> {
        if self.updates.is_empty() {
            return Ok(());
        }
        let updates = std::mem::take(&mut self.updates);
        let (table, rows) = (self.table, &self.validated.rows);
        // Counted before they are sent: what is refused is taken back by `did_not_become`, which needs a count to take
        // from.
        updates.iter().for_each(|(row, _)| self.account.count_rows(RowFate::Updated, &single_row(*row)));
        let mut refusals = Vec::new();
        for (fields, updates) in group_updates(table, updates) {
            refusals.extend(self.time_target(|transaction| transaction.update_rows(table, rows, &updates, &fields))?);
        }
        // The groups are not in record order, and rejects must be (promise 6).
        refusals.sort_by_key(|refused| refused.row);
        refusals.iter().for_each(|refused| self.account.did_not_become(RowFate::Updated, refused.row));
        if !refusals.is_empty() {
            // Another program writes to the table, so that no earlier answer can be relied on.
            self.foreseen.forget_all();
        }
        for RefusedRow { row, message } in refusals {
            self.reject_late(row, vec![refusal_error(&message)])?;
        }
        Ok(())
    }
}

/// One row, as a range.
fn single_row(row: usize) -> [Range<usize>; 1] {
    std::array::from_fn(|_| row..row + 1)
}

impl<A: BlockLedger> RowJudge for BlockJudge<'_, A> {
    fn can_find_rows(&self) -> bool {
        self.account.read().can_find_rows(self.table)
    }

    fn wants_announcements(&self) -> bool {
        self.all_foreseen || self.account.read().is_remote()
    }

    fn expect_values(&mut self, table: &Table, positions: &[FieldIndex], values: Vec<Vec<Scalar>>) -> Result<()> {
        if self.all_foreseen {
            return Ok(());
        }
        let found = self.time_target(|transaction| transaction.find_rows(table, positions, &values))?;
        self.foreseen.add_lookup(table, positions, values, found);
        Ok(())
    }

    fn find(&mut self, table: &Table, positions: &[FieldIndex], values: &[Scalar]) -> Result<Option<Vec<Scalar>>> {
        if self.wants_announcements()
            && let Some(answer) = self.foreseen.get(table, positions, values)
        {
            return Ok(answer);
        }
        // Updates that wait may have changed the row that is looked for.
        if *table.name == *self.table.name {
            self.send_updates()?;
        }
        self.time_target(|transaction| transaction.find_row(table, positions, values))
    }

    fn find_made(&mut self, table: &Table, positions: &[FieldIndex], values: &[Scalar]) -> Result<Option<Vec<Scalar>>> {
        self.send_updates()?;
        self.time_target(|transaction| transaction.find_row(table, positions, values))
    }

    fn accept_rows(&mut self, table: &Table, rows: &RecordBatch, accepted: &[Range<usize>]) -> Result<()> {
        // Before the inserts, in record order: an update may give free the unique key of a row that follows.
        self.send_updates()?;
        let refused = self.time_target(|transaction| transaction.insert_rows(table, rows, accepted))?;
        // Nothing was looked up for these rows, so that no reason could be told. The group begins anew with every
        // question.
        if self.trusting && !refused.is_empty() {
            let message = "rows that were taken for new are not; they are looked at one by one";
            return Err(TargetError::new(TargetErrorKind::Again, message).into());
        }
        self.account.count_rows(RowFate::Inserted, accepted);
        refused.iter().for_each(|refused| self.account.did_not_become(RowFate::Inserted, refused.row));
        if self.wants_announcements() {
            self.foreseen.note_accepted(accepted);
        }
        if !refused.is_empty() {
            self.foreseen.forget_all();
        }
        for RefusedRow { row, message } in refused {
            self.judge_refusal(rows, row, &message)?;
            // It counted as unchanged because of the row that was refused now.
            for repeat in self.repeats_of_row(row) {
                self.account.did_not_become(RowFate::Unchanged, repeat);
                self.judge_refusal(rows, repeat, &message)?;
            }
        }
        // All of them repeat rows that have been handed over.
        self.repeats.clear();
        Ok(())
    }

    fn update_row(
        &mut self,
        table: &Table,
        rows: &RecordBatch,
        row: usize,
        change: RowChange,
    ) -> Result<Option<String>> {
        // A local database answers at once: nothing is gained by gathering updates.
        if !self.wants_announcements() {
            let refusals =
                self.time_target(|transaction| transaction.update_rows(table, rows, &[row], &change.fields))?;
            let words = refusals.into_iter().next().map(|refused| refused.message);
            if words.is_none() {
                self.account.count_rows(RowFate::Updated, &single_row(row));
            }
            return Ok(words);
        }
        let columns = KeyColumns::new(rows, &table.schema.primary_key);
        let values = columns.row_values(row);
        // One call of `update_rows` must not have the same key twice.
        if self.updates.iter().any(|(earlier, _)| columns.row_key(*earlier) == columns.row_key(row)) {
            self.send_updates()?;
        }
        self.foreseen.note_update(row, &values, &change);
        self.updates.push((row, change.fields));
        Ok(None)
    }

    fn count_unchanged(&mut self, row: usize) {
        self.account.count_rows(RowFate::Unchanged, &single_row(row));
    }

    fn count_repeat(&mut self, row: usize, other: usize) {
        self.repeats.push((row, other));
        self.count_unchanged(row);
    }

    fn pardons_parent(&mut self, foreign: &ForeignKeyState, columns: &KeyColumns<'_>, row: usize) -> Result<bool> {
        let claim = || key_claim(&foreign.parent.name, &foreign.parent_positions, columns, row);
        Ok(!self.pardoned.is_empty() && claim().is_some_and(|claim| self.pardoned.contains(&claim)))
    }

    fn reject_record(&mut self, record: u32, errors: Vec<CellError>) -> Result<LoadFlow> {
        self.account.set_aside(record, errors, false)?;
        if self.account.has_too_many_rejects() {
            self.stopped = Some(record);
            return Ok(LoadFlow::Stop);
        }
        Ok(LoadFlow::Continue)
    }

    fn defer_record(&mut self, record: u32, errors: Vec<CellError>) -> Result<LoadFlow> {
        self.account.set_aside(record, errors, true)?;
        Ok(LoadFlow::Continue)
    }
}
