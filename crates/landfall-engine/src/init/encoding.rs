//! The characters of a file, found by reading all of it.

use std::io::Read as _;

use landfall_core::schema::Encoding;

use crate::{error::Result, source::Source};

/// Bytes kept from the beginning, to find out the dialect.
const PREFIX: usize = 256 << 10;
/// Bytes read at once.
const BUFFER: usize = 256 << 10;
/// So many sound characters beyond ASCII for each malformed one make a file broken UTF-8, and not something else.
const SOUND_FOR_EACH_FAULT: u64 = 20;

/// What is known of a file once all of its bytes were read.
#[derive(Debug)]
pub(super) struct ExaminedFile {
    pub(super) encoding: Encoding,
    /// Every byte is ASCII, so that most encodings would do.
    pub(super) ascii: bool,
    /// Places that are not valid in the encoding.
    pub(super) faults: u64,
    /// The first bytes.
    pub(super) prefix: Vec<u8>,
    /// There are more bytes than those.
    pub(super) cut: bool,
}

/// Reads all of `source`.
///
/// # Errors
/// A source that cannot be read.
pub(super) fn examine_file(source: &Source) -> Result<ExaminedFile> {
    let mut input = source.open()?;
    let mut utf8 = Utf8Counter::default();
    let (mut prefix, mut bytes) = (Vec::new(), 0);
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = input.read(&mut buffer).map_err(|error| source.read_error(&error))?;
        if read == 0 {
            break;
        }
        bytes += read;
        utf8.read(&buffer[..read]);
        let room = PREFIX.saturating_sub(prefix.len()).min(read);
        prefix.extend_from_slice(&buffer[..room]);
    }
    utf8.finish_count();
    let encoding = detect_utf16(&prefix).unwrap_or_else(|| utf8.likely_encoding());
    let faults = if encoding == Encoding::Utf8 { utf8.faults } else { 0 };
    Ok(ExaminedFile { encoding, ascii: utf8.is_ascii(), faults, cut: bytes > prefix.len(), prefix })
}

/// UTF-16, where a byte order mark or the pattern of NUL bytes says so.
fn detect_utf16(prefix: &[u8]) -> Option<Encoding> {
    match prefix {
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => return Some(Encoding::Utf16),
        _ => {}
    }
    let pairs = prefix.as_chunks::<2>().0;
    let nuls = |at: usize| pairs.iter().filter(|pair| pair[at] == 0 && pair[1 - at] != 0).count();
    let (first, second) = (nuls(0), nuls(1));
    // Delimiters, digits and line ends alone make up a good part of a table.
    let many = |nuls: usize, others: usize| nuls > 2 && nuls * 4 >= pairs.len() && nuls > 8 * others;
    if many(second, first) {
        Some(Encoding::Utf16Le)
    } else if many(first, second) {
        Some(Encoding::Utf16Be)
    } else {
        None
    }
}

/// Counts sound and malformed sequences of UTF-8 in a stream.
#[derive(Debug, Default)]
struct Utf8Counter {
    /// The beginning of a sequence that the next bytes may complete.
    rest: Vec<u8>,
    /// Characters beyond ASCII.
    sound: u64,
    faults: u64,
}

impl Utf8Counter {
    fn read(&mut self, bytes: &[u8]) {
        if self.rest.is_empty() && bytes.is_ascii() {
            return;
        }
        let mut all = std::mem::take(&mut self.rest);
        all.extend_from_slice(bytes);
        let mut chunks = all.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            self.sound += chunk.valid().chars().filter(|character| !character.is_ascii()).count() as u64;
            let invalid = chunk.invalid();
            if chunks.peek().is_none() && may_be_cut_sequence(invalid) {
                self.rest = invalid.to_vec();
            } else {
                self.faults += u64::from(!invalid.is_empty());
            }
        }
    }

    fn finish_count(&mut self) {
        self.faults += u64::from(!self.rest.is_empty());
    }

    fn is_ascii(&self) -> bool {
        self.sound == 0 && self.faults == 0
    }

    /// UTF-8, also where a few records are broken; otherwise windows-1252, which reads almost any bytes.
    fn likely_encoding(&self) -> Encoding {
        if self.faults == 0 || self.sound >= SOUND_FOR_EACH_FAULT * self.faults {
            Encoding::Utf8
        } else {
            Encoding::SingleByte(encoding_rs::WINDOWS_1252)
        }
    }
}

/// Whether more bytes could make `invalid`, the last bytes read, a sound sequence.
fn may_be_cut_sequence(invalid: &[u8]) -> bool {
    std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none())
}

/// The name of an encoding in a data package.
pub(super) fn encoding_name(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Utf8 => "utf-8",
        Encoding::Utf16 => "utf-16",
        Encoding::Utf16Le => "utf-16le",
        Encoding::Utf16Be => "utf-16be",
        Encoding::Latin1 => "iso-8859-1",
        Encoding::SingleByte(_) => "windows-1252",
        Encoding::MultiByte(encoding) => encoding.name(),
        Encoding::CodePage(page) => page.name(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoding_of(parts: &[&[u8]]) -> (&'static str, u64) {
        let mut utf8 = Utf8Counter::default();
        parts.iter().for_each(|part| utf8.read(part));
        utf8.finish_count();
        (encoding_name(utf8.likely_encoding()), utf8.faults)
    }

    #[test]
    fn utf8_is_judged_as_a_whole_wherever_it_is_cut() {
        let text = "naïve, Ünïted, 日本, 😀".as_bytes();
        for at in 0..=text.len() {
            assert_eq!(encoding_of(&[&text[..at], &text[at..]]), ("utf-8", 0), "{at}");
        }
        assert_eq!(encoding_of(&[b"caf\xE9"]), ("windows-1252", 1));
        assert_eq!(encoding_of(&["é".repeat(30).as_bytes(), b"\xFF,", b"x"]), ("utf-8", 1));
    }

    #[test]
    fn utf16_is_known_by_its_mark_or_its_nuls() {
        let units = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
        assert_eq!(detect_utf16(&units("\u{feff}id")), Some(Encoding::Utf16));
        assert_eq!(detect_utf16(&units("id,name\n1,日本語\n")), Some(Encoding::Utf16Le));
        let swapped: Vec<u8> = units("id,name\n").as_chunks::<2>().0.iter().flat_map(|&[a, b]| [b, a]).collect();
        assert_eq!(detect_utf16(&swapped), Some(Encoding::Utf16Be));
        assert_eq!(detect_utf16(b"id,na\0me\n"), None);
    }
}
