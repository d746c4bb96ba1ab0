//! Who holds the keys of a row, and whether the parents that it names are there.

use landfall_core::{
    keys::{KeyColumns, Membership, RowKey, Scalar, ScalarRef, scalars_of_row},
    reject::CellError,
};

use super::{
    super::{change::RowChange, key_errors::missing_parent_error, keys::ParentKnowledge, resolve::RowJudge},
    BlockResolver,
};
use crate::{error::Result, ledger::OnConflict};

/// The row that holds a key.
pub(super) struct KeyHolder {
    pub(super) content: Vec<Scalar>,
    /// Which row of the block it is, where it was accepted and not yet handed over.
    pub(super) pending: Option<usize>,
}

impl BlockResolver<'_> {
    /// The values of the unique key `at` that `row` has, or will have after `change`.
    pub(super) fn unique_values(&self, at: usize, row: usize, change: Option<&RowChange>) -> Vec<Scalar> {
        match change {
            Some(change) => change.values_at(&self.keys.uniques[at].positions),
            None => self.uniques[at].row_values(row),
        }
    }

    /// The row that holds already the unique key `at` that `row` has, or will have after `change`.
    pub(super) fn find_holder(
        &mut self,
        at: usize,
        row: usize,
        change: Option<&RowChange>,
        judge: &mut dyn RowJudge,
    ) -> Result<Option<KeyHolder>> {
        let keys = &*self.keys;
        let unique = &keys.uniques[at];
        if let Some(change) = change
            && !unique.positions.iter().all(|field| change.gives_field(&keys.table, *field))
        {
            // Such a key was in no record: nobody has looked for it.
            let values = change.values_at(&unique.positions);
            if values.contains(&Scalar::Null) {
                return Ok(None);
            }
            let found = judge.find_made(&keys.table, &unique.positions, &values)?;
            return Ok(found.map(|content| KeyHolder { content, pending: None }));
        }
        let key = self.uniques[at].row_key(row);
        if unique.seen.contains_key(key) == Membership::No {
            return Ok(None);
        }
        self.find_own_row(at, key, &self.uniques[at].row_values(row), judge)
    }

    /// The row of this table that holds the unique key `at` with `row_values`: where the judge finds it, or among the
    /// rows accepted and not yet handed over. Rows are only handed over where that is needed, since many at once are faster.
    pub(super) fn find_own_row(
        &mut self,
        at: usize,
        key: RowKey,
        values: &[Scalar],
        judge: &mut dyn RowJudge,
    ) -> Result<Option<KeyHolder>> {
        // An update needs its row in the table, also if the row stands in the same block.
        if self.on_conflict == OnConflict::Update {
            self.flush_accepted(judge)?;
        }
        // The judge is asked first: it may have to know that this key occurs again.
        let found = judge.find(&self.keys.table, &self.keys.uniques[at].positions, values)?;
        let held = |&row: &usize| self.uniques[at].row_key(row) == key && self.uniques[at].row_values(row) == values;
        let pending = || self.pending.iter().rev().flat_map(|range| range.clone().rev()).find(held);
        Ok(found.map(|content| KeyHolder { content, pending: None }).or_else(|| {
            let row = pending()?;
            let content = scalars_of_row(&self.validated.rows, row).into_iter().map(ScalarRef::to_owned).collect();
            Some(KeyHolder { content, pending: Some(row) })
        }))
    }

    /// Whether `found` has the primary key of `row`.
    pub(super) fn same_primary(&self, found: &[Scalar], row: usize) -> bool {
        let positions = &self.keys.table.schema.primary_key;
        positions.iter().zip(self.uniques[0].row_values(row)).all(|(position, value)| found[position.get()] == value)
    }

    /// The error where the parent that `row` names by the foreign key `at`, or will name after `change`, does not exist.
    pub(super) fn find_orphan_error(
        &mut self,
        at: usize,
        row: usize,
        change: Option<&RowChange>,
        judge: &mut dyn RowJudge,
    ) -> Result<Option<CellError>> {
        if let Some(change) = change
            && !self.keys.foreigns[at].positions.iter().all(|field| change.gives_field(&self.keys.table, *field))
        {
            return self.changed_orphan(at, change, judge);
        }
        let columns = self.foreigns[at].clone();
        // A row may be its own parent.
        if let ParentKnowledge::Own(unique) = self.keys.foreigns[at].parents
            && columns.row_values(row) == self.uniques[unique].row_values(row)
        {
            return Ok(None);
        }
        self.missing_parent(at, &columns, row, judge)
    }

    /// The same for a foreign key of which some fields, or all, stay as they are.
    pub(super) fn changed_orphan(
        &self,
        at: usize,
        change: &RowChange,
        judge: &mut dyn RowJudge,
    ) -> Result<Option<CellError>> {
        let foreign = &self.keys.foreigns[at];
        let values = change.values_at(&foreign.positions);
        let stays = !foreign.positions.iter().any(|field| change.fields.contains(field));
        let is_met = stays
            || values.contains(&Scalar::Null)
            || judge.find(&foreign.parent, &foreign.parent_positions, &values)?.is_some();
        Ok((!is_met).then(|| missing_parent_error(foreign, &values)))
    }

    pub(super) fn missing_parent(
        &mut self,
        at: usize,
        columns: &KeyColumns<'_>,
        row: usize,
        judge: &mut dyn RowJudge,
    ) -> Result<Option<CellError>> {
        let known = match &self.keys.foreigns[at].parents {
            ParentKnowledge::Other(set) => set.contains_parent(columns, row),
            ParentKnowledge::Own(unique) => self.keys.uniques[*unique].seen.contains_parent(columns, row),
        };
        if known == Membership::Yes {
            return Ok(None);
        }
        if matches!(self.keys.foreigns[at].parents, ParentKnowledge::Own(_)) {
            // Rows accepted before are handed over first: the parent may be among them, and what the judge notes from
            // here on is of this row.
            self.flush_accepted(judge)?;
        }
        if judge.pardons_parent(&self.keys.foreigns[at], columns, row)? {
            return Ok(None);
        }
        let values = columns.row_values(row);
        let foreign = &mut self.keys.foreigns[at];
        // Many records may name one missing parent. It is asked for now and then, and not for each of them.
        if !foreign.absent.contains_parent(columns, row) {
            if judge.find(&foreign.parent, &foreign.parent_positions, &values)?.is_some() {
                return Ok(None);
            }
            if matches!(foreign.parents, ParentKnowledge::Other(_)) {
                foreign.absent.note_absent(columns, row);
            }
        }
        Ok(Some(missing_parent_error(foreign, &values)))
    }
}
