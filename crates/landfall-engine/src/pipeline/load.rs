//! A load: one source into one table, chunk by chunk.

mod ending;

use std::time::Instant;

use landfall_core::schema::{Resource, TableIndex};

use super::{
    LoadOptions, LoadOutcome, LoadProgress, Observer, StageSeconds,
    blocks::{BlockStream, ReadBlock, read_blocks},
    chunk::{ChunkRules, LoadChunk, LoadTally},
    keys::TableKeys,
    knowledge::{LoadPurpose, SourceKnowledge, look_up_source, refuse_race, refuse_twice},
    layout::apply_overrides,
    open_source::OpenSource,
    reject_bound::RejectBound,
    resolve::LoadFlow,
    resume::{abandon_load, earlier_reasons, earlier_reject_bytes, judge_deferred, with_whole_digest},
    spill::RejectSpill,
    writer::{ChunkWriter, MoreChunks},
};
use crate::{
    error::{Error, Result, TargetErrorKind},
    ledger::{Counts, LoadEntry, LoadId, LoadState, Mode},
    project::Project,
    quarantine::{ClosedRejects, RejectFilter},
    rules_digest::RulesDigest,
    source::{ContentStamp, Source},
    targets::{Fence, Pace, Table, TargetRead, Transaction},
};

/// Bytes of a record, roughly: to guess how many there are.
const RECORD_BYTES: u64 = 40;

/// About how many records `source` has.
pub(super) fn estimate_records(source: &Source) -> Result<u64> {
    Ok(source.read_stamp()?.size.unwrap_or_default() / RECORD_BYTES + 1)
}

/// What all loads of a command share.
pub(super) struct LoadSession<'s> {
    pub(super) project: &'s Project,
    pub(super) tables: &'s [Table],
    pub(super) options: &'s LoadOptions,
    pub(super) observer: &'s dyn Observer,
}

impl<'s> LoadSession<'s> {
    /// The table at `position`.
    pub(super) fn table_at(&self, position: TableIndex) -> &'s Table {
        &self.tables[position.get()]
    }
}

/// How often a load goes on from the ledger after the target found that what was sent ahead cannot stay.
const MOST_ATTEMPTS: usize = 4;

/// Loads `source` into the table at `position`, through `writer`, by `mode`. Rejects are told to `spill` too, where it is given.
pub(super) fn load_source(
    session: &LoadSession<'_>,
    writer: &mut ChunkWriter<'_>,
    position: TableIndex,
    source: &Source,
    mode: Mode,
    purpose: LoadPurpose,
    mut spill: Option<&mut RejectSpill>,
) -> Result<(LoadEntry, LoadOutcome)> {
    let started = Instant::now();
    let resource = &apply_overrides(&session.options.overrides, &session.project.package[position])?;
    session.observer.source_begins(&resource.name, &source.name);
    let mut pace = if writer.commits_each() { Pace::Ahead } else { Pace::InStep };
    let mut attempt = 1;
    let mut before = None;
    let (entry, outcome) = loop {
        let (knowledge, known_to) = look_up_source(writer.read(), resource, source, session.options, purpose)?;
        let entry = match knowledge {
            SourceKnowledge::Loaded(entry) => return Ok(known_outcome(*entry, source)),
            SourceKnowledge::Interrupted(entry) => judge_deferred(session, writer, *entry)?,
            SourceKnowledge::Changed(entry) => {
                refuse_twice(resource, source, &entry)?;
                abandon_load(session, writer, with_whole_digest(*entry, source)?)?;
                new_entry(session, resource, source, mode)
            }
            SourceKnowledge::New => new_entry(session, resource, source, mode),
        };
        // As it was before the first attempt: what attempts of this command have read is not resumed.
        let before = *before.get_or_insert((entry.counts.read, entry.seconds));
        let run = LoadRun::new(session, writer.read(), resource, source, entry, pace, spill.as_deref_mut());
        let run = run.map(|run| LoadRun { known_to, resumed: before.0, spent: before.1, ..run });
        match run.and_then(|run| run.finish_load(writer, started)) {
            Err(Error::Target(error)) if can_go_on(error.kind) && writer.commits_each() && attempt < MOST_ATTEMPTS => {
                tracing::debug!(%error, attempt, "the load goes on from the ledger, in step");
                (pace, attempt) = (Pace::InStep, attempt + 1);
            }
            outcome => break outcome?,
        }
    };
    session.observer.source_ends(&outcome);
    Ok((entry, outcome))
}

/// Whether a load that failed with an error of `kind` may go on from the ledger: what it takes for granted is read afresh,
/// so that a row that lost its parent meanwhile is a reject.
const fn can_go_on(kind: TargetErrorKind) -> bool {
    matches!(kind, TargetErrorKind::Again | TargetErrorKind::Constraint)
}

