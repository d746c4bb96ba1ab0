//! A chunk that is sent ahead: a thread of its own streams its rows to the server, and commits once the chunk before it
//! has.
//!
//! Chunks commit in their order: only when the one before is committed are a chunk's rejects and its entry in the ledger
//! written. So the numbers of rejects ascend as their records do, and what the ledger says is never ahead of what is there.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    },
    thread::{self, JoinHandle},
};

use landfall_core::{keys::Scalar, schema::FieldIndex};

use super::{
    Table,
    connection::MysqlConnection,
    load_data::{RowsToSend, send_rows},
    own_tables::add_rejects,
    work::{FailedWork, MysqlWork, start_again_error},
};
use crate::{
    error::{Error, Result, TargetError, TargetErrorKind},
    ledger::{LoadEntry, LoadId},
    quarantine::NewReject,
};

/// Batches that wait to be sent.
const BATCHES_AHEAD: usize = 4;

/// What a transaction does after its rows were sent, in this order.
pub(super) enum LastStep {
    Hold { parent: Table, positions: Vec<FieldIndex>, values: Vec<Vec<Scalar>> },
    Rejects { load: LoadId, table: Table, rejects: Vec<NewReject> },
    Save { entry: Box<LoadEntry>, was_at: u64 },
}

impl LastStep {
    /// Does it.
    pub(super) fn run(self, work: &mut MysqlWork) -> Result<()> {
        match self {
            Self::Hold { parent, positions, values } => work.lock_parents(&parent, &positions, &values),
            Self::Rejects { load, table, rejects } => add_rejects(&mut work.connection, load, &table, &rejects),
            Self::Save { entry, was_at } => work.save_load(&entry, was_at),
        }
    }
}

/// How a chunk ends.
struct LaneEnding {
    closings: Vec<LastStep>,
    /// Hears whether the chunk before was committed; none where there is none under way.
    earlier: Option<Receiver<()>>,
    /// Tells the chunk after it that this one was committed.
    told: Sender<()>,
}

enum LaneMessage {
    Rows(RowsToSend),
    End(LaneEnding),
}

/// A chunk whose rows are being sent.
pub(super) struct RowStream {
    pub(super) table: Table,
    sender: SyncSender<LaneMessage>,
    thread: JoinHandle<SendResult>,
}

/// How sending ended.
enum SendResult {
    /// All rows were sent, and the transaction goes on.
    Open(Box<MysqlWork>, Result<()>),
    /// It was committed, or came to nothing.
    Closed(Result<MysqlConnection, FailedWork>),
}

/// A chunk that commits by itself.
pub(super) struct CommitFlight {
    thread: JoinHandle<SendResult>,
    committed: Option<Receiver<()>>,
}

impl RowStream {
    /// Begins to send rows to `table` within the transaction `work`.
    pub(super) fn begin_stream(work: MysqlWork, table: &Table) -> Self {
        let (sender, receiver) = sync_channel(BATCHES_AHEAD);
        let to = table.clone();
        let thread = thread::spawn(move || stream_rows(Box::new(work), &to, receiver));
        Self { table: table.clone(), sender, thread }
    }

    /// Sends rows. Where the thread has given up, this says so, and its error is that of what follows.
    pub(super) fn send_rows(&self, rows: RowsToSend) -> bool {
        self.sender.send(LaneMessage::Rows(rows)).is_ok()
    }

    /// Waits until all rows were sent. The transaction, and what was wrong.
    pub(super) fn finish_stream(self) -> (MysqlWork, Result<()>) {
        drop(self.sender);
        match join_thread(self.thread) {
            SendResult::Open(work, outcome) => (*work, outcome),
            SendResult::Closed(_) => unreachable!("a stream is closed by its end only"),
        }
    }

