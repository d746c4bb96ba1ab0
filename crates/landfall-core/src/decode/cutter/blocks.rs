//! Blocks: where they end, and what the decoder must be told about their records.
//!
//! The shortcuts for bytes without quotes (`find_plain_end`, `find_stretch_end`) must cut where the state machine would.

use super::{Cutter, CutterStep, RecordScanner};
use crate::decode::{
    block::{Piece, RecordMark, RecordMarkKind, SourceBlock},
    judge::RecordVerdict,
    scan::IgnoredCells,
};

impl Cutter {
    pub(super) fn cut_piece(&mut self) -> CutterStep {
        if self.buffer.as_units().is_empty() {
            self.want = self.limits.block_bytes;
            return if self.finished { CutterStep::Done } else { CutterStep::Again };
        }
        match self.find_plain_end() {
            Some(end) => self.emit_block(end, None),
            None => self.scan_block(),
        }
    }

    /// Where to cut a block that the state machine need not read.
    fn find_plain_end(&self) -> Option<usize> {
        let units = self.buffer.as_units();
        let window = &units[..units.len().min(self.limits.block_bytes)];
        if self.counts_rows() || !self.rules.is_plain(window) {
            return None;
        }
        let most = self.rules.terminator.count_lines_up_to(window, self.limits.block_records).err();
        if most.is_none() && self.finished && window.len() == units.len() {
            return Some(window.len());
        }
        // A CR that is the last byte may have its LF to come.
        let lone_cr = || memchr::memrchr(b'\r', &window[..window.len() - 1]).map(|at| at + 1);
        most.or_else(|| memchr::memrchr(b'\n', window).map(|at| at + 1)).or_else(lone_cr)
    }

    /// Cuts a block by reading its records.
    fn scan_block(&mut self) -> CutterStep {
        let mut scanner = self.start_scanner();
        let (mut at, mut rows, mut marks) = (0, self.rows, Vec::new());
        let leaps = !self.counts_rows();
        let mut left = self.limits.block_records;
        let verdict = loop {
            if leaps && let Some((end, lines)) = self.find_stretch_end(&mut scanner, at, left) {
                scanner.seek_record(end);
                (at, left) = (end, left.saturating_sub(lines));
                if at == scanner.bytes.len() || left == 0 {
                    break RecordVerdict::More;
                }
            }
            let verdict = scanner.judge_record(at, self.limits.record_bytes, &mut IgnoredCells);
            let Some((end, next)) = verdict.record_ends() else { break verdict };
            rows += 1;
            left -= 1;
            marks.extend(self.classify_record(verdict, rows).map(|kind| RecordMark { start: at, end, next, kind }));
            at = next;
            let full = at >= self.limits.block_bytes || left == 0;
            if full || at == scanner.bytes.len() || self.reaches_skip(at) {
                break RecordVerdict::More;
            }
        };
        match verdict {
            _ if at > 0 => {
                self.rows = rows;
                self.emit_block(at, Some(marks))
            }
            RecordVerdict::TooLong => self.start_too_long(true, None),
            _ => self.widen_window(),
        }
    }

    /// Where a stretch of at most `most` records from `at` ends that the state machine need not read, and how many they are. None of
    /// them is longer than allowed.
    fn find_stretch_end(&self, scanner: &mut RecordScanner<'_>, at: usize, most: usize) -> Option<(usize, usize)> {
        let stop = (at + self.limits.record_bytes).min(self.limits.block_bytes).min(scanner.bytes.len());
        let end = scanner.find_plain_stretch(at, stop.saturating_sub(1))?;
        let records = &scanner.bytes[at..end];
        match self.rules.terminator.count_lines_up_to(records, most) {
            Ok(lines) => Some((end, lines)),
            Err(length) => Some((at + length, most)),
        }
    }

    /// What the decoder must be told about a record.
    fn classify_record(&self, verdict: RecordVerdict, row: u64) -> Option<RecordMarkKind> {
        match verdict {
            _ if self.is_comment_row(row) => Some(RecordMarkKind::Comment),
            RecordVerdict::Malformed { fault, .. } => Some(RecordMarkKind::Fault(fault)),
            _ => None,
        }
    }

    fn emit_block(&mut self, units: usize, marks: Option<Vec<RecordMark>>) -> CutterStep {
        let bytes = self.buffer.take_units(units);
        let block = SourceBlock { offset: self.offset, bytes, encoding: self.encoding, marks };
        self.offset += block.len() as u64;
        self.want = self.limits.block_bytes;
        CutterStep::Piece(Piece::Block(block))
    }

    /// Whether `units` from here is where a skip ends.
    fn reaches_skip(&self, units: usize) -> bool {
        self.offset < self.skip_to && self.offset + self.buffer.source_length(units) as u64 >= self.skip_to
    }
}
