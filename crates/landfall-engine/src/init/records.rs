//! The records of a file, block after block.

use std::io::Read as _;

use landfall_core::{
    decode::{Cutter, CutterLimits, Decoder, Piece, Records},
    schema::{Dialect, Encoding, HeaderRows},
};

use crate::{
    error::Result,
    pipeline::{LoadProgress, Observer},
    source::Source,
};

/// Bytes of a block: few, so that a type is given up after few values.
const BLOCK: usize = 128 << 10;
/// Values of a block, about, at the most.
const VALUES: usize = 64 << 10;

/// How a file is written.
#[derive(Debug, Clone)]
pub(super) struct SniffedForm {
    pub(super) dialect: Dialect,
    pub(super) encoding: Encoding,
}

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordPlace {
    /// The file among those of its table.
    pub(super) file: usize,
    /// The line, counted from 1.
    pub(super) line: u64,
}

/// The records of a block and where they stand.
pub(super) struct LocatedRecords {
    pub(super) records: Records,
    file: usize,
    lines_before: u64,
}

impl LocatedRecords {
    /// Whether the cells of the record at `at` are `labels`, save for white space around them.
    pub(super) fn has_cells(&self, at: usize, labels: &[String]) -> bool {
        let cell = |column: usize| self.records.cell_text(at, column).map(str::trim);
        self.records.cell_count(at) == labels.len()
            && labels.iter().enumerate().all(|(column, label)| cell(column) == Some(label))
    }

    /// Where the record at `at` stands.
    pub(super) fn place_of(&self, at: usize) -> RecordPlace {
        RecordPlace { file: self.file, line: self.lines_before + self.records.lines_before(at) as u64 + 1 }
    }
}

/// A block, or the place of a record that is too long for a load.
pub(super) enum FilePart {
    Block(Box<LocatedRecords>),
    TooLong(RecordPlace),
}

/// Reads files, and tells how far it has come.
#[derive(Clone, Copy)]
pub(super) struct FileReading<'r> {
    /// Is told of each file and of its bytes.
    pub(super) observer: &'r dyn Observer,
    /// The table, and what is found out about it.
    pub(super) purpose: &'r str,
}

impl FileReading<'_> {
    /// Hands the parts of all `sources` to `visit`, which reads each record as so many fields.
    ///
    /// # Errors
    /// A source that cannot be read.
    pub(super) fn read_records(
        self,
        sources: &[Source],
        form: &SniffedForm,
        fields: usize,
        visit: &mut dyn FnMut(FilePart),
    ) -> Result<()> {
        // Each value may be an error of some hundred bytes.
        let block_records = (VALUES / fields.max(1)).clamp(16, CutterLimits::BLOCK_RECORDS);
        let limits = CutterLimits { block_bytes: BLOCK, block_records, ..CutterLimits::default() };
        for (file, source) in sources.iter().enumerate() {
            self.observer.source_begins(self.purpose, &source.name);
            self.read_file(source, file, form, limits, visit)?;
        }
        Ok(())
    }

    fn read_file(
        self,
        source: &Source,
        file: usize,
        form: &SniffedForm,
        limits: CutterLimits,
        visit: &mut dyn FnMut(FilePart),
    ) -> Result<()> {
        let mut cutter = Cutter::new(&form.dialect, form.encoding, limits);
        let decoder = Decoder::new(&form.dialect, form.encoding);
        let mut input = source.open()?;
        let mut lines = 0;
        let mut progress =
            LoadProgress { total_bytes: source.read_stamp()?.size.unwrap_or_default(), ..LoadProgress::default() };
        while let Some(piece) =
            cutter.read_piece(|space| input.read(space)).map_err(|error| source.read_error(&error))?
        {
            let before = cutter.data_start().map_or(0, |start| start.line_ends) + lines;
            let visited = visit_piece(piece, &decoder, RecordPlace { file, line: before }, visit);
            lines += visited.lines;
            progress.records += visited.records;
            progress.bytes = input.consumed_bytes();
            self.observer.report_progress(progress);
        }
        Ok(())
    }

    /// The numbers of the records of `source` that have `labels` in their cells: counted from 1 among all records, whatever they are.
    ///
    /// # Errors
    /// A source that cannot be read.
    pub(super) fn find_header_rows(self, source: &Source, form: &SniffedForm, labels: &[String]) -> Result<Vec<u64>> {
        let dialect =
            Dialect { header: HeaderRows::None, comment_rows: Vec::new(), comment_char: None, ..form.dialect.clone() };
        let raw = SniffedForm { dialect, encoding: form.encoding };
        let (mut number, mut found) = (0, Vec::new());
        self.read_records(std::slice::from_ref(source), &raw, labels.len(), &mut |part| {
            let FilePart::Block(block) = part else {
                number += 1;
                return;
            };
            for record in 0..block.records.len() {
                number += 1;
                if block.has_cells(record, labels) {
                    found.push(number);
                }
            }
        })?;
        Ok(found)
    }
}

/// What a piece had.
struct VisitedPiece {
    lines: u64,
    records: u64,
}

/// Visits `piece`, which stands after the lines of `before`.
fn visit_piece(piece: Piece, decoder: &Decoder, before: RecordPlace, visit: &mut dyn FnMut(FilePart)) -> VisitedPiece {
    match piece {
        Piece::Block(block) => {
            let records = decoder.decode_block(block);
            let visited = VisitedPiece { lines: u64::from(records.line_end_count()), records: records.len() as u64 };
            visit(FilePart::Block(Box::new(LocatedRecords { records, file: before.file, lines_before: before.line })));
            visited
        }
        Piece::TooLong(record) => {
            if !record.comment {
                visit(FilePart::TooLong(RecordPlace { line: before.line + 1, ..before }));
            }
            VisitedPiece { lines: record.line_ends, records: 1 }
        }
    }
}

/// How often something was seen, and where first.
#[derive(Debug, Clone, Default)]
pub(super) struct PlaceTally {
    pub(super) count: u64,
    pub(super) places: Vec<RecordPlace>,
}

impl PlaceTally {
    /// Places kept.
    const PLACES: usize = 3;

    /// Notes one more.
    pub(super) fn add_place(&mut self, place: RecordPlace) {
        self.count += 1;
        if self.places.len() < Self::PLACES {
            self.places.push(place);
        }
    }
}
