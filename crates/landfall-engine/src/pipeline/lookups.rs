//! What a target that is asked over a network was asked beforehand: the rows that hold a block's keys.
//!
//! The answers are those of before the block, and are kept true while its rows are accepted and updates made.
//!
//! To be changed together: whatever changes rows of the table within the block goes through `note_accepted` or `note_update`. `get` takes
//! silence for "no such row". It may, since `look_up_block` asks for every key of the block, those of rejected records included; for rows that
//! are trusted to be new, the database's own keys check it. A key that is left out there would count as free.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use arrow_array::RecordBatch;
use landfall_core::{
    keys::{KeyColumns, Membership, RowKey, Scalar, ScalarRef, scalars_of_row},
    schema::FieldIndex,
    validate::ValidatedBlock,
};

use super::{
    change::RowChange,
    keys::{ParentKnowledge, TableKeys},
    resolve::RowJudge,
};
use crate::{error::Result, targets::Table};

/// The rows that hold the keys of one block.
pub(super) struct BlockLookups<'b> {
    table: &'b Table,
    rows: &'b RecordBatch,
    answers: Vec<KeyLookup>,
    /// Rows of the block that are in the table now, in the order in which they were accepted.
    accepted: Vec<Range<usize>>,
    /// Those of them whose content a later row of the block has replaced.
    replaced: HashSet<usize>,
    /// Rows of which the block has changed some fields only, as they are now.
    changed: Vec<Vec<Scalar>>,
    /// Whether another program was met: what was known holds no more.
    forgotten: bool,
}

/// The rows of one table by one key.
struct KeyLookup {
    table: Table,
    positions: Vec<FieldIndex>,
    rows: HashMap<Vec<Scalar>, Option<Vec<Scalar>>>,
}

impl<'b> BlockLookups<'b> {
    pub(super) fn new(table: &'b Table, rows: &'b RecordBatch) -> Self {
        let (answers, accepted, changed) = (Vec::new(), Vec::new(), Vec::new());
        Self { table, rows, answers, accepted, replaced: HashSet::new(), changed, forgotten: false }
    }

    /// Notes the answer to a question.
    pub(super) fn add_lookup(
        &mut self,
        table: &Table,
        positions: &[FieldIndex],
        values: Vec<Vec<Scalar>>,
        found: Vec<Option<Vec<Scalar>>>,
    ) {
        let answered = values.into_iter().zip(found);
        match self.answers.iter_mut().find(|answers| answers.answers_key(table, positions)) {
            Some(answers) => answers.rows.extend(answered),
            None => self.answers.push(KeyLookup {
                table: table.clone(),
                positions: positions.to_vec(),
                rows: answered.collect(),
            }),
        }
    }

    /// The row of `table` whose fields at `positions` have `values`; none where that is not known without asking.
    pub(super) fn get(
        &self,
        table: &Table,
        positions: &[FieldIndex],
        values: &[Scalar],
    ) -> Option<Option<Vec<Scalar>>> {
        if self.forgotten {
            return None;
        }
        let answers = self.answers.iter().find(|answers| answers.answers_key(table, positions));
        if let Some(answer) = answers.and_then(|answers| answers.rows.get(values)) {
            return Some(answer.clone());
        }
        // What was not asked for was in no row of this table before the block.
        (table.name == self.table.name).then(|| {
            let accepted = self.among_accepted(positions, values).map(|row| self.row_content(row));
            accepted.or_else(|| self.among_changed(positions, values).map(|at| self.changed[at].clone()))
        })
    }

    /// The changed row that has these values.
    fn among_changed(&self, positions: &[FieldIndex], values: &[Scalar]) -> Option<usize> {
        let has = |row: &Vec<Scalar>| positions.iter().zip(values).all(|(at, value)| row[at.get()] == *value);
        self.changed.iter().position(has)
    }

    /// Forgets what was known, since another program has written meanwhile: from here on each question is asked.
    pub(super) fn forget_all(&mut self) {
        self.forgotten = true;
    }

