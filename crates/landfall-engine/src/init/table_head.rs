//! What stands at the head of a table: its header, and the units of its columns.

use std::collections::HashSet;

use landfall_core::schema::{Dialect, HeaderMatch, HeaderRows};

use super::{
    broken_header::{drop_surplus_label, split_glued_label},
    dialect::DialectFit,
    header::FirstRecord,
    second_look::unit_part,
    words,
};

/// What stands at the head of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TableHead {
    pub(super) first: FirstRecord,
    /// The cells of the header; none where there is none.
    pub(super) labels: Vec<String>,
    /// Records behind the first that are the same header again: a header of several lines.
    pub(super) more_lines: usize,
    /// The number of the record below the header that has the units of the columns.
    pub(super) units_row: Option<u64>,
    /// What a person should know of the labels.
    pub(super) oddity: Option<HeaderOddity>,
}

/// How a header differs from what one expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeaderOddity {
    /// The first column has no label: the numbers of the rows, as pandas writes them.
    RowNumbers,
    /// The header has a label less than the records have cells: the names of the rows, as R writes them.
    RowNames,
    /// The records have one more cell than the header, which is always empty.
    TrailingDelimiter,
    /// The header has one more cell than the records, which is empty.
    SurplusLabel,
    /// The header has one cell less than the records: two labels are not delimited.
    GluedLabel,
}

impl TableHead {
    /// Looks at the first records of a file.
    pub(super) fn find(fit: &DialectFit) -> Self {
        let none = |doubtful| Self {
            first: FirstRecord::None { doubtful },
            labels: Vec::new(),
            more_lines: 0,
            units_row: None,
            oddity: None,
        };
        let Some((first, rest)) = fit.sample.records.split_first() else { return none(false) };
        let Some((cells, oddity)) = fit_width(first, rest, fit.width).filter(|_| fit.sample.sound_start) else {
            return none(false);
        };
        let first = match FirstRecord::judge(&cells, rest, oddity) {
            FirstRecord::None { doubtful } => return none(doubtful),
            header => header,
        };
        let more_lines = rest.iter().take_while(|record| are_same_labels(record, &cells)).count();
        let (first, rest) = (first.join_lines(more_lines), &rest[more_lines..]);
        let row_numbers = cells.first().is_some_and(String::is_empty) && are_row_numbers(rest);
        let oddity = oddity.or_else(|| row_numbers.then_some(HeaderOddity::RowNumbers));
        let units_row = has_units(rest, fit.width).then(|| fit.sample.numbers.get(1 + more_lines).copied()).flatten();
        let labels = fit.sample.records[0].iter().map(|label| join_label(label.trim(), more_lines)).collect();
        Self { first, labels, more_lines, units_row, oddity }
    }

    /// Whether the first column only numbers the records.
    pub(super) fn numbers_rows(&self) -> bool {
        self.oddity == Some(HeaderOddity::RowNumbers)
    }

    /// `dialect` with this head, where the record numbered `first` is the first that is neither blank nor part of what stands before.
    pub(super) fn set(&self, dialect: &mut Dialect, first: u64) {
        let surplus = matches!(self.oddity, Some(HeaderOddity::SurplusLabel | HeaderOddity::GluedLabel));
        // The header itself joins only cells that differ, so that the names are none of its labels.
        if surplus || self.more_lines > 0 || matches!(self.first, FirstRecord::Unusable(_) | FirstRecord::Numbers) {
            dialect.header_match = HeaderMatch::Position;
        }
        let (header, comments) = match self.first {
            FirstRecord::None { .. } => (HeaderRows::None, 1..first),
            _ => (HeaderRows::At((first..=first + self.more_lines as u64).collect()), 0..0),
        };
        (dialect.header, dialect.comment_rows) = (header, comments.chain(self.units_row).collect());
    }
}

/// Whether `record` has the labels of the header once more.
fn are_same_labels(record: &[String], labels: &[String]) -> bool {
    record.iter().map(|cell| cell.trim()).eq(labels.iter().map(String::as_str))
}

/// The label of a column whose header has it in `more` further lines: the standard joins them by a space (`headerJoin`).
pub(super) fn join_label(label: &str, more: usize) -> String {
    vec![label; more + 1].join(" ")
}

