//! `/v1/loads`: the ledger.

use axum::http::StatusCode;
use landfall_engine::ledger::{LoadEntry, LoadFilter, LoadState};
use serde_json::{Value, json};

use crate::http::{
    call::Call,
    openapi::operation::{
        Operation, limit_parameter, number_parameter, query_parameter, schema_reference, text_parameter,
    },
    problem::{Outcome, Problem},
    route::{EITHER, Route, routes},
    values::respond_json,
};

/// The routes of the ledger.
pub(in crate::http) const ROUTES: &[Route] = routes! {
    GET get "/v1/loads" EITHER, list_loads, Some(list_loads_operation);
    GET get "/v1/loads/{load}" EITHER, show_load, Some(show_load_operation);
};

const USUAL: u64 = 100;
const MOST: u64 = 1000;

/// The loads that the caller may see, the newest first.
pub(in crate::http) async fn list_loads(call: Call) -> Outcome {
    let mut query = call.query_parameters()?;
    let number = "the number of a load";
    let table = query.take_value("table")?;
    let limit = query.take_limit(USUAL, MOST)?;
    let filter = LoadFilter {
        table: Some(one_table(&call, table)?).flatten(),
        state: query.take_parsed("state", "the state of a load, such as complete", LoadState::parse)?,
        rows: query.take_parsed("source", "rows or files", |text| match text {
            "rows" => Some(true),
            "files" => Some(false),
            _ => None,
        })?,
        before: query.take_parsed("before", number, |text| text.parse().ok())?,
        newest_first: true,
        limit: Some(limit),
        ..LoadFilter::default()
    };
    query.refuse_remaining(&["table", "state", "source", "before", "limit"])?;
    let found = call.read(move |target| target.find_loads(&filter)).await?;
    // A full page names a next one, which may turn out to be empty.
    let next = found.last().filter(|_| found.len() as u64 == limit).map(|entry| entry.id);
    let loads: Vec<Value> = found.iter().map(LoadEntry::to_json).collect();
    Ok(respond_json(StatusCode::OK, &json!({"loads": loads, "next": next})))
}

/// One load.
pub(in crate::http) async fn show_load(call: Call) -> Outcome {
    call.query_parameters()?.refuse_remaining(&[])?;
    let filter = LoadFilter { id: Some(call.path_number("load", "load")?), ..LoadFilter::default() };
    let found = call.read(move |target| target.find_loads(&filter)).await?;
    let entry = found.first().filter(|entry| call.caller.sees_table(&entry.table));
    let entry = entry.ok_or_else(|| Problem::not_found("load"))?;
    Ok(respond_json(StatusCode::OK, &entry.to_json()))
}

/// The table that is asked for. A caller that is limited to some must name one of them.
pub(in crate::http) fn one_table(call: &Call, named: Option<String>) -> Outcome<Option<String>> {
    match named {
        Some(name) => {
            call.table_called(&name)?;
            Ok(Some(name))
        }
        None if call.caller.is_unlimited() => Ok(None),
        None => Err(Problem::wrong_parameter("this token is limited to some tables; name one with table=")),
    }
}

fn list_loads_operation() -> Operation {
    let states =
        [LoadState::Running, LoadState::Complete, LoadState::Stopped, LoadState::RolledBack, LoadState::Abandoned];
    let states = states.map(LoadState::as_str);
    let sources = json!({"type": "string", "enum": ["rows", "files"]});
    Operation {
        problems: vec![404],
        ..Operation::new("loads", "The ledger, the newest load first", schema_reference("Loads"))
    }
    .with_query([
        text_parameter("table", "Of this table"),
        query_parameter("state", "In this state", json!({"type": "string", "enum": states})),
        query_parameter("source", "Of rows that were sent, or of files", sources),
        number_parameter("before", "Only loads before this one: `next` of the page before"),
        limit_parameter(MOST),
    ])
}

fn show_load_operation() -> Operation {
    Operation::new("loads", "A load", schema_reference("Load"))
}
