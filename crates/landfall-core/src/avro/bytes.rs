//! Avro's binary encoding, read from the front of what is there of a row.
//!
//! Every length is checked against what a row may have before anything is done with it.

use super::read::ValueError;

/// The most bytes of a row, and of its JSON, where nothing else is said.
pub(super) const MOST_ROW: usize = 16 << 20;

/// The most values without bytes in a row: nulls, and records and fixed of nothing.
pub(super) const MOST_EMPTY: u32 = 1_000_000;

/// Why a row was not read to its end.
#[derive(Debug)]
pub(super) enum ReadStop {
    /// Its other bytes are still to come.
    More,
    /// No bytes could make a row of it.
    Bad(Box<ValueError>),
}

pub(super) type CursorResult<T> = std::result::Result<T, ReadStop>;

#[cold]
pub(super) fn refuse_bytes<T>(reason: impl Into<String>) -> CursorResult<T> {
    Err(ReadStop::Bad(Box::new(ValueError(reason.into()))))
}

/// What is there of a row.
#[derive(Debug)]
pub(super) struct AvroCursor<'b> {
    bytes: &'b [u8],
    pub(super) at: usize,
    /// How many more values without bytes there may be.
    empty: u32,
    /// The most bytes of the row, and of its JSON.
    pub(super) most: usize,
}

impl<'b> AvroCursor<'b> {
    #[cfg(test)]
    fn new(bytes: &'b [u8]) -> Self {
        Self::for_row(bytes, MOST_ROW)
    }

    /// The bytes that are there of a row of at most `most`.
    pub(super) fn for_row(bytes: &'b [u8], most: usize) -> Self {
        Self { bytes, at: 0, empty: MOST_EMPTY, most }
    }

    /// Counts a value without bytes.
    #[inline]
    pub(super) fn count_empty_value(&mut self) -> CursorResult<()> {
        match self.empty.checked_sub(1) {
            Some(rest) => {
                self.empty = rest;
                Ok(())
            }
            None => refuse_bytes(format!("it has more than {MOST_EMPTY} values without a byte")),
        }
    }

    #[inline]
    pub(super) fn read_byte(&mut self) -> CursorResult<u8> {
        let byte = *self.bytes.get(self.at).ok_or(ReadStop::More)?;
        self.at += 1;
        Ok(byte)
    }

