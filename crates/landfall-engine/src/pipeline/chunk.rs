//! One chunk of a load: what is told to the target within a transaction.
//!
//! To be changed together: counts, rejects and position are those of the same records. A load that stops within a block sets its position
//! behind the record at which it stopped, and counts none after it. Otherwise the next command leaves records out or takes them twice.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use landfall_core::{
    decode::{Records, TooLong},
    reject::{CellError, ErrorCode},
    validate::ValidatedBlock,
};

use super::{
    MaxRejects, ReasonCounts,
    blocks::{PieceContent, ReadBlock},
    judge::{BlockJudge, BlockLedger, RowFate},
    keys::{TableKeys, TouchedParents},
    resolve::{LoadFlow, resolve_keys},
};
use crate::{
    error::Result,
    ledger::{Counts, LoadId, OnConflict, Position},
    quarantine::{NewReject, RawRecord, Reject, RejectId, cut_record_error, reject_size},
    source::{Source, copy_range},
    targets::{Table, Transaction},
};

/// What has become of a load's records so far.
#[derive(Debug, Clone, Default)]
pub(super) struct LoadTally {
    pub(super) counts: Counts,
    pub(super) position: Position,
    pub(super) reasons: ReasonCounts,
    /// Rejects that may still become rows when the source ends: they are not too many before.
    pub(super) deferred: u64,
    /// Those of them whose key may have occurred before, in a table that cannot be searched yet.
    pub(super) suspects: u64,
    /// Cells with a quote that do not begin with one.
    pub(super) stray_quotes: u64,
    /// Bytes of the rejects, but for those that may still become rows.
    pub(super) reject_bytes: u64,
    /// Time spent in the target.
    pub(super) writing: Duration,
}

/// What a load is asked for, as far as its chunks need to know.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChunkRules {
    pub(super) on_conflict: OnConflict,
    pub(super) max_rejects: Option<MaxRejects>,
    /// The most bytes of the rejects.
    pub(super) reject_bytes: u64,
    /// Whether the table refers to itself: a missing parent may still come.
    pub(super) defers: bool,
    /// The most bytes of a reject that are kept.
    pub(super) rejected_record_bytes: u64,
}

/// Is told each reject.
pub(super) type VisitReject<'a> = &'a mut dyn FnMut(&NewReject) -> Result<()>;

/// The chunk of a load that is being written.
pub(super) struct LoadChunk<'a> {
    pub(super) transaction: &'a mut dyn Transaction,
    pub(super) table: &'a Table,
    pub(super) source: &'a Source,
    pub(super) load: LoadId,
    pub(super) rules: ChunkRules,
    pub(super) tally: &'a mut LoadTally,
    /// Rejects of the block at hand, to be written together.
    pub(super) rejects: Vec<NewReject>,
    /// Rejects are told here too, where they may have to be written again after a rollback.
    pub(super) spill: Option<VisitReject<'a>>,
}

