//! A transaction under way, on a connection of its own.
//!
//! To be changed together: every way out of a transaction unlocks what it locked, and gives the session its check of foreign keys back. The
//! server keeps both beyond COMMIT and ROLLBACK, and the connection is used again.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
    sync::Arc,
};

use arrow_array::RecordBatch;
use landfall_core::{
    keys::{KeyColumns, Scalar},
    schema::FieldIndex,
};
use mysql::Error as Mysql;

use super::{
    Fence, Table,
    commits::{self, MysqlWitness},
    connection::MysqlConnection,
    failure::{MysqlContext as _, is_connection_lost, mysql_error},
    load_data::{RowsToSend, send_rows},
    lock::{lock_source, lock_table, unlock_all},
    own_tables::MysqlOwnConnection,
    rows,
    settings::MysqlSettings,
    triggers::{self, RowsObjection, census_objection, find_altered_rows, take_census},
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
pub(super) struct MysqlWork {
    pub(super) connection: MysqlConnection,
    settings: Arc<MysqlSettings>,
    pub(super) fence: Fence,
    /// What tells whether the transaction has committed.
    witness: MysqlWitness,
    /// Parents that must be there when the transaction ends, since the server did not look for them.
    parents: HashMap<ForeignKeyName, HashSet<Vec<Scalar>>>,
    /// Tables that were emptied without a look at the rows that name theirs.
    cleared: Vec<Table>,
    /// Whether triggers may alter rows of a table.
    watched: HashMap<Arc<str>, bool>,
}

/// Which foreign key: the table, and what it names of its parent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct ForeignKeyName {
    parent: Arc<str>,
    fields: Vec<Arc<str>>,
}

impl MysqlWork {
    /// Begins a transaction.
    pub(super) fn begin_work(
        mut connection: MysqlConnection,
        settings: Arc<MysqlSettings>,
        fence: Fence,
    ) -> Result<Self> {
        let doing = || format!("cannot write to the database {settings}");
        // The pipeline asks for each distinct parent, and holds it: the server need not look for it with every row. Keys are
        // always checked.
        let checks = u8::from(fence == Fence::Database);
        connection.run(&format!("SET SESSION foreign_key_checks = {checks}")).context(doing)?;
        connection.run("START TRANSACTION").context(doing)?;
        let witness = commits::enter_token(&mut connection)?;
        let (parents, watched) = (HashMap::new(), HashMap::new());
        Ok(Self { connection, settings, fence, witness, parents, cleared: Vec::new(), watched })
    }

