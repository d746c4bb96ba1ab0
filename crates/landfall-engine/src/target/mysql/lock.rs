//! A lock on what Landfall defines in a database: statements that define something commit by themselves, so that no
//! transaction can keep two processes apart.

use mysql::Value;

use super::{connection::Connection, failure::Context as _};
use crate::error::{Result, TargetError, TargetErrorKind};

/// Seconds that a process waits for another one to make its tables.
const SECONDS: i64 = 30;

/// Runs `work` while no other process of Landfall defines anything in this database.
pub(super) fn with_lock<R>(connection: &mut Connection, work: impl FnOnce(&mut Connection) -> Result<R>) -> Result<R> {
    let doing = || "cannot lock the database's tables against other processes of Landfall".to_owned();
    // The server takes 64 characters; a database's name may have as many by itself.
    let asked = "SELECT GET_LOCK(concat('landfall.', left(sha2(database(), 256), 40)), ?)";
    let got = connection.all(asked, vec![Value::Int(SECONDS)], &doing)?;
    if !matches!(got.first().map(Vec::as_slice), Some([Value::Int(1)])) {
        let message = format!("{}: one of them has held it for {SECONDS} s; try again when it has finished", doing());
        return Err(TargetError::new(TargetErrorKind::Locked, message).into());
    }
    let outcome = work(connection);
    if !connection.is_lost() {
        connection
            .run("DO RELEASE_LOCK(concat('landfall.', left(sha2(database(), 256), 40)))")
            .context(|| "cannot release the lock on the database's tables".to_owned())?;
    }
    outcome
}
