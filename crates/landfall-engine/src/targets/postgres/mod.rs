//! PostgreSQL: binary COPY on two connections, set-based statements where the database has something against a row.
//!
//! The client is our own, over the protocol crate of the rust-postgres project: it blocks, bounds every wait, and names no
//! statement on the server, so that PgBouncer may give each transaction another connection.

mod anew;
mod answer;
mod building;
mod catalog;
mod commits;
mod connection;
mod copy;
mod ddl;
mod dialect;
mod encode;
mod failure;
mod insert;
mod lane;
mod login;
mod message;
mod numeric;
mod own;
mod parameters;
mod password;
mod pipelined;
mod place;
mod prepare;
mod query;
mod rows;
mod session;
mod settings;
mod snapshot;
mod socket;
mod tls;
mod transaction;
mod untouched;
mod unused;
mod url;
mod value;
mod worker;

use std::{
    cell::{Cell as Flag, RefCell},
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use arrow_array::RecordBatch;
use landfall_core::{keys::Scalar, validate::TargetLimits};

pub(super) use self::settings::Settings;
use self::{
    building::Lock,
    connection::Connection,
    ddl::Place,
    failure::{Context as _, Outcome},
    lane::Lane,
    own::Own,
    place::Seat,
    session::{Session, Use},
    transaction::PostgresTransaction,
    worker::Worker,
};
use super::{
    Access, Canceller, Difference, Fence, Pace, QueryRows, Read, RefusedRow, RowFilter, Snapshot, Table, Target,
    Transaction, VisitRow,
    batch::{Foreign, shown},
    limits,
    sql::{self, OwnTables},
};
use crate::{
    error::{Result, TargetError, TargetErrorKind},
    job::JobClaim,
};

/// Transactions that may be under way at once.
const MOST_LANES: usize = 2;
/// Connections that are kept for later.
const MOST_KEPT: usize = 3;

/// The first version whose `numeric` has infinities.
const INFINITIES_FROM: u32 = 14;

/// A PostgreSQL database.
pub(crate) struct Postgres {
    session: Arc<Session>,
    /// Connections outside a transaction.
    kept: RefCell<Vec<Connection>>,
    /// Transactions that commit while the pipeline goes on, oldest first.
    in_flight: RefCell<VecDeque<Lane>>,
    /// The tables that they have written to.
    recent: RefCell<HashSet<Arc<str>>>,
    /// Where tables are.
    seats: RefCell<HashMap<Arc<str>, Arc<Seat>>>,
    /// Whether Landfall's own tables are there.
    has_own: Flag<bool>,
    /// Whether they are of this version, so that nobody need ask what they have.
    is_current: bool,
    /// Names this process in the database.
    owner: String,
    /// Stops what is read.
    canceller: Option<Arc<Canceller>>,
    /// The job that it works for.
    claim: Option<JobClaim>,
}

impl Postgres {
    /// Opens the database of `settings`. With [`Access::Read`], Landfall's own tables are not made where they are missing.
    pub(crate) fn open(settings: &Settings, access: Access) -> Result<Self> {
        let settings = Arc::new(settings.clone());
        let mut connection = Connection::open(&settings).context(|| format!("cannot open {settings}"))?;
        let session = Session::new(&settings, &mut connection)?;
        if access == Access::Write {
            own::migrate(&session, &mut connection)?;
        }
        let has_own = access == Access::Write || own::version(&session, &mut connection)?.is_some();
        Ok(Self {
            session: Arc::new(session),
            kept: RefCell::new(vec![connection]),
            in_flight: RefCell::default(),
            recent: RefCell::default(),
            seats: RefCell::default(),
            has_own: Flag::new(has_own),
            is_current: access == Access::Write,
            owner: owner(),
            canceller: None,
            claim: None,
        })
    }

    /// A connection with a transaction begun. One that was kept may be lost by now, and is replaced.
    fn begun(&self, using: Use, beginning: Beginning) -> Result<Connection> {
        let doing = || format!("cannot use {}", self.session.settings);
        if let Some(mut kept) = self.kept.borrow_mut().pop() {
            let begun = match beginning {
                Beginning::AtOnce => self.session.begin(&mut kept, using),
                Beginning::WithNext => self.session.begin_with_next(&mut kept, using),
            };
            if begun.is_ok() {
                return Ok(kept);
            }
        }
        let mut connection = self.session.connect()?;
        self.session.begin(&mut connection, using).context(doing)?;
        Ok(connection)
    }

    /// Keeps a connection for later, where it is good.
    fn keep(&self, connection: Option<Connection>) {
        let mut kept = self.kept.borrow_mut();
        if kept.len() < MOST_KEPT {
            kept.extend(connection.filter(Connection::is_idle));
        }
    }

    /// Runs `work` in a transaction that only reads.
    fn reading<R>(&self, work: impl FnOnce(&mut Connection) -> Result<R>) -> Result<R> {
        self.within(Use::Read, work)
    }

    /// Runs `work` in a transaction of its own.
    fn within<R>(&self, using: Use, work: impl FnOnce(&mut Connection) -> Result<R>) -> Result<R> {
        let canceller = self.canceller.as_ref();
        canceller.map_or(Ok(()), |canceller| canceller.check())?;
        // A statement that only reads does no harm, whatever the server says of its transaction; a report may do anything.
        let beginning = if using == Use::Read { Beginning::WithNext } else { Beginning::AtOnce };
        let mut connection = self.begun(using, beginning)?;
        let guard = canceller.map(|canceller| canceller.guard(Box::new(connection.stopper())));
        let outcome = work(&mut connection)
            .and_then(|outcome| end(&mut connection, using).map(|()| outcome).context(|| "cannot commit".into()));
        drop(guard);
        connection.fail_copy();
        connection.roll_back();
        self.keep(Some(connection));
        outcome
    }

    /// Waits until all transactions that were sent to commit have.
    fn settled(&self) -> Result<()> {
        while self.settle_one()? {}
        Ok(())
    }

    /// Waits for the oldest transaction under way; whether there was one. Where it failed, those after it fail too.
    fn settle_one(&self) -> Result<bool> {
        let Some(lane) = self.in_flight.borrow_mut().pop_front() else {
            self.recent.borrow_mut().clear();
            return Ok(false);
        };
        match lane.committed() {
            Ok(connection) => self.keep(connection),
            Err(error) => {
                for lane in self.in_flight.take() {
                    self.keep(lane.undo());
                }
                self.forget();
                return Err(error);
            }
        }
        Ok(true)
    }

    /// What the server cannot hold of the rows of `table`.
    fn limits_of(&self, table: &Table) -> TargetLimits {
        limits::postgres(&table.schema, self.session.server.version >= INFINITIES_FROM)
    }
}

/// When a transaction begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beginning {
    /// Before anything else.
    AtOnce,
    /// With its first statement, which saves a wait for the server.
    WithNext,
}

