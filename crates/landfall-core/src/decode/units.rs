//! Code units: what the cutter counts in, so that it needs to know one kind of bytes only.
//!
//! In most encodings a unit is a byte. In UTF-16 it is two, and each unit gets a stand-in byte: ASCII stands for itself,
//! everything else is one byte that means nothing. All characters of a dialect are ASCII, save those of a custom line
//! terminator, which get stand-ins of their own.

use super::lines::Terminator;
use crate::schema::{Dialect, Encoding, LineTerminator};

/// How the bytes of a source become units.
#[derive(Debug, Clone, Default)]
pub(super) struct UnitReader {
    /// Units of UTF-16 beyond ASCII that mean something.
    special: Vec<u16>,
}

/// The stand-in for units that mean nothing; the special ones follow it.
const NOTHING: u8 = 0x80;

impl UnitReader {
    /// The units of an encoding, and the line terminator in them.
    pub(super) fn new(dialect: &Dialect, encoding: Encoding) -> (Self, Terminator) {
        let LineTerminator::Custom(text) = &dialect.line_terminator else { return (Self::default(), Terminator::Any) };
        if unit_width(encoding) == 1 {
            return (Self::default(), Terminator::Custom(encode_bytes(text, encoding)));
        }
        let mut special: Vec<u16> = text.encode_utf16().filter(|&unit| unit >= 0x80).collect();
        special.sort_unstable();
        special.dedup();
        special.truncate(usize::from(u8::MAX - NOTHING));
        let units = Self { special };
        let terminator = text.encode_utf16().map(|unit| units.stand_in_for(unit)).collect();
        (units, Terminator::Custom(terminator))
    }

    /// The byte that stands for a unit of UTF-16.
    fn stand_in_for(&self, unit: u16) -> u8 {
        match u8::try_from(unit) {
            Ok(ascii) if ascii < 0x80 => ascii,
            _ if self.special.is_empty() => NOTHING,
            _ => self.special.binary_search(&unit).map_or(NOTHING, |at| NOTHING + 1 + at as u8),
        }
    }

    /// Appends the bytes that stand for the UTF-16 in `source`. A byte left over at the end has no stand-in.
    pub(super) fn append_units(&self, source: &[u8], big_endian: bool, stand_ins: &mut Vec<u8>) {
        stand_ins.extend(utf16_units(source, big_endian).map(|unit| self.stand_in_for(unit)));
    }

    /// The byte that stands for a byte left over at the end of UTF-16.
    pub(super) const LEFT_OVER: u8 = NOTHING;
}

/// The bytes of a unit.
pub(super) fn unit_width(encoding: Encoding) -> usize {
    match encoding {
        Encoding::Utf16 | Encoding::Utf16Le | Encoding::Utf16Be => 2,
        Encoding::Utf8 | Encoding::Latin1 | Encoding::SingleByte(_) => 1,
    }
}

/// The units of UTF-16, without a byte left over.
pub(super) fn utf16_units(source: &[u8], big_endian: bool) -> impl Iterator<Item = u16> {
    let read = if big_endian { u16::from_be_bytes } else { u16::from_le_bytes };
    source.as_chunks::<2>().0.iter().map(move |pair| read(*pair))
}

/// `text` in an encoding of one byte a unit; nothing where the encoding lacks one of the characters.
fn encode_bytes(text: &str, encoding: Encoding) -> Vec<u8> {
    match encoding {
        Encoding::Latin1 => text.chars().map(|char| u8::try_from(u32::from(char)).ok()).collect::<Option<_>>(),
        Encoding::SingleByte(encoding) => {
            let (bytes, _, lacking) = encoding.encode(text);
            (!lacking).then(|| bytes.into_owned())
        }
        _ => Some(text.as_bytes().to_vec()),
    }
    .unwrap_or_default()
}

/// The byte order mark at the start of a source: its length, and the encoding once the mark is read.
pub(super) fn read_byte_order_mark(source: &[u8], encoding: Encoding) -> (usize, Encoding) {
    match (encoding, source) {
        (Encoding::Utf8, [0xEF, 0xBB, 0xBF, ..]) => (3, encoding),
        (Encoding::Utf16 | Encoding::Utf16Le, [0xFF, 0xFE, ..]) => (2, Encoding::Utf16Le),
        (Encoding::Utf16 | Encoding::Utf16Be, [0xFE, 0xFF, ..]) => (2, Encoding::Utf16Be),
        (Encoding::Utf16, _) => (0, Encoding::Utf16Le),
        _ => (0, encoding),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_decides_the_byte_order() {
        assert_eq!(read_byte_order_mark(b"\xFE\xFFab", Encoding::Utf16), (2, Encoding::Utf16Be));
        assert_eq!(read_byte_order_mark(b"\xFF\xFEab", Encoding::Utf16), (2, Encoding::Utf16Le));
        assert_eq!(read_byte_order_mark(b"abcd", Encoding::Utf16), (0, Encoding::Utf16Le));
        assert_eq!(read_byte_order_mark(b"\xEF\xBB\xBFa", Encoding::Utf8), (3, Encoding::Utf8));
        assert_eq!(read_byte_order_mark(b"\xEF\xBB\xBFa", Encoding::Latin1), (0, Encoding::Latin1));
    }

    #[test]
    fn only_the_units_that_mean_something_stand_out() {
        let dialect = Dialect { line_terminator: LineTerminator::Custom("é|".into()), ..Dialect::default() };
        let (units, terminator) = UnitReader::new(&dialect, Encoding::Utf16Be);
        let mut stand_ins = Vec::new();
        units.append_units(b"\x00a\x00\xE9\x00|\x20\xAC\xD8\x00!", true, &mut stand_ins);
        assert_eq!(stand_ins, [b'a', 0x81, b'|', 0x80, 0x80]);
        assert!(matches!(terminator, Terminator::Custom(bytes) if bytes == [0x81, b'|']));
    }
}
