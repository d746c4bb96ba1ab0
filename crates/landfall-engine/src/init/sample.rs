//! The first records of a file, as text.

use landfall_core::{
    decode::{Limits, decode_all},
    schema::{Dialect, Encoding, HeaderRows},
};

/// The most records of a sample.
const MOST_RECORDS: usize = 500;

/// The first records of a file under some dialect.
#[derive(Debug, Default)]
pub(super) struct Sample {
    /// The cells of each record that is not blank.
    pub(super) records: Vec<Vec<String>>,
    /// Records that could not be cut into cells.
    pub(super) faults: usize,
    /// The first record is neither blank nor faulty.
    pub(super) sound_start: bool,
}

impl Sample {
    /// Decodes `prefix`, the beginning of a file; where it is `cut`, the last record may lack its end and is left out.
    pub(super) fn new(prefix: &[u8], cut: bool, dialect: &Dialect, encoding: Encoding) -> Self {
        let dialect = Dialect { header: HeaderRows::None, ..dialect.clone() };
        let decoded = decode_all(&dialect, encoding, Limits::default(), prefix);
        let mut sample = Self::default();
        let mut seen = 0;
        for records in decoded.parts.iter().filter_map(|part| part.records.as_ref().ok()) {
            for at in 0..records.len() {
                let cells: Vec<String> =
                    (0..records.width(at)).filter_map(|column| records.cell(at, column)).map(String::from).collect();
                sample.add(cells, seen == 0);
                seen += 1;
            }
        }
        if cut && sample.records.len() > 1 {
            sample.records.pop();
        }
        sample.records.truncate(MOST_RECORDS);
        sample
    }

    fn add(&mut self, cells: Vec<String>, first: bool) {
        if cells.is_empty() {
            self.faults += 1;
        } else if cells.iter().any(|cell| !cell.trim().is_empty()) {
            self.sound_start |= first;
            self.records.push(cells);
        }
    }

    /// The number of cells that most records have, and how many records have it.
    pub(super) fn width(&self) -> (usize, usize) {
        let mut counts: Vec<(usize, usize)> = Vec::new();
        for record in &self.records {
            match counts.iter_mut().find(|(width, _)| *width == record.len()) {
                Some((_, count)) => *count += 1,
                None => counts.push((record.len(), 1)),
            }
        }
        counts.into_iter().max_by_key(|&(width, count)| (count, width)).unwrap_or((0, 0))
    }
}
