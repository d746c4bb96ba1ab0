//! The codecs of Avro files, for reading. A block is decompressed as it is read, never as a whole: except by snappy, whose
//! blocks are bounded.

use std::io::{self, BufRead, Cursor, Read, Take};

use bzip2::bufread::BzDecoder;
use flate2::bufread::DeflateDecoder;
use lzma_rust2::XzReader;

use super::AvroCodec;

/// The most bytes of a block of snappy.
const MOST_SNAPPY: usize = 64 << 20;

/// The most memory for a block of xz, in KiB: a dictionary of 64 MiB, which is that of its highest level, and what goes with it.
const MOST_XZ: u32 = 65 << 10;

/// The largest window of Zstandard, as a power of two.
const MOST_WINDOW: u32 = 27;

/// An error of the file, as a sentence.
pub(super) fn invalid_file(reason: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.into())
}

/// The content of a block.
pub(super) enum BlockContent<R: BufRead> {
    Null(Take<R>),
    Deflate(Box<DeflateDecoder<Take<R>>>),
    Snappy(Take<R>, Cursor<Vec<u8>>),
    Bzip2(Box<BzDecoder<Take<R>>>),
    Xz(Box<XzReader<Take<R>>>),
    Zstandard(Box<zstd::stream::read::Decoder<'static, Take<R>>>),
}

impl<R: BufRead> BlockContent<R> {
    /// The content of the block whose bytes in the file are `raw`.
    pub(super) fn new(codec: AvroCodec, raw: Take<R>) -> io::Result<Self> {
        Ok(match codec {
            AvroCodec::None => Self::Null(raw),
            AvroCodec::Deflate => Self::Deflate(Box::new(DeflateDecoder::new(raw))),
            AvroCodec::Snappy => {
                let (raw, data) = decompress_snappy(raw)?;
                Self::Snappy(raw, Cursor::new(data))
            }
            AvroCodec::Bzip2 => Self::Bzip2(Box::new(BzDecoder::new(raw))),
            AvroCodec::Xz => Self::Xz(Box::new(XzReader::new_mem_limit(raw, false, MOST_XZ))),
            AvroCodec::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(raw)?;
                decoder.window_log_max(MOST_WINDOW)?;
                Self::Zstandard(Box::new(decoder))
            }
        })
    }

    /// What is left of the block's bytes in the file.
    pub(super) fn into_rest(self) -> Take<R> {
        match self {
            Self::Null(raw) | Self::Snappy(raw, _) => raw,
            Self::Deflate(decoder) => decoder.into_inner(),
            Self::Bzip2(decoder) => decoder.into_inner(),
            Self::Xz(decoder) => decoder.into_inner(),
            Self::Zstandard(decoder) => decoder.finish(),
        }
    }
}

impl<R: BufRead> Read for BlockContent<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Null(raw) => raw.read(buffer),
            Self::Deflate(decoder) => decoder.read(buffer),
            Self::Snappy(_, data) => data.read(buffer),
            Self::Bzip2(decoder) => decoder.read(buffer),
            Self::Xz(decoder) => decoder.read(buffer),
            Self::Zstandard(decoder) => decoder.read(buffer),
        }
    }
}

/// The content of a block of snappy, behind which stands its CRC-32.
fn decompress_snappy<R: BufRead>(mut raw: Take<R>) -> io::Result<(Take<R>, Vec<u8>)> {
    let most = snap::raw::max_compress_len(MOST_SNAPPY) as u64 + 4;
    if raw.limit() > most {
        return Err(invalid_file(format!(
            "its {} bytes of snappy are more than the {most} that are read",
            raw.limit()
        )));
    }
    let mut packed = Vec::new();
    raw.read_to_end(&mut packed)?;
    let Some((data, checksum)) = packed.split_last_chunk::<4>() else {
        return Err(invalid_file("it is too short for snappy"));
    };
    let length = snap::raw::decompress_len(data).map_err(|error| invalid_file(error.to_string()))?;
    if length > MOST_SNAPPY {
        return Err(invalid_file(format!("it has {length} bytes in snappy; at most {MOST_SNAPPY} are read")));
    }
    let data = snap::raw::Decoder::new().decompress_vec(data).map_err(|error| invalid_file(error.to_string()))?;
    if crc32fast::hash(&data) != u32::from_be_bytes(*checksum) {
        return Err(invalid_file("its checksum is wrong: the file is damaged"));
    }
    Ok((raw, data))
}
