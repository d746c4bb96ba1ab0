//! What stands before a table in its file: Excel's `sep=;`, comments, and titles as reports have them.

use super::sample::most_frequent;

/// The most records of titles.
const MOST_TITLES: usize = 30;
/// What Excel reads as the name of the delimiter.
const SEPARATOR: &str = "sep=";

/// The records before a table.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Preamble {
    /// The first line names the delimiter.
    pub(super) separator: bool,
    /// Records that begin with `#`.
    pub(super) comments: usize,
    /// Records of few cells, or with text in the first one only.
    pub(super) titles: usize,
}

/// The delimiter that the first line of a file names, as `sep=;` does.
pub(super) fn named_separator(prefix: &[u8]) -> Option<u8> {
    // Marks and the other halves of UTF-16 are not ASCII, or NUL.
    let mut ascii = prefix.iter().copied().filter(|byte| byte.is_ascii() && *byte != 0);
    let named = SEPARATOR.bytes().all(|byte| ascii.next().is_some_and(|next| next.eq_ignore_ascii_case(&byte)));
    let delimiter = ascii.next().filter(|byte| named && !matches!(byte, b'\r' | b'\n' | b'"'))?;
    matches!(ascii.next(), Some(b'\r' | b'\n')).then_some(delimiter)
}

impl Preamble {
    /// Finds what stands before the table; `numbers` has the number of each record in its file.
    pub(super) fn find(records: &[Vec<String>], numbers: &[u64], separator: bool) -> Self {
        let separator = separator && numbers.first() == Some(&1);
        let start = usize::from(separator);
        let comments = count_comments(&records[start..]);
        let titles = count_titles(&records[start + comments..]);
        Self { separator, comments, titles }
    }

    /// How many records that are not blank it has.
    pub(super) const fn record_count(self) -> usize {
        self.separator as usize + self.comments + self.titles
    }
}

/// How many records at the beginning look like comments: they begin with `#`, and have another number of cells than most records.
/// A header such as `#id,name` is none.
fn count_comments(records: &[Vec<String>]) -> usize {
    let lead = records.iter().take_while(|record| record[0].trim_start().starts_with('#')).count();
    let (width, _) = most_frequent(&records[lead..]);
    if width > 1 && records[..lead].iter().all(|record| record.len() != width) { lead } else { 0 }
}

/// How many records at the beginning look like titles. The record behind them must be one of the table.
fn count_titles(records: &[Vec<String>]) -> usize {
    let (width, count) = most_frequent(records);
    if width < 2 || count < 2 {
        return 0;
    }
    let titles = records.iter().take(MOST_TITLES).enumerate();
    let lead = titles.take_while(|(at, record)| is_title(record, width, *at == 0)).count();
    if records.get(lead).is_some_and(|record| record.len() == width) { lead } else { 0 }
}

/// Whether a record has too few cells for a table of this `width`. The `first` one must have words: a number alone may be data.
fn is_title(record: &[String], width: usize, first: bool) -> bool {
    let filled: Vec<&String> = record.iter().filter(|cell| !cell.trim().is_empty()).collect();
    // Behind a title, words and their values come in pairs.
    let short = record.len() != width && (filled.len() * 2 <= width || (!first && filled.len() < width));
    let alone = record.len() == width && width > 2 && filled.len() == 1 && !record[0].trim().is_empty();
    let words = !first || filled.first().is_some_and(|cell| cell.contains(char::is_alphabetic));
    (short || alone) && words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(lines: &[&str]) -> Preamble {
        let records: Vec<Vec<String>> = lines.iter().map(|line| line.split(';').map(String::from).collect()).collect();
        let numbers: Vec<u64> = (1..=records.len() as u64).collect();
        Preamble::find(&records, &numbers, lines[0].starts_with("sep="))
    }

    #[test]
    fn titles_stand_before_a_table() {
        let none = Preamble::default();
        assert_eq!(
            find(&["Sales 2024", "as of;1 May", "id;name;sum", "1;a;2", "2;b;3"]),
            Preamble { titles: 2, ..none }
        );
        assert_eq!(find(&["Sales 2024;;", "id;name;sum", "1;a;2", "2;b;3"]), Preamble { titles: 1, ..none });
        assert_eq!(find(&["id;name;sum", "1;a;2", "2;b;3"]), none);
        assert_eq!(find(&["1", "2;b;3", "2;b;3"]), none, "a number may be a record that is broken");
    }

    #[test]
    fn a_line_may_name_the_delimiter() {
        assert_eq!(named_separator(b"sep=;\r\nid;name\n"), Some(b';'));
        assert_eq!(named_separator(b"\xEF\xBB\xBFSEP=|\n"), Some(b'|'));
        assert_eq!(named_separator(b"\xFF\xFEs\0e\0p\0=\0\t\0\r\0\n\0"), Some(b'\t'));
        assert_eq!(named_separator(b"sep=\n"), None);
        assert_eq!(named_separator(b"separator\n"), None);
        assert!(find(&["sep=;", "id;name;sum", "1;a;2", "2;b;3"]).separator);
    }
}
