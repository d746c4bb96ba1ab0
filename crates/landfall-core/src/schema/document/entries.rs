use std::collections::HashSet;

use super::{DescriptorProblems, MAX_DEPTH, MapEntry};

/// The entries of a map while it is read. A key that occurs twice is an error, and the first one stays.
#[derive(Default)]
pub(super) struct MapEntries {
    entries: Vec<MapEntry>,
    keys: HashSet<String>,
}

impl MapEntries {
    pub(super) fn push(&mut self, entry: MapEntry, problems: &DescriptorProblems) {
        // Parsers disagree on which of two equal keys counts, so that neither is taken without a word.
        if self.keys.insert(entry.key.clone()) {
            self.entries.push(entry);
        } else {
            let message = format!("the property \"{}\" occurs twice in this map", entry.key);
            problems.report_with_mend(&entry.key_place, message, "keep one of the two");
        }
    }

    pub(super) fn into_entries(self) -> Vec<MapEntry> {
        self.entries
    }
}

/// Says which limit a document of `depth` levels went beyond.
pub(super) const fn beyond_limit(depth: usize) -> &'static str {
    if depth > MAX_DEPTH {
        "lists and maps stand within each other more than 64 deep"
    } else {
        "the document has more than 200000 values"
    }
}
