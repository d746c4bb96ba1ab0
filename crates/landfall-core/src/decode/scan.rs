//! The state machine: from a record's first byte to its end, cell by cell.
//!
//! It is one machine for everybody. The cutter runs it without collecting cells, to find where records end; the
//! decoder runs it over a block to get the cells. So the two cannot disagree about what a quote means.
//!
//! Delicate, and to be changed together:
//! - What the machine says must never depend on where the bytes at hand happen to stop. Whenever the next byte could
//!   change the meaning (CR before LF, a quote before a quote, an escape before anything, half a custom terminator),
//!   it says [`ScanOutcome::Cut`] unless `last` tells that no byte follows. `Terminator::match_at` does the same for line ends.
//! - Every byte that the machine looks at must be among the needles of `ScanRules`.
//! - `ScanRules::is_plain` and `plain::cut_plain_text` are the shortcut for blocks where no byte has two meanings, `RecordScanner::find_plain_stretch` and
//!   `plain::add_plain_cells` that for a part of a block: what they accept must come out as this machine would have it.
//! - Where a broken record ends, and that the time for finding it stays linear, is in `judge`.

use super::{events::NeedleEvents, lines::LineEnd, rules::ScanRules};

/// Gets the cells of a record as the machine finds them.
pub(super) trait CellSink {
    /// Takes the next cell.
    fn accept_cell(&mut self, cell: ScannedCell);
}

/// A cell within the bytes, without its quotes.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScannedCell {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) quoted: bool,
    /// Whether doubled quotes or escapes are to be taken away.
    pub(super) dirty: bool,
    /// Whether it holds a quote and does not begin with one.
    pub(super) stray: bool,
}

/// For those who only want to know where records end.
pub(super) struct IgnoredCells;

impl CellSink for IgnoredCells {
    #[inline]
    fn accept_cell(&mut self, _: ScannedCell) {}
}

/// What the machine saw from a record's first byte on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScanOutcome {
    /// A record, where its line terminator starts and where the next record starts.
    Record { end: usize, next: usize },
    /// The quote at `open` is closed, and then at `match_at` comes neither a delimiter nor a line end.
    TextAfterQuote { open: usize, at: usize },
    /// The bytes end before the record does; within the quotes that `open`, if any.
    Cut { open: Option<usize> },
}

/// What an event outside quotes means.
enum EventMeaning {
    /// The cell ends here, and perhaps the record.
    Stop(CellStop),
    Escape,
    Text,
    /// The bytes that would tell are still to come.
    Unknown,
}

/// Where a cell ends.
enum CellStop {
    /// At a delimiter, behind which the next cell begins at this position.
    Delimiter(usize),
    Record(ScanOutcome),
}

/// The state machine over some bytes.
pub(super) struct RecordScanner<'a> {
    pub(super) rules: &'a ScanRules,
    pub(super) bytes: &'a [u8],
    /// Whether the input ends where the bytes end.
    pub(super) last: bool,
    /// Whether the record may have had a line end within quotes or after an escape.
    folded: bool,
    events: NeedleEvents<'a>,
    leaps: StretchSchedule,
}

/// When to look for a stretch that needs no machine: seldom where there was none of late.
struct StretchSchedule {
    /// Records to pass before the next look.
    pause: u32,
    /// How many they are after a look in vain.
    patience: u32,
}

impl StretchSchedule {
    /// Bytes from which a stretch is worth it. Tests, whose texts are short, take every one.
    const WORTH: usize = if cfg!(test) { 1 } else { 512 };
    const MOST_PATIENCE: u32 = if cfg!(test) { 2 } else { 64 };
}

impl<'a> RecordScanner<'a> {
    /// A machine that stands at the first of `bytes`.
    pub(super) fn new(rules: &'a ScanRules, bytes: &'a [u8], last: bool) -> Self {
        let leaps = StretchSchedule { pause: 0, patience: 1 };
        Self { rules, bytes, last, folded: false, events: NeedleEvents::new(bytes, &rules.needles), leaps }
    }

    /// Makes `start` the first byte of the next record.
    pub(super) fn seek_record(&mut self, start: usize) {
        self.events.seek_to(start);
    }

