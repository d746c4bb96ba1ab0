//! What the threads of a process know together of its jobs: which are under way, whether some may be due, whether it ends.

use std::{
    collections::HashMap,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{job::JobClaim, pipeline::LoadProgress};

/// What the threads of a process know together of its jobs.
#[derive(Debug, Default)]
pub struct JobControl {
    active: Mutex<HashMap<String, Arc<ActiveJob>>>,
    /// Whether a job may be due that no worker has looked for yet.
    is_due: Mutex<bool>,
    bell: Condvar,
    is_stopping: AtomicBool,
    /// Whether leases wait to be renewed: on a database with one writer, loads let that go first.
    pub(super) is_renewing: AtomicBool,
}

/// A job that this process does.
#[derive(Debug)]
pub struct ActiveJob {
    pub(super) claim: JobClaim,
    progress: Mutex<LoadProgress>,
    is_cancelled: AtomicBool,
    is_lost: AtomicBool,
}

fn lock_mutex<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ActiveJob {
    /// How far it is.
    #[must_use]
    pub fn load_progress(&self) -> LoadProgress {
        *lock_mutex(&self.progress)
    }

    /// Has the work end as soon as it can, since somebody wants that.
    pub fn cancel_work(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
    }

    pub(super) fn set_progress(&self, progress: LoadProgress) {
        *lock_mutex(&self.progress) = progress;
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Relaxed)
    }

    /// Has the work end, since another worker has the job.
    pub(super) fn lose_claim(&self) {
        if !self.is_lost.swap(true, Ordering::Relaxed) {
            tracing::warn!(job = self.claim.job, attempt = self.claim.attempt, "another worker has taken over a job");
        }
    }

    pub(super) fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Relaxed)
    }
}

impl JobControl {
    /// Has the workers look for a job that is due.
    pub fn wake_workers(&self) {
        // Kept as a flag: a worker that is just before its wait would miss the bell alone.
        *lock_mutex(&self.is_due) = true;
        self.bell.notify_all();
    }

    /// Waits until a job may be due, for at most `limit`.
    pub(super) fn wait_for_job(&self, limit: Duration) {
        let sleeps = |is_due: &mut bool| !*is_due && !self.is_stopping();
        let waited = self.bell.wait_timeout_while(lock_mutex(&self.is_due), limit, sleeps);
        *waited.unwrap_or_else(PoisonError::into_inner).0 = false;
    }

    /// Has the workers give their jobs back and end.
    pub fn stop_workers(&self) {
        // Before the bell, so that whoever wakes sees it.
        self.is_stopping.store(true, Ordering::Relaxed);
        self.wake_workers();
    }

    /// Whether the workers are to end.
    pub fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    /// The job `id`, if this process does it.
    pub fn find(&self, id: &str) -> Option<Arc<ActiveJob>> {
        lock_mutex(&self.active).get(id).cloned()
    }

    /// How many jobs this process does.
    pub fn count_active(&self) -> usize {
        lock_mutex(&self.active).len()
    }

    pub(super) fn all_active(&self) -> Vec<Arc<ActiveJob>> {
        lock_mutex(&self.active).values().cloned().collect()
    }

    pub(super) fn begin_job(&self, claim: JobClaim, is_cancelled: bool) -> Arc<ActiveJob> {
        let id = claim.job.clone();
        let active = Arc::new(ActiveJob {
            claim,
            progress: Mutex::default(),
            is_cancelled: AtomicBool::new(is_cancelled),
            is_lost: AtomicBool::new(false),
        });
        lock_mutex(&self.active).insert(id, active.clone());
        active
    }

    pub(super) fn end_job(&self, active: &ActiveJob) {
        let mut all = lock_mutex(&self.active);
        // Another worker of this process may have it by now.
        if all.get(&active.claim.job).is_some_and(|other| other.claim == active.claim) {
            all.remove(&active.claim.job);
        }
    }
}
