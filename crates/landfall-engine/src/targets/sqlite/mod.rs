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
mod own;
mod query;
mod rows;
mod snapshot;
mod statements;
mod stored;
mod unused;

use std::{
    ops::Range,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior, config::DbConfig};

use self::{
    failure::{Context as _, failure},
    own::Own,
    statements::Statements,
};
use super::{
    Access, Canceller, Cell, Difference, Fence, Pace, QueryRows, Read, RefusedRow, RowFilter, Snapshot, Table, Target,
    Transaction, VisitRow,
    batch::{Foreign, shown},
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
use landfall_core::keys::Scalar;

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
    statements: Statements,
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
    /// Opens the database file at `path`, or makes it. With [`Access::Read`], a file that does not exist is taken for
    /// an empty database and not made.
    pub(crate) fn open(path: &Path, access: Access) -> Result<Self> {
        let location = format!("sqlite:{}", path.display());
        let connection = match access {
            Access::Read if !path.exists() => Connection::open_in_memory(),
            Access::Read => Connection::open_with_flags(path, flags(OpenFlags::SQLITE_OPEN_READ_ONLY)),
            Access::Write => Connection::open_with_flags(
                path,
                flags(OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE),
            ),
        }
        .context(|| format!("cannot open the database {location}"))?;
        let statements = Statements::default();
        let mut target = Self {
            connection,
            location,
            statements,
            cancel_guard: None,
            file: None,
            other_foreign_keys: false,
            claim: None,
        };
        target.configure(access).context(|| format!("cannot use the database {}", target.location))?;
        if access == Access::Write {
            migrations::apply(&mut target.connection, &target.location)?;
            target.file = number_of(path);
        } else {
            migrations::refuse_newer(&target.connection, &target.location)?;
        }
        Ok(target)
    }

    fn configure(&mut self, access: Access) -> rusqlite::Result<()> {
        self.connection.busy_timeout(LOCK_TIMEOUT)?;
        self.connection.set_prepared_statement_cache_capacity(64);
        // A column that is gone would otherwise be read as a text: its own name.
        self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
        let cache = if access == Access::Write { WRITERS_CACHE } else { READERS_CACHE };
        self.connection.pragma_update(None, "cache_size", -cache)?;
        if access == Access::Write {
            self.connection.pragma_update(None, "page_size", 8192)?;
            self.log_ahead()?;
            self.connection.pragma_update(None, "synchronous", "NORMAL")?;
        }
        Ok(())
    }

    /// Switches to the write-ahead log. SQLite does not wait for a lock here: of two processes that open a new database at
    /// once, one is refused at once, and has to ask again.
    fn log_ahead(&self) -> rusqlite::Result<()> {
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
fn number_of(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    path.metadata().ok().map(|found| (found.dev(), found.ino()))
}

/// The connection is used by one thread at a time, so SQLite need not lock it.
fn flags(access: OpenFlags) -> OpenFlags {
    access | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

impl Sqlite {
    /// Refuses to write to a file that nobody can open any more: it was removed, or another one has its name.
    fn refuse_lost_file(&self) -> Result<()> {
        let path = self.location.strip_prefix("sqlite:").map(Path::new);
        if self.file.is_none() || path.is_none_or(|path| number_of(path) == self.file) {
            return Ok(());
        }
        let message = format!("the file of the database {} was removed or replaced while it was open", self.location);
        Err(TargetError::new(TargetErrorKind::Lost, message).into())
    }

    fn statements(&self) -> &Statements {
        &self.statements
    }
}

impl SqliteTransaction<'_> {
    fn statements(&self) -> &Statements {
        self.statements
    }
}

/// A write transaction of a SQLite database.
struct SqliteTransaction<'c> {
    transaction: rusqlite::Transaction<'c>,
    statements: &'c Statements,
}

/// The reading methods, over whatever gives a connection.
macro_rules! read_through {
    ($type:ty, $field:ident) => {
        impl Read for $type {
            fn has_table(&self, table: &Table) -> Result<bool> {
                rows::has_table(&self.$field, &table.name)
            }
            fn row_count_within(&self, table: &Table, most: u64) -> Result<u64> {
                rows::row_count(&self.$field, table, most)
            }
            fn find_all(
                &self,
                table: &Table,
                positions: &[usize],
                values: &[Vec<Scalar>],
            ) -> Result<Vec<Option<Vec<Scalar>>>> {
                values.iter().map(|values| self.find(table, positions, values)).collect()
            }
            fn find(&self, table: &Table, positions: &[usize], values: &[Scalar]) -> Result<Option<Vec<Scalar>>> {
                rows::find(&self.$field, self.statements(), table, positions, values)
            }
            fn page(&self, table: &Table, filter: &RowFilter, visit: VisitRow<'_>) -> Result<()> {
                rows::page(&self.$field, table, filter, visit)
            }
            fn scan(&self, table: &Table, positions: &[usize], visit: &mut dyn FnMut(&RecordBatch)) -> Result<()> {
                rows::scan(&self.$field, table, (positions, Foreign::Missing), &mut shown(visit))
            }
        }
    };
}

read_through!(Sqlite, connection);
read_through!(SqliteTransaction<'_>, transaction);

impl OwnTables for Sqlite {
    fn own<R>(&self, work: impl FnOnce(&dyn sql::Connection) -> Result<R>) -> Result<R> {
        work(&Own(&self.connection))
    }
}

impl OwnTables for SqliteTransaction<'_> {
    fn own<R>(&self, work: impl FnOnce(&dyn sql::Connection) -> Result<R>) -> Result<R> {
        work(&Own(&self.transaction))
    }
}

impl WritesOwnTables for SqliteTransaction<'_> {}

impl Target for Sqlite {
    fn location(&self) -> String {
        self.location.clone()
    }

    fn prepare(&mut self, tables: &[Table]) -> Result<()> {
        self.other_foreign_keys |= ddl::prepare(&mut self.connection, tables)?;
        Ok(())
    }

    fn transaction(&mut self, fence: Fence, _pace: Pace) -> Result<Box<dyn Transaction + '_>> {
        self.refuse_lost_file()?;
        let checks = fence == Fence::Database || self.other_foreign_keys;
        self.connection
            .pragma_update(None, "foreign_keys", checks)
            .context(|| format!("cannot use the database {}", self.location))?;
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| failure(&error, &format!("cannot write to the database {}", self.location)))?;
        if let Some(claim) = &self.claim {
            sql::jobs::hold(&Own(&transaction), claim)?;
        }
        Ok(Box::new(SqliteTransaction { transaction, statements: &self.statements }))
    }

    fn snapshot(&mut self) -> Result<Box<dyn Snapshot + '_>> {
        snapshot::begin(&mut self.connection, &self.location)
    }

    fn commit_durably(&mut self) -> Result<()> {
        self.connection
            .pragma_update(None, "synchronous", "FULL")
            .and_then(|()| self.connection.pragma_update(None, "cache_size", -SERVICES_CACHE))
            .context(|| format!("cannot use the database {}", self.location))
    }

    fn settle(&mut self) -> Result<()> {
        self.connection
            .query_row("PRAGMA wal_checkpoint(FULL)", [], |_| Ok(()))
            .context(|| format!("cannot flush the database {}", self.location))
    }

    fn ddl(&self, tables: &[Table]) -> Result<Vec<String>> {
        tables.iter().map(ddl::create_table).collect()
    }

    fn differences(&self, tables: &[Table]) -> Result<Vec<Difference>> {
        ddl::differences(&self.connection, tables)
    }

    fn add_missing(&mut self, differences: &[Difference]) -> Result<()> {
        ddl::add_missing(&mut self.connection, differences)
    }

    fn unused(&self, tables: &[Table]) -> Result<Vec<Table>> {
        unused::unused(&self.connection, tables)
    }

    fn remove_unused(&mut self, tables: &[Table]) -> Result<()> {
        unused::remove(&mut self.connection, tables)
    }

    fn commit_under(&mut self, claim: Option<JobClaim>) {
        self.claim = claim;
    }

    fn cancel_with(&mut self, canceller: Option<&Arc<Canceller>>) {
        // The old one goes first: its end must not take the new one along.
        self.cancel_guard = None;
        let handle = self.connection.get_interrupt_handle();
        self.cancel_guard = canceller.map(|canceller| canceller.guard(Box::new(move || handle.interrupt())));
    }

    fn query(&self, sql: &str, parameters: &[(String, Scalar)], rows: &mut dyn QueryRows) -> Result<()> {
        query::query(&self.connection, sql, parameters, rows)
    }
}

