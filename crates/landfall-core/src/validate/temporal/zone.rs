//! The zone in which values without a zone are meant.

use jiff::{
    Timestamp,
    civil::{Date, DateTime, Time},
    tz::{AmbiguousOffset, TimeZone},
};

use super::{
    calendar::{DAY, SECOND, civil_date, utc_micros},
    iso::{Moment, any_offset_part},
    pattern::TemporalPattern,
    scan::TextScanner,
};
use crate::{
    schema::Ambiguous,
    validate::problem::{CellFault, quote_shortened},
};

/// A declared zone.
#[derive(Debug)]
pub(super) enum DeclaredZone {
    /// Always the same offset, in seconds east of Greenwich.
    Fixed(i32),
    /// A zone of the IANA database.
    Named(TimeZone),
}

impl DeclaredZone {
    /// The zone called `name`: an IANA name, `Z`, `UTC` or an offset such as `+02:00`.
    pub(super) fn new(name: &str) -> Result<Self, String> {
        // Without a look at the IANA database, which is slower for each value.
        if name == "UTC" {
            return Ok(Self::Fixed(0));
        }
        let mut scan = TextScanner::new(name);
        if let Ok(Some(offset)) = any_offset_part(&mut scan)
            && scan.is_at_end()
        {
            return Ok(Self::Fixed(offset));
        }
        TimeZone::get(name).map(Self::Named).map_err(|_| {
            format!("{} is neither a zone of the IANA database nor an offset like +02:00", quote_shortened(name))
        })
    }

    /// The offsets that a local time may have.
    fn possible_offsets(&self, moment: &Moment) -> Result<ZoneOffsets, CellFault> {
        let zone = match self {
            Self::Fixed(offset) => return Ok(ZoneOffsets::One(*offset)),
            Self::Named(zone) => zone,
        };
        let local = to_jiff_datetime(moment).ok_or(CellFault::Borrowed("beyond the years of the zone"))?;
        Ok(match zone.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => ZoneOffsets::One(offset.seconds()),
            AmbiguousOffset::Gap { before, after } => ZoneOffsets::Gap(before.seconds(), after.seconds()),
            AmbiguousOffset::Fold { before, after } => ZoneOffsets::Fold(before.seconds(), after.seconds()),
        })
    }

    /// The offset of a local time; a time that does not exist has none, and one that exists twice has that which `ambiguous` says.
    fn resolve_offset(&self, moment: &Moment, ambiguous: Ambiguous) -> Result<i32, CellFault> {
        match (self.possible_offsets(moment)?, ambiguous) {
            (ZoneOffsets::One(offset), _) => Ok(offset),
            (ZoneOffsets::Fold(earlier, _), Ambiguous::Earlier) => Ok(earlier),
            (ZoneOffsets::Fold(_, later), Ambiguous::Later) => Ok(later),
            (ZoneOffsets::Fold(earlier, later), Ambiguous::Reject) => Err(format!(
                "that time occurs twice in {}, since clocks went back: add {} (the earlier) or {} (the later), or declare \
                 \"ambiguous\" as earlier or later",
                self.name(),
                render_offset(earlier),
                render_offset(later)
            )
            .into()),
            // Whatever `ambiguous` says: it chooses between two instants, and here there is none.
            (ZoneOffsets::Gap(before, after), _) => Err(format!(
                "that time does not exist in {}, since clocks went forward by {} minutes: correct it, or add {} or {}, whichever it \
                 was meant in",
                self.name(),
                (after - before) / 60,
                render_offset(before),
                render_offset(after)
            )
            .into()),
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Fixed(offset) => render_offset(*offset),
            Self::Named(zone) => zone.iana_name().unwrap_or("the zone").to_owned(),
        }
    }
}

/// The offsets that a local time may have, in seconds east of Greenwich.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ZoneOffsets {
    One(i32),
    /// Clocks went forward over it: the offsets before and after.
    Gap(i32, i32),
    /// Clocks went back over it: the offsets of its first and its second time.
    Fold(i32, i32),
}

/// An offset as people write it: `+02:00`.
fn render_offset(seconds: i32) -> String {
    let (sign, east) = (if seconds < 0 { '-' } else { '+' }, seconds.unsigned_abs());
    let (hours, minutes, seconds) = (east / 3600, east / 60 % 60, east % 60);
    if seconds == 0 {
        format!("{sign}{hours:02}:{minutes:02}")
    } else {
        format!("{sign}{hours:02}:{minutes:02}:{seconds:02}")
    }
}

