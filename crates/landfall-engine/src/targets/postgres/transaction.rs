//! A write transaction on a lane.

mod reading;

use std::{cell::RefCell, collections::HashMap, ops::Range, sync::Arc};

use arrow_array::RecordBatch;
use landfall_core::{keys::Scalar, schema::FieldIndex};

use super::{
    Fence, Pace, Postgres, RefusedRow, RelationPlace, Table, TableSeat, Transaction, catalog,
    connection::PostgresConnection,
    failure::PostgresContext as _,
    heap_keys, insert,
    lane::CommitLane,
    own_tables::{PostgresOwnConnection, RejectCopy},
    parameters::BoundParameters,
    read_description,
    replacement::{self, Replacement},
    rows,
    worker::{DeferredWrite, HeldParents, LaneWorker, RowDestination},
};
use crate::{
    error::{Result, TargetError, TargetErrorKind},
    ledger::{LoadEntry, LoadId},
    quarantine::NewReject,
    targets::{
        not_emptied_error, parent_gone_error,
        sql::{self, OwnTables, WritesOwnTables, followers::refuse_followers, ledger, quarantine},
    },
};

/// A write transaction.
pub(super) struct PostgresTransaction<'t> {
    target: &'t Postgres,
    lane: RefCell<Option<CommitLane>>,
    fence: Fence,
    pace: Pace,
    /// The tables that it has written to.
    written: RefCell<HashMap<Arc<str>, Arc<RowDestination>>>,
    /// The tables that it makes anew.
    anew: Vec<Replacement>,
    /// Rejects that wait to be written.
    rejects: RefCell<RejectCopy>,
}

impl<'t> PostgresTransaction<'t> {
    pub(super) fn new(target: &'t Postgres, lane: CommitLane, fence: Fence, pace: Pace) -> Self {
        Self {
            target,
            lane: RefCell::new(Some(lane)),
            fence,
            pace,
            written: RefCell::default(),
            anew: Vec::new(),
            rejects: RefCell::default(),
        }
    }

    /// Runs `work` on the connection, once everything before has been done there.
    fn with<R>(&self, work: impl FnOnce(&mut LaneWorker) -> Result<R>) -> Result<R> {
        self.target.finish_commits()?;
        let mut lane = self.lane.borrow_mut();
        let lane = lane.as_mut().ok_or_else(ended_error)?;
        // Rejects go first, so that `work` finds them.
        lane.send_later(DeferredWrite::Rejects(self.rejects.take()))?;
        let worker = lane.wait_for_worker()?;
        worker.write_deferred()?;
        work(worker)
    }

    /// Reads rows of `table`. Those of a table that nothing was written to of late are read on another connection, so that
    /// what is under way need not end for it.
    fn read_rows<R>(
        &self,
        table: &Table,
        work: impl FnOnce(&mut PostgresConnection, &RelationPlace) -> super::failure::PostgresResult<R>,
    ) -> Result<Option<R>> {
        let Some(seat) = self.table_seat(table)? else { return Ok(None) };
        let touched =
            self.written.borrow().contains_key(&table.name) || self.target.recent.borrow().contains(&table.name);
        // A table that is built gets its key in this transaction when it is searched, and others wait for that.
        if self.pace == Pace::Ahead && !touched && seat.heap.is_none() {
            return self
                .target
                .read_in_transaction(|connection| work(connection, &seat.place).context(|| read_description(table)))
                .map(Some);
        }
        let read = self.with(|worker| {
            work(&mut worker.connection, &seat.place).map_err(|failure| seat.to_read_error(failure, table))
        });
        read.map(Some)
    }

    fn table_seat(&self, table: &Table) -> Result<Option<Arc<TableSeat>>> {
        if let Some(anew) = self.anew.iter().find(|anew| anew.table.name == table.name) {
            return Ok(Some(TableSeat::replacement_table(anew.heap.clone()).into()));
        }
        if self.pace == Pace::Ahead {
            return self.target.table_seat(table);
        }
        self.target.table_seat_by(table, |find| self.with(|worker| find(&mut worker.connection)))
    }

