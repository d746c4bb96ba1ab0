//! Labels of encodings.

use crate::schema::Encoding;
use crate::schema::document::{DescriptorProblems, DocumentPlace};

const SUPPORTED: &str = "utf-8, utf-16, utf-16le, utf-16be, iso-8859-1 and other one-byte encodings such as \
    windows-1252, iso-8859-15 or koi8-r";

/// The encoding that `label` names.
pub(super) fn read(label: &str, place: &DocumentPlace, problems: &DescriptorProblems) -> Option<Encoding> {
    let encoding = find_encoding(label);
    if encoding.is_none() {
        let message = match encoding_rs::Encoding::for_label(label.as_bytes()) {
            Some(_) => format!("the encoding \"{label}\" has characters of several bytes and is not supported"),
            None => format!("unknown encoding \"{label}\""),
        };
        problems.report_with_mend(place, message, format!("write one of: {SUPPORTED}"));
    }
    encoding
}

/// The encoding that `label` names, where it is one that sources may have.
pub(in crate::schema) fn find_encoding(label: &str) -> Option<Encoding> {
    unicode_or_latin(label).or_else(|| find_single_byte_encoding(label))
}

/// ISO 8859-1 is read here, as web browsers take it for windows-1252.
fn unicode_or_latin(label: &str) -> Option<Encoding> {
    match label.to_ascii_lowercase().replace('_', "-").as_str() {
        "utf-8" | "utf8" | "utf-8-sig" | "ascii" | "us-ascii" => Some(Encoding::Utf8),
        "utf-16" | "utf16" => Some(Encoding::Utf16),
        "utf-16le" | "utf-16-le" | "utf16le" => Some(Encoding::Utf16Le),
        "utf-16be" | "utf-16-be" | "utf16be" => Some(Encoding::Utf16Be),
        "iso-8859-1" | "iso8859-1" | "latin1" | "latin-1" | "l1" => Some(Encoding::Latin1),
        _ => None,
    }
}

/// Python writes `cp1252`, `iso8859_15` and `mac_roman` for what the web calls `cp1252`, `iso8859-15` and `macintosh`.
fn find_single_byte_encoding(label: &str) -> Option<Encoding> {
    let dashed = label.replace('_', "-");
    let known = encoding_rs::Encoding::for_label(label.as_bytes())
        .or_else(|| encoding_rs::Encoding::for_label(dashed.as_bytes()))
        .or_else(|| (dashed == "mac-roman").then_some(encoding_rs::MACINTOSH));
    known
        .filter(|encoding| encoding.is_single_byte() && *encoding != encoding_rs::X_USER_DEFINED)
        .map(Encoding::SingleByte)
}
