//! What targets that speak SQL share: the ledger's and the quarantine's statements, over a small face of a connection.
//!
//! The statements are written once, with `?` for each parameter. What the databases do not spell alike stands in
//! [`SqlSpelling`].

pub(super) mod commits;
pub(super) mod compare;
pub(super) mod documents;
pub(super) mod existing_table;
pub(super) mod followers;
pub(super) mod former_tasks;
pub(super) mod jobs;
pub(super) mod ledger;
pub(super) mod made_tables;
pub(super) mod quarantine;

use landfall_core::reject::CellError;

use crate::{
    error::{Error, Result, TargetError, TargetErrorKind},
    ledger::LoadId,
    quarantine::RejectId,
};

/// A value bound to a statement.
#[derive(Debug, Clone, Copy)]
pub(super) enum SqlParameter<'p> {
    Integer(i64),
    Real(f64),
    Text(&'p str),
    Bytes(Option<&'p [u8]>),
}

impl From<u64> for SqlParameter<'_> {
    /// Counts, lines and offsets; none comes near the end of what the database holds.
    fn from(value: u64) -> Self {
        Self::Integer(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<LoadId> for SqlParameter<'_> {
    fn from(load: LoadId) -> Self {
        Self::Integer(load.into())
    }
}

impl From<RejectId> for SqlParameter<'_> {
    fn from(reject: RejectId) -> Self {
        Self::Integer(reject.into())
    }
}

impl From<bool> for SqlParameter<'_> {
    fn from(value: bool) -> Self {
        Self::Integer(i64::from(value))
    }
}

impl<'p> From<&'p str> for SqlParameter<'p> {
    fn from(value: &'p str) -> Self {
        Self::Text(value)
    }
}

/// A value of a row that was read.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum StoredValue {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Bytes(Vec<u8>),
}

/// What databases spell differently.
#[derive(Debug, Clone)]
pub(super) struct SqlSpelling {
    /// What stands before the names of Landfall's own tables: `landfall_`, or a schema with its dot.
    pub(super) own: String,
    /// What stands behind an `INSERT` that leaves out rows whose key is taken; empty where that is an error.
    pub(super) or_nothing: &'static str,
    /// What a number is cast to that has 64 bits.
    pub(super) integer: &'static str,
    /// The condition that a load's source is called `?`, as the index on it says it; each `?` stands for the same name.
    pub(super) source_is: &'static str,
    /// The time now by the database's clock, in milliseconds since 1970; the same within a statement, so that an index serves.
    pub(super) now: &'static str,
    /// What stands behind a query that locks the rows which it reads for a writer, and leaves out those that others have locked.
    pub(super) for_update_if_free: &'static str,
    /// What stands behind a query that keeps others from changing the rows which it reads until the transaction ends.
    pub(super) for_share: &'static str,
    /// The rows of the JSON array in `r.errors`, as a table `e`.
    pub(super) errors: &'static str,
    /// Code, field and value of a row of that table.
    pub(super) code: &'static str,
    pub(super) field: &'static str,
    pub(super) value: &'static str,
}

impl SqlSpelling {
    /// The name of one of Landfall's own tables.
    pub(super) fn own_table(&self, table: &str) -> String {
        format!("{}{table}", self.own)
    }

    /// The parameters of [`source_is`](Self::source_is).
    pub(super) fn source_values<'s>(&self, source: &'s str) -> impl Iterator<Item = SqlParameter<'s>> {
        std::iter::repeat_n(SqlParameter::from(source), self.source_is.matches('?').count())
    }
}

/// The query for the number of rows at `place`, which is at most `most`.
pub(super) fn count_rows(place: impl std::fmt::Display, most: u64) -> String {
    // Without the inner query, which would keep the server from counting by an index or in parallel.
    if most == u64::MAX {
        return format!("SELECT count(*) FROM {place}");
    }
    format!("SELECT count(*) FROM (SELECT 1 FROM {place} LIMIT {}) AS counted", most.min(i64::MAX as u64))
}

/// Takes the rows of a query.
pub(super) type VisitOwnRow<'v> = &'v mut dyn FnMut(&mut OwnRow) -> Result<()>;

/// One connection, within a transaction or outside one.
pub(super) trait SqlConnection {
    fn sql_spelling(&self) -> &SqlSpelling;

    /// Whether Landfall's own tables are there: a database that was only read has none.
    fn has_own_tables(&self) -> Result<bool>;

    /// Whether one of Landfall's own tables is there, given without its prefix: a database that an older version has made, and
    /// that is only read, has not all of them.
    fn has_own_table(&self, table: &str) -> Result<bool>;