impl LoadChunk<'_> {
    /// Takes in a block; whether to go on after it.
    pub(super) fn take_block(&mut self, block: ReadBlock, keys: &mut TableKeys) -> Result<LoadFlow> {
        let line_ends = block.line_ends();
        let end = Position { offset: block.offset + block.length, lines: self.tally.position.lines + line_ends };
        let flow = match block.content {
            PieceContent::Records(read) => {
                self.tally.stray_quotes += u64::from(read.0.stray_quote_count());
                self.take_records(block.offset, end, &read.0, read.1, keys)?
            }
            PieceContent::TooLong(record) => self.take_too_long(&record)?,
        };
        if flow == LoadFlow::Continue {
            self.tally.position = end;
        }
        Ok(flow)
    }

    fn take_records(
        &mut self,
        offset: u64,
        end: Position,
        records: &Records,
        mut validated: ValidatedBlock,
        keys: &mut TableKeys,
    ) -> Result<LoadFlow> {
        let on_conflict = self.rules.on_conflict;
        if on_conflict == OnConflict::Update {
            // A record without required fields cannot be a new row, but it may change one that is there.
            validated = validated.admit_updates(&self.table.schema);
        }
        let rejected = std::mem::take(&mut validated.rejects);
        let before = self.tally.counts.read;
        // Once for each block, so that a long load notices parents that others bring meanwhile.
        keys.foreigns.iter_mut().for_each(|foreign| foreign.absent.expire_entries());
        let table = self.table;
        let mut account = BlockAccount { chunk: self, offset, records, before };
        let mut judge = BlockJudge::new(&mut account, table, &validated);
        let flow = resolve_keys(keys, &validated, rejected, on_conflict, &mut judge)?;
        let (stopped, late) = judge.finish_block()?;
        // Within the chunk's transaction: rejects commit with the rows of the same records (promise 2).
        self.write_rejects()?;
        match stopped {
            None => self.tally.counts.read = before + records.len() as u64,
            Some(record) => self.stop_after(offset, end, records, before, record as usize),
        }
        // The database refused a row in the middle of the block when later ones had been written. So the load can only
        // stop behind the block.
        if late && flow == LoadFlow::Continue && self.has_too_many_rejects() {
            self.tally.position = end;
            return Ok(LoadFlow::Stop);
        }
        Ok(flow)
    }

    fn write_rejects(&mut self) -> Result<()> {
        let start = Instant::now();
        self.transaction.add_rejects(self.load, self.table, &self.rejects)?;
        self.tally.writing += start.elapsed();
        self.rejects.clear();
        Ok(())
    }

    /// Sets the position to the end of `record`, the last that was taken.
    fn stop_after(&mut self, offset: u64, end: Position, records: &Records, before: u64, record: usize) {
        self.tally.counts.read = before + record as u64 + 1;
        if record + 1 < records.len() {
            self.tally.position = Position {
                offset: offset + records.byte_offset(record + 1) as u64,
                lines: self.tally.position.lines + records.lines_before(record + 1) as u64,
            };
        } else {
            // Nothing but line ends and comments follow. The record may be of several lines itself.
            self.tally.position = end;
        }
    }

    fn take_too_long(&mut self, record: &TooLong) -> Result<LoadFlow> {
        // A comment is no record: it counts nowhere in the equation.
        if record.comment {
            return Ok(LoadFlow::Continue);
        }
        let reject = NewReject {
            record: self.tally.counts.read + 1,
            line: self.tally.position.lines + 1,
            offset: record.offset,
            raw: RawRecord::Long(record.raw_len()),
            errors: vec![too_long_error(record.raw_len())],
            deferred: false,
        };
        self.tally.counts.read += 1;
        self.add_reject(reject)?;
        // The record is taken whole, so that a load stopped here goes on behind it.
        Ok(if self.has_too_many_rejects() { self.stop_after_long(record) } else { LoadFlow::Continue })
    }

    fn stop_after_long(&mut self, record: &TooLong) -> LoadFlow {
        self.tally.position =
            Position { offset: record.offset + record.len, lines: self.tally.position.lines + record.line_ends };
        LoadFlow::Stop
    }

    pub(super) fn add_reject(&mut self, reject: NewReject) -> Result<()> {
        let start = Instant::now();
        // If the transaction is rolled back, this copy is all that is left of the reject.
        if let Some(spill) = &mut self.spill {
            spill(&reject)?;
        }
        // Its bytes are copied from the source at once: held back with the other rejects of the block, they would fill
        // the memory.
        if matches!(reject.raw, RawRecord::Long(_)) {
            let most = self.rules.rejected_record_bytes;
            store_reject(self.transaction, self.load, self.table, self.source, &reject, most)?;
        }
        self.tally.writing += start.elapsed();
        self.tally.counts.rejected += 1;
        // Such a reject may become a row when the source ends. Until then it does not count against the limits.
        let later = reject.deferred || self.rules.defers && reject.waits_for_parent();
        self.tally.deferred += u64::from(later);
        if !later {
            self.tally.reject_bytes +=
                reject_size(reject.raw.len().min(self.rules.rejected_record_bytes), &reject.errors);
        }
        self.tally.suspects += u64::from(reject.deferred);
        if !reject.deferred {
            self.tally.reasons.count_errors(&reject.errors);
        }
        if !matches!(reject.raw, RawRecord::Long(_)) {
            self.rejects.push(reject);
        }
        Ok(())
    }

    /// Whether there are more rejects than allowed.
    pub(super) fn has_too_many_rejects(&self) -> bool {
        let counts = &self.tally.counts;
        let judged = counts.rejected - self.tally.deferred;
        self.tally.reject_bytes > self.rules.reject_bytes
            || self.rules.max_rejects.is_some_and(|most| most.is_exceeded(judged, counts.read, false))
    }
}

/// The account of one block of a chunk.
struct BlockAccount<'c, 'a> {
    chunk: &'c mut LoadChunk<'a>,
    offset: u64,
    records: &'c Records,
    /// Records read before this block.
    before: u64,
}

