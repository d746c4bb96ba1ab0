//! `/v1/tasks`: work that goes on after its request was answered.

use std::{
    collections::HashMap,
    io::{self, Write as _},
    ops::ControlFlow,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use http_body_util::{StreamBody, combinators::UnsyncBoxBody};
use landfall_engine::{
    pipeline::LoadProgress,
    targets::Target,
    task::{self, Task, TaskFilter, TaskState},
};
use serde_json::{Value, json};
use tokio::{
    sync::{Notify, mpsc},
    time::timeout,
};

use super::{
    access::Caller,
    call::Call,
    once::{InFlight, document_of_answer, find_answer, once_within, unless_overtaken, was_first},
    problem::{Kind, Outcome, Problem},
    rows::RequestName,
    sent::Sent,
    service::Service,
    spool::{PAGE_BYTES, Spool, unwritable},
    task_view::describe_task,
    uploads::{Upload, Uploads},
    values::{of_text, respond},
};

/// Tasks of a page.
const USUAL: u64 = 100;
const MOST: u64 = 1000;
/// How often a task is looked at that another process may do.
const GLANCE: Duration = Duration::from_secs(1);
/// How often who watches a task is sent something, so that the connection is known to be alive.
const BEAT: Duration = Duration::from_secs(15);

/// What the process knows of tasks.
pub(crate) struct Tasks {
    pub(super) uploads: Uploads,
    /// Those that this process does.
    live: Mutex<HashMap<String, Arc<Live>>>,
    /// Whether there may be something to do, for the threads that do it.
    wanted: (Mutex<bool>, Condvar),
    stopping: AtomicBool,
    /// Told whenever a task that this process does comes to its end.
    ended: Notify,
}

/// A task that this process does.
#[derive(Debug, Default)]
pub(super) struct Live {
    progress: Mutex<LoadProgress>,
    is_cancelled: AtomicBool,
}

impl Live {
    pub(super) fn note(&self, progress: LoadProgress) {
        *locked(&self.progress) = progress;
    }

    pub(super) fn progress(&self) -> Value {
        let LoadProgress { bytes, total_bytes, records, rejected } = *locked(&self.progress);
        json!({"bytes": bytes, "total_bytes": total_bytes, "records": records, "rejected": rejected})
    }

    pub(super) fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Relaxed)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tasks {
    pub(super) fn new(uploads: Uploads) -> Self {
        Self {
            uploads,
            live: Mutex::default(),
            wanted: (Mutex::new(true), Condvar::new()),
            stopping: AtomicBool::new(false),
            ended: Notify::new(),
        }
    }

    /// Lets the threads look for something to do.
    pub(super) fn wake(&self) {
        *locked(&self.wanted.0) = true;
        self.wanted.1.notify_all();
    }

    /// Waits until there may be something to do, for at most `patience`.
    pub(super) fn wait(&self, patience: Duration) {
        let (wanted, bell) = &self.wanted;
        let until = |wanted: &mut bool| !*wanted && !self.is_stopping();
        let waited = bell.wait_timeout_while(locked(wanted), patience, until);
        *waited.unwrap_or_else(PoisonError::into_inner).0 = false;
    }

    /// Hands back what is being done: it is taken up again by the next process.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.wake();
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    pub(super) fn begin(&self, id: &str) -> Arc<Live> {
        locked(&self.live).entry(id.to_owned()).or_default().clone()
    }

    pub(super) fn end(&self, id: &str) {
        locked(&self.live).remove(id);
        self.ended.notify_waiters();
    }

    pub(super) fn live(&self, id: &str) -> Option<Arc<Live>> {
        locked(&self.live).get(id).cloned()
    }

    /// How many this process does.
    pub(super) fn under_way(&self) -> usize {
        locked(&self.live).len()
    }
}

/// Takes a task on whose upload has come: stores it, with the answer under the request's key, and tells of it. `in_flight` is that key
/// while the request is under way.
pub(super) async fn accept(
    call: &Call,
    task: Task,
    upload: Upload,
    key: Option<(RequestName, InFlight)>,
    wait: Duration,
) -> Outcome {
    let tasks = &call.service.tasks;
    let (key, in_flight) = key.unzip();
    match store_task(call, task.clone(), key).await {
        Ok(None) => {}
        Ok(Some(known)) => {
            tasks.uploads.remove(&upload.path);
            return Ok(known);
        }
        Err(problem) => {
            tasks.uploads.remove(&upload.path);
            return Err(problem);
        }
    }
    drop(in_flight);
    drop(upload);
    tasks.wake();
    let task = wait_for_end(call, task, wait).await?;
    let status = if task.state.is_end() { StatusCode::OK } else { StatusCode::ACCEPTED };
    let place = place(&task.id);
    let mut response = respond(status, &describe_task(&call.service, &call.caller, task));
    if let Ok(place) = HeaderValue::from_str(&place) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

/// Stores a task with the answer under its request's key; or the answer that is kept there already.
async fn store_task(call: &Call, task: Task, key: Option<RequestName>) -> Outcome<Option<Response>> {
    let Some(key) = key else {
        call.service.desk.write(move |target| task::add(target, &task, None)).await?;
        return Ok(None);
    };
    if let Some(known) = find_answer(&call.service, &key).await? {
        return Ok(Some(known));
    }
    let body = describe_task(&call.service, &call.caller, task.clone()).to_string();
    let answer = document_of_answer(key.clone(), StatusCode::ACCEPTED, &body);
    let stored = call.service.desk.write(move |target| was_first(task::add(target, &task, Some(answer))));
    if stored.await? { Ok(None) } else { find_answer(&call.service, &key).await }
}

/// The task as it is once it has ended, or after `wait`.
async fn wait_for_end(call: &Call, mut task: Task, wait: Duration) -> Outcome<Task> {
    let begun = Instant::now();
    while !task.state.is_end() && begun.elapsed() < wait {
        let left = wait.saturating_sub(begun.elapsed()).min(GLANCE);
        let _ = timeout(left, call.service.tasks.ended.notified()).await;
        task = find(&call.service, task.id).await?.ok_or_else(|| Problem::not_found("task"))?;
    }
    Ok(task)
}

/// Where the task `id` is asked for.
pub(super) fn place(id: &str) -> String {
    format!("/v1/tasks/{id}")
}

async fn find(service: &Service, id: String) -> Outcome<Option<Task>> {
    service.desk.look(move |target| task::task(target, &id)).await
}

/// The tasks that the caller may see, the newest first.
pub(super) async fn list(call: Call) -> Outcome {
    let mut query = call.query()?;
    let limit = query.limit(USUAL, MOST)?;
    let state = query.parsed("state", "the state of a task, such as running", TaskState::parse)?;
    let table = query.take("table")?;
    let before = query.take("before")?;
    query.finish(&["state", "table", "before", "limit"])?;
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
    let filter = TaskFilter { state, before, tables, limit: usize::try_from(limit).unwrap_or(usize::MAX) };
    let (service, caller) = (call.service.clone(), call.caller.clone());
    let mut out = call.begin_answer();
    let written = call.read(move |target| {
        write_tasks(target, &filter, &|task| describe_task(&service, &caller, task), &mut out)?;
        out.finish()
    });
    let mut response = written.await?.respond();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// Writes the tasks that `filter` wants as a page, fewer than it wants where they are many bytes.
fn write_tasks(
    target: &dyn Target,
    filter: &TaskFilter,
    describe: &dyn Fn(Task) -> Value,
    out: &mut Spool,
) -> landfall_engine::Result<()> {
    out.write_all(b"{\"tasks\":[").map_err(unwritable)?;
    let (mut count, mut next) = (0, None);
    task::visit_tasks(target, filter, &mut |task| {
        let comma = if count > 0 { "," } else { "" };
        let id = task.id.clone();
        write!(out, "{comma}{}", describe(task)).map_err(unwritable)?;
        count += 1;
        if count < filter.limit && out.length() < PAGE_BYTES {
            return Ok(ControlFlow::Continue(()));
        }
        next = Some(id);
        Ok(ControlFlow::Break(()))
    })?;
    write!(out, "],\"next\":{}}}", json!(next)).map_err(unwritable)
}

/// The task that the path names, where the caller may see it.
async fn named(call: &Call) -> Outcome<Task> {
    let task = find(&call.service, call.part("task").to_owned()).await?;
    let seen = |task: &Task| {
        let all = task.tables.iter().all(|table| call.caller.sees_table(table));
        all && (call.caller.is_unlimited() || !task.tables.is_empty())
    };
    task.filter(seen).ok_or_else(|| Problem::not_found("task"))
}

/// One task.
pub(super) async fn one(call: Call) -> Outcome {
    call.query()?.finish(&[])?;
    let task = named(&call).await?;
    Ok(respond(StatusCode::OK, &describe_task(&call.service, &call.caller, task)))
}

/// Ends a task: one that waits at once, one that runs as soon as the chunk under way is undone.
pub(super) async fn cancel(call: Call) -> Outcome {
    call.query()?.finish(&[])?;
    let id = named(&call).await?.id;
    once_within(&call, b"", async |key| cancel_task(&call, id, key).await).await
}

/// Marks a task as cancelled, and keeps the answer under `key` with that; none where an answer was there before.
async fn cancel_task(call: &Call, id: String, key: Option<RequestName>) -> Outcome<Option<Response>> {
    let (service, caller) = (call.service.clone(), call.caller.clone());
    let changed = call.service.desk.write(move |target| {
        let mut told = None;
        let changed = task::change_with(target, &id, &mark_cancelled, &mut |task| {
            if matches!(task.state, TaskState::Done | TaskState::Failed) {
                return None;
            }
            let status = if task.state.is_end() { StatusCode::OK } else { StatusCode::ACCEPTED };
            let body = describe_task(&service, &caller, task.clone()).to_string();
            let document = key.clone().map(|key| document_of_answer(key, status, &body));
            told = Some((status, body));
            document
        });
        unless_overtaken(changed).map(|changed| changed.map(|task| (task, told)))
    });
    let Some((task, told)) = changed.await? else { return Ok(None) };
    let task = task.ok_or_else(|| Problem::not_found("task"))?;
    let tasks = &call.service.tasks;
    if let Some(live) = tasks.live(&task.id) {
        live.cancel();
    }
    tasks.wake();
    let ended = || Problem::new(Kind::CONFLICT, format!("the task is {} already", task.state.as_str()));
    let (status, body) = told.ok_or_else(ended)?;
    Ok(Some(of_text(status, body)))
}

fn mark_cancelled(task: &mut Task) -> bool {
    let may = !task.state.is_end() && !task.is_cancelled;
    task.is_cancelled |= may;
    if may && task.state == TaskState::Pending && task.attempts == 0 {
        task.enter(TaskState::Cancelled);
    }
    may
}

/// What becomes of a task, as server-sent events.
pub(super) async fn events(call: Call) -> Outcome {
    call.query()?.finish(&[])?;
    let task = named(&call).await?;
    let (parts, sent) = mpsc::channel(4);
    tokio::spawn(tell(call.service.clone(), call.caller.clone(), task, parts));
    let mut response = Response::new(Body::new(UnsyncBoxBody::new(StreamBody::new(Sent(sent)))));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Sends an event whenever the task has changed, until it ends or nobody listens.
async fn tell(service: Arc<Service>, caller: Caller, mut task: Task, parts: mpsc::Sender<io::Result<Bytes>>) {
    let mut told = Value::Null;
    let mut spoken = Instant::now();
    loop {
        let now = describe_task(&service, &caller, task.clone());
        let ends = task.state.is_end();
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
        if ends || service.tasks.is_stopping() {
            return;
        }
        let _ = timeout(GLANCE / 2, service.tasks.ended.notified()).await;
        match find(&service, task.id.clone()).await {
            Ok(Some(found)) => task = found,
            Ok(None) => return,
            // The database may come back.
            Err(_) => {}
        }
    }
}
