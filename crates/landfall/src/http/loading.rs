//! The load of an upload, as a task does it.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use landfall_engine::{
    Error, Result, TargetErrorKind,
    ledger::{LoadEntry, LoadFilter, LoadId, LoadState},
    origin::Origin,
    pipeline::{self, LoadOptions, LoadOutcome, LoadProgress, Observer, ReplaceRefusalReason},
    source::Source,
    targets::Target,
    task::{self, Task, TaskState},
};
use serde_json::{Value, json};

use super::{
    desk::Desk,
    files::FileWork,
    problem::{Kind, Problem},
    runner::End,
    service::Service,
    tasks::{Live, Tasks},
};
use crate::typed::parse_max_rejects;

/// How long a load lets the requests that wait go first.
const COURTESY: Duration = Duration::from_millis(250);
/// How often a task is looked at that somebody may have cancelled through another process.
const GLANCE: Duration = Duration::from_secs(2);

/// Watches a load.
pub(super) struct Watch<'w> {
    live: &'w Live,
    tasks: &'w Tasks,
    desk: &'w Desk,
}

impl<'w> Watch<'w> {
    pub(super) fn new(service: &'w Service, live: &'w Live) -> Self {
        Self { live, tasks: &service.tasks, desk: &service.desk }
    }
}

impl Observer for Watch<'_> {
    fn report_progress(&self, progress: LoadProgress) {
        self.live.note(progress);
    }

    fn chunk_ends(&self) {
        // A database in a file has one writer at a time: who waits for it goes first.
        let begun = Instant::now();
        while self.desk.under_way() > 0 && begun.elapsed() < COURTESY {
            thread::sleep(Duration::from_millis(2));
        }
    }

    fn is_cancelled(&self) -> bool {
        self.live.is_cancelled() || self.tasks.is_stopping()
    }
}

/// Loads an upload.
pub(super) fn load(
    service: &Arc<Service>,
    target: &mut dyn Target,
    task: &Task,
    work: &FileWork,
    path: &Path,
    live: &Arc<Live>,
) -> End {
    match attempt(service, target, task, work, path, live) {
        Ok(outcomes) => ended(service, &outcomes, work.dry_run),
        // A dry run leaves nothing that would have to be told.
        Err(Error::Cancelled) if live.is_cancelled() && work.dry_run => {
            End::As(TaskState::Cancelled, Value::Null, Value::Null)
        }
        Err(Error::Cancelled) if live.is_cancelled() => {
            let stopped = pipeline::stop_load(target, service.rules.rules_project(), &work.table, &work.source);
            let outcome = partial(target, work);
            match stopped {
                Ok(()) => End::As(TaskState::Cancelled, outcome, Value::Null),
                Err(error) => End::Later(Problem::of_engine(&error)),
            }
        }
        Err(Error::Cancelled) => End::HandedBack,
        Err(Error::Target(error)) if comes_back(error.kind) => End::Later(Problem::of_engine(&error.into())),
        Err(error) => {
            tracing::warn!(%error, task = task.id, "a task has failed");
            let outcome = if work.dry_run { Value::Null } else { partial(target, work) };
            End::As(TaskState::Failed, outcome, of_load(&error, work).body())
        }
    }
}

/// Whether the same may succeed later without anybody's doing.
pub(super) const fn comes_back(kind: TargetErrorKind) -> bool {
    use TargetErrorKind::{Again, Denied, Full, Locked, Lost, Overtaken, Unavailable};
    matches!(kind, Again | Denied | Full | Locked | Lost | Overtaken | Unavailable)
}

/// What stopped a load, in words that name the file as its sender does.
fn of_load(error: &Error, work: &FileWork) -> Problem {
    match error {
        Error::Source { reason, .. } => {
            let name = work.file.as_deref().unwrap_or("the file");
            Problem::new(Kind::WRONG_SHAPE, format!("{name}: {reason}"))
        }
        Error::Target(error) if error.kind == TargetErrorKind::Constraint => {
            let detail = "rows of other tables need rows that this load would take away, or rows that it needs were taken away \
                          meanwhile; nothing of the last step was kept";
            Problem::new(Kind::CONFLICT, detail)
        }
        Error::Usage(reason) => Problem::new(Kind::CONFLICT, reason.clone()),
        error => Problem::of_engine(error),
    }
}

