//! The ledger's table.

use super::{OwnRow, SqlConnection, SqlParameter, SqlSpelling};
use crate::{
    error::{Result, TargetError, TargetErrorKind},
    ledger::{Counts, LoadEntry, LoadFilter, LoadId, LoadState, Mode, OnConflict, Position, origin_of_earlier_entry},
    origin::Origin,
};

/// The entries that `filter` wants.
pub(in crate::targets) fn find_loads(connection: &dyn SqlConnection, filter: &LoadFilter) -> Result<Vec<LoadEntry>> {
    let mut found = Vec::new();
    // A database that an older version has made, and that is only read, has no such column.
    let origin = match connection.has_own_column("loads", "origin")? {
        true => "origin",
        false if connection.has_own_tables()? => "NULL",
        false => return Ok(found),
    };
    let (condition, values) = filter_condition(filter, connection.sql_spelling());
    let order = if filter.newest_first { " DESC" } else { "" };
    let limit = filter.limit.map_or(String::new(), |limit| format!(" LIMIT {limit}"));
    let sql = format!(
        "SELECT load_id, table_name, source, mode, on_conflict, rules, layout, state, records_read, rows_inserted,
                rows_updated, rows_unchanged, records_rejected, source_offset, source_lines, source_digest,
                source_digested, started_at, changed_at, seconds, record_bytes, {origin}
         FROM {} WHERE {condition} ORDER BY load_id{order}{limit}",
        connection.sql_spelling().own_table("loads")
    );
    connection.query_rows(&sql, &values, &mut |row| {
        found.push(read_entry(row)?);
        Ok(())
    })?;
    Ok(found)
}

/// The condition and parameters for `filter`. What the conditions of partial indexes are about stands in the text, as those say it: a
/// database could not use them otherwise, or would plan the statement afresh for each parameter.
fn filter_condition<'f>(filter: &'f LoadFilter, spelling: &SqlSpelling) -> (String, Vec<SqlParameter<'f>>) {
    // It holds for all loads where nothing is asked for, so that there is always a condition.
    let mut parts = vec!["load_id > ?".to_owned()];
    let mut values = vec![filter.after.into()];
    let text = |text: &'f Option<String>| text.as_deref().map(SqlParameter::from);
    let compared = [
        ("load_id = ?", filter.id.map(SqlParameter::from)),
        ("load_id >= ?", filter.since.is_stored().then(|| filter.since.into())),
        ("load_id < ?", filter.before.map(SqlParameter::from)),
        ("table_name = ?", text(&filter.table)),
        ("source_digested = ?", filter.digested.map(SqlParameter::from)),
    ];
    for (part, value) in compared.into_iter().filter_map(|(part, value)| Some((part, value?))) {
        parts.push(part.to_owned());
        values.push(value);
    }
    if let Some(digests) = &filter.digests {
        parts.push(format!("source_digest IN ({})", vec!["?"; digests.len()].join(", ")));
        values.extend(digests.iter().map(|digest| SqlParameter::from(digest.as_str())));
    }
    if let Some(source) = &filter.source {
        parts.push(spelling.source_is.to_owned());
        values.extend(spelling.source_values(source));
    }
    parts.extend(filter.mode.map(|mode| format!("mode = '{}'", mode.as_str())));
    parts.extend(filter.state.map(|state| format!("state = '{}'", state.as_str())));
    parts.extend(filter.resumable.then(|| "state IN ('running', 'stopped')".to_owned()));
    parts.extend(filter.rows.map(|rows| format!("mode {} 'rows'", if rows { "=" } else { "<>" })));
    (parts.join(" AND "), values)
}

fn read_entry(row: &mut OwnRow) -> Result<LoadEntry> {
    let mut entry = LoadEntry {
        id: row.take_integer()?.into(),
        table: row.take_text()?,
        source: row.take_text()?,
        origin: Origin::File,
        mode: row.take_word(Mode::parse)?,
        on_conflict: row.take_word(OnConflict::parse)?,
        rules: row.take_text()?,
        layout: row.take_text()?,
        state: row.take_word(LoadState::parse)?,
        counts: Counts {
            read: row.take_count()?,
            inserted: row.take_count()?,
            updated: row.take_count()?,
            unchanged: row.take_count()?,
            rejected: row.take_count()?,
        },
        position: Position { offset: row.take_count()?, lines: row.take_count()? },
        digest: row.take_text()?,
        digested: row.take_count()?,
        started_at: row.take_text()?,
        changed_at: row.take_text()?,
        seconds: row.take_real()?,
        record_bytes: row.take_count()?,
    };
    // An older version told no origin, and the name of the source says enough.
    let told = row.optional_text()?;
    entry.origin =
        told.as_deref().and_then(Origin::parse).unwrap_or_else(|| origin_of_earlier_entry(entry.mode, &entry.source));
    Ok(entry)
}

