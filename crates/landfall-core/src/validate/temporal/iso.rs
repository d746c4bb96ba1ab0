//! The standard's own forms (`default`) and the other unambiguous forms of ISO 8601 (`any`).

use super::{
    calendar::{checked_day_of, checked_time_of, day_number_of_week, find_day_number, ordinal_day_of},
    scan::{TextScanner, fraction_micros},
};
use crate::validate::problem::{CellFault, FORM};

/// A date with time of day and, where it is written, offset from UTC in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) day: i32,
    pub(super) time: i64,
    pub(super) offset: Option<i32>,
}

const ZONE_OF_TIME: &str = "a time of day is stored without a zone";

/// The hot path of `parse_date`: `YYYY-MM-DD`.
#[inline]
pub(super) fn parse_common_date(text: &str) -> Option<i32> {
    // Exactly ten bytes. A longer text takes the slow way, which knows what is wrong.
    let bytes: &[u8; 10] = text.as_bytes().try_into().ok()?;
    let head = match_digits(load_word(bytes, 0), *b"0000-00-")?;
    // Filled up with zeros to a word, so that the two digits of the day need no check of their own.
    let day = match_digits(u64::from_le_bytes([b'0', b'0', b'0', b'0', b'0', b'0', bytes[8], bytes[9]]), [b'0'; 8])?;
    find_day_number(four_digit_year(head), two_digits_at(head, 5), two_digits_at(day, 6))
}

/// The hot path of `parse_datetime`: `YYYY-MM-DDThh:mm:ssZ`.
#[inline]
pub(super) fn quick_datetime(text: &str) -> Option<i64> {
    let bytes: &[u8; 20] = text.as_bytes().try_into().ok()?;
    let date = match_digits(load_word(bytes, 0), *b"0000-00-")?;
    let middle = match_digits(load_word(bytes, 8), *b"00T00:00")?;
    // This word overlaps with the one before, since 20 bytes are no multiple of eight.
    let end = match_digits(load_word(bytes, 12), *b"0:00:00Z")?;
    let day = find_day_number(four_digit_year(date), two_digits_at(date, 5), two_digits_at(middle, 0))?;
    let (hour, minute, second) = (two_digits_at(middle, 3), two_digits_at(middle, 6), two_digits_at(end, 5));
    // The reasons are found on the slow way; here it is enough not to answer.
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = i64::from(day) * 86_400 + i64::from((hour * 60 + minute) * 60 + second);
    Some(seconds * 1_000_000)
}

/// Eight bytes of a text, the first one in the lowest bits.
#[inline]
fn load_word<const N: usize>(bytes: &[u8; N], at: usize) -> u64 {
    let mut eight = [0; 8];
    eight.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(eight)
}

/// Eight digits and separators at once: `template` has a `0` where a digit stands and the separator elsewhere. The result
/// has the value of each digit in its byte.
#[inline]
fn match_digits(word: u64, template: [u8; 8]) -> Option<u64> {
    let values = word ^ u64::from_le_bytes(template);
    // A digit's byte is at most 9 where its high half is empty and stays empty when 6 is added (a carry can only come from a
    // byte that is refused anyway); a separator's byte must be 0.
    let (mut limit, mut separator) = ([0u8; 8], [0u8; 8]);
    for at in 0..8 {
        if template[at] == b'0' { limit[at] = 6 } else { separator[at] = 0xff }
    }
    let over = (values | (values.wrapping_add(u64::from_le_bytes(limit)))) & 0xf0f0_f0f0_f0f0_f0f0;
    let wrong = over | (values & u64::from_le_bytes(separator));
    (wrong == 0).then_some(values)
}

/// The digit in byte `at`.
#[inline]
fn digit_at(values: u64, at: u32) -> u32 {
    // The mask leaves 8 bits.
    ((values >> (at * 8)) & 0xff) as u32
}

#[inline]
fn two_digits_at(values: u64, at: u32) -> u32 {
    digit_at(values, at) * 10 + digit_at(values, at + 1)
}

#[inline]
fn four_digit_year(values: u64) -> u32 {
    two_digits_at(values, 0) * 100 + two_digits_at(values, 2)
}

/// `YYYY-MM-DD`.
pub(super) fn parse_date(text: &str) -> Result<i32, CellFault> {
    let mut scan = TextScanner::new(text);
    let day = scan_date(&mut scan)?;
    if scan.is_at_end() { Ok(day) } else { Err(FORM) }
}

/// `hh:mm:ss` with an optional fraction.
pub(super) fn parse_time(text: &str) -> Result<i64, CellFault> {
    let mut scan = TextScanner::new(text);
    let time = scan_time(&mut scan)?;
    without_zone(scan, time)
}