    /// Where a stretch of records ends that starts at `start` and needs no machine, since no quote or escape stands in it: after
    /// the last LF of it, and before `stop`. None where there is none that is worth it.
    pub(super) fn find_plain_stretch(&mut self, start: usize, stop: usize) -> Option<usize> {
        if !self.rules.is_simple || self.rules.has_comments() {
            return None;
        }
        if self.leaps.pause > 0 {
            self.leaps.pause -= 1;
            return None;
        }
        let window = self.bytes.get(start..stop)?;
        let plain = self.rules.first_special(window).map_or(window, |special| &window[..special]);
        let end = memchr::memrchr(b'\n', plain).map(|at| at + 1).filter(|&length| length >= StretchSchedule::WORTH);
        self.leaps.patience =
            if end.is_some() { 1 } else { (self.leaps.patience * 2).min(StretchSchedule::MOST_PATIENCE) };
        self.leaps.pause = if end.is_some() { 0 } else { self.leaps.patience };
        end.map(|length| start + length)
    }

    /// Reads the record at `start`. The machine must stand there: after the record before, or after `seek_to`. It stands
    /// at the next record afterwards if it saw a record, and anywhere if not.
    #[inline]
    pub(super) fn scan_record(&mut self, start: usize, cells: &mut impl CellSink) -> ScanOutcome {
        self.folded = false;
        let mut at = start;
        loop {
            if let Some((cell, stop)) = self.scan_simple_cell(at) {
                cells.accept_cell(cell);
                if self.bytes[stop] == b'\n' {
                    return ScanOutcome::Record { end: stop, next: stop + 1 };
                }
                at = stop + 1;
                continue;
            }
            match self.scan_cell(at, cells) {
                CellStop::Delimiter(next) => at = next,
                CellStop::Record(seen) => return seen,
            }
        }
    }

    /// The number of line ends in the record that was read last, from `start` to `next`.
    #[inline]
    pub(super) fn count_line_ends(&self, start: usize, end: usize, next: usize) -> usize {
        if self.folded {
            self.rules.terminator.count_line_ends(&self.bytes[start..next])
        } else {
            usize::from(next > end)
        }
    }

    /// The cell at `at` and the delimiter or LF that ends it, where nothing is special about it: what nearly all cells
    /// are. Otherwise the machine stays where it stands. It must say the same as [`Self::accept_cell`].
    #[inline]
    fn scan_simple_cell(&mut self, at: usize) -> Option<(ScannedCell, usize)> {
        if !self.rules.is_simple {
            return None;
        }
        let state = self.events.save_position();
        let quoted = self.bytes.get(at).is_some_and(|&byte| Some(byte) == self.rules.quote);
        let start = at + usize::from(quoted);
        if quoted {
            self.events.skip_before(start);
        }
        let found = self.events.next().and_then(|end| self.finish_simple_cell(start, end, quoted));
        if found.is_none() {
            self.events.restore_position(state);
        }
        found
    }

    #[inline]
    fn finish_simple_cell(&mut self, start: usize, end: usize, quoted: bool) -> Option<(ScannedCell, usize)> {
        let stop = end + usize::from(quoted);
        let stops = self.bytes.get(stop).is_some_and(|&byte| byte == self.rules.delimiter || byte == b'\n');
        if !stops || (quoted && Some(self.bytes[end]) != self.rules.quote) {
            return None;
        }
        if quoted {
            self.events.skip_before(stop + 1);
        }
        Some((ScannedCell { start, end, quoted, dirty: false, stray: false }, stop))
    }

    fn scan_cell(&mut self, at: usize, cells: &mut impl CellSink) -> CellStop {
        let start = self.rules.skip_to_cell(self.bytes, at);
        if start > at {
            self.events.skip_before(start);
        }
        match self.bytes.get(start) {
            Some(&byte) if Some(byte) == self.rules.quote => self.scan_quoted(start, byte, cells),
            _ => self.scan_unquoted(start, cells),
        }
    }

    #[inline]
    fn scan_unquoted(&mut self, start: usize, cells: &mut impl CellSink) -> CellStop {
        let mut cell = ScannedCell { start, end: self.bytes.len(), quoted: false, dirty: false, stray: false };
        while let Some(at) = self.events.next() {
            match self.classify_event(at) {
                EventMeaning::Text => cell.stray |= Some(self.bytes[at]) == self.rules.quote,
                EventMeaning::Stop(stop) => {
                    cell.end = self.rules.trimmed_end(self.bytes, start, at);
                    cells.accept_cell(cell);
                    return stop;
                }
                EventMeaning::Escape if self.skip_escaped(at) => cell.dirty = true,
                EventMeaning::Escape | EventMeaning::Unknown => {
                    return CellStop::Record(ScanOutcome::Cut { open: None });
                }
            }
        }
        cell.end = self.rules.trimmed_end(self.bytes, start, cell.end);
        self.end_of_bytes(cell, cells)
    }

