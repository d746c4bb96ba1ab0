//! Judges the records of one block of a load, and writes what becomes of them.

use std::{ops::Range, time::Instant};

use arrow_array::RecordBatch;
use landfall_core::{
    decode::Records,
    keys::{KeyColumns, Scalar, row_scalars},
    reject::{CellError, ErrorCode},
    validate::Validated,
};

use super::{
    chunk::Chunk,
    foreseen::Foreseen,
    key_errors::{clash, refused},
    resolve::{Flow, Judge, record_of},
};
use crate::{
    error::Result,
    ledger::OnConflict,
    quarantine::{NewReject, RawRecord},
    target::{RefusedRow, Table, Transaction},
};

/// The judge of one block.
pub(super) struct BlockJudge<'c, 'a> {
    chunk: &'c mut Chunk<'a>,
    offset: u64,
    records: &'c Records,
    validated: &'c Validated,
    /// Records read before this block.
    before: u64,
    /// The record after which to stop.
    stopped: Option<u32>,
    foreseen: Foreseen<'c>,
    /// Rows that are to update the table's, and were not yet sent.
    updates: Vec<usize>,
    /// Rows that count as unchanged since an earlier row of the block is the same, with that row.
    repeats: Vec<(usize, usize)>,
    /// Whether the database refused rows, whose records were rejected when later ones had been read.
    late: bool,
}

impl<'c, 'a> BlockJudge<'c, 'a> {
    pub(super) fn new(chunk: &'c mut Chunk<'a>, offset: u64, records: &'c Records, validated: &'c Validated) -> Self {
        let (before, foreseen) = (chunk.tally.counts.read, Foreseen::new(chunk.table, &validated.rows));
        Self {
            chunk,
            offset,
            records,
            validated,
            before,
            stopped: None,
            foreseen,
            updates: Vec::new(),
            repeats: Vec::new(),
            late: false,
        }
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
        let outcome = work(self.chunk.transaction);
        self.chunk.tally.writing += start.elapsed();
        outcome
    }

    /// What became of a row that the database refused although nothing was known against it: another program was there
    /// first.
    fn refused(&mut self, rows: &RecordBatch, row: usize, words: &str) -> Result<()> {
        let table = self.chunk.table;
        let schema = &table.schema;
        let content = row_scalars(rows, row);
        let rules = self.chunk.rules;
        let mut errors = Vec::new();
        let mut conflict = false;
        let primary = (!schema.primary_key.is_empty()).then_some((&schema.primary_key, ErrorCode::PrimaryKey));
        let uniques = schema.unique_keys.iter().map(|key| (key, ErrorCode::UniqueError));
        for (positions, code) in primary.into_iter().chain(uniques) {
            let values = KeyColumns::new(rows, positions).values(row);
            if values.contains(&Scalar::Null) {
                continue;
            }
            let Some(found) = self.timed(|transaction| transaction.find(table, positions, &values))? else { continue };
            if found.iter().zip(&content).all(|(held, new)| held.as_ref() == *new) {
                self.unchanged(row);
                return Ok(());
            }
            let is_primary = code == ErrorCode::PrimaryKey;
            conflict |= is_primary && rules.on_conflict != OnConflict::Reject;
            let own = schema.primary_key.iter().all(|&at| found[at].as_ref() == content[at]);
            if !(conflict && own) {
                errors.push(clash(code, &schema.key_name(positions), &values));
            }
        }
        match rules.on_conflict {
            _ if !errors.is_empty() => {}
            OnConflict::Keep if conflict => {
                self.unchanged(row);
                return Ok(());
            }
            OnConflict::Update if conflict => match self.update(table, rows, row)? {
                None => return Ok(()),
                Some(words) => errors.push(refused(&words)),
            },
            _ => errors.push(refused(words)),
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
        self.put_aside(record_of(&self.validated.row_records, row), errors, false)
    }

    fn send_updates(&mut self) -> Result<()> {
        if self.updates.is_empty() {
            return Ok(());
        }
        let updates = std::mem::take(&mut self.updates);
        let (table, rows) = (self.chunk.table, &self.validated.rows);
        let refusals = self.timed(|transaction| transaction.update(table, rows, &updates))?;
        self.chunk.tally.counts.updated += (updates.len() - refusals.len()) as u64;
        if !refusals.is_empty() {
            self.foreseen.forget();
        }
        for RefusedRow { row, message } in refusals {
            self.reject_late(row, vec![refused(&message)])?;
        }
        Ok(())
    }

    fn put_aside(&mut self, record: u32, errors: Vec<CellError>, deferred: bool) -> Result<()> {
        let at = record as usize;
        let reject = NewReject {
            record: self.before + u64::from(record) + 1,
            line: self.chunk.tally.position.lines + self.records.line(at) as u64 + 1,
            offset: self.offset + self.records.offset(at) as u64,
            raw: RawRecord::Whole(self.records.raw(at).to_vec()),
            errors,
            deferred,
        };
        let read = &mut self.chunk.tally.counts.read;
        *read = reject.record.max(*read);
        self.chunk.reject(reject)
    }
}

impl Judge for BlockJudge<'_, '_> {
    fn finds(&self) -> bool {
        self.chunk.transaction.finds(self.chunk.table)
    }

