//! The grammar of JSON, RFC 8259, over bytes that are known to be UTF-8: where each value ends, and what it is.

use std::fmt;

use super::{DEPTH, JsonKind};
use crate::decode::{draft::to_u32, records::CellSpan};

/// The byte order mark.
const BOM: char = '\u{feff}';

/// Why a text is not the JSON that was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonError {
    /// What kind of error it is.
    pub kind: JsonErrorKind,
    /// The offset of the byte at which it was found.
    pub offset: usize,
    /// What was found or expected there, as the end of a sentence.
    pub reason: String,
}

/// The kinds of [`JsonError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonErrorKind {
    /// The text is not JSON.
    Syntax,
    /// It is nested deeper than [`DEPTH`] levels.
    TooDeep,
    /// It is JSON of another shape than expected.
    Shape,
    /// There are more rows than allowed.
    TooMany,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for JsonError {}

/// A string as it stands in the text.
#[derive(Debug, Clone, Copy)]
pub(super) struct QuotedString {
    /// The first byte behind the opening quote.
    pub(super) start: usize,
    /// The closing quote.
    pub(super) end: usize,
    /// Whether there are escapes in it.
    pub(super) escaped: bool,
}

/// A place in a text.
#[derive(Debug, Clone)]
pub(super) struct JsonScanner<'t> {
    pub(super) text: &'t str,
    pub(super) at: usize,
}

