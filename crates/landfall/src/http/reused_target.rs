//! The target of a thread: opened when it is needed, and anew after its connection was lost.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
    time::Duration,
};

use landfall_engine::{
    Error, Result, TargetErrorKind,
    targets::{Canceller, Location, Target, TargetAccess, open},
};

use super::desk::TargetWork;

/// How a target is opened.
#[derive(Clone)]
pub(crate) struct TargetOpener {
    pub(crate) location: Location,
    pub(crate) access: TargetAccess,
}

impl TargetOpener {
    /// Opens the target.
    pub(crate) fn open(&self) -> Result<Box<dyn Target>> {
        let mut target = open(&self.location, self.access)?;
        if self.access == TargetAccess::Write {
            // An answer of the service is a promise: what it says was stored must survive a loss of power.
            target.commit_durably()?;
        }
        Ok(target)
    }
}

/// A target that is opened when it is needed, and anew after its connection was lost.
pub(super) struct ReusedTarget {
    opener: TargetOpener,
    pub(super) target: Option<Box<dyn Target>>,
}

/// How long a thread waits before it tries to open a target again.
const PAUSE: Duration = Duration::from_millis(200);

impl ReusedTarget {
    pub(super) const fn new(opener: TargetOpener) -> Self {
        Self { opener, target: None }
    }

    pub(super) fn get(&mut self) -> Result<&mut dyn Target> {
        let target = match self.target.take() {
            Some(target) => target,
            // The pause keeps a database that is down from being asked thousands of times a second.
            None => self.opener.open().inspect_err(|_| thread::sleep(PAUSE))?,
        };
        Ok(&mut **self.target.insert(target))
    }

    /// Runs `work` on the target. After a panic, or where the connection broke, the next work gets another.
    pub(super) fn run(&mut self, work: TargetWork) {
        let target = self.get();
        // A panic in one request must not take the thread from all others. The target may be in any state then.
        let broken = catch_unwind(AssertUnwindSafe(|| work(target))).unwrap_or(true);
        if broken {
            self.target = None;
        }
    }

    /// The same; `canceller` can stop it.
    pub(super) fn run_cancellable(&mut self, work: TargetWork, canceller: &Arc<Canceller>) {
        let prepared = self.get().map(|target| target.set_canceller(Some(canceller)));
        match prepared {
            Ok(()) => self.run(work),
            Err(error) => drop(work(Err(error))),
        }
        // A server may be told to stop a statement and do so a moment later: that must not be the next one.
        if canceller.is_cancelled() {
            self.target = None;
        } else if let Some(target) = &mut self.target {
            target.set_canceller(None);
        }
    }
}

/// Whether a connection may be of no more use after `error`.
pub(super) fn breaks_connection(error: &Error) -> bool {
    let Error::Target(error) = error else { return false };
    // `Denied` too: rights that are granted meanwhile are seen by a new connection only.
    matches!(error.kind, TargetErrorKind::Lost | TargetErrorKind::Unavailable | TargetErrorKind::Denied)
}
