//! Cells of text in which quotes or escapes have a meaning: by the state machine, and by the loop for plain text where there are none
//! for a stretch.

use super::{
    block::{Mark, MarkKind},
    draft::{Draft, narrow},
    judge::Verdict,
    limits::Limits,
    plain,
    records::{Fault, Span},
    rules::Rules,
    scan::{Cell, Cells, Scanner},
};

/// Bytes in which a stretch without quotes is looked for: a record that is longer goes through the machine, which bounds its cells.
const STRETCH: usize = 1 << 20;

/// Puts cells into a draft.
struct Collector<'a> {
    draft: Draft,
    rules: &'a Rules,
    text: &'a [u8],
    /// The number of cells that the record at hand may reach.
    most: usize,
    /// Whether it has more.
    overflows: bool,
}

impl Cells for Collector<'_> {
    #[inline]
    fn cell(&mut self, cell: Cell) {
        if self.draft.cells.len() >= self.most {
            self.overflows = true;
            return;
        }
        let span = if cell.dirty { self.aside(cell) } else { Span::in_text(cell.start as u32, cell.end as u32) };
        self.draft.cells.push(span);
    }
}

impl Collector<'_> {
    fn aside(&mut self, cell: Cell) -> Span {
        let start = narrow(self.draft.side.len());
        self.rules.unescape(&self.text[cell.start..cell.end], cell.quoted, &mut self.draft.side);
        Span::in_side(start, narrow(self.draft.side.len()))
    }

    fn end_record(&mut self, raw: std::ops::Range<usize>, line_ends: usize) {
        self.draft.firsts.push(narrow(self.draft.cells.len()));
        self.draft.end_record(raw, line_ends);
    }

    fn begin_record(&mut self) {
        self.most = self.draft.cells.len() + Limits::MOST_CELLS;
        self.overflows = false;
    }

    /// A record that cannot be cut into cells.
    fn reject(&mut self, mark: &Mark, line_ends: usize) {
        let first = self.draft.firsts.last().map_or(0, |&first| first as usize);
        self.draft.cells.truncate(first);
        if let MarkKind::Fault(fault) = &mark.kind {
            self.draft.faults.push((narrow(self.draft.raws.len()), fault.clone()));
            self.end_record(mark.start..mark.end, line_ends);
        } else {
            self.draft.line_ends += narrow(line_ends);
        }
    }
}

/// The cells of a text that ends where a record ends. The `marks` (in order) are positions in the text.
pub(super) fn cut(text: &[u8], rules: &Rules, marks: &[Mark]) -> Draft {
    let mut scanner = Scanner::new(rules, text, true);
    let mut cells = Collector { draft: Draft::for_text(text.len()), rules, text, most: 0, overflows: false };
    cells.draft.firsts.push(0);
    let mut marks = marks.iter().peekable();
    let mut at = 0;
    while at < text.len() {
        if let Some(mark) = marks.next_if(|mark| mark.start == at) {
            at = pass(&mut scanner, &mut cells, mark);
            continue;
        }
        let stop = marks.peek().map_or(text.len(), |mark| mark.start).min(at.saturating_add(STRETCH));
        at = match scanner.stretch(at, stop) {
            Some(end) => {
                plain::extend(&mut cells.draft, text, at, end, rules);
                scanner.seek(end);
                end
            }
            None => read(&mut scanner, &mut cells, at),
        };
    }
    cells.draft
}

fn read(scanner: &mut Scanner<'_>, cells: &mut Collector<'_>, at: usize) -> usize {
    cells.begin_record();
    match scanner.judge(at, usize::MAX, cells) {
        Verdict::Good { end, next } if cells.overflows => {
            pass(scanner, cells, &Mark { start: at, end, next, kind: MarkKind::Fault(Fault::TooManyCells) })
        }
        Verdict::Good { end, next } => {
            cells.end_record(at..end, scanner.line_ends(at, end, next));
            next
        }
        Verdict::Malformed { end, next, fault } => {
            pass(scanner, cells, &Mark { start: at, end, next, kind: MarkKind::Fault(fault) })
        }
        Verdict::Comment { next } => {
            pass(scanner, cells, &Mark { start: at, end: next, next, kind: MarkKind::Comment })
        }
        // Not to be had without a limit, and at the end of the input.
        Verdict::TooLong | Verdict::More => scanner.bytes.len(),
    }
}

/// Steps over a record that has no cells.
fn pass(scanner: &mut Scanner<'_>, cells: &mut Collector<'_>, mark: &Mark) -> usize {
    let line_ends = scanner.rules.terminator.count(&scanner.bytes[mark.start..mark.next]);
    cells.reject(mark, line_ends);
    scanner.seek(mark.next);
    mark.next
}
