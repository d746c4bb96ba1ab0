//! The cutter: bytes in, pieces of whole records out.
//!
//! It is sequential and does no I/O. Where it cuts depends on the bytes alone: it only acts when it holds as many as it
//! wants (`want`) or when there are no more, so the sizes of reads cannot matter. A block without quotes and escapes
//! is cut at its last line end; any other is read by the state machine (`scan`, `judge`), and what only the cutter can
//! know (which records are malformed, because of what follows them) goes with the block as marks.

mod blocks;
mod too_long;

use super::{
    block::{Piece, TooLong},
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
/// use landfall_core::{decode::{Cutter, CutterLimits}, schema::{Dialect, Encoding}};
///
/// let mut cutter = Cutter::new(&Dialect::default(), Encoding::Utf8, CutterLimits::default());
/// let mut input: &[u8] = b"id,name\n1,Al\n2,Bo\n";
/// let mut pieces = Vec::new();
/// while let Some(piece) = cutter.read_piece(|space| std::io::Read::read(&mut input, space))? {
///     pieces.push(piece);
/// }
/// assert_eq!(cutter.header_labels(), Some(&["id".to_string(), "name".to_string()][..]));
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
        let (units, texts) = UnitReader::new(dialect, encoding);
        let limits = limits.clamp_to_units(unit_width(encoding));
        Self {
            dialect: dialect.clone(),
            encoding,
            rules: ScanRules::new(dialect, &texts.delimiter, texts.terminator),
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

    /// Reads the source on by one call of `read`, which fills a part of the space that it is given and says how many bytes; none at the end
    /// of the source.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn fill_with<E>(&mut self, read: impl FnOnce(&mut [u8]) -> Result<usize, E>) -> Result<(), E> {
        match read(self.input_space())? {
            0 => self.finish_input(),
            filled => self.mark_filled(filled),
        }
        Ok(())
    }

    /// The next piece of the source that `read` reads, as [`Self::fill_with`] says; none at its end.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn read_piece<E>(&mut self, mut read: impl FnMut(&mut [u8]) -> Result<usize, E>) -> Result<Option<Piece>, E> {
        loop {
            match self.next_piece() {
                Some(piece) => return Ok(Some(piece)),
                None if self.finished => return Ok(None),
                None => self.fill_with(&mut read)?,
            }
        }
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
            // Its quotes may be text: the decoder tells, and has the fault otherwise.
            RecordVerdict::Malformed { end, next, .. } if self.rules.reads_literal_quotes => {
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
}
