//! Patterns of Python's `strptime`, such as `%d/%m/%Y %H:%M`.
//!
//! As there, numbers may lack leading zeros, names and literal letters match in any case, and white space in the pattern
//! matches one or more white-space characters. Unlike there, nothing is made up: a pattern must say the whole value, a
//! weekday must be that of the date, and a directive that has no meaning here is refused.

use super::{
    calendar::{checked_day_of, checked_time_of, ordinal_day_of, weekday},
    iso::{Moment, seconds_east},
    scan::{Scan, fraction},
};
use crate::validate::problem::{Cause, FORM};

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) items: Vec<Item>,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    /// A character of any case.
    Literal(char),
    /// One or more white-space characters.
    Spaces,
    /// A directive: the letter after `%`.
    Part(u8),
}

/// What a pattern describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Date,
    Time,
    Datetime,
}

/// The parts of a value as they are read.
#[derive(Debug, Clone, Copy, Default)]
struct Parts {
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

impl Pattern {
    /// Compiles a pattern for values of `kind`, or says why it cannot describe them.
    pub(super) fn new(text: &str, kind: Kind) -> Result<Self, String> {
        let mut items = Vec::new();
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            items.push(match character {
                '%' => directive(characters.next())?,
                space if space.is_ascii_whitespace() => Item::Spaces,
                literal => Item::Literal(literal),
            });
        }
        items.dedup_by(|next, item| *item == Item::Spaces && *next == Item::Spaces);
        let pattern = Self { items, text: text.to_owned() };
        pattern.check(kind)?;
        Ok(pattern)
    }

    /// The pattern as it is written.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn has(&self, any: &[u8]) -> bool {
        self.items.iter().any(|item| matches!(item, Item::Part(letter) if any.contains(letter)))
    }

    /// Whether the pattern says the whole value, and nothing but the value.
    fn check(&self, kind: Kind) -> Result<(), String> {
        self.check_repetition()?;
        let date = self.has(b"Yy") && (self.has(b"j") || (self.has(b"mbB") && self.has(b"d")));
        let time = self.has(b"H") || (self.has(b"I") && self.has(b"p"));
        match kind {
            Kind::Date | Kind::Datetime if !date => Err("does not say year, month and day".into()),
            Kind::Time | Kind::Datetime if !time => Err("does not say the hour (%H, or %I with %p)".into()),
            Kind::Date | Kind::Time if self.has(b"zZ") => Err("has a zone, which the type cannot store".into()),
            Kind::Time if self.has(b"YymbBdjaA") => Err("has a date, which the type cannot store".into()),
            _ => Ok(()),
        }
    }

    fn check_repetition(&self) -> Result<(), String> {
        for alternatives in [&b"Yy"[..], b"mbB", b"d", b"j", b"HI", b"M", b"S", b"f", b"p", b"zZ", b"aA"] {
            let said = |item: &&Item| matches!(item, Item::Part(letter) if alternatives.contains(letter));
            if self.items.iter().filter(said).count() > 1 {
                let letters: Vec<String> =
                    alternatives.iter().map(|&letter| format!("%{}", char::from(letter))).collect();
                return Err(format!("says the same thing twice ({})", letters.join(", ")));
            }
        }
        Ok(())
    }

    /// The day of a date. A time of day in the pattern must be midnight, as it would be lost.
    pub(super) fn date(&self, text: &str) -> Result<i32, Cause> {
        let parts = self.parts(text)?;
        if parts.time()? != 0 {
            return Err("a time of day other than midnight, which a date cannot store".into());
        }
        parts.day()
    }

    /// The microseconds since midnight.
    pub(super) fn time(&self, text: &str) -> Result<i64, Cause> {
        self.parts(text)?.time()
    }

    /// A date with a time.
    pub(super) fn datetime(&self, text: &str) -> Result<Moment, Cause> {
        let parts = self.parts(text)?;
        Ok(Moment { day: parts.day()?, time: parts.time()?, offset: parts.offset })
    }

    fn parts(&self, text: &str) -> Result<Parts, Cause> {
        let mut parts = Parts::default();
        let matched = matches(&self.items, Scan::new(text), &mut parts)?;
        if matched { Ok(parts) } else { Err(FORM) }
    }
}

/// The item of a directive.
fn directive(letter: Option<char>) -> Result<Item, String> {
    match letter {
        Some('%') => Ok(Item::Literal('%')),
        Some(letter) if "YmdHMSfybBaAIpjzZ".contains(letter) => Ok(Item::Part(u8::try_from(letter).unwrap_or(b'?'))),
        Some(letter) => Err(format!("has the directive %{}, which is not supported", letter.escape_default())),
        None => Err("ends with a single %".into()),
    }
}

/// Whether `items` match all of the text. Numbers take as many digits as they may, and fewer where the rest needs them: the
/// number of directives is small and none occurs twice, so that the search is short.
fn matches(items: &[Item], mut scan: Scan<'_>, parts: &mut Parts) -> Result<bool, Cause> {
    let Some((item, rest)) = items.split_first() else { return Ok(scan.is_done()) };
    let found = match item {
        Item::Literal(literal) => literal_matches(*literal, &mut scan),
        Item::Spaces => scan.spaces() > 0,
        Item::Part(letter @ (b'm' | b'd' | b'H' | b'I' | b'M' | b'S' | b'j' | b'f')) => {
            return numbers(*letter, rest, scan, parts);
        }
        Item::Part(letter) => word(*letter, &mut scan, parts)?,
    };
    if found { matches(rest, scan, parts) } else { Ok(false) }
}

