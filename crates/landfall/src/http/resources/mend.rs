//! Rejects that are tried again, mended, or given up.

use std::{collections::BTreeMap, io::Write as _};

use axum::{http::StatusCode, response::Response};
use landfall_engine::{
    Error, OptionStyle,
    pipeline::{LoadOutcome, MendedFilePath, RetrySelection, SilentObserver, discard_with, retry_with},
    quarantine::{RejectFilter, RejectId, RejectState},
    targets::TargetRead,
};
use serde_json::{Value, json, value::RawValue};

use crate::http::{
    call::Call,
    once::{document_of_answer, once_within, unless_overtaken},
    openapi::operation::{Operation, flag_parameter, schema_reference},
    problem::{Outcome, Problem, ProblemKind},
    resources::rejects::reject_parameters,
    resources::rejects::{filter_within, find_reject, reject_json},
    resources::rows::RequestName,
    route::{ADMIN, Route, WRITE, routes},
    server::body::{media_type, refuse_other_encodings},
    values::{respond_json, respond_text},
};

/// The routes that change rejects.
pub(in crate::http) const ROUTES: &[Route] = routes! {
    POST post "/v1/rejects/{reject}/retry" WRITE, retry_one, Some(retry_one_operation);
    POST post "/v1/tables/{table}/rejects/retry" WRITE, retry_table, Some(retry_table_operation);
    PATCH patch "/v1/rejects/{reject}" WRITE, correct_one, Some(correct_one_operation);
    POST post "/v1/rejects/{reject}/discard" ADMIN, discard_one, Some(discard_one_operation);
    POST post "/v1/tables/{table}/rejects/discard" ADMIN, discard_table, Some(discard_table_operation);
    POST post "/v1/tables/{table}/rejects.csv" WRITE, import_rejects, Some(import_rejects_operation);
};

/// The most characters of a reason.
const REASON: usize = 1000;
/// The most bytes of a body that corrects a reject or gives it up.
const SMALL: usize = 1 << 20;

/// The open reject that the path names.
async fn open(call: &Call) -> Outcome<RejectId> {
    let id = call.path_number("reject", "reject")?;
    match find_reject(call, id).await?.state {
        RejectState::Open => Ok(id),
        _ => Err(Problem::new(ProblemKind::CONFLICT, "the reject has left the quarantine")),
    }
}

/// Tries one reject again.
pub(in crate::http) async fn retry_one(mut call: Call) -> Outcome {
    call.query_parameters()?.refuse_remaining(&[])?;
    let id = call.path_number("reject", "reject")?;
    find_reject(&call, id).await?;
    refuse_body(&mut call).await?;
    once_within(&call, b"", async |key| {
        // In here: a retry that is sent again must get its answer, and not hear that the reject has left.
        let id = open(&call).await?;
        retry_filter(&call, RejectFilter { id: Some(id), ..RejectFilter::default() }, key).await
    })
    .await
}

/// Tries the rejects of a table again.
pub(in crate::http) async fn retry_table(mut call: Call) -> Outcome {
    let mut query = call.query_parameters()?;
    let filter = filter_within(&call, &mut query)?;
    query.refuse_remaining(&["load", "code", "field"])?;
    refuse_body(&mut call).await?;
    once_within(&call, b"", async |key| retry_filter(&call, filter, key).await).await
}

async fn retry_filter(call: &Call, filter: RejectFilter, key: Option<RequestName>) -> Outcome<Option<Response>> {
    try_again(call, RetrySelection::Quarantine(filter), key, |_, loads| Ok((StatusCode::OK, json!({ "loads": loads }))))
        .await
}

async fn refuse_body(call: &mut Call) -> Outcome<()> {
    if call.read_body(0).await?.bytes.is_empty() {
        return Ok(());
    }
    Err(Problem::new(ProblemKind::WRONG_SHAPE, "rejects are tried as they are; no body is taken here"))
}

