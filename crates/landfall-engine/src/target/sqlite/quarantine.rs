//! The quarantine's tables.

use landfall_core::reject::CellError;
use rusqlite::{Connection, Row, Statement, ToSql, named_params, params, types::Type};

use super::{Table, failure::Context as _, ledger::word};
use crate::{
    error::Result,
    ledger::{LoadEntry, LoadId, Mode},
    quarantine::{
        NewReject, RawRecord, Reject, RejectEvent, RejectFilter, RejectGroup, RejectId, RejectState, is_waiting,
    },
    timestamp,
};

const DOING: &str = "cannot read or write the quarantine";

/// Rejects added by one statement.
const REJECTS_PER_STATEMENT: usize = 16;
const COLUMNS: usize = 9;

/// Adds rejects, many with each statement.
pub(super) fn add_all(connection: &Connection, load: LoadId, table: &Table, rejects: &[NewReject]) -> Result<()> {
    let row = "(?, ?, ?, ?, ?, ?, ?, ?, ?, 'open')";
    let sql = format!("{INSERT}{}", vec![row; REJECTS_PER_STATEMENT].join(", "));
    let (groups, rest) = rejects.as_chunks::<REJECTS_PER_STATEMENT>();
    if !groups.is_empty() {
        let mut statement = connection.prepare_cached(&sql).context(|| DOING.into())?;
        for group in groups {
            if group.iter().any(|reject| reject.raw.len() > Reject::RAW_LIMIT as u64) {
                group.iter().try_for_each(|reject| add(connection, load, table, reject).map(drop))?;
                continue;
            }
            bind_all(&mut statement, load, table, group)
                .and_then(|()| statement.raw_execute())
                .context(|| DOING.into())?;
        }
    }
    rest.iter().try_for_each(|reject| add(connection, load, table, reject).map(drop))
}

const INSERT: &str = "INSERT INTO landfall_rejects
    (load_id, table_name, record, line, byte_offset, length, raw, errors, waiting, state) VALUES ";

fn bind_all(statement: &mut Statement<'_>, load: LoadId, table: &Table, rejects: &[NewReject]) -> rusqlite::Result<()> {
    for (at, reject) in rejects.iter().enumerate() {
        let RawRecord::Whole(raw) = &reject.raw else { unreachable!("a long record has more bytes than fit") };
        let first = at * COLUMNS;
        statement.raw_bind_parameter(first + 1, load)?;
        statement.raw_bind_parameter(first + 2, &*table.name)?;
        statement.raw_bind_parameter(first + 3, reject.record)?;
        statement.raw_bind_parameter(first + 4, reject.line)?;
        statement.raw_bind_parameter(first + 5, reject.offset)?;
        statement.raw_bind_parameter(first + 6, raw.len() as u64)?;
        statement.raw_bind_parameter(first + 7, raw.as_slice())?;
        statement.raw_bind_parameter(first + 8, json(&reject.errors))?;
        statement.raw_bind_parameter(first + 9, reject.waiting())?;
    }
    Ok(())
}

/// Adds a reject and returns its number.
pub(super) fn add(connection: &Connection, load: LoadId, table: &Table, reject: &NewReject) -> Result<RejectId> {
    let (raw, length) = match &reject.raw {
        RawRecord::Whole(bytes) => (bytes.as_slice(), bytes.len() as u64),
        RawRecord::Long(length) => (&[][..], *length),
    };
    let head = &raw[..raw.len().min(Reject::RAW_LIMIT)];
    connection
        .prepare_cached(
            "INSERT INTO landfall_rejects (load_id, table_name, record, line, byte_offset, length, raw, errors,
                 waiting, state)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'open')",
        )
        .and_then(|mut statement| {
            statement.execute(params![
                load,
                &*table.name,
                reject.record,
                reject.line,
                reject.offset,
                length,
                head,
                json(&reject.errors),
                reject.waiting()
            ])
        })
        .context(|| DOING.into())?;
    let id = connection.last_insert_rowid();
    for (part, bytes) in (1..).zip(raw[head.len()..].chunks(Reject::RAW_LIMIT)) {
        append_raw(connection, id, part, bytes)?;
    }
    Ok(id)
}