/// Ends the transaction on `connection`, which lasts unless it only read.
fn end(connection: &mut Connection, using: Use) -> Outcome<()> {
    if using == Use::Read { connection.end_reading() } else { connection.commit() }
}

/// A name that no other process has.
fn owner() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{}-{}", std::process::id(), now.as_nanos())
}

/// A mismatch between the dictionary and the database.
fn mismatch(message: impl Into<String>) -> crate::Error {
    TargetError::new(TargetErrorKind::Mismatch, message).into()
}

fn reading(table: &Table) -> String {
    format!("cannot read the table {:?}", &*table.name)
}

impl Read for Postgres {
    fn has_table(&self, table: &Table) -> Result<bool> {
        self.settled()?;
        Ok(self.seat(table)?.is_some_and(|seat| seat.heap.is_none()))
    }

    fn row_count_within(&self, table: &Table, most: u64) -> Result<u64> {
        self.settled()?;
        let Some(seat) = self.seat(table)? else { return Ok(0) };
        self.read_table(table, &seat, |connection| rows::count(connection, &seat.place, most))
    }

    fn limits(&self, table: &Table) -> TargetLimits {
        self.limits_of(table)
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn finds(&self, table: &Table) -> bool {
        !self.seat(table).is_ok_and(|seat| seat.is_some_and(|seat| seat.is_bare))
    }

    fn is_aside(&self, table: &Table) -> Result<bool> {
        self.settled()?;
        self.reading(|connection| self.is_building(connection, table))
    }

    fn find_all(&self, table: &Table, positions: &[usize], values: &[Vec<Scalar>]) -> Result<Vec<Option<Vec<Scalar>>>> {
        self.settled()?;
        let Some(seat) = self.seat(table)? else { return Ok(vec![None; values.len()]) };
        self.read_table(table, &seat, |connection| rows::find_all(connection, table, &seat.place, positions, values))
    }

    fn page(&self, table: &Table, filter: &RowFilter, visit: VisitRow<'_>) -> Result<()> {
        self.settled()?;
        let Some(seat) = self.seat(table)? else { return Ok(()) };
        self.read_table(table, &seat, |connection| rows::page(connection, table, &seat.place, filter, visit))
    }

    fn scan(&self, table: &Table, positions: &[usize], visit: &mut dyn FnMut(&RecordBatch)) -> Result<()> {
        self.settled()?;
        let Some(seat) = self.seat(table)? else { return Ok(()) };
        self.read_table(table, &seat, |connection| {
            rows::scan(connection, table, &seat.place, (positions, Foreign::Missing), &mut shown(visit))
        })
    }
}

impl OwnTables for Postgres {
    fn own<R>(&self, work: impl FnOnce(&dyn sql::Connection) -> Result<R>) -> Result<R> {
        self.settled()?;
        let is_there = self.has_own.get();
        self.reading(|connection| {
            work(&Own {
                session: &self.session,
                connection: RefCell::new(connection),
                is_there,
                is_current: self.is_current,
            })
        })
    }
}

impl Target for Postgres {
    fn location(&self) -> String {
        self.session.settings.to_string()
    }

