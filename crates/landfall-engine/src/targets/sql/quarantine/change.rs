//! Rejects change their state, and an event says what was done.

use landfall_core::reject::CellError;

use super::{
    super::{SqlConnection, SqlParameter},
    errors_json,
};
use crate::{
    error::Result,
    ledger::{LoadEntry, LoadId},
    quarantine::{ClosingRule, RejectId, lacks_only_parents},
    targets::already_released_error,
    timestamp,
};

/// Rejects marked or taken out by one statement.
const REJECTS_PER_STATEMENT: usize = 500;

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
