//! The errors of records that keys stand against.

use std::sync::Arc;

use landfall_core::{
    keys::Scalar,
    reject::{CellError, ErrorCode},
};

use super::keys::ForeignKeyState;

/// The error of a key that is held already.
pub(super) fn clash_error(code: ErrorCode, name: &Arc<str>, values: &[Scalar]) -> CellError {
    let value = show_values(values);
    let message = match code {
        ErrorCode::PrimaryKey => {
            format!("the primary key {name} = {value} is held already by a row with other content")
        }
        _ => format!("the unique key {name} = {value} is held already by another row"),
    };
    CellError::new(code, Some(name.clone()), Some(&value), message)
}

/// The error of a row whose parent is missing.
pub(super) fn missing_parent_error(foreign: &ForeignKeyState, values: &[Scalar]) -> CellError {
    let value = show_values(values);
    let message = format!("{} = {value} names no row of the table {:?}", foreign.name, &*foreign.parent.name);
    CellError::new(ErrorCode::ForeignKey, Some(foreign.name.clone()), Some(&value), message)
}

/// The error of a row that the database refused.
pub(super) fn refusal_error(words: &str) -> CellError {
    CellError::new(ErrorCode::TargetError, None, None, format!("the database refused the row: {words}"))
}

/// Values of a key as text.
fn show_values(values: &[Scalar]) -> String {
    let texts: Vec<String> = values.iter().map(|value| value.as_ref().to_string()).collect();
    texts.join(",")
}
