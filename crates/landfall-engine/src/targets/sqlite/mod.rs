//! SQLite: one file, STRICT tables, WAL, one prepared statement in large transactions.
//!
//! Rows are bound to multi-row `INSERT`s; a statement that a constraint stops is tried again row by row. Datetimes,
//! dates and times are stored as ISO 8601 text in UTC, numbers as their exact decimal text.

mod cache;
mod catalogue;
mod ddl;
mod failure;
mod insert;
mod migrations;
mod own_tables;
mod query;
mod remakable;
mod rows;
mod snapshot;
mod statements;
mod values;

use std::{
    ops::Range,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior, config::DbConfig};

use self::{
    failure::{SqliteContext as _, sqlite_error},
    own_tables::SqliteOwnConnection,
    statements::StatementCache,
};
use super::{
    Canceller, Cell, Difference, Fence, Pace, QueryRows, RefusedRow, RowFilter, Snapshot, Table, Target, TargetAccess,
    TargetRead, Transaction, VisitPageRow,
    batch::{OnForeignValue, visit_only},
    cancel::CancelGuard,
    sql::{self, OwnTables, WritesOwnTables, ledger},
};
use crate::{
    error::{Result, TargetError, TargetErrorKind},
    job::JobClaim,
    ledger::{LoadEntry, LoadId},
    quarantine::NewReject,
};
use arrow_array::RecordBatch;
use landfall_core::{keys::Scalar, schema::FieldIndex};

/// How long a statement waits for another program's lock.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// KiB of pages that a connection keeps: one that loads, one that reads, and one of a service that writes beside those that read.
const WRITERS_CACHE: i64 = 65_536;
const READERS_CACHE: i64 = 8192;
const SERVICES_CACHE: i64 = 32_768;

/// How long it pauses where SQLite itself does not wait.
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// A SQLite database.
#[derive(Debug)]
pub(crate) struct Sqlite {
    connection: Connection,
    location: String,
    statements: StatementCache,
    /// Lets another thread stop what runs.
    cancel_guard: Option<CancelGuard>,
    /// The file that was opened: its device and number.
    file: Option<(u64, u64)>,
    /// Whether a table has foreign keys that the pipeline does not know, so that SQLite has to check them.
    other_foreign_keys: bool,
    /// The job that it works for.
    claim: Option<JobClaim>,
}

impl Sqlite {
    /// Opens the database file at `path`, or makes it. With [`TargetAccess::Read`], a file that does not exist is taken for
    /// an empty database and not made.
    pub(crate) fn open(path: &Path, access: TargetAccess) -> Result<Self> {
        let location = format!("sqlite:{}", path.display());
        let connection = match access {
            // To open it would make it.
            TargetAccess::Read if !path.exists() => Connection::open_in_memory(),
            TargetAccess::Read => Connection::open_with_flags(path, connection_flags(OpenFlags::SQLITE_OPEN_READ_ONLY)),
            TargetAccess::Write => Connection::open_with_flags(
                path,
                connection_flags(OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE),
            ),
        }
        .context(|| format!("cannot open the database {location}"))?;
        let statements = StatementCache::default();
        let mut target = Self {
            connection,
            location,
            statements,
            cancel_guard: None,
            file: None,
            other_foreign_keys: false,
            claim: None,
        };
        target.configure_connection(access).context(|| format!("cannot use the database {}", target.location))?;
        if access == TargetAccess::Write {
            migrations::apply_migrations(&mut target.connection, &target.location)?;
            target.file = file_identity(path);
        } else {
            // A reader makes nothing, but must not misread what a newer version has made.
            migrations::refuse_newer(&target.connection, &target.location)?;
        }
        Ok(target)
    }

    fn configure_connection(&mut self, access: TargetAccess) -> rusqlite::Result<()> {
        // First of all, since the statements below may meet a lock.
        self.connection.busy_timeout(LOCK_TIMEOUT)?;
        self.connection.set_prepared_statement_cache_capacity(64);
        // A column that is gone would otherwise be read as a text: its own name.
        self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
        let cache = if access == TargetAccess::Write { WRITERS_CACHE } else { READERS_CACHE };
        self.connection.pragma_update(None, "cache_size", -cache)?;
        if access == TargetAccess::Write {
            // It has an effect on a new file only, and before the first table.
            self.connection.pragma_update(None, "page_size", 8192)?;
            self.switch_to_wal()?;
            self.connection.pragma_update(None, "synchronous", "NORMAL")?;
        }
        Ok(())
    }

