//! Batches on their way: one thread cuts, a few send.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::Ordering,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Instant,
};

use anyhow::Result;
use landfall_engine::{
    pipeline::{LoadProgress, Observer},
    source::{Source, digest_source},
};

use super::{
    BatchEntry, FileForm, PushClient, PushOptions, PushTally,
    batches::{BatchReader, PushBatch},
    client::{RequestFailure, ServiceAnswer, ServiceRequest},
    tally::BatchAnswer,
};
use crate::exit::{CommandError, Exit};

/// What became of a push.
#[derive(Debug)]
pub(crate) struct PushOutcome {
    /// What became of the records.
    pub(crate) tally: PushTally,
    /// The batches, in the order of the source.
    pub(crate) entries: Vec<BatchEntry>,
    /// How long it took.
    pub(crate) seconds: f64,
    /// Why it did not come to its end.
    pub(crate) failure: Option<anyhow::Error>,
}

/// A push that runs.
struct PushRun<'p, O> {
    source: &'p Source,
    client: &'p PushClient,
    observer: &'p O,
    /// What makes a batch this table's, and this push's.
    scope: blake3::Hasher,
    total_bytes: u64,
    state: Mutex<PushState>,
}

#[derive(Default)]
struct PushState {
    tally: PushTally,
    entries: Vec<BatchEntry>,
    /// Bytes of the file up to the end of the batch that came farthest.
    consumed: u64,
    failure: Option<anyhow::Error>,
}

/// Sends `source` to the service of `client`. At most two batches more than there are threads are in memory.
pub(crate) fn push<O: Observer + Sync>(
    source: &Source,
    written: &FileForm,
    options: &PushOptions,
    client: &PushClient,
    observer: &O,
) -> Result<PushOutcome> {
    let begun = Instant::now();
    // Before the digest, so that a change during either reading is seen.
    let before = source.read_stamp()?;
    observer.source_begins(&options.table, &source.name);
    // The keys are of the whole content. Without it, a changed file would get the answers of the old one.
    let (digest, _) = digest_source(source, None)?;
    let push = PushRun {
        source,
        client,
        observer,
        scope: hash_scope(options, client, &digest),
        total_bytes: before.size.unwrap_or_default(),
        state: Mutex::default(),
    };
    // Of one place, so that the cutter waits and the file is not held in memory.
    let (sender, receiver) = sync_channel(1);
    let batches = Mutex::new(receiver);
    thread::scope(|scope| {
        for _ in 0..options.parallel {
            scope.spawn(|| push.send_batches(&batches));
        }
        if let Err(error) = push.cut_source(written, options.batch, &sender) {
            push.stop_with(error);
        }
        // By this the senders learn that there is nothing more.
        drop(sender);
    });
    if source.read_stamp()? != before {
        let words =
            format!("{}: it was changed while it was read; push it again once nobody writes to it", source.name);
        push.stop_with(CommandError::source_error(words).into());
    }
    let PushState { tally, mut entries, failure, .. } = push.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    // Answers come in any order.
    entries.sort_by_key(|entry| entry.first);
    Ok(PushOutcome { tally, entries, seconds: begun.elapsed().as_secs_f64(), failure })
}

/// The begin of each key: the same batch for another table, under other options, or of another file, is another request. A file
/// whose content is known is the same, whatever its name: as for a load.
fn hash_scope(options: &PushOptions, client: &PushClient, digest: &str) -> blake3::Hasher {
    let mut scope = blake3::Hasher::new();
    let salt = options.salt.map(|salt| salt.to_string()).unwrap_or_default();
    for part in ["landfall push 1", &options.table, &client.query, digest, &salt] {
        scope.update(&(part.len() as u64).to_le_bytes());
        scope.update(part.as_bytes());
    }
    scope
}