    /// The next `length` bytes.
    #[inline]
    pub(super) fn take_bytes(&mut self, length: usize) -> CursorResult<&'b [u8]> {
        match self.bytes[self.at..].get(..length) {
            Some(bytes) => {
                self.at += length;
                Ok(bytes)
            }
            // Before more is asked for: a length is only a claim, and no memory is taken for it.
            None if length > self.most => {
                refuse_bytes(format!("it has a value of {length} bytes; a row may have {}", self.most))
            }
            None => Err(ReadStop::More),
        }
    }

    /// The next bytes, as many as are needed.
    #[inline]
    pub(super) fn take_array<const N: usize>(&mut self) -> CursorResult<[u8; N]> {
        let bytes = self.bytes[self.at..].first_chunk().ok_or(ReadStop::More)?;
        self.at += N;
        Ok(*bytes)
    }

    /// `read_long`.
    #[inline(always)]
    pub(super) fn read_long(&mut self) -> CursorResult<i64> {
        match self.bytes.get(self.at) {
            Some(&byte) if byte < 0x80 => {
                self.at += 1;
                Ok(zigzag(u64::from(byte)))
            }
            _ => self.read_wide_long(),
        }
    }

    #[inline(never)]
    fn read_wide_long(&mut self) -> CursorResult<i64> {
        let rest = &self.bytes[self.at..];
        // What is known to be there is read without a look at each byte's place.
        match rest.first_chunk::<10>() {
            Some(bytes) => self.decode_long(bytes),
            None => self.decode_long(rest),
        }
    }

    #[inline(always)]
    fn decode_long(&mut self, bytes: &[u8]) -> CursorResult<i64> {
        let mut value = 0;
        for (at, &byte) in bytes.iter().enumerate() {
            // The tenth byte has the highest bit alone.
            if at == 9 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte < 0x80 {
                self.at += at + 1;
                return Ok(zigzag(value));
            }
        }
        if bytes.len() < 10 { Err(ReadStop::More) } else { refuse_bytes("it has a number of more than 64 bits") }
    }

    /// `read_int`.
    #[inline]
    pub(super) fn read_int(&mut self) -> CursorResult<i32> {
        match i32::try_from(self.read_long()?) {
            Ok(value) => Ok(value),
            Err(_) => refuse_bytes("it has an int of more than 32 bits"),
        }
    }

    /// A number of bytes, and the bytes.
    #[inline]
    pub(super) fn read_bytes(&mut self) -> CursorResult<&'b [u8]> {
        match usize::try_from(self.read_long()?) {
            Ok(length) => self.take_bytes(length),
            Err(_) => refuse_bytes("it has a value with a negative length"),
        }
    }

    /// `string`.
    #[inline]
    pub(super) fn read_text(&mut self) -> CursorResult<&'b str> {
        match std::str::from_utf8(self.read_bytes()?) {
            Ok(text) => Ok(text),
            Err(_) => refuse_bytes("it has a string that is not UTF-8"),
        }
    }

    /// `read_boolean`.
    pub(super) fn read_boolean(&mut self) -> CursorResult<bool> {
        match self.read_byte()? {
            0 => Ok(false),
            1 => Ok(true),
            other => refuse_bytes(format!("it has a boolean of the value {other}")),
        }
    }

    /// A position in a list of `count`.
    #[inline]
    pub(super) fn read_position(&mut self, count: usize, of: &str) -> CursorResult<usize> {
        let found = self.read_long()?;
        match usize::try_from(found) {
            Ok(at) if at < count => Ok(at),
            _ => refuse_bytes(format!("it has number {found} of {count} {of}")),
        }
    }

    /// The head of a block of an array or map: how many items follow, and where they end, if that is said.
    pub(super) fn read_block_head(&mut self) -> CursorResult<(u64, Option<usize>)> {
        let count = self.read_long()?;
        if count >= 0 {
            return Ok((count.unsigned_abs(), None));
        }
        // A negative count is followed by the bytes of the block (Avro 1.12, arrays and maps).
        let length = self.read_long()?;
        match usize::try_from(length) {
            Ok(length) if length <= self.most => Ok((count.unsigned_abs(), Some(self.at + length))),
            _ => refuse_bytes(format!("it has a block of {length} bytes")),
        }
    }

    /// Checks that a block that should end at `end` does.
    pub(super) fn check_block_end(&self, end: Option<usize>) -> CursorResult<()> {
        match end {
            Some(end) if end != self.at => refuse_bytes("it has a block whose items have another length than it says"),
            _ => Ok(()),
        }
    }
}

#[inline]
const fn zigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longs_as_the_specification_writes_them() {
        for (bytes, value) in [
            (&[0][..], 0),
            (&[1], -1),
            (&[2], 1),
            (&[0x7f], -64),
            (&[0x80, 1], 64),
            (&[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], i64::MAX),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], i64::MIN),
        ] {
            let mut cursor = AvroCursor::new(bytes);
            assert_eq!((cursor.read_long().ok(), cursor.at), (Some(value), bytes.len()));
            let short = AvroCursor::new(&bytes[..bytes.len() - 1]).read_long();
            assert!(matches!(short, Err(ReadStop::More)), "{bytes:?}");
        }
        for bytes in [[0xff; 10], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]] {
            assert!(matches!(AvroCursor::new(&bytes).read_long(), Err(ReadStop::Bad(_))));
        }
    }

    #[test]
    fn lengths_that_cannot_be_are_refused_at_once() {
        let bad = |bytes: &[u8]| matches!(AvroCursor::new(bytes).read_bytes(), Err(ReadStop::Bad(_)));
        assert!(bad(&[1]));
        assert!(bad(&[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]));
        assert!(matches!(AvroCursor::new(&[4, 65]).read_bytes(), Err(ReadStop::More)));
        assert!(matches!(AvroCursor::new(&[1, 0xff, 0xff, 0xff, 0x7f]).read_block_head(), Err(ReadStop::Bad(_))));
    }
}
