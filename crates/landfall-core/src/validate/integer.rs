//! Whole numbers: `integer` and `year`.

use std::borrow::Cow;

use arrow_array::types::Int64Type;
use arrow_schema::DataType;

use super::{
    column::{CellReader, PrimitiveColumn},
    decimal, digits,
    problem::{CellFault, FORM},
};
use crate::decode::json::JsonKind;

/// Reads `integer`.
#[derive(Debug)]
pub(super) struct IntegerReader {
    bare_number: bool,
    group_char: Option<String>,
    zero_decimals: bool,
}

impl IntegerReader {
    pub(super) fn new(bare_number: bool, group_char: Option<String>, zero_decimals: bool) -> Self {
        Self { bare_number, group_char, zero_decimals }
    }

    /// What may stand between a whole number and its zeros.
    const fn point(&self) -> &'static str {
        if self.zero_decimals { "." } else { "" }
    }

    /// `number` without a point and zeros behind it, where the dictionary says that they may stand there.
    fn strip_zero_fraction<'a>(&self, number: &'a str) -> &'a str {
        match number.split_once('.').filter(|_| self.zero_decimals) {
            Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|byte| byte == b'0') => whole,
            _ => number,
        }
    }
}

/// The value of up to 18 digits with an optional minus: what fits 64 bits without a look at the value.
#[inline(always)]
fn parse_short_integer(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let (negative, digits) = match bytes {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    // i64 holds every number of 18 digits, so that the loop needs no check for overflow.
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    let mut value = 0i64;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + i64::from(digit);
    }
    Some(if negative { -value } else { value })
}

/// The value of an integer of any length.
fn parse_long_integer(text: &str) -> Result<i64, CellFault> {
    // The sign and digits are checked here, so that whatever `parse` refuses below can only be too large.
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(FORM);
    }
    text.parse().map_err(|_| format!("beyond the range {} to {}", i64::MIN, i64::MAX).into())
}

/// The value of a JSON number that is whole.
fn parse_json_integer(text: &str, scratch: &mut String) -> Result<i64, CellFault> {
    // The exponent form is written out first: `2e0` is whole, and `25e-1` is not.
    if decimal::write_reduced(text, scratch) { parse_long_integer(scratch) } else { Err(FORM) }
}

impl CellReader for IntegerReader {
    type Stored = PrimitiveColumn<Int64Type>;

    fn data_type(&self) -> DataType {
        DataType::Int64
    }

    #[inline(always)]
    fn read_common_form(&self, text: &str) -> Option<i64> {
        parse_short_integer(text)
    }

    fn read<'a>(&self, text: &'a str, _scratch: &'a mut String) -> Result<i64, CellFault> {
        let number = if self.bare_number { Cow::Borrowed(text) } else { digits::strip_units(text, self.point())? };
        // The zeros go before the groups: a group sign behind the point is no number.
        parse_long_integer(&digits::strip_groups(self.strip_zero_fraction(&number), self.group_char.as_deref())?)
    }

    fn json_kinds(&self) -> &[JsonKind] {
        &[JsonKind::Number]
    }

    /// A JSON number without a fraction is an integer, however it is written: `2`, `2.0`, `2e0`.
    fn read_json<'a>(&self, _kind: JsonKind, text: &'a str, scratch: &'a mut String) -> Result<i64, CellFault> {
        match parse_short_integer(text) {
            Some(value) => Ok(value),
            None => parse_json_integer(text, scratch),
        }
    }

    fn value_noun(&self) -> &'static str {
        "an integer"
    }

    fn mend_hint(&self) -> String {
        "write it with digits only, like 1234 or -5".into()
    }
}

/// Reads `year`: four digits, as 0000 to 9999.
#[derive(Debug)]
pub(super) struct YearReader;

impl CellReader for YearReader {
    type Stored = PrimitiveColumn<Int64Type>;

    fn data_type(&self) -> DataType {
        DataType::Int64
    }

    fn read<'a>(&self, text: &'a str, _scratch: &'a mut String) -> Result<i64, CellFault> {
        // Exactly four: `parse` alone would take `+999`, which is no year.
        let digits = text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit());
        if digits { parse_long_integer(text) } else { Err(FORM) }
    }

    fn json_kinds(&self) -> &[JsonKind] {
        &[JsonKind::Number]
    }

    /// A JSON number has no zeros at its start: 987 is the year 0987.
    fn read_json<'a>(&self, _kind: JsonKind, text: &'a str, scratch: &'a mut String) -> Result<i64, CellFault> {
        let year = parse_json_integer(text, scratch)?;
        if (0..=9999).contains(&year) { Ok(year) } else { Err(FORM) }
    }

    fn value_noun(&self) -> &'static str {
        "a year"
    }

    fn mend_hint(&self) -> String {
        "write it with four digits, like 2021".into()
    }
}