impl Transaction for SqliteTransaction<'_> {
    fn insert(&mut self, table: &Table, rows: &RecordBatch, selected: &[Range<usize>]) -> Result<Vec<RefusedRow>> {
        insert::insert(&self.transaction, self.statements, table, rows, selected)
    }

    fn update(
        &mut self,
        table: &Table,
        rows: &RecordBatch,
        selected: &[usize],
        fields: &[usize],
    ) -> Result<Vec<RefusedRow>> {
        insert::update(&self.transaction, self.statements, table, (rows, selected), fields)
    }

    fn clear(&mut self, table: &Table) -> Result<u64> {
        rows::clear(&self.transaction, table)
    }

    fn orphans(&self, tables: &[&Table], _sound: &[&Table]) -> Result<Vec<String>> {
        rows::orphans(&self.transaction, tables)
    }

    fn add_load(&mut self, entry: &LoadEntry) -> Result<LoadId> {
        ledger::add(&Own(&self.transaction), entry)
    }

    fn save_load(&mut self, entry: &LoadEntry, was_at: u64) -> Result<()> {
        ledger::save(&Own(&self.transaction), entry, was_at)
    }

    fn add_rejects(&mut self, load: LoadId, table: &Table, rejects: &[NewReject]) -> Result<()> {
        own::add_rejects(&self.transaction, load, table, rejects)
    }

    fn commit(self: Box<Self>) -> Result<()> {
        self.transaction.commit().context(|| "cannot commit".into())
    }
}

/// The name of a table or column, quoted for SQLite.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A mismatch between the dictionary and the database.
fn mismatch(message: impl Into<String>) -> crate::Error {
    TargetError::new(TargetErrorKind::Mismatch, message).into()
}
