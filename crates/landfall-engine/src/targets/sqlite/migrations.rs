//! Landfall's own tables in a SQLite database, under versioned migrations.

use rusqlite::{Connection, TransactionBehavior, params};

use super::{failure::SqliteContext as _, own_tables::SqliteOwnConnection};
use crate::{
    error::{Result, TargetError, TargetErrorKind},
    targets::sql::former_tasks,
    timestamp,
};

/// Each version's statements. A published entry never changes; a new version is a new entry.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE landfall_loads (
        load_id INTEGER PRIMARY KEY,
        table_name TEXT NOT NULL,
        source TEXT NOT NULL,
        mode TEXT NOT NULL,
        on_conflict TEXT NOT NULL,
        rules TEXT NOT NULL,
        layout TEXT NOT NULL,
        state TEXT NOT NULL,
        records_read INTEGER NOT NULL,
        rows_inserted INTEGER NOT NULL,
        rows_updated INTEGER NOT NULL,
        rows_unchanged INTEGER NOT NULL,
        records_rejected INTEGER NOT NULL,
        source_offset INTEGER NOT NULL,
        source_lines INTEGER NOT NULL,
        source_digest TEXT NOT NULL,
        source_digested INTEGER NOT NULL,
        started_at TEXT NOT NULL,
        changed_at TEXT NOT NULL,
        seconds REAL NOT NULL
    ) STRICT;
    CREATE TABLE landfall_rejects (
        reject_id INTEGER PRIMARY KEY,
        load_id INTEGER NOT NULL REFERENCES landfall_loads (load_id),
        table_name TEXT NOT NULL,
        record INTEGER NOT NULL,
        line INTEGER NOT NULL,
        byte_offset INTEGER NOT NULL,
        length INTEGER NOT NULL,
        raw BLOB NOT NULL,
        errors TEXT NOT NULL,
        waiting INTEGER NOT NULL,
        state TEXT NOT NULL
    ) STRICT;
    CREATE INDEX landfall_rejects_waiting ON landfall_rejects (waiting) WHERE waiting = 1 AND state = 'open';
    CREATE TABLE landfall_reject_parts (
        reject_id INTEGER NOT NULL REFERENCES landfall_rejects (reject_id),
        part INTEGER NOT NULL,
        bytes BLOB NOT NULL,
        PRIMARY KEY (reject_id, part)
    ) STRICT;
    CREATE TABLE landfall_reject_events (
        event_id INTEGER PRIMARY KEY,
        reject_id INTEGER NOT NULL REFERENCES landfall_rejects (reject_id),
        load_id INTEGER NOT NULL REFERENCES landfall_loads (load_id),
        action TEXT NOT NULL,
        mended BLOB,
        happened_at TEXT NOT NULL
    ) STRICT;
    CREATE INDEX landfall_reject_events_reject ON landfall_reject_events (reject_id);
",
    "
    ALTER TABLE landfall_loads ADD COLUMN record_bytes INTEGER NOT NULL DEFAULT 16777216;
