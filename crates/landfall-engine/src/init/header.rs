//! Whether the first record is a header, and the names that it gives.

use std::collections::HashSet;

use landfall_core::{schema::fold_case, validate::ValueReader};

use super::{
    candidate::{TypeCandidate, list_candidates},
    names,
    relation::is_label_word,
    table_head::{HeaderOddity, join_label},
};

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
    /// It is a header whose labels cannot all be names; these names are made of them. The columns have their fields by position.
    Unusable(Vec<String>),
    /// It only numbers the columns, as programs write it that have no names for them. They have their fields by position.
    Numbers,
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
    /// What a record with these cells is, before those of `rest`.
    pub(super) fn judge(labels: &[String], rest: &[Vec<String>], oddity: Option<HeaderOddity>) -> Self {
        // Files that were joined have their header again and again, which says nothing against it.
        let is_again =
            |record: &&Vec<String>| record.iter().map(|cell| cell.trim()).eq(labels.iter().map(String::as_str));
        let rest: Vec<Vec<String>> = rest.iter().filter(|record| !is_again(record)).cloned().collect();
        let rest = rest.as_slice();
        if are_column_numbers(labels) && !continues_numbers(rest) {
            return Self::Numbers;
        }
        let votes = count_votes(labels, rest);
        let distinct = are_distinct(labels);
        if votes.likenesses > 0 {
            return Self::None { doubtful: false };
        }
        let filled = labels.iter().filter(|label| !label.is_empty());
        let typical = filled.clone().any(|label| is_typical_label(label));
        let alone = rest.is_empty() && distinct && labels.iter().all(|label| is_short_word(label)) && labels.len() > 1;
        // A label less than cells is a header, or a record that is broken.
        let odd = oddity.is_some() && filled.clone().all(|label| is_short_word(label));
        if votes.contrasts > 0 || (distinct && (typical || votes.words > 0)) || alone || odd {
            return Self::from_labels(labels);
        }
        Self::None { doubtful: distinct && labels.iter().all(|label| is_short_word(label)) }
    }

    fn from_labels(labels: &[String]) -> Self {
        if are_distinct(labels) && labels.iter().all(|label| names::is_valid_name(label)) {
            return Self::Labels(labels.to_vec());
        }
        let mut distinct = names::DistinctNames::default();
        let mended =
            labels.iter().enumerate().map(|(at, label)| distinct.take_name(&names::make_valid_name(label, at)));
        Self::Unusable(mended.collect())
    }

    /// The header where `more` lines behind it repeat it.
    pub(super) fn join_lines(self, more: usize) -> Self {
        match self {
            Self::Labels(names) if more > 0 => Self::Labels(names.iter().map(|name| join_label(name, more)).collect()),
            other => other,
        }
    }

    /// The names of the fields of a file with `width` columns.
    pub(super) fn field_names(&self, width: usize) -> Vec<String> {
        match self {
            Self::None { .. } | Self::Numbers => (1..=width).map(|column| format!("column{column}")).collect(),
            Self::Labels(names) | Self::Unusable(names) => names.clone(),
        }
    }

    /// Whether the names come from the file.
    pub(super) const fn has_names(&self) -> bool {
        matches!(self, Self::Labels(_) | Self::Unusable(_))
    }
}

/// Whether the labels are 0, 1, 2 and so on. pandas writes the index of the rows before them, under no label.
fn are_column_numbers(labels: &[String]) -> bool {
    let labels = labels.strip_prefix(&[String::new()]).unwrap_or(labels);
    labels.len() > 1 && labels.iter().enumerate().all(|(at, label)| *label == at.to_string())
}

/// Whether a record follows that numbers its cells just so: then the first one was data, too.
fn continues_numbers(rest: &[Vec<String>]) -> bool {
    rest.iter().any(|record| are_column_numbers(record))
}

