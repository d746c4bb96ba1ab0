//! What all handles of one database share: what was committed, what is under way, and who may write.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{Interference, MemoryOptions, rows::MemoryRow, state::MemoryState};
use crate::error::{Result, TargetError, TargetErrorKind};

/// How long a writer waits for another one.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// The number of a handle.
pub(super) type HandleNumber = u64;

/// The database that handles share.
#[derive(Debug, Default)]
pub(super) struct SharedDatabase {
    inner: Mutex<MemoryDatabase>,
    /// Is told when a writer has ended.
    ended: Condvar,
}

/// One database.
#[derive(Debug, Default)]
pub(super) struct MemoryDatabase {
    pub(super) options: MemoryOptions,
    pub(super) committed: MemoryState,
    /// Commits that nobody has waited for, oldest first.
    under_way: VecDeque<PendingCommit>,
    /// Handles whose commits have failed, and that were not told yet.
    failed: HashMap<HandleNumber, TargetError>,
    writer: Option<HandleNumber>,
    commits: u64,
    handles: HandleNumber,
}

/// A transaction whose commit was not waited for.
#[derive(Debug)]
pub(super) struct PendingCommit {
    pub(super) owner: HandleNumber,
    /// What the database holds once it has committed.
    pub(super) state: MemoryState,
    /// What stands against it.
    pub(super) failure: Option<TargetError>,
    /// What another program did meanwhile: it stays although the transaction fails.
    pub(super) meanwhile: Vec<Interference>,
}

impl SharedDatabase {
    pub(super) fn new(options: MemoryOptions) -> Self {
        Self { inner: Mutex::new(MemoryDatabase { options, ..MemoryDatabase::default() }), ended: Condvar::new() }
    }

    pub(super) fn lock_database(&self) -> MutexGuard<'_, MemoryDatabase> {
        // A test that panics while it holds the lock must not fail all others with it.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of a new handle.
    pub(super) fn new_handle(&self) -> HandleNumber {
        let mut database = self.lock_database();
        database.handles += 1;
        database.handles
    }

    /// Waits until `handle` may write; what it builds upon. With `ahead` its own commits may still be under way.
    pub(super) fn begin_write(&self, handle: HandleNumber, ahead: bool) -> Result<MemoryState> {
        let deadline = Instant::now() + LOCK_TIMEOUT;
        let mut database = self.lock_database();
        while database.writer.is_some() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(poisoned_error());
            }
            // A wake-up may come without reason, so that the loop looks again and counts down to one deadline.
            database = self.ended.wait_timeout(database, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        // Only the one who sent ahead may go on from states that are not committed. All others see committed ones.
        let own = database.under_way.front().is_none_or(|first| first.owner == handle);
        let keep = if own && ahead { database.options.ahead } else { 0 };
        database.finish_commits(keep);
        database.report_failure(handle)?;
        database.writer = Some(handle);
        let newest = database.under_way.back().map(|last| &last.state);
        Ok(newest.unwrap_or(&database.committed).clone())
    }

    /// Lets others write.
    pub(super) fn end_write(&self) {
        self.lock_database().writer = None;
        self.ended.notify_all();
    }
}

impl MemoryDatabase {
    /// Lets commits come to their end until at most `keep` are under way.
    pub(super) fn finish_commits(&mut self, keep: usize) {
        while self.under_way.len() > keep {
            let Some(first) = self.under_way.pop_front() else { return };
            let owner = first.owner;
            if let Err(error) = self.commit_now(first.state, first.failure) {
                let failed = std::iter::once(first.meanwhile);
                // Those behind it were made from its state, so that they cannot stay without it.
                let failed: Vec<_> = failed.chain(self.under_way.drain(..).map(|commit| commit.meanwhile)).collect();
                // What another program did is committed on its own, and stays whatever becomes of our transactions.
                failed.iter().flatten().for_each(|deed| self.committed.apply_interference(deed));
                self.failed.insert(owner, error);
            }
        }
    }

    /// Lets the commits of `handle` come to their end.
    pub(super) fn finish_commits_of(&mut self, handle: HandleNumber) {
        if self.under_way.front().is_some_and(|first| first.owner == handle) {
            self.finish_commits(0);
        }
    }

    /// Commits at once.
    pub(super) fn commit_now(&mut self, state: MemoryState, failure: Option<TargetError>) -> Result<(), TargetError> {
        // Counted before it can fail: `failing_commits` numbers attempts over all transactions.
        self.commits += 1;
        let failing = self.options.failing_commits.iter().find(|(number, _)| *number == self.commits);
        let injected = failing.map(|(_, kind)| TargetError::new(*kind, "the commit failed, as was asked for"));
        match failure.or(injected) {
            Some(error) => Err(error),
            None => {
                self.committed = state;
                Ok(())
            }
        }
    }

    /// Commits without waiting; one that builds upon another that has failed fails with it.
    pub(super) fn commit_later(&mut self, commit: PendingCommit) {
        if self.failed.contains_key(&commit.owner) {
            commit.meanwhile.iter().for_each(|deed| self.committed.apply_interference(deed));
        } else {
            self.under_way.push_back(commit);
        }
    }

    /// Tells `handle`, once, that a commit of its own has failed.
    pub(super) fn report_failure(&mut self, handle: HandleNumber) -> Result<()> {
        self.failed.remove(&handle).map_or(Ok(()), |error| Err(error.into()))
    }

    /// The deeds of another program that `meant` picks; they are done once.
    pub(super) fn take_interferences(&mut self, meant: impl Fn(&Interference) -> bool) -> Vec<Interference> {
        self.options.interferences.extract_if(.., |deed| meant(deed)).collect()
    }
}

impl MemoryState {
    /// Does what another program does.
    pub(super) fn apply_interference(&mut self, deed: &Interference) {
        match deed {
            Interference::Insert { table, row } => self.change_rows(table, |rows| {
                // Where the table has one of its keys already, the other program is refused.
                let _ = rows.insert(MemoryRow::from(row.as_slice()));
            }),
            Interference::Delete { table, positions, values } => {
                self.change_rows(table, |rows| rows.delete_rows(positions, values));
            }
        }
    }
}

fn poisoned_error() -> crate::Error {
    let message = "another writer holds the in-memory database; run the same command again once it has finished";
    TargetError::new(TargetErrorKind::Locked, message).into()
}
