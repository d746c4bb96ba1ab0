//! `POST /v1/tables/{table}/rows` and `POST /v1/rows`.

use axum::http::{HeaderValue, StatusCode, header};
use landfall_core::schema::TableIndex;
use landfall_engine::{
    jobs::TakeRows,
    ledger::OnConflict,
    pipeline::{
        RequestKey, RowBatch, RowsAnswer, RowsForm, RowsReply, RowsRequest, describe_row_limit, quarantine_full,
        read_rows,
    },
};
use serde_json::{Value, json};

use crate::http::{
    call::Call,
    once::InFlight,
    openapi::operation::{CONFLICT_NOTE, Operation, flag_parameter, query_parameter, schema_reference},
    problem::{Outcome, Problem, ProblemKind},
    resources::accepted_rows::{accept_rows, is_preferred},
    route::{Route, WRITE, routes},
    server::body::{media_type, refuse_other_encodings},
    values::{respond_json, respond_text},
};

/// The routes that rows are sent to.
pub(in crate::http) const ROUTES: &[Route] = routes! {
    POST post "/v1/tables/{table}/rows" WRITE, into_table, Some(into_table_operation);
    POST post "/v1/rows" WRITE, into_tables, Some(into_tables_operation);
};

/// Bodies up to this many bytes are read where the request is; longer ones on threads that may block.
const SMALL: usize = 32 << 10;

/// The most bytes of an Idempotency-Key.
const KEY_BYTES: usize = 255;

/// Rows for one table.
pub(in crate::http) async fn into_table(call: Call) -> Outcome {
    let position = call.named_table()?;
    into(call, Some(position)).await
}

/// Rows for several tables.
pub(in crate::http) async fn into_tables(call: Call) -> Outcome {
    into(call, None).await
}

async fn into(mut call: Call, table: Option<TableIndex>) -> Outcome {
    let asked = RowsOptions::from_call(&call)?;
    let key = RequestName::from_call(&call)?;
    let form = rows_form(&call)?;
    if table.is_none() && form != RowsForm::Json {
        return Err(Problem::new(
            ProblemKind::UNSUPPORTED_MEDIA,
            "rows for several tables are sent as application/json",
        ));
    }
    let body = call.read_body(call.service.api.max_body).await?;
    // A dry run stores nothing, and its answer neither.
    let key = key.filter(|_| !asked.dry_run).map(|name| RequestName::new(name, &call, &body.bytes));
    let later = is_preferred(&call).then(|| body.bytes.clone());
    let (service, caller, most) = (call.service.clone(), call.caller.clone(), call.service.api.max_rows);
    let batches = off_the_loop(body.bytes, move |bytes| {
        let package = &service.rules.rules_project().package;
        let position_of = |name: &str| {
            let found = package.table_position(name);
            found.filter(|_| caller.sees_table(name))
        };
        Ok(read_rows(&service.rules, table, form, bytes, most, &position_of)?)
    });
    let batches = batches.await?;
    if batches.iter().all(|batch| batch.row_count() == 0) {
        return Err(Problem::new(ProblemKind::NO_ROWS, describe_row_limit("there is no row", most)));
    }
    let in_flight = key.as_ref().map(|key| InFlight::enter_key(&call.service, &key.name)).transpose()?;
    if let Some(bytes) = later {
        let name = |position: TableIndex| call.service.rules.table_at(position).name.to_string();
        let RowsOptions { on_conflict, atomic, dry_run } = asked;
        let work = TakeRows { table: table.map(name), form, on_conflict, atomic, dry_run, bytes: bytes.len() };
        return accept_rows(&call, key.zip(in_flight), &batches, work, bytes).await;
    }
    let answer = take_rows(&call, asked, batches, key, table.is_some()).await;
    drop(in_flight);
    answer
}

/// What is asked of rows.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct RowsOptions {
    pub(in crate::http) on_conflict: OnConflict,
    pub(in crate::http) atomic: bool,
    pub(in crate::http) dry_run: bool,
}

