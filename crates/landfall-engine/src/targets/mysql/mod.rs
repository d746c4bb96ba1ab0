//! MySQL and MariaDB: streamed `LOAD DATA LOCAL INFILE`, failing on any warning; utf8mb4, strict mode, UTC.
//!
//! The driver blocks, and a connection does one thing at a time. So a chunk that runs ahead has a connection and a thread of
//! its own ([`lane`]), at most two at once, while rows are looked for on another. What the pipeline then hears is in the
//! order in which it asked ([`transaction`]).

mod columns;
mod commits;
mod connection;
mod ddl;
mod encode;
mod existing_table;
mod failure;
mod lane;
mod load_data;
mod lock;
mod migrations;
mod names;
mod own_tables;
mod query;
mod refusals;
mod remakable;
mod rows;
mod server;
mod session;
mod settings;
mod snapshot;
#[cfg(test)]
mod tests;
mod transaction;
mod triggers;
mod values;
mod work;

use std::{cell::RefCell, collections::VecDeque, sync::Arc};

use arrow_array::RecordBatch;
use landfall_core::{keys::Scalar, schema::FieldIndex, validate::TargetLimits};

pub(super) use self::settings::MysqlSettings;
use self::{
    connection::MysqlConnection,
    lane::CommitFlight,
    own_tables::MysqlOwnConnection,
    server::MysqlServer,
    transaction::{MysqlTransaction, PendingRows, find_under_way},
    work::{FailedWork, MysqlWork},
};
use super::{
    Canceller, Cell, Difference, Fence, Pace, QueryRows, RefusedRow, RowFilter, Snapshot, Table, Target, TargetAccess,
    TargetRead, Transaction, VisitPageRow,
    batch::{OnForeignValue, visit_only},
    sql::{self, OwnTables},
};
use crate::{
    error::{Result, TargetError, TargetErrorKind},
    job::JobClaim,
};

/// Chunks that are under way at once.
const LANES: usize = 2;

