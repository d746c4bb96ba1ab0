//! The cutter: bytes in, pieces of whole records out.
//!
//! It is sequential and does no I/O. Where it cuts depends on the bytes alone: it only acts when it holds as many as it
//! wants (`want`) or when there are no more, so the sizes of reads cannot matter. A block without quotes and escapes
//! is cut at its last line end; any other is read by the state machine (`scan_block`, `judge_record`), and what only the cutter can
//! know (which records are malformed, because of what follows them) goes with the block as marks.

use super::{
    block::{Piece, RecordMark, RecordMarkKind, SourceBlock, TooLong},
    buffer::InputBuffer,
    decoder::Decoder,
    header::{DataStart, HeaderCollector, HeaderFault},
    judge::RecordVerdict,
    limits::CutterLimits,
    rules::ScanRules,
    scan::{IgnoredCells, RecordScanner},
    units::{UnitReader, read_byte_order_mark, unit_width},
};
use crate::schema::{Dialect, Encoding};

/// Cuts a source into pieces of whole records.
///
/// ```
/// use landfall_core::{decode::{Cutter, Limits, Piece}, schema::{Dialect, Encoding}};
///
/// let mut cutter = Cutter::new(&Dialect::default(), Encoding::Utf8, Limits::default());
/// let mut input: &[u8] = b"id,name\n1,Al\n2,Bo\n";
/// let mut pieces = Vec::new();
/// loop {
///     while let Some(piece) = cutter.next_piece() {
///         pieces.push(piece);
///     }
///     let read = std::io::Read::read(&mut input, cutter.space())?;
///     if read > 0 {
///         cutter.filled(read);
///     } else if cutter.is_finished() {
///         break;
///     } else {
///         cutter.finish();
///     }
/// }
/// assert_eq!(cutter.header(), Some(&["id".to_string(), "name".to_string()][..]));
/// assert_eq!((pieces[0].offset(), pieces[0].len()), (8, 10));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Cutter {
    dialect: Dialect,
    encoding: Encoding,
    rules: ScanRules,
    units: UnitReader,
    limits: CutterLimits,
    buffer: InputBuffer,
    stage: CutterStage,
    /// No byte will follow those held.
    finished: bool,
    /// The number of units to hold before the next step.
    want: usize,
    /// The offset of the first byte held.
    offset: u64,
    /// The number of records passed, as long as it matters.
    rows: u64,
    header: HeaderCollector,
    data_start: Option<DataStart>,
    /// What stands before this offset is not handed out.
    skip_to: u64,
}

#[derive(Debug)]
enum CutterStage {
    /// Before the byte order mark.
    Mark,
    /// Before the end of the header.
    Header(DataStart),
    Data,
    /// Within a record that is longer than allowed; of the header, where its start is given.
    TooLong(TooLong, Option<DataStart>),
}

enum CutterStep {
    Piece(Piece),
    Again,
    Done,
}

impl Cutter {
    /// A cutter at the start of a source. Limits beyond what is possible are brought into their range.
    #[must_use]
    pub fn new(dialect: &Dialect, encoding: Encoding, limits: CutterLimits) -> Self {
        let (units, terminator) = UnitReader::new(dialect, encoding);
        let limits = limits.clamp_to_units(unit_width(encoding));
        Self {
            dialect: dialect.clone(),
            encoding,
            rules: ScanRules::new(dialect, terminator),
            units,
            limits,
            buffer: InputBuffer::new(),
            stage: CutterStage::Mark,
            finished: false,
            want: limits.block_bytes.max(4),
            offset: 0,
            rows: 0,
            header: HeaderCollector::new(dialect),
            data_start: None,
            skip_to: 0,
        }
    }

    /// Room for the next bytes of the source, never empty. Say with [`Self::mark_filled`] how many there were.
    pub fn input_space(&mut self) -> &mut [u8] {
        self.buffer.reserve_space(self.want)
    }

    /// The first `bytes` bytes of the space are filled.
    pub fn mark_filled(&mut self, bytes: usize) {
        if !self.finished {
            self.buffer.mark_filled(bytes);
        }
    }

    /// Copies as many of `bytes` as there is space for, and says how many. Take the pieces before you feed the rest.
    pub fn feed_bytes(&mut self, bytes: &[u8]) -> usize {
        let space = self.input_space();
        let taken = bytes.len().min(space.len());
        space[..taken].copy_from_slice(&bytes[..taken]);
        self.mark_filled(taken);
        taken
    }

    /// The source has no more bytes: what is held are the last pieces.
    pub fn finish_input(&mut self) {
        if !self.finished {
            self.finished = true;
            self.buffer.finish_input();
        }
    }

    /// Whether the source has no more bytes.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// The labels of the header, once it is read: each trimmed, and those of several rows joined. None where there is
    /// no header, or it cannot be read.
    #[must_use]
    pub fn header_labels(&self) -> Option<&[String]> {
        self.data_start.and_then(|_| self.header.joined_labels())
    }

    /// Why the header cannot be read.
    #[must_use]
    pub fn header_fault(&self) -> Option<&HeaderFault> {
        self.header.fault.as_ref()
    }

    /// Where the data start, once the header is read (or known not to be there).
    #[must_use]
    pub fn data_start(&self) -> Option<DataStart> {
        self.data_start
    }

