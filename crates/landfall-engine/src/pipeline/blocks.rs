//! From a source to validated blocks, in order: one thread reads and cuts, others decode and validate.

use std::{
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use landfall_core::{
    decode::{Piece, Records, SourceBlock, TooLong},
    validate::ValidatedBlock,
};

use super::{
    StageSeconds,
    open_source::{CutPiece, OpenSource, RecordRules},
};
use crate::error::Result;

/// A piece of the source, ready for its keys to be resolved.
pub(super) struct ReadBlock {
    /// The offset of its first byte.
    pub(super) offset: u64,
    /// Its length in bytes.
    pub(super) length: u64,
    pub(super) content: PieceContent,
    /// BLAKE3 of the first `digested` bytes of the source.
    pub(super) digest: blake3::Hash,
    pub(super) digested: u64,
    /// Bytes of the file read.
    pub(super) consumed: u64,
    /// Held until the block is dropped.
    _lease: Option<LongPieceLease>,
}

/// The right to hold a long piece. A record of 16 MiB costs several times as much on its way, so that only one of them is under way.
#[derive(Debug)]
struct LongPieceLease(Arc<LongPieces>);

/// Whether a long piece is under way.
#[derive(Debug)]
struct LongPieces {
    /// Bytes that are not long yet.
    most: usize,
    taken: Mutex<bool>,
    given_back: Condvar,
}

impl LongPieces {
    /// Waits until no other long piece is under way.
    fn wait_for_lease(self: &Arc<Self>) -> LongPieceLease {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        while *taken {
            taken = self.given_back.wait(taken).unwrap_or_else(PoisonError::into_inner);
        }
        *taken = true;
        LongPieceLease(self.clone())
    }
}

impl Drop for LongPieceLease {
    fn drop(&mut self) {
        *self.0.taken.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.0.given_back.notify_one();
    }
}

/// What a piece holds.
pub(super) enum PieceContent {
    /// Records, read.
    Records(Box<(Records, ValidatedBlock)>),
    /// A record that is too long to hold.
    TooLong(TooLong),
}

impl ReadBlock {
    /// The number of line ends in it.
    pub(super) fn line_ends(&self) -> u64 {
        match &self.content {
            PieceContent::Records(read) => u64::from(read.0.line_end_count()),
            PieceContent::TooLong(record) => record.line_ends,
        }
    }
}

/// Nanoseconds spent by the threads in each stage.
#[derive(Debug, Default)]
struct StageClock {
    read: AtomicU64,
    decode: AtomicU64,
    validate: AtomicU64,
}

impl StageClock {
    fn to_stages(&self) -> StageSeconds {
        let seconds = |nanos: &AtomicU64| Duration::from_nanos(nanos.load(Ordering::Relaxed)).as_secs_f64();
        StageSeconds {
            read: seconds(&self.read),
            decode: seconds(&self.decode),
            validate: seconds(&self.validate),
            ..StageSeconds::default()
        }
    }
}

/// Bytes beyond which a piece is long, unless blocks are asked for that are as long.
const LONG: usize = 1 << 20;

/// Adds the time since `start` to `counter`.
fn add_elapsed(counter: &AtomicU64, start: Instant) {
    let nanos = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
    counter.fetch_add(nanos, Ordering::Relaxed);
}

/// A block on its way to a worker, and where its answer goes.
struct BlockTask {
    block: SourceBlock,
    rest: PieceRest,
    answer: SyncSender<Result<ReadBlock>>,
}

/// What goes with a piece unchanged.
struct PieceRest {
    offset: u64,
    length: u64,
    digest: blake3::Hash,
    digested: u64,
    consumed: u64,
    lease: Option<LongPieceLease>,
}

impl PieceRest {
    fn with(self, content: PieceContent) -> ReadBlock {
        let Self { offset, length, digest, digested, consumed, lease } = self;
        ReadBlock { offset, length, content, digest, digested, consumed, _lease: lease }
    }
}

/// The blocks of a source, in order.
pub(super) struct BlockStream {
    answers: Receiver<Receiver<Result<ReadBlock>>>,
}

impl Iterator for BlockStream {
    type Item = Result<ReadBlock>;

    fn next(&mut self) -> Option<Self::Item> {
        self.answers.recv().ok()?.recv().ok()
    }
}

/// Reads `opened` with `threads` workers and hands its blocks to `consume`, which may stop early. With its
/// outcome comes the time spent by the threads.
///
/// Memory is bounded: no more blocks are under way than two for each worker, and two more; and of long ones only one.
pub(super) fn read_blocks<R>(
    opened: OpenSource,
    threads: usize,
    consume: impl FnOnce(&mut BlockStream) -> Result<R>,
) -> Result<(R, StageSeconds)> {
    let threads = threads.max(1);
    let rules = opened.rules.clone();
    let clock = StageClock::default();
    let (job_sender, job_receiver) = sync_channel(threads);
    // The bound of the memory: each of these answers may hold a block with its rows.
    let (answer_sender, answers) = sync_channel(threads + 2);
    let jobs = Mutex::new(job_receiver);
    thread::scope(|scope| {
        let reader = scope.spawn(|| cut_source(opened, job_sender, answer_sender, &rules, &clock));
        for _ in 0..threads {
            scope.spawn(|| validate_blocks(&jobs, &rules, &clock));
        }
        let mut blocks = BlockStream { answers };
        let consumed = consume(&mut blocks);
        // The reader may wait for room among the answers. Without a listener it ends, and so do the workers.
        drop(blocks);
        reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        consumed.map(|value| (value, clock.to_stages()))
    })
}

/// Cuts the source until its end, an error, or until nobody listens any more.
///
/// Long pieces are read here, since only one of them is under way: what a thread has had, its share of the heap keeps.
fn cut_source(
    mut opened: OpenSource,
    jobs: SyncSender<BlockTask>,
    answers: SyncSender<Receiver<Result<ReadBlock>>>,
    rules: &RecordRules,
    clock: &StageClock,
) {
    let most = LONG.max(opened.block_bytes.saturating_mul(2));
    let long = Arc::new(LongPieces { most, taken: Mutex::new(false), given_back: Condvar::new() });
    loop {
        let start = Instant::now();
        let piece = opened.next_piece();
        add_elapsed(&clock.read, start);
        let (answer, receiver) = sync_channel(1);
        let job = match piece {
            Ok(None) => return,
            Ok(Some(piece)) => prepare_task(piece, &answer, &long),
            Err(error) => {
                // The error takes its place in the order, so that the blocks before it are loaded first.
                let _ = answer.send(Err(error));
                None
            }
        };
        // A block gets its place in the order before its work begins, so that workers may end in any order.
        if answers.send(receiver).is_err() {
            return;
        }
        let Some(job) = job else { continue };
        if job.rest.lease.is_some() {
            read(job, rules, clock);
        } else if jobs.send(job).is_err() {
            return;
        }
    }
}

/// The job for a piece, or none where there is nothing to decode and the answer is given at once.
fn prepare_task(piece: CutPiece, answer: &SyncSender<Result<ReadBlock>>, long: &Arc<LongPieces>) -> Option<BlockTask> {
    let CutPiece { piece, digest, digested, consumed } = piece;
    let is_long = matches!(&piece, Piece::Block(block) if block.len() > long.most);
    let lease = is_long.then(|| long.wait_for_lease());
    let rest = PieceRest { offset: piece.offset(), length: piece.len(), digest, digested, consumed, lease };
    match piece {
        Piece::Block(block) => Some(BlockTask { block, rest, answer: answer.clone() }),
        Piece::TooLong(record) => {
            let _ = answer.send(Ok(rest.with(PieceContent::TooLong(record))));
            None
        }
    }
}

/// Decodes and validates blocks until there are no more.
fn validate_blocks(jobs: &Mutex<Receiver<BlockTask>>, rules: &Arc<RecordRules>, clock: &StageClock) {
    loop {
        let job = match jobs.lock() {
            Ok(jobs) => jobs.recv(),
            // Only a worker that panicked poisons the lock, and the scope passes its panic on.
            Err(_) => return,
        };
        let Ok(job) = job else { return };
        read(job, rules, clock);
    }
}

/// Decodes and validates a block.
fn read(BlockTask { block, rest, answer }: BlockTask, rules: &RecordRules, clock: &StageClock) {
    let start = Instant::now();
    let records = rules.decoder.decode_block(block);
    add_elapsed(&clock.decode, start);
    let start = Instant::now();
    let validated = rules.validator.validate_records(&records);
    add_elapsed(&clock.validate, start);
    // Nobody may listen any more: the consumer may have stopped early.
    let _ = answer.send(Ok(rest.with(PieceContent::Records(Box::new((records, validated))))));
}
