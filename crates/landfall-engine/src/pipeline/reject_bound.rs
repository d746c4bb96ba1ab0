//! How many bytes the rejects of a load may have.

use super::WorkLimits;
use crate::{error::Result, targets::TargetRead};

/// The bound of a load's rejects: its own, and what is left of that of the project.
#[derive(Debug, Clone, Copy)]
pub(super) struct RejectBound {
    of_load: u64,
    of_project: u64,
    /// The most bytes that the rejects of the load may have.
    pub(super) most: u64,
}

impl RejectBound {
    /// The bound of a load whose rejects have `own` bytes so far. What others add while it runs is not looked at again.
    pub(super) fn find(read: &dyn TargetRead, work: &WorkLimits, own: u64) -> Result<Self> {
        let (of_load, of_project) = (work.reject_bytes, work.project_reject_bytes);
        let left = of_project.saturating_sub(read.open_reject_bytes()?);
        Ok(Self { of_load, of_project, most: of_load.min(own.saturating_add(left)) })
    }

    /// The bound of the load, where `own` bytes are more than that; else the bound of the project, where they are more than is left of it.
    pub(super) fn exceeded_by(&self, own: u64) -> [Option<u64>; 2] {
        let is_of_load = own > self.of_load;
        [Some(self.of_load).filter(|_| is_of_load), Some(self.of_project).filter(|_| own > self.most && !is_of_load)]
    }
}
