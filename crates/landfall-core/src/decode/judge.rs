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
    records::RecordFault,
    rules::ScanRules,
    scan::{CellSink, IgnoredCells, RecordScanner, ScanOutcome, ScannedCell},
};

/// What becomes of a record. `end` is where its line terminator starts, `next` where the next record starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RecordVerdict {
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
        fault: RecordFault,
    },
    TooLong,
    /// More bytes are needed to tell.
    More,
}

impl RecordVerdict {
    /// Where the record ends and where the next one starts, if that is known.
    pub(super) fn record_ends(&self) -> Option<(usize, usize)> {
        match self {
            Self::Good { end, next } | Self::Malformed { end, next, .. } => Some((*end, *next)),
            Self::Comment { next } => Some((*next, *next)),
            Self::TooLong | Self::More => None,
        }
    }
}

/// Where the line ends on which a quote opened.
enum QuoteLine {
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
enum QuoteFault {
    Unclosed,
    TextAfter,
}

impl RecordScanner<'_> {
    /// Judges the record at `start`, where the machine stands. It stands at the next record afterwards. Of a record
    /// that is not good, `cells` may have got some cells.
    #[inline]
    pub(super) fn judge_record(&mut self, start: usize, limit: usize, cells: &mut impl CellSink) -> RecordVerdict {
        if self.rules.has_comments() && self.rules.is_comment(&self.bytes[..self.scan_limit(start, limit)], start) {
            return self.judge_comment(start, limit);
        }
        match self.scan_record(start, cells) {
            ScanOutcome::Record { end, next } if next - start < limit => RecordVerdict::Good { end, next },
            seen => self.judge_closely(start, limit, seen),
        }
    }

    /// For records that are not good, or that come near the limit.
    #[cold]
    fn judge_closely(&mut self, start: usize, limit: usize, seen: ScanOutcome) -> RecordVerdict {
        let within = self.bytes.len() - start <= limit;
        let verdict = match seen {
            ScanOutcome::TextAfterQuote { open, at } if at - start < limit => {
                self.judge_broken_quote(start, limit, open, QuoteFault::TextAfter)
            }
            _ if within && !self.last => RecordVerdict::More,
            ScanOutcome::Cut { open: Some(open) } if within => {
                self.judge_broken_quote(start, limit, open, QuoteFault::Unclosed)
            }
            ScanOutcome::Record { end, next } if within => RecordVerdict::Good { end, next },
            _ => self.judge_at_limit(start, limit),
        };
        self.seek_after(&verdict);
        verdict
    }

    /// Judges by the bytes up to the limit, after which the input goes on.
    fn judge_at_limit(&self, start: usize, limit: usize) -> RecordVerdict {
        let mut scanner = RecordScanner::new(self.rules, &self.bytes[..self.scan_limit(start, limit)], false);
        scanner.seek_record(start);
        match scanner.scan_record(start, &mut IgnoredCells) {
            ScanOutcome::Record { end, next } => RecordVerdict::Good { end, next },
            ScanOutcome::TextAfterQuote { open, .. } => {
                self.judge_broken_quote(start, limit, open, QuoteFault::TextAfter)
            }
            ScanOutcome::Cut { open: Some(open) } => self.judge_broken_quote(start, limit, open, QuoteFault::Unclosed),
            ScanOutcome::Cut { open: None } => RecordVerdict::TooLong,
        }
    }

    fn judge_broken_quote(&self, start: usize, limit: usize, open: usize, wrong: QuoteFault) -> RecordVerdict {
        match self.find_line_end(start, limit, open) {
            QuoteLine::Ends { end, next } => {
                let column = column_of_cell(self.rules, &self.bytes[..open], start);
                let fault = match wrong {
                    QuoteFault::Unclosed => RecordFault::UnclosedQuote { column },
                    QuoteFault::TextAfter => RecordFault::TextAfterQuote { column },
                };
                RecordVerdict::Malformed { end, next, fault }
            }
            QuoteLine::Beyond => RecordVerdict::TooLong,
            QuoteLine::More => RecordVerdict::More,
        }
    }

    /// A comment is a physical line: quotes mean nothing in it.
    #[cold]
    fn judge_comment(&mut self, start: usize, limit: usize) -> RecordVerdict {
        let verdict = match self.find_line_end(start, limit, start) {
            QuoteLine::Ends { next, .. } => RecordVerdict::Comment { next },
            QuoteLine::Beyond => RecordVerdict::TooLong,
            QuoteLine::More => RecordVerdict::More,
        };
        self.seek_after(&verdict);
        verdict
    }

    /// The first line end at or after `from`, for the record at `start`.
    fn find_line_end(&self, start: usize, limit: usize, from: usize) -> QuoteLine {
        let stop = self.scan_limit(start, limit);
        let last = self.last && stop == self.bytes.len();
        match self.rules.terminator.find(&self.bytes[..stop], from, last) {
            Some((end, next)) => QuoteLine::Ends { end, next },
            None if last => QuoteLine::Ends { end: stop, next: stop },
            None if self.bytes.len() - start > limit => QuoteLine::Beyond,
            None => QuoteLine::More,
        }
    }

    /// Where the bytes end that may be looked at for the record at `start`.
    #[inline]
    fn scan_limit(&self, start: usize, limit: usize) -> usize {
        start.saturating_add(limit).min(self.bytes.len())
    }

    fn seek_after(&mut self, verdict: &RecordVerdict) {
        if let Some((_, next)) = verdict.record_ends() {
            self.seek_record(next);
        }
    }
}

/// The column of the cell that starts where `bytes` end, in the record at `start`.
fn column_of_cell(rules: &ScanRules, bytes: &[u8], start: usize) -> u32 {
    struct CellCounter(u32);
    impl CellSink for CellCounter {
        fn accept_cell(&mut self, _: ScannedCell) {
            self.0 += 1;
        }
    }
    let mut cells = CellCounter(0);
    let mut scanner = RecordScanner::new(rules, bytes, true);
    scanner.seek_record(start);
    scanner.scan_record(start, &mut cells);
    cells.0.saturating_sub(1)
}
