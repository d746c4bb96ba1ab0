//! Cells of text in which quotes or escapes have a meaning: by the state machine, and by the loop for plain text where there are none
//! for a stretch.

use super::{
    block::{RecordMark, RecordMarkKind},
    draft::{RecordsDraft, to_u32},
    judge::RecordVerdict,
    limits::CutterLimits,
    literal::read_literal_record,
    plain,
    records::{CellSpan, RecordFault},
    rules::ScanRules,
    scan::{CellSink, RecordScanner, ScannedCell},
};

/// Bytes in which a stretch without quotes is looked for: a record that is longer goes through the machine, which bounds its cells.
const STRETCH: usize = 1 << 20;

/// Puts cells into a draft.
pub(super) struct CellCollector<'a> {
    pub(super) draft: RecordsDraft,
    pub(super) rules: &'a ScanRules,
    text: &'a [u8],
    /// The number of cells that the record at hand may reach.
    most: usize,
    /// Whether it has more.
    overflows: bool,
    /// Its cells with stray quotes, and the column of the first.
    stray_cells: u32,
    first_stray: u32,
}

impl CellSink for CellCollector<'_> {
    #[inline]
    fn accept_cell(&mut self, cell: ScannedCell) {
        let span =
            if cell.dirty { self.store_unescaped(cell) } else { CellSpan::in_text(cell.start as u32, cell.end as u32) };
        self.push_cell(span, cell.quoted, cell.stray);
    }
}

impl CellCollector<'_> {
    /// Adds a cell to the record at hand, which may reach so many and no more.
    #[inline]
    pub(super) fn push_cell(&mut self, span: CellSpan, quoted: bool, stray: bool) {
        if self.draft.cells.len() >= self.most {
            self.overflows = true;
            return;
        }
        if stray {
            self.note_stray();
        }
        if quoted && self.rules.notes_quoted {
            self.draft.note_quoted();
        }
        self.draft.cells.push(span);
    }

    fn store_unescaped(&mut self, cell: ScannedCell) -> CellSpan {
        let start = to_u32(self.draft.side.len());
        self.rules.unescape_cell(&self.text[cell.start..cell.end], cell.quoted, &mut self.draft.side);
        CellSpan::in_side(start, to_u32(self.draft.side.len()))
    }

    fn end_record(&mut self, raw: std::ops::Range<usize>, line_ends: usize) {
        self.draft.firsts.push(to_u32(self.draft.cells.len()));
        self.draft.end_record(raw, line_ends);
    }

    fn begin_record(&mut self) {
        self.most = self.draft.cells.len() + CutterLimits::MOST_CELLS;
        self.overflows = false;
        self.stray_cells = 0;
    }

    /// Notes that the next cell of the record at hand has a stray quote.
    #[cold]
    fn note_stray(&mut self) {
        if self.stray_cells == 0 {
            let first = self.draft.firsts.last().copied().unwrap_or(0);
            self.first_stray = to_u32(self.draft.cells.len()) - first;
        }
        self.stray_cells += 1;
    }

    /// Why the record at hand, which could be cut, is none nevertheless.
    fn fault_of_record(&self) -> Option<RecordFault> {
        if self.overflows {
            return Some(RecordFault::TooManyCells);
        }
        let rejected = self.rules.rejects_stray_quotes && self.stray_cells > 0;
        rejected.then_some(RecordFault::StrayQuote { column: self.first_stray })
    }

    /// A record that cannot be cut into cells.
    fn reject_record(&mut self, mark: &RecordMark, line_ends: usize) {
        let first = self.draft.firsts.last().map_or(0, |&first| first as usize);
        self.draft.truncate_cells(first);
        if let RecordMarkKind::Fault(fault) = &mark.kind {
            self.draft.faults.push((to_u32(self.draft.raws.len()), fault.clone()));
            self.end_record(mark.start..mark.end, line_ends);
        } else {
            self.draft.line_ends += to_u32(line_ends);
        }
    }
}

