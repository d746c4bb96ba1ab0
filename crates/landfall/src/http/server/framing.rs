//! Where requests begin and end on a connection. The HTTP library reads more than the standard allows, and forgives in silence what
//! a proxy before the service may read otherwise: then a body would hide a request of its own (request smuggling). So heads are
//! held against RFC 9112 here, byte by byte, before the library sees them.
//!
//! This must know the same ends of bodies as the library does: what it cannot follow must end the connection.

use std::mem;

/// The bytes of a line that are looked at; the headers that matter here are shorter.
const LINE: usize = 1024;
/// The most digits of a chunk's size.
const SIZE_DIGITS: usize = 15;

/// What the next bytes of a connection are.
#[derive(Debug)]
enum FramingState {
    /// The head of a request, or what may stand before it.
    Head(HeadFacts),
    /// So many bytes of a body.
    Body(u64),
    /// The line before a chunk, which tells its size.
    Size,
    /// So many bytes of a chunk, with the end of its line.
    Chunk(u64),
    /// The lines behind the last chunk.
    Trailers,
}

/// What is known of a head so far.
#[derive(Debug, Default)]
struct HeadFacts {
    lines: usize,
    length: Option<u64>,
    is_chunked: bool,
}

/// Follows the bytes of a connection.
#[derive(Debug)]
pub(in crate::http) struct Framing {
    state: FramingState,
    /// The line under way, as far as it is looked at.
    line: Vec<u8>,
    /// Its last byte.
    last: u8,
}

/// A place in the bytes where the connection stops being sound HTTP/1.1.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::http) struct UnsoundAt {
    pub(in crate::http) at: usize,
    /// Whether it is in a head, so that the library still answers.
    pub(in crate::http) in_head: bool,
}

impl Framing {
    pub(in crate::http) fn new() -> Self {
        Self { state: FramingState::Head(HeadFacts::default()), line: Vec::new(), last: 0 }
    }

    /// Whether a part of a body is still to come.
    pub(in crate::http) const fn is_within_body(&self) -> bool {
        !matches!(self.state, FramingState::Head(_))
    }

    /// Follows further bytes.
    pub(in crate::http) fn follow_bytes(&mut self, bytes: &[u8]) -> Result<(), UnsoundAt> {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            at += match &mut self.state {
                FramingState::Body(left) | FramingState::Chunk(left) => {
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    *left -= taken as u64;
                    if *left == 0 {
                        self.state = match self.state {
                            FramingState::Chunk(_) => FramingState::Size,
                            _ => FramingState::Head(HeadFacts::default()),
                        };
                    }
                    taken
                }
                _ => self.take_line(rest).map_err(|in_head| UnsoundAt { at: at + find_line_end(rest) - 1, in_head })?,
            };
        }
        Ok(())
    }

    /// Takes bytes of a line; how many. An error tells whether the line is one of a head.
    fn take_line(&mut self, rest: &[u8]) -> Result<usize, bool> {
        let taken = find_line_end(rest);
        // The CR and the LF of a line may come in two reads.
        let before = if taken > 1 { rest[taken - 2] } else { self.last };
        self.last = rest[taken - 1];
        let room = LINE.saturating_sub(self.line.len());
        self.line.extend_from_slice(&rest[..taken.min(room)]);
        if self.last != b'\n' {
            return Ok(taken);
        }
        let in_head = matches!(self.state, FramingState::Head(_));
        let mut line = mem::take(&mut self.line);
        // A line that is cut may be sound, but is none that matters here.
        let is_cut = taken > room;
        let text = line.strip_suffix(b"\r\n").unwrap_or(&line);
        // A bare LF ends a line for some programs and not for others, which is how one request is smuggled in another.
        let ended = if before == b'\r' { self.finish_line(text, is_cut) } else { None };
        line.clear();
        self.line = line;
        ended.map(|()| taken).ok_or(in_head)
    }

    /// The end of a line; none where it is not sound.
    fn finish_line(&mut self, line: &[u8], is_cut: bool) -> Option<()> {
        match &mut self.state {
            // Empty lines before a request are heads that nothing follows.
            FramingState::Head(head) if line.is_empty() => self.state = head.body(),
            FramingState::Head(head) => head.read_line(line, is_cut)?,
            // A size line that is too long to be kept was not read whole, and could hide anything.
            FramingState::Size => self.state = parse_chunk_size(line).filter(|_| !is_cut)?,
            FramingState::Trailers if line.is_empty() => self.state = FramingState::Head(HeadFacts::default()),
            _ => {}
        }
        Some(())
    }
}

/// The bytes up to the end of the line under way, or all.
fn find_line_end(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1)
}

/// What follows the line before a chunk: its size in hexadecimal digits, and perhaps extensions.
fn parse_chunk_size(line: &[u8]) -> Option<FramingState> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let behind = line[digits..].iter().find(|byte| !matches!(byte, b' ' | b'\t'));
    // With one more digit the size might overflow in another program.
    let sound = (1..=SIZE_DIGITS).contains(&digits) && behind.is_none_or(|byte| *byte == b';');
    let text = std::str::from_utf8(&line[..digits]).ok().filter(|_| sound)?;
    let size = u64::from_str_radix(text, 16).ok()?;
    // With the end of its line.
    Some(if size == 0 { FramingState::Trailers } else { FramingState::Chunk(size + 2) })
}