    /// Sees to it that the rows of `table` can be looked for by the fields at `positions`.
    fn index(&self, table: &Table, positions: &[FieldIndex]) -> Result<()> {
        match self.table_seat(table)? {
            Some(seat) if seat.is_bare => self.with(|worker| {
                heap_keys::add_key_early(&mut worker.connection, table, &seat.place, positions)
                    .context(|| read_description(table))
            }),
            _ => Ok(()),
        }
    }

    /// Where rows of `table` go.
    fn row_destination(&self, table: &Table) -> Result<Arc<RowDestination>> {
        if let Some(destination) = self.written.borrow().get(&table.name) {
            return Ok(destination.clone());
        }
        let Some(seat) = self.table_seat(table)? else { return Err(self.missing_table_error(table)) };
        let keys = &table.schema.foreign_keys;
        let watched = self.is_watched(&seat)?;
        let unchecked = self.fence == Fence::Pipeline
            && self.target.session.may_replicate
            && !seat.has_triggers
            && !watched
            && !seat.is_bare
            // The pipeline holds no parents in the table itself.
            && keys.iter().all(|key| key.parent != table.name);
        // The pipeline answers for the parents, which may come later in the same transaction.
        let waits = self.fence == Fence::Pipeline && self.pace == Pace::InStep && !keys.is_empty();
        let deferred = !unchecked && !seat.is_bare && waits;
        let (table, seat) = (table.clone(), (*seat).clone());
        let destination = Arc::new(RowDestination { table, seat, unchecked, deferred, watched });
        self.written.borrow_mut().insert(destination.table.name.clone(), destination.clone());
        Ok(destination)
    }

    /// Whether a trigger or a rule may skip or alter rows. It is asked for in each transaction: somebody may have made one since
    /// the table was looked for.
    fn is_watched(&self, seat: &TableSeat) -> Result<bool> {
        if seat.is_bare {
            return Ok(false);
        }
        let doing = || format!("cannot look for the triggers of {}", seat.place);
        let ask = |connection: &mut PostgresConnection| catalog::is_watched(connection, &seat.place).context(doing);
        if self.pace == Pace::InStep {
            return self.with(|worker| ask(&mut worker.connection));
        }
        // What is under way need not end for it.
        if let Some(worker) = self.lane.borrow_mut().as_mut().and_then(CommitLane::idle_worker) {
            return ask(&mut worker.connection);
        }
        self.target.read_in_transaction(ask)
    }

    /// The error where `table` is not there for this process: another one may be building it, or have finished it just now.
    fn missing_table_error(&self, table: &Table) -> crate::Error {
        let built = self.target.read_in_transaction(|connection| {
            Ok(self.target.is_building(connection, table)? || self.target.find_seat(connection, table)?.is_some())
        });
        match built {
            Ok(true) => {
                let message =
                    format!("another process makes the table {:?} just now; run the same command again", &*table.name);
                TargetError::new(TargetErrorKind::Again, message).into()
            }
            Ok(false) => super::mismatch_error(format!("the table {:?} does not exist", &*table.name)),
            Err(error) => error,
        }
    }

    /// Sends something on its way. Where that fails, the error of a transaction before this one comes first.
    fn send_to_lane(&self, send: impl FnOnce(&mut CommitLane) -> Result<()>) -> Result<()> {
        let sent = self.lane.borrow_mut().as_mut().ok_or_else(ended_error).and_then(send);
        sent.or_else(|error| self.target.finish_commits().and(Err(error)))
    }
}

fn ended_error() -> crate::Error {
    TargetError::new(TargetErrorKind::Statement, "the transaction has ended").into()
}

impl OwnTables for PostgresTransaction<'_> {
    fn with_own_tables<R>(&self, work: impl FnOnce(&dyn sql::SqlConnection) -> Result<R>) -> Result<R> {
        self.with(|worker| work(&PostgresOwnConnection::new(&worker.session, &mut worker.connection)))
    }
}

