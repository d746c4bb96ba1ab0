//! Records that are longer than allowed: their bytes are passed by, and only their length and lines are known.

use super::{Cutter, CutterStage, CutterStep};
use crate::decode::{
    block::{Piece, TooLong},
    header::{DataStart, HeaderFault},
};

impl Cutter {
    /// Starts to pass by the record at hand: its bytes are not kept. Its end is the first line end that is not wholly
    /// within the limit.
    pub(super) fn start_too_long(&mut self, record: bool, header: Option<DataStart>) -> CutterStep {
        let units = self.buffer.as_units();
        let comment = self.rules.is_comment(units, 0) || self.is_comment_row(self.rows + 1);
        let within = (self.limits.record_bytes + 1).saturating_sub(self.rules.terminator.max_length());
        let within =
            within.min(units.len()) + usize::from(self.rules.terminator.splits_crlf(units, within.min(units.len())));
        let line_ends = self.rules.terminator.count_line_ends(&units[..within]) as u64;
        if header.is_some() && record && !comment {
            self.header.note_fault(HeaderFault::TooLong);
        }
        self.rows += 1;
        let len = self.buffer.source_length(within) as u64;
        self.stage =
            CutterStage::TooLong(TooLong { offset: self.offset, len, terminator_len: 0, line_ends, comment }, header);
        self.consume_units(within);
        CutterStep::Again
    }

    pub(super) fn pass_too_long(&mut self, mut record: TooLong, header: Option<DataStart>) -> CutterStep {
        let units = self.buffer.as_units();
        let terminator = self.rules.terminator.find(units, 0, self.finished);
        let found = terminator.map(|(_, next)| next);
        let kept = self.rules.terminator.max_length() - 1;
        let passed = match found {
            Some(next) => next,
            None if self.finished => units.len(),
            None => units.len().saturating_sub(kept),
        };
        record.len += self.buffer.source_length(passed) as u64;
        record.line_ends += u64::from(found.is_some());
        if let Some((at, next)) = terminator {
            record.terminator_len = (self.buffer.source_length(next) - self.buffer.source_length(at)) as u64;
        }
        self.consume_units(passed);
        self.want = self.buffer.as_units().len().min(kept) + self.limits.block_bytes;
        if found.is_none() && !self.finished {
            self.stage = CutterStage::TooLong(record, header);
            return CutterStep::Again;
        }
        let Some(start) = header else {
            self.stage = CutterStage::Data;
            return CutterStep::Piece(Piece::TooLong(record));
        };
        self.stage = CutterStage::Header(DataStart { line_ends: start.line_ends + record.line_ends, ..start });
        CutterStep::Again
    }
}
