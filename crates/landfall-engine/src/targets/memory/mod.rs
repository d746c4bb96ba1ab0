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

use std::{cmp::Ordering, collections::HashSet, sync::Arc, time::Duration};

use arrow_array::RecordBatch;
use landfall_core::keys::Scalar;

pub use self::options::{Interference, MemoryOptions};
use self::{
    database::{Handle, Shared},
    rows::Rows,
    state::State,
    transaction::MemoryTransaction,
};
use super::{
    Comparison, Condition, Difference, Fence, Pace, QueryRows, Read, ReadBooks, ReadJobs, RefusedRow, RowFilter,
    Snapshot, Table, Target, Transaction, VisitRow,
    batch::{BatchBuilder, EachBatch, Foreign, shown},
    sql::made,
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
    shared: Arc<Shared>,
    handle: Handle,
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
        Self::on(Arc::new(Shared::new(options)))
    }

    /// Another handle of the same database, as another process would have one.
    #[must_use]
    pub fn again(&self) -> Self {
        Self::on(self.shared.clone())
    }

    fn on(shared: Arc<Shared>) -> Self {
        let (handle, remote) = (shared.handle(), shared.lock().options.remote);
        Self { shared, handle, remote, building: HashSet::new(), claim: None }
    }

    /// What was committed, as this handle sees it: its own commits have come to their end.
    fn state(&self) -> Result<State> {
        let mut database = self.shared.lock();
        database.settle(self.handle);
        database.tell(self.handle)?;
        Ok(database.committed.clone())
    }

    fn view<R>(&self, read: impl FnOnce(&View<'_>) -> Result<R>) -> Result<R> {
        read(&View { state: &self.state()?, building: &self.building })
    }

    /// Changes the tables, all or nothing.
    fn alter(&mut self, change: impl FnOnce(&mut State) -> Result<()>) -> Result<()> {
        let state = self.shared.begin(self.handle, false)?;
        let mut altered = state.clone();
        let outcome = change(&mut altered);
        if outcome.is_ok() {
            self.shared.lock().committed = altered;
        }
        self.shared.end();
        outcome
    }
}

impl Drop for Memory {
    /// What was sent is not taken back.
    fn drop(&mut self) {
        self.shared.lock().settle(self.handle);
    }
}

/// A state as it is read: with the tables that the reader is building.
struct View<'v> {
    state: &'v State,
    building: &'v HashSet<Arc<str>>,
}

impl View<'_> {
    fn rows(&self, table: &Table) -> Option<&Rows> {
        let aside = || self.state.rows_aside(&table.name).filter(|_| self.building.contains(&table.name));
        self.state.rows(&table.name).or_else(aside)
    }

    fn find_all(&self, table: &Table, positions: &[usize], values: &[Vec<Scalar>]) -> Vec<Option<Vec<Scalar>>> {
        let Some(rows) = self.rows(table) else { return vec![None; values.len()] };
        rows.find_all(positions, values).into_iter().map(|row| row.map(|row| row.to_vec())).collect()
    }

    fn scan(&self, table: &Table, positions: &[usize], visit: EachBatch<'_>) -> Result<()> {
        let mut batch = BatchBuilder::new(table, positions, Foreign::Refused);
        for row in self.rows(table).into_iter().flat_map(Rows::iter) {
            for (column, &at) in positions.iter().enumerate() {
                batch.push(column, row[at].as_ref())?;
            }
            if batch.end_row() {
                batch.hand_over(visit)?;
            }
        }
        batch.hand_over(visit)
    }

    fn page(&self, table: &Table, filter: &RowFilter) -> Vec<Vec<Scalar>> {
        let Some(rows) = self.rows(table) else { return Vec::new() };
        let key = |row: &[Scalar]| table.schema.primary_key.iter().map(|&at| row[at].clone()).collect::<Vec<_>>();
        let behind =
            |row: &[Scalar]| filter.after.as_ref().is_none_or(|after| ordered(&key(row), after) == Ordering::Greater);
        let wanted = |row: &[Scalar]| filter.conditions.iter().all(|condition| holds(condition, row)) && behind(row);
        let mut found: Vec<Vec<Scalar>> = rows.iter().filter(|row| wanted(row)).map(|row| row.to_vec()).collect();
        found.sort_by(|one, other| ordered(&key(one), &key(other)));
        limited(found, false, Some(filter.limit))
    }

    fn rejects(&self, filter: &RejectFilter) -> Vec<Reject> {
        let most = filter.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        self.state.quarantine.wanted(filter, &self.state.loads).take(most).cloned().collect()
    }

    fn loads(&self, filter: &LoadFilter) -> Vec<LoadEntry> {
        let wanted = self.state.loads.iter().filter(|entry| filter.wants_load(entry)).cloned();
        limited(wanted.collect(), filter.newest_first, filter.limit)
    }

    fn documents(&self, filter: &DocumentFilter) -> Vec<Document> {
        let after = |name: &String| {
            filter.after.as_ref().is_none_or(|after| if filter.last_first { name < after } else { name > after })
        };
        let named = |name: &String| filter.names.as_ref().is_none_or(|names| names.contains(name));
        let of_kind = self.state.documents.values().filter(|document| document.kind == filter.kind);
        let wanted = of_kind.filter(|document| named(&document.name) && after(&document.name)).cloned();
        limited(wanted.collect(), filter.last_first, filter.limit)
    }

    fn finds(&self, table: &Table) -> bool {
        self.state.rows_aside(&table.name).is_none()
    }
}

