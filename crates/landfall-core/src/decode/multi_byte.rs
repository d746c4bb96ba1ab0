//! Encodings of East Asia, in which a character has one to four bytes: where one character ends and the next begins.
//!
//! The bytes behind the first of a character may be those of `\`, `|` or a letter. So they must not be looked at before it is known that
//! they belong to a character. What has no meaning in an encoding is one byte long here, so that a line end or a delimiter behind
//! it stays one.
//!
//! Source of the ranges: <https://encoding.spec.whatwg.org/#legacy-multi-byte-chinese-(simplified)-encodings> and what follows there.

use std::borrow::Cow;

/// How the bytes of an encoding make up characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ByteRanges {
    ShiftJis,
    EucJp,
    EucKr,
    Big5,
    /// GB18030, of which GBK and GB2312 are parts.
    Gb18030,
}

/// An encoding of one to four bytes a character. Bytes below 0x80 that begin a character are ASCII in all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MultiByte {
    encoding: &'static encoding_rs::Encoding,
    ranges: ByteRanges,
}

/// The length of a piece of a source that is one character, in bytes and in `char`s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CharacterLength {
    pub(super) bytes: usize,
    pub(super) chars: usize,
}

impl MultiByte {
    pub(super) fn new(encoding: &'static encoding_rs::Encoding) -> Self {
        let ranges = match encoding.name() {
            "Shift_JIS" => ByteRanges::ShiftJis,
            "EUC-JP" => ByteRanges::EucJp,
            "EUC-KR" => ByteRanges::EucKr,
            "Big5" => ByteRanges::Big5,
            _ => ByteRanges::Gb18030,
        };
        Self { encoding, ranges }
    }

    /// The length of the first character of `bytes`, which are not empty. None where bytes to come decide, unless these are the `last`.
    pub(super) fn first_length(self, bytes: &[u8], last: bool) -> Option<CharacterLength> {
        let at = |at: usize| bytes.get(at).copied();
        let [first, ..] = *bytes else { return None };
        let two = match self.ranges {
            _ if first < 0x80 => 1,
            ByteRanges::ShiftJis if !matches!(first, 0x81..=0x9F | 0xE0..=0xFC) => 1,
            ByteRanges::ShiftJis => two_if(at(1), |byte| matches!(byte, 0x40..=0x7E | 0x80..=0xFC)),
            ByteRanges::EucKr if !matches!(first, 0x81..=0xFE) => 1,
            // The registry of the web also names the bytes between the letters, of which no character is made.
            ByteRanges::EucKr => two_if(at(1), |byte| matches!(byte, 0x41..=0x5A | 0x61..=0x7A | 0x81..=0xFE)),
            ByteRanges::Big5 if !matches!(first, 0x81..=0xFE) => 1,
            ByteRanges::Big5 => two_if(at(1), |byte| matches!(byte, 0x40..=0x7E | 0xA1..=0xFE)),
            ByteRanges::EucJp => euc_jp_length(first, at(1), at(2)),
            ByteRanges::Gb18030 if !matches!(first, 0x81..=0xFE) => 1,
            ByteRanges::Gb18030 => gb18030_length(at(1), at(2), at(3)),
        };
        let length = match two {
            UNKNOWN if last => 1,
            UNKNOWN => return None,
            known => known,
        };
        // Four of its characters are a letter with two marks, which Unicode has no single code point for.
        let composed =
            self.ranges == ByteRanges::Big5 && first == 0x88 && matches!(at(1), Some(0x62 | 0x64 | 0xA3 | 0xA5));
        Some(CharacterLength { bytes: length, chars: if composed && length == 2 { 2 } else { 1 } })
    }

    /// The text of `source`; what is malformed is U+FFFD, once for each piece that [`Self::first_length`] tells.
    pub(super) fn decode_text(self, source: &[u8]) -> String {
        if let Some(text) = self.decode_valid(source) {
            return text.into_owned();
        }
        let mut text = String::with_capacity(source.len());
        for piece in self.pieces(source) {
            let decoded = self.decode_valid(piece.bytes).filter(|text| text.chars().count() == piece.chars);
            match decoded {
                Some(decoded) => text.push_str(&decoded),
                None => text.extend(std::iter::repeat_n('\u{FFFD}', piece.chars)),
            }
        }
        text
    }

    /// The offset of the first byte of `source` that belongs to no character.
    pub(super) fn first_invalid(self, source: &[u8]) -> Option<usize> {
        if self.decode_valid(source).is_some() {
            return None;
        }
        let mut offset = 0;
        for piece in self.pieces(source) {
            if self.decode_valid(piece.bytes).is_none() {
                return Some(offset);
            }
            offset += piece.bytes.len();
        }
        None
    }