fn literal_matches(literal: char, scan: &mut Scan<'_>) -> bool {
    let mut bytes = [0; 4];
    scan.word(literal.encode_utf8(&mut bytes))
}

/// A number of up to `most` digits, the longest first.
fn numbers(letter: u8, rest: &[Item], scan: Scan<'_>, parts: &mut Parts) -> Result<bool, Cause> {
    let most = match letter {
        b'j' => 3,
        b'f' => 6,
        _ => 2,
    };
    for count in (1..=most.min(scan.digits_ahead())).rev() {
        let mut after = scan;
        let Some(value) = after.digits(count) else { continue };
        if !is_in_range(letter, value) {
            continue;
        }
        let mut tried = *parts;
        tried.set(letter, value, count);
        if matches(rest, after, &mut tried)? {
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
        b'S' => value <= 61,
        _ => true,
    }
}

/// Everything that is not a number of varying length.
fn word(letter: u8, scan: &mut Scan<'_>, parts: &mut Parts) -> Result<bool, Cause> {
    match letter {
        b'Y' => Ok(scan.digits(4).map(|year| parts.year = year).is_some()),
        b'y' => Ok(scan.digits(2).map(|year| parts.year = if year < 69 { 2000 + year } else { 1900 + year }).is_some()),
        b'b' => Ok(named(&MONTHS, Some(3), scan).map(|month| parts.month = month + 1).is_some()),
        b'B' => Ok(named(&MONTHS, None, scan).map(|month| parts.month = month + 1).is_some()),
        b'a' => Ok(named(&WEEKDAYS, Some(3), scan).map(|day| parts.weekday = Some(day)).is_some()),
        b'A' => Ok(named(&WEEKDAYS, None, scan).map(|day| parts.weekday = Some(day)).is_some()),
        b'p' => Ok(named(&["am", "pm"], None, scan).map(|half| parts.afternoon = Some(half == 1)).is_some()),
        b'Z' => Ok((scan.word("UTC") || scan.word("GMT")) && parts.offset.replace(0).is_none()),
        _ => offset(scan, parts),
    }
}

/// The position of the name that follows, of which `length` characters are written.
fn named(names: &[&str], length: Option<usize>, scan: &mut Scan<'_>) -> Option<u32> {
    let written = |name: &&str| scan.word(&name[..length.unwrap_or(name.len())]);
    names.iter().position(written).and_then(|at| u32::try_from(at).ok())
}

/// `%z`: `Z`, `±hhmm` or `±hh:mm`.
fn offset(scan: &mut Scan<'_>, parts: &mut Parts) -> Result<bool, Cause> {
    parts.offset = match scan.eat(b"Z+-") {
        None => return Ok(false),
        Some(b'Z') => Some(0),
        Some(sign) => {
            let Some(hour) = scan.digits(2) else { return Ok(false) };
            scan.eat(b":");
            let Some(minute) = scan.digits(2) else { return Ok(false) };
            Some(seconds_east(sign, hour, minute)?)
        }
    };
    Ok(true)
}

impl Parts {
    fn set(&mut self, letter: u8, value: u32, digits: usize) {
        match letter {
            b'm' => self.month = value,
            b'd' => self.day = value,
            b'j' => self.ordinal = Some(value),
            b'H' | b'I' => self.hour = value,
            b'M' => self.minute = value,
            b'S' => self.second = value,
            _ => {
                let text = format!("{value:0digits$}");
                self.micros = fraction(text.as_bytes()).unwrap_or(0);
            }
        }
    }

    fn day(&self) -> Result<i32, Cause> {
        let day = match self.ordinal {
            Some(ordinal) if self.month == 0 || self.day == 0 => ordinal_day_of(self.year, ordinal)?,
            Some(ordinal) => self.agreed(ordinal_day_of(self.year, ordinal)?)?,
            None => checked_day_of(self.year, self.month, self.day)?,
        };
        match self.weekday {
            Some(named) if named != weekday(day) => Err("the weekday is not that of the date".into()),
            _ => Ok(day),
        }
    }

    /// `day`, where month and day of the month say the same.
    fn agreed(&self, day: i32) -> Result<i32, Cause> {
        if checked_day_of(self.year, self.month, self.day)? == day {
            Ok(day)
        } else {
            Err("the day of the year is not that of the date".into())
        }
    }

    fn time(&self) -> Result<i64, Cause> {
        let hour = match self.afternoon {
            None => self.hour,
            // With %H the half of the day is only a remark.
            Some(_) if self.hour > 12 || self.hour == 0 => self.hour,
            Some(afternoon) => self.hour % 12 + if afternoon { 12 } else { 0 },
        };
        checked_time_of(hour, self.minute, self.second, self.micros)
    }
}
