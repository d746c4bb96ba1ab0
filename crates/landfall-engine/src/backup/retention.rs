//! Which sets are kept.

use std::collections::HashSet;

use jiff::{Zoned, tz::TimeZone};

use super::SetId;

/// How many sets are kept. A set is kept where one of the rules wants it; without any rule, all are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RetentionRules {
    /// The last of all.
    pub last: Option<u32>,
    /// The last of each of so many days that have one.
    pub daily: Option<u32>,
    /// The last of each of so many weeks (ISO 8601) that have one.
    pub weekly: Option<u32>,
    /// The last of each of so many months that have one.
    pub monthly: Option<u32>,
    /// The last of each of so many years that have one.
    pub yearly: Option<u32>,
}

/// What a day, week, month or year is told by.
type PeriodKey = fn(&Zoned) -> (i16, i16);

impl RetentionRules {
    /// Those of `sets` that no rule wants; days are those of `zone`.
    #[must_use]
    pub fn find_superfluous(&self, sets: &[SetId], zone: &TimeZone) -> Vec<SetId> {
        let rules: [(Option<u32>, PeriodKey); 4] = [
            (self.daily, |time| (time.year(), time.day_of_year())),
            (self.weekly, |time| {
                let week = time.date().iso_week_date();
                (week.year(), week.week().into())
            }),
            (self.monthly, |time| (time.year(), time.month().into())),
            (self.yearly, |time| (time.year(), 0)),
        ];
        if self.last.is_none() && rules.iter().all(|(rule, _)| rule.is_none()) {
            return Vec::new();
        }
        let mut newest: Vec<&SetId> = sets.iter().collect();
        newest.sort_by(|one, other| other.cmp(one));
        let mut kept: HashSet<&SetId> = newest.iter().copied().take(rule_count(self.last)).collect();
        for (rule, period) in rules {
            let mut periods = HashSet::new();
            let last_ones =
                newest.iter().filter(|set| periods.insert(period(&set.started_at().to_zoned(zone.clone()))));
            kept.extend(last_ones.take(rule_count(rule)));
        }
        sets.iter().filter(|set| !kept.contains(set)).cloned().collect()
    }
}

fn rule_count(rule: Option<u32>) -> usize {
    rule.map_or(0, |count| usize::try_from(count).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    fn sets(times: &[&str]) -> Vec<SetId> {
        times
            .iter()
            .map(|time| SetId::parse(&format!("{}.000000Z-00000000", time.trim_end_matches('Z'))).unwrap())
            .collect()
    }

    fn kept(keep: RetentionRules, times: &[&str]) -> Vec<String> {
        let sets = sets(times);
        let superfluous = keep.find_superfluous(&sets, &TimeZone::UTC);
        let kept = sets.iter().filter(|set| !superfluous.contains(set));
        kept.map(|set| set.as_str()[..15].to_owned()).collect()
    }

    const TIMES: [&str; 7] = [
        "20251231T230000Z",
        "20260101T010000Z",
        "20260115T000000Z",
        "20260201T000000Z",
        "20260201T120000Z",
        "20260202T000000Z",
        "20260203T000000Z",
    ];

    #[test]
    fn each_rule_keeps_the_last_of_its_periods() {
        let none = RetentionRules::default();
        assert_eq!(kept(none, &TIMES).len(), TIMES.len());
        assert_eq!(kept(RetentionRules { last: Some(2), ..none }, &TIMES), ["20260202T000000", "20260203T000000"]);
        assert_eq!(
            kept(RetentionRules { daily: Some(3), ..none }, &TIMES),
            ["20260201T120000", "20260202T000000", "20260203T000000"]
        );
        assert_eq!(kept(RetentionRules { monthly: Some(2), ..none }, &TIMES), ["20260115T000000", "20260203T000000"]);
        assert_eq!(kept(RetentionRules { yearly: Some(9), ..none }, &TIMES), ["20251231T230000", "20260203T000000"]);
        // The first of January 2026 is a Thursday: its week has begun in December.
        assert_eq!(
            kept(RetentionRules { weekly: Some(9), ..none }, &TIMES),
            ["20260101T010000", "20260115T000000", "20260201T120000", "20260203T000000"]
        );
        let some = RetentionRules { last: Some(1), daily: Some(2), monthly: Some(3), ..none };
        assert_eq!(kept(some, &TIMES), ["20251231T230000", "20260115T000000", "20260202T000000", "20260203T000000"]);
    }

    #[test]
    fn days_are_those_of_the_zone() {
        let sets = sets(&["20251231T230000Z", "20260101T010000Z"]);
        let keep = RetentionRules { daily: Some(9), ..RetentionRules::default() };
        assert!(keep.find_superfluous(&sets, &TimeZone::UTC).is_empty());
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        assert_eq!(keep.find_superfluous(&sets, &berlin), sets[..1]);
    }
}