impl RowsOptions {
    fn from_call(call: &Call) -> Outcome<Self> {
        let mut query = call.query_parameters()?;
        let asked = Self {
            on_conflict: query
                .take_parsed("on_conflict", "reject, update or keep", OnConflict::parse)?
                .unwrap_or_default(),
            atomic: query.take_flag("atomic")?,
            dry_run: query.take_flag("dry_run")?,
        };
        query.refuse_remaining(&["on_conflict", "atomic", "dry_run"])?;
        Ok(asked)
    }

    /// The request for the desk; `single` where the rows are of one table.
    pub(in crate::http) fn to_request(
        self,
        batches: Vec<RowBatch>,
        key: Option<RequestName>,
        single: bool,
    ) -> RowsRequest {
        let Self { on_conflict, atomic, dry_run } = self;
        let key = key.map(|RequestName { name, digest }| RequestKey {
            name,
            digest,
            render: Box::new(move |outcome| RowsReply::new(outcome, single, dry_run).to_bytes()),
        });
        RowsRequest { batches, on_conflict, atomic, dry_run, source: "rows".into(), key }
    }
}

/// The name of a request that is to have one effect, and what was asked under it.
#[derive(Debug, Clone)]
pub(in crate::http) struct RequestName {
    /// Made of the Idempotency-Key and of who asks.
    pub(in crate::http) name: String,
    /// What is asked, as a digest: another request under the same key is a mistake.
    pub(in crate::http) digest: String,
}

impl RequestName {
    /// The name, where the request has an Idempotency-Key.
    pub(in crate::http) fn from_call(call: &Call) -> Outcome<Option<String>> {
        let name = |key: String| {
            // No key and no caller's name has a NUL, so that two callers never share a name.
            let name = [call.caller.name(), &key].join("\0");
            blake3::hash(name.as_bytes()).to_hex().to_string()
        };
        Ok(idempotency_key(call)?.map(name))
    }

    pub(in crate::http) fn new(name: String, call: &Call, body: &[u8]) -> Self {
        Self { name, digest: request_digest(call, body) }
    }
}

/// The Idempotency-Key, with or without the quotes that its standard asks for.
fn idempotency_key(call: &Call) -> Outcome<Option<String>> {
    let Some(text) = call.text_header("idempotency-key")? else { return Ok(None) };
    let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let is_sound = bare.bytes().all(|byte| matches!(byte, b' ' | b'!' | b'#'..=b'~'));
    if bare.is_empty() || bare.len() > KEY_BYTES || !is_sound {
        let detail =
            format!("the Idempotency-Key must have 1 to {KEY_BYTES} characters of ASCII, and none of them a quote");
        return Err(Problem::new(ProblemKind::BAD_HEADER, detail));
    }
    Ok(Some(bare.to_owned()))
}

fn rows_form(call: &Call) -> Outcome<RowsForm> {
    refuse_other_encodings(&call.headers)?;
    match media_type(&call.headers).as_deref() {
        None | Some("application/json") => Ok(RowsForm::Json),
        Some("application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/jsonlines") => {
            Ok(RowsForm::JsonLines)
        }
        Some("text/csv") => Ok(RowsForm::Csv),
        Some(_) => {
            let detail = "rows are sent with the Content-Type application/json, application/x-ndjson or text/csv (with curl: \
                          --json)";
            Err(Problem::new(ProblemKind::UNSUPPORTED_MEDIA, detail))
        }
    }
}

/// What is asked, as a digest: another request under the same key is a mistake.
fn request_digest(call: &Call, body: &[u8]) -> String {
    let mut hasher = blake3::Hasher::new();
    let media_type = media_type(&call.headers).unwrap_or_default();
    for part in [call.method.as_str(), call.uri.path(), call.uri.query().unwrap_or_default(), &media_type] {
        // With the length, so that a part cannot pass for the end of the one before.
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.update(body);
    hasher.finalize().to_hex().to_string()
}

/// Runs `work` on a thread that may be busy for a while, where there is much to do.
async fn off_the_loop<R: Send + 'static>(
    bytes: Vec<u8>,
    work: impl FnOnce(Vec<u8>) -> Outcome<R> + Send + 'static,
) -> Outcome<R> {
    // To hand a small body to another thread takes longer than to read it.
    if bytes.len() <= SMALL {
        return work(bytes);
    }
    let done = tokio::task::spawn_blocking(move || work(bytes)).await;
    done.unwrap_or_else(|_| Err(Problem::new(ProblemKind::INTERNAL, "the service could not read the body")))
}

