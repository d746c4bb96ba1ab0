//! Records put aside because their keys may have occurred before, in a table that was being built and could not be
//! searched. They are judged at the end of their load, in their order, against the table as it is then.
//!
//! Nothing else can stand between: every key that such a record might claim counts as seen, so that any later record with
//! one of its keys was put aside too.

use std::{collections::HashSet, ops::Range};

use arrow_array::RecordBatch;
use landfall_core::{
    decode::Records,
    keys::{KeyColumns, RowKey, Scalar},
    reject::CellError,
    schema::FieldIndex,
    validate::ValidatedBlock,
};

use super::{
    adopt::read_raw,
    change::RowChange,
    chunk::LoadTally,
    key_errors::refusal_error,
    keys::TableKeys,
    layout::SourceLayout,
    load::LoadSession,
    lookups::BlockLookups,
    open_source::RecordRules,
    resolve::{LoadFlow, RowJudge, record_of_row, resolve_keys},
};
use crate::{
    error::{Result, TargetError},
    ledger::LoadEntry,
    quarantine::{Reject, RejectFilter, RejectId, RejectState},
    targets::{RefusedRow, Table, Transaction},
};

/// Records judged in one go.
const PAGE: u64 = 20_000;

/// Judges the records of the load `entry` that were put aside.
pub(super) fn settle_suspects(
    session: &LoadSession<'_>,
    transaction: &mut dyn Transaction,
    table: &Table,
    entry: &LoadEntry,
    tally: &mut LoadTally,
) -> Result<()> {
    let layout: SourceLayout = serde_json::from_str(&entry.layout)
        .map_err(|error| format!("the ledger does not say how the columns of load {} lie: {error}", entry.id))
        .map_err(TargetError::damaged_books)?;
    let resource = &session.project.package[session.project.find_position(&table.name)?];
    let rules = RecordRules::new(&layout.written_resource(resource)?, &layout, &transaction.table_limits(table))?;
    let mut filter = RejectFilter {
        load: Some(entry.id),
        state: Some(RejectState::Deferred),
        limit: Some(PAGE),
        ..RejectFilter::default()
    };
    loop {
        let page = transaction.find_rejects(&filter)?;
        let Some(last) = page.last() else { break };
        // By number, since what passes leaves the quarantine between two pages.
        filter.after = last.id;
        judge_page(session, transaction, table, &rules, entry, &page, tally)?;
    }
    tally.deferred -= tally.suspects;
    tally.suspects = 0;
    Ok(())
}

fn judge_page(
    session: &LoadSession<'_>,
    transaction: &mut dyn Transaction,
    table: &Table,
    rules: &RecordRules,
    entry: &LoadEntry,
    page: &[Reject],
    tally: &mut LoadTally,
) -> Result<()> {
    let records = decode_page(session, transaction, rules, page)?;
    let mut first = 0;
    for records in records {
        let count = records.len();
        let mut validated = rules.validator.validate_records(&records);
        let rejected = std::mem::take(&mut validated.rejects);
        // Anew each time: the rows that passed before are in the table now, and it is asked for them.
        let mut keys = TableKeys::without_knowledge(table, session.tables);
        let needs = keys.foreigns.iter().map(|foreign| ForeignKeyNeed {
            fields: foreign.positions.clone(),
            parent: foreign.parent.clone(),
            parent_fields: foreign.parent_positions.clone(),
        });
        let needs = needs.collect();
        let mut judge = SuspectJudge {
            page: &page[first..first + count],
            validated: &validated,
            foreseen: BlockLookups::new(table, &validated.rows),
            verdicts: PageVerdicts::default(),
            needs,
            transaction,
            tally,
        };
        resolve_keys(&mut keys, &validated, rejected, entry.on_conflict, &mut judge)?;
        judge.write_verdicts()?;
        first += count;
    }
    Ok(())
}

/// The records of a page: together where their bytes can stand side by side, one by one otherwise.
fn decode_page(
    session: &LoadSession<'_>,
    transaction: &dyn Transaction,
    rules: &RecordRules,
    page: &[Reject],
) -> Result<Vec<Records>> {
    let mut raws = Vec::with_capacity(page.len());
    for reject in page {
        raws.push(read_raw(session, transaction, reject)?.unwrap_or_default());
    }
    if let Some(records) = rules.decoder.decode_records(&raws).filter(|records| records.len() == page.len()) {
        return Ok(vec![records]);
    }
    Ok(raws.iter().map(|raw| rules.decoder.decode_record(raw)).collect())
}

