//! The characters of a file, found by reading all of it.

use std::io::Read as _;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{BIG5, EUC_JP, EUC_KR, GB18030, GBK, SHIFT_JIS};
use landfall_core::schema::Encoding;

use crate::{error::Result, source::Source};

/// Bytes kept from the beginning, to find out the dialect.
const PREFIX: usize = 256 << 10;
/// Bytes read at once.
const BUFFER: usize = 256 << 10;
/// Bytes that are looked at to tell encodings of one byte for a character from each other.
const LOOK: usize = 1 << 20;
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
    examine_bytes(source, usize::MAX)
}

/// Reads the first bytes of `source`: enough for its dialect.
///
/// # Errors
/// A source that cannot be read.
pub(super) fn examine_beginning(source: &Source) -> Result<ExaminedFile> {
    examine_bytes(source, PREFIX)
}

fn examine_bytes(source: &Source, most: usize) -> Result<ExaminedFile> {
    let mut input = source.open()?;
    let mut utf8 = Utf8Counter::default();
    let mut likely = LikelyEncoding::new();
    let (mut prefix, mut bytes) = (Vec::new(), 0);
    let mut buffer = vec![0; BUFFER];
    while bytes < most {
        let read = input.read(&mut buffer).map_err(|error| source.read_error(&error))?;
        if read == 0 {
            break;
        }
        bytes += read;
        utf8.read(&buffer[..read]);
        likely.read(&buffer[..read]);
        let room = PREFIX.saturating_sub(prefix.len()).min(read);
        prefix.extend_from_slice(&buffer[..room]);
    }
    utf8.finish_count();
    let encoding = detect_utf16(&prefix)
        .or_else(|| utf8.is_likely().then_some(Encoding::Utf8))
        .or_else(|| likely.encoding())
        .unwrap_or(Encoding::SingleByte(encoding_rs::WINDOWS_1252));
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

    /// Whether the text is UTF-8, also where a few records are broken.
    fn is_likely(&self) -> bool {
        self.faults == 0 || self.sound >= SOUND_FOR_EACH_FAULT * self.faults
    }
}

/// Which encoding bytes are in that are not UTF-8: by the frequency of letters beside each other, as web browsers do it.
struct LikelyEncoding {
    detector: EncodingDetector,
    /// Bytes that may still be looked at.
    room: usize,
    /// The bytes beyond ASCII among those.
    seen: Vec<u8>,
}

impl LikelyEncoding {
    fn new() -> Self {
        Self { detector: EncodingDetector::new(Iso2022JpDetection::Deny), room: LOOK, seen: Vec::new() }
    }

    fn read(&mut self, bytes: &[u8]) {
        if self.room > 0 && !bytes.is_ascii() {
            let bytes = &bytes[..bytes.len().min(self.room)];
            self.room -= bytes.len();
            self.detector.feed(bytes, false);
            self.seen.extend(bytes.iter().filter(|byte| !byte.is_ascii()));
        }
    }

    /// The encoding, where sources may have it.
    fn encoding(&mut self) -> Option<Encoding> {
        self.detector.feed(b"", true);
        let guess = self.detector.guess(None, Utf8Detection::Deny);
        // Where two encodings give the same text, it is the more frequent one.
        let same = encoding_rs::WINDOWS_1252.decode(&self.seen).0 == guess.decode(&self.seen).0;
        let encoding = if same { encoding_rs::WINDOWS_1252 } else { guess };
        let several = [SHIFT_JIS, EUC_JP, EUC_KR, BIG5, GBK, GB18030];
        match encoding.is_single_byte() {
            true => Some(Encoding::SingleByte(encoding)),
            false => several.contains(&encoding).then_some(Encoding::MultiByte(encoding)),
        }
    }
}

/// Whether more bytes could make `invalid`, the last bytes read, a sound sequence.
fn may_be_cut_sequence(invalid: &[u8]) -> bool {
    std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoding_of(parts: &[&[u8]]) -> (bool, u64) {
        let mut utf8 = Utf8Counter::default();
        parts.iter().for_each(|part| utf8.read(part));
        utf8.finish_count();
        (utf8.is_likely(), utf8.faults)
    }

    #[test]
    fn encodings_of_one_byte_are_told_by_their_letters() {
        for (text, encoding) in [
            ("id;miasto;właściciel\n1;Łódź;Paweł Żółtowski\n2;Kraków;Świętosława Gąska\n", encoding_rs::WINDOWS_1250),
            ("id;straße;größe\n1;Königsallee;größer\n2;Blücherstraße;klein\n", encoding_rs::WINDOWS_1252),
            ("番号,氏名,都市\n1,山田太郎,東京都\n2,佐藤花子,大阪市\n3,鈴木一郎,名古屋\n", SHIFT_JIS),
            ("id;город;улица\n1;Москва;Тверская\n2;Казань;Баумана\n", encoding_rs::WINDOWS_1251),
        ] {
            let mut likely = LikelyEncoding::new();
            likely.read(&encoding.encode(text).0);
            let found = likely.encoding().map(landfall_core::schema::to_standard::encoding_label);
            assert_eq!(found, Some(encoding.name().to_ascii_lowercase()), "{text}");
        }
    }

    #[test]
    fn utf8_is_judged_as_a_whole_wherever_it_is_cut() {
        let text = "naïve, Ünïted, 日本, 😀".as_bytes();
        for at in 0..=text.len() {
            assert_eq!(encoding_of(&[&text[..at], &text[at..]]), (true, 0), "{at}");
        }
        assert_eq!(encoding_of(&[b"caf\xE9"]), (false, 1));
        assert_eq!(encoding_of(&["é".repeat(30).as_bytes(), b"\xFF,", b"x"]), (true, 1));
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
