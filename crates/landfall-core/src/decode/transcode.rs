//! Sources that are not UTF-8: their text, and how positions in it and in the source belong together.
//!
//! Every unit of the source becomes one character (in UTF-16, a pair of surrogates becomes one), whether it is valid or
//! not. So a position in the text tells the position in the source, however malformed the source is.

use std::ops::Range;

use encoding_rs::mem;

use super::{
    block::RecordMark,
    draft::{to_u32, to_usize_range},
    units::{unit_width, utf16_units},
};
use crate::schema::Encoding;

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

    fn find_first(&self, source: &[u8]) -> Option<usize> {
        source.iter().position(|&byte| self.0[usize::from(byte)])
    }
}

/// The text of a source. What is invalid becomes U+FFFD, one for each unit.
pub(super) fn decode_text(source: &[u8], encoding: Encoding) -> String {
    match encoding {
        Encoding::Latin1 => mem::decode_latin1(source).into_owned(),
        Encoding::SingleByte(encoding) => encoding.decode_without_bom_handling(source).0.into_owned(),
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
        Encoding::SingleByte(_) => undefined?.find_first(source),
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
    utf16: bool,
    /// The bytes of a unit, and of the whole source.
    unit: usize,
    source_len: usize,
    in_text: usize,
    in_units: usize,
}

impl<'a> SourceRuler<'a> {
    pub(super) fn new(text: &'a str, source_len: usize, encoding: Encoding) -> Self {
        let unit = unit_width(encoding);
        Self { text: text.as_bytes(), utf16: unit == 2, unit, source_len, in_text: 0, in_units: 0 }
    }

    /// The position in the source of a position in the text.
    pub(super) fn source_position(&mut self, in_text: usize) -> usize {
        let between = &self.text[self.in_text..in_text];
        self.in_units += between.iter().filter(|&&byte| byte & 0xC0 != 0x80).count();
        if self.utf16 {
            self.in_units += between.iter().filter(|&&byte| byte >= 0xF0).count();
        }
        self.in_text = in_text;
        (self.in_units * self.unit).min(self.source_len)
    }

    /// The ranges of the source for ranges of the text.
    pub(super) fn source_ranges(mut self, in_text: &[Range<u32>]) -> Vec<Range<u32>> {
        in_text.iter().map(|range| self.source_range(&to_usize_range(range))).collect()
    }

    fn source_range(&mut self, in_text: &Range<usize>) -> Range<u32> {
        let start = self.source_position(in_text.start);
        to_u32(start)..to_u32(self.source_position(in_text.end))
    }

    /// The position in the text of a position in units.
    fn text_position(&mut self, in_units: usize) -> usize {
        while self.in_units < in_units && self.in_text < self.text.len() {
            let (bytes, units) = match self.text[self.in_text] {
                0..0x80 => (1, 1),
                0x80..0xE0 => (2, 1),
                0xE0..0xF0 => (3, 1),
                0xF0.. => (4, if self.utf16 { 2 } else { 1 }),
            };
            self.in_text += bytes;
            self.in_units += units;
        }
        self.in_text
    }

    /// The marks, moved from units to positions in the text.
    pub(super) fn marks_in_text(mut self, marks: &[RecordMark]) -> Vec<RecordMark> {
        let moved = |mark: &RecordMark| RecordMark {
            start: self.text_position(mark.start),
            end: self.text_position(mark.end),
            next: self.text_position(mark.next),
            kind: mark.kind.clone(),
        };
        marks.iter().map(moved).collect()
    }
}
