//! Records in the making: cells as positions, before the text is checked.

use std::ops::Range;

use super::records::{CellSpan, RecordFault, Records};

/// Records in the making, with the same meaning as the parts of [`Records`].
#[derive(Debug, Default)]
pub(super) struct RecordsDraft {
    pub(super) cells: Vec<CellSpan>,
    pub(super) firsts: Vec<u32>,
    pub(super) raws: Vec<Range<u32>>,
    pub(super) lines: Vec<u32>,
    pub(super) faults: Vec<(u32, RecordFault)>,
    pub(super) side: Vec<u8>,
    pub(super) line_ends: u32,
    /// For each cell whether it stands in quotes, as far as the last that does; where that is asked for.
    pub(super) quoted: Vec<bool>,
    pub(super) stray_quotes: u32,
}

/// Positions have 31 bits: `CutterLimits` sees to it that blocks are shorter.
pub(super) fn to_u32(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

pub(super) fn to_usize_range(range: &Range<u32>) -> Range<usize> {
    range.start as usize..range.end as usize
}

impl RecordsDraft {
    /// An empty draft with room for what `bytes` of text usually have. Those of one long record are no measure.
    pub(super) fn with_room_for(bytes: usize) -> Self {
        let bytes = bytes.min(1 << 20);
        Self {
            cells: Vec::with_capacity(bytes / 8 + 8),
            firsts: Vec::with_capacity(bytes / 32 + 8),
            raws: Vec::with_capacity(bytes / 32 + 8),
            lines: Vec::with_capacity(bytes / 32 + 8),
            ..Self::default()
        }
    }

    /// Ends the record whose cells were added last.
    #[inline]
    pub(super) fn end_record(&mut self, raw: Range<usize>, line_ends: usize) {
        self.raws.push(to_u32(raw.start)..to_u32(raw.end));
        self.lines.push(self.line_ends);
        self.line_ends += to_u32(line_ends);
    }

    /// Notes that the next cell stands in quotes.
    pub(super) fn note_quoted(&mut self) {
        // The cells before it that do not, such as those of a plain stretch, were not noted.
        self.quoted.resize(self.cells.len(), false);
        self.quoted.push(true);
    }

    /// Takes away the cells from `first` on.
    pub(super) fn truncate_cells(&mut self, first: usize) {
        self.cells.truncate(first);
        self.quoted.truncate(first);
    }

    /// Takes the cells from the records that `faults` (in order) are about, and keeps the reasons. A record has one
    /// fault: that its text cannot be read comes before what is wrong with its quotes.
    pub(super) fn reject_records(&mut self, faults: Vec<(u32, RecordFault)>) {
        if faults.is_empty() {
            return;
        }
        let is_new = |record: u32| faults.binary_search_by_key(&record, |(record, _)| *record).is_ok();
        self.drop_cells(&faults);
        self.faults.retain(|(record, _)| !is_new(*record));
        self.faults.extend(faults);
        self.faults.sort_by_key(|(record, _)| *record);
    }

    /// Takes the cells from the records that `faults` (in order) are about.
    fn drop_cells(&mut self, faults: &[(u32, RecordFault)]) {
        let records = to_u32(self.raws.len());
        if !self.quoted.is_empty() {
            self.quoted.resize(self.cells.len(), false);
        }
        let mut kept = faults.first().map_or(0, |(record, _)| self.firsts[*record as usize]);
        for (at, &(record, _)) in faults.iter().enumerate() {
            let next = faults.get(at + 1).map_or(records, |(next, _)| *next);
            let (start, end) = (self.firsts[record as usize + 1], self.firsts[next as usize]);
            self.cells.copy_within(start as usize..end as usize, kept as usize);
            if !self.quoted.is_empty() {
                self.quoted.copy_within(start as usize..end as usize, kept as usize);
            }
            // The record's own first cell is where the last that was kept ended.
            self.firsts[record as usize] = kept;
            self.firsts[record as usize + 1..next as usize].iter_mut().for_each(|first| *first -= start - kept);
            kept += end - start;
        }
        if !faults.is_empty() {
            self.firsts[records as usize] = kept;
            self.truncate_cells(kept as usize);
        }
    }

    /// Takes out the records for which `keep` is false. Their lines stay counted.
    pub(super) fn retain_records(&mut self, keep: impl Fn(&Range<u32>) -> bool) {
        if self.raws.iter().all(&keep) {
            return;
        }
        let all = std::mem::take(self);
        *self =
            Self { firsts: vec![0], side: all.side, line_ends: all.line_ends, faults: all.faults, ..Self::default() };
        for (record, raw) in all.raws.iter().enumerate().filter(|(_, raw)| keep(raw)) {
            self.cells.extend_from_slice(&all.cells[all.firsts[record] as usize..all.firsts[record + 1] as usize]);
            self.firsts.push(to_u32(self.cells.len()));
            self.raws.push(raw.clone());
            self.lines.push(all.lines[record]);
        }
    }

    /// The finished records over a text that is known to be good where there are cells.
    pub(super) fn into_records(self, text: String, source: Option<Vec<u8>>) -> Records {
        Records {
            text,
            source,
            side: replace_invalid_utf8(self.side),
            cells: self.cells,
            firsts: self.firsts,
            raws: self.raws,
            lines: self.lines,
            faults: self.faults,
            line_ends: self.line_ends,
            json: None,
            quoted: self.quoted,
            stray_quotes: self.stray_quotes,
        }
    }
}

/// The text with `?` in the place of each byte that is not UTF-8.
pub(super) fn replace_invalid_utf8(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| {
        let mut text = String::with_capacity(error.as_bytes().len());
        for chunk in error.as_bytes().utf8_chunks() {
            text.push_str(chunk.valid());
            text.extend(std::iter::repeat_n('?', chunk.invalid().len()));
        }
        text
    })
}
