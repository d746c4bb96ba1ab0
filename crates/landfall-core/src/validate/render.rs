//! Values as canonical text: the way back from the stored form, for targets and outputs that hold text.
//!
//! | type | text |
//! |---|---|
//! | integer, year | `-42` |
//! | boolean | `true`, `false` |
//! | date | `2021-11-07` |
//! | time | `02:48:42`, `02:48:42.000001` |
//! | datetime | `2021-11-07T02:48:42Z`, `2021-11-07T02:48:42.000001Z` |
//! | all others | the stored text |

use arrow_array::{
    Array,
    cast::AsArray,
    types::{Date32Type, Int64Type, Time64MicrosecondType, TimestampMicrosecondType},
};
use arrow_schema::{DataType, TimeUnit};

use super::temporal::calendar::{CivilDate, DAY, SECOND, civil_date};

/// The two digits of the numbers 0 to 99.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let (mut at, mut tens) = (0, b'0');
    while at < 100 {
        let mut ones = b'0';
        while ones <= b'9' {
            pairs[at] = [tens, ones];
            at += 1;
            ones += 1;
        }
        tens += 1;
    }
    pairs
};

/// Writes the text of a datetime, given in microseconds since 1970 in UTC.
pub fn datetime_text(micros: i64, out: &mut String) {
    let (day, time) = (micros.div_euclid(DAY), micros.rem_euclid(DAY));
    // Every 64-bit number of microseconds is within the days of 32 bits.
    let date = civil_date(i32::try_from(day).unwrap_or(i32::MAX));
    let mut text = *b"0000-00-00T00:00:00Z";
    if !write_date_digits(&mut text, date) {
        push_long_date(date, out);
        out.push('T');
        push_time(time, out);
        out.push('Z');
        return;
    }
    write_time_digits(&mut text, 11, time / SECOND);
    let micros = time % SECOND;
    if micros == 0 {
        push_ascii(&text, out);
    } else {
        push_ascii(&text[..19], out);
        push_micros(micros, out);
        out.push('Z');
    }
}

/// Writes the text of a date, given in days since 1970.
pub fn push_date(day: i32, out: &mut String) {
    let date = civil_date(day);
    let mut text = *b"0000-00-00";
    if write_date_digits(&mut text, date) { push_ascii(&text, out) } else { push_long_date(date, out) }
}

/// Writes the text of a time, given in microseconds since midnight.
pub fn push_time(micros: i64, out: &mut String) {
    // A time beyond the day would index past the table of digit pairs.
    let micros = micros.rem_euclid(DAY);
    let mut text = *b"00:00:00";
    write_time_digits(&mut text, 0, micros / SECOND);
    push_ascii(&text, out);
    if micros % SECOND != 0 {
        push_micros(micros % SECOND, out);
    }
}

/// Writes `true` or `false`.
pub fn boolean_text(value: bool, out: &mut String) {
    out.push_str(if value { "true" } else { "false" });
}

/// Writes an integer.
pub fn integer_text(value: i64, out: &mut String) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    // `i64::MIN` has no positive counterpart in `i64`.
    let mut rest = value.unsigned_abs();
    while rest >= 100 {
        at -= 2;
        digits[at..at + 2].copy_from_slice(&PAIRS[(rest % 100) as usize]);
        rest /= 100;
    }
    at -= 2;
    digits[at..at + 2].copy_from_slice(&PAIRS[rest as usize]);
    // The last pair may have a zero in front, which is no digit of the number.
    if rest < 10 {
        at += 1;
    }
    if value < 0 {
        out.push('-');
    }
    push_ascii(&digits[at..], out);
}

/// Writes the text of the value in `row` of a column of one of Landfall's types, and returns whether there is one: for a null
/// nothing is written. For whole columns it is faster to look at the type once and call the function of the type.
#[must_use]
pub fn push_value(column: &dyn Array, row: usize, out: &mut String) -> bool {
    if column.is_null(row) {
        return false;
    }
    match column.data_type() {
        DataType::Utf8 => out.push_str(column.as_string::<i32>().value(row)),
        DataType::Int64 => integer_text(column.as_primitive::<Int64Type>().value(row), out),
        DataType::Boolean => boolean_text(column.as_boolean().value(row), out),
        DataType::Date32 => push_date(column.as_primitive::<Date32Type>().value(row), out),
        DataType::Time64(TimeUnit::Microsecond) => {
            push_time(column.as_primitive::<Time64MicrosecondType>().value(row), out);
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            datetime_text(column.as_primitive::<TimestampMicrosecondType>().value(row), out);
        }
        _ => return false,
    }
    true
}

