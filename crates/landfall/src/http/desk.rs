//! The threads that own targets: one that writes, and a few that read. Requests reach them through bounded queues, and no queue
//! that matters to all (writes, tokens, readiness) has reports in it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use landfall_engine::{
    Error, Result,
    pipeline::{RowRules, RowsAnswer, RowsRequest, take_rows},
    targets::{Location, Target, TargetAccess},
};
use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot,
};

use super::{
    problem::{Outcome, Problem, ProblemKind},
    readers::{PoolSize, ReaderPool},
    reused_target::{ReusedTarget, TargetOpener, breaks_connection},
};

/// Requests that wait for the writer.
const WRITES_WAITING: usize = 4096;
/// Requests that share one transaction, and their rows.
const GROUP_REQUESTS: usize = 1024;
const GROUP_ROWS: usize = 4000;

/// Threads that look for tokens and the like: one may wait for a connection that was lost.
const CONTROLLERS: PoolSize = PoolSize { threads: 2, share: 2 };
/// Threads that read pages, lists and counts, and those of them that one token may have at once.
const READERS: PoolSize = PoolSize { threads: 4, share: 3 };
/// Threads that run reports, and those of them that one token may have at once.
const REPORTERS: PoolSize = PoolSize { threads: 4, share: 2 };

/// Work for a thread that owns a target, or the reason why it has none; whether that target is of no more use.
pub(super) type TargetWork = Box<dyn FnOnce(Result<&mut dyn Target>) -> bool + Send>;

/// What the writer is asked for.
enum WriterTask {
    Rows(RowsRequest, oneshot::Sender<Result<RowsAnswer, Arc<Error>>>),
    Work(TargetWork),
}

impl DeskThreads {
    /// Takes on more threads.
    pub(super) fn add_threads(&mut self, threads: Vec<JoinHandle<()>>) {
        self.0.extend(threads);
    }
}

/// Where requests are handed over.
pub(crate) struct Desk {
    writer: mpsc::Sender<WriterTask>,
    /// What every request needs: tokens, keys, the ledger's state.
    control: ReaderPool,
    reader: ReaderPool,
    reporter: ReaderPool,
    /// What tries whether the service can write, and waits for nobody.
    prober: ReaderPool,
    waiting: Arc<AtomicUsize>,
    /// Those that wait, and those that are being done.
    under_way: Arc<AtomicUsize>,
}

/// The threads, to be waited for when the service ends.
pub(crate) struct DeskThreads(Vec<JoinHandle<()>>);

impl DeskThreads {
    /// Waits until everything that was handed over is done. The desk must be gone.
    pub(crate) fn wait_for_threads(self) {
        for thread in self.0 {
            // What it was doing when it panicked has been told.
            let _ = thread.join();
        }
    }
}

impl Desk {
    /// Starts the threads. The writer's target has been opened, so that a service which cannot write does not start.
    pub(crate) fn open(writer: TargetOpener, rules: &Arc<RowRules>) -> std::io::Result<(Self, DeskThreads)> {
        let (jobs, taken) = mpsc::channel(WRITES_WAITING);
        let waiting = Arc::new(AtomicUsize::new(0));
        let under_way = Arc::new(AtomicUsize::new(0));
        let reader = TargetOpener { access: TargetAccess::Read, ..writer.clone() };
        let mut threads = Vec::new();
        let taken = Arc::new(Mutex::new(taken));
        for _ in 0..writers(&writer.location) {
            let (opener, jobs) = (writer.clone(), taken.clone());
            let (rules, waiting, under_way) = (rules.clone(), waiting.clone(), under_way.clone());
            let write = move || {
                WriterThread { held: ReusedTarget::new(opener), rules, waiting, under_way, gathers: false }.run(&jobs)
            };
            threads.push(thread::Builder::new().name("writer".into()).spawn(write)?);
        }
        let prober = ReaderPool::start_pool("prober", &writer, PoolSize { threads: 1, share: 1 }, &mut threads)?;
        let control = ReaderPool::start_pool("control", &reader, CONTROLLERS, &mut threads)?;
        let reporter = ReaderPool::start_pool("reporter", &reader, REPORTERS, &mut threads)?;
        let reader = ReaderPool::start_pool("reader", &reader, READERS, &mut threads)?;
        Ok((Self { writer: jobs, control, reader, reporter, prober, waiting, under_way }, DeskThreads(threads)))
    }

