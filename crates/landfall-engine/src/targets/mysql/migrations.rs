//! Landfall's own tables, under versioned migrations.
//!
//! Statements that define something commit by themselves. So each of them can be repeated, and a version is noted after
//! the last of its statements: a process that dies in between leaves the rest to the next one. Two that start at once do not
//! race, since each holds a lock while it works.

use mysql::{Error as Mysql, Value};

use super::{
    commits::remove_stale, connection::MysqlConnection, failure::MysqlContext as _, lock::with_lock,
    own_tables::MysqlOwnConnection, rows::has_table,
};
use crate::{
    error::{Result, TargetError, TargetErrorKind},
    targets::sql::former_tasks,
    timestamp,
};

/// Each version's statements; `{form}` is how a table is kept. A published entry never changes; a new
/// version is a new entry.
const MIGRATIONS: &[&[&str]] = &[
    &[
        "CREATE TABLE IF NOT EXISTS landfall_loads (
        load_id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
        table_name VARCHAR(255) NOT NULL,
        source LONGTEXT NOT NULL,
        mode VARCHAR(32) NOT NULL,
        on_conflict VARCHAR(32) NOT NULL,
        rules VARCHAR(255) NOT NULL,
        layout LONGTEXT NOT NULL,
        state VARCHAR(32) NOT NULL,
        records_read BIGINT NOT NULL,
        rows_inserted BIGINT NOT NULL,
        rows_updated BIGINT NOT NULL,
        rows_unchanged BIGINT NOT NULL,
        records_rejected BIGINT NOT NULL,
        source_offset BIGINT NOT NULL,
        source_lines BIGINT NOT NULL,
        source_digest VARCHAR(255) NOT NULL,
        source_digested BIGINT NOT NULL,
        started_at VARCHAR(64) NOT NULL,
        changed_at VARCHAR(64) NOT NULL,
        seconds DOUBLE NOT NULL,
        record_bytes BIGINT NOT NULL
    ) {form}",
        "CREATE TABLE IF NOT EXISTS landfall_rejects (
        reject_id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
        load_id BIGINT NOT NULL,
        table_name VARCHAR(255) NOT NULL,
        record BIGINT NOT NULL,
        line BIGINT NOT NULL,
        byte_offset BIGINT NOT NULL,
        length BIGINT NOT NULL,
        raw LONGBLOB NOT NULL,
        errors LONGTEXT NOT NULL,
        waiting TINYINT NOT NULL,
        state VARCHAR(32) NOT NULL,
        KEY landfall_rejects_load (load_id),
        KEY landfall_rejects_waiting (waiting, state)
    ) {form}",
        "CREATE TABLE IF NOT EXISTS landfall_reject_parts (
        reject_id BIGINT NOT NULL,
        part BIGINT NOT NULL,
        bytes LONGBLOB NOT NULL,
        PRIMARY KEY (reject_id, part)
    ) {form}",
        "CREATE TABLE IF NOT EXISTS landfall_reject_events (
        event_id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
        reject_id BIGINT NOT NULL,
        load_id BIGINT NOT NULL,
        action VARCHAR(32) NOT NULL,
        mended LONGBLOB,
        happened_at VARCHAR(64) NOT NULL,
        KEY landfall_reject_events_reject (reject_id)
    ) {form}",
    ],
    &[
        "CREATE INDEX landfall_loads_sources ON landfall_loads (mode, load_id)",
        "CREATE TABLE IF NOT EXISTS landfall_documents (
        kind VARCHAR(64) NOT NULL,
        name VARCHAR(255) NOT NULL,
        version BIGINT NOT NULL,
        body LONGBLOB NOT NULL,
        changed_at VARCHAR(64) NOT NULL,
        PRIMARY KEY (kind, name),
        KEY landfall_documents_changed (kind, changed_at)
    ) {form}",
    ],
    &["CREATE TABLE IF NOT EXISTS landfall_commits (
        token VARCHAR(64) NOT NULL PRIMARY KEY,
        state VARCHAR(32) NOT NULL,
        asked BIGINT NOT NULL DEFAULT 0,
        entered_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
        KEY landfall_commits_entered (entered_at)
    ) {form}"],
    &[
        "ALTER TABLE landfall_rejects ADD COLUMN kept_bytes BIGINT NOT NULL DEFAULT 0",
        "UPDATE landfall_rejects AS r SET r.kept_bytes = length(r.raw) + length(r.errors) + coalesce((
            SELECT sum(length(p.bytes)) FROM landfall_reject_parts AS p WHERE p.reject_id = r.reject_id
        ), 0)",
        "CREATE INDEX landfall_rejects_state ON landfall_rejects (state, reject_id, table_name, kept_bytes)",
    ],
    &[
        "ALTER TABLE landfall_loads ADD COLUMN origin VARCHAR(32)",
        "CREATE INDEX landfall_loads_source ON landfall_loads (table_name, source(191))",
        "CREATE INDEX landfall_loads_size ON landfall_loads (table_name, source_digested)",
        "CREATE INDEX landfall_loads_digest ON landfall_loads (table_name, source_digest)",
        "CREATE INDEX landfall_loads_mode ON landfall_loads (table_name, mode, state)",
    ],
    &[
        "CREATE TABLE IF NOT EXISTS landfall_jobs (
        job_id VARCHAR(64) NOT NULL PRIMARY KEY,
        kind VARCHAR(64) NOT NULL,
        state VARCHAR(32) NOT NULL,
        attempt BIGINT NOT NULL,
        handed_back BIGINT NOT NULL,
        is_cancelled BIGINT NOT NULL,
        worker VARCHAR(255),
        due_at BIGINT,
        created_at VARCHAR(64) NOT NULL,
        started_at VARCHAR(64),
        ended_at VARCHAR(64),
        body LONGBLOB NOT NULL,
        KEY landfall_jobs_due (due_at, job_id),
        KEY landfall_jobs_state (state, job_id),
        KEY landfall_jobs_ended (ended_at)
    ) {form}",
        "CREATE TABLE IF NOT EXISTS landfall_job_claims (
        job_id VARCHAR(64) NOT NULL PRIMARY KEY,
        attempt BIGINT NOT NULL
    ) {form}",
    ],
];