/// The order of two keys, value by value.
fn ordered(one: &[Scalar], other: &[Scalar]) -> Ordering {
    one.iter().zip(other).map(|(one, other)| order(one, other)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// The order of two values of one type; a missing one is the least.
fn order(one: &Scalar, other: &Scalar) -> Ordering {
    match (one, other) {
        (Scalar::Integer(one), Scalar::Integer(other)) => one.cmp(other),
        (Scalar::Boolean(one), Scalar::Boolean(other)) => one.cmp(other),
        (Scalar::Date(one), Scalar::Date(other)) => one.cmp(other),
        (Scalar::Time(one), Scalar::Time(other)) | (Scalar::Datetime(one), Scalar::Datetime(other)) => one.cmp(other),
        (Scalar::Text(one) | Scalar::Number(one), Scalar::Text(other) | Scalar::Number(other)) => one.cmp(other),
        (Scalar::Null, Scalar::Null) => Ordering::Equal,
        (Scalar::Null, _) => Ordering::Less,
        _ => Ordering::Greater,
    }
}

/// Whether a row meets a condition.
fn holds(condition: &Condition, row: &[Scalar]) -> bool {
    let held = &row[condition.position];
    let order = order(held, &condition.value);
    match condition.comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        _ if *held == Scalar::Null => false,
        Comparison::Less => order.is_lt(),
        Comparison::AtMost => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::AtLeast => order.is_ge(),
    }
}

/// The first of `found`, or the last ones, from the end.
fn limited<T>(mut found: Vec<T>, from_end: bool, limit: Option<u64>) -> Vec<T> {
    if from_end {
        found.reverse();
    }
    found.truncate(limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX)));
    found
}

/// The reading methods, over whatever has a `view`.
macro_rules! read_through {
    ($type:ty) => {
        impl ReadBooks for $type {
            fn loads_of(&self, filter: &LoadFilter) -> Result<Vec<LoadEntry>> {
                self.view(|view| Ok(view.loads(filter)))
            }
            fn documents(&self, filter: &DocumentFilter) -> Result<Vec<Document>> {
                self.view(|view| Ok(view.documents(filter)))
            }
            fn rejects(&self, filter: &RejectFilter) -> Result<Vec<Reject>> {
                self.view(|view| Ok(view.rejects(filter)))
            }
            fn reject_count(&self, filter: &RejectFilter) -> Result<u64> {
                self.view(|view| {
                    let count = view.state.quarantine.wanted(filter, &view.state.loads).count() as u64;
                    Ok(filter.limit.map_or(count, |limit| count.min(limit)))
                })
            }
            fn open_reject_bytes(&self) -> Result<u64> {
                self.view(|view| Ok(view.state.quarantine.open_bytes()))
            }
            fn reject_groups(&self, filter: &RejectFilter) -> Result<Vec<RejectGroup>> {
                self.view(|view| Ok(view.state.quarantine.groups(filter, &view.state.loads)))
            }
            fn reject_raw(&self, reject: RejectId, visit: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
                self.view(|view| view.state.quarantine.raw(reject).iter().try_for_each(|part| visit(part)))
            }
            fn reject_events(&self, reject: RejectId) -> Result<Vec<RejectEvent>> {
                self.view(|view| Ok(view.state.quarantine.events(reject)))
            }
        }

        impl ReadJobs for $type {
            fn jobs(&self, page: &JobPage) -> Result<Vec<JobEntry>> {
                self.view(|view| Ok(view.state.jobs.list(page)))
            }
            fn job(&self, id: &str) -> Result<Option<JobEntry>> {
                self.view(|view| Ok(view.state.jobs.find(id)))
            }
            fn next_job_due(&self) -> Result<Option<Duration>> {
                self.view(|view| Ok(view.state.jobs.next_due()))
            }
        }

        impl Read for $type {
            fn has_table(&self, table: &Table) -> Result<bool> {
                self.view(|view| Ok(view.state.rows(&table.name).is_some()))
            }
            fn row_count_within(&self, table: &Table, most: u64) -> Result<u64> {
                self.view(|view| Ok(view.rows(table).map_or(0, Rows::len).min(most)))
            }
            fn is_remote(&self) -> bool {
                self.remote
            }
            fn finds(&self, table: &Table) -> bool {
                self.view(|view| Ok(view.finds(table))).unwrap_or(true)
            }
            fn is_aside(&self, table: &Table) -> Result<bool> {
                self.view(|view| Ok(!view.finds(table)))
            }
            fn find_all(
                &self,
                table: &Table,
                positions: &[usize],
                values: &[Vec<Scalar>],
            ) -> Result<Vec<Option<Vec<Scalar>>>> {
                self.view(|view| Ok(view.find_all(table, positions, values)))
            }
            fn page(&self, table: &Table, filter: &RowFilter, visit: VisitRow<'_>) -> Result<()> {
                let found = self.view(|view| Ok(view.page(table, filter)))?;
                for row in found {
                    if !visit(row)? {
                        break;
                    }
                }
                Ok(())
            }
            fn scan(&self, table: &Table, positions: &[usize], visit: &mut dyn FnMut(&RecordBatch)) -> Result<()> {
                self.view(|view| view.scan(table, positions, &mut shown(visit)))
            }
        }
    };
}

