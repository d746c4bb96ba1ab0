//! Cells of text in which no quote or escape has a meaning: every delimiter ends a cell, every line end a record.
//!
//! This is the path of most data, and the loop is written for speed. `ScanRules::is_plain` says when it may be taken, and
//! what it makes must be what the state machine in `scan` would make.

use super::{
    draft::{RecordsDraft, to_u32},
    events::Needles,
    records::CellSpan,
    rules::ScanRules,
};

/// The cells of a plain text that ends where a record ends. Line ends are LF, CRLF and CR.
pub(super) fn cut_plain_text(text: &[u8], rules: &ScanRules) -> RecordsDraft {
    let mut draft = RecordsDraft::with_room_for(text.len());
    draft.firsts.push(0);
    add_plain_cells(&mut draft, text, 0, text.len(), rules);
    if rules.skip_spaces {
        trim_cells(&mut draft, text, rules);
    }
    if rules.has_comments() {
        draft.retain_records(|raw| !rules.is_comment(&text[..raw.end as usize], raw.start as usize));
    }
    draft
}

/// Adds the cells of the plain part of `text` from `start` to `end`, where a record starts and one ends. Spaces and comments
/// mean nothing here.
pub(super) fn add_plain_cells(draft: &mut RecordsDraft, text: &[u8], start: usize, end: usize, rules: &ScanRules) {
    let text = &text[..end];
    if memchr::memchr(b'\r', &text[start..]).is_some() {
        add_cells_with::<3, true>(draft, text, start, rules.delimiter, &Needles::new(&[rules.delimiter, b'\n', b'\r']));
    } else {
        add_cells_with::<2, false>(draft, text, start, rules.delimiter, &Needles::new(&[rules.delimiter, b'\n']));
    }
}

fn add_cells_with<const N: usize, const CR: bool>(
    draft: &mut RecordsDraft,
    text: &[u8],
    start: usize,
    delimiter: u8,
    needles: &Needles<N>,
) {
    let RecordsDraft { cells, firsts, raws, .. } = &mut *draft;
    let before = raws.len();
    let (mut record, mut cell) = (start, start);
    let aligned = start & !63;
    let mut ahead = !0 << (start & 63);
    for base in (aligned..text.len()).step_by(64) {
        let mut mask = needles.match_bits(text, base) & ahead;
        ahead = !0;
        while mask != 0 {
            let at = base + mask.trailing_zeros() as usize;
            mask &= mask - 1;
            if CR && at < cell {
                continue; // the LF of a CRLF
            }
            cells.push(CellSpan::in_text(cell as u32, at as u32));
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
    let ended = to_u32(raws.len() - before);
    if record < text.len() {
        cells.push(CellSpan::in_text(to_u32(cell), to_u32(text.len())));
        firsts.push(to_u32(cells.len()));
        raws.push(to_u32(record)..to_u32(text.len()));
    }
    let first = draft.line_ends;
    draft.lines.extend(first..first + to_u32(draft.raws.len() - before));
    draft.line_ends += ended;
}

/// Leaves out the blanks that are not part of the cells.
fn trim_cells(draft: &mut RecordsDraft, text: &[u8], rules: &ScanRules) {
    for cell in &mut draft.cells {
        let (start, end) = (cell.start() as usize, cell.end() as usize);
        let start = rules.skip_to_cell(&text[..end], start);
        *cell = CellSpan::in_text(to_u32(start), to_u32(rules.trimmed_end(text, start, end)));
    }
}