    /// Lets the transaction end by itself, after `earlier`.
    pub(super) fn end_stream(self, closings: Vec<LastStep>, earlier: Option<&mut CommitFlight>) -> CommitFlight {
        let (ending, committed) = make_ending(closings, earlier);
        // Where the thread has given up, it tells why when it is joined.
        let _ = self.sender.send(LaneMessage::End(ending));
        CommitFlight { thread: self.thread, committed: Some(committed) }
    }
}

impl CommitFlight {
    /// Lets a transaction without rows under way end by itself, after `earlier`.
    pub(super) fn without_rows(work: MysqlWork, closings: Vec<LastStep>, earlier: Option<&mut Self>) -> Self {
        let (ending, committed) = make_ending(closings, earlier);
        Self { thread: thread::spawn(move || SendResult::Closed(close(work, ending))), committed: Some(committed) }
    }

    pub(super) fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits until it has ended.
    pub(super) fn wait_for_end(self) -> Result<MysqlConnection, FailedWork> {
        match join_thread(self.thread) {
            SendResult::Closed(outcome) => outcome,
            SendResult::Open(work, outcome) => {
                let error = outcome.err().unwrap_or_else(|| start_again_error("its end was not heard"));
                Err(FailedWork { connection: work.roll_back().map(Box::new), error })
            }
        }
    }
}

fn make_ending(closings: Vec<LastStep>, earlier: Option<&mut CommitFlight>) -> (LaneEnding, Receiver<()>) {
    let (told, committed) = channel();
    (LaneEnding { closings, earlier: earlier.and_then(|flight| flight.committed.take()), told }, committed)
}

fn join_thread(thread: JoinHandle<SendResult>) -> SendResult {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Sends all rows that `receiver` gives, and ends the transaction where it says so.
fn stream_rows(mut work: Box<MysqlWork>, table: &Table, receiver: Receiver<LaneMessage>) -> SendResult {
    let ending = Arc::new(Mutex::new(None));
    let heard = ending.clone();
    let feed = move || match receiver.recv() {
        Ok(LaneMessage::Rows(rows)) => Some(rows),
        Ok(LaneMessage::End(ending)) => {
            *heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(ending);
            None
        }
        Err(_) => None,
    };
    let outcome = match send_rows(&mut work.connection, table, feed) {
        Ok(None) => Ok(()),
        Ok(Some(words)) => Err(start_again_error(&words)),
        Err(error) => Err(locked_again(error)),
    };
    let ending = ending.lock().unwrap_or_else(PoisonError::into_inner).take();
    match (outcome, ending) {
        (Ok(()), Some(ending)) => SendResult::Closed(close(*work, ending)),
        (Err(error), Some(_)) => {
            SendResult::Closed(Err(FailedWork { connection: work.roll_back().map(Box::new), error }))
        }
        (outcome, None) => SendResult::Open(work, outcome),
    }
}

/// Ends a transaction once the one before it was committed.
fn close(mut work: MysqlWork, ending: LaneEnding) -> Result<MysqlConnection, FailedWork> {
    // A sender that is dropped without a word is a chunk that did not commit, also after a panic.
    if ending.earlier.is_some_and(|earlier| earlier.recv().is_err()) {
        // Its own error is told; this one is not.
        return Err(FailedWork {
            connection: work.roll_back().map(Box::new),
            error: start_again_error("the chunk before came to nothing"),
        });
    }
    // Only now: a reject's number, given before the wait, could be less than one of the chunk before.
    for closing in ending.closings {
        if let Err(error) = closing.run(&mut work) {
            return Err(FailedWork { connection: work.roll_back().map(Box::new), error: locked_again(error) });
        }
    }
    let connection = work.commit_now()?;
    // Nobody listens where this was the last chunk.
    let _ = ending.told.send(());
    Ok(connection)
}

/// Two chunks at once may wait for each other; one after the other, they do not.
fn locked_again(error: Error) -> Error {
    match error {
        Error::Target(TargetError { kind: TargetErrorKind::Locked, message, .. }) => start_again_error(&message),
        other => other,
    }
}
