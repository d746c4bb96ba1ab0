//! A write transaction on a lane.

mod reading;

use std::{cell::RefCell, collections::HashMap, ops::Range, sync::Arc};

use arrow_array::RecordBatch;
use landfall_core::keys::Scalar;

use super::{
    Fence, Pace, Place, Postgres, RefusedRow, Seat, Table, Transaction,
    anew::{self, Anew},
    building, catalog,
    connection::Connection,
    failure::Context as _,
    insert,
    lane::Lane,
    own::{Own, Rejects},
    parameters::Parameters,
    reading, rows,
    worker::{Destination, Held, Later, Worker},
};
use crate::{
    error::{Result, TargetError, TargetErrorKind},
    ledger::{LoadEntry, LoadId},
    quarantine::NewReject,
    targets::{
        not_emptied, parent_gone,
        sql::{self, OwnTables, WritesOwnTables, followers::refuse_followers, ledger, quarantine},
    },
};

/// A write transaction.
pub(super) struct PostgresTransaction<'t> {
    target: &'t Postgres,
    lane: RefCell<Option<Lane>>,
    fence: Fence,
    pace: Pace,
    /// The tables that it has written to.
    written: RefCell<HashMap<Arc<str>, Arc<Destination>>>,
    /// The tables that it makes anew.
    anew: Vec<Anew>,
    /// Rejects that wait to be written.
    rejects: RefCell<Rejects>,
}

impl<'t> PostgresTransaction<'t> {
    pub(super) fn new(target: &'t Postgres, lane: Lane, fence: Fence, pace: Pace) -> Self {
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
    fn with<R>(&self, work: impl FnOnce(&mut Worker) -> Result<R>) -> Result<R> {
        self.target.settled()?;
        let mut lane = self.lane.borrow_mut();
        let lane = lane.as_mut().ok_or_else(ended)?;
        lane.send_later(Later::Rejects(self.rejects.take()))?;
        let worker = lane.here()?;
        worker.catch_up()?;
        work(worker)
    }

    /// Reads rows of `table`. Those of a table that nothing was written to of late are read on another connection, so that
    /// what is under way need not end for it.
    fn read_rows<R>(
        &self,
        table: &Table,
        work: impl FnOnce(&mut Connection, &Place) -> super::failure::Outcome<R>,
    ) -> Result<Option<R>> {
        let Some(seat) = self.seat(table)? else { return Ok(None) };
        let touched =
            self.written.borrow().contains_key(&table.name) || self.target.recent.borrow().contains(&table.name);
        // A table that is built gets its key in this transaction when it is searched, and others wait for that.
        if self.pace == Pace::Ahead && !touched && seat.heap.is_none() {
            return self
                .target
                .reading(|connection| work(connection, &seat.place).context(|| reading(table)))
                .map(Some);
        }
        let read =
            self.with(|worker| work(&mut worker.connection, &seat.place).map_err(|failure| seat.told(failure, table)));
        read.map(Some)
    }

    fn seat(&self, table: &Table) -> Result<Option<Arc<Seat>>> {
        if let Some(anew) = self.anew.iter().find(|anew| anew.table.name == table.name) {
            return Ok(Some(Seat::anew(anew.heap.clone()).into()));
        }
        if self.pace == Pace::Ahead {
            return self.target.seat(table);
        }
        self.target.seat_by(table, |find| self.with(|worker| find(&mut worker.connection)))
    }

    /// Sees to it that the rows of `table` can be looked for by the fields at `positions`.
    fn index(&self, table: &Table, positions: &[usize]) -> Result<()> {
        match self.seat(table)? {
            Some(seat) if seat.is_bare => self.with(|worker| {
                building::index(&mut worker.connection, table, &seat.place, positions).context(|| reading(table))
            }),
            _ => Ok(()),
        }
    }

    /// Where rows of `table` go.
    fn destination(&self, table: &Table) -> Result<Arc<Destination>> {
        if let Some(destination) = self.written.borrow().get(&table.name) {
            return Ok(destination.clone());
        }
        let Some(seat) = self.seat(table)? else { return Err(self.missing(table)) };
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
        let destination = Arc::new(Destination { table, seat, unchecked, deferred, watched });
        self.written.borrow_mut().insert(destination.table.name.clone(), destination.clone());
        Ok(destination)
    }

    /// Whether a trigger or a rule may skip or alter rows. It is asked for in each transaction: somebody may have made one since
    /// the table was looked for.
    fn is_watched(&self, seat: &Seat) -> Result<bool> {
        if seat.is_bare {
            return Ok(false);
        }
        let doing = || format!("cannot look for the triggers of {}", seat.place);
        let ask = |connection: &mut Connection| catalog::is_watched(connection, &seat.place).context(doing);
        if self.pace == Pace::InStep {
            return self.with(|worker| ask(&mut worker.connection));
        }
        // What is under way need not end for it.
        if let Some(worker) = self.lane.borrow_mut().as_mut().and_then(Lane::free) {
            return ask(&mut worker.connection);
        }
        self.target.reading(ask)
    }

    /// The error where `table` is not there for this process: another one may be building it, or have finished it just now.
    fn missing(&self, table: &Table) -> crate::Error {
        let built = self.target.reading(|connection| {
            Ok(self.target.is_building(connection, table)? || self.target.find_seat(connection, table)?.is_some())
        });
        match built {
            Ok(true) => {
                let message =
                    format!("another process makes the table {:?} just now; run the same command again", &*table.name);
                TargetError::new(TargetErrorKind::Again, message).into()
            }
            Ok(false) => super::mismatch(format!("the table {:?} does not exist", &*table.name)),
            Err(error) => error,
        }
    }

    /// Sends something on its way. Where that fails, the error of a transaction before this one comes first.
    fn send(&self, send: impl FnOnce(&mut Lane) -> Result<()>) -> Result<()> {
        let sent = self.lane.borrow_mut().as_mut().ok_or_else(ended).and_then(send);
        sent.or_else(|error| self.target.settled().and(Err(error)))
    }
}

fn ended() -> crate::Error {
    TargetError::new(TargetErrorKind::Statement, "the transaction has ended").into()
}

impl OwnTables for PostgresTransaction<'_> {
    fn own<R>(&self, work: impl FnOnce(&dyn sql::Connection) -> Result<R>) -> Result<R> {
        self.with(|worker| work(&Own::new(&worker.session, &mut worker.connection)))
    }
}

