//! Trying one record again: the same rules as at every door, with the tables as they are now.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
    sync::Arc,
};

use arrow_array::RecordBatch;
use landfall_core::{
    keys::{KeyColumns, Scalar},
    reject::{CellError, ErrorCode},
    schema::{FieldIndex, TableIndex},
    validate::TargetLimits,
};

use super::{
    change::RowChange,
    chunk::hold_parents,
    key_errors::refusal_error,
    keys::{ForeignKeyState, TableKeys},
    layout::{SourceLayout, layout_of_load},
    load::LoadSession,
    null_cells::NullCellForm,
    open_source::RecordRules,
    resolve::{LoadFlow, RowJudge, resolve_keys},
};
use crate::{
    count_noun,
    error::Result,
    ledger::{LoadId, OnConflict},
    targets::{Table, TargetRead, Transaction},
};

/// What became of a record that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TrialVerdict {
    /// It is a row now.
    Inserted,
    /// The row with its key has its content now.
    Updated,
    /// The table holds it already, or keeps its own.
    Unchanged,
    /// It still breaks a rule.
    Rejected(Vec<CellError>),
}

/// A key of a table, by the table's name, the key's fields, and the fingerprint of the values.
pub(super) type KeyClaim = (Arc<str>, Vec<FieldIndex>, u128);

/// The bytes of a record, and how they are to be read.
#[derive(Debug, Clone, Copy)]
pub(super) enum RecordBytes<'b> {
    /// As they stood in the source.
    Raw(&'b [u8]),
    /// As a person mended them: UTF-8 in the default dialect, the columns those of the source.
    Mended(&'b [u8]),
}

/// Tries records of one table.
pub(super) struct RecordTrial<'s> {
    session: &'s LoadSession<'s>,
    position: TableIndex,
    limits: TargetLimits,
    keys: TableKeys,
    on_conflict: OnConflict,
    /// How the records of each load are read, raw and mended.
    rules: HashMap<LoadId, [Arc<RecordRules>; 2]>,
    /// The same by how the columns lie: loads have few different ways, and there may be many loads.
    layouts: Vec<(SourceLayout, [Arc<RecordRules>; 2])>,
    /// How the source of a load lies that the ledger cannot tell yet.
    pub(super) own: Option<(LoadId, SourceLayout)>,
    /// Keys that will be there before the commit.
    pub(super) pardoned: HashSet<KeyClaim>,
}

impl<'s> RecordTrial<'s> {
    /// For records of the table at `position`, which go to the target of `read`.
    pub(super) fn new(
        session: &'s LoadSession<'s>,
        read: &dyn TargetRead,
        position: TableIndex,
        on_conflict: OnConflict,
    ) -> Self {
        // Few records are tried, and the target is asked for each: to read whole tables would take longer.
        let mut keys = TableKeys::without_knowledge(session.table_at(position), session.tables);
        keys.learns = true;
        keys.foreigns.iter_mut().for_each(|foreign| foreign.is_held = true);
        let limits = read.table_limits(session.table_at(position));
        Self {
            session,
            position,
            limits,
            keys,
            on_conflict,
            rules: HashMap::new(),
            layouts: Vec::new(),
            own: None,
            pardoned: HashSet::new(),
        }
    }

    fn rules_of_load(&mut self, read: &dyn TargetRead, load: LoadId) -> Result<&[Arc<RecordRules>; 2]> {
        if !self.rules.contains_key(&load) {
            let own = self.own.as_ref().filter(|(own, _)| *own == load).map(|(_, layout)| layout.clone());
            let layout = own.map_or_else(|| layout_of_load(read, load), Ok)?;
            if let Some(same) = self.layouts.iter().find(|(known, _)| *known == layout).map(|(_, rules)| rules.clone())
            {
                return Ok(self.rules.entry(load).or_insert(same));
            }
            let resource = &self.session.project.package[self.position];
            let resource = &layout.written_resource(resource)?;
            let raw = RecordRules::new(resource, &layout, &self.limits)?;
            let mut mended = resource.clone();
            mended.dialect = NullCellForm::mended_dialect(&resource.dialect);
            mended.encoding = landfall_core::schema::Encoding::Utf8;
            let mended = RecordRules::new(&mended, &layout.for_mended_file(&resource.dialect), &self.limits)?;
            let rules = [Arc::new(raw), Arc::new(mended)];
            self.layouts.push((layout, rules.clone()));
            self.rules.insert(load, rules);
        }
        Ok(&self.rules[&load])
    }

