//! A connection that blocks, with a bound on every wait.
//!
//! Statements have no names on the server, and nothing is set for longer than a transaction, so that PgBouncer may give
//! each transaction another server connection.

mod waiting;

use std::{
    io::{self, Write as _},
    sync::Arc,
    time::Instant,
};

use bytes::BytesMut;
use postgres_protocol::message::frontend;

use self::waiting::is_timeout_error;
pub(super) use super::answer::{AnswerColumn, ValueFormat, VisitAnswerRow, VisitWantedRow};
use super::{
    answer::{parse_columns, parse_row_count, parse_values},
    failure::{PostgresFailure, PostgresResult},
    login,
    message::{BodyReader, MessageInbox, ServerMessage, parse_refusal},
    parameters::BoundParameters,
    pipelined::Pipelined,
    settings::PostgresSettings,
    socket::{TimedSocket, time_until},
    tls::TlsStream,
};
use crate::targets::sql::commits::CommitToken;

/// Rows that a server makes at a time where perhaps not all of them are wanted.
const ROWS_AT_ONCE: i32 = 100;

/// How long an answer is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AnswerTimeout {
    /// As long as the settings say.
    Ordinary,
    /// As long as the server answers on another connection: for statements that read or build whole tables.
    Long,
}

/// The bytes below a connection.
#[derive(Debug)]
pub(super) enum ServerStream {
    /// As they are.
    Plain(TimedSocket),
    /// Within TLS.
    Tls(Box<TlsStream>),
}

/// A connection to a server.
#[derive(Debug)]
pub(super) struct PostgresConnection {
    stream: ServerStream,
    inbox: MessageInbox,
    outbox: BytesMut,
    settings: Arc<PostgresSettings>,
    patience: AnswerTimeout,
    pub(super) server: ServerFacts,
    /// What the server wants to hear from whoever stops a statement of this connection.
    pub(super) cancel_key: i32,
    /// `I` outside a transaction, `T` in one, `E` in one that failed.
    pub(super) status: u8,
    /// Whether rows of a COPY are expected.
    pub(super) is_copying: bool,
    broken: bool,
    pub(super) pipelined: Pipelined,
    /// The token of the last transaction that committed here; the next one removes it.
    pub(super) spent: Option<CommitToken>,
}

/// What a server tells about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ServerFacts {
    /// The major version.
    pub(super) version: u32,
    /// The encoding of the database.
    pub(super) encoding: String,
    /// The number of the server's process for this connection, as whoever was connected to told it.
    pub(super) process: i32,
}

impl PostgresConnection {
    /// Connects and logs in.
    ///
    /// # Errors
    /// A server that is not there, refuses, or is not one that Landfall works with.
    pub(super) fn open(settings: &Arc<PostgresSettings>) -> PostgresResult<Self> {
        let deadline = Instant::now() + settings.connect_timeout;
        let stream =
            login::open_stream(settings, deadline).map_err(|error| login::unreachable_failure(settings, error))?;
        let mut connection = Self {
            stream,
            inbox: MessageInbox::default(),
            outbox: BytesMut::new(),
            settings: settings.clone(),
            patience: AnswerTimeout::Ordinary,
            server: ServerFacts::default(),
            cancel_key: 0,
            status: b'I',
            is_copying: false,
            broken: false,
            pipelined: Pipelined::new(),
            spent: None,
        };
        // The login shares the time for connecting: a server that takes the connection and stays silent must not hold
        // us longer.
        connection.base_socket().set_timeout(time_until(deadline)?)?;
        login::log_in(&mut connection, settings).map_err(|failure| match failure {
            PostgresFailure::Lost(error) => login::unreachable_failure(settings, error),
            PostgresFailure::Silent(_) => login::unreachable_failure(settings, io::ErrorKind::TimedOut.into()),
            other => other,
        })?;
        connection.base_socket().set_timeout(settings.answer_timeout)?;
        Ok(connection)
    }

