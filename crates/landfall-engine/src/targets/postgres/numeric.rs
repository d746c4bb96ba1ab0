//! Exact decimals: canonical texts become PostgreSQL's binary `numeric`.
//!
//! A `numeric` has base-10000 digits from the point to both sides, and the number of decimals that it was written with
//! (`src/backend/utils/adt/numeric.c`).

const POSITIVE: u16 = 0x0000;
const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xc000;
const INFINITY: u16 = 0xd000;
const MINUS_INFINITY: u16 = 0xf000;

/// Decimal digits of a digit of base 10000.
const PER_DIGIT: i64 = 4;

/// A finite number: its digits, and where the point is among them.
struct NumericParts<'t> {
    negative: bool,
    whole: &'t [u8],
    fraction: &'t [u8],
    /// Digits before the point, from the first of `whole`; beyond them there are zeros.
    point: i64,
}

/// Writes the binary form of `text`, a canonical number that fits.
pub(super) fn write(text: &str, out: &mut Vec<u8>) {
    match text {
        "NaN" => push_header(out, 0, 0, NAN, 0),
        "INF" => push_header(out, 0, 0, INFINITY, 0),
        "-INF" => push_header(out, 0, 0, MINUS_INFINITY, 0),
        _ => split_number(text).unwrap_or_else(|| unreachable!("a canonical number")).write(out),
    }
}

fn push_header(out: &mut Vec<u8>, digits: u16, weight: i16, sign: u16, decimals: u16) {
    let weight = weight.to_be_bytes();
    out.extend_from_slice([digits.to_be_bytes(), weight, sign.to_be_bytes(), decimals.to_be_bytes()].as_flattened());
}

fn split_number(text: &str) -> Option<NumericParts<'_>> {
    let digits = text.strip_prefix('-');
    let (negative, digits) = (digits.is_some(), digits.unwrap_or(text));
    let (mantissa, exponent) = match digits.split_once('E') {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (digits, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let (whole, fraction) = (whole.as_bytes(), fraction.as_bytes());
    let sound = !whole.is_empty() && whole.iter().chain(fraction).all(u8::is_ascii_digit);
    let point = i64::try_from(whole.len()).ok()?.checked_add(exponent)?;
    sound.then_some(NumericParts { negative, whole, fraction, point })
}

impl NumericParts<'_> {
    fn len(&self) -> i64 {
        i64::try_from(self.whole.len() + self.fraction.len()).unwrap_or(i64::MAX)
    }

    fn decimal_count(&self) -> i64 {
        self.len().saturating_sub(self.point).max(0)
    }

    /// The decimal digit at `at`, counted from the first; 0 beyond the ends.
    fn digit_at(&self, at: i64) -> u16 {
        let Ok(at) = usize::try_from(at) else { return 0 };
        let byte = self.whole.get(at).or_else(|| self.fraction.get(at - self.whole.len().min(at)));
        byte.map_or(0, |byte| u16::from(byte - b'0'))
    }

    /// The digit of base 10000 whose first decimal digit is at `at`.
    fn group_at(&self, at: i64) -> u16 {
        (at..at + PER_DIGIT).fold(0, |sum, at| sum * 10 + self.digit_at(at))
    }

    fn write(&self, out: &mut Vec<u8>) {
        let mut leading = self.whole.iter().chain(self.fraction);
        let decimals = u16::try_from(self.decimal_count()).unwrap_or(u16::MAX);
        let Some(first) = leading.position(|&byte| byte != b'0') else {
            return push_header(out, 0, 0, POSITIVE, decimals);
        };
        let first = i64::try_from(first).unwrap_or(i64::MAX);
        // The point is between two digits of base 10000, and the first of them holds the first decimal digit.
        let weight = (self.point - first - 1).div_euclid(PER_DIGIT);
        let start = out.len();
        let sign = if self.negative { NEGATIVE } else { POSITIVE };
        push_header(out, 0, i16::try_from(weight).unwrap_or(i16::MAX), sign, decimals);
        let mut at = self.point - (weight + 1) * PER_DIGIT;
        let (mut count, mut kept, mut end) = (0_u16, 0_u16, out.len());
        while at < self.len() {
            let digit = self.group_at(at);
            out.extend_from_slice(&digit.to_be_bytes());
            count += 1;
            if digit != 0 {
                (kept, end) = (count, out.len());
            }
            at += PER_DIGIT;
        }
        // Zeros at the end are implied.
        out.truncate(end);
        out[start..start + 2].copy_from_slice(&kept.to_be_bytes());
    }
}

