//! Where rows go: the traits that a target implements.
//!
//! A target is a database that holds the tables of a package, and beside them the ledger and the quarantine: so that a
//! chunk's rows, its rejects and its ledger entry commit in one transaction (promise 2).

mod altered_rows;
mod authorities;
mod batch;
mod books;
mod cancel;
mod fence;
mod jobs;
mod kind;
pub mod limits;
mod memory;
mod mysql;
mod open;
mod page;
pub mod placeholders;
mod postgres;
mod snapshot;
mod sql;
mod sqlite;
mod url;

use std::{ops::Range, sync::Arc};

use arrow_array::RecordBatch;
use landfall_core::{
    keys::Scalar,
    schema::{FieldIndex, Package, TableSchema},
    validate::TargetLimits,
};
use serde::Serialize;

pub use books::{ReadBooks, WriteBooks};
pub use cancel::Canceller;
pub use fence::{Fence, Pace};
pub use jobs::{ReadJobs, WriteJobs};
pub use kind::TargetKind;
pub use memory::{Interference, Memory, MemoryOptions};
pub use open::{Location, TargetAccess, open};
pub use page::{ComparisonOperator, RowCondition, RowFilter, VisitPageRow, is_comparable};
pub use snapshot::Snapshot;

use crate::{
    count_noun,
    error::{Result, TargetError, TargetErrorKind},
    job::JobClaim,
    ledger::{LoadEntry, LoadId},
    quarantine::{NewReject, RejectId},
};

/// A table of the package, as targets see it.
#[derive(Debug, Clone)]
pub struct Table {
    /// The name.
    pub name: Arc<str>,
    /// Fields and keys.
    pub schema: Arc<TableSchema>,
}

/// The tables of `package`, in its order.
#[must_use]
pub fn tables_of(package: &Package) -> Vec<Table> {
    package
        .resources
        .iter()
        .map(|resource| Table { name: resource.name.clone(), schema: Arc::new(resource.schema.clone()) })
        .collect()
}

/// A row that the database refused, and what it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRow {
    /// The row's position in its batch.
    pub row: usize,
    /// The database's words.
    pub message: String,
}

/// A way in which the database differs from the dictionary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The table.
    pub table: Arc<str>,
    /// What differs, as a sentence without its stop that goes on after "the table …", such as `has no column "age"`.
    pub message: String,
    /// The statement that adds what is missing, without a semicolon at its end; none where adding cannot mend it.
    pub addition: Option<String>,
    /// Whether rows can be loaded all the same.
    pub harmless: bool,
}

/// A value of a report's result.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// SQL's NULL.
    Null,
    /// An integer.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// Text, also of exact decimals.
    Text(String),
}

/// Takes the result of a query, row by row.
pub trait QueryRows {
    /// The names of the columns; called once, before the first row.
    fn take_columns(&mut self, names: &[String]) -> Result<()>;

    /// A row, with a cell for each column.
    fn take_row(&mut self, cells: &[Cell]) -> Result<()>;
}

/// The error where a row that others name is gone.
fn parent_gone_error(parent: &Table) -> TargetError {
    let message = format!(
        "a row of {:?} that the loaded rows name was deleted while they were loaded; run the same command again",
        &*parent.name
    );
    TargetError::new(TargetErrorKind::Constraint, message)
}

/// The error where rows stay in a table that is to be emptied.
fn not_emptied_error(table: &Table) -> crate::Error {
    let message = format!(
        "the table {:?} cannot be emptied: a trigger, a rule or a policy of the database keeps rows in it; nothing was changed",
        &*table.name
    );
    TargetError::new(TargetErrorKind::Constraint, message).into()
}

/// What an emptied parent would leave behind: `count` rows of `child` without their rows of `parent`.
fn describe_orphans(count: u64, child: &str, parent: &str) -> String {
    let name = if count == 1 { "names a row" } else { "name rows" };
    format!("{} of {child:?} {name} of {parent:?} that would be gone", count_noun(count, "row"))
}

