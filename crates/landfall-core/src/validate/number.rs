//! `number`: decimal numbers of any length, stored as canonical text (see [`super::decimal`]).

use std::{borrow::Cow, cmp::Ordering};

use arrow_schema::DataType;

use super::{
    column::{CellReader, TextColumn},
    decimal, digits,
    problem::{CellFault, FORM},
};
use crate::{decode::json::JsonKind, schema::NumberFormat};

/// Reads `number`.
#[derive(Debug)]
pub(super) struct NumberReader {
    format: NumberFormat,
    /// Nothing has to be taken away or replaced.
    standard: bool,
    /// One text for each value.
    reduced: bool,
}

impl NumberReader {
    /// A reader of numbers of `format`; where they are `reduced`, equal numbers are stored as equal texts.
    pub(super) fn new(format: NumberFormat, reduced: bool) -> Self {
        let standard = format == NumberFormat::default();
        Self { format, standard, reduced }
    }

    /// The number with `.` between whole and fraction, and nothing else than the number.
    fn standard_form<'a>(&self, text: &'a str) -> Result<Cow<'a, str>, CellFault> {
        let point = self.format.decimal_char.as_str();
        // What follows would take the letters of `NaN` and `INF` for a unit around a number.
        let special = decimal::normalize_number(text).is_some_and(|number| number.ends_with(['N', 'F']));
        if self.standard || special {
            return Ok(Cow::Borrowed(text));
        }
        let number = if self.format.bare_number { Cow::Borrowed(text) } else { digits::strip_units(text, point)? };
        let (whole, fraction) = match number.split_once(point) {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (&*number, None),
        };
        let whole = digits::strip_groups(whole, self.format.group_char.as_deref())?;
        // Under a decimal comma `1.5` could be 1.5 or 15; nothing is guessed.
        if point != "." && (whole.contains('.') || fraction.is_some_and(|fraction| fraction.contains('.'))) {
            return Err(format!("the decimal separator is {point}").into());
        }
        Ok(match fraction {
            Some(fraction) => Cow::Owned(format!("{whole}.{fraction}")),
            None => Cow::Owned(whole.into_owned()),
        })
    }
}

impl CellReader for NumberReader {
    type Stored = TextColumn;

    const OWN_EQUALITY: bool = true;

    fn data_type(&self) -> DataType {
        DataType::Utf8
    }

    #[inline]
    fn read_common_form<'a>(&self, text: &'a str) -> Option<&'a str> {
        // A key needs the reduced form, which a short whole number is already.
        let done = self.standard && decimal::is_plain_decimal(text) && (!self.reduced || decimal::is_short_whole(text));
        done.then_some(text)
    }

    fn read<'a>(&self, text: &'a str, scratch: &'a mut String) -> Result<&'a str, CellFault> {
        let number = self.standard_form(text)?;
        let write = if self.reduced { decimal::write_reduced } else { decimal::write_canonical };
        if write(&number, scratch) { Ok(scratch) } else { Err(FORM) }
    }

    fn json_kinds(&self) -> &[JsonKind] {
        &[JsonKind::Number, JsonKind::String]
    }

    /// JSON has no form for `NaN` and `INF` but a string.
    fn read_json<'a>(&self, kind: JsonKind, text: &'a str, scratch: &'a mut String) -> Result<&'a str, CellFault> {
        if kind == JsonKind::String && !matches!(text, "NaN" | "INF" | "-INF") {
            return Err("as a JSON string; only NaN, INF and -INF are written so".into());
        }
        if decimal::is_plain_decimal(text) && (!self.reduced || decimal::is_short_whole(text)) {
            return Ok(text);
        }
        let write = if self.reduced { decimal::write_reduced } else { decimal::write_canonical };
        if write(text, scratch) { Ok(scratch) } else { Err(FORM) }
    }

    fn compare_values(&self, left: &str, right: &str) -> Option<Ordering> {
        decimal::compare_numbers(left, right)
    }

    fn value_noun(&self) -> &'static str {
        "a number"
    }

    fn mend_hint(&self) -> String {
        format!("write it like 1234{}5 or -5", self.format.decimal_char)
    }
}

#[cfg(test)]
mod tests {
    use super::super::scalar::tests::text_of;
    use crate::schema::{FieldType, NumberFormat};

    fn number(decimal_char: &str, group_char: Option<&str>, bare_number: bool) -> FieldType {
        let (decimal_char, group_char) = (decimal_char.into(), group_char.map(Into::into));
        FieldType::Number(NumberFormat { decimal_char, group_char, bare_number })
    }

    fn check(kind: &FieldType, cases: &[(&str, Option<&str>)]) {
        for (text, expected) in cases {
            assert_eq!(text_of(kind, text).as_deref(), *expected, "{text}");
        }
    }

    #[test]
    fn numbers() {
        let cases = [
            ("1.50", Some("1.50")),
            ("+007", Some("7")),
            (".5", Some("0.5")),
            ("1e3", Some("1000")),
            ("nan", Some("NaN")),
            ("-INF", Some("-INF")),
            (" 1", None),
            ("1_0.5", None),
            ("1,5", None),
            ("Infinity", None),
        ];
        check(&number(".", None, true), &cases);
    }

    #[test]
    fn numbers_with_other_separators() {
        check(&number(",", None, true), &[("1,5", Some("1.5")), ("1.5", None), ("INF", Some("INF")), ("1,5,0", None)]);
        check(&number(".", Some(","), true), &[("1,000.5", Some("1000.5")), ("1.0,0", None), (",1", None)]);
        check(&number(",", Some("."), true), &[("1.000,50", Some("1000.50")), ("1.000", Some("1000"))]);
    }

    #[test]
    fn numbers_among_other_characters() {
        let cases = [("€1.5", Some("1.5")), ("15%", Some("15")), ("$-.5", Some("-0.5")), ("x", None), ("1 2", None)];
        check(&number(".", None, false), &cases);
        check(&number(",", Some("."), false), &[("EUR 1.234,50", Some("1234.50")), ("Rs.500", Some("500"))]);
    }

    #[test]
    fn a_sign_or_scale_around_a_number_is_not_lost() {
        let cases =
            [("(2.00)", None), ("3.00-", None), ("\u{2212}5", None), ("12.5 k", None), ("-€2.00", Some("-2.00"))];
        check(&number(".", None, false), &cases);
        let cases = [("10 23,5", None), ("1 023,5", Some("1023.5")), ("1 023,5-", None), ("1 02,5 €", None)];
        check(&number(",", Some(" "), false), &cases);
    }

    #[test]
    fn groups_of_other_sizes_are_no_number() {
        check(&number(".", Some(","), true), &[("1,5", None), ("1,23,456.5", Some("123456.5")), ("0,500", None)]);
        check(
            &number(",", Some("."), true),
            &[("1.5", None), ("1.500", Some("1500")), ("0.500", None), ("1.50,0", None)],
        );
    }
}
