//! What does the jobs of a project: threads of the service, or of a process of their own (`landfall worker`). Both start them here, so that
//! a job ends alike wherever it is done.

use std::{path::Path, sync::Arc};

use landfall_engine::{
    Project, Result,
    jobs::{
        BackupSettings, JobHooks, JobResources, Timetable, WorkerSettings,
        uploads::{UploadBucket, UploadFolder, UploadStorage},
    },
    objects::ObjectSettings,
    pipeline::RowRules,
    targets::{Location, Target},
};

use crate::config::{ApiConfig, BackupConfig, FileDestination, JobConfig, LoadDefaults};

/// Where uploads lie, in the project's folder, if it is not said otherwise.
const UPLOADS: &str = ".landfall/uploads";

/// Where uploads go: a folder, or object storage.
pub(crate) fn open_uploads(
    api: &ApiConfig,
    project: &Path,
    storage: &ObjectSettings,
) -> Result<Arc<dyn UploadStorage>> {
    let default = || project.join(UPLOADS);
    let folder = |path| UploadFolder::new(path, api.upload_space);
    Ok(match &api.uploads {
        None => Arc::new(folder(default())),
        Some(FileDestination::Folder(path)) => Arc::new(folder(path.clone())),
        Some(FileDestination::Objects(url)) => {
            Arc::new(UploadBucket::open(url, storage, folder(default()), api.upload_space)?)
        }
    })
}

/// Where backups go, and how.
pub(crate) fn open_backups(backup: &BackupConfig, storage: &ObjectSettings) -> Result<BackupSettings> {
    Ok(BackupSettings {
        store: backup.to.open_store(storage)?.into(),
        codec: backup.codec,
        keep: backup.keep,
        zone: backup.schedule.as_ref().map_or(jiff::tz::TimeZone::UTC, |schedule| schedule.time_zone()),
        timetable: backup.schedule.clone().map(|schedule| Arc::new(schedule) as Arc<dyn Timetable>),
    })
}

/// Makes the tables that are missing; the rules of all rows.
pub(crate) fn prepare_rules(target: &mut dyn Target, project: Project, load: &LoadDefaults) -> Result<Arc<RowRules>> {
    // First: an empty table that was made for another data package gives way to the new one.
    target.drop_remakable(&project.target_tables())?;
    target.prepare_tables(&project.target_tables())?;
    let rules = RowRules::new(&*target, Arc::new(project))?
        .with_reject_bytes(load.project_reject_bytes())
        .with_rejected_record_bytes(load.default_work().rejected_record_bytes);
    Ok(Arc::new(rules))
}

/// What jobs need, for those of a project whose rules are `rules`.
pub(crate) fn job_resources(
    rules: Arc<RowRules>,
    load: &LoadDefaults,
    jobs: &JobConfig,
    places: JobPlaces,
    hooks: Arc<dyn JobHooks>,
) -> Arc<JobResources> {
    Arc::new(JobResources {
        rules,
        max_rejects: load.max_rejects,
        work: load.default_work(),
        backups: places.backups,
        uploads: places.uploads,
        max_upload: places.max_upload,
        keep: jobs.keep,
        hooks,
    })
}

/// Where jobs find and leave files.
pub(crate) struct JobPlaces {
    pub(crate) uploads: Arc<dyn UploadStorage>,
    /// The most bytes of an upload once it is decompressed.
    pub(crate) max_upload: u64,
    pub(crate) backups: BackupSettings,
}

/// How the workers of this process run; they do all kinds of jobs.
pub(crate) fn worker_settings(location: &Location, jobs: &JobConfig) -> WorkerSettings {
    // A database in a file has one writer at a time.
    let usual = if matches!(location, Location::Sqlite(_)) { 1 } else { 2 };
    WorkerSettings {
        location: location.clone(),
        worker: name_worker(),
        kinds: Vec::new(),
        threads: jobs.concurrency.unwrap_or(usual),
        lease: jobs.lease,
        attempts: jobs.attempts,
    }
}

/// Machine and process, for people.
fn name_worker() -> String {
    // A shell sets $HOSTNAME and does not export it.
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let machine = if machine.trim().is_empty() { "machine" } else { machine.trim() };
    format!("{machine}:{}", std::process::id())
}