    #[inline]
    fn scan_quoted(&mut self, open: usize, quote: u8, cells: &mut impl CellSink) -> CellStop {
        let mut dirty = false;
        self.events.skip_before(open + 1);
        while let Some(at) = self.events.next() {
            let byte = self.bytes[at];
            if byte == quote {
                if !(self.rules.double_quote && self.bytes.get(at + 1) == Some(&quote)) {
                    let cell = ScannedCell { start: open + 1, end: at, quoted: true, dirty, stray: false };
                    return self.scan_after_quote(cell, cells);
                }
                dirty = true;
                self.events.skip_before(at + 2);
            } else if Some(byte) == self.rules.escape {
                dirty = true;
                if !self.skip_escaped(at) {
                    break;
                }
            } else {
                self.folded |= byte != self.rules.delimiter || self.rules.terminator.is_custom();
            }
        }
        CellStop::Record(ScanOutcome::Cut { open: Some(open) })
    }

    /// What comes after the closing quote, which stands at the cell's end.
    #[inline]
    fn scan_after_quote(&mut self, cell: ScannedCell, cells: &mut impl CellSink) -> CellStop {
        let open = cell.start - 1;
        // With `trim`, blanks may stand before the delimiter.
        let at = if self.rules.trim { self.rules.skip_to_cell(self.bytes, cell.end + 1) } else { cell.end + 1 };
        if at == self.bytes.len() && self.last {
            return self.end_of_bytes(cell, cells);
        }
        if at == self.bytes.len() {
            return CellStop::Record(ScanOutcome::Cut { open: Some(open) });
        }
        self.events.skip_before(at + 1);
        match self.classify_event(at) {
            EventMeaning::Stop(stop) => {
                cells.accept_cell(cell);
                stop
            }
            EventMeaning::Unknown => CellStop::Record(ScanOutcome::Cut { open: Some(open) }),
            EventMeaning::Escape | EventMeaning::Text => CellStop::Record(ScanOutcome::TextAfterQuote { open, at }),
        }
    }

    /// What the event at `match_at`, outside quotes, means.
    #[inline]
    fn classify_event(&mut self, at: usize) -> EventMeaning {
        let byte = self.bytes[at];
        if byte == self.rules.delimiter && !self.rules.terminator.is_custom() {
            return self.classify_delimiter(at);
        }
        match self.rules.terminator.match_at(self.bytes, at, self.last) {
            LineEnd::Next(next) => {
                self.events.skip_before(next);
                EventMeaning::Stop(CellStop::Record(ScanOutcome::Record { end: at, next }))
            }
            LineEnd::Unknown => EventMeaning::Unknown,
            LineEnd::No if byte == self.rules.delimiter => self.classify_delimiter(at),
            LineEnd::No if Some(byte) == self.rules.escape => EventMeaning::Escape,
            LineEnd::No => EventMeaning::Text,
        }
    }

    /// What the first byte of a delimiter, at `at` and outside quotes, means: without the others it is text.
    #[inline]
    fn classify_delimiter(&mut self, at: usize) -> EventMeaning {
        match self.rules.match_delimiter(self.bytes, at, self.last) {
            LineEnd::Next(next) => {
                // A long delimiter may hold its first byte once more.
                if next > at + 1 {
                    self.events.skip_before(next);
                }
                EventMeaning::Stop(CellStop::Delimiter(next))
            }
            LineEnd::Unknown => EventMeaning::Unknown,
            LineEnd::No => EventMeaning::Text,
        }
    }

    /// The bytes end outside quotes.
    fn end_of_bytes(&self, cell: ScannedCell, cells: &mut impl CellSink) -> CellStop {
        if !self.last {
            return CellStop::Record(ScanOutcome::Cut { open: None });
        }
        cells.accept_cell(cell);
        CellStop::Record(ScanOutcome::Record { end: self.bytes.len(), next: self.bytes.len() })
    }

    /// Steps over what stands after the escape at `match_at`: one byte, or one line end. False where the bytes that would
    /// tell are still to come. An escape with nothing after it in the input is text.
    fn skip_escaped(&mut self, at: usize) -> bool {
        let next = match self.rules.terminator.match_at(self.bytes, at + 1, self.last) {
            LineEnd::Unknown => return false,
            LineEnd::Next(next) => next,
            LineEnd::No if at + 1 == self.bytes.len() => return self.last,
            LineEnd::No => at + 2,
        };
        self.folded |= next > at + 2 || self.rules.terminator.first_bytes().contains(&self.bytes[at + 1]);
        self.events.skip_before(next);
        true
    }
}
