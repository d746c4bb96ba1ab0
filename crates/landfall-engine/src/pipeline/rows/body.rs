//! The body of a request with rows, in the forms in which it may be written.

use landfall_core::{
    decode::json::{JsonError, JsonErrorKind, split_tables},
    schema::TableIndex,
};
use serde::{Deserialize, Serialize};

use super::{RowBatch, RowRules};
use crate::{
    error::Error,
    public_error::{PublicError, PublicErrorCode},
};

/// How a body with rows is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RowsForm {
    /// A JSON array of rows; for several tables, an object with an array for each.
    Json,
    /// A JSON object on each line.
    JsonLines,
    /// CSV in the dialect of the table.
    Csv,
}

/// Reads the rows of a body, at most `most`: for the table at the position `table`, or for the tables that it names, which
/// `position_of` finds.
///
/// # Errors
/// A body that is not what its form says, a table that is not found, or more rows.
pub fn read_rows(
    rules: &RowRules,
    table: Option<TableIndex>,
    form: RowsForm,
    bytes: Vec<u8>,
    most: usize,
    position_of: &dyn Fn(&str) -> Option<TableIndex>,
) -> Result<Vec<RowBatch>, PublicError> {
    if let Some(position) = table {
        return read_batch(rules, position, form, bytes, most).map(|batch| vec![batch]);
    }
    let text = read_text(bytes)?;
    let mut left = most;
    let mut batches = Vec::new();
    let mut wanted = Vec::new();
    // All names are looked at before any row is.
    for (name, range) in split_tables(&text).map_err(|error| describe_json_error(&error))? {
        let position = position_of(&name).ok_or_else(|| {
            let name: String = name.chars().take(80).collect();
            PublicError::new(PublicErrorCode::WrongShape, format!("there is no table {name:?}"))
        })?;
        wanted.push((position, range));
    }
    for (position, range) in wanted {
        let batch = rules
            .read_json(position, text[range].to_owned(), left)
            .map_err(|error| describe_error_of_several(&error, most))?;
        // The bound is on the sum: many tables must not multiply it.
        left -= batch.row_count();
        batches.push(batch);
    }
    Ok(batches)
}

/// A sentence about the number of rows that was found, with the limit.
#[must_use]
pub fn describe_row_limit(found: &str, most: usize) -> String {
    format!("{found}; one request takes 1 to {most}: send more of them in several requests")
}

fn read_text(bytes: Vec<u8>) -> Result<String, PublicError> {
    String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        let detail = format!("byte {} of the body does not belong in UTF-8", offset + 1);
        PublicError::new(PublicErrorCode::NotUtf8, detail).with_offset(offset)
    })
}

fn read_batch(
    rules: &RowRules,
    position: TableIndex,
    form: RowsForm,
    bytes: Vec<u8>,
    most: usize,
) -> Result<RowBatch, PublicError> {
    let describe = |error: JsonError| describe_json_error(&error);
    let batch = match form {
        RowsForm::Json => rules.read_json(position, read_text(bytes)?, most).map_err(describe)?,
        RowsForm::JsonLines => rules.read_json_lines(position, read_text(bytes)?, most).map_err(describe)?,
        RowsForm::Csv => rules.read_csv(position, &bytes, None).map_err(|error| match error {
            Error::Source { reason, .. } => PublicError::new(PublicErrorCode::WrongShape, reason),
            other => other.into(),
        })?,
    };
    // JSON stops at the bound by itself. CSV is counted here.
    if batch.row_count() > most {
        let detail = describe_row_limit(&format!("there are {} rows", batch.row_count()), most);
        return Err(PublicError::new(PublicErrorCode::TooManyRows, detail));
    }
    Ok(batch)
}

fn describe_json_error(error: &JsonError) -> PublicError {
    let detail = format!("{} (byte {})", error.reason, error.offset + 1);
    let code = match error.kind {
        JsonErrorKind::Syntax | JsonErrorKind::TooDeep => PublicErrorCode::NotJson,
        JsonErrorKind::Shape => PublicErrorCode::WrongShape,
        JsonErrorKind::TooMany => {
            let detail = format!("{}, the most that one request takes; send them in several", error.reason);
            return PublicError::new(PublicErrorCode::TooManyRows, detail);
        }
    };
    PublicError::new(code, detail).with_offset(error.offset)
}

/// The error of one of several tables: the limit is on their sum.
fn describe_error_of_several(error: &JsonError, most: usize) -> PublicError {
    if error.kind != JsonErrorKind::TooMany {
        return describe_json_error(error);
    }
    let detail = describe_row_limit(&format!("there are more than {most} rows in all"), most);
    PublicError::new(PublicErrorCode::TooManyRows, detail)
}
