//! Backups: each table as an Avro file, all from one moment, in sets that appear only when they are whole.
//!
//! A set is written aside, flushed, read back and held against what was written, and then gets its name in one step. Its manifest
//! says what it holds; whoever restores from it holds every byte against that first.

mod dictionary;
mod digest;
mod manifest;
mod restore;
mod retention;
mod set;
mod store;
mod table;
#[cfg(test)]
mod tests;
mod verify;

use std::time::Instant;

use jiff::Timestamp;
use landfall_core::schema::TableIndex;
use serde::Serialize;

pub use self::{
    dictionary::{SetDictionary, restore_dictionary},
    digest::ContentDigest,
    manifest::{MANIFEST, Manifest, TableEntry},
    restore::{PreparedRestore, RestoreFrom, RestoreOptions, RestoreOutcome, RestoredTable},
    retention::RetentionRules,
    set::{SetId, set_file_name},
    store::{BackupObjectStore, BackupStore, DraftFile, LocalStore, SetContent, SetDraft, SetFile, SetReader},
    verify::{VerifiedSet, read_manifest, verify_set},
};
use crate::{
    avro::AvroCodec,
    error::{Error, Result},
    pipeline::Observer,
    project::Project,
    targets::{Snapshot, Table, Target},
    timestamp,
};

/// What is asked of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupOptions {
    /// The tables; all where there are none.
    pub tables: Vec<String>,
    /// How the files are compressed.
    pub codec: AvroCodec,
    /// Threads that write and compress rows.
    pub threads: usize,
}

/// A backup that was made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BackupOutcome {
    /// The set.
    pub set: String,
    /// Where it is.
    pub location: String,
    /// Its tables.
    pub tables: Vec<BackedUpTable>,
    /// Tables of the dictionary that the database does not have.
    pub missing: Vec<String>,
}

/// A table of a backup.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BackedUpTable {
    /// The table.
    pub table: String,
    /// Rows.
    pub rows: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// SHA-256 of the file.
    pub sha256: String,
    /// The content digest of its rows.
    pub digest: String,
    /// Seconds that it took.
    pub seconds: f64,
}

/// Backs the tables of `options` up into a new set of `store`.
///
/// # Errors
/// A table that is not there, a target that cannot be read, a store that cannot be written: then there is no new set, and those
/// that were there are as they were.
pub fn backup_tables(
    target: &mut dyn Target,
    project: &Project,
    store: &dyn BackupStore,
    options: &BackupOptions,
    observer: &dyn Observer,
) -> Result<BackupOutcome> {
    let location = target.location();
    write_set(&mut *target.take_snapshot()?, location, project, store, options, observer)
}

/// Writes what `snapshot` of the database at `location` has into a new set.
fn write_set(
    snapshot: &mut dyn Snapshot,
    location: String,
    project: &Project,
    store: &dyn BackupStore,
    options: &BackupOptions,
    observer: &dyn Observer,
) -> Result<BackupOutcome> {
    let wanted = select_tables(project, &options.tables)?;
    let started = Timestamp::now();
    let set = SetId::new(started)?;
    let (mut tables, mut missing) = (Vec::new(), Vec::new());
    for table in wanted {
        if snapshot.has_table(&table)? {
            tables.push(table);
        } else {
            missing.push(table.name.to_string());
        }
    }
    refuse_missing(&missing, tables.is_empty(), options)?;
    let mut draft = store.begin_draft(&set)?;
    let mut entries = Vec::new();
    for table in &tables {
        let begun = Instant::now();
        let file = set_file_name(&table.name);
        observer.source_begins(&table.name, &format!("{set}/{file}"));
        let written = table::write(snapshot, table, draft.create_file(&file)?, options, observer)?;
        draft.take_file(&file, written.bytes, written.blake3)?;
        entries.push(TableEntry {
            table: table.name.to_string(),
            file,
            rows: written.rows,
            bytes: written.bytes,
            sha256: written.sha256,
            digest: written.digest.to_hex(),
            seconds: begun.elapsed().as_secs_f64(),
            schema: landfall_core::schema::to_standard::write_schema(&table.schema),
        });
    }
    let manifest = Manifest {
        format: Manifest::format(),
        set: set.to_string(),
        tool: format!("landfall {}", env!("CARGO_PKG_VERSION")),
        target: location,
        snapshot: snapshot.describe_moment(),
        started_at: timestamp::format_utc(started),
        ended_at: timestamp::now_utc(),
        codec: options.codec.name().to_owned(),
        tables: entries,
    };
    let bytes = manifest.to_bytes().map_err(|error| Error::Internal(format!("cannot write the manifest: {error}")))?;
    let location = draft.publish_set(&bytes)?;
    Ok(BackupOutcome {
        set: set.to_string(),
        location,
        tables: manifest.tables.into_iter().map(describe_table).collect(),
        missing,
    })
}

fn select_tables(project: &Project, names: &[String]) -> Result<Vec<Table>> {
    let tables = project.target_tables();
    if names.is_empty() {
        return Ok(tables);
    }
    let mut positions: Vec<TableIndex> = names.iter().map(|name| project.find_position(name)).collect::<Result<_>>()?;
    positions.sort_unstable();
    positions.dedup();
    Ok(positions.into_iter().map(|at| tables[at.get()].clone()).collect())
}

fn refuse_missing(missing: &[String], all: bool, options: &BackupOptions) -> Result<()> {
    if missing.is_empty() || !all && options.tables.is_empty() {
        return Ok(());
    }
    Err(Error::Usage(format!("the database has no table {}: there is nothing to back up", missing.join(", "))))
}

fn describe_table(entry: TableEntry) -> BackedUpTable {
    let TableEntry { table, rows, bytes, sha256, digest, seconds, .. } = entry;
    BackedUpTable { table, rows, bytes, sha256, digest, seconds }
}

/// Bytes as hexadecimal digits.
fn encode_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