    /// The row of the block that was accepted with these values, as far as it still has them.
    fn among_accepted(&self, positions: &[FieldIndex], values: &[Scalar]) -> Option<usize> {
        let columns = KeyColumns::new(self.rows, positions);
        let key = RowKey::from_values(values);
        let held = |row: &usize| {
            columns.row_key(*row) == key && columns.row_values(*row) == values && !self.replaced.contains(row)
        };
        // The newest first: a later row may have the key of one that was replaced.
        self.accepted.iter().rev().flat_map(|range| range.clone().rev()).find(held)
    }

    fn row_content(&self, row: usize) -> Vec<Scalar> {
        scalars_of_row(self.rows, row).into_iter().map(ScalarRef::to_owned).collect()
    }

    /// Notes that the rows at `ranges` are in the table now.
    pub(super) fn note_accepted(&mut self, ranges: &[Range<usize>]) {
        let own = self.table.name.clone();
        for answers in self.answers.iter_mut().filter(|answers| answers.table.name == own) {
            let columns = KeyColumns::new(self.rows, &answers.positions);
            for row in ranges.iter().cloned().flatten() {
                // Only keys that were asked for. The others are found among `accepted`.
                if let Some(answer) = answers.rows.get_mut(&columns.row_values(row)) {
                    *answer = Some(scalars_of_row(self.rows, row).into_iter().map(ScalarRef::to_owned).collect());
                }
            }
        }
        self.accepted.extend_from_slice(ranges);
    }

    /// Notes that the row with the primary key `values` has become what `change` says, by row `row` of the block.
    pub(super) fn note_update(&mut self, row: usize, values: &[Scalar], change: &RowChange) {
        let primary = &self.table.schema.primary_key;
        // Before anything is noted: what the row was is what its other keys stood under.
        let held = self.get(self.table, primary, values).flatten();
        self.replaced.extend(self.among_accepted(primary, values));
        if let Some(at) = self.among_changed(primary, values) {
            self.changed.swap_remove(at);
        }
        let content = &change.content;
        let own = self.table.name.clone();
        for answers in self.answers.iter_mut().filter(|answers| answers.table.name == own) {
            let of = |content: &[Scalar]| -> Vec<Scalar> {
                answers.positions.iter().map(|at| content[at.get()].clone()).collect()
            };
            if let Some(held) = &held {
                // First the old key goes, then the new one comes: where both are the same, the row is there.
                answers.rows.insert(of(held), None);
            }
            answers.rows.insert(of(content), Some(content.clone()));
        }
        // A row that has just the content of the block's need not be kept a second time.
        if self.row_content(row) == *content {
            self.accepted.push(row..row + 1);
        } else {
            self.changed.push(content.clone());
        }
    }
}

impl KeyLookup {
    fn answers_key(&self, table: &Table, positions: &[FieldIndex]) -> bool {
        self.table.name == table.name && self.positions == positions
    }
}

/// Tells the judge which keys of a block may be asked for, so that it can look for all of them at once.
pub(super) fn announce_keys(keys: &TableKeys, validated: &ValidatedBlock, judge: &mut dyn RowJudge) -> Result<()> {
    if !judge.wants_announcements() {
        return Ok(());
    }
    let uniques = if judge.can_find_rows() { &keys.uniques[..] } else { &[] };
    for unique in uniques {
        let wanted = |columns: &KeyColumns<'_>, row| unique.seen.contains_key(columns.row_key(row)) != Membership::No;
        let values = distinct_values(&all_rows_and_rejects(validated), &unique.positions, &wanted);
        if !values.is_empty() {
            judge.expect_values(&keys.table, &unique.positions, values)?;
        }
    }
    for foreign in &keys.foreigns {
        let wanted = |columns: &KeyColumns<'_>, row| match &foreign.parents {
            ParentKnowledge::Other(set) => {
                set.contains_parent(columns, row) != Membership::Yes && !foreign.absent.contains_parent(columns, row)
            }
            ParentKnowledge::Own(at) => keys.uniques[*at].seen.contains_parent(columns, row) != Membership::Yes,
        };
        let values = distinct_values(&all_rows_and_rejects(validated), &foreign.positions, &wanted);
        if !values.is_empty() {
            judge.expect_values(&foreign.parent, &foreign.parent_positions, values)?;
        }
    }
    Ok(())
}

