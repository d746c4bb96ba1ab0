//! MySQL and MariaDB: streamed `LOAD DATA LOCAL INFILE`, failing on any warning; utf8mb4, strict mode, UTC.
//!
//! The driver blocks, and a connection does one thing at a time. So a chunk that runs ahead has a connection and a thread of
//! its own ([`lane`]), at most two at once, while rows are looked for on another. What the pipeline then hears is in the
//! order in which it asked ([`writing`]).

mod columns;
mod commits;
mod connection;
mod ddl;
mod encode;
mod existing;
mod failure;
mod lane;
mod load_data;
mod lock;
mod migrations;
mod names;
mod own;
mod query;
mod refusals;
mod rows;
mod server;
mod session;
mod settings;
mod snapshot;
mod stored;
#[cfg(test)]
mod tests;
mod triggers;
mod unused;
mod work;
mod writing;

use std::{cell::RefCell, collections::VecDeque, ops::Range, sync::Arc};

use arrow_array::RecordBatch;
use landfall_core::{keys::Scalar, validate::TargetLimits};

pub(super) use self::settings::Settings;
use self::{
    connection::Connection,
    lane::Flight,
    own::Own,
    server::Server,
    work::{Failed, Work},
    writing::{UnderWay, Writing, find_under_way},
};
use super::{
    Access, Canceller, Cell, Difference, Fence, Pace, QueryRows, Read, RefusedRow, RowFilter, Snapshot, Table, Target,
    Transaction, VisitRow,
    batch::{Foreign, shown},
    sql::{self, OwnTables, WritesOwnTables},
};
use crate::{
    error::{Result, TargetError, TargetErrorKind},
    job::JobClaim,
    ledger::{LoadEntry, LoadId},
    quarantine::NewReject,
};

/// Chunks that are under way at once.
const LANES: usize = 2;

/// A MySQL or MariaDB database.
pub(crate) struct Mysql {
    settings: Arc<Settings>,
    server: Server,
    /// Whether a table has a foreign key that is not in the dictionary.
    other_foreign_keys: bool,
    /// Connections that nothing is done on.
    idle: RefCell<Vec<Connection>>,
    /// Chunks that commit by themselves, in their order, with their rows.
    flights: RefCell<VecDeque<(Flight, UnderWay)>>,
    /// Stops what is read.
    canceller: Option<Arc<Canceller>>,
    /// The job that it works for.
    claim: Option<JobClaim>,
}

impl Mysql {
    /// Opens the database that `settings` name.
    ///
    /// # Errors
    /// A server that cannot be reached or does not let the user in, and a database that a newer version made.
    pub(crate) fn open(settings: Settings, access: Access) -> Result<Self> {
        let location = settings.to_string();
        let mut connection = Connection::open(&settings)?;
        match access {
            Access::Write => migrations::apply(&mut connection, &location)?,
            Access::Read => migrations::refuse_newer(&mut connection, &location)?,
        }
        Ok(Self {
            settings: Arc::new(settings),
            server: connection.server.clone(),
            other_foreign_keys: false,
            idle: RefCell::new(vec![connection]),
            flights: RefCell::new(VecDeque::new()),
            canceller: None,
            claim: None,
        })
    }

    /// A connection that nothing is done on.
    fn take(&self) -> Result<Connection> {
        while let Some(mut connection) = self.idle.borrow_mut().pop() {
            if connection.is_alive() {
                return Ok(connection);
            }
        }
        Connection::open_another(&self.settings)
    }

    fn give_back(&self, connection: Option<Connection>) {
        self.idle.borrow_mut().extend(connection.filter(|connection| !connection.is_lost()));
    }

    /// Runs `ask` on a connection that nothing is done on.
    fn with<R>(&self, ask: impl FnOnce(&mut Connection) -> Result<R>) -> Result<R> {
        let canceller = self.canceller.as_ref();
        canceller.map_or(Ok(()), |canceller| canceller.check())?;
        let mut connection = self.take()?;
        let guard = canceller.map(|canceller| canceller.guard(Box::new(connection.stopper(&self.settings))));
        let outcome = ask(&mut connection);
        drop(guard);
        self.give_back(Some(connection));
        outcome
    }

    /// Runs `ask` once all chunks have committed.
    fn ask<R>(&self, ask: impl FnOnce(&mut Connection) -> Result<R>) -> Result<R> {
        self.land_all()?;
        self.with(ask)
    }

    /// Takes in how a transaction ended.
    fn ended(&self, outcome: Result<Connection, Failed>) -> Result<()> {
        match outcome {
            Ok(connection) => {
                self.give_back(Some(connection));
                Ok(())
            }
            Err(Failed { connection, error }) => {
                self.give_back(connection.map(|connection| *connection));
                Err(error)
            }
        }
    }

