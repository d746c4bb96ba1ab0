//! Decimals as Avro writes them: the digits without their point, as a whole number in two's complement, the highest byte first.
//! <https://avro.apache.org/docs/1.12.0/specification/#decimal>

use super::varint::put_long;
use crate::validate::decimal::write_reduced;

/// Digits that fit in 127 bits.
const MOST_DIGITS: usize = 38;

/// Appends the number `text` with `scale` digits after the point, in the fewest bytes. `false` where it has more digits after the
/// point, or is no finite number.
pub(super) fn push_decimal(text: &str, scale: u32, out: &mut Vec<u8>) -> bool {
    let mut plain = String::new();
    let Some((negative, digits)) = write_reduced(text, &mut plain).then(|| unscaled_digits(&plain, scale)).flatten()
    else {
        return false;
    };
    let bytes =
        if digits.len() <= MOST_DIGITS { encode_small(negative, &digits) } else { encode_large(negative, &digits) };
    put_long(i64::try_from(bytes.len()).unwrap_or(i64::MAX), out);
    out.extend_from_slice(&bytes);
    true
}

/// The digits of a plain decimal moved by `scale`, without leading zeros; whether it is negative.
fn unscaled_digits(plain: &str, scale: u32) -> Option<(bool, Vec<u8>)> {
    let (negative, rest) = plain.strip_prefix('-').map_or((false, plain), |rest| (true, rest));
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) || mantissa.is_empty() {
        return None;
    }
    let zeros = i64::from(scale).checked_add(exponent)?.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let zeros = usize::try_from(zeros).ok().filter(|&zeros| zeros <= 1 << 16)?;
    let digits = whole.bytes().chain(fraction.bytes()).skip_while(|&byte| byte == b'0').map(|byte| byte - b'0');
    let mut digits: Vec<u8> = digits.collect();
    if !digits.is_empty() {
        digits.resize(digits.len() + zeros, 0);
    }
    Some((negative, digits))
}

fn encode_small(negative: bool, digits: &[u8]) -> Vec<u8> {
    let magnitude = digits.iter().fold(0i128, |sum, &digit| sum * 10 + i128::from(digit));
    trim_sign_bytes(if negative { -magnitude } else { magnitude }.to_be_bytes().to_vec())
}

/// Any number of digits: nine at a time are added to a number that is kept byte by byte, the lowest first.
fn encode_large(negative: bool, digits: &[u8]) -> Vec<u8> {
    let mut bytes: Vec<u8> = Vec::new();
    for part in digits.chunks(9) {
        let (mut carry, mut base) = (0u64, 1u64);
        for &digit in part {
            carry = carry * 10 + u64::from(digit);
            base *= 10;
        }
        for byte in &mut bytes {
            carry += u64::from(*byte) * base;
            *byte = (carry & 0xff) as u8;
            carry >>= 8;
        }
        while carry > 0 {
            bytes.push((carry & 0xff) as u8);
            carry >>= 8;
        }
    }
    bytes.push(0);
    if negative {
        let mut carry = true;
        for byte in &mut bytes {
            let (negated, more) = (!*byte).overflowing_add(u8::from(carry));
            *byte = negated;
            carry = more;
        }
    }
    bytes.reverse();
    trim_sign_bytes(bytes)
}

/// Without the bytes at the head that only repeat the sign.
fn trim_sign_bytes(bytes: Vec<u8>) -> Vec<u8> {
    let superfluous = |pair: &[u8]| pair[0] == 0 && pair[1] < 0x80 || pair[0] == 0xff && pair[1] >= 0x80;
    let skipped = bytes.windows(2).take_while(|pair| superfluous(pair)).count();
    bytes[skipped..].to_vec()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(text: &str, scale: u32) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        push_decimal(text, scale, &mut out).then(|| out[1..].to_vec())
    }

    #[test]
    fn decimals_in_the_fewest_bytes() {
        for (text, scale, expected) in [
            ("0", 2, vec![0]),
            ("1.27", 2, vec![127]),
            ("1.28", 2, vec![0, 128]),
            ("-1.28", 2, vec![128]),
            ("-1.29", 2, vec![255, 127]),
            ("1.50", 1, vec![15]),
            ("12e3", 0, vec![0x2e, 0xe0]),
            ("-0.0", 1, vec![0]),
        ] {
            assert_eq!(bytes(text, scale), Some(expected), "{text}");
        }
        for (text, scale) in [("1.5", 0), ("NaN", 2), ("INF", 2), ("x", 2)] {
            assert_eq!(bytes(text, scale), None, "{text}");
        }
    }

    proptest! {
        /// The two ways agree where both can go.
        #[test]
        fn large_and_small_numbers_are_written_alike(number: i128, negative: bool) {
            let digits: Vec<u8> = (number / 10).unsigned_abs().to_string().bytes().map(|byte| byte - b'0').collect();
            prop_assert_eq!(encode_large(negative, &digits), encode_small(negative, &digits));
        }
    }
}
