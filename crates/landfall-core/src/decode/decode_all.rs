//! A whole source at once: for small inputs and tests.

use std::convert::Infallible;

use super::{
    block::{Piece, TooLong},
    cutter::Cutter,
    decoder::Decoder,
    header::HeaderFault,
    limits::CutterLimits,
    records::Records,
};
use crate::schema::{Dialect, Encoding};

/// A source, decoded.
#[derive(Debug, Clone)]
pub struct DecodedSource {
    /// The labels of the header, if there is one.
    pub header: Option<Vec<String>>,
    /// Why the header cannot be read.
    pub header_fault: Option<HeaderFault>,
    /// All that follows the header, in order.
    pub parts: Vec<DecodedPart>,
}

/// The records of a block, or a record that is longer than allowed, with its place in the source.
#[derive(Debug, Clone)]
pub struct DecodedPart {
    /// The offset of the first byte in the source.
    pub offset: u64,
    /// The length in bytes.
    pub len: u64,
    /// The number of line ends in the source before the first byte.
    pub lines_before: u64,
    /// The records, or none where the record is longer than allowed.
    pub records: Result<Records, TooLong>,
}

/// Decodes a source that is in memory.
#[must_use]
pub fn decode_all(dialect: &Dialect, encoding: Encoding, limits: CutterLimits, source: &[u8]) -> DecodedSource {
    let mut cutter = Cutter::new(dialect, encoding, limits);
    let decoder = Decoder::new(dialect, encoding);
    let mut parts = Vec::new();
    let mut lines = 0;
    let mut rest = source;
    let mut read = |space: &mut [u8]| {
        let (taken, left) = rest.split_at(rest.len().min(space.len()));
        space[..taken.len()].copy_from_slice(taken);
        rest = left;
        Ok::<usize, Infallible>(taken.len())
    };
    while let Ok(Some(piece)) = cutter.read_piece(&mut read) {
        let before = cutter.data_start().map_or(0, |start| start.line_ends);
        let (part, line_ends) = decode_piece(piece, &decoder, before + lines);
        parts.push(part);
        lines += line_ends;
    }
    DecodedSource {
        header: cutter.header_labels().map(<[_]>::to_vec),
        header_fault: cutter.header_fault().cloned(),
        parts,
    }
}

fn decode_piece(piece: Piece, decoder: &Decoder, lines_before: u64) -> (DecodedPart, u64) {
    let (offset, len) = (piece.offset(), piece.len());
    let records = match piece {
        Piece::Block(block) => Ok(decoder.decode_block(block)),
        Piece::TooLong(record) => Err(record),
    };
    let line_ends = match &records {
        Ok(records) => u64::from(records.line_end_count()),
        Err(record) => record.line_ends,
    };
    (DecodedPart { offset, len, lines_before, records }, line_ends)
}
