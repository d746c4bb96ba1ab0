//! The types that a column may have. The validator's own readers decide what a value is; what is added here are the forms
//! that a type would read and yet not keep, such as the zeros of `00123`.

use landfall_core::{
    decode::NULL_CELL,
    schema::{BooleanWords, Constraints, Dialect, Field, FieldType, NumberFormat, StringFormat, TemporalFormat},
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
    /// Every value must be of the type: some others are not tolerated.
    pub(super) exact: bool,
    /// The candidate that takes day and month the other way round.
    pub(super) twin: Option<usize>,
    /// The candidate that asks for the zone which this one takes for granted.
    pub(super) zoned: Option<usize>,
}

/// Delimiters between day, month and year.
const BETWEEN: [char; 3] = ['/', '-', '.'];
/// Times of day after a date, as patterns.
const TIMES: [&str; 3] = ["", " %H:%M", " %H:%M:%S"];
/// Dates that cannot be taken the wrong way.
const DATES: [&str; 5] = ["%Y/%m/%d", "%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%b %d, %Y"];

/// The types that columns of a file with this dialect may have, the preferred ones first. Text comes after them all.
pub(super) fn list_candidates(dialect: &Dialect) -> Vec<TypeCandidate> {
    let mut all = vec![
        TypeCandidate {
            taboo: is_no_integer,
            ..plain_candidate(FieldType::Integer { bare_number: true, group_char: None, zero_decimals: false })
        },
        TypeCandidate { taboo: is_no_number, ..plain_candidate(FieldType::Number(NumberFormat::default())) },
    ];
    if dialect.delimiter != b',' {
        let format = NumberFormat { decimal_char: ",".into(), ..NumberFormat::default() };
        let number = plain_candidate(FieldType::Number(format));
        all.push(TypeCandidate { taboo: is_no_number, evidence: has_decimal_comma, ..number });
    }
    all.push(plain_candidate(FieldType::Boolean(BooleanWords::default())));
    all.push(plain_candidate(FieldType::Date(TemporalFormat::Default)));
    add_iso_datetimes(&mut all);
    all.push(plain_candidate(FieldType::Time(TemporalFormat::Default)));
    all.push(plain_candidate(FieldType::Time(TemporalFormat::Pattern("%H:%M".into()))));
    all.extend(DATES.map(|pattern| plain_candidate(FieldType::Date(TemporalFormat::Pattern(pattern.into())))));
    add_date_variants(&mut all);
    let text = |format, taboo| TypeCandidate { exact: true, taboo, ..plain_candidate(FieldType::String(format)) };
    all.push(text(StringFormat::Uuid, reject_all));
    all.push(text(StringFormat::Email, reject_all));
    all.push(text(StringFormat::Uri, |value| !value.contains("://")));
    all
}

fn plain_candidate(kind: FieldType) -> TypeCandidate {
    TypeCandidate { kind, taboo: reject_all, evidence: |_| true, exact: false, twin: None, zoned: None }
}

fn reject_all(_: &str) -> bool {
    false
}

/// The forms of ISO 8601, first with a zone in the values, then without.
fn add_iso_datetimes(all: &mut Vec<TypeCandidate>) {
    let datetime = |format: &TemporalFormat, timezone: Option<&str>| {
        plain_candidate(FieldType::Datetime {
            format: format.clone(),
            timezone: timezone.map(String::from),
            ambiguous: Default::default(),
        })
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
                    _ => FieldType::Datetime { format, timezone: Some("UTC".into()), ambiguous: Default::default() },
                };
                all.push(TypeCandidate { twin: Some(twin), ..plain_candidate(kind) });
            }
        }
    }
}

impl TypeCandidate {
    /// A reader of single values.
    pub(super) fn value_reader(&self) -> Option<ValueReader> {
        ValueReader::new(&candidate_field("value", &self.kind, false)).ok()
    }

    /// Whether values have no zone of their own, and UTC is taken for granted.
    pub(super) fn assumes_utc(&self) -> bool {
        matches!(&self.kind, FieldType::Datetime { timezone: Some(_), .. })
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

fn is_no_integer(value: &str) -> bool {
    is_padded(value) && value.bytes().skip(1).all(|byte| byte.is_ascii_digit())
}

/// Also words that a number may be, such as `NaN`.
fn is_no_number(value: &str) -> bool {
    let numeric = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b',');
    let padded = is_padded(value) && value.bytes().skip(1).all(numeric);
    padded || ["nan", "inf", "-inf"].iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// A comma that cannot stand between thousands.
fn has_decimal_comma(value: &str) -> bool {
    value.split_once(',').is_some_and(|(_, fraction)| fraction.len() != 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_candidate_is_a_type_of_the_validator() {
        let all = list_candidates(&Dialect { delimiter: b';'.into(), ..Dialect::default() });
        for (at, candidate) in all.iter().enumerate() {
            assert!(candidate.value_reader().is_some(), "{:?}", candidate.kind);
            if let Some(twin) = candidate.twin {
                assert_eq!(all[twin].twin, Some(at));
            }
            if let Some(zoned) = candidate.zoned {
                assert!(!all[zoned].assumes_utc());
            }
        }
    }

    #[test]
    fn digits_that_are_no_numbers() {
        assert!(is_no_integer("007") && is_no_integer("+49") && is_no_integer("-01"));
        assert!(!is_no_integer("0") && !is_no_integer("-5") && !is_no_integer("10"));
        assert!(is_no_number("NaN") && is_no_number("00.5") && !is_no_number("0.50"));
        assert!(has_decimal_comma("1,5") && !has_decimal_comma("1,500") && !has_decimal_comma("15"));
    }
}
