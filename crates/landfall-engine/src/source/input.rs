//! The bytes of a source, decompressed where they are compressed, and as JSON rows where they are Avro.

use std::{
    io::{self, Cursor, Read},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use landfall_core::avro::resolve::RowMapping;

use super::{
    Source,
    compressed::{CompressedFormat, MemberReader},
};
use crate::{avro::AvroInput, error::Result};

/// Bytes read at once.
const BUFFER: usize = 256 * 1024;

/// The bytes of an open source.
pub struct SourceInput {
    bytes: Box<dyn Read + Send>,
    is_compressed: bool,
    /// How many bytes of the content were read.
    consumed: Arc<AtomicU64>,
}

impl SourceInput {
    /// Reads `content`, which is decompressed where its first bytes are those of gzip or Zstandard.
    pub(super) fn decompress(content: Box<dyn Read + Send>) -> io::Result<Self> {
        // Counted below the decompression: progress is measured against the size of the file.
        let (mut content, consumed) = CountedBytes::start_count(content);
        let mut magic = [0; 4];
        let known = read_up_to(&mut content, &mut magic)?;
        // The bytes that were looked at go first again, since a stream cannot go back.
        let content = Box::new(Cursor::new(magic).take(known as u64).chain(content));
        let format = CompressedFormat::detect(&magic[..known]);
        let is_compressed = format.is_some();
        let bytes: Box<dyn Read + Send> = match format {
            Some(format) => Box::new(MemberReader::new(format, content)),
            None => content,
        };
        Ok(Self { bytes, is_compressed, consumed })
    }

    /// Reads the rows of `content`, which is Avro, as JSON.
    pub(super) fn from_avro(content: Box<dyn Read + Send>, mapping: Arc<RowMapping>) -> io::Result<Self> {
        let (content, consumed) = CountedBytes::start_count(content);
        Ok(Self { bytes: Box::new(AvroInput::new(content, mapping)?), is_compressed: true, consumed })
    }

    /// Whether the source is compressed, or Avro: its size then says nothing about its content.
    #[must_use]
    pub const fn is_compressed(&self) -> bool {
        self.is_compressed
    }

    /// How many bytes of the content (compressed, where it is) were read.
    #[must_use]
    pub fn consumed_bytes(&self) -> u64 {
        self.consumed.load(Ordering::Relaxed)
    }
}

impl Read for SourceInput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.bytes.read(buffer)
    }
}

/// Counts the bytes that are read, for whoever holds the counter.
struct CountedBytes {
    bytes: Box<dyn Read + Send>,
    count: Arc<AtomicU64>,
}

impl CountedBytes {
    fn start_count(bytes: Box<dyn Read + Send>) -> (Self, Arc<AtomicU64>) {
        let count = Arc::new(AtomicU64::new(0));
        (Self { bytes, count: Arc::clone(&count) }, count)
    }
}

impl Read for CountedBytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(buffer)?;
        // Only a display reads it, so that no other memory needs to be in order with it.
        self.count.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
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
    // Compressed bytes have no offsets, so everything before the range must be decompressed.
    if input.is_compressed() {
        io::copy(&mut (&mut input).take(offset), &mut io::sink()).map_err(|error| source.read_error(&error))?;
    } else {
        input.bytes = source.content.open_at(offset).map_err(|error| source.read_error(&error))?;
    }
    let mut range = input.take(length);
    let mut buffer = vec![0; part];
    loop {
        // Filled up, so that the parts have the same bounds however the bytes arrive.
        match read_up_to(&mut range, &mut buffer).map_err(|error| source.read_error(&error))? {
            0 => return Ok(()),
            n => visit(&buffer[..n])?,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::{super::content::ContentStamp, *};
    use crate::{origin::Origin, source::SourceContent};

    /// Bytes that come in small pieces, as over a network, and whose number is not known before.
    #[derive(Debug)]
    struct Pieces(Vec<u8>);

    impl SourceContent for Pieces {
        fn open_at(&self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
            let rest = self.0.get(usize::try_from(offset).expect("small")..).unwrap_or_default();
            let pieces: Vec<Cursor<Vec<u8>>> = rest.chunks(3).map(|piece| Cursor::new(piece.to_vec())).collect();
            let empty: Box<dyn Read + Send> = Box::new(io::empty());
            Ok(pieces.into_iter().fold(empty, |before, piece| Box::new(before.chain(piece))))
        }

        fn read_stamp(&self) -> io::Result<ContentStamp> {
            Ok(ContentStamp { size: None, version: String::new() })
        }
    }

    fn source(bytes: &[u8]) -> Source {
        Source::new("pieces", Origin::File, Arc::new(Pieces(bytes.to_vec())))
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        out.write_all(bytes).expect("is compressed");
        out.finish().expect("is compressed")
    }

    #[test]
    fn content_of_any_kind_is_read_decompressed_and_counted() {
        let text: Vec<u8> = (0..2000_u32).flat_map(|number| format!("{number}\n").into_bytes()).collect();
        let zstd = zstd::encode_all(&text[..], 1).expect("is compressed");
        for (stored, is_compressed) in [(text.clone(), false), (gzip(&text), true), (zstd, true)] {
            let source = source(&stored);
            let mut input = source.open().expect("opens");
            let mut read = Vec::new();
            input.read_to_end(&mut read).expect("reads");
            assert_eq!((read == text, input.is_compressed()), (true, is_compressed));
            assert_eq!(input.consumed_bytes(), stored.len() as u64);
            let mut range = Vec::new();
            let keep = &mut |part: &[u8]| {
                range.extend_from_slice(part);
                Ok(())
            };
            copy_range(&source, 100, 50, 7, keep).expect("reads");
            assert_eq!(range, text[100..150]);
            assert_eq!(digest_source(&source, None).expect("reads").1, text.len() as u64);
        }
    }

    #[test]
    fn content_may_be_shorter_than_the_marks_of_compression() {
        for bytes in [&b""[..], b"\x1f", b"a\n"] {
            let mut read = Vec::new();
            source(bytes).open().expect("opens").read_to_end(&mut read).expect("reads");
            assert_eq!(read, bytes);
        }
    }
}
