//! Documents: what Landfall keeps beside tables, ledger and quarantine, by kind and name. Answers to requests, tasks and tokens
//! are documents, so that a target has one table for all of them, and they commit in the transaction of the rows.

/// A document as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// What it is, such as `answer` or `task`.
    pub kind: String,
    /// Its name, unique among those of its kind.
    pub name: String,
    /// How often it was written: 1 for a new one.
    pub version: u64,
    /// What it says.
    pub body: Vec<u8>,
    /// When it was last written, RFC 3339 in UTC.
    pub changed_at: String,
}

/// A document to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDocument {
    /// What it is; at most [`NewDocument::NAME_LIMIT`] bytes of ASCII.
    pub kind: &'static str,
    /// Its name; at most [`NewDocument::NAME_LIMIT`] bytes.
    pub name: String,
    /// What it says.
    pub body: Vec<u8>,
}

impl NewDocument {
    /// The most bytes of a name.
    pub const NAME_LIMIT: usize = 255;
}

/// Which documents are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentFilter {
    /// Of this kind.
    pub kind: String,
    /// With one of these names.
    pub names: Option<Vec<String>>,
    /// Whose names come after this one, byte for byte: to page.
    pub after: Option<String>,
    /// The last names first.
    pub last_first: bool,
    /// At most this many.
    pub limit: Option<u64>,
}

impl DocumentFilter {
    /// All of a kind.
    #[must_use]
    pub fn all_of_kind(kind: &str) -> Self {
        Self { kind: kind.to_owned(), names: None, after: None, last_first: false, limit: None }
    }
}
