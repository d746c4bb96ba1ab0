//! Jobs: work that goes on after its request was answered, or that a schedule wants.
//!
//! ```text
//! add_jobs ─▶ table of jobs ─▶ worker: take ─▶ run (each commit under its claim) ─▶ end
//!                                      └─ lease keeper: renews, sees cancellations and lost claims
//! ```
//!
//! - `runner` has the worker threads. Each takes the job that is due first, runs it on a target of its own, and ends it.
//! - `lease` renews the leases of all jobs of the process. If a claim is lost, the work is cancelled, and its row is left alone: another
//!   worker has it. The work could not commit anything more anyway, since each of its transactions holds the claim.
//! - A kind of job is a type with the trait [`Job`], in a file of its own: `load_file`, `take_rows`, `backup`, `restore`. A new kind also
//!   needs a line in `KINDS`.
//! - Each kind must bear that it is run again after it took effect: a worker may die just before it ends its job. A load finds its entry
//!   in the ledger, rows their stored answer.
//! - `housekeeping` asks the `schedule` for backups, and forgets old jobs with their uploads.

mod backup;
mod context;
mod control;
mod housekeeping;
mod lease;
mod load_file;
mod load_result;
mod restore;
mod runner;
mod schedule;
mod take_rows;
pub mod uploads;

use std::{sync::Arc, time::Duration};

use jiff::tz::TimeZone;
use serde::de::DeserializeOwned;

use self::uploads::UploadStorage;
pub use self::{
    backup::MakeBackup,
    context::{JobContext, JobWatch},
    control::{ActiveJob, JobControl},
    load_file::LoadFile,
    restore::RestoreTable,
    runner::{WorkerSettings, start_workers},
    schedule::Timetable,
    take_rows::TakeRows,
};
use crate::{
    avro::AvroCodec,
    backup::{BackupStore, RetentionRules},
    job::JobEnd,
    pipeline::{LoadOutcome, MaxRejects, RowRules, RowsOutcome, WorkLimits},
    public_error::{PublicError, PublicErrorCode},
};

/// A kind of job; its value is the request of one.
pub trait Job: DeserializeOwned {
    /// The name of the kind, in the database and in what clients see.
    const KIND: &'static str;

    /// Whether the end of the ledger is noted in the request when the job is first taken, as `ledger`: what is behind it is of this
    /// job, or later.
    const NOTES_LEDGER: bool = false;

    /// Does the work. It may be a later attempt, after one that died at any point.
    fn run(&self, context: &mut JobContext<'_>) -> JobEnd;
}

/// A kind of job, as the runner needs it.
struct JobKind {
    name: &'static str,
    notes_ledger: bool,
    run: fn(&mut JobContext<'_>) -> JobEnd,
}

impl JobKind {
    const fn new<J: Job>() -> Self {
        Self { name: J::KIND, notes_ledger: J::NOTES_LEDGER, run: run_request::<J> }
    }

    fn find(name: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.name == name)
    }
}

/// All kinds.
const KINDS: &[JobKind] = &[
    JobKind::new::<LoadFile>(),
    JobKind::new::<TakeRows>(),
    JobKind::new::<MakeBackup>(),
    JobKind::new::<RestoreTable>(),
];

/// The names of all kinds.
pub fn kind_names() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|kind| kind.name)
}

fn run_request<J: Job>(context: &mut JobContext<'_>) -> JobEnd {
    match serde_json::from_value::<J>(context.entry.request.clone()) {
        Ok(job) => job.run(context),
        Err(error) => {
            tracing::error!(%error, job = context.entry.id, "a job is not one that this version knows");
            let detail = "this version of the service does not know such a task";
            context::fail_job(&PublicError::new(PublicErrorCode::Internal, detail))
        }
    }
}

/// What jobs need beside their requests, for all jobs of the process.
pub struct JobResources {
    /// The project, and the rules of rows.
    pub rules: Arc<RowRules>,
    /// How many rejects of a load are too many, if its request does not say.
    pub max_rejects: Option<MaxRejects>,
    /// How loads are cut.
    pub work: WorkLimits,
    /// Where backups go, and how.
    pub backups: BackupSettings,
    /// Where uploads lie.
    pub uploads: Arc<dyn UploadStorage>,
    /// The most bytes of an upload once it is decompressed.
    pub max_upload: u64,
    /// How long ended jobs are kept.
    pub keep: Duration,
    /// What the program wants to know of jobs.
    pub hooks: Arc<dyn JobHooks>,
}

/// Where backups go, and how.
#[derive(Clone)]
pub struct BackupSettings {
    /// The place.
    pub store: Arc<dyn BackupStore>,
    /// How files are compressed, if the request does not say.
    pub codec: AvroCodec,
    /// Which sets stay when the schedule has had one made.
    pub keep: RetentionRules,
    /// The zone whose days and weeks count for that.
    pub zone: TimeZone,
    /// When backups are made without a request.
    pub timetable: Option<Arc<dyn Timetable>>,
}

/// What a program that runs jobs wants to know of them, and may ask of them. Each method returns soon.
pub trait JobHooks: Send + Sync {
    /// A load has ended.
    fn note_load(&self, _outcome: &LoadOutcome) {}

    /// Rows were taken.
    fn note_rows(&self, _outcome: &RowsOutcome) {}

    /// A backup was made, or has failed.
    fn note_backup(&self, _is_made: bool) {}

    /// A job has left its worker.
    fn note_end(&self) {}

    /// Whether other work waits for a database that has one writer at a time. Loads let it go first between two chunks.
    fn has_waiting_writers(&self) -> bool {
        false
    }
}
