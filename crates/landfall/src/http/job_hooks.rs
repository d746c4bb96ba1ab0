//! The jobs of the service: what it wants to know of them, and their start.

use std::{
    sync::{Arc, Weak},
    thread::JoinHandle,
};

use landfall_engine::{
    jobs::{JobControl, JobHooks, start_workers},
    pipeline::{LoadOutcome, RowsOutcome},
    targets::Location,
};
use tokio::sync::Notify;

use super::{service::Service, uploads::Uploads};
use crate::{
    config::{JobConfig, LoadDefaults},
    workers::{JobPlaces, job_resources, worker_settings},
};

/// The jobs of the service.
pub(crate) struct Jobs {
    pub(super) uploads: Uploads,
    pub(super) control: Arc<JobControl>,
    /// Notified whenever a job leaves its worker.
    pub(super) ended: Notify,
}

impl Jobs {
    pub(super) fn new(uploads: Uploads) -> Self {
        Self { uploads, control: Arc::default(), ended: Notify::new() }
    }
}

/// Starts the workers of the service.
pub(super) fn start_service_workers(
    service: &Arc<Service>,
    location: &Location,
    load: &LoadDefaults,
    jobs: &JobConfig,
) -> std::io::Result<Vec<JoinHandle<()>>> {
    let places = JobPlaces {
        uploads: service.jobs.uploads.storage.clone(),
        max_upload: service.api.max_upload,
        backups: service.backups.clone(),
    };
    // Weak: a worker that is still busy must not keep the service, and its database, from ending.
    let hooks = Arc::new(Hooks(Arc::downgrade(service)));
    let resources = job_resources(service.rules.clone(), load, jobs, places, hooks);
    start_workers(&worker_settings(location, jobs), &resources, &service.jobs.control)
}

/// What the service wants to know of jobs, as long as it is there.
struct Hooks(Weak<Service>);

impl JobHooks for Hooks {
    fn note_load(&self, outcome: &LoadOutcome) {
        if let Some(service) = self.0.upgrade() {
            service.metrics.count_load(outcome);
        }
    }

    fn note_rows(&self, outcome: &RowsOutcome) {
        if let Some(service) = self.0.upgrade() {
            service.metrics.count_rows(outcome);
        }
    }

    fn note_backup(&self, is_made: bool) {
        if let Some(service) = self.0.upgrade() {
            service.metrics.count_backup(is_made);
        }
    }

    fn note_end(&self) {
        if let Some(service) = self.0.upgrade() {
            service.jobs.ended.notify_waiters();
        }
    }

    fn has_waiting_writers(&self) -> bool {
        // A job gives way to requests between two chunks: people wait for those.
        self.0.upgrade().is_some_and(|service| service.desk.pending_requests() > 0)
    }
}
