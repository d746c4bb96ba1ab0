//! Judges the records of one block of a load, and writes what becomes of them.

use std::{
    collections::HashSet,
    ops::Range,
    time::{Duration, Instant},
};

use arrow_array::RecordBatch;
use landfall_core::{
    keys::{KeyColumns, Scalar, scalars_of_row},
    reject::{CellError, ErrorCode},
    validate::ValidatedBlock,
};

use super::{
    change::{RowChange, agrees, grouped},
    foreseen::{Foreseen, learn},
    key_errors::{clash, refused},
    keys::{Foreign, Keys},
    resolve::{Flow, Judge, record_of},
    trial::{Claim, claim},
};
use crate::{
    error::{Result, TargetError, TargetErrorKind},
    ledger::OnConflict,
    targets::{RefusedRow, Table, Transaction},
};

/// What becomes of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Became {
    /// It is in the table now.
    Inserted,
    /// The row with its key has its content now.
    Updated,
    /// The table held it already, or keeps its own.
    Unchanged,
}

/// Keeps count of what becomes of the records of a block, and knows the transaction that writes it.
pub(super) trait Account {
    /// The transaction, to be written to.
    fn transaction(&mut self) -> &mut dyn Transaction;
    /// The transaction, to be read.
    fn read(&self) -> &dyn Transaction;
    /// What is done with a row whose key the table holds with other content.
    fn on_conflict(&self) -> OnConflict;
    /// Rows of the block became this.
    fn became(&mut self, became: Became, rows: &[Range<usize>]);
    /// A row that was counted so did not become that after all.
    fn did_not_become(&mut self, became: Became, row: usize);
    /// A record is rejected, or put aside until rows can be looked for.
    fn put_aside(&mut self, record: u32, errors: Vec<CellError>, deferred: bool) -> Result<()>;
    /// Whether there are more rejects than allowed.
    fn too_many(&self) -> bool;
    /// Time was spent in the target.
    fn spent(&mut self, time: Duration);
}

/// The judge of one block.
pub(super) struct BlockJudge<'c, A> {
    account: &'c mut A,
    table: &'c Table,
    validated: &'c ValidatedBlock,
    /// The record after which to stop.
    stopped: Option<u32>,
    foreseen: Foreseen<'c>,
    /// Whether everything that can be asked for was foreseen before the block began.
    all_foreseen: bool,
    /// Whether rows were taken for new without a question.
    trusting: bool,
    /// Rows that are to update the table's, each with the fields that it gives, and were not yet sent.
    updates: Vec<(usize, Vec<usize>)>,
    /// Rows that count as unchanged since an earlier row of the block is the same, with that row.
    repeats: Vec<(usize, usize)>,
    /// Whether the database refused rows, whose records were rejected when later ones had been read.
    late: bool,
    /// Keys of parents that will be there before the commit.
    pardoned: HashSet<Claim>,
}

impl<'c, A: Account> BlockJudge<'c, A> {
    pub(super) fn new(account: &'c mut A, table: &'c Table, validated: &'c ValidatedBlock) -> Self {
        Self {
            account,
            table,
            validated,
            stopped: None,
            foreseen: Foreseen::new(table, &validated.rows),
            all_foreseen: false,
            trusting: false,
            updates: Vec::new(),
            repeats: Vec::new(),
            late: false,
            pardoned: HashSet::new(),
        }
    }

    /// The same, for a block whose rows may name the parents `pardoned`.
    pub(super) fn pardoning(self, pardoned: HashSet<Claim>) -> Self {
        Self { pardoned, ..self }
    }

    /// Asks for the rows that hold the keys of the block, and for the parents that it names and that are not known; `keys` then
    /// know just those. With `trusting`, rows that passed are taken for new: the judge gives up where the database knows
    /// better ([`TargetErrorKind::Again`]).
    pub(super) fn learn(&mut self, keys: &mut Keys, trusting: bool) -> Result<()> {
        self.trusting = trusting;
        let (read, foreseen) = (self.account.read(), &mut self.foreseen);
        learn(keys, self.validated, trusting, foreseen, &|table, positions, values| {
            read.find_all(table, positions, values)
        })?;
        self.all_foreseen = true;
        Ok(())
    }

