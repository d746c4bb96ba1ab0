//! Avro Object Container Files: blocks of rows behind a header that has their schema.
//! <https://avro.apache.org/docs/1.12.0/specification/#object-container-files>

mod codec;
mod writer;

pub use codec::Codec;
pub(crate) use writer::{ContainerWriter, SYNC};
