//! The state of one block while its keys are resolved.
//!
//! To be changed together:
//! - `is_plain` decides for most rows. It may say yes only if the long way (`resolve_suspect`) would accept the row without an error.
//! - An accepted row is noted in three places: in the keys seen (`learn_row`), among the rows to hand over (`pending`), and by the judge that
//!   gets them. If one of them lacks it, the next row with its key does not find it.
//! - Rows are decided in the order of their records. A row that is deferred claims its keys first, so that later rows with them are deferred too.

mod holders;

use std::ops::Range;

use arrow_array::RecordBatch;
use landfall_core::{
    keys::{KeyColumns, Membership, RowKey, sketch_rows},
    reject::CellError,
    validate::{RejectedRecord, ValidatedBlock},
};

use self::holders::KeyHolder;
use super::{
    change::{RowChange, agrees_with_stored},
    key_errors::{clash_error, refusal_error},
    keys::{ParentKnowledge, TableKeys},
    resolve::{LoadFlow, RowJudge, record_of_row},
};
use crate::{error::Result, ledger::OnConflict};

/// The state of one block.
pub(super) struct BlockResolver<'a> {
    keys: &'a mut TableKeys,
    validated: &'a ValidatedBlock,
    on_conflict: OnConflict,
    /// The unique and foreign keys of the rows that passed.
    uniques: Vec<KeyColumns<'a>>,
    foreigns: Vec<KeyColumns<'a>>,
    /// Those of the rejected records, as far as they could be read.
    rejected_uniques: Vec<KeyColumns<'a>>,
    rejected_foreigns: Vec<KeyColumns<'a>>,
    /// What the rows look like, and the rejected records, where that is noted.
    sketches: Vec<u8>,
    rejected_sketches: Vec<u8>,
    /// Rows accepted and not yet handed to the judge.
    pending: Vec<Range<usize>>,
}

impl<'a> BlockResolver<'a> {
    pub(super) fn new(keys: &'a mut TableKeys, validated: &'a ValidatedBlock, on_conflict: OnConflict) -> Self {
        let uniques = |rows: &'a RecordBatch| -> Vec<KeyColumns<'a>> {
            keys.uniques.iter().map(|unique| KeyColumns::new(rows, &unique.positions)).collect()
        };
        let foreigns = |rows: &'a RecordBatch| -> Vec<KeyColumns<'a>> {
            keys.foreigns.iter().map(|foreign| KeyColumns::new(rows, &foreign.positions)).collect()
        };
        let looks = |rows: &RecordBatch| if keys.sketches.is_some() { sketch_rows(rows) } else { Vec::new() };
        Self {
            sketches: looks(&validated.rows),
            rejected_sketches: looks(&validated.rejected_rows),
            uniques: uniques(&validated.rows),
            foreigns: foreigns(&validated.rows),
            rejected_uniques: uniques(&validated.rejected_rows),
            rejected_foreigns: foreigns(&validated.rejected_rows),
            validated,
            on_conflict,
            pending: Vec::new(),
            keys,
        }
    }

    pub(super) fn finish_block(mut self, flow: LoadFlow, judge: &mut dyn RowJudge) -> Result<LoadFlow> {
        self.flush_accepted(judge)?;
        Ok(flow)
    }

    /// Hands over the rows accepted so far, so that the judge finds them.
    fn flush_accepted(&mut self, judge: &mut dyn RowJudge) -> Result<()> {
        if !self.pending.is_empty() {
            judge.accept_rows(&self.keys.table, &self.validated.rows, &self.pending)?;
            self.pending.clear();
        }
        Ok(())
    }

    /// A row that passed the validator.
    #[inline]
    pub(super) fn resolve_row(&mut self, row: usize, judge: &mut dyn RowJudge) -> Result<LoadFlow> {
        if self.is_plain(row) && !self.lacks_required(row) {
            // Before the next row is looked at: of two equal keys in one block, the second must meet the first.
            self.learn_row(row);
            match self.pending.last_mut() {
                Some(range) if range.end == row => range.end += 1,
                _ => self.pending.push(row..row + 1),
            }
            return Ok(LoadFlow::Continue);
        }
        self.resolve_suspect(row, judge)
    }

