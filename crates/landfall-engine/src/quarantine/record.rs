//! Rejected records as people and programs see them.

use landfall_core::reject::CellError;
use serde::Serialize;

use super::Reject;

/// A rejected record, as `check` and `rejects list` show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownReject {
    /// The table.
    pub table: String,
    /// The source as the user knows it.
    pub source: String,
    /// Data records before it, plus one.
    pub record: u64,
    /// The physical line of its first byte, from 1.
    pub line: u64,
    /// The offset of its first byte, from 0.
    pub offset: u64,
    /// Its bytes as text, shortened where there are more than [`ShownReject::RAW_LIMIT`].
    pub raw: String,
    /// Whether the bytes are not UTF-8 (or not all there): then each byte that is not is written `\xNN`, a backslash
    /// `\\`, and `…` stands for what was left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub raw_escaped: bool,
    /// How many bytes it has in all.
    pub raw_length: u64,
    /// Every reason.
    pub errors: Vec<CellError>,
}

impl ShownReject {
    /// The most bytes of a record that are shown; the quarantine has them all.
    pub const RAW_LIMIT: usize = 64 << 10;

    /// The text of `raw`, of which `length` bytes there are in all, and whether it is escaped.
    #[must_use]
    pub fn raw_text(raw: &[u8], length: u64) -> (String, bool) {
        // Escaped even if it is text, once it is cut: else the `…` at its end could be taken for a part of it.
        let whole = raw.len() as u64 == length && raw.len() <= Self::RAW_LIMIT;
        match std::str::from_utf8(raw) {
            Ok(text) if whole => (text.to_owned(), false),
            _ => (escape_bytes(&raw[..raw.len().min(Self::RAW_LIMIT)], whole), true),
        }
    }
}

impl From<&Reject> for ShownReject {
    fn from(reject: &Reject) -> Self {
        let (raw, raw_escaped) = Self::raw_text(&reject.raw, reject.length);
        Self {
            table: reject.table.clone(),
            source: reject.source.clone(),
            record: reject.record,
            line: reject.line,
            offset: reject.offset,
            raw,
            raw_escaped,
            raw_length: reject.length,
            errors: reject.errors.clone(),
        }
    }
}

/// `bytes` as text: what is not UTF-8 as `\xNN`, a backslash doubled.
fn escape_bytes(bytes: &[u8], whole: bool) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        // Doubled, or a `\x41` that stood in the record would look like an escaped byte.
        text.push_str(&chunk.valid().replace('\\', "\\\\"));
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02X}");
        }
    }
    if !whole {
        text.push('…');
    }
    text
}