impl BlockAccount<'_, '_> {
    fn count_of(&mut self, became: RowFate) -> &mut u64 {
        let counts = &mut self.chunk.tally.counts;
        match became {
            RowFate::Inserted => &mut counts.inserted,
            RowFate::Updated => &mut counts.updated,
            RowFate::Unchanged => &mut counts.unchanged,
        }
    }
}

impl BlockLedger for BlockAccount<'_, '_> {
    fn open_transaction(&mut self) -> &mut dyn Transaction {
        self.chunk.transaction
    }

    fn read(&self) -> &dyn Transaction {
        self.chunk.transaction
    }

    fn conflict_rule(&self) -> OnConflict {
        self.chunk.rules.on_conflict
    }

    fn count_rows(&mut self, became: RowFate, rows: &[Range<usize>]) {
        *self.count_of(became) += rows.iter().map(Range::len).sum::<usize>() as u64;
    }

    fn did_not_become(&mut self, became: RowFate, _row: usize) {
        *self.count_of(became) -= 1;
    }

    fn set_aside(&mut self, record: u32, errors: Vec<CellError>, deferred: bool) -> Result<()> {
        let at = record as usize;
        let reject = NewReject {
            record: self.before + u64::from(record) + 1,
            line: self.chunk.tally.position.lines + self.records.lines_before(at) as u64 + 1,
            offset: self.offset + self.records.byte_offset(at) as u64,
            raw: RawRecord::Whole(self.records.raw_bytes(at).to_vec()),
            errors,
            deferred,
        };
        let reject = reject.with_at_most(self.chunk.rules.rejected_record_bytes);
        let read = &mut self.chunk.tally.counts.read;
        *read = reject.record.max(*read);
        self.chunk.add_reject(reject)
    }

    fn has_too_many_rejects(&self) -> bool {
        self.chunk.has_too_many_rejects()
    }

    fn add_target_time(&mut self, time: Duration) {
        self.chunk.tally.writing += time;
    }
}

/// The error of a record of `length` bytes, which is longer than allowed.
pub(super) fn too_long_error(length: u64) -> CellError {
    let message = format!(
        "the record is {length} bytes long, which is more than the limit; a closing quote may be missing, or the limit \
         must be raised"
    );
    CellError::new(ErrorCode::RecordTooLong, None, None, message)
}

/// Puts `add_reject` into the quarantine, with at most the first `most` of its bytes where they are read from the source.
pub(super) fn store_reject(
    transaction: &mut dyn Transaction,
    load: LoadId,
    table: &Table,
    source: &Source,
    reject: &NewReject,
    most: u64,
) -> Result<RejectId> {
    let RawRecord::Long(length) = reject.raw else { return transaction.add_reject(load, table, reject) };
    let mut reject = reject.clone();
    if length > most {
        // The digest vouches for the bytes that are not kept.
        let digest = digest_of_range(source, reject.offset, length)?;
        reject.errors.push(cut_record_error(most, length, &digest));
    }
    let id = transaction.add_reject(load, table, &reject)?;
    let mut part = 0;
    // In parts, each of which a statement of every database can hold.
    copy_range(source, reject.offset, length.min(most), Reject::RAW_LIMIT, &mut |bytes| {
        transaction.append_reject_bytes(id, part, bytes)?;
        part += 1;
        Ok(())
    })?;
    Ok(id)
}

/// BLAKE3 of `length` bytes of `source`, from `offset` on.
fn digest_of_range(source: &Source, offset: u64, length: u64) -> Result<blake3::Hash> {
    let mut hasher = blake3::Hasher::new();
    copy_range(source, offset, length, Reject::RAW_LIMIT, &mut |bytes| {
        hasher.update(bytes);
        Ok(())
    })?;
    Ok(hasher.finalize())
}

/// Holds every parent that the chunk's rows name, in the chunk's transaction: the fence that replaces the database's own
/// check of every row.
pub(super) fn hold_parents(transaction: &mut dyn Transaction, keys: &mut TableKeys) -> Result<()> {
    for foreign in &mut keys.foreigns {
        let TouchedParents { values, .. } = &foreign.touched;
        if !values.is_empty() {
            transaction.hold_parents(&keys.table, &foreign.parent, &foreign.parent_positions, values)?;
        }
        // They are held until this transaction ends. The next chunk asks for its own.
        foreign.touched.forget_all();
    }
    Ok(())
}
