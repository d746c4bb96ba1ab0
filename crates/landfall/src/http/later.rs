//! Rows that are taken later: `Prefer: respond-async` (RFC 7240).

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode},
};
use landfall_engine::{
    ledger::OnConflict,
    pipeline::{RowBatch, RowsAnswer, RowsForm, RowsReply, quarantine_full, read_rows},
    task::Task,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    call::Call,
    once::InFlight,
    problem::{Kind, Outcome, Problem},
    rows::{Asked, RequestName},
    service::Service,
    tasks::accept,
    uploads::Incoming,
};

/// What a task of this kind is called.
pub(super) const KIND: &str = "rows";

/// What is to be done with rows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RowsWork {
    /// The table; none where the body names several.
    pub(super) table: Option<String>,
    pub(super) form: RowsForm,
    pub(super) on_conflict: OnConflict,
    pub(super) atomic: bool,
    pub(super) dry_run: bool,
    /// Bytes of the body.
    pub(super) bytes: usize,
}

/// Whether the client does not want to wait.
pub(super) fn is_preferred(call: &Call) -> bool {
    let preferences = call.headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    preferences.flat_map(|value| value.split([',', ';'])).any(|one| one.trim().eq_ignore_ascii_case("respond-async"))
}

/// Stores a body whose rows have been looked at, to be taken as a task.
pub(super) async fn accept_rows(
    call: &Call,
    key: Option<(RequestName, InFlight)>,
    batches: &[RowBatch],
    work: RowsWork,
    bytes: Vec<u8>,
) -> Outcome {
    let tables = call.service.rules.rules_tables();
    let names = batches.iter().map(|batch| tables[batch.position()].name.to_string()).collect();
    let task = Task::new(KIND, names, json!(work))?;
    let uploads = call.service.tasks.uploads.clone();
    let upload = uploads.receive(task.id.clone(), Incoming::Body(Body::from(bytes)), call.service.pause()).await?;
    let mut response = accept(call, task, upload, key, Duration::ZERO).await?;
    response.headers_mut().insert("preference-applied", HeaderValue::from_static("respond-async"));
    Ok(response)
}

/// Takes the rows of the task `id`; the status and body that the request would have been answered with. The answer is kept with
/// the rows, so that the task has one effect, however often it is begun.
pub(super) async fn take(
    service: &Arc<Service>,
    id: &str,
    work: &RowsWork,
    bytes: Vec<u8>,
) -> Outcome<(StatusCode, Value)> {
    let rules = &service.rules;
    let position_of = |name: &str| rules.rules_tables().iter().position(|table| *table.name == *name);
    let table = match &work.table {
        Some(name) => Some(position_of(name).ok_or_else(|| Problem::not_found("table"))?),
        None => None,
    };
    let batches = read_rows(rules, table, work.form, bytes, usize::MAX, &position_of)?;
    let asked = Asked { on_conflict: work.on_conflict, atomic: work.atomic, dry_run: work.dry_run };
    let name = blake3::hash(format!("task\0{id}").as_bytes()).to_hex().to_string();
    let key = RequestName { digest: name.clone(), name };
    let request = asked.request(batches, Some(key), table.is_some());
    let reply = match service.desk.take(request).await? {
        RowsAnswer::Done(outcome) => {
            if !work.dry_run {
                service.metrics.rows(&outcome);
            }
            RowsReply::new(&outcome, table.is_some(), work.dry_run)
        }
        RowsAnswer::Repeated(stored) => {
            RowsReply::parse(&stored).unwrap_or_else(|| RowsReply { status: 500, body: Value::Null })
        }
        RowsAnswer::QuarantineFull => return Err(quarantine_full().into()),
        RowsAnswer::OtherRequest => return Err(Problem::new(Kind::INTERNAL, "another task has this name")),
    };
    Ok((StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), reply.body))
}
