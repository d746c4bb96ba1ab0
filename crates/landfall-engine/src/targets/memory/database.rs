//! What all handles of one database share: what was committed, what is under way, and who may write.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{Interference, MemoryOptions, rows::Row, state::State};
use crate::error::{Result, TargetError, TargetErrorKind};

/// How long a writer waits for another one.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// The number of a handle.
pub(super) type Handle = u64;

/// The database that handles share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    inner: Mutex<Database>,
    /// Is told when a writer has ended.
    ended: Condvar,
}

/// One database.
#[derive(Debug, Default)]
pub(super) struct Database {
    pub(super) options: MemoryOptions,
    pub(super) committed: State,
    /// Commits that nobody has waited for, oldest first.
    under_way: VecDeque<UnderWay>,
    /// Handles whose commits have failed, and that were not told yet.
    failed: HashMap<Handle, TargetError>,
    writer: Option<Handle>,
    commits: u64,
    handles: Handle,
}

/// A transaction whose commit was not waited for.
#[derive(Debug)]
pub(super) struct UnderWay {
    pub(super) owner: Handle,
    /// What the database holds once it has committed.
    pub(super) state: State,
    /// What stands against it.
    pub(super) failure: Option<TargetError>,
    /// What another program did meanwhile: it stays although the transaction fails.
    pub(super) meanwhile: Vec<Interference>,
}

impl Shared {
    pub(super) fn new(options: MemoryOptions) -> Self {
        Self { inner: Mutex::new(Database { options, ..Database::default() }), ended: Condvar::new() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Database> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of a new handle.
    pub(super) fn handle(&self) -> Handle {
        let mut database = self.lock();
        database.handles += 1;
        database.handles
    }

    /// Waits until `handle` may write; what it builds upon. With `ahead` its own commits may still be under way.
    pub(super) fn begin(&self, handle: Handle, ahead: bool) -> Result<State> {
        let deadline = Instant::now() + LOCK_TIMEOUT;
        let mut database = self.lock();
        while database.writer.is_some() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(locked());
            }
            database = self.ended.wait_timeout(database, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let own = database.under_way.front().is_none_or(|first| first.owner == handle);
        let keep = if own && ahead { database.options.ahead } else { 0 };
        database.land(keep);
        database.tell(handle)?;
        database.writer = Some(handle);
        let newest = database.under_way.back().map(|last| &last.state);
        Ok(newest.unwrap_or(&database.committed).clone())
    }

    /// Lets others write.
    pub(super) fn end(&self) {
        self.lock().writer = None;
        self.ended.notify_all();
    }
}

impl Database {
    /// Lets commits come to their end until at most `keep` are under way.
    pub(super) fn land(&mut self, keep: usize) {
        while self.under_way.len() > keep {
            let Some(first) = self.under_way.pop_front() else { return };
            let owner = first.owner;
            if let Err(error) = self.commit(first.state, first.failure) {
                let failed = std::iter::once(first.meanwhile);
                let failed: Vec<_> = failed.chain(self.under_way.drain(..).map(|commit| commit.meanwhile)).collect();
                failed.iter().flatten().for_each(|deed| self.committed.apply(deed));
                self.failed.insert(owner, error);
            }
        }
    }

    /// Lets the commits of `handle` come to their end.
    pub(super) fn settle(&mut self, handle: Handle) {
        if self.under_way.front().is_some_and(|first| first.owner == handle) {
            self.land(0);
        }
    }

    /// Commits at once.
    pub(super) fn commit(&mut self, state: State, failure: Option<TargetError>) -> Result<(), TargetError> {
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
    pub(super) fn send(&mut self, commit: UnderWay) {
        if self.failed.contains_key(&commit.owner) {
            commit.meanwhile.iter().for_each(|deed| self.committed.apply(deed));
        } else {
            self.under_way.push_back(commit);
        }
    }

    /// Tells `handle`, once, that a commit of its own has failed.
    pub(super) fn tell(&mut self, handle: Handle) -> Result<()> {
        self.failed.remove(&handle).map_or(Ok(()), |error| Err(error.into()))
    }

    /// The deeds of another program that `meant` picks; they are done once.
    pub(super) fn deeds(&mut self, meant: impl Fn(&Interference) -> bool) -> Vec<Interference> {
        self.options.interferences.extract_if(.., |deed| meant(deed)).collect()
    }
}

impl State {
    /// Does what another program does.
    pub(super) fn apply(&mut self, deed: &Interference) {
        match deed {
            Interference::Insert { table, row } => self.change(table, |rows| {
                // Where the table has one of its keys already, the other program is refused.
                let _ = rows.insert(Row::from(row.as_slice()));
            }),
            Interference::Delete { table, positions, values } => {
                self.change(table, |rows| rows.delete(positions, values));
            }
        }
    }
}

fn locked() -> crate::Error {
    let message = "another writer holds the in-memory database; run the same command again once it has finished";
    TargetError::new(TargetErrorKind::Locked, message).into()
}
