//! One connection and the transaction on it: rows are streamed, and what must come after them waits in order.

use std::{ops::Range, sync::Arc};

use arrow_array::RecordBatch;
use landfall_core::keys::Scalar;

use super::{
    building,
    commits::{self, Witness},
    connection::Connection,
    ddl::all_names,
    encode::Copy,
    failure::{Context as _, Failure, Outcome},
    own::{Own, Rejects},
    place::Seat,
    rows,
    session::Session,
};
use crate::{
    error::{Error, Result, TargetError, TargetErrorKind},
    ledger::LoadEntry,
    targets::{
        Pace, Table, parent_gone,
        sql::{
            commits::{Fate, unknown_outcome},
            ledger,
        },
        stored::SKIPPED,
    },
};

/// A table to write rows to.
#[derive(Debug)]
pub(super) struct Destination {
    pub(super) table: Table,
    pub(super) seat: Seat,
    /// Whether the server's own triggers, which check foreign keys, stay off.
    pub(super) unchecked: bool,
    /// Whether they wait for the end of the transaction.
    pub(super) deferred: bool,
    /// Whether a trigger or a rule may skip or alter rows.
    pub(super) watched: bool,
}

/// Parents that rows of `child` name.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) child: Arc<Destination>,
    pub(super) parent: Table,
    pub(super) seat: Seat,
    pub(super) positions: Vec<usize>,
    pub(super) values: Vec<Vec<Scalar>>,
}

/// What is written after the rows, and after the transaction before has committed.
#[derive(Debug)]
pub(super) enum Later {
    Rejects(Rejects),
    Hold(Box<Held>),
    Save { entry: Box<LoadEntry>, was_at: u64 },
}

/// A connection with a transaction under way.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) session: Arc<Session>,
    pub(super) connection: Connection,
    /// What tells whether the transaction has committed.
    witness: Witness,
    /// The COPY under way, with its destination.
    copy: Option<(Arc<Destination>, Copy)>,
    later: Vec<Later>,
    /// Whether triggers are off at the moment.
    unchecked: bool,
    /// Whether keys are checked at the end.
    defers_keys: bool,
    /// The table whose row of `building` is held.
    held: Option<String>,
    /// Whether the pipeline goes on without waiting.
    pace: Pace,
}

impl Worker {
    /// On a connection with a transaction begun.
    pub(super) fn begin(session: &Arc<Session>, mut connection: Connection, pace: Pace) -> Result<Self> {
        let witness = commits::enter(session, &mut connection)?;
        let session = session.clone();
        Ok(Self {
            session,
            connection,
            witness,
            copy: None,
            later: Vec::new(),
            unchecked: false,
            defers_keys: false,
            held: None,
            pace,
        })
    }

    /// Streams rows; the server may not have looked at them when this returns.
    pub(super) fn stream(
        &mut self,
        destination: &Arc<Destination>,
        batch: &RecordBatch,
        selected: &[Range<usize>],
    ) -> Outcome<()> {
        if self.copy.as_ref().is_none_or(|(open, _)| !Arc::ptr_eq(open, destination)) {
            self.end_rows()?;
            self.begin_rows(destination)?;
        }
        let Some((_, copy)) = &mut self.copy else { return Ok(()) };
        let connection = &mut self.connection;
        copy.rows(&destination.table, batch, selected, &mut |message| connection.send_copy(message))
    }

    fn begin_rows(&mut self, destination: &Arc<Destination>) -> Outcome<()> {
        self.ready_for(destination)?;
        let Destination { table, seat, .. } = &**destination;
        self.connection.begin_copy(&format!(
            "COPY {} ({}) FROM STDIN (FORMAT binary)",
            seat.place,
            all_names(table)
        ))?;
        self.copy = Some((destination.clone(), Copy::new()));
        Ok(())
    }

    /// Sees to it that rows can be written to a destination.
    pub(super) fn ready_for(&mut self, destination: &Destination) -> Outcome<()> {
        let Destination { table, seat, unchecked, deferred, .. } = destination;
        if let Some(heap) = &seat.heap
            && self.held.as_deref() != Some(&*table.name)
        {
            building::hold(&self.session, &mut self.connection, &table.name, heap)?;
            self.held = Some(table.name.to_string());
        }
        if *deferred {
            self.defer_keys()?;
        }
        self.check_keys(!unchecked)
    }

    /// Lets keys that can wait be checked at the end of the transaction.
    pub(super) fn defer_keys(&mut self) -> Outcome<()> {
        if !std::mem::replace(&mut self.defers_keys, true) {
            self.connection.batch("SET CONSTRAINTS ALL DEFERRED")?;
        }
        Ok(())
    }

