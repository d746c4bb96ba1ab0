//! What the cutter hands out.

use super::records::RecordFault;
use crate::schema::Encoding;

/// A part of the source. After the header, pieces follow each other without a gap.
#[derive(Debug, Clone)]
pub enum Piece {
    /// Some whole records, to be decoded.
    Block(SourceBlock),
    /// A record that is longer than allowed.
    TooLong(TooLong),
}

impl Piece {
    /// The offset of its first byte in the source, a byte order mark included.
    #[must_use]
    pub fn offset(&self) -> u64 {
        match self {
            Self::Block(block) => block.offset,
            Self::TooLong(record) => record.offset,
        }
    }

    /// Its length in bytes of the source, the last line terminator included.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Block(block) => block.len() as u64,
            Self::TooLong(record) => record.len,
        }
    }

    /// Never: a piece has at least one byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A record that is longer than allowed. Its bytes are not kept: read them again from the source where needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong {
    /// The offset of its first byte in the source.
    pub offset: u64,
    /// Its length in bytes of the source, the line terminator included.
    pub len: u64,
    /// The length of that terminator; 0 where the source ends without one.
    pub terminator_len: u64,
    /// The number of line ends in it.
    pub line_ends: u64,
    /// Whether it is a comment, and so not a record.
    pub comment: bool,
}

impl TooLong {
    /// The number of its bytes without the line terminator.
    #[must_use]
    pub const fn raw_len(&self) -> u64 {
        self.len - self.terminator_len
    }
}

/// Some whole records as they stand in the source, to be decoded independently of all others.
#[derive(Debug, Clone)]
pub struct SourceBlock {
    pub(super) offset: u64,
    pub(super) bytes: Vec<u8>,
    /// The encoding, once the byte order is known.
    pub(super) encoding: Encoding,
    /// None where the block can be cut without the state machine.
    pub(super) marks: Option<Vec<RecordMark>>,
}

impl SourceBlock {
    /// The offset of its first byte in the source, a byte order mark included.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Its length in bytes of the source.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are no bytes in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// A record of a block which only the cutter can tell: what comes after it in the source decides.
/// Positions are in code units of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RecordMark {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) next: usize,
    pub(super) kind: RecordMarkKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RecordMarkKind {
    /// Malformed.
    Fault(RecordFault),
    /// A comment by its number.
    Comment,
}
