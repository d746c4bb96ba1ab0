//! Sources that are not UTF-8: their text, and how positions in it and in the source belong together.
//!
//! Every unit of the source becomes one character (in UTF-16, a pair of surrogates becomes one; in the encodings of East Asia, the bytes of
//! a character become one), whether it is valid or not. So a position in the text tells the position in the source, however malformed
//! the source is.

use std::ops::Range;

use encoding_rs::mem;

use super::{
    block::RecordMark,
    draft::{to_u32, to_usize_range},
    multi_byte::MultiByte,
    units::{unit_width, utf16_units},
};
use crate::schema::{CodePage, Encoding};

/// Bytes that an encoding of one byte a character does not define.
#[derive(Debug, Clone)]
pub(super) struct UndefinedBytes(Box<[bool; 256]>);

impl UndefinedBytes {
    /// The undefined bytes of an encoding. The web's tables give the undefined bytes of the windows encodings the
    /// meaning of control characters, so that no page is unreadable. In a data file they are an error.
    pub(super) fn for_encoding(encoding: &'static encoding_rs::Encoding) -> Self {
        let windows = encoding.name().starts_with("windows-");
        Self(Box::new(std::array::from_fn(|byte| {
            let bytes = [to_u32(byte) as u8];
            let (text, malformed) = encoding.decode_without_bom_handling(&bytes);
            malformed || (windows && byte >= 0x80 && text.chars().any(|char| ('\u{80}'..='\u{9F}').contains(&char)))
        })))
    }

    /// The undefined bytes of a code page.
    pub(super) fn for_code_page(page: CodePage) -> Self {
        Self(Box::new(page.characters().map(|char| char == '\u{FFFD}')))
    }

    fn find_first(&self, source: &[u8]) -> Option<usize> {
        source.iter().position(|&byte| self.0[usize::from(byte)])
    }
}

/// The text of a source. What is invalid becomes U+FFFD, one for each unit.
pub(super) fn decode_text(source: &[u8], encoding: Encoding) -> String {
    match encoding {
        Encoding::Latin1 => mem::decode_latin1(source).into_owned(),
        Encoding::SingleByte(encoding) => encoding.decode_without_bom_handling(source).0.into_owned(),
        Encoding::MultiByte(encoding) => MultiByte::new(encoding).decode_text(source),
        Encoding::CodePage(page) => {
            let characters = page.characters();
            source.iter().map(|&byte| characters[usize::from(byte)]).collect()
        }
        Encoding::Utf16 | Encoding::Utf16Le => text_of_utf16(source, false),
        Encoding::Utf16Be => text_of_utf16(source, true),
        Encoding::Utf8 => String::from_utf8_lossy(source).into_owned(),
    }
}

fn text_of_utf16(source: &[u8], big_endian: bool) -> String {
    let units: Vec<u16> = utf16_units(source, big_endian).collect();
    let mut text = vec![0; units.len() * 3];
    let len = mem::convert_utf16_to_utf8(&units, &mut text);
    text.truncate(len);
    if source.len() % 2 == 1 {
        text.extend_from_slice("\u{FFFD}".as_bytes());
    }
    super::draft::replace_invalid_utf8(text)
}

/// The offset of the first byte of `source` that is invalid.
pub(super) fn first_invalid(source: &[u8], encoding: Encoding, undefined: Option<&UndefinedBytes>) -> Option<usize> {
    match encoding {
        Encoding::Utf8 => std::str::from_utf8(source).err().map(|error| error.valid_up_to()),
        Encoding::Latin1 => None,
        Encoding::SingleByte(_) | Encoding::CodePage(_) => undefined?.find_first(source),
        Encoding::MultiByte(encoding) => MultiByte::new(encoding).first_invalid(source),
        Encoding::Utf16 | Encoding::Utf16Le => first_invalid_utf16(source, false),
        Encoding::Utf16Be => first_invalid_utf16(source, true),
    }
}

fn first_invalid_utf16(source: &[u8], big_endian: bool) -> Option<usize> {
    let mut at = 0;
    for char in char::decode_utf16(utf16_units(source, big_endian)) {
        match char {
            Ok(char) => at += char.len_utf16() * 2,
            Err(_) => return Some(at),
        }
    }
    (source.len() % 2 == 1).then_some(at)
}