/// `YYYY-MM-DDThh:mm:ss` with optional fraction and zone.
pub(super) fn parse_datetime(text: &str) -> Result<Moment, CellFault> {
    let mut scan = TextScanner::new(text);
    let day = scan_date(&mut scan)?;
    scan.take_any(b"T").ok_or_else(|| explain_separator(&scan))?;
    let time = scan_time(&mut scan)?;
    let offset = scan_offset(&mut scan)?;
    if scan.is_at_end() { Ok(Moment { day, time, offset }) } else { Err(FORM) }
}

/// What is wrong between date and time.
fn explain_separator(scan: &TextScanner<'_>) -> CellFault {
    match scan.peek_byte() {
        None => "no time of day".into(),
        Some(b' ' | b't') => "no T between date and time".into(),
        Some(_) => FORM,
    }
}

fn without_zone(scan: TextScanner<'_>, time: i64) -> Result<i64, CellFault> {
    match scan.peek_byte() {
        None => Ok(time),
        // The text would be valid ISO 8601, so the message says why it is refused here.
        Some(b'Z' | b'z' | b'+' | b'-') => Err(ZONE_OF_TIME.into()),
        Some(_) => Err(FORM),
    }
}

fn scan_date(scan: &mut TextScanner<'_>) -> Result<i32, CellFault> {
    let mut read = || {
        let year = scan.take_digits(4)?;
        scan.take_any(b"-")?;
        let month = scan.take_digits(2)?;
        scan.take_any(b"-")?;
        let day = scan.take_digits(2)?;
        // `2021-11-071` is no date with something behind it.
        (scan.digits_ahead() == 0).then_some((year, month, day))
    };
    let (year, month, day) = read().ok_or(FORM)?;
    checked_day_of(year, month, day)
}

fn scan_time(scan: &mut TextScanner<'_>) -> Result<i64, CellFault> {
    let mut read = || {
        let hour = scan.take_digits(2)?;
        scan.take_any(b":")?;
        let minute = scan.take_digits(2)?;
        scan.take_any(b":")?;
        Some((hour, minute, scan.take_digits(2)?))
    };
    let (hour, minute, second) = read().ok_or(FORM)?;
    let micros = if scan.take_any(b".").is_some() { fraction_micros(scan.run())? } else { 0 };
    checked_time_of(hour, minute, second, micros)
}

/// `Z`, `+hh:mm`, `-hh:mm` or nothing.
fn scan_offset(scan: &mut TextScanner<'_>) -> Result<Option<i32>, CellFault> {
    match scan.take_any(b"Z+-") {
        None => Ok(None),
        Some(b'Z') => Ok(Some(0)),
        Some(sign) => {
            let hour = scan.take_digits(2).ok_or(FORM)?;
            scan.take_any(b":").ok_or(FORM)?;
            let minute = scan.take_digits(2).ok_or(FORM)?;
            seconds_east(sign, hour, minute).map(Some)
        }
    }
}

/// The seconds of an offset.
pub(super) fn seconds_east(sign: u8, hour: u32, minute: u32) -> Result<i32, CellFault> {
    if hour > 23 || minute > 59 {
        return Err(format!("offset {}{hour:02}:{minute:02}", char::from(sign)).into());
    }
    let seconds = i32::try_from((hour * 60 + minute) * 60).unwrap_or(0);
    Ok(if sign == b'-' { -seconds } else { seconds })
}

/// Any complete calendar, week or ordinal date of ISO 8601, basic or extended.
pub(super) fn parse_any_date(text: &str) -> Result<i32, CellFault> {
    let mut scan = TextScanner::new(text);
    let day = any_date_part(&mut scan)?;
    match scan.peek_byte() {
        None => Ok(day),
        Some(b'T' | b't' | b' ') => Err("a date has no time of day".into()),
        Some(_) => Err(FORM),
    }
}

/// Any time of ISO 8601: hours, and where they are given minutes and seconds, basic or extended.
pub(super) fn parse_any_time(text: &str) -> Result<i64, CellFault> {
    let mut scan = TextScanner::new(text);
    scan.take_any(b"Tt");
    let time = any_time_part(&mut scan)?;
    without_zone(scan, time)
}