    /// Whether nothing can stand against a row: its parents are there, and its keys were never seen.
    #[inline]
    fn is_plain(&self, row: usize) -> bool {
        let keys = &*self.keys;
        // Only certainty counts here: `Perhaps` takes the long way.
        let parents = keys.foreigns.iter().zip(&self.foreigns).all(|(foreign, columns)| match &foreign.parents {
            ParentKnowledge::Other(set) => set.contains_parent(columns, row) == Membership::Yes,
            ParentKnowledge::Own(at) => keys.uniques[*at].seen.contains_parent(columns, row) == Membership::Yes,
        });
        parents
            && keys
                .uniques
                .iter()
                .zip(&self.uniques)
                .all(|(unique, columns)| unique.seen.contains_key(columns.row_key(row)) == Membership::No)
    }

    /// Whether a row leaves out required fields, so that it may only change another.
    #[inline]
    fn lacks_required(&self, row: usize) -> bool {
        !self.validated.lacking.is_empty() && self.validated.find_lacking_reject(self.record_of(row)).is_some()
    }

    fn record_of(&self, row: usize) -> u32 {
        record_of_row(&self.validated.row_records, row)
    }

    /// Whether a key of `row` may have occurred before.
    fn may_be_seen(&self, columns: &[KeyColumns<'_>], row: usize) -> bool {
        let mut uniques = self.keys.uniques.iter().zip(columns);
        uniques.any(|(unique, columns)| unique.seen.contains_key(columns.row_key(row)) != Membership::No)
    }

    /// Notes the keys and parents of an accepted row.
    #[inline]
    fn learn_row(&mut self, row: usize) {
        if !self.keys.learns {
            return;
        }
        self.claim_keys(row);
        for (foreign, columns) in self.keys.foreigns.iter_mut().zip(&self.foreigns) {
            if foreign.is_held {
                foreign.touched.note_parent(columns, row);
            }
        }
        if let Some(sketches) = &mut self.keys.sketches
            && !sketches.insert(self.uniques[0].row_key(row), self.sketches[row])
        {
            // Sparse keys would take a page of memory each. Without sketches, more records are put aside and none is
            // judged otherwise.
            self.keys.sketches = None;
        }
    }

    /// Whether the table has a row, accepted by this process, with the primary key `key` and another look than `sketch`. The look
    /// of rows that leave fields out tells nothing.
    fn has_other_content(&self, key: RowKey, sketch: Option<&u8>) -> bool {
        if !self.validated.presence.is_whole() {
            return false;
        }
        let known = self.keys.sketches.as_ref().and_then(|known| known.get(key));
        known.is_some_and(|known| sketch.is_some_and(|&sketch| sketch != known))
    }

    /// Notes the keys of a row that is, or may become, one of the table's.
    #[inline]
    fn claim_keys(&mut self, row: usize) {
        for (unique, columns) in self.keys.uniques.iter_mut().zip(&self.uniques) {
            unique.seen.insert(columns.row_key(row));
        }
    }

    /// A row against which something may stand.
    #[cold]
    fn resolve_suspect(&mut self, row: usize, judge: &mut dyn RowJudge) -> Result<LoadFlow> {
        if !judge.can_find_rows() && self.may_be_seen(&self.uniques, row) {
            if self.has_other_content(self.uniques[0].row_key(row), self.sketches.get(row)) {
                return self.resolve_other(row, judge);
            }
            // Its parents may be missing: they are looked for when it is judged.
            self.claim_keys(row);
            return judge.defer_record(record_of_row(&self.validated.row_records, row), Vec::new());
        }
        let (validated, record) = (self.validated, self.record_of(row));
        let has_primary = self.keys.uniques.first().is_some_and(|unique| unique.primary);
        let mut errors = Vec::new();
        let mut conflict = false;
        let mut change = None;
        // All keys and parents are looked at, although one error decides: a reject lists every reason (promise 5).
        for at in 0..self.keys.uniques.len() {
            let Some(KeyHolder { content: found, pending }) = self.find_holder(at, row, change.as_ref(), judge)? else {
                continue;
            };
            let unique = &self.keys.uniques[at];
            if agrees_with_stored(&validated.rows, row, &validated.presence, record, &found)
                && (unique.primary || !has_primary)
            {
                match pending {
                    None => judge.count_unchanged(row),
                    Some(other) => judge.count_repeat(row, other),
                }
                return Ok(LoadFlow::Continue);
            }
            if unique.primary {
                conflict = true;
                let updates = self.on_conflict == OnConflict::Update;
                change = updates.then(|| RowChange::new(&self.keys.table, validated, row, &found));
            }
            // The holder is the row that this one updates, so that its own unique keys are no clash.
            let own = conflict && !unique.primary && self.same_primary(&found, row);
            // The conflict rule has an answer to a primary key that is held, so that it is no error.
            let settled = unique.primary && self.on_conflict != OnConflict::Reject;
            if !own && !settled {
                errors.push(clash_error(unique.code(), &unique.name, &self.unique_values(at, row, change.as_ref())));
            }
        }
        if let (None, Some(lacks)) = (&change, validated.find_lacking_reject(record)) {
            // It cannot change a row, and lacks what a new one needs. Errors of fields come before those of keys.
            errors.splice(..0, lacks.errors.iter().cloned());
        }
        for at in 0..self.keys.foreigns.len() {
            errors.extend(self.find_orphan_error(at, row, change.as_ref(), judge)?);
        }
        self.decide_row(row, conflict, change, errors, judge)
    }

    /// A row whose primary key, the only unique one, is that of a row with other content.
    fn resolve_other(&mut self, row: usize, judge: &mut dyn RowJudge) -> Result<LoadFlow> {
        let mut errors = Vec::new();
        if self.on_conflict == OnConflict::Reject {
            let unique = &self.keys.uniques[0];
            errors.push(clash_error(unique.code(), &unique.name, &self.uniques[0].row_values(row)));
        }
        for at in 0..self.keys.foreigns.len() {
            errors.extend(self.find_orphan_error(at, row, None, judge)?);
        }
        self.decide_row(row, true, None, errors, judge)
    }

    fn decide_row(
        &mut self,
        row: usize,
        conflict: bool,
        change: Option<RowChange>,
        errors: Vec<CellError>,
        judge: &mut dyn RowJudge,
    ) -> Result<LoadFlow> {
        let record = self.record_of(row);
        if !errors.is_empty() {
            return judge.reject_record(record, errors);
        }
        if !conflict {
            self.flush_accepted(judge)?;
            self.learn_row(row);
            judge.accept_rows(&self.keys.table, &self.validated.rows, std::slice::from_ref(&(row..row + 1)))?;
            return Ok(LoadFlow::Continue);
        }
        let Some(change) = change else {
            judge.count_unchanged(row);
            return Ok(LoadFlow::Continue);
        };
        let keys: Vec<RowKey> =
            self.keys.uniques.iter().map(|unique| RowKey::from_values(&change.values_at(&unique.positions))).collect();
        if let Some(words) = judge.update_row(&self.keys.table, &self.validated.rows, row, change)? {
            return judge.reject_record(record, vec![refusal_error(&words)]);
        }
        self.learn_row(row);
        if self.keys.learns {
            self.keys.uniques.iter_mut().zip(keys).for_each(|(unique, key)| unique.seen.insert(key));
        }
        Ok(LoadFlow::Continue)
    }

    /// A record that the validator rejected: clashes and missing parents are listed too, as far as its keys could be
    /// read.
    pub(super) fn extend_reject(
        &mut self,
        at: usize,
        rejected: &mut RejectedRecord,
        judge: &mut dyn RowJudge,
    ) -> Result<LoadFlow> {
        let mut errors = std::mem::take(&mut rejected.errors);
        let seen = !judge.can_find_rows() && self.may_be_seen(&self.rejected_uniques, at);
        let other =
            seen && self.has_other_content(self.rejected_uniques[0].row_key(at), self.rejected_sketches.get(at));
        if seen && !other {
            // A later row with one of its keys must not be there before it is judged.
            for (unique, columns) in self.keys.uniques.iter_mut().zip(&self.rejected_uniques) {
                unique.seen.insert(columns.row_key(at));
            }
            return judge.defer_record(rejected.record, errors);
        }
        for key in 0..self.keys.uniques.len() {
            let unique = &self.keys.uniques[key];
            if unique.primary && self.on_conflict != OnConflict::Reject {
                continue;
            }
            let wanted = self.rejected_uniques[key].row_key(at);
            if unique.seen.contains_key(wanted) != Membership::No {
                let values = self.rejected_uniques[key].row_values(at);
                if other {
                    errors.push(clash_error(unique.code(), &unique.name, &values));
                    continue;
                }
                let found = self.find_own_row(key, wanted, &values, judge)?;
                let ValidatedBlock { rejected_rows: batch, presence, .. } = self.validated;
                let same = |found: &KeyHolder| agrees_with_stored(batch, at, presence, rejected.record, &found.content);
                if found.as_ref().is_some_and(|found| !same(found)) {
                    let unique = &self.keys.uniques[key];
                    errors.push(clash_error(unique.code(), &unique.name, &values));
                }
            }
        }
        for key in 0..self.keys.foreigns.len() {
            let columns = self.rejected_foreigns[key].clone();
            errors.extend(self.missing_parent(key, &columns, at, judge)?);
        }
        judge.reject_record(rejected.record, errors)
    }
}
