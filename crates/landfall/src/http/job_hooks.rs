//! The jobs of the service: what it wants to know of them, and their start.

use std::{
    path::Path,
    sync::{Arc, Weak},
    thread::JoinHandle,
};

use landfall_engine::{
    Result,
    jobs::{
        BackupSettings, JobControl, JobHooks, JobResources, Timetable, WorkerSettings, start_workers,
        uploads::{UploadBucket, UploadFolder, UploadStorage},
    },
    objects::ObjectSettings,
    pipeline::{LoadOutcome, RowsOutcome},
    targets::Location,
};
use tokio::sync::Notify;

use super::{service::Service, uploads::Uploads};
use crate::config::{ApiConfig, BackupConfig, FileDestination, JobConfig, LoadDefaults};

/// Where uploads lie, in the project's folder, if it is not said otherwise.
const UPLOADS: &str = ".landfall/uploads";

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

/// Where uploads go: a folder, or object storage.
pub(super) fn open_uploads(api: &ApiConfig, project: &Path, storage: &ObjectSettings) -> Result<Uploads> {
    let default = || project.join(UPLOADS);
    let folder = |path| UploadFolder::new(path, api.upload_space);
    let storage: Arc<dyn UploadStorage> = match &api.uploads {
        None => Arc::new(folder(default())),
        Some(FileDestination::Folder(path)) => Arc::new(folder(path.clone())),
        Some(FileDestination::Objects(url)) => {
            Arc::new(UploadBucket::open(url, storage, folder(default()), api.upload_space)?)
        }
    };
    Ok(Uploads { storage, most: api.max_upload })
}

/// Where backups go, and how.
pub(super) fn open_backups(backup: &BackupConfig, storage: &ObjectSettings) -> Result<BackupSettings> {
    Ok(BackupSettings {
        store: backup.to.open_store(storage)?.into(),
        codec: backup.codec,
        keep: backup.keep,
        zone: backup.schedule.as_ref().map_or(jiff::tz::TimeZone::UTC, |schedule| schedule.time_zone()),
        timetable: backup.schedule.clone().map(|schedule| Arc::new(schedule) as Arc<dyn Timetable>),
    })
}

/// Starts the workers of the service.
pub(super) fn start_service_workers(
    service: &Arc<Service>,
    location: &Location,
    load: &LoadDefaults,
    jobs: &JobConfig,
) -> std::io::Result<Vec<JoinHandle<()>>> {
    let resources = JobResources {
        rules: service.rules.clone(),
        max_rejects: load.max_rejects,
        work: load.default_work(),
        backups: service.backups.clone(),
        uploads: service.jobs.uploads.storage.clone(),
        max_upload: service.api.max_upload,
        keep: jobs.keep,
        hooks: Arc::new(Hooks(Arc::downgrade(service))),
    };
    let settings = WorkerSettings {
        location: location.clone(),
        worker: worker_name(),
        threads: if matches!(location, Location::Sqlite(_)) { 1 } else { 2 },
        lease: jobs.lease,
    };
    start_workers(&settings, &Arc::new(resources), &service.jobs.control)
}

/// Machine and process, for people.
fn worker_name() -> String {
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let machine = if machine.trim().is_empty() { "machine" } else { machine.trim() };
    format!("{machine}:{}", std::process::id())
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
        self.0.upgrade().is_some_and(|service| service.desk.pending_requests() > 0)
    }
}