/// The error where a reject that is to be released is not open any more.
fn already_released_error(reject: RejectId) -> TargetError {
    let message = format!("another process has released the reject {reject} meanwhile; nothing was changed");
    TargetError::new(TargetErrorKind::Overtaken, message)
}

/// What can be read from a target, within a transaction or outside one.
pub trait TargetRead: ReadBooks {
    /// Whether `table` exists.
    fn has_table(&self, table: &Table) -> Result<bool>;

    /// The number of rows of `table`; 0 where it does not exist. Of a table that is being built aside, this and
    /// [`scan_rows`](Self::scan_rows) tell the handle that builds it the rows so far.
    fn row_count(&self, table: &Table) -> Result<u64> {
        self.row_count_within(table, u64::MAX)
    }

    /// The same, and at most `most`: to count all rows of a large table takes long.
    fn row_count_within(&self, table: &Table, most: u64) -> Result<u64>;

    /// What the database cannot hold of the rows of `table`.
    fn table_limits(&self, _table: &Table) -> TargetLimits {
        TargetLimits::default()
    }

    /// Whether each question costs a round trip to a server, so that it is worth to gather them.
    fn is_remote(&self) -> bool {
        false
    }

    /// Whether the rows of `table` can be looked for by their keys now. A table that is being built aside has no index
    /// before it is finished.
    fn can_find_rows(&self, _table: &Table) -> bool {
        true
    }

    /// Whether a load that has not ended builds `table` aside, in this process or another, so that its rows are out of sight.
    fn is_staged(&self, _table: &Table) -> Result<bool> {
        Ok(false)
    }

    /// Whether the database itself checks, before this transaction commits, that the parents of rows inserted into `table` are
    /// there.
    fn checks_parents(&self, _table: &Table) -> bool {
        false
    }

    /// For each of `values` the row of `table` whose fields at `positions` have them, with all its fields; none where
    /// there is no such row or no such table. However many values there are, the database is asked a few times at most.
    fn find_rows(
        &self,
        table: &Table,
        positions: &[FieldIndex],
        values: &[Vec<Scalar>],
    ) -> Result<Vec<Option<Vec<Scalar>>>>;

    /// The row of `table` whose fields at `positions` have `values`.
    fn find_row(&self, table: &Table, positions: &[FieldIndex], values: &[Scalar]) -> Result<Option<Vec<Scalar>>> {
        Ok(self.find_rows(table, positions, &[values.to_vec()])?.pop().flatten())
    }

    /// Hands the rows of `table` that `filter` wants to `visit`, with all fields, in the order of the primary key, until it wants no
    /// more; none where there is no such table. Fields of conditions are comparable (see [`is_comparable`]).
    fn read_page(&self, table: &Table, filter: &RowFilter, visit: VisitPageRow<'_>) -> Result<()>;

    /// Calls `visit` with batches that hold the fields at `positions` of every row of `table`.
    fn scan_rows(&self, table: &Table, positions: &[FieldIndex], visit: &mut dyn FnMut(&RecordBatch)) -> Result<()>;
}

/// A write transaction. Dropped without a commit, it leaves no trace.
pub trait Transaction: TargetRead + WriteBooks + WriteJobs {
    /// Inserts the rows of `rows` at `selected` into `table`. Rows that a constraint of the database stops are returned,
    /// and the others stay. With [`Pace::Ahead`] the rows may be under way when this returns.
    fn insert_rows(&mut self, table: &Table, rows: &RecordBatch, selected: &[Range<usize>]) -> Result<Vec<RefusedRow>>;

    /// Gives the rows of `table` that have the primary keys of the rows of `rows` at `selected` the content of those
    /// rows in the fields at `fields`, in this order; their other fields are not touched. No two of them have the same
    /// primary key. Those that a constraint of the database stops are returned, and so are those whose row is not there; the
    /// others stay.
    fn update_rows(
        &mut self,
        table: &Table,
        rows: &RecordBatch,
        selected: &[usize],
        fields: &[FieldIndex],
    ) -> Result<Vec<RefusedRow>>;

