//! Cells of text in which no quote or escape has a meaning: every delimiter ends a cell, every line end a record.
//!
//! This is the path of most data, and the loop is written for speed. `Rules::is_plain` says when it may be taken, and
//! what it makes must be what the state machine in `scan` would make.

use super::{
    draft::{Draft, narrow},
    events::Needles,
    records::Span,
    rules::Rules,
};

/// The cells of a plain text that ends where a record ends. Line ends are LF, CRLF and CR.
pub(super) fn cut(text: &[u8], rules: &Rules) -> Draft {
    let mut draft = Draft::for_text(text.len());
    draft.firsts.push(0);
    extend(&mut draft, text, 0, text.len(), rules);
    if rules.skip_spaces {
        skip_spaces(&mut draft, text);
    }
    if rules.has_comments() {
        draft.retain(|raw| !rules.is_comment(&text[..raw.end as usize], raw.start as usize));
    }
    draft
}

/// Adds the cells of the plain part of `text` from `start` to `end`, where a record starts and one ends. Spaces and comments
/// mean nothing here.
pub(super) fn extend(draft: &mut Draft, text: &[u8], start: usize, end: usize, rules: &Rules) {
    let text = &text[..end];
    if memchr::memchr(b'\r', &text[start..]).is_some() {
        extend_with::<3, true>(draft, text, start, rules.delimiter, &Needles::new(&[rules.delimiter, b'\n', b'\r']));
    } else {
        extend_with::<2, false>(draft, text, start, rules.delimiter, &Needles::new(&[rules.delimiter, b'\n']));
    }
}

fn extend_with<const N: usize, const CR: bool>(
    draft: &mut Draft,
    text: &[u8],
    start: usize,
    delimiter: u8,
    needles: &Needles<N>,
) {
    let Draft { cells, firsts, raws, .. } = &mut *draft;
    let before = raws.len();
    let (mut record, mut cell) = (start, start);
    let aligned = start & !63;
    let mut ahead = !0 << (start & 63);
    for base in (aligned..text.len()).step_by(64) {
        let mut mask = needles.mask(text, base) & ahead;
        ahead = !0;
        while mask != 0 {
            let at = base + mask.trailing_zeros() as usize;
            mask &= mask - 1;
            if CR && at < cell {
                continue; // the LF of a CRLF
            }
            cells.push(Span::in_text(cell as u32, at as u32));
            cell = at + 1;
            if text[at] != delimiter {
                if CR && text[at] == b'\r' && text.get(cell) == Some(&b'\n') {
                    cell += 1;
                }
                firsts.push(cells.len() as u32);
                raws.push(record as u32..at as u32);
                record = cell;
            }
        }
    }
    let ended = narrow(raws.len() - before);
    if record < text.len() {
        cells.push(Span::in_text(narrow(cell), narrow(text.len())));
        firsts.push(narrow(cells.len()));
        raws.push(narrow(record)..narrow(text.len()));
    }
    let first = draft.line_ends;
    draft.lines.extend(first..first + narrow(draft.raws.len() - before));
    draft.line_ends += ended;
}

fn skip_spaces(draft: &mut Draft, text: &[u8]) {
    for cell in &mut draft.cells {
        let (start, end) = (cell.start() as usize, cell.end() as usize);
        let spaces = text[start..end].iter().take_while(|&&byte| byte == b' ').count();
        *cell = Span::in_text(narrow(start + spaces), narrow(end));
    }
}
