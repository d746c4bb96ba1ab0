//! A check: the same validation as a load, and nothing written.
//!
//! What a row's key clashes with may stand earlier in the same source, which no database holds. So the source is read
//! once with the keys in bitmaps or filters. Only where keys turned up that may occur twice is it read a second time: then
//! the rows with just those keys are kept and compared, in record order, as a load would compare them.

mod judge;
mod pass;
mod without_rows;

use std::{collections::HashMap, sync::Arc, time::Instant};

use landfall_core::keys::ParentSet;

pub(super) use self::without_rows::WithoutRows;
use self::{
    judge::{Asked, CheckJudge},
    pass::Pass,
};
use super::{
    LoadOptions, LoadOutcome, Observer, Progress, Reasons, Selection, Stages,
    blocks::{Content, ReadBlock, read_blocks},
    keys::{Keys, Parents},
    opened::Opened,
    plan::{Step, plan},
    resolve::resolve,
};
use crate::{
    error::Result,
    ledger::{Counts, LoadEntry, LoadState, Mode, OnConflict},
    project::Project,
    quarantine::RejectedRecord,
    source::{Source, copy_range},
    targets::{Read, Table},
};

/// Bytes of rejects kept until it is known whether the sources must be read a second time.
const HELD_BYTES: usize = 32 << 20;

/// Is told each rejected record.
type Visit<'v> = &'v mut dyn FnMut(RejectedRecord) -> Result<()>;

/// Validates the tables of `selections`, or all, as a load would, against what `read` holds, and writes nothing. Each
/// rejected record is handed to `visit`, in the order of tables, sources and records; one outcome for each source.
///
/// # Errors
/// A source that cannot be read, or whose header contradicts the schema.
pub fn check(
    read: &dyn Read,
    project: &Project,
    selections: &[Selection],
    options: &LoadOptions,
    visit: Visit<'_>,
    observer: &dyn Observer,
) -> Result<Vec<LoadOutcome>> {
    check_steps(read, project, &plan(project, selections)?, options, visit, observer)
}

/// Validates the sources of `steps`, as [`check`] does. Tables that are to be replaced count as empty.
pub(super) fn check_steps(
    read: &dyn Read,
    project: &Project,
    steps: &[Step],
    options: &LoadOptions,
    visit: Visit<'_>,
    observer: &dyn Observer,
) -> Result<Vec<LoadOutcome>> {
    if options.mode != Mode::Replace {
        return run(read, project, steps, options, visit, observer);
    }
    let names = steps.iter().map(|step| project.package.resources[step.position].name.clone()).collect();
    run(&WithoutRows { read, names }, project, steps, options, visit, observer)
}

fn run(
    read: &dyn Read,
    project: &Project,
    steps: &[Step],
    options: &LoadOptions,
    visit: Visit<'_>,
    observer: &dyn Observer,
) -> Result<Vec<LoadOutcome>> {
    let tables = project.tables();
    let mut held = Held::default();
    let mut outcomes = Vec::new();
    for step in steps {
        let check = TableCheck { read, project, tables: &tables, step, options, observer };
        outcomes.extend(check.run(&mut held, visit)?);
    }
    Ok(outcomes)
}

/// The keys of tables that were checked, as foreign keys of others refer to them: what the target holds, and what would
/// be loaded.
type Held = HashMap<(Arc<str>, Vec<usize>), ParentSet>;

/// The check of one table.
struct TableCheck<'c> {
    read: &'c dyn Read,
    project: &'c Project,
    tables: &'c [Table],
    step: &'c Step,
    options: &'c LoadOptions,
    observer: &'c dyn Observer,
}

