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
    validate::ValidatedBlock,
};

use super::{
    adopt::bytes_of,
    change::RowChange,
    chunk::Tally,
    foreseen::Foreseen,
    key_errors::refused,
    keys::Keys,
    layout::Layout,
    load::Session,
    opened::RecordRules,
    resolve::{Flow, Judge, record_of, resolve},
};
use crate::{
    error::{Error, Result},
    ledger::LoadEntry,
    quarantine::{Reject, RejectFilter, RejectId, RejectState},
    targets::{RefusedRow, Table, Transaction},
};

/// Records judged in one go.
const PAGE: u64 = 20_000;

/// Judges the records of the load `entry` that were put aside.
pub(super) fn settle_suspects(
    session: &Session<'_>,
    transaction: &mut dyn Transaction,
    table: &Table,
    entry: &LoadEntry,
    tally: &mut Tally,
) -> Result<()> {
    let layout: Layout = serde_json::from_str(&entry.layout)
        .map_err(|error| Error::Usage(format!("the ledger does not say how the columns of a load lie: {error}")))?;
    let resource = &session.project.package.resources[session.project.position(&table.name)?];
    let rules = RecordRules::new(&layout.written(resource)?, &layout, &transaction.limits(table))?;
    let mut filter = RejectFilter {
        load: Some(entry.id),
        state: Some(RejectState::Deferred),
        limit: Some(PAGE),
        ..RejectFilter::default()
    };
    loop {
        let page = transaction.rejects(&filter)?;
        let Some(last) = page.last() else { break };
        filter.after = last.id;
        settle_page(session, transaction, table, &rules, entry, &page, tally)?;
    }
    tally.deferred -= tally.suspects;
    tally.suspects = 0;
    Ok(())
}

fn settle_page(
    session: &Session<'_>,
    transaction: &mut dyn Transaction,
    table: &Table,
    rules: &RecordRules,
    entry: &LoadEntry,
    page: &[Reject],
    tally: &mut Tally,
) -> Result<()> {
    let records = records_of(session, transaction, rules, page)?;
    let mut first = 0;
    for records in records {
        let count = records.len();
        let mut validated = rules.validator.validate_records(&records);
        let rejected = std::mem::take(&mut validated.rejects);
        let mut keys = Keys::unknown(table, session.tables);
        let needs = keys.foreigns.iter().map(|foreign| Need {
            fields: foreign.positions.clone(),
            parent: foreign.parent.clone(),
            parent_fields: foreign.parent_positions.clone(),
        });
        let needs = needs.collect();
        let mut judge = SuspectJudge {
            page: &page[first..first + count],
            validated: &validated,
            foreseen: Foreseen::new(table, &validated.rows),
            verdicts: Verdicts::default(),
            needs,
            transaction,
            tally,
        };
        resolve(&mut keys, &validated, rejected, entry.on_conflict, &mut judge)?;
        judge.finish()?;
        first += count;
    }
    Ok(())
}

/// The records of a page: together where their bytes can stand side by side, one by one otherwise.
fn records_of(
    session: &Session<'_>,
    transaction: &dyn Transaction,
    rules: &RecordRules,
    page: &[Reject],
) -> Result<Vec<Records>> {
    let mut raws = Vec::with_capacity(page.len());
    for reject in page {
        raws.push(bytes_of(session, transaction, reject)?.unwrap_or_default());
    }
    if let Some(records) = rules.decoder.decode_records(&raws).filter(|records| records.len() == page.len()) {
        return Ok(vec![records]);
    }
    Ok(raws.iter().map(|raw| rules.decoder.decode_record(raw)).collect())
}

/// What became of the records of a page.
#[derive(Debug, Default)]
struct Verdicts {
    /// They are rejects no more.
    passed: Vec<RejectId>,
    /// They are, for these reasons.
    rejected: Vec<(RejectId, Vec<CellError>)>,
}

/// A foreign key: what a row needs.
struct Need {
    fields: Vec<usize>,
    parent: Table,
    parent_fields: Vec<usize>,
}

struct SuspectJudge<'j> {
    page: &'j [Reject],
    validated: &'j ValidatedBlock,
    foreseen: Foreseen<'j>,
    verdicts: Verdicts,
    needs: Vec<Need>,
    transaction: &'j mut dyn Transaction,
    tally: &'j mut Tally,
}

impl SuspectJudge<'_> {
    /// Writes down what became of the records.
    fn finish(self) -> Result<()> {
        self.tally.counts.rejected -= self.verdicts.passed.len() as u64;
        for (_, errors) in &self.verdicts.rejected {
            self.tally.reasons.add(errors);
        }
        self.transaction.withdraw(&self.verdicts.passed)?;
        self.transaction.confirm(&self.verdicts.rejected)
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

    fn passed(&mut self, row: usize) {
        let record = record_of(&self.validated.row_records, row) as usize;
        self.verdicts.passed.push(self.page[record].id);
    }
}

impl Judge for SuspectJudge<'_> {
    fn foresees(&self) -> bool {
        true
    }

    fn expect(&mut self, table: &Table, positions: &[usize], values: Vec<Vec<Scalar>>) -> Result<()> {
        let found = self.transaction.find_all(table, positions, &values)?;
        self.foreseen.add(table, positions, values, found);
        Ok(())
    }

    fn find(&mut self, table: &Table, positions: &[usize], values: &[Scalar]) -> Result<Option<Vec<Scalar>>> {
        match self.foreseen.get(table, positions, values) {
            Some(answer) => Ok(answer),
            None => self.transaction.find(table, positions, values),
        }
    }

    fn accept(&mut self, table: &Table, rows: &RecordBatch, accepted: &[Range<usize>]) -> Result<()> {
        self.hold_parents(table, rows, accepted)?;
        let refusals = self.transaction.insert(table, rows, accepted)?;
        self.foreseen.accepted(accepted);
        if !refusals.is_empty() {
            self.foreseen.forget();
        }
        for row in accepted.iter().cloned().flatten() {
            match refusals.iter().find(|refusal| refusal.row == row) {
                Some(RefusedRow { message, .. }) => {
                    let record = record_of(&self.validated.row_records, row);
                    self.reject(record, vec![refused(message)])?;
                }
                None => {
                    self.tally.counts.inserted += 1;
                    self.passed(row);
                }
            }
        }
        Ok(())
    }

    fn update(&mut self, _: &Table, _: &RecordBatch, _row: usize, _: RowChange) -> Result<Option<String>> {
        unreachable!("a table is not built aside by a load that updates rows")
    }

    fn unchanged(&mut self, row: usize) {
        self.tally.counts.unchanged += 1;
        self.passed(row);
    }

    fn reject(&mut self, record: u32, errors: Vec<CellError>) -> Result<Flow> {
        self.verdicts.rejected.push((self.page[record as usize].id, errors));
        Ok(Flow::Continue)
    }
}
