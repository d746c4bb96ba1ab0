//! The dialect, prepared for scanning.

use super::{
    events::Needles,
    lines::{LineEnd, Terminator, match_text_at},
};
use crate::schema::{Dialect, StrayQuotes};

/// The text of a cell that is null in MySQL's form ([`Dialect::is_mysql`]), where `\N` and the text `\N`, written `\\N`, are two things. No value
/// can be the same, since a text with NUL characters is none.
pub const NULL_CELL: &str = "\0null\0cell\0";

/// The dialect, prepared for scanning one kind of bytes: those of the source, or UTF-8 text.
#[derive(Debug, Clone)]
pub(super) struct ScanRules {
    /// The first byte of the delimiter.
    pub(super) delimiter: u8,
    /// The whole delimiter, where it is not one byte. Without bytes it is in no source: its encoding lacks the characters.
    long_delimiter: Option<Box<[u8]>>,
    pub(super) quote: Option<u8>,
    pub(super) double_quote: bool,
    pub(super) escape: Option<u8>,
    /// Whether escapes are those of MySQL.
    mysql: bool,
    pub(super) skip_spaces: bool,
    /// Whether blanks around cells are not part of them.
    pub(super) trim: bool,
    /// Whether a record with a quote in a cell that does not begin with one is malformed.
    pub(super) rejects_stray_quotes: bool,
    /// Whether a quote within a quoted cell that is not doubled is text.
    pub(super) reads_literal_quotes: bool,
    /// Whether it matters to the reader which cells stand in quotes.
    pub(super) notes_quoted: bool,
    comment: Option<u8>,
    /// Whether the delimiter has a second meaning.
    is_odd: bool,
    pub(super) terminator: Terminator,
    /// Whether a delimiter is always a delimiter and an LF always a line end, outside quotes and escapes.
    pub(super) is_simple: bool,
    /// The bytes at which the state machine stops.
    pub(super) needles: Needles<5>,
}

impl ScanRules {
    /// The rules of `dialect` for bytes in which `delimiter` stands between cells and `terminator` ends lines.
    pub(super) fn new(dialect: &Dialect, delimiter: &[u8], terminator: Terminator) -> Self {
        // An escape character that is the quote is another way to say "doubled quotes".
        let twin = dialect.quote_char.is_some() && dialect.escape_char == dialect.quote_char;
        let escape = dialect.escape_char.filter(|_| !twin);
        let long_delimiter = (delimiter.len() != 1).then(|| delimiter.into());
        let delimiter = delimiter.first().copied().unwrap_or(b',');
        let skip_spaces = dialect.skips_blanks();
        let is_odd =
            matches!(delimiter, b'\n' | b'\r') || (skip_spaces && delimiter == b' ') || long_delimiter.is_some();
        Self {
            is_simple: !is_odd && !skip_spaces && !terminator.is_custom(),
            is_odd,
            delimiter,
            long_delimiter,
            quote: dialect.quote_char,
            double_quote: dialect.double_quote || twin,
            escape,
            mysql: dialect.is_mysql(),
            skip_spaces,
            trim: dialect.trim,
            rejects_stray_quotes: dialect.stray_quotes == StrayQuotes::Reject,
            reads_literal_quotes: dialect.stray_quotes == StrayQuotes::Literal,
            notes_quoted: !dialect.quoted_missing,
            comment: dialect.comment_char.filter(|&byte| !matches!(byte, b'\n' | b'\r')),
            needles: collect_needles(dialect, delimiter, escape, &terminator),
            terminator,
        }
    }

    /// The start of the cell at `at`, once the blanks that are not part of it are skipped.
    #[inline]
    pub(super) fn skip_to_cell(&self, bytes: &[u8], at: usize) -> usize {
        if !self.skip_spaces {
            return at;
        }
        at + bytes[at..].iter().take_while(|&&byte| self.is_blank(byte)).count()
    }

    /// Whether `byte` around a cell is not part of it.
    fn is_blank(&self, byte: u8) -> bool {
        byte == b' ' || (self.trim && byte == b'\t' && self.delimiter != b'\t')
    }

