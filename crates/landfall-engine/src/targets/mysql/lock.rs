//! Named locks of the server, which keep processes of Landfall apart: while one defines tables (such statements commit by themselves,
//! so that no transaction can do that), begins to load a source, or replaces the rows of a table.

use mysql::Value;

use super::{connection::MysqlConnection, failure::MysqlContext as _};
use crate::{
    error::{Result, TargetError, TargetErrorKind},
    ledger::LoadEntry,
};

/// Seconds that a process waits for another one to make its tables.
const SECONDS: i64 = 30;

/// Runs `work` while no other process of Landfall defines anything in this database.
pub(super) fn with_lock<R>(
    connection: &mut MysqlConnection,
    work: impl FnOnce(&mut MysqlConnection) -> Result<R>,
) -> Result<R> {
    let doing = || "cannot lock the database's tables against other processes of Landfall".to_owned();
    // The server takes 64 characters; a database's name may have as many by itself.
    let asked = "SELECT GET_LOCK(concat('landfall.', left(sha2(database(), 256), 40)), ?)";
    let got = connection.query_all(asked, vec![Value::Int(SECONDS)], &doing)?;
    if !matches!(got.first().map(Vec::as_slice), Some([Value::Int(1)])) {
        let message = format!("{}: one of them has held it for {SECONDS} s; try again when it has finished", doing());
        return Err(TargetError::new(TargetErrorKind::Locked, message).into());
    }
    // Also an error goes through the release below: the server would keep the lock until the connection ends.
    let outcome = work(connection);
    if !connection.is_lost() {
        connection
            .run("DO RELEASE_LOCK(concat('landfall.', left(sha2(database(), 256), 40)))")
            .context(|| "cannot release the lock on the database's tables".to_owned())?;
    }
    outcome
}

/// Seconds that a process waits for another one to commit the first chunk of the same source, or the same table's replace.
const ROWS_SECONDS: i64 = 10;

/// Waits until no other process begins to load the same source into the same table.
pub(super) fn lock_source(connection: &mut MysqlConnection, entry: &LoadEntry) -> Result<()> {
    let doing = || format!("cannot begin to load {} into the table {:?}", entry.source, entry.table);
    take_lock(connection, &format!("{:?} {:?}", entry.table, entry.source), &doing)
}

/// Waits until no other process replaces the rows of `table`: each would overlook those of the other, which then stay.
pub(super) fn lock_table(connection: &mut MysqlConnection, table: &str) -> Result<()> {
    take_lock(connection, &format!("{table:?}"), &|| format!("cannot empty the table {table:?}"))
}

/// Takes the lock called `name` until the transaction ends.
fn take_lock(connection: &mut MysqlConnection, name: &str, doing: &dyn Fn() -> String) -> Result<()> {
    let asked = "SELECT GET_LOCK(concat('landfall.', left(sha2(concat(database(), '\n', ?), 256), 40)), ?)";
    let got = connection.query_all(asked, vec![Value::from(name), Value::Int(ROWS_SECONDS)], doing)?;
    if matches!(got.first().map(Vec::as_slice), Some([Value::Int(1)])) {
        return Ok(());
    }
    let message = format!(
        "{}: another process has been at that for {ROWS_SECONDS} s; run the same command again when it has finished",
        doing()
    );
    Err(TargetError::new(TargetErrorKind::Locked, message).into())
}

/// Lets go of all locks of a transaction that has ended.
pub(super) fn unlock_all(connection: &mut MysqlConnection) -> mysql::Result<()> {
    connection.run("DO RELEASE_ALL_LOCKS()").map(drop)
}
