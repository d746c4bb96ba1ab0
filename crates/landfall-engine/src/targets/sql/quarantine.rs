//! The quarantine's tables.

use landfall_core::reject::CellError;

use super::{OwnRow, SqlConnection, SqlParameter, StoredValue, foreign_value_error};
use crate::{
    error::Result,
    ledger::{LoadEntry, LoadId},
    quarantine::{
        ClosingRule, NewReject, Reject, RejectEvent, RejectFilter, RejectGroup, RejectId, RejectState,
        lacks_only_parents,
    },
    targets::{Table, already_released_error},
    timestamp,
};

/// The columns of a new reject, in the order of [`reject_values`].
pub(in crate::targets) const COLUMNS: [&str; 11] = [
    "load_id",
    "table_name",
    "record",
    "line",
    "byte_offset",
    "length",
    "raw",
    "errors",
    "waiting",
    "state",
    "kept_bytes",
];

/// Rejects marked or taken out by one statement.
const REJECTS_PER_STATEMENT: usize = 500;

/// The values of a new reject, its errors written as `errors`. Of more bytes than [`Reject::RAW_LIMIT`] only the first
/// are among them.
pub(in crate::targets) fn reject_values<'p>(
    load: LoadId,
    table: &'p Table,
    reject: &'p NewReject,
    errors: &'p str,
) -> [SqlParameter<'p>; COLUMNS.len()] {
    [
        load.into(),
        (&*table.name).into(),
        reject.record.into(),
        reject.line.into(),
        reject.offset.into(),
        reject.raw.len().into(),
        SqlParameter::Bytes(Some(head_bytes(reject))),
        errors.into(),
        reject.waits_for_parent().into(),
        reject.state().as_str().into(),
        reject.stored_size().into(),
    ]
}

/// The bytes of a reject that stand in its own row.
fn head_bytes(reject: &NewReject) -> &[u8] {
    let bytes = reject.raw.available_bytes();
    &bytes[..bytes.len().min(Reject::RAW_LIMIT)]
}

/// Adds a reject and returns its number.
pub(in crate::targets) fn add_reject(
    connection: &dyn SqlConnection,
    load: LoadId,
    table: &Table,
    reject: &NewReject,
) -> Result<RejectId> {
    let marks = vec!["?"; COLUMNS.len()].join(", ");
    let sql = format!(
        "INSERT INTO {} ({}) VALUES ({marks})",
        connection.sql_spelling().own_table("rejects"),
        COLUMNS.join(", ")
    );
    let errors = errors_json(&reject.errors);
    let id = connection.insert_numbered(&sql, &reject_values(load, table, reject, &errors), "reject_id")?.into();
    for (part, bytes) in (1..).zip(reject.raw.available_bytes()[head_bytes(reject).len()..].chunks(Reject::RAW_LIMIT)) {
        append_reject_bytes(connection, id, part, bytes)?;
    }
    Ok(id)
}

/// The errors of a reject, as they are stored.
pub(in crate::targets) fn errors_json(errors: &[CellError]) -> String {
    let mut text = Vec::with_capacity(256 * errors.len());
    let written = serde_json::to_writer(&mut text, errors).map_err(|error| error.to_string());
    let text = written.and_then(|()| String::from_utf8(text).map_err(|error| error.to_string()));
    text.unwrap_or_else(|error| unreachable!("errors are plain data: {error}"))
}

/// Stores a further part of a raw record; part 0 is its head.
pub(in crate::targets) fn append_reject_bytes(
    connection: &dyn SqlConnection,
    reject: RejectId,
    part: u64,
    bytes: &[u8],
) -> Result<()> {
    let spelling = connection.sql_spelling();
    if part == 0 {
        let sql = format!("UPDATE {} SET raw = ? WHERE reject_id = ?", spelling.own_table("rejects"));
        return connection.execute_statement(&sql, &[SqlParameter::Bytes(Some(bytes)), reject.into()]).map(drop);
    }
    let sql = format!("INSERT INTO {} (reject_id, part, bytes) VALUES (?, ?, ?)", spelling.own_table("reject_parts"));
    connection.execute_statement(&sql, &[reject.into(), part.into(), SqlParameter::Bytes(Some(bytes))]).map(drop)
}

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

fn note_event(
    connection: &dyn SqlConnection,
    reject: RejectId,
    load: LoadId,
    action: &str,
    mended: Option<&[u8]>,
) -> Result<()> {
    let sql = format!(
        "INSERT INTO {} (reject_id, load_id, action, mended, happened_at) VALUES (?, ?, ?, ?, ?)",
        connection.sql_spelling().own_table("reject_events")
    );
    let now = timestamp::now_utc();
    let values = [reject.into(), load.into(), action.into(), SqlParameter::Bytes(mended), now.as_str().into()];
    connection.execute_statement(&sql, &values).map(drop)
}

/// Marks a reject as released.
pub(in crate::targets) fn release_reject(
    connection: &dyn SqlConnection,
    reject: RejectId,
    load: LoadId,
    mended: Option<&[u8]>,
) -> Result<()> {
    let sql = format!(
        "UPDATE {} SET state = 'released', waiting = 0 WHERE reject_id = ? AND state = 'open'",
        connection.sql_spelling().own_table("rejects")
    );
    if connection.execute_statement(&sql, &[reject.into()])? == 0 {
        return Err(already_released_error(reject).into());
    }
    note_event(connection, reject, load, "released", mended)
}