    /// The encoding, with the byte order once the mark is read.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Leaves out what stands before `offset`, which must be the start of a piece or a record. The header is read
    /// nevertheless.
    pub fn skip_to(&mut self, offset: u64) {
        self.skip_to = offset;
    }

    /// The next piece, or none where more bytes are needed (or, once finished, where there are no more).
    pub fn next_piece(&mut self) -> Option<Piece> {
        while self.finished || self.buffer.as_units().len() >= self.want {
            match self.take_step() {
                CutterStep::Piece(piece) if piece.offset() < self.skip_to => {}
                CutterStep::Piece(piece) => return Some(piece),
                CutterStep::Again => {}
                CutterStep::Done => return None,
            }
        }
        None
    }

    fn take_step(&mut self) -> CutterStep {
        match self.stage {
            CutterStage::Mark => self.read_mark(),
            CutterStage::Header(start) => self.read_header(start),
            CutterStage::TooLong(record, header) => self.pass_too_long(record, header),
            CutterStage::Data if self.offset < self.skip_to && !self.counts_rows() => self.skip_bytes(),
            CutterStage::Data => self.cut_piece(),
        }
    }

    fn read_mark(&mut self) -> CutterStep {
        let (mark, encoding) = read_byte_order_mark(self.buffer.as_source(), self.encoding);
        self.encoding = encoding;
        self.consume_units(mark);
        self.buffer.set_encoding(encoding, std::mem::take(&mut self.units));
        if self.finished {
            self.buffer.finish_input();
        }
        self.stage = CutterStage::Header(DataStart::default());
        CutterStep::Again
    }

    fn read_header(&mut self, start: DataStart) -> CutterStep {
        if self.header.is_complete() || (self.finished && self.buffer.as_units().is_empty()) {
            return self.start_data(start);
        }
        let verdict = self.start_scanner().judge_record(0, self.limits.record_bytes, &mut IgnoredCells);
        let row = self.rows + 1;
        let blank = matches!(verdict, RecordVerdict::Good { end: 0, .. });
        let wanted = self.header.is_header_row(row, blank) && !self.is_comment_row(row);
        let next = match verdict {
            RecordVerdict::More => return self.widen_window(),
            RecordVerdict::TooLong => return self.start_too_long(wanted, Some(start)),
            RecordVerdict::Comment { next } => next,
            RecordVerdict::Good { next, .. } | RecordVerdict::Malformed { next, .. } if !wanted => next,
            RecordVerdict::Good { end, next } => {
                self.add_header_record(end);
                next
            }
            RecordVerdict::Malformed { next, fault, .. } => {
                self.header.note_fault(HeaderFault::Malformed(fault));
                next
            }
        };
        let line_ends = start.line_ends + self.rules.terminator.count_line_ends(&self.buffer.as_units()[..next]) as u64;
        self.rows = row;
        self.consume_units(next);
        self.stage = CutterStage::Header(DataStart { line_ends, ..start });
        CutterStep::Again
    }

    fn add_header_record(&mut self, end: usize) {
        let raw = &self.buffer.as_source()[..self.buffer.source_length(end)];
        self.header.add_record(&Decoder::new(&self.dialect, self.encoding).decode_record(raw));
    }

    fn start_data(&mut self, start: DataStart) -> CutterStep {
        self.data_start = Some(DataStart { offset: self.offset, ..start });
        self.stage = CutterStage::Data;
        CutterStep::Again
    }

    fn skip_bytes(&mut self) -> CutterStep {
        let far = usize::try_from(self.skip_to - self.offset).unwrap_or(usize::MAX).div_ceil(unit_width(self.encoding));
        let held = self.buffer.as_units().len();
        self.consume_units(far.min(held));
        self.want = self.limits.block_bytes;
        if self.finished && far >= held { CutterStep::Done } else { CutterStep::Again }
    }

    fn cut_piece(&mut self) -> CutterStep {
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

    /// Starts to pass by the record at hand: its bytes are not kept. Its end is the first line end that is not wholly
    /// within the limit.
    fn start_too_long(&mut self, record: bool, header: Option<DataStart>) -> CutterStep {
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

    fn pass_too_long(&mut self, mut record: TooLong, header: Option<DataStart>) -> CutterStep {
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

    fn start_scanner(&self) -> RecordScanner<'_> {
        RecordScanner::new(&self.rules, self.buffer.as_units(), self.finished)
    }

    /// The record at hand does not end in what is held: twice as much is wanted.
    fn widen_window(&mut self) -> CutterStep {
        let held = self.buffer.as_units().len();
        self.want = (held * 2).min(self.limits.record_bytes + 1).max(held + 1);
        CutterStep::Again
    }

    fn consume_units(&mut self, units: usize) {
        self.offset += self.buffer.source_length(units) as u64;
        self.buffer.drop_front(units);
    }

    /// Whether records must be counted, because one that is still to come is a comment by its number.
    fn counts_rows(&self) -> bool {
        self.dialect.comment_rows.iter().any(|&row| row > self.rows)
    }

    fn is_comment_row(&self, row: u64) -> bool {
        self.dialect.comment_rows.contains(&row)
    }

    /// Whether `units` from here is where a skip ends.
    fn reaches_skip(&self, units: usize) -> bool {
        self.offset < self.skip_to && self.offset + self.buffer.source_length(units) as u64 >= self.skip_to
    }
}
