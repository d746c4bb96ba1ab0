//! COPY: rows that stream to the server and from it.

use postgres_protocol::message::frontend;

use super::{
    answer::rows_of,
    connection::Connection,
    failure::Outcome,
    message::{Body, garbled, refusal},
};

impl Connection {
    /// Begins a `COPY … FROM STDIN`.
    pub(super) fn begin_copy(&mut self, sql: &str) -> Outcome<()> {
        self.write(|outbox| frontend::query(sql, outbox))?;
        if let Some(failure) = self.take_answers_ahead()? {
            // The refusal of the COPY itself says only that the transaction had failed.
            let _ = self.until_ready(&mut |_, _| Ok(()));
            return Err(failure);
        }
        let message = self.receive()?;
        match message.tag {
            b'G' => {
                self.is_copying = true;
                Ok(())
            }
            b'E' => {
                let failure = refusal(self.body(&message));
                self.until_ready(&mut |_, _| Ok(()))?;
                Err(failure)
            }
            _ => Err(self.breaks(garbled())),
        }
    }

    /// Sends messages with rows, which are whole `CopyData` messages.
    pub(super) fn send_copy(&mut self, messages: &[u8]) -> Outcome<()> {
        self.send(messages)
    }

    /// Ends a COPY; the rows that it took in.
    pub(super) fn end_copy(&mut self) -> Outcome<u64> {
        self.write(|outbox| {
            frontend::copy_done(outbox);
            Ok(())
        })?;
        let mut rows = 0;
        // The server's triggers look at the rows only now.
        self.patiently(|connection| {
            connection.until_ready(&mut |message, body| {
                if message == b'C' {
                    rows = rows_of(Body(body).text()?.as_str());
                }
                Ok(())
            })
        })?;
        Ok(rows)
    }

    /// Gives up a COPY where one is under way; what it took in is gone.
    pub(super) fn fail_copy(&mut self) {
        if !self.is_copying {
            return;
        }
        let sent = self.write(|outbox| frontend::copy_fail("given up", outbox));
        // The refusal is what was asked for.
        let _ = sent.and_then(|()| self.until_ready(&mut |_, _| Ok(())));
    }

    /// Runs a `COPY … TO STDOUT` and hands its bytes to `take`, piece by piece.
    pub(super) fn copy_out(&mut self, sql: &str, take: &mut dyn FnMut(&[u8]) -> Outcome<()>) -> Outcome<()> {
        self.write(|outbox| frontend::query(sql, outbox))?;
        self.until_ready(&mut |message, body| if message == b'd' { take(body) } else { Ok(()) })
    }
}