/// Any date and time of ISO 8601, with a `T` or a space between them.
pub(super) fn any_datetime(text: &str) -> Result<Moment, CellFault> {
    let mut scan = TextScanner::new(text);
    let day = any_date_part(&mut scan)?;
    scan.take_any(b"Tt ").ok_or_else(|| explain_separator(&scan))?;
    let time = any_time_part(&mut scan)?;
    let offset = any_offset_part(&mut scan)?;
    if scan.is_at_end() { Ok(Moment { day, time, offset }) } else { Err(FORM) }
}

fn any_date_part(scan: &mut TextScanner<'_>) -> Result<i32, CellFault> {
    // The number of digits tells the basic forms apart: yyyymmdd, yyyyddd, or a year that something follows.
    match scan.digits_ahead() {
        8 => {
            let (year, month, day) = (scan.take_digits(4), scan.take_digits(2), scan.take_digits(2));
            checked_day_of(year.ok_or(FORM)?, month.ok_or(FORM)?, day.ok_or(FORM)?)
        }
        7 => ordinal_day_of(scan.take_digits(4).ok_or(FORM)?, scan.take_digits(3).ok_or(FORM)?),
        4 => {
            let year = scan.take_digits(4).ok_or(FORM)?;
            let extended = scan.take_any(b"-").is_some();
            if scan.take_any(b"W").is_some() {
                scan_any_week(scan, year, extended)
            } else {
                scan_day_of_year(scan, year, extended)
            }
        }
        _ => Err(FORM),
    }
}

/// `ww-d` or `wwd`.
fn scan_any_week(scan: &mut TextScanner<'_>, year: u32, extended: bool) -> Result<i32, CellFault> {
    let week = scan.take_digits(2).ok_or(FORM)?;
    if extended {
        // ISO 8601 does not mix the forms: with one hyphen there must be both.
        scan.take_any(b"-").ok_or(CellFault::Borrowed("no day of the week"))?;
    }
    day_number_of_week(year, week, scan.take_digits(1).ok_or(FORM)?)
}

/// `mm-dd` or `ddd`.
fn scan_day_of_year(scan: &mut TextScanner<'_>, year: u32, extended: bool) -> Result<i32, CellFault> {
    match (extended, scan.digits_ahead()) {
        (true, 3) => ordinal_day_of(year, scan.take_digits(3).ok_or(FORM)?),
        (true, 2) => {
            let month = scan.take_digits(2).ok_or(FORM)?;
            scan.take_any(b"-").ok_or(CellFault::Borrowed("no day of the month"))?;
            let day = if scan.digits_ahead() == 2 { scan.take_digits(2) } else { None };
            checked_day_of(year, month, day.ok_or(FORM)?)
        }
        // `2021` and `202111` also end here: a year or a month is no complete date.
        _ => Err(FORM),
    }
}

fn any_time_part(scan: &mut TextScanner<'_>) -> Result<i64, CellFault> {
    let (hour, minute, second) = match scan.digits_ahead() {
        2 => {
            let hour = scan.take_digits(2);
            let minute = scan_after_colon(scan)?;
            (hour, minute, if minute.is_some() { scan_after_colon(scan)? } else { None })
        }
        4 => (scan.take_digits(2), scan.take_digits(2), None),
        6 => (scan.take_digits(2), scan.take_digits(2), scan.take_digits(2)),
        _ => return Err(FORM),
    };
    let micros = match (second, scan.take_any(b".,")) {
        (_, None) => 0,
        (Some(_), Some(_)) => fraction_micros(scan.run())?,
        (None, Some(_)) => return Err("only seconds may have a fraction".into()),
    };
    checked_time_of(hour.ok_or(FORM)?, minute.unwrap_or(0), second.unwrap_or(0), micros)
}

/// Two digits after a colon, where there is a colon.
fn scan_after_colon(scan: &mut TextScanner<'_>) -> Result<Option<u32>, CellFault> {
    if scan.take_any(b":").is_none() {
        return Ok(None);
    }
    if scan.digits_ahead() == 2 { Ok(scan.take_digits(2)) } else { Err(FORM) }
}

/// `Z`, `±hh`, `±hh:mm`, `±hhmm` or nothing.
pub(super) fn any_offset_part(scan: &mut TextScanner<'_>) -> Result<Option<i32>, CellFault> {
    match scan.take_any(b"Zz+-") {
        None => Ok(None),
        Some(b'Z' | b'z') => Ok(Some(0)),
        Some(sign) => {
            let hour = scan.take_digits(2).ok_or(FORM)?;
            let minute = match scan.digits_ahead() {
                0 => scan_after_colon(scan)?.unwrap_or(0),
                2 => scan.take_digits(2).unwrap_or(0),
                _ => return Err(FORM),
            };
            seconds_east(sign, hour, minute).map(Some)
        }
    }
}
