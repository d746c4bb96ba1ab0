//! The worker threads: each takes the job that is due first, runs it on a target of its own, and ends it.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use serde_json::json;

use super::{
    ActiveJob, JobContext, JobControl, JobKind, JobResources, JobWatch,
    context::{fail_job, to_json},
    housekeeping::Housekeeper,
    kind_names,
    lease::LeaseKeeper,
};
use crate::{
    count_noun,
    error::{Error, Result},
    job::{JobEnd, JobEntry},
    ledger::{LoadFilter, LoadId},
    public_error::{PublicError, PublicErrorCode},
    targets::{Fence, Location, Pace, Target, TargetAccess, Transaction, open},
};

/// How often it is looked for jobs that another process has added.
const LOOKING: Duration = Duration::from_secs(2);
/// The shortest pause before it is looked again: a job may be due that another worker is about to end.
const SHORTEST: Duration = Duration::from_millis(50);
/// The pause after the database could not be used: at first, and at most, since each try is told in the log.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How the workers of a process run.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// The database.
    pub location: Location,
    /// The name of the process among all workers, for people.
    pub worker: String,
    /// The kinds of jobs that it takes; all if none is named.
    pub kinds: Vec<String>,
    /// Jobs at once.
    pub threads: usize,
    /// How long a job belongs to a worker that says nothing.
    pub lease: Duration,
    /// Attempts that may be lost before a job is given up: what kills its worker each time should not do so for ever.
    pub attempts: u32,
}

impl WorkerSettings {
    /// The names of the kinds that it takes. Jobs of a later version, whose kind has no name here, wait for a worker that knows them.
    fn taken_kinds(&self) -> Vec<&'static str> {
        let is_taken = |name: &&str| self.kinds.is_empty() || self.kinds.iter().any(|kind| kind == name);
        kind_names().filter(is_taken).collect()
    }
}

/// Starts the workers, and the threads that renew their leases and keep the house. They end after [`JobControl::stop_workers`].
///
/// # Errors
/// A system that starts no thread.
pub fn start_workers(
    settings: &WorkerSettings,
    resources: &Arc<JobResources>,
    control: &Arc<JobControl>,
) -> io::Result<Vec<JoinHandle<()>>> {
    let is_alive = Arc::new(());
    let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| thread::Builder::new().name(name.into()).spawn(run);
    let keeper = LeaseKeeper {
        location: settings.location.clone(),
        control: control.clone(),
        lease: settings.lease,
        workers: Arc::downgrade(&is_alive),
    };
    let housekeeper = Housekeeper::new(settings.location.clone(), resources.clone(), control.clone());
    let mut threads =
        vec![spawn("leases", Box::new(|| keeper.run()))?, spawn("housekeeping", Box::new(|| housekeeper.run()))?];
    for _ in 0..settings.threads {
        let (settings, resources, control) = (settings.clone(), resources.clone(), control.clone());
        let is_alive = is_alive.clone();
        // A target stays on the thread that opened it.
        let run = move || JobWorker { settings, resources, control, target: None, _is_alive: is_alive }.run();
        threads.push(spawn("jobs", Box::new(run))?);
    }
    Ok(threads)
}

/// A worker thread.
struct JobWorker {
    settings: WorkerSettings,
    resources: Arc<JobResources>,
    control: Arc<JobControl>,
    /// Opened when it is needed, and again after its connection was lost.
    target: Option<Box<dyn Target>>,
    _is_alive: Arc<()>,
}