    /// Tries a record of `load`; `transaction` is written to where it passes.
    pub(super) fn try_record(
        &mut self,
        transaction: &mut dyn Transaction,
        load: LoadId,
        bytes: RecordBytes<'_>,
    ) -> Result<TrialVerdict> {
        let [raw, mended] = self.rules_of_load(&*transaction, load)?.clone();
        // Lent to the judge, since `judge_record` needs all of `self`.
        let pardoned = std::mem::take(&mut self.pardoned);
        let mut judge = TrialJudge { transaction, verdict: None, pardoned: &pardoned };
        let verdict = self.judge_record(&[raw, mended], bytes, &mut judge);
        let verdict = verdict.map(|found| found.or(judge.verdict.take()));
        self.pardoned = pardoned;
        Ok(verdict?.unwrap_or(TrialVerdict::Unchanged))
    }

    /// Holds the parents of all rows that passed: some of them came after the rows that name them.
    pub(super) fn hold_parents(&mut self, transaction: &mut dyn Transaction) -> Result<()> {
        hold_parents(transaction, &mut self.keys)
    }

    /// What a record of `load` would claim and need, were its parents within `family` there; none where it would be
    /// rejected all the same. Nothing is written.
    pub(super) fn survey_record(
        &mut self,
        read: &dyn TargetRead,
        load: LoadId,
        bytes: RecordBytes<'_>,
        family: &[Arc<str>],
    ) -> Result<Option<KeyNeeds>> {
        let rules = self.rules_of_load(read, load)?.clone();
        let mut judge =
            NeedsJudge { read, family, wanted: KeyNeeds::default(), accepted: false, uniques: self.unique_keys() };
        let found = self.judge_record(&rules, bytes, &mut judge)?;
        Ok((found.is_none() && judge.accepted).then_some(judge.wanted))
    }

    fn unique_keys(&self) -> Vec<(Arc<str>, Vec<FieldIndex>)> {
        self.keys.uniques.iter().map(|unique| (self.keys.table.name.clone(), unique.positions.clone())).collect()
    }

    /// Resolves the record's keys with `judge`; a verdict of its own where the bytes are not one record.
    fn judge_record(
        &mut self,
        rules: &[Arc<RecordRules>; 2],
        bytes: RecordBytes<'_>,
        judge: &mut dyn RowJudge,
    ) -> Result<Option<TrialVerdict>> {
        let (bytes, which) = match bytes {
            RecordBytes::Raw(bytes) => (bytes, 0),
            RecordBytes::Mended(bytes) => (bytes, 1),
        };
        let rules = &rules[which];
        let records = rules.decoder.decode_record(bytes);
        // A person may have put a line end in, or taken everything out.
        if records.len() != 1 {
            let message = format!("these bytes are {}; mend them into one", count_noun(records.len() as u64, "record"));
            let error = CellError::new(ErrorCode::SourceError, None, None, message);
            return Ok(Some(TrialVerdict::Rejected(vec![error])));
        }
        let mut validated = rules.validator.validate_records(&records);
        if self.on_conflict == OnConflict::Update {
            validated = validated.admit_updates(&self.keys.table.schema);
        }
        let rejected = std::mem::take(&mut validated.rejects);
        resolve_keys(&mut self.keys, &validated, rejected, self.on_conflict, judge)?;
        Ok(None)
    }
}

/// Writes the record, where it passes.
struct TrialJudge<'j> {
    transaction: &'j mut dyn Transaction,
    verdict: Option<TrialVerdict>,
    pardoned: &'j HashSet<KeyClaim>,
}