fn attempt(
    service: &Arc<Service>,
    target: &mut dyn Target,
    task: &Task,
    work: &FileWork,
    path: &Path,
    live: &Arc<Live>,
) -> Result<Vec<LoadOutcome>> {
    let project = service.rules.rules_project();
    // A process that did this before may have died just after its last commit.
    if !work.dry_run
        && let Some(outcome) = find_done(target, task, work)?
    {
        let mut outcomes = vec![outcome];
        outcomes.extend(pipeline::release_after_loads(target, project, &outcomes)?);
        return Ok(outcomes);
    }
    let max_rejects = work.max_rejects.as_deref().and_then(|text| parse_max_rejects(text).ok());
    let options = LoadOptions {
        mode: work.mode,
        on_conflict: work.on_conflict,
        atomic: work.atomic,
        max_rejects: max_rejects.or(service.load.max_rejects),
        allow_rejects: max_rejects.is_some(),
        allow_empty: work.allow_empty,
        force: work.force,
        dry_run: work.dry_run,
        overrides: work.dialect.clone(),
        work: service.load.default_work(),
        ..LoadOptions::default()
    };
    let source = Source::from_file(work.source.clone(), path).with_origin(Origin::Upload);
    let position = project.find_position(&work.table)?;
    let watch = Watch::new(service, live);
    watched(service, task, live, || pipeline::load_sources(target, project, vec![(position, source)], &options, &watch))
}

/// Does the work of a task, which may be cancelled through another process meanwhile.
pub(super) fn watched<T>(service: &Service, task: &Task, live: &Live, work: impl FnOnce() -> T) -> T {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| listen(service, task, live, &done));
        let outcome = work();
        done.store(true, Ordering::Relaxed);
        outcome
    })
}

/// Looks, as long as a task runs, whether it was cancelled through another process.
fn listen(service: &Service, task: &Task, live: &Live, done: &AtomicBool) {
    let mut looked = Instant::now();
    while !done.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(20));
        if looked.elapsed() < GLANCE || live.is_cancelled() {
            continue;
        }
        looked = Instant::now();
        let id = task.id.clone();
        let found = service.handle.block_on(service.desk.look(move |target| task::task(target, &id)));
        if found.is_ok_and(|task| task.is_some_and(|task| task.is_cancelled)) {
            live.cancel();
        }
    }
}

/// The ledger's last load before the task was first begun.
fn mark(target: &mut dyn Target, task: &Task, work: &FileWork) -> Result<LoadId> {
    if let Some(mark) = task.request.get("ledger").and_then(Value::as_i64) {
        return Ok(mark.into());
    }
    let filter = LoadFilter { newest_first: true, limit: Some(1), ..LoadFilter::default() };
    let mark = target.find_loads(&filter)?.first().map_or(LoadId::NONE, |entry| entry.id);
    let noted = |task: &mut Task| {
        task.request["ledger"] = json!(mark);
        true
    };
    task::change(target, &task.id, &noted)?;
    tracing::debug!(%mark, table = work.table, "the ledger before the task");
    Ok(mark)
}

/// The load of just this source that has ended since the task was first begun, as an outcome.
fn find_done(target: &mut dyn Target, task: &Task, work: &FileWork) -> Result<Option<LoadOutcome>> {
    let mark = mark(target, task, work)?;
    let of_task = LoadFilter { after: mark, ..LoadFilter::loads_of_source(&work.table, &work.source) };
    let ended = |entry: &LoadEntry| matches!(entry.state, LoadState::Complete | LoadState::RolledBack);
    let entry = target.find_loads(&of_task)?.into_iter().find(ended);
    Ok(entry.as_ref().map(LoadOutcome::from_entry))
}

