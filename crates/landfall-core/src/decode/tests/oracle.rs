//! The rules once more, byte by byte and without regard to speed: the decoder must say the same.

use super::*;
use crate::schema::{LineTerminator, StrayQuotes};

/// A record: its offset, its raw bytes, and its cells or why it has none.
pub(super) type Expected = (u64, Vec<u8>, Result<Vec<String>, RecordFault>);

/// What comes out of a source in UTF-8 without a header, with no limit on records.
pub(super) fn records(dialect: &Dialect, source: &[u8]) -> Vec<Expected> {
    let oracle = Oracle { dialect, source };
    let mut records = Vec::new();
    let (mut at, mut number) = (0, 0);
    while at < source.len() {
        number += 1;
        let is_comment = dialect.comment_char.is_some_and(|char| source.get(oracle.cell_start(at)) == Some(&char));
        let (end, next, outcome) = if is_comment { oracle.rest_of_line(at, Ok(Vec::new())) } else { oracle.record(at) };
        if !is_comment && !dialect.comment_rows.contains(&number) {
            records.push((at as u64, source[at..end].to_vec(), outcome));
        }
        at = next;
    }
    records
}

struct Oracle<'a> {
    dialect: &'a Dialect,
    source: &'a [u8],
}

type Outcome = (usize, usize, Result<Vec<String>, RecordFault>);

impl Oracle<'_> {
    fn record(&self, start: usize) -> Outcome {
        let mut cells = Vec::new();
        let mut first_stray = None;
        let mut at = start;
        loop {
            at = self.cell_start(at);
            let is_quoted =
                self.dialect.quote_char.is_some() && self.source.get(at).copied() == self.dialect.quote_char;
            let open = at;
            let mut cell = Vec::new();
            if is_quoted {
                let column = cells.len() as u32;
                match self.quoted(at + 1, &mut cell) {
                    None => return self.rest_of_line(open, Err(RecordFault::UnclosedQuote { column })),
                    Some(after) if self.stops(self.behind_quote(after)) => at = self.behind_quote(after),
                    Some(_) => return self.rest_of_line(open, Err(RecordFault::TextAfterQuote { column })),
                }
            } else {
                let mut kept = 0;
                while !self.stops(at) {
                    let (is_blank, is_quote) =
                        (self.is_blank(self.source[at]), Some(self.source[at]) == self.dialect.quote_char);
                    if is_quote {
                        first_stray.get_or_insert(cells.len() as u32);
                    }
                    at = self.character(at, &mut cell);
                    kept = if is_blank { kept } else { cell.len() };
                }
                if self.dialect.trim {
                    cell.truncate(kept);
                }
            }
            cells.push(String::from_utf8(cell).unwrap());
            match self.line_end(at) {
                Some(next) => return (at, next, self.judged(cells, first_stray)),
                None if at == self.source.len() => return (at, at, self.judged(cells, first_stray)),
                None => at += self.dialect.delimiter.as_str().len(),
            }
        }
    }

    fn judged(&self, cells: Vec<String>, first_stray: Option<u32>) -> Result<Vec<String>, RecordFault> {
        match first_stray.filter(|_| self.dialect.stray_quotes == StrayQuotes::Reject) {
            Some(column) => Err(RecordFault::StrayQuote { column }),
            None => Ok(cells),
        }
    }

    /// Reads up to and including the closing quote.
    fn quoted(&self, mut at: usize, cell: &mut Vec<u8>) -> Option<usize> {
        let quote = self.dialect.quote_char?;
        let doubled = self.dialect.double_quote || self.escape_is_quote();
        while at < self.source.len() {
            if self.source[at] != quote {
                at = self.character(at, cell);
            } else if doubled && self.source.get(at + 1) == Some(&quote) {
                cell.push(quote);
                at += 2;
            } else {
                return Some(at + 1);
            }
        }
        None
    }

    /// Reads one byte, or an escape with what it takes the meaning from.
    fn character(&self, at: usize, cell: &mut Vec<u8>) -> usize {
        let is_escape = Some(self.source[at]) == self.dialect.escape_char && !self.escape_is_quote();
        if !is_escape || at + 1 == self.source.len() {
            cell.push(self.source[at]);
            return at + 1;
        }
        let next = self.line_end(at + 1).unwrap_or(at + 2);
        cell.extend(&self.source[at + 1..next]);
        next
    }

    fn escape_is_quote(&self) -> bool {
        self.dialect.escape_char == self.dialect.quote_char
    }

    fn stops(&self, at: usize) -> bool {
        let delimiter = self.dialect.delimiter.as_str().as_bytes();
        at == self.source.len() || self.source[at..].starts_with(delimiter) || self.line_end(at).is_some()
    }

    fn is_blank(&self, byte: u8) -> bool {
        let tab = self.dialect.trim && !self.dialect.delimiter.as_str().starts_with('\t');
        byte == b' ' || (tab && byte == b'\t')
    }

    fn behind_quote(&self, at: usize) -> usize {
        if self.dialect.trim { self.cell_start(at) } else { at }
    }

    fn cell_start(&self, at: usize) -> usize {
        let blanks = self.source[at..].iter().take_while(|&&byte| self.is_blank(byte)).count();
        if self.dialect.skips_blanks() { at + blanks } else { at }
    }

    fn line_end(&self, at: usize) -> Option<usize> {
        let rest = &self.source[at.min(self.source.len())..];
        let len = match &self.dialect.line_terminator {
            LineTerminator::Custom(text) => rest.starts_with(text.as_bytes()).then_some(text.len()),
            LineTerminator::Any if rest.starts_with(b"\r\n") => Some(2),
            LineTerminator::Any => (rest.starts_with(b"\n") || rest.starts_with(b"\r")).then_some(1),
        };
        Some(at + len?)
    }

    fn rest_of_line(&self, from: usize, outcome: Result<Vec<String>, RecordFault>) -> Outcome {
        let end = (from..self.source.len()).find(|&at| self.line_end(at).is_some()).unwrap_or(self.source.len());
        (end, self.line_end(end).unwrap_or(end), outcome)
    }
}