impl RowJudge for TrialJudge<'_> {
    fn find(&mut self, table: &Table, positions: &[FieldIndex], values: &[Scalar]) -> Result<Option<Vec<Scalar>>> {
        self.transaction.find_row(table, positions, values)
    }

    fn accept_rows(&mut self, table: &Table, rows: &RecordBatch, accepted: &[Range<usize>]) -> Result<()> {
        let refusals = self.transaction.insert_rows(table, rows, accepted)?;
        self.verdict = Some(match refusals.first() {
            None => TrialVerdict::Inserted,
            Some(row) => TrialVerdict::Rejected(vec![refusal_error(&row.message)]),
        });
        Ok(())
    }

    fn update_row(
        &mut self,
        table: &Table,
        rows: &RecordBatch,
        row: usize,
        change: RowChange,
    ) -> Result<Option<String>> {
        let refusals = self.transaction.update_rows(table, rows, &[row], &change.fields)?;
        let words = refusals.into_iter().next().map(|refused| refused.message);
        if words.is_none() {
            self.verdict = Some(TrialVerdict::Updated);
        }
        Ok(words)
    }

    fn count_unchanged(&mut self, _row: usize) {
        self.verdict = Some(TrialVerdict::Unchanged);
    }

    fn reject_record(&mut self, _record: u32, errors: Vec<CellError>) -> Result<LoadFlow> {
        self.verdict = Some(TrialVerdict::Rejected(errors));
        Ok(LoadFlow::Continue)
    }

    fn pardons_parent(&mut self, foreign: &ForeignKeyState, columns: &KeyColumns<'_>, row: usize) -> Result<bool> {
        Ok(key_claim(&foreign.parent.name, &foreign.parent_positions, columns, row)
            .is_some_and(|claim| self.pardoned.contains(&claim)))
    }
}

/// The keys that a record claims, and those of parents that it needs.
#[derive(Debug, Default)]
pub(super) struct KeyNeeds {
    pub(super) claims: Vec<KeyClaim>,
    pub(super) needs: Vec<KeyClaim>,
}

/// The claim of `row` by the key of `table` at `positions`.
pub(super) fn key_claim(
    table: &Arc<str>,
    positions: &[FieldIndex],
    columns: &KeyColumns<'_>,
    row: usize,
) -> Option<KeyClaim> {
    columns.row_fingerprint(row).map(|print| (table.clone(), positions.to_vec(), print))
}

/// Finds out what a record claims and needs.
struct NeedsJudge<'j> {
    read: &'j dyn TargetRead,
    family: &'j [Arc<str>],
    wanted: KeyNeeds,
    accepted: bool,
    uniques: Vec<(Arc<str>, Vec<FieldIndex>)>,
}

impl RowJudge for NeedsJudge<'_> {
    fn find(&mut self, table: &Table, positions: &[FieldIndex], values: &[Scalar]) -> Result<Option<Vec<Scalar>>> {
        self.read.find_row(table, positions, values)
    }

    fn accept_rows(&mut self, _table: &Table, rows: &RecordBatch, _accepted: &[Range<usize>]) -> Result<()> {
        self.accepted = true;
        for (table, positions) in &self.uniques {
            self.wanted.claims.extend(key_claim(table, positions, &KeyColumns::new(rows, positions), 0));
        }
        Ok(())
    }

    fn update_row(&mut self, _: &Table, _: &RecordBatch, _row: usize, _: RowChange) -> Result<Option<String>> {
        Ok(None)
    }

    fn count_unchanged(&mut self, _row: usize) {}

    fn reject_record(&mut self, _record: u32, _errors: Vec<CellError>) -> Result<LoadFlow> {
        Ok(LoadFlow::Continue)
    }

    fn pardons_parent(&mut self, foreign: &ForeignKeyState, columns: &KeyColumns<'_>, row: usize) -> Result<bool> {
        if !self.family.contains(&foreign.parent.name) {
            return Ok(false);
        }
        let values = columns.row_values(row);
        if self.read.find_row(&foreign.parent, &foreign.parent_positions, &values)?.is_none() {
            self.wanted.needs.extend(key_claim(&foreign.parent.name, &foreign.parent_positions, columns, row));
        }
        Ok(true)
    }
}
