//! The judge of a check: it tells what would become of each record.

use std::ops::Range;

use arrow_array::RecordBatch;
use landfall_core::{
    decode::Records,
    keys::{KeyColumns, Membership, ParentSet, RowKey, Scalar, scalars_of_row},
    reject::CellError,
    schema::FieldIndex,
};

use super::{
    SourceCounts, TableCheck, VisitRejected,
    pass::{CheckPass, OwnParentNeed, SuspectKeys, WaitingRow},
};
use crate::{
    error::Result,
    pipeline::{
        change::RowChange,
        keys::{ForeignKeyState, ParentKnowledge},
        resolve::{LoadFlow, RowJudge},
        trial::key_claim,
    },
    quarantine::ShownReject,
    targets::Table,
};

/// Judges the records of one block, and writes nothing.
pub(super) struct CheckJudge<'j, 'p, 'r> {
    pub(super) check: &'j TableCheck<'j>,
    pub(super) state: &'j mut CheckPass<'p>,
    pub(super) reading: &'j mut SourceCounts<'r>,
    pub(super) records: &'j Records,
    pub(super) offset: u64,
    pub(super) visit: VisitRejected<'j>,
    /// What the row at hand needs of its own table.
    pub(super) needs: Vec<OwnParentNeed>,
    /// What the target holds of the keys of this block, as far as it was asked beforehand.
    pub(super) asked: TargetAnswers,
}

/// Answers of a target: nothing is written, so that they stay true.
#[derive(Debug, Default)]
pub(super) struct TargetAnswers(Vec<(Table, Vec<FieldIndex>, SuspectKeys)>);

impl TargetAnswers {
    fn find_answer(&self, table: &Table, positions: &[FieldIndex], values: &[Scalar]) -> Option<&Option<Vec<Scalar>>> {
        let about =
            |(known, at, _): &&(Table, Vec<FieldIndex>, SuspectKeys)| known.name == table.name && at == positions;
        self.0.iter().filter(about).find_map(|(.., answers)| answers.get(values))
    }
}

impl CheckJudge<'_, '_, '_> {
    /// The row of `table` that the target holds with these values.
    fn find_stored(&self, table: &Table, positions: &[FieldIndex], values: &[Scalar]) -> Result<Option<Vec<Scalar>>> {
        match self.asked.find_answer(table, positions, values) {
            Some(answer) => Ok(answer.clone()),
            None => self.check.read.find_row(table, positions, values),
        }
    }

    /// The row that holds a unique key of the table checked.
    fn find_holder(
        &mut self,
        at: usize,
        table: &Table,
        positions: &[FieldIndex],
        values: &[Scalar],
    ) -> Result<Option<Vec<Scalar>>> {
        if self.state.settled.is_some()
            && let Some(Some(row)) = self.state.suspects[at].get(values)
        {
            return Ok(Some(row.clone()));
        }
        if self.state.stored[at].contains_key(RowKey::from_values(values)) != Membership::No
            && let Some(row) = self.find_stored(table, positions, values)?
        {
            return Ok(Some(row));
        }
        // The first reading keeps no rows. It notes the key here, and the second reading keeps the rows of such keys.
        if self.state.settled.is_none() {
            self.state.suspects[at].insert(values.to_vec(), None);
        }
        Ok(None)
    }

    /// Keeps a row as an update leaves it, where its keys may occur again.
    fn keep_changed(&mut self, change: &RowChange) {
        let uniques = unique_positions(self.state.table);
        for (positions, suspects) in uniques.iter().zip(&mut self.state.suspects) {
            if let Some(claimed) = suspects.get_mut(&change.values_at(positions)) {
                *claimed = Some(change.content.clone());
            }
        }
    }

    /// Keeps the rows whose keys may occur again.
    fn keep_rows(&mut self, rows: &RecordBatch, range: &Range<usize>) {
        let uniques = unique_positions(self.state.table);
        for (positions, suspects) in uniques.iter().zip(&mut self.state.suspects) {
            if suspects.is_empty() {
                continue;
            }
            let columns = KeyColumns::new(rows, positions);
            for row in range.clone() {
                if let Some(claimed) = suspects.get_mut(&columns.row_values(row)) {
                    *claimed = Some(scalars_of_row(rows, row).into_iter().map(|value| value.to_owned()).collect());
                }
            }
        }
    }
}

/// The fields of the unique keys of `table`, the primary key first.
fn unique_positions(table: &Table) -> Vec<Vec<FieldIndex>> {
    let primary = (!table.schema.primary_key.is_empty()).then(|| table.schema.primary_key.clone());
    primary.into_iter().chain(table.schema.unique_keys.iter().cloned()).collect()
}