read_through!(Memory);
read_through!(MemoryTransaction);

impl MemoryTransaction {
    fn view<R>(&self, read: impl FnOnce(&View<'_>) -> Result<R>) -> Result<R> {
        read(&View { state: &self.state, building: &self.building })
    }
}

/// All tables as they were when it was taken.
struct Moment(State);

impl Snapshot for Moment {
    fn moment(&self) -> String {
        "a copy in memory".into()
    }

    fn has_table(&mut self, table: &Table) -> Result<bool> {
        Ok(self.0.rows(&table.name).is_some())
    }

    fn row_count(&mut self, table: &Table) -> Result<u64> {
        Ok(self.0.rows(&table.name).map_or(0, Rows::len))
    }

    fn rows(&mut self, table: &Table, positions: &[usize], visit: EachBatch<'_>) -> Result<()> {
        View { state: &self.0, building: &HashSet::new() }.scan(table, positions, visit)
    }
}

impl Target for Memory {
    fn location(&self) -> String {
        "memory:".into()
    }

    fn snapshot(&mut self) -> Result<Box<dyn Snapshot + '_>> {
        Ok(Box::new(Moment(self.state()?)))
    }

    fn prepare(&mut self, tables: &[Table]) -> Result<()> {
        self.alter(|state| state.prepare(tables))
    }

    fn can_build(&self, table: &Table) -> Result<bool> {
        Ok(self.shared.lock().options.builds && !self.has_table(table)?)
    }

    fn build(&mut self, table: &Table, resumes: bool) -> Result<bool> {
        if !self.shared.lock().options.builds {
            return self.prepare(std::slice::from_ref(table)).map(|()| false);
        }
        let mut builds = false;
        self.alter(|state| {
            let begun = state.rows_aside(&table.name).is_some_and(|rows| rows.len() > 0);
            builds = state.rows(&table.name).is_none() && (resumes || !begun);
            if builds { state.build(table) } else { state.prepare(std::slice::from_ref(table)) }
        })?;
        if builds {
            self.building.insert(table.name.clone());
        }
        Ok(builds)
    }

    fn finish(&mut self, table: &Table) -> Result<()> {
        self.alter(|state| state.finish(table))?;
        self.building.remove(&table.name);
        Ok(())
    }

    fn transaction(&mut self, fence: Fence, pace: Pace) -> Result<Box<dyn Transaction + '_>> {
        let pace = if self.shared.lock().options.ahead == 0 { Pace::InStep } else { pace };
        let state = self.shared.begin(self.handle, pace == Pace::Ahead)?;
        if let Some(Err(error)) = self.claim.as_ref().map(|claim| state.jobs.check(claim)) {
            self.shared.end();
            return Err(error);
        }
        Ok(Box::new(MemoryTransaction {
            shared: self.shared.clone(),
            owner: self.handle,
            pace,
            fence,
            remote: self.remote,
            building: self.building.clone(),
            before: state.clone(),
            state,
            failure: None,
            meanwhile: Vec::new(),
        }))
    }

    fn commit_under(&mut self, claim: Option<JobClaim>) {
        self.claim = claim;
    }

    fn settle(&mut self) -> Result<()> {
        self.state().map(drop)
    }

    fn check_makable(&self, _tables: &[Table]) -> Result<()> {
        Ok(())
    }

    fn ddl(&self, _tables: &[Table]) -> Result<Vec<String>> {
        Err(no_sql("it has no statements to print"))
    }

    fn differences(&self, tables: &[Table]) -> Result<Vec<Difference>> {
        Ok(self.state()?.differences(tables))
    }

    fn add_missing(&mut self, _differences: &[Difference]) -> Result<()> {
        Err(no_sql("there is nothing to add to: each command begins with an empty one"))
    }

    fn unused(&self, tables: &[Table]) -> Result<Vec<Table>> {
        made::unused(&mut self.state()?, tables)
    }

    fn remove_unused(&mut self, tables: &[Table]) -> Result<()> {
        self.alter(|state| state.remove_unused(tables))
    }

    fn query(&self, _sql: &str, _parameters: &[(String, Scalar)], _rows: &mut dyn QueryRows) -> Result<()> {
        Err(no_sql("it cannot run queries"))
    }
}

fn no_sql(words: &str) -> Error {
    Error::Usage(format!(
        "the target memory: is no SQL database, and {words}; use another target, such as sqlite:landfall.db"
    ))
}

/// A mismatch between the dictionary and the database.
fn mismatch(message: impl Into<String>) -> Error {
    TargetError::new(TargetErrorKind::Mismatch, message).into()
}
