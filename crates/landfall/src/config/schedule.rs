//! When something is done by itself: standard five-field cron, in a time zone.

use std::fmt;

use cronexpr::{Crontab, MakeTimestamp};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use landfall_core::schema::document::{DescriptorProblems, DocumentNode, MapReader};
use landfall_engine::jobs::Timetable;

/// When something is done by itself.
#[derive(Clone)]
pub(crate) struct Schedule {
    crontab: Crontab,
    zone: TimeZone,
    text: String,
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Schedule {}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Schedule {
    /// Reads `cron` and `timezone` (UTC where it is not given) of a map that has nothing else.
    pub(super) fn read(node: &DocumentNode, what: &str, problems: &DescriptorProblems) -> Option<Self> {
        let mut reader = node.read_map(what, problems)?;
        reader.require_value("cron");
        let schedule = Self::take_from(&mut reader);
        reader.refuse_unknown();
        schedule
    }

    /// Takes `cron` and `timezone` from a map; none where there is no `cron`, or it is wrong.
    pub(super) fn take_from(reader: &mut MapReader<'_>) -> Option<Self> {
        let problems = reader.problems();
        let cron = reader.take_value("cron").and_then(|node| Some((node.read_text("\"cron\"", problems)?, node)));
        let zone = reader.take_value("timezone").map(|node| (node.read_text("\"timezone\"", problems), node));
        let zone = match zone {
            None => "UTC",
            Some((zone, node)) => {
                let zone = zone?;
                if TimeZone::get(zone).is_err() {
                    let mend = "write one such as Europe/Berlin or UTC";
                    problems.report_with_mend(
                        &node.place,
                        format!("there is no time zone \"{}\"", zone.escape_debug()),
                        mend,
                    );
                    return None;
                }
                zone
            }
        };
        let (cron, node) = cron?;
        let parsed = Self::parse(cron, zone);
        if parsed.is_none() {
            let message = format!("\"{}\" is not five fields of cron", cron.escape_debug());
            let mend = "write minute, hour, day of the month, month and day of the week, such as \"0 6 * * 1-5\"";
            problems.report_with_mend(&node.place, message, mend);
        }
        parsed
    }

    fn parse(cron: &str, zone: &str) -> Option<Self> {
        // The library reads the zone as a last field. A person must not write one there.
        let fields = cron.split_ascii_whitespace().count();
        let text = format!("{} {zone}", cron.split_ascii_whitespace().collect::<Vec<_>>().join(" "));
        let crontab = cronexpr::parse_crontab(&text).ok().filter(|_| fields == 5)?;
        // One that never comes is a mistake: the 30th of February.
        crontab.find_next(MakeTimestamp::from(Timestamp::now())).ok()?;
        Some(Self { crontab, zone: TimeZone::get(zone).ok()?, text })
    }

    /// The zone whose clock it goes by.
    pub(crate) fn time_zone(&self) -> TimeZone {
        self.zone.clone()
    }

    /// The first time after `time`.
    pub(crate) fn next_after(&self, time: Timestamp) -> Option<Timestamp> {
        self.crontab.find_next(MakeTimestamp::from(time)).ok().map(|next| next.timestamp())
    }
}

impl Timetable for Schedule {
    /// Of a long time not all are counted: a clock may have jumped by years.
    fn last_between(&self, after: Timestamp, until: Timestamp) -> (Timestamp, u64) {
        const COUNTED: u64 = 10_000;
        let (mut last, mut from, mut count) = (after, after, 0);
        while let Some(next) = self.next_after(from).filter(|next| *next <= until) {
            (last, from, count) = (next, next, count + 1);
            if count == COUNTED {
                // A schedule with so many times comes often, and so also within the last two months.
                let near = until.checked_sub(SignedDuration::from_hours(24 * 62)).unwrap_or(from);
                from = from.max(near);
            }
        }
        (last, count)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    #[test]
    fn times_are_those_of_the_zone() {
        let next = |cron, zone, time: &str| {
            Schedule::parse(cron, zone).unwrap().next_after(time.parse().unwrap()).unwrap().to_string()
        };
        assert_eq!(next("0 6 * * *", "UTC", "2026-03-28T06:00:00Z"), "2026-03-29T06:00:00Z");
        assert_eq!(next("0 6 * * *", "Europe/Berlin", "2026-03-28T06:00:00Z"), "2026-03-29T04:00:00Z");
        assert_eq!(next("*/15 8-9 * * 1-5", "UTC", "2026-11-20T09:45:00Z"), "2026-11-23T08:00:00Z");
        assert_eq!(next("0 0 29 2 *", "UTC", "2026-11-20T00:00:00Z"), "2028-02-29T00:00:00Z");
    }

    #[test]
    fn the_last_time_of_a_span_is_found_also_where_the_span_is_long() {
        let between = |cron, after: &str, until: &str| {
            let schedule = Schedule::parse(cron, "UTC").unwrap();
            let (last, count) = schedule.last_between(after.parse().unwrap(), until.parse().unwrap());
            (last.to_string(), count)
        };
        let last = |text: &str, count| (text.to_owned(), count);
        let start = "2026-11-20T00:00:00Z";
        assert_eq!(between("0 6 * * *", start, "2026-11-22T07:00:00Z"), last("2026-11-22T06:00:00Z", 3));
        assert_eq!(between("0 6 * * *", start, "2026-11-20T05:00:00Z"), last(start, 0));
        assert_eq!(between("0 6 * * *", start, "2020-01-01T00:00:00Z"), last(start, 0));
        let (time, count) = between("0 * * * *", start, "2056-11-20T00:30:00Z");
        assert_eq!(time, "2056-11-20T00:00:00Z");
        assert!((10_000..12_000).contains(&count), "{count}");
    }

    #[test]
    fn what_is_no_cron_is_refused() {
        for wrong in ["", "* * * *", "* * * * * *", "60 * * * *", "0 24 * * *", "0 0 30 2 *", "@daily", "a b c d e"] {
            assert!(Schedule::parse(wrong, "UTC").is_none(), "{wrong}");
        }
    }
}