/// The cells of a text that ends where a record ends. The `marks` (in order) are positions in the text.
pub(super) fn cut_marked_text(text: &[u8], rules: &ScanRules, marks: &[RecordMark]) -> RecordsDraft {
    let mut scanner = RecordScanner::new(rules, text, true);
    let draft = RecordsDraft::with_room_for(text.len());
    let mut cells = CellCollector { draft, rules, text, most: 0, overflows: false, stray_cells: 0, first_stray: 0 };
    cells.draft.firsts.push(0);
    let mut marks = marks.iter().peekable();
    let mut at = 0;
    while at < text.len() {
        if let Some(mark) = marks.next_if(|mark| mark.start == at) {
            at = take_marked_record(&mut scanner, &mut cells, mark);
            continue;
        }
        let stop = marks.peek().map_or(text.len(), |mark| mark.start).min(at.saturating_add(STRETCH));
        at = match scanner.find_plain_stretch(at, stop) {
            Some(end) => {
                plain::add_plain_cells(&mut cells.draft, text, at, end, rules);
                scanner.seek_record(end);
                end
            }
            None => read(&mut scanner, &mut cells, at),
        };
    }
    cells.draft
}

fn read(scanner: &mut RecordScanner<'_>, cells: &mut CellCollector<'_>, at: usize) -> usize {
    cells.begin_record();
    match scanner.judge_record(at, usize::MAX, cells) {
        RecordVerdict::Good { end, next } => match cells.fault_of_record() {
            Some(fault) => {
                skip_record(scanner, cells, &RecordMark { start: at, end, next, kind: RecordMarkKind::Fault(fault) })
            }
            None => {
                cells.draft.stray_quotes += cells.stray_cells;
                cells.end_record(at..end, scanner.count_line_ends(at, end, next));
                next
            }
        },
        RecordVerdict::Malformed { end, next, fault } => {
            take_marked_record(scanner, cells, &RecordMark { start: at, end, next, kind: RecordMarkKind::Fault(fault) })
        }
        RecordVerdict::Comment { next } => {
            skip_record(scanner, cells, &RecordMark { start: at, end: next, next, kind: RecordMarkKind::Comment })
        }
        // Not to be had without a limit, and at the end of the input.
        RecordVerdict::TooLong | RecordVerdict::More => scanner.bytes.len(),
    }
}

/// Takes a record that the cutter has marked: its cells, where its quotes may be text, or none.
fn take_marked_record(scanner: &mut RecordScanner<'_>, cells: &mut CellCollector<'_>, mark: &RecordMark) -> usize {
    let may_be_text = matches!(mark.kind, RecordMarkKind::Fault(RecordFault::TextAfterQuote { .. }));
    if !(may_be_text && cells.rules.reads_literal_quotes) {
        return skip_record(scanner, cells, mark);
    }
    // The state machine may have found some cells before it came to the quote.
    let first = cells.draft.firsts.last().map_or(0, |&first| first as usize);
    cells.draft.truncate_cells(first);
    cells.begin_record();
    let text = &cells.text[..mark.end];
    if !read_literal_record(cells, text, mark.start) || cells.overflows {
        return skip_record(scanner, cells, mark);
    }
    cells.draft.stray_quotes += cells.stray_cells;
    let line_ends = scanner.rules.terminator.count_line_ends(&scanner.bytes[mark.start..mark.next]);
    cells.end_record(mark.start..mark.end, line_ends);
    scanner.seek_record(mark.next);
    mark.next
}

/// Steps over a record that has no cells.
fn skip_record(scanner: &mut RecordScanner<'_>, cells: &mut CellCollector<'_>, mark: &RecordMark) -> usize {
    let line_ends = scanner.rules.terminator.count_line_ends(&scanner.bytes[mark.start..mark.next]);
    cells.reject_record(mark, line_ends);
    scanner.seek_record(mark.next);
    mark.next
}
