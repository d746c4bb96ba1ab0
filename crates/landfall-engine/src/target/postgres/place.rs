//! Where a table is, and how rows may be written to it.

use super::{building::Heap, ddl::Place};

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
}
