//! A load that was interrupted: what is done before it goes on, or is given up.

use landfall_core::reject::ErrorCode;

use super::{
    ReasonCounts, WorkLimits,
    chunk::LoadTally,
    load::LoadSession,
    suspects::settle_suspects,
    writer::{ChunkWriter, MoreChunks},
};
use crate::{
    error::{Error, Result, TargetErrorKind},
    ledger::{LoadEntry, LoadState},
    quarantine::{Reject, RejectFilter, RejectState, reject_size},
    source::{Source, digest_source},
    targets::{Fence, Pace, TargetRead},
};

/// Notes that an interrupted load does not go on. What it had put aside is judged now.
pub(super) fn abandon_load(session: &LoadSession<'_>, writer: &mut ChunkWriter<'_>, entry: LoadEntry) -> Result<()> {
    end_interrupted(session, writer, entry, LoadState::Abandoned)
}

/// Notes that an interrupted load is in `state` now. What it had put aside is judged.
pub(super) fn end_interrupted(
    session: &LoadSession<'_>,
    writer: &mut ChunkWriter<'_>,
    entry: LoadEntry,
    state: LoadState,
) -> Result<()> {
    // Nobody would judge them later, since the load does not go on.
    let mut entry = judge_deferred(session, writer, entry)?;
    entry.state = state;
    let was_at = entry.position.offset;
    writer.write_chunk(Fence::Pipeline, Pace::InStep, |transaction| match transaction.save_load(&entry, was_at) {
        // It has ended meanwhile, or another process goes on with it.
        Err(Error::Target(error)) if error.kind == TargetErrorKind::Overtaken => Ok(((), MoreChunks::No)),
        outcome => outcome.map(|()| ((), MoreChunks::No)),
    })
}

/// The entry of an interrupted load with the digest of all of `source`, where it has read the beginning of just that: so
/// that the load which reads it again supersedes its rejects, however far ahead it had read.
pub(super) fn with_whole_digest(mut entry: LoadEntry, source: &Source) -> Result<LoadEntry> {
    if digest_source(source, Some(entry.digested))? == (entry.digest.clone(), entry.digested) {
        (entry.digest, entry.digested) = digest_source(source, None)?;
    }
    Ok(entry)
}

/// Judges the records that an interrupted load had put aside, before any other can claim their keys.
pub(super) fn judge_deferred(
    session: &LoadSession<'_>,
    writer: &mut ChunkWriter<'_>,
    mut entry: LoadEntry,
) -> Result<LoadEntry> {
    let table = session.table_at(session.project.find_position(&entry.table)?);
    let filter = RejectFilter { load: Some(entry.id), state: Some(RejectState::Deferred), ..RejectFilter::default() };
    let suspects = writer.read().reject_count(&filter)?;
    if suspects > 0 {
        writer.write_chunk(Fence::Pipeline, Pace::InStep, |transaction| {
            let mut tally = LoadTally { counts: entry.counts, suspects, deferred: suspects, ..LoadTally::default() };
            settle_suspects(session, transaction, table, &entry, &mut tally)?;
            entry.counts = tally.counts;
            // In the same transaction: counts and quarantine agree wherever the process dies.
            transaction.save_load(&entry, entry.position.offset).map(|()| ((), MoreChunks::No))
        })?;
    }
    Ok(entry)
}

/// The reasons that earlier commands of an interrupted load had counted.
pub(super) fn earlier_reasons(read: &dyn TargetRead, entry: &LoadEntry) -> Result<ReasonCounts> {
    let mut reasons = ReasonCounts::default();
    // What is put aside is not judged yet.
    for state in [RejectState::Open, RejectState::Released, RejectState::Superseded] {
        let filter = RejectFilter { load: Some(entry.id), state: Some(state), ..RejectFilter::default() };
        for group in read.reject_groups(&filter)? {
            if let Some(code) = ErrorCode::parse(&group.code) {
                reasons.add_count(code, group.field.map(Into::into).as_ref(), group.count);
            }
        }
    }
    Ok(reasons)
}

/// The bytes of the rejects that `entry` has made so far; once they are more than `work` allows, it does not matter how many.
pub(super) fn earlier_reject_bytes(read: &dyn TargetRead, entry: &LoadEntry, work: &WorkLimits) -> Result<u64> {
    const PAGE: u64 = 500;
    let mut bytes = 0;
    // The usual case costs no question.
    if entry.counts.rejected == 0 {
        return Ok(bytes);
    }
    let mut page = RejectFilter { load: Some(entry.id), any_state: true, limit: Some(PAGE), ..RejectFilter::default() };
    loop {
        let found = read.find_rejects(&page)?;
        let judged = found.iter().filter(|reject| reject.state != RejectState::Deferred);
        // The length is that of the whole record, of which only the beginning may be stored.
        let size = |reject: &Reject| reject_size(reject.length.min(work.rejected_record_bytes), &reject.errors);
        bytes += judged.map(size).sum::<u64>();
        match found.last() {
            Some(last) if found.len() as u64 == PAGE && bytes <= work.reject_bytes => page.after = last.id,
            _ => return Ok(bytes),
        }
    }
}
