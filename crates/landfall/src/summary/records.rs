//! Rejected records, one line for each reason.

use std::fmt::Write as _;

use landfall_core::reject::CellError;
use landfall_engine::{pipeline::RejectedRecord, shown};

/// `source:line: table.field: code: message [value]`, a line for each reason of the record.
pub(crate) fn reject_lines(record: &RejectedRecord) -> String {
    record.errors.iter().fold(String::new(), |mut text, error| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", line(record, error));
        text
    })
}

fn line(record: &RejectedRecord, error: &CellError) -> String {
    let place = error.field.as_ref().map_or_else(|| record.table.clone(), |field| format!("{}.{field}", record.table));
    let value = error.value.as_ref().map(|value| format!(" [{value}]")).unwrap_or_default();
    let text = format!("{}:{}: {place}: {}: {}{value}", record.source, record.line, error.code, error.message);
    shown(&text).into_owned()
}