    /// Whether one of Landfall's own tables is there, given without its prefix, and has a column.
    fn has_own_column(&self, table: &str, column: &str) -> Result<bool>;

    /// Runs a statement; the number of rows that it found and changed or made.
    fn execute_statement(&self, sql: &str, parameters: &[SqlParameter<'_>]) -> Result<u64>;

    /// Runs an `INSERT` of one row, and gives the number that the database gave its column `id`.
    fn insert_numbered(&self, sql: &str, parameters: &[SqlParameter<'_>], id: &str) -> Result<i64>;

    /// Runs an `INSERT` of `count` rows, and gives the numbers that the database gave their column `id`, in their order.
    fn insert_all_numbered(
        &self,
        sql: &str,
        parameters: &[SqlParameter<'_>],
        id: &str,
        count: usize,
    ) -> Result<Vec<i64>>;

    /// Turns deferred rejects into open ones, with these errors: [`quarantine::confirm_rejects`], unless the database has a faster way.
    fn confirm_rejects(&self, rejects: &[(RejectId, Vec<CellError>)]) -> Result<()>;

    /// Runs a query and hands its rows to `visit`.
    fn query_rows(&self, sql: &str, parameters: &[SqlParameter<'_>], visit: VisitOwnRow<'_>) -> Result<()>;
}

/// Whatever reaches Landfall's own tables: a database, or a transaction on one. It has the books then (see `books`).
pub(super) trait OwnTables {
    /// Runs `work` on a connection that sees them.
    fn with_own_tables<R>(&self, work: impl FnOnce(&dyn SqlConnection) -> Result<R>) -> Result<R>;
}

/// A transaction that may change them.
pub(super) trait WritesOwnTables: OwnTables {}

/// A row of one of Landfall's own tables; its values are taken in their order.
#[derive(Debug)]
pub(super) struct OwnRow {
    values: std::vec::IntoIter<StoredValue>,
}

impl OwnRow {
    pub(super) fn new(values: Vec<StoredValue>) -> Self {
        Self { values: values.into_iter() }
    }

    fn next(&mut self) -> StoredValue {
        // A row that is too short reads as NULL, for which each of the callers has an error.
        self.values.next().unwrap_or(StoredValue::Null)
    }

    pub(super) fn take_integer(&mut self) -> Result<i64> {
        match self.next() {
            StoredValue::Integer(value) => Ok(value),
            other => Err(foreign_value_error(&other)),
        }
    }

    pub(super) fn take_count(&mut self) -> Result<u64> {
        let value = self.take_integer()?;
        u64::try_from(value).map_err(|_| foreign_value_error(&StoredValue::Integer(value)))
    }

    pub(super) fn take_real(&mut self) -> Result<f64> {
        match self.next() {
            StoredValue::Real(value) => Ok(value),
            other => Err(foreign_value_error(&other)),
        }
    }

    pub(super) fn take_text(&mut self) -> Result<String> {
        self.optional_text()?.ok_or_else(|| foreign_value_error(&StoredValue::Null))
    }

    pub(super) fn optional_text(&mut self) -> Result<Option<String>> {
        match self.next() {
            StoredValue::Null => Ok(None),
            StoredValue::Text(value) => Ok(Some(value)),
            other => Err(foreign_value_error(&other)),
        }
    }

    pub(super) fn optional_bytes(&mut self) -> Result<Option<Vec<u8>>> {
        match self.next() {
            StoredValue::Null => Ok(None),
            StoredValue::Bytes(value) => Ok(Some(value)),
            other => Err(foreign_value_error(&other)),
        }
    }

    pub(super) fn take_bytes(&mut self) -> Result<Vec<u8>> {
        self.optional_bytes()?.ok_or_else(|| foreign_value_error(&StoredValue::Null))
    }

    /// One of a few words.
    pub(super) fn take_word<T>(&mut self, parse: fn(&str) -> Option<T>) -> Result<T> {
        let text = self.take_text()?;
        parse(&text).ok_or_else(|| foreign_value_error(&StoredValue::Text(text)))
    }
}

/// The error for a value that this program does not put there.
pub(super) fn foreign_value_error(value: &StoredValue) -> Error {
    let what = match value {
        StoredValue::Null => "NULL",
        StoredValue::Integer(_) => "an integer",
        StoredValue::Real(_) => "a floating-point number",
        StoredValue::Text(_) => "another text",
        StoredValue::Bytes(_) => "bytes",
    };
    let message = format!(
        "one of Landfall's own tables holds {what} where Landfall never puts that; another program has changed it"
    );
    TargetError::new(TargetErrorKind::Statement, message).into()
}