    /// Sees to it that the rows of `parent` whose fields at `positions` have one of `values` stay until this transaction
    /// ends, or, where rows of `child` are being built aside, until that table is finished.
    ///
    /// # Errors
    /// [`TargetErrorKind::Constraint`](crate::TargetErrorKind) where one of them is gone.
    fn hold_parents(
        &mut self,
        _child: &Table,
        parent: &Table,
        positions: &[FieldIndex],
        values: &[Vec<Scalar>],
    ) -> Result<()> {
        if self.find_rows(parent, positions, values)?.iter().any(Option::is_none) {
            return Err(parent_gone_error(parent).into());
        }
        Ok(())
    }

    /// Begins to make `tables` anew where the target can: their rows go to tables without keys that nobody sees, and that take the place
    /// of the old ones when this transaction commits. Nobody else writes to them meanwhile. The numbers of the rows that each of them
    /// loses so; then its rows cannot be looked for while they are inserted (see [`can_find_rows`](Read::can_find_rows)). With none, nothing has happened.
    fn begin_replacement(&mut self, _tables: &[&Table]) -> Result<Option<Vec<u64>>> {
        Ok(None)
    }

    /// Takes all rows out of `table`, and returns how many; refuses to where the database would delete or alter rows of other tables
    /// with them. Until this transaction ends, no other one can do so: it waits, or says so.
    fn delete_rows(&mut self, table: &Table) -> Result<u64>;

    /// Every row that names a parent which does not exist, as sentences, at most ten; `tables` are those to check.
    /// Of those that are also in `sound` this transaction has inserted every row, and held all parents that the dictionary names: a
    /// target need not look for these again.
    fn find_orphans(&self, tables: &[&Table], sound: &[&Table]) -> Result<Vec<String>>;

    /// Stores `entry` as a new load and returns its number. Until this transaction ends, no other one can do so for the same
    /// table and source: it waits, or says so.
    fn add_load(&mut self, entry: &LoadEntry) -> Result<LoadId>;

    /// Overwrites the entry of a load. `was_at` is the offset that the ledger must hold.
    ///
    /// # Errors
    /// [`TargetErrorKind::Overtaken`](crate::TargetErrorKind) where it holds another, or the load has ended: another
    /// process goes on with it. With [`Pace::Ahead`] that may be told by the commit, or by what follows it.
    fn save_load(&mut self, entry: &LoadEntry, was_at: u64) -> Result<()>;

    /// Adds rejects of `load` to the quarantine, in this order; all of their bytes are at hand.
    fn add_rejects(&mut self, load: LoadId, table: &Table, rejects: &[NewReject]) -> Result<()>;

    /// Makes it all last.
    ///
    /// # Errors
    /// Nothing of the transaction stays. Where the connection was lost and it cannot be known at once what became of it,
    /// the target finds out from the ledger before it answers.
    fn commit_now(self: Box<Self>) -> Result<()>;

    /// Like [`commit_now`](Self::commit_now), but the work may still be under way when this returns. Transactions commit in their
    /// order; one that fails takes those after it along, and its error is that of the next call on the target.
    fn commit_later(self: Box<Self>) -> Result<()> {
        self.commit_now()
    }
}

/// A database that rows go to.
pub trait Target: TargetRead + ReadJobs {
    /// Where it is, as the user wrote it, without secrets.
    fn location(&self) -> String;

    /// Makes the tables that do not exist, and checks those that do against the dictionary. One that is being built aside
    /// is finished. Tables may be given in any order, and may refer to each other in a circle; parents that are not among
    /// them exist.
    ///
    /// # Errors
    /// A table that differs from the dictionary, or a name or type that the database cannot take.
    fn prepare_tables(&mut self, tables: &[Table]) -> Result<()>;

