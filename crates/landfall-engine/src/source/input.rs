//! The bytes of a source, decompressed where it is compressed, and as JSON rows where it is Avro.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek as _, SeekFrom},
    sync::Arc,
};

use flate2::bufread::MultiGzDecoder;
use landfall_core::avro::resolve::RowMapping;

use super::Source;
use crate::{avro::AvroInput, error::Result};

/// Bytes read at once.
const BUFFER: usize = 256 * 1024;

/// The bytes of an open source.
pub struct SourceInput {
    bytes: InputBytes,
    /// A second handle to the file, to tell how far reading has come.
    file: File,
}

enum InputBytes {
    Plain(File),
    Gzip(Box<MultiGzDecoder<BufReader<File>>>),
    Zstd(Box<zstd::stream::read::Decoder<'static, BufReader<File>>>),
    Avro(Box<AvroInput>),
}

impl SourceInput {
    /// Reads `file`, which is decompressed where its first bytes are those of gzip or Zstandard.
    pub(super) fn new(mut file: File) -> io::Result<Self> {
        let mut magic = [0; 4];
        let known = read_up_to(&mut file, &mut magic)?;
        file.seek(SeekFrom::Start(0))?;
        let clone = file.try_clone()?;
        let bytes = match &magic[..known] {
            [0x1f, 0x8b, ..] => InputBytes::Gzip(Box::new(MultiGzDecoder::new(BufReader::with_capacity(BUFFER, file)))),
            [0x28, 0xb5, 0x2f, 0xfd] => InputBytes::Zstd(Box::new(zstd::stream::read::Decoder::with_buffer(
                BufReader::with_capacity(BUFFER, file),
            )?)),
            _ => InputBytes::Plain(file),
        };
        Ok(Self { bytes, file: clone })
    }

    /// Reads the rows of `file`, which is Avro, as JSON.
    pub(super) fn from_avro(file: File, reading: Arc<RowMapping>) -> io::Result<Self> {
        let clone = file.try_clone()?;
        Ok(Self { bytes: InputBytes::Avro(Box::new(AvroInput::new(file, reading)?)), file: clone })
    }

    /// Whether the source is compressed, or Avro: its size then says nothing about its content.
    #[must_use]
    pub const fn is_compressed(&self) -> bool {
        !matches!(self.bytes, InputBytes::Plain(_))
    }

    /// How many bytes of the file (compressed, where it is) were read.
    pub fn consumed_bytes(&mut self) -> u64 {
        self.file.stream_position().unwrap_or(0)
    }
}

impl Read for SourceInput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.bytes {
            InputBytes::Plain(file) => file.read(buffer),
            InputBytes::Gzip(stream) => stream.read(buffer),
            InputBytes::Zstd(stream) => stream.read(buffer),
            InputBytes::Avro(stream) => stream.read(buffer),
        }
    }
}

/// Fills `buffer` as far as the stream goes.
fn read_up_to(stream: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match stream.read(&mut buffer[filled..])? {
            0 => break,
            n => filled += n,
        }
    }
    Ok(filled)
}

/// BLAKE3 of the first `limit` bytes of `source`, or of all of them, and how many there were.
///
/// # Errors
/// A source that cannot be read.
pub fn digest_source(source: &Source, limit: Option<u64>) -> Result<(String, u64)> {
    let mut input = source.open()?.take(limit.unwrap_or(u64::MAX));
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; BUFFER];
    loop {
        match input.read(&mut buffer).map_err(|error| source.read_error(&error))? {
            0 => break Ok((hasher.finalize().to_hex().to_string(), hasher.count())),
            n => hasher.update(&buffer[..n]),
        };
    }
}

/// Hands the `length` bytes of `source` from `offset` to `visit`, in parts of at most `part` bytes.
///
/// # Errors
/// A source that cannot be read, or an error of `visit`.
pub fn copy_range(
    source: &Source,
    offset: u64,
    length: u64,
    part: usize,
    visit: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut input = source.open()?;
    io::copy(&mut (&mut input).take(offset), &mut io::sink()).map_err(|error| source.read_error(&error))?;
    let mut range = input.take(length);
    let mut buffer = vec![0; part];
    loop {
        match read_up_to(&mut range, &mut buffer).map_err(|error| source.read_error(&error))? {
            0 => return Ok(()),
            n => visit(&buffer[..n])?,
        }
    }
}
