//! A check: the same validation as a load, and nothing written.
//!
//! What a row's key clashes with may stand earlier in the same source, which no database holds. So the source is read
//! once with the keys in bitmaps or filters. Only where keys turned up that may occur twice is it read a second time: then
//! the rows with just those keys are kept and compared, in record order, as a load would compare them.

mod judge;
mod pass;
mod without_rows;

use std::{collections::HashMap, sync::Arc, time::Instant};

use landfall_core::{keys::ParentSet, schema::FieldIndex};

pub(super) use self::without_rows::WithoutRows;
use self::{
    judge::{CheckJudge, TargetAnswers},
    pass::CheckPass,
};
use super::{
    LoadOptions, LoadOutcome, LoadProgress, Observer, ReasonCounts, Selection, StageSeconds,
    blocks::{PieceContent, ReadBlock, read_blocks},
    keys::{ParentKnowledge, TableKeys},
    open_source::OpenSource,
    plan::{LoadStep, plan_steps},
    resolve::resolve_keys,
};
use crate::{
    error::Result,
    ledger::{Counts, LoadEntry, LoadState, Mode, OnConflict},
    project::Project,
    quarantine::ShownReject,
    source::{Source, copy_range},
    targets::{Table, TargetRead},
};

/// Bytes of rejects kept until it is known whether the sources must be read a second time.
const HELD_BYTES: usize = 32 << 20;

/// Is told each rejected record.
type VisitRejected<'v> = &'v mut dyn FnMut(ShownReject) -> Result<()>;

/// Validates the tables of `selections`, or all, as a load would, against what `read` holds, and writes nothing. Each
/// rejected record is handed to `visit`, in the order of tables, sources and records; one outcome for each source.
///
/// # Errors
/// A source that cannot be read, or whose header contradicts the schema.
pub fn check_tables(
    read: &dyn TargetRead,
    project: &Project,
    selections: &[Selection],
    options: &LoadOptions,
    visit: VisitRejected<'_>,
    observer: &dyn Observer,
) -> Result<Vec<LoadOutcome>> {
    check_steps(read, project, &plan_steps(project, selections)?, options, visit, observer)
}

/// Validates the sources of `steps`, as [`check_tables`] does. Tables that are to be replaced count as empty.
pub(super) fn check_steps(
    read: &dyn TargetRead,
    project: &Project,
    steps: &[LoadStep],
    options: &LoadOptions,
    visit: VisitRejected<'_>,
    observer: &dyn Observer,
) -> Result<Vec<LoadOutcome>> {
    if options.mode != Mode::Replace {
        return run(read, project, steps, options, visit, observer);
    }
    // A replace takes the rows away first: nothing may clash with them.
    let names = steps.iter().map(|step| project.package[step.position].name.clone()).collect();
    run(&WithoutRows { read, names }, project, steps, options, visit, observer)
}

fn run(
    read: &dyn TargetRead,
    project: &Project,
    steps: &[LoadStep],
    options: &LoadOptions,
    visit: VisitRejected<'_>,
    observer: &dyn Observer,
) -> Result<Vec<LoadOutcome>> {
    let tables = project.target_tables();
    let mut held = ReferredKeys::default();
    let mut outcomes = Vec::new();
    for step in steps {
        let check = TableCheck { read, project, tables: &tables, step, options, observer };
        outcomes.extend(check.run(&mut held, visit)?);
    }
    Ok(outcomes)
}

/// The keys of tables that were checked, as foreign keys of others refer to them: what the target holds, and what would
/// be loaded.
type ReferredKeys = HashMap<(Arc<str>, Vec<FieldIndex>), ParentSet>;

/// The check of one table.
struct TableCheck<'c> {
    read: &'c dyn TargetRead,
    project: &'c Project,
    tables: &'c [Table],
    step: &'c LoadStep,
    options: &'c LoadOptions,
    observer: &'c dyn Observer,
}

