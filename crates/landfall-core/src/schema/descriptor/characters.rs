//! The characters of a dialect that have a role: one ASCII character each, and no two alike. The delimiter may be a longer text.

use crate::schema::Delimiter;
use crate::schema::document::{DocumentNode, DocumentPlace, MapReader};

/// A character with a role, and where it was declared, if it was.
#[derive(Clone, Copy)]
pub(super) struct CharacterRole<'a> {
    pub(super) name: &'static str,
    pub(super) byte: Option<u8>,
    place: Option<&'a DocumentPlace>,
}

/// Reads the character `name`; `default` where it is not declared.
pub(super) fn read<'a>(reader: &mut MapReader<'a>, name: &'static str, default: Option<u8>) -> CharacterRole<'a> {
    let node = reader.take_value(name);
    let byte = match node.and_then(|node| read_byte(reader, node, name)) {
        Some(byte) => byte,
        None => default,
    };
    CharacterRole { name, byte, place: node.map(|node| &node.place) }
}

/// The character; `Some(None)` where the empty text turns the role off.
fn read_byte(reader: &MapReader<'_>, node: &DocumentNode, name: &'static str) -> Option<Option<u8>> {
    let problems = reader.problems();
    let text = node.read_text(&format!("\"{name}\""), problems)?;
    let reason = match text.as_bytes() {
        // Only quotes can be turned off this way; each other role is absent unless it is declared.
        [] if name == "quoteChar" => return Some(None),
        // It ends records, so that in another role it would never be seen.
        [b'\r' | b'\n'] => "must not be a line end",
        [byte] => return Some(Some(*byte)),
        [] => "must not be empty",
        _ => "must be one ASCII character",
    };
    let mend = match name {
        "quoteChar" => "write one character such as \"\\\"\", or \"\" for a file without quotes",
        _ => "write one character such as \"\\\\\" or \"#\", or remove the property",
    };
    problems.report_with_mend(&node.place, format!("\"{name}\" {reason}"), mend);
    None
}

/// Reads the property `delimiter`; `default` where it is not declared. Its role is that of a character, where it is one.
pub(super) fn read_delimiter<'a>(reader: &mut MapReader<'a>, default: Delimiter) -> (Delimiter, CharacterRole<'a>) {
    let node = reader.take_value("delimiter");
    let text = node.and_then(|node| node.read_text("\"delimiter\"", reader.problems()));
    let delimiter = match text.map(Delimiter::parse) {
        Some(Ok(delimiter)) => delimiter,
        Some(Err(reason)) => {
            let place = node.map_or(reader.place(), |node| &node.place);
            let mend = "write what stands between two cells, such as \",\", \";\", \"|\" or \"\\t\"";
            reader.problems().report_with_mend(place, format!("\"delimiter\" {reason}"), mend);
            default
        }
        None => default,
    };
    // A longer delimiter is checked for the other roles in `Dialect::find_contradiction`.
    let byte = delimiter.as_character();
    (delimiter, CharacterRole { name: "delimiter", byte, place: node.map(|node| &node.place) })
}

/// Reports every two roles that share a character.
pub(super) fn check_distinct(reader: &MapReader<'_>, roles: &[CharacterRole<'_>]) {
    for (at, role) in roles.iter().enumerate() {
        for other in roles[..at].iter().filter(|other| role.byte.is_some() && other.byte == role.byte) {
            // A default has no place in the file; the one that was declared is where the user can change it.
            let place = role.place.or(other.place).unwrap_or(reader.place());
            let message = format!("\"{}\" and \"{}\" are the same character", other.name, role.name);
            match (other.name, role.name) {
                // Some exporters declare `"` for both, and mean that a quote within a cell is written twice.
                ("quoteChar", "escapeChar") => {
                    let mend = "remove \"escapeChar\", and write \"doubleQuote\": true";
                    reader.problems().report_with_mend(place, message, mend);
                }
                _ => reader.problems().report_problem(place, message),
            }
        }
    }
}