impl TableCheck<'_> {
    fn table(&self) -> &Table {
        &self.tables[self.step.position]
    }

    fn run(&self, held: &mut Held, visit: Visit<'_>) -> Result<Vec<LoadOutcome>> {
        let keys = self.keys(held)?;
        let mut state = Pass::first(self, keys)?;
        let mut buffer = Buffer::default();
        let mut outcomes = self.pass(&mut state, &mut |record| {
            buffer.push(record);
            Ok(())
        })?;
        if state.needs_second() || buffer.overflown {
            state = state.second(self, self.keys(held)?)?;
            outcomes = self.pass(&mut state, visit)?;
        } else {
            buffer.records.into_iter().try_for_each(visit)?;
        }
        held.extend(state.parents.into_iter().map(|(at, set)| ((self.table().name.clone(), at), set)));
        Ok(outcomes)
    }

    /// The keys of the table as the target holds them, with the parents that were checked before.
    fn keys(&self, held: &Held) -> Result<Keys> {
        let mut keys = Keys::open(self.read, self.table(), self.tables, u64::MAX)?;
        for foreign in &mut keys.foreigns {
            let checked = held.get(&(foreign.parent.name.clone(), foreign.parent_positions.clone()));
            if let (Parents::Other(set), Some(checked)) = (&mut foreign.parents, checked) {
                set.clone_from(checked);
            }
        }
        Ok(keys)
    }

    /// The keys of this table that foreign keys refer to, as the target holds them.
    fn referred(&self) -> Result<Vec<(Vec<usize>, ParentSet)>> {
        let mut found: Vec<(Vec<usize>, ParentSet)> = Vec::new();
        for child in self.tables {
            for key in child.schema.foreign_keys.iter().filter(|key| key.parent == self.table().name) {
                let positions: Vec<usize> =
                    key.parent_fields.iter().filter_map(|name| self.table().schema.field_position(name)).collect();
                if found.iter().all(|(known, _)| *known != positions) {
                    let set = super::keys::all_parents(self.read, self.table(), &positions)?;
                    found.push((positions, set));
                }
            }
        }
        Ok(found)
    }

    /// Reads all sources of the table.
    fn pass(&self, state: &mut Pass<'_>, visit: Visit<'_>) -> Result<Vec<LoadOutcome>> {
        self.step.sources.iter().map(|source| self.source(source, state, visit)).collect()
    }

    fn source(&self, source: &Source, state: &mut Pass<'_>, visit: Visit<'_>) -> Result<LoadOutcome> {
        let started = Instant::now();
        let resource = &self.project.package.resources[self.step.position];
        self.observer.begins(&resource.name, &source.name);
        let opened = Opened::new(source, resource, &self.read.limits(self.table()), self.options.work, 0)?;
        let total_bytes = source.stamp()?.size;
        let mut reading =
            Reading { source, lines: opened.start.lines, counts: Counts::default(), reasons: Reasons::default() };
        let (keys_seconds, stages) = read_blocks(opened, self.options.work.threads, |blocks| {
            let mut seconds = 0.0;
            for block in blocks {
                let block = block?;
                let begun = Instant::now();
                let consumed = block.consumed;
                self.block(block, state, &mut reading, visit)?;
                seconds += begun.elapsed().as_secs_f64();
                let Counts { read, rejected, .. } = reading.counts;
                self.observer.progress(Progress { bytes: consumed, total_bytes, records: read, rejected });
            }
            Ok(seconds)
        })?;
        let entry = LoadEntry::new(&resource.name, &source.name, self.options.mode, self.options.on_conflict);
        let outcome = LoadOutcome {
            state: LoadState::Complete,
            counts: reading.counts,
            seconds: started.elapsed().as_secs_f64(),
            reasons: reading.reasons.ranked(),
            stages: Some(Stages { keys: keys_seconds, ..stages }),
            ..LoadOutcome::of(&entry)
        };
        self.observer.ends(&outcome);
        Ok(outcome)
    }

    fn block(&self, block: ReadBlock, state: &mut Pass<'_>, reading: &mut Reading<'_>, visit: Visit<'_>) -> Result<()> {
        let line_ends = block.line_ends();
        match block.content {
            Content::Records(read) => {
                let (records, mut validated) = *read;
                if self.options.on_conflict == OnConflict::Update {
                    validated = validated.admit_updates(&self.table().schema);
                }
                let rejected = std::mem::take(&mut validated.rejects);
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
                        asked: Asked::default(),
                    };
                    resolve(keys, &validated, rejected, self.options.on_conflict, &mut judge)?;
                }
                state.keys = keys;
                reading.counts.read += records.len() as u64;
            }
            Content::TooLong(record) if record.comment => {}
            Content::TooLong(record) => {
                let mut raw = Vec::new();
                copy_range(reading.source, record.offset, record.raw_len().min(4096), 4096, &mut |bytes| {
                    raw.extend_from_slice(bytes);
                    Ok(())
                })?;
                let errors = vec![super::chunk::too_long_error(record.raw_len())];
                let (raw, raw_escaped) = RejectedRecord::raw_text(&raw, record.raw_len());
                reading.reasons.add(&errors);
                visit(RejectedRecord {
                    table: self.table().name.to_string(),
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
struct Reading<'r> {
    source: &'r Source,
    lines: u64,
    counts: Counts,
    reasons: Reasons,
}

/// Rejects held back, as far as they fit.
#[derive(Default)]
struct Buffer {
    records: Vec<RejectedRecord>,
    bytes: usize,
    overflown: bool,
}

impl Buffer {
    fn push(&mut self, record: RejectedRecord) {
        self.bytes += 200 + record.raw.len() + record.errors.len() * 200;
        self.overflown |= self.bytes > HELD_BYTES;
        if self.overflown {
            self.records.clear();
        } else {
            self.records.push(record);
        }
    }
}
