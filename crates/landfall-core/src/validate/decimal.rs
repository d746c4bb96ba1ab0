//! Exact decimal numbers as text: no digit is ever lost, nothing passes through binary floating point.
//!
//! The lexical form is that of XML Schema's `decimal` with an optional exponent, and `NaN`, `INF` and `-INF` in any case
//! (<https://datapackage.org/standard/table-schema/#number>).

use std::{
    cmp::Ordering,
    hash::{Hash, Hasher},
};

/// A number that is written with an exponent is written out where its first digit is at most this far from the point.
const WRITTEN_OUT: u64 = 100;

/// A number as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DecimalForm<'a> {
    NaN,
    Infinity { negative: bool },
    Finite(Decimal<'a>),
}

/// A finite number: the digits of `whole` and `fraction` times ten to the power of `exponent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Decimal<'a> {
    negative: bool,
    /// Digits before the point, without leading zeros.
    whole: &'a str,
    fraction: &'a str,
    exponent: i64,
}

/// How two numbers compare, exactly. `None` where one is not a number: either NaN, or not written as a number.
#[must_use]
pub fn compare_numbers(left: &str, right: &str) -> Option<Ordering> {
    match (parse(left)?, parse(right)?) {
        (DecimalForm::NaN, _) | (_, DecimalForm::NaN) => None,
        (DecimalForm::Finite(left), DecimalForm::Finite(right)) => Some(left.compare_value(&right)),
        (left, right) => Some(left.side().cmp(&right.side())),
    }
}

/// Whether two numbers have the same value; here NaN is the same as NaN. A text that is not a number is the same as itself.
#[must_use]
pub fn are_same_numbers(left: &str, right: &str) -> bool {
    if left == right {
        return true;
    }
    match (parse(left), parse(right)) {
        (Some(DecimalForm::Finite(left)), Some(DecimalForm::Finite(right))) => left.compare_value(&right).is_eq(),
        (Some(left), Some(right)) => left == right,
        _ => false,
    }
}

/// Hashes a number by its value, in agreement with [`are_same_numbers`].
pub fn hash<H: Hasher>(text: &str, state: &mut H) {
    match parse(text) {
        None => text.hash(state),
        Some(DecimalForm::NaN) => state.write_u8(b'N'),
        Some(DecimalForm::Infinity { negative }) => state.write_u8(if negative { b'<' } else { b'>' }),
        Some(DecimalForm::Finite(number)) => number.hash_value(state),
    }
}

/// One text for each value: equal numbers have equal texts (`1.0`, `1.00` and `1e0` are all `1`). Not for people.
/// `None` where `text` is not a number.
#[must_use]
pub fn normalize_number(text: &str) -> Option<String> {
    match parse(text)? {
        DecimalForm::NaN => Some("NaN".into()),
        DecimalForm::Infinity { negative } => Some(if negative { "-INF" } else { "INF" }.into()),
        DecimalForm::Finite(number) => Some(number.normalized_text()),
    }
}

/// Writes the canonical text of a number to `out`: every digit, the zeros at the end of a fraction included; without a
/// leading `+`, superfluous leading zeros and short exponents. Zero has no sign.
///
/// Returns whether `text` is a number.
#[must_use]
pub fn write_canonical(text: &str, out: &mut String) -> bool {
    match parse(text) {
        None => return false,
        Some(DecimalForm::NaN) => out.push_str("NaN"),
        Some(DecimalForm::Infinity { negative }) => out.push_str(if negative { "-INF" } else { "INF" }),
        Some(DecimalForm::Finite(number)) => number.write(out),
    }
    true
}

/// Writes the one canonical text that all numbers of the same value share: that without zeros at the end of the fraction
/// (`1.50` and `15e-1` are both `1.5`).
///
/// Returns whether `text` is a number.
#[must_use]
pub fn write_reduced(text: &str, out: &mut String) -> bool {
    match parse(text) {
        Some(DecimalForm::Finite(number)) => number.write_reduced(out),
        _ => return write_canonical(text, out),
    }
    true
}

