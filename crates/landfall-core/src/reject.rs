//! What is wrong with a record: error codes and the errors of one record.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The stable code of an error, spelled as in the Data Package standard's reference validator (frictionless-py) where
/// that has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ErrorCode {
    /// The record cannot be split into cells: an unclosed quote, or text after a closing quote.
    SourceError,
    /// The record's bytes are not text in the declared encoding.
    EncodingError,
    /// The record is longer than the limit.
    RecordTooLong,
    /// Every cell of the record is empty.
    BlankRow,
    /// The record has more cells than there are fields.
    ExtraCell,
    /// The record has fewer cells than there are fields.
    MissingCell,
    /// The cell cannot be read as the field's type and format.
    TypeError,
    /// The value breaks one of the field's constraints.
    ConstraintError,
    /// The values of a unique key occur already.
    UniqueError,
    /// The value of the primary key occurs already, with other content.
    PrimaryKey,
    /// The parent row that a foreign key names does not exist.
    ForeignKey,
    /// The value is sound, but the database that the row goes to cannot hold it.
    TargetLimit,
    /// The database refused the row although it passed every rule.
    TargetError,
    /// The record passed, but its load was all or nothing and another record did not pass.
    RolledBack,
}

impl ErrorCode {
    /// All codes, for filters and documentation.
    pub const ALL: [Self; 14] = [
        Self::SourceError,
        Self::EncodingError,
        Self::RecordTooLong,
        Self::BlankRow,
        Self::ExtraCell,
        Self::MissingCell,
        Self::TypeError,
        Self::ConstraintError,
        Self::UniqueError,
        Self::PrimaryKey,
        Self::ForeignKey,
        Self::TargetLimit,
        Self::TargetError,
        Self::RolledBack,
    ];

    /// The code as it is written in messages, JSON and the quarantine.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SourceError => "source-error",
            Self::EncodingError => "encoding-error",
            Self::RecordTooLong => "record-too-long",
            Self::BlankRow => "blank-row",
            Self::ExtraCell => "extra-cell",
            Self::MissingCell => "missing-cell",
            Self::TypeError => "type-error",
            Self::ConstraintError => "constraint-error",
            Self::UniqueError => "unique-error",
            Self::PrimaryKey => "primary-key",
            Self::ForeignKey => "foreign-key",
            Self::TargetLimit => "target-limit",
            Self::TargetError => "target-error",
            Self::RolledBack => "rolled-back",
        }
    }

    /// The code written as `text`, if there is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == text)
    }
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// One reason why a record is not inserted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellError {
    /// What kind of error it is.
    pub code: ErrorCode,
    /// The field (for a composite key: its fields joined by `,`), or none where the whole record is at fault.
    pub field: Option<Arc<str>>,
    /// The cell as it stood in the source, shortened to [`CellError::VALUE_LIMIT`] bytes.
    pub value: Option<String>,
    /// A sentence for a person. It can be read alone.
    pub message: String,
}

impl CellError {
    /// The most bytes of a cell that an error repeats (the raw record has them all).
    pub const VALUE_LIMIT: usize = 256;

    /// An error of `code` at `field` with the cell `value`, which is shortened where it is long.
    #[must_use]
    pub fn new(code: ErrorCode, field: Option<Arc<str>>, value: Option<&str>, message: impl Into<String>) -> Self {
        Self { code, field, value: value.map(shorten_value), message: message.into() }
    }
}

/// `value`, cut at a character boundary with `…` at its end where it is longer than the limit.
fn shorten_value(value: &str) -> String {
    if value.len() <= CellError::VALUE_LIMIT {
        return value.to_owned();
    }
    format!("{}…", &value[..value.floor_char_boundary(CellError::VALUE_LIMIT)])
}
