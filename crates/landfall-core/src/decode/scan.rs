//! The state machine: from a record's first byte to its end, cell by cell.
//!
//! It is one machine for everybody. The cutter runs it without collecting cells, to find where records end; the
//! decoder runs it over a block to get the cells. So the two cannot disagree about what a quote means.
//!
//! Delicate, and to be changed together:
//! - What the machine says must never depend on where the bytes at hand happen to stop. Whenever the next byte could
//!   change the meaning (CR before LF, a quote before a quote, an escape before anything, half a custom terminator),
//!   it says [`Seen::Cut`] unless `last` tells that no byte follows. `Terminator::at` does the same for line ends.
//! - Every byte that the machine looks at must be among the needles of `Rules`.
//! - `Rules::is_plain` and `plain::cut` are the shortcut for blocks where no byte has two meanings, `Scanner::stretch` and
//!   `plain::extend` that for a part of a block: what they accept must come out as this machine would have it.
//! - Where a broken record ends, and that the time for finding it stays linear, is in `judge`.

use super::{events::Events, lines::LineEnd, rules::Rules};

/// Gets the cells of a record as the machine finds them.
pub(super) trait Cells {
    /// Takes the next cell.
    fn cell(&mut self, cell: Cell);
}

/// A cell within the bytes, without its quotes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) quoted: bool,
    /// Whether doubled quotes or escapes are to be taken away.
    pub(super) dirty: bool,
}

/// For those who only want to know where records end.
pub(super) struct NoCells;

impl Cells for NoCells {
    #[inline]
    fn cell(&mut self, _: Cell) {}
}

/// What the machine saw from a record's first byte on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// A record, where its line terminator starts and where the next record starts.
    Record { end: usize, next: usize },
    /// The quote at `open` is closed, and then at `at` comes neither a delimiter nor a line end.
    TextAfterQuote { open: usize, at: usize },
    /// The bytes end before the record does; within the quotes that `open`, if any.
    Cut { open: Option<usize> },
}

/// What an event outside quotes means.
enum Meaning {
    /// The cell ends here, and perhaps the record.
    Stop(Stop),
    Escape,
    Text,
    /// The bytes that would tell are still to come.
    Unknown,
}

/// Where a cell ends.
enum Stop {
    Delimiter(usize),
    Record(Seen),
}

/// The state machine over some bytes.
pub(super) struct Scanner<'a> {
    pub(super) rules: &'a Rules,
    pub(super) bytes: &'a [u8],
    /// Whether the input ends where the bytes end.
    pub(super) last: bool,
    /// Whether the record may have had a line end within quotes or after an escape.
    folded: bool,
    events: Events<'a>,
    leaps: Leaps,
}

/// When to look for a stretch that needs no machine: seldom where there was none of late.
struct Leaps {
    /// Records to pass before the next look.
    pause: u32,
    /// How many they are after a look in vain.
    patience: u32,
}

impl Leaps {
    /// Bytes from which a stretch is worth it. Tests, whose texts are short, take every one.
    const WORTH: usize = if cfg!(test) { 1 } else { 512 };
    const MOST_PATIENCE: u32 = if cfg!(test) { 2 } else { 64 };
}

impl<'a> Scanner<'a> {
    /// A machine that stands at the first of `bytes`.
    pub(super) fn new(rules: &'a Rules, bytes: &'a [u8], last: bool) -> Self {
        let leaps = Leaps { pause: 0, patience: 1 };
        Self { rules, bytes, last, folded: false, events: Events::new(bytes, &rules.needles), leaps }
    }

    /// Makes `start` the first byte of the next record.
    pub(super) fn seek(&mut self, start: usize) {
        self.events.seek(start);
    }