impl HeadFacts {
    /// A line of the head; none where it is not sound.
    fn read_line(&mut self, line: &[u8], is_cut: bool) -> Option<()> {
        self.lines += 1;
        if self.lines == 1 {
            return Some(());
        }
        // A line that goes on with the one before it.
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            return None;
        }
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            // Of two lengths, or a length and chunks, another program may believe the other one (RFC 9112, 6.3).
            let is_first = self.length.is_none() && !self.is_chunked && !is_cut;
            self.length = Some(parse_length(value).filter(|_| is_first)?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            let is_first = self.length.is_none() && !self.is_chunked && !is_cut;
            self.is_chunked = is_first && value.eq_ignore_ascii_case(b"chunked");
            return self.is_chunked.then_some(());
        }
        Some(())
    }

    /// What follows the head.
    const fn body(&self) -> FramingState {
        match self.length {
            Some(length @ 1..) => FramingState::Body(length),
            None if self.is_chunked => FramingState::Size,
            _ => FramingState::Head(Self { lines: 0, length: None, is_chunked: false }),
        }
    }
}

/// A length: digits and nothing else, not even a list of the same.
fn parse_length(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?;
    // `parse` would take a plus sign too.
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    /// Whether `bytes` are sound, however they are cut, and what is left of a body.
    fn followed(bytes: &str) -> Result<bool, bool> {
        let mut whole = Framing::new();
        let result =
            whole.follow_bytes(bytes.as_bytes()).map(|()| whole.is_within_body()).map_err(|fault| fault.in_head);
        let mut cut = Framing::new();
        let pieces = bytes.as_bytes().chunks(1).try_for_each(|byte| cut.follow_bytes(byte));
        assert_eq!(pieces.map(|()| cut.is_within_body()).map_err(|fault| fault.in_head), result, "{bytes:?}");
        result
    }

    fn head(headers: &str) -> String {
        format!("POST / HTTP/1.1\r\nHost: a\r\n{headers}\r\n")
    }

    #[test]
    fn bodies_end_where_they_say() {
        assert_eq!(followed(&head("")), Ok(false));
        assert_eq!(followed("\r\n\r\nGET / HTTP/1.1\r\n\r\n"), Ok(false));
        assert_eq!(followed(&(head("Content-Length: 3\r\n") + "ab")), Ok(true));
        assert_eq!(
            followed(&(head("Content-Length: 3\r\n") + "abc" + &head("") + &head("content-length:1\r\n"))),
            Ok(true)
        );
        assert_eq!(followed(&(head("Content-Length: 0\r\n") + &head(""))), Ok(false));
        let chunked = head("Transfer-Encoding: Chunked\r\n");
        assert_eq!(followed(&(chunked.clone() + "3\r\nabc\r\n")), Ok(true));
        assert_eq!(followed(&(chunked.clone() + "A ;x=y\r\n0123456789\r\n0\r\n")), Ok(true));
        assert_eq!(followed(&(chunked + "1\r\na\r\n0\r\nX: y\r\n\r\n" + &head(""))), Ok(false));
        let long = "x".repeat(5000);
        assert_eq!(followed(&head(&format!("X: {long}\r\n"))), Ok(false));
    }

    #[test]
    fn what_two_programs_may_read_in_two_ways_is_unsound() {
        for headers in [
            "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
            "Content-Length: 3\r\nContent-Length: 3\r\n",
            "Content-Length: 3, 3\r\n",
            "Content-Length: +3\r\n",
            "Content-Length:\r\n",
            "Content-Length: 99999999999999999999\r\n",
            "Transfer-Encoding: chunked, chunked\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: identity\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "X: y\r\n z\r\n",
            "X: y\r\n\tz\r\n",
            "X: y\n",
            "no colon\r\n",
        ] {
            assert_eq!(followed(&head(headers)), Err(true), "{headers:?}");
        }
        assert_eq!(followed(&head(&format!("X: {}\n", "y".repeat(5000)))), Err(true));
        assert_eq!(followed("GET / HTTP/1.1\nHost: a\n\n"), Err(true));
        assert_eq!(followed("\n"), Err(true));
    }

    #[test]
    fn a_chunk_of_no_sound_size_is_unsound() {
        for chunk in
            ["\r\n", "x\r\n", "-1\r\n", "+1\r\n", "0x1\r\n", "1\n", "1 1\r\n", "1;a\n", "FFFFFFFFFFFFFFFFF\r\n"]
        {
            assert_eq!(followed(&(head("Transfer-Encoding: chunked\r\n") + chunk)), Err(false), "{chunk:?}");
        }
    }

    #[test]
    fn the_place_is_that_of_the_line_end() {
        let mut framing = Framing::new();
        framing.follow_bytes(b"GET / HTTP/1.1\r\n").unwrap();
        assert_eq!(framing.follow_bytes(b"X: y\nGET"), Err(UnsoundAt { at: 4, in_head: true }));
    }
}