/// The outcome for content that the ledger knows.
pub(super) fn known_outcome(entry: LoadEntry, source: &Source) -> (LoadEntry, LoadOutcome) {
    let outcome = LoadOutcome {
        source: source.name.clone(),
        state: LoadState::Known,
        counts: Counts::default(),
        seconds: 0.0,
        ..LoadOutcome::from_entry(&entry)
    };
    (entry, outcome)
}

fn new_entry(session: &LoadSession<'_>, resource: &Resource, source: &Source, mode: Mode) -> LoadEntry {
    let entry = LoadEntry::new(&resource.name, &source.name, mode, session.options.on_conflict);
    let record_bytes = session.options.work.record_bytes as u64;
    LoadEntry { origin: source.origin, rules: RulesDigest::from_resource(resource).text, record_bytes, ..entry }
}

/// A load under way.
struct LoadRun<'r, 's> {
    session: &'r LoadSession<'s>,
    table: &'r Table,
    source: &'r Source,
    stamp: ContentStamp,
    entry: LoadEntry,
    tally: LoadTally,
    keys: TableKeys,
    opened: Option<OpenSource>,
    pace: Pace,
    spill: Option<&'r mut RejectSpill>,
    /// The last entry of the ledger when it was read.
    known_to: LoadId,
    /// Records that an earlier command had read.
    resumed: u64,
    /// Seconds that earlier commands had spent.
    spent: f64,
    /// The rejects of earlier loads that it closed.
    closed_rejects: ClosedRejects,
    bound: RejectBound,
}

impl<'r, 's> LoadRun<'r, 's> {
    fn new(
        session: &'r LoadSession<'s>,
        read: &dyn TargetRead,
        resource: &Resource,
        source: &'r Source,
        mut entry: LoadEntry,
        pace: Pace,
        spill: Option<&'r mut RejectSpill>,
    ) -> Result<Self> {
        let table = session.table_at(session.project.find_position(&resource.name)?);
        let stamp = source.read_stamp()?;
        let mut opened =
            OpenSource::new(source, resource, &read.table_limits(table), session.options.work, entry.position.offset)?;
        // A resumed load goes on where the ledger says.
        if !entry.id.is_stored() {
            entry.position = opened.start;
            let (digest, digested) = opened.digest_so_far();
            (entry.digest, entry.digested) = (digest.to_hex().to_string(), digested);
        }
        opened.layout.overrides.clone_from(&session.options.overrides);
        entry.layout = serde_json::to_string(&opened.layout).unwrap_or_default();
        let mut keys = TableKeys::open(read, table, session.tables, estimate_records(source)?)?;
        if pace == Pace::Ahead && !read.can_find_rows(table) {
            // What the database refuses later undoes all that came after.
            keys.start_sketches();
        }
        let mut tally = LoadTally { counts: entry.counts, position: entry.position, ..LoadTally::default() };
        if entry.id.is_stored() {
            // The bounds and the summary are about the whole load, also where an earlier command began it.
            tally.reasons = earlier_reasons(read, &entry)?;
            tally.reject_bytes = earlier_reject_bytes(read, &entry, &session.options.work)?;
            if keys.refers_to_itself() {
                let own = RejectFilter { load: Some(entry.id), waiting: true, ..RejectFilter::default() };
                tally.deferred = read.reject_count(&own)?;
            }
        }
        let bound = RejectBound::find(read, &session.options.work, tally.reject_bytes)?;
        Ok(Self {
            session,
            table,
            source,
            stamp,
            entry,
            tally,
            keys,
            opened: Some(opened),
            pace,
            spill,
            known_to: LoadId::NONE,
            resumed: 0,
            spent: 0.0,
            closed_rejects: ClosedRejects::default(),
            bound,
        })
    }

    fn finish_load(mut self, writer: &mut ChunkWriter<'_>, started: Instant) -> Result<(LoadEntry, LoadOutcome)> {
        let Some(opened) = self.opened.take() else { unreachable!("a load is finished once") };
        // One is this very thread, which resolves the keys and writes.
        let threads = self.session.options.work.threads.saturating_sub(1);
        let (resolving, stages) = read_blocks(opened, threads, |blocks| self.commit_chunks(writer, blocks, started))?;
        let writing = self.tally.writing.as_secs_f64();
        let stages = StageSeconds { keys: (resolving - writing).max(0.0), write: writing, ..stages };
        let is_stopped = self.entry.state == LoadState::Stopped;
        let [max_reject_bytes, max_project_reject_bytes] =
            if is_stopped { self.bound.exceeded_by(self.tally.reject_bytes) } else { [None; 2] };
        let outcome = LoadOutcome {
            counts: self.tally.counts,
            seconds: started.elapsed().as_secs_f64(),
            reasons: self.tally.reasons.ranked_reasons(),
            stray_quotes: self.tally.stray_quotes,
            resumed: self.resumed,
            closed_rejects: self.closed_rejects,
            max_reject_bytes,
            max_project_reject_bytes,
            stages: Some(stages),
            ..LoadOutcome::from_entry(&self.entry)
        };
        Ok((self.entry, outcome))
    }