impl TableCheck<'_> {
    fn checked_table(&self) -> &Table {
        &self.tables[self.step.position.get()]
    }

    fn run(&self, held: &mut ReferredKeys, visit: VisitRejected<'_>) -> Result<Vec<LoadOutcome>> {
        let keys = self.read_keys(held)?;
        let mut state = CheckPass::first_pass(self, keys)?;
        let mut buffer = RejectBuffer::default();
        // Held back: if a second pass is needed, what the first one tells is not final.
        let mut outcomes = self.run_pass(&mut state, &mut |record| {
            buffer.push(record);
            Ok(())
        })?;
        // Too many to be held: they are told by the second pass as they come.
        if state.needs_second() || buffer.overflown {
            state = state.second_pass(self, self.read_keys(held)?)?;
            outcomes = self.run_pass(&mut state, visit)?;
        } else {
            buffer.records.into_iter().try_for_each(visit)?;
        }
        // For the tables that follow: their parents would be loaded by then.
        held.extend(state.parents.into_iter().map(|(at, set)| ((self.checked_table().name.clone(), at), set)));
        Ok(outcomes)
    }

    /// The keys of the table as the target holds them, with the parents that were checked before.
    fn read_keys(&self, held: &ReferredKeys) -> Result<TableKeys> {
        // As if endlessly many records came, so that all keys are read.
        let mut keys = TableKeys::open(self.read, self.checked_table(), self.tables, u64::MAX)?;
        for foreign in &mut keys.foreigns {
            let checked = held.get(&(foreign.parent.name.clone(), foreign.parent_positions.clone()));
            if let (ParentKnowledge::Other(set), Some(checked)) = (&mut foreign.parents, checked) {
                set.clone_from(checked);
            }
        }
        Ok(keys)
    }

    /// The keys of this table that foreign keys refer to, as the target holds them.
    fn read_referred_keys(&self) -> Result<Vec<(Vec<FieldIndex>, ParentSet)>> {
        let mut found: Vec<(Vec<FieldIndex>, ParentSet)> = Vec::new();
        for child in self.tables {
            for key in child.schema.foreign_keys.iter().filter(|key| key.parent == self.checked_table().name) {
                let positions: Vec<FieldIndex> = key
                    .parent_fields
                    .iter()
                    .filter_map(|name| self.checked_table().schema.field_position(name))
                    .collect();
                if found.iter().all(|(known, _)| *known != positions) {
                    let set = super::keys::read_all_parents(self.read, self.checked_table(), &positions)?;
                    found.push((positions, set));
                }
            }
        }
        Ok(found)
    }

    /// Reads all sources of the table.
    fn run_pass(&self, state: &mut CheckPass<'_>, visit: VisitRejected<'_>) -> Result<Vec<LoadOutcome>> {
        self.step.sources.iter().map(|source| self.check_source(source, state, visit)).collect()
    }

    fn check_source(
        &self,
        source: &Source,
        state: &mut CheckPass<'_>,
        visit: VisitRejected<'_>,
    ) -> Result<LoadOutcome> {
        let started = Instant::now();
        let resource = &self.project.package[self.step.position];
        self.observer.source_begins(&resource.name, &source.name);
        let opened =
            OpenSource::new(source, resource, &self.read.table_limits(self.checked_table()), self.options.work, 0)?;
        let total_bytes = source.read_stamp()?.size.unwrap_or_default();
        let mut reading = SourceCounts {
            source,
            lines: opened.start.lines,
            counts: Counts::default(),
            reasons: ReasonCounts::default(),
            stray_quotes: 0,
        };
        let (keys_seconds, stages) = read_blocks(opened, self.options.work.threads, |blocks| {
            let mut seconds = 0.0;
            for block in blocks {
                let block = block?;
                let begun = Instant::now();
                let consumed = block.consumed;
                self.check_block(block, state, &mut reading, visit)?;
                seconds += begun.elapsed().as_secs_f64();
                let Counts { read, rejected, .. } = reading.counts;
                self.observer.report_progress(LoadProgress { bytes: consumed, total_bytes, records: read, rejected });
            }
            Ok(seconds)
        })?;
        let entry = LoadEntry::new(&resource.name, &source.name, self.options.mode, self.options.on_conflict);
        let outcome = LoadOutcome {
            state: LoadState::Complete,
            counts: reading.counts,
            seconds: started.elapsed().as_secs_f64(),
            reasons: reading.reasons.ranked_reasons(),
            stray_quotes: reading.stray_quotes,
            stages: Some(StageSeconds { keys: keys_seconds, ..stages }),
            ..LoadOutcome::from_entry(&entry)
        };
        self.observer.source_ends(&outcome);
        Ok(outcome)
    }

    fn check_block(
        &self,
        block: ReadBlock,
        state: &mut CheckPass<'_>,
        reading: &mut SourceCounts<'_>,
        visit: VisitRejected<'_>,
    ) -> Result<()> {
        let line_ends = block.line_ends();
        match block.content {
            PieceContent::Records(read) => {
                let (records, mut validated) = *read;
                reading.stray_quotes += u64::from(records.stray_quote_count());
                if self.options.on_conflict == OnConflict::Update {
                    validated = validated.admit_updates(&self.checked_table().schema);
                }
                let rejected = std::mem::take(&mut validated.rejects);
                // Taken out, since the judge borrows all of `state`.
                let mut keys = state.keys.take();
                if let Some(keys) = &mut keys {
                    let mut judge = CheckJudge {
                        check: self,
                        state,
                        reading,
                        records: &records,
                        offset: block.offset,
                        visit,
                        needs: Vec::new(),
                        asked: TargetAnswers::default(),
                    };
                    resolve_keys(keys, &validated, rejected, self.options.on_conflict, &mut judge)?;
                }
                state.keys = keys;
                reading.counts.read += records.len() as u64;
            }
            PieceContent::TooLong(record) if record.comment => {}
            PieceContent::TooLong(record) => {
                let mut raw = Vec::new();
                // Its beginning is enough to be recognized by.
                copy_range(reading.source, record.offset, record.raw_len().min(4096), 4096, &mut |bytes| {
                    raw.extend_from_slice(bytes);
                    Ok(())
                })?;
                let errors = vec![super::chunk::too_long_error(record.raw_len())];
                let (raw, raw_escaped) = ShownReject::raw_text(&raw, record.raw_len());
                reading.reasons.count_errors(&errors);
                visit(ShownReject {
                    table: self.checked_table().name.to_string(),
                    source: reading.source.name.clone(),
                    record: reading.counts.read + 1,
                    line: reading.lines + 1,
                    offset: record.offset,
                    raw,
                    raw_escaped,
                    raw_length: record.raw_len(),
                    errors,
                })?;
                reading.counts.read += 1;
                reading.counts.rejected += 1;
            }
        }
        reading.lines += line_ends;
        Ok(())
    }
}

/// What has become of a source's records so far.
struct SourceCounts<'r> {
    source: &'r Source,
    lines: u64,
    counts: Counts,
    reasons: ReasonCounts,
    stray_quotes: u64,
}

/// Rejects held back, as far as they fit.
#[derive(Default)]
struct RejectBuffer {
    records: Vec<ShownReject>,
    bytes: usize,
    overflown: bool,
}

impl RejectBuffer {
    fn push(&mut self, record: ShownReject) {
        // 200 for what a reject has beside its texts, roughly.
        self.bytes += 200 + record.raw.len() + record.errors.len() * 200;
        self.overflown |= self.bytes > HELD_BYTES;
        if self.overflown {
            // The source is read again anyway, and tells all of them.
            self.records.clear();
        } else {
            self.records.push(record);
        }
    }
}
