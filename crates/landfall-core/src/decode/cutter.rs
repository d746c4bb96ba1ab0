//! The cutter: bytes in, pieces of whole records out.
//!
//! It is sequential and does no I/O. Where it cuts depends on the bytes alone: it only acts when it holds as many as it
//! wants (`want`) or when there are no more, so the sizes of reads cannot matter. A block without quotes and escapes
//! is cut at its last line end; any other is read by the state machine (`scan`, `judge`), and what only the cutter can
//! know (which records are malformed, because of what follows them) goes with the block as marks.

use super::{
    block::{Block, Mark, MarkKind, Piece, TooLong},
    buffer::Buffer,
    decoder::Decoder,
    header::{DataStart, Header, HeaderFault},
    judge::Verdict,
    limits::Limits,
    rules::Rules,
    scan::{NoCells, Scanner},
    units::{Units, read_mark, width},
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
    rules: Rules,
    units: Units,
    limits: Limits,
    buffer: Buffer,
    stage: Stage,
    /// No byte will follow those held.
    finished: bool,
    /// The number of units to hold before the next step.
    want: usize,
    /// The offset of the first byte held.
    offset: u64,
    /// The number of records passed, as long as it matters.
    rows: u64,
    header: Header,
    data_start: Option<DataStart>,
    /// What stands before this offset is not handed out.
    skip_to: u64,
}

#[derive(Debug)]
enum Stage {
    /// Before the byte order mark.
    Mark,
    /// Before the end of the header.
    Header(DataStart),
    Data,
    /// Within a record that is longer than allowed; of the header, where its start is given.
    TooLong(TooLong, Option<DataStart>),
}

enum Step {
    Piece(Piece),
    Again,
    Done,
}

impl Cutter {
    /// A cutter at the start of a source. Limits beyond what is possible are brought into their range.
    #[must_use]
    pub fn new(dialect: &Dialect, encoding: Encoding, limits: Limits) -> Self {
        let (units, terminator) = Units::new(dialect, encoding);
        let limits = limits.in_units(width(encoding));
        Self {
            dialect: dialect.clone(),
            encoding,
            rules: Rules::new(dialect, terminator),
            units,
            limits,
            buffer: Buffer::new(),
            stage: Stage::Mark,
            finished: false,
            want: limits.block_bytes.max(4),
            offset: 0,
            rows: 0,
            header: Header::new(dialect),
            data_start: None,
            skip_to: 0,
        }
    }

    /// Room for the next bytes of the source, never empty. Say with [`Self::filled`] how many there were.
    pub fn space(&mut self) -> &mut [u8] {
        self.buffer.space(self.want)
    }

    /// The first `bytes` bytes of the space are filled.
    pub fn filled(&mut self, bytes: usize) {
        if !self.finished {
            self.buffer.fill(bytes);
        }
    }

    /// Copies as many of `bytes` as there is space for, and says how many. Take the pieces before you feed the rest.
    pub fn feed(&mut self, bytes: &[u8]) -> usize {
        let space = self.space();
        let taken = bytes.len().min(space.len());
        space[..taken].copy_from_slice(&bytes[..taken]);
        self.filled(taken);
        taken
    }