/// What the ledger knows of a load that did not come to its end.
fn partial(target: &dyn Target, work: &FileWork) -> Value {
    let newest =
        LoadFilter { newest_first: true, limit: Some(1), ..LoadFilter::loads_of_source(&work.table, &work.source) };
    let entry = target.find_loads(&newest).unwrap_or_default().pop();
    entry.map_or(Value::Null, |entry| {
        let counts = entry.counts;
        json!({
            "load_id": entry.id, "load_state": entry.state, "read": counts.read, "inserted": counts.inserted,
            "updated": counts.updated, "unchanged": counts.unchanged, "rejected": counts.rejected,
        })
    })
}

/// The number of a load in the ledger; none of a dry run.
pub(super) fn number_of(load: &LoadOutcome) -> Option<LoadId> {
    load.load_id.is_stored().then_some(load.load_id)
}

fn ended(service: &Service, outcomes: &[LoadOutcome], dry_run: bool) -> End {
    if !dry_run {
        outcomes.iter().for_each(|outcome| service.metrics.load(outcome));
    }
    let Some((own, released)) = outcomes.split_first() else {
        return End::As(TaskState::Done, Value::Null, Value::Null);
    };
    let counts = own.counts;
    let outcome = with_effects(
        own,
        json!({
            "load_id": number_of(own), "load_state": own.state, "read": counts.read, "inserted": counts.inserted,
            "updated": counts.updated, "unchanged": counts.unchanged, "rejected": counts.rejected,
            "seconds": own.seconds, "reasons": own.reasons,
            "released": released.iter().map(|load| json!({
                "load_id": number_of(load), "table": load.table, "read": load.counts.read, "inserted": load.counts.inserted,
                "updated": load.counts.updated, "unchanged": load.counts.unchanged, "rejected": load.counts.rejected,
            })).collect::<Vec<_>>(),
        }),
    );
    match stopped(outcomes, dry_run) {
        Some(problem) => End::As(TaskState::Failed, outcome, problem.body()),
        None => End::As(TaskState::Done, outcome, Value::Null),
    }
}

/// `told` of a load, with what else became of the table and its rejects.
pub(super) fn with_effects(load: &LoadOutcome, mut told: Value) -> Value {
    if let Some(removed) = load.removed {
        told["removed"] = removed.into();
    }
    if !load.closed_rejects.is_empty() {
        told["closed_rejects"] = json!(load.closed_rejects);
    }
    if let Some(refusal) = load.refusal {
        told["refusal"] = json!(refusal);
    }
    told
}

/// Why loads did not come to their end, or would not where they were only tried.
pub(super) fn stopped(outcomes: &[LoadOutcome], dry_run: bool) -> Option<Problem> {
    let refusal = outcomes.iter().find_map(|outcome| outcome.refusal);
    let any = |state| outcomes.iter().any(|outcome| outcome.state == state);
    let what_stays = if dry_run { "a load would keep what it had read, and stop" } else { "what was read is kept" };
    let detail = match refusal {
        Some(refusal) => {
            let mend = match refusal.reason {
                ReplaceRefusalReason::LeavesEmpty => "allow_empty=true",
                _ => "max_rejects",
            };
            format!("the replace was stopped: {refusal}. Nothing was changed. If that is meant, send it with {mend}")
        }
        None if any(LoadState::RolledBack) => {
            "there are rejects, and the load was all or nothing: no row was inserted".to_owned()
        }
        None if outcomes.iter().any(|outcome| outcome.max_reject_bytes.is_some()) => {
            format!("the rejects have more bytes than load.maxRejectBytes allows; {what_stays}")
        }
        None if outcomes.iter().any(|outcome| outcome.max_project_reject_bytes.is_some()) => {
            format!("all open rejects together have more bytes than load.maxProjectRejectBytes allows; {what_stays}")
        }
        None if any(LoadState::Stopped) => {
            format!("there are more rejects than max_rejects allows; {what_stays}")
        }
        None => return None,
    };
    Some(Problem::new(Kind::CONFLICT, detail))
}
