//! How a connection waits for its server, and when it gives up.

use std::{
    io::{self, Read as _},
    time::{Duration, Instant},
};

use super::{
    super::{
        failure::{PostgresFailure, PostgresResult},
        parameters::BoundParameters,
    },
    AnswerTimeout, PostgresConnection, ServerStream,
};

/// How long a statement may run of which it is known that it may take long, while the server is alive.
const LONG_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

impl PostgresConnection {
    /// Reads what the stream has next.
    pub(super) fn fill_inbox(&mut self) -> PostgresResult<()> {
        let start = Instant::now();
        loop {
            let room = self.inbox.reserve_room();
            let read = match &mut self.stream {
                ServerStream::Plain(socket) => socket.read(room),
                ServerStream::Tls(stream) => stream.read(room),
            };
            match read {
                Ok(0) => return Err(self.mark_broken(PostgresFailure::Lost(io::ErrorKind::UnexpectedEof.into()))),
                Ok(count) => {
                    self.inbox.filled(count);
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_timeout_error(&error) => self.decide_wait(start)?,
                Err(error) => return Err(self.mark_broken(PostgresFailure::Lost(error))),
            }
        }
    }

    /// Whether nothing has come that nobody waited for. What has come is kept for whoever reads next.
    pub(in super::super) fn is_quiet(&mut self) -> bool {
        if self.base_socket().set_nonblocking(true).is_err() {
            return false;
        }
        let room = self.inbox.reserve_room();
        let read = match &mut self.stream {
            ServerStream::Plain(socket) => socket.read(room),
            ServerStream::Tls(stream) => stream.read(room),
        };
        let blocks_again = self.base_socket().set_nonblocking(false).is_ok();
        match read {
            Ok(count) if count > 0 => self.inbox.filled(count),
            Err(error) => return blocks_again && error.kind() == io::ErrorKind::WouldBlock,
            Ok(_) => self.broken = true,
        }
        false
    }

    /// Decides whether an answer that has not come since `start` is waited for any longer.
    fn decide_wait(&mut self, start: Instant) -> PostgresResult<()> {
        let waited = start.elapsed();
        let works = self.patience == AnswerTimeout::Long
            && waited < LONG_TIMEOUT
            // Another connection shows whether the server lives: this one is silent while the statement works.
            && Self::open(&self.settings)
                .and_then(|mut other| other.is_process_working(self.server.process))
                .unwrap_or(false);
        if works { Ok(()) } else { Err(self.mark_broken(PostgresFailure::Silent(waited))) }
    }

    /// Whether the server's process may still work on a statement. One that waits for its client never got the statement, or its
    /// answer was lost on the way. A pooler tells numbers that no process has.
    fn is_process_working(&mut self, process: i32) -> PostgresResult<bool> {
        let sql = format!("SELECT FROM pg_catalog.pg_stat_activity WHERE pid = {process} AND state LIKE 'idle%'");
        self.execute_statement(&sql, &BoundParameters::default()).map(|idle| idle == 0)
    }
}

/// Whether a socket waited for longer than it may.
pub(super) fn is_timeout_error(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
