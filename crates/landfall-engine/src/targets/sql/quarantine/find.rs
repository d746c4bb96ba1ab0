//! Rejects are found, counted and grouped.

use super::super::{OwnRow, SqlConnection, SqlParameter, StoredValue, foreign_value_error};
use crate::{
    error::Result,
    quarantine::{Reject, RejectEvent, RejectFilter, RejectGroup, RejectId, RejectState},
};

/// The condition and parameters for `filter`.
fn filter_condition<'p>(connection: &dyn SqlConnection, filter: &'p RejectFilter) -> (String, Vec<SqlParameter<'p>>) {
    let spelling = connection.sql_spelling();
    let mut parts = vec!["r.reject_id > ?".to_owned()];
    let mut values = vec![filter.after.into()];
    if !filter.any_state {
        // Not as a value: SQLite would not know that the index of those that wait is one of open ones.
        parts.push(format!("r.state = '{}'", filter.state.unwrap_or_default().as_str()));
    }
    let mut also = |part: &str, value: SqlParameter<'p>| {
        parts.push(part.to_owned());
        values.push(value);
    };
    if let Some(id) = filter.id {
        also("r.reject_id = ?", id.into());
    }
    if let Some(load) = filter.load {
        also("r.load_id = ?", load.into());
    }
    if let Some(load) = filter.before_load {
        also("r.load_id < ?", load.into());
    }
    if let Some(table) = &filter.table {
        also("r.table_name = ?", table.as_str().into());
    }
    let mut tests = Vec::new();
    if let Some(code) = filter.code {
        tests.push(format!("{} = ?", spelling.code));
        values.push(code.as_str().into());
    }
    if let Some(field) = &filter.field {
        tests.push(format!("{} = ?", spelling.field));
        values.push(field.as_str().into());
    }
    if !tests.is_empty() {
        parts.push(format!("EXISTS (SELECT 1 FROM {} WHERE {})", spelling.errors, tests.join(" AND ")));
    }
    if filter.waiting {
        // All or nothing: no row of a load that was rolled back comes in by itself later.
        parts.push("r.waiting = 1".into());
        parts.push(format!(
            "NOT EXISTS (SELECT 1 FROM {} AS own WHERE own.load_id = r.load_id AND own.state = 'rolled-back')",
            spelling.own_table("loads")
        ));
    }
    (parts.join(" AND "), values)
}

/// The rejects that `filter` wants.
pub(in crate::targets) fn find_rejects(connection: &dyn SqlConnection, filter: &RejectFilter) -> Result<Vec<Reject>> {
    let mut found = Vec::new();
    if !connection.has_own_tables()? {
        return Ok(found);
    }
    let (condition, values) = filter_condition(connection, filter);
    let limit = filter.limit.map_or(String::new(), |limit| format!(" LIMIT {limit}"));
    // The page comes first, and then its loads: MariaDB else begins with the loads, and sorts all of their rejects.
    let sql = format!(
        "SELECT r.reject_id, r.load_id, r.table_name, l.source, r.record, r.line, r.byte_offset, r.length, r.raw,
                r.errors, r.state
         FROM (SELECT r.* FROM {} AS r WHERE {condition} ORDER BY r.reject_id{limit}) AS r
         JOIN {} AS l ON l.load_id = r.load_id ORDER BY r.reject_id",
        connection.sql_spelling().own_table("rejects"),
        connection.sql_spelling().own_table("loads")
    );
    connection.query_rows(&sql, &values, &mut |row| {
        found.push(read_reject(row)?);
        Ok(())
    })?;
    Ok(found)
}

fn read_reject(row: &mut OwnRow) -> Result<Reject> {
    Ok(Reject {
        id: row.take_integer()?.into(),
        load: row.take_integer()?.into(),
        table: row.take_text()?,
        source: row.take_text()?,
        record: row.take_count()?,
        line: row.take_count()?,
        offset: row.take_count()?,
        length: row.take_count()?,
        raw: row.take_bytes()?,
        errors: {
            let text = row.take_text()?;
            serde_json::from_str(&text).map_err(|_| foreign_value_error(&StoredValue::Text(text)))?
        },
        state: row.take_word(RejectState::parse)?,
    })
}

