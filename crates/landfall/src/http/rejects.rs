//! The quarantine: rejects with every reason, tried again, exported.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use landfall_core::reject::ErrorCode;
use landfall_engine::{
    Error,
    pipeline::{LoadOutcome, Retry, Silent, retry},
    quarantine::{Reject, RejectEvent, RejectFilter, RejectState, as_record, export as export_rejects},
};
use serde_json::{Value, json};

use super::{
    call::Call,
    loads::one_table,
    problem::{Kind, Outcome, Problem},
    query::Query,
    values::respond,
};

const USUAL: u64 = 100;
const MOST: u64 = 1000;

/// What rejects are asked for by.
const PARAMETERS: [&str; 5] = ["table", "load", "code", "field", "state"];

fn filter(call: &Call, query: &mut Query) -> Outcome<RejectFilter> {
    let table = query.take("table")?;
    Ok(RejectFilter {
        table: one_table(call, table)?,
        load: query.parsed("load", "the number of a load", |text| text.parse().ok().filter(|id| *id > 0))?,
        code: query.parsed("code", "the code of an error, such as type-error", ErrorCode::parse)?,
        field: query.take("field")?,
        state: query.parsed("state", "open, released or superseded", RejectState::parse)?,
        ..RejectFilter::default()
    })
}

/// Rejects, by their numbers.
pub(super) async fn list(call: Call) -> Outcome {
    let mut query = call.query()?;
    let limit = query.limit(USUAL, MOST)?;
    let after = query.parsed("after", "the number of a reject", |text| text.parse().ok().filter(|id| *id >= 0))?;
    let filter = filter(&call, &mut query)?;
    query.finish(&[&PARAMETERS[..], &["limit", "after"]].concat())?;
    let page = RejectFilter { after: after.unwrap_or(0), limit: Some(limit), ..filter.clone() };
    let (found, count) =
        call.service.desk.read(move |target| Ok((target.rejects(&page)?, target.reject_count(&filter)?))).await?;
    let next = found.last().filter(|_| found.len() as u64 == limit).map(|reject| reject.id);
    let rejects: Vec<Value> = found.iter().map(of_reject).collect();
    Ok(respond(StatusCode::OK, &json!({"rejects": rejects, "count": count, "next": next})))
}

/// Rejects by cause.
pub(super) async fn groups(call: Call) -> Outcome {
    let mut query = call.query()?;
    let filter = filter(&call, &mut query)?;
    query.finish(&PARAMETERS)?;
    let groups = call.service.desk.read(move |target| target.reject_groups(&filter)).await?;
    Ok(respond(StatusCode::OK, &json!({ "groups": groups })))
}

/// One reject, with what was done to it.
pub(super) async fn one(call: Call) -> Outcome {
    call.query()?.finish(&[])?;
    let id = call.number("reject", "reject")?;
    let (reject, events) = call
        .service
        .desk
        .read(move |target| {
            Ok((
                target.rejects(&RejectFilter { id: Some(id), any_state: true, ..RejectFilter::default() })?.pop(),
                target.reject_events(id)?,
            ))
        })
        .await?;
    let reject =
        reject.filter(|reject| call.caller.sees_table(&reject.table)).ok_or_else(|| Problem::not_found("reject"))?;
    let mut body = of_reject(&reject);
    body["events"] = events.iter().map(of_event).collect();
    Ok(respond(StatusCode::OK, &body))
}

async fn found(call: &Call, id: i64) -> Outcome<Reject> {
    let filter = RejectFilter { id: Some(id), any_state: true, ..RejectFilter::default() };
    let found = call.service.desk.read(move |target| target.rejects(&filter)).await?.pop();
    found.filter(|reject| call.caller.sees_table(&reject.table)).ok_or_else(|| Problem::not_found("reject"))
}

/// The bytes of a reject, as they were sent or stood in the source.
pub(super) async fn raw(call: Call) -> Outcome {
    call.query()?.finish(&[])?;
    let id = call.number("reject", "reject")?;
    found(&call, id).await?;
    let bytes = call.service.desk.read(move |target| {
        let mut bytes = Vec::new();
        target.reject_raw(id, &mut |part| {
            bytes.extend_from_slice(part);
            Ok(())
        })?;
        Ok(bytes)
    });
    let mut response = Response::new(Body::from(bytes.await?));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    Ok(response)
}