    /// Waits until all chunks have committed; the error of the first that did not.
    fn land_all(&self) -> Result<()> {
        let mut outcome = Ok(());
        while let Some(landed) = self.land_first() {
            // Those after one that failed failed with it.
            outcome = outcome.and(landed);
        }
        outcome
    }

    fn land_first(&self) -> Option<Result<()>> {
        let (flight, _) = self.flights.borrow_mut().pop_front()?;
        Some(self.ended(flight.land()))
    }

    /// Waits until there is room for another chunk.
    fn make_room(&self) -> Result<()> {
        loop {
            let flights = self.flights.borrow();
            let ready = flights.len() >= LANES || flights.front().is_some_and(|(flight, _)| flight.is_finished());
            drop(flights);
            if !ready {
                return Ok(());
            }
            if let Some(Err(error)) = self.land_first() {
                // They failed with it.
                let _ = self.land_all();
                return Err(error);
            }
        }
    }

    /// Rows that have `values`, of those that are not yet known to be committed.
    fn under_way(
        &self,
        own: &UnderWay,
        table: &Table,
        positions: &[usize],
        values: &[Vec<Scalar>],
    ) -> Vec<Option<Vec<Scalar>>> {
        let flights = self.flights.borrow();
        let others = flights.iter().flat_map(|(_, rows)| rows);
        find_under_way(others.chain(own), table, positions, values)
    }
}

impl Drop for Mysql {
    fn drop(&mut self) {
        // Nobody hears their errors any more, but what is under way is brought to its end.
        let _ = self.land_all();
    }
}

/// What can be read, through whatever runs a closure on a connection: `$ask` where the transaction's own rows matter,
/// `$find` for keys.
macro_rules! read_through {
    ($type:ty, $ask:ident, $connection:ident => $own:expr) => {
        impl Read for $type {
            fn is_remote(&self) -> bool {
                true
            }
            fn limits(&self, table: &Table) -> TargetLimits {
                columns::limits(self.server(), table)
            }
            fn has_table(&self, table: &Table) -> Result<bool> {
                self.beside(|connection| rows::has_table(connection, &table.name))
            }
            fn row_count_within(&self, table: &Table, most: u64) -> Result<u64> {
                self.$ask(|$connection| rows::row_count($own, table, most))
            }
            fn find_all(
                &self,
                table: &Table,
                positions: &[usize],
                values: &[Vec<Scalar>],
            ) -> Result<Vec<Option<Vec<Scalar>>>> {
                self.look_for(table, positions, values)
            }
            fn page(&self, table: &Table, filter: &RowFilter, visit: VisitRow<'_>) -> Result<()> {
                self.$ask(|$connection| rows::page($own, table, filter, visit))
            }
            fn scan(&self, table: &Table, positions: &[usize], visit: &mut dyn FnMut(&RecordBatch)) -> Result<()> {
                self.$ask(|$connection| rows::scan($own, table, (positions, Foreign::Missing), &mut shown(visit)))
            }
        }
    };
}

read_through!(Mysql, ask, connection => connection);
read_through!(Writing<'_>, in_step, work => &mut work.connection);

impl OwnTables for Mysql {
    fn own<R>(&self, work: impl FnOnce(&dyn sql::Connection) -> Result<R>) -> Result<R> {
        self.ask(|connection| work(&Own::new(connection)))
    }
}

impl OwnTables for Writing<'_> {
    fn own<R>(&self, work: impl FnOnce(&dyn sql::Connection) -> Result<R>) -> Result<R> {
        self.in_step(|lane| work(&Own::new(&mut lane.connection)))
    }
}

impl WritesOwnTables for Writing<'_> {}

impl Mysql {
    const fn server(&self) -> &Server {
        &self.server
    }

    fn beside<R>(&self, ask: impl FnOnce(&mut Connection) -> Result<R>) -> Result<R> {
        self.ask(ask)
    }

    fn look_for(&self, table: &Table, positions: &[usize], values: &[Vec<Scalar>]) -> Result<Vec<Option<Vec<Scalar>>>> {
        self.ask(|connection| rows::find_all(connection, table, positions, values))
    }
}

impl Target for Mysql {
    fn location(&self) -> String {
        self.settings.to_string()
    }

    fn prepare(&mut self, tables: &[Table]) -> Result<()> {
        self.other_foreign_keys |= self.ask(|connection| ddl::prepare(connection, tables))?;
        Ok(())
    }

