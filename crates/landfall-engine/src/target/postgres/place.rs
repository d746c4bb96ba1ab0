//! Where a table is, and how rows may be written to it.

use super::{building::Heap, ddl::Place, failure::Failure, reading};
use crate::{
    error::{Error, TargetError, TargetErrorKind},
    target::Table,
};

/// The SQLSTATE for a table that does not exist.
const UNDEFINED_TABLE: &str = "42P01";

/// Where a table is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seat {
    pub(super) place: Place,
    /// The heap, where the table is being built aside.
    pub(super) heap: Option<Heap>,
    /// Whether rows set off triggers that must run.
    pub(super) has_triggers: bool,
    /// Whether the role may lock its rows.
    pub(super) may_lock: bool,
}

impl Seat {
    /// A table that is there, whole.
    pub(super) fn whole(place: Place, has_triggers: bool, may_lock: bool) -> Self {
        Self { place, heap: None, has_triggers, may_lock }
    }

    /// A table that is being built.
    pub(super) fn heap(place: Place, heap: Heap) -> Self {
        Self { place, heap: Some(heap), has_triggers: false, may_lock: false }
    }

    /// The error for a failure to read `table` here. A heap that is gone has become the table, by another process.
    pub(super) fn told(&self, failure: Failure, table: &Table) -> Error {
        if self.heap.is_none() || failure.code() != Some(UNDEFINED_TABLE) {
            return failure.told(&reading(table));
        }
        let message = format!("another process has finished the table {:?} meanwhile", &*table.name);
        TargetError::new(TargetErrorKind::Again, message).into()
    }
}
