//! A lane: a worker that is here, or streams rows on a thread of its own while the pipeline goes on.

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
    connection::Connection,
    worker::{Destination, Later, Worker},
};
use crate::error::{Error, Result, TargetError, TargetErrorKind};

/// Batches that wait for a worker: enough to keep it busy, few enough to keep memory flat.
const MOST_WAITING: usize = 4;

/// What a worker is sent while it is away.
enum Job {
    Rows(Arc<Destination>, RecordBatch, Vec<Range<usize>>),
    Later(Later),
    Commit { after: Option<Arc<Outcome>> },
}

/// Where a worker is.
enum Whereabouts {
    Here(Box<Worker>),
    Away(SyncSender<Job>, JoinHandle<Ended>),
    /// It is done for: it committed, or failed.
    Gone,
}

/// What a thread gives back.
enum Ended {
    /// The transaction goes on.
    Open(Box<Worker>),
    /// It has committed, and this is its connection.
    Committed(Option<Connection>),
    /// It failed, and left no trace.
    Failed(Error, Option<Connection>),
}

/// How a transaction that commits while the pipeline goes on has ended.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    committed: Mutex<Option<bool>>,
    told: Condvar,
}

impl Outcome {
    fn tell(&self, committed: bool) {
        let mut outcome = self.committed.lock().unwrap_or_else(PoisonError::into_inner);
        *outcome = outcome.or(Some(committed));
        self.told.notify_all();
    }

    /// Waits for the end; whether it was a commit.
    fn wait(&self) -> bool {
        let outcome = self.committed.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = self.told.wait_while(outcome, |outcome| outcome.is_none());
        outcome.unwrap_or_else(PoisonError::into_inner).unwrap_or(false)
    }
}

/// Tells that a transaction did not commit, unless it was told that it did: also where its thread ends in a panic.
struct Telling(Option<Arc<Outcome>>);

impl Drop for Telling {
    fn drop(&mut self) {
        if let Some(outcome) = &self.0 {
            outcome.tell(false);
        }
    }
}

/// A lane.
pub(super) struct Lane {
    worker: Whereabouts,
    outcome: Arc<Outcome>,
}

impl Lane {
    pub(super) fn new(worker: Worker) -> Self {
        Self { worker: Whereabouts::Here(Box::new(worker)), outcome: Arc::default() }
    }

    /// The worker, once it has done what it was sent.
    ///
    /// # Errors
    /// What it met; the lane is done for then.
    pub(super) fn here(&mut self) -> Result<&mut Worker> {
        if let Whereabouts::Away(..) = self.worker {
            let Whereabouts::Away(jobs, thread) = std::mem::replace(&mut self.worker, Whereabouts::Gone) else {
                unreachable!("it was away a moment ago")
            };
            drop(jobs);
            match joined(thread) {
                Ended::Open(worker) => self.worker = Whereabouts::Here(worker),
                Ended::Failed(error, _) => return Err(error),
                Ended::Committed(_) => {}
            }
        }
        match &mut self.worker {
            Whereabouts::Here(worker) => Ok(worker),
            _ => Err(gone()),
        }
    }

    /// The worker, where it is here and its connection can be asked something.
    pub(super) fn free(&mut self) -> Option<&mut Worker> {
        match &mut self.worker {
            Whereabouts::Here(worker) if worker.is_free() => Some(worker),
            _ => None,
        }
    }

    /// Sends rows on their way.
    pub(super) fn send_rows(
        &mut self,
        destination: &Arc<Destination>,
        batch: &RecordBatch,
        selected: &[Range<usize>],
    ) -> Result<()> {
        self.send(Job::Rows(destination.clone(), batch.clone(), selected.to_vec()))
    }

    /// Sends what has to come after the rows.
    pub(super) fn send_later(&mut self, later: Later) -> Result<()> {
        match &mut self.worker {
            Whereabouts::Here(worker) => {
                worker.put_off(later);
                Ok(())
            }
            _ => self.send(Job::Later(later)),
        }
    }

    /// Lets the transaction commit once the one before has, without waiting for it.
    pub(super) fn send_commit(&mut self, after: Option<&Self>) -> Result<()> {
        let after = after.map(|lane| lane.outcome.clone());
        self.send(Job::Commit { after })
    }

