//! The types that a column may have. The validator's own readers decide what a value is; what is added here are the forms
//! that a type would read and yet not keep, such as the zeros of `00123`.

use landfall_core::{
    decode::NULL_CELL,
    schema::{BooleanWords, Constraints, Field, FieldType, NumberFormat, StringFormat, TemporalFormat},
    validate::ValueReader,
};

/// Judges the text of a value.
type CheckValue = fn(&str) -> bool;

/// A type that a column may have.
#[derive(Debug, Clone)]
pub(super) struct TypeCandidate {
    pub(super) kind: FieldType,
    /// One such value, and the column is something else.
    pub(super) taboo: CheckValue,
    /// Without such a value, nothing speaks for this type.
    pub(super) evidence: CheckValue,
    /// Whether a value may be of the type at all, by a quick look: most values are not of most types.
    pub(super) may_read: CheckValue,
    /// Every value must be of the type: some others are not tolerated.
    pub(super) exact: bool,
    /// With fewer values than this, they may be of the type by accident.
    pub(super) least: u64,
    /// The candidate that takes day and month the other way round.
    pub(super) twin: Option<usize>,
    /// The candidate that asks for the zone which this one takes for granted.
    pub(super) zoned: Option<usize>,
}

/// Values that are looked at before all others.
const FEW: usize = 10;
/// Delimiters between day, month and year.
const BETWEEN: [char; 3] = ['/', '-', '.'];
/// Times of day after a date, as patterns.
const TIMES: [&str; 3] = ["", " %H:%M", " %H:%M:%S"];
/// Dates that cannot be taken the wrong way.
const DATES: [&str; 5] = ["%Y/%m/%d", "%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%b %d, %Y"];

/// The usual types that a column may have, the preferred ones first. Text comes after them all.
pub(super) fn list_candidates() -> Vec<TypeCandidate> {
    let mut all = Vec::new();
    add_numbers(&mut all);
    let boolean = plain_candidate(FieldType::Boolean(BooleanWords::default()));
    all.push(TypeCandidate { may_read: |value| value.len() <= 5, ..boolean });
    let date = plain_candidate(FieldType::Date(TemporalFormat::Default));
    all.push(TypeCandidate { may_read: |value| value.as_bytes().get(4) == Some(&b'-'), ..date });
    add_iso_datetimes(&mut all);
    for format in [TemporalFormat::Default, TemporalFormat::Pattern("%H:%M".into())] {
        let time = plain_candidate(FieldType::Time(format));
        all.push(TypeCandidate { may_read: |value| value.contains(':'), ..time });
    }
    all.extend(DATES.map(|pattern| plain_candidate(FieldType::Date(TemporalFormat::Pattern(pattern.into())))));
    add_date_variants(&mut all);
    let text = |format, may_read| TypeCandidate { exact: true, may_read, ..plain_candidate(FieldType::String(format)) };
    all.push(text(StringFormat::Uuid, |value| value.len() == 36));
    all.push(text(StringFormat::Email, |value| value.contains('@')));
    all.push(TypeCandidate {
        taboo: |value| !value.contains("://"),
        ..text(StringFormat::Uri, |value| value.contains("://"))
    });
    all
}

/// Numbers, before which days without separators come: those are numbers, too.
fn add_numbers(all: &mut Vec<TypeCandidate>) {
    let day = FieldType::Date(TemporalFormat::Pattern("%Y%m%d".into()));
    all.push(TypeCandidate {
        exact: true,
        taboo: |value| value.len() != 8 || !matches!(value.as_bytes(), [b'1', b'9', ..] | [b'2', b'0', ..]),
        may_read: |value| value.len() == 8,
        least: 5,
        ..plain_candidate(day)
    });
    let integer = |zero_decimals| FieldType::Integer { bare_number: true, group_char: None, zero_decimals };
    all.push(TypeCandidate { taboo: is_no_integer, may_read: starts_with_digit, ..plain_candidate(integer(false)) });
    all.push(TypeCandidate {
        taboo: |value| is_no_integer(value) || !value.ends_with(".0"),
        may_read: starts_with_digit,
        ..plain_candidate(integer(true))
    });
    let comma = NumberFormat { decimal_char: ",".into(), ..NumberFormat::default() };
    for (format, evidence) in [(NumberFormat::default(), (|_| true) as CheckValue), (comma, has_decimal_comma)] {
        let number = plain_candidate(FieldType::Number(format));
        all.push(TypeCandidate { taboo: is_no_number, evidence, may_read: may_be_number, ..number });
    }
}

/// A candidate for which every value speaks.
pub(super) fn plain_candidate(kind: FieldType) -> TypeCandidate {
    let may_read = |value: &str| value.len() <= 64 && value.bytes().any(|byte| byte.is_ascii_digit());
    TypeCandidate {
        kind,
        taboo: reject_all,
        evidence: |_| true,
        may_read,
        exact: false,
        least: 1,
        twin: None,
        zoned: None,
    }
}

/// Whether `value` begins as numbers and most dates do.
pub(super) fn starts_with_digit(value: &str) -> bool {
    matches!(value.as_bytes(), [b'0'..=b'9', ..] | [b'-' | b'+', b'0'..=b'9', ..])
}

/// Also `.5` and `NaN`.
fn may_be_number(value: &str) -> bool {
    starts_with_digit(value) || matches!(value.as_bytes(), [b'-' | b'+' | b'.' | b',' | b'n' | b'N' | b'i' | b'I', ..])
}

/// A datetime of this form; with the zone that is taken for granted, where the values have none.
pub(super) fn datetime_kind(format: TemporalFormat, timezone: Option<&str>) -> FieldType {
    FieldType::Datetime { format, timezone: timezone.map(String::from), ambiguous: Default::default() }
}

