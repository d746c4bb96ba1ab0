//! A transaction under way, on a connection of its own.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
    sync::Arc,
};

use arrow_array::RecordBatch;
use landfall_core::keys::{KeyColumns, Scalar};
use mysql::Error as Mysql;

use super::{
    Fence, Table,
    commits::{self, Witness},
    connection::Connection,
    failure::{Context as _, failure, is_lost},
    load_data::{Rows, send},
    lock::{lock_source, lock_table, unlock_all},
    own::Own,
    rows,
    settings::Settings,
    triggers::{self, Objection, altered, census, census_objection},
};
use crate::{
    error::{Result, TargetError, TargetErrorKind},
    ledger::{LoadEntry, LoadId},
    targets::sql::{
        commits::{Fate, unknown_outcome},
        ledger,
    },
};

/// A transaction under way.
pub(super) struct Work {
    pub(super) connection: Connection,
    settings: Arc<Settings>,
    pub(super) fence: Fence,
    /// What tells whether the transaction has committed.
    witness: Witness,
    /// Parents that must be there when the transaction ends, since the server did not look for them.
    parents: HashMap<Foreign, HashSet<Vec<Scalar>>>,
    /// Tables that were emptied without a look at the rows that name theirs.
    cleared: Vec<Table>,
    /// Whether triggers may alter rows of a table.
    watched: HashMap<Arc<str>, bool>,
}

/// Which foreign key: the table, and what it names of its parent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Foreign {
    parent: Arc<str>,
    fields: Vec<Arc<str>>,
}

impl Work {
    /// Begins a transaction.
    pub(super) fn begin(mut connection: Connection, settings: Arc<Settings>, fence: Fence) -> Result<Self> {
        let doing = || format!("cannot write to the database {settings}");
        // The pipeline asks for each distinct parent, and holds it: the server need not look for it with every row. Keys are
        // always checked.
        let checks = u8::from(fence == Fence::Database);
        connection.run(&format!("SET SESSION foreign_key_checks = {checks}")).context(doing)?;
        connection.run("START TRANSACTION").context(doing)?;
        let witness = commits::enter(&mut connection)?;
        let (parents, watched) = (HashMap::new(), HashMap::new());
        Ok(Self { connection, settings, fence, witness, parents, cleared: Vec::new(), watched })
    }

    /// Inserts rows, all or none; what stands against them.
    pub(super) fn attempt(
        &mut self,
        table: &Table,
        batch: &RecordBatch,
        selected: &[Range<usize>],
    ) -> Result<Option<Objection>> {
        let doing = || super::load_data::inserting(table);
        let watched = self.is_watched(table)?;
        self.connection.run("SAVEPOINT landfall_rows").context(doing)?;
        let before = if watched && table.schema.primary_key.is_empty() {
            Some(census(&mut self.connection, table)?)
        } else {
            None
        };
        let rows = Rows { batch: batch.clone(), selected: selected.to_vec() };
        let mut rows = Some(rows);
        let mut objection = send(&mut self.connection, table, move || rows.take())?.map(Objection::Words);
        if watched && objection.is_none() {
            let rows: Vec<usize> = selected.iter().cloned().flatten().collect();
            objection = match before {
                Some(before) => census_objection(&mut self.connection, table, batch, &rows, before)?,
                None => {
                    let every: Vec<usize> = (0..batch.num_columns()).collect();
                    altered(&mut self.connection, table, batch, &rows, &every)?
                }
            };
        }
        if objection.is_some() {
            self.connection.run("ROLLBACK TO SAVEPOINT landfall_rows").context(doing)?;
        }
        Ok(objection)
    }

    /// Whether a trigger may alter rows of `table`.
    pub(super) fn is_watched(&mut self, table: &Table) -> Result<bool> {
        if let Some(watched) = self.watched.get(&table.name) {
            return Ok(*watched);
        }
        let watched = triggers::may_alter(&mut self.connection, table)?;
        self.watched.insert(table.name.clone(), watched);
        Ok(watched)
    }

    /// Takes all rows out of `table`. Those that name them are looked for when the transaction ends, since the table may
    /// hold new ones by then: so the server must not stop this, nor go on to their tables.
    pub(super) fn clear(&mut self, table: &Table) -> Result<u64> {
        lock_table(&mut self.connection, &table.name)?;
        if self.fence == Fence::Database {
            self.cleared.push(table.clone());
        }
        self.unchecked(|work| rows::clear(&mut work.connection, table))
    }

    /// Runs `work` while the server does not check foreign keys. What `batch` names must be there when the transaction
    /// ends: rows may name each other, and the server would look at each by itself.
    pub(super) fn with_parents_later<R>(
        &mut self,
        table: &Table,
        batch: &RecordBatch,
        selected: &[usize],
        work: impl FnOnce(&mut Self) -> Result<R>,
    ) -> Result<R> {
        for key in &table.schema.foreign_keys {
            let columns = KeyColumns::new(batch, &key.fields);
            let named =
                selected.iter().map(|&row| columns.row_values(row)).filter(|values| !values.contains(&Scalar::Null));
            let foreign = Foreign { parent: key.parent.clone(), fields: key.parent_fields.clone() };
            self.parents.entry(foreign).or_default().extend(named);
        }
        self.unchecked(work)
    }

