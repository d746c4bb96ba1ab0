//! The ledger's table.

use rusqlite::{Connection, Row, named_params, types::Type};

use super::failure::Context as _;
use crate::{
    error::Result,
    ledger::{Counts, LoadEntry, LoadId, LoadState, Mode, OnConflict, Position},
};

const DOING: &str = "cannot read or write the ledger";

/// All entries, oldest first.
pub(super) fn loads(connection: &Connection) -> Result<Vec<LoadEntry>> {
    if !super::rows::has_table(connection, "landfall_loads")? {
        return Ok(Vec::new());
    }
    let mut statement = connection
        .prepare_cached(
            "SELECT load_id, table_name, source, mode, on_conflict, rules, layout, state, records_read, rows_inserted,
                    rows_updated, rows_unchanged, records_rejected, source_offset, source_lines, source_digest,
                    source_digested, started_at, changed_at, seconds, record_bytes
             FROM landfall_loads ORDER BY load_id",
        )
        .context(|| DOING.into())?;
    let rows = statement.query_map([], entry).context(|| DOING.into())?;
    rows.collect::<rusqlite::Result<_>>().context(|| DOING.into())
}

fn entry(row: &Row<'_>) -> rusqlite::Result<LoadEntry> {
    Ok(LoadEntry {
        id: row.get(0)?,
        table: row.get(1)?,
        source: row.get(2)?,
        mode: word(row, 3, Mode::parse)?,
        on_conflict: word(row, 4, OnConflict::parse)?,
        rules: row.get(5)?,
        layout: row.get(6)?,
        state: word(row, 7, LoadState::parse)?,
        counts: Counts {
            read: row.get(8)?,
            inserted: row.get(9)?,
            updated: row.get(10)?,
            unchanged: row.get(11)?,
            rejected: row.get(12)?,
        },
        position: Position { offset: row.get(13)?, lines: row.get(14)? },
        digest: row.get(15)?,
        digested: row.get(16)?,
        started_at: row.get(17)?,
        changed_at: row.get(18)?,
        seconds: row.get(19)?,
        record_bytes: row.get(20)?,
    })
}

/// A column that holds one of a few words.
pub(super) fn word<T>(row: &Row<'_>, column: usize, parse: fn(&str) -> Option<T>) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    parse(&text).ok_or_else(|| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, format!("unknown word {text:?}").into())
    })
}

/// Adds a load and returns its number.
pub(super) fn add(connection: &Connection, entry: &LoadEntry) -> Result<LoadId> {
    connection
        .prepare_cached(
            "INSERT INTO landfall_loads (table_name, source, mode, on_conflict, rules, layout, state, records_read,
                 rows_inserted, rows_updated, rows_unchanged, records_rejected, source_offset, source_lines,
                 source_digest, source_digested, started_at, changed_at, seconds, record_bytes)
             VALUES (:table, :source, :mode, :on_conflict, :rules, :layout, :state, :read, :inserted, :updated, :unchanged,
                 :rejected, :offset, :lines, :digest, :digested, :started, :changed, :seconds, :record_bytes)",
        )
        .and_then(|mut statement| {
            statement.execute(named_params! {
                ":table": entry.table, ":source": entry.source, ":mode": entry.mode.as_str(),
                ":on_conflict": entry.on_conflict.as_str(), ":rules": entry.rules, ":layout": entry.layout,
                ":state": entry.state.as_str(),
                ":read": entry.counts.read, ":inserted": entry.counts.inserted, ":updated": entry.counts.updated,
                ":unchanged": entry.counts.unchanged, ":rejected": entry.counts.rejected,
                ":offset": entry.position.offset, ":lines": entry.position.lines, ":digest": entry.digest,
                ":digested": entry.digested, ":started": entry.started_at, ":changed": entry.changed_at, ":seconds": entry.seconds,
                ":record_bytes": entry.record_bytes,
            })
        })
        .context(|| DOING.into())?;
    Ok(connection.last_insert_rowid())
}

/// Overwrites the progress of a load that stands at `was_at`; whether it did stand there.
pub(super) fn save(connection: &Connection, entry: &LoadEntry, was_at: u64) -> Result<bool> {
    let changed = connection
        .prepare_cached(
            "UPDATE landfall_loads SET state = :state, records_read = :read, rows_inserted = :inserted,
                 rows_updated = :updated, rows_unchanged = :unchanged, records_rejected = :rejected,
                 source_offset = :offset, source_lines = :lines, source_digest = :digest,
                 source_digested = :digested, changed_at = :changed,
                 seconds = :seconds
             WHERE load_id = :id AND source_offset = :was_at AND state IN ('running', 'stopped')",
        )
        .and_then(|mut statement| {
            statement.execute(named_params! {
                ":state": entry.state.as_str(), ":read": entry.counts.read, ":inserted": entry.counts.inserted,
                ":updated": entry.counts.updated, ":unchanged": entry.counts.unchanged,
                ":rejected": entry.counts.rejected, ":offset": entry.position.offset, ":lines": entry.position.lines,
                ":digest": entry.digest, ":digested": entry.digested, ":changed": entry.changed_at, ":seconds": entry.seconds, ":id": entry.id,
                ":was_at": was_at,
            })
        })
        .context(|| DOING.into())?;
    Ok(changed == 1)
}
