//! `yearmonth` and `duration`: kept as text.

use std::cmp::Ordering;

use arrow_schema::DataType;

use super::scan::TextScanner;
use crate::validate::{
    column::{CellReader, TextColumn},
    problem::{CellFault, FORM},
};

/// Reads `yearmonth`: `YYYY-MM`.
#[derive(Debug)]
pub(in crate::validate) struct YearMonthReader;

impl CellReader for YearMonthReader {
    type Stored = TextColumn;

    fn data_type(&self) -> DataType {
        DataType::Utf8
    }

    fn read<'a>(&self, text: &'a str, _scratch: &'a mut String) -> Result<&'a str, CellFault> {
        let mut scan = TextScanner::new(text);
        let mut read = || {
            scan.take_digits(4)?;
            scan.take_any(b"-")?;
            scan.take_digits(2).filter(|_| scan.is_at_end())
        };
        match read() {
            Some(1..=12) => Ok(text),
            Some(month) => Err(format!("month {month:02}").into()),
            None => Err(FORM),
        }
    }

    fn value_noun(&self) -> &'static str {
        "a month of a year"
    }

    fn mend_hint(&self) -> String {
        "write it like 2021-11".into()
    }
}

/// Reads `duration`: `PnYnMnDTnHnMnS` or `PnW` (ISO 8601) with an optional sign; the last number may have a fraction.
#[derive(Debug)]
pub(in crate::validate) struct DurationReader;

/// A duration: months and seconds cannot be converted into each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct DurationLength {
    months: i128,
    /// 10^-18 seconds.
    attoseconds: i128,
}

const ATTO: i128 = 1_000_000_000_000_000_000;
/// The designators in their order, with what one of them is: months, or seconds.
const DATE_PARTS: [(u8, i128, i128); 4] = [(b'Y', 12, 0), (b'M', 1, 0), (b'W', 0, 604_800), (b'D', 0, 86_400)];
const TIME_PARTS: [(u8, i128, i128); 3] = [(b'H', 0, 3600), (b'M', 0, 60), (b'S', 0, 1)];

impl CellReader for DurationReader {
    type Stored = TextColumn;

    const OWN_EQUALITY: bool = true;

    fn data_type(&self) -> DataType {
        DataType::Utf8
    }

    fn read<'a>(&self, text: &'a str, _scratch: &'a mut String) -> Result<&'a str, CellFault> {
        visit_numbers(text, |_, _, _| ()).map(|()| text).ok_or(FORM)
    }

    /// Durations of months and of seconds are compared where the difference does not depend on the calendar.
    fn compare_values(&self, left: &str, right: &str) -> Option<Ordering> {
        let (left, right) = (duration_length(left)?, duration_length(right)?);
        // Both are subtracted first, so that what the two have in common needs no calendar.
        let months = (left.months - right.months) * ATTO;
        let rest = left.attoseconds - right.attoseconds;
        // A month has 28 to 31 days.
        // If even the shortest and the longest months agree on the sign, the calendar does not matter.
        let (one, two) = (months * 28 * 86_400 + rest, months * 31 * 86_400 + rest);
        (one.signum() == two.signum()).then(|| one.cmp(&0))
    }

    fn value_noun(&self) -> &'static str {
        "a duration"
    }

    fn mend_hint(&self) -> String {
        "write it like P1Y2M10DT2H30M".into()
    }
}

/// Goes through the numbers of a duration: whole digits, digits of the fraction, and what a unit is in months and seconds.
/// `None` where `text` is not a duration.
fn visit_numbers<'a>(text: &'a str, mut each: impl FnMut(&'a [u8], &'a [u8], (i128, i128))) -> Option<()> {
    let mut scan = TextScanner::new(text);
    scan.take_any(b"+-");
    scan.take_any(b"P")?;
    // ISO 8601 has weeks alone or not at all, which is known before the first number.
    let weeks = text.ends_with('W');
    let mut numbers = 0;
    let mut last_has_fraction = false;
    let mut part = |scan: &mut TextScanner<'a>, units: &[(u8, i128, i128)]| {
        let mut left = units;
        let before = numbers;
        while scan.digits_ahead() > 0 {
            let whole = scan.run();
            let fraction = if scan.take_any(b".,").is_some() { Some(scan.run()) } else { None };
            // Only designators that are left may follow: this keeps their order and refuses one that occurs twice.
            let at = left.iter().position(|unit| scan.peek_byte() == Some(unit.0))?;
            let (letter, months, seconds) = left[at];
            scan.take_any(&[letter])?;
            // A fraction is allowed in the last number only, so nothing may follow one.
            if last_has_fraction || fraction.is_some_and(<[u8]>::is_empty) || (letter == b'W') != weeks {
                return None;
            }
            last_has_fraction = fraction.is_some();
            each(whole, fraction.unwrap_or(&[]), (months, seconds));
            left = &left[at + 1..];
            numbers += 1;
        }
        Some(numbers > before)
    };
    let has_date = part(&mut scan, &DATE_PARTS)?;
    let has_time = scan.take_any(b"T").is_some();
    // `P1DT` has nothing after the T and is refused, although the date before it is sound.
    let sound = if has_time { part(&mut scan, &TIME_PARTS)? } else { has_date };
    (sound && scan.is_at_end()).then_some(())
}

/// The length of a duration; `None` where it is beyond what can be compared exactly.
fn duration_length(text: &str) -> Option<DurationLength> {
    let mut sum = Some(DurationLength::default());
    visit_numbers(text, |whole, fraction, unit| sum = sum.and_then(|sum| sum.add_number(whole, fraction, unit)))?;
    let sum = sum?;
    let sign = if text.starts_with('-') { -1 } else { 1 };
    Some(DurationLength { months: sum.months * sign, attoseconds: sum.attoseconds * sign })
}

impl DurationLength {
    fn add_number(self, whole: &[u8], fraction: &[u8], (months, seconds): (i128, i128)) -> Option<Self> {
        let (whole, parts) = (parse_digits(whole)?, number_of_atto(fraction)?);
        // Half a month has no length in months or seconds that all calendars share.
        if months > 0 && parts > 0 {
            return None;
        }
        let attoseconds = whole.checked_mul(seconds * ATTO)?.checked_add(parts * seconds)?;
        Some(Self { months: self.months + whole * months, attoseconds: self.attoseconds.checked_add(attoseconds)? })
    }
}

/// A number of at most 12 digits: more cannot be summed up without overflow.
fn parse_digits(digits: &[u8]) -> Option<i128> {
    let first = digits.iter().position(|&byte| byte != b'0').unwrap_or(digits.len());
    let digits = &digits[first..];
    (digits.len() <= 12).then(|| digits.iter().fold(0, |value, byte| value * 10 + i128::from(byte - b'0')))
}

/// A fraction of at most 18 digits in units of 10^-18.
fn number_of_atto(digits: &[u8]) -> Option<i128> {
    let padded = digits.iter().copied().chain(std::iter::repeat(b'0')).take(18);
    (digits.len() <= 18).then(|| padded.fold(0, |value, byte| value * 10 + i128::from(byte - b'0')))
}
