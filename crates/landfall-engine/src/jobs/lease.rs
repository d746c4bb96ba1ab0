//! The thread that renews the leases of all jobs of the process, over a connection of its own.
//!
//! It also learns what others did: that somebody cancelled a job, or that another worker has it. An error of the database loses no
//! claim: only the row of the job says who has it, and if nobody could take it meanwhile, its worker goes on.

use std::{
    sync::{Arc, Weak, atomic::Ordering},
    thread,
    time::{Duration, Instant},
};

use super::{ActiveJob, JobControl};
use crate::{
    error::Result,
    targets::{Fence, Location, Pace, Target, TargetAccess, open},
};

/// How often it is looked whether the workers have ended.
const STEP: Duration = Duration::from_millis(100);

pub(super) struct LeaseKeeper {
    pub(super) location: Location,
    pub(super) control: Arc<JobControl>,
    pub(super) lease: Duration,
    /// Gone when all workers have ended.
    pub(super) workers: Weak<()>,
}

impl LeaseKeeper {
    pub(super) fn run(self) {
        let mut target: Option<Box<dyn Target>> = None;
        let mut renewed = Instant::now();
        while self.workers.strong_count() > 0 {
            // Short steps, so that the thread notices the end of the workers soon.
            thread::sleep(STEP.min(self.lease / 10));
            let active = self.control.all_active();
            if active.is_empty() || renewed.elapsed() < self.lease / 3 {
                continue;
            }
            renewed = Instant::now();
            self.control.is_renewing.store(true, Ordering::Relaxed);
            if let Err(error) = self.renew_lease(&mut target, &active) {
                tracing::warn!(%error, "the leases of jobs cannot be renewed now");
                // The connection may be what failed; the next look opens another one.
                target = None;
            }
            self.control.is_renewing.store(false, Ordering::Relaxed);
        }
    }

    fn renew_lease(&self, target: &mut Option<Box<dyn Target>>, active: &[Arc<ActiveJob>]) -> Result<()> {
        let target = match target {
            Some(target) => target,
            None => target.insert(open(&self.location, TargetAccess::Write)?),
        };
        let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep)?;
        let mut renewed = Vec::with_capacity(active.len());
        for job in active {
            // The workers are told only after the commit: before, nothing of it is true.
            renewed.push((job, transaction.renew_lease(&job.claim, self.lease)?));
        }
        transaction.commit_now()?;
        for (job, outcome) in renewed {
            match outcome {
                Some(true) => job.cancel_work(),
                Some(false) => {}
                // It may also have ended just before.
                None if self.control.find(&job.claim.job).is_some() => job.lose_claim(),
                None => {}
            }
        }
        Ok(())
    }
}
