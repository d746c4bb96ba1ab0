//! A database in memory: plain structures, for trials and tests. It is the oracle that the other targets are held against,
//! so that none of it goes through SQL.
//!
//! Its constraints are those of a database: keys and required fields are looked at row by row, foreign keys when a
//! transaction commits. Handles that share one database write one at a time, and read what was committed. With
//! [`MemoryOptions`] it takes on the ways of a server: commits that end later, tables built aside, other programs that were
//! there first.

mod database;
mod jobs;
mod options;
mod quarantine;
mod rows;
mod state;
mod transaction;
mod view;

use std::{collections::HashSet, sync::Arc, time::Duration};

use arrow_array::RecordBatch;
use landfall_core::{keys::Scalar, schema::FieldIndex};

pub use self::options::{Interference, MemoryOptions};
use self::{
    database::{HandleNumber, SharedDatabase},
    rows::MemoryRows,
    state::MemoryState,
    transaction::MemoryTransaction,
    view::StateView,
};
use super::{
    Difference, Fence, Pace, QueryRows, ReadBooks, ReadJobs, RefusedRow, RowFilter, Snapshot, Table, Target,
    TargetRead, Transaction, VisitPageRow,
    batch::{VisitBatch, visit_only},
    sql::made_tables,
};
use crate::{
    document::{Document, DocumentFilter},
    error::{Error, Result, TargetError, TargetErrorKind},
    job::{JobClaim, JobEntry, JobPage},
    ledger::{LoadEntry, LoadFilter},
    quarantine::{Reject, RejectEvent, RejectFilter, RejectGroup, RejectId},
};

/// A handle of a database in memory.
#[derive(Debug)]
pub struct Memory {
    shared: Arc<SharedDatabase>,
    handle: HandleNumber,
    remote: bool,
    /// The tables that this handle is building.
    building: HashSet<Arc<str>>,
    /// The job that this handle works for.
    claim: Option<JobClaim>,
}

impl Default for Memory {
    fn default() -> Self {
        Self::with(MemoryOptions::default())
    }
}

impl Memory {
    /// An empty database that behaves as `options` say.
    #[must_use]
    pub fn with(options: MemoryOptions) -> Self {
        Self::on_shared(Arc::new(SharedDatabase::new(options)))
    }

    /// Another handle of the same database, as another process would have one.
    #[must_use]
    pub fn another_handle(&self) -> Self {
        Self::on_shared(self.shared.clone())
    }

    fn on_shared(shared: Arc<SharedDatabase>) -> Self {
        let (handle, remote) = (shared.new_handle(), shared.lock_database().options.remote);
        Self { shared, handle, remote, building: HashSet::new(), claim: None }
    }

    /// What was committed, as this handle sees it: its own commits have come to their end.
    fn committed_state(&self) -> Result<MemoryState> {
        let mut database = self.shared.lock_database();
        // A handle sees its own commits, as a connection of a server does.
        database.finish_commits_of(self.handle);
        database.report_failure(self.handle)?;
        Ok(database.committed.clone())
    }

