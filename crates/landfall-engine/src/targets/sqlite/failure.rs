//! SQLite's errors, told in words that say what to do.

use rusqlite::{Error as Sqlite, ErrorCode};

use crate::error::{Error, Result, TargetError, TargetErrorKind as Kind};

/// Adds what was being done to an error of SQLite.
pub(super) trait SqliteContext<T> {
    /// The outcome, with `doing` at the head of the error's message.
    fn context(self, doing: impl FnOnce() -> String) -> Result<T>;
}

impl<T> SqliteContext<T> for rusqlite::Result<T> {
    fn context(self, doing: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| sqlite_error(&error, &doing()))
    }
}

/// The error for `error` of SQLite, which happened when `doing` what it says.
pub(super) fn sqlite_error(error: &Sqlite, doing: &str) -> Error {
    let (kind, mend) = classify_error(error);
    let said = match error {
        Sqlite::SqliteFailure(_, Some(message)) => message.clone(),
        other => other.to_string(),
    };
    let mend = if mend.is_empty() { String::new() } else { format!("; {mend}") };
    TargetError::new(kind, format!("{doing}: {said}{mend}")).into()
}

fn classify_error(error: &Sqlite) -> (Kind, &'static str) {
    let Sqlite::SqliteFailure(code, _) = error else { return (Kind::Statement, "") };
    match code.code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => (
            Kind::Locked,
            "another program is writing to it: wait until it has finished, then run the same command again",
        ),
        ErrorCode::ReadOnly => {
            (Kind::ReadOnly, "the file or its folder may not be written: change its permissions or the target")
        }
        ErrorCode::PermissionDenied => (Kind::ReadOnly, "change the permissions of the file or the target"),
        ErrorCode::DiskFull => {
            (Kind::Full, "nothing of this chunk was kept: make room, then run the same command again to go on")
        }
        ErrorCode::CannotOpen => (Kind::Unavailable, "check that its folder exists and may be written"),
        ErrorCode::NotADatabase => (Kind::Unavailable, "the file is not a SQLite database: choose another target"),
        ErrorCode::DatabaseCorrupt => (Kind::Unavailable, "the database file is damaged: restore it from a backup"),
        ErrorCode::SystemIoFailure => (Kind::Unavailable, "check the disk, then run the same command again to go on"),
        ErrorCode::ConstraintViolation => (Kind::Constraint, ""),
        _ => (Kind::Statement, ""),
    }
}

/// Whether `error` says that a constraint stopped a statement.
pub(super) fn is_constraint(error: &Sqlite) -> bool {
    classify_error(error).0 == Kind::Constraint
}