/// What became of the records of a page.
#[derive(Debug, Default)]
struct PageVerdicts {
    /// They are rejects no more.
    passed: Vec<RejectId>,
    /// They are, for these reasons.
    rejected: Vec<(RejectId, Vec<CellError>)>,
}

/// A foreign key: what a row needs.
struct ForeignKeyNeed {
    fields: Vec<FieldIndex>,
    parent: Table,
    parent_fields: Vec<FieldIndex>,
}

struct SuspectJudge<'j> {
    page: &'j [Reject],
    validated: &'j ValidatedBlock,
    foreseen: BlockLookups<'j>,
    verdicts: PageVerdicts,
    needs: Vec<ForeignKeyNeed>,
    transaction: &'j mut dyn Transaction,
    tally: &'j mut LoadTally,
}

impl SuspectJudge<'_> {
    /// Writes down what became of the records.
    fn write_verdicts(self) -> Result<()> {
        self.tally.counts.rejected -= self.verdicts.passed.len() as u64;
        for (_, errors) in &self.verdicts.rejected {
            self.tally.reasons.count_errors(errors);
        }
        self.transaction.withdraw_rejects(&self.verdicts.passed)?;
        self.transaction.confirm_rejects(&self.verdicts.rejected)
    }

    /// Holds the parents of the rows at `accepted`, as a chunk does.
    fn hold_parents(&mut self, table: &Table, rows: &RecordBatch, accepted: &[Range<usize>]) -> Result<()> {
        for need in &self.needs {
            let columns = KeyColumns::new(rows, &need.fields);
            let values: HashSet<Vec<Scalar>> = accepted
                .iter()
                .cloned()
                .flatten()
                .filter(|&row| columns.row_key(row) != RowKey::Null)
                .map(|row| columns.row_values(row))
                .collect();
            let values: Vec<_> = values.into_iter().collect();
            self.transaction.hold_parents(table, &need.parent, &need.parent_fields, &values)?;
        }
        Ok(())
    }

    fn count_passed(&mut self, row: usize) {
        let record = record_of_row(&self.validated.row_records, row) as usize;
        self.verdicts.passed.push(self.page[record].id);
    }
}

impl RowJudge for SuspectJudge<'_> {
    fn wants_announcements(&self) -> bool {
        true
    }

    fn expect_values(&mut self, table: &Table, positions: &[FieldIndex], values: Vec<Vec<Scalar>>) -> Result<()> {
        let found = self.transaction.find_rows(table, positions, &values)?;
        self.foreseen.add_lookup(table, positions, values, found);
        Ok(())
    }

    fn find(&mut self, table: &Table, positions: &[FieldIndex], values: &[Scalar]) -> Result<Option<Vec<Scalar>>> {
        match self.foreseen.get(table, positions, values) {
            Some(answer) => Ok(answer),
            None => self.transaction.find_row(table, positions, values),
        }
    }

    fn accept_rows(&mut self, table: &Table, rows: &RecordBatch, accepted: &[Range<usize>]) -> Result<()> {
        // A table that is being built has no foreign keys yet, so that the database checks none.
        self.hold_parents(table, rows, accepted)?;
        let refusals = self.transaction.insert_rows(table, rows, accepted)?;
        self.foreseen.note_accepted(accepted);
        if !refusals.is_empty() {
            self.foreseen.forget_all();
        }
        for row in accepted.iter().cloned().flatten() {
            match refusals.iter().find(|refusal| refusal.row == row) {
                Some(RefusedRow { message, .. }) => {
                    let record = record_of_row(&self.validated.row_records, row);
                    self.reject_record(record, vec![refusal_error(message)])?;
                }
                None => {
                    self.tally.counts.inserted += 1;
                    self.count_passed(row);
                }
            }
        }
        Ok(())
    }

    fn update_row(&mut self, _: &Table, _: &RecordBatch, _row: usize, _: RowChange) -> Result<Option<String>> {
        unreachable!("a table is not built aside by a load that updates rows")
    }

    fn count_unchanged(&mut self, row: usize) {
        self.tally.counts.unchanged += 1;
        self.count_passed(row);
    }

    fn reject_record(&mut self, record: u32, errors: Vec<CellError>) -> Result<LoadFlow> {
        self.verdicts.rejected.push((self.page[record as usize].id, errors));
        Ok(LoadFlow::Continue)
    }
}