    fn snapshot(&mut self) -> Result<Box<dyn Snapshot + '_>> {
        self.settled()?;
        let connection = self.begun(Use::Snapshot, Beginning::AtOnce)?;
        snapshot::of(self, connection)
    }

    fn prepare(&mut self, tables: &[Table]) -> Result<()> {
        prepare::prepare(self, tables)
    }

    fn can_build(&self, table: &Table) -> Result<bool> {
        Ok(!self.has_table(table)?)
    }

    fn build(&mut self, table: &Table, resumes: bool) -> Result<bool> {
        prepare::build(self, table, resumes)
    }

    fn finish(&mut self, table: &Table) -> Result<()> {
        prepare::finish(self, table)
    }

    fn transaction(&mut self, fence: Fence, pace: Pace) -> Result<Box<dyn Transaction + '_>> {
        // A pooler has few connections for all: a process that holds one while it waits for another could wait for one
        // that does the same.
        let pace = if self.session.is_pooled { Pace::InStep } else { pace };
        while pace == Pace::InStep && self.settle_one()? {}
        while self.in_flight.borrow().len() >= MOST_LANES {
            self.settle_one()?;
        }
        // The first statement only enters a token, which nobody looks for if the transaction never began.
        let mut worker = Worker::begin(&self.session, self.begun(Use::Write, Beginning::WithNext)?, pace)?;
        if let Some(claim) = &self.claim
            && let Err(error) = sql::jobs::hold(&Own::new(&self.session, &mut worker.connection), claim)
        {
            self.keep(worker.undo());
            return Err(error);
        }
        Ok(Box::new(PostgresTransaction::new(self, Lane::new(worker), fence, pace)))
    }

    fn settle(&mut self) -> Result<()> {
        self.settled()
    }

    fn ddl(&self, tables: &[Table]) -> Result<Vec<String>> {
        ddl::create_all(tables, &self.session.settings.schema)
    }

    fn differences(&self, tables: &[Table]) -> Result<Vec<Difference>> {
        prepare::differences(self, tables)
    }

    fn add_missing(&mut self, differences: &[Difference]) -> Result<()> {
        prepare::add_missing(self, differences)
    }

    fn unused(&self, tables: &[Table]) -> Result<Vec<Table>> {
        unused::unused(self, tables)
    }

    fn remove_unused(&mut self, tables: &[Table]) -> Result<()> {
        unused::remove(self, tables)
    }

    fn may_insert(&self, table: &Table) -> Result<bool> {
        let place = self.place(&table.name);
        self.reading(|connection| rows::may_insert(connection, &place).context(|| reading(table)))
    }

    fn commit_under(&mut self, claim: Option<JobClaim>) {
        self.claim = claim;
    }

    fn cancel_with(&mut self, canceller: Option<&Arc<Canceller>>) {
        self.canceller = canceller.cloned();
    }

    fn query(&self, sql: &str, parameters: &[(String, Scalar)], rows: &mut dyn QueryRows) -> Result<()> {
        self.settled()?;
        self.within(Use::Report, |connection| query::query(&self.session, connection, sql, parameters, rows))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        for lane in self.in_flight.take() {
            // Whoever wants to know how it ended asks before.
            lane.undo();
        }
    }
}

#[cfg(test)]
mod tests;