/// A MySQL or MariaDB database.
pub(crate) struct Mysql {
    settings: Arc<MysqlSettings>,
    server: MysqlServer,
    /// Whether a table has a foreign key that is not in the dictionary.
    other_foreign_keys: bool,
    /// Connections that nothing is done on.
    idle: RefCell<Vec<MysqlConnection>>,
    /// Chunks that commit by themselves, in their order, with their rows.
    flights: RefCell<VecDeque<(CommitFlight, PendingRows)>>,
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
    pub(crate) fn open(settings: MysqlSettings, access: TargetAccess) -> Result<Self> {
        let location = settings.to_string();
        let mut connection = MysqlConnection::open(&settings)?;
        match access {
            TargetAccess::Write => migrations::apply_migrations(&mut connection, &location)?,
            TargetAccess::Read => migrations::refuse_newer(&mut connection, &location)?,
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
    fn take_connection(&self) -> Result<MysqlConnection> {
        while let Some(mut connection) = self.idle.borrow_mut().pop() {
            if connection.is_alive() {
                return Ok(connection);
            }
        }
        MysqlConnection::open_another(&self.settings)
    }

    fn return_connection(&self, connection: Option<MysqlConnection>) {
        self.idle.borrow_mut().extend(connection.filter(|connection| !connection.is_lost()));
    }

    /// Runs `ask` on a connection that nothing is done on.
    fn with<R>(&self, ask: impl FnOnce(&mut MysqlConnection) -> Result<R>) -> Result<R> {
        let canceller = self.canceller.as_ref();
        canceller.map_or(Ok(()), |canceller| canceller.check_not_cancelled())?;
        let mut connection = self.take_connection()?;
        let guard = canceller
            .map(|canceller| canceller.guard_statement(Box::new(connection.statement_stopper(&self.settings))));
        let outcome = ask(&mut connection);
        drop(guard);
        self.return_connection(Some(connection));
        outcome
    }

    /// Runs `ask` once all chunks have committed.
    fn ask_after_commits<R>(&self, ask: impl FnOnce(&mut MysqlConnection) -> Result<R>) -> Result<R> {
        self.finish_all_commits()?;
        self.with(ask)
    }

    /// Takes in how a transaction ended.
    fn note_end(&self, outcome: Result<MysqlConnection, FailedWork>) -> Result<()> {
        match outcome {
            Ok(connection) => {
                self.return_connection(Some(connection));
                Ok(())
            }
            Err(FailedWork { connection, error }) => {
                self.return_connection(connection.map(|connection| *connection));
                Err(error)
            }
        }
    }

    /// Waits until all chunks have committed; the error of the first that did not.
    fn finish_all_commits(&self) -> Result<()> {
        let mut outcome = Ok(());
        while let Some(landed) = self.finish_first_commit() {
            // Those after one that failed failed with it.
            outcome = outcome.and(landed);
        }
        outcome
    }

    fn finish_first_commit(&self) -> Option<Result<()>> {
        let (flight, _) = self.flights.borrow_mut().pop_front()?;
        Some(self.note_end(flight.wait_for_end()))
    }

    /// Waits until there is room for another chunk.
    fn wait_for_room(&self) -> Result<()> {
        loop {
            let flights = self.flights.borrow();
            let ready = flights.len() >= LANES || flights.front().is_some_and(|(flight, _)| flight.is_finished());
            drop(flights);
            if !ready {
                return Ok(());
            }
            if let Some(Err(error)) = self.finish_first_commit() {
                // They failed with it.
                let _ = self.finish_all_commits();
                return Err(error);
            }
        }
    }

    /// Rows that have `values`, of those that are not yet known to be committed.
    fn find_pending_rows(
        &self,
        own: &PendingRows,
        table: &Table,
        positions: &[FieldIndex],
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
        let _ = self.finish_all_commits();
    }
}

/// What can be read, through whatever runs a closure on a connection: `$ask` where the transaction's own rows matter,
/// `$find` for keys.
macro_rules! read_through {
    ($type:ty, $ask:ident, $connection:ident => $own:expr) => {
        impl TargetRead for $type {
            fn is_remote(&self) -> bool {
                true
            }
            fn table_limits(&self, table: &Table) -> TargetLimits {
                columns::server_limits(self.server(), table)
            }
            fn has_table(&self, table: &Table) -> Result<bool> {
                self.ask_beside(|connection| rows::has_table(connection, &table.name))
            }
            fn row_count_within(&self, table: &Table, most: u64) -> Result<u64> {
                self.$ask(|$connection| rows::row_count($own, table, most))
            }
            fn find_rows(
                &self,
                table: &Table,
                positions: &[FieldIndex],
                values: &[Vec<Scalar>],
            ) -> Result<Vec<Option<Vec<Scalar>>>> {
                self.look_for_rows(table, positions, values)
            }
            fn read_page(&self, table: &Table, filter: &RowFilter, visit: VisitPageRow<'_>) -> Result<()> {
                self.$ask(|$connection| rows::read_page($own, table, filter, visit))
            }
            fn scan_rows(
                &self,
                table: &Table,
                positions: &[FieldIndex],
                visit: &mut dyn FnMut(&RecordBatch),
            ) -> Result<()> {
                self.$ask(|$connection| {
                    rows::scan_rows($own, table, positions, OnForeignValue::Missing, &mut visit_only(visit))
                })
            }
        }
    };
}

read_through!(Mysql, ask_after_commits, connection => connection);
read_through!(MysqlTransaction<'_>, ask_in_step, work => &mut work.connection);

impl OwnTables for Mysql {
    fn with_own_tables<R>(&self, work: impl FnOnce(&dyn sql::SqlConnection) -> Result<R>) -> Result<R> {
        self.ask_after_commits(|connection| work(&MysqlOwnConnection::new(connection)))
    }
}

impl Mysql {
    const fn server(&self) -> &MysqlServer {
        &self.server
    }

    fn ask_beside<R>(&self, ask: impl FnOnce(&mut MysqlConnection) -> Result<R>) -> Result<R> {
        self.ask_after_commits(ask)
    }

    fn look_for_rows(
        &self,
        table: &Table,
        positions: &[FieldIndex],
        values: &[Vec<Scalar>],
    ) -> Result<Vec<Option<Vec<Scalar>>>> {
        self.ask_after_commits(|connection| rows::find_rows(connection, table, positions, values))
    }
}

impl Target for Mysql {
    fn location(&self) -> String {
        self.settings.to_string()
    }

    fn prepare_tables(&mut self, tables: &[Table]) -> Result<()> {
        self.other_foreign_keys |= self.ask_after_commits(|connection| ddl::prepare_tables(connection, tables))?;
        Ok(())
    }

    fn begin_transaction(&mut self, fence: Fence, pace: Pace) -> Result<Box<dyn Transaction + '_>> {
        // A foreign key that the dictionary does not know only the server can check.
        let fence = if self.other_foreign_keys { Fence::Database } else { fence };
        // Where the server looks for each parent, chunks at once would wait for each other's rows.
        let pace = if fence == Fence::Database { Pace::InStep } else { pace };
        match pace {
            Pace::Ahead => self.wait_for_room()?,
            Pace::InStep => self.finish_all_commits()?,
        }
        let connection = match self.take_connection() {
            Ok(connection) => connection,
            // The server may have as many connections as it allows: one of ours will be free.
            Err(error) if self.flights.borrow().is_empty() => return Err(error),
            Err(_) => {
                self.finish_all_commits()?;
                self.take_connection()?
            }
        };
        let mut work = MysqlWork::begin_work(connection, self.settings.clone(), fence)?;
        if let Some(claim) = &self.claim
            && let Err(error) = sql::jobs::lock_claim(&MysqlOwnConnection::new(&mut work.connection), claim)
        {
            self.return_connection(work.roll_back());
            return Err(error);
        }
        Ok(Box::new(MysqlTransaction::new(self, work, pace)))
    }

    fn take_snapshot(&mut self) -> Result<Box<dyn Snapshot + '_>> {
        self.finish_all_commits()?;
        let connection = self.take_connection()?;
        snapshot::begin_snapshot(self, connection)
    }

    fn flush_commits(&mut self) -> Result<()> {
        // How a commit is kept is the server's own affair (innodb_flush_log_at_trx_commit).
        self.finish_all_commits()
    }

    fn table_statements(&self, tables: &[Table]) -> Result<Vec<String>> {
        self.ask_after_commits(|connection| {
            ddl::check_names_and_keys(connection, tables)?;
            Ok(tables.iter().map(|table| ddl::create_table(&connection.server, table, tables)).collect())
        })
    }

    fn find_differences(&self, tables: &[Table]) -> Result<Vec<Difference>> {
        self.ask_after_commits(|connection| ddl::find_differences(connection, tables))
    }

    fn add_missing(&mut self, differences: &[Difference]) -> Result<()> {
        self.ask_after_commits(|connection| ddl::add_missing(connection, differences))
    }

    fn find_remakable(&self, tables: &[Table]) -> Result<Vec<Table>> {
        self.ask_after_commits(|connection| remakable::find_remakable(connection, tables))
    }

    fn drop_remakable(&mut self, tables: &[Table]) -> Result<()> {
        self.ask_after_commits(|connection| remakable::remove(connection, tables))
    }

    fn may_insert_rows(&self, table: &Table) -> Result<bool> {
        self.ask_after_commits(|connection| rows::may_insert_rows(connection, table))
    }

    fn commit_under(&mut self, claim: Option<JobClaim>) {
        self.claim = claim;
    }

    fn set_canceller(&mut self, canceller: Option<&Arc<Canceller>>) {
        self.canceller = canceller.cloned();
    }

    fn run_query(&self, sql: &str, parameters: &[(String, Scalar)], rows: &mut dyn QueryRows) -> Result<()> {
        self.ask_after_commits(|connection| query::run_query(connection, sql, parameters, rows))
    }
}

/// A mismatch between the dictionary and the database.
fn mismatch_error(message: impl Into<String>) -> crate::Error {
    TargetError::new(TargetErrorKind::Mismatch, message).into()
}
