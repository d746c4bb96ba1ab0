//! The thread that looks at the clock: it asks for backups by the schedule, and forgets old jobs and uploads.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};

use super::{JobControl, JobResources, schedule::BackupSchedule, uploads::remove_orphans};
use crate::{
    error::Result,
    targets::{Fence, Location, Pace, Target, TargetAccess, open},
};

/// How often it is looked whether the process ends, and how often at the schedule.
const STEP: Duration = Duration::from_millis(100);
const GLANCE: Duration = Duration::from_secs(1);
/// How long the database is left alone if it cannot be used now.
const PAUSE: Duration = Duration::from_secs(10);
/// How often old jobs are forgotten; more often if they are kept for less than ten times as long.
const FORGETTING: Duration = Duration::from_secs(600);

pub(super) struct Housekeeper {
    location: Location,
    resources: Arc<JobResources>,
    control: Arc<JobControl>,
    schedule: Option<BackupSchedule>,
}

impl Housekeeper {
    pub(super) fn new(location: Location, resources: Arc<JobResources>, control: Arc<JobControl>) -> Self {
        let schedule = resources.backups.timetable.clone().map(BackupSchedule::new);
        Self { location, resources, control, schedule }
    }

    pub(super) fn run(mut self) {
        let interval = (self.resources.keep / 10).clamp(GLANCE, FORGETTING);
        let mut forgets_at = Instant::now();
        loop {
            let mut pause = GLANCE;
            if let Err(error) = self.look_at_schedule() {
                tracing::warn!(%error, "the schedule of backups cannot be looked at now");
                pause = PAUSE;
            }
            if Instant::now() >= forgets_at {
                if let Err(error) = self.forget_old_jobs() {
                    tracing::warn!(%error, "old jobs and uploads cannot be forgotten now");
                }
                forgets_at = Instant::now() + interval;
            }
            let begun = Instant::now();
            while begun.elapsed() < pause {
                if self.control.is_stopping() {
                    return;
                }
                thread::sleep(STEP);
            }
        }
    }

    fn open(&self) -> Result<Box<dyn Target>> {
        let mut target = open(&self.location, TargetAccess::Write)?;
        target.commit_durably()?;
        Ok(target)
    }

    fn look_at_schedule(&mut self) -> Result<()> {
        let now = Timestamp::now();
        if self.schedule.as_ref().is_none_or(|schedule| !schedule.is_due(now)) {
            return Ok(());
        }
        // Only when a backup is due: no connection is held for the rest of the day.
        let mut target = self.open()?;
        let project = self.resources.rules.rules_project();
        let Some(schedule) = &mut self.schedule else { return Ok(()) };
        if schedule.request_backup(&mut *target, project, now)? {
            self.control.wake_workers();
        }
        Ok(())
    }

    /// Forgets jobs that ended long ago, with their uploads, and the uploads of no job.
    fn forget_old_jobs(&self) -> Result<()> {
        let mut target = self.open()?;
        let uploads = &*self.resources.uploads;
        let keep = SignedDuration::try_from(self.resources.keep).unwrap_or(SignedDuration::MAX);
        let Ok(before) = Timestamp::now().checked_sub(keep) else { return Ok(()) };
        loop {
            let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep)?;
            let forgotten = transaction.forget_jobs(before)?;
            transaction.commit_now()?;
            // After the commit: an upload without a job is found later, and a job without its upload could not run.
            forgotten.iter().try_for_each(|id| uploads.remove(id))?;
            if forgotten.is_empty() {
                break;
            }
            tracing::info!(count = forgotten.len(), "jobs that ended long ago were forgotten");
        }
        let orphans = remove_orphans(uploads, &*target)?;
        if orphans > 0 {
            tracing::info!(orphans, "uploads of no job were removed");
        }
        Ok(())
    }
}