/// Tries one reject again.
pub(super) async fn retry_one(call: Call) -> Outcome {
    call.query()?.finish(&[])?;
    let id = call.number("reject", "reject")?;
    let reject = found(&call, id).await?;
    if reject.state != RejectState::Open {
        return Err(Problem::new(Kind::CONFLICT, "the reject has left the quarantine"));
    }
    retried(call, RejectFilter { id: Some(id), ..RejectFilter::default() }).await
}

/// Tries the rejects of a table again.
pub(super) async fn retry_table(call: Call) -> Outcome {
    call.table()?;
    let mut query = call.query()?;
    let filter = RejectFilter { table: Some(call.part("table").to_owned()), ..filter_within(&mut query)? };
    query.finish(&["load", "code", "field"])?;
    retried(call, filter).await
}

fn filter_within(query: &mut Query) -> Outcome<RejectFilter> {
    Ok(RejectFilter {
        load: query.parsed("load", "the number of a load", |text| text.parse().ok().filter(|id| *id > 0))?,
        code: query.parsed("code", "the code of an error, such as type-error", ErrorCode::parse)?,
        field: query.take("field")?,
        ..RejectFilter::default()
    })
}

async fn retried(mut call: Call, filter: RejectFilter) -> Outcome {
    if call.header("idempotency-key")?.is_some() {
        return Err(Problem::new(
            Kind::BAD_HEADER,
            "an Idempotency-Key is for rows; trying rejects again doubles nothing",
        ));
    }
    if !call.body(0).await?.bytes.is_empty() {
        return Err(Problem::new(Kind::WRONG_SHAPE, "rejects are tried as they are; no body is taken here"));
    }
    let rules = call.service.rules.clone();
    let outcomes =
        call.service.desk.write(move |target| retry(target, rules.project(), &Retry::Quarantine(filter), &Silent));
    let loads: Vec<Value> =
        outcomes.await?.iter().filter(|outcome| call.caller.sees_table(&outcome.table)).map(of_outcome).collect();
    Ok(respond(StatusCode::OK, &json!({ "loads": loads })))
}

/// The open rejects of a table as CSV, in the columns of their source, to be mended and sent back.
pub(super) async fn export(call: Call) -> Outcome {
    call.table()?;
    let mut query = call.query()?;
    let filter = RejectFilter { table: Some(call.part("table").to_owned()), ..filter_within(&mut query)? };
    query.finish(&["load", "code", "field"])?;
    let rules = call.service.rules.clone();
    let written = call.service.desk.read(move |target| {
        let mut out = Vec::new();
        match export_rejects(target, rules.project(), &filter, &mut out) {
            Ok(_) => Ok(Ok(out)),
            Err(Error::Usage(words)) => Ok(Err(words)),
            Err(error) => Err(error),
        }
    });
    let mixed = |words| {
        tracing::debug!(words, "rejects cannot be exported together");
        let detail = "these rejects do not have the same columns (rows of JSON and of CSV, or files with other headers); choose one load \
                      with ?load=NUMBER";
        Problem::new(Kind::CONFLICT, detail)
    };
    let bytes = written.await?.map_err(mixed)?;
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"rejects.csv\""));
    Ok(response)
}

fn of_reject(reject: &Reject) -> Value {
    let mut value = json!(as_record(reject));
    value["reject_id"] = reject.id.into();
    value["load_id"] = reject.load.into();
    value["state"] = reject.state.as_str().into();
    value
}

fn of_event(event: &RejectEvent) -> Value {
    json!({"action": event.action, "load_id": event.load, "at": event.at})
}

fn of_outcome(outcome: &LoadOutcome) -> Value {
    json!({
        "load_id": outcome.load_id, "table": outcome.table, "read": outcome.counts.read,
        "inserted": outcome.counts.inserted, "updated": outcome.counts.updated,
        "unchanged": outcome.counts.unchanged, "rejected": outcome.counts.rejected, "reasons": outcome.reasons,
    })
}
