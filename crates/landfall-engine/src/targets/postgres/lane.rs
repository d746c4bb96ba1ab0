//! A lane: a worker that is here, or streams rows on a thread of its own while the pipeline goes on.
//!
//! To be changed together:
//! - The order of a transaction: its rows, the end of the transaction before, what was deferred (rejects, held parents, the ledger entry), its
//!   commit. So the ledger never says more than is committed, and the numbers of rejects ascend as their records do.
//! - Every way out of a thread reports the outcome, a panic included ([`OutcomeReporter`]). If one stays silent, the next lane waits for ever.

use std::{
    ops::Range,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
};

use arrow_array::RecordBatch;

use super::{
    connection::PostgresConnection,
    worker::{DeferredWrite, LaneWorker, RowDestination},
};
use crate::error::{Error, Result, TargetError, TargetErrorKind};

/// Batches that wait for a worker: enough to keep it busy, few enough to keep memory flat.
const MOST_WAITING: usize = 4;

/// What a worker is sent while it is away.
enum LaneTask {
    Rows(Arc<RowDestination>, RecordBatch, Vec<Range<usize>>),
    Later(DeferredWrite),
    Commit { after: Option<Arc<CommitOutcome>> },
}

/// Where a worker is.
enum WorkerState {
    Here(Box<LaneWorker>),
    Away(SyncSender<LaneTask>, JoinHandle<LaneResult>),
    /// It is done for: it committed, or failed.
    Gone,
}

/// What a thread gives back.
enum LaneResult {
    /// The transaction goes on.
    Open(Box<LaneWorker>),
    /// It has committed, and this is its connection.
    Committed(Option<PostgresConnection>),
    /// It failed, and left no trace.
    Failed(Error, Option<PostgresConnection>),
}

/// How a transaction that commits while the pipeline goes on has ended.
#[derive(Debug, Default)]
pub(super) struct CommitOutcome {
    committed: Mutex<Option<bool>>,
    told: Condvar,
}

impl CommitOutcome {
    fn report_end(&self, committed: bool) {
        let mut outcome = self.committed.lock().unwrap_or_else(PoisonError::into_inner);
        // The first report counts. `OutcomeReporter` reports a failure when it is dropped, also after a commit.
        *outcome = outcome.or(Some(committed));
        self.told.notify_all();
    }

    /// Waits for the end; whether it was a commit.
    fn wait_for_end(&self) -> bool {
        let outcome = self.committed.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = self.told.wait_while(outcome, |outcome| outcome.is_none());
        // Whoever cannot tell is taken for undone: the load then goes on from the ledger.
        outcome.unwrap_or_else(PoisonError::into_inner).unwrap_or(false)
    }
}

/// Tells that a transaction did not commit, unless it was told that it did: also where its thread ends in a panic.
struct OutcomeReporter(Option<Arc<CommitOutcome>>);

impl Drop for OutcomeReporter {
    fn drop(&mut self) {
        if let Some(outcome) = &self.0 {
            outcome.report_end(false);
        }
    }
}

/// A lane.
pub(super) struct CommitLane {
    worker: WorkerState,
    outcome: Arc<CommitOutcome>,
}

impl CommitLane {
    pub(super) fn new(worker: LaneWorker) -> Self {
        Self { worker: WorkerState::Here(Box::new(worker)), outcome: Arc::default() }
    }

    /// The worker, once it has done what it was sent.
    ///
    /// # Errors
    /// What it met; the lane is done for then.
    pub(super) fn wait_for_worker(&mut self) -> Result<&mut LaneWorker> {
        if let WorkerState::Away(..) = self.worker {
            let WorkerState::Away(jobs, thread) = std::mem::replace(&mut self.worker, WorkerState::Gone) else {
                unreachable!("it was away a moment ago")
            };
            // The thread ends when nobody can send it anything more.
            drop(jobs);
            match join_thread(thread) {
                LaneResult::Open(worker) => self.worker = WorkerState::Here(worker),
                LaneResult::Failed(error, _) => return Err(error),
                LaneResult::Committed(_) => {}
            }
        }
        match &mut self.worker {
            WorkerState::Here(worker) => Ok(worker),
            _ => Err(lost_thread_error()),
        }
    }

    /// The worker, where it is here and its connection can be asked something.
    pub(super) fn idle_worker(&mut self) -> Option<&mut LaneWorker> {
        match &mut self.worker {
            WorkerState::Here(worker) if worker.is_free() => Some(worker),
            _ => None,
        }
    }

    /// Sends rows on their way.
    pub(super) fn send_rows(
        &mut self,
        destination: &Arc<RowDestination>,
        batch: &RecordBatch,
        selected: &[Range<usize>],
    ) -> Result<()> {
        self.send_task(LaneTask::Rows(destination.clone(), batch.clone(), selected.to_vec()))
    }

    /// Sends what has to come after the rows.
    pub(super) fn send_later(&mut self, later: DeferredWrite) -> Result<()> {
        match &mut self.worker {
            WorkerState::Here(worker) => {
                worker.defer_write(later);
                Ok(())
            }
            _ => self.send_task(LaneTask::Later(later)),
        }
    }