    /// Where a stretch of records ends that starts at `start` and needs no machine, since no quote or escape stands in it: after
    /// the last LF of it, and before `stop`. None where there is none that is worth it.
    pub(super) fn stretch(&mut self, start: usize, stop: usize) -> Option<usize> {
        if !self.rules.is_simple || self.rules.has_comments() {
            return None;
        }
        if self.leaps.pause > 0 {
            self.leaps.pause -= 1;
            return None;
        }
        let window = self.bytes.get(start..stop)?;
        let plain = self.rules.first_special(window).map_or(window, |special| &window[..special]);
        let end = memchr::memrchr(b'\n', plain).map(|at| at + 1).filter(|&length| length >= Leaps::WORTH);
        self.leaps.patience = if end.is_some() { 1 } else { (self.leaps.patience * 2).min(Leaps::MOST_PATIENCE) };
        self.leaps.pause = if end.is_some() { 0 } else { self.leaps.patience };
        end.map(|length| start + length)
    }

    /// Reads the record at `start`. The machine must stand there: after the record before, or after `seek`. It stands
    /// at the next record afterwards if it saw a record, and anywhere if not.
    #[inline]
    pub(super) fn record(&mut self, start: usize, cells: &mut impl Cells) -> Seen {
        self.folded = false;
        let mut at = start;
        loop {
            if let Some((cell, stop)) = self.quick_cell(at) {
                cells.cell(cell);
                if self.bytes[stop] == b'\n' {
                    return Seen::Record { end: stop, next: stop + 1 };
                }
                at = stop + 1;
                continue;
            }
            match self.cell(at, cells) {
                Stop::Delimiter(delimiter) => at = delimiter + 1,
                Stop::Record(seen) => return seen,
            }
        }
    }

    /// The number of line ends in the record that was read last, from `start` to `next`.
    #[inline]
    pub(super) fn line_ends(&self, start: usize, end: usize, next: usize) -> usize {
        if self.folded { self.rules.terminator.count(&self.bytes[start..next]) } else { usize::from(next > end) }
    }

    /// The cell at `at` and the delimiter or LF that ends it, where nothing is special about it: what nearly all cells
    /// are. Otherwise the machine stays where it stands. It must say the same as [`Self::cell`].
    #[inline]
    fn quick_cell(&mut self, at: usize) -> Option<(Cell, usize)> {
        if !self.rules.is_simple {
            return None;
        }
        let state = self.events.state();
        let quoted = self.bytes.get(at).is_some_and(|&byte| Some(byte) == self.rules.quote);
        let start = at + usize::from(quoted);
        if quoted {
            self.events.pass(start);
        }
        let found = self.events.next().and_then(|end| self.simple_end(start, end, quoted));
        if found.is_none() {
            self.events.go_back(state);
        }
        found
    }

    #[inline]
    fn simple_end(&mut self, start: usize, end: usize, quoted: bool) -> Option<(Cell, usize)> {
        let stop = end + usize::from(quoted);
        let stops = self.bytes.get(stop).is_some_and(|&byte| byte == self.rules.delimiter || byte == b'\n');
        if !stops || (quoted && Some(self.bytes[end]) != self.rules.quote) {
            return None;
        }
        if quoted {
            self.events.pass(stop + 1);
        }
        Some((Cell { start, end, quoted, dirty: false }, stop))
    }

    fn cell(&mut self, at: usize, cells: &mut impl Cells) -> Stop {
        let start = self.rules.cell_start(self.bytes, at);
        if start > at {
            self.events.pass(start);
        }
        match self.bytes.get(start) {
            Some(&byte) if Some(byte) == self.rules.quote => self.quoted(start, byte, cells),
            _ => self.unquoted(start, cells),
        }
    }

