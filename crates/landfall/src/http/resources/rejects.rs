//! The quarantine: rejects with every reason, tried again, exported.

use std::io::Write as _;

use axum::http::{HeaderValue, StatusCode, header};
use landfall_core::reject::ErrorCode;
use landfall_engine::{
    Error,
    pipeline::{export_rejects, export_rejects_guarded},
    quarantine::{Reject, RejectEvent, RejectFilter, RejectId, RejectState, ShownReject},
    targets::Target,
};
use serde_json::{Value, json};

use crate::http::{
    call::Call,
    openapi::operation::{
        Operation, PAGE_NOTE, flag_parameter, limit_parameter, number_parameter, query_parameter, schema_reference,
        text_parameter,
    },
    problem::{Outcome, Problem},
    query::QueryParameters,
    resources::loads::one_table,
    route::{Route, WRITE, routes},
    server::spool::{AnswerSpool, PAGE_BYTES, write_error},
    values::respond_json,
};

/// The routes that read the quarantine.
pub(in crate::http) const ROUTES: &[Route] = routes! {
    GET get "/v1/rejects" WRITE, list_rejects, Some(list_rejects_operation);
    GET get "/v1/rejects/groups" WRITE, list_groups, Some(list_groups_operation);
    GET get "/v1/rejects/{reject}" WRITE, show_reject, Some(show_reject_operation);
    GET get "/v1/rejects/{reject}/raw" WRITE, show_raw, Some(show_raw_operation);
    GET get "/v1/tables/{table}/rejects.csv" WRITE, export_table, Some(export_table_operation);
};

const USUAL: u64 = 100;
const MOST: u64 = 1000;
/// Rejects that are counted; where there are more, only that is told. To count millions takes seconds.
const COUNTED: u64 = 100_000;
/// Rejects that are read at once.
const AT_ONCE: u64 = 20;

/// What rejects are asked for by.
const PARAMETERS: [&str; 5] = ["table", "load", "code", "field", "state"];

fn read_filter(call: &Call, query: &mut QueryParameters) -> Outcome<RejectFilter> {
    let table = query.take_value("table")?;
    Ok(RejectFilter {
        table: one_table(call, table)?,
        load: query.take_parsed("load", "the number of a load", |text| text.parse().ok())?,
        code: query.take_parsed("code", "the code of an error, such as type-error", ErrorCode::parse)?,
        field: query.take_value("field")?,
        state: query.take_parsed("state", "open, released, superseded or discarded", RejectState::parse)?,
        ..RejectFilter::default()
    })
}

/// Rejects, by their numbers.
pub(in crate::http) async fn list_rejects(call: Call) -> Outcome {
    let mut query = call.query_parameters()?;
    let limit = query.take_limit(USUAL, MOST)?;
    let after =
        query.take_parsed("after", "the number of a reject", |text| text.parse::<i64>().ok().filter(|id| *id >= 0))?;
    let filter = read_filter(&call, &mut query)?;
    query.refuse_remaining(&[&PARAMETERS[..], &["limit", "after"]].concat())?;
    let page = RejectFilter { after: after.unwrap_or(0).into(), limit: Some(limit), ..filter.clone() };
    let mut out = call.begin_answer();
    let written = call.read(move |target| {
        out.write_all(b"{\"rejects\":[").map_err(write_error)?;
        let next = json!(write_rejects(target, page, limit, &mut out)?);
        let count = target.reject_count(&RejectFilter { limit: Some(COUNTED), ..filter })?;
        let tail = format!("],\"count\":{count},\"count_is_exact\":{},\"next\":{next}}}", count < COUNTED);
        out.write_all(tail.as_bytes()).map_err(write_error)?;
        out.finish_answer()
    });
    let mut response = written.await?.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// Writes at most `limit` rejects as JSON, fewer where they are many bytes; the number after which there may be more.
fn write_rejects(
    target: &dyn Target,
    mut page: RejectFilter,
    limit: u64,
    out: &mut AnswerSpool,
) -> Result<Option<RejectId>, Error> {
    let mut left = limit;
    loop {
        let wanted = left.min(AT_ONCE);
        page.limit = Some(wanted);
        let found = target.find_rejects(&page)?;
        for reject in &found {
            let comma = if left < limit { "," } else { "" };
            write!(out, "{comma}{}", reject_json(reject)).map_err(write_error)?;
            (left, page.after) = (left - 1, reject.id);
        }
        let ends = (found.len() as u64) < wanted;
        if ends || left == 0 || out.length() >= PAGE_BYTES {
            return Ok(Some(page.after).filter(|_| !ends));
        }
    }
}

/// Rejects by cause.
pub(in crate::http) async fn list_groups(call: Call) -> Outcome {
    let mut query = call.query_parameters()?;
    let filter = read_filter(&call, &mut query)?;
    query.refuse_remaining(&PARAMETERS)?;
    let groups = call.read(move |target| target.reject_groups(&filter)).await?;
    Ok(respond_json(StatusCode::OK, &json!({ "groups": groups })))
}

/// One reject, with what was done to it.
pub(in crate::http) async fn show_reject(call: Call) -> Outcome {
    call.query_parameters()?.refuse_remaining(&[])?;
    let id = call.path_number("reject", "reject")?;
    let (reject, events) = call
        .read(move |target| {
            Ok((
                target.find_rejects(&RejectFilter { id: Some(id), any_state: true, ..RejectFilter::default() })?.pop(),
                target.reject_events(id)?,
            ))
        })
        .await?;
    let reject =
        reject.filter(|reject| call.caller.sees_table(&reject.table)).ok_or_else(|| Problem::not_found("reject"))?;
    let mut body = reject_json(&reject);
    body["events"] = events.iter().map(RejectEvent::to_json).collect();
    Ok(respond_json(StatusCode::OK, &body))
}

pub(in crate::http) async fn find_reject(call: &Call, id: RejectId) -> Outcome<Reject> {
    let filter = RejectFilter { id: Some(id), any_state: true, ..RejectFilter::default() };
    let found = call.read(move |target| target.find_rejects(&filter)).await?.pop();
    found.filter(|reject| call.caller.sees_table(&reject.table)).ok_or_else(|| Problem::not_found("reject"))
}

/// The bytes of a reject, as they were sent or stood in the source.
pub(in crate::http) async fn show_raw(call: Call) -> Outcome {
    call.query_parameters()?.refuse_remaining(&[])?;
    let id = call.path_number("reject", "reject")?;
    find_reject(&call, id).await?;
    let mut out = call.begin_answer();
    let written = call.read(move |target| {
        target.read_reject_bytes(id, &mut |part| out.write_all(part).map_err(write_error))?;
        out.finish_answer()
    });
    let mut response = written.await?.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    // To be saved and not shown: a browser must not run what a stranger has sent.
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    Ok(response)
}

/// The open rejects of a table as CSV, in the columns of their source, to be mended and sent back.
pub(in crate::http) async fn export_table(call: Call) -> Outcome {
    let mut query = call.query_parameters()?;
    let filter = filter_within(&call, &mut query)?;
    // Not by itself: the file is to come back, and guarded cells would come back changed.
    let export = if query.take_flag("guard_formulas")? { export_rejects_guarded } else { export_rejects };
    query.refuse_remaining(&["load", "code", "field", "guard_formulas"])?;
    let rules = call.service.rules.clone();
    let mut out = call.begin_answer();
    let written = call.read(move |target| {
        export(target, rules.rules_project(), &filter, &mut out)?;
        out.finish_answer()
    });
    let mut response = written.await?.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"rejects.csv\""));
    Ok(response)
}

