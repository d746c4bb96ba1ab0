//! A check: the same validation as a load, and nothing written.
//!
//! What a row's key clashes with may stand earlier in the same source, which no database holds. So the source is read
//! once with the keys in bitmaps or filters. Only where keys turned up that may occur twice is it read a second time: then
//! the rows with just those keys are kept and compared, in record order, as a load would compare them.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
    sync::Arc,
    time::Instant,
};

use arrow_array::RecordBatch;
use landfall_core::{
    decode::Records,
    keys::{Answer, Key, KeyColumns, ParentSet, Scalar, row_scalars},
    reject::CellError,
};

use super::{
    LoadOptions, LoadOutcome, Observer, Progress, Reasons, RejectedRecord, Selection, Stages,
    adopt::greatest_fixpoint,
    blocks::{Content, ReadBlock, read_blocks},
    keys::{Foreign, Keys, Parents},
    opened::Opened,
    plan::{Step, plan},
    resolve::{Flow, Judge, resolve},
    trial::{Claim, Wanted, claim},
};
use crate::{
    error::Result,
    ledger::{Counts, LoadState},
    project::Project,
    source::{Source, copy_range},
    target::{Read, Table},
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
    let steps = plan(project, selections)?;
    let tables = project.tables();
    let mut held = Held::default();
    let mut outcomes = Vec::new();
    for step in &steps {
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
                    key.parent_fields.iter().filter_map(|name| self.table().schema.position(name)).collect();
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
        let opened = Opened::new(source, resource, self.options.work, 0)?;
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
        let outcome = LoadOutcome {
            load_id: 0,
            table: resource.name.to_string(),
            source: source.name.clone(),
            state: LoadState::Complete,
            counts: reading.counts,
            seconds: started.elapsed().as_secs_f64(),
            reasons: reading.reasons.ranked(),
            resumed: 0,
            stages: Some(Stages { keys: keys_seconds, ..stages }),
        };
        self.observer.ends(&outcome);
        Ok(outcome)
    }

    fn block(&self, block: ReadBlock, state: &mut Pass<'_>, reading: &mut Reading<'_>, visit: Visit<'_>) -> Result<()> {
        let line_ends = block.line_ends();
        match block.content {
            Content::Records(read) => {
                let (records, mut validated) = *read;
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

/// Keys of one unique key that may occur twice, with the row that claimed each.
type Suspects = HashMap<Vec<Scalar>, Option<Vec<Scalar>>>;

/// A row that names rows of its own table which were not there yet.
struct Waiting {
    claims: Vec<Claim>,
    needs: Vec<Need>,
}

/// A row of the same table that another names.
struct Need {
    claim: Claim,
    values: Vec<Scalar>,
}

/// The rows that the first reading found acceptable: at once, or once the others are there.
struct Settled {
    accepted: Vec<(Vec<usize>, ParentSet)>,
    claims: HashSet<Claim>,
}

/// One reading of all sources of a table.
struct Pass<'p> {
    /// Taken while a block is resolved.
    keys: Option<Keys>,
    /// What the target holds of each unique key.
    stored: Vec<landfall_core::keys::SeenKeys>,
    /// For each unique key the values that may occur twice.
    suspects: Vec<Suspects>,
    /// The keys that foreign keys refer to.
    parents: Vec<(Vec<usize>, ParentSet)>,
    /// Rows that name rows of their own table which were not there yet.
    waiting: Vec<Waiting>,
    /// In the second reading: what the first has found.
    settled: Option<Settled>,
    table: &'p Table,
}

impl<'p> Pass<'p> {
    fn first(check: &'p TableCheck<'_>, keys: Keys) -> Result<Self> {
        Ok(Self {
            stored: keys.uniques.iter().map(|unique| unique.seen.clone()).collect(),
            suspects: vec![Suspects::default(); keys.uniques.len()],
            parents: check.referred()?,
            waiting: Vec::new(),
            settled: None,
            table: check.table(),
            keys: Some(keys),
        })
    }

    fn needs_second(&self) -> bool {
        !self.waiting.is_empty() || self.suspects.iter().any(|suspects| !suspects.is_empty())
    }

    /// The second reading: only suspect keys are looked at, and their rows are kept.
    fn second(self, check: &'p TableCheck<'_>, mut keys: Keys) -> Result<Self> {
        keys.learns = false;
        for (unique, suspects) in keys.uniques.iter_mut().zip(&self.suspects) {
            for values in suspects.keys() {
                unique.seen.insert(Key::of(values));
            }
        }
        let accepted = self.parents;
        let met = |need: &Need| {
            let of = |(positions, set): &(Vec<usize>, ParentSet)| {
                *positions == need.claim.1 && set.contains_values(&need.values) == Answer::Yes
            };
            accepted.iter().any(of)
        };
        let open = self.waiting.into_iter().map(|waiting| Wanted {
            claims: waiting.claims,
            needs: waiting.needs.into_iter().filter(|need| !met(need)).map(|need| need.claim).collect(),
        });
        let claims = greatest_fixpoint(open.collect());
        Ok(Self {
            keys: Some(keys),
            stored: self.stored,
            suspects: self.suspects,
            parents: check.referred()?,
            waiting: Vec::new(),
            settled: Some(Settled { accepted, claims }),
            table: self.table,
        })
    }
}

/// Judges the records of one block, and writes nothing.
struct CheckJudge<'j, 'p, 'r> {
    check: &'j TableCheck<'j>,
    state: &'j mut Pass<'p>,
    reading: &'j mut Reading<'r>,
    records: &'j Records,
    offset: u64,
    visit: Visit<'j>,
    /// What the row at hand needs of its own table.
    needs: Vec<Need>,
}

impl CheckJudge<'_, '_, '_> {
    /// The row that holds a unique key of the table checked.
    fn holder(
        &mut self,
        at: usize,
        table: &Table,
        positions: &[usize],
        values: &[Scalar],
    ) -> Result<Option<Vec<Scalar>>> {
        if self.state.settled.is_some()
            && let Some(Some(row)) = self.state.suspects[at].get(values)
        {
            return Ok(Some(row.clone()));
        }
        if self.state.stored[at].contains(Key::of(values)) != Answer::No
            && let Some(row) = self.check.read.find(table, positions, values)?
        {
            return Ok(Some(row));
        }
        if self.state.settled.is_none() {
            self.state.suspects[at].insert(values.to_vec(), None);
        }
        Ok(None)
    }

    /// Keeps the rows whose keys may occur again.
    fn keep(&mut self, rows: &RecordBatch, range: &Range<usize>) {
        let uniques = unique_positions(self.state.table);
        for (positions, suspects) in uniques.iter().zip(&mut self.state.suspects) {
            if suspects.is_empty() {
                continue;
            }
            let columns = KeyColumns::new(rows, positions);
            for row in range.clone() {
                if let Some(claimed) = suspects.get_mut(&columns.values(row)) {
                    *claimed = Some(row_scalars(rows, row).into_iter().map(|value| value.to_owned()).collect());
                }
            }
        }
    }
}

/// The fields of the unique keys of `table`, the primary key first.
fn unique_positions(table: &Table) -> Vec<Vec<usize>> {
    let primary = (!table.schema.primary_key.is_empty()).then(|| table.schema.primary_key.clone());
    primary.into_iter().chain(table.schema.unique_keys.iter().cloned()).collect()
}

impl Judge for CheckJudge<'_, '_, '_> {
    fn find(&mut self, table: &Table, positions: &[usize], values: &[Scalar]) -> Result<Option<Vec<Scalar>>> {
        let own = table.name == self.state.table.name;
        match unique_positions(self.state.table).iter().position(|unique| own && unique == positions) {
            Some(at) => self.holder(at, table, positions, values),
            None => self.check.read.find(table, positions, values),
        }
    }

    fn accept(&mut self, _table: &Table, rows: &RecordBatch, accepted: &[Range<usize>]) -> Result<()> {
        let needs = std::mem::take(&mut self.needs);
        for range in accepted {
            self.reading.counts.inserted += range.len() as u64;
            if self.state.settled.is_some() {
                self.keep(rows, range);
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
                .filter_map(|positions| claim(&table.name, positions, &KeyColumns::new(rows, positions), row))
                .collect();
            self.state.waiting.push(Waiting { claims, needs });
        }
        Ok(())
    }

    fn update(&mut self, _table: &Table, rows: &RecordBatch, row: usize) -> Result<Option<String>> {
        self.reading.counts.updated += 1;
        if self.state.settled.is_some() {
            self.keep(rows, &(row..row + 1));
        }
        Ok(None)
    }

    fn unchanged(&mut self) {
        self.needs.clear();
        self.reading.counts.unchanged += 1;
    }

    fn reject(&mut self, record: u32, errors: Vec<CellError>) -> Result<Flow> {
        self.needs.clear();
        let at = record as usize;
        let raw = self.records.raw(at);
        let (raw, raw_escaped) = RejectedRecord::raw_text(raw, raw.len() as u64);
        self.reading.counts.rejected += 1;
        self.reading.reasons.add(&errors);
        (self.visit)(RejectedRecord {
            table: self.state.table.name.to_string(),
            source: self.reading.source.name.clone(),
            record: self.reading.counts.read + u64::from(record) + 1,
            line: self.reading.lines + self.records.line(at) as u64 + 1,
            offset: self.offset + self.records.offset(at) as u64,
            raw,
            raw_escaped,
            errors,
        })?;
        Ok(Flow::Continue)
    }

    fn pardons(&mut self, foreign: &Foreign, columns: &KeyColumns<'_>, row: usize) -> Result<bool> {
        if !matches!(foreign.parents, Parents::Own(_)) {
            return Ok(false);
        }
        let values = columns.values(row);
        let positions = &foreign.parent_positions;
        let claim = claim(&foreign.parent.name, positions, columns, row);
        match (&self.state.settled, claim) {
            (Some(settled), claim) => {
                let of = |(known, set): &(Vec<usize>, ParentSet)| {
                    known == positions && set.contains_values(&values) == Answer::Yes
                };
                Ok(settled.accepted.iter().any(of) || claim.is_some_and(|claim| settled.claims.contains(&claim)))
            }
            (None, Some(claim)) => {
                self.needs.push(Need { claim, values });
                Ok(true)
            }
            (None, None) => Ok(true),
        }
    }
}
