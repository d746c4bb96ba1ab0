//! Messages that travel together: fewer waits for a server, since most of what a short statement costs is the way there and back.
//!
//! What begins a transaction, or only sets something for the next statement, is sent with that statement. What ends a transaction
//! that only read is sent at once, and its answer is taken with the next one. What must change together: each message sent that way
//! owes one `ReadyForQuery`, which [`PostgresConnection::take_answers_ahead`] takes before the answer to anything else.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use postgres_protocol::message::frontend;

use super::{
    connection::PostgresConnection,
    failure::{PostgresFailure, PostgresResult},
    message::parse_refusal,
    session::explain_read_only,
};

/// How long a connection may have been unused, so that nobody needs to ask the server whether it still knows it. A firewall forgets
/// one only after minutes, and says nothing then.
const FRESH: Duration = Duration::from_secs(5);

/// What goes ahead of the next message, and what is still to be answered.
#[derive(Debug)]
pub(super) struct Pipelined {
    /// Statements that are sent with the next message.
    ahead: String,
    /// Whether they begin the transaction, so that nothing of it has reached the server yet.
    begins: bool,
    /// Messages that were sent and not answered.
    unanswered: u32,
    /// When the connection was last used.
    used_at: Instant,
}

impl Pipelined {
    pub(super) fn new() -> Self {
        Self { ahead: String::new(), begins: false, unanswered: 0, used_at: Instant::now() }
    }

    /// Puts what goes ahead into `outbox`, before anything else is put there.
    pub(super) fn put_ahead(&mut self, outbox: &mut BytesMut) -> std::io::Result<()> {
        self.used_at = Instant::now();
        if self.ahead.is_empty() {
            return Ok(());
        }
        let ahead = std::mem::take(&mut self.ahead);
        self.begins = false;
        self.unanswered += 1;
        frontend::query(&ahead, outbox)
    }

    /// Forgets what would go ahead; whether it would have begun the transaction.
    pub(super) fn drop_ahead(&mut self) -> bool {
        self.ahead.clear();
        std::mem::take(&mut self.begins)
    }
}

impl PostgresConnection {
    /// Begins a transaction with `sql`, which is sent with its first statement. A failure of it is the failure of that statement.
    pub(super) fn begin_with_next(&mut self, sql: String) {
        (self.pipelined.ahead, self.pipelined.begins) = (sql, true);
        self.status = b'T';
    }

    /// Has `sql`, which only sets something within the transaction, sent with the next statement.
    pub(super) fn set_with_next(&mut self, sql: &str) {
        if !self.pipelined.ahead.is_empty() {
            self.pipelined.ahead.push_str("; ");
        }
        self.pipelined.ahead.push_str(sql);
    }

    /// Ends a transaction that only read; nobody waits for the answer. The server may still be about to release its locks.
    pub(super) fn end_reading(&mut self) -> PostgresResult<()> {
        // A transaction that failed must be rolled back, and its answer says so.
        if self.status != b'T' {
            return self.commit_transaction();
        }
        self.status = b'I';
        if self.pipelined.drop_ahead() {
            return Ok(());
        }
        self.write(|outbox| frontend::query("COMMIT", outbox))?;
        self.pipelined.unanswered += 1;
        Ok(())
    }

    /// Whether the connection was used just now, is outside a transaction, and the server has said nothing unasked since: it has not
    /// closed the connection.
    pub(super) fn is_fresh(&mut self) -> bool {
        // After a pause the server may have ended the connection, and what is sent with the next statement would be
        // lost with it.
        self.pipelined.used_at.elapsed() < FRESH
            && matches!(self.take_answers_ahead(), Ok(None))
            && self.is_idle()
            && self.is_quiet()
    }

    /// Takes the answers to what was sent before the last message; the first refusal among them.
    pub(super) fn take_answers_ahead(&mut self) -> PostgresResult<Option<PostgresFailure>> {
        let mut refused = None;
        while self.pipelined.unanswered > 0 {
            let message = self.receive_message()?;
            match message.tag {
                // Its status is that of before the last message, whose own answer follows; a COMMIT ends its transaction in any case.
                b'Z' => self.pipelined.unanswered -= 1,
                b'E' => refused = refused.or(Some(explain_read_only(parse_refusal(self.message_body(&message))))),
                _ => {}
            }
        }
        Ok(refused)
    }
}