    /// Lets the transaction commit once the one before has, without waiting for it.
    pub(super) fn send_commit(&mut self, after: Option<&Self>) -> Result<()> {
        let after = after.map(|lane| lane.outcome.clone());
        self.send_task(LaneTask::Commit { after })
    }

    fn send_task(&mut self, job: LaneTask) -> Result<()> {
        if let WorkerState::Here(_) = self.worker {
            let WorkerState::Here(worker) = std::mem::replace(&mut self.worker, WorkerState::Gone) else {
                unreachable!("it was here a moment ago")
            };
            let (jobs, waiting) = sync_channel(MOST_WAITING);
            // Made before the thread, so that a thread that cannot be started reports too.
            let telling = OutcomeReporter(Some(self.outcome.clone()));
            let thread = thread::Builder::new()
                .name("postgres".into())
                .spawn(move || run_tasks(worker, &waiting, telling))
                .map_err(|error| {
                    TargetError::new(TargetErrorKind::Unavailable, format!("cannot start a thread: {error}"))
                })?;
            self.worker = WorkerState::Away(jobs, thread);
        }
        let sent = match &self.worker {
            WorkerState::Away(jobs, _) => jobs.send(job).is_ok(),
            _ => false,
        };
        // A worker that takes no more has failed, and says why.
        if sent { Ok(()) } else { self.wait_for_worker().map(drop).and(Err(lost_thread_error())) }
    }

    /// Waits for a transaction that was sent to commit; its connection.
    pub(super) fn wait_for_commit(mut self) -> Result<Option<PostgresConnection>> {
        match std::mem::replace(&mut self.worker, WorkerState::Gone) {
            WorkerState::Away(jobs, thread) => {
                drop(jobs);
                match join_thread(thread) {
                    LaneResult::Committed(connection) => Ok(connection),
                    LaneResult::Failed(error, _) => Err(error),
                    LaneResult::Open(worker) => {
                        worker.roll_back();
                        Err(lost_thread_error())
                    }
                }
            }
            _ => Err(lost_thread_error()),
        }
    }

    /// Takes the worker out to commit it here.
    pub(super) fn into_worker(mut self) -> Result<LaneWorker> {
        self.wait_for_worker()?;
        match std::mem::replace(&mut self.worker, WorkerState::Gone) {
            WorkerState::Here(worker) => Ok(*worker),
            _ => Err(lost_thread_error()),
        }
    }

    /// Gives the transaction up; the connection, where it is still good.
    pub(super) fn roll_back(self) -> Option<PostgresConnection> {
        match self.worker {
            WorkerState::Here(worker) => worker.roll_back(),
            WorkerState::Away(jobs, thread) => {
                drop(jobs);
                match join_thread(thread) {
                    LaneResult::Open(worker) => worker.roll_back(),
                    LaneResult::Failed(_, connection) | LaneResult::Committed(connection) => connection,
                }
            }
            WorkerState::Gone => None,
        }
    }
}

fn join_thread(thread: JoinHandle<LaneResult>) -> LaneResult {
    thread.join().unwrap_or_else(|_| LaneResult::Failed(lost_thread_error(), None))
}

fn lost_thread_error() -> Error {
    TargetError::new(TargetErrorKind::Statement, "the transaction has ended already").into()
}

/// Does jobs until there are no more.
fn run_tasks(mut worker: Box<LaneWorker>, jobs: &Receiver<LaneTask>, mut telling: OutcomeReporter) -> LaneResult {
    for job in jobs {
        let done = match job {
            LaneTask::Rows(destination, batch, selected) => worker
                .stream_rows(&destination, &batch, &selected)
                .map_err(|failure| worker.row_error(failure, &insert_description(&destination.table.name))),
            LaneTask::Later(later) => {
                worker.defer_write(later);
                Ok(())
            }
            LaneTask::Commit { after } => return commit_after(worker, after.as_deref(), &telling),
        };
        if let Err(error) = done {
            return LaneResult::Failed(error, worker.roll_back());
        }
    }
    // The transaction goes on with its worker. Its end is reported by the thread that takes it up next.
    telling.0 = None;
    LaneResult::Open(worker)
}

pub(super) fn insert_description(table: &str) -> String {
    format!("cannot insert into the table {table:?}")
}

fn commit_after(mut worker: Box<LaneWorker>, after: Option<&CommitOutcome>, telling: &OutcomeReporter) -> LaneResult {
    // Before the wait: the server takes these rows in while the transaction before commits, and that time is what lanes save.
    if let Err(failure) = worker.end_rows() {
        let error = worker.row_error(failure, "cannot insert rows");
        return LaneResult::Failed(error, worker.roll_back());
    }
    // Behind a transaction that failed, a commit would leave a gap in the ledger. The load goes on from the ledger instead.
    if after.is_some_and(|before| !before.wait_for_end()) {
        return LaneResult::Failed(lost_thread_error(), worker.roll_back());
    }
    if let Err(error) = worker.write_deferred() {
        return LaneResult::Failed(error, worker.roll_back());
    }
    let (committed, connection) = worker.commit_now();
    match committed {
        Ok(()) => {
            telling.0.iter().for_each(|outcome| outcome.report_end(true));
            LaneResult::Committed(connection)
        }
        Err(error) => LaneResult::Failed(error, connection),
    }
}
