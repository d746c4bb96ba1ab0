//! `/v1/tasks`: work that goes on after its request was answered.

use std::{
    io::{self, Write as _},
    ops::ControlFlow,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use http_body_util::{StreamBody, combinators::UnsyncBoxBody};
use landfall_engine::{
    document::NewDocument,
    job::{JobEntry, JobFilter, JobState, NewJob},
    targets::{Fence, Pace, Target, Transaction},
};
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::timeout};

use crate::http::{
    access::RequestCaller,
    call::Call,
    once::{InFlight, document_of_answer, find_answer, is_first_answer, once_within, unless_overtaken},
    openapi::operation::{Operation, PAGE_NOTE, limit_parameter, query_parameter, schema_reference, text_parameter},
    problem::{Outcome, Problem, ProblemKind},
    resources::rows::RequestName,
    resources::task_view::describe_task,
    route::{Route, WRITE, routes},
    server::spool::{AnswerSpool, PAGE_BYTES, write_error},
    server::streamed_body::SentBody,
    service::Service,
    values::{respond_json, respond_text},
};

/// The routes of tasks.
pub(in crate::http) const ROUTES: &[Route] = routes! {
    GET get "/v1/tasks" WRITE, list_tasks, Some(list_tasks_operation);
    GET get "/v1/tasks/{task}" WRITE, show_task, Some(show_task_operation);
    DELETE delete "/v1/tasks/{task}" WRITE, cancel_task, Some(cancel_task_operation);
    POST post "/v1/tasks/{task}/retry" WRITE, retry_task, Some(retry_task_operation);
    GET get "/v1/tasks/{task}/events" WRITE, stream_events, Some(stream_events_operation);
};

/// Tasks of a page.
const USUAL: u64 = 100;
const MOST: u64 = 1000;
/// How often a task is looked at that another process may do.
const GLANCE: Duration = Duration::from_secs(1);
/// How often who watches a task is sent something, so that the connection is known to be alive.
const BEAT: Duration = Duration::from_secs(15);

/// Takes a job on whose upload has come, if it has one: stores it, with the answer under the request's key, and answers. `key` holds
/// that key while the request is under way.
pub(in crate::http) async fn accept_upload(
    call: &Call,
    job: NewJob,
    key: Option<(RequestName, InFlight)>,
    wait: Duration,
) -> Outcome {
    let (key, in_flight) = key.unzip();
    let stored = store_job(call, job.clone(), key).await;
    // There is no new job, and so nobody else will remove the upload.
    if !matches!(stored, Ok(None)) {
        call.service.jobs.uploads.remove(job.id.clone()).await;
    }
    if let Some(known) = stored? {
        return Ok(known);
    }
    // Before the wait: the answer is stored, and a copy of the request may have it now.
    drop(in_flight);
    call.service.jobs.control.wake_workers();
    let task = wait_for_end(call, job.to_entry(), wait).await?;
    let status = if task.state.is_final() { StatusCode::OK } else { StatusCode::ACCEPTED };
    let place = task_location(&task.id);
    let mut response = respond_json(status, &describe_task(&call.service, &call.caller, task));
    if let Ok(place) = HeaderValue::from_str(&place) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

/// Stores a job with the answer under its request's key; or the answer that is stored there already.
async fn store_job(call: &Call, job: NewJob, key: Option<RequestName>) -> Outcome<Option<Response>> {
    let Some(key) = key else {
        call.service.desk.write(move |target| add_job(target, job, None)).await?;
        return Ok(None);
    };
    if let Some(known) = find_answer(&call.service, &key).await? {
        return Ok(Some(known));
    }
    let body = describe_task(&call.service, &call.caller, job.to_entry()).to_string();
    let answer = document_of_answer(key.clone(), StatusCode::ACCEPTED, &body);
    // If another service was faster under this key, the job is undone together with the second answer.
    let stored = call.service.desk.write(move |target| is_first_answer(add_job(target, job, Some(answer))));
    if stored.await? { Ok(None) } else { find_answer(&call.service, &key).await }
}

fn add_job(target: &mut dyn Target, job: NewJob, answer: Option<NewDocument>) -> landfall_engine::Result<()> {
    let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep)?;
    // In one transaction: if the process died in between, the request sent again would make a second job.
    transaction.add_jobs(&[job])?;
    transaction.add_documents(answer.as_slice())?;
    transaction.commit_now()
}

/// The task as it is once it has ended, or after `wait`.
async fn wait_for_end(call: &Call, mut task: JobEntry, wait: Duration) -> Outcome<JobEntry> {
    let begun = Instant::now();
    while !task.state.is_final() && begun.elapsed() < wait {
        let left = wait.saturating_sub(begun.elapsed()).min(GLANCE);
        let _ = timeout(left, call.service.jobs.ended.notified()).await;
        task = find(&call.service, task.id).await?.ok_or_else(|| Problem::not_found("task"))?;
    }
    Ok(task)
}

