//! JSON rows become records: the same form that the CSV decoder makes, so that one validator reads both.
//!
//! The grammar is that of RFC 8259, strictly. A number keeps the digits that it was written with, and a nested value its
//! text. What one row has wrong (a field twice, an unknown field, half a surrogate pair, another value than an object) is a
//! fault of that row; a text that is not JSON at all is a [`JsonError`].

mod decoder;
mod scan;
#[cfg(test)]
mod tests;

pub use decoder::{JsonDecoder, split_tables};
pub use scan::{JsonError, JsonErrorKind};

/// The deepest nesting that is accepted, the array of the rows and the rows included.
pub const DEPTH: usize = 128;

/// What a cell of a JSON row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum JsonKind {
    /// The row has no such member.
    #[default]
    Absent,
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A number.
    Number,
    /// A string.
    String,
    /// A string with half a surrogate pair, which is no text in any encoding.
    BrokenString,
    /// An array, as its text.
    Array,
    /// An object, as its text.
    Object,
}

impl JsonKind {
    /// What it is, with its article.
    #[must_use]
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Absent => "nothing",
            Self::Null => "null",
            Self::Boolean => "a JSON boolean",
            Self::Number => "a JSON number",
            Self::String | Self::BrokenString => "a JSON string",
            Self::Array => "a JSON array",
            Self::Object => "a JSON object",
        }
    }
}

/// What JSON rows have beside their cells.
#[derive(Debug, Clone, Default)]
pub(crate) struct JsonParts {
    /// What each cell is; as many as there are cells.
    pub(crate) kinds: Vec<JsonKind>,
    /// Members that are no cells, in record order.
    pub(crate) extras: Vec<ExtraMember>,
}

/// A member of a row that is none of its cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExtraMember {
    /// The record.
    pub(crate) record: u32,
    /// The member's name.
    pub(crate) name: String,
    /// The field, where the row has it a second time; otherwise there is no such field.
    pub(crate) again: Option<u32>,
}

/// What `text` is, where it is one JSON value and nothing else, as a member of a row may have it.
pub(crate) fn classify_json(text: &str) -> Option<JsonKind> {
    let mut scan = scan::JsonScanner { text, at: 0 };
    scan.next()?;
    let (kind, ..) = scan.scan_value(1).ok()?;
    scan.expect_end().ok().map(|()| kind)
}
