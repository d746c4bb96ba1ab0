//! Where lines end.

use memchr::{memchr_iter, memchr2, memmem};

/// What ends a line, as bytes (or as stand-in bytes for UTF-16: see `units`).
#[derive(Debug, Clone)]
pub(super) enum Terminator {
    /// LF, CRLF or CR.
    Any,
    /// Exactly these bytes. Where there are none, lines never end.
    Custom(Vec<u8>),
}

/// Whether a line ends at a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineEnd {
    No,
    /// It does, and the next line starts at this position.
    Next(usize),
    /// The bytes that would tell are still to come.
    Unknown,
}

impl Terminator {
    /// The bytes with which a terminator can start.
    pub(super) fn first_bytes(&self) -> &[u8] {
        match self {
            Self::Any => b"\n\r",
            Self::Custom(bytes) => &bytes[..bytes.len().min(1)],
        }
    }

    /// A text that ends a line.
    pub(super) fn line_end_text(&self) -> &[u8] {
        match self {
            Self::Any => b"\n",
            Self::Custom(bytes) => bytes,
        }
    }

    /// Whether it is a text that the dialect declares.
    #[inline]
    pub(super) fn is_custom(&self) -> bool {
        matches!(self, Self::Custom(_))
    }

    /// The length of the longest terminator.
    pub(super) fn max_length(&self) -> usize {
        match self {
            Self::Any => 2,
            Self::Custom(bytes) => bytes.len().max(1),
        }
    }

    /// Whether a line ends at `at`. `last` says that the input ends where `bytes` end.
    #[inline]
    pub(super) fn match_at(&self, bytes: &[u8], at: usize, last: bool) -> LineEnd {
        match self {
            Self::Any => match (bytes.get(at), bytes.get(at + 1)) {
                (Some(b'\n'), _) => LineEnd::Next(at + 1),
                (Some(b'\r'), Some(b'\n')) => LineEnd::Next(at + 2),
                (Some(b'\r'), None) if !last => LineEnd::Unknown,
                (Some(b'\r'), _) => LineEnd::Next(at + 1),
                _ => LineEnd::No,
            },
            Self::Custom(end) => match_text_at(end, &bytes[at.min(bytes.len())..], at, last),
        }
    }

    /// The first line end from `from` on: where the line ends and where the next one starts. None where there is
    /// none, or where the bytes that would tell are still to come.
    pub(super) fn find(&self, bytes: &[u8], from: usize, last: bool) -> Option<(usize, usize)> {
        let rest = bytes.get(from..)?;
        let at = from
            + match self {
                Self::Any => memchr2(b'\n', b'\r', rest)?,
                Self::Custom(end) if end.is_empty() => return None,
                Self::Custom(end) => memmem::find(rest, end)?,
            };
        match self.match_at(bytes, at, last) {
            LineEnd::Next(next) => Some((at, next)),
            LineEnd::No | LineEnd::Unknown => None,
        }
    }

    /// The number of line ends in `bytes`.
    pub(super) fn count_line_ends(&self, bytes: &[u8]) -> usize {
        match self {
            Self::Any => {
                let lone = |&at: &usize| bytes.get(at + 1) != Some(&b'\n');
                memchr_iter(b'\n', bytes).count() + memchr_iter(b'\r', bytes).filter(lone).count()
            }
            Self::Custom(end) if end.is_empty() => 0,
            Self::Custom(end) => memmem::find_iter(bytes, end).count(),
        }
    }

    /// How many lines end in `bytes`, where they are no more than `most`; otherwise where the first `most` of them end. Where lines end in
    /// different ways, up to twice as many may be counted as `most`. A text that is declared to end lines is not looked for.
    pub(super) fn count_lines_up_to(&self, bytes: &[u8], most: usize) -> Result<usize, usize> {
        if self.is_custom() {
            return Ok(0);
        }
        let (lf, cr) = (memchr_iter(b'\n', bytes).count(), memchr_iter(b'\r', bytes).count());
        if lf.max(cr) <= most {
            return Ok(lf.max(cr));
        }
        let (byte, after) = if lf > most { (b'\n', 0) } else { (b'\r', 1) };
        // More of them follow, so that the LF of a CRLF is at hand.
        let end = memchr_iter(byte, bytes).nth(most.saturating_sub(1)).map_or(bytes.len(), |at| at + 1);
        Err(end + usize::from(after == 1 && bytes.get(end) == Some(&b'\n')))
    }

    /// Whether a cut at `at` would go through the middle of a CRLF.
    pub(super) fn splits_crlf(&self, bytes: &[u8], at: usize) -> bool {
        matches!(self, Self::Any) && at > 0 && bytes[at - 1] == b'\r' && bytes.get(at) == Some(&b'\n')
    }
}

/// Whether `text`, a line terminator or a delimiter, stands at `at`, where the bytes are `rest`. A text without bytes stands nowhere.
pub(super) fn match_text_at(text: &[u8], rest: &[u8], at: usize, last: bool) -> LineEnd {
    if text.is_empty() || rest.is_empty() {
        LineEnd::No
    } else if rest.starts_with(text) {
        LineEnd::Next(at + text.len())
    } else if !last && text.starts_with(rest) {
        LineEnd::Unknown
    } else {
        LineEnd::No
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_line_end_is_lf_crlf_or_cr() {
        let text = b"a\nb\r\nc\rd\r";
        let any = Terminator::Any;
        assert_eq!(any.find(text, 0, false), Some((1, 2)));
        assert_eq!(any.find(text, 2, false), Some((3, 5)));
        assert_eq!(any.find(text, 5, false), Some((6, 7)));
        assert_eq!(any.find(text, 7, false), None, "an LF may follow");
        assert_eq!(any.find(text, 7, true), Some((8, 9)));
        assert_eq!(any.count_line_ends(text), 4);
    }

    #[test]
    fn lines_are_counted_up_to_a_bound() {
        let any = Terminator::Any;
        for (text, most, expected) in [
            (&b"a\nb\n"[..], 2, Ok(2)),
            (b"a\nb\nc\n", 2, Err(4)),
            (b"a\r\nb\r\nc\r\n", 2, Err(6)),
            (b"a\rb\rc\r", 1, Err(2)),
            (b"a\rb\r\nc\rd", 2, Err(5)),
            (b"\n\n\n\n", 1, Err(1)),
            (b"abc", 1, Ok(0)),
        ] {
            assert_eq!(any.count_lines_up_to(text, most), expected, "{text:?}");
        }
    }

    #[test]
    fn a_custom_line_end_is_exactly_that_text() {
        let ends = Terminator::Custom(b"|~".to_vec());
        assert_eq!(ends.find(b"a\nb|c|~d", 0, false), Some((5, 7)));
        assert_eq!(ends.match_at(b"a|", 1, false), LineEnd::Unknown);
        assert_eq!(ends.match_at(b"a|", 1, true), LineEnd::No);
        assert_eq!(ends.count_line_ends(b"|~\n|~"), 2);
    }
}
