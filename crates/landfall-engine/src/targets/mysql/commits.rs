//! What became of a COMMIT whose answer never came: the transaction's token tells (see [`crate::targets::sql::commits`]).

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use mysql::Value;

use super::{connection::MysqlConnection, failure::MysqlContext as _, settings::MysqlSettings};
use crate::{
    error::Result,
    targets::sql::commits::{ABANDONED, CommitToken, ENTERED, Fate},
};

/// How long to wait before the server is asked again.
const PAUSE: Duration = Duration::from_millis(250);

/// Seconds that a look waits for the lost transaction to end, before it sees to that itself.
const LOCK_SECONDS: u32 = 2;

/// What identifies a transaction that is under way.
#[derive(Debug)]
pub(super) struct MysqlWitness {
    token: CommitToken,
    /// The number of the connection that runs it.
    connection: u32,
}

/// Enters a new token for the transaction that has begun on `connection`, and removes the one that was entered there before.
pub(super) fn enter_token(connection: &mut MysqlConnection) -> Result<MysqlWitness> {
    let doing = || "cannot write to Landfall's own tables".to_owned();
    let token = CommitToken::new_random()?;
    if let Some(spent) = connection.spent.take() {
        let values = vec![Value::from(spent.as_str())];
        connection.execute_statement("DELETE FROM landfall_commits WHERE token = ?", values).context(doing)?;
        // It is there again if this transaction is undone.
        connection.spent = Some(spent);
    }
    let sql = "INSERT INTO landfall_commits (token, state) VALUES (?, ?)";
    connection.execute_statement(sql, vec![Value::from(token.as_str()), Value::from(ENTERED)]).context(doing)?;
    Ok(MysqlWitness { token, connection: connection.connection_number() })
}

/// Notes that the transaction of `witness` has committed on `connection`: its token has done its work.
pub(super) fn spend_token(connection: &mut MysqlConnection, witness: MysqlWitness) {
    connection.spent = Some(witness.token);
}

/// What became of the transaction of `witness`. A server that starts again is waited for, within the bounds of an answer.
pub(super) fn find_fate(settings: &Arc<MysqlSettings>, witness: MysqlWitness) -> Fate<MysqlConnection> {
    let deadline = Instant::now() + settings.answer_timeout;
    loop {
        if let Ok(mut connection) = MysqlConnection::open(settings) {
            match ask_for_token(&mut connection, &witness.token) {
                Ok(true) => {
                    spend_token(&mut connection, witness);
                    return Fate::Committed(connection);
                }
                Ok(false) => return Fate::Undone,
                Err(error) => {
                    tracing::debug!(%error, "the outcome of a transaction is not known yet");
                    // Its COMMIT may still be on its way, and must not arrive after somebody has given the rows up.
                    let _ = end_idle_connection(&mut connection, &witness);
                }
            }
        }
        if Instant::now() >= deadline {
            return Fate::Unknown;
        }
        thread::sleep(PAUSE);
    }
}

/// Whether `token` was entered by its transaction. Once the answer is `false`, it never will be.
fn ask_for_token(connection: &mut MysqlConnection, token: &CommitToken) -> Result<bool> {
    let doing = || "cannot find out whether a transaction has committed".to_owned();
    connection.wait_for_locks(LOCK_SECONDS).context(doing)?;
    connection.run("START TRANSACTION").context(doing)?;
    // Whoever waits here waits for the lost transaction itself. The row is changed in any case: InnoDB shows what has committed
    // before it is on the disk, and this transaction's own COMMIT takes it there.
    let sql = "INSERT INTO landfall_commits (token, state) VALUES (?, ?) ON DUPLICATE KEY UPDATE asked = asked + 1";
    connection.execute_statement(sql, vec![Value::from(token.as_str()), Value::from(ABANDONED)]).context(doing)?;
    let sql = "SELECT state FROM landfall_commits WHERE token = ?";
    let found = connection.query_all(sql, vec![Value::from(token.as_str())], &doing)?;
    connection.run("COMMIT").context(doing)?;
    connection.wait_for_locks(MysqlConnection::LOCK_SECONDS).context(doing)?;
    Ok(found.first().is_some_and(|row| row[..] == [Value::Bytes(ENTERED.as_bytes().to_vec())]))
}

/// Ends the connection of the lost transaction, if that waits for its client: its end is certain then. One that works on the
/// COMMIT is left alone.
fn end_idle_connection(connection: &mut MysqlConnection, witness: &MysqlWitness) -> Result<()> {
    let doing = || "cannot end a connection that was lost".to_owned();
    let sql = "SELECT id FROM information_schema.processlist WHERE id = ? AND user = substring_index(user(), '@', 1)
               AND command = 'Sleep'";
    let found = connection.query_all(sql, vec![Value::UInt(witness.connection.into())], &doing)?;
    if !found.is_empty() {
        connection.run(&format!("KILL {}", witness.connection)).context(doing)?;
    }
    Ok(())
}

/// Removes tokens that connections left behind which ended more than a day ago. Tokens that a transaction is about to remove are
/// not waited for.
pub(super) fn remove_stale(connection: &mut MysqlConnection) -> Result<()> {
    let doing = || "cannot tidy Landfall's own tables".to_owned();
    connection.run("START TRANSACTION").context(doing)?;
    let sql = "SELECT token FROM landfall_commits WHERE entered_at < now() - INTERVAL 1 DAY LIMIT 1000
               FOR UPDATE SKIP LOCKED";
    for row in connection.query_all(sql, Vec::new(), &doing)? {
        connection.execute_statement("DELETE FROM landfall_commits WHERE token = ?", row).context(doing)?;
    }
    connection.run("COMMIT").context(doing).map(drop)
}