    /// Inserts rows, all or none; what stands against them.
    pub(super) fn try_insert(
        &mut self,
        table: &Table,
        batch: &RecordBatch,
        selected: &[Range<usize>],
    ) -> Result<Option<RowsObjection>> {
        let doing = || super::load_data::insert_description(table);
        let watched = self.is_watched(table)?;
        self.connection.run("SAVEPOINT landfall_rows").context(doing)?;
        let before = if watched && table.schema.primary_key.is_empty() {
            Some(take_census(&mut self.connection, table)?)
        } else {
            None
        };
        let rows = RowsToSend { batch: batch.clone(), selected: selected.to_vec() };
        let mut rows = Some(rows);
        let mut objection = send_rows(&mut self.connection, table, move || rows.take())?.map(RowsObjection::Words);
        if watched && objection.is_none() {
            let rows: Vec<usize> = selected.iter().cloned().flatten().collect();
            objection = match before {
                Some(before) => census_objection(&mut self.connection, table, batch, &rows, before)?,
                None => {
                    let every: Vec<FieldIndex> = table.schema.field_positions().collect();
                    find_altered_rows(&mut self.connection, table, batch, &rows, &every)?
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
    pub(super) fn delete_rows(&mut self, table: &Table) -> Result<u64> {
        lock_table(&mut self.connection, &table.name)?;
        if self.fence == Fence::Database {
            self.cleared.push(table.clone());
        }
        self.without_key_checks(|work| rows::delete_rows(&mut work.connection, table))
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
            let foreign = ForeignKeyName { parent: key.parent.clone(), fields: key.parent_fields.clone() };
            self.parents.entry(foreign).or_default().extend(named);
        }
        self.without_key_checks(work)
    }

    /// Runs `work` while the server does not check foreign keys.
    fn without_key_checks<R>(&mut self, work: impl FnOnce(&mut Self) -> Result<R>) -> Result<R> {
        if self.fence == Fence::Pipeline {
            return work(self);
        }
        let doing = || "cannot set up the session".to_owned();
        // The server would look at each row by itself, and a parent may come later in the same transaction.
        self.connection.run("SET SESSION foreign_key_checks = 0").context(doing)?;
        // After an error the transaction is given up, and `roll_back` sets the session right.
        let outcome = work(self)?;
        self.connection.run("SET SESSION foreign_key_checks = 1").context(doing)?;
        Ok(outcome)
    }

    /// Holds parents until the transaction ends.
    pub(super) fn lock_parents(
        &mut self,
        parent: &Table,
        positions: &[FieldIndex],
        values: &[Vec<Scalar>],
    ) -> Result<()> {
        if rows::lock_parents(&mut self.connection, &parent.name, &rows::field_names(parent, positions), values)? {
            return Ok(());
        }
        Err(parent_gone_error(&parent.name).into())
    }

    /// Adds a load to the ledger. Until the transaction ends, no other process can do so for the same table and source.
    pub(super) fn add_load(&mut self, entry: &LoadEntry) -> Result<LoadId> {
        lock_source(&mut self.connection, entry)?;
        ledger::add_load(&MysqlOwnConnection::new(&mut self.connection), entry)
    }

    /// Brings a load's entry up to date.
    pub(super) fn save_load(&mut self, entry: &LoadEntry, was_at: u64) -> Result<()> {
        ledger::save_load(&MysqlOwnConnection::new(&mut self.connection), entry, was_at)
    }

    /// Makes it all last, and gives the connection back; that is another one if it broke and the token had to tell.
    pub(super) fn commit_now(mut self) -> Result<MysqlConnection, FailedWork> {
        if let Err(error) = self.check_named_parents() {
            return Err(self.into_failed(error));
        }
        match self.connection.run("COMMIT") {
            Ok(_) => self.restore_connection(),
            Err(error) => self.committed_after_all(&error),
        }
    }

    /// Finds out what became of a COMMIT that failed with `error`. A server that says why has not always undone it.
    fn committed_after_all(mut self, error: &Mysql) -> Result<MysqlConnection, FailedWork> {
        if !is_connection_lost(error) {
            let _ = self.connection.run("ROLLBACK");
            let _ = unlock_all(&mut self.connection);
        }
        let failed = |error| Err(FailedWork { connection: None, error });
        match commits::find_fate(&self.settings, self.witness) {
            Fate::Committed(connection) => Ok(connection),
            Fate::Undone => failed(mysql_error(error, "cannot commit")),
            Fate::Unknown => failed(unknown_outcome_error(error)),
        }
    }

    /// Holds the parents that must be there by now, and looks for rows whose parents were taken away.
    fn check_named_parents(&mut self) -> Result<()> {
        for (ForeignKeyName { parent, fields }, values) in std::mem::take(&mut self.parents) {
            let fields: Vec<&str> = fields.iter().map(|field| &**field).collect();
            if !rows::lock_parents(&mut self.connection, &parent, &fields, &values)? {
                return Err(parent_gone_error(&parent).into());
            }
        }
        let orphans = rows::find_orphans(&mut self.connection, &self.cleared.iter().collect::<Vec<_>>(), &[])?;
        if orphans.is_empty() {
            return Ok(());
        }
        Err(TargetError::new(TargetErrorKind::Constraint, orphans.join(", and ")).into())
    }

    /// The connection, as it was before the transaction.
    fn restore_connection(mut self) -> Result<MysqlConnection, FailedWork> {
        let unlocked = unlock_all(&mut self.connection);
        let restored = unlocked.and_then(|()| self.connection.run("SET SESSION foreign_key_checks = 1"));
        if let Err(error) = restored {
            // What was to be committed is; the connection is given up.
            tracing::debug!(%error, "the session could not be restored");
        }
        commits::spend_token(&mut self.connection, self.witness);
        Ok(self.connection)
    }

    /// Undoes it all. The connection, where it can still be used.
    pub(super) fn roll_back(mut self) -> Option<MysqlConnection> {
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

    fn into_failed(self, error: crate::Error) -> FailedWork {
        FailedWork { connection: self.roll_back().map(Box::new), error }
    }
}

/// A transaction that came to nothing.
pub(super) struct FailedWork {
    /// Its connection, where it can still be used.
    pub(super) connection: Option<Box<MysqlConnection>>,
    pub(super) error: crate::Error,
}

fn unknown_outcome_error(error: &Mysql) -> crate::Error {
    match mysql_error(error, "cannot commit") {
        crate::Error::Target(error) => unknown_outcome(&error.message).into(),
        other => other,
    }
}

/// The error that sends a load back to the ledger, to go on in step.
pub(super) fn start_again_error(words: &str) -> crate::Error {
    let message =
        format!("what was sent ahead cannot stay: {words}; nothing of it was kept, run the same command again");
    TargetError::new(TargetErrorKind::Again, message).into()
}

/// The error where a row that others name is gone.
fn parent_gone_error(parent: &str) -> TargetError {
    let message = format!("a row of {parent:?} that the loaded rows name does not exist; run the same command again");
    TargetError::new(TargetErrorKind::Constraint, message)
}
