//! The first records of a file, as text.

use landfall_core::{
    decode::{CutterLimits, NULL_CELL, decode_all},
    schema::{Dialect, Encoding, HeaderRows},
};

use super::preamble::Preamble;

/// The most records of a sample.
const MOST_RECORDS: usize = 500;

/// The most bytes of a cell of a sample: no name, number or word is longer, and a file under sixteen dialects may have cells of many MiB.
const MOST_BYTES: usize = 64 << 10;

fn shorten_cell(text: &str) -> &str {
    &text[..text.floor_char_boundary(MOST_BYTES)]
}

/// The first records of a file under some dialect.
#[derive(Debug, Default)]
pub(super) struct RecordSample {
    /// The cells of each record that is not blank.
    pub(super) records: Vec<Vec<String>>,
    /// For each of them its number among all records of the file, blank ones too, from 1.
    pub(super) numbers: Vec<u64>,
    /// Records that could not be cut into cells.
    pub(super) faults: usize,
    /// No faulty record stands before the first.
    pub(super) sound_start: bool,
    /// What stood before these records, and is no part of the table.
    pub(super) preamble: Preamble,
}

impl RecordSample {
    /// Decodes `prefix`, the beginning of a file; where it is `cut`, the last record may lack its end and is left out.
    pub(super) fn new(prefix: &[u8], cut: bool, dialect: &Dialect, encoding: Encoding) -> Self {
        let dialect = Dialect { header: HeaderRows::None, ..dialect.clone() };
        let decoded = decode_all(&dialect, encoding, CutterLimits::default(), prefix);
        let mut sample = Self::default();
        let mut seen = 0;
        for records in decoded.parts.iter().filter_map(|part| part.records.as_ref().ok()) {
            for at in 0..records.len() {
                let text = |text| if text == NULL_CELL { "" } else { shorten_cell(text) };
                let cells = (0..records.cell_count(at)).filter_map(|column| records.cell_text(at, column).map(text));
                seen += 1;
                sample.add_record(cells.map(String::from).collect(), seen);
            }
        }
        if cut && sample.records.len() > 1 {
            sample.records.pop();
        }
        sample.records.truncate(MOST_RECORDS);
        sample.numbers.truncate(sample.records.len());
        sample
    }

    fn add_record(&mut self, cells: Vec<String>, number: u64) {
        if cells.is_empty() {
            self.faults += 1;
        } else if cells.iter().any(|cell| !cell.trim().is_empty()) {
            self.sound_start |= self.records.is_empty() && self.faults == 0;
            self.records.push(cells);
            self.numbers.push(number);
        }
    }

    /// Leaves out what stands before the table; a first line that names the `separator` is part of that.
    pub(super) fn without_preamble(mut self, separator: bool) -> Self {
        self.preamble = Preamble::find(&self.records, &self.numbers, separator);
        let lines = self.preamble.record_count();
        self.records.drain(..lines);
        self.numbers.drain(..lines);
        self
    }

    /// The number of cells that most records have, and how many records have it.
    pub(super) fn common_width(&self) -> (usize, usize) {
        most_frequent(&self.records)
    }
}

/// With so many records each, a width that is as frequent as another belongs to a second table in the file: the first one counts.
const SECOND_TABLE: usize = 10;

/// The number of cells that most of `records` have, and how many of them have it.
pub(super) fn most_frequent(records: &[Vec<String>]) -> (usize, usize) {
    let mut counts: Vec<(usize, usize)> = Vec::new();
    for record in records {
        match counts.iter_mut().find(|(width, _)| *width == record.len()) {
            Some((_, count)) => *count += 1,
            None => counts.push((record.len(), 1)),
        }
    }
    let most = counts.iter().map(|(_, count)| *count).max().unwrap_or(0);
    if most >= SECOND_TABLE {
        return counts.into_iter().find(|(_, count)| *count == most).unwrap_or((0, 0));
    }
    counts.into_iter().max_by_key(|&(width, count)| (count, width)).unwrap_or((0, 0))
}