    /// Runs `work` while the server does not check foreign keys.
    fn unchecked<R>(&mut self, work: impl FnOnce(&mut Self) -> Result<R>) -> Result<R> {
        if self.fence == Fence::Pipeline {
            return work(self);
        }
        let doing = || "cannot set up the session".to_owned();
        self.connection.run("SET SESSION foreign_key_checks = 0").context(doing)?;
        let outcome = work(self)?;
        self.connection.run("SET SESSION foreign_key_checks = 1").context(doing)?;
        Ok(outcome)
    }

    /// Holds parents until the transaction ends.
    pub(super) fn hold(&mut self, parent: &Table, positions: &[usize], values: &[Vec<Scalar>]) -> Result<()> {
        if rows::hold(&mut self.connection, &parent.name, &rows::fields(parent, positions), values)? {
            return Ok(());
        }
        Err(parent_gone(&parent.name).into())
    }

    /// Adds a load to the ledger. Until the transaction ends, no other process can do so for the same table and source.
    pub(super) fn add_load(&mut self, entry: &LoadEntry) -> Result<LoadId> {
        lock_source(&mut self.connection, entry)?;
        ledger::add(&Own::new(&mut self.connection), entry)
    }

    /// Brings a load's entry up to date.
    pub(super) fn save_load(&mut self, entry: &LoadEntry, was_at: u64) -> Result<()> {
        ledger::save(&Own::new(&mut self.connection), entry, was_at)
    }

    /// Makes it all last, and gives the connection back; that is another one if it broke and the token had to tell.
    pub(super) fn commit(mut self) -> Result<Connection, Failed> {
        if let Err(error) = self.check_named() {
            return Err(self.failed(error));
        }
        match self.connection.run("COMMIT") {
            Ok(_) => self.restored(),
            Err(error) => self.committed_after_all(&error),
        }
    }

    /// Finds out what became of a COMMIT that failed with `error`. A server that says why has not always undone it.
    fn committed_after_all(mut self, error: &Mysql) -> Result<Connection, Failed> {
        if !is_lost(error) {
            let _ = self.connection.run("ROLLBACK");
            let _ = unlock_all(&mut self.connection);
        }
        let failed = |error| Err(Failed { connection: None, error });
        match commits::find_fate(&self.settings, self.witness) {
            Fate::Committed(connection) => Ok(connection),
            Fate::Undone => failed(failure(error, "cannot commit")),
            Fate::Unknown => failed(unknown(error)),
        }
    }

    /// Holds the parents that must be there by now, and looks for rows whose parents were taken away.
    fn check_named(&mut self) -> Result<()> {
        for (Foreign { parent, fields }, values) in std::mem::take(&mut self.parents) {
            let fields: Vec<&str> = fields.iter().map(|field| &**field).collect();
            if !rows::hold(&mut self.connection, &parent, &fields, &values)? {
                return Err(parent_gone(&parent).into());
            }
        }
        let orphans = rows::orphans(&mut self.connection, &self.cleared.iter().collect::<Vec<_>>(), &[])?;
        if orphans.is_empty() {
            return Ok(());
        }
        Err(TargetError::new(TargetErrorKind::Constraint, orphans.join(", and ")).into())
    }

    /// The connection, as it was before the transaction.
    fn restored(mut self) -> Result<Connection, Failed> {
        let unlocked = unlock_all(&mut self.connection);
        let restored = unlocked.and_then(|()| self.connection.run("SET SESSION foreign_key_checks = 1"));
        if let Err(error) = restored {
            // What was to be committed is; the connection is given up.
            tracing::debug!(%error, "the session could not be restored");
        }
        commits::spend(&mut self.connection, self.witness);
        Ok(self.connection)
    }

    /// Undoes it all. The connection, where it can still be used.
    pub(super) fn roll_back(mut self) -> Option<Connection> {
        if self.connection.is_lost() {
            return None;
        }
        let undone = self
            .connection
            .run("ROLLBACK")
            .and_then(|_| unlock_all(&mut self.connection))
            .and_then(|()| self.connection.run("SET SESSION foreign_key_checks = 1"));
        undone.is_ok().then_some(self.connection)
    }

    fn failed(self, error: crate::Error) -> Failed {
        Failed { connection: self.roll_back().map(Box::new), error }
    }
}

/// A transaction that came to nothing.
pub(super) struct Failed {
    /// Its connection, where it can still be used.
    pub(super) connection: Option<Box<Connection>>,
    pub(super) error: crate::Error,
}

fn unknown(error: &Mysql) -> crate::Error {
    match failure(error, "cannot commit") {
        crate::Error::Target(error) => unknown_outcome(&error.message).into(),
        other => other,
    }
}

/// The error that sends a load back to the ledger, to go on in step.
pub(super) fn again(words: &str) -> crate::Error {
    let message =
        format!("what was sent ahead cannot stay: {words}; nothing of it was kept, run the same command again");
    TargetError::new(TargetErrorKind::Again, message).into()
}

/// The error where a row that others name is gone.
fn parent_gone(parent: &str) -> TargetError {
    let message = format!("a row of {parent:?} that the loaded rows name does not exist; run the same command again");
    TargetError::new(TargetErrorKind::Constraint, message)
}