/// Asks for rows by their values.
type AskRows<'a> = &'a dyn Fn(&Table, &[FieldIndex], &[Vec<Scalar>]) -> Result<Vec<Option<Vec<Scalar>>>>;

/// Asks for every row that holds a key of the block and for every parent that it names, so that `keys`, of which nothing is
/// known, know just those. With `trusting`, the rows that passed are taken for new, which the database will see to, and known
/// parents for being there.
pub(super) fn look_up_block(
    keys: &mut TableKeys,
    validated: &ValidatedBlock,
    trusting: bool,
    foreseen: &mut BlockLookups<'_>,
    ask: AskRows<'_>,
) -> Result<()> {
    let TableKeys { table, uniques, foreigns, .. } = keys;
    // Rejected records are asked for even so: they tell all their errors, keys that are taken included.
    let passed = if trusting { 0 } else { validated.rows.num_rows() };
    let all = [(&validated.rows, passed), (&validated.rejected_rows, validated.rejected_rows.num_rows())];
    for unique in &mut *uniques {
        let values = distinct_values(&all, &unique.positions, &|_, _| true);
        let found = ask(table, &unique.positions, &values)?;
        for (values, _) in values.iter().zip(&found).filter(|(_, found)| found.is_some()) {
            unique.seen.insert(RowKey::from_values(values));
        }
        foreseen.add_lookup(table, &unique.positions, values, found);
    }
    for foreign in foreigns {
        let unknown = |columns: &KeyColumns<'_>, row| match &foreign.parents {
            ParentKnowledge::Other(set) => set.contains_parent(columns, row) != Membership::Yes,
            ParentKnowledge::Own(_) => true,
        };
        let values = distinct_values(&all_rows_and_rejects(validated), &foreign.positions, &unknown);
        let found = ask(&foreign.parent, &foreign.parent_positions, &values)?;
        let there = values.iter().zip(&found).filter(|(_, found)| found.is_some()).map(|(values, _)| values);
        match &mut foreign.parents {
            ParentKnowledge::Other(set) => there.for_each(|values| set.insert_values(values)),
            ParentKnowledge::Own(at) => there.for_each(|values| uniques[*at].seen.insert(RowKey::from_values(values))),
        }
        foreseen.add_lookup(&foreign.parent, &foreign.parent_positions, values, found);
    }
    Ok(())
}

/// Some batches, and how many rows of each count.
type CountedBatches<'b> = [(&'b RecordBatch, usize); 2];

/// All rows and rejected records.
fn all_rows_and_rejects(validated: &ValidatedBlock) -> CountedBatches<'_> {
    [&validated.rows, &validated.rejected_rows].map(|batch| (batch, batch.num_rows()))
}

/// The distinct values of the fields at `positions`, of those rows and rejected records that are `wanted`.
fn distinct_values(
    batches: &CountedBatches<'_>,
    positions: &[FieldIndex],
    wanted: &dyn Fn(&KeyColumns<'_>, usize) -> bool,
) -> Vec<Vec<Scalar>> {
    let mut met = HashSet::new();
    let mut values = Vec::new();
    for (batch, rows) in batches {
        let columns = KeyColumns::new(batch, positions);
        // A key with a missing value clashes with none, and names no parent.
        for row in (0..*rows).filter(|&row| wanted(&columns, row) && columns.row_key(row) != RowKey::Null) {
            let found = columns.row_values(row);
            if met.insert(found.clone()) {
                values.push(found);
            }
        }
    }
    values
}