/// The number of rejects that `filter` wants, at most its limit.
pub(in crate::targets) fn count_rejects(connection: &dyn SqlConnection, filter: &RejectFilter) -> Result<u64> {
    if !connection.has_own_tables()? {
        return Ok(0);
    }
    let (condition, values) = filter_condition(connection, filter);
    let rejects = connection.sql_spelling().own_table("rejects");
    let sql = match filter.limit {
        // The database need not look at those beyond.
        Some(limit) => {
            format!(
                "SELECT count(*) FROM (SELECT 1 AS one FROM {rejects} AS r WHERE {condition} LIMIT {limit}) AS counted"
            )
        }
        None => format!("SELECT count(*) FROM {rejects} AS r WHERE {condition}"),
    };
    let mut count = 0;
    connection.query_rows(&sql, &values, &mut |row| {
        count = row.take_count()?;
        Ok(())
    })?;
    Ok(count)
}

/// About the bytes that all open rejects take.
pub(in crate::targets) fn open_bytes(connection: &dyn SqlConnection) -> Result<u64> {
    let mut bytes = 0;
    if !connection.has_own_tables()? {
        return Ok(bytes);
    }
    let spelling = connection.sql_spelling();
    // A sum is a decimal on servers.
    let sql = format!(
        "SELECT CAST(coalesce(sum(kept_bytes), 0) AS {}) FROM {} WHERE state = 'open'",
        spelling.integer,
        spelling.own_table("rejects")
    );
    connection.query_rows(&sql, &[], &mut |row| {
        bytes = row.take_count()?;
        Ok(())
    })?;
    Ok(bytes)
}

/// The rejects that `filter` wants, by cause.
pub(in crate::targets) fn group_rejects(
    connection: &dyn SqlConnection,
    filter: &RejectFilter,
) -> Result<Vec<RejectGroup>> {
    let mut found = Vec::new();
    if !connection.has_own_tables()? {
        return Ok(found);
    }
    let (condition, values) = filter_condition(connection, filter);
    let spelling = connection.sql_spelling();
    // The errors of a group, and those that the filter looks at, are two readings of the same list.
    let grouped = format!(
        "SELECT r.reject_id, r.table_name, {} AS code, {} AS field, {} AS example FROM {} AS r, {} WHERE {condition}",
        spelling.code,
        spelling.field,
        spelling.value,
        spelling.own_table("rejects"),
        spelling.errors
    );
    let sql = format!(
        "SELECT g.table_name, g.code, g.field, count(DISTINCT g.reject_id) AS n, min(g.example)
         FROM ({grouped}) AS g
         GROUP BY g.table_name, g.code, g.field
         ORDER BY n DESC, g.table_name, g.code, coalesce(g.field, '')"
    );
    connection.query_rows(&sql, &values, &mut |row| {
        found.push(RejectGroup {
            table: row.take_text()?,
            code: row.take_text()?,
            field: row.optional_text()?,
            count: row.take_count()?,
            example: row.optional_text()?,
        });
        Ok(())
    })?;
    Ok(found)
}

/// All bytes of a reject.
pub(in crate::targets) fn read_reject_bytes(
    connection: &dyn SqlConnection,
    reject: RejectId,
    visit: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let sql = format!(
        "SELECT p.bytes FROM (
             SELECT 0 AS part, raw AS bytes FROM {} WHERE reject_id = ?
             UNION ALL SELECT part, bytes FROM {} WHERE reject_id = ?
         ) AS p ORDER BY p.part",
        connection.sql_spelling().own_table("rejects"),
        connection.sql_spelling().own_table("reject_parts")
    );
    connection.query_rows(&sql, &[reject.into(), reject.into()], &mut |row| visit(&row.take_bytes()?))
}

/// What was done to a reject of late.
pub(in crate::targets) fn list_events(connection: &dyn SqlConnection, reject: RejectId) -> Result<Vec<RejectEvent>> {
    let mut found = Vec::new();
    if !connection.has_own_tables()? {
        return Ok(found);
    }
    let sql = format!(
        "SELECT e.reject_id, e.load_id, e.action,
             CASE WHEN length(e.mended) > {most} THEN substr(e.mended, 1, {most}) ELSE e.mended END, e.happened_at
         FROM (SELECT * FROM {} WHERE reject_id = ? ORDER BY event_id DESC LIMIT {}) AS e ORDER BY e.event_id",
        connection.sql_spelling().own_table("reject_events"),
        RejectEvent::MOST,
        most = RejectEvent::MENDED_LIMIT
    );
    connection.query_rows(&sql, &[reject.into()], &mut |row| {
        found.push(RejectEvent {
            reject: row.take_integer()?.into(),
            load: row.take_integer()?.into(),
            action: row.take_text()?,
            mended: row.optional_bytes()?,
            at: row.take_text()?,
        });
        Ok(())
    })?;
    Ok(found)
}
