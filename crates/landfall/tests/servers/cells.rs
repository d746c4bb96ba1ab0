//! Cells as they stand in a database, in one form for all databases. They are asked for in hexadecimal digits, so that nothing
//! in them can be taken for the end of a cell or of a line.

use super::place::{Kind, Place};

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As it is: text, whole numbers, dates.
    Plain,
    /// An exact number: 1.50 is 1.5.
    Number,
    /// 0 or 1.
    Boolean,
    /// A moment in UTC.
    Datetime,
    /// A time of the day.
    Time,
}

/// The value of `column` as hexadecimal digits, or `null`.
pub(crate) fn asked(place: &Place, column: &str, form: Form) -> String {
    let name = place.quoted(column);
    match place.kind {
        Kind::Sqlite => format!("iif({name} IS NULL, 'null', lower(hex(CAST({name} AS TEXT))))"),
        Kind::Postgres | Kind::Pooled => {
            let text = match form {
                Form::Datetime => format!("to_char({name} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US')"),
                _ => format!("{name}::text"),
            };
            format!("coalesce(encode(convert_to({text}, 'UTF8'), 'hex'), 'null')")
        }
        Kind::Mariadb => {
            let text = match form {
                Form::Datetime => format!("date_format({name}, '%Y-%m-%dT%H:%i:%s.%f')"),
                _ => name,
            };
            format!("coalesce(lower(hex(CONVERT(CAST({text} AS CHAR) USING utf8mb4))), 'null')")
        }
    }
}

/// The value that `asked` gave: none for NULL.
pub(crate) fn told(cell: &str, form: Form) -> Option<String> {
    (cell != "null").then(|| normal(&unhex(cell), form))
}

/// Text from its hexadecimal digits.
pub(crate) fn unhex(digits: &str) -> String {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    String::from_utf8(digits.as_bytes().chunks(2).map(byte).collect()).unwrap()
}

fn normal(text: &str, form: Form) -> String {
    match form {
        Form::Plain => text.to_owned(),
        Form::Number => number(text),
        Form::Boolean => match text {
            "t" | "true" => "1".to_owned(),
            "f" | "false" => "0".to_owned(),
            other => other.to_owned(),
        },
        Form::Datetime | Form::Time => without_zeros(text.trim_end_matches('Z')).to_owned(),
    }
}

/// Without zeros that end a fraction.
fn without_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// A number as its digits and the power of ten that they stand for: 1.50, 1.5 and 15E-1 are one.
fn number(text: &str) -> String {
    let (sign, text) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i64 = exponent.parse().unwrap();
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    let kept = all.trim_end_matches('0');
    if kept.is_empty() {
        return "0".to_owned();
    }
    let dropped = (all.len() - kept.len()) as i64;
    let exponent = exponent - fraction.len() as i64 + dropped;
    format!("{sign}{}e{exponent}", kept.trim_start_matches('0'))
}

#[test]
fn cells_have_one_form() {
    assert_eq!(told("null", Form::Plain), None);
    assert_eq!(told("", Form::Plain), Some(String::new()));
    for (one, other) in [("1.50", "1.5"), ("100", "1E+2"), ("0.0", "0"), ("-0.0012", "-1.2e-3"), ("12.5e-1", "1.250")] {
        assert_eq!(number(one), number(other));
    }
    assert_ne!(number("1.5"), number("-1.5"));
    assert_ne!(number("10"), number("1"));
    assert_eq!(told("74", Form::Boolean).as_deref(), Some("1"));
}