impl<'t> JsonScanner<'t> {
    /// The begin of a text, behind its byte order mark if it has one: it is ignored (RFC 8259, section 8.1).
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: if text.starts_with(BOM) { BOM.len_utf8() } else { 0 } }
    }

    fn rest_bytes(&self) -> &'t [u8] {
        self.text.as_bytes()
    }

    #[inline]
    pub(super) fn peek_byte(&self) -> Option<u8> {
        self.rest_bytes().get(self.at).copied()
    }

    /// The next byte behind white space.
    #[inline]
    pub(super) fn next(&mut self) -> Option<u8> {
        while let Some(byte) = self.peek_byte() {
            if !matches!(byte, b' ' | b'\n' | b'\t' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    #[cold]
    pub(super) fn json_error(&self, kind: JsonErrorKind, reason: impl Into<String>) -> JsonError {
        JsonError { kind, offset: self.at, reason: reason.into() }
    }

    #[cold]
    pub(super) fn unexpected_error(&self, expected: &str) -> JsonError {
        let found = match self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
            None => "the text ends".to_owned(),
            Some(character) => format!("there is {character:?}"),
        };
        self.json_error(JsonErrorKind::Syntax, format!("{found} where {expected} is expected"))
    }

    /// Steps over `byte`, white space before it included, where it comes next.
    #[inline]
    pub(super) fn accept_byte(&mut self, byte: u8) -> bool {
        let next = self.next() == Some(byte);
        self.at += usize::from(next);
        next
    }

    pub(super) fn expect_byte(&mut self, byte: u8, expected: &str) -> Result<(), JsonError> {
        if self.accept_byte(byte) { Ok(()) } else { Err(self.unexpected_error(expected)) }
    }

    /// Steps over these very bytes where they come next.
    #[inline]
    pub(super) fn accept_bytes(&mut self, bytes: &str) -> bool {
        let next = self.rest_bytes()[self.at..].starts_with(bytes.as_bytes());
        self.at += if next { bytes.len() } else { 0 };
        next
    }

    /// Refuses anything but white space up to the end.
    pub(super) fn expect_end(&mut self) -> Result<(), JsonError> {
        if self.next().is_none() { Ok(()) } else { Err(self.unexpected_error("the end")) }
    }

    /// A string whose opening quote comes next.
    #[inline]
    pub(super) fn scan_string(&mut self) -> Result<QuotedString, JsonError> {
        let start = self.at + 1;
        self.at = start;
        let bytes = self.rest_bytes();
        let mut escaped = false;
        loop {
            self.at += plain_prefix_length(&bytes[self.at..]);
            match bytes.get(self.at) {
                Some(b'"') => {
                    let end = self.at;
                    self.at += 1;
                    return Ok(QuotedString { start, end, escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    self.skip_escape()?;
                }
                Some(0..=0x1f) => {
                    return Err(self.json_error(
                        JsonErrorKind::Syntax,
                        "there is a control character in a string; it must be written as an escape, such as \\n",
                    ));
                }
                Some(_) => self.at += 1,
                None => return Err(self.json_error(JsonErrorKind::Syntax, "the text ends within a string")),
            }
        }
    }

    /// Steps over an escape.
    fn skip_escape(&mut self) -> Result<(), JsonError> {
        let bytes = self.rest_bytes();
        match bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u')
                if bytes.get(self.at + 2..self.at + 6).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) =>
            {
                self.at += 6;
            }
            _ => {
                return Err(
                    self.json_error(JsonErrorKind::Syntax, "there is a backslash in a string that begins no escape")
                );
            }
        }
        Ok(())
    }

    /// The text of a string: as it stands, or with its escapes resolved in `side`. None where it has half a surrogate pair.
    pub(super) fn resolve_string(&self, string: QuotedString, side: &mut String) -> Option<CellSpan> {
        let QuotedString { start, end, escaped } = string;
        if !escaped {
            return Some(CellSpan::in_text(to_u32(start), to_u32(end)));
        }
        let from = side.len();
        if unescape_string(&self.text[start..end], side) {
            Some(CellSpan::in_side(to_u32(from), to_u32(side.len())))
        } else {
            side.truncate(from);
            None
        }
    }

    /// Steps over a value that comes next, white space before it included, and says what it is. `depth` levels are open
    /// around it.
    pub(super) fn scan_value(&mut self, depth: usize) -> Result<(JsonKind, usize, usize), JsonError> {
        let first = self.next();
        let start = self.at;
        let kind = match first {
            Some(b'"') => self.scan_string().map(|_| JsonKind::String)?,
            Some(b'{') => self.skip_nested(depth).map(|()| JsonKind::Object)?,
            Some(b'[') => self.skip_nested(depth).map(|()| JsonKind::Array)?,
            _ => self.scan_plain()?,
        };
        Ok((kind, start, self.at))
    }

    /// Steps over a number or a literal.
    #[inline]
    pub(super) fn scan_plain(&mut self) -> Result<JsonKind, JsonError> {
        match self.peek_byte() {
            Some(b'-' | b'0'..=b'9') => self.scan_number().map(|()| JsonKind::Number),
            Some(b't') => self.expect_literal("true").map(|()| JsonKind::Boolean),
            Some(b'f') => self.expect_literal("false").map(|()| JsonKind::Boolean),
            Some(b'n') => self.expect_literal("null").map(|()| JsonKind::Null),
            _ => Err(self.unexpected_error("a value")),
        }
    }

    fn expect_literal(&mut self, word: &str) -> Result<(), JsonError> {
        if !self.text[self.at..].starts_with(word) {
            return Err(self.unexpected_error("a value"));
        }
        self.at += word.len();
        Ok(())
    }

    fn scan_number(&mut self) -> Result<(), JsonError> {
        self.at += usize::from(self.peek_byte() == Some(b'-'));
        let leading = self.peek_byte() == Some(b'0');
        if self.skip_digits()? > 1 && leading {
            return Err(self.json_error(JsonErrorKind::Syntax, "there is a number that begins with a superfluous zero"));
        }
        if self.peek_byte() == Some(b'.') {
            self.at += 1;
            self.skip_digits()?;
        }
        if matches!(self.peek_byte(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek_byte(), Some(b'+' | b'-')));
            self.skip_digits()?;
        }
        Ok(())
    }

    /// Steps over digits, of which there must be one at least; how many there are.
    fn skip_digits(&mut self) -> Result<usize, JsonError> {
        let start = self.at;
        while matches!(self.peek_byte(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(self.unexpected_error("a digit")) } else { Ok(self.at - start) }
    }

    /// Steps over an array or object. No recursion: hostile nesting costs no stack.
    fn skip_nested(&mut self, depth: usize) -> Result<(), JsonError> {
        // For each level that is open whether it is an object.
        let mut open: Vec<bool> = Vec::new();
        loop {
            // A value comes next.
            match self.next() {
                Some(bracket @ (b'{' | b'[')) => {
                    if depth + open.len() >= DEPTH {
                        return Err(
                            self.json_error(JsonErrorKind::TooDeep, format!("it is nested deeper than {DEPTH} levels"))
                        );
                    }
                    self.at += 1;
                    let is_object = bracket == b'{';
                    if self.accept_byte(if is_object { b'}' } else { b']' }) {
                        if open.is_empty() {
                            return Ok(());
                        }
                    } else {
                        open.push(is_object);
                        if is_object {
                            self.name()?;
                        }
                        continue;
                    }
                }
                Some(b'"') => drop(self.scan_string()?),
                _ => drop(self.scan_plain()?),
            }
            // A value ended.
            loop {
                let Some(&is_object) = open.last() else { return Ok(()) };
                if self.accept_byte(b',') {
                    if is_object {
                        self.name()?;
                    }
                    break;
                }
                self.expect_byte(
                    if is_object { b'}' } else { b']' },
                    if is_object { "a comma or }" } else { "a comma or ]" },
                )?;
                open.pop();
                if open.is_empty() {
                    return Ok(());
                }
            }
        }
    }

    /// The name of a member that comes next, with its colon.
    pub(super) fn name(&mut self) -> Result<QuotedString, JsonError> {
        if self.next() != Some(b'"') {
            return Err(self.unexpected_error("a name in quotes"));
        }
        let name = self.scan_string()?;
        self.expect_byte(b':', "a colon")?;
        Ok(name)
    }
}

/// How many bytes from the begin on are neither a quote nor a backslash nor a control character; perhaps a few less, near the end.
#[inline]
fn plain_prefix_length(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES << 7;
    // Eight at a time: a byte that is zero, or less than 32, borrows from its highest bit. Those above it may be touched by that, so only
    // the first one that is found is sure.
    let mut at = 0;
    while let Some(eight) = bytes[at..].first_chunk::<8>() {
        let word = u64::from_le_bytes(*eight);
        let zeros = |word: u64| word.wrapping_sub(ONES) & !word;
        let controls = word.wrapping_sub(ONES * 0x20) & !word;
        let found = (zeros(word ^ (ONES * 0x22)) | zeros(word ^ (ONES * 0x5c)) | controls) & HIGHS;
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    at
}

/// Adds the text that the inside of a string stands for; false where it has half a surrogate pair.
pub(super) fn unescape_string(text: &str, out: &mut String) -> bool {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        let (character, length) = match rest.as_bytes().get(at + 1) {
            Some(b'b') => ('\u{8}', 2),
            Some(b'f') => ('\u{c}', 2),
            Some(b'n') => ('\n', 2),
            Some(b'r') => ('\r', 2),
            Some(b't') => ('\t', 2),
            Some(b'u') => match read_code_point(&rest[at..]) {
                Some(found) => found,
                None => return false,
            },
            Some(&byte) => (char::from(byte), 2),
            None => return false,
        };
        out.push(character);
        rest = &rest[at + length..];
    }
    out.push_str(rest);
    true
}

/// The character of the `\uXXXX` (or of a pair of them) that `text` begins with, and its length in bytes.
fn read_code_point(text: &str) -> Option<(char, usize)> {
    let unit = |at: usize| u32::from_str_radix(text.get(at..at + 4)?, 16).ok();
    let first = unit(2)?;
    if !(0xd800..0xdc00).contains(&first) {
        return char::from_u32(first).map(|character| (character, 6));
    }
    let second = text.get(6..).filter(|rest| rest.starts_with("\\u")).and_then(|_| unit(8))?;
    let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
    char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + low).map(|character| (character, 12))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::plain_prefix_length;

    proptest! {
        #[test]
        fn no_byte_that_matters_is_stepped_over(bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0x1eu8..0x24, 0x5au8..0x5f], 0..40)) {
            let matters = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
            let first = bytes.iter().position(matters).unwrap_or(bytes.len());
            let found = plain_prefix_length(&bytes);
            prop_assert!(found <= first && first - found < 8, "{found} of {first}");
        }
    }
}
