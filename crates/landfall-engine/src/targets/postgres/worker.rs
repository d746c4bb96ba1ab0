//! One connection and the transaction on it: rows are streamed, and what must come after them waits in order.

use std::{ops::Range, sync::Arc};

use arrow_array::RecordBatch;
use landfall_core::{keys::Scalar, schema::FieldIndex};

use super::{
    commits::{self, PostgresWitness},
    connection::PostgresConnection,
    ddl::quoted_field_names,
    encode::CopyEncoder,
    failure::{PostgresContext as _, PostgresFailure, PostgresResult},
    own_tables::{PostgresOwnConnection, RejectCopy},
    rows,
    session::PostgresSession,
    staging_heap,
    table_seat::TableSeat,
};
use crate::{
    error::{Error, Result, TargetError, TargetErrorKind},
    ledger::LoadEntry,
    targets::{
        Pace, Table,
        altered_rows::SKIPPED,
        parent_gone_error,
        sql::{
            commits::{Fate, unknown_outcome},
            ledger,
        },
    },
};

/// A table to write rows to.
#[derive(Debug)]
pub(super) struct RowDestination {
    pub(super) table: Table,
    pub(super) seat: TableSeat,
    /// Whether the server's own triggers, which check foreign keys, stay off.
    pub(super) unchecked: bool,
    /// Whether they wait for the end of the transaction.
    pub(super) deferred: bool,
    /// Whether a trigger or a rule may skip or alter rows.
    pub(super) watched: bool,
}

/// Parents that rows of `child` name.
#[derive(Debug)]
pub(super) struct HeldParents {
    pub(super) child: Arc<RowDestination>,
    pub(super) parent: Table,
    pub(super) seat: TableSeat,
    pub(super) positions: Vec<FieldIndex>,
    pub(super) values: Vec<Vec<Scalar>>,
}

/// What is written after the rows, and after the transaction before has committed.
#[derive(Debug)]
pub(super) enum DeferredWrite {
    Rejects(RejectCopy),
    Hold(Box<HeldParents>),
    Save { entry: Box<LoadEntry>, was_at: u64 },
}

/// A connection with a transaction under way.
#[derive(Debug)]
pub(super) struct LaneWorker {
    pub(super) session: Arc<PostgresSession>,
    pub(super) connection: PostgresConnection,
    /// What tells whether the transaction has committed.
    witness: PostgresWitness,
    /// The COPY under way, with its destination.
    copy: Option<(Arc<RowDestination>, CopyEncoder)>,
    later: Vec<DeferredWrite>,
    /// Whether triggers are off at the moment.
    unchecked: bool,
    /// Whether keys are checked at the end.
    defers_keys: bool,
    /// The table whose row of `staging_heap` is held.
    held: Option<String>,
    /// Whether the pipeline goes on without waiting.
    pace: Pace,
}