/// Tries rejects again, and counts what became of them. The answer, which `answer` makes of the loads as they are told, is kept under `key`
/// in the transaction of the retry; none where an answer was there before.
async fn try_again(
    call: &Call,
    what: RetrySelection,
    key: Option<RequestName>,
    answer: impl Fn(&dyn TargetRead, Vec<Value>) -> landfall_engine::Result<(StatusCode, Value)> + Send + 'static,
) -> Outcome<Option<Response>> {
    let (rules, caller) = (call.service.rules.clone(), call.caller.clone());
    let tried = call.service.desk.write(move |target| {
        let mut told = (StatusCode::OK, String::new());
        let mut write = |read: &dyn TargetRead, outcomes: &[LoadOutcome]| {
            let seen = outcomes.iter().filter(|outcome| caller.sees_table(&outcome.table));
            let (status, body) = answer(read, seen.map(outcome_json).collect())?;
            told = (status, body.to_string());
            Ok(key.clone().map(|key| document_of_answer(key, status, &told.1)))
        };
        match retry_with(target, rules.rules_project(), &what, &SilentObserver, &mut write) {
            Err(Error::Usage(reason) | Error::Source { reason, .. }) => Ok(Some(Err(reason))),
            outcomes => Ok(unless_overtaken(outcomes)?.map(|outcomes| Ok((outcomes, told)))),
        }
    });
    let Some(tried) = tried.await? else { return Ok(None) };
    let (outcomes, (status, body)) = tried.map_err(|reason| Problem::new(ProblemKind::WRONG_SHAPE, reason))?;
    // After the commit: what was undone counts for nothing.
    outcomes.iter().for_each(|outcome| call.service.metrics.count_load(outcome));
    Ok(Some(respond_text(status, body)))
}

fn outcome_json(outcome: &LoadOutcome) -> Value {
    let mut value = outcome.counts.append_to(json!({"load_id": outcome.load_id.to_stored(), "table": outcome.table}));
    value["reasons"] = json!(outcome.reasons);
    value
}

/// Tries one reject with other values for some of its fields.
pub(in crate::http) async fn correct_one(mut call: Call) -> Outcome {
    call.query_parameters()?.refuse_remaining(&[])?;
    let id = call.path_number("reject", "reject")?;
    find_reject(&call, id).await?;
    let (members, body) = read_object(&mut call).await?;
    if members.is_empty() {
        return Err(Problem::new(
            ProblemKind::WRONG_SHAPE,
            "there is no field in the body; send those that are to be changed",
        ));
    }
    let values = members.into_iter().map(|(name, raw)| (name, to_cell(&raw))).collect();
    once_within(&call, &body, async |key| correct_reject(&call, id, values, key).await).await
}

async fn correct_reject(
    call: &Call,
    id: RejectId,
    values: Vec<(String, Option<String>)>,
    key: Option<RequestName>,
) -> Outcome<Option<Response>> {
    open(call).await?;
    try_again(call, RetrySelection::Corrected(id, values), key, move |read, loads| {
        let filter = RejectFilter { id: Some(id), any_state: true, ..RejectFilter::default() };
        let reject = read.find_rejects(&filter)?.pop();
        let status = match reject.as_ref().map(|reject| reject.state) {
            Some(RejectState::Released) => StatusCode::OK,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Ok((status, json!({"reject": reject.as_ref().map(reject_json), "loads": loads})))
    })
    .await
}

/// The members of the JSON object that the body is, each as it is written, and the body.
async fn read_object(call: &mut Call) -> Outcome<(BTreeMap<String, Box<RawValue>>, Vec<u8>)> {
    refuse_other_encodings(&call.headers)?;
    let kind = media_type(&call.headers);
    if kind.is_some_and(|kind| kind != "application/json" && kind != "application/merge-patch+json") {
        return Err(Problem::new(ProblemKind::UNSUPPORTED_MEDIA, "a JSON object is expected here"));
    }
    let body = call.read_body(SMALL).await?.bytes;
    // A byte order mark is ignored, as in rows.
    let json = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&body);
    let members = serde_json::from_slice(json).map_err(|error| {
        if error.is_data() {
            return Problem::new(ProblemKind::WRONG_SHAPE, "a JSON object is expected here");
        }
        Problem::new(ProblemKind::NOT_JSON, format!("the body is not JSON: {error}"))
    })?;
    Ok((members, body))
}