pub(in crate::http) fn reject_json(reject: &Reject) -> Value {
    let mut value = json!(ShownReject::from(reject));
    value["reject_id"] = json!(reject.id);
    value["load_id"] = json!(reject.load);
    value["state"] = reject.state.as_str().into();
    value
}

/// Which rejects of one table are meant.
pub(in crate::http) fn filter_within(call: &Call, query: &mut QueryParameters) -> Outcome<RejectFilter> {
    call.named_table()?;
    Ok(RejectFilter {
        table: Some(call.path_part("table").to_owned()),
        load: query.take_parsed("load", "the number of a load", |text| text.parse().ok())?,
        code: query.take_parsed("code", "the code of an error, such as type-error", ErrorCode::parse)?,
        field: query.take_value("field")?,
        ..RejectFilter::default()
    })
}

/// The parameters by which rejects of a table are chosen.
pub(in crate::http) fn reject_parameters() -> [Value; 3] {
    let codes: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    [
        number_parameter("load", "Of this load"),
        query_parameter("code", "With an error of this code", json!({"type": "string", "enum": codes})),
        text_parameter("field", "With an error at this field"),
    ]
}

fn table_and_state() -> [Value; 2] {
    let states = json!({"type": "string", "enum": ["open", "released", "superseded", "discarded"]});
    [text_parameter("table", "Of this table"), query_parameter("state", "In this state", states)]
}

fn list_rejects_operation() -> Operation {
    let after = json!({"type": "integer", "minimum": 0, "maximum": i64::MAX});
    Operation {
        problems: vec![404],
        ..Operation::new("rejects", "Rejects, in the order of their numbers", schema_reference("Rejects"))
    }
    .with_query(table_and_state())
    .with_query([limit_parameter(MOST), query_parameter("after", "Only rejects after this one", after)])
    .with_query(reject_parameters())
    .with_description(PAGE_NOTE)
}

fn list_groups_operation() -> Operation {
    Operation { problems: vec![404], ..Operation::new("rejects", "Rejects by cause", schema_reference("RejectGroups")) }
        .with_query(table_and_state())
        .with_query(reject_parameters())
}

fn show_reject_operation() -> Operation {
    Operation::new("rejects", "A reject, with its history", schema_reference("Reject"))
}

fn show_raw_operation() -> Operation {
    Operation {
        answers: vec![(200, "application/octet-stream", json!({}))],
        ..Operation::new("rejects", "The bytes of a reject, as they are in the source", json!({}))
    }
}

fn export_table_operation() -> Operation {
    let guard = "Put ' before cells that a spreadsheet would run as a formula: such a file cannot be mended";
    Operation {
        answers: vec![(200, "text/csv", json!({"type": "string"}))],
        problems: vec![409],
        ..Operation::new("rejects", "The open rejects of a table, to be mended", json!({}))
    }
    .with_query(reject_parameters())
    .with_query([flag_parameter("guard_formulas", guard)])
}
