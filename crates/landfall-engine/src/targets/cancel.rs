//! Stopping what a target does, from another thread.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::error::{Error, TargetError, TargetErrorKind};

/// How a database is told to stop a statement.
type StopStatement = Box<dyn Fn() + Send>;

/// Stops the reading statements of the target that was given it, from any thread.
#[derive(Default)]
pub struct Canceller {
    is_cancelled: AtomicBool,
    /// Stops the statement that runs now.
    statement: Mutex<Option<StopStatement>>,
}

impl Canceller {
    /// Whether [`cancel_statement`](Self::cancel_statement) was called.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Relaxed)
    }

    /// Whether a statement runs that can be stopped.
    #[must_use]
    pub fn is_statement_running(&self) -> bool {
        self.lock_statement().is_some()
    }

    /// Lets no further statement begin.
    pub fn refuse_more(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
    }

    /// Stops the statement that runs now, and lets no further one begin. A server is asked over a connection of its own, so
    /// that this may wait. A database takes no notice of it where the statement has not quite begun: call it again until
    /// the work has ended.
    pub fn cancel_statement(&self) {
        self.refuse_more();
        // Under the lock, so that the statement cannot end and another one begin before the request is out.
        if let Some(stop) = &*self.lock_statement() {
            stop();
        }
    }

    /// Notes that `stop` stops the statement that runs until the guard is dropped.
    pub(super) fn guard_statement(self: &Arc<Self>, stop: StopStatement) -> CancelGuard {
        *self.lock_statement() = Some(stop);
        CancelGuard(self.clone())
    }

    /// An error where no statement may begin any more.
    pub(super) fn check_not_cancelled(&self) -> Result<(), Error> {
        if self.is_cancelled() {
            return Err(TargetError::new(TargetErrorKind::Locked, "the statement was cancelled").into());
        }
        Ok(())
    }

    fn lock_statement(&self) -> MutexGuard<'_, Option<StopStatement>> {
        self.statement.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Canceller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Canceller").field("is_cancelled", &self.is_cancelled()).finish_non_exhaustive()
    }
}

/// A statement that can be stopped, as long as this lives. Dropping it waits for a request to stop that is on its way, so that
/// none meets the next statement of the same connection.
#[derive(Debug)]
pub(super) struct CancelGuard(Arc<Canceller>);

impl Drop for CancelGuard {
    fn drop(&mut self) {
        *self.0.lock_statement() = None;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn only_a_statement_that_runs_is_stopped() {
        let canceller = Arc::new(Canceller::default());
        let stopped = Arc::new(AtomicUsize::new(0));
        let counted = stopped.clone();
        let guard = canceller.guard_statement(Box::new(move || {
            counted.fetch_add(1, Ordering::Relaxed);
        }));
        assert!(canceller.is_statement_running() && canceller.check_not_cancelled().is_ok());
        canceller.cancel_statement();
        drop(guard);
        canceller.cancel_statement();
        assert_eq!(stopped.load(Ordering::Relaxed), 1);
        assert!(!canceller.is_statement_running() && canceller.check_not_cancelled().is_err());
    }
}