    /// The end of the cell without quotes that is `bytes[start..end]`, once the blanks that are not part of it are left out.
    pub(super) fn trimmed_end(&self, bytes: &[u8], start: usize, end: usize) -> usize {
        if !self.trim {
            return end;
        }
        let cell = &bytes[start..end];
        let kept = cell.iter().rposition(|&byte| !self.is_blank(byte)).map_or(0, |at| at + 1);
        let Some(escape) = self.escape else { return start + kept };
        // A blank behind an escape character is text, unless that character is itself escaped.
        let escapes = cell[..kept].iter().rev().take_while(|&&byte| byte == escape).count();
        start + (kept + escapes % 2).min(cell.len())
    }

    /// Whether the delimiter stands at `at`, which holds its first byte. `last` says that the input ends where `bytes` end.
    #[inline]
    pub(super) fn match_delimiter(&self, bytes: &[u8], at: usize, last: bool) -> LineEnd {
        match &self.long_delimiter {
            None => LineEnd::Next(at + 1),
            Some(text) => match_text_at(text, &bytes[at..], at, last),
        }
    }

    /// Whether the record at `at` is a comment.
    #[inline]
    pub(super) fn is_comment(&self, bytes: &[u8], at: usize) -> bool {
        self.has_comments() && bytes.get(self.skip_to_cell(bytes, at)).copied() == self.comment
    }

    /// Whether there can be comments at all.
    #[inline]
    pub(super) fn has_comments(&self) -> bool {
        self.comment.is_some()
    }

    /// Whether `bytes` can be cut without the state machine: nothing in them takes the meaning from a line end.
    pub(super) fn is_plain(&self, bytes: &[u8]) -> bool {
        self.can_be_plain() && self.first_special(bytes).is_none()
    }

    /// Whether there can be bytes that need no state machine. It may be otherwise for the bytes of a source than for its text in UTF-8:
    /// `§` is one byte in the one and two in the other.
    pub(super) fn can_be_plain(&self) -> bool {
        !self.terminator.is_custom() && !self.is_odd
    }

    /// The first byte that may take the meaning from another.
    pub(super) fn first_special(&self, bytes: &[u8]) -> Option<usize> {
        find(bytes, self.quote, self.escape)
    }

    /// Appends a cell's text without its doubled quotes and escapes.
    pub(super) fn unescape_cell(&self, cell: &[u8], quoted: bool, out: &mut Vec<u8>) {
        if self.mysql && !quoted && matches!(cell, [first, b'N'] if Some(*first) == self.escape) {
            return out.extend_from_slice(NULL_CELL.as_bytes());
        }
        let doubled = self.quote.filter(|_| quoted && self.double_quote);
        let mut rest = cell;
        while let Some(at) = find(rest, self.escape, doubled) {
            out.extend_from_slice(&rest[..at]);
            let escaped = rest.get(at + 1).copied().unwrap_or(rest[at]);
            out.push(if self.mysql && Some(rest[at]) == self.escape { mysql_character(escaped) } else { escaped });
            rest = &rest[(at + 2).min(rest.len())..];
        }
        out.extend_from_slice(rest);
    }
}

/// What a character stands for behind MySQL's escape character.
const fn mysql_character(escaped: u8) -> u8 {
    match escaped {
        b'0' => 0,
        b'b' => 8,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'Z' => 26,
        other => other,
    }
}

/// The first of one or two bytes.
fn find(bytes: &[u8], one: Option<u8>, other: Option<u8>) -> Option<usize> {
    match (one, other) {
        (Some(one), Some(other)) => memchr::memchr2(one, other, bytes),
        (Some(one), None) | (None, Some(one)) => memchr::memchr(one, bytes),
        (None, None) => None,
    }
}

fn collect_needles(dialect: &Dialect, delimiter: u8, escape: Option<u8>, terminator: &Terminator) -> Needles<5> {
    let mut bytes = vec![delimiter];
    bytes.extend(terminator.first_bytes());
    bytes.extend(dialect.quote_char);
    bytes.extend(escape);
    Needles::new(&bytes)
}