/// Where the task `id` is asked for.
pub(in crate::http) fn task_location(id: &str) -> String {
    format!("/v1/tasks/{id}")
}

async fn find(service: &Service, id: String) -> Outcome<Option<JobEntry>> {
    service.desk.read_briefly(move |target| target.find_job(&id)).await
}

/// The tasks that the caller may see, the newest first.
pub(in crate::http) async fn list_tasks(call: Call) -> Outcome {
    let mut query = call.query_parameters()?;
    let limit = query.take_limit(USUAL, MOST)?;
    let state = query.take_parsed("state", "the state of a task, such as running", JobState::parse)?;
    let table = query.take_value("table")?;
    let before = query.take_value("before")?;
    query.refuse_remaining(&["state", "table", "before", "limit"])?;
    let tables = match table {
        Some(name) => {
            call.table_called(&name)?;
            Some(vec![name])
        }
        None if call.caller.is_unlimited() => None,
        None => {
            let names = call.service.rules.rules_tables().iter().map(|table| table.name.to_string());
            Some(names.filter(|name| call.caller.sees_table(name)).collect())
        }
    };
    let filter = JobFilter { state, before, tables, limit: usize::try_from(limit).unwrap_or(usize::MAX) };
    let (service, caller) = (call.service.clone(), call.caller.clone());
    let mut out = call.begin_answer();
    let written = call.read(move |target| {
        write_tasks(target, &filter, &|task| describe_task(&service, &caller, task), &mut out)?;
        out.finish_answer()
    });
    let mut response = written.await?.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// Writes the tasks that `filter` wants as a page, fewer than it wants where they are many bytes.
fn write_tasks(
    target: &dyn Target,
    filter: &JobFilter,
    describe: &dyn Fn(JobEntry) -> Value,
    out: &mut AnswerSpool,
) -> landfall_engine::Result<()> {
    out.write_all(b"{\"tasks\":[").map_err(write_error)?;
    let (mut count, mut next) = (0, None);
    target.visit_jobs(filter, &mut |task| {
        let comma = if count > 0 { "," } else { "" };
        let id = task.id.clone();
        write!(out, "{comma}{}", describe(task)).map_err(write_error)?;
        count += 1;
        if count < filter.limit && out.length() < PAGE_BYTES {
            return Ok(ControlFlow::Continue(()));
        }
        next = Some(id);
        Ok(ControlFlow::Break(()))
    })?;
    write!(out, "],\"next\":{}}}", json!(next)).map_err(write_error)
}

/// The task that the path names, where the caller may see it.
async fn named_task(call: &Call) -> Outcome<JobEntry> {
    let task = find(&call.service, call.path_part("task").to_owned()).await?;
    let seen = |task: &JobEntry| {
        let all = task.tables.iter().all(|table| call.caller.sees_table(table));
        all && (call.caller.is_unlimited() || !task.tables.is_empty())
    };
    task.filter(seen).ok_or_else(|| Problem::not_found("task"))
}

/// One task.
pub(in crate::http) async fn show_task(call: Call) -> Outcome {
    call.query_parameters()?.refuse_remaining(&[])?;
    let task = named_task(&call).await?;
    Ok(respond_json(StatusCode::OK, &describe_task(&call.service, &call.caller, task)))
}

/// What a person may do to a task.
#[derive(Clone, Copy)]
struct TaskChange {
    apply: fn(&mut dyn Transaction, &str) -> landfall_engine::Result<Option<JobEntry>>,
    /// Why it cannot be done to a task that is like this afterwards.
    refuse: fn(&JobEntry) -> Option<String>,
}

const CANCEL: TaskChange = TaskChange {
    apply: |transaction, id| transaction.cancel_job(id),
    refuse: |task| {
        let has_ended = matches!(task.state, JobState::Done | JobState::Failed);
        has_ended.then(|| format!("the task is {} already", task.state.as_str()))
    },
};

const RETRY: TaskChange = TaskChange {
    apply: |transaction, id| transaction.retry_job(id),
    refuse: |task| {
        let state = task.state.as_str();
        let why = "only a task that was given up is tried again, since nothing is wrong with its request";
        (task.state != JobState::Pending).then(|| format!("the task is {state}; {why}"))
    },
};

/// Ends a task: one that waits at once, one that runs as soon as the chunk under way is undone.
pub(in crate::http) async fn cancel_task(call: Call) -> Outcome {
    call.query_parameters()?.refuse_remaining(&[])?;
    let id = named_task(&call).await?.id;
    let answer = once_within(&call, b"", async |key| change_task(&call, id.clone(), key, CANCEL).await).await?;
    // After the commit: a worker that was stopped earlier would find its job still wanted.
    if let Some(active) = call.service.jobs.control.find(&id) {
        active.cancel_work();
    }
    Ok(answer)
}

/// Has a task that was given up tried again.
pub(in crate::http) async fn retry_task(call: Call) -> Outcome {
    call.query_parameters()?.refuse_remaining(&[])?;
    let id = named_task(&call).await?.id;
    once_within(&call, b"", async |key| change_task(&call, id, key, RETRY).await).await
}

/// Changes a task, and stores the answer under `key` with that; none if an answer was there before.
async fn change_task(
    call: &Call,
    id: String,
    key: Option<RequestName>,
    change: TaskChange,
) -> Outcome<Option<Response>> {
    let (service, caller) = (call.service.clone(), call.caller.clone());
    let changed = call.service.desk.write(move |target| {
        let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep)?;
        let Some(task) = (change.apply)(&mut *transaction, &id)? else { return Ok(Some(Err(None))) };
        if let Some(reason) = (change.refuse)(&task) {
            return Ok(Some(Err(Some(reason))));
        }
        let status = if task.state.is_final() { StatusCode::OK } else { StatusCode::ACCEPTED };
        let body = describe_task(&service, &caller, task).to_string();
        let document = key.map(|key| document_of_answer(key, status, &body));
        let stored = transaction.add_documents(document.as_slice()).and_then(|()| transaction.commit_now());
        Ok(unless_overtaken(stored)?.map(|()| Ok((status, body))))
    });
    let (status, body) = match changed.await? {
        None => return Ok(None),
        Some(Err(None)) => return Err(Problem::not_found("task")),
        Some(Err(Some(reason))) => return Err(Problem::new(ProblemKind::CONFLICT, reason)),
        Some(Ok(answer)) => answer,
    };
    call.service.jobs.control.wake_workers();
    Ok(Some(respond_text(status, body)))
}

