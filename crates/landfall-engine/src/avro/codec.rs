//! How the blocks of a file are compressed.

use std::io::{self, Write as _};

use flate2::{Compression, write::DeflateEncoder};

/// A codec of the specification, by which blocks are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Codec {
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

impl Codec {
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

    /// Compresses the bytes of a block.
    ///
    /// # Errors
    /// Those of the compressing library; none is known.
    pub fn compress(self, plain: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::None => Ok(plain.to_vec()),
            Self::Zstd => zstd::bulk::compress(plain, 1),
            Self::Deflate => {
                let mut out = DeflateEncoder::new(Vec::with_capacity(plain.len() / 3), Compression::new(4));
                out.write_all(plain)?;
                out.finish()
            }
            Self::Snappy | Self::Bzip2 | Self::Xz => Err(io::Error::other("not yet")),
        }
    }
}
