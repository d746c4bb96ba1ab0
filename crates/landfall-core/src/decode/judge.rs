//! What becomes of a record: good, a comment, malformed, or longer than allowed. The rules of recovery are here.
//!
//! The rules, which depend on the input and the limit alone (never on how much of the input is at hand):
//! - A record with its line terminator is at most `limit` bytes long. Only these bytes are ever looked at to judge it.
//! - A malformed record is the physical line on which the offending quoted cell opened: from the record's first byte
//!   to the first line end after that quote. So one wrong quote costs one line.
//! - A quote that is still open at the limit is malformed by the same rule. What has no line end within the limit,
//!   and what is not in quotes at the limit, is too long.
//!
//! The time is linear even for hostile input. The machine leaves a quoted cell at the first odd run of quotes, and a
//! quote that opens a cell starts an odd run. So when it reads on to the limit from one open quote, there is no other
//! quote on the way that could open a cell, find no end, and make it read the same bytes again.

use super::{
    records::Fault,
    rules::Rules,
    scan::{Cell, Cells, NoCells, Scanner, Seen},
};

/// What becomes of a record. `end` is where its line terminator starts, `next` where the next record starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Good {
        end: usize,
        next: usize,
    },
    Comment {
        next: usize,
    },
    Malformed {
        end: usize,
        next: usize,
        fault: Fault,
    },
    TooLong,
    /// More bytes are needed to tell.
    More,
}

impl Verdict {
    /// Where the record ends and where the next one starts, if that is known.
    pub(super) fn ends(&self) -> Option<(usize, usize)> {
        match self {
            Self::Good { end, next } | Self::Malformed { end, next, .. } => Some((*end, *next)),
            Self::Comment { next } => Some((*next, *next)),
            Self::TooLong | Self::More => None,
        }
    }
}

/// Where the line ends on which a quote opened.
enum Line {
    Ends {
        end: usize,
        next: usize,
    },
    /// Not within the limit.
    Beyond,
    /// More bytes are needed to tell.
    More,
}

/// The two ways in which quotes can be wrong.
#[derive(Debug, Clone, Copy)]
enum Wrong {
    Unclosed,
    TextAfter,
}

impl Scanner<'_> {
    /// Judges the record at `start`, where the machine stands. It stands at the next record afterwards. Of a record
    /// that is not good, `cells` may have got some cells.
    #[inline]
    pub(super) fn judge(&mut self, start: usize, limit: usize, cells: &mut impl Cells) -> Verdict {
        if self.rules.has_comments() && self.rules.is_comment(&self.bytes[..self.stop(start, limit)], start) {
            return self.comment(start, limit);
        }
        match self.record(start, cells) {
            Seen::Record { end, next } if next - start < limit => Verdict::Good { end, next },
            seen => self.judge_closely(start, limit, seen),
        }
    }

    /// For records that are not good, or that come near the limit.
    #[cold]
    fn judge_closely(&mut self, start: usize, limit: usize, seen: Seen) -> Verdict {
        let within = self.bytes.len() - start <= limit;
        let verdict = match seen {
            Seen::TextAfterQuote { open, at } if at - start < limit => {
                self.broken(start, limit, open, Wrong::TextAfter)
            }
            _ if within && !self.last => Verdict::More,
            Seen::Cut { open: Some(open) } if within => self.broken(start, limit, open, Wrong::Unclosed),
            Seen::Record { end, next } if within => Verdict::Good { end, next },
            _ => self.judge_at_limit(start, limit),
        };
        self.seek_after(&verdict);
        verdict
    }

    /// Judges by the bytes up to the limit, after which the input goes on.
    fn judge_at_limit(&self, start: usize, limit: usize) -> Verdict {
        let mut scanner = Scanner::new(self.rules, &self.bytes[..self.stop(start, limit)], false);
        scanner.seek(start);
        match scanner.record(start, &mut NoCells) {
            Seen::Record { end, next } => Verdict::Good { end, next },
            Seen::TextAfterQuote { open, .. } => self.broken(start, limit, open, Wrong::TextAfter),
            Seen::Cut { open: Some(open) } => self.broken(start, limit, open, Wrong::Unclosed),
            Seen::Cut { open: None } => Verdict::TooLong,
        }
    }

    fn broken(&self, start: usize, limit: usize, open: usize, wrong: Wrong) -> Verdict {
        match self.line(start, limit, open) {
            Line::Ends { end, next } => {
                let column = column(self.rules, &self.bytes[..open], start);
                let fault = match wrong {
                    Wrong::Unclosed => Fault::UnclosedQuote { column },
                    Wrong::TextAfter => Fault::TextAfterQuote { column },
                };
                Verdict::Malformed { end, next, fault }
            }
            Line::Beyond => Verdict::TooLong,
            Line::More => Verdict::More,
        }
    }

    /// A comment is a physical line: quotes mean nothing in it.
    #[cold]
    fn comment(&mut self, start: usize, limit: usize) -> Verdict {
        let verdict = match self.line(start, limit, start) {
            Line::Ends { next, .. } => Verdict::Comment { next },
            Line::Beyond => Verdict::TooLong,
            Line::More => Verdict::More,
        };
        self.seek_after(&verdict);
        verdict
    }

    /// The first line end at or after `from`, for the record at `start`.
    fn line(&self, start: usize, limit: usize, from: usize) -> Line {
        let stop = self.stop(start, limit);
        let last = self.last && stop == self.bytes.len();
        match self.rules.terminator.find(&self.bytes[..stop], from, last) {
            Some((end, next)) => Line::Ends { end, next },
            None if last => Line::Ends { end: stop, next: stop },
            None if self.bytes.len() - start > limit => Line::Beyond,
            None => Line::More,
        }
    }

    /// Where the bytes end that may be looked at for the record at `start`.
    #[inline]
    fn stop(&self, start: usize, limit: usize) -> usize {
        start.saturating_add(limit).min(self.bytes.len())
    }

    fn seek_after(&mut self, verdict: &Verdict) {
        if let Some((_, next)) = verdict.ends() {
            self.seek(next);
        }
    }
}

/// The column of the cell that starts where `bytes` end, in the record at `start`.
fn column(rules: &Rules, bytes: &[u8], start: usize) -> u32 {
    struct Count(u32);
    impl Cells for Count {
        fn cell(&mut self, _: Cell) {
            self.0 += 1;
        }
    }
    let mut cells = Count(0);
    let mut scanner = Scanner::new(rules, bytes, true);
    scanner.seek(start);
    scanner.record(start, &mut cells);
    cells.0.saturating_sub(1)
}