    /// Switches to the write-ahead log. SQLite does not wait for a lock here: of two processes that open a new database at
    /// once, one is refused at once, and has to ask again.
    fn switch_to_wal(&self) -> rusqlite::Result<()> {
        let asked = Instant::now();
        loop {
            match self.connection.pragma_update(None, "journal_mode", "WAL") {
                Err(error)
                    if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && asked.elapsed() < LOCK_TIMEOUT =>
                {
                    thread::sleep(LOCK_PAUSE);
                }
                outcome => return outcome,
            }
        }
    }
}

/// What tells a file from another one of the same name.
fn file_identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    path.metadata().ok().map(|found| (found.dev(), found.ino()))
}

/// The connection is used by one thread at a time, so SQLite need not lock it.
fn connection_flags(access: OpenFlags) -> OpenFlags {
    access | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

impl Sqlite {
    /// Refuses to write to a file that nobody can open any more: it was removed, or another one has its name.
    fn refuse_lost_file(&self) -> Result<()> {
        let path = self.location.strip_prefix("sqlite:").map(Path::new);
        if self.file.is_none() || path.is_none_or(|path| file_identity(path) == self.file) {
            return Ok(());
        }
        let message = format!("the file of the database {} was removed or replaced while it was open", self.location);
        Err(TargetError::new(TargetErrorKind::Lost, message).into())
    }

    fn statement_texts(&self) -> &StatementCache {
        &self.statements
    }
}

impl SqliteTransaction<'_> {
    fn statement_texts(&self) -> &StatementCache {
        self.statements
    }
}

/// A write transaction of a SQLite database.
struct SqliteTransaction<'c> {
    transaction: rusqlite::Transaction<'c>,
    statements: &'c StatementCache,
}

/// The reading methods, over whatever gives a connection.
macro_rules! read_through {
    ($type:ty, $field:ident) => {
        impl TargetRead for $type {
            fn has_table(&self, table: &Table) -> Result<bool> {
                rows::has_table(&self.$field, &table.name)
            }
            fn row_count_within(&self, table: &Table, most: u64) -> Result<u64> {
                rows::row_count(&self.$field, table, most)
            }
            fn find_rows(
                &self,
                table: &Table,
                positions: &[FieldIndex],
                values: &[Vec<Scalar>],
            ) -> Result<Vec<Option<Vec<Scalar>>>> {
                // The file is at hand: one question for many keys would save no round trip.
                values.iter().map(|values| self.find_row(table, positions, values)).collect()
            }
            fn find_row(
                &self,
                table: &Table,
                positions: &[FieldIndex],
                values: &[Scalar],
            ) -> Result<Option<Vec<Scalar>>> {
                rows::find(&self.$field, self.statement_texts(), table, positions, values)
            }
            fn read_page(&self, table: &Table, filter: &RowFilter, visit: VisitPageRow<'_>) -> Result<()> {
                rows::read_page(&self.$field, table, filter, visit)
            }
            fn scan_rows(
                &self,
                table: &Table,
                positions: &[FieldIndex],
                visit: &mut dyn FnMut(&RecordBatch),
            ) -> Result<()> {
                rows::scan_rows(&self.$field, table, positions, OnForeignValue::Missing, &mut visit_only(visit))
            }
        }
    };
}

read_through!(Sqlite, connection);
read_through!(SqliteTransaction<'_>, transaction);

impl OwnTables for Sqlite {
    fn with_own_tables<R>(&self, work: impl FnOnce(&dyn sql::SqlConnection) -> Result<R>) -> Result<R> {
        work(&SqliteOwnConnection(&self.connection))
    }
}

impl OwnTables for SqliteTransaction<'_> {
    fn with_own_tables<R>(&self, work: impl FnOnce(&dyn sql::SqlConnection) -> Result<R>) -> Result<R> {
        work(&SqliteOwnConnection(&self.transaction))
    }
}

impl WritesOwnTables for SqliteTransaction<'_> {}

impl Target for Sqlite {
    fn location(&self) -> String {
        self.location.clone()
    }

    fn prepare_tables(&mut self, tables: &[Table]) -> Result<()> {
        self.other_foreign_keys |= ddl::prepare_tables(&mut self.connection, tables)?;
        Ok(())
    }

