//! Records in which a quote stands where none should, read all the same (`strayQuotes: literal`).
//!
//! The cutter has said where such a record ends, as for a fault: so other records are the same whether it is read or not. Here a quote
//! within a quoted cell that is not doubled, and that no delimiter or record end follows, is text. Every character of the record is kept.

use super::{
    draft::to_u32,
    lines::LineEnd,
    quoted::CellCollector,
    records::CellSpan,
    rules::ScanRules,
    scan::{CellSink as _, ScannedCell},
};

/// Reads the record that is `text` from `start` on into `cells`; false where a quote is never closed, so that it is a fault indeed.
pub(super) fn read_literal_record(cells: &mut CellCollector<'_>, text: &[u8], start: usize) -> bool {
    let rules = cells.rules;
    let mut at = start;
    loop {
        let cell = rules.skip_to_cell(text, at);
        let quote = rules.quote.filter(|&quote| text.get(cell) == Some(&quote));
        let next = match quote {
            Some(quote) => match read_quoted_cell(cells, text, cell + 1, quote) {
                Some(next) => next,
                None => return false,
            },
            None => read_bare_cell(cells, text, cell),
        };
        match next {
            CellEnd::Delimiter(next) => at = next,
            CellEnd::Record => return true,
        }
    }
}

/// What ends a cell.
enum CellEnd {
    /// A delimiter, behind which the next one begins.
    Delimiter(usize),
    Record,
}

/// What stands at `at`, outside quotes, if it ends a cell.
fn find_cell_end(rules: &ScanRules, text: &[u8], at: usize) -> Option<CellEnd> {
    match text.get(at) {
        None => Some(CellEnd::Record),
        Some(&byte) if byte == rules.delimiter => match rules.match_delimiter(text, at, true) {
            LineEnd::Next(next) => Some(CellEnd::Delimiter(next)),
            LineEnd::No | LineEnd::Unknown => None,
        },
        Some(_) => None,
    }
}

/// Reads the cell whose first byte behind its quote is at `start`; none where it is not closed.
fn read_quoted_cell(cells: &mut CellCollector<'_>, text: &[u8], start: usize, quote: u8) -> Option<CellEnd> {
    let rules = cells.rules;
    let from = cells.draft.side.len();
    let (mut at, mut stray) = (start, false);
    loop {
        let byte = *text.get(at)?;
        let length = if Some(byte) == rules.escape { 2.min(text.len() - at) } else { 1 };
        if byte != quote {
            rules.unescape_cell(&text[at..at + length], true, &mut cells.draft.side);
            at += length;
            continue;
        }
        let behind = if rules.trim { rules.skip_to_cell(text, at + 1) } else { at + 1 };
        if rules.double_quote && text.get(at + 1) == Some(&quote) {
            at += 1;
        } else if let Some(end) = find_cell_end(rules, text, behind) {
            let span = CellSpan::in_side(to_u32(from), to_u32(cells.draft.side.len()));
            cells.push_cell(span, true, stray);
            return Some(end);
        } else {
            stray = true;
        }
        cells.draft.side.push(quote);
        at += 1;
    }
}

/// Reads the cell without quotes around it at `start`.
fn read_bare_cell(cells: &mut CellCollector<'_>, text: &[u8], start: usize) -> CellEnd {
    let rules = cells.rules;
    let mut cell = ScannedCell { start, end: start, quoted: false, dirty: false, stray: false };
    loop {
        if let Some(end) = find_cell_end(rules, text, cell.end) {
            cell.end = rules.trimmed_end(text, start, cell.end);
            cells.accept_cell(cell);
            return end;
        }
        let byte = text[cell.end];
        let escapes = Some(byte) == rules.escape;
        cell.dirty |= escapes;
        cell.stray |= Some(byte) == rules.quote;
        cell.end = (cell.end + 1 + usize::from(escapes)).min(text.len());
    }
}