/// Goes through a text and its source side by side, forward only.
pub(super) struct SourceRuler<'a> {
    text: &'a [u8],
    source: &'a [u8],
    width: CharacterWidth,
    in_text: usize,
    /// In bytes.
    in_source: usize,
}

/// How long the characters of a source are.
#[derive(Debug, Clone, Copy)]
enum CharacterWidth {
    Byte,
    /// Two bytes, or four beyond the basic plane.
    Utf16,
    MultiByte(MultiByte),
}

impl<'a> SourceRuler<'a> {
    pub(super) fn new(text: &'a str, source: &'a [u8], encoding: Encoding) -> Self {
        let width = match encoding {
            Encoding::MultiByte(encoding) => CharacterWidth::MultiByte(MultiByte::new(encoding)),
            _ if unit_width(encoding) == 2 => CharacterWidth::Utf16,
            _ => CharacterWidth::Byte,
        };
        Self { text: text.as_bytes(), source, width, in_text: 0, in_source: 0 }
    }

    /// The position in the source of a position in the text.
    pub(super) fn source_position(&mut self, in_text: usize) -> usize {
        if matches!(self.width, CharacterWidth::MultiByte(_)) {
            while self.in_text < in_text && self.step_character() {}
            return self.in_source;
        }
        let between = &self.text[self.in_text..in_text];
        let mut units = between.iter().filter(|&&byte| byte & 0xC0 != 0x80).count();
        if matches!(self.width, CharacterWidth::Utf16) {
            units = 2 * (units + between.iter().filter(|&&byte| byte >= 0xF0).count());
        }
        self.in_source += units;
        self.in_text = in_text;
        // A byte left over at the end of UTF-16 is a character too.
        self.in_source.min(self.source.len())
    }

    /// The ranges of the source for ranges of the text.
    pub(super) fn source_ranges(mut self, in_text: &[Range<u32>]) -> Vec<Range<u32>> {
        in_text.iter().map(|range| self.source_range(&to_usize_range(range))).collect()
    }

    fn source_range(&mut self, in_text: &Range<usize>) -> Range<u32> {
        let start = self.source_position(in_text.start);
        to_u32(start)..to_u32(self.source_position(in_text.end))
    }

    /// The position in the text of a position in the source.
    fn text_position(&mut self, in_source: usize) -> usize {
        while self.in_source < in_source && self.step_character() {}
        self.in_text
    }

    /// Steps over the next character of both. False at the end.
    fn step_character(&mut self) -> bool {
        let Some(&first) = self.text.get(self.in_text) else { return false };
        let bytes = utf8_length(first);
        self.in_text += bytes;
        self.in_source += match self.width {
            CharacterWidth::Byte => 1,
            CharacterWidth::Utf16 => {
                if bytes == 4 {
                    4
                } else {
                    2
                }
            }
            CharacterWidth::MultiByte(_) if first < 0x80 => 1,
            CharacterWidth::MultiByte(form) => {
                let Some(length) = form.first_length(&self.source[self.in_source..], true) else { return false };
                // The second half of a character that Unicode has only in two parts.
                if length.chars == 2 {
                    self.in_text += self.text.get(self.in_text).map_or(0, |&second| utf8_length(second));
                }
                length.bytes
            }
        };
        true
    }

    /// The marks, moved from units to positions in the text.
    pub(super) fn marks_in_text(mut self, marks: &[RecordMark], encoding: Encoding) -> Vec<RecordMark> {
        let unit = unit_width(encoding);
        let moved = |mark: &RecordMark| RecordMark {
            start: self.text_position(mark.start * unit),
            end: self.text_position(mark.end * unit),
            next: self.text_position(mark.next * unit),
            kind: mark.kind.clone(),
        };
        marks.iter().map(moved).collect()
    }
}

/// The length of the character that begins with `first` in UTF-8.
const fn utf8_length(first: u8) -> usize {
    match first {
        0..0x80 => 1,
        0x80..0xE0 => 2,
        0xE0..0xF0 => 3,
        0xF0.. => 4,
    }
}
