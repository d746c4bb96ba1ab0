//! The header: the labels of the columns, and where the data start.

use std::collections::VecDeque;

use super::records::{RecordFault, Records};
use crate::schema::{Dialect, HeaderRows};

/// Why the header cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderFault {
    /// One of its records cannot be cut into cells.
    Malformed(RecordFault),
    /// One of its records is longer than allowed.
    TooLong,
}

/// Where the data of a source start, after the byte order mark, the header and what stands before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DataStart {
    /// The offset of the first byte.
    pub offset: u64,
    /// The number of line ends before it.
    pub line_ends: u64,
}

/// Collects the header's records.
///
/// A number in `headerRows` counts every record of the file, as in the reference validator. Where a comment or a blank line stands at
/// that number, the header is the next record that is neither: data never take the place of a header that is declared, since nothing
/// would then hold the columns against the dictionary.
#[derive(Debug)]
pub(super) struct HeaderCollector {
    /// The numbers of its records that are still to come, counted from 1.
    rows: VecDeque<u64>,
    join: String,
    labels: Option<Vec<String>>,
    /// The text last seen in each column.
    previous: Vec<Option<String>>,
    pub(super) fault: Option<HeaderFault>,
}

impl HeaderCollector {
    pub(super) fn new(dialect: &Dialect) -> Self {
        let rows = match &dialect.header {
            HeaderRows::None => VecDeque::new(),
            HeaderRows::At(rows) => rows.iter().copied().collect(),
        };
        Self { rows, join: dialect.header_join.clone(), labels: None, previous: Vec::new(), fault: None }
    }

    /// Whether no record of it is still to come.
    pub(super) fn is_complete(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether the record of this number, counted from 1 and no comment, is part of the header. A `blank` line cannot begin it.
    pub(super) fn is_header_row(&self, row: u64, blank: bool) -> bool {
        let begins = self.labels.is_none() && self.fault.is_none();
        self.rows.front().is_some_and(|&next| row >= next) && !(blank && begins)
    }

    /// The labels, where the header could be read.
    pub(super) fn joined_labels(&self) -> Option<&[String]> {
        self.labels.as_deref().filter(|_| self.fault.is_none())
    }

    /// Takes a record of the header that cannot be read; the first fault is kept.
    pub(super) fn note_fault(&mut self, fault: HeaderFault) {
        self.rows.pop_front();
        self.fault.get_or_insert(fault);
    }

    /// Takes a record of the header.
    pub(super) fn add_record(&mut self, records: &Records) {
        if let Some((_, fault)) = records.record_faults().first() {
            return self.note_fault(HeaderFault::Malformed(fault.clone()));
        }
        self.rows.pop_front();
        self.labels.get_or_insert_default();
        if !records.is_empty() {
            (0..records.cell_count(0))
                .filter_map(|column| records.cell_text(0, column))
                .enumerate()
                .for_each(|(at, cell)| self.add_cell(at, cell.trim()));
        }
    }

    /// Joins a cell to the label of its column, unless the row before said the same there. The reference validator
    /// does so, and it trims labels too.
    fn add_cell(&mut self, column: usize, cell: &str) {
        if self.previous.len() <= column {
            self.previous.resize(column + 1, None);
        }
        if self.previous[column].as_deref() == Some(cell) {
            return;
        }
        self.previous[column] = Some(cell.to_owned());
        let labels = self.labels.get_or_insert_default();
        match labels.get_mut(column) {
            Some(label) => *label = [label.as_str(), cell].join(&self.join),
            None => labels.push(cell.to_owned()),
        }
    }
}