/// Hands the rows over and answers.
async fn take_rows(
    call: &Call,
    asked: RowsOptions,
    batches: Vec<RowBatch>,
    key: Option<RequestName>,
    single: bool,
) -> Outcome {
    let request = asked.to_request(batches, key, single);
    match call.service.desk.take_rows(request).await? {
        RowsAnswer::Done(outcome) => {
            if !asked.dry_run {
                call.service.metrics.count_rows(&outcome);
            }
            let RowsReply { status, body } = RowsReply::new(&outcome, single, asked.dry_run);
            Ok(respond_json(StatusCode::from_u16(status).unwrap_or(StatusCode::OK), &body))
        }
        other => repeat_answer(other),
    }
}

/// The answer to a request that was sent before, under the same key.
pub(in crate::http) fn repeat_answer(answer: RowsAnswer) -> Outcome {
    if answer == RowsAnswer::QuarantineFull {
        return Err(quarantine_full().into());
    }
    let RowsAnswer::Repeated(stored) = answer else {
        let detail = "another request had this Idempotency-Key; give each request a key of its own";
        return Err(Problem::new(ProblemKind::KEY_REUSED, detail));
    };
    // As `document_of_answer` has put them together.
    let (status, body) = stored.split_at_checked(3).unwrap_or((b"500", &[]));
    let status = StatusCode::from_bytes(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    // Headers are not stored. This one is made from the body again.
    let place = location_of_answer(status, body).and_then(|place| HeaderValue::from_str(&place).ok());
    let mut response = respond_text(status, body.to_vec());
    response.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
    response.headers_mut().extend(place.map(|place| (header::LOCATION, place)));
    Ok(response)
}

/// Where that is which an answer tells to have been made: a task, or an export.
fn location_of_answer(status: StatusCode, body: &[u8]) -> Option<String> {
    let body: Value = matches!(status, StatusCode::CREATED | StatusCode::ACCEPTED)
        .then(|| serde_json::from_slice(body).ok())
        .flatten()?;
    body.pointer("/links/self").or_else(|| body.get("url")).and_then(Value::as_str).map(str::to_owned)
}

fn into_table_operation() -> Operation {
    let text = json!({"schema": {"type": "string"}});
    let content = json!({
        "application/json": {"schema": schema_reference("Rows")}, "application/x-ndjson": text, "text/csv": text,
    });
    rows_operation("Send rows for one table", content, "RowsAnswer")
}

fn into_tables_operation() -> Operation {
    let content = json!({"application/json": {"schema": schema_reference("RowsOfTables")}});
    rows_operation("Send rows for several tables, in one transaction", content, "RowsOfTablesAnswer")
}

fn rows_operation(summary: &'static str, content: Value, answer: &str) -> Operation {
    let rules = [OnConflict::Reject, OnConflict::Update, OnConflict::Keep].map(OnConflict::as_str);
    let answered = [201, 200, 422].map(|status| (status, "application/json", schema_reference(answer)));
    let mut answers = vec![(202, "application/json", schema_reference("Task"))];
    answers.extend(answered);
    Operation {
        body: Some(json!({"required": true, "content": content})),
        answers,
        problems: vec![408, 409, 413, 415, 422, 507],
        ..Operation::new("rows", summary, json!({}))
    }
    .with_query([
        query_parameter("on_conflict", CONFLICT_NOTE, json!({"type": "string", "enum": rules, "default": "reject"})),
        flag_parameter("atomic", "All or nothing: if one row is rejected, none is inserted"),
        flag_parameter("dry_run", "Only report what would happen: 200 if any row would pass, 422 if none would"),
    ])
    .with_description("With the header `Prefer: respond-async`, the rows are stored and taken as a task.")
}
