//! What is taken for granted of the tables without a question: that rows which are sent are new, and that parents which were there
//! are there. The database sees to both, and where it knows better, the group is taken in once more with every question asked.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU32, Ordering},
};

use landfall_core::keys::ParentSet;

use super::super::keys::{Keys, Parents};
use crate::targets::Table;

/// Groups that are looked at closely after trust was disappointed.
const CAUTIOUS: u32 = 32;

/// What is taken for granted, table by table.
#[derive(Debug)]
pub(super) struct Trust(Vec<OfTable>);

#[derive(Debug)]
struct OfTable {
    /// Groups that are still to be looked at closely.
    cautious: AtomicU32,
    /// The parents that were there, for each foreign key.
    parents: Mutex<Vec<ParentSet>>,
}

impl Trust {
    pub(super) fn new(tables: &[Table]) -> Self {
        let of_table = |_: &Table| OfTable { cautious: AtomicU32::new(0), parents: Mutex::new(Vec::new()) };
        Self(tables.iter().map(of_table).collect())
    }

    /// Whether rows of the table at `position` may be taken for new.
    pub(super) fn is_given(&self, position: usize) -> bool {
        self.0[position].cautious.load(Ordering::Relaxed) == 0
    }

    /// Notes that a group was looked at closely.
    pub(super) fn regain(&self, position: usize) {
        let less = |left: u32| left.checked_sub(1);
        // Where there is nothing to regain, nothing changes.
        let _ = self.0[position].cautious.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// Trust was disappointed: groups are looked at closely for a while, and no parent is known any more.
    pub(super) fn lose(&self, position: usize) {
        self.0[position].cautious.store(CAUTIOUS, Ordering::Relaxed);
        self.0[position].parents.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Tells `keys` the parents that were there.
    pub(super) fn lend(&self, position: usize, keys: &mut Keys) {
        let mut known = self.0[position].parents.lock().unwrap_or_else(PoisonError::into_inner);
        for (foreign, known) in keys.foreigns.iter_mut().zip(known.drain(..)) {
            if let Parents::Other(set) = &mut foreign.parents {
                *set = known;
            }
        }
    }

    /// Takes from `keys` the parents that were there.
    pub(super) fn take_back(&self, position: usize, keys: &mut Keys) {
        let sets = keys.foreigns.iter_mut().map(|foreign| match &mut foreign.parents {
            Parents::Other(set) => std::mem::take(set),
            Parents::Own(_) => ParentSet::default(),
        });
        *self.0[position].parents.lock().unwrap_or_else(PoisonError::into_inner) = sets.collect();
    }
}