impl LaneWorker {
    /// On a connection with a transaction begun.
    pub(super) fn begin_work(
        session: &Arc<PostgresSession>,
        mut connection: PostgresConnection,
        pace: Pace,
    ) -> Result<Self> {
        let witness = commits::enter_token(session, &mut connection)?;
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
    pub(super) fn stream_rows(
        &mut self,
        destination: &Arc<RowDestination>,
        batch: &RecordBatch,
        selected: &[Range<usize>],
    ) -> PostgresResult<()> {
        if self.copy.as_ref().is_none_or(|(open, _)| !Arc::ptr_eq(open, destination)) {
            self.end_rows()?;
            self.begin_rows(destination)?;
        }
        let Some((_, copy)) = &mut self.copy else { return Ok(()) };
        let connection = &mut self.connection;
        copy.encode_rows(&destination.table, batch, selected, &mut |message| connection.send_copy(message))
    }

    fn begin_rows(&mut self, destination: &Arc<RowDestination>) -> PostgresResult<()> {
        self.prepare_destination(destination)?;
        let RowDestination { table, seat, .. } = &**destination;
        self.connection.begin_copy(&format!(
            "COPY {} ({}) FROM STDIN (FORMAT binary)",
            seat.place,
            quoted_field_names(table)
        ))?;
        self.copy = Some((destination.clone(), CopyEncoder::new()));
        Ok(())
    }

    /// Sees to it that rows can be written to a destination.
    pub(super) fn prepare_destination(&mut self, destination: &RowDestination) -> PostgresResult<()> {
        let RowDestination { table, seat, unchecked, deferred, .. } = destination;
        if let Some(heap) = &seat.heap
            && self.held.as_deref() != Some(&*table.name)
        {
            // Until the commit, so that nobody finishes this table or takes it over beneath the rows.
            staging_heap::lock_heap(&self.session, &mut self.connection, &table.name, heap)?;
            self.held = Some(table.name.to_string());
        }
        if *deferred {
            self.defer_keys()?;
        }
        self.check_keys(!unchecked)
    }

    /// Lets keys that can wait be checked at the end of the transaction.
    pub(super) fn defer_keys(&mut self) -> PostgresResult<()> {
        if !std::mem::replace(&mut self.defers_keys, true) {
            // It has an effect on deferrable keys only. Landfall makes its foreign keys so.
            self.connection.run_batch("SET CONSTRAINTS ALL DEFERRED")?;
        }
        Ok(())
    }

    /// Switches the server's triggers, which check foreign keys, on or off.
    pub(super) fn check_keys(&mut self, check: bool) -> PostgresResult<()> {
        if self.unchecked != check {
            return Ok(());
        }
        // As `replica`, the server fires no trigger that is not marked for it: neither its own nor the user's.
        let role = if check { "origin" } else { "replica" };
        // LOCAL: behind a pooler, the connection belongs to somebody else after the commit.
        self.connection.run_batch(&format!("SET LOCAL session_replication_role = {role}"))?;
        self.unchecked = !check;
        Ok(())
    }

    /// Ends the rows' COPY; the server has taken them all in then.
    pub(super) fn end_rows(&mut self) -> PostgresResult<()> {
        let Some((destination, copy)) = self.copy.take() else { return Ok(()) };
        let connection = &mut self.connection;
        let sent = copy.count;
        copy.finish_copy(&mut |message| connection.send_copy(message))?;
        let stored = connection.end_copy()?;
        // Of a watched table each row is looked for.
        if stored == sent || destination.watched { Ok(()) } else { Err(PostgresFailure::Row(SKIPPED.to_owned())) }
    }

    /// Whether its connection can be asked something now.
    pub(super) const fn is_free(&self) -> bool {
        self.copy.is_none()
    }

    /// Puts off what has to come after the rows.
    pub(super) fn defer_write(&mut self, later: DeferredWrite) {
        self.later.push(later);
    }

    /// Ends the rows, and does what was put off. The transaction before has committed.
    pub(super) fn write_deferred(&mut self) -> Result<()> {
        self.end_rows().map_err(|failure| self.row_error(failure, "cannot insert rows"))?;
        for later in std::mem::take(&mut self.later) {
            self.write_now(later)?;
        }
        Ok(())
    }

    /// Does at once what could be put off.
    pub(super) fn write_now(&mut self, later: DeferredWrite) -> Result<()> {
        match later {
            DeferredWrite::Rejects(mut rejects) => rejects
                .send_rejects(&self.session, &mut self.connection)
                .context(|| "cannot write to the quarantine".into()),
            DeferredWrite::Hold(held) => self.hold_parents(&held),
            DeferredWrite::Save { entry, was_at } => {
                ledger::save_load(&PostgresOwnConnection::new(&self.session, &mut self.connection), &entry, was_at)
            }
        }
    }

    fn hold_parents(&mut self, held: &HeldParents) -> Result<()> {
        let HeldParents { child, parent, seat, positions, values } = held;
        let connection = &mut self.connection;
        let all_there = match &child.seat.heap {
            Some(heap) => {
                staging_heap::hold_parents(&self.session, connection, &child.table, heap, parent, positions, values)
            }
            None if seat.may_lock => rows::lock_parents(connection, parent, &seat.place, positions, values),
            // The server's own check locks them when it comes to it.
            None => rows::find_existing(connection, &seat.place, &rows::fields_at(parent, positions), values)
                .map(|found| found.iter().all(|found| *found)),
        };
        if all_there
            .map_err(|failure| self.row_error(failure, &format!("cannot hold the rows of {:?}", &*parent.name)))?
        {
            return Ok(());
        }
        Err(parent_gone_error(parent).into())
    }

    /// The error for a failure. Where a row that was sent without waiting met something, or two programs were in each
    /// other's way, the load goes on from the ledger, in step.
    pub(super) fn row_error(&self, failure: PostgresFailure, doing: &str) -> Error {
        let again = match failure.sql_state() {
            // Deadlock, and serialization failure.
            Some("40P01" | "40001") => true,
            // A lock that was not got in time. In step, the user is told who has it.
            Some("55P03") => self.pace == Pace::Ahead,
            _ => self.pace == Pace::Ahead && failure.is_about_a_row(),
        };
        match failure.into_error(doing) {
            Error::Target(error) if again => TargetError::new(TargetErrorKind::Again, error.message).into(),
            other => other,
        }
    }

    /// Commits; the connection, where it is still good.
    ///
    /// # Errors
    /// Nothing of the transaction stays. If no answer came, the transaction's token tells what became of it.
    pub(super) fn commit_now(mut self) -> (Result<()>, Option<PostgresConnection>) {
        let doing = || "cannot commit".to_owned();
        match self.connection.commit_transaction() {
            Ok(()) => {
                // The next transaction on the connection removes the token, which costs no round trip.
                commits::spend_token(&mut self.connection, self.witness);
                (Ok(()), Some(self.connection))
            }
            // A refusal counts only if the server went on after it: one that breaks down while it commits refuses too.
            Err(lost) if lost.leaves_outcome_open() || self.connection.is_broken() => {
                match commits::find_fate(&self.session, self.witness) {
                    Fate::Committed(connection) => (Ok(()), Some(connection)),
                    Fate::Undone => (Err(lost.into_error(&doing())), None),
                    Fate::Unknown => (Err(unknown_outcome_error(lost)), None),
                }
            }
            Err(failure) => {
                let error = self.row_error(failure, &doing());
                (Err(error), self.roll_back())
            }
        }
    }

    /// Leaves no trace; the connection, where it is still good.
    pub(super) fn roll_back(mut self) -> Option<PostgresConnection> {
        // The server takes no ROLLBACK while it expects rows.
        self.connection.fail_copy();
        self.connection.roll_back();
        self.connection.is_idle().then_some(self.connection)
    }
}

fn unknown_outcome_error(failure: PostgresFailure) -> Error {
    let said = match failure.into_error("cannot commit") {
        Error::Target(error) => error.message,
        other => other.to_string(),
    };
    unknown_outcome(&said).into()
}
