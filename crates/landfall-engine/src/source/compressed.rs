//! Compressed bytes: gzip and Zstandard, member after member.
//!
//! A file may have several members (gzip) or frames (Zstandard) one after the other, as `cat a.gz b.gz` makes them. What else may stand
//! between them is passed by: zeros behind gzip, with which tapes and block devices fill up, and skippable frames of Zstandard. Anything
//! else is an error that says where it stands, since data may be lost there.
//!
//! Formats: RFC 1952 (gzip), RFC 8878 (Zstandard).

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

/// Bytes read at once.
const BUFFER: usize = 256 * 1024;

/// How bytes are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CompressedFormat {
    Gzip,
    Zstandard,
}

impl CompressedFormat {
    /// The format of a file that begins with `magic`; none where it is not compressed.
    pub(super) fn detect(magic: &[u8]) -> Option<Self> {
        match magic {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstandard),
            magic if is_skippable(magic) => Some(Self::Zstandard),
            _ => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstandard => "Zstandard",
        }
    }
}

/// Whether these are the first bytes of a skippable frame of Zstandard.
fn is_skippable(magic: &[u8]) -> bool {
    matches!(magic, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// Decompresses all members of a stream.
pub(super) struct MemberReader {
    format: CompressedFormat,
    state: MemberState,
}

enum MemberState {
    /// Before a member, or at the end.
    Between(PeekedBytes),
    // The states of both are large, and live as long as one member.
    Gzip(Box<GzDecoder<PeekedBytes>>),
    Zstandard(Box<zstd::stream::read::Decoder<'static, PeekedBytes>>),
    Ended,
}

impl MemberReader {
    /// Reads `bytes`, which begin as those of `format` do.
    pub(super) fn new(format: CompressedFormat, bytes: Box<dyn Read + Send>) -> Self {
        Self { format, state: MemberState::Between(PeekedBytes::new(bytes)) }
    }

    /// Begins the next member, where there is one. `bytes` stand behind the one before.
    fn begin_member(&self, mut bytes: PeekedBytes) -> io::Result<MemberState> {
        match self.format {
            CompressedFormat::Gzip => bytes.skip_zeros()?,
            CompressedFormat::Zstandard => skip_frames(&mut bytes)?,
        }
        let next = bytes.peek_ahead(4)?;
        if next.is_empty() {
            return Ok(MemberState::Ended);
        }
        // Whatever else stands here may be data, so that nothing is passed by in silence.
        if CompressedFormat::detect(next) != Some(self.format) {
            return Err(self.other_bytes(bytes.position));
        }
        Ok(match self.format {
            CompressedFormat::Gzip => MemberState::Gzip(Box::new(GzDecoder::new(bytes))),
            CompressedFormat::Zstandard => {
                // One frame at a time, so that what stands behind it can be told apart from a damaged frame.
                let decoder = zstd::stream::read::Decoder::with_buffer(bytes)?.single_frame();
                MemberState::Zstandard(Box::new(decoder))
            }
        })
    }

    fn other_bytes(&self, position: u64) -> io::Error {
        let name = self.format.name();
        let message = format!(
            "behind its compressed data, from byte {} of the file on, stand bytes that are no {name}; the file is damaged, or \
             something was appended to it: compress the whole data again, or cut the file there",
            position + 1
        );
        io::Error::new(io::ErrorKind::InvalidData, message)
    }
}

/// `error` in words that say what to do about a file that is not whole.
fn explain_error(error: io::Error, format: CompressedFormat) -> io::Error {
    if error.kind() != io::ErrorKind::UnexpectedEof {
        return error;
    }
    let message = format!("its {} data end too early: the file was cut off; bring the whole file", format.name());
    io::Error::new(error.kind(), message)
}

impl Read for MemberReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let format = self.format;
        let explain = |error| explain_error(error, format);
        loop {
            let read = match &mut self.state {
                MemberState::Ended => return Ok(0),
                MemberState::Between(_) => 0,
                MemberState::Gzip(member) => member.read(buffer).map_err(explain)?,
                MemberState::Zstandard(frame) => frame.read(buffer).map_err(explain)?,
            };
            // An empty buffer reads nothing, which is not the end of a member.
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            // The state is moved out to hand its bytes on. After an error it stays `Ended`: nothing more is read.
            self.state = match std::mem::replace(&mut self.state, MemberState::Ended) {
                MemberState::Between(bytes) => self.begin_member(bytes).map_err(explain)?,
                MemberState::Gzip(member) => MemberState::Between(member.into_inner()),
                MemberState::Zstandard(frame) => MemberState::Between(frame.finish()),
                MemberState::Ended => MemberState::Ended,
            };
        }
    }
}

/// Passes by the skippable frames of Zstandard: four bytes of magic, and four of the length of what follows.
fn skip_frames(bytes: &mut PeekedBytes) -> io::Result<()> {
    while is_skippable(bytes.peek_ahead(4)?) {
        // The length is of 32 bits, little-endian (RFC 8878, 3.1.2).
        let &[_, _, _, _, a, b, c, d] = bytes.peek_ahead(8)? else { return Err(io::ErrorKind::UnexpectedEof.into()) };
        bytes.skip_bytes(8 + u64::from(u32::from_le_bytes([a, b, c, d])))?;
    }
    Ok(())
}

/// A buffered stream of which the next bytes can be looked at, also across the end of the buffer.
struct PeekedBytes {
    bytes: Box<dyn Read + Send>,
    buffer: Box<[u8]>,
    start: usize,
    filled: usize,
    /// Bytes of the stream before `start`.
    position: u64,
}

impl PeekedBytes {
    fn new(bytes: Box<dyn Read + Send>) -> Self {
        Self { bytes, buffer: vec![0; BUFFER].into(), start: 0, filled: 0, position: 0 }
    }

    /// The next `count` bytes, which are few, and perhaps more; fewer at the end of the stream.
    fn peek_ahead(&mut self, count: usize) -> io::Result<&[u8]> {
        // Reads may be short, on a pipe or over a network, so one of them does not say that the stream ends here.
        while self.filled - self.start < count && self.read_more()? {}
        let end = self.filled.min(self.start + count);
        Ok(&self.buffer[self.start..end])
    }

    /// Reads into the room behind the bytes held; false at the end of the stream.
    fn read_more(&mut self) -> io::Result<bool> {
        // Only a few bytes are ever kept, since whoever peeks asks for eight at most.
        self.buffer.copy_within(self.start..self.filled, 0);
        (self.start, self.filled) = (0, self.filled - self.start);
        let read = loop {
            match self.bytes.read(&mut self.buffer[self.filled..]) {
                // A signal may interrupt a read, and not all decompressors try again by themselves.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.filled += read;
        Ok(read > 0)
    }

    fn skip_zeros(&mut self) -> io::Result<()> {
        loop {
            let held = self.fill_buf()?;
            let zeros = held.iter().take_while(|&&byte| byte == 0).count();
            let all = zeros == held.len();
            self.consume(zeros);
            if zeros == 0 || !all {
                return Ok(());
            }
        }
    }

    /// Passes by `count` bytes.
    fn skip_bytes(&mut self, mut count: u64) -> io::Result<()> {
        while count > 0 {
            let held = self.fill_buf()?.len();
            if held == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let passed = usize::try_from(count).unwrap_or(usize::MAX).min(held);
            self.consume(passed);
            count -= passed as u64;
        }
        Ok(())
    }
}

impl Read for PeekedBytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let held = self.fill_buf()?;
        let read = held.len().min(buffer.len());
        buffer[..read].copy_from_slice(&held[..read]);
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for PeekedBytes {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.filled {
            self.read_more()?;
        }
        Ok(&self.buffer[self.start..self.filled])
    }

    fn consume(&mut self, amount: usize) {
        self.start += amount;
        self.position += amount as u64;
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may")]

    use std::io::{Cursor, Write as _};

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    }

    fn zstandard(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 1).unwrap()
    }

    fn skippable(length: usize) -> Vec<u8> {
        let mut frame = vec![0x5a, 0x2a, 0x4d, 0x18];
        frame.extend(u32::try_from(length).unwrap().to_le_bytes());
        frame.extend(vec![0xfd; length]);
        frame
    }

    /// A stream that gives so many bytes at once.
    struct Parts(Cursor<Vec<u8>>, usize);

    impl Read for Parts {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let most = buffer.len().min(self.1);
            self.0.read(&mut buffer[..most])
        }
    }

    /// What is read of the parts one after the other, whatever the sizes of reads.
    fn read_parts(parts: &[Vec<u8>]) -> Result<String, String> {
        let stored = parts.concat();
        let format = CompressedFormat::detect(&stored).unwrap();
        let mut outcomes = [1, 3, 4096, BUFFER].map(|size| {
            let mut text = String::new();
            let parts = Box::new(Parts(Cursor::new(stored.clone()), size));
            MemberReader::new(format, parts).read_to_string(&mut text).map_err(|error| error.to_string()).map(|_| text)
        });
        let last = outcomes[3].clone();
        assert!(outcomes.iter_mut().all(|outcome| *outcome == last), "{outcomes:?}");
        last
    }

    #[test]
    fn members_one_after_the_other_are_one_text() {
        assert_eq!(read_parts(&[gzip(b"a,"), gzip(b""), gzip(b"b\n")]).unwrap(), "a,b\n");
        assert_eq!(read_parts(&[zstandard(b"a,"), zstandard(b""), zstandard(b"b\n")]).unwrap(), "a,b\n");
    }

    #[test]
    fn zeros_behind_gzip_are_no_data() {
        for zeros in [1, 511, BUFFER, BUFFER + 7] {
            assert_eq!(read_parts(&[gzip(b"a\n"), vec![0; zeros]]).unwrap(), "a\n");
            assert_eq!(read_parts(&[gzip(b"a\n"), vec![0; zeros], gzip(b"b\n")]).unwrap(), "a\nb\n");
        }
    }

    #[test]
    fn skippable_frames_are_no_data() {
        for length in [0, 1, 100, BUFFER + 3] {
            let frames = [skippable(length), zstandard(b"a\n"), skippable(length), skippable(0), zstandard(b"b\n")];
            assert_eq!(read_parts(&frames).unwrap(), "a\nb\n");
            assert_eq!(read_parts(&[zstandard(b"a\n"), skippable(length)]).unwrap(), "a\n");
        }
        let cut = [zstandard(b"a\n"), skippable(9)[..12].to_vec()];
        assert!(read_parts(&cut).unwrap_err().contains("end too early"));
    }

    #[test]
    fn bytes_behind_the_last_member_are_told_with_their_place() {
        for (member, name) in [(gzip(b"a,b\n"), "gzip"), (zstandard(b"a,b\n"), "Zstandard")] {
            for tail in [&b"x"[..], b"\x1f", b"\x28\xb5", b"<html>", b"\x00x"] {
                let error = read_parts(&[member.clone(), tail.to_vec()]).unwrap_err();
                // Zeros are passed by behind gzip, and so are not what stands there.
                let zeros = usize::from(name == "gzip" && tail[0] == 0);
                let place =
                    format!("from byte {} of the file on, stand bytes that are no {name}", member.len() + zeros + 1);
                assert!(error.contains(&place), "{tail:?}: {error}");
            }
        }
    }

    #[test]
    fn a_file_that_was_cut_off_is_told_as_such() {
        for member in [gzip(b"a,b\n"), zstandard(b"a,b\n")] {
            for length in 5..member.len() {
                let error = read_parts(&[member[..length].to_vec()]).unwrap_err();
                assert!(error.contains("the file was cut off"), "{length}: {error}");
            }
        }
    }
}
