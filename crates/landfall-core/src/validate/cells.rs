//! The cells of a block as the validator reads them: column after column.

use crate::{decode::Records, schema::Ragged};

/// The records of one block, with what is known of all of them at once.
#[derive(Debug)]
pub(super) struct CellBlock<'a> {
    /// The records.
    pub(super) records: &'a Records,
    /// The number of cells that a record should have.
    pub(super) width: usize,
    /// Every record has exactly `cell_count` cells.
    pub(super) uniform: bool,
    /// Some cell may contain a NUL character.
    pub(super) has_nul: bool,
    /// What is right about a record with another number of cells.
    pub(super) ragged: Ragged,
}

impl<'a> CellBlock<'a> {
    /// The block of `records`, whose source has `width` columns.
    pub(super) fn new(records: &'a Records, width: usize, ragged: Ragged) -> Self {
        // A source without columns has no cell to index by, so it takes the careful way.
        let uniform = width > 0 && records.uniform_width() == Some(width);
        // One look at the whole text is cheaper than one at each cell.
        let has_nul = [&records.text, &records.side].iter().any(|text| memchr::memchr(0, text.as_bytes()).is_some());
        // A JSON row has no cells that could be too few: what it leaves out is absent, not missing.
        let ragged = if records.is_json() { Ragged::Reject } else { ragged };
        Self { records, width, uniform, has_nul, ragged }
    }

    /// The bytes of text that a column has on average.
    pub(super) fn bytes_of_a_column(&self) -> usize {
        self.records.text.len() / self.width.max(1)
    }

    /// The number of records.
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// The cell of a record in `column`, where all records have the full width.
    #[inline(always)]
    pub(super) fn uniform_cell(&self, record: usize, column: usize) -> Option<&'a str> {
        self.records.cell_spans().get(record * self.width + column).map(|&span| self.records.span_text(span))
    }

    /// The cell of a record in `column`, whatever the widths of the records.
    pub(super) fn cell_text(&self, record: usize, column: usize) -> Option<&'a str> {
        self.records.cell_text(record, column)
    }

    /// Whether `record` lacks the cell of `column` and may do so.
    pub(super) fn is_padded_at(&self, record: usize, column: usize) -> bool {
        self.ragged.pads() && self.records.cell_count(record) <= column
    }

    /// Whether all cells of `record` behind the full width are empty and may be there.
    pub(super) fn has_empty_rest(&self, record: usize) -> bool {
        let mut rest = self.width..self.records.cell_count(record);
        self.ragged.truncates() && rest.all(|column| self.records.cell_text(record, column).is_none_or(str::is_empty))
    }

    /// Whether `record` is an empty line of the source.
    pub(super) fn is_empty_line(&self, record: usize) -> bool {
        let cells = self.records.cell_count(record);
        cells == 0
            || (cells == 1
                && self.records.cell_text(record, 0) == Some("")
                && self.records.raw_bytes(record).is_empty())
    }
}

/// The texts that stand for a missing value.
#[derive(Debug, Clone)]
pub(super) enum MissingTexts {
    /// Only the empty text.
    Empty,
    /// Any of these.
    Words(Vec<Box<str>>),
}

impl MissingTexts {
    /// The rule of a field's `missingValues`.
    pub(super) fn new(values: &[String]) -> Self {
        match values {
            [only] if only.is_empty() => Self::Empty,
            words => Self::Words(words.iter().map(|word| word.as_str().into()).collect()),
        }
    }

    /// Whether a cell with this text is a missing value.
    #[inline]
    pub(super) fn is_missing(&self, text: &str) -> bool {
        match self {
            Self::Empty => text.is_empty(),
            Self::Words(words) => words.iter().any(|word| **word == *text),
        }
    }
}
