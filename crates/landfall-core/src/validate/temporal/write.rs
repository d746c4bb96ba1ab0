//! Values in the declared pattern of their field: the way back from what a typed file holds to what the field's reader takes.

use std::fmt::Write as _;

use super::{
    calendar::{DAY, SECOND, civil_date, is_leap_year, weekday_of},
    iso::Moment,
    pattern::{MONTHS, PatternItem, PatternKind, TemporalPattern, WEEKDAYS},
    zone::{DeclaredZone, telling_offset, to_utc, to_zone},
};
use crate::schema::{Ambiguous, FieldType, TemporalFormat};

/// Writes dates, times and datetimes in the pattern that their field declares. What it writes is read back: a value that the
/// pattern does not say, such as the seconds under `%H:%M`, is not written.
#[derive(Debug)]
pub struct PatternWriter {
    pattern: TemporalPattern,
    zone: Option<DeclaredZone>,
}

impl PatternWriter {
    /// The writer for the fields of `kind`; none where it declares no pattern, or one that cannot be read either.
    #[must_use]
    pub fn new(kind: &FieldType) -> Option<Self> {
        let (format, of, timezone) = match kind {
            FieldType::Date(format) => (format, PatternKind::Date, None),
            FieldType::Time(format) => (format, PatternKind::Time, None),
            FieldType::Datetime { format, timezone, .. } => (format, PatternKind::Datetime, timezone.as_deref()),
            _ => return None,
        };
        let TemporalFormat::Pattern(text) = format else { return None };
        let zone = timezone.map(DeclaredZone::new).transpose().ok()?;
        Some(Self { pattern: TemporalPattern::new(text, of).ok()?, zone })
    }

    /// Whether the pattern, or the field, says in which zone a datetime is.
    #[must_use]
    pub fn has_zone(&self) -> bool {
        self.zone.is_some() || self.pattern.has_directive(b"zZ")
    }

    /// Writes a date, given in days since 1970.
    #[must_use]
    pub fn write_date(&self, day: i32) -> Option<String> {
        let text = self.write_items(day, 0)?;
        // Reading back is the proof: `%y` writes 1921 as 21, which is read as 2021.
        (self.pattern.parse_date(&text).ok()? == day).then_some(text)
    }

    /// Writes a time, given in microseconds since midnight.
    #[must_use]
    pub fn write_time(&self, micros: i64) -> Option<String> {
        let text = self.write_items(0, micros)?;
        (self.pattern.parse_time(&text).ok()? == micros).then_some(text)
    }

    /// Writes a datetime, given in microseconds since 1970 in UTC.
    #[must_use]
    pub fn write_datetime(&self, micros: i64) -> Option<String> {
        // A pattern with a zone writes UTC and says so; only one without needs the field's own zone.
        let (day, time) = match &self.zone {
            Some(zone) if !self.pattern.has_directive(b"zZ") => to_zone(micros, zone)?,
            _ => (i32::try_from(micros.div_euclid(DAY)).ok()?, micros.rem_euclid(DAY)),
        };
        let text = self.write_items(day, time)?;
        let moment = self.pattern.parse_datetime(&text).ok()?;
        // A time that occurs twice has its offset behind it: without that, it would be read as nothing, or as the other of the two.
        let zone = self.zone.as_ref().filter(|_| moment.offset.is_none());
        match zone.and_then(|zone| telling_offset(micros, zone, &moment)) {
            Some(offset) => Some(text + &offset),
            None => (to_utc(&moment, self.zone.as_ref(), Ambiguous::Reject).ok()? == micros).then_some(text),
        }
    }

    /// Writes a datetime that is in no zone, given in microseconds since 1970.
    #[must_use]
    pub fn local_datetime(&self, micros: i64) -> Option<String> {
        let (day, time) = (i32::try_from(micros.div_euclid(DAY)).ok()?, micros.rem_euclid(DAY));
        let text = self.write_items(day, time)?;
        let moment = Moment { day, time, offset: None };
        // No zone is applied: the value has none, and the reader will ask the field for it.
        (self.pattern.parse_datetime(&text).ok()? == moment).then_some(text)
    }

    /// The items of the pattern for a date and a time of day, which is in UTC where the pattern says a zone.
    fn write_items(&self, day: i32, time: i64) -> Option<String> {
        let mut out = String::new();
        for item in &self.pattern.items {
            match *item {
                PatternItem::Literal(literal) => out.push(literal),
                PatternItem::Spaces => out.push(' '),
                PatternItem::Part(letter) => push_part(letter, day, time, &mut out)?,
            }
        }
        Some(out)
    }
}

