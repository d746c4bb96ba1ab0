//! `/v1/backups` and `/v1/tables/{table}/restore`: backups are made and restored as tasks.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use landfall_engine::{
    Error,
    avro::AvroCodec,
    backup::{Manifest, SetContent, SetId, SetReader, read_manifest},
    job::{NewJob, new_job_id},
    jobs::{Job as _, MakeBackup, RestoreTable},
    ledger::Mode,
    origin::Origin,
};
use serde_json::{Value, json};

use crate::http::{
    access::RequestCaller,
    call::Call,
    once::UploadKey,
    openapi::operation::{
        DRY_RUN_NOTE, Operation, flag_parameter, limit_parameter, max_rejects_parameter, query_parameter,
        schema_reference, task_answers, text_parameter, wait_parameter,
    },
    problem::{Outcome, Problem, ProblemKind},
    resources::files::read_wait,
    resources::tasks::accept_upload,
    route::{ADMIN, Route, routes},
    server::ranges::{FetchableFile, respond_file},
    uploads::{IfEmpty, IncomingFile},
    values::respond_json,
};

/// The routes of backups.
pub(in crate::http) const ROUTES: &[Route] = routes! {
    POST post "/v1/tables/{table}/restore" ADMIN, restore_table, Some(restore_table_operation);
    POST post "/v1/backups" ADMIN, create_backup, Some(create_backup_operation);
    GET get "/v1/backups" ADMIN, list_backups, Some(list_backups_operation);
    GET get "/v1/backups/{set}/{file}" ADMIN, serve_table_file, Some(serve_table_file_operation);
};

/// What a restore is asked for by.
const RESTORE_PARAMETERS: [&str; 10] = [
    "set",
    "mode",
    "with_dependents",
    "ignore_extra",
    "map",
    "atomic",
    "max_rejects",
    "allow_empty",
    "dry_run",
    "wait",
];

/// Sets of a page.
const USUAL: u64 = 100;
const MOST: u64 = 1000;

/// Has a backup made.
pub(in crate::http) async fn create_backup(mut call: Call) -> Outcome {
    let mut query = call.query_parameters()?;
    let wait = read_wait(&mut query)?;
    query.refuse_remaining(&["wait"])?;
    let key = UploadKey::enter_key(&call)?;
    let body = call.read_body(1 << 20).await?;
    let mut work = if body.bytes.is_empty() { MakeBackup::default() } else { read(&body.bytes)? };
    for table in &work.tables {
        call.table_called(table)?;
    }
    let project = call.service.rules.rules_project();
    // No names mean all tables, which is more than this token may have.
    if work.tables.is_empty() && !sees_all(&call) {
        let names = work.table_names(project).into_iter();
        work.tables = names.filter(|name| call.caller.sees_table(name)).collect();
    }
    if let Some(codec) = &work.codec
        && AvroCodec::parse(codec).is_none()
    {
        let names = AvroCodec::ALL.map(AvroCodec::name).join(", ");
        return Err(Problem::new(ProblemKind::WRONG_SHAPE, format!("codec is one of {names}")));
    }
    let digest = blake3::hash(&body.bytes).to_hex();
    let key = key.map(|key| key.with_digest(&call, &digest));
    let job = NewJob::new(MakeBackup::KIND, work.table_names(project), json!(work))?;
    accept_upload(&call, job, key, wait).await
}

fn sees_all(call: &Call) -> bool {
    call.service.rules.rules_tables().iter().all(|table| call.caller.sees_table(&table.name))
}

fn read(bytes: &[u8]) -> Outcome<MakeBackup> {
    let wrong = |error| {
        let detail =
            format!("a body such as {{\"tables\": [\"jobs\"], \"codec\": \"zstd\"}} is expected, or none: {error}");
        Problem::new(ProblemKind::WRONG_SHAPE, detail)
    };
    let work: MakeBackup = serde_json::from_slice(bytes).map_err(wrong)?;
    if work.scheduled_at.is_some() {
        return Err(Problem::new(ProblemKind::WRONG_SHAPE, "scheduled_at is the service's own to say"));
    }
    Ok(work)
}

/// The sets, the newest first.
pub(in crate::http) async fn list_backups(call: Call) -> Outcome {
    let mut query = call.query_parameters()?;
    let limit = query.take_limit(USUAL, MOST)?;
    let before = query.take_value("before")?;
    query.refuse_remaining(&["limit", "before"])?;
    let store = call.service.backups.store.clone();
    let caller = call.caller.clone();
    let listed = run_blocking(move || {
        let mut sets = store.list_sets()?;
        sets.retain(|set| before.as_ref().is_none_or(|before| set.as_str() < before.as_str()));
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
        // Before any manifest is read: one page costs as many reads as it shows sets.
        let more = sets.len() > wanted;
        let page: Vec<SetId> = sets.into_iter().rev().take(wanted).collect();
        let told: Result<Vec<Value>, Error> =
            page.iter().map(|set| Ok(describe_set(set, read_manifest(&*store, set)?, &caller))).collect();
        Ok((told?, page.last().filter(|_| more).map(ToString::to_string)))
    });
    let (sets, next) = listed.await?;
    Ok(respond_json(StatusCode::OK, &json!({"backups": sets, "next": next})))
}