impl WritesOwnTables for PostgresTransaction<'_> {}

impl Transaction for PostgresTransaction<'_> {
    fn insert(&mut self, table: &Table, rows: &RecordBatch, selected: &[Range<usize>]) -> Result<Vec<RefusedRow>> {
        let destination = self.destination(table)?;
        if self.pace == Pace::Ahead && destination.watched {
            let message = format!("each row of {:?} must be looked at, since the table has triggers", &*table.name);
            return Err(TargetError::new(TargetErrorKind::Again, message).into());
        }
        // A table without keys has nothing against a row.
        if self.pace == Pace::Ahead || destination.seat.is_bare && destination.seat.heap.is_none() {
            return self.send(|lane| lane.send_rows(&destination, rows, selected)).map(|()| Vec::new());
        }
        self.with(|worker| insert::insert(worker, &destination, rows, selected))
    }

    fn update(
        &mut self,
        table: &Table,
        rows: &RecordBatch,
        selected: &[usize],
        fields: &[usize],
    ) -> Result<Vec<RefusedRow>> {
        let destination = self.destination(table)?;
        self.with(|worker| insert::update(worker, &destination, (rows, selected), fields))
    }

    fn hold_parents(
        &mut self,
        child: &Table,
        parent: &Table,
        positions: &[usize],
        values: &[Vec<Scalar>],
    ) -> Result<()> {
        let child = self.destination(child)?;
        if self.pace == Pace::Ahead && child.seat.heap.is_none() && !child.unchecked {
            // The server looks at every row as it comes.
            return Ok(());
        }
        let Some(seat) = self.seat(parent)? else { return Err(parent_gone(parent).into()) };
        if seat.heap.is_none() {
            self.index(parent, positions)?;
        }
        let later = Later::Hold(Box::new(Held {
            child,
            parent: parent.clone(),
            seat: (*seat).clone(),
            positions: positions.to_vec(),
            values: values.to_vec(),
        }));
        match self.pace {
            Pace::Ahead => self.send(|lane| lane.send_later(later)),
            Pace::InStep => self.with(|worker| worker.now(later)),
        }
    }

    fn make_anew(&mut self, tables: &[&Table]) -> Result<Option<Vec<u64>>> {
        if self.fence != Fence::Pipeline || self.pace != Pace::InStep {
            return Ok(None);
        }
        let anew = self.with(|worker| anew::begin(&worker.session, &mut worker.connection, tables))?;
        let Some(anew) = anew.filter(|anew| !anew.is_empty()) else { return Ok(None) };
        let removed = anew.iter().map(|anew| anew.removed).collect();
        self.anew.extend(anew);
        Ok(Some(removed))
    }

    fn clear(&mut self, table: &Table) -> Result<u64> {
        let destination = self.destination(table)?;
        let unchecked =
            self.fence == Fence::Pipeline && self.target.session.may_replicate && !destination.seat.has_triggers;
        let doing = || format!("cannot empty the table {:?}", &*table.name);
        self.with(|worker| {
            let connection = &mut worker.connection;
            refuse_followers(table, catalog::followers(connection, &destination.seat.place).context(doing)?, |sql| {
                connection.execute(sql, &Parameters::default()).map(|rows| rows > 0).context(doing)
            })?;
            worker.check_keys(!unchecked).context(doing)?;
            if !unchecked {
                // Rows that name those of this table are looked at when it has been filled again.
                worker.defer_keys().context(doing)?;
            }
            // Rows of another process that is about to commit would be overlooked, and stay.
            let sql = format!("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE", destination.seat.place);
            worker.connection.batch(&sql).context(doing)?;
            let sql = format!("DELETE FROM {}", destination.seat.place);
            let removed = worker.connection.patiently(|connection| connection.batch(&sql)).context(doing)?;
            let left = format!("SELECT FROM {} LIMIT 1", destination.seat.place);
            let left = worker.connection.execute(&left, &Parameters::default()).context(doing)?;
            if left > 0 { Err(not_emptied(table)) } else { Ok(removed) }
        })
    }

    fn orphans(&self, tables: &[&Table], sound: &[&Table]) -> Result<Vec<String>> {
        let anew = |name: &str| self.anew.iter().find(|anew| *anew.table.name == *name);
        let is_sound = |table: &&Table| sound.iter().any(|sound| sound.name == table.name);
        let tables: Vec<&Table> = tables.iter().copied().filter(|table| !is_sound(table)).collect();
        let place = |name: &str| anew(name).map_or_else(|| self.target.place(name), |anew| anew.heap.clone());
        self.with(|worker| {
            rows::orphans(&mut worker.connection, &tables, &place).context(|| "cannot check the foreign keys".into())
        })
    }

    fn add_load(&mut self, entry: &LoadEntry) -> Result<LoadId> {
        self.with(|worker| {
            let locked = worker.session.lock_source(&mut worker.connection, entry);
            locked.context(|| format!("cannot begin to load {} into the table {:?}", entry.source, entry.table))
        })?;
        self.own(|own| ledger::add(own, entry))
    }

    fn save_load(&mut self, entry: &LoadEntry, was_at: u64) -> Result<()> {
        let later = Later::Save { entry: Box::new(entry.clone()), was_at };
        match self.pace {
            Pace::Ahead => {
                let rejects = Later::Rejects(self.rejects.take());
                self.send(|lane| lane.send_later(rejects).and_then(|()| lane.send_later(later)))
            }
            Pace::InStep => self.with(|worker| worker.now(later)),
        }
    }

    fn add_rejects(&mut self, load: LoadId, table: &Table, rejects: &[NewReject]) -> Result<()> {
        for reject in rejects {
            if !self.rejects.get_mut().add(load, table, reject) {
                self.own(|own| quarantine::add(own, load, table, reject))?;
            }
        }
        if self.pace == Pace::InStep || self.rejects.borrow().are_many() {
            self.with(|_| Ok(()))?;
        }
        Ok(())
    }

    fn commit(self: Box<Self>) -> Result<()> {
        self.with(|worker| {
            if self.anew.is_empty() {
                return Ok(());
            }
            let finished = anew::finish(worker, &self.anew);
            finished.map_err(|failure| worker.told(failure, "cannot put the new tables in the place of the old ones"))
        })?;
        if !self.anew.is_empty() {
            self.target.forget();
        }
        let lane = self.lane.take().ok_or_else(ended)?;
        let (committed, connection) = lane.into_worker()?.commit();
        self.target.keep(connection);
        committed
    }

    fn commit_later(self: Box<Self>) -> Result<()> {
        if self.pace == Pace::InStep {
            return self.commit();
        }
        let rejects = Later::Rejects(self.rejects.take());
        self.send(|lane| {
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
            self.target.keep(lane.undo());
            self.target.forget();
        }
    }
}