/// The offset to be written behind a local time that occurs twice, so that it is read as `micros` again; none for all other times.
pub(super) fn telling_offset(micros: i64, zone: &DeclaredZone, moment: &Moment) -> Option<String> {
    let Ok(ZoneOffsets::Fold(earlier, later)) = zone.possible_offsets(moment) else { return None };
    let is_meant = |&offset: &i32| utc_micros(moment.day, moment.time, offset).is_ok_and(|instant| instant == micros);
    [earlier, later].iter().copied().find(|offset| is_meant(offset)).map(render_offset)
}

/// The microseconds since 1970 in UTC of a text in a pattern that has no zone, with an offset behind it. None where there is no offset, or
/// what stands before it is not in the pattern.
///
/// The offset must be one that the zone has at that time, so that `08:00-09:30`, a span of time, is not taken for one.
pub(super) fn parse_in_zone(
    pattern: &TemporalPattern,
    zone: &DeclaredZone,
    text: &str,
) -> Option<Result<i64, CellFault>> {
    // The pattern has read the zone itself, so that a second one could only contradict it.
    if pattern.has_directive(b"zZ") {
        return None;
    }
    // From the right, since dates have hyphens too. At position 0 there would be no date before it.
    let at = text.rfind(['+', '-', 'Z']).filter(|&at| at > 0)?;
    let (head, tail) = text.split_at(at);
    let mut scan = TextScanner::new(tail);
    let mut offset = any_offset_part(&mut scan).ok().flatten()?;
    // Offsets with seconds: local mean time before the zones were standardised, which `render_offset` writes.
    if scan.take_any(b":").is_some() {
        let seconds = i32::try_from(scan.take_digits(2)?).ok()?;
        // `-00:00:30` is negative although its hours and minutes are zero.
        offset += if offset < 0 || tail.starts_with('-') { -seconds } else { seconds };
    }
    let moment = pattern.parse_datetime(head.strip_suffix(' ').unwrap_or(head)).ok().filter(|_| scan.is_at_end())?;
    let known = match zone.possible_offsets(&moment) {
        Ok(ZoneOffsets::One(only)) => [only, only],
        Ok(ZoneOffsets::Gap(one, other) | ZoneOffsets::Fold(one, other)) => [one, other],
        Err(cause) => return Some(Err(cause)),
    };
    Some(match known.contains(&offset) {
        true => utc_micros(moment.day, moment.time, offset),
        false => Err(format!("{} does not have the offset {} at that time", zone.name(), render_offset(offset)).into()),
    })
}

/// The date and time of day in `zone` of a number of microseconds since 1970 in UTC.
pub(super) fn to_zone(micros: i64, zone: &DeclaredZone) -> Option<(i32, i64)> {
    let offset = match zone {
        DeclaredZone::Fixed(offset) => *offset,
        DeclaredZone::Named(zone) => zone.to_offset(Timestamp::from_microsecond(micros).ok()?).seconds(),
    };
    let local = micros.checked_add(i64::from(offset) * SECOND)?;
    Some((i32::try_from(local.div_euclid(DAY)).ok()?, local.rem_euclid(DAY)))
}

/// Microseconds since 1970 in UTC of a moment, which is in `zone` where it has no offset of its own.
pub(super) fn to_utc(moment: &Moment, zone: Option<&DeclaredZone>, ambiguous: Ambiguous) -> Result<i64, CellFault> {
    let offset = match (moment.offset, zone) {
        (Some(offset), _) => offset,
        (None, Some(zone)) => zone.resolve_offset(moment, ambiguous)?,
        (None, None) => return Err("no zone, and the field declares no timezone".into()),
    };
    utc_micros(moment.day, moment.time, offset)
}

/// A moment's date and time of day as jiff has them.
fn to_jiff_datetime(moment: &Moment) -> Option<DateTime> {
    let date = civil_date(moment.day);
    let (year, month) = (i16::try_from(date.year).ok()?, i8::try_from(date.month).ok()?);
    let date = Date::new(year, month, i8::try_from(date.day).ok()?).ok()?;
    let seconds = (moment.time % DAY) / SECOND;
    let part = |value: i64| i8::try_from(value).ok();
    let nanos = i32::try_from(moment.time % SECOND * 1000).ok()?;
    let time = Time::new(part(seconds / 3600)?, part(seconds / 60 % 60)?, part(seconds % 60)?, nanos).ok()?;
    Some(date.to_datetime(time))
}