fn json(errors: &[CellError]) -> String {
    let mut text = Vec::with_capacity(256 * errors.len());
    let written = serde_json::to_writer(&mut text, errors).map_err(|error| error.to_string());
    let text = written.and_then(|()| String::from_utf8(text).map_err(|error| error.to_string()));
    text.unwrap_or_else(|error| unreachable!("errors are plain data: {error}"))
}

/// Stores a further part of a raw record; part 0 is its head.
pub(super) fn append_raw(connection: &Connection, reject: RejectId, part: u64, bytes: &[u8]) -> Result<()> {
    let sql = if part == 0 {
        "UPDATE landfall_rejects SET raw = ?3 WHERE reject_id = ?1 AND ?2 = 0"
    } else {
        "INSERT INTO landfall_reject_parts (reject_id, part, bytes) VALUES (?1, ?2, ?3)"
    };
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.execute(params![reject, part, bytes]))
        .map(drop)
        .context(|| DOING.into())
}

/// A named parameter with its value.
type Named = (&'static str, Box<dyn ToSql>);

/// The condition and parameters for `filter`.
fn condition(filter: &RejectFilter) -> (String, Vec<Named>) {
    let mut parts = vec!["r.reject_id > :after".to_owned()];
    let mut values: Vec<Named> = vec![(":after", Box::new(filter.after))];
    let mut also = |part: &str, name: &'static str, value: Box<dyn ToSql>| {
        parts.push(part.to_owned());
        values.push((name, value));
    };
    if !filter.any_state {
        also("r.state = :state", ":state", Box::new(filter.state.unwrap_or_default().as_str()));
    }
    if let Some(id) = filter.id {
        also("r.reject_id = :id", ":id", Box::new(id));
    }
    if let Some(load) = filter.load {
        also("r.load_id = :load", ":load", Box::new(load));
    }
    if let Some(load) = filter.before_load {
        also("r.load_id < :before_load", ":before_load", Box::new(load));
    }
    if let Some(table) = &filter.table {
        also("r.table_name = :table", ":table", Box::new(table.clone()));
    }
    let each = |test: &str| format!("EXISTS (SELECT 1 FROM json_each(r.errors) AS e WHERE {test})");
    match (filter.code, &filter.field) {
        (Some(code), Some(field)) => {
            also(
                &each("e.value ->> 'code' = :code AND e.value ->> 'field' = :field"),
                ":code",
                Box::new(code.as_str()),
            );
            values.push((":field", Box::new(field.clone())));
        }
        (Some(code), None) => also(&each("e.value ->> 'code' = :code"), ":code", Box::new(code.as_str())),
        (None, Some(field)) => also(&each("e.value ->> 'field' = :field"), ":field", Box::new(field.clone())),
        (None, None) => {}
    }
    if filter.waiting {
        // All or nothing: no row of a load that was rolled back comes in by itself later.
        parts.push("r.waiting = 1".into());
        parts.push("NOT EXISTS (SELECT 1 FROM landfall_loads AS own WHERE own.load_id = r.load_id AND own.state = 'rolled-back')".into());
    }
    (parts.join(" AND "), values)
}

fn borrowed(values: &[Named]) -> Vec<(&'static str, &dyn ToSql)> {
    values.iter().map(|(name, value)| (*name, value.as_ref() as &dyn ToSql)).collect()
}

fn is_there(connection: &Connection) -> Result<bool> {
    super::rows::has_table(connection, "landfall_rejects")
}