impl WritesOwnTables for PostgresTransaction<'_> {}

impl Transaction for PostgresTransaction<'_> {
    fn insert_rows(&mut self, table: &Table, rows: &RecordBatch, selected: &[Range<usize>]) -> Result<Vec<RefusedRow>> {
        let destination = self.row_destination(table)?;
        if self.pace == Pace::Ahead && destination.watched {
            let message = format!("each row of {:?} must be looked at, since the table has triggers", &*table.name);
            return Err(TargetError::new(TargetErrorKind::Again, message).into());
        }
        // A table without keys has nothing against a row.
        if self.pace == Pace::Ahead || destination.seat.is_bare && destination.seat.heap.is_none() {
            return self.send_to_lane(|lane| lane.send_rows(&destination, rows, selected)).map(|()| Vec::new());
        }
        self.with(|worker| insert::insert(worker, &destination, rows, selected))
    }

    fn update_rows(
        &mut self,
        table: &Table,
        rows: &RecordBatch,
        selected: &[usize],
        fields: &[FieldIndex],
    ) -> Result<Vec<RefusedRow>> {
        let destination = self.row_destination(table)?;
        self.with(|worker| insert::update_rows(worker, &destination, rows, selected, fields))
    }

    fn hold_parents(
        &mut self,
        child: &Table,
        parent: &Table,
        positions: &[FieldIndex],
        values: &[Vec<Scalar>],
    ) -> Result<()> {
        let child = self.row_destination(child)?;
        if self.pace == Pace::Ahead && child.seat.heap.is_none() && !child.unchecked {
            // The server looks at every row as it comes.
            return Ok(());
        }
        let Some(seat) = self.table_seat(parent)? else { return Err(parent_gone_error(parent).into()) };
        if seat.heap.is_none() {
            self.index(parent, positions)?;
        }
        let later = DeferredWrite::Hold(Box::new(HeldParents {
            child,
            parent: parent.clone(),
            seat: (*seat).clone(),
            positions: positions.to_vec(),
            values: values.to_vec(),
        }));
        match self.pace {
            Pace::Ahead => self.send_to_lane(|lane| lane.send_later(later)),
            Pace::InStep => self.with(|worker| worker.write_now(later)),
        }
    }

    fn begin_replacement(&mut self, tables: &[&Table]) -> Result<Option<Vec<u64>>> {
        // Rows of a table that is made anew cannot be updated, nor be checked by the server as they come.
        if self.fence != Fence::Pipeline || self.pace != Pace::InStep {
            return Ok(None);
        }
        let anew =
            self.with(|worker| replacement::begin_replacement(&worker.session, &mut worker.connection, tables))?;
        let Some(anew) = anew.filter(|anew| !anew.is_empty()) else { return Ok(None) };
        let removed = anew.iter().map(|anew| anew.removed).collect();
        self.anew.extend(anew);
        Ok(Some(removed))
    }

    fn delete_rows(&mut self, table: &Table) -> Result<u64> {
        let destination = self.row_destination(table)?;
        let unchecked =
            self.fence == Fence::Pipeline && self.target.session.may_replicate && !destination.seat.has_triggers;
        let doing = || format!("cannot empty the table {:?}", &*table.name);
        self.with(|worker| {
            let connection = &mut worker.connection;
            refuse_followers(
                table,
                catalog::find_followers(connection, &destination.seat.place).context(doing)?,
                |sql| {
                    connection.execute_statement(sql, &BoundParameters::default()).map(|rows| rows > 0).context(doing)
                },
            )?;
            worker.check_keys(!unchecked).context(doing)?;
            if !unchecked {
                // Rows that name those of this table are looked at when it has been filled again.
                worker.defer_keys().context(doing)?;
            }
            // Rows of another process that is about to commit would be overlooked, and stay.
            let sql = format!("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE", destination.seat.place);
            worker.connection.run_batch(&sql).context(doing)?;
            // TRUNCATE would need a right of its own, and would not run the triggers of the user.
            let sql = format!("DELETE FROM {}", destination.seat.place);
            let removed = worker.connection.without_timeout(|connection| connection.run_batch(&sql)).context(doing)?;
            // A rule or policy may keep rows, and DELETE calls that a success.
            let left = format!("SELECT FROM {} LIMIT 1", destination.seat.place);
            let left = worker.connection.execute_statement(&left, &BoundParameters::default()).context(doing)?;
            if left > 0 { Err(not_emptied_error(table)) } else { Ok(removed) }
        })
    }

    fn find_orphans(&self, tables: &[&Table], sound: &[&Table]) -> Result<Vec<String>> {
        let anew = |name: &str| self.anew.iter().find(|anew| *anew.table.name == *name);
        let is_sound = |table: &&Table| sound.iter().any(|sound| sound.name == table.name);
        let tables: Vec<&Table> = tables.iter().copied().filter(|table| !is_sound(table)).collect();
        let place = |name: &str| anew(name).map_or_else(|| self.target.table_place(name), |anew| anew.heap.clone());
        self.with(|worker| {
            rows::find_orphans(&mut worker.connection, &tables, &place)
                .context(|| "cannot check the foreign keys".into())
        })
    }

    fn add_load(&mut self, entry: &LoadEntry) -> Result<LoadId> {
        self.with(|worker| {
            let locked = worker.session.lock_source(&mut worker.connection, entry);
            locked.context(|| format!("cannot begin to load {} into the table {:?}", entry.source, entry.table))
        })?;
        self.with_own_tables(|own| ledger::add_load(own, entry))
    }

    fn save_load(&mut self, entry: &LoadEntry, was_at: u64) -> Result<()> {
        let later = DeferredWrite::Save { entry: Box::new(entry.clone()), was_at };
        match self.pace {
            Pace::Ahead => {
                let rejects = DeferredWrite::Rejects(self.rejects.take());
                self.send_to_lane(|lane| lane.send_later(rejects).and_then(|()| lane.send_later(later)))
            }
            Pace::InStep => self.with(|worker| worker.write_now(later)),
        }
    }

    fn add_rejects(&mut self, load: LoadId, table: &Table, rejects: &[NewReject]) -> Result<()> {
        for reject in rejects {
            if !self.rejects.get_mut().add_reject(load, table, reject) {
                self.with_own_tables(|own| quarantine::add_reject(own, load, table, reject))?;
            }
        }
        if self.pace == Pace::InStep || self.rejects.borrow().are_many() {
            self.with(|_| Ok(()))?;
        }
        Ok(())
    }

    fn commit_now(self: Box<Self>) -> Result<()> {
        self.with(|worker| {
            if self.anew.is_empty() {
                return Ok(());
            }
            let finished = replacement::finish_replacement(worker, &self.anew);
            finished
                .map_err(|failure| worker.row_error(failure, "cannot put the new tables in the place of the old ones"))
        })?;
        if !self.anew.is_empty() {
            self.target.forget_seats();
        }
        let lane = self.lane.take().ok_or_else(ended_error)?;
        let (committed, connection) = lane.into_worker()?.commit_now();
        self.target.keep_connection(connection);
        committed
    }

    fn commit_later(self: Box<Self>) -> Result<()> {
        if self.pace == Pace::InStep {
            return self.commit_now();
        }
        let rejects = DeferredWrite::Rejects(self.rejects.take());
        self.send_to_lane(|lane| {
            lane.send_later(rejects)?;
            lane.send_commit(self.target.in_flight.borrow().back())
        })?;
        self.target.in_flight.borrow_mut().extend(self.lane.take());
        self.target.recent.borrow_mut().extend(self.written.borrow().keys().cloned());
        Ok(())
    }
}

impl Drop for PostgresTransaction<'_> {
    fn drop(&mut self) {
        if let Some(lane) = self.lane.take() {
            self.target.keep_connection(lane.roll_back());
            self.target.forget_seats();
        }
    }
}
