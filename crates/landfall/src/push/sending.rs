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
    pipeline::{Observer, Progress},
    source::{Source, digest_of},
};

use super::{
    Client, Entry, Options, Tally, Written,
    batches::{Batch, Batches},
    client::{Answer, Asked, Trouble},
    tally::RowsAnswer,
};
use crate::exit::{Exit, Fault};

/// What became of a push.
#[derive(Debug)]
pub(crate) struct Pushed {
    /// What became of the records.
    pub(crate) tally: Tally,
    /// The batches, in the order of the source.
    pub(crate) entries: Vec<Entry>,
    /// How long it took.
    pub(crate) seconds: f64,
    /// Why it did not come to its end.
    pub(crate) failure: Option<anyhow::Error>,
}

/// A push that runs.
struct Push<'p, O> {
    source: &'p Source,
    client: &'p Client,
    observer: &'p O,
    /// What makes a batch this table's, and this push's.
    scope: blake3::Hasher,
    total_bytes: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    tally: Tally,
    entries: Vec<Entry>,
    /// Bytes of the file up to the end of the batch that came farthest.
    consumed: u64,
    failure: Option<anyhow::Error>,
}

/// Sends `source` to the service of `client`. At most two batches more than there are threads are in memory.
pub(crate) fn push<O: Observer + Sync>(
    source: &Source,
    written: &Written,
    options: &Options,
    client: &Client,
    observer: &O,
) -> Result<Pushed> {
    let begun = Instant::now();
    let before = source.stamp()?;
    observer.begins(&options.table, &source.name);
    let (digest, _) = digest_of(source, None)?;
    let push = Push {
        source,
        client,
        observer,
        scope: scope(options, client, &digest),
        total_bytes: before.size,
        state: Mutex::default(),
    };
    let (sender, receiver) = sync_channel(1);
    let batches = Mutex::new(receiver);
    thread::scope(|scope| {
        for _ in 0..options.parallel {
            scope.spawn(|| push.work(&batches));
        }
        if let Err(error) = push.cut(written, options.batch, &sender) {
            push.fail(error);
        }
        drop(sender);
    });
    if source.stamp()? != before {
        let words =
            format!("{}: it was changed while it was read; push it again once nobody writes to it", source.name);
        push.fail(Fault::source(words).into());
    }
    let State { tally, mut entries, failure, .. } = push.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    entries.sort_by_key(|entry| entry.first);
    Ok(Pushed { tally, entries, seconds: begun.elapsed().as_secs_f64(), failure })
}

/// The begin of each key: the same batch for another table, under other options, or of another file, is another request. A file
/// whose content is known is the same, whatever its name: as for a load.
fn scope(options: &Options, client: &Client, digest: &str) -> blake3::Hasher {
    let mut scope = blake3::Hasher::new();
    let salt = options.salt.map(|salt| salt.to_string()).unwrap_or_default();
    for part in ["landfall push 1", &options.table, &client.query, digest, &salt] {
        scope.update(&(part.len() as u64).to_le_bytes());
        scope.update(part.as_bytes());
    }
    scope
}

impl<O: Observer + Sync> Push<'_, O> {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopped(&self) -> bool {
        self.client.stopped.load(Ordering::Relaxed)
    }

    /// Keeps the first reason to stop.
    fn fail(&self, error: anyhow::Error) {
        self.state().failure.get_or_insert(error);
    }

    /// Cuts the source for those who send.
    fn cut(&self, written: &Written, most: usize, sender: &SyncSender<Batch>) -> Result<()> {
        let mut batches = Batches::open(self.source, written, most)?;
        while !self.is_stopped() {
            let Some(batch) = batches.next_batch()? else { return Ok(()) };
            if sender.send(batch).is_err() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Sends batches until there are no more.
    fn work(&self, batches: &Mutex<Receiver<Batch>>) {
        loop {
            let batch = batches.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(batch) = batch else { return };
            self.settle(&batch);
        }
    }

    /// Sends a batch until it is answered; in halves where it is too much for the service.
    fn settle(&self, batch: &Batch) {
        if self.is_stopped() {
            return;
        }
        let (begun, body) = (Instant::now(), batch.body());
        let key = self.key(batch, &body);
        let (attempts, answer) = self.client.ask(&Asked::Rows { body: &body, key: &key });
        drop(body);
        let trouble = match answer {
            Ok(answer) => return self.answered(batch, attempts, begun, &answer),
            Err(trouble) => trouble,
        };
        if trouble.is_too_much()
            && let Some(halves) = batch.halves()
        {
            return halves.iter().for_each(|half| self.settle(half));
        }
        self.client.stopped.store(true, Ordering::Relaxed);
        self.refused(batch, attempts, begun, &trouble);
    }

    /// The key of a batch: the same records of the same source have the same.
    fn key(&self, batch: &Batch, body: &[u8]) -> String {
        let mut hasher = self.scope.clone();
        hasher.update(&batch.offset.to_le_bytes()).update(&batch.first.to_le_bytes()).update(body);
        format!("push-{}", hasher.finalize().to_hex())
    }

    fn answered(&self, batch: &Batch, attempts: u32, begun: Instant, answer: &Answer) {
        let entry = Entry { status: Some(answer.status), replayed: answer.replayed, ..entry(batch, attempts, begun) };
        let told = match serde_json::from_slice::<RowsAnswer>(&answer.body) {
            Ok(told) if told.counts.read == batch.records() as u64 && told.counts.conserved() => told,
            other => {
                self.client.stopped.store(true, Ordering::Relaxed);
                let words = match other {
                    Ok(told) => format!("the service counts otherwise: {}", crate::counts::equation(told.counts)),
                    Err(error) => format!("the answer is not understood: {error}"),
                };
                let mut state = self.state();
                state.entries.push(entry);
                state.failure.get_or_insert(Fault::ends(Exit::Target, format!("{}: {words}", self.name(batch))).into());
                return;
            }
        };
        let mut state = self.state();
        state.entries.push(Entry { load_id: told.load_id, counts: Some(told.counts), ..entry });
        state.tally.add(batch, told);
        state.consumed = state.consumed.max(batch.consumed);
        let counts = state.tally.counts;
        self.observer.progress(Progress {
            bytes: state.consumed,
            total_bytes: self.total_bytes,
            records: counts.read,
            rejected: counts.rejected,
        });
    }

    fn refused(&self, batch: &Batch, attempts: u32, begun: Instant, trouble: &Trouble) {
        let mut state = self.state();
        state.entries.push(Entry { status: trouble.status, ..entry(batch, attempts, begun) });
        state.failure.get_or_insert_with(|| trouble.told(&self.name(batch), attempts).into());
    }

    /// A batch in words.
    fn name(&self, batch: &Batch) -> String {
        let (first, last) = (batch.first, batch.first + batch.records() as u64 - 1);
        format!("{}, records {first} to {last}", self.source.name)
    }
}

fn entry(batch: &Batch, attempts: u32, begun: Instant) -> Entry {
    let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    Entry { first: batch.first, records: batch.records() as u64, attempts, milliseconds, ..Entry::default() }
}
