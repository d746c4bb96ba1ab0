//! Code units: what the cutter counts in, so that it needs to know one kind of bytes only.
//!
//! In most encodings a unit is a byte. In UTF-16 it is two, and each unit gets a stand-in byte: ASCII stands for itself,
//! everything else is one byte that means nothing. In the encodings of East Asia a unit is a byte too, and gets a stand-in, since the second
//! byte of a character may be that of a delimiter. All characters of a dialect are ASCII, save those of a custom line
//! terminator or a long delimiter, which get stand-ins of their own.

use super::{lines::Terminator, multi_byte::MultiByte};
use crate::schema::{Dialect, Encoding, LineTerminator};

/// How the bytes of a source become units.
#[derive(Debug, Clone, Default)]
pub(super) enum UnitReader {
    /// The bytes of the source are the units.
    #[default]
    Bytes,
    /// Each unit of UTF-16 gets a stand-in.
    Utf16 {
        /// Units beyond ASCII that mean something.
        special: Vec<u16>,
    },
    /// Each byte gets a stand-in: those of ASCII characters are the same, and all others mean nothing.
    MultiByte {
        form: MultiByte,
        /// Characters beyond ASCII that mean something, as bytes of the source.
        special: Vec<Vec<u8>>,
    },
}

/// The texts of a dialect that may be longer than a character, in units.
#[derive(Debug, Clone)]
pub(super) struct DialectTexts {
    /// Nothing where the encoding lacks one of its characters.
    pub(super) delimiter: Vec<u8>,
    pub(super) terminator: Terminator,
}

/// The stand-in for units that mean nothing; the special ones follow it.
const NOTHING: u8 = 0x80;

/// The most special characters that there are stand-ins for.
const MOST_SPECIAL: usize = (u8::MAX - NOTHING) as usize;

impl UnitReader {
    /// The units of an encoding, and the texts of `dialect` in them.
    pub(super) fn new(dialect: &Dialect, encoding: Encoding) -> (Self, DialectTexts) {
        let terminator = match &dialect.line_terminator {
            LineTerminator::Any => None,
            LineTerminator::Custom(text) => Some(text.as_str()),
        };
        let delimiter = dialect.delimiter.as_str();
        let units = Self::for_texts([delimiter, terminator.unwrap_or_default()], encoding);
        let terminator = terminator.map(|text| Terminator::Custom(units.encode_text(text, encoding)));
        let delimiter = units.encode_text(delimiter, encoding);
        (units, DialectTexts { delimiter, terminator: terminator.unwrap_or(Terminator::Any) })
    }

    /// The units of an encoding in which the characters of `texts` mean something.
    fn for_texts(texts: [&str; 2], encoding: Encoding) -> Self {
        let beyond = || texts.iter().flat_map(|text| text.chars()).filter(|char| !char.is_ascii());
        match encoding {
            Encoding::MultiByte(encoding) => {
                let form = MultiByte::new(encoding);
                let special = beyond().filter_map(|char| form.encode_text(char.encode_utf8(&mut [0; 4])));
                Self::MultiByte { form, special: sort_distinct(special.collect()) }
            }
            _ if unit_width(encoding) == 2 => {
                let special = beyond().flat_map(|char| char.encode_utf16(&mut [0; 2]).to_vec());
                Self::Utf16 { special: sort_distinct(special.collect()) }
            }
            _ => Self::Bytes,
        }
    }

    /// Whether the units are other bytes than those of the source.
    pub(super) const fn makes_stand_ins(&self) -> bool {
        !matches!(self, Self::Bytes)
    }

    /// `text` in units; nothing where the encoding lacks one of the characters.
    fn encode_text(&self, text: &str, encoding: Encoding) -> Vec<u8> {
        match self {
            Self::Bytes => encode_bytes(text, encoding),
            Self::Utf16 { special } => text.encode_utf16().map(|unit| stand_in_for(unit, special)).collect(),
            Self::MultiByte { form, special } => {
                let mut units = Vec::new();
                append_masked(*form, special, &form.encode_text(text).unwrap_or_default(), true, &mut units);
                units
            }
        }
    }

