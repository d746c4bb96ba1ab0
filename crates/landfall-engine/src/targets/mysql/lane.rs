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

use landfall_core::keys::Scalar;

use super::{
    Table,
    connection::Connection,
    load_data::{Rows, send},
    own::add_rejects,
    work::{Failed, Work, again},
};
use crate::{
    error::{Error, Result, TargetError, TargetErrorKind},
    ledger::{LoadEntry, LoadId},
    quarantine::NewReject,
};

/// Batches that wait to be sent.
const BATCHES_AHEAD: usize = 4;

/// What a transaction does after its rows were sent, in this order.
pub(super) enum Closing {
    Hold { parent: Table, positions: Vec<usize>, values: Vec<Vec<Scalar>> },
    Rejects { load: LoadId, table: Table, rejects: Vec<NewReject> },
    Save { entry: Box<LoadEntry>, was_at: u64 },
}

impl Closing {
    /// Does it.
    pub(super) fn run(self, work: &mut Work) -> Result<()> {
        match self {
            Self::Hold { parent, positions, values } => work.hold(&parent, &positions, &values),
            Self::Rejects { load, table, rejects } => add_rejects(&mut work.connection, load, &table, &rejects),
            Self::Save { entry, was_at } => work.save_load(&entry, was_at),
        }
    }
}

/// How a chunk ends.
struct Ending {
    closings: Vec<Closing>,
    /// Hears whether the chunk before was committed; none where there is none under way.
    earlier: Option<Receiver<()>>,
    /// Tells the chunk after it that this one was committed.
    told: Sender<()>,
}

enum Message {
    Rows(Rows),
    End(Ending),
}

/// A chunk whose rows are being sent.
pub(super) struct Stream {
    pub(super) table: Table,
    sender: SyncSender<Message>,
    thread: JoinHandle<Sent>,
}

/// How sending ended.
enum Sent {
    /// All rows were sent, and the transaction goes on.
    Open(Box<Work>, Result<()>),
    /// It was committed, or came to nothing.
    Closed(Result<Connection, Failed>),
}

/// A chunk that commits by itself.
pub(super) struct Flight {
    thread: JoinHandle<Sent>,
    committed: Option<Receiver<()>>,
}

impl Stream {
    /// Begins to send rows to `table` within the transaction `work`.
    pub(super) fn begin(work: Work, table: &Table) -> Self {
        let (sender, receiver) = sync_channel(BATCHES_AHEAD);
        let to = table.clone();
        let thread = thread::spawn(move || stream(Box::new(work), &to, receiver));
        Self { table: table.clone(), sender, thread }
    }

    /// Sends rows. Where the thread has given up, this says so, and its error is that of what follows.
    pub(super) fn send(&self, rows: Rows) -> bool {
        self.sender.send(Message::Rows(rows)).is_ok()
    }

    /// Waits until all rows were sent. The transaction, and what was wrong.
    pub(super) fn settle(self) -> (Work, Result<()>) {
        drop(self.sender);
        match joined(self.thread) {
            Sent::Open(work, outcome) => (*work, outcome),
            Sent::Closed(_) => unreachable!("a stream is closed by its end only"),
        }
    }

    /// Lets the transaction end by itself, after `earlier`.
    pub(super) fn end(self, closings: Vec<Closing>, earlier: Option<&mut Flight>) -> Flight {
        let (ending, committed) = ending(closings, earlier);
        // Where the thread has given up, it tells why when it is joined.
        let _ = self.sender.send(Message::End(ending));
        Flight { thread: self.thread, committed: Some(committed) }
    }
}

impl Flight {
    /// Lets a transaction without rows under way end by itself, after `earlier`.
    pub(super) fn of(work: Work, closings: Vec<Closing>, earlier: Option<&mut Self>) -> Self {
        let (ending, committed) = ending(closings, earlier);
        Self { thread: thread::spawn(move || Sent::Closed(close(work, ending))), committed: Some(committed) }
    }

    pub(super) fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits until it has ended.
    pub(super) fn land(self) -> Result<Connection, Failed> {
        match joined(self.thread) {
            Sent::Closed(outcome) => outcome,
            Sent::Open(work, outcome) => {
                let error = outcome.err().unwrap_or_else(|| again("its end was not heard"));
                Err(Failed { connection: work.roll_back().map(Box::new), error })
            }
        }
    }
}

fn ending(closings: Vec<Closing>, earlier: Option<&mut Flight>) -> (Ending, Receiver<()>) {
    let (told, committed) = channel();
    (Ending { closings, earlier: earlier.and_then(|flight| flight.committed.take()), told }, committed)
}

fn joined(thread: JoinHandle<Sent>) -> Sent {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Sends all rows that `receiver` gives, and ends the transaction where it says so.
fn stream(mut work: Box<Work>, table: &Table, receiver: Receiver<Message>) -> Sent {
    let ending = Arc::new(Mutex::new(None));
    let heard = ending.clone();
    let feed = move || match receiver.recv() {
        Ok(Message::Rows(rows)) => Some(rows),
        Ok(Message::End(ending)) => {
            *heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(ending);
            None
        }
        Err(_) => None,
    };
    let outcome = match send(&mut work.connection, table, feed) {
        Ok(None) => Ok(()),
        Ok(Some(words)) => Err(again(&words)),
        Err(error) => Err(locked_again(error)),
    };
    let ending = ending.lock().unwrap_or_else(PoisonError::into_inner).take();
    match (outcome, ending) {
        (Ok(()), Some(ending)) => Sent::Closed(close(*work, ending)),
        (Err(error), Some(_)) => Sent::Closed(Err(Failed { connection: work.roll_back().map(Box::new), error })),
        (outcome, None) => Sent::Open(work, outcome),
    }
}

/// Ends a transaction once the one before it was committed.
fn close(mut work: Work, ending: Ending) -> Result<Connection, Failed> {
    if ending.earlier.is_some_and(|earlier| earlier.recv().is_err()) {
        // Its own error is told; this one is not.
        return Err(Failed {
            connection: work.roll_back().map(Box::new),
            error: again("the chunk before came to nothing"),
        });
    }
    for closing in ending.closings {
        if let Err(error) = closing.run(&mut work) {
            return Err(Failed { connection: work.roll_back().map(Box::new), error: locked_again(error) });
        }
    }
    let connection = work.commit()?;
    // Nobody listens where this was the last chunk.
    let _ = ending.told.send(());
    Ok(connection)
}

/// Two chunks at once may wait for each other; one after the other, they do not.
fn locked_again(error: Error) -> Error {
    match error {
        Error::Target(TargetError { kind: TargetErrorKind::Locked, message }) => again(&message),
        other => other,
    }
}