    /// Takes rows in.
    pub(crate) async fn take_rows(&self, request: RowsRequest) -> Outcome<RowsAnswer> {
        let (answer, answered) = oneshot::channel();
        self.hand_over(WriterTask::Rows(request, answer))?;
        match answered.await {
            Ok(outcome) => outcome.map_err(|error| Problem::from_engine(&error)),
            Err(_) => Err(lost_thread_problem()),
        }
    }

    /// Runs `work` on the target that writes.
    pub(crate) async fn write<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn Target) -> Result<R> + Send + 'static,
    ) -> Outcome<R> {
        let (work, answered) = wrap_work(work);
        self.hand_over(WriterTask::Work(work))?;
        answered.await.map_err(|_| lost_thread_problem())?.map_err(Problem::from)
    }

    /// Runs `work`, which is short and which others wait for, on a target that only reads.
    pub(crate) async fn read_briefly<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn Target) -> Result<R> + Send + 'static,
    ) -> Outcome<R> {
        self.control.read(work).await
    }

    /// Runs `work`, which tries whether the service can write, on a target of its own.
    pub(crate) async fn probe_writing<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn Target) -> Result<R> + Send + 'static,
    ) -> Outcome<R> {
        self.prober.read(work).await
    }

    /// Runs `work` for a caller on a target that only reads. Who gives up waiting stops it.
    pub(crate) async fn read<R: Send + 'static>(
        &self,
        caller: &str,
        work: impl FnOnce(&mut dyn Target) -> Result<R> + Send + 'static,
    ) -> Outcome<R> {
        self.reader.read_for(caller, work).await
    }

    /// Runs a report for a caller on a target that only reads, for at most `limit`. Who gives up waiting stops it.
    pub(crate) async fn run_report<R: Send + 'static>(
        &self,
        caller: &str,
        limit: Duration,
        work: impl FnOnce(&mut dyn Target) -> Result<R> + Send + 'static,
    ) -> Outcome<R> {
        self.reporter.read_within(caller, limit, work).await
    }

    fn hand_over(&self, job: WriterTask) -> Outcome<()> {
        // Before it is sent: whoever takes it counts it off.
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.under_way.fetch_add(1, Ordering::Relaxed);
        self.writer.try_send(job).map_err(|error| {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.under_way.fetch_sub(1, Ordering::Relaxed);
            refused_problem(&error)
        })
    }

    /// Requests that the writer has not done yet.
    pub(super) fn pending_requests(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }

    /// Threads that read just now.
    pub(super) fn reading_threads(&self) -> usize {
        self.control.busy_threads() + self.reader.busy_threads() + self.reporter.busy_threads()
    }

    /// Requests that wait for the writer.
    pub(crate) fn waiting_requests(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

/// `work` for a thread, and where its outcome will be.
pub(super) fn wrap_work<R: Send + 'static>(
    work: impl FnOnce(&mut dyn Target) -> Result<R> + Send + 'static,
) -> (TargetWork, oneshot::Receiver<Result<R>>) {
    let (answer, answered) = oneshot::channel();
    let work: TargetWork = Box::new(move |target| {
        let outcome = target.and_then(work);
        let broken = outcome.as_ref().err().is_some_and(breaks_connection);
        // Where nobody waits for the answer any more, there is nobody to tell.
        drop(answer.send(outcome));
        broken
    });
    (work, answered)
}

pub(super) fn refused_problem<T>(error: &TrySendError<T>) -> Problem {
    if matches!(error, TrySendError::Closed(_)) {
        return Problem::new(ProblemKind::STOPPING, "the service is being stopped; nothing of the request was done")
            .retry_after(5);
    }
    Problem::too_busy("too many requests are waiting; nothing of this one was done")
}

/// The thread has given up on a request.
pub(super) fn lost_thread_problem() -> Problem {
    Problem::new(
        ProblemKind::INTERNAL,
        "the service lost this request; what became of it can be learned by sending it again under the same Idempotency-Key",
    )
}

/// How many threads write: a file takes one writer at a time, and servers work on several transactions at once.
const fn writers(location: &Location) -> usize {
    match location {
        // SQLite has one writer at a time. Further threads would only wait for its lock.
        Location::Sqlite(_) => 1,
        _ => 2,
    }
}

/// A thread that writes.
struct WriterThread {
    held: ReusedTarget,
    rules: Arc<RowRules>,
    waiting: Arc<AtomicUsize>,
    under_way: Arc<AtomicUsize>,
    /// Whether the last group was of several requests.
    gathers: bool,
}

