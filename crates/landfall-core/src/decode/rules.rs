//! The dialect, prepared for scanning.

use super::{events::Needles, lines::Terminator};
use crate::schema::Dialect;

/// The text of a cell that is null in MySQL's form ([`Dialect::is_mysql`]), where `\N` and the text `\N`, written `\\N`, are two things. No value
/// can be the same, since a text with NUL characters is none.
pub const NULL_CELL: &str = "\0null\0cell\0";

/// The dialect, prepared for scanning one kind of bytes: those of the source, or UTF-8 text.
#[derive(Debug, Clone)]
pub(super) struct ScanRules {
    pub(super) delimiter: u8,
    pub(super) quote: Option<u8>,
    pub(super) double_quote: bool,
    pub(super) escape: Option<u8>,
    /// Whether escapes are those of MySQL.
    mysql: bool,
    pub(super) skip_spaces: bool,
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
    pub(super) fn new(dialect: &Dialect, terminator: Terminator) -> Self {
        // An escape character that is the quote is another way to say "doubled quotes".
        let twin = dialect.quote_char.is_some() && dialect.escape_char == dialect.quote_char;
        let escape = dialect.escape_char.filter(|_| !twin);
        let is_odd =
            matches!(dialect.delimiter, b'\n' | b'\r') || (dialect.skip_initial_space && dialect.delimiter == b' ');
        Self {
            is_simple: !is_odd && !dialect.skip_initial_space && !terminator.is_custom(),
            is_odd,
            delimiter: dialect.delimiter,
            quote: dialect.quote_char,
            double_quote: dialect.double_quote || twin,
            escape,
            mysql: dialect.is_mysql(),
            skip_spaces: dialect.skip_initial_space,
            comment: dialect.comment_char.filter(|&byte| !matches!(byte, b'\n' | b'\r')),
            needles: collect_needles(dialect, escape, &terminator),
            terminator,
        }
    }

    /// The start of the cell at `at`, once the spaces that are not part of it are skipped.
    #[inline]
    pub(super) fn skip_to_cell(&self, bytes: &[u8], at: usize) -> usize {
        if !self.skip_spaces {
            return at;
        }
        at + bytes[at..].iter().take_while(|&&byte| byte == b' ').count()
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
        !self.terminator.is_custom() && !self.is_odd && self.first_special(bytes).is_none()
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

fn collect_needles(dialect: &Dialect, escape: Option<u8>, terminator: &Terminator) -> Needles<5> {
    let mut bytes = vec![dialect.delimiter];
    bytes.extend(terminator.first_bytes());
    bytes.extend(dialect.quote_char);
    bytes.extend(escape);
    Needles::new(&bytes)
}