    fn send(&mut self, job: Job) -> Result<()> {
        if let Whereabouts::Here(_) = self.worker {
            let Whereabouts::Here(worker) = std::mem::replace(&mut self.worker, Whereabouts::Gone) else {
                unreachable!("it was here a moment ago")
            };
            let (jobs, waiting) = sync_channel(MOST_WAITING);
            let telling = Telling(Some(self.outcome.clone()));
            let thread =
                thread::Builder::new().name("postgres".into()).spawn(move || work(worker, &waiting, telling)).map_err(
                    |error| TargetError::new(TargetErrorKind::Unavailable, format!("cannot start a thread: {error}")),
                )?;
            self.worker = Whereabouts::Away(jobs, thread);
        }
        let sent = match &self.worker {
            Whereabouts::Away(jobs, _) => jobs.send(job).is_ok(),
            _ => false,
        };
        // A worker that takes no more has failed, and says why.
        if sent { Ok(()) } else { self.here().map(drop).and(Err(gone())) }
    }

    /// Waits for a transaction that was sent to commit; its connection.
    pub(super) fn committed(mut self) -> Result<Option<Connection>> {
        match std::mem::replace(&mut self.worker, Whereabouts::Gone) {
            Whereabouts::Away(jobs, thread) => {
                drop(jobs);
                match joined(thread) {
                    Ended::Committed(connection) => Ok(connection),
                    Ended::Failed(error, _) => Err(error),
                    Ended::Open(worker) => {
                        worker.undo();
                        Err(gone())
                    }
                }
            }
            _ => Err(gone()),
        }
    }

    /// Takes the worker out to commit it here.
    pub(super) fn into_worker(mut self) -> Result<Worker> {
        self.here()?;
        match std::mem::replace(&mut self.worker, Whereabouts::Gone) {
            Whereabouts::Here(worker) => Ok(*worker),
            _ => Err(gone()),
        }
    }

    /// Gives the transaction up; the connection, where it is still good.
    pub(super) fn undo(self) -> Option<Connection> {
        match self.worker {
            Whereabouts::Here(worker) => worker.undo(),
            Whereabouts::Away(jobs, thread) => {
                drop(jobs);
                match joined(thread) {
                    Ended::Open(worker) => worker.undo(),
                    Ended::Failed(_, connection) | Ended::Committed(connection) => connection,
                }
            }
            Whereabouts::Gone => None,
        }
    }
}

fn joined(thread: JoinHandle<Ended>) -> Ended {
    thread.join().unwrap_or_else(|_| Ended::Failed(gone(), None))
}

fn gone() -> Error {
    TargetError::new(TargetErrorKind::Statement, "the transaction has ended already").into()
}

/// Does jobs until there are no more.
fn work(mut worker: Box<Worker>, jobs: &Receiver<Job>, mut telling: Telling) -> Ended {
    for job in jobs {
        let done = match job {
            Job::Rows(destination, batch, selected) => worker
                .stream(&destination, &batch, &selected)
                .map_err(|failure| worker.told(failure, &inserting(&destination.table.name))),
            Job::Later(later) => {
                worker.put_off(later);
                Ok(())
            }
            Job::Commit { after } => return commit(worker, after.as_deref(), &telling),
        };
        if let Err(error) = done {
            return Ended::Failed(error, worker.undo());
        }
    }
    telling.0 = None;
    Ended::Open(worker)
}

pub(super) fn inserting(table: &str) -> String {
    format!("cannot insert into the table {table:?}")
}

fn commit(mut worker: Box<Worker>, after: Option<&Outcome>, telling: &Telling) -> Ended {
    if let Err(failure) = worker.end_rows() {
        let error = worker.told(failure, "cannot insert rows");
        return Ended::Failed(error, worker.undo());
    }
    if after.is_some_and(|before| !before.wait()) {
        return Ended::Failed(gone(), worker.undo());
    }
    if let Err(error) = worker.catch_up() {
        return Ended::Failed(error, worker.undo());
    }
    let (committed, connection) = worker.commit();
    match committed {
        Ok(()) => {
            telling.0.iter().for_each(|outcome| outcome.tell(true));
            Ended::Committed(connection)
        }
        Err(error) => Ended::Failed(error, connection),
    }
}