/// Writes what the directive `letter` stands for.
fn push_part(letter: u8, day: i32, time: i64, out: &mut String) -> Option<()> {
    let date = civil_date(day);
    let seconds = time / SECOND;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match letter {
        b'Y' => write!(out, "{:04}", date.year),
        b'y' => write!(out, "{:02}", date.year.rem_euclid(100)),
        b'm' => write!(out, "{:02}", date.month),
        b'd' => write!(out, "{:02}", date.day),
        b'j' => write!(out, "{:03}", day_of_year(day)),
        b'H' => write!(out, "{hour:02}"),
        b'I' => write!(out, "{:02}", (hour + 11) % 12 + 1),
        b'M' => write!(out, "{minute:02}"),
        b'S' => write!(out, "{second:02}"),
        b'f' => write!(out, "{:06}", time % SECOND),
        b'p' => write!(out, "{}", if hour < 12 { "AM" } else { "PM" }),
        b'b' | b'B' => write!(out, "{}", name(&MONTHS, date.month.checked_sub(1)?, letter == b'b')?),
        b'a' | b'A' => write!(out, "{}", name(&WEEKDAYS, weekday_of(day), letter == b'a')?),
        b'Z' => write!(out, "UTC"),
        b'z' => write!(out, "+0000"),
        _ => return None,
    }
    .ok()
}

/// A name with its first letter as a capital, of three letters where it is to be `short`.
fn name(names: &[&str], at: u32, short: bool) -> Option<String> {
    let name = names.get(usize::try_from(at).ok()?)?;
    let name = if short { name.get(..3)? } else { name };
    Some(name[..1].to_uppercase() + &name[1..])
}

/// The day of its year.
fn day_of_year(day: i32) -> u32 {
    const BEFORE: [u32; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let date = civil_date(day);
    let leap = u32::from(date.month > 2 && is_leap_year(date.year));
    BEFORE[(date.month.clamp(1, 12) - 1) as usize] + date.day + leap
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datetime(pattern: &str, timezone: Option<&str>) -> PatternWriter {
        let format = TemporalFormat::Pattern(pattern.into());
        let timezone = timezone.map(Into::into);
        PatternWriter::new(&FieldType::Datetime { format, timezone, ambiguous: Default::default() }).expect("a pattern")
    }

    #[test]
    fn values_are_written_in_their_pattern() {
        let noon = 1_636_290_000_000_000;
        for (pattern, zone, text) in [
            ("%d/%m/%Y %H:%M:%S", Some("UTC"), "07/11/2021 13:00:00"),
            ("%d/%m/%Y %H:%M", Some("Europe/Berlin"), "07/11/2021 14:00"),
            ("%b %d %y, %I:%M %p", Some("+02:00"), "Nov 07 21, 03:00 PM"),
            ("%A %j %Y %H%z", None, "Sunday 311 2021 13+0000"),
            ("%Y-%m-%dT%H:%M:%S.%f%Z", None, "2021-11-07T13:00:00.000000UTC"),
        ] {
            assert_eq!(datetime(pattern, zone).write_datetime(noon).as_deref(), Some(text), "{pattern}");
        }
        let date = PatternWriter::new(&FieldType::Date(TemporalFormat::Pattern("%d.%m.%y".into()))).expect("a pattern");
        assert_eq!(date.write_date(18_938).as_deref(), Some("07.11.21"));
        let time = PatternWriter::new(&FieldType::Time(TemporalFormat::Pattern("%Hh%M".into()))).expect("a pattern");
        assert_eq!(time.write_time(3_600_000_000).as_deref(), Some("01h00"));
        let local = datetime("%d/%m/%Y %H:%M", Some("Europe/Berlin"));
        assert_eq!(local.local_datetime(noon).as_deref(), Some("07/11/2021 13:00"));
    }

    #[test]
    fn what_a_pattern_does_not_say_is_not_written() {
        assert_eq!(datetime("%d/%m/%Y %H:%M", Some("UTC")).write_datetime(1_000_000), None);
        assert_eq!(datetime("%d/%m/%y %H", Some("UTC")).write_datetime(-62_135_596_800_000_000), None);
        assert_eq!(datetime("%Y%m%d %H:%M", None).write_datetime(0), None);
        assert!(PatternWriter::new(&FieldType::Date(TemporalFormat::Default)).is_none());
    }

    #[test]
    fn a_time_that_occurs_twice_is_written_with_its_offset() {
        let berlin = datetime("%Y%m%d %H:%M", Some("Europe/Berlin"));
        assert_eq!(berlin.write_datetime(1_635_640_200_000_000).as_deref(), Some("20211031 02:30+02:00"));
        assert_eq!(berlin.write_datetime(1_635_643_800_000_000).as_deref(), Some("20211031 02:30+01:00"));
        assert_eq!(berlin.write_datetime(1_635_647_400_000_000).as_deref(), Some("20211031 03:30"));
        assert_eq!(datetime("%Y%m%d %H", Some("Europe/Berlin")).write_datetime(1_635_643_800_000_000), None);
    }

    #[test]
    fn every_day_of_a_leap_year_has_its_number() {
        let (first, pattern) = (10_957, TemporalFormat::Pattern("%Y %j".into()));
        let date = PatternWriter::new(&FieldType::Date(pattern)).expect("a pattern");
        for day in first..first + 366 {
            assert_eq!(date.write_date(day), Some(format!("2000 {:03}", day - first + 1)));
        }
    }
}