    /// The source has no more bytes: what is held are the last pieces.
    pub fn finish(&mut self) {
        if !self.finished {
            self.finished = true;
            self.buffer.finish();
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
    pub fn header(&self) -> Option<&[String]> {
        self.data_start.and_then(|_| self.header.labels())
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
        while self.finished || self.buffer.units().len() >= self.want {
            match self.step() {
                Step::Piece(piece) if piece.offset() < self.skip_to => {}
                Step::Piece(piece) => return Some(piece),
                Step::Again => {}
                Step::Done => return None,
            }
        }
        None
    }

    fn step(&mut self) -> Step {
        match self.stage {
            Stage::Mark => self.read_mark(),
            Stage::Header(start) => self.read_header(start),
            Stage::TooLong(record, header) => self.pass_too_long(record, header),
            Stage::Data if self.offset < self.skip_to && !self.counts_rows() => self.skip(),
            Stage::Data => self.cut(),
        }
    }

    fn read_mark(&mut self) -> Step {
        let (mark, encoding) = read_mark(self.buffer.source(), self.encoding);
        self.encoding = encoding;
        self.consume(mark);
        self.buffer.set_encoding(encoding, std::mem::take(&mut self.units));
        if self.finished {
            self.buffer.finish();
        }
        self.stage = Stage::Header(DataStart::default());
        Step::Again
    }

    fn read_header(&mut self, start: DataStart) -> Step {
        if self.header.is_complete() || (self.finished && self.buffer.units().is_empty()) {
            return self.start_data(start);
        }
        let verdict = self.scanner().judge(0, self.limits.record_bytes, &mut NoCells);
        let row = self.rows + 1;
        let blank = matches!(verdict, Verdict::Good { end: 0, .. });
        let wanted = self.header.wants(row, blank) && !self.is_comment_row(row);
        let next = match verdict {
            Verdict::More => return self.want_more(),
            Verdict::TooLong => return self.start_too_long(wanted, Some(start)),
            Verdict::Comment { next } => next,
            Verdict::Good { next, .. } | Verdict::Malformed { next, .. } if !wanted => next,
            Verdict::Good { end, next } => {
                self.add_header(end);
                next
            }
            Verdict::Malformed { next, fault, .. } => {
                self.header.fail(HeaderFault::Malformed(fault));
                next
            }
        };
        let line_ends = start.line_ends + self.rules.terminator.count(&self.buffer.units()[..next]) as u64;
        self.rows = row;
        self.consume(next);
        self.stage = Stage::Header(DataStart { line_ends, ..start });
        Step::Again
    }

    fn add_header(&mut self, end: usize) {
        let raw = &self.buffer.source()[..self.buffer.bytes_of(end)];
        self.header.add(&Decoder::new(&self.dialect, self.encoding).decode_record(raw));
    }

    fn start_data(&mut self, start: DataStart) -> Step {
        self.data_start = Some(DataStart { offset: self.offset, ..start });
        self.stage = Stage::Data;
        Step::Again
    }

    fn skip(&mut self) -> Step {
        let far = usize::try_from(self.skip_to - self.offset).unwrap_or(usize::MAX).div_ceil(width(self.encoding));
        let held = self.buffer.units().len();
        self.consume(far.min(held));
        self.want = self.limits.block_bytes;
        if self.finished && far >= held { Step::Done } else { Step::Again }
    }

    fn cut(&mut self) -> Step {
        if self.buffer.units().is_empty() {
            self.want = self.limits.block_bytes;
            return if self.finished { Step::Done } else { Step::Again };
        }
        match self.plain_end() {
            Some(end) => self.block(end, None),
            None => self.scan(),
        }
    }

    /// Where to cut a block that the state machine need not read.
    fn plain_end(&self) -> Option<usize> {
        let units = self.buffer.units();
        let window = &units[..units.len().min(self.limits.block_bytes)];
        if self.counts_rows() || !self.rules.is_plain(window) {
            return None;
        }
        let most = self.rules.terminator.lines_up_to(window, self.limits.block_records).err();
        if most.is_none() && self.finished && window.len() == units.len() {
            return Some(window.len());
        }
        // A CR that is the last byte may have its LF to come.
        let lone_cr = || memchr::memrchr(b'\r', &window[..window.len() - 1]).map(|at| at + 1);
        most.or_else(|| memchr::memrchr(b'\n', window).map(|at| at + 1)).or_else(lone_cr)
    }

    /// Cuts a block by reading its records.
    fn scan(&mut self) -> Step {
        let mut scanner = self.scanner();
        let (mut at, mut rows, mut marks) = (0, self.rows, Vec::new());
        let leaps = !self.counts_rows();
        let mut left = self.limits.block_records;
        let verdict = loop {
            if leaps && let Some((end, lines)) = self.stretch(&mut scanner, at, left) {
                scanner.seek(end);
                (at, left) = (end, left.saturating_sub(lines));
                if at == scanner.bytes.len() || left == 0 {
                    break Verdict::More;
                }
            }
            let verdict = scanner.judge(at, self.limits.record_bytes, &mut NoCells);
            let Some((end, next)) = verdict.ends() else { break verdict };
            rows += 1;
            left -= 1;
            marks.extend(self.mark(verdict, rows).map(|kind| Mark { start: at, end, next, kind }));
            at = next;
            let full = at >= self.limits.block_bytes || left == 0;
            if full || at == scanner.bytes.len() || self.reaches_skip(at) {
                break Verdict::More;
            }
        };
        match verdict {
            _ if at > 0 => {
                self.rows = rows;
                self.block(at, Some(marks))
            }
            Verdict::TooLong => self.start_too_long(true, None),
            _ => self.want_more(),
        }
    }

    /// Where a stretch of at most `most` records from `at` ends that the state machine need not read, and how many they are. None of
    /// them is longer than allowed.
    fn stretch(&self, scanner: &mut Scanner<'_>, at: usize, most: usize) -> Option<(usize, usize)> {
        let stop = (at + self.limits.record_bytes).min(self.limits.block_bytes).min(scanner.bytes.len());
        let end = scanner.stretch(at, stop.saturating_sub(1))?;
        let records = &scanner.bytes[at..end];
        match self.rules.terminator.lines_up_to(records, most) {
            Ok(lines) => Some((end, lines)),
            Err(length) => Some((at + length, most)),
        }
    }

    /// What the decoder must be told about a record.
    fn mark(&self, verdict: Verdict, row: u64) -> Option<MarkKind> {
        match verdict {
            _ if self.is_comment_row(row) => Some(MarkKind::Comment),
            Verdict::Malformed { fault, .. } => Some(MarkKind::Fault(fault)),
            _ => None,
        }
    }

    fn block(&mut self, units: usize, marks: Option<Vec<Mark>>) -> Step {
        let bytes = self.buffer.take(units);
        let block = Block { offset: self.offset, bytes, encoding: self.encoding, marks };
        self.offset += block.len() as u64;
        self.want = self.limits.block_bytes;
        Step::Piece(Piece::Block(block))
    }

    /// Starts to pass by the record at hand: its bytes are not kept. Its end is the first line end that is not wholly
    /// within the limit.
    fn start_too_long(&mut self, record: bool, header: Option<DataStart>) -> Step {
        let units = self.buffer.units();
        let comment = self.rules.is_comment(units, 0) || self.is_comment_row(self.rows + 1);
        let within = (self.limits.record_bytes + 1).saturating_sub(self.rules.terminator.longest());
        let within =
            within.min(units.len()) + usize::from(self.rules.terminator.splits(units, within.min(units.len())));
        let line_ends = self.rules.terminator.count(&units[..within]) as u64;
        if header.is_some() && record && !comment {
            self.header.fail(HeaderFault::TooLong);
        }
        self.rows += 1;
        let len = self.buffer.bytes_of(within) as u64;
        self.stage =
            Stage::TooLong(TooLong { offset: self.offset, len, terminator_len: 0, line_ends, comment }, header);
        self.consume(within);
        Step::Again
    }

    fn pass_too_long(&mut self, mut record: TooLong, header: Option<DataStart>) -> Step {
        let units = self.buffer.units();
        let terminator = self.rules.terminator.find(units, 0, self.finished);
        let found = terminator.map(|(_, next)| next);
        let kept = self.rules.terminator.longest() - 1;
        let passed = match found {
            Some(next) => next,
            None if self.finished => units.len(),
            None => units.len().saturating_sub(kept),
        };
        record.len += self.buffer.bytes_of(passed) as u64;
        record.line_ends += u64::from(found.is_some());
        if let Some((at, next)) = terminator {
            record.terminator_len = (self.buffer.bytes_of(next) - self.buffer.bytes_of(at)) as u64;
        }
        self.consume(passed);
        self.want = self.buffer.units().len().min(kept) + self.limits.block_bytes;
        if found.is_none() && !self.finished {
            self.stage = Stage::TooLong(record, header);
            return Step::Again;
        }
        let Some(start) = header else {
            self.stage = Stage::Data;
            return Step::Piece(Piece::TooLong(record));
        };
        self.stage = Stage::Header(DataStart { line_ends: start.line_ends + record.line_ends, ..start });
        Step::Again
    }

    fn scanner(&self) -> Scanner<'_> {
        Scanner::new(&self.rules, self.buffer.units(), self.finished)
    }

    /// The record at hand does not end in what is held: twice as much is wanted.
    fn want_more(&mut self) -> Step {
        let held = self.buffer.units().len();
        self.want = (held * 2).min(self.limits.record_bytes + 1).max(held + 1);
        Step::Again
    }

    fn consume(&mut self, units: usize) {
        self.offset += self.buffer.bytes_of(units) as u64;
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
        self.offset < self.skip_to && self.offset + self.buffer.bytes_of(units) as u64 >= self.skip_to
    }
}
