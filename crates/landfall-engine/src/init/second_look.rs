//! The types that few files need: grouped digits, currencies and units, years of two digits, half days. They are held against a column only
//! where no usual type has all of its values.

use landfall_core::schema::{FieldType, NumberFormat, TemporalFormat};

use super::candidate::{
    TypeCandidate, datetime_kind, has_decimal_comma, is_padded, plain_candidate, starts_with_digit,
};

/// The characters that group digits, besides a comma and a point. They stand between digits in no other number.
const SPACES: [&str; 5] = [" ", "\u{a0}", "\u{202f}", "'", "\u{2019}"];

/// Dates that are written with two digits of the year or names of months; those with a twin come in pairs.
const SHORT_YEARS: [(&str, &str); 3] = [("%d/%m/%y", "%m/%d/%y"), ("%d-%m-%y", "%m-%d-%y"), ("%d.%m.%y", "%m.%d.%y")];
const DATES: [&str; 5] = ["%d-%b-%y", "%b %d %Y", "%B %d, %Y", "%B %d %Y", "%a, %d %b %Y"];
/// Datetimes in one meaning only.
const DATETIMES: [&str; 7] = [
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d %H:%M:%S",
    "%d %b %Y %H:%M",
    "%d %b %Y %H:%M:%S",
    "%d-%b-%Y %H:%M:%S",
    "%d.%m.%Y, %H:%M",
    "%Y%m%d %H%M%S",
];
/// Datetimes whose day and month may be meant the other way round.
const HALF_DAYS: [(&str, &str); 4] = [
    ("%d/%m/%Y %I:%M %p", "%m/%d/%Y %I:%M %p"),
    ("%d/%m/%Y %I:%M:%S %p", "%m/%d/%Y %I:%M:%S %p"),
    ("%d/%m/%y %H:%M", "%m/%d/%y %H:%M"),
    ("%d.%m.%y %H:%M", "%m.%d.%y %H:%M"),
];
const TIMES: [&str; 4] = ["%I:%M %p", "%I:%M:%S %p", "%Hh%M", "%H.%M"];

/// Adds the types of the second look behind the usual ones.
pub(super) fn add_candidates(all: &mut Vec<TypeCandidate>) {
    for bare in [true, false] {
        add_numbers(all, bare);
    }
    for pattern in DATES {
        all.push(plain_candidate(FieldType::Date(pattern_format(pattern))));
    }
    add_twins(all, &SHORT_YEARS, |pattern| FieldType::Date(pattern_format(pattern)));
    all.extend(DATETIMES.map(|pattern| plain_candidate(datetime_kind(pattern_format(pattern), Some("UTC")))));
    add_twins(all, &HALF_DAYS, |pattern| datetime_kind(pattern_format(pattern), Some("UTC")));
    all.extend(TIMES.map(|pattern| plain_candidate(FieldType::Time(pattern_format(pattern)))));
}

fn pattern_format(pattern: &str) -> TemporalFormat {
    TemporalFormat::Pattern(pattern.into())
}

fn add_twins(all: &mut Vec<TypeCandidate>, pairs: &[(&str, &str)], kind: impl Fn(&str) -> FieldType) {
    for (day_first, month_first) in pairs {
        let first = all.len();
        for (pattern, twin) in [(day_first, first + 1), (month_first, first)] {
            all.push(TypeCandidate { twin: Some(twin), may_read: starts_with_digit, ..plain_candidate(kind(pattern)) });
        }
    }
}

/// Whole numbers before others, and separators that mean one thing before those that may mean another.
fn add_numbers(all: &mut Vec<TypeCandidate>, bare: bool) {
    let mut add = |kind: FieldType, evidence: fn(&str) -> bool| {
        let taboo = if bare { is_padded } else { |_: &str| false };
        all.push(TypeCandidate { evidence, taboo, may_read: has_digit, ..plain_candidate(kind) });
    };
    let integer = |group: Option<&str>| FieldType::Integer {
        bare_number: bare,
        group_char: group.map(String::from),
        zero_decimals: false,
    };
    let number = |point: &str, group: Option<&str>| {
        FieldType::Number(NumberFormat {
            decimal_char: point.into(),
            group_char: group.map(String::from),
            bare_number: bare,
        })
    };
    if !bare {
        add(integer(None), has_unit);
        add(number(".", None), has_unit);
        add(number(",", None), |value| has_decimal_comma(number_part(value)));
    }
    add(integer(Some(",")), |value| proves_groups(value, ',', '.'));
    add(integer(Some(".")), |value| proves_groups(value, '.', ','));
    add(number(".", Some(",")), |value| proves_groups(value, ',', '.') || has_decimal_point(number_part(value)));
    add(number(",", Some(".")), |value| proves_groups(value, '.', ',') || has_decimal_comma(number_part(value)));
    for group in SPACES {
        add(integer(Some(group)), has_spaced_groups);
        add(number(".", Some(group)), has_spaced_groups);
        add(number(",", Some(group)), has_spaced_groups);
    }
}