    /// Finds out whether the database can take `tables`, in the order of [`table_statements`](Self::table_statements). Nothing is made.
    ///
    /// # Errors
    /// A name or type that it cannot take.
    fn check_makable(&self, tables: &[Table]) -> Result<()> {
        self.table_statements(tables).map(drop)
    }

    /// Whether `table` may be built aside: it does not exist. One that exists may be in use, also where it is empty.
    fn can_stage(&self, _table: &Table) -> Result<bool> {
        Ok(false)
    }

    /// Begins to build `table` aside where that can be done, or goes on with it: rows are inserted without keys or
    /// indexes, and nobody sees them before [`finish_staging`](Self::finish_staging). `resumes` says that a load of this command has
    /// begun the table earlier. Whether it is being built aside now; otherwise it is there, whole.
    fn begin_staging(&mut self, table: &Table, _resumes: bool) -> Result<bool> {
        self.prepare_tables(std::slice::from_ref(table)).map(|()| false)
    }

    /// Gives a table that is being built its keys and its place, in one step. Nothing happens to one that is not.
    ///
    /// # Errors
    /// What stands against its keys; it goes on being built then.
    fn finish_staging(&mut self, _table: &Table) -> Result<()> {
        Ok(())
    }

    /// Begins a write transaction.
    fn begin_transaction(&mut self, fence: Fence, pace: Pace) -> Result<Box<dyn Transaction + '_>>;

    /// The tables as they are now, while others go on writing.
    fn take_snapshot(&mut self) -> Result<Box<dyn Snapshot + '_>>;

    /// From here on a commit that has returned would survive a loss of power.
    fn commit_durably(&mut self) -> Result<()> {
        Ok(())
    }

    /// Returns once everything committed would survive a loss of power.
    fn flush_commits(&mut self) -> Result<()>;

    /// The statements that would make `tables` in an empty database, in an order in which they run, each without a
    /// semicolon at its end. Tables that others refer to come first in `tables`, unless they refer to each other.
    ///
    /// # Errors
    /// A name or type that the database cannot take.
    fn table_statements(&self, tables: &[Table]) -> Result<Vec<String>>;

    /// How the database differs from `tables`, in an order in which the additions run; `tables` as in [`table_statements`](Self::table_statements).
    /// Nothing is altered.
    fn find_differences(&self, tables: &[Table]) -> Result<Vec<Difference>>;

    /// Carries out the additions of `differences`, in one transaction where the database can. One that another process
    /// has carried out meanwhile is an error.
    fn add_missing(&mut self, differences: &[Difference]) -> Result<()>;

    /// Those of `tables` that differ from the dictionary and can be made anew without a loss, with those that refer to them: Landfall has
    /// made them, they have no rows, and nobody has changed them since. A load that kept nothing leaves such tables.
    fn find_remakable(&self, tables: &[Table]) -> Result<Vec<Table>>;

    /// Removes the tables that [`find_remakable`](Self::find_remakable) tells. Those that others use at this moment stay.
    fn drop_remakable(&mut self, tables: &[Table]) -> Result<()>;

    /// Whether the database lets its user insert rows into `table`, which exists. Nothing is inserted.
    fn may_insert_rows(&self, _table: &Table) -> Result<bool> {
        Ok(true)
    }

    /// From here on, each write transaction of this handle holds `claim` until it ends; none, if it works for no job. So a worker that
    /// lost its job commits nothing more: [`begin_transaction`](Self::begin_transaction) fails with
    /// [`TargetErrorKind::ClaimLost`](crate::TargetErrorKind).
    fn commit_under(&mut self, claim: Option<JobClaim>);

    /// From here on `canceller` can stop what is read outside of transactions; nobody can where there is none.
    fn set_canceller(&mut self, _canceller: Option<&Arc<Canceller>>) {}

    /// Runs a query that only reads, with values for its named parameters (`:name`), and hands its columns and rows to
    /// `rows`.
    fn run_query(&self, sql: &str, parameters: &[(String, Scalar)], rows: &mut dyn QueryRows) -> Result<()>;
}
