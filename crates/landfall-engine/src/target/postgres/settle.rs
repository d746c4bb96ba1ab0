//! What became of a COMMIT whose answer never came: the server is asked by the transaction's number.
//!
//! The ledger alone could be asked too early: the server may still be busy with the COMMIT. `pg_xact_status` tells that
//! apart, and the ledger's entry is part of the same transaction.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use super::{
    connection::{Connection, Format},
    failure::Outcome,
    parameters::Parameters,
    session::Session,
};

/// How long to wait before the server is asked again.
const PAUSE: Duration = Duration::from_millis(200);

/// What became of a transaction.
#[derive(Debug)]
pub(super) enum Fate {
    /// It is there to stay; the connection by which that was found out.
    Committed(Connection),
    /// Nothing of it is there.
    Undone,
    /// The server did not say in time.
    Unknown,
}

/// What became of the transaction `number`. A server that starts again is waited for, within the bounds of an answer.
pub(super) fn fate(session: &Session, number: &str) -> Fate {
    let deadline = Instant::now() + session.settings.answer_timeout;
    while Instant::now() < deadline {
        if let Ok(mut connection) = Connection::open(&session.settings) {
            match status(&mut connection, number).as_deref() {
                Ok("committed") => return Fate::Committed(connection),
                Ok("aborted") => return Fate::Undone,
                _ => {}
            }
        }
        sleep(PAUSE);
    }
    Fate::Unknown
}

fn status(connection: &mut Connection, number: &str) -> Outcome<String> {
    let mut status = String::new();
    let sql = "SELECT pg_catalog.pg_xact_status($1::xid8)";
    connection.query(sql, &Parameters::default().text(number), Format::Text, &mut |_, row| {
        status = String::from_utf8_lossy(row.first().copied().flatten().unwrap_or_default()).into_owned();
        Ok(())
    })?;
    Ok(status)
}