fn has_digit(value: &str) -> bool {
    value.len() <= 64 && value.bytes().any(|byte| byte.is_ascii_digit())
}

/// The digits of `value` and what stands between them.
pub(super) fn number_part(value: &str) -> &str {
    let is_digit = |character: char| character.is_ascii_digit();
    let Some(first) = value.find(is_digit) else { return "" };
    let last = value.rfind(is_digit).unwrap_or(first);
    &value[first..=last]
}

/// What stands around the number in `value`: a currency, a unit or nothing; without signs and white space.
pub(super) fn unit_part(value: &str) -> String {
    let number = number_part(value);
    let Some(start) = value.find(number).filter(|_| !number.is_empty()) else { return String::new() };
    let around = [&value[..start], &value[start + number.len()..]];
    around.map(|part| part.trim_matches(|c: char| c.is_whitespace() || matches!(c, '-' | '+' | '.' | ','))).concat()
}

fn has_unit(value: &str) -> bool {
    !unit_part(value).is_empty()
}

/// Whether `group` can only group digits in `value`: it occurs twice, or `point` stands behind it.
fn proves_groups(value: &str, group: char, point: char) -> bool {
    let number = number_part(value);
    let Some((_, rest)) = number.split_once(group) else { return false };
    rest.contains(group) || rest.contains(point)
}

/// A point that cannot stand between thousands.
fn has_decimal_point(number: &str) -> bool {
    number.split_once('.').is_some_and(|(_, fraction)| fraction.len() != 3)
}

/// Whether white space or an apostrophe stands between digits.
fn has_spaced_groups(value: &str) -> bool {
    number_part(value).contains([' ', '\u{a0}', '\u{202f}', '\'', '\u{2019}'])
}

/// Whether `mark` in `value` may stand between thousands as well as before a fraction: `1.234`, `12,500`.
pub(super) fn is_either_way(value: &str, mark: char) -> bool {
    let Some((whole, rest)) = number_part(value).split_once(mark) else { return false };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    (1..=3).contains(&whole.len()) && digits(whole) && !whole.starts_with('0') && rest.len() == 3 && digits(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_from_what_stands_around_them() {
        for (value, number, unit) in [
            ("€ -1.234,50", "1.234,50", "€"),
            ("12 %", "12", "%"),
            ("EUR 5", "5", "EUR"),
            ("-5", "5", ""),
            ("abc", "", ""),
            ("5 km/h", "5", "km/h"),
        ] {
            assert_eq!((number_part(value), unit_part(value).as_str()), (number, unit), "{value}");
        }
    }

    #[test]
    fn groups_are_proved_by_what_no_fraction_is() {
        assert!(proves_groups("1,234,567", ',', '.') && proves_groups("1,234.5", ',', '.'));
        assert!(!proves_groups("1,234", ',', '.') && !proves_groups("1.5", ',', '.'));
        assert!(is_either_way("1.234", '.') && is_either_way("12,500 €", ','));
        assert!(!is_either_way("0.234", '.') && !is_either_way("1234.567", '.') && !is_either_way("1.23", '.'));
    }

    #[test]
    fn every_candidate_is_a_type_of_the_validator() {
        let mut all = Vec::new();
        add_candidates(&mut all);
        for (at, candidate) in all.iter().enumerate() {
            assert!(candidate.value_reader().is_some(), "{:?}", candidate.kind);
            assert!(candidate.twin.is_none_or(|twin| all[twin].twin == Some(at)));
        }
    }
}