    fn view_state<R>(&self, read: impl FnOnce(&StateView<'_>) -> Result<R>) -> Result<R> {
        read(&StateView { state: &self.committed_state()?, building: &self.building })
    }

    /// Changes the tables, all or nothing.
    fn change_state(&mut self, change: impl FnOnce(&mut MemoryState) -> Result<()>) -> Result<()> {
        let state = self.shared.begin_write(self.handle, false)?;
        // Changed on a copy: a change that fails half-way leaves nothing.
        let mut altered = state.clone();
        let outcome = change(&mut altered);
        if outcome.is_ok() {
            self.shared.lock_database().committed = altered;
        }
        // Also after a failure, or no other handle could ever write again.
        self.shared.end_write();
        outcome
    }
}

impl Drop for Memory {
    /// What was sent is not taken back.
    fn drop(&mut self) {
        self.shared.lock_database().finish_commits_of(self.handle);
    }
}

/// The reading methods, over whatever has a `view_state`.
macro_rules! read_through {
    ($type:ty) => {
        impl ReadBooks for $type {
            fn find_loads(&self, filter: &LoadFilter) -> Result<Vec<LoadEntry>> {
                self.view_state(|view| Ok(view.find_loads(filter)))
            }
            fn find_documents(&self, filter: &DocumentFilter) -> Result<Vec<Document>> {
                self.view_state(|view| Ok(view.find_documents(filter)))
            }
            fn find_rejects(&self, filter: &RejectFilter) -> Result<Vec<Reject>> {
                self.view_state(|view| Ok(view.find_rejects(filter)))
            }
            fn reject_count(&self, filter: &RejectFilter) -> Result<u64> {
                self.view_state(|view| {
                    let count = view.state.quarantine.select_rejects(filter, &view.state.loads).count() as u64;
                    Ok(filter.limit.map_or(count, |limit| count.min(limit)))
                })
            }
            fn open_reject_bytes(&self) -> Result<u64> {
                self.view_state(|view| Ok(view.state.quarantine.open_bytes()))
            }
            fn reject_groups(&self, filter: &RejectFilter) -> Result<Vec<RejectGroup>> {
                self.view_state(|view| Ok(view.state.quarantine.group_rejects(filter, &view.state.loads)))
            }
            fn read_reject_bytes(&self, reject: RejectId, visit: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
                self.view_state(|view| view.state.quarantine.raw_parts(reject).iter().try_for_each(|part| visit(part)))
            }
            fn reject_events(&self, reject: RejectId) -> Result<Vec<RejectEvent>> {
                self.view_state(|view| Ok(view.state.quarantine.list_events(reject)))
            }
        }

        impl ReadJobs for $type {
            fn visit_job_page(&self, page: &JobPage, visit: &mut dyn FnMut(JobEntry) -> Result<()>) -> Result<()> {
                let entries = self.view_state(|view| Ok(view.state.jobs.list_jobs(page)))?;
                entries.into_iter().try_for_each(visit)
            }
            fn find_job(&self, id: &str) -> Result<Option<JobEntry>> {
                self.view_state(|view| Ok(view.state.jobs.find(id)))
            }
            fn next_job_due(&self, kinds: &[&str]) -> Result<Option<Duration>> {
                self.view_state(|view| Ok(view.state.jobs.next_job_due(kinds)))
            }
        }

        impl TargetRead for $type {
            fn has_table(&self, table: &Table) -> Result<bool> {
                self.view_state(|view| Ok(view.state.find_rows(&table.name).is_some()))
            }
            fn row_count_within(&self, table: &Table, most: u64) -> Result<u64> {
                self.view_state(|view| Ok(view.find_table_rows(table).map_or(0, MemoryRows::len).min(most)))
            }
            fn is_remote(&self) -> bool {
                self.remote
            }
            fn can_find_rows(&self, table: &Table) -> bool {
                self.view_state(|view| Ok(view.can_find_rows(table))).unwrap_or(true)
            }
            fn is_staged(&self, table: &Table) -> Result<bool> {
                self.view_state(|view| Ok(!view.can_find_rows(table)))
            }
            fn find_rows(
                &self,
                table: &Table,
                positions: &[FieldIndex],
                values: &[Vec<Scalar>],
            ) -> Result<Vec<Option<Vec<Scalar>>>> {
                self.view_state(|view| Ok(view.find_rows(table, positions, values)))
            }
            fn read_page(&self, table: &Table, filter: &RowFilter, visit: VisitPageRow<'_>) -> Result<()> {
                // Copied out before `visit` runs, which may ask this database again.
                let found = self.view_state(|view| Ok(view.read_page(table, filter)))?;
                for row in found {
                    if !visit(row)? {
                        break;
                    }
                }
                Ok(())
            }
            fn scan_rows(
                &self,
                table: &Table,
                positions: &[FieldIndex],
                visit: &mut dyn FnMut(&RecordBatch),
            ) -> Result<()> {
                self.view_state(|view| view.scan_rows(table, positions, &mut visit_only(visit)))
            }
        }
    };
}

read_through!(Memory);
read_through!(MemoryTransaction);

impl MemoryTransaction {
    fn view_state<R>(&self, read: impl FnOnce(&StateView<'_>) -> Result<R>) -> Result<R> {
        read(&StateView { state: &self.state, building: &self.building })
    }
}

/// All tables as they were when it was taken.
struct MemorySnapshot(MemoryState);

impl Snapshot for MemorySnapshot {
    fn describe_moment(&self) -> String {
        "a copy in memory".into()
    }

    fn has_table(&mut self, table: &Table) -> Result<bool> {
        Ok(self.0.find_rows(&table.name).is_some())
    }

    fn row_count(&mut self, table: &Table) -> Result<u64> {
        Ok(self.0.find_rows(&table.name).map_or(0, MemoryRows::len))
    }

