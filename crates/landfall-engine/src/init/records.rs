//! The records of a file, block after block.

use std::io::Read as _;

use landfall_core::{
    decode::{Cutter, CutterLimits, Decoder, Piece, Records},
    schema::{Dialect, Encoding},
};

use crate::{error::Result, source::Source};

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

/// Hands the parts of all `sources` to `visit`, which reads each record as so many fields.
///
/// # Errors
/// A source that cannot be read.
pub(super) fn read(
    sources: &[Source],
    form: &SniffedForm,
    fields: usize,
    visit: &mut dyn FnMut(FilePart),
) -> Result<()> {
    // Each value may be an error of some hundred bytes.
    let block_records = (VALUES / fields.max(1)).clamp(16, CutterLimits::BLOCK_RECORDS);
    let limits = CutterLimits { block_bytes: BLOCK, block_records, ..CutterLimits::default() };
    for (file, source) in sources.iter().enumerate() {
        read_file(source, file, form, limits, visit)?;
    }
    Ok(())
}

fn read_file(
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
    while let Some(piece) = cutter.read_piece(|space| input.read(space)).map_err(|error| source.read_error(&error))? {
        let before = cutter.data_start().map_or(0, |start| start.line_ends) + lines;
        lines += visit_piece(piece, &decoder, RecordPlace { file, line: before }, visit);
    }
    Ok(())
}

/// Visits `piece`, which stands after the lines of `before`, and says how many lines it has.
fn visit_piece(piece: Piece, decoder: &Decoder, before: RecordPlace, visit: &mut dyn FnMut(FilePart)) -> u64 {
    match piece {
        Piece::Block(block) => {
            let records = decoder.decode_block(block);
            let lines = u64::from(records.line_end_count());
            visit(FilePart::Block(Box::new(LocatedRecords { records, file: before.file, lines_before: before.line })));
            lines
        }
        Piece::TooLong(record) => {
            if !record.comment {
                visit(FilePart::TooLong(RecordPlace { line: before.line + 1, ..before }));
            }
            record.line_ends
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