impl<O: Observer + Sync> PushRun<'_, O> {
    fn lock_state(&self) -> MutexGuard<'_, PushState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopped(&self) -> bool {
        self.client.stopped.load(Ordering::Relaxed)
    }

    /// Keeps the first reason to stop.
    fn stop_with(&self, error: anyhow::Error) {
        self.lock_state().failure.get_or_insert(error);
    }

    /// Cuts the source for those who send.
    fn cut_source(&self, written: &FileForm, most: usize, sender: &SyncSender<PushBatch>) -> Result<()> {
        let mut batches = BatchReader::open(self.source, written, most)?;
        while !self.is_stopped() {
            let Some(batch) = batches.next_batch()? else { return Ok(()) };
            if sender.send(batch).is_err() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Sends batches until there are no more.
    fn send_batches(&self, batches: &Mutex<Receiver<PushBatch>>) {
        loop {
            // The lock goes with this line: the batch is sent without it.
            let batch = batches.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(batch) = batch else { return };
            self.send_batch(&batch);
        }
    }

    /// Sends a batch until it is answered; in halves where it is too much for the service.
    fn send_batch(&self, batch: &PushBatch) {
        if self.is_stopped() {
            return;
        }
        let (begun, body) = (Instant::now(), batch.request_body());
        let key = self.batch_key(batch, &body);
        let (attempts, answer) = self.client.send_until_answered(&ServiceRequest::Rows { body: &body, key: &key });
        drop(body);
        let trouble = match answer {
            Ok(answer) => return self.note_answer(batch, attempts, begun, &answer),
            Err(trouble) => trouble,
        };
        if trouble.is_body_too_large()
            // The halves have keys of their own, and the next push cuts just so again.
            && let Some(halves) = batch.split_in_half()
        {
            return halves.iter().for_each(|half| self.send_batch(half));
        }
        // Before the note, so that no further batch begins.
        self.client.stopped.store(true, Ordering::Relaxed);
        self.note_refusal(batch, attempts, begun, &trouble);
    }

    /// The key of a batch: the same records of the same source have the same.
    fn batch_key(&self, batch: &PushBatch, body: &[u8]) -> String {
        let mut hasher = self.scope.clone();
        // With the place: the same rows twice in a file are two batches.
        hasher.update(&batch.offset.to_le_bytes()).update(&batch.first.to_le_bytes()).update(body);
        format!("push-{}", hasher.finalize().to_hex())
    }

    fn note_answer(&self, batch: &PushBatch, attempts: u32, begun: Instant, answer: &ServiceAnswer) {
        let entry =
            BatchEntry { status: Some(answer.status), replayed: answer.replayed, ..new_entry(batch, attempts, begun) };
        let told = match serde_json::from_slice::<BatchAnswer>(&answer.body) {
            // A proxy or another program may answer 200 as well. If the counts differ, rows are lost that nobody
            // accounts for.
            Ok(told) if told.counts.read == batch.record_count() as u64 && told.counts.conserved() => told,
            other => {
                self.client.stopped.store(true, Ordering::Relaxed);
                let words = match other {
                    Ok(told) => {
                        format!("the service counts otherwise: {}", crate::counts::format_equation(told.counts))
                    }
                    Err(error) => format!("the answer is not understood: {error}"),
                };
                let mut state = self.lock_state();
                state.entries.push(entry);
                state.failure.get_or_insert(
                    CommandError::with_exit(Exit::Target, format!("{}: {words}", self.name(batch))).into(),
                );
                return;
            }
        };
        let mut state = self.lock_state();
        state.entries.push(BatchEntry { load_id: told.load_id, counts: Some(told.counts), ..entry });
        state.tally.add_answer(batch, told);
        state.consumed = state.consumed.max(batch.consumed);
        let counts = state.tally.counts;
        self.observer.report_progress(LoadProgress {
            bytes: state.consumed,
            total_bytes: self.total_bytes,
            records: counts.read,
            rejected: counts.rejected,
        });
    }

    fn note_refusal(&self, batch: &PushBatch, attempts: u32, begun: Instant, trouble: &RequestFailure) {
        let mut state = self.lock_state();
        state.entries.push(BatchEntry { status: trouble.status, ..new_entry(batch, attempts, begun) });
        state.failure.get_or_insert_with(|| trouble.to_command_error(&self.name(batch), attempts).into());
    }

    /// A batch in words.
    fn name(&self, batch: &PushBatch) -> String {
        let (first, last) = (batch.first, batch.first + batch.record_count() as u64 - 1);
        format!("{}, records {first} to {last}", self.source.name)
    }
}

fn new_entry(batch: &PushBatch, attempts: u32, begun: Instant) -> BatchEntry {
    let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    BatchEntry {
        first: batch.first,
        records: batch.record_count() as u64,
        attempts,
        milliseconds,
        ..BatchEntry::default()
    }
}