    /// What stops the statement that the connection runs. The server is asked over a connection of its own, and has passed
    /// that on when this returns.
    pub(super) fn statement_stopper(&self) -> impl Fn() + Send + 'static {
        let (settings, process, key) = (self.settings.clone(), self.server.process, self.cancel_key);
        move || {
            // A server that is not there runs nothing.
            let _ = login::request_cancel(&settings, process, key);
        }
    }

    /// Whether nothing more can be done with it.
    pub(super) const fn is_broken(&self) -> bool {
        self.broken
    }

    /// Whether it is outside a transaction.
    pub(super) const fn is_idle(&self) -> bool {
        self.status == b'I' && !self.broken && !self.is_copying
    }

    /// Runs `work`, which may take long.
    pub(super) fn without_timeout<R>(&mut self, work: impl FnOnce(&mut Self) -> R) -> R {
        let before = std::mem::replace(&mut self.patience, AnswerTimeout::Long);
        let outcome = work(self);
        self.patience = before;
        outcome
    }

    /// Runs statements without parameters; the rows that the last of them touched.
    pub(super) fn run_batch(&mut self, sql: &str) -> PostgresResult<u64> {
        self.write(|outbox| frontend::query(sql, outbox))?;
        let mut touched = 0;
        self.read_until_ready(&mut |message, body| {
            if message == b'C' {
                touched = parse_row_count(BodyReader(body).read_text()?.as_str());
            }
            Ok(())
        })?;
        Ok(touched)
    }

    /// Commits; a transaction that failed before cannot.
    pub(super) fn commit_transaction(&mut self) -> PostgresResult<()> {
        if self.status == b'E' {
            // What would only set something is refused now, and its refusal would hide what had failed.
            self.pipelined.drop_ahead();
            self.run_batch("ROLLBACK")?;
            return Err(PostgresFailure::Unable("the transaction had failed before".into()));
        }
        if self.pipelined.drop_ahead() {
            self.status = b'I';
            return Ok(());
        }
        // Keys that wait for the end are checked now, for every row.
        self.without_timeout(|connection| connection.run_batch("COMMIT")).map(drop)
    }

    /// Ends whatever transaction is open, without a trace. A connection that cannot be brought in order is broken then.
    pub(super) fn roll_back(&mut self) {
        if self.pipelined.drop_ahead() {
            self.status = b'I';
        }
        if !self.broken && self.status != b'I' {
            let _ = self.run_batch("ROLLBACK");
        }
    }

    /// Runs one statement; the rows that it touched.
    pub(super) fn execute_statement(&mut self, sql: &str, parameters: &BoundParameters) -> PostgresResult<u64> {
        self.run_query(sql, parameters, ValueFormat::Text, &mut |_, _| Ok(())).map(|(_, touched)| touched)
    }

    /// Runs one statement and hands its rows to `take`; its columns, and the rows that it touched.
    pub(super) fn run_query(
        &mut self,
        sql: &str,
        parameters: &BoundParameters,
        format: ValueFormat,
        take: VisitAnswerRow<'_>,
    ) -> PostgresResult<(Vec<AnswerColumn>, u64)> {
        self.write(|outbox| {
            frontend::parse("", sql, parameters.type_oids().iter().copied(), outbox)?;
            parameters.write_bind(format == ValueFormat::Binary, outbox)?;
            // All messages in one write, so that a statement costs one round trip.
            frontend::describe(b'P', "", outbox)?;
            frontend::execute("", 0, outbox)?;
            frontend::sync(outbox);
            Ok(())
        })?;
        let (mut columns, mut touched) = (Vec::new(), 0);
        self.read_until_ready(&mut |message, body| {
            match message {
                b'T' => columns = parse_columns(BodyReader(body))?,
                b'D' => take(&columns, &parse_values(BodyReader(body))?)?,
                b'C' => touched = parse_row_count(BodyReader(body).read_text()?.as_str()),
                _ => {}
            }
            Ok(())
        })?;
        Ok((columns, touched))
    }

    /// Runs one statement within a transaction and hands its rows to `take`, until that wants no more. The server makes some rows
    /// at a time, so that it does not send all those that nobody wants.
    pub(super) fn run_query_while(
        &mut self,
        sql: &str,
        parameters: &BoundParameters,
        format: ValueFormat,
        take: VisitWantedRow<'_>,
    ) -> PostgresResult<()> {
        self.write(|outbox| {
            frontend::parse("", sql, parameters.type_oids().iter().copied(), outbox)?;
            parameters.write_bind(format == ValueFormat::Binary, outbox)
        })?;
        let (mut wants_more, mut has_more) = (true, true);
        while wants_more && has_more {
            has_more = false;
            // The portal without a name is there until the transaction ends.
            self.write(|outbox| {
                frontend::execute("", ROWS_AT_ONCE, outbox)?;
                frontend::sync(outbox);
                Ok(())
            })?;
            self.read_until_ready(&mut |message, body| {
                match message {
                    b'D' if wants_more => wants_more = take(&parse_values(BodyReader(body))?)?,
                    b's' => has_more = true,
                    _ => {}
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Takes messages until the server is ready for the next statement. Its first refusal is the outcome.
    pub(super) fn read_until_ready(
        &mut self,
        take: &mut dyn FnMut(u8, &[u8]) -> PostgresResult<()>,
    ) -> PostgresResult<()> {
        let mut refused = self.take_answers_ahead()?;
        loop {
            let message = match self.receive_message() {
                Ok(message) => message,
                // A server that ends a connection says why before. That tells more than the end.
                Err(lost) => return Err(refused.unwrap_or(lost)),
            };
            let body = self.inbox.message_body(&message);
            match message.tag {
                b'Z' => {
                    self.status = body.first().copied().unwrap_or(b'I');
                    // The server has left the COPY with its ReadyForQuery, however it ended.
                    self.is_copying = false;
                    return refused.map_or(Ok(()), Err);
                }
                b'E' => refused = refused.or(Some(parse_refusal(body))),
                tag if refused.is_none() => {
                    if let Err(failure) = take(tag, body) {
                        // The rest of the answer is still to come, and nobody reads it: the connection is of no use any
                        // more.
                        return Err(self.mark_broken(failure));
                    }
                }
                _ => {}
            }
        }
    }

    /// The next message that is not told unasked.
    pub(super) fn receive_message(&mut self) -> PostgresResult<ServerMessage> {
        loop {
            let next = match self.inbox.next() {
                Ok(next) => next,
                Err(failure) => return Err(self.mark_broken(failure)),
            };
            match next {
                None => self.fill_inbox()?,
                // ParameterStatus comes unasked, between any two messages.
                Some(message) if message.tag == b'S' => self.note_server_fact(&message)?,
                // Notices and notifications.
                Some(message) if matches!(message.tag, b'N' | b'A') => {}
                Some(message) => return Ok(message),
            }
        }
    }

    /// The body of a message just received.
    pub(super) fn message_body(&self, message: &ServerMessage) -> &[u8] {
        self.inbox.message_body(message)
    }

    /// Notes what the server tells about itself.
    fn note_server_fact(&mut self, message: &ServerMessage) -> PostgresResult<()> {
        let mut body = BodyReader(self.inbox.message_body(message));
        let (name, value) = (body.read_text()?, body.read_text()?);
        match name.as_str() {
            "server_version" => {
                let digits: String = value.chars().take_while(char::is_ascii_digit).collect();
                self.server.version = digits.parse().unwrap_or(0);
            }
            "server_encoding" => self.server.encoding = value,
            _ => {}
        }
        Ok(())
    }

    /// Sends messages that `write` puts into the outbox.
    pub(super) fn write(&mut self, write: impl FnOnce(&mut BytesMut) -> io::Result<()>) -> PostgresResult<()> {
        let mut outbox = std::mem::take(&mut self.outbox);
        outbox.clear();
        let sent = match self.pipelined.put_ahead(&mut outbox).and_then(|()| write(&mut outbox)) {
            Ok(()) => self.send_bytes(&outbox),
            Err(error) => Err(PostgresFailure::Unable(format!("the statement cannot be sent ({error})"))),
        };
        self.outbox = outbox;
        sent
    }

    /// Sends whole messages.
    pub(super) fn send_bytes(&mut self, bytes: &[u8]) -> PostgresResult<()> {
        if self.broken {
            return Err(PostgresFailure::Lost(io::ErrorKind::NotConnected.into()));
        }
        let sent = match &mut self.stream {
            ServerStream::Plain(socket) => socket.write_all(bytes),
            ServerStream::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        };
        sent.map_err(|error| self.explain_unsent(error))
    }

    /// What the server said before it stopped taking bytes, where it said something.
    fn explain_unsent(&mut self, error: io::Error) -> PostgresFailure {
        if is_timeout_error(&error) {
            return self.mark_broken(PostgresFailure::Silent(self.settings.answer_timeout));
        }
        while let Ok(message) = self.receive_message() {
            if message.tag == b'E' {
                let words = parse_refusal(self.inbox.message_body(&message));
                return self.mark_broken(words);
            }
        }
        self.mark_broken(PostgresFailure::Lost(error))
    }

    /// Notes that the connection cannot be used any more.
    pub(super) fn mark_broken(&mut self, failure: PostgresFailure) -> PostgresFailure {
        self.broken = true;
        failure
    }

    fn base_socket(&self) -> &TimedSocket {
        match &self.stream {
            ServerStream::Plain(socket) => socket,
            ServerStream::Tls(stream) => &stream.sock,
        }
    }

    /// The TLS below, where there is one.
    pub(super) fn tls_stream(&self) -> Option<&TlsStream> {
        match &self.stream {
            ServerStream::Plain(_) => None,
            ServerStream::Tls(stream) => Some(stream),
        }
    }
}

impl Drop for PostgresConnection {
    fn drop(&mut self) {
        self.pipelined.drop_ahead();
        if !self.broken {
            // The server notices an end without it too; this only keeps its log clean.
            let _ = self.write(|outbox| {
                frontend::terminate(outbox);
                Ok(())
            });
        }
    }
}