/// The version that has jobs: the tasks of older ones are documents.
const VERSION_OF_JOBS: usize = 6;

/// What the server says where an index or a column is there already; not all of them know `IF NOT EXISTS` for one.
const THERE: [u16; 2] = [1060, 1061];

/// Brings Landfall's own tables to this version.
pub(super) fn apply_migrations(connection: &mut MysqlConnection, location: &str) -> Result<()> {
    // Without the lock: nearly every start finds nothing to do.
    if schema_version(connection, location)? == newest() {
        // Whoever may not write now still reads.
        if let Err(error) = remove_stale(connection) {
            tracing::debug!(%error, "tokens of ended connections were not removed");
            connection.run("ROLLBACK").context(|| format!("cannot read the database {location}"))?;
        }
        return Ok(());
    }
    let doing = || format!("cannot make Landfall's tables in the database {location}");
    with_lock(connection, |connection| {
        let form = table_form(connection);
        let versions = "CREATE TABLE IF NOT EXISTS landfall_migrations
            (version BIGINT NOT NULL PRIMARY KEY, applied_at VARCHAR(64) NOT NULL) {form}";
        connection.run(&versions.replace("{form}", &form)).context(doing)?;
        // Once more under the lock: the one before may have done it all.
        let from = schema_version(connection, location)?;
        for (at, statements) in (1..).zip(MIGRATIONS).skip(from) {
            for statement in *statements {
                match connection.run(&statement.replace("{form}", &form)) {
                    // An earlier process died between this statement and the note of its version.
                    Err(Mysql::MySqlError(error)) if THERE.contains(&error.code) => {}
                    outcome => drop(outcome.context(doing)?),
                }
            }
            if at == VERSION_OF_JOBS {
                former_tasks::adopt_tasks(&MysqlOwnConnection::new(connection))?;
            }
            let noted = vec![Value::UInt(at as u64), Value::Bytes(timestamp::now_utc().into_bytes())];
            connection.execute_statement("INSERT INTO landfall_migrations VALUES (?, ?)", noted).context(doing)?;
        }
        Ok(())
    })
}

fn table_form(connection: &MysqlConnection) -> String {
    format!("ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE {}", connection.server.collation())
}

/// Refuses a database that a newer version of Landfall made.
pub(super) fn refuse_newer(connection: &mut MysqlConnection, location: &str) -> Result<()> {
    schema_version(connection, location).map(drop)
}

const fn newest() -> usize {
    MIGRATIONS.len()
}

/// The version of the database; 0 where Landfall never wrote to it.
fn schema_version(connection: &mut MysqlConnection, location: &str) -> Result<usize> {
    let doing = || format!("cannot read the database {location}");
    if !has_table(connection, "landfall_migrations")? {
        return Ok(0);
    }
    let found =
        connection.query_all("SELECT coalesce(max(version), 0) FROM landfall_migrations", Vec::new(), &doing)?;
    let version = match found.first().map(Vec::as_slice) {
        Some([Value::Int(version)]) => usize::try_from(*version).unwrap_or_default(),
        _ => 0,
    };
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
