//! The threads that do tasks: each has a target of its own, so that rows are taken meanwhile.

use std::{
    collections::HashMap,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, Weak},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use landfall_engine::{
    Result,
    targets::{Location, Target, TargetAccess, open},
    task::{self, Task, TaskState},
};
use serde_json::{Value, json};

use super::{
    archiving, backups, files,
    later::{self, RowsWork},
    loading::load,
    problem::{Kind, Problem},
    service::Service,
    tasks::Live,
    uploads::Found,
};

/// How often uploads are looked for that another process has left.
const LOOKING: Duration = Duration::from_secs(5);
/// How long the first pause is after the database could not be used, and the longest one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Starts the threads.
pub(super) fn start(service: &Arc<Service>, location: &Location) -> std::io::Result<Vec<JoinHandle<()>>> {
    let count = if matches!(location, Location::Sqlite(_)) { 1 } else { 2 };
    let start = |_| {
        let (service, location) = (Arc::downgrade(service), location.clone());
        let run = move || Runner { service, location, pauses: HashMap::new() }.run();
        thread::Builder::new().name("tasks".into()).spawn(run)
    };
    (0..count).map(start).collect()
}

/// A thread that does tasks, one after the other.
struct Runner {
    service: Weak<Service>,
    location: Location,
    /// Tasks that are tried once more: when, and how long was waited for that.
    pauses: HashMap<String, (Instant, Duration)>,
}

/// How a task left its thread.
pub(super) enum End {
    /// With this state, outcome and problem.
    As(TaskState, Value, Value),
    /// It is tried once more, since the database cannot be used now.
    Later(Problem),
    /// The process ends: another one takes it up.
    HandedBack,
}

impl Runner {
    fn run(mut self) {
        loop {
            let Some(service) = self.service.upgrade() else { return };
            for found in service.tasks.uploads.free() {
                if service.tasks.is_stopping() {
                    return;
                }
                if self.pauses.get(&found.id).is_some_and(|(until, _)| Instant::now() < *until) {
                    continue;
                }
                if let Err(error) = self.take(&service, &found) {
                    tracing::warn!(%error, task = found.id, "a task cannot be begun now");
                    self.pause(&found.id);
                }
            }
            if service.tasks.is_stopping() {
                return;
            }
            let next = self.pauses.values().map(|(until, _)| until.saturating_duration_since(Instant::now())).min();
            service.tasks.wait(next.unwrap_or(LOOKING).clamp(Duration::from_millis(50), LOOKING));
        }
    }

    fn pause(&mut self, id: &str) {
        let last = self.pauses.get(id).map(|(_, pause)| *pause);
        let pause = last.map_or(FIRST_PAUSE, |last| (last * 2).min(LONGEST_PAUSE));
        self.pauses.insert(id.to_owned(), (Instant::now() + pause, pause));
    }

    /// Does the task of an upload, where there is one to do.
    fn take(&mut self, service: &Arc<Service>, found: &Found) -> Result<()> {
        let mut target = open(&self.location, TargetAccess::Write)?;
        let begun = task::change(&mut *target, &found.id, &|task| {
            let may = !task.state.is_end();
            if may {
                task.enter(if task.is_cancelled { TaskState::Cancelled } else { TaskState::Running });
            }
            may
        })?;
        let Some(task) = begun.filter(|task| task.state == TaskState::Running) else {
            // It ended, or its sender was never told of it.
            service.tasks.uploads.remove(&found.path);
            return Ok(());
        };
        tracing::info!(task = task.id, kind = task.kind, attempt = task.attempts, "a task begins");
        let live = service.tasks.begin(&task.id);
        // A panic within must not end the thread: others' tasks wait for it.
        let acted = || self.act(service, &mut *target, &task, &found.path, &live);
        let end = catch_unwind(AssertUnwindSafe(acted)).unwrap_or_else(|_| {
            let problem =
                Problem::new(Kind::INTERNAL, "the task failed by a mistake of the service; its log says more");
            End::As(TaskState::Failed, Value::Null, problem.body())
        });
        let ended = self.settle(service, &mut *target, found, end);
        service.tasks.end(&task.id);
        ended
    }

    /// Notes how a task left, and takes its upload away where nothing is to come.
    fn settle(&mut self, service: &Service, target: &mut dyn Target, found: &Found, end: End) -> Result<()> {
        let (state, outcome, problem) = match end {
            End::HandedBack => return Ok(()),
            End::Later(problem) => (TaskState::Pending, Value::Null, problem.body()),
            End::As(state, outcome, problem) => (state, outcome, problem),
        };
        let change = |task: &mut Task| {
            task.enter(state);
            (task.outcome, task.problem) = (outcome.clone(), problem.clone());
            true
        };
        let noted = task::change(target, &found.id, &change);
        // The connection may be what was lost.
        let noted = noted.or_else(|_| {
            open(&self.location, TargetAccess::Write)
                .and_then(|mut target| task::change(&mut *target, &found.id, &change))
        });
        if state == TaskState::Pending {
            self.pause(&found.id);
            return noted.map(drop);
        }
        noted?;
        tracing::info!(task = found.id, state = state.as_str(), "a task has ended");
        self.pauses.remove(&found.id);
        service.tasks.uploads.remove(&found.path);
        Ok(())
    }

    fn act(&self, service: &Arc<Service>, target: &mut dyn Target, task: &Task, path: &Path, live: &Arc<Live>) -> End {
        match task.kind.as_str() {
            files::KIND => match serde_json::from_value(task.request.clone()) {
                Ok(work) => load(service, target, task, &work, path, live),
                Err(error) => unknown(&error.to_string()),
            },
            later::KIND => match serde_json::from_value::<RowsWork>(task.request.clone()) {
                Ok(work) => rows(service, task, &work, path),
                Err(error) => unknown(&error.to_string()),
            },
            backups::BACKUP => match serde_json::from_value(task.request.clone()) {
                Ok(work) => archiving::make(service, target, task, &work, live),
                Err(error) => unknown(&error.to_string()),
            },
            backups::RESTORE => match serde_json::from_value(task.request.clone()) {
                Ok(work) => archiving::restore(service, target, task, &work, path, live),
                Err(error) => unknown(&error.to_string()),
            },
            other => unknown(other),
        }
    }
}

/// A task of a newer version.
fn unknown(what: &str) -> End {
    tracing::error!(what, "a task is not one that this version knows");
    let problem = Problem::new(Kind::INTERNAL, "this version of the service does not know such a task");
    End::As(TaskState::Failed, Value::Null, problem.body())
}

/// Takes rows in that were sent to be taken later.
fn rows(service: &Arc<Service>, task: &Task, work: &RowsWork, path: &Path) -> End {
    let failed = |problem: Problem| End::As(TaskState::Failed, Value::Null, problem.body());
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            tracing::error!(%error, task = task.id, "an upload cannot be read");
            return failed(Problem::new(Kind::INTERNAL, "what was sent cannot be read any more"));
        }
    };
    match service.handle.block_on(later::take(service, &task.id, work, bytes)) {
        Ok((status, answer)) => {
            let outcome = json!({"status": status.as_u16(), "answer": answer});
            End::As(TaskState::Done, outcome, Value::Null)
        }
        Err(problem) if problem.comes_back() && !service.tasks.is_stopping() => End::Later(problem),
        Err(problem) if problem.comes_back() => End::HandedBack,
        Err(problem) => failed(problem),
    }
}
