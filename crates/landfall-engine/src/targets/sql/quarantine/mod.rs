//! The quarantine's tables: rejects are added here, [found](find) and [changed](change).

mod change;
mod find;

use landfall_core::reject::CellError;

pub(in crate::targets) use change::{
    confirm_rejects, discard_reject, release_reject, retry_failed, supersede_rejects, withdraw_rejects,
};
pub(in crate::targets) use find::{
    count_rejects, find_rejects, group_rejects, list_events, open_bytes, read_reject_bytes,
};

use super::{SqlConnection, SqlParameter};
use crate::{
    error::Result,
    ledger::LoadId,
    quarantine::{NewReject, Reject, RejectId},
    targets::Table,
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