    fn transaction(&mut self, fence: Fence, pace: Pace) -> Result<Box<dyn Transaction + '_>> {
        // A foreign key that the dictionary does not know only the server can check.
        let fence = if self.other_foreign_keys { Fence::Database } else { fence };
        // Where the server looks for each parent, chunks at once would wait for each other's rows.
        let pace = if fence == Fence::Database { Pace::InStep } else { pace };
        match pace {
            Pace::Ahead => self.make_room()?,
            Pace::InStep => self.land_all()?,
        }
        let connection = match self.take() {
            Ok(connection) => connection,
            // The server may have as many connections as it allows: one of ours will be free.
            Err(error) if self.flights.borrow().is_empty() => return Err(error),
            Err(_) => {
                self.land_all()?;
                self.take()?
            }
        };
        let mut work = Work::begin(connection, self.settings.clone(), fence)?;
        if let Some(claim) = &self.claim
            && let Err(error) = sql::jobs::hold(&Own::new(&mut work.connection), claim)
        {
            self.give_back(work.roll_back());
            return Err(error);
        }
        Ok(Box::new(Writing::new(self, work, pace)))
    }

    fn snapshot(&mut self) -> Result<Box<dyn Snapshot + '_>> {
        self.land_all()?;
        let connection = self.take()?;
        snapshot::begin(self, connection)
    }

    fn settle(&mut self) -> Result<()> {
        // How a commit is kept is the server's own affair (innodb_flush_log_at_trx_commit).
        self.land_all()
    }

    fn ddl(&self, tables: &[Table]) -> Result<Vec<String>> {
        self.ask(|connection| {
            ddl::check_names_and_keys(connection, tables)?;
            Ok(tables.iter().map(|table| ddl::create_table(&connection.server, table, tables)).collect())
        })
    }

    fn differences(&self, tables: &[Table]) -> Result<Vec<Difference>> {
        self.ask(|connection| ddl::differences(connection, tables))
    }

    fn add_missing(&mut self, differences: &[Difference]) -> Result<()> {
        self.ask(|connection| ddl::add_missing(connection, differences))
    }

    fn unused(&self, tables: &[Table]) -> Result<Vec<Table>> {
        self.ask(|connection| unused::unused(connection, tables))
    }

    fn remove_unused(&mut self, tables: &[Table]) -> Result<()> {
        self.ask(|connection| unused::remove(connection, tables))
    }

    fn may_insert(&self, table: &Table) -> Result<bool> {
        self.ask(|connection| rows::may_insert(connection, table))
    }

    fn commit_under(&mut self, claim: Option<JobClaim>) {
        self.claim = claim;
    }

    fn cancel_with(&mut self, canceller: Option<&Arc<Canceller>>) {
        self.canceller = canceller.cloned();
    }

    fn query(&self, sql: &str, parameters: &[(String, Scalar)], rows: &mut dyn QueryRows) -> Result<()> {
        self.ask(|connection| query::query(connection, sql, parameters, rows))
    }
}

impl Transaction for Writing<'_> {
    fn insert(&mut self, table: &Table, rows: &RecordBatch, selected: &[Range<usize>]) -> Result<Vec<RefusedRow>> {
        self.send(table, rows, selected)
    }

    fn update(
        &mut self,
        table: &Table,
        rows: &RecordBatch,
        selected: &[usize],
        fields: &[usize],
    ) -> Result<Vec<RefusedRow>> {
        self.in_step(|work| refusals::update(work, table, (rows, selected), fields))
    }

    fn hold_parents(
        &mut self,
        _child: &Table,
        parent: &Table,
        positions: &[usize],
        values: &[Vec<Scalar>],
    ) -> Result<()> {
        self.hold(parent, positions, values)
    }

    fn clear(&mut self, table: &Table) -> Result<u64> {
        self.in_step(|work| work.clear(table))
    }

    fn orphans(&self, tables: &[&Table], sound: &[&Table]) -> Result<Vec<String>> {
        self.in_step(|work| rows::orphans(&mut work.connection, tables, sound))
    }

    fn add_load(&mut self, entry: &LoadEntry) -> Result<LoadId> {
        self.enter(entry)
    }

    fn save_load(&mut self, entry: &LoadEntry, was_at: u64) -> Result<()> {
        self.save(entry, was_at)
    }

    fn add_rejects(&mut self, load: LoadId, table: &Table, rejects: &[NewReject]) -> Result<()> {
        self.reject(load, table, rejects)
    }

    fn commit(self: Box<Self>) -> Result<()> {
        self.end()?;
        self.target().land_all()
    }

    fn commit_later(self: Box<Self>) -> Result<()> {
        self.end()
    }
}

/// A mismatch between the dictionary and the database.
fn mismatch(message: impl Into<String>) -> crate::Error {
    TargetError::new(TargetErrorKind::Mismatch, message).into()
}
