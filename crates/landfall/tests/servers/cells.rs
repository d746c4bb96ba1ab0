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
        Kind::Sqlite => format!("coalesce(lower(hex(CAST({name} AS TEXT))), 'null')"),
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
        Form::Number => without_zeros(text).to_owned(),
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

#[test]
fn cells_have_one_form() {
    assert_eq!(told("null", Form::Plain), None);
    assert_eq!(told("", Form::Plain), Some(String::new()));
    assert_eq!(told("312e3530", Form::Number).as_deref(), Some("1.5"));
    assert_eq!(told("313030", Form::Number).as_deref(), Some("100"));
    assert_eq!(told("74", Form::Boolean).as_deref(), Some("1"));
}