fn describe_set(set: &SetId, manifest: Result<Manifest, String>, caller: &RequestCaller) -> Value {
    let Ok(manifest) = manifest else {
        return json!({"set": set.as_str(), "sound": false, "tables": []});
    };
    let tables: Vec<Value> = manifest
        .tables
        .iter()
        .filter(|entry| caller.sees_table(&entry.table))
        .map(|entry| {
            json!({
                "table": entry.table, "rows": entry.rows, "bytes": entry.bytes, "sha256": entry.sha256,
                "digest": entry.digest, "seconds": entry.seconds,
            })
        })
        .collect();
    json!({
        "set": set.as_str(), "sound": true, "started_at": manifest.started_at, "ended_at": manifest.ended_at,
        "snapshot": manifest.snapshot, "codec": manifest.codec, "tables": tables,
    })
}

/// The file of a table.
pub(in crate::http) async fn serve_table_file(call: Call) -> Outcome {
    call.query_parameters()?.refuse_remaining(&[])?;
    let gone = || Problem::not_found("backup");
    let set = SetId::parse(call.path_part("set")).ok_or_else(gone)?;
    let table = call.path_part("file").strip_suffix(".avro").filter(|table| call.caller.sees_table(table));
    let table = table.ok_or_else(gone)?.to_owned();
    let store = call.service.backups.store.clone();
    let opened = run_blocking(move || {
        let found = store.read_manifest(&set).and_then(|manifest| match manifest.find_table(&table) {
            Some(entry) => store.open(&set, entry).map(|file| Some((file, entry.sha256.clone()))),
            None => Ok(None),
        });
        // A set that is gone or not whole has no file to give. An object storage that is down is another error.
        match found {
            Err(Error::Source { .. }) => Ok(None),
            found => found,
        }
    });
    let (SetReader { bytes, content }, tag) = opened.await?.ok_or_else(gone)?;
    let skip = |content: &mut Box<dyn SetContent>, bytes| content.skip_bytes(bytes);
    let fetched = FetchableFile { content, length: bytes, tag, skip };
    let mut response = respond_file(&call.method, &call.headers, fetched, "application/avro");
    // To be saved and not shown: the content is whatever was loaded.
    response.headers_mut().insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    Ok(response)
}

/// Has a table restored: from a set, or from the Avro file that is sent.
pub(in crate::http) async fn restore_table(mut call: Call) -> Outcome {
    let position = call.named_table()?;
    let mut query = call.query_parameters()?;
    // These two are modes of the ledger, which nobody can ask for.
    let modes = |text: &str| Mode::parse(text).filter(|mode| !matches!(mode, Mode::Retry | Mode::Rows));
    let mut work = RestoreTable {
        table: call.service.rules.table_at(position).name.to_string(),
        set: query.take_value("set")?,
        source: None,
        bytes: 0,
        mode: query.take_parsed("mode", "replace, append or upsert", modes)?.unwrap_or(Mode::Replace),
        with_dependents: query.take_flag("with_dependents")?,
        ignore_extra: query.take_flag("ignore_extra")?,
        renames: query.take_parsed("map", "pairs such as theirs=ours,other=own", parse_pairs)?.unwrap_or_default(),
        atomic: query.take_flag("atomic")?,
        max_rejects: query.take_max_rejects()?,
        allow_empty: query.take_flag("allow_empty")?,
        dry_run: query.take_flag("dry_run")?,
    };
    let wait: Duration = read_wait(&mut query)?;
    query.refuse_remaining(&RESTORE_PARAMETERS)?;
    if let Some(set) = &work.set
        && set != "latest"
        && SetId::parse(set).is_none()
    {
        // A name becomes a path: anything else than a time could lead out of the store.
        return Err(Problem::not_found("backup set"));
    }
    if work.with_dependents && !sees_all(&call) {
        let detail = "this token is for some tables alone; with_dependents may touch others";
        return Err(Problem::new(ProblemKind::FORBIDDEN, detail));
    }
    // Before the body: two copies of a request must not both store a large file.
    let key = UploadKey::enter_key(&call)?;
    // Held while the body comes, so that one caller cannot have all the receivers.
    let _receiver = call.service.receivers.take_share(call.caller.name(), 1).await;
    let (id, pause) = (new_job_id()?, call.service.pause());
    let uploads = call.service.jobs.uploads.clone();
    let upload = uploads.receive_upload(id, IncomingFile::Body(call.take_body()), pause, IfEmpty::Drop).await?;
    let digest = upload.digest.clone();
    if upload.bytes == 0 {
        work.set.get_or_insert_with(|| "latest".into());
    } else if work.set.is_some() {
        // No job will name it.
        uploads.remove(upload.id).await;
        let detail = "a set is named and a file is sent; do one of the two";
        return Err(Problem::new(ProblemKind::CONTRADICTION, detail));
    } else {
        (work.bytes, work.source) = (upload.bytes, Some(Origin::upload_name(&digest)));
    }
    let key = key.map(|key| key.with_digest(&call, &digest));
    let mut job = NewJob::new(RestoreTable::KIND, vec![work.table.clone()], json!(work))?;
    job.id = upload.id;
    accept_upload(&call, job, key, wait).await
}

