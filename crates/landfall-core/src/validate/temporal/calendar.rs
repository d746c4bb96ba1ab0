//! Days and microseconds: the arithmetic of the proleptic Gregorian calendar.
//!
//! Days are counted from 1970-01-01. The way back is that of Neri and Schneider, *Euclidean affine functions and their
//! application to calendar algorithms* (2022). Years are those of the SQL databases: 0001 to 9999.

use crate::validate::problem::CellFault;

/// Microseconds of a second.
pub(in crate::validate) const SECOND: i64 = 1_000_000;
/// Microseconds of a day.
pub(in crate::validate) const DAY: i64 = 86_400 * SECOND;
/// 0001-01-01.
const FIRST_DAY: i32 = -719_162;
/// 9999-12-31.
const LAST_DAY: i32 = 2_932_896;

/// A day of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::validate) struct CivilDate {
    pub(in crate::validate) year: i32,
    pub(in crate::validate) month: u32,
    pub(in crate::validate) day: u32,
}

/// Days before each month in a year that starts in March, so that the leap day comes last.
const BEFORE_MONTH: [i32; 13] = [0, 306, 337, 0, 31, 61, 92, 122, 153, 184, 214, 245, 275];
const DAYS_IN_MONTH: [u8; 13] = [0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

#[inline]
pub(super) const fn is_leap_year(year: i32) -> bool {
    // Of the years divisible by 4, those divisible by 25 must also be divisible by 16.
    year % 4 == 0 && (year % 25 != 0 || year % 16 == 0)
}

/// The number of days of a month (1 to 12).
#[inline]
fn days_in_month(year: i32, month: u32) -> u32 {
    u32::from(DAYS_IN_MONTH[month as usize]) + u32::from(month == 2 && is_leap_year(year))
}

/// The day number of a date that is known to exist in the years 1 to 9999.
#[inline]
fn day_number(year: i32, month: u32, day: i32) -> i32 {
    // The year is counted from March on, so that the leap day is its last.
    let year = if month <= 2 { year - 1 } else { year };
    let century = year / 100;
    365 * year + year / 4 - century + century / 4 + BEFORE_MONTH[month as usize] + day - 719_469
}

/// The day number of a date, where it exists in the years 1 to 9999.
#[inline]
pub(super) fn find_day_number(year: u32, month: u32, day: u32) -> Option<i32> {
    let year = i32::try_from(year).ok()?;
    let exists = month.wrapping_sub(1) < 12 && year.wrapping_sub(1) < 9999 && year >= 1;
    if !exists || day.wrapping_sub(1) >= days_in_month(year, month) {
        return None;
    }
    Some(day_number(year, month, i32::try_from(day).ok()?))
}

/// The day number of a date, or what is wrong with the date.
pub(super) fn checked_day_of(year: u32, month: u32, day: u32) -> Result<i32, CellFault> {
    find_day_number(year, month, day).ok_or_else(|| match (year, month) {
        (0, _) => "year 0000".into(),
        (_, 0 | 13..) => format!("month {month:02}").into(),
        _ => format!("{year:04}-{month:02} has no day {day:02}").into(),
    })
}

/// The day number of a day of the year.
pub(super) fn ordinal_day_of(year: u32, ordinal: u32) -> Result<i32, CellFault> {
    let first = checked_day_of(year, 1, 1)?;
    let days = if is_leap_year(first_day_of_year(year)) { 366 } else { 365 };
    if ordinal == 0 || ordinal > days {
        return Err(format!("{year:04} has no day {ordinal:03}").into());
    }
    Ok(first + i32::try_from(ordinal).unwrap_or(0) - 1)
}

fn first_day_of_year(year: u32) -> i32 {
    i32::try_from(year).unwrap_or(0)
}

/// The day number of a day of a week of the year (ISO 8601): weeks start on Monday, the first has January 4th.
pub(super) fn day_number_of_week(year: u32, week: u32, weekday: u32) -> Result<i32, CellFault> {
    let start = first_monday(year)?;
    let days = i32::try_from((week.max(1) - 1) * 7).unwrap_or(0);
    let next = if year == 9999 { i32::MAX } else { first_monday(year + 1)? };
    if week == 0 || start + days >= next || week > 53 {
        return Err(format!("{year:04} has no week {week:02}").into());
    }
    if !(1..=7).contains(&weekday) {
        return Err(format!("day {weekday} of a week").into());
    }
    let day = start + days + i32::try_from(weekday).unwrap_or(1) - 1;
    if (FIRST_DAY..=LAST_DAY).contains(&day) { Ok(day) } else { Err("beyond the years 0001 to 9999".into()) }
}

fn first_monday(year: u32) -> Result<i32, CellFault> {
    let fourth = checked_day_of(year, 1, 4)?;
    Ok(fourth - i32::try_from(weekday_of(fourth)).unwrap_or(0))
}

/// The day of the week: 0 for Monday to 6 for Sunday.
pub(super) fn weekday_of(day: i32) -> u32 {
    (day + 3).rem_euclid(7).unsigned_abs()
}

/// The date of a day number.
#[inline]
pub(in crate::validate) fn civil_date(day: i32) -> CivilDate {
    const SHIFT: i64 = 719_468 + 146_097 * 20_000;
    // In range for every 32-bit day: the shift is larger than the least one.
    let number = u64::try_from(i64::from(day) + SHIFT).unwrap_or(0);
    let first = 4 * number + 3;
    let century = first / 146_097;
    let second = (first % 146_097) | 3;
    let product = 2_939_745 * second;
    let year_of_century = product >> 32;
    let day_of_year = (product & 0xffff_ffff) / 2_939_745 / 4;
    let third = 2141 * day_of_year + 197_913;
    let (month, day) = (third >> 16, (third & 0xffff) / 2141);
    let after_december = day_of_year >= 306;
    let year = i64::try_from(100 * century + year_of_century).unwrap_or(0) - 400 * 20_000 + i64::from(after_december);
    CivilDate {
        year: i32::try_from(year).unwrap_or(0),
        month: u32::try_from(if after_december { month - 12 } else { month }).unwrap_or(0),
        day: u32::try_from(day).unwrap_or(0) + 1,
    }
}

/// Microseconds since midnight, or what is wrong with the time.
pub(super) fn checked_time_of(hour: u32, minute: u32, second: u32, micros: u32) -> Result<i64, CellFault> {
    match (hour, minute, second) {
        (24.., ..) => Err(format!("hour {hour}").into()),
        (_, 60.., _) => Err(format!("minute {minute}").into()),
        (_, _, 60) => Err("second 60: leap seconds cannot be stored".into()),
        (_, _, 61..) => Err(format!("second {second}").into()),
        _ => Ok(i64::from((hour * 60 + minute) * 60 + second) * SECOND + i64::from(micros)),
    }
}

/// Microseconds since 1970 in UTC of a local day and time at `offset` seconds east of Greenwich.
#[inline]
pub(super) fn utc_micros(day: i32, time: i64, offset: i32) -> Result<i64, CellFault> {
    const FIRST: i64 = FIRST_DAY as i64 * DAY;
    const END: i64 = (LAST_DAY as i64 + 1) * DAY;
    let micros = i64::from(day) * DAY + time - i64::from(offset) * SECOND;
    if (FIRST..END).contains(&micros) { Ok(micros) } else { Err("beyond the years 0001 to 9999 in UTC".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_agrees_with_jiff() {
        let mut date = jiff::civil::date(1, 1, 1);
        for day in FIRST_DAY..=LAST_DAY {
            let (year, month, of_month) = (date.year(), date.month(), date.day());
            let civil = civil_date(day);
            assert_eq!((civil.year, civil.month, civil.day), (year.into(), month as u32, of_month as u32));
            assert_eq!(find_day_number(civil.year.unsigned_abs(), civil.month, civil.day), Some(day));
            assert_eq!(weekday_of(day), date.weekday().to_monday_zero_offset() as u32);
            if day < LAST_DAY {
                date = date.tomorrow().expect("in range");
            }
        }
    }

    #[test]
    fn days_beyond_the_years_do_not_panic() {
        assert_eq!(civil_date(i32::MIN).year, -5_877_641);
        assert_eq!(civil_date(i32::MAX).year, 5_881_580);
    }

    #[test]
    fn weeks_agree_with_jiff() {
        for year in [1u32, 1999, 2000, 2004, 2015, 2020, 2021, 2026, 9998] {
            for week in 1..=53u32 {
                let expected = jiff::civil::ISOWeekDate::new(year as i16, week as i8, jiff::civil::Weekday::Wednesday);
                let expected = expected.ok().map(|date| date.date()).map(day_of_jiff);
                assert_eq!(day_number_of_week(year, week, 3).ok(), expected, "{year} {week}");
            }
        }
    }

    fn day_of_jiff(date: jiff::civil::Date) -> i32 {
        find_day_number(date.year() as u32, date.month() as u32, date.day() as u32).expect("a day")
    }

    #[test]
    fn causes() {
        assert_eq!(checked_day_of(2021, 13, 1).expect_err("refused"), "month 13");
        assert_eq!(checked_day_of(2021, 2, 29).expect_err("refused"), "2021-02 has no day 29");
        assert_eq!(checked_day_of(0, 1, 1).expect_err("refused"), "year 0000");
        assert!(ordinal_day_of(2021, 366).is_err());
        assert_eq!(ordinal_day_of(2020, 366).ok(), find_day_number(2020, 12, 31));
    }
}
