//! What is left of the bytes that the project's open rejects may have.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::super::WorkLimits;
use crate::{error::Result, targets::TargetRead};

/// How long a sum is relied on while it leaves room: other processes add to it, too.
const HOLDS: Duration = Duration::from_secs(10);
/// How long it is relied on where it leaves none: somebody may make room.
const HOLDS_FULL: Duration = Duration::from_secs(1);

/// What is left. All rejects are summed only now and then: where there are millions, that takes a tenth of a second.
#[derive(Debug)]
pub(super) struct RejectRoom {
    most: u64,
    /// The sum, with what this process has added since it was made, and when that was.
    known: Mutex<Option<(u64, Instant)>>,
}

impl Default for RejectRoom {
    fn default() -> Self {
        Self::of(WorkLimits::PROJECT_REJECT_BYTES)
    }
}

impl RejectRoom {
    pub(super) const fn of(most: u64) -> Self {
        Self { most, known: Mutex::new(None) }
    }

    /// Whether there is room for `more` bytes.
    pub(super) fn has_room(&self, read: &dyn TargetRead, more: u64) -> Result<bool> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |sum: u64| sum.saturating_add(more) <= self.most;
        if let Some((sum, at)) = *known
            && at.elapsed() < if fits(sum) { HOLDS } else { HOLDS_FULL }
        {
            return Ok(fits(sum));
        }
        let sum = read.open_reject_bytes()?;
        *known = Some((sum, Instant::now()));
        Ok(fits(sum))
    }

    /// Notes that `more` bytes were added.
    pub(super) fn take_room(&self, more: u64) {
        if let Some((sum, _)) = &mut *self.known.lock().unwrap_or_else(PoisonError::into_inner) {
            *sum = sum.saturating_add(more);
        }
    }
}
