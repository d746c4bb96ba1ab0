//! Bytes become records: where a record ends, and what its cells are.
//!
//! A [`Cutter`] finds in one sequential pass where records end, and hands out [`SourceBlock`]s of whole records. A [`Decoder`]
//! cuts each block into cells, in any thread and in any order. Both are pure: bytes in, positions out, no I/O. JSON rows take the
//! same form: see [`json`].

mod block;
mod buffer;
mod cutter;
mod decode_all;
mod decoder;
mod draft;
mod events;
mod header;
pub mod json;
mod judge;
mod limits;
mod lines;
mod literal;
mod multi_byte;
mod plain;
mod quoted;
mod quoted_missing;
mod records;
mod rules;
mod scan;
#[cfg(test)]
mod tests;
mod transcode;
mod units;

pub use block::{Piece, SourceBlock, TooLong};
pub use cutter::Cutter;
pub use decode_all::{DecodedPart, DecodedSource, decode_all};
pub use decoder::Decoder;
pub use header::{DataStart, HeaderFault};
pub use limits::CutterLimits;
pub use records::{CellSpan, RecordFault, Records};
pub use rules::NULL_CELL;
