//! Avro Object Container Files: blocks of rows behind a header that has their schema. What stands in the rows is
//! `landfall_core::avro`'s. <https://avro.apache.org/docs/1.12.0/specification/#object-container-files>

mod codec;
mod decompress;
mod header;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use codec::AvroCodec;
pub(crate) use header::SYNC;
pub use reader::{AvroInput, CheckedFile, check_file, read_schema};
pub(crate) use writer::ContainerWriter;
