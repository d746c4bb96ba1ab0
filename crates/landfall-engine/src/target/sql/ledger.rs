//! The ledger's table.

use super::{Connection, Parameter, Row};
use crate::{
    error::{Result, TargetError, TargetErrorKind},
    ledger::{Counts, LoadEntry, LoadFilter, LoadId, LoadState, Mode, OnConflict, Position},
};

/// The entries that `filter` wants.
pub(in crate::target) fn loads(connection: &dyn Connection, filter: &LoadFilter) -> Result<Vec<LoadEntry>> {
    let mut found = Vec::new();
    if !connection.has_own_tables()? {
        return Ok(found);
    }
    let (condition, values) = condition(filter);
    let order = if filter.newest_first { " DESC" } else { "" };
    let limit = filter.limit.map_or(String::new(), |limit| format!(" LIMIT {limit}"));
    let sql = format!(
        "SELECT load_id, table_name, source, mode, on_conflict, rules, layout, state, records_read, rows_inserted,
                rows_updated, rows_unchanged, records_rejected, source_offset, source_lines, source_digest,
                source_digested, started_at, changed_at, seconds, record_bytes
         FROM {} WHERE {condition} ORDER BY load_id{order}{limit}",
        connection.spelling().own("loads")
    );
    connection.query(&sql, &values, &mut |row| {
        found.push(entry(row)?);
        Ok(())
    })?;
    Ok(found)
}

/// The condition and parameters for `filter`.
fn condition(filter: &LoadFilter) -> (String, Vec<Parameter<'_>>) {
    let mut parts = vec!["load_id > ?"];
    let mut values = vec![Parameter::Integer(filter.after)];
    let mut also = |part, value| {
        parts.push(part);
        values.push(value);
    };
    if let Some(id) = filter.id {
        also("load_id = ?", Parameter::Integer(id));
    }
    if let Some(before) = filter.before {
        also("load_id < ?", Parameter::Integer(before));
    }
    if let Some(table) = &filter.table {
        also("table_name = ?", table.as_str().into());
    }
    if let Some(state) = filter.state {
        also("state = ?", state.as_str().into());
    }
    match filter.rows {
        Some(true) => parts.push("mode = 'rows'"),
        // As the index says it that holds just those.
        Some(false) => parts.push("mode <> 'rows'"),
        None => {}
    }
    (parts.join(" AND "), values)
}

fn entry(row: &mut Row) -> Result<LoadEntry> {
    Ok(LoadEntry {
        id: row.integer()?,
        table: row.text()?,
        source: row.text()?,
        mode: row.word(Mode::parse)?,
        on_conflict: row.word(OnConflict::parse)?,
        rules: row.text()?,
        layout: row.text()?,
        state: row.word(LoadState::parse)?,
        counts: Counts {
            read: row.count()?,
            inserted: row.count()?,
            updated: row.count()?,
            unchanged: row.count()?,
            rejected: row.count()?,
        },
        position: Position { offset: row.count()?, lines: row.count()? },
        digest: row.text()?,
        digested: row.count()?,
        started_at: row.text()?,
        changed_at: row.text()?,
        seconds: row.real()?,
        record_bytes: row.count()?,
    })
}

/// The columns of a new entry, in the order of [`values`].
const COLUMNS: &str = "table_name, source, mode, on_conflict, rules, layout, record_bytes, started_at, state,
    records_read, rows_inserted, rows_updated, rows_unchanged, records_rejected, source_offset, source_lines,
    source_digest, source_digested, changed_at, seconds";
const MARKS: &str = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// Adds a load and returns its number.
pub(in crate::target) fn add(connection: &dyn Connection, entry: &LoadEntry) -> Result<LoadId> {
    let sql = format!("INSERT INTO {} ({COLUMNS}) VALUES {MARKS}", connection.spelling().own("loads"));
    connection.insert_numbered(&sql, &values(entry), "load_id")
}

/// Loads added by one statement. Few different texts of statements, so that they stay prepared.
const LOADS_PER_STATEMENT: usize = 64;

/// Adds loads and returns their numbers, in the same order.
pub(in crate::target) fn add_all(connection: &dyn Connection, entries: &[LoadEntry]) -> Result<Vec<LoadId>> {
    let mut numbers = Vec::with_capacity(entries.len());
    let mut rest = entries;
    while !rest.is_empty() {
        let count = LOADS_PER_STATEMENT.min(1 << rest.len().ilog2());
        let (group, later) = rest.split_at(count);
        rest = later;
        let marks = vec![MARKS; count].join(", ");
        let sql = format!("INSERT INTO {} ({COLUMNS}) VALUES {marks}", connection.spelling().own("loads"));
        let values: Vec<Parameter<'_>> = group.iter().flat_map(values).collect();
        numbers.extend(connection.insert_all_numbered(&sql, &values, "load_id", count)?);
    }
    Ok(numbers)
}

fn values(entry: &LoadEntry) -> Vec<Parameter<'_>> {
    let mut values: Vec<Parameter<'_>> = vec![
        entry.table.as_str().into(),
        entry.source.as_str().into(),
        entry.mode.as_str().into(),
        entry.on_conflict.as_str().into(),
        entry.rules.as_str().into(),
        entry.layout.as_str().into(),
        entry.record_bytes.into(),
        entry.started_at.as_str().into(),
    ];
    values.extend(progress(entry));
    values
}

/// What changes while a load goes on.
fn progress(entry: &LoadEntry) -> [Parameter<'_>; 12] {
    [
        entry.state.as_str().into(),
        entry.counts.read.into(),
        entry.counts.inserted.into(),
        entry.counts.updated.into(),
        entry.counts.unchanged.into(),
        entry.counts.rejected.into(),
        entry.position.offset.into(),
        entry.position.lines.into(),
        entry.digest.as_str().into(),
        entry.digested.into(),
        entry.changed_at.as_str().into(),
        Parameter::Real(entry.seconds),
    ]
}

/// Overwrites the progress of a load that stands at `was_at`.
///
/// # Errors
/// [`TargetErrorKind::Overtaken`] where it stands elsewhere.
pub(in crate::target) fn save(connection: &dyn Connection, entry: &LoadEntry, was_at: u64) -> Result<()> {
    let sql = format!(
        "UPDATE {} SET state = ?, records_read = ?, rows_inserted = ?, rows_updated = ?, rows_unchanged = ?,
             records_rejected = ?, source_offset = ?, source_lines = ?, source_digest = ?, source_digested = ?,
             changed_at = ?, seconds = ?
         WHERE load_id = ? AND source_offset = ? AND state IN ('running', 'stopped')",
        connection.spelling().own("loads")
    );
    let mut values = progress(entry).to_vec();
    values.extend([Parameter::Integer(entry.id), was_at.into()]);
    if connection.execute(&sql, &values)? == 1 {
        return Ok(());
    }
    let message = format!(
        "another process loads {} into {:?} and has gone on with it; this one stops, and nothing is doubled",
        entry.source, entry.table
    );
    Err(TargetError::new(TargetErrorKind::Overtaken, message).into())
}