    fn visit_rows(&mut self, table: &Table, positions: &[FieldIndex], visit: VisitBatch<'_>) -> Result<()> {
        StateView { state: &self.0, building: &HashSet::new() }.scan_rows(table, positions, visit)
    }
}

impl Target for Memory {
    fn location(&self) -> String {
        "memory:".into()
    }

    fn take_snapshot(&mut self) -> Result<Box<dyn Snapshot + '_>> {
        Ok(Box::new(MemorySnapshot(self.committed_state()?)))
    }

    fn prepare_tables(&mut self, tables: &[Table]) -> Result<()> {
        self.change_state(|state| state.prepare_tables(tables))
    }

    fn can_stage(&self, table: &Table) -> Result<bool> {
        Ok(self.shared.lock_database().options.builds && !self.has_table(table)?)
    }

    fn begin_staging(&mut self, table: &Table, resumes: bool) -> Result<bool> {
        if !self.shared.lock_database().options.builds {
            return self.prepare_tables(std::slice::from_ref(table)).map(|()| false);
        }
        let mut builds = false;
        self.change_state(|state| {
            // Rows of another load must not be mixed with those of this one, unless it is the same one that goes on.
            let begun = state.find_staged_rows(&table.name).is_some_and(|rows| rows.len() > 0);
            builds = state.find_rows(&table.name).is_none() && (resumes || !begun);
            if builds { state.build(table) } else { state.prepare_tables(std::slice::from_ref(table)) }
        })?;
        if builds {
            self.building.insert(table.name.clone());
        }
        Ok(builds)
    }

    fn finish_staging(&mut self, table: &Table) -> Result<()> {
        self.change_state(|state| state.finish_staging(table))?;
        self.building.remove(&table.name);
        Ok(())
    }

    fn begin_transaction(&mut self, fence: Fence, pace: Pace) -> Result<Box<dyn Transaction + '_>> {
        let pace = if self.shared.lock_database().options.ahead == 0 { Pace::InStep } else { pace };
        let state = self.shared.begin_write(self.handle, pace == Pace::Ahead)?;
        // Looked at under the write lock: nobody can take the job over before this transaction ends.
        if let Some(Err(error)) = self.claim.as_ref().map(|claim| state.jobs.check_claim(claim)) {
            self.shared.end_write();
            return Err(error);
        }
        Ok(Box::new(MemoryTransaction {
            shared: self.shared.clone(),
            owner: self.handle,
            pace,
            fence,
            remote: self.remote,
            building: self.building.clone(),
            // A copy is cheap, since it shares all that is not changed.
            before: state.clone(),
            state,
            failure: None,
            meanwhile: Vec::new(),
        }))
    }

    fn commit_under(&mut self, claim: Option<JobClaim>) {
        self.claim = claim;
    }

    fn flush_commits(&mut self) -> Result<()> {
        self.committed_state().map(drop)
    }

    fn check_makable(&self, _tables: &[Table]) -> Result<()> {
        Ok(())
    }

    fn table_statements(&self, _tables: &[Table]) -> Result<Vec<String>> {
        Err(no_sql_error("it has no statements to print"))
    }

    fn find_differences(&self, tables: &[Table]) -> Result<Vec<Difference>> {
        Ok(self.committed_state()?.find_differences(tables))
    }

    fn add_missing(&mut self, _differences: &[Difference]) -> Result<()> {
        Err(no_sql_error("there is nothing to add to: each command begins with an empty one"))
    }

    fn find_remakable(&self, tables: &[Table]) -> Result<Vec<Table>> {
        made_tables::find_remakable(&mut self.committed_state()?, tables)
    }

    fn drop_remakable(&mut self, tables: &[Table]) -> Result<()> {
        self.change_state(|state| state.remove_unused(tables))
    }

    fn run_query(&self, _sql: &str, _parameters: &[(String, Scalar)], _rows: &mut dyn QueryRows) -> Result<()> {
        Err(no_sql_error("it cannot run queries"))
    }
}

fn no_sql_error(words: &str) -> Error {
    Error::Usage(format!(
        "the target memory: is no SQL database, and {words}; use another target, such as sqlite:landfall.db"
    ))
}

/// A mismatch between the dictionary and the database.
fn mismatch_error(message: impl Into<String>) -> Error {
    TargetError::new(TargetErrorKind::Mismatch, message).into()
}
