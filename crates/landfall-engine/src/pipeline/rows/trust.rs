//! What is taken for granted of the tables without a question: that rows which are sent are new, and that parents which were there
//! are there. The database sees to both, and where it knows better, the group is taken in once more with every question asked.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU32, Ordering},
};

use landfall_core::{keys::ParentSet, schema::TableIndex};

use super::super::keys::{ParentKnowledge, TableKeys};
use crate::targets::Table;

/// Groups that are looked at closely after trust was disappointed.
const CAUTIOUS: u32 = 32;

/// What is taken for granted, table by table.
#[derive(Debug)]
pub(super) struct RowTrust(Vec<TableTrust>);

#[derive(Debug)]
struct TableTrust {
    /// Groups that are still to be looked at closely.
    cautious: AtomicU32,
    /// The parents that were there, for each foreign key.
    parents: Mutex<Vec<ParentSet>>,
}

impl RowTrust {
    pub(super) fn new(tables: &[Table]) -> Self {
        let of_table = |_: &Table| TableTrust { cautious: AtomicU32::new(0), parents: Mutex::new(Vec::new()) };
        Self(tables.iter().map(of_table).collect())
    }

    /// Whether rows of the table at `position` may be taken for new.
    pub(super) fn is_trusted(&self, position: TableIndex) -> bool {
        self.0[position.get()].cautious.load(Ordering::Relaxed) == 0
    }

    /// Notes that a group was looked at closely.
    pub(super) fn note_close_look(&self, position: TableIndex) {
        let less = |left: u32| left.checked_sub(1);
        // Where there is nothing to regain, nothing changes.
        let _ = self.0[position.get()].cautious.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// Trust was disappointed: groups are looked at closely for a while, and no parent is known any more.
    pub(super) fn lose_trust(&self, position: TableIndex) {
        self.0[position.get()].cautious.store(CAUTIOUS, Ordering::Relaxed);
        self.0[position.get()].parents.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Tells `keys` the parents that were there.
    pub(super) fn lend_parents(&self, position: TableIndex, keys: &mut TableKeys) {
        let mut known = self.0[position.get()].parents.lock().unwrap_or_else(PoisonError::into_inner);
        for (foreign, known) in keys.foreigns.iter_mut().zip(known.drain(..)) {
            if let ParentKnowledge::Other(set) = &mut foreign.parents {
                *set = known;
            }
        }
    }

    /// Takes from `keys` the parents that were there.
    pub(super) fn take_back_parents(&self, position: TableIndex, keys: &mut TableKeys) {
        let sets = keys.foreigns.iter_mut().map(|foreign| match &mut foreign.parents {
            ParentKnowledge::Other(set) => std::mem::take(set),
            ParentKnowledge::Own(_) => ParentSet::default(),
        });
        *self.0[position.get()].parents.lock().unwrap_or_else(PoisonError::into_inner) = sets.collect();
    }
}