/// The digits before and after the point of a number that is written out: leading zeros do not count, zeros at the end of the
/// fraction do. `None` where it has none: it is NaN or infinite, or not a number.
#[must_use]
pub fn count_digits(text: &str) -> Option<(u64, u64)> {
    let Some(DecimalForm::Finite(number)) = parse(text) else { return None };
    let before = if number.is_zero() { 0 } else { number.magnitude() };
    let after = signed_length(number.fraction.len()) - number.exponent;
    Some((u64::try_from(before).unwrap_or(0), u64::try_from(after).unwrap_or(0)))
}

/// Whether a plain text is the reduced one as well: the quick way, which does not know all that are.
#[inline]
pub(super) fn is_short_whole(plain: &str) -> bool {
    plain.len() as u64 <= WRITTEN_OUT && !plain.as_bytes().contains(&b'.')
}

/// Whether `text` is the canonical text of a finite number without exponent: the check costs one pass.
#[inline]
pub(super) fn is_plain_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    let whole = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if whole == 0 || (whole > 1 && digits[0] == b'0') {
        return false;
    }
    let rest = &digits[whole..];
    let fraction_is_sound = match rest.split_first() {
        None => true,
        Some((point, fraction)) => *point == b'.' && !fraction.is_empty() && fraction.iter().all(u8::is_ascii_digit),
    };
    let may_be_minus_zero = digits.len() < text.len() && digits[0] == b'0';
    fraction_is_sound && !may_be_minus_zero
}

fn parse(text: &str) -> Option<DecimalForm<'_>> {
    let (negative, rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if !rest.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return parse_special(text, negative, rest);
    }
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !digits(whole) || !digits(fraction) {
        return None;
    }
    Some(DecimalForm::Finite(Decimal { negative, whole: whole.trim_start_matches('0'), fraction, exponent }))
}

fn parse_special<'a>(text: &str, negative: bool, rest: &str) -> Option<DecimalForm<'a>> {
    if text.eq_ignore_ascii_case("NaN") {
        return Some(DecimalForm::NaN);
    }
    rest.eq_ignore_ascii_case("INF").then_some(DecimalForm::Infinity { negative })
}

/// An exponent of at most 17 digits, so that sums with lengths stay within 64 bits.
fn parse_exponent(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = digits.trim_start_matches('0');
    let magnitude: i64 = match digits.len() {
        0 => 0,
        // So many digits leave room in an `i64` for adding the length of any text.
        1..=17 => digits.parse().ok()?,
        _ => return None,
    };
    Some(if negative { -magnitude } else { magnitude })
}

impl DecimalForm<'_> {
    /// Where an infinity is relative to all finite numbers.
    const fn side(&self) -> i8 {
        match self {
            Self::Infinity { negative: true } => -1,
            Self::Infinity { negative: false } => 1,
            Self::NaN | Self::Finite(_) => 0,
        }
    }
}

