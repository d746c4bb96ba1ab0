//! Messages from the server: taken from the stream one by one.
//!
//! Formats: <https://www.postgresql.org/docs/current/protocol-message-formats.html>.

use std::{io, ops::Range};

use super::failure::{PostgresFailure, PostgresResult, ServerRefusal};

/// The bytes received and not yet taken.
#[derive(Debug, Default)]
pub(super) struct MessageInbox {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

/// A message: its kind, and where its body lies in the inbox.
#[derive(Debug)]
pub(super) struct ServerMessage {
    pub(super) tag: u8,
    body: Range<usize>,
}

/// Bytes that are read at once.
const ROOM: usize = 64 << 10;
/// PostgreSQL's own limit is one GiB for a value; a longer message is not one.
const LONGEST: usize = (1 << 30) + (1 << 20);

impl MessageInbox {
    /// The next message, where all of it is there.
    pub(super) fn next(&mut self) -> PostgresResult<Option<ServerMessage>> {
        let Some((head, _)) = self.bytes[self.start..self.end].split_first_chunk::<5>() else { return Ok(None) };
        let [tag, length @ ..] = *head;
        let length = u32::from_be_bytes(length) as usize;
        // The length counts itself. An HTTP server or a TLS alert shows up here as an impossible length.
        if !(4..=LONGEST).contains(&length) {
            return Err(protocol_failure());
        }
        let end = self.start + 1 + length;
        if end > self.end {
            return Ok(None);
        }
        let body = self.start + 5..end;
        self.start = end;
        Ok(Some(ServerMessage { tag, body }))
    }

    /// Room for what the stream has next, which is told to [`Self::filled`].
    pub(super) fn reserve_room(&mut self) -> &mut [u8] {
        // Ranges of messages that were taken are no longer good from here on, as `message_body` says.
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.bytes.len() - self.end < ROOM {
            // Doubled, so that a value of many MB is not copied once for each 64 KiB of it.
            let length = (self.end + ROOM).max(self.bytes.len() * 2);
            self.bytes.resize(length, 0);
        }
        &mut self.bytes[self.end..]
    }

    /// Notes that `count` bytes were put into the room.
    pub(super) const fn filled(&mut self, count: usize) {
        self.end += count;
    }

    /// The body of `message`, which is there until the next room is asked for.
    pub(super) fn message_body(&self, message: &ServerMessage) -> &[u8] {
        &self.bytes[message.body.clone()]
    }
}

/// The failure where bytes are not what the protocol says.
pub(super) fn protocol_failure() -> PostgresFailure {
    PostgresFailure::Lost(io::Error::new(io::ErrorKind::InvalidData, "its answer is not PostgreSQL's protocol"))
}

/// Reads the parts of a message's body.
pub(super) struct BodyReader<'b>(pub(super) &'b [u8]);

impl<'b> BodyReader<'b> {
    pub(super) fn read_bytes(&mut self, count: usize) -> PostgresResult<&'b [u8]> {
        let (head, rest) = self.0.split_at_checked(count).ok_or_else(protocol_failure)?;
        self.0 = rest;
        Ok(head)
    }

    fn read_array<const N: usize>(&mut self) -> PostgresResult<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or_else(protocol_failure)?;
        self.0 = rest;
        Ok(*head)
    }

    pub(super) fn read_u16(&mut self) -> PostgresResult<u16> {
        self.read_array().map(u16::from_be_bytes)
    }

    pub(super) fn read_i32(&mut self) -> PostgresResult<i32> {
        self.read_array().map(i32::from_be_bytes)
    }

    pub(super) fn read_u32(&mut self) -> PostgresResult<u32> {
        self.read_array().map(u32::from_be_bytes)
    }

    /// Text that a NUL ends.
    pub(super) fn read_text(&mut self) -> PostgresResult<String> {
        let length = self.0.iter().position(|&byte| byte == 0).ok_or_else(protocol_failure)?;
        let text = self.read_bytes(length)?;
        self.0 = &self.0[1..];
        Ok(String::from_utf8_lossy(text).into_owned())
    }
}

/// The refusal that an ErrorResponse tells.
pub(super) fn parse_refusal(body: &[u8]) -> PostgresFailure {
    let mut body = BodyReader(body);
    // `XX000` is the server's own code for what has no other.
    let mut refusal = ServerRefusal { code: "XX000".into(), message: String::new(), constraint: None };
    // Fields of other kinds are passed by: DETAIL has values of rows, which must not be shown.
    while let Some((&kind, rest)) = body.0.split_first() {
        body.0 = rest;
        let Ok(text) = body.read_text() else { break };
        match kind {
            b'C' => refusal.code = text,
            b'M' => refusal.message = text,
            b'n' => refusal.constraint = Some(text),
            _ => {}
        }
    }
    PostgresFailure::Refused(Box::new(refusal))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inbox(bytes: &[u8]) -> MessageInbox {
        let mut inbox = MessageInbox::default();
        inbox.reserve_room()[..bytes.len()].copy_from_slice(bytes);
        inbox.filled(bytes.len());
        inbox
    }

    #[test]
    fn messages_are_taken_when_they_are_whole() {
        let mut inbox = inbox(b"Z\0\0\0\x05IC\0\0");
        let ready = inbox.next().expect("sound").expect("whole");
        assert_eq!((ready.tag, inbox.message_body(&ready)), (b'Z', &b"I"[..]));
        assert!(inbox.next().expect("sound").is_none());
        inbox.reserve_room()[..4].copy_from_slice(b"\0\x06x\0");
        inbox.filled(4);
        let done = inbox.next().expect("sound").expect("whole");
        assert_eq!((done.tag, inbox.message_body(&done)), (b'C', &b"x\0"[..]));
    }

    #[test]
    fn other_protocols_are_seen() {
        assert!(inbox(b"HTTP/1.1 400 Bad Request\r\n").next().is_err());
        assert!(inbox(b"R\0\0\0\x03").next().is_err());
    }

    #[test]
    fn a_refusal_without_its_detail() {
        let failure = parse_refusal(b"SERROR\0C23505\0Mduplicate key\0DKey (id)=(7)\0nstaff_pkey\0\0");
        let PostgresFailure::Refused(refusal) = failure else { panic!("not a refusal") };
        assert_eq!((refusal.code.as_str(), refusal.message.as_str()), ("23505", "duplicate key"));
        assert_eq!(refusal.constraint.as_deref(), Some("staff_pkey"));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = parse_refusal(&bytes);
            let mut inbox = inbox(&bytes);
            while let Ok(Some(message)) = inbox.next() {
                let _ = inbox.message_body(&message);
            }
        }
    }
}