    fn foresees(&self) -> bool {
        self.chunk.transaction.is_remote()
    }

    fn expect(&mut self, table: &Table, positions: &[usize], values: Vec<Vec<Scalar>>) -> Result<()> {
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
        if *table.name == *self.chunk.table.name {
            self.send_updates()?;
        }
        self.timed(|transaction| transaction.find(table, positions, values))
    }

    fn accept(&mut self, table: &Table, rows: &RecordBatch, accepted: &[Range<usize>]) -> Result<()> {
        self.send_updates()?;
        let refused = self.timed(|transaction| transaction.insert(table, rows, accepted))?;
        let count: usize = accepted.iter().map(Range::len).sum();
        self.chunk.tally.counts.inserted += (count - refused.len()) as u64;
        if self.foresees() {
            self.foreseen.accepted(accepted);
        }
        if !refused.is_empty() {
            self.foreseen.forget();
        }
        for RefusedRow { row, message } in refused {
            self.refused(rows, row, &message)?;
            for repeat in self.repeats_of(row) {
                self.chunk.tally.counts.unchanged -= 1;
                self.refused(rows, repeat, &message)?;
            }
        }
        self.repeats.clear();
        Ok(())
    }

    fn update(&mut self, table: &Table, rows: &RecordBatch, row: usize) -> Result<Option<String>> {
        if !self.foresees() {
            let refusals = self.timed(|transaction| transaction.update(table, rows, &[row]))?;
            let words = refusals.into_iter().next().map(|refused| refused.message);
            self.chunk.tally.counts.updated += u64::from(words.is_none());
            return Ok(words);
        }
        let columns = KeyColumns::new(rows, &table.schema.primary_key);
        let values = columns.values(row);
        if self.updates.iter().any(|&earlier| columns.key(earlier) == columns.key(row)) {
            self.send_updates()?;
        }
        self.foreseen.updated(row, &values);
        self.updates.push(row);
        Ok(None)
    }

    fn unchanged(&mut self, _row: usize) {
        self.chunk.tally.counts.unchanged += 1;
    }

    fn repeats(&mut self, row: usize, other: usize) {
        self.repeats.push((row, other));
        self.unchanged(row);
    }

    fn reject(&mut self, record: u32, errors: Vec<CellError>) -> Result<Flow> {
        self.put_aside(record, errors, false)?;
        if self.chunk.too_many() {
            self.stopped = Some(record);
            return Ok(Flow::Stop);
        }
        Ok(Flow::Continue)
    }

    fn defer(&mut self, record: u32, errors: Vec<CellError>) -> Result<Flow> {
        self.put_aside(record, errors, true)?;
        Ok(Flow::Continue)
    }
}
