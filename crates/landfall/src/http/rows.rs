//! `POST /v1/tables/{table}/rows` and `POST /v1/rows`.

use std::sync::Arc;

use axum::http::{HeaderValue, StatusCode};
use landfall_core::{
    decode::json::{JsonError, JsonErrorKind, tables},
    reject::CellError,
};
use landfall_engine::{
    Error,
    ledger::{Counts, OnConflict},
    pipeline::{RequestKey, RowBatch, RowRules, RowsAnswer, RowsLoad, RowsOutcome, RowsRequest},
};
use serde_json::{Value, json};

use super::{
    body::{media_type, refuse_other_encodings},
    call::Call,
    problem::{Kind, Outcome, Problem},
    service::Service,
    values::of_text,
};

/// Bodies up to this many bytes are read where the request is; longer ones on threads that may block.
const SMALL: usize = 32 << 10;

/// The most bytes of an Idempotency-Key.
const KEY_BYTES: usize = 255;

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    JsonLines,
    Csv,
}

/// Rows for one table.
pub(super) async fn into_table(mut call: Call) -> Outcome {
    let position = call.table()?;
    let options = Options::of(&call)?;
    let form = form(&call)?;
    let body = call.body(call.service.api.max_body).await?;
    let digest = digest(&call, &body.bytes);
    let (rules, most) = (call.service.rules.clone(), call.service.api.max_rows);
    let batch = off_the_loop(body.bytes, move |bytes| batch(&rules, position, form, bytes, most)).await?;
    take(&call, options, vec![batch], digest, true).await
}

/// Rows for several tables.
pub(super) async fn into_tables(mut call: Call) -> Outcome {
    let options = Options::of(&call)?;
    if form(&call)? != Form::Json {
        return Err(Problem::new(Kind::UNSUPPORTED_MEDIA, "rows for several tables are sent as application/json"));
    }
    let body = call.body(call.service.api.max_body).await?;
    let digest = digest(&call, &body.bytes);
    let text = text(body.bytes)?;
    let mut wanted = Vec::new();
    for (name, range) in tables(&text).map_err(|error| of_json(&error))? {
        let position = call.table_called(&name).map_err(|_| {
            let name: String = name.chars().take(80).collect();
            Problem::new(Kind::WRONG_SHAPE, format!("there is no table {name:?}"))
        })?;
        wanted.push((position, text[range].to_owned()));
    }
    let (rules, most) = (call.service.rules.clone(), call.service.api.max_rows);
    let batches = off_the_loop(text.into_bytes(), move |_| {
        let mut left = most;
        let mut batches = Vec::new();
        for (position, text) in wanted {
            let batch = rules.json(position, text, left).map_err(|error| too_many(&error, most))?;
            left -= batch.rows();
            batches.push(batch);
        }
        Ok(batches)
    });
    take(&call, options, batches.await?, digest, false).await
}

/// What is asked of rows.
#[derive(Debug)]
struct Options {
    on_conflict: OnConflict,
    atomic: bool,
    dry_run: bool,
    key: Option<String>,
}

impl Options {
    fn of(call: &Call) -> Outcome<Self> {
        let mut query = call.query()?;
        let options = Self {
            on_conflict: query.parsed("on_conflict", "reject, update or keep", OnConflict::parse)?.unwrap_or_default(),
            atomic: query.flag("atomic")?,
            dry_run: query.flag("dry_run")?,
            key: key(call)?,
        };
        query.finish(&["on_conflict", "atomic", "dry_run"])?;
        Ok(options)
    }
}

/// The Idempotency-Key, with or without the quotes that its standard asks for.
fn key(call: &Call) -> Outcome<Option<String>> {
    let Some(text) = call.header("idempotency-key")? else { return Ok(None) };
    let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    if bare.is_empty() || bare.len() > KEY_BYTES {
        let detail = format!("the Idempotency-Key must have 1 to {KEY_BYTES} characters");
        return Err(Problem::new(Kind::BAD_HEADER, detail));
    }
    Ok(Some(bare.to_owned()))
}

fn form(call: &Call) -> Outcome<Form> {
    refuse_other_encodings(&call.headers)?;
    match media_type(&call.headers).as_deref() {
        None | Some("application/json") => Ok(Form::Json),
        Some("application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/jsonlines") => {
            Ok(Form::JsonLines)
        }
        Some("text/csv") => Ok(Form::Csv),
        Some(_) => {
            let detail = "rows are sent with the Content-Type application/json, application/x-ndjson or text/csv (with curl: \
                          --json)";
            Err(Problem::new(Kind::UNSUPPORTED_MEDIA, detail))
        }
    }
}

/// What is asked, as a digest: another request under the same key is a mistake.
fn digest(call: &Call, body: &[u8]) -> String {
    let mut hasher = blake3::Hasher::new();
    let media_type = media_type(&call.headers).unwrap_or_default();
    for part in [call.method.as_str(), call.uri.path(), call.uri.query().unwrap_or_default(), &media_type] {
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
    if bytes.len() <= SMALL {
        return work(bytes);
    }
    let done = tokio::task::spawn_blocking(move || work(bytes)).await;
    done.unwrap_or_else(|_| Err(Problem::new(Kind::INTERNAL, "the service could not read the body")))
}

fn text(bytes: Vec<u8>) -> Outcome<String> {
    String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        Problem::new(Kind::NOT_UTF8, format!("byte {} of the body does not belong in UTF-8", offset + 1)).at(offset)
    })
}