/// The labels of a header for `width` columns, and how they differ from those in the file; none where it has other cells than one too few.
fn fit_width(first: &[String], rest: &[Vec<String>], width: usize) -> Option<(Vec<String>, Option<HeaderOddity>)> {
    let mut labels: Vec<String> = first.iter().map(|label| label.trim().to_owned()).collect();
    if labels.len() == width {
        return Some((labels, None));
    }
    if let Some(labels) = drop_surplus_label(&labels, width) {
        return Some((labels, Some(HeaderOddity::SurplusLabel)));
    }
    if let Some(labels) = split_glued_label(&labels, width) {
        return Some((labels, Some(HeaderOddity::GluedLabel)));
    }
    let whole = || rest.iter().filter(|record| record.len() == width);
    if labels.len() + 1 != width || width < 3 || whole().count() < 2 || labels.iter().any(String::is_empty) {
        return None;
    }
    if whole().all(|record| record[width - 1].trim().is_empty()) {
        labels.push(String::new());
        return Some((labels, Some(HeaderOddity::TrailingDelimiter)));
    }
    let mut names = HashSet::new();
    let named = whole().all(|record| !record[0].is_empty() && names.insert(&record[0]));
    labels.insert(0, String::new());
    named.then_some((labels, Some(HeaderOddity::RowNames)))
}

/// Whether the first column numbers the records, from 0 or 1.
fn are_row_numbers(rest: &[Vec<String>]) -> bool {
    let number = |record: &Vec<String>| record.first()?.parse::<usize>().ok();
    let begin = rest.first().and_then(number).filter(|&begin| begin < 2);
    begin.is_some_and(|begin| rest.iter().enumerate().all(|(at, record)| number(record) == Some(begin + at)))
}

/// Whether the first record of `rest` has units above columns of numbers, and nothing that could be data.
fn has_units(rest: &[Vec<String>], width: usize) -> bool {
    let Some((first, below)) = rest.split_first().filter(|(first, below)| first.len() == width && below.len() > 1)
    else {
        return false;
    };
    let mut units = 0;
    for (column, cell) in first.iter().map(|cell| cell.trim()).enumerate() {
        let values: Vec<&str> = below.iter().filter_map(|record| Some(record.get(column)?.trim())).collect();
        let numbers = values.iter().filter(|value| is_number_like(value)).count();
        let numeric = numbers > 0 && numbers * 10 >= values.iter().filter(|value| !value.is_empty()).count() * 9;
        let bracketed = cell.starts_with(['(', '[']) && cell.ends_with([')', ']']);
        let short = cell.chars().count() <= 8 && !cell.contains(|character: char| character.is_ascii_digit());
        match (cell.is_empty() || matches!(cell, "-" | "–"), bracketed) {
            (true, _) => {}
            (false, true) => units += usize::from(numeric),
            (false, false) if numeric && short && !words::is_missing_word(cell) => units += 1,
            (false, false) => return false,
        }
    }
    units > 0
}

/// Whether `value` is a number, perhaps with a unit.
fn is_number_like(value: &str) -> bool {
    let digits = value.bytes().any(|byte| byte.is_ascii_digit());
    digits && unit_part(value).chars().count() <= 3 && !value.contains(':')
}

/// The head of a file with this text.
#[cfg(test)]
pub(super) fn head_of(text: &str) -> TableHead {
    let prefix = text.as_bytes().to_vec();
    let (encoding, ascii, faults, cut) = (landfall_core::schema::Encoding::Utf8, true, 0, false);
    TableHead::find(&super::dialect::find(&super::encoding::ExaminedFile { encoding, ascii, faults, prefix, cut }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_below_the_header_are_no_data() {
        assert_eq!(head_of("ort;temp;wind\n;°C;m/s\nUlm;3;4\nBonn;5;2\nKiel;6;7\n").units_row, Some(2));
        assert_eq!(head_of("ort;temp;wind\nUlm;3;4\nBonn;5;2\nKiel;6;7\n").units_row, None);
        assert_eq!(head_of("ort;temp\nUlm;n/a\nBonn;5\nKiel;6\n").units_row, None);
    }

    #[test]
    fn a_header_may_have_several_lines() {
        let head = head_of("id,name\nid,name\n1,Al\n2,Bo\n3,Cy\n");
        assert_eq!(head.first, FirstRecord::Labels(vec!["id id".into(), "name name".into()]));
        let mut dialect = Dialect::default();
        head.set(&mut dialect, 1);
        assert_eq!((dialect.header, dialect.header_match), (HeaderRows::At(vec![1, 2]), HeaderMatch::Position));
    }

    #[test]
    fn a_header_may_lack_the_label_of_one_column() {
        let oddity = |text: &str| head_of(text).oddity;
        assert_eq!(oddity(",name,age\n0,Al,3\n1,Bo,4\n2,Cy,5\n"), Some(HeaderOddity::RowNumbers));
        assert_eq!(oddity("mpg,cyl\nMazda,21,6\nDatsun,22,4\nHornet,23,5\n"), Some(HeaderOddity::RowNames));
        assert_eq!(oddity("a;b;c\n1;x;2;\n2;y;3;\n3;z;4;\n"), Some(HeaderOddity::TrailingDelimiter));
    }
}