    /// `text` in this encoding; none where it lacks a character.
    pub(super) fn encode_text(self, text: &str) -> Option<Vec<u8>> {
        let (bytes, _, lacking) = self.encoding.encode(text);
        (!lacking).then(|| bytes.into_owned())
    }

    fn decode_valid(self, source: &[u8]) -> Option<Cow<'_, str>> {
        self.encoding.decode_without_bom_handling_and_without_replacement(source)
    }

    /// The characters of `source`, with what belongs to none.
    fn pieces(self, source: &[u8]) -> impl Iterator<Item = SourcePiece<'_>> {
        let mut rest = source;
        std::iter::from_fn(move || {
            let length = self.first_length(rest, true)?;
            let (bytes, behind) = rest.split_at(length.bytes.min(rest.len()));
            rest = behind;
            Some(SourcePiece { bytes, chars: length.chars })
        })
    }
}

struct SourcePiece<'a> {
    bytes: &'a [u8],
    chars: usize,
}

/// Bytes to come decide how long a character is.
const UNKNOWN: usize = 0;

/// Two bytes where the `second` is one that may follow, else one.
fn two_if(second: Option<u8>, follows: impl Fn(u8) -> bool) -> usize {
    match second {
        None => UNKNOWN,
        Some(second) => 1 + usize::from(follows(second)),
    }
}

fn euc_jp_length(first: u8, second: Option<u8>, third: Option<u8>) -> usize {
    let high = |byte: u8| matches!(byte, 0xA1..=0xFE);
    match (first, second) {
        (0x8E, second) => two_if(second, |byte| matches!(byte, 0xA1..=0xDF)),
        (0x8F, None) => UNKNOWN,
        (0x8F, Some(second)) if high(second) => match third {
            None => UNKNOWN,
            Some(third) if high(third) => 3,
            Some(_) => 1,
        },
        (0xA1..=0xFE, second) => two_if(second, high),
        _ => 1,
    }
}

fn gb18030_length(second: Option<u8>, third: Option<u8>, fourth: Option<u8>) -> usize {
    match (second, third, fourth) {
        (None, ..) => UNKNOWN,
        (Some(0x40..=0x7E | 0x80..=0xFE), ..) => 2,
        (Some(0x30..=0x39), None, _) | (Some(0x30..=0x39), Some(0x81..=0xFE), None) => UNKNOWN,
        (Some(0x30..=0x39), Some(0x81..=0xFE), Some(0x30..=0x39)) => 4,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use encoding_rs::{BIG5, EUC_JP, EUC_KR, GB18030, GBK, SHIFT_JIS};
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;

    const ALL: [&encoding_rs::Encoding; 6] = [SHIFT_JIS, EUC_JP, EUC_KR, BIG5, GBK, GB18030];

    /// The characters that the pieces say there are.
    fn count_chars(form: MultiByte, source: &[u8]) -> usize {
        form.pieces(source).map(|piece| piece.chars).sum()
    }

    #[test]
    fn every_pair_of_bytes_is_cut_as_the_encoding_reads_it() {
        for form in ALL.map(MultiByte::new) {
            for (first, second) in (0..=255_u8).flat_map(|first| (0..=255_u8).map(move |second| (first, second))) {
                let source = [first, second];
                let Some(text) = form.decode_valid(&source) else { continue };
                assert_eq!(count_chars(form, &source), text.chars().count(), "{form:?} {source:x?}");
                let one_by_one: String =
                    form.pieces(&source).map(|piece| form.decode_valid(piece.bytes).expect("is valid")).collect();
                assert_eq!(one_by_one, text, "{form:?} {source:x?}");
            }
        }
    }

    proptest! {
        #[test]
        fn malformed_sources_keep_their_characters(
            form in select(ALL.map(MultiByte::new).to_vec()),
            source in vec(prop_oneof![any::<u8>(), 0x80..=0xFF_u8, select(b"0|\\\n,@".to_vec())], 0..40),
        ) {
            let text = form.decode_text(&source);
            prop_assert_eq!(text.chars().count(), count_chars(form, &source));
            prop_assert_eq!(form.first_invalid(&source).is_none(), form.decode_valid(&source).is_some());
        }

        #[test]
        fn bytes_to_come_change_nothing_that_was_told(
            form in select(ALL.map(MultiByte::new).to_vec()),
            source in vec(prop_oneof![any::<u8>(), 0x80..=0xFF_u8, select(b"0|\\\n,@".to_vec())], 1..8),
            held in 1..8_usize,
        ) {
            if let Some(length) = form.first_length(&source[..held.min(source.len())], false) {
                prop_assert_eq!(form.first_length(&source, false), Some(length));
            }
        }
    }
}
