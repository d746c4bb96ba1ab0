//! Values as JSON texts.

use std::fmt::Write as _;

use super::schema::TimeUnit;
use crate::validate::render;

/// The most bytes of the digits of a decimal.
pub(super) const MOST_DIGITS: usize = 1024;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Adds a JSON string.
#[inline]
pub(super) fn push_string(text: &str, out: &mut String) {
    out.reserve(text.len() + 2);
    out.push('"');
    push_escaped(text, out);
    out.push('"');
}

/// Adds the inside of a JSON string.
#[inline]
pub(super) fn push_escaped(text: &str, out: &mut String) {
    // Without a branch for each byte, so that many are looked at at once.
    let odd = text.bytes().fold(false, |odd, byte| odd | must_escape(byte));
    if odd { push_with_escapes(text, out) } else { out.push_str(text) }
}

#[inline]
const fn must_escape(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

#[cold]
fn push_with_escapes(text: &str, out: &mut String) {
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate().filter(|(_, byte)| must_escape(*byte)) {
        out.push_str(&text[plain..at]);
        match byte {
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            _ => {
                out.push_str("\\u00");
                push_hex(byte, out);
            }
        }
        plain = at + 1;
    }
    out.push_str(&text[plain..]);
}

fn push_hex(byte: u8, out: &mut String) {
    out.push(char::from(HEX[usize::from(byte >> 4)]));
    out.push(char::from(HEX[usize::from(byte & 0xf)]));
}

/// Adds bytes as a JSON string. A byte that is not of UTF-8 becomes half a surrogate pair, which the validator knows for no text.
pub(super) fn push_bytes(bytes: &[u8], out: &mut String) {
    out.push('"');
    for chunk in bytes.utf8_chunks() {
        push_escaped(chunk.valid(), out);
        for &byte in chunk.invalid() {
            out.push_str("\\udc");
            push_hex(byte, out);
        }
    }
    out.push('"');
}

/// Adds a number with the fewest digits that read back as the same, or as a string what JSON has no number for. `shortest` are its
/// digits without an exponent, `scientific` those with one.
fn push_number(class: (bool, bool, bool), shortest: &dyn std::fmt::Display, out: &mut String) {
    let (nan, infinite, negative) = class;
    if nan {
        out.push_str("\"NaN\"");
    } else if infinite {
        out.push_str(if negative { "\"-INF\"" } else { "\"INF\"" });
    } else {
        // Writing to a string cannot fail.
        let _ = write!(out, "{shortest}");
    }
}

/// Adds a `float`.
pub(super) fn push_float(value: f32, out: &mut String) {
    let class = (value.is_nan(), value.is_infinite(), value < 0.0);
    if is_plain_size(value.abs().into()) {
        push_number(class, &value, out);
    } else {
        push_number(class, &format_args!("{value:e}"), out);
    }
}

/// Adds a `double`.
pub(super) fn push_double(value: f64, out: &mut String) {
    let class = (value.is_nan(), value.is_infinite(), value < 0.0);
    if is_plain_size(value.abs()) {
        push_number(class, &value, out);
    } else {
        push_number(class, &format_args!("{value:e}"), out);
    }
}

/// Whether a number of this size is written without an exponent.
fn is_plain_size(size: f64) -> bool {
    size == 0.0 || (1e-5..1e17).contains(&size)
}

/// Adds a decimal: `bytes` are a whole number in two's complement of which `scale` digits stand behind the point. `false` where
/// there are no bytes, or more than [`MOST_DIGITS`].
pub(super) fn push_decimal(bytes: &[u8], scale: usize, out: &mut String) -> bool {
    if bytes.is_empty() || bytes.len() > MOST_DIGITS {
        return false;
    }
    let negative = bytes[0] >= 0x80;
    let digits = match decode_i128(bytes) {
        Some(value) => value.unsigned_abs().to_string(),
        None => decimal_digits(bytes, negative),
    };
    if negative {
        out.push('-');
    }
    if scale == 0 {
        out.push_str(&digits);
    } else if digits.len() > scale {
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        out.push_str(whole);
        out.push('.');
        out.push_str(fraction);
    } else {
        out.push_str("0.");
        out.extend(std::iter::repeat_n('0', scale - digits.len()));
        out.push_str(&digits);
    }
    true
}

/// A number of at most 16 bytes.
fn decode_i128(bytes: &[u8]) -> Option<i128> {
    let mut all = [if bytes[0] >= 0x80 { 0xff } else { 0 }; 16];
    let start = all.len().checked_sub(bytes.len())?;
    all[start..].copy_from_slice(bytes);
    Some(i128::from_be_bytes(all))
}

/// The digits of a number's size, by dividing it again and again.
fn decimal_digits(bytes: &[u8], negative: bool) -> String {
    const BASE: u64 = 1_000_000_000;
    // The highest first, 32 bits each.
    let mut parts = vec![0u32; bytes.len().div_ceil(4)];
    for (at, &byte) in bytes.iter().rev().enumerate() {
        let byte = if negative { !byte } else { byte };
        let last = parts.len() - 1;
        parts[last - at / 4] |= u32::from(byte) << (8 * (at % 4));
    }
    if negative {
        for part in parts.iter_mut().rev() {
            let (sum, carries) = part.overflowing_add(1);
            *part = sum;
            if !carries {
                break;
            }
        }
    }
    let mut groups = Vec::new();
    let mut first = 0;
    while first < parts.len() {
        let mut rest = 0u64;
        for part in &mut parts[first..] {
            let value = rest << 32 | u64::from(*part);
            // Less than 32 bits, since the rest is less than the base.
            *part = u32::try_from(value / BASE).unwrap_or(u32::MAX);
            rest = value % BASE;
        }
        groups.push(rest);
        first += parts[first..].iter().take_while(|part| **part == 0).count();
    }
    let mut digits = String::with_capacity(groups.len() * 9);
    for group in groups.iter().rev() {
        let _ = write!(digits, "{group:09}");
    }
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() { "0".to_owned() } else { digits.to_owned() }
}

/// Adds the text of a UUID.
pub(super) fn push_uuid(bytes: &[u8; 16], out: &mut String) {
    for (at, &byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        push_hex(byte, out);
    }
}

/// The parts of a `duration`: months, days and milliseconds.
pub(super) fn duration_parts(bytes: [u8; 12]) -> [u32; 3] {
    let part = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    [part(0), part(4), part(8)]
}

/// Adds a duration as ISO 8601 writes it.
pub(super) fn push_duration([months, days, millis]: [u32; 3], out: &mut String) {
    out.push('P');
    for (count, letter) in [(months, 'M'), (days, 'D')].into_iter().filter(|(count, _)| *count > 0) {
        render::integer_text(count.into(), out);
        out.push(letter);
    }
    if millis > 0 || (months, days) == (0, 0) {
        out.push('T');
        render::integer_text((millis / 1000).into(), out);
        if millis % 1000 > 0 {
            let fraction = format!(".{:03}", millis % 1000);
            out.push_str(fraction.trim_end_matches('0'));
        }
        out.push('S');
    }
}

/// `value` in microseconds, where it is a whole number of them within 64 bits.
pub(super) fn to_micros(value: i64, unit: TimeUnit) -> Option<i64> {
    match unit {
        TimeUnit::Millis => value.checked_mul(1000),
        TimeUnit::Micros => Some(value),
        TimeUnit::Nanos => (value % 1000 == 0).then_some(value / 1000),
    }
}

/// Adds the text of a point in time; `false` where it is beyond what a text can say.
pub(super) fn push_timestamp(value: i64, unit: TimeUnit, local: bool, out: &mut String) -> bool {
    const SECOND: i64 = 1_000_000_000;
    match to_micros(value, unit) {
        Some(micros) => render::datetime_text(micros, out),
        None if unit == TimeUnit::Nanos => {
            render::datetime_text(value.div_euclid(SECOND) * 1_000_000, out);
            out.pop();
            let _ = write!(out, ".{:09}Z", value.rem_euclid(SECOND));
        }
        None => return false,
    }
    if local {
        out.pop();
    }
    true
}