/// What becomes of a task, as server-sent events.
pub(in crate::http) async fn stream_events(call: Call) -> Outcome {
    call.query_parameters()?.refuse_remaining(&[])?;
    let task = named_task(&call).await?;
    let (parts, sent) = mpsc::channel(4);
    tokio::spawn(send_events(call.service.clone(), call.caller.clone(), task, parts));
    let mut response = Response::new(Body::new(UnsyncBoxBody::new(StreamBody::new(SentBody(sent)))));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Sends an event whenever the task has changed, until it ends or nobody listens.
async fn send_events(
    service: Arc<Service>,
    caller: RequestCaller,
    mut task: JobEntry,
    parts: mpsc::Sender<io::Result<Bytes>>,
) {
    let mut told = Value::Null;
    let mut spoken = Instant::now();
    loop {
        let now = describe_task(&service, &caller, task.clone());
        let ends = task.state.is_final();
        let part = if now != told {
            Some(format!("event: {}\ndata: {now}\n\n", if ends { "end" } else { "task" }))
        } else if spoken.elapsed() > BEAT {
            Some(": still here\n\n".to_owned())
        } else {
            None
        };
        if let Some(part) = part {
            if parts.send(Ok(part.into())).await.is_err() {
                return;
            }
            (told, spoken) = (now, Instant::now());
        }
        // A service that ends waits for its requests, and this one might last for hours.
        if ends || service.jobs.control.is_stopping() {
            return;
        }
        let _ = timeout(GLANCE / 2, service.jobs.ended.notified()).await;
        match find(&service, task.id.clone()).await {
            Ok(Some(found)) => task = found,
            Ok(None) => return,
            // The database may come back.
            Err(_) => {}
        }
    }
}

fn list_tasks_operation() -> Operation {
    let states = json!({"type": "string", "enum": JobState::ALL.map(JobState::as_str)});
    Operation {
        problems: vec![404],
        ..Operation::new("tasks", "The tasks, the newest first", schema_reference("Tasks"))
    }
    .with_query([
        text_parameter("table", "Of this table"),
        query_parameter("state", "In this state", states),
        text_parameter("before", "Only tasks made before this one: `next` of the page before"),
        limit_parameter(MOST),
    ])
    .with_description(PAGE_NOTE)
}

fn show_task_operation() -> Operation {
    Operation::new("tasks", "A task", schema_reference("Task"))
}

fn retry_task_operation() -> Operation {
    Operation {
        answers: [200, 202].map(|status| (status, "application/json", schema_reference("Task"))).into(),
        problems: vec![409],
        ..Operation::new("tasks", "Try a task again that was given up", json!({}))
    }
    .with_description(
        "A task is given up if its workers die or stand still again and again (`jobs.attempts`). Its upload is kept meanwhile.",
    )
}

fn cancel_task_operation() -> Operation {
    Operation {
        answers: [200, 202].map(|status| (status, "application/json", schema_reference("Task"))).into(),
        problems: vec![409],
        ..Operation::new("tasks", "Cancel a task", json!({}))
    }
    .with_description(
        "Rows that a load has committed stay. The ledger has it as stopped, and the same file resumes it.",
    )
}

fn stream_events_operation() -> Operation {
    Operation {
        answers: vec![(200, "text/event-stream", json!({}))],
        ..Operation::new("tasks", "The progress of a task, as server-sent events", json!({}))
    }
}
