//! Avro files: their blocks and codecs. What stands in the rows is `landfall_core::avro`'s.

mod decompress;
mod header;
mod reader;
#[cfg(test)]
mod tests;

pub use reader::{AvroInput, Checked, check, read_schema};
