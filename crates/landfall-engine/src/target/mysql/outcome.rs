//! What became of a COMMIT whose answer never came: the ledger knows.

use std::{
    thread,
    time::{Duration, Instant},
};

use mysql::{Error as Mysql, Value};

use super::{connection::Connection, failure::failure, settings::Settings};
use crate::{
    error::{Error, Result, TargetError, TargetErrorKind},
    ledger::LoadEntry,
};

/// How long the server may take to come back.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(250);

/// Finds out whether the transaction that last wrote `saved` was committed, after its connection broke with `error` in the
/// middle of that. Where it was, a new connection is given back.
///
/// # Errors
/// It was not, or it cannot be known.
pub(super) fn settle(settings: &Settings, saved: Option<&LoadEntry>, error: &Mysql) -> Result<Connection> {
    let Some(saved) = saved else {
        return Err(failure(error, "cannot commit"));
    };
    let begun = Instant::now();
    loop {
        match Connection::open(settings).and_then(|connection| look(connection, saved)) {
            Ok((connection, true)) => return Ok(connection),
            Ok((_, false)) => {
                return Err(failure(error, "cannot commit; the ledger says that nothing of the chunk stayed"));
            }
            Err(later) if begun.elapsed() > PATIENCE => return Err(unknown(&later)),
            Err(_) => thread::sleep(PAUSE),
        }
    }
}

/// Whether the ledger has `saved`. The row is locked to be read, so that the answer waits for the lost transaction to end
/// where the server has not noticed yet.
fn look(mut connection: Connection, saved: &LoadEntry) -> Result<(Connection, bool)> {
    let asked =
        "SELECT state, records_read, source_offset, changed_at FROM landfall_loads WHERE load_id = ? FOR UPDATE";
    let found = connection.all(asked, vec![Value::Int(saved.id)], &|| "cannot read the ledger".into())?;
    let text = |text: &str| Value::Bytes(text.as_bytes().to_vec());
    let number = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
    let wanted =
        [text(saved.state.as_str()), number(saved.counts.read), number(saved.position.offset), text(&saved.changed_at)];
    let committed = found.first().is_some_and(|row| row[..] == wanted);
    Ok((connection, committed))
}

fn unknown(error: &Error) -> Error {
    let message = format!(
        "the connection was lost while a chunk was committed, and the ledger could not be read for {} s to see whether it \
         was ({error}); run the same command again: it goes on from the ledger, and nothing is doubled",
        PATIENCE.as_secs()
    );
    TargetError::new(TargetErrorKind::Lost, message).into()
}