fn reject_all(_: &str) -> bool {
    false
}

/// The forms of ISO 8601, first with a zone in the values, then without.
fn add_iso_datetimes(all: &mut Vec<TypeCandidate>) {
    let datetime = |format: &TemporalFormat, timezone: Option<&str>| TypeCandidate {
        may_read: |value| value.len() > 10 && starts_with_digit(value),
        ..plain_candidate(datetime_kind(format.clone(), timezone))
    };
    for format in [TemporalFormat::Default, TemporalFormat::Any] {
        let zoned = all.len();
        all.push(datetime(&format, None));
        all.push(TypeCandidate { zoned: Some(zoned), ..datetime(&format, Some("UTC")) });
    }
}

/// Dates such as `03/04/2021`, day first and month first, with and without a time of day.
fn add_date_variants(all: &mut Vec<TypeCandidate>) {
    for time in TIMES {
        for between in BETWEEN {
            let first = all.len();
            for (date, twin) in [(["%d", "%m", "%Y"], first + 1), (["%m", "%d", "%Y"], first)] {
                let format = TemporalFormat::Pattern(date.join(&between.to_string()) + time);
                let kind = match time {
                    "" => FieldType::Date(format),
                    _ => datetime_kind(format, Some("UTC")),
                };
                all.push(TypeCandidate { twin: Some(twin), may_read: starts_with_digit, ..plain_candidate(kind) });
            }
        }
    }
}

impl TypeCandidate {
    /// A reader of single values.
    pub(super) fn value_reader(&self) -> Option<ValueReader> {
        ValueReader::new(&candidate_field("value", &self.kind, false)).ok()
    }

    /// Whether `value` is of the type, which `reader` reads.
    pub(super) fn reads_value(&self, reader: &ValueReader, value: &str) -> bool {
        (self.may_read)(value) && reader.read(value).is_ok()
    }

    /// Whether at least `percent` of `values` are of the type, which `reader` reads. Most types are none of most columns, and what is wrong
    /// with a value takes long to say. So a few values from everywhere come first: if none of them is of the type, it is out of the question.
    pub(super) fn reads_most(&self, reader: &ValueReader, values: &[&str], percent: usize) -> bool {
        let mut few = values.iter().step_by(values.len().div_ceil(FEW).max(1));
        if !values.is_empty() && !few.any(|value| self.reads_value(reader, value)) {
            return false;
        }
        let allowed = values.len() * (100 - percent);
        let mut bad = 0;
        values.iter().all(|value| {
            bad += usize::from(!self.reads_value(reader, value));
            bad * 100 <= allowed
        })
    }
}

/// A field whose empty cells are missing values.
pub(super) fn candidate_field(name: &str, kind: &FieldType, required: bool) -> Field {
    Field {
        name: name.into(),
        title: None,
        description: None,
        kind: kind.clone(),
        constraints: Constraints { required, ..Constraints::default() },
        missing_values: vec![String::new(), NULL_CELL.to_owned()],
    }
}

/// Digits that mean more than their number: `007`, `+49`.
pub(super) fn is_padded(value: &str) -> bool {
    let digits = value.strip_prefix('-').unwrap_or(value).as_bytes();
    matches!(digits, [b'0', b'0'..=b'9', ..] | [b'+', ..])
}

/// Digits, an `e` and digits: a code such as `9e42`, which a number would make one with 43 digits. Programs that write numbers so write a
/// point or a sign, too.
pub(super) fn is_exponent_code(value: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    value.split_once(['e', 'E']).is_some_and(|(mantissa, exponent)| digits(mantissa) && digits(exponent))
}

fn is_no_integer(value: &str) -> bool {
    is_padded(value) && value.bytes().skip(1).all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// Also words that a number may be, such as `inf`.
fn is_no_number(value: &str) -> bool {
    let numeric = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b',');
    let padded = is_padded(value) && value.bytes().skip(1).all(numeric);
    padded || is_exponent_code(value) || ["inf", "-inf"].iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// A comma that cannot stand between thousands: `1,5`, `0,125`, `1234,567`.
pub(super) fn has_decimal_comma(value: &str) -> bool {
    value.split_once(',').is_some_and(|(whole, fraction)| {
        let whole = whole.trim_start_matches(['-', '+']);
        fraction.len() != 3 || whole == "0" || (whole.len() > 3 && whole.bytes().all(|byte| byte.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_candidate_is_a_type_of_the_validator() {
        let all = list_candidates();
        for (at, candidate) in all.iter().enumerate() {
            assert!(candidate.value_reader().is_some(), "{:?}", candidate.kind);
            if let Some(twin) = candidate.twin {
                assert_eq!(all[twin].twin, Some(at));
            }
            if let Some(zoned) = candidate.zoned {
                assert!(matches!(&all[zoned].kind, FieldType::Datetime { timezone: None, .. }));
            }
        }
    }

    #[test]
    fn digits_that_are_no_numbers() {
        assert!(is_no_integer("007") && is_no_integer("+49") && is_no_integer("-01"));
        assert!(!is_no_integer("0") && !is_no_integer("-5") && !is_no_integer("10"));
        assert!(is_no_number("inf") && is_no_number("00.5") && !is_no_number("0.50"));
        assert!(is_no_number("9e42") && is_no_number("12E4") && !is_no_number("1.5e3") && !is_no_number("1e-5"));
        assert!(has_decimal_comma("1,5") && !has_decimal_comma("1,500") && !has_decimal_comma("15"));
        assert!(has_decimal_comma("0,125") && has_decimal_comma("-1234,567"));
    }
}
