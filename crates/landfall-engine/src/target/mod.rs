//! Where rows go: the traits that a target implements.
//!
//! A target is a database that holds the tables of a package, and beside them the ledger and the quarantine: so that a
//! chunk's rows, its rejects and its ledger entry commit in one transaction (promise 2).

#[expect(dead_code, reason = "the target that uses it comes next")]
mod mysql;
mod open;
mod sqlite;
mod url;

use std::{ops::Range, sync::Arc};

use arrow_array::RecordBatch;
use landfall_core::{
    keys::Scalar,
    reject::CellError,
    schema::{Package, TableSchema},
};

pub use open::{Access, Location, open};

use crate::{
    error::Result,
    ledger::{LoadEntry, LoadId},
    quarantine::{NewReject, Reject, RejectEvent, RejectFilter, RejectGroup, RejectId},
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

/// What is asked of a transaction's constraints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fence {
    /// The database checks every foreign key of every row.
    Database,
    /// The pipeline has checked the foreign keys, and asks the database for each distinct parent within the
    /// transaction; the database need not look a second time for every row.
    Pipeline,
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
    fn columns(&mut self, names: &[String]) -> Result<()>;

    /// A row, with a cell for each column.
    fn row(&mut self, cells: &[Cell]) -> Result<()>;
}

/// What can be read from a target, within a transaction or outside one.
pub trait Read {
    /// Whether `table` exists.
    fn has_table(&self, table: &Table) -> Result<bool>;

    /// The number of rows of `table`; 0 where it does not exist.
    fn row_count(&self, table: &Table) -> Result<u64>;

    /// The row of `table` whose fields at `positions` have `values`, with all its fields; none where there is no such
    /// row or no such table.
    fn find(&self, table: &Table, positions: &[usize], values: &[Scalar]) -> Result<Option<Vec<Scalar>>>;

    /// Calls `visit` with batches that hold the fields at `positions` of every row of `table`.
    fn scan(&self, table: &Table, positions: &[usize], visit: &mut dyn FnMut(&RecordBatch)) -> Result<()>;

    /// The ledger: the entries of all loads, oldest first.
    fn loads(&self) -> Result<Vec<LoadEntry>>;

    /// The rejects that `filter` wants, in the order of their numbers.
    fn rejects(&self, filter: &RejectFilter) -> Result<Vec<Reject>>;

    /// The number of rejects that `filter` wants.
    fn reject_count(&self, filter: &RejectFilter) -> Result<u64>;

    /// The rejects that `filter` wants, grouped by table, code and field, the largest group first.
    fn reject_groups(&self, filter: &RejectFilter) -> Result<Vec<RejectGroup>>;

    /// All bytes of a reject, handed to `visit` part by part.
    fn reject_raw(&self, reject: RejectId, visit: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()>;

    /// What was done to a reject, oldest first.
    fn reject_events(&self, reject: RejectId) -> Result<Vec<RejectEvent>>;
}

/// A write transaction. Dropped without a commit, it leaves no trace.
pub trait Transaction: Read {
    /// Inserts the rows of `rows` at `selected` into `table`. Rows that a constraint of the database stops are returned,
    /// and the others stay.
    fn insert(&mut self, table: &Table, rows: &RecordBatch, selected: &[Range<usize>]) -> Result<Vec<RefusedRow>>;

    /// Gives the row of `table` that has the primary key of row `row` of `rows` the content of that row; what the
    /// database said where one of its constraints stops that.
    fn update(&mut self, table: &Table, rows: &RecordBatch, row: usize) -> Result<Option<String>>;

    /// Takes all rows out of `table`.
    fn clear(&mut self, table: &Table) -> Result<()>;

    /// Every row that names a parent which does not exist, as sentences, at most ten; `tables` are those to check.
    fn orphans(&self, tables: &[&Table]) -> Result<Vec<String>>;

    /// Stores `entry` as a new load and returns its number.
    fn add_load(&mut self, entry: &LoadEntry) -> Result<LoadId>;

    /// Overwrites the entry of a load. `was_at` is the offset that the ledger must hold; `false` where it does not
    /// (another process goes on with the load), and nothing is changed.
    fn save_load(&mut self, entry: &LoadEntry, was_at: u64) -> Result<bool>;

    /// Adds rejects of `load` to the quarantine, in this order; all of their bytes are at hand.
    fn add_rejects(&mut self, load: LoadId, table: &Table, rejects: &[NewReject]) -> Result<()>;

    /// Adds a reject of `load` to the quarantine.
    fn add_reject(&mut self, load: LoadId, table: &Table, reject: &NewReject) -> Result<RejectId>;

    /// Appends further bytes to the raw record of a reject.
    fn append_raw(&mut self, reject: RejectId, part: u64, bytes: &[u8]) -> Result<()>;

    /// Marks a reject as released by `load`; `mended` are its bytes where a person changed them.
    fn release(&mut self, reject: RejectId, load: LoadId, mended: Option<&[u8]>) -> Result<()>;

    /// Takes a reject out of the quarantine without a trace: its record was only deferred, and is a row of the load that
    /// deferred it.
    fn withdraw(&mut self, reject: RejectId) -> Result<()>;

    /// Notes that a reject was tried by `load` and failed again, now with `errors`.
    fn retry_failed(
        &mut self,
        reject: RejectId,
        load: LoadId,
        errors: &[CellError],
        mended: Option<&[u8]>,
    ) -> Result<()>;

    /// Marks open rejects of earlier loads as superseded by `load`: those of the same content, and of a replace all
    /// those of its table.
    fn supersede(&mut self, load: &LoadEntry) -> Result<u64>;

    /// Makes it all last.
    fn commit(self: Box<Self>) -> Result<()>;
}

/// A database that rows go to.
pub trait Target: Read {
    /// Where it is, as the user wrote it, without secrets.
    fn location(&self) -> String;

    /// Makes the tables that do not exist, and checks those that do against the dictionary.
    ///
    /// # Errors
    /// A table that differs from the dictionary, or a name or type that the database cannot take.
    fn prepare(&mut self, tables: &[Table]) -> Result<()>;

    /// Begins a write transaction.
    fn transaction(&mut self, fence: Fence) -> Result<Box<dyn Transaction + '_>>;

    /// Returns once everything committed would survive a loss of power.
    fn settle(&mut self) -> Result<()>;

    /// Runs a query that only reads, with values for its named parameters (`:name`), and hands its columns and rows to
    /// `rows`.
    fn query(&self, sql: &str, parameters: &[(String, Scalar)], rows: &mut dyn QueryRows) -> Result<()>;
}