    /// Sends what is left. The record after which to stop, where there is one, and whether records were rejected after
    /// their turn.
    pub(super) fn finish(mut self) -> Result<(Option<u32>, bool)> {
        self.send_updates()?;
        Ok((self.stopped, self.late))
    }

    /// Runs `work` and counts its time as time spent in the target.
    fn timed<T>(&mut self, work: impl FnOnce(&mut dyn Transaction) -> Result<T>) -> Result<T> {
        let start = Instant::now();
        let outcome = work(self.account.transaction());
        self.account.spent(start.elapsed());
        outcome
    }

    /// What became of a row that the database refused although nothing was known against it: another program was there
    /// first.
    fn refused(&mut self, rows: &RecordBatch, row: usize, words: &str) -> Result<()> {
        let table = self.table;
        let schema = &table.schema;
        let (validated, record) = (self.validated, record_of(&self.validated.row_records, row));
        let content = scalars_of_row(rows, row);
        let mut change = None;
        let on_conflict = self.account.on_conflict();
        let mut errors = Vec::new();
        let mut conflict = false;
        let primary = (!schema.primary_key.is_empty()).then_some((&schema.primary_key, ErrorCode::PrimaryKey));
        let uniques = schema.unique_keys.iter().map(|key| (key, ErrorCode::UniqueError));
        for (positions, code) in primary.into_iter().chain(uniques) {
            let values = KeyColumns::new(rows, positions).row_values(row);
            if values.contains(&Scalar::Null) {
                continue;
            }
            let Some(found) = self.timed(|transaction| transaction.find(table, positions, &values))? else { continue };
            if agrees(rows, row, &validated.presence, record, &found) {
                self.unchanged(row);
                return Ok(());
            }
            let is_primary = code == ErrorCode::PrimaryKey;
            if is_primary && on_conflict == OnConflict::Update {
                change = Some(RowChange::new(table, validated, row, &found));
            }
            conflict |= is_primary && on_conflict != OnConflict::Reject;
            let own = schema.primary_key.iter().all(|&at| found[at].as_ref() == content[at]);
            if !(conflict && own) {
                errors.push(clash(code, &schema.key_name(positions), &values));
            }
        }
        match on_conflict {
            _ if !errors.is_empty() => {}
            OnConflict::Keep if conflict => {
                self.unchanged(row);
                return Ok(());
            }
            _ => match change.map(|change| self.update(table, rows, row, change)).transpose()? {
                Some(None) => return Ok(()),
                Some(Some(words)) => errors.push(refused(&words)),
                None => errors.push(refused(words)),
            },
        }
        self.reject_late(row, errors)
    }

    /// The rows that count as unchanged since `row` is the same.
    fn repeats_of(&self, row: usize) -> Vec<usize> {
        self.repeats.iter().filter(|(_, other)| *other == row).map(|(repeat, _)| *repeat).collect()
    }

    /// Rejects the record of `row`, whose turn is over: later ones have been read, and the load cannot stop behind it.
    fn reject_late(&mut self, row: usize, errors: Vec<CellError>) -> Result<()> {
        self.late = true;
        self.account.put_aside(record_of(&self.validated.row_records, row), errors, false)
    }

    fn send_updates(&mut self) -> Result<()> {
        if self.updates.is_empty() {
            return Ok(());
        }
        let updates = std::mem::take(&mut self.updates);
        let (table, rows) = (self.table, &self.validated.rows);
        updates.iter().for_each(|(row, _)| self.account.became(Became::Updated, &one(*row)));
        let mut refusals = Vec::new();
        for (fields, updates) in grouped(table, updates) {
            refusals.extend(self.timed(|transaction| transaction.update(table, rows, &updates, &fields))?);
        }
        refusals.sort_by_key(|refused| refused.row);
        refusals.iter().for_each(|refused| self.account.did_not_become(Became::Updated, refused.row));
        if !refusals.is_empty() {
            self.foreseen.forget();
        }
        for RefusedRow { row, message } in refusals {
            self.reject_late(row, vec![refused(&message)])?;
        }
        Ok(())
    }
}

/// One row, as a range.
fn one(row: usize) -> [Range<usize>; 1] {
    std::array::from_fn(|_| row..row + 1)
}

