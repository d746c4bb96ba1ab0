//! What a person should know of the data. One list of findings feeds both the comments of the data package and the lines on the terminal.

use super::{
    records::{PlaceTally, RecordPlace},
    yaml::one_line_comment,
};
use crate::source::Source;

/// What a finding is about: it decides where in the data package the comment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FindingSubject {
    /// The table, with its records.
    Table,
    /// The characters of its files.
    Encoding,
    /// How its files are written.
    Dialect,
    /// The field at this position.
    Field(usize),
    /// The primary key.
    PrimaryKey,
    /// The foreign keys.
    ForeignKey,
}

/// Something that a person should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) subject: FindingSubject,
    /// A sentence without its point.
    pub(super) words: String,
    /// What could be written instead, as one line of YAML.
    pub(super) snippet: Option<String>,
    /// Whether it is a comment of its own: else, its words stand elsewhere already.
    pub(super) comment: bool,
    /// Whether it is also told on the terminal: what is recognised without any doubt is only a comment.
    pub(super) notable: bool,
}

impl Finding {
    /// A finding for a comment.
    pub(super) fn comment(subject: FindingSubject, words: impl Into<String>) -> Self {
        Self { subject, words: words.into(), snippet: None, comment: true, notable: false }
    }

    /// A finding for a comment and the terminal.
    pub(super) fn notable(subject: FindingSubject, words: impl Into<String>) -> Self {
        Self { notable: true, ..Self::comment(subject, words) }
    }

    /// The same with what could be written instead.
    pub(super) fn with_snippet(self, snippet: String) -> Self {
        Self { snippet: Some(snippet), ..self }
    }
}

/// The places of a tally among `sources`: `line 5`, `lines 3, 9, 12, …`.
pub(super) fn list_places(sources: &[Source], tally: &PlaceTally) -> String {
    let more = if tally.count > tally.places.len() as u64 { ", …" } else { "" };
    let several = sources.len() > 1;
    let one = |place: &RecordPlace| match several {
        true => format!("{}:{}", one_line_comment(&sources[place.file].name), place.line),
        false => place.line.to_string(),
    };
    let places: Vec<String> = tally.places.iter().map(one).collect();
    let noun = match (several, tally.count) {
        (true, _) => "",
        (false, 1) => "line ",
        (false, _) => "lines ",
    };
    format!("{noun}{}{more}", places.join(", "))
}