impl JobWorker {
    fn run(mut self) {
        let mut outage = FIRST_PAUSE;
        while !self.control.is_stopping() {
            match self.take_job() {
                Ok(taken) => {
                    outage = FIRST_PAUSE;
                    match taken {
                        Ok(entry) => self.work_until_stopped(&entry),
                        Err(pause) => self.control.wait_for_job(pause),
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "the jobs cannot be looked at now");
                    self.target = None;
                    // Longer each time: a database that comes back is not met by all workers at once.
                    self.control.wait_for_job(outage);
                    outage = (outage * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    fn open_target(&mut self) -> Result<&mut dyn Target> {
        let target = match self.target.take() {
            Some(target) => target,
            None => {
                let mut target = open(&self.settings.location, TargetAccess::Write)?;
                // The client was told that the job is there, so that it must outlast a loss of power.
                target.commit_durably()?;
                target
            }
        };
        Ok(&mut **self.target.insert(target))
    }

    /// Takes the job that is due first; or how long to wait until one may be due.
    fn take_job(&mut self) -> Result<Result<JobEntry, Duration>> {
        let (worker, lease) = (self.settings.worker.clone(), self.settings.lease);
        let kinds = self.settings.taken_kinds();
        let target = self.open_target()?;
        // Only read at first: a write lock is taken where there is a reason.
        match target.next_job_due(&kinds)? {
            Some(Duration::ZERO) => {}
            due => return Ok(Err(due.map_or(LOOKING, |due| due.clamp(SHORTEST, LOOKING)))),
        }
        let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep)?;
        let Some(mut entry) = transaction.take_job(&kinds, &worker, lease)? else { return Ok(Err(SHORTEST * 4)) };
        // In the transaction that takes the job: what this attempt loads comes behind the mark for certain.
        note_ledger(&mut *transaction, &mut entry)?;
        transaction.commit_now()?;
        Ok(Ok(entry))
    }

    fn work_until_stopped(&mut self, entry: &JobEntry) {
        let active = self.control.begin_job(entry.claim(), entry.is_cancelled);
        tracing::info!(job = entry.id, kind = entry.kind, attempt = entry.attempt, "a job begins");
        let end = self.run_job(entry, &active);
        // The row of the job belongs to another worker now.
        if !active.is_lost() {
            self.end_attempt(entry, &active, &end);
        }
        self.control.end_job(&active);
        self.resources.hooks.note_end();
    }

    fn run_job(&mut self, entry: &JobEntry, active: &ActiveJob) -> JobEnd {
        let (resources, control) = (self.resources.clone(), self.control.clone());
        let watch = JobWatch::new(active, &control, &*resources.hooks);
        // A newer version may have added the job. A worker of that version takes it.
        let lost = entry.lost_attempts();
        if lost >= self.settings.attempts {
            return give_up(entry, lost);
        }
        let Some(kind) = JobKind::find(&entry.kind) else { return JobEnd::HandedBack };
        let Ok(target) = self.open_target() else { return JobEnd::HandedBack };
        // From here on, no transaction commits once another worker has the job.
        target.commit_under(Some(active.claim.clone()));
        // A panic within must not end the thread: others' jobs wait for it.
        let acted = catch_unwind(AssertUnwindSafe(|| {
            (kind.run)(&mut JobContext { target, entry, resources: &resources, watch: &watch })
        }));
        match acted {
            Ok(end) => {
                if let Ok(target) = self.open_target() {
                    target.commit_under(None);
                }
                end
            }
            Err(_) => {
                self.target = None;
                let detail = "the task failed by a mistake of the service; its log says more";
                fail_job(&PublicError::new(PublicErrorCode::Internal, detail))
            }
        }
    }

    /// Ends the attempt. If the database cannot be used, the lease runs out, and the next worker finds what was done.
    fn end_attempt(&mut self, entry: &JobEntry, active: &ActiveJob, end: &JobEnd) {
        let ended = self.try_end(active, end).or_else(|error| {
            // The connection may be what was lost.
            tracing::debug!(%error, "the end of a job is written over another connection");
            self.target = None;
            self.try_end(active, end)
        });
        match ended {
            Ok(true) if end.state().is_final() => {
                tracing::info!(job = entry.id, state = end.state().as_str(), "a job has ended");
                // A person may have it tried again, and it needs its upload then.
                if matches!(end, JobEnd::GivenUp { .. }) {
                    return;
                }
                if let Err(error) = self.resources.uploads.remove(&entry.id) {
                    tracing::warn!(%error, job = entry.id, "an upload cannot be removed now; it is later");
                }
            }
            Ok(true) => {}
            Ok(false) => active.lose_claim(),
            Err(error) => {
                tracing::warn!(%error, job = entry.id, "the end of a job cannot be written now; it is taken again");
                self.target = None;
            }
        }
    }

    fn try_end(&mut self, active: &ActiveJob, end: &JobEnd) -> Result<bool> {
        let mut transaction = self.open_target()?.begin_transaction(Fence::Pipeline, Pace::InStep)?;
        let is_ended = transaction.end_job(&active.claim, end)?;
        transaction.commit_now()?;
        Ok(is_ended)
    }
}

/// The end of a job of which `lost` attempts came to no end.
fn give_up(entry: &JobEntry, lost: u32) -> JobEnd {
    tracing::error!(job = entry.id, lost, "a job is given up");
    let detail = format!(
        "{} died or stood still while doing the task; see what the logs say, then POST /v1/tasks/{}/retry has it tried again",
        count_noun(u64::from(lost), "worker"),
        entry.id
    );
    JobEnd::GivenUp { problem: to_json(&PublicError::new(PublicErrorCode::Internal, detail)) }
}

/// Notes the last load of the ledger in the request of a job that was taken for the first time, in the same transaction. So a load of its
/// source behind that is the work of an attempt that died before it could end the job.
fn note_ledger(transaction: &mut dyn Transaction, entry: &mut JobEntry) -> Result<()> {
    let is_wanted = JobKind::find(&entry.kind).is_some_and(|kind| kind.notes_ledger);
    if !is_wanted || entry.request.get("ledger").is_some() {
        return Ok(());
    }
    let newest = LoadFilter { newest_first: true, limit: Some(1), ..LoadFilter::default() };
    entry.request["ledger"] = json!(transaction.find_loads(&newest)?.first().map_or(LoadId::NONE, |load| load.id));
    if transaction.note_request(&entry.claim(), &entry.request)? {
        return Ok(());
    }
    Err(Error::Target(entry.claim().lost()))
}