impl<A: Account> Judge for BlockJudge<'_, A> {
    fn finds(&self) -> bool {
        self.account.read().finds(self.table)
    }

    fn foresees(&self) -> bool {
        self.all_foreseen || self.account.read().is_remote()
    }

    fn expect(&mut self, table: &Table, positions: &[usize], values: Vec<Vec<Scalar>>) -> Result<()> {
        if self.all_foreseen {
            return Ok(());
        }
        let found = self.timed(|transaction| transaction.find_all(table, positions, &values))?;
        self.foreseen.add(table, positions, values, found);
        Ok(())
    }

    fn find(&mut self, table: &Table, positions: &[usize], values: &[Scalar]) -> Result<Option<Vec<Scalar>>> {
        if self.foresees()
            && let Some(answer) = self.foreseen.get(table, positions, values)
        {
            return Ok(answer);
        }
        if *table.name == *self.table.name {
            self.send_updates()?;
        }
        self.timed(|transaction| transaction.find(table, positions, values))
    }

    fn find_made(&mut self, table: &Table, positions: &[usize], values: &[Scalar]) -> Result<Option<Vec<Scalar>>> {
        self.send_updates()?;
        self.timed(|transaction| transaction.find(table, positions, values))
    }

    fn accept(&mut self, table: &Table, rows: &RecordBatch, accepted: &[Range<usize>]) -> Result<()> {
        self.send_updates()?;
        let refused = self.timed(|transaction| transaction.insert(table, rows, accepted))?;
        if self.trusting && !refused.is_empty() {
            let message = "rows that were taken for new are not; they are looked at one by one";
            return Err(TargetError::new(TargetErrorKind::Again, message).into());
        }
        self.account.became(Became::Inserted, accepted);
        refused.iter().for_each(|refused| self.account.did_not_become(Became::Inserted, refused.row));
        if self.foresees() {
            self.foreseen.accepted(accepted);
        }
        if !refused.is_empty() {
            self.foreseen.forget();
        }
        for RefusedRow { row, message } in refused {
            self.refused(rows, row, &message)?;
            for repeat in self.repeats_of(row) {
                self.account.did_not_become(Became::Unchanged, repeat);
                self.refused(rows, repeat, &message)?;
            }
        }
        self.repeats.clear();
        Ok(())
    }

    fn update(&mut self, table: &Table, rows: &RecordBatch, row: usize, change: RowChange) -> Result<Option<String>> {
        if !self.foresees() {
            let refusals = self.timed(|transaction| transaction.update(table, rows, &[row], &change.fields))?;
            let words = refusals.into_iter().next().map(|refused| refused.message);
            if words.is_none() {
                self.account.became(Became::Updated, &one(row));
            }
            return Ok(words);
        }
        let columns = KeyColumns::new(rows, &table.schema.primary_key);
        let values = columns.row_values(row);
        if self.updates.iter().any(|(earlier, _)| columns.row_key(*earlier) == columns.row_key(row)) {
            self.send_updates()?;
        }
        self.foreseen.updated(row, &values, &change);
        self.updates.push((row, change.fields));
        Ok(None)
    }

    fn unchanged(&mut self, row: usize) {
        self.account.became(Became::Unchanged, &one(row));
    }

    fn repeats(&mut self, row: usize, other: usize) {
        self.repeats.push((row, other));
        self.unchanged(row);
    }

    fn pardons(&mut self, foreign: &Foreign, columns: &KeyColumns<'_>, row: usize) -> Result<bool> {
        let claim = || claim(&foreign.parent.name, &foreign.parent_positions, columns, row);
        Ok(!self.pardoned.is_empty() && claim().is_some_and(|claim| self.pardoned.contains(&claim)))
    }

    fn reject(&mut self, record: u32, errors: Vec<CellError>) -> Result<Flow> {
        self.account.put_aside(record, errors, false)?;
        if self.account.too_many() {
            self.stopped = Some(record);
            return Ok(Flow::Stop);
        }
        Ok(Flow::Continue)
    }

    fn defer(&mut self, record: u32, errors: Vec<CellError>) -> Result<Flow> {
        self.account.put_aside(record, errors, true)?;
        Ok(Flow::Continue)
    }
}
