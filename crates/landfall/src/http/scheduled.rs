//! Backups that the schedule wants: each time one task, whichever of several services comes first.

use std::{sync::Weak, time::Duration};

use axum::body::Body;
use jiff::Timestamp;
use landfall_engine::{
    Error, TargetErrorKind,
    document::{DocumentFilter, NewDocument},
    target::{Fence, Pace},
    task::{self, Task},
};
use serde_json::json;
use tokio::time::sleep;

use super::{
    backups::{BACKUP, BackupWork, names},
    problem::{Outcome, Problem},
    service::Service,
    uploads::Incoming,
};
use crate::config::Schedule;

/// Of each time that was come to there is a document of this kind, called by the time.
const KIND: &str = "scheduled-backup";

/// How often the clock is looked at.
const GLANCE: Duration = Duration::from_secs(1);
/// How long the database is left alone that cannot be used now.
const PAUSE: Duration = Duration::from_secs(10);

/// Has backups made by the schedule, as long as the service runs.
pub(super) async fn run(service: Weak<Service>) {
    let Some(schedule) = service.upgrade().and_then(|service| service.backups.settings.schedule.clone()) else {
        return;
    };
    let mut after = None;
    loop {
        {
            let Some(service) = service.upgrade() else { return };
            let begun = match after {
                Some(after) => Ok(after),
                None => first(&service).await,
            };
            let looked = match begun {
                Ok(last) => look(&service, &schedule, last).await.map(|last| after = Some(last)),
                Err(problem) => Err(problem),
            };
            if let Err(problem) = looked {
                tracing::warn!(problem = problem.detail(), "the schedule of backups cannot be looked at now");
                sleep(PAUSE).await;
            }
        }
        sleep(GLANCE).await;
    }
}

/// The last time that a service has come to; now, where there is none.
async fn first(service: &Service) -> Outcome<Timestamp> {
    let now = Timestamp::now();
    let found = service.desk.read(|target| target.documents(&DocumentFilter::of(KIND))).await?;
    if let Some(last) = found.iter().filter_map(|document| document.name.parse().ok()).max() {
        return Ok(last);
    }
    // From now on, what is missed is known.
    let begun = NewDocument { kind: KIND, name: now.to_string(), body: Vec::new() };
    service
        .desk
        .write(move |target| {
            let mut transaction = target.transaction(Fence::Pipeline, Pace::InStep)?;
            transaction.add_documents(std::slice::from_ref(&begun))?;
            transaction.commit()
        })
        .await?;
    Ok(now)
}

/// Has a backup made where a time has come since `last`; the last time that has come.
async fn look(service: &Service, schedule: &Schedule, last: Timestamp) -> Outcome<Timestamp> {
    let now = Timestamp::now();
    let (mut due, mut missed) = (last, 0u64);
    while let Some(next) = schedule.after(due).filter(|next| *next <= now) {
        (due, missed) = (next, missed + 1);
    }
    if due == last {
        return Ok(last);
    }
    if missed > 1 || now.duration_since(due) > jiff::SignedDuration::from_secs(60) {
        tracing::warn!(missed, at = %due, "the service did not run when a backup was due; it is made now");
    }
    let at = due.to_string();
    let work = BackupWork { scheduled_at: Some(at.clone()), ..BackupWork::default() };
    let task = Task::new(BACKUP, names(service, &work), json!(work))?;
    let uploads = service.tasks.uploads.clone();
    let upload = uploads.receive(task.id.clone(), Incoming::Body(Body::empty()), service.pause()).await?;
    let document = NewDocument { kind: KIND, name: at.clone(), body: task.id.clone().into_bytes() };
    let stored = service.desk.write(move |target| match task::add(target, &task, Some(document)) {
        Err(Error::Target(error)) if error.kind == TargetErrorKind::Overtaken => Ok(false),
        stored => stored.map(|()| true),
    });
    let stored: Result<bool, Problem> = stored.await;
    match stored {
        Ok(true) => {
            drop(upload);
            tracing::info!(at, "a backup is due");
            service.tasks.wake();
        }
        // Another service makes it.
        Ok(false) => uploads.remove(&upload.path),
        Err(problem) => {
            uploads.remove(&upload.path);
            return Err(problem);
        }
    }
    Ok(due)
}
