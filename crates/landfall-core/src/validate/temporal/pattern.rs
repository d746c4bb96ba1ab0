//! Patterns of Python's `strptime`, such as `%d/%m/%Y %H:%M`.
//!
//! As there, numbers may lack leading zeros, names and literal letters match in any case, and white space in the pattern
//! matches one or more white-space characters. Unlike there, nothing is made up: a pattern must say the whole value, a
//! weekday must be that of the date, and a directive that has no meaning here is refused.

use super::{
    calendar::{checked_day_of, checked_time_of, ordinal_day_of, weekday_of},
    iso::{Moment, seconds_east},
    scan::{TextScanner, fraction_micros},
};
use crate::validate::problem::{CellFault, FORM};

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct TemporalPattern {
    pub(super) items: Vec<PatternItem>,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PatternItem {
    /// A character of any case.
    Literal(char),
    /// One or more white-space characters.
    Spaces,
    /// A directive: the letter after `%`.
    Part(u8),
}

/// What a pattern describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PatternKind {
    Date,
    Time,
    Datetime,
}

/// The parts of a value as they are read.
#[derive(Debug, Clone, Copy, Default)]
struct ParsedParts {
    year: u32,
    month: u32,
    day: u32,
    ordinal: Option<u32>,
    hour: u32,
    afternoon: Option<bool>,
    minute: u32,
    second: u32,
    micros: u32,
    offset: Option<i32>,
    weekday: Option<u32>,
}

pub(super) const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
pub(super) const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

impl TemporalPattern {
    /// Compiles a pattern for values of `kind`, or says why it cannot describe them.
    pub(super) fn new(text: &str, kind: PatternKind) -> Result<Self, String> {
        let mut items = Vec::new();
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            items.push(match character {
                '%' => parse_directive(characters.next())?,
                space if space.is_ascii_whitespace() => PatternItem::Spaces,
                literal => PatternItem::Literal(literal),
            });
        }
        // Spaces take all white space that follows, so that a second item would never find any.
        items.dedup_by(|next, item| *item == PatternItem::Spaces && *next == PatternItem::Spaces);
        let pattern = Self { items, text: text.to_owned() };
        pattern.check_complete(kind)?;
        Ok(pattern)
    }

    /// The pattern as it is written.
    pub(super) fn source_text(&self) -> &str {
        &self.text
    }

    pub(super) fn has_directive(&self, any: &[u8]) -> bool {
        self.items.iter().any(|item| matches!(item, PatternItem::Part(letter) if any.contains(letter)))
    }

    /// Whether the pattern says the whole value, and nothing but the value.
    fn check_complete(&self, kind: PatternKind) -> Result<(), String> {
        // Also what bounds the search: no directive occurs twice, so the backtracking stays short.
        self.check_repetition()?;
        let date = self.has_directive(b"Yy")
            && (self.has_directive(b"j") || (self.has_directive(b"mbB") && self.has_directive(b"d")));
        let time = self.has_directive(b"H") || (self.has_directive(b"I") && self.has_directive(b"p"));
        match kind {
            PatternKind::Date | PatternKind::Datetime if !date => Err("does not say year, month and day".into()),
            PatternKind::Time | PatternKind::Datetime if !time => {
                Err("does not say the hour (%H, or %I with %p)".into())
            }
            // What a pattern reads and the type cannot hold would be lost without a word.
            PatternKind::Date | PatternKind::Time if self.has_directive(b"zZ") => {
                Err("has a zone, which the type cannot store".into())
            }
            PatternKind::Time if self.has_directive(b"YymbBdjaA") => {
                Err("has a date, which the type cannot store".into())
            }
            _ => Ok(()),
        }
    }

    fn check_repetition(&self) -> Result<(), String> {
        // Letters in one group say the same part; of two values one would be dropped.
        for alternatives in [&b"Yy"[..], b"mbB", b"d", b"j", b"HI", b"M", b"S", b"f", b"p", b"zZ", b"aA"] {
            let said = |item: &&PatternItem| matches!(item, PatternItem::Part(letter) if alternatives.contains(letter));
            if self.items.iter().filter(said).count() > 1 {
                let letters: Vec<String> =
                    alternatives.iter().map(|&letter| format!("%{}", char::from(letter))).collect();
                return Err(format!("says the same thing twice ({})", letters.join(", ")));
            }
        }
        Ok(())
    }

    /// The day of a date. A time of day in the pattern must be midnight, as it would be lost.
    pub(super) fn parse_date(&self, text: &str) -> Result<i32, CellFault> {
        let parts = self.parse_parts(text)?;
        // Midnight says no more than the date alone, and exports of date columns often write it.
        if parts.time_of_day()? != 0 {
            return Err("a time of day other than midnight, which a date cannot store".into());
        }
        parts.day_number()
    }

    /// The microseconds since midnight.
    pub(super) fn parse_time(&self, text: &str) -> Result<i64, CellFault> {
        self.parse_parts(text)?.time_of_day()
    }

    /// A date with a time.
    pub(super) fn parse_datetime(&self, text: &str) -> Result<Moment, CellFault> {
        let parts = self.parse_parts(text)?;
        Ok(Moment { day: parts.day_number()?, time: parts.time_of_day()?, offset: parts.offset })
    }

    fn parse_parts(&self, text: &str) -> Result<ParsedParts, CellFault> {
        let mut parts = ParsedParts::default();
        let matched = match_items(&self.items, TextScanner::new(text), &mut parts)?;
        if matched { Ok(parts) } else { Err(FORM) }
    }
}