/// The number that the server wrote as `text`, in Landfall's words.
pub(super) fn read(text: &str) -> &str {
    match text {
        "Infinity" => "INF",
        "-Infinity" => "-INF",
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads a binary `numeric` as the server writes it out: `get_str_from_var` of numeric.c, one digit after the other.
    fn shown(bytes: &[u8]) -> String {
        let word = |at: usize| u16::from_be_bytes([bytes[at * 2], bytes[at * 2 + 1]]);
        let (count, weight, sign, decimals) =
            (word(0), i32::from(word(1).cast_signed()), word(2), usize::from(word(3)));
        assert_eq!(bytes.len(), 8 + 2 * usize::from(count), "no bytes are left over");
        match sign {
            NAN => return "NaN".into(),
            INFINITY => return "INF".into(),
            MINUS_INFINITY => return "-INF".into(),
            _ => {}
        }
        let digit = |place: i32| {
            let at = weight - place;
            usize::try_from(at).ok().filter(|&at| at < usize::from(count)).map_or(0, |at| word(4 + at))
        };
        let whole: String = (0..=weight.max(0)).rev().map(|place| format!("{:04}", digit(place))).collect();
        let places = i32::try_from(decimals.div_ceil(4)).expect("few");
        let fraction: String = (1..=places).map(|place| format!("{:04}", digit(-place))).collect();
        let whole = whole.trim_start_matches('0');
        let whole = if whole.is_empty() { "0" } else { whole };
        let point = if decimals == 0 { String::new() } else { format!(".{}", &fraction[..decimals]) };
        format!("{}{whole}{point}", if sign == NEGATIVE { "-" } else { "" })
    }

    fn written(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        write(text, &mut out);
        out
    }

    #[test]
    fn as_the_server_sends_them() {
        // From `SELECT numeric_send(x)` of PostgreSQL 15.
        for (text, sent) in [
            ("0", "0000000000000000"),
            ("0.00", "0000000000000002"),
            ("1", "00010000000000000001"),
            ("-1.5", "000200004000000100011388"),
            ("12345.678", "0003000100000003000109291a7c"),
            ("10000", "00010001000000000001"),
            ("0.0001", "0001ffff000000040001"),
            ("0.00001", "0001fffe0000000503e8"),
            ("NaN", "00000000c0000000"),
        ] {
            let hex: String = written(text).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, sent, "{text}");
        }
    }

    #[test]
    fn exponents_are_written_out() {
        assert_eq!(shown(&written("1.50E+110")), format!("150{}", "0".repeat(108)));
        assert_eq!(shown(&written("-2.5E-120")), format!("-0.{}25", "0".repeat(119)));
        assert_eq!(shown(&written("NaN")), "NaN");
        assert_eq!(shown(&written("-INF")), "-INF");
    }

    proptest! {
        #[test]
        fn every_digit_is_kept(text in "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,40})?") {
            let canonical = text.strip_prefix('-').filter(|rest| !rest.bytes().any(|byte| byte > b'0')).unwrap_or(&text);
            prop_assert_eq!(shown(&written(canonical)), canonical);
        }

        #[test]
        fn exponents_keep_every_digit(mantissa in "[1-9](\\.[0-9]{1,20})?", exponent in 102_i64..400, small: bool) {
            let text = format!("{mantissa}E{}{exponent}", if small { '-' } else { '+' });
            let digits: String = mantissa.chars().filter(|char| *char != '.').collect();
            let zeros = |count: i64| "0".repeat(usize::try_from(count).expect("positive"));
            let expected = if small {
                format!("0.{}{digits}", zeros(exponent - 1))
            } else {
                format!("{digits}{}", zeros(exponent + 1 - i64::try_from(digits.len()).expect("few")))
            };
            prop_assert_eq!(shown(&written(&text)), expected);
        }
    }
}
