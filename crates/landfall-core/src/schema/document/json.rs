//! JSON, by the grammar of `serde_json`. Each level is cut into raw slices of the text, whose addresses tell the places;
//! that reads the text once per level of nesting, which is bounded.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::entries::{MapEntries, beyond_limit};
use super::place::DocumentSource;
use super::{DescriptorProblems, DocumentNode, MAX_DEPTH, MAX_NODES, MapEntry, NodeValue};

/// Parses a JSON document. Errors go to `problems`; without a node the text is not JSON.
pub fn parse_json(text: &str, file: &str, problems: &DescriptorProblems) -> Option<DocumentNode> {
    // Some editors write a mark before UTF-8, which RFC 8259 lets a parser skip.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let parser = JsonParser { text, source: DocumentSource::new(file, text), problems };
    match serde_json::from_str::<&RawValue>(text) {
        Ok(raw) => parser.parse_node(raw.get(), 0, &mut 0),
        Err(error) => parser.report_error(&error, 0),
    }
}

struct JsonParser<'a> {
    text: &'a str,
    source: Arc<DocumentSource>,
    problems: &'a DescriptorProblems,
}

impl<'a> JsonParser<'a> {
    fn parse_node(&self, raw: &'a str, depth: usize, count: &mut usize) -> Option<DocumentNode> {
        // Of a list or map only its bracket is marked; the whole would put carets under many lines.
        let width = if raw.starts_with(['{', '[']) { 1 } else { raw.chars().count() };
        let place = self.source.place_at(self.offset_of(raw), width);
        *count += 1;
        if depth > MAX_DEPTH || *count > MAX_NODES {
            self.problems.report_problem(&place, beyond_limit(depth));
            return None;
        }
        let value = match raw.as_bytes().first()? {
            b'{' => NodeValue::Map(self.parse_entries(raw, depth, count)?),
            b'[' => NodeValue::List(self.parse_items(raw, depth, count)?),
            b'"' => NodeValue::Text(self.parse(raw)?),
            b't' => NodeValue::Bool(true),
            b'f' => NodeValue::Bool(false),
            b'n' => NodeValue::Null,
            // As text: a float would change bounds such as 9007199254740993.
            _ => NodeValue::Number(raw.to_owned()),
        };
        Some(DocumentNode { value, place })
    }

    fn parse_items(&self, raw: &'a str, depth: usize, count: &mut usize) -> Option<Vec<DocumentNode>> {
        let slices: Vec<&RawValue> = self.parse(raw)?;
        slices.into_iter().map(|slice| self.parse_node(slice.get(), depth + 1, count)).collect()
    }

    fn parse_entries(&self, raw: &'a str, depth: usize, count: &mut usize) -> Option<Vec<MapEntry>> {
        let slices: RawEntries = self.parse(raw)?;
        let mut entries = MapEntries::default();
        for (raw_key, raw_value) in slices.0 {
            let key_place = self.source.place_at(self.offset_of(raw_key.get()), raw_key.get().chars().count());
            let key: String = self.parse(raw_key.get())?;
            let node = self.parse_node(raw_value.get(), depth + 1, count)?;
            entries.push(MapEntry { key, key_place, node }, self.problems);
        }
        Some(entries.into_entries())
    }

    fn parse<T: Deserialize<'a>>(&self, raw: &'a str) -> Option<T> {
        serde_json::from_str(raw).or_else(|error| self.report_error(&error, self.offset_of(raw)).ok_or(())).ok()
    }

    fn report_error<T>(&self, error: &serde_json::Error, from: usize) -> Option<T> {
        let at = match from {
            // Only an error of the whole text has a position of its own. Else the slice at fault is pointed at.
            0 => byte_position(self.text, error.line(), error.column()),
            from => from,
        };
        let full = error.to_string();
        // serde_json counts within the slice that it was given, so that its own position would mislead.
        let message = full.rsplit_once(" at line ").map_or(full.as_str(), |(message, _)| message);
        self.problems.report_problem(&self.source.place_at(at, 1), format!("this is not JSON: {message}"));
        None
    }

    /// The byte at which `slice`, a part of the text, starts.
    fn offset_of(&self, slice: &str) -> usize {
        // Sound since all slices borrow from the text: `RawValue` copies nothing when it is read from a `str`.
        slice.as_ptr().addr() - self.text.as_ptr().addr()
    }
}

/// The byte of a position that counts lines by LF and columns by bytes, both from 1.
fn byte_position(text: &str, line: usize, column: usize) -> usize {
    let line_start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let mut at = (line_start + column.saturating_sub(1)).min(text.len());
    // serde_json counts bytes, and may stop within a character.
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The keys and values of an object, not yet parsed, a key that occurs twice included.
struct RawEntries<'a>(Vec<(&'a RawValue, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for RawEntries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RawEntriesVisitor)
    }
}

struct RawEntriesVisitor;

impl<'de> Visitor<'de> for RawEntriesVisitor {
    type Value = RawEntries<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        // Not a map: serde would keep the last of two equal keys without a word.
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(RawEntries(entries))
    }
}