/// A value as it would stand in a source; none for a missing one. Numbers keep their digits.
fn to_cell(raw: &RawValue) -> Option<String> {
    match serde_json::from_str(raw.get()) {
        Ok(Value::Null) => None,
        Ok(Value::String(text)) => Some(text),
        // As it was sent: a number that passes through a float may lose digits.
        _ => Some(raw.get().to_owned()),
    }
}

/// Gives one reject up.
pub(in crate::http) async fn discard_one(mut call: Call) -> Outcome {
    call.query_parameters()?.refuse_remaining(&[])?;
    let id = call.path_number("reject", "reject")?;
    find_reject(&call, id).await?;
    let (reason, body) = read_reason(&mut call).await?;
    once_within(&call, &body, async |key| {
        // In here, as for a retry.
        let id = open(&call).await?;
        discard_filter(&call, RejectFilter { id: Some(id), ..RejectFilter::default() }, reason, key).await
    })
    .await
}

/// Gives rejects of a table up.
pub(in crate::http) async fn discard_table(mut call: Call) -> Outcome {
    let mut query = call.query_parameters()?;
    let filter = filter_within(&call, &mut query)?;
    query.refuse_remaining(&["load", "code", "field"])?;
    let (reason, body) = read_reason(&mut call).await?;
    once_within(&call, &body, async |key| discard_filter(&call, filter, reason, key).await).await
}

async fn read_reason(call: &mut Call) -> Outcome<(String, Vec<u8>)> {
    let (mut members, body) = read_object(call).await?;
    let reason = members.remove("reason").and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
    let is_text = |text: &String| !text.trim().is_empty() && text.chars().count() <= REASON && !text.contains('\0');
    let sound = reason.filter(|text| is_text(text) && members.is_empty());
    let wrong = || {
        let detail =
            format!("send {{\"reason\": \"…\"}}, with 1 to {REASON} characters that say why the rejects are given up");
        Problem::new(ProblemKind::WRONG_SHAPE, detail)
    };
    Ok((sound.ok_or_else(wrong)?, body))
}

/// Gives rejects up, and keeps the answer under `key` with that; none where an answer was there before.
async fn discard_filter(
    call: &Call,
    filter: RejectFilter,
    reason: String,
    key: Option<RequestName>,
) -> Outcome<Option<Response>> {
    let told = |count: u64| json!({"discarded": count});
    let count = call.service.desk.write(move |target| {
        let answer = |count| key.map(|key| document_of_answer(key, StatusCode::OK, &told(count).to_string()));
        unless_overtaken(discard_with(target, &filter, &reason, answer))
    });
    Ok(count.await?.map(|count| respond_json(StatusCode::OK, &told(count))))
}

/// Takes the rejects of a table back, as a person mended them in the file that was exported.
pub(in crate::http) async fn import_rejects(mut call: Call) -> Outcome {
    call.named_table()?;
    let mut query = call.query_parameters()?;
    let allows_other_changes = query.take_flag("allow_other_changes")?;
    query.refuse_remaining(&["allow_other_changes"])?;
    refuse_other_encodings(&call.headers)?;
    if media_type(&call.headers).is_some_and(|kind| kind != "text/csv") {
        return Err(Problem::new(ProblemKind::UNSUPPORTED_MEDIA, "send the mended file as text/csv"));
    }
    let body = call.read_body(call.service.api.max_body).await?;
    if body.bytes.is_empty() {
        return Err(Problem::new(
            ProblemKind::WRONG_SHAPE,
            "the body is empty; send the mended file (with curl: --data-binary @FILE)",
        ));
    }
    once_within(&call, &body.bytes, async |key| import_file(&call, &body.bytes, allows_other_changes, key).await).await
}

