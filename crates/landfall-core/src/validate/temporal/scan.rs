//! A cursor over the bytes of a cell.

use crate::validate::problem::CellFault;

/// The rest of a cell that is not read yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct TextScanner<'a> {
    rest: &'a [u8],
}

impl<'a> TextScanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text.as_bytes() }
    }

    /// The next byte, which stays.
    pub(super) fn peek_byte(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Takes one byte of `any`.
    pub(super) fn take_any(&mut self, any: &[u8]) -> Option<u8> {
        // Bytes are enough: all that is looked for is ASCII, which occurs in no other character of UTF-8.
        let byte = self.peek_byte().filter(|byte| any.contains(byte))?;
        self.rest = &self.rest[1..];
        Some(byte)
    }

    /// Takes exactly `count` digits (at most 9).
    pub(super) fn take_digits(&mut self, count: usize) -> Option<u32> {
        // Nothing is taken if it fails, so that a caller can try another form.
        let digits = self.rest.get(..count)?;
        let mut value = 0;
        for byte in digits {
            let digit = u32::from(byte.wrapping_sub(b'0'));
            if digit > 9 {
                return None;
            }
            value = value * 10 + digit;
        }
        self.rest = &self.rest[count..];
        Some(value)
    }

    /// How many digits follow.
    pub(super) fn digits_ahead(&self) -> usize {
        self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
    }

    /// Takes all digits that follow.
    pub(super) fn run(&mut self) -> &'a [u8] {
        let (run, rest) = self.rest.split_at(self.digits_ahead());
        self.rest = rest;
        run
    }

    /// Takes white space and tells how much there was.
    pub(super) fn skip_spaces(&mut self) -> usize {
        let spaces = self.rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.rest = &self.rest[spaces..];
        spaces
    }

    /// Takes `word` (ASCII, any case).
    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let found = self.rest.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word.as_bytes()));
        if found {
            self.rest = &self.rest[word.len()..];
        }
        found
    }

    /// Whether all is read.
    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }
}

/// The microseconds of the digits after a decimal point. Digits beyond the sixth must be zeros.
pub(super) fn fraction_micros(digits: &[u8]) -> Result<u32, CellFault> {
    if digits.is_empty() {
        return Err("no digits after the decimal point".into());
    }
    // Many systems write nine digits; zeros at the end lose nothing.
    if digits.iter().skip(6).any(|&byte| byte != b'0') {
        return Err("finer than a microsecond, which cannot be stored".into());
    }
    let padded = digits.iter().copied().chain(std::iter::repeat(b'0')).take(6);
    Ok(padded.fold(0, |value, byte| value * 10 + u32::from(byte - b'0')))
}