/// The columns of a new entry, in the order of [`entry_values`].
const COLUMNS: &str = "table_name, source, mode, on_conflict, rules, layout, record_bytes, started_at, state,
    records_read, rows_inserted, rows_updated, rows_unchanged, records_rejected, source_offset, source_lines,
    source_digest, source_digested, changed_at, seconds, origin";
const MARKS: &str = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// Adds a load and returns its number.
pub(in crate::targets) fn add_load(connection: &dyn SqlConnection, entry: &LoadEntry) -> Result<LoadId> {
    let sql = format!("INSERT INTO {} ({COLUMNS}) VALUES {MARKS}", connection.sql_spelling().own_table("loads"));
    Ok(connection.insert_numbered(&sql, &entry_values(entry), "load_id")?.into())
}

/// Loads added by one statement. Few different texts of statements, so that they stay prepared.
const LOADS_PER_STATEMENT: usize = 64;

/// Adds loads and returns their numbers, in the same order.
pub(in crate::targets) fn add_loads(connection: &dyn SqlConnection, entries: &[LoadEntry]) -> Result<Vec<LoadId>> {
    let mut numbers = Vec::with_capacity(entries.len());
    let mut rest = entries;
    while !rest.is_empty() {
        // Powers of two: few texts of statements, so that they stay prepared.
        let count = LOADS_PER_STATEMENT.min(1 << rest.len().ilog2());
        let (group, later) = rest.split_at(count);
        rest = later;
        let marks = vec![MARKS; count].join(", ");
        let sql = format!("INSERT INTO {} ({COLUMNS}) VALUES {marks}", connection.sql_spelling().own_table("loads"));
        let values: Vec<SqlParameter<'_>> = group.iter().flat_map(entry_values).collect();
        let ids = connection.insert_all_numbered(&sql, &values, "load_id", count)?;
        numbers.extend(ids.into_iter().map(LoadId::from));
    }
    Ok(numbers)
}

fn entry_values(entry: &LoadEntry) -> Vec<SqlParameter<'_>> {
    let mut values: Vec<SqlParameter<'_>> = vec![
        entry.table.as_str().into(),
        entry.source.as_str().into(),
        entry.mode.as_str().into(),
        entry.on_conflict.as_str().into(),
        entry.rules.as_str().into(),
        entry.layout.as_str().into(),
        entry.record_bytes.into(),
        entry.started_at.as_str().into(),
    ];
    values.extend(progress_values(entry));
    values.push(entry.origin.as_str().into());
    values
}

/// What changes while a load goes on.
fn progress_values(entry: &LoadEntry) -> [SqlParameter<'_>; 12] {
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
        SqlParameter::Real(entry.seconds),
    ]
}

/// Overwrites the progress of a load that stands at `was_at`.
///
/// # Errors
/// [`TargetErrorKind::Overtaken`] where it stands elsewhere.
pub(in crate::targets) fn save_load(connection: &dyn SqlConnection, entry: &LoadEntry, was_at: u64) -> Result<()> {
    let sql = format!(
        "UPDATE {} SET state = ?, records_read = ?, rows_inserted = ?, rows_updated = ?, rows_unchanged = ?,
             records_rejected = ?, source_offset = ?, source_lines = ?, source_digest = ?, source_digested = ?,
             changed_at = ?, seconds = ?
         WHERE load_id = ? AND source_offset = ? AND state IN ('running', 'stopped')",
        connection.sql_spelling().own_table("loads")
    );
    let mut values = progress_values(entry).to_vec();
    values.extend([SqlParameter::from(entry.id), was_at.into()]);
    // No row means that the ledger stands elsewhere: a second process has gone on with the load.
    if connection.execute_statement(&sql, &values)? == 1 {
        return Ok(());
    }
    let message = format!(
        "another process loads {} into {:?} and has gone on with it; this one stops, and nothing is doubled",
        entry.source, entry.table
    );
    Err(TargetError::new(TargetErrorKind::Overtaken, message).into())
}