/// The rejects that `filter` wants.
pub(super) fn rejects(connection: &Connection, filter: &RejectFilter) -> Result<Vec<Reject>> {
    if !is_there(connection)? {
        return Ok(Vec::new());
    }
    let (condition, values) = condition(filter);
    let limit = filter.limit.map_or(String::new(), |limit| format!(" LIMIT {limit}"));
    let sql = format!(
        "SELECT r.reject_id, r.load_id, r.table_name, l.source, r.record, r.line, r.byte_offset, r.length, r.raw,
                r.errors, r.state
         FROM landfall_rejects AS r JOIN landfall_loads AS l ON l.load_id = r.load_id
         WHERE {condition} ORDER BY r.reject_id{limit}"
    );
    let mut statement = connection.prepare_cached(&sql).context(|| DOING.into())?;
    let rows = statement.query_map(&*borrowed(&values), reject).context(|| DOING.into())?;
    rows.collect::<rusqlite::Result<_>>().context(|| DOING.into())
}

fn reject(row: &Row<'_>) -> rusqlite::Result<Reject> {
    let errors: String = row.get(9)?;
    Ok(Reject {
        id: row.get(0)?,
        load: row.get(1)?,
        table: row.get(2)?,
        source: row.get(3)?,
        record: row.get(4)?,
        line: row.get(5)?,
        offset: row.get(6)?,
        length: row.get(7)?,
        raw: row.get(8)?,
        errors: serde_json::from_str(&errors)
            .map_err(|error| rusqlite::Error::FromSqlConversionFailure(9, Type::Text, error.into()))?,
        state: word(row, 10, RejectState::parse)?,
    })
}

/// The number of rejects that `filter` wants.
pub(super) fn count(connection: &Connection, filter: &RejectFilter) -> Result<u64> {
    if !is_there(connection)? {
        return Ok(0);
    }
    let (condition, values) = condition(filter);
    connection
        .query_row(
            &format!("SELECT count(*) FROM landfall_rejects AS r WHERE {condition}"),
            &*borrowed(&values),
            |row| row.get(0),
        )
        .context(|| DOING.into())
}

/// The rejects that `filter` wants, by cause.
pub(super) fn groups(connection: &Connection, filter: &RejectFilter) -> Result<Vec<RejectGroup>> {
    if !is_there(connection)? {
        return Ok(Vec::new());
    }
    let (condition, values) = condition(filter);
    let sql = format!(
        "SELECT r.table_name, g.value ->> 'code' AS code, g.value ->> 'field' AS field,
                count(DISTINCT r.reject_id) AS n, min(g.value ->> 'value')
         FROM landfall_rejects AS r, json_each(r.errors) AS g
         WHERE {condition} GROUP BY 1, 2, 3 ORDER BY n DESC, 1, 2, 3"
    );
    let mut statement = connection.prepare_cached(&sql).context(|| DOING.into())?;
    let rows = statement
        .query_map(&*borrowed(&values), |row| {
            Ok(RejectGroup {
                table: row.get(0)?,
                code: row.get(1)?,
                field: row.get(2)?,
                count: row.get(3)?,
                example: row.get(4)?,
            })
        })
        .context(|| DOING.into())?;
    rows.collect::<rusqlite::Result<_>>().context(|| DOING.into())
}

/// All bytes of a reject.
pub(super) fn raw(connection: &Connection, reject: RejectId, visit: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut statement = connection
        .prepare_cached(
            "SELECT raw FROM (
                 SELECT 0 AS part, raw FROM landfall_rejects WHERE reject_id = ?1
                 UNION ALL SELECT part, bytes FROM landfall_reject_parts WHERE reject_id = ?1
             ) ORDER BY part",
        )
        .context(|| DOING.into())?;
    let mut rows = statement.query([reject]).context(|| DOING.into())?;
    while let Some(row) = rows.next().context(|| DOING.into())? {
        let bytes: Vec<u8> = row.get(0).context(|| DOING.into())?;
        visit(&bytes)?;
    }
    Ok(())
}