#[cfg(test)]
mod tests {
    use super::super::scalar::tests::{integer_of, problems_of};
    use crate::schema::FieldType;

    fn integer(bare_number: bool, group_char: Option<&str>) -> FieldType {
        FieldType::Integer { bare_number, group_char: group_char.map(Into::into), zero_decimals: false }
    }

    #[test]
    fn integers() {
        let kind = integer(true, None);
        let cases = [
            ("0", 0),
            ("-0", 0),
            ("+5", 5),
            ("007", 7),
            ("-42", -42),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
            ("000000000000000000000001", 1),
        ];
        for (text, value) in cases {
            assert_eq!(integer_of(&kind, text), Some(value), "{text}");
        }
        for text in ["-", "+", " 5", "5 ", "1_000", "٣", "12.0", "1e3", "--5", "1,000"] {
            assert_eq!(integer_of(&kind, text), None, "{text}");
        }
    }

    #[test]
    fn the_range_is_told() {
        let problems = problems_of(&integer(true, None), "9223372036854775808");
        assert_eq!(
            problems[0].message,
            "field \"f\": \"9223372036854775808\" is not an integer (beyond the range -9223372036854775808 to \
             9223372036854775807); write it with digits only, like 1234 or -5"
        );
    }

    #[test]
    fn integers_among_other_characters() {
        let kind = integer(false, None);
        for (text, value) in [("€95", 95), ("95%", 95), ("-95%", -95), ("€-95 EUR", -95), ("+5", 5)] {
            assert_eq!(integer_of(&kind, text), Some(value), "{text}");
        }
        for text in ["a1b2", "x", "1.5", "(5)", "5-", "\u{2212}5", "5 k", "12 Mio", "1e3 EUR"] {
            assert_eq!(integer_of(&kind, text), None, "{text}");
        }
    }

    #[test]
    fn grouped_integers() {
        assert_eq!(integer_of(&integer(true, Some(",")), "1,000,000"), Some(1_000_000));
        assert_eq!(integer_of(&integer(true, Some(",")), "12,34,567"), Some(1_234_567));
        for text in ["1,,0", "1,5", "1,0000", "0,001", ",100"] {
            assert_eq!(integer_of(&integer(true, Some(",")), text), None, "{text}");
            assert_eq!(integer_of(&integer(false, Some(",")), text), None, "{text}");
        }
    }

    #[test]
    fn zeros_behind_the_point_are_taken_where_the_dictionary_says_so() {
        let kind = |bare_number, group_char: Option<&str>| FieldType::Integer {
            bare_number,
            group_char: group_char.map(Into::into),
            zero_decimals: true,
        };
        for (text, value) in [("8.0", 8), ("-8.000", -8), ("8", 8), ("+0.0", 0), ("9223372036854775807.0", i64::MAX)] {
            assert_eq!(integer_of(&kind(true, None), text), Some(value), "{text}");
            assert_eq!(integer_of(&integer(true, None), text), (!text.contains('.')).then_some(value), "{text}");
        }
        for text in [
            "8.1",
            "8.",
            ".0",
            "8.0.0",
            "8.00000000000000000001",
            "8,0",
            "8.0e0",
            "8.0 ",
            "-.0",
            "9223372036854775808.0",
        ] {
            assert_eq!(integer_of(&kind(true, None), text), None, "{text}");
        }
        assert_eq!(integer_of(&kind(true, Some(",")), "1,234.0"), Some(1234));
        assert_eq!(integer_of(&kind(true, Some(",")), "1.0,000"), None);
        for (text, value) in
            [("€ 8.0", Some(8)), ("8.0 kg", Some(8)), ("8.5 kg", None), ("(8.0)", None), ("8.0-", None)]
        {
            assert_eq!(integer_of(&kind(false, None), text), value, "{text}");
        }
    }

    #[test]
    fn years() {
        for (text, value) in [("2021", Some(2021)), ("0001", Some(1)), ("+999", None), ("-123", None), ("12345", None)]
        {
            assert_eq!(integer_of(&FieldType::Year, text), value, "{text}");
        }
    }
}
