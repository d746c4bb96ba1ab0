//! COPY: rows that stream to the server and from it.

use postgres_protocol::message::frontend;

use super::{
    answer::parse_row_count,
    connection::PostgresConnection,
    failure::PostgresResult,
    message::{BodyReader, parse_refusal, protocol_failure},
};

impl PostgresConnection {
    /// Begins a `COPY … FROM STDIN`.
    pub(super) fn begin_copy(&mut self, sql: &str) -> PostgresResult<()> {
        self.write(|outbox| frontend::query(sql, outbox))?;
        if let Some(failure) = self.take_answers_ahead()? {
            // The refusal of the COPY itself says only that the transaction had failed.
            let _ = self.read_until_ready(&mut |_, _| Ok(()));
            return Err(failure);
        }
        let message = self.receive_message()?;
        match message.tag {
            b'G' => {
                self.is_copying = true;
                Ok(())
            }
            b'E' => {
                let failure = parse_refusal(self.message_body(&message));
                self.read_until_ready(&mut |_, _| Ok(()))?;
                Err(failure)
            }
            _ => Err(self.mark_broken(protocol_failure())),
        }
    }

    /// Sends messages with rows, which are whole `CopyData` messages.
    pub(super) fn send_copy(&mut self, messages: &[u8]) -> PostgresResult<()> {
        self.send_bytes(messages)
    }

    /// Ends a COPY; the rows that it took in.
    pub(super) fn end_copy(&mut self) -> PostgresResult<u64> {
        self.write(|outbox| {
            frontend::copy_done(outbox);
            Ok(())
        })?;
        let mut rows = 0;
        // The server's triggers look at the rows only now.
        self.without_timeout(|connection| {
            connection.read_until_ready(&mut |message, body| {
                if message == b'C' {
                    rows = parse_row_count(BodyReader(body).read_text()?.as_str());
                }
                Ok(())
            })
        })?;
        Ok(rows)
    }

    /// Gives up a COPY where one is under way; what it took in is gone.
    pub(super) fn fail_copy(&mut self) {
        // Outside of a COPY the server would take the message for a breach of the protocol.
        if !self.is_copying {
            return;
        }
        let sent = self.write(|outbox| frontend::copy_fail("given up", outbox));
        // The refusal is what was asked for.
        let _ = sent.and_then(|()| self.read_until_ready(&mut |_, _| Ok(())));
    }

    /// Runs a `COPY … TO STDOUT` and hands its bytes to `take`, piece by piece.
    pub(super) fn copy_to_stdout(
        &mut self,
        sql: &str,
        take: &mut dyn FnMut(&[u8]) -> PostgresResult<()>,
    ) -> PostgresResult<()> {
        self.write(|outbox| frontend::query(sql, outbox))?;
        self.read_until_ready(&mut |message, body| if message == b'd' { take(body) } else { Ok(()) })
    }
}