    /// Appends the bytes that stand for those of `source`. What is left over at its end, and may be the beginning of a unit or a
    /// character, has no stand-in yet, unless these are the `last` bytes.
    pub(super) fn append_units(&self, source: &[u8], big_endian: bool, last: bool, stand_ins: &mut Vec<u8>) {
        match self {
            Self::Bytes => stand_ins.extend_from_slice(source),
            Self::Utf16 { special } => {
                stand_ins.extend(utf16_units(source, big_endian).map(|unit| stand_in_for(unit, special)));
                if last && source.len() % 2 == 1 {
                    stand_ins.push(NOTHING);
                }
            }
            Self::MultiByte { form, special } => append_masked(*form, special, source, last, stand_ins),
        }
    }
}

/// The byte that stands for a unit of UTF-16.
fn stand_in_for(unit: u16, special: &[u16]) -> u8 {
    match u8::try_from(unit) {
        Ok(ascii) if ascii < 0x80 => ascii,
        _ if special.is_empty() => NOTHING,
        _ => special.binary_search(&unit).map_or(NOTHING, |at| NOTHING + 1 + at as u8),
    }
}

/// Appends the bytes of `source`, where those of characters beyond ASCII mean nothing. The first byte of a special one is its own stand-in.
fn append_masked(form: MultiByte, special: &[Vec<u8>], source: &[u8], last: bool, stand_ins: &mut Vec<u8>) {
    let mut rest = source;
    while !rest.is_empty() {
        let ascii = rest.iter().take_while(|byte| byte.is_ascii()).count();
        stand_ins.extend_from_slice(&rest[..ascii]);
        rest = &rest[ascii..];
        let Some(length) = form.first_length(rest, last) else { return };
        let (character, behind) = rest.split_at(length.bytes);
        let known = special.binary_search_by(|known| known.as_slice().cmp(character));
        stand_ins.push(known.map_or(NOTHING, |at| NOTHING + 1 + at as u8));
        stand_ins.extend(std::iter::repeat_n(NOTHING, character.len() - 1));
        rest = behind;
    }
}

fn sort_distinct<T: Ord>(mut values: Vec<T>) -> Vec<T> {
    values.sort_unstable();
    values.dedup();
    values.truncate(MOST_SPECIAL);
    values
}

/// The bytes of a unit.
pub(super) fn unit_width(encoding: Encoding) -> usize {
    match encoding {
        Encoding::Utf16 | Encoding::Utf16Le | Encoding::Utf16Be => 2,
        Encoding::Utf8
        | Encoding::Latin1
        | Encoding::SingleByte(_)
        | Encoding::MultiByte(_)
        | Encoding::CodePage(_) => 1,
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
        Encoding::CodePage(page) => {
            let characters = page.characters();
            let byte = |char| characters.iter().position(|known| *known == char).and_then(|at| u8::try_from(at).ok());
            text.chars().map(|char| byte(char).filter(|_| char != '\u{FFFD}')).collect()
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
        // U+FEFF in GB18030.
        (Encoding::MultiByte(name), [0x84, 0x31, 0x95, 0x33, ..]) if name == encoding_rs::GB18030 => (4, encoding),
        _ => (0, encoding),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may")]

    use super::*;
    use crate::schema::Delimiter;

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
        let (units, texts) = UnitReader::new(&dialect, Encoding::Utf16Be);
        let mut stand_ins = Vec::new();
        units.append_units(b"\x00a\x00\xE9\x00|\x20\xAC\xD8\x00!", true, false, &mut stand_ins);
        assert_eq!(stand_ins, [b'a', 0x81, b'|', 0x80, 0x80]);
        assert!(matches!(texts.terminator, Terminator::Custom(bytes) if bytes == [0x81, b'|']));
    }

    #[test]
    fn the_second_byte_of_a_character_means_nothing() {
        let dialect = Dialect { delimiter: Delimiter::parse("表").unwrap(), ..Dialect::default() };
        let (units, texts) = UnitReader::new(&dialect, Encoding::MultiByte(encoding_rs::SHIFT_JIS));
        let mut stand_ins = Vec::new();
        // ソ and 表 have the byte of a backslash as their second one.
        units.append_units(b"\\,\x83\x5C\x95\x5C\x83", false, false, &mut stand_ins);
        assert_eq!(stand_ins, [b'\\', b',', 0x80, 0x80, 0x81, 0x80], "the last byte may begin a character");
        assert_eq!(texts.delimiter, [0x81, 0x80]);
        units.append_units(b"\x83", false, true, &mut stand_ins);
        assert_eq!(stand_ins.len(), 7);
    }
}