    /// Switches the server's triggers, which check foreign keys, on or off.
    pub(super) fn check_keys(&mut self, check: bool) -> Outcome<()> {
        if self.unchecked != check {
            return Ok(());
        }
        let role = if check { "origin" } else { "replica" };
        self.connection.batch(&format!("SET LOCAL session_replication_role = {role}"))?;
        self.unchecked = !check;
        Ok(())
    }

    /// Ends the rows' COPY; the server has taken them all in then.
    pub(super) fn end_rows(&mut self) -> Outcome<()> {
        let Some((destination, copy)) = self.copy.take() else { return Ok(()) };
        let connection = &mut self.connection;
        let sent = copy.count;
        copy.finish(&mut |message| connection.send_copy(message))?;
        let stored = connection.end_copy()?;
        // Of a watched table each row is looked for.
        if stored == sent || destination.watched { Ok(()) } else { Err(Failure::Row(SKIPPED.to_owned())) }
    }

    /// Whether its connection can be asked something now.
    pub(super) const fn is_free(&self) -> bool {
        self.copy.is_none()
    }

    /// Puts off what has to come after the rows.
    pub(super) fn put_off(&mut self, later: Later) {
        self.later.push(later);
    }

    /// Ends the rows, and does what was put off. The transaction before has committed.
    pub(super) fn catch_up(&mut self) -> Result<()> {
        self.end_rows().map_err(|failure| self.told(failure, "cannot insert rows"))?;
        for later in std::mem::take(&mut self.later) {
            self.now(later)?;
        }
        Ok(())
    }

    /// Does at once what could be put off.
    pub(super) fn now(&mut self, later: Later) -> Result<()> {
        match later {
            Later::Rejects(mut rejects) => {
                rejects.send(&self.session, &mut self.connection).context(|| "cannot write to the quarantine".into())
            }
            Later::Hold(held) => self.hold_parents(&held),
            Later::Save { entry, was_at } => {
                ledger::save(&Own::new(&self.session, &mut self.connection), &entry, was_at)
            }
        }
    }

    fn hold_parents(&mut self, held: &Held) -> Result<()> {
        let Held { child, parent, seat, positions, values } = held;
        let connection = &mut self.connection;
        let all_there = match &child.seat.heap {
            Some(heap) => {
                building::hold_parents(&self.session, connection, &child.table, heap, parent, positions, values)
            }
            None if seat.may_lock => rows::hold(connection, parent, &seat.place, positions, values),
            // The server's own check locks them when it comes to it.
            None => rows::exist(connection, &seat.place, &rows::fields_at(parent, positions), values)
                .map(|found| found.iter().all(|found| *found)),
        };
        if all_there.map_err(|failure| self.told(failure, &format!("cannot hold the rows of {:?}", &*parent.name)))? {
            return Ok(());
        }
        Err(parent_gone(parent).into())
    }

    /// The error for a failure. Where a row that was sent without waiting met something, or two programs were in each
    /// other's way, the load goes on from the ledger, in step.
    pub(super) fn told(&self, failure: Failure, doing: &str) -> Error {
        let again = match failure.code() {
            Some("40P01" | "40001") => true,
            Some("55P03") => self.pace == Pace::Ahead,
            _ => self.pace == Pace::Ahead && failure.is_about_a_row(),
        };
        match failure.told(doing) {
            Error::Target(error) if again => TargetError::new(TargetErrorKind::Again, error.message).into(),
            other => other,
        }
    }

    /// Commits; the connection, where it is still good.
    ///
    /// # Errors
    /// Nothing of the transaction stays. If no answer came, the transaction's token tells what became of it.
    pub(super) fn commit(mut self) -> (Result<()>, Option<Connection>) {
        let doing = || "cannot commit".to_owned();
        match self.connection.commit() {
            Ok(()) => {
                commits::spend(&mut self.connection, self.witness);
                (Ok(()), Some(self.connection))
            }
            // A refusal counts only if the server went on after it: one that breaks down while it commits refuses too.
            Err(lost) if lost.leaves_open() || self.connection.is_broken() => {
                match commits::find_fate(&self.session, self.witness) {
                    Fate::Committed(connection) => (Ok(()), Some(connection)),
                    Fate::Undone => (Err(lost.told(&doing())), None),
                    Fate::Unknown => (Err(unknown(lost)), None),
                }
            }
            Err(failure) => {
                let error = self.told(failure, &doing());
                (Err(error), self.undo())
            }
        }
    }

    /// Leaves no trace; the connection, where it is still good.
    pub(super) fn undo(mut self) -> Option<Connection> {
        self.connection.fail_copy();
        self.connection.roll_back();
        self.connection.is_idle().then_some(self.connection)
    }
}

fn unknown(failure: Failure) -> Error {
    let said = match failure.told("cannot commit") {
        Error::Target(error) => error.message,
        other => other.to_string(),
    };
    unknown_outcome(&said).into()
}
