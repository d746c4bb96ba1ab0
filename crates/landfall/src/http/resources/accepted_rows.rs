//! Rows that are taken later: `Prefer: respond-async` (RFC 7240).

use std::time::Duration;

use axum::{body::Body, http::HeaderValue};
use landfall_engine::{
    job::NewJob,
    jobs::{Job as _, TakeRows},
    pipeline::RowBatch,
};
use serde_json::json;

use crate::http::{
    call::Call,
    once::InFlight,
    problem::Outcome,
    resources::rows::RequestName,
    resources::tasks::accept_upload,
    uploads::{IfEmpty, IncomingFile},
};

/// Whether the client does not want to wait.
pub(in crate::http) fn is_preferred(call: &Call) -> bool {
    let preferences = call.headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    preferences.flat_map(|value| value.split([',', ';'])).any(|one| one.trim().eq_ignore_ascii_case("respond-async"))
}

/// Stores a body whose rows have been looked at, to be taken as a task.
pub(in crate::http) async fn accept_rows(
    call: &Call,
    key: Option<(RequestName, InFlight)>,
    batches: &[RowBatch],
    work: TakeRows,
    bytes: Vec<u8>,
) -> Outcome {
    let rules = &call.service.rules;
    // Known already, since the rows were read: who may see the task depends on it.
    let names = batches.iter().map(|batch| rules.table_at(batch.position()).name.to_string()).collect();
    let mut job = NewJob::new(TakeRows::KIND, names, json!(work))?;
    let (body, pause) = (IncomingFile::Body(Body::from(bytes)), call.service.pause());
    job.id = call.service.jobs.uploads.receive_upload(job.id, body, pause, IfEmpty::Store).await?.id;
    let mut response = accept_upload(call, job, key, Duration::ZERO).await?;
    response.headers_mut().insert("preference-applied", HeaderValue::from_static("respond-async"));
    Ok(response)
}