fn batch(rules: &RowRules, position: usize, form: Form, bytes: Vec<u8>, most: usize) -> Outcome<RowBatch> {
    let batch = match form {
        Form::Json => rules.json(position, text(bytes)?, most).map_err(|error| of_json(&error))?,
        Form::JsonLines => rules.json_lines(position, text(bytes)?, most).map_err(|error| of_json(&error))?,
        Form::Csv => rules.csv(position, &bytes, None).map_err(|error| match error {
            Error::Source { reason, .. } => Problem::new(Kind::WRONG_SHAPE, reason),
            other => other.into(),
        })?,
    };
    if batch.rows() > most {
        return Err(Problem::new(Kind::TOO_MANY_ROWS, limit_words(&format!("there are {} rows", batch.rows()), most)));
    }
    Ok(batch)
}

fn limit_words(found: &str, most: usize) -> String {
    format!("{found}; one request takes 1 to {most}: send more of them in several requests")
}

fn of_json(error: &JsonError) -> Problem {
    let detail = format!("{} (byte {})", error.reason, error.offset + 1);
    let kind = match error.kind {
        JsonErrorKind::Syntax | JsonErrorKind::TooDeep => Kind::NOT_JSON,
        JsonErrorKind::Shape => Kind::WRONG_SHAPE,
        JsonErrorKind::TooMany => {
            return Problem::new(
                Kind::TOO_MANY_ROWS,
                format!("{}, the most that one request takes; send them in several", error.reason),
            );
        }
    };
    Problem::new(kind, detail).at(error.offset)
}

/// The error of one of several tables: the limit is on their sum.
fn too_many(error: &JsonError, most: usize) -> Problem {
    if error.kind != JsonErrorKind::TooMany {
        return of_json(error);
    }
    Problem::new(Kind::TOO_MANY_ROWS, limit_words(&format!("there are more than {most} rows in all"), most))
}

/// Hands the rows over and answers.
async fn take(call: &Call, options: Options, batches: Vec<RowBatch>, digest: String, single: bool) -> Outcome {
    let most = call.service.api.max_rows;
    if batches.iter().all(|batch| batch.rows() == 0) {
        return Err(Problem::new(Kind::NO_ROWS, limit_words("there is no row", most)));
    }
    let name = options.key.as_ref().filter(|_| !options.dry_run).map(|key| {
        let name = [call.caller.name(), key].join("\0");
        blake3::hash(name.as_bytes()).to_hex().to_string()
    });
    let _guard = match &name {
        Some(name) => Some(InFlight::enter(&call.service, name)?),
        None => None,
    };
    let key = name.map(|name| RequestKey {
        name,
        digest,
        render: Box::new(move |outcome| {
            let (status, body) = answer(outcome, single);
            [status.as_str().as_bytes(), body.as_bytes()].concat()
        }),
    });
    let Options { on_conflict, atomic, dry_run, .. } = options;
    let request = RowsRequest { batches, on_conflict, atomic, dry_run, source: "rows".into(), key };
    match call.service.desk.take(request).await? {
        RowsAnswer::Done(outcome) => {
            if !dry_run {
                call.service.metrics.rows(&outcome);
            }
            let (status, body) = answer(&outcome, single);
            Ok(of_text(status, body))
        }
        RowsAnswer::Repeated(stored) => {
            let (status, body) = stored.split_at_checked(3).unwrap_or((b"500", &[]));
            let status = StatusCode::from_bytes(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut response = of_text(status, body.to_vec());
            response.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
            Ok(response)
        }
        RowsAnswer::OtherRequest => {
            let detail = "another request had this Idempotency-Key; give each request a key of its own";
            Err(Problem::new(Kind::KEY_REUSED, detail))
        }
    }
}

/// Keeps a key while its request is under way.
struct InFlight {
    service: Arc<Service>,
    name: String,
}

impl InFlight {
    fn enter(service: &Arc<Service>, name: &str) -> Outcome<Self> {
        let mut keys = service.in_flight.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !keys.insert(name.to_owned()) {
            let detail = "a request with this Idempotency-Key is under way; ask again for its answer";
            return Err(Problem::new(Kind::IN_FLIGHT, detail).after(1));
        }
        Ok(Self { service: service.clone(), name: name.to_owned() })
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut keys = self.service.in_flight.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        keys.remove(&self.name);
    }
}

/// The status and body of the answer.
fn answer(outcome: &RowsOutcome, single: bool) -> (StatusCode, String) {
    let mut sum = Counts::default();
    outcome.loads.iter().for_each(|load| sum += load.counts);
    let status = if sum.rejected == 0 {
        StatusCode::CREATED
    } else if sum.rejected < sum.read {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    let body = match &outcome.loads[..] {
        [load] if single => of_load(load),
        loads => {
            let mut body = json!({
                "read": sum.read, "inserted": sum.inserted, "updated": sum.updated, "unchanged": sum.unchanged,
                "rejected": sum.rejected,
            });
            let errors = loads
                .iter()
                .flat_map(|load| load.errors.iter().map(|(row, error)| of_error(Some(&load.table), *row, error)));
            body["errors"] = errors.collect();
            body["tables"] =
                loads.iter().map(|load| (load.table.clone(), of_load(load))).collect::<serde_json::Map<_, _>>().into();
            body
        }
    };
    (status, body.to_string())
}

fn of_load(load: &RowsLoad) -> Value {
    let RowsLoad { load, counts, errors, .. } = load;
    json!({
        "load_id": load, "read": counts.read, "inserted": counts.inserted, "updated": counts.updated,
        "unchanged": counts.unchanged, "rejected": counts.rejected,
        "errors": errors.iter().map(|(row, error)| of_error(None, *row, error)).collect::<Vec<_>>(),
    })
}

fn of_error(table: Option<&str>, row: u64, error: &CellError) -> Value {
    let mut value = json!({"row": row, "field": error.field, "code": error.code, "message": error.message});
    if let Some(table) = table {
        value["table"] = table.into();
    }
    value
}
