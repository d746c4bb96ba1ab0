//! The records of one block, cut into cells: what every decoder produces and what the validator reads.

use std::ops::Range;

use super::json::{ExtraMember, JsonKind, JsonParts};

/// The records of one block with their cells. Cells are addressed by record and column, both counted from 0.
///
/// Everything is positions into `text` (or `side`, for cells whose text differs from the source because quotes or
/// escapes were taken away), so that a block costs a handful of allocations whatever the number of cells.
#[derive(Debug, Clone, Default)]
pub struct Records {
    /// The block's text. A record that is not valid in the source's encoding is overwritten with `?` here.
    pub(crate) text: String,
    /// The block as it stood in the source, where that differs from `text`.
    pub(crate) source: Option<Vec<u8>>,
    /// The text of cells that had quotes or escapes to take away.
    pub(crate) side: String,
    /// All cells, record after record.
    pub(crate) cells: Vec<CellSpan>,
    /// For each record the position of its first cell in `cell_spans`, and at the end the number of cells.
    pub(crate) firsts: Vec<u32>,
    /// For each record its raw bytes, without the line terminator, as a range of the block's *source* bytes.
    pub(crate) raws: Vec<Range<u32>>,
    /// For each record the number of line ends in the block before its first byte.
    pub(crate) lines: Vec<u32>,
    /// The records that could not be cut into cells, in order. Such a record has no cells.
    pub(crate) faults: Vec<(u32, RecordFault)>,
    /// The number of line ends in the whole block.
    pub(crate) line_ends: u32,
    /// What JSON rows have beside their cells; none for CSV.
    pub(crate) json: Option<Box<JsonParts>>,
    /// For each cell whether it stands in quotes, as far as the last that does; empty unless the dialect asks for it.
    pub(crate) quoted: Vec<bool>,
    /// The number of cells with a quote that do not begin with one.
    pub(crate) stray_quotes: u32,
}

/// Where a cell's text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CellSpan {
    /// First byte; the highest bit is set where the text is in `side`.
    start: u32,
    /// One past the last byte.
    end: u32,
}

impl CellSpan {
    const SIDE: u32 = 1 << 31;

    /// A cell that stands in the block's text.
    #[must_use]
    pub const fn in_text(start: u32, end: u32) -> Self {
        Self { start, end }
    }

    /// A cell that stands in the side text.
    #[must_use]
    pub const fn in_side(start: u32, end: u32) -> Self {
        Self { start: start | Self::SIDE, end }
    }

    /// The position of its first byte, for a cell in the text.
    pub(super) const fn start(self) -> u32 {
        self.start & !Self::SIDE
    }

    /// The position after its last byte.
    pub(super) const fn end(self) -> u32 {
        self.end
    }
}

/// Why a record could not be cut into cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordFault {
    /// A quote opens a cell (column counted from 0) and is never closed.
    UnclosedQuote {
        /// The column of the cell, counted from 0.
        column: u32,
    },
    /// Text stands between a closing quote and the next delimiter.
    TextAfterQuote {
        /// The column of the cell, counted from 0.
        column: u32,
    },
    /// A cell that does not begin with a quote holds one, and the dialect refuses that (`strayQuotes`).
    StrayQuote {
        /// The column of the cell, counted from 0.
        column: u32,
    },
    /// It has more cells than a record may have ([`CutterLimits::MOST_CELLS`](super::Limits::MOST_CELLS)).
    TooManyCells,
    /// The record is not text in the declared encoding; the offset of the first bad byte within the record.
    Encoding {
        /// Bytes before the bad one.
        offset: u32,
    },
    /// The record is not JSON; the offset of the byte within the record at which that was found, and what was found there.
    Json {
        /// Bytes before the place.
        offset: u32,
        /// The end of a sentence.
        reason: String,
    },
    /// The record is JSON, but no object.
    NotAnObject {
        /// What it is.
        found: JsonKind,
    },
}

