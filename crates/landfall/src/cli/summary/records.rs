//! Rejected records, one line for each reason.

use std::fmt::Write as _;

use landfall_core::reject::CellError;
use landfall_engine::{escape_controls, quarantine::ShownReject};

/// `source:line: table.field: code: message [value]`, a line for each reason of the record.
pub(crate) fn reject_lines(record: &ShownReject) -> String {
    record.errors.iter().fold(String::new(), |mut text, error| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", format_record(record, error));
        text
    })
}

fn format_record(record: &ShownReject, error: &CellError) -> String {
    let place = error.field.as_ref().map_or_else(|| record.table.clone(), |field| format!("{}.{field}", record.table));
    let message = without_field(error);
    let text = format!("{}:{}: {place}: {}: {message}{}", record.source, record.line, error.code, shown_value(error));
    escape_controls(&text).into_owned()
}

/// The message; its field stands before it in the line already.
fn without_field(error: &CellError) -> &str {
    let named = error.field.as_ref().map(|field| format!("field {field:?}: "));
    named.and_then(|named| error.message.strip_prefix(&named)).unwrap_or(&error.message)
}

/// The value, where the message does not repeat it.
fn shown_value(error: &CellError) -> String {
    let repeated = |value: &&String| !value.is_empty() && !error.message.contains(value.as_str());
    error.value.as_ref().filter(repeated).map(|value| format!(" [{value}]")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use landfall_core::reject::ErrorCode;

    use super::*;

    fn record(message: &str, value: Option<&str>) -> ShownReject {
        let errors = vec![CellError::new(ErrorCode::TypeError, Some("id".into()), value, message)];
        let (table, source, raw) = ("jobs".into(), "jobs.csv".into(), String::new());
        ShownReject { table, source, record: 1, line: 2, offset: 3, raw, raw_escaped: false, raw_length: 0, errors }
    }

    #[test]
    fn a_line_tells_place_reason_and_value_once() {
        let told = reject_lines(&record("field \"id\": \"x\" is not an integer", Some("x")));
        assert_eq!(told, "jobs.csv:2: jobs.id: type-error: \"x\" is not an integer\n");
        let told = reject_lines(&record("it occurs already", Some("7")));
        assert_eq!(told, "jobs.csv:2: jobs.id: type-error: it occurs already [7]\n");
    }

    #[test]
    fn values_cannot_act_on_a_terminal() {
        let told = reject_lines(&record("no", Some("\u{1b}[2J\n")));
        assert_eq!(told, "jobs.csv:2: jobs.id: type-error: no [\\u{1b}[2J\\n]\n");
    }
}