/// What was done to a reject.
pub(super) fn events(connection: &Connection, reject: RejectId) -> Result<Vec<RejectEvent>> {
    if !is_there(connection)? {
        return Ok(Vec::new());
    }
    let mut statement = connection
        .prepare_cached(
            "SELECT reject_id, load_id, action, mended, happened_at FROM landfall_reject_events
             WHERE reject_id = ? ORDER BY event_id",
        )
        .context(|| DOING.into())?;
    let rows = statement
        .query_map([reject], |row| {
            Ok(RejectEvent {
                reject: row.get(0)?,
                load: row.get(1)?,
                action: row.get(2)?,
                mended: row.get(3)?,
                at: row.get(4)?,
            })
        })
        .context(|| DOING.into())?;
    rows.collect::<rusqlite::Result<_>>().context(|| DOING.into())
}

fn note(connection: &Connection, reject: RejectId, load: LoadId, action: &str, mended: Option<&[u8]>) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO landfall_reject_events (reject_id, load_id, action, mended, happened_at)
             VALUES (?, ?, ?, ?, ?)",
        )
        .and_then(|mut statement| statement.execute(params![reject, load, action, mended, timestamp::now()]))
        .map(drop)
        .context(|| DOING.into())
}

/// Marks a reject as released.
pub(super) fn release(connection: &Connection, reject: RejectId, load: LoadId, mended: Option<&[u8]>) -> Result<()> {
    connection
        .prepare_cached("UPDATE landfall_rejects SET state = 'released', waiting = 0 WHERE reject_id = ?")
        .and_then(|mut statement| statement.execute([reject]))
        .context(|| DOING.into())?;
    note(connection, reject, load, "released", mended)
}

/// Takes a reject out of the quarantine without a trace.
pub(super) fn withdraw(connection: &Connection, reject: RejectId) -> Result<()> {
    for table in ["landfall_reject_parts", "landfall_rejects"] {
        connection
            .prepare_cached(&format!("DELETE FROM {table} WHERE reject_id = ?"))
            .and_then(|mut statement| statement.execute([reject]))
            .context(|| DOING.into())?;
    }
    Ok(())
}

/// Notes that a reject failed again, with its errors of now.
pub(super) fn retry_failed(
    connection: &Connection,
    reject: RejectId,
    load: LoadId,
    errors: &[CellError],
    mended: Option<&[u8]>,
) -> Result<()> {
    let waiting = mended.is_none() && is_waiting(errors);
    connection
        .prepare_cached("UPDATE landfall_rejects SET errors = ?, waiting = ? WHERE reject_id = ?")
        .and_then(|mut statement| statement.execute(params![json(errors), waiting, reject]))
        .context(|| DOING.into())?;
    note(connection, reject, load, "retried", mended)
}

/// Marks open rejects of earlier loads as superseded: those of the same content, and of a replace all of its table.
pub(super) fn supersede(connection: &Connection, load: &LoadEntry) -> Result<u64> {
    let same = if load.mode == Mode::Replace { "" } else { "AND source_digest = :digest" };
    let loads = format!(
        "SELECT load_id FROM landfall_loads
         WHERE table_name = :table AND load_id < :id AND :digest IS NOT NULL {same}"
    );
    let values = named_params! { ":table": load.table, ":digest": load.digest, ":id": load.id };
    // Most often there is none, and the quarantine need not be read.
    if !connection.prepare(&loads).and_then(|mut statement| statement.exists(values)).context(|| DOING.into())? {
        return Ok(0);
    }
    let earlier = format!("state = 'open' AND load_id IN ({loads})");
    let note = format!(
        "INSERT INTO landfall_reject_events (reject_id, load_id, action, happened_at)
         SELECT reject_id, :id, 'superseded', :now FROM landfall_rejects WHERE {earlier}"
    );
    let mark = format!("UPDATE landfall_rejects SET state = 'superseded', waiting = 0 WHERE {earlier}");
    let now = timestamp::now();
    let noted = named_params! { ":table": load.table, ":digest": load.digest, ":id": load.id, ":now": now };
    connection
        .execute(&note, noted)
        .and_then(|_| connection.execute(&mark, values))
        .map(|count| count as u64)
        .context(|| DOING.into())
}