impl Records {
    /// The number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.firsts.len().saturating_sub(1)
    }

    /// Whether there is no record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of cells of `record`.
    #[must_use]
    pub fn cell_count(&self, record: usize) -> usize {
        (self.firsts[record + 1] - self.firsts[record]) as usize
    }

    /// The number of cells that every record has, where they all have the same.
    #[must_use]
    pub fn uniform_width(&self) -> Option<usize> {
        let first = self.width_of_first()?;
        let uniform = self.cells.len() == first * self.len()
            && self.firsts.iter().enumerate().all(|(at, &cell)| cell as usize == at * first);
        uniform.then_some(first)
    }

    fn width_of_first(&self) -> Option<usize> {
        (!self.is_empty()).then(|| self.cell_count(0))
    }

    /// The cell of `record` at `column`, or none where the record has fewer cells.
    #[must_use]
    pub fn cell_text(&self, record: usize, column: usize) -> Option<&str> {
        let at = self.firsts[record] as usize + column;
        (at < self.firsts[record + 1] as usize).then(|| self.span_text(self.cells[at]))
    }

    /// The text of a cell.
    #[inline]
    #[must_use]
    pub fn span_text(&self, span: CellSpan) -> &str {
        if span.start & CellSpan::SIDE == 0 {
            &self.text[span.start as usize..span.end as usize]
        } else {
            &self.side[(span.start & !CellSpan::SIDE) as usize..span.end as usize]
        }
    }

    /// All cells, record after record: for readers that go through a column with a stride of [`Self::uniform_width`].
    #[must_use]
    pub fn cell_spans(&self) -> &[CellSpan] {
        &self.cells
    }

    /// The record's bytes as they stood in the source, without the line terminator.
    #[must_use]
    pub fn raw_bytes(&self, record: usize) -> &[u8] {
        let range = &self.raws[record];
        let bytes = self.source.as_deref().unwrap_or(self.text.as_bytes());
        &bytes[range.start as usize..range.end as usize]
    }

    /// The offset of the record's first byte from the block's first byte, in bytes of the source.
    #[must_use]
    pub fn byte_offset(&self, record: usize) -> usize {
        self.raws[record].start as usize
    }

    /// The number of line ends between the block's first byte and the record's.
    #[must_use]
    pub fn lines_before(&self, record: usize) -> usize {
        self.lines[record] as usize
    }

    /// The number of line ends in the whole block: the lines that it is long.
    #[must_use]
    pub fn line_end_count(&self) -> u32 {
        self.line_ends
    }

    /// The number of cells that hold a quote and do not begin with one: the quotes are part of their text. Those of JSON rows and of
    /// records with faults do not count.
    #[must_use]
    pub const fn stray_quote_count(&self) -> u32 {
        self.stray_quotes
    }

    /// The records without cells, in order, with the reason.
    #[must_use]
    pub fn record_faults(&self) -> &[(u32, RecordFault)] {
        &self.faults
    }

    /// What a cell of a JSON row is; none for CSV, and where the record has fewer cells.
    #[must_use]
    pub fn json_kind(&self, record: usize, column: usize) -> Option<JsonKind> {
        let at = self.firsts[record] as usize + column;
        self.json.as_ref().filter(|_| at < self.firsts[record + 1] as usize).map(|json| json.kinds[at])
    }

    /// Whether the records are JSON rows.
    #[must_use]
    pub const fn is_json(&self) -> bool {
        self.json.is_some()
    }

    /// Whether a JSON row leaves out a member.
    #[must_use]
    pub fn has_absent_members(&self) -> bool {
        self.json.as_ref().is_some_and(|parts| parts.kinds.contains(&JsonKind::Absent))
    }

    /// The members of JSON rows that are no cells, in record order.
    pub(crate) fn extra_members(&self) -> &[ExtraMember] {
        self.json.as_ref().map_or(&[], |json| &json.extras)
    }

    /// Records with these cells, one line each: for tests and benches. The raw bytes are the cells joined by commas.
    ///
    /// # Panics
    /// Where the cells are more than 2 GiB of text.
    #[must_use]
    pub fn from_cells<R: AsRef<[C]>, C: AsRef<str>>(rows: &[R]) -> Self {
        let position = |at: usize| u32::try_from(at).ok().filter(|&at| at < CellSpan::SIDE).expect("less than 2 GiB");
        let mut records = Self { firsts: vec![0], ..Self::default() };
        for (line, row) in rows.iter().enumerate() {
            let first = records.text.len();
            for (at, cell) in row.as_ref().iter().enumerate() {
                let start = records.text.len() + usize::from(at > 0);
                records.text.push_str(if at > 0 { "," } else { "" });
                records.text.push_str(cell.as_ref());
                records.cells.push(CellSpan::in_text(position(start), position(records.text.len())));
            }
            records.raws.push(position(first)..position(records.text.len()));
            records.lines.push(position(line));
            records.firsts.push(position(records.cells.len()));
            records.text.push('\n');
        }
        records
    }
}
