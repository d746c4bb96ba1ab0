//! `POST /v1/tables/{table}/files`: a CSV file is stored, and loaded as a task.

use std::time::Duration;

use landfall_core::schema::{Delimiter, DialectOverrides, HeaderMatch, Ragged, StrayQuotes, TableIndex};
use landfall_engine::{
    job::{NewJob, new_job_id},
    jobs::{Job as _, LoadFile},
    ledger::{Mode, OnConflict},
    origin::Origin,
};
use serde_json::{Value, json};

use crate::http::{
    call::Call,
    once::UploadKey,
    openapi::operation::{
        CONFLICT_NOTE, DRY_RUN_NOTE, Operation, flag_parameter, max_rejects_parameter, query_parameter, task_answers,
        text_parameter, wait_parameter,
    },
    problem::{Outcome, Problem, ProblemKind},
    query::QueryParameters,
    resources::tasks::accept_upload,
    route::{Route, WRITE, routes},
    server::body::media_type,
    server::form::{FormBound, FormStream},
    uploads::{IfEmpty, IncomingFile, Upload, form_problem},
};

/// The route that files are sent to.
pub(in crate::http) const ROUTES: &[Route] = routes! {
    POST post "/v1/tables/{table}/files" WRITE, into_table, Some(into_table_operation);
};

/// How long a request may wait for its task.
const MOST_WAIT: u64 = 300;

/// Receives a file for a table.
pub(in crate::http) async fn into_table(mut call: Call) -> Outcome {
    let position = call.named_table()?;
    let mut query = call.query_parameters()?;
    let mut work = read_request(&call, position, &mut query)?;
    let wait = read_wait(&mut query)?;
    let mut known =
        vec!["mode", "on_conflict", "atomic", "force", "max_rejects", "allow_empty", "dry_run", "name", "wait"];
    known.extend(DialectOverrides::NAMES);
    query.refuse_remaining(&known)?;
    // Before the body: two copies of a request must not both store a large file.
    let key = UploadKey::enter_key(&call)?;
    let upload = receive_upload(&mut call, &mut work).await?;
    work.bytes = upload.bytes;
    work.source = Origin::upload_name(&upload.digest);
    let key = key.map(|key| key.with_digest(&call, &upload.digest));
    let mut job = NewJob::new(LoadFile::KIND, vec![work.table.clone()], json!(work))?;
    job.id = upload.id;
    accept_upload(&call, job, key, wait).await
}

/// What is asked for: as given, else as the project says.
fn read_request(call: &Call, position: TableIndex, query: &mut QueryParameters) -> Outcome<LoadFile> {
    let defaults = &call.service.load;
    // These two are modes of the ledger, which nobody can ask for.
    let loads = |text: &str| Mode::parse(text).filter(|mode| !matches!(mode, Mode::Retry | Mode::Rows));
    let mode = query.take_parsed("mode", "append, upsert or replace", loads)?.or(defaults.mode).unwrap_or_default();
    let rule = query.take_parsed("on_conflict", "reject, update or keep", OnConflict::parse)?;
    let on_conflict = mode.choose_conflict_rule(rule, defaults.on_conflict).ok_or_else(|| {
        let detail = "the mode upsert updates; leave on_conflict out, or take the mode append";
        Problem::new(ProblemKind::CONTRADICTION, detail)
    })?;
    let max_rejects = query.take_max_rejects()?;
    let mut dialect = DialectOverrides::default();
    for name in DialectOverrides::NAMES {
        if let Some(text) = query.take_value(name)? {
            dialect.set(name, &text).map_err(|reason| Problem::wrong_parameter(format!("the parameter {reason}")))?;
        }
    }
    let resource = &call.service.rules.rules_project().package[position];
    let contradicts = |reason| Problem::new(ProblemKind::CONTRADICTION, format!("in this dialect, {reason}"));
    // Only to be refused: now the sender still waits, and no file was sent for nothing.
    dialect.apply_to(resource).map_err(contradicts)?;
    Ok(LoadFile {
        table: resource.name.to_string(),
        file: query.take_value("name")?.map(|name| shorten_name(&name)),
        bytes: 0,
        source: String::new(),
        mode,
        on_conflict,
        atomic: query.take_flag("atomic")?,
        force: query.take_flag("force")?,
        max_rejects,
        allow_empty: query.take_flag("allow_empty")?,
        dry_run: query.take_flag("dry_run")?,
        dialect,
        ledger: None,
    })
}

/// A name as it is kept: what a person reads, and no path.
fn shorten_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    last.chars().filter(|char| !char.is_control()).take(200).collect()
}

/// How long the request wants to wait.
pub(in crate::http) fn read_wait(query: &mut QueryParameters) -> Outcome<Duration> {
    let expected = format!("a number of seconds from 0 to {MOST_WAIT}");
    let seconds = query.take_parsed("wait", &expected, |text| text.parse().ok().filter(|wait| *wait <= MOST_WAIT))?;
    Ok(Duration::from_secs(seconds.unwrap_or(0)))
}

