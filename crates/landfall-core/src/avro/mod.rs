//! Apache Avro: how a table's rows are written, and how the rows of any file are read.
//!
//! Pure: bytes in, bytes out. Files, blocks and codecs are the engine's. Specification:
//! <https://avro.apache.org/docs/1.12.0/specification/>.

mod bytes;
mod decimal;
mod fits;
mod json;
mod name;
pub mod read;
pub mod resolve;
pub mod schema;
#[cfg(test)]
mod tests;
mod varint;
pub mod write;

pub use varint::put_long;