impl<'a> Decimal<'a> {
    /// The significant digits, zeros at the end included.
    fn significant_digits(&self) -> impl Iterator<Item = u8> + use<'a> {
        let skipped = self.leading_zeros();
        self.whole.bytes().chain(self.fraction.bytes()).skip(skipped)
    }

    fn leading_zeros(&self) -> usize {
        if self.whole.is_empty() { self.fraction.bytes().take_while(|&byte| byte == b'0').count() } else { 0 }
    }

    fn is_zero(&self) -> bool {
        self.whole.is_empty() && self.leading_zeros() == self.fraction.len()
    }

    /// The number is `0.digits` times ten to this power.
    fn magnitude(&self) -> i64 {
        signed_length(self.whole.len()) - signed_length(self.leading_zeros()) + self.exponent
    }

    fn compare_value(&self, other: &Self) -> Ordering {
        match (self.sign(), other.sign()) {
            (0, 0) => Ordering::Equal,
            (left, right) if left != right => left.cmp(&right),
            (-1, _) => other.compare_magnitudes(self),
            _ => self.compare_magnitudes(other),
        }
    }

    fn sign(&self) -> i8 {
        match (self.is_zero(), self.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }

    fn compare_magnitudes(&self, other: &Self) -> Ordering {
        self.magnitude().cmp(&other.magnitude()).then_with(|| {
            let (mut left, mut right) = (self.significant_digits(), other.significant_digits());
            loop {
                match (left.next(), right.next()) {
                    (None, None) => return Ordering::Equal,
                    (one, two) => match one.unwrap_or(b'0').cmp(&two.unwrap_or(b'0')) {
                        Ordering::Equal => {}
                        order => return order,
                    },
                }
            }
        })
    }

    /// The significant digits, without zeros at the end.
    fn trimmed_digits(&self) -> impl Iterator<Item = u8> + use<'a> {
        let fraction = self.fraction.trim_end_matches('0');
        let whole = if fraction.is_empty() { self.whole.trim_end_matches('0') } else { self.whole };
        // Zeros at the end say nothing of the value: 1.0 and 1.00 must have one hash.
        whole.bytes().chain(fraction.bytes()).skip(self.leading_zeros())
    }

    fn hash_value<H: Hasher>(&self, state: &mut H) {
        state.write_i8(self.sign());
        if !self.is_zero() {
            state.write_i64(self.magnitude());
            self.trimmed_digits().for_each(|digit| state.write_u8(digit));
        }
    }

    fn normalized_text(&self) -> String {
        if self.is_zero() {
            return "0".into();
        }
        let mut out = String::from(if self.negative { "-" } else { "" });
        out.extend(self.trimmed_digits().map(char::from));
        let exponent = self.magnitude() - 1;
        if exponent != 0 {
            out.push('E');
            out.push_str(&exponent.to_string());
        }
        out
    }

    fn write(&self, out: &mut String) {
        let zero = self.is_zero();
        if self.negative && !zero {
            out.push('-');
        }
        let distance = if zero { self.exponent } else { self.magnitude() };
        if self.exponent == 0 || distance.unsigned_abs() <= WRITTEN_OUT {
            self.write_out(out);
        } else if zero {
            out.push('0');
        } else {
            self.write_scientific(self.significant_digits(), out);
        }
    }

    fn write_reduced(&self, out: &mut String) {
        if self.is_zero() {
            return out.push('0');
        }
        if self.negative {
            out.push('-');
        }
        if self.magnitude().unsigned_abs() > WRITTEN_OUT {
            return self.write_scientific(self.trimmed_digits(), out);
        }
        let mut digits = self.trimmed_digits().map(char::from).peekable();
        let before = usize::try_from(self.magnitude()).unwrap_or(0);
        if before == 0 {
            out.push('0');
        }
        (0..before).for_each(|_| out.push(digits.next().unwrap_or('0')));
        if digits.peek().is_some() {
            out.push('.');
            out.extend(repeat_zeros(usize::try_from(-self.magnitude()).unwrap_or(0)).chain(digits));
        }
    }

    /// Without exponent: the point is moved, and zeros fill the gaps.
    fn write_out(&self, out: &mut String) {
        let digits = self.whole.len() + self.fraction.len();
        let point = signed_length(self.whole.len()) + self.exponent;
        let mut text = self.whole.bytes().chain(self.fraction.bytes()).map(char::from);
        let before = usize::try_from(point).unwrap_or(0);
        let start = out.len();
        out.extend(
            text.by_ref().take(before).chain(repeat_zeros(before.saturating_sub(digits))).skip_while(|&c| c == '0'),
        );
        if out.len() == start {
            out.push('0');
        }
        let gap = usize::try_from(-point).unwrap_or(0);
        if before < digits || (gap > 0) {
            out.push('.');
            out.extend(repeat_zeros(gap).chain(text));
        }
    }

    /// One digit before the point, and the exponent.
    fn write_scientific(&self, digits: impl Iterator<Item = u8>, out: &mut String) {
        let mut digits = digits.map(char::from);
        out.extend(digits.next());
        let mut rest = digits.peekable();
        if rest.peek().is_some() {
            out.push('.');
            out.extend(rest);
        }
        let exponent = self.magnitude() - 1;
        out.push_str(if exponent < 0 { "E-" } else { "E+" });
        out.push_str(&exponent.unsigned_abs().to_string());
    }
}

fn repeat_zeros(count: usize) -> impl Iterator<Item = char> {
    std::iter::repeat_n('0', count)
}

/// A length of a text in memory as a signed number.
fn signed_length(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