    /// Commits chunk after chunk until the source ends or the load stops. The seconds spent on taking blocks in.
    fn commit_chunks(
        &mut self,
        writer: &mut ChunkWriter<'_>,
        blocks: &mut BlockStream,
        started: Instant,
    ) -> Result<f64> {
        let fence = Fence::for_conflicts(self.session.options.on_conflict);
        let mut spent = 0.0;
        // A load that was stopped by this stays stopped, until the bound is raised.
        if self.tally.reject_bytes > self.bound.most {
            return Ok(spent);
        }
        let Counts { read, rejected, .. } = self.tally.counts;
        if self
            .session
            .options
            .max_rejects
            .is_some_and(|most| most.is_exceeded(rejected - self.tally.deferred, read, false))
        {
            return Ok(spent);
        }
        self.entry.state = LoadState::Running;
        while self.entry.state == LoadState::Running {
            self.session.observer.chunk_ends();
            // The first block is waited for before the transaction begins, which locks others out.
            let first = blocks.next().transpose()?;
            let begun = Instant::now();
            let mut worked = Instant::now();
            let waited = writer.write_chunk(fence, self.pace, |transaction| {
                let waited = self.write_chunk(transaction, first, blocks, started)?;
                worked = Instant::now();
                let more = if self.entry.state == LoadState::Running { MoreChunks::Yes } else { MoreChunks::No };
                Ok((waited, more))
            })?;
            self.tally.writing += worked.elapsed();
            let Counts { read, rejected, .. } = self.tally.counts;
            tracing::debug!(table = &*self.table.name, read, rejected, "a chunk is committed");
            spent += begun.elapsed().as_secs_f64() - waited;
        }
        Ok(spent)
    }

    /// One chunk. The seconds spent waiting for blocks.
    fn write_chunk(
        &mut self,
        transaction: &mut dyn Transaction,
        first: Option<ReadBlock>,
        blocks: &mut BlockStream,
        started: Instant,
    ) -> Result<f64> {
        let was_at = self.begin_load(transaction)?;
        let goal = self.tally.counts.read + self.session.options.work.chunk_records;
        let mut waited = 0.0;
        let mut next = first;
        let mut state = LoadState::Running;
        while state == LoadState::Running {
            let Some(block) = next.take() else {
                state = LoadState::Complete;
                break;
            };
            if self.take_block(transaction, block)? == LoadFlow::Stop {
                state = LoadState::Stopped;
            // Only between blocks: a chunk ends where a block does, and the ledger can name the place.
            } else if self.tally.counts.read >= goal {
                break;
            } else {
                let waiting = Instant::now();
                next = blocks.next().transpose()?;
                waited += waiting.elapsed().as_secs_f64();
            }
        }
        self.end_chunk(transaction, state, was_at, started)?;
        Ok(waited)
    }

    /// Enters the load in the ledger where it is new. The offset at which the ledger has it.
    fn begin_load(&mut self, transaction: &mut dyn Transaction) -> Result<u64> {
        if !self.entry.id.is_stored() {
            self.entry.id = transaction.add_load(&self.entry)?;
            // From the entry on, nobody else enters a load of this source. So what the ledger says now stays true until the commit.
            refuse_race(&*transaction, &self.entry, self.known_to)?;
        }
        Ok(self.entry.position.offset)
    }

    fn take_block(&mut self, transaction: &mut dyn Transaction, block: ReadBlock) -> Result<LoadFlow> {
        let options = self.session.options;
        let rules = ChunkRules {
            on_conflict: options.on_conflict,
            max_rejects: options.max_rejects,
            reject_bytes: self.bound.most,
            defers: self.keys.refers_to_itself(),
            rejected_record_bytes: options.work.rejected_record_bytes,
        };
        let load = self.entry.id;
        let mut tell = self.spill.as_mut().map(|spill| |reject: &_| spill.push(load, reject));
        let mut chunk = LoadChunk {
            transaction,
            table: self.table,
            source: self.source,
            load,
            rules,
            tally: &mut self.tally,
            rejects: Vec::new(),
            spill: tell.as_mut().map(|tell| tell as _),
        };
        let (digest, digested, consumed) = (block.digest.to_hex().to_string(), block.digested, block.consumed);
        let flow = chunk.take_block(block, &mut self.keys)?;
        (self.entry.digest, self.entry.digested) = (digest, digested);
        // An error, so that the chunk is rolled back and the ledger has the load as far as the one before.
        if self.session.observer.is_cancelled() {
            return Err(Error::Cancelled);
        }
        self.session.observer.report_progress(LoadProgress {
            bytes: consumed,
            total_bytes: self.stamp.size.unwrap_or_default(),
            records: self.tally.counts.read,
            rejected: self.tally.counts.rejected,
        });
        Ok(flow)
    }
}