fn parse_pairs(text: &str) -> Option<Vec<(String, String)>> {
    text.split(',')
        .map(|pair| match pair.split_once('=') {
            Some((from, to)) if !from.is_empty() && !to.is_empty() => Some((from.to_owned(), to.to_owned())),
            _ => None,
        })
        .collect()
}

/// Runs what waits for the disk.
async fn run_blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Outcome<T> {
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.unwrap_or_else(|error| Err(Error::Internal(format!("a thread of the service failed: {error}"))));
    Ok(done?)
}

fn create_backup_operation() -> Operation {
    let content = json!({"application/json": {"schema": schema_reference("WantedBackup")}});
    Operation {
        answers: task_answers(),
        body: Some(json!({"required": false, "content": content})),
        problems: vec![404, 408, 409, 413, 415, 422, 507],
        ..Operation::new("backups", "Make a backup, as a task", json!({}))
    }
    .with_query([wait_parameter()])
    .with_description(
        "All tables of a backup are from one moment, and others may write meanwhile. Without a body, all tables are backed up.",
    )
}

fn list_backups_operation() -> Operation {
    Operation::new("backups", "The backup sets, the newest first", schema_reference("Backups")).with_query([
        limit_parameter(1000),
        text_parameter("before", "Only sets before this one: `next` of the page before"),
    ])
}

fn serve_table_file_operation() -> Operation {
    let bytes = || json!({"type": "string", "format": "binary"});
    Operation {
        answers: [200, 206].map(|status| (status, "application/avro", bytes())).into(),
        problems: vec![416],
        ..Operation::new("backups", "The Avro file of a table: its name is TABLE.avro", json!({}))
    }
}

fn restore_table_operation() -> Operation {
    let file = json!({"schema": {"type": "string", "format": "binary"}});
    let summary = "Restore a table, as a task: from a backup set, or from the Avro file in the body";
    Operation {
        answers: task_answers(),
        body: Some(json!({"required": false, "content": {"application/octet-stream": file}})),
        problems: vec![408, 409, 413, 422, 507],
        ..Operation::new("backups", summary, json!({}))
    }
    .with_query(restore_parameters())
    .with_description(
        "The whole file is read before the table changes. Every row must pass the rules of the table. If one does not, a replace \
         stops, unless max_rejects allows it, and the row goes to the quarantine.",
    )
}

fn restore_parameters() -> [Value; 10] {
    let modes = [Mode::Replace, Mode::Append, Mode::Upsert].map(Mode::as_str);
    let set = json!({"type": "string", "pattern": "^(latest|[0-9]{8}T[0-9]{6}\\.[0-9]{6}Z-[0-9a-f]{8})$"});
    let map = json!({"type": "string", "pattern": "^[^=,\\u0000]+=[^=,\\u0000]+(,[^=,\\u0000]+=[^=,\\u0000]+)*$"});
    let mode = json!({"type": "string", "enum": modes, "default": "replace"});
    [
        query_parameter("set", "The set, or latest: the newest one that has the table", set),
        query_parameter("mode", "How to treat existing rows", mode),
        flag_parameter("with_dependents", "Also restore the tables that refer to this one"),
        flag_parameter("ignore_extra", "Ignore fields of the file that the table does not have"),
        query_parameter("map", "Pairs of a field of the file and its field of the table: theirs=ours,other=own", map),
        flag_parameter("atomic", "All or nothing. This is the default of a replace, unless max_rejects is given"),
        max_rejects_parameter(),
        flag_parameter("allow_empty", "Allow a replace that leaves the table empty, or with fewer rows than rejects"),
        flag_parameter("dry_run", DRY_RUN_NOTE),
        wait_parameter(),
    ]
}
