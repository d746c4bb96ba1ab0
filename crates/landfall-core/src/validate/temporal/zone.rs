//! The zone in which values without a zone are meant.

use jiff::{
    Timestamp,
    civil::{Date, DateTime, Time},
    tz::{AmbiguousOffset, TimeZone},
};

use super::{
    calendar::{DAY, SECOND, civil, instant},
    iso::{Moment, any_offset_part},
    scan::Scan,
};
use crate::validate::problem::{Cause, shown};

/// A declared zone.
#[derive(Debug)]
pub(super) enum Zone {
    /// Always the same offset, in seconds east of Greenwich.
    Fixed(i32),
    /// A zone of the IANA database.
    Named(TimeZone),
}

impl Zone {
    /// The zone called `name`: an IANA name, `Z`, `UTC` or an offset such as `+02:00`.
    pub(super) fn new(name: &str) -> Result<Self, String> {
        if name == "UTC" {
            return Ok(Self::Fixed(0));
        }
        let mut scan = Scan::new(name);
        if let Ok(Some(offset)) = any_offset_part(&mut scan)
            && scan.is_done()
        {
            return Ok(Self::Fixed(offset));
        }
        TimeZone::get(name)
            .map(Self::Named)
            .map_err(|_| format!("{} is neither a zone of the IANA database nor an offset like +02:00", shown(name)))
    }

    /// The offset of a local time; a time that does not exist or exists twice has none.
    fn offset(&self, moment: &Moment) -> Result<i32, Cause> {
        let zone = match self {
            Self::Fixed(offset) => return Ok(*offset),
            Self::Named(zone) => zone,
        };
        let local = local(moment).ok_or(Cause::Borrowed("beyond the years of the zone"))?;
        let name = || zone.iana_name().unwrap_or("the zone").to_owned();
        match zone.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => Ok(offset.seconds()),
            AmbiguousOffset::Gap { .. } => {
                Err(format!("that time does not exist in {}: clocks went forward; add an offset", name()).into())
            }
            AmbiguousOffset::Fold { .. } => {
                Err(format!("that time occurs twice in {}: clocks went back; add an offset", name()).into())
            }
        }
    }
}

/// The date and time of day in `zone` of a number of microseconds since 1970 in UTC.
pub(super) fn in_zone(micros: i64, zone: &Zone) -> Option<(i32, i64)> {
    let offset = match zone {
        Zone::Fixed(offset) => *offset,
        Zone::Named(zone) => zone.to_offset(Timestamp::from_microsecond(micros).ok()?).seconds(),
    };
    let local = micros.checked_add(i64::from(offset) * SECOND)?;
    Some((i32::try_from(local.div_euclid(DAY)).ok()?, local.rem_euclid(DAY)))
}

/// Microseconds since 1970 in UTC of a moment, which is in `zone` where it has no offset of its own.
pub(super) fn in_utc(moment: &Moment, zone: Option<&Zone>) -> Result<i64, Cause> {
    let offset = match (moment.offset, zone) {
        (Some(offset), _) => offset,
        (None, Some(zone)) => zone.offset(moment)?,
        (None, None) => return Err("no zone, and the field declares no timezone".into()),
    };
    instant(moment.day, moment.time, offset)
}

/// A moment's date and time of day as jiff has them.
fn local(moment: &Moment) -> Option<DateTime> {
    let date = civil(moment.day);
    let (year, month) = (i16::try_from(date.year).ok()?, i8::try_from(date.month).ok()?);
    let date = Date::new(year, month, i8::try_from(date.day).ok()?).ok()?;
    let seconds = (moment.time % DAY) / SECOND;
    let part = |value: i64| i8::try_from(value).ok();
    let nanos = i32::try_from(moment.time % SECOND * 1000).ok()?;
    let time = Time::new(part(seconds / 3600)?, part(seconds / 60 % 60)?, part(seconds % 60)?, nanos).ok()?;
    Some(date.to_datetime(time))
}
