//! Whether the first record is a header, and the names that it gives.

use std::collections::HashSet;

use landfall_core::{
    schema::{Dialect, HeaderRows, fold_case},
    validate::ValueReader,
};

use super::{candidate::list_candidates, dialect::DialectFit, names};

/// What the first record is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FirstRecord {
    /// The first record is data.
    None {
        /// It might also be a header.
        doubtful: bool,
    },
    /// It has the names of the fields.
    Labels(Vec<String>),
    /// It is a header whose labels cannot all be names; these names are made of them. The file's line is passed over.
    Unusable(Vec<String>),
}

/// Words that label a column more often than they are a value.
const LABELS: [&str; 30] = [
    "id",
    "name",
    "code",
    "date",
    "datetime",
    "time",
    "timestamp",
    "title",
    "type",
    "status",
    "email",
    "phone",
    "address",
    "city",
    "country",
    "amount",
    "price",
    "quantity",
    "value",
    "description",
    "comment",
    "notes",
    "category",
    "department",
    "job",
    "year",
    "month",
    "created_at",
    "updated_at",
    "uuid",
];

/// Values of a column that are looked at.
const MOST_VALUES: usize = 60;

/// What speaks for and against a header in the columns.
#[derive(Debug, Default)]
struct HeaderVotes {
    /// Columns of some type, save for the first cell.
    contrasts: usize,
    /// Columns whose first cell is of the same type as the others.
    likenesses: usize,
    /// Columns of text whose first cell looks like a label, and the others do not.
    words: usize,
}

impl FirstRecord {
    /// Looks at the first record of a file.
    pub(super) fn find(fit: &DialectFit) -> Self {
        let Some((first, rest)) = fit.sample.records.split_first() else { return Self::None { doubtful: false } };
        if !fit.sample.sound_start || first.len() != fit.width {
            return Self::None { doubtful: false };
        }
        let labels: Vec<String> = first.iter().map(|label| label.trim().to_owned()).collect();
        let votes = count_votes(&labels, rest, &fit.dialect);
        let distinct = are_distinct(&labels);
        if votes.likenesses > 0 {
            return Self::None { doubtful: false };
        }
        let typical = labels.iter().any(|label| is_typical_label(label));
        let alone = rest.is_empty() && distinct && labels.iter().all(|label| is_short_word(label)) && labels.len() > 1;
        if votes.contrasts > 0 || (distinct && (typical || votes.words > 0)) || alone {
            return Self::from_labels(labels);
        }
        Self::None { doubtful: distinct && labels.iter().all(|label| is_short_word(label)) }
    }

    fn from_labels(labels: Vec<String>) -> Self {
        if are_distinct(&labels) && labels.iter().all(|label| names::is_valid_name(label)) {
            return Self::Labels(labels);
        }
        let mut distinct = names::DistinctNames::default();
        let mended =
            labels.iter().enumerate().map(|(at, label)| distinct.take_name(&names::make_valid_name(label, at)));
        Self::Unusable(mended.collect())
    }

    /// The names of the fields of a file with `width` columns.
    pub(super) fn field_names(&self, width: usize) -> Vec<String> {
        match self {
            Self::None { .. } => (1..=width).map(|column| format!("column{column}")).collect(),
            Self::Labels(names) | Self::Unusable(names) => names.clone(),
        }
    }

    /// `dialect` with this header, where the record numbered `first` is the first that is neither blank nor a comment.
    pub(super) fn set(&self, dialect: &mut Dialect, first: u64) {
        let (header, comments) = match self {
            Self::Labels(_) => (HeaderRows::At(vec![first]), 0..0),
            Self::Unusable(_) => (HeaderRows::None, 1..first + 1),
            Self::None { .. } => (HeaderRows::None, 1..first),
        };
        (dialect.header, dialect.comment_rows) = (header, comments.collect());
    }

    /// Whether the names come from the file.
    pub(super) const fn has_names(&self) -> bool {
        !matches!(self, Self::None { .. })
    }
}

fn are_distinct(labels: &[String]) -> bool {
    let mut seen = HashSet::new();
    labels.iter().all(|label| seen.insert(fold_case(label)))
}

