//! How the blocks of a file are compressed.

use std::io::{self, Write as _};

use bzip2::write::BzEncoder;
use flate2::{Compression, write::DeflateEncoder};
use lzma_rust2::{XzOptions, XzWriter};

use super::decompress::invalid_file;

/// A codec of the specification, by which blocks are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AvroCodec {
    /// Zstandard: quick and small.
    #[default]
    Zstd,
    /// DEFLATE (RFC 1951), which every reader of Avro knows.
    Deflate,
    /// Snappy, with a checksum of the plain bytes behind each block.
    Snappy,
    /// bzip2.
    Bzip2,
    /// xz.
    Xz,
    /// Not at all.
    None,
}

impl AvroCodec {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Zstd, Self::Deflate, Self::Snappy, Self::Bzip2, Self::Xz, Self::None];

    /// The name on the command line and in `landfall.yaml`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Deflate => "deflate",
            Self::Snappy => "snappy",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
            Self::None => "none",
        }
    }

    /// The codec with that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name() == name)
    }

    /// What the header of a file calls it.
    #[must_use]
    pub const fn in_header(self) -> &'static str {
        match self {
            Self::Zstd => "zstandard",
            Self::None => "null",
            other => other.name(),
        }
    }

    /// The codec that the header of a file calls `name`; where it calls none, there is none.
    pub(super) fn from_header(name: &[u8]) -> io::Result<Self> {
        if name.is_empty() {
            return Ok(Self::None);
        }
        Self::ALL.into_iter().find(|codec| codec.in_header().as_bytes() == name).ok_or_else(|| {
            let name = String::from_utf8_lossy(&name[..name.len().min(40)]);
            let known = "null, deflate, snappy, bzip2, xz and zstandard are";
            invalid_file(format!("its codec {name:?} is not known; {known}"))
        })
    }

    /// Compresses the bytes of a block.
    ///
    /// # Errors
    /// Those of the compressing library; none is known.
    pub fn compress_block(self, plain: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::None => Ok(plain.to_vec()),
            Self::Zstd => zstd::bulk::compress(plain, 1),
            Self::Deflate => {
                let mut out = DeflateEncoder::new(Vec::with_capacity(plain.len() / 3), Compression::new(4));
                out.write_all(plain)?;
                out.finish()
            }
            Self::Snappy => {
                let mut out = snap::raw::Encoder::new().compress_vec(plain)?;
                out.extend_from_slice(&crc32fast::hash(plain).to_be_bytes());
                Ok(out)
            }
            Self::Bzip2 => {
                let mut out = BzEncoder::new(Vec::with_capacity(plain.len() / 3), bzip2::Compression::new(6));
                out.write_all(plain)?;
                out.finish()
            }
            Self::Xz => {
                let mut out = XzWriter::new(Vec::with_capacity(plain.len() / 3), XzOptions::with_preset(3))?;
                out.write_all(plain)?;
                out.finish()
            }
        }
    }
}