/// Puts a date at the start of `text`, where its year has four digits.
#[inline]
fn write_date_digits(text: &mut [u8], date: CivilDate) -> bool {
    let Ok(year) = usize::try_from(date.year) else { return false };
    if year > 9999 {
        return false;
    }
    text[0..2].copy_from_slice(&PAIRS[year / 100]);
    text[2..4].copy_from_slice(&PAIRS[year % 100]);
    text[5..7].copy_from_slice(&PAIRS[date.month as usize]);
    text[8..10].copy_from_slice(&PAIRS[date.day as usize]);
    true
}

/// Puts `hh:mm:ss` at `at`.
#[inline]
fn write_time_digits(text: &mut [u8], at: usize, seconds: i64) {
    // Less than a day, so that each part has two digits.
    let seconds = (seconds % 86_400) as usize;
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    text[at..at + 2].copy_from_slice(&PAIRS[hours]);
    text[at + 3..at + 5].copy_from_slice(&PAIRS[minutes]);
    text[at + 6..at + 8].copy_from_slice(&PAIRS[seconds % 60]);
}

/// A date whose year has not four digits, as ISO 8601 writes it by agreement. Landfall's own values have none.
#[cold]
fn push_long_date(date: CivilDate, out: &mut String) {
    use std::fmt::Write;
    // Writing to a string cannot fail.
    let _ = write!(out, "{:+05}-{:02}-{:02}", date.year, date.month, date.day);
}

/// Writes `.ffffff`.
fn push_micros(micros: i64, out: &mut String) {
    let micros = (micros % SECOND) as usize;
    let (high, middle, low) = (PAIRS[micros / 10_000], PAIRS[micros / 100 % 100], PAIRS[micros % 100]);
    push_ascii(&[b'.', high[0], high[1], middle[0], middle[1], low[0], low[1]], out);
}

/// Adds bytes that are ASCII.
#[inline]
fn push_ascii(bytes: &[u8], out: &mut String) {
    out.push_str(std::str::from_utf8(bytes).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text<V>(value: V, write: fn(V, &mut String)) -> String {
        let mut out = String::new();
        write(value, &mut out);
        out
    }

    #[test]
    fn texts() {
        assert_eq!(text(1_636_253_322_000_000, datetime_text), "2021-11-07T02:48:42Z");
        assert_eq!(text(1_636_253_322_000_001, datetime_text), "2021-11-07T02:48:42.000001Z");
        assert_eq!(text(-1, datetime_text), "1969-12-31T23:59:59.999999Z");
        assert_eq!(text(-719_162, push_date), "0001-01-01");
        assert_eq!(text(0, push_time), "00:00:00");
        assert_eq!(text(true, boolean_text), "true");
    }

    #[test]
    fn numbers_at_the_ends_do_not_panic() {
        for end in [i64::MIN, i64::MAX] {
            assert!(text(end, datetime_text).ends_with('Z'));
            assert_eq!(text(end, push_time).len(), 15);
        }
        assert_eq!(text(i32::MAX, push_date), "+5881580-07-11");
    }

    proptest! {
        #[test]
        fn integers_as_the_standard_library_writes_them(value: i64, shift in 0u32..64) {
            prop_assert_eq!(text(value >> shift, integer_text), (value >> shift).to_string());
        }

        #[test]
        fn datetimes_as_jiff_reads_them(micros in -62_135_596_800_000_000i64..253_402_207_200_000_000) {
            let timestamp: jiff::Timestamp = text(micros, datetime_text).parse().expect("RFC 3339");
            prop_assert_eq!(timestamp.as_microsecond(), micros);
        }
    }
}