fn count_votes(labels: &[String], rest: &[Vec<String>], dialect: &Dialect) -> HeaderVotes {
    let readers: Vec<ValueReader> =
        list_candidates(dialect).iter().filter_map(super::candidate::TypeCandidate::value_reader).collect();
    let mut votes = HeaderVotes::default();
    for (column, label) in labels.iter().enumerate() {
        let values = rest.iter().filter_map(|record| record.get(column)).map(String::as_str);
        let values: Vec<&str> = values.filter(|value| !value.is_empty()).take(MOST_VALUES).collect();
        votes.count_column(label, &values, &readers);
    }
    votes
}

impl HeaderVotes {
    fn count_column(&mut self, label: &str, values: &[&str], readers: &[ValueReader]) {
        let reads = |reader: &ValueReader, text: &str| reader.read(text).is_ok();
        let fits = |reader: &&ValueReader| {
            let read = values.iter().filter(|value| reads(reader, value)).count();
            read > 0 && read * 10 >= values.len() * 9
        };
        let typed: Vec<&ValueReader> = readers.iter().filter(fits).collect();
        let alike = !label.is_empty() && (typed.iter().any(|reader| reads(reader, label)) || values.contains(&label));
        // A number is no label, whatever stands below it.
        let number = readers.first().is_some_and(|integer| !label.is_empty() && reads(integer, label));
        self.likenesses += usize::from(alike || number);
        self.contrasts += usize::from(!alike && !typed.is_empty() && !label.is_empty());
        let others = values.iter().filter(|value| !is_identifier(value)).count();
        self.words += usize::from(typed.is_empty() && is_identifier(label) && others * 2 > values.len());
    }
}

/// Whether `label` labels columns more often than not.
fn is_typical_label(label: &str) -> bool {
    let name = names::to_snake_case(label);
    LABELS.contains(&name.as_str()) || name.ends_with("_id") || name.ends_with("_name") || name.ends_with("_at")
}

/// Whether `text` begins with a letter and is short.
fn is_short_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic()) && text.len() <= names::MOST_BYTES && !text.contains('@')
}

/// Whether `text` is written as programs write names: `hired_at`.
fn is_identifier(text: &str) -> bool {
    let part = |character: char| character.is_lowercase() || character.is_numeric() || character == '_';
    is_short_word(text) && text.chars().all(part)
}

#[cfg(test)]
mod tests {
    use landfall_core::schema::Encoding;

    use super::*;
    use crate::init::{dialect, encoding::ExaminedFile};

    fn found(text: &str) -> FirstRecord {
        let prefix = text.as_bytes().to_vec();
        FirstRecord::find(&dialect::find(&ExaminedFile {
            encoding: Encoding::Utf8,
            ascii: true,
            faults: 0,
            prefix,
            cut: false,
        }))
    }

    fn labels(names: &[&str]) -> FirstRecord {
        FirstRecord::Labels(names.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_header_differs_from_what_stands_below() {
        assert_eq!(found("nr,who\n1,Al\n2,Bo\n"), labels(&["nr", "who"]));
        assert_eq!(found("first,last\nAda Marie,Lovelace\nAlan,Turing\n"), labels(&["first", "last"]));
        assert_eq!(found("id, name \n"), labels(&["id", "name"]));
        assert_eq!(found("Stadt;Land\n"), labels(&["Stadt", "Land"]));
    }

    #[test]
    fn data_are_no_header() {
        assert_eq!(found("1,Al\n2,Bo\n"), FirstRecord::None { doubtful: false });
        assert_eq!(found("Sales,North\nRepair,South\n"), FirstRecord::None { doubtful: true });
        assert_eq!(found("2020,2021\nx,y\n"), FirstRecord::None { doubtful: false });
        assert_eq!(found("\n"), FirstRecord::None { doubtful: false });
    }

    #[test]
    fn labels_that_cannot_be_names_are_mended() {
        let names = ["id", "name", "name_2", "column4"].map(String::from).to_vec();
        assert_eq!(
            found("id,name,Name,\n1,a,b,c\n2,d,e,f\n"),
            FirstRecord::Unusable(["id", "name", "Name_2", "column4"].map(String::from).to_vec())
        );
        assert_eq!(found("id,name,name,\n1,a,b,c\n2,d,e,f\n"), FirstRecord::Unusable(names));
    }
}
