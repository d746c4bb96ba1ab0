//! What became of a COMMIT whose answer never came: the transaction's token tells (see [`crate::targets::sql::commits`]).

use std::{
    sync::Arc,
    thread::sleep,
    time::{Duration, Instant},
};

use super::{
    connection::{PostgresConnection, ValueFormat},
    failure::{PostgresContext as _, PostgresResult},
    message::protocol_failure,
    parameters::BoundParameters,
    session::{PostgresSession, TransactionUse},
};
use crate::{
    error::Result,
    targets::sql::commits::{ABANDONED, CommitToken, ENTERED, Fate},
};

/// How long to wait before the server is asked again.
const PAUSE: Duration = Duration::from_millis(200);

/// How old a token is of which nobody needs to know any more; its connection ended before it could remove it.
const STALE: &str = "1 day";

/// What identifies a transaction that is under way.
#[derive(Debug)]
pub(super) struct PostgresWitness {
    token: CommitToken,
    /// The server's process that runs it, and when it began, so that no other transaction is taken for it.
    process: i32,
    began_at: String,
}

/// Enters a new token for the transaction that has begun on `connection`, and removes the one that was entered there before.
pub(super) fn enter_token(session: &PostgresSession, connection: &mut PostgresConnection) -> Result<PostgresWitness> {
    let token = CommitToken::new_random()?;
    let commits = session.own_table("commits");
    let removed = connection.spent.as_ref().map_or(String::new(), |spent| {
        format!("WITH spent AS (DELETE FROM {commits} WHERE token = '{}') ", spent.as_str())
    });
    let sql = format!(
        "{removed}INSERT INTO {commits} (token, state) VALUES ('{}', '{ENTERED}')
         RETURNING pg_catalog.pg_backend_pid(), pg_catalog.now()::text",
        token.as_str()
    );
    let mut witness = PostgresWitness { token, process: 0, began_at: String::new() };
    let entered = connection.run_query(&sql, &BoundParameters::default(), ValueFormat::Text, &mut |_, row| {
        let text = |at: usize| row.get(at).copied().flatten().and_then(|cell| std::str::from_utf8(cell).ok());
        witness.process = text(0).and_then(|digits| digits.parse().ok()).ok_or_else(protocol_failure)?;
        witness.began_at = text(1).ok_or_else(protocol_failure)?.to_owned();
        Ok(())
    });
    entered.context(|| format!("cannot write to {}", session.settings))?;
    Ok(witness)
}

/// Notes that the transaction of `witness` has committed on `connection`: its token has done its work.
pub(super) fn spend_token(connection: &mut PostgresConnection, witness: PostgresWitness) {
    connection.spent = Some(witness.token);
}

/// What became of the transaction of `witness`. A server that starts again is waited for, within the bounds of an answer.
pub(super) fn find_fate(session: &Arc<PostgresSession>, witness: PostgresWitness) -> Fate<PostgresConnection> {
    let deadline = Instant::now() + session.settings.answer_timeout;
    loop {
        if let Ok(mut connection) = PostgresConnection::open(&session.settings) {
            match ask_for_token(session, &mut connection, &witness.token) {
                Ok(true) => {
                    spend_token(&mut connection, witness);
                    return Fate::Committed(connection);
                }
                Ok(false) => return Fate::Undone,
                Err(failure) => {
                    tracing::debug!(?failure, "the outcome of a transaction is not known yet");
                    connection.roll_back();
                    // Its COMMIT may still be on its way, and must not arrive after somebody has given the rows up.
                    let _ = end_idle_process(session, &mut connection, &witness);
                }
            }
        }
        if Instant::now() >= deadline {
            return Fate::Unknown;
        }
        sleep(PAUSE);
    }
}

/// Whether `token` was entered by its transaction. Once the answer is `false`, it never will be.
fn ask_for_token(
    session: &PostgresSession,
    connection: &mut PostgresConnection,
    token: &CommitToken,
) -> PostgresResult<bool> {
    session.begin_transaction(connection, TransactionUse::Write)?;
    // Whoever waits here waits for the lost transaction itself.
    connection.run_batch("SET LOCAL lock_timeout = '2s'")?;
    let sql = format!(
        "INSERT INTO {0} AS c (token, state) VALUES ('{1}', '{ABANDONED}')
         ON CONFLICT (token) DO UPDATE SET asked = c.asked + 1 RETURNING c.state",
        session.own_table("commits"),
        token.as_str()
    );
    let mut entered = None;
    connection.run_query(&sql, &BoundParameters::default(), ValueFormat::Text, &mut |_, row| {
        entered = Some(row.first().copied().flatten() == Some(ENTERED.as_bytes()));
        Ok(())
    })?;
    // The answer counts once it is on the disk: so is then everything that it rests on.
    connection.commit_transaction()?;
    entered.ok_or_else(protocol_failure)
}

/// Ends the process of the lost transaction, if that waits for its client: its end is certain then. A process that works on the
/// COMMIT is left alone.
fn end_idle_process(
    session: &PostgresSession,
    connection: &mut PostgresConnection,
    witness: &PostgresWitness,
) -> PostgresResult<()> {
    session.begin_transaction(connection, TransactionUse::Read)?;
    let sql = format!(
        "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
         WHERE pid = {} AND xact_start = $1::timestamptz AND state LIKE 'idle in transaction%'",
        witness.process
    );
    connection.execute_statement(&sql, &BoundParameters::default().with_text(&witness.began_at))?;
    connection.commit_transaction()
}

/// Removes tokens that connections left behind which ended long ago. Tokens that a transaction is about to remove are not waited
/// for.
pub(super) fn remove_stale(session: &PostgresSession, connection: &mut PostgresConnection) -> PostgresResult<()> {
    let commits = session.own_table("commits");
    connection
        .run_batch(&format!(
            "DELETE FROM {commits} WHERE token IN (SELECT token FROM {commits}
             WHERE entered_at < pg_catalog.now() - interval '{STALE}' LIMIT 10000 FOR UPDATE SKIP LOCKED)"
        ))
        .map(drop)
}