/// Marks a reject as discarded; whether it was open.
pub(in crate::targets) fn discard_reject(
    connection: &dyn SqlConnection,
    reject: RejectId,
    load: LoadId,
    reason: &str,
) -> Result<bool> {
    let sql = format!(
        "UPDATE {} SET state = 'discarded', waiting = 0 WHERE reject_id = ? AND state = 'open'",
        connection.sql_spelling().own_table("rejects")
    );
    if connection.execute_statement(&sql, &[reject.into()])? == 0 {
        return Ok(false);
    }
    note_event(connection, reject, load, "discarded", Some(reason.as_bytes()))?;
    Ok(true)
}

/// Takes rejects out of the quarantine without a trace.
pub(in crate::targets) fn withdraw_rejects(connection: &dyn SqlConnection, rejects: &[RejectId]) -> Result<()> {
    for some in rejects.chunks(REJECTS_PER_STATEMENT) {
        let values: Vec<SqlParameter<'_>> = some.iter().map(|&id| id.into()).collect();
        let marks = vec!["?"; some.len()].join(", ");
        for table in ["reject_parts", "rejects"] {
            let table = connection.sql_spelling().own_table(table);
            connection.execute_statement(&format!("DELETE FROM {table} WHERE reject_id IN ({marks})"), &values)?;
        }
    }
    Ok(())
}

/// Turns deferred rejects into open ones with their errors.
pub(in crate::targets) fn confirm_rejects(
    connection: &dyn SqlConnection,
    rejects: &[(RejectId, Vec<CellError>)],
) -> Result<()> {
    for some in rejects.chunks(REJECTS_PER_STATEMENT) {
        let errors: Vec<String> = some.iter().map(|(_, errors)| errors_json(errors)).collect();
        let case = "WHEN ? THEN ? ".repeat(some.len());
        let marks = vec!["?"; some.len()].join(", ");
        let sql = format!(
            "UPDATE {} SET state = 'open', errors = CASE reject_id {case}END, waiting = CASE reject_id {case}END
             WHERE reject_id IN ({marks})",
            connection.sql_spelling().own_table("rejects")
        );
        let ids = some.iter().map(|(id, _)| SqlParameter::from(*id));
        let mut values: Vec<SqlParameter<'_>> = Vec::with_capacity(some.len() * 5);
        ids.clone().zip(&errors).for_each(|(id, errors)| values.extend([id, errors.as_str().into()]));
        ids.clone().zip(some).for_each(|(id, (_, errors))| values.extend([id, lacks_only_parents(errors).into()]));
        values.extend(ids);
        connection.execute_statement(&sql, &values)?;
    }
    Ok(())
}

/// Notes that a reject failed again, with its errors of now.
pub(in crate::targets) fn retry_failed(
    connection: &dyn SqlConnection,
    reject: RejectId,
    load: LoadId,
    errors: &[CellError],
    mended: Option<&[u8]>,
) -> Result<()> {
    let waiting = mended.is_none() && lacks_only_parents(errors);
    let sql = format!(
        "UPDATE {} SET errors = ?, waiting = ? WHERE reject_id = ? AND state = 'open'",
        connection.sql_spelling().own_table("rejects")
    );
    connection.execute_statement(&sql, &[errors_json(errors).as_str().into(), waiting.into(), reject.into()])?;
    note_event(connection, reject, load, "retried", mended)
}

/// Marks those open rejects of earlier loads as superseded by `load` that `closing` says.
pub(in crate::targets) fn supersede_rejects(
    connection: &dyn SqlConnection,
    load: &LoadEntry,
    closing: ClosingRule,
) -> Result<u64> {
    let spelling = connection.sql_spelling();
    let mut values: Vec<SqlParameter<'_>> =
        vec![load.table.as_str().into(), load.id.into(), load.digest.as_str().into()];
    let which = match closing {
        ClosingRule::SameContent => "source_digest = ?",
        ClosingRule::SameSource => &format!("source_digest <> ? AND {}", spelling.source_is),
        ClosingRule::RolledBack => "source_digest = ? AND state = 'rolled-back'",
    };
    if closing == ClosingRule::SameSource {
        values.extend(spelling.source_values(&load.source));
    }
    // Requests for rows have no digest, and the indexes leave them out.
    let loads = format!(
        "SELECT load_id FROM {} WHERE table_name = ? AND load_id < ? AND {which} AND mode <> 'rows'",
        spelling.own_table("loads")
    );
    // Most often there is none, and the quarantine need not be read.
    let mut any = false;
    connection.query_rows(&format!("{loads} LIMIT 1"), &values, &mut |_| {
        any = true;
        Ok(())
    })?;
    if !any {
        return Ok(0);
    }
    let rejects = spelling.own_table("rejects");
    // Written so that no index of states is of use: SQLite would go through all open rejects, and not through those of the loads.
    let earlier = format!("CASE state WHEN 'open' THEN 1 ELSE 0 END = 1 AND load_id IN ({loads})");
    let note = format!(
        "INSERT INTO {} (reject_id, load_id, action, happened_at)
         SELECT reject_id, ?, '{}', ? FROM {rejects} WHERE {earlier}",
        spelling.own_table("reject_events"),
        closing.action()
    );
    let now = timestamp::now_utc();
    let mut noted: Vec<SqlParameter<'_>> = vec![load.id.into(), now.as_str().into()];
    noted.extend(&values);
    connection.execute_statement(&note, &noted)?;
    let mark = format!("UPDATE {rejects} SET state = 'superseded', waiting = 0 WHERE {earlier}");
    connection.execute_statement(&mark, &values)
}