    #[inline]
    fn unquoted(&mut self, start: usize, cells: &mut impl Cells) -> Stop {
        let mut cell = Cell { start, end: self.bytes.len(), quoted: false, dirty: false };
        while let Some(at) = self.events.next() {
            match self.meaning(at) {
                Meaning::Text => {}
                Meaning::Stop(stop) => {
                    cell.end = at;
                    cells.cell(cell);
                    return stop;
                }
                Meaning::Escape if self.escaped(at) => cell.dirty = true,
                Meaning::Escape | Meaning::Unknown => return Stop::Record(Seen::Cut { open: None }),
            }
        }
        self.end_of_bytes(cell, cells)
    }

    #[inline]
    fn quoted(&mut self, open: usize, quote: u8, cells: &mut impl Cells) -> Stop {
        let mut dirty = false;
        self.events.pass(open + 1);
        while let Some(at) = self.events.next() {
            let byte = self.bytes[at];
            if byte == quote {
                if !(self.rules.double_quote && self.bytes.get(at + 1) == Some(&quote)) {
                    return self.closed(Cell { start: open + 1, end: at, quoted: true, dirty }, cells);
                }
                dirty = true;
                self.events.pass(at + 2);
            } else if Some(byte) == self.rules.escape {
                dirty = true;
                if !self.escaped(at) {
                    break;
                }
            } else {
                self.folded |= byte != self.rules.delimiter || self.rules.terminator.is_custom();
            }
        }
        Stop::Record(Seen::Cut { open: Some(open) })
    }

    /// What comes after the closing quote, which stands at the cell's end.
    #[inline]
    fn closed(&mut self, cell: Cell, cells: &mut impl Cells) -> Stop {
        let (open, at) = (cell.start - 1, cell.end + 1);
        if at == self.bytes.len() && self.last {
            return self.end_of_bytes(cell, cells);
        }
        if at == self.bytes.len() {
            return Stop::Record(Seen::Cut { open: Some(open) });
        }
        self.events.pass(at + 1);
        match self.meaning(at) {
            Meaning::Stop(stop) => {
                cells.cell(cell);
                stop
            }
            Meaning::Unknown => Stop::Record(Seen::Cut { open: Some(open) }),
            Meaning::Escape | Meaning::Text => Stop::Record(Seen::TextAfterQuote { open, at }),
        }
    }

    /// What the event at `at`, outside quotes, means.
    #[inline]
    fn meaning(&mut self, at: usize) -> Meaning {
        let byte = self.bytes[at];
        if byte == self.rules.delimiter && !self.rules.terminator.is_custom() {
            return Meaning::Stop(Stop::Delimiter(at));
        }
        match self.rules.terminator.at(self.bytes, at, self.last) {
            LineEnd::Next(next) => {
                self.events.pass(next);
                Meaning::Stop(Stop::Record(Seen::Record { end: at, next }))
            }
            LineEnd::Unknown => Meaning::Unknown,
            LineEnd::No if byte == self.rules.delimiter => Meaning::Stop(Stop::Delimiter(at)),
            LineEnd::No if Some(byte) == self.rules.escape => Meaning::Escape,
            LineEnd::No => Meaning::Text,
        }
    }

    /// The bytes end outside quotes.
    fn end_of_bytes(&self, cell: Cell, cells: &mut impl Cells) -> Stop {
        if !self.last {
            return Stop::Record(Seen::Cut { open: None });
        }
        cells.cell(cell);
        Stop::Record(Seen::Record { end: self.bytes.len(), next: self.bytes.len() })
    }

    /// Steps over what stands after the escape at `at`: one byte, or one line end. False where the bytes that would
    /// tell are still to come. An escape with nothing after it in the input is text.
    fn escaped(&mut self, at: usize) -> bool {
        let next = match self.rules.terminator.at(self.bytes, at + 1, self.last) {
            LineEnd::Unknown => return false,
            LineEnd::Next(next) => next,
            LineEnd::No if at + 1 == self.bytes.len() => return self.last,
            LineEnd::No => at + 2,
        };
        self.folded |= next > at + 2 || self.rules.terminator.starts().contains(&self.bytes[at + 1]);
        self.events.pass(next);
        true
    }
}