/// The item of a directive.
fn parse_directive(letter: Option<char>) -> Result<PatternItem, String> {
    match letter {
        Some('%') => Ok(PatternItem::Literal('%')),
        Some(letter) if "YmdHMSfybBaAIpjzZ".contains(letter) => {
            Ok(PatternItem::Part(u8::try_from(letter).unwrap_or(b'?')))
        }
        Some(letter) => Err(format!("has the directive %{}, which is not supported", letter.escape_default())),
        None => Err("ends with a single %".into()),
    }
}

/// Whether `items` match all of the text. Numbers take as many digits as they may, and fewer where the rest needs them: the
/// number of directives is small and none occurs twice, so that the search is short.
fn match_items(items: &[PatternItem], mut scan: TextScanner<'_>, parts: &mut ParsedParts) -> Result<bool, CellFault> {
    let Some((item, rest)) = items.split_first() else { return Ok(scan.is_at_end()) };
    let found = match item {
        PatternItem::Literal(literal) => literal_matches(*literal, &mut scan),
        PatternItem::Spaces => scan.skip_spaces() > 0,
        PatternItem::Part(letter @ (b'm' | b'd' | b'H' | b'I' | b'M' | b'S' | b'j' | b'f')) => {
            return match_number(*letter, rest, scan, parts);
        }
        PatternItem::Part(letter) => match_word(*letter, &mut scan, parts)?,
    };
    if found { match_items(rest, scan, parts) } else { Ok(false) }
}

fn literal_matches(literal: char, scan: &mut TextScanner<'_>) -> bool {
    let mut bytes = [0; 4];
    scan.take_word(literal.encode_utf8(&mut bytes))
}