",
    "
    CREATE TABLE landfall_documents (
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        version INTEGER NOT NULL,
        body BLOB NOT NULL,
        changed_at TEXT NOT NULL,
        PRIMARY KEY (kind, name)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX landfall_documents_changed ON landfall_documents (kind, changed_at);
    CREATE INDEX landfall_loads_sources ON landfall_loads (load_id) WHERE mode <> 'rows';
    CREATE INDEX landfall_rejects_load ON landfall_rejects (load_id, reject_id);
",
    "
    ALTER TABLE landfall_rejects ADD COLUMN kept_bytes INTEGER NOT NULL DEFAULT 0;
    UPDATE landfall_rejects SET kept_bytes = length(raw) + length(CAST(errors AS BLOB)) + coalesce((
        SELECT sum(length(bytes)) FROM landfall_reject_parts AS p WHERE p.reject_id = landfall_rejects.reject_id
    ), 0);
    CREATE INDEX landfall_rejects_state ON landfall_rejects (state, reject_id, table_name, kept_bytes);
",
    "
    ALTER TABLE landfall_loads ADD COLUMN origin TEXT;
    CREATE INDEX landfall_loads_source ON landfall_loads (table_name, source, load_id) WHERE mode <> 'rows';
    CREATE INDEX landfall_loads_size ON landfall_loads (table_name, source_digested, load_id) WHERE mode <> 'rows';
    CREATE INDEX landfall_loads_digest ON landfall_loads (table_name, source_digest, load_id) WHERE mode <> 'rows';
    CREATE INDEX landfall_loads_replace ON landfall_loads (table_name, load_id) WHERE mode = 'replace';
    CREATE INDEX landfall_loads_resumable ON landfall_loads (table_name, load_id) WHERE state IN ('running', 'stopped');
",
    "
    CREATE TABLE landfall_jobs (
        job_id TEXT PRIMARY KEY NOT NULL,
        kind TEXT NOT NULL,
        state TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        handed_back INTEGER NOT NULL,
        is_cancelled INTEGER NOT NULL,
        worker TEXT,
        due_at INTEGER,
        created_at TEXT NOT NULL,
        started_at TEXT,
        ended_at TEXT,
        body BLOB NOT NULL
    ) STRICT;
    CREATE INDEX landfall_jobs_due ON landfall_jobs (due_at, job_id) WHERE due_at IS NOT NULL;
    CREATE INDEX landfall_jobs_state ON landfall_jobs (state, job_id);
    CREATE INDEX landfall_jobs_ended ON landfall_jobs (ended_at) WHERE ended_at IS NOT NULL;
    CREATE TABLE landfall_job_claims (job_id TEXT PRIMARY KEY NOT NULL, attempt INTEGER NOT NULL) STRICT, WITHOUT ROWID;
",
];

/// The version that has jobs: the tasks of older ones are documents.
const VERSION_OF_JOBS: usize = 6;

/// Brings Landfall's own tables to this version. Two processes that start at once do not race: the check and the
/// statements are one write transaction.
pub(super) fn apply_migrations(connection: &mut Connection, location: &str) -> Result<()> {
    // Without a write transaction: a database that may only be read is fine if it is of this version.
    if schema_version(connection, location)? == newest() {
        return Ok(());
    }
    let doing = || format!("cannot make Landfall's tables in the database {location}");
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).context(doing)?;
    transaction
        .execute_batch(
            "CREATE TABLE IF NOT EXISTS landfall_migrations (
                 version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL
             ) STRICT",
        )
        .context(doing)?;
    // Once more within the transaction: the one before may have done it all.
    let from = schema_version(&transaction, location)?;
    for (at, statements) in (1..).zip(MIGRATIONS).skip(from) {
        transaction.execute_batch(statements).context(doing)?;
        if at == VERSION_OF_JOBS {
            former_tasks::adopt_tasks(&SqliteOwnConnection(&transaction))?;
        }
        transaction
            .execute("INSERT INTO landfall_migrations VALUES (?, ?)", params![at, timestamp::now_utc()])
            .context(doing)?;
    }
    transaction.commit().context(doing)
}

/// Refuses a database that a newer version of Landfall made.
pub(super) fn refuse_newer(connection: &Connection, location: &str) -> Result<()> {
    schema_version(connection, location).map(drop)
}

const fn newest() -> usize {
    MIGRATIONS.len()
}

/// The version of the database; 0 where Landfall never wrote to it.
fn schema_version(connection: &Connection, location: &str) -> Result<usize> {
    let doing = || format!("cannot read the database {location}");
    if !super::rows::has_table(connection, "landfall_migrations")? {
        return Ok(0);
    }
    let version: usize = connection
        .query_row("SELECT coalesce(max(version), 0) FROM landfall_migrations", [], |row| row.get(0))
        .context(doing)?;
    if version > newest() {
        let message = format!(
            "the database {location} was made by a newer version of Landfall (its tables are version {version}, this \
             program knows {}); use the newer program",
            newest()
        );
        return Err(TargetError::new(TargetErrorKind::NewerVersion, message).into());
    }
    Ok(version)
}