impl RowJudge for CheckJudge<'_, '_, '_> {
    fn wants_announcements(&self) -> bool {
        self.check.read.is_remote()
    }

    fn expect_values(&mut self, table: &Table, positions: &[FieldIndex], mut values: Vec<Vec<Scalar>>) -> Result<()> {
        let own = table.name == self.state.table.name;
        let unique = unique_positions(self.state.table).iter().position(|unique| own && unique == positions);
        if let Some(at) = unique {
            // The keys of the table are known, so that only those which it may hold are asked for.
            values.retain(|values| self.state.stored[at].contains_key(RowKey::from_values(values)) != Membership::No);
        }
        let found = self.check.read.find_rows(table, positions, &values)?;
        self.asked.0.push((table.clone(), positions.to_vec(), values.into_iter().zip(found).collect()));
        Ok(())
    }

    fn find(&mut self, table: &Table, positions: &[FieldIndex], values: &[Scalar]) -> Result<Option<Vec<Scalar>>> {
        let own = table.name == self.state.table.name;
        match unique_positions(self.state.table).iter().position(|unique| own && unique == positions) {
            Some(at) => self.find_holder(at, table, positions, values),
            None => self.find_stored(table, positions, values),
        }
    }

    fn accept_rows(&mut self, _table: &Table, rows: &RecordBatch, accepted: &[Range<usize>]) -> Result<()> {
        let needs = std::mem::take(&mut self.needs);
        for range in accepted {
            self.reading.counts.inserted += range.len() as u64;
            if self.state.settled.is_some() {
                self.keep_rows(rows, range);
            }
            if needs.is_empty() {
                for (positions, set) in &mut self.state.parents {
                    let columns = KeyColumns::new(rows, positions);
                    range.clone().for_each(|row| set.insert(&columns, row));
                }
            }
        }
        if let (false, Some(row)) = (needs.is_empty(), accepted.first().map(|range| range.start)) {
            let table = self.state.table;
            let claims = unique_positions(table)
                .iter()
                .filter_map(|positions| key_claim(&table.name, positions, &KeyColumns::new(rows, positions), row))
                .collect();
            self.state.waiting.push(WaitingRow { claims, needs });
        }
        Ok(())
    }

    fn update_row(&mut self, _: &Table, _: &RecordBatch, _row: usize, change: RowChange) -> Result<Option<String>> {
        self.reading.counts.updated += 1;
        if self.state.settled.is_some() {
            self.keep_changed(&change);
        }
        Ok(None)
    }

    fn count_unchanged(&mut self, _row: usize) {
        // They are of a row that is not inserted.
        self.needs.clear();
        self.reading.counts.unchanged += 1;
    }

    fn reject_record(&mut self, record: u32, errors: Vec<CellError>) -> Result<LoadFlow> {
        self.needs.clear();
        let at = record as usize;
        let raw = self.records.raw_bytes(at);
        let raw_length = raw.len() as u64;
        let (raw, raw_escaped) = ShownReject::raw_text(raw, raw_length);
        self.reading.counts.rejected += 1;
        self.reading.reasons.count_errors(&errors);
        (self.visit)(ShownReject {
            table: self.state.table.name.to_string(),
            source: self.reading.source.name.clone(),
            record: self.reading.counts.read + u64::from(record) + 1,
            line: self.reading.lines + self.records.lines_before(at) as u64 + 1,
            offset: self.offset + self.records.byte_offset(at) as u64,
            raw,
            raw_escaped,
            raw_length,
            errors,
        })?;
        Ok(LoadFlow::Continue)
    }

    fn pardons_parent(&mut self, foreign: &ForeignKeyState, columns: &KeyColumns<'_>, row: usize) -> Result<bool> {
        if !matches!(foreign.parents, ParentKnowledge::Own(_)) {
            return Ok(false);
        }
        let values = columns.row_values(row);
        let positions = &foreign.parent_positions;
        let claim = key_claim(&foreign.parent.name, positions, columns, row);
        match (&self.state.settled, claim) {
            (Some(settled), claim) => {
                let of = |(known, set): &(Vec<FieldIndex>, ParentSet)| {
                    known == positions && set.contains_values(&values) == Membership::Yes
                };
                Ok(settled.accepted.iter().any(of) || claim.is_some_and(|claim| settled.claims.contains(&claim)))
            }
            (None, Some(claim)) => {
                self.needs.push(OwnParentNeed { claim, values });
                Ok(true)
            }
            // A key with a missing value names no parent.
            (None, None) => Ok(true),
        }
    }
}