/// A number of up to `most` digits, the longest first.
fn match_number(
    letter: u8,
    rest: &[PatternItem],
    scan: TextScanner<'_>,
    parts: &mut ParsedParts,
) -> Result<bool, CellFault> {
    let most = match letter {
        b'j' => 3,
        b'f' => 6,
        _ => 2,
    };
    // Longest first as in Python's `strptime`, and fewer digits where the rest needs them: `%m%d` takes `111`.
    for count in (1..=most.min(scan.digits_ahead())).rev() {
        let mut after = scan;
        let Some(value) = after.take_digits(count) else { continue };
        if !is_in_range(letter, value) {
            continue;
        }
        // A copy: what a failed attempt has read must not stay.
        let mut tried = *parts;
        tried.set(letter, value, count);
        if match_items(rest, after, &mut tried)? {
            *parts = tried;
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a number may stand at a directive: as in Python, `%m` takes the `1` of `13`.
fn is_in_range(letter: u8, value: u32) -> bool {
    match letter {
        b'm' | b'I' => (1..=12).contains(&value),
        b'd' => (1..=31).contains(&value),
        b'j' => (1..=366).contains(&value),
        b'H' => value <= 23,
        b'M' => value <= 59,
        // Python's own range. A leap second is refused later, with its reason.
        b'S' => value <= 61,
        _ => true,
    }
}

/// Everything that is not a number of varying length.
fn match_word(letter: u8, scan: &mut TextScanner<'_>, parts: &mut ParsedParts) -> Result<bool, CellFault> {
    match letter {
        b'Y' => Ok(scan.take_digits(4).map(|year| parts.year = year).is_some()),
        // The split of POSIX, which Python follows: 69 to 99 are in the last century.
        b'y' => {
            Ok(scan.take_digits(2).map(|year| parts.year = if year < 69 { 2000 + year } else { 1900 + year }).is_some())
        }
        b'b' => Ok(match_name(&MONTHS, Some(3), scan).map(|month| parts.month = month + 1).is_some()),
        b'B' => Ok(match_name(&MONTHS, None, scan).map(|month| parts.month = month + 1).is_some()),
        b'a' => Ok(match_name(&WEEKDAYS, Some(3), scan).map(|day| parts.weekday = Some(day)).is_some()),
        b'A' => Ok(match_name(&WEEKDAYS, None, scan).map(|day| parts.weekday = Some(day)).is_some()),
        b'p' => Ok(match_name(&["am", "pm"], None, scan).map(|half| parts.afternoon = Some(half == 1)).is_some()),
        // Other abbreviations are not unique: CST is a zone in America, in China and in Cuba.
        b'Z' => Ok((scan.take_word("UTC") || scan.take_word("GMT")) && parts.offset.replace(0).is_none()),
        _ => match_offset(scan, parts),
    }
}

/// The position of the name that follows, of which `length` characters are written.
fn match_name(names: &[&str], length: Option<usize>, scan: &mut TextScanner<'_>) -> Option<u32> {
    let written = |name: &&str| scan.take_word(&name[..length.unwrap_or(name.len())]);
    names.iter().position(written).and_then(|at| u32::try_from(at).ok())
}

/// `%z`: `Z`, `±hhmm` or `±hh:mm`.
fn match_offset(scan: &mut TextScanner<'_>, parts: &mut ParsedParts) -> Result<bool, CellFault> {
    parts.offset = match scan.take_any(b"Z+-") {
        None => return Ok(false),
        Some(b'Z') => Some(0),
        Some(sign) => {
            let Some(hour) = scan.take_digits(2) else { return Ok(false) };
            scan.take_any(b":");
            let Some(minute) = scan.take_digits(2) else { return Ok(false) };
            Some(seconds_east(sign, hour, minute)?)
        }
    };
    Ok(true)
}

impl ParsedParts {
    fn set(&mut self, letter: u8, value: u32, digits: usize) {
        match letter {
            b'm' => self.month = value,
            b'd' => self.day = value,
            b'j' => self.ordinal = Some(value),
            b'H' | b'I' => self.hour = value,
            b'M' => self.minute = value,
            b'S' => self.second = value,
            _ => {
                // The zeros in front are part of the fraction: `.05` is not `.5`.
                let text = format!("{value:0digits$}");
                self.micros = fraction_micros(text.as_bytes()).unwrap_or(0);
            }
        }
    }

    fn day_number(&self) -> Result<i32, CellFault> {
        let day = match self.ordinal {
            Some(ordinal) if self.month == 0 || self.day == 0 => ordinal_day_of(self.year, ordinal)?,
            Some(ordinal) => self.check_day_agrees(ordinal_day_of(self.year, ordinal)?)?,
            None => checked_day_of(self.year, self.month, self.day)?,
        };
        match self.weekday {
            Some(named) if named != weekday_of(day) => Err("the weekday is not that of the date".into()),
            _ => Ok(day),
        }
    }

    /// `day`, where month and day of the month say the same.
    fn check_day_agrees(&self, day: i32) -> Result<i32, CellFault> {
        if checked_day_of(self.year, self.month, self.day)? == day {
            Ok(day)
        } else {
            Err("the day of the year is not that of the date".into())
        }
    }

    fn time_of_day(&self) -> Result<i64, CellFault> {
        let hour = match self.afternoon {
            None => self.hour,
            // With %H the half of the day is only a remark.
            Some(_) if self.hour > 12 || self.hour == 0 => self.hour,
            Some(afternoon) => self.hour % 12 + if afternoon { 12 } else { 0 },
        };
        checked_time_of(hour, self.minute, self.second, self.micros)
    }
}