async fn import_file(
    call: &Call,
    body: &[u8],
    allows_other_changes: bool,
    key: Option<RequestName>,
) -> Outcome<Option<Response>> {
    // Through a file, since the engine reads a mended file by its path, for the command too.
    let body = body.to_vec();
    let stored = tokio::task::spawn_blocking(move || {
        let mut file = tempfile::Builder::new().prefix("rejects-").suffix(".csv").tempfile()?;
        file.write_all(&body)?;
        file.flush()?;
        Ok::<_, std::io::Error>(file)
    });
    let unstored = |_| Problem::new(ProblemKind::INTERNAL, "the file cannot be stored; the service's log says more");
    let file = stored.await.map_err(|_| unstored(()))?.map_err(|error| {
        tracing::error!(%error, "a mended file cannot be stored");
        unstored(())
    })?;
    let table = Some(call.path_part("table").to_owned());
    let option_style = OptionStyle::RequestParameter;
    // The temporary file keeps living under the same name until this function ends; only then it is removed.
    let file = MendedFilePath { path: file.path().to_owned(), table, allows_other_changes, option_style };
    try_again(call, RetrySelection::Mended(file), key, |_, loads| Ok((StatusCode::OK, json!({ "loads": loads })))).await
}

fn retry_one_operation() -> Operation {
    retry_operation("Try a reject again, by today's rules")
}

fn retry_table_operation() -> Operation {
    retry_operation("Try the rejects of a table again").with_query(reject_parameters())
}

fn retry_operation(summary: &'static str) -> Operation {
    Operation { problems: vec![409], ..Operation::new("rejects", summary, schema_reference("Retried")) }
}

fn correct_one_operation() -> Operation {
    let schema = json!({
        "type": "object", "minProperties": 1,
        "description": "Fields with their corrected values, as they would be written in the source; null for a missing one",
    });
    Operation {
        body: Some(json!({"required": true, "content": {"application/json": {"schema": schema}}})),
        answers: [200, 422].map(|status| (status, "application/json", schema_reference("Corrected"))).into(),
        problems: vec![408, 409, 413, 415, 422],
        ..Operation::new("rejects", "Mend a reject, and try it again", json!({}))
    }
}

fn discard_one_operation() -> Operation {
    discard_operation("Discard a reject")
}

fn discard_table_operation() -> Operation {
    discard_operation("Discard rejects of a table").with_query(reject_parameters())
}

fn discard_operation(summary: &'static str) -> Operation {
    let reason = json!({"type": "string", "minLength": 1, "maxLength": REASON, "pattern": "[^ \t\r\n]"});
    let schema = json!({
        "type": "object", "properties": {"reason": reason}, "required": ["reason"], "additionalProperties": false,
    });
    let discarded =
        json!({"type": "object", "properties": {"discarded": {"type": "integer"}}, "required": ["discarded"]});
    Operation {
        body: Some(json!({"required": true, "content": {"application/json": {"schema": schema}}})),
        problems: vec![408, 409, 413, 415, 422],
        ..Operation::new("rejects", summary, discarded)
    }
    .with_description("They stay in the quarantine as discarded, with the reason, and are not tried again.")
}

fn import_rejects_operation() -> Operation {
    Operation {
        body: Some(json!({"required": true, "content": {"text/csv": {"schema": {"type": "string"}}}})),
        problems: vec![408, 413, 415, 422],
        ..Operation::new("rejects", "Send the mended file of a table's rejects", schema_reference("Retried"))
    }
    .with_query([flag_parameter("allow_other_changes", "Also accept changes to cells that had no error")])
}