/// Whether the numbers among `labels` are years, one after the other, with words before them: the labels of a wide table.
fn are_years(labels: &[String], rest: &[Vec<String>]) -> bool {
    let year = |text: &str| text.parse::<i32>().ok().filter(|year| text.len() == 4 && (1800..2101).contains(year));
    let years: Vec<i32> = labels.iter().filter_map(|label| year(label)).collect();
    let numbers = labels.iter().filter(|label| label.starts_with(|first: char| first.is_ascii_digit())).count();
    let steady = years.len() > 1 && (years.is_sorted_by(|a, b| a < b) || years.is_sorted_by(|a, b| a > b));
    let below = rest.iter().flatten().filter(|cell| year(cell).is_some()).count();
    let words = labels.first().is_some_and(|label| year(label).is_none());
    steady && words && numbers == years.len() && below * 10 <= rest.len() * years.len()
}

fn are_distinct(labels: &[String]) -> bool {
    let mut seen = HashSet::new();
    labels.iter().all(|label| seen.insert(fold_case(label)))
}

fn count_votes(labels: &[String], rest: &[Vec<String>]) -> HeaderVotes {
    let read = |candidate: TypeCandidate| Some((candidate.value_reader()?, candidate));
    let readers: Vec<(ValueReader, TypeCandidate)> = list_candidates().into_iter().filter_map(read).collect();
    let years = are_years(labels, rest);
    let mut votes = HeaderVotes { contrasts: usize::from(years), ..HeaderVotes::default() };
    for (column, label) in labels.iter().enumerate() {
        let values = rest.iter().filter_map(|record| record.get(column)).map(|value| value.trim());
        let values: Vec<&str> = values.filter(|value| !value.is_empty()).take(MOST_VALUES).collect();
        if !(years && label.starts_with(|first: char| first.is_ascii_digit())) {
            votes.count_column(label, &values, &readers);
        }
    }
    votes
}

impl HeaderVotes {
    fn count_column(&mut self, label: &str, values: &[&str], readers: &[(ValueReader, TypeCandidate)]) {
        let fits = |(reader, candidate): &&(ValueReader, TypeCandidate)| {
            !values.is_empty() && candidate.reads_most(reader, values, 90)
        };
        let typed: Vec<&(ValueReader, TypeCandidate)> = readers.iter().filter(fits).collect();
        let is_typed = typed.iter().any(|(reader, candidate)| candidate.reads_value(reader, label));
        // A column of nothing but its label says nothing: some programs end each line so.
        let repeated = values.contains(&label) && values.iter().any(|value| *value != label);
        let alike = !label.is_empty() && (is_typed || repeated);
        // A number is no label, whatever stands below it.
        let number = label.parse::<i64>().is_ok();
        self.likenesses += usize::from(alike || number);
        self.contrasts += usize::from(!alike && !typed.is_empty() && !label.is_empty());
        let others = values.iter().filter(|value| !is_identifier(value)).count();
        self.words += usize::from(typed.is_empty() && is_identifier(label) && others * 2 > values.len());
    }
}

/// Whether `label` labels columns more often than not.
fn is_typical_label(label: &str) -> bool {
    let name = names::to_snake_case(label);
    LABELS.contains(&name.as_str())
        || is_label_word(label)
        || name.ends_with("_id")
        || name.ends_with("_name")
        || name.ends_with("_at")
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
    use super::*;
    use crate::init::table_head::head_of;

    fn found(text: &str) -> FirstRecord {
        head_of(text).first
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
    fn numbers_may_be_a_header() {
        assert_eq!(found("0,1,2\nAda,5,x\nBob,7,y\n"), FirstRecord::Numbers);
        assert_eq!(found(",0,1\n0,Ada,5\n1,Bob,7\n"), FirstRecord::Numbers);
        assert_eq!(found("land,2019,2020,2021\nDE,1,2,3\nFR,4,5,6\n"), labels(&["land", "2019", "2020", "2021"]));
        assert_eq!(found("Ada,2019,2020\nBob,2018,2021\n"), FirstRecord::None { doubtful: false });
        assert_eq!(found("Ada,1,2\nBob,3,4\n"), FirstRecord::None { doubtful: false });
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