/// Stores the body, or the one file of the form that it is.
async fn receive_upload(call: &mut Call, work: &mut LoadFile) -> Outcome<Upload> {
    // Held while the body comes, so that one caller cannot have all the receivers.
    let _receiver = call.service.receivers.take_share(call.caller.name(), 1).await;
    let id = new_job_id()?;
    let pause = call.service.pause();
    let uploads = call.service.jobs.uploads.clone();
    let encoding = call.text_header("content-encoding")?.unwrap_or("identity").to_ascii_lowercase();
    // Compressed files are known by their first bytes.
    if !["identity", "gzip", "x-gzip", "zstd"].contains(&encoding.as_str()) {
        let detail = "a file is taken as it is, or compressed with gzip or Zstandard";
        return Err(Problem::new(ProblemKind::UNSUPPORTED_MEDIA, detail));
    }
    let kind = media_type(&call.headers).unwrap_or_default();
    if kind != "multipart/form-data" {
        if kind.contains("json") || kind.starts_with("multipart/") || kind == "application/x-www-form-urlencoded" {
            let detail = "a file is sent as it is (text/csv, application/gzip, application/octet-stream, with curl: \
                          --data-binary @FILE), or as multipart/form-data (with curl: -F file=@FILE)";
            return Err(Problem::new(ProblemKind::UNSUPPORTED_MEDIA, detail));
        }
        return uploads.receive_upload(id, IncomingFile::Body(call.take_body()), pause, IfEmpty::Store).await;
    }
    let written = call.text_header("content-type")?.unwrap_or_default();
    let boundary = multer::parse_boundary(written).map_err(|error| form_problem(&error))?;
    let stream = FormStream::new(call.take_body());
    let bound = stream.bound.clone();
    let mut form = multer::Multipart::new(stream, boundary);
    let mut stored = None;
    while let Some(field) = next_field(&mut form, &bound, pause).await? {
        if field.file_name().is_none() && field.name() != Some("file") {
            let detail = "the form may hold one file and nothing else; what is asked of it stands in the query";
            return Err(Problem::new(ProblemKind::WRONG_SHAPE, detail));
        }
        if let Some(upload) = stored {
            let upload: Upload = upload;
            // No job will name the first file.
            uploads.remove(upload.id).await;
            return Err(Problem::new(
                ProblemKind::WRONG_SHAPE,
                "the form holds several files; send one in each request",
            ));
        }
        let name = field.file_name().map(shorten_name);
        work.file = work.file.take().or(name);
        stored = Some(
            uploads.receive_upload(id.clone(), IncomingFile::Field(Box::new(field)), pause, IfEmpty::Store).await?,
        );
    }
    stored.ok_or_else(|| Problem::new(ProblemKind::WRONG_SHAPE, "the form holds no file"))
}

async fn next_field<'f>(
    form: &mut multer::Multipart<'f>,
    bound: &FormBound,
    pause: Duration,
) -> Outcome<Option<multer::Field<'f>>> {
    let next = tokio::time::timeout(pause, bound.next_field(form)).await;
    next.map_err(|_| Problem::new(ProblemKind::TIMEOUT, "no further part of the body came in time"))?
}

fn into_table_operation() -> Operation {
    let file = json!({"schema": {"type": "string", "format": "binary"}});
    let form = json!({"schema": {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}}});
    Operation {
        body: Some(json!({"required": true, "content": {
            "text/csv": file, "application/gzip": file, "application/octet-stream": file, "multipart/form-data": form,
        }})),
        answers: task_answers(),
        problems: vec![408, 409, 413, 415, 422, 507],
        ..Operation::new("rows", "Send a CSV file, plain or compressed, to be loaded as a task", json!({}))
    }
    .with_query(load_parameters())
    .with_query(DialectOverrides::NAMES.map(dialect_parameter))
}

fn load_parameters() -> [Value; 9] {
    let modes = [Mode::Append, Mode::Upsert, Mode::Replace].map(Mode::as_str);
    let rules = [OnConflict::Reject, OnConflict::Update, OnConflict::Keep].map(OnConflict::as_str);
    [
        query_parameter("mode", "How to treat existing rows", json!({"type": "string", "enum": modes})),
        query_parameter("on_conflict", CONFLICT_NOTE, json!({"type": "string", "enum": rules})),
        flag_parameter("atomic", "All or nothing: if one record is rejected, none is inserted"),
        flag_parameter("force", "Load the file even if the same content was loaded before"),
        max_rejects_parameter(),
        flag_parameter("allow_empty", "Allow a replace that leaves the table empty, or with fewer rows than rejects"),
        flag_parameter("dry_run", DRY_RUN_NOTE),
        text_parameter("name", "The name of the file, shown with the task"),
        wait_parameter(),
    ]
}

fn dialect_parameter(name: &str) -> Value {
    let character = |least: usize| json!({"type": "string", "pattern": "^[!-~]*$", "minLength": least, "maxLength": 1});
    let names = |names: Vec<&'static str>| json!({"type": "string", "enum": names});
    let schema = match name {
        "doubleQuote" | "skipInitialSpace" | "trim" | "quotedMissing" | "header" => json!({"type": "boolean"}),
        "delimiter" => {
            json!({"type": "string", "pattern": "^[!-~]*$", "minLength": 1, "maxLength": Delimiter::MOST_BYTES})
        }
        "ragged" => names(Ragged::NAMES.map(|(name, _)| name).into()),
        "strayQuotes" => names(StrayQuotes::NAMES.map(|(name, _)| name).into()),
        "headerMatch" => names(HeaderMatch::NAMES.map(|(name, _)| name).into()),
        "quoteChar" | "escapeChar" | "commentChar" => character(0),
        "encoding" => {
            let labels =
                ["utf-8", "utf-16", "iso-8859-1", "windows-1252", "iso-8859-15", "cp850", "shift_jis", "gb18030"];
            json!({"type": "string", "enum": labels})
        }
        _ => json!({"type": "string"}),
    };
    query_parameter(name, "As in a Table Dialect, if the file differs from the table's own dialect", schema)
}