    fn begin_transaction(&mut self, fence: Fence, _pace: Pace) -> Result<Box<dyn Transaction + '_>> {
        // Without this, the process would write for hours to a file that nobody can open any more.
        self.refuse_lost_file()?;
        let checks = fence == Fence::Database || self.other_foreign_keys;
        self.connection
            // Outside of the transaction: SQLite ignores it within one.
            .pragma_update(None, "foreign_keys", checks)
            .context(|| format!("cannot use the database {}", self.location))?;
        let transaction = self
            .connection
            // A deferred one would fail at its first write if another process has written since it began.
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| sqlite_error(&error, &format!("cannot write to the database {}", self.location)))?;
        if let Some(claim) = &self.claim {
            // Before anything is written: a worker that lost its job must leave no trace.
            sql::jobs::lock_claim(&SqliteOwnConnection(&transaction), claim)?;
        }
        Ok(Box::new(SqliteTransaction { transaction, statements: &self.statements }))
    }

    fn take_snapshot(&mut self) -> Result<Box<dyn Snapshot + '_>> {
        snapshot::begin_snapshot(&mut self.connection, &self.location)
    }

    fn commit_durably(&mut self) -> Result<()> {
        self.connection
            .pragma_update(None, "synchronous", "FULL")
            .and_then(|()| self.connection.pragma_update(None, "cache_size", -SERVICES_CACHE))
            .context(|| format!("cannot use the database {}", self.location))
    }

    fn flush_commits(&mut self) -> Result<()> {
        self.connection
            // With `synchronous=NORMAL`, commits are in the log and may not have reached the disk.
            .query_row("PRAGMA wal_checkpoint(FULL)", [], |_| Ok(()))
            .context(|| format!("cannot flush the database {}", self.location))
    }

    fn table_statements(&self, tables: &[Table]) -> Result<Vec<String>> {
        tables.iter().map(ddl::create_table).collect()
    }

    fn find_differences(&self, tables: &[Table]) -> Result<Vec<Difference>> {
        ddl::find_differences(&self.connection, tables)
    }

    fn add_missing(&mut self, differences: &[Difference]) -> Result<()> {
        ddl::add_missing(&mut self.connection, differences)
    }

    fn find_remakable(&self, tables: &[Table]) -> Result<Vec<Table>> {
        remakable::find_remakable(&self.connection, tables)
    }

    fn drop_remakable(&mut self, tables: &[Table]) -> Result<()> {
        remakable::remove(&mut self.connection, tables)
    }

    fn commit_under(&mut self, claim: Option<JobClaim>) {
        self.claim = claim;
    }

    fn set_canceller(&mut self, canceller: Option<&Arc<Canceller>>) {
        // The old one goes first: its end must not take the new one along.
        self.cancel_guard = None;
        let handle = self.connection.get_interrupt_handle();
        self.cancel_guard = canceller.map(|canceller| canceller.guard_statement(Box::new(move || handle.interrupt())));
    }

    fn run_query(&self, sql: &str, parameters: &[(String, Scalar)], rows: &mut dyn QueryRows) -> Result<()> {
        query::run_query(&self.connection, sql, parameters, rows)
    }
}

impl Transaction for SqliteTransaction<'_> {
    fn insert_rows(&mut self, table: &Table, rows: &RecordBatch, selected: &[Range<usize>]) -> Result<Vec<RefusedRow>> {
        insert::insert(&self.transaction, self.statements, table, rows, selected)
    }

    fn update_rows(
        &mut self,
        table: &Table,
        rows: &RecordBatch,
        selected: &[usize],
        fields: &[FieldIndex],
    ) -> Result<Vec<RefusedRow>> {
        insert::update_rows(&self.transaction, self.statements, table, rows, selected, fields)
    }

    fn delete_rows(&mut self, table: &Table) -> Result<u64> {
        rows::delete_rows(&self.transaction, table)
    }

    fn find_orphans(&self, tables: &[&Table], _sound: &[&Table]) -> Result<Vec<String>> {
        rows::find_orphans(&self.transaction, tables)
    }

    fn add_load(&mut self, entry: &LoadEntry) -> Result<LoadId> {
        ledger::add_load(&SqliteOwnConnection(&self.transaction), entry)
    }

    fn save_load(&mut self, entry: &LoadEntry, was_at: u64) -> Result<()> {
        ledger::save_load(&SqliteOwnConnection(&self.transaction), entry, was_at)
    }

    fn add_rejects(&mut self, load: LoadId, table: &Table, rejects: &[NewReject]) -> Result<()> {
        own_tables::add_rejects(&self.transaction, load, table, rejects)
    }

    fn commit_now(self: Box<Self>) -> Result<()> {
        self.transaction.commit().context(|| "cannot commit".into())
    }
}

/// The name of a table or column, quoted for SQLite.
fn quote_name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A mismatch between the dictionary and the database.
fn mismatch_error(message: impl Into<String>) -> crate::Error {
    TargetError::new(TargetErrorKind::Mismatch, message).into()
}