/// How long more requests are waited for.
const GATHERING: Duration = Duration::from_micros(300);
/// Requests with more rows than this are not kept waiting.
const SMALL: usize = 50;

fn is_small_task(job: &WriterTask) -> bool {
    matches!(job, WriterTask::Rows(request, _) if count_rows(request) <= SMALL)
}

impl WriterThread {
    fn run(mut self, jobs: &Mutex<mpsc::Receiver<WriterTask>>) {
        let mut next = None;
        loop {
            let (job, more) = match next.take() {
                Some(job) => (job, Vec::new()),
                None => {
                    let mut jobs = jobs.lock().unwrap_or_else(PoisonError::into_inner);
                    let Some(job) = jobs.blocking_recv() else { return };
                    // Where several requests came together before, more are on their way: a transaction for all of them
                    // costs little more than one for the first.
                    if self.gathers && is_small_task(&job) {
                        thread::sleep(GATHERING);
                    }
                    let more = gather_group(&job, &mut jobs);
                    self.gathers = !more.is_empty();
                    (job, more)
                }
            };
            let (mut requests, mut answers) = (Vec::new(), Vec::new());
            for job in std::iter::once(job).chain(more) {
                self.waiting.fetch_sub(1, Ordering::Relaxed);
                match job {
                    WriterTask::Rows(request, answer) => {
                        requests.push(request);
                        answers.push(answer);
                    }
                    WriterTask::Work(work) if requests.is_empty() => {
                        self.held.run(work);
                        self.under_way.fetch_sub(1, Ordering::Relaxed);
                    }
                    work @ WriterTask::Work(_) => {
                        self.waiting.fetch_add(1, Ordering::Relaxed);
                        next = Some(work);
                    }
                }
            }
            if !requests.is_empty() {
                let count = requests.len();
                self.write_rows(requests, answers);
                self.under_way.fetch_sub(count, Ordering::Relaxed);
            }
        }
    }

    fn write_rows(
        &mut self,
        requests: Vec<RowsRequest>,
        answers: Vec<oneshot::Sender<Result<RowsAnswer, Arc<Error>>>>,
    ) {
        match self.try_write(&requests) {
            Ok(taken) => {
                for (answer, taken) in answers.into_iter().zip(taken) {
                    drop(answer.send(Ok(taken)));
                }
            }
            // One of them may be at fault: the others need not suffer for it.
            Err(error) if requests.len() > 1 && !breaks_connection(&error) => {
                for (request, answer) in requests.iter().zip(answers) {
                    let taken = self.try_write(std::slice::from_ref(request));
                    drop(answer.send(taken.map(|mut taken| taken.remove(0)).map_err(Arc::new)));
                }
            }
            Err(error) => {
                let error = Arc::new(error);
                answers.into_iter().for_each(|answer| drop(answer.send(Err(error.clone()))));
            }
        }
    }

    fn try_write(&mut self, requests: &[RowsRequest]) -> Result<Vec<RowsAnswer>> {
        let rules = self.rules.clone();
        let target = self.held.get()?;
        // A panic within must not end the thread: the others' requests wait for it.
        let taken = catch_unwind(AssertUnwindSafe(|| take_rows(target, &rules, requests)));
        if taken.as_ref().map_or(true, |taken| taken.as_ref().err().is_some_and(breaks_connection)) {
            self.held.target = None;
        }
        taken.unwrap_or_else(|_| Err(Error::Internal("the writer panicked over a request".into())))
    }
}

/// The requests that wait behind `first` and can share its transaction; at most one job of another kind ends them.
fn gather_group(first: &WriterTask, jobs: &mut mpsc::Receiver<WriterTask>) -> Vec<WriterTask> {
    let mut more = Vec::new();
    let WriterTask::Rows(request, _) = first else { return more };
    let mut rows = count_rows(request);
    while more.len() + 1 < GROUP_REQUESTS && rows < GROUP_ROWS {
        let Ok(job) = jobs.try_recv() else { break };
        let ends = match &job {
            WriterTask::Rows(request, _) => {
                rows += count_rows(request);
                false
            }
            WriterTask::Work(_) => true,
        };
        more.push(job);
        if ends {
            break;
        }
    }
    more
}

fn count_rows(request: &RowsRequest) -> usize {
    request.batches.iter().map(landfall_engine::pipeline::RowBatch::row_count).sum()
}
