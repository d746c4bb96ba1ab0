//! Exports of rejects: CSV files that Landfall writes beside a project's sources, and that are none of them.

use std::{fs::File, io::Read as _, path::Path};

/// The columns behind the source's own in an export of rejects.
pub(crate) const EXPORT_COLUMNS: [&str; 6] =
    ["landfall_reject", "landfall_source", "landfall_line", "landfall_extra", "landfall_raw", "landfall_reasons"];

/// The first of [`EXPORT_COLUMNS`] in a file for people, whose cells are not those of the source: it cannot be sent back.
pub(crate) const GUARDED_REJECT: &str = "landfall_guarded_reject";

/// The longest header that is looked at.
const HEAD: u64 = 1 << 20;

/// Whether the file at `path` is an export of rejects, whatever its name and the program that saved it last. A file that cannot
/// be read is none: whoever loads it says why.
pub(crate) fn is_reject_export(path: &Path) -> bool {
    // Only the head: the sources of a glob may be large, and each of them is looked at.
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    // A spreadsheet may have saved it as UTF-16.
    head.retain(|byte| *byte != 0);
    let line = head.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
    // All columns but the first, which has another name in an export for people.
    read.is_ok() && EXPORT_COLUMNS[1..].iter().all(|column| memchr::memmem::find(line, column.as_bytes()).is_some())
}
