//! PostgreSQL: binary COPY on two connections, set-based statements where the database has something against a row.
//!
//! The client is our own, over the protocol crate of the rust-postgres project: it blocks, bounds every wait, and names no
//! statement on the server, so that PgBouncer may give each transaction another connection.

mod answer;
mod catalog;
mod commits;
mod connection;
mod copy;
mod ddl;
mod dialect;
mod encode;
mod failure;
mod heap_keys;
mod insert;
mod lane;
mod login;
mod message;
mod migrations;
mod numeric;
mod own_tables;
mod parameters;
mod password;
mod pipelined;
mod prepare;
mod query;
mod reading;
mod remakable;
mod replacement;
mod rows;
mod session;
mod settings;
mod snapshot;
mod socket;
mod staging_heap;
mod table_seat;
mod tls;
mod transaction;
mod untouched_table;
mod value;
mod worker;

use std::{
    cell::{Cell as Flag, RefCell},
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use landfall_core::{keys::Scalar, validate::TargetLimits};

pub(super) use self::settings::PostgresSettings;
use self::{
    connection::PostgresConnection,
    ddl::RelationPlace,
    failure::{PostgresContext as _, PostgresResult},
    lane::CommitLane,
    own_tables::PostgresOwnConnection,
    session::{PostgresSession, TransactionUse},
    staging_heap::HeapLock,
    table_seat::TableSeat,
    transaction::PostgresTransaction,
    worker::LaneWorker,
};
use super::{
    Canceller, Difference, Fence, Pace, QueryRows, RefusedRow, RowFilter, Snapshot, Table, Target, TargetAccess,
    TargetRead, Transaction, VisitPageRow, limits,
    sql::{self},
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
    session: Arc<PostgresSession>,
    /// Connections outside a transaction.
    kept: RefCell<Vec<PostgresConnection>>,
    /// Transactions that commit while the pipeline goes on, oldest first.
    in_flight: RefCell<VecDeque<CommitLane>>,
    /// The tables that they have written to.
    recent: RefCell<HashSet<Arc<str>>>,
    /// Where tables are.
    seats: RefCell<HashMap<Arc<str>, Arc<TableSeat>>>,
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
    /// Opens the database of `settings`. With [`TargetAccess::Read`], Landfall's own tables are not made where they are missing.
    pub(crate) fn open(settings: &PostgresSettings, access: TargetAccess) -> Result<Self> {
        let settings = Arc::new(settings.clone());
        let mut connection = PostgresConnection::open(&settings).context(|| format!("cannot open {settings}"))?;
        let session = PostgresSession::new(&settings, &mut connection)?;
        if access == TargetAccess::Write {
            migrations::migrate_tables(&session, &mut connection)?;
        }
        let has_own = access == TargetAccess::Write || migrations::schema_version(&session, &mut connection)?.is_some();
        Ok(Self {
            session: Arc::new(session),
            kept: RefCell::new(vec![connection]),
            in_flight: RefCell::default(),
            recent: RefCell::default(),
            seats: RefCell::default(),
            has_own: Flag::new(has_own),
            is_current: access == TargetAccess::Write,
            owner: process_owner_name(),
            canceller: None,
            claim: None,
        })
    }

    /// A connection with a transaction begun. One that was kept may be lost by now, and is replaced.
    fn begin_on_connection(&self, using: TransactionUse, beginning: Beginning) -> Result<PostgresConnection> {
        let doing = || format!("cannot use {}", self.session.settings);
        if let Some(mut kept) = self.kept.borrow_mut().pop() {
            let begun = match beginning {
                Beginning::AtOnce => self.session.begin_transaction(&mut kept, using),
                Beginning::WithNext => self.session.begin_with_next(&mut kept, using),
            };
            // Otherwise it is dropped: the server may have ended it while it was idle.
            if begun.is_ok() {
                return Ok(kept);
            }
        }
        let mut connection = self.session.open_connection()?;
        self.session.begin_transaction(&mut connection, using).context(doing)?;
        Ok(connection)
    }

    /// Keeps a connection for later, where it is good.
    fn keep_connection(&self, connection: Option<PostgresConnection>) {
        let mut kept = self.kept.borrow_mut();
        if kept.len() < MOST_KEPT {
            kept.extend(connection.filter(PostgresConnection::is_idle));
        }
    }

    /// Runs `work` in a transaction that only reads.
    fn read_in_transaction<R>(&self, work: impl FnOnce(&mut PostgresConnection) -> Result<R>) -> Result<R> {
        self.run_in_transaction(TransactionUse::Read, work)
    }

    /// Runs `work` in a transaction of its own.
    fn run_in_transaction<R>(
        &self,
        using: TransactionUse,
        work: impl FnOnce(&mut PostgresConnection) -> Result<R>,
    ) -> Result<R> {
        let canceller = self.canceller.as_ref();
        canceller.map_or(Ok(()), |canceller| canceller.check_not_cancelled())?;
        // A statement that only reads does no harm, whatever the server says of its transaction; a report may do anything.
        let beginning = if using == TransactionUse::Read { Beginning::WithNext } else { Beginning::AtOnce };
        let mut connection = self.begin_on_connection(using, beginning)?;
        let guard = canceller.map(|canceller| canceller.guard_statement(Box::new(connection.statement_stopper())));
        let outcome = work(&mut connection)
            .and_then(|outcome| end(&mut connection, using).map(|()| outcome).context(|| "cannot commit".into()));
        drop(guard);
        connection.fail_copy();
        connection.roll_back();
        self.keep_connection(Some(connection));
        outcome
    }

    /// Waits until all transactions that were sent to commit have.
    fn finish_commits(&self) -> Result<()> {
        while self.finish_oldest_commit()? {}
        Ok(())
    }

    /// Waits for the oldest transaction under way; whether there was one. Where it failed, those after it fail too.
    fn finish_oldest_commit(&self) -> Result<bool> {
        let Some(lane) = self.in_flight.borrow_mut().pop_front() else {
            self.recent.borrow_mut().clear();
            return Ok(false);
        };
        match lane.wait_for_commit() {
            Ok(connection) => self.keep_connection(connection),
            Err(error) => {
                for lane in self.in_flight.take() {
                    self.keep_connection(lane.roll_back());
                }
                self.forget_seats();
                return Err(error);
            }
        }
        Ok(true)
    }

    /// What the server cannot hold of the rows of `table`.
    fn server_limits(&self, table: &Table) -> TargetLimits {
        limits::postgres_limits(&table.schema, self.session.server.version >= INFINITIES_FROM)
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
fn end(connection: &mut PostgresConnection, using: TransactionUse) -> PostgresResult<()> {
    if using == TransactionUse::Read { connection.end_reading() } else { connection.commit_transaction() }
}

/// A name that no other process has.
fn process_owner_name() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{}-{}", std::process::id(), now.as_nanos())
}

/// A mismatch between the dictionary and the database.
fn mismatch_error(message: impl Into<String>) -> crate::Error {
    TargetError::new(TargetErrorKind::Mismatch, message).into()
}

fn read_description(table: &Table) -> String {
    format!("cannot read the table {:?}", &*table.name)
}

impl Target for Postgres {
    fn location(&self) -> String {
        self.session.settings.to_string()
    }

    fn take_snapshot(&mut self) -> Result<Box<dyn Snapshot + '_>> {
        self.finish_commits()?;
        let connection = self.begin_on_connection(TransactionUse::Snapshot, Beginning::AtOnce)?;
        snapshot::begin_snapshot(self, connection)
    }

    fn prepare_tables(&mut self, tables: &[Table]) -> Result<()> {
        prepare::prepare_tables(self, tables)
    }

    fn can_stage(&self, table: &Table) -> Result<bool> {
        Ok(!self.has_table(table)?)
    }

    fn begin_staging(&mut self, table: &Table, resumes: bool) -> Result<bool> {
        prepare::build(self, table, resumes)
    }

    fn finish_staging(&mut self, table: &Table) -> Result<()> {
        prepare::finish_table(self, table)
    }

    fn begin_transaction(&mut self, fence: Fence, pace: Pace) -> Result<Box<dyn Transaction + '_>> {
        // A pooler has few connections for all: a process that holds one while it waits for another could wait for one
        // that does the same.
        let pace = if self.session.is_pooled { Pace::InStep } else { pace };
        // What is read in step must include everything before.
        while pace == Pace::InStep && self.finish_oldest_commit()? {}
        while self.in_flight.borrow().len() >= MOST_LANES {
            self.finish_oldest_commit()?;
        }
        // The first statement only enters a token, which nobody looks for if the transaction never began.
        let mut worker = LaneWorker::begin_work(
            &self.session,
            self.begin_on_connection(TransactionUse::Write, Beginning::WithNext)?,
            pace,
        )?;
        if let Some(claim) = &self.claim
            && let Err(error) =
                sql::jobs::lock_claim(&PostgresOwnConnection::new(&self.session, &mut worker.connection), claim)
        {
            self.keep_connection(worker.roll_back());
            return Err(error);
        }
        Ok(Box::new(PostgresTransaction::new(self, CommitLane::new(worker), fence, pace)))
    }

    fn flush_commits(&mut self) -> Result<()> {
        self.finish_commits()
    }

    fn table_statements(&self, tables: &[Table]) -> Result<Vec<String>> {
        ddl::create_statements(tables, &self.session.settings.schema)
    }

    fn find_differences(&self, tables: &[Table]) -> Result<Vec<Difference>> {
        prepare::find_differences(self, tables)
    }

    fn add_missing(&mut self, differences: &[Difference]) -> Result<()> {
        prepare::add_missing(self, differences)
    }

    fn find_remakable(&self, tables: &[Table]) -> Result<Vec<Table>> {
        remakable::find_remakable(self, tables)
    }

    fn drop_remakable(&mut self, tables: &[Table]) -> Result<()> {
        remakable::remove(self, tables)
    }

    fn may_insert_rows(&self, table: &Table) -> Result<bool> {
        let place = self.table_place(&table.name);
        self.read_in_transaction(|connection| {
            rows::may_insert_rows(connection, &place).context(|| read_description(table))
        })
    }

    fn commit_under(&mut self, claim: Option<JobClaim>) {
        self.claim = claim;
    }

    fn set_canceller(&mut self, canceller: Option<&Arc<Canceller>>) {
        self.canceller = canceller.cloned();
    }

    fn run_query(&self, sql: &str, parameters: &[(String, Scalar)], rows: &mut dyn QueryRows) -> Result<()> {
        self.finish_commits()?;
        self.run_in_transaction(TransactionUse::Report, |connection| {
            query::run_query(&self.session, connection, sql, parameters, rows)
        })
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        for lane in self.in_flight.take() {
            // Whoever wants to know how it ended asks before.
            lane.roll_back();
        }
    }
}

#[cfg(test)]
mod tests;
