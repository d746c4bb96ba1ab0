//! The records of a load looked for afresh: in its source, its table and the quarantine.

use landfall_core::{
    keys::{IntegerSet, KeyColumns, Scalar},
    schema::TableIndex,
    validate::ValidatedBlock,
};

use super::{
    LoadProgress, Observer,
    blocks::{PieceContent, read_blocks},
    change::agrees_with_stored,
    open_source::OpenSource,
    options::WorkLimits,
    resolve::record_of_row,
};
use crate::{
    error::Result,
    ledger::{LoadEntry, OnConflict},
    project::Project,
    source::Source,
    targets::{Table, TargetRead},
};

/// What was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RecountResult {
    /// Records of the source, as far as the load has read it.
    pub(crate) records: u64,
    /// Records that are rows of the table, with just their content.
    pub(crate) in_table: u64,
    /// Records whose primary key the table holds with other content.
    pub(crate) changed: u64,
    /// Records that are nowhere.
    pub(crate) missing: u64,
    /// The line of the first of those.
    pub(crate) first_missing: u64,
}

/// Counts the records of `source` that the load `entry` has read, and looks for each in its table and among the records
/// `quarantined`. Rows of a table without a primary key cannot be looked for; they count as found.
///
/// # Errors
/// A source or target that cannot be read.
pub(crate) fn recount_load(
    read: &dyn TargetRead,
    project: &Project,
    position: TableIndex,
    source: &Source,
    entry: &LoadEntry,
    quarantined: &IntegerSet,
    observer: &dyn Observer,
) -> Result<RecountResult> {
    let resource = &project.package[position];
    let table = &project.target_tables()[position.get()];
    observer.source_begins(&resource.name, &source.name);
    let usual = WorkLimits::default();
    let work = WorkLimits { record_bytes: usize::try_from(entry.record_bytes).unwrap_or(usual.record_bytes), ..usual };
    let opened = OpenSource::new(source, resource, &read.table_limits(table), work, 0)?;
    let total_bytes = source.read_stamp()?.size.unwrap_or_default();
    let mut search =
        RecordSearch { read, table, quarantined, lines: opened.start.lines, recount: RecountResult::default() };
    let end = entry.position.offset;
    read_blocks(opened, work.threads, |blocks| {
        for block in blocks {
            let block = block?;
            // The load has read so far. What follows, if it stopped, is none of its records.
            if block.offset >= end {
                break;
            }
            let (line_ends, consumed) = (block.line_ends(), block.consumed);
            match block.content {
                PieceContent::Records(read) => {
                    let (read, mut validated) = *read;
                    if entry.on_conflict == OnConflict::Update {
                        validated = validated.admit_updates(&table.schema);
                    }
                    let within = |record: usize| block.offset + (read.byte_offset(record) as u64) < end;
                    let records = (0..read.len()).take_while(|&record| within(record)).count();
                    search.search_block(records, &validated, &|record| read.lines_before(record) as u64)?;
                }
                PieceContent::TooLong(record) if !record.comment => search.expect_reject(0),
                PieceContent::TooLong(_) => {}
            }
            search.lines += line_ends;
            let RecountResult { records, .. } = search.recount;
            observer.report_progress(LoadProgress { bytes: consumed, total_bytes, records, rejected: 0 });
        }
        Ok(())
    })?;
    Ok(search.recount)
}

/// The search for the records of one load.
struct RecordSearch<'s> {
    read: &'s dyn TargetRead,
    table: &'s Table,
    quarantined: &'s IntegerSet,
    lines: u64,
    recount: RecountResult,
}

impl RecordSearch<'_> {
    /// The first `records` records of a block.
    fn search_block(&mut self, records: usize, validated: &ValidatedBlock, line: &dyn Fn(usize) -> u64) -> Result<()> {
        let before = self.recount.records;
        let key = &self.table.schema.primary_key;
        let columns = KeyColumns::new(&validated.rows, key);
        let mut passed = vec![None; records];
        for row in 0..validated.rows.num_rows() {
            if let Some(slot) = passed.get_mut(record_of_row(&validated.row_records, row) as usize) {
                *slot = Some(row);
            }
        }
        let mut held = self.search_rows(before, &passed, &columns)?.into_iter();
        for (record, row) in passed.into_iter().enumerate() {
            // `is_quarantined` looks at the record that follows those counted.
            self.recount.records = before + record as u64;
            let at = u32::try_from(record).unwrap_or(u32::MAX);
            match row {
                None => self.expect_reject(line(record)),
                // It passed the rules, and was rejected for its keys.
                Some(_) if self.is_quarantined() => self.recount.records += 1,
                Some(_) if key.is_empty() => self.count_found(),
                Some(row) => match held.next().flatten() {
                    None => self.note_lost(line(record)),
                    Some(held) => {
                        if agrees_with_stored(&validated.rows, row, &validated.presence, at, &held) {
                            self.count_found();
                        } else {
                            self.recount.changed += 1;
                            self.recount.records += 1;
                        }
                    }
                },
            }
        }
        Ok(())
    }

    /// What the table holds of those rows of a block that are not in the quarantine, in their order: asked for at once.
    fn search_rows(
        &mut self,
        before: u64,
        passed: &[Option<usize>],
        columns: &KeyColumns<'_>,
    ) -> Result<Vec<Option<Vec<Scalar>>>> {
        let key = &self.table.schema.primary_key;
        if key.is_empty() {
            return Ok(Vec::new());
        }
        let mut values = Vec::new();
        for (record, row) in passed.iter().enumerate() {
            self.recount.records = before + record as u64;
            if let Some(row) = row
                && !self.is_quarantined()
            {
                values.push(columns.row_values(*row));
            }
        }
        self.read.find_rows(self.table, key, &values)
    }

    fn is_quarantined(&self) -> bool {
        self.quarantined.contains(i64::try_from(self.recount.records + 1).unwrap_or(i64::MAX))
    }

    fn count_found(&mut self) {
        self.recount.in_table += 1;
        self.recount.records += 1;
    }

    /// A record that cannot be a row: it must be in the quarantine.
    fn expect_reject(&mut self, line: u64) {
        if self.is_quarantined() {
            self.recount.records += 1;
        } else {
            self.note_lost(line);
        }
    }

    fn note_lost(&mut self, line: u64) {
        if self.recount.missing == 0 {
            self.recount.first_missing = self.lines + line + 1;
        }
        self.recount.missing += 1;
        self.recount.records += 1;
    }
}
