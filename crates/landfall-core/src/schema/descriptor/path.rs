//! Paths in a descriptor stay within its folder: <https://datapackage.org/standard/security/>.

use crate::schema::document::{DescriptorProblems, DocumentPlace};

/// Whether `path` is a relative path without `..`; reports why not.
pub(super) fn check_path(path: &str, place: &DocumentPlace, problems: &DescriptorProblems) -> bool {
    let Some(reason) = explain_refusal(path) else { return true };
    let mend = "write a path relative to the folder of the descriptor";
    problems.report_with_mend(place, format!("the path \"{}\" {reason}", path.escape_debug()), mend);
    false
}

fn explain_refusal(path: &str) -> Option<&'static str> {
    // Windows takes both slashes, so that both are looked at on every system.
    let is_parent = |part: &str| part == "..";
    if path.is_empty() {
        Some("is empty")
    } else if path.contains("://") {
        Some("is a URL, and URLs are not supported")
    } else if path.chars().any(char::is_control) {
        Some("has a control character")
    } else if path.starts_with(['/', '\\', '~']) || has_drive(path) {
        Some("is absolute")
    } else if path.split(['/', '\\']).any(is_parent) {
        Some("leaves the folder with \"..\"")
    } else {
        None
    }
}

fn has_drive(path: &str) -> bool {
    // `C:data.csv` is relative to the current folder of a drive, and leaves the package all the same.
    let bytes = path.as_bytes();
    bytes.len() > 1 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':'
}
