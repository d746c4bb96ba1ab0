//! How a file is written: delimiter and quotes, by the consistency of the records' widths.

use landfall_core::schema::{Delimiter, Dialect};

use super::{
    broken_header::{try_literal_quotes, try_spaces},
    encoding::ExaminedFile,
    preamble::named_separator,
    sample::RecordSample,
};

/// The delimiters, the one that occurs least in text and numbers first.
const DELIMITERS: [u8; 4] = *b"\t|;,";
/// The share of records, in percent, that must have the same width.
const CONSISTENT: usize = 80;
/// Below the best share by no more than this, a delimiter is as good.
const AS_GOOD: usize = 2;
/// With more than one in so many records broken by quotes, quotes have no meaning.
const ONE_IN: usize = 50;

/// Delimiters that are looked for where none of the usual ones gives a table, and the cells that records must then have.
const RARE: [(&str, usize); 9] =
    [("|||", 2), ("||", 2), ("^", 2), ("~", 2), ("\u{1}", 2), ("\u{1f}", 2), ("::", 2), ("##", 2), (":", 4)];
/// The most times that a character is repeated in a delimiter.
const MOST_REPEATED: usize = 4;
/// The share of records, in percent, that must have the same width with such a delimiter.
const SURELY: usize = 95;
/// If one cell in so many has blanks around it, they do not belong to the cells.
const PADDED: usize = 10;
/// The share of cells, in percent, that begin with a space where spaces behind delimiters do not belong to them.
const SPACED: usize = 90;

/// A dialect and how well it fits.
#[derive(Debug)]
pub(super) struct DialectFit {
    pub(super) dialect: Dialect,
    pub(super) sample: RecordSample,
    /// Cells of most records.
    pub(super) width: usize,
    /// The share of the records, in percent, that have that width.
    pub(super) share: usize,
}

impl DialectFit {
    pub(super) fn new(file: &ExaminedFile, dialect: Dialect) -> Self {
        let separator = named_separator(&file.prefix).is_some();
        let sample = RecordSample::new(&file.prefix, file.cut, &dialect, file.encoding).without_preamble(separator);
        let (width, count) = sample.common_width();
        let all = sample.records.len() + sample.faults;
        // A header may lack the label of one column.
        let lacks_label = width > 2 && sample.records.first().is_some_and(|first| first.len() + 1 == width);
        let count = count + usize::from(lacks_label);
        Self { dialect, sample, width, share: count * 100 / all.max(1) }
    }

    /// Whether the records have several columns and nearly all the same number of them.
    pub(super) fn is_table(&self) -> bool {
        self.width > 1 && self.share >= CONSISTENT
    }
}

/// The dialect of a file.
pub(super) fn find(file: &ExaminedFile) -> DialectFit {
    let fits = quote_dialects().into_iter().map(|quotes| best_delimiter(file, &quotes));
    let fit = fits
        .reduce(|best, next| if is_better_fit(&best, &next) { next } else { best })
        .unwrap_or_else(|| DialectFit::new(file, Dialect::default()));
    let fit = try_mysql_form(file, &fit).unwrap_or(fit);
    let fit = try_initial_spaces(file, &fit).unwrap_or(fit);
    let fit = try_rare_delimiters(file, &fit).unwrap_or(fit);
    let fit = try_comments(file, &fit).unwrap_or(fit);
    let fit = try_spaces(file, &fit).unwrap_or(fit);
    let fit = try_literal_quotes(file, &fit).unwrap_or(fit);
    try_trim(file, &fit).unwrap_or(fit)
}

/// The same file with blanks around cells that do not belong to them, where blanks stand around numbers or around many cells: no program
/// that writes blanks for a reason does so.
fn try_trim(file: &ExaminedFile, fit: &DialectFit) -> Option<DialectFit> {
    let cells = || fit.sample.records.iter().flatten();
    let blank = |character: char| matches!(character, ' ' | '\t');
    let around =
        cells().filter(|cell| cell.starts_with(blank) || cell.ends_with(blank)).filter(|cell| !cell.trim().is_empty());
    let (mut all, mut numbers) = (0, 0);
    for cell in around {
        all += 1;
        numbers +=
            usize::from(cell.trim().bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b',' | b'-')));
    }
    if numbers == 0 && all * PADDED < cells().count() {
        return None;
    }
    let trimming = DialectFit::new(file, Dialect { trim: true, skip_initial_space: false, ..fit.dialect.clone() });
    (trimming.share >= fit.share && trimming.sample.faults <= fit.sample.faults).then_some(trimming)
}

/// The same file with spaces behind delimiters that do not belong to the cells, where nearly all cells have one.
fn try_initial_spaces(file: &ExaminedFile, fit: &DialectFit) -> Option<DialectFit> {
    let cells = || fit.sample.records.iter().flat_map(|record| record.iter().skip(1)).filter(|cell| !cell.is_empty());
    let spaced = cells().filter(|cell| cell.starts_with(' ')).count();
    if spaced == 0 || spaced * 100 < cells().count() * SPACED || fit.dialect.delimiter == b' ' {
        return None;
    }
    let skipping = DialectFit::new(file, Dialect { skip_initial_space: true, ..fit.dialect.clone() });
    (skipping.share >= fit.share && skipping.sample.faults <= fit.sample.faults).then_some(skipping)
}

/// The same file with a delimiter that few files have, where `fit` is no table.
fn try_rare_delimiters(file: &ExaminedFile, fit: &DialectFit) -> Option<DialectFit> {
    if named_separator(&file.prefix).is_some() {
        return None;
    }
    let fits_with = |delimiter: &str, width: usize| {
        let delimiter = Delimiter::parse(delimiter).ok()?;
        let rare = DialectFit::new(file, Dialect { delimiter, ..fit.dialect.clone() });
        (rare.width >= width && rare.share >= SURELY && rare.sample.records.len() > 2).then_some(rare)
    };
    if fit.width > 1 {
        // Between the pipes of `||`, a single one sees cells that are always empty. Commas without a cell between them are more likely a
        // column that nobody fills.
        let is_repeated = |times: &usize| fit.width > *times && has_only_each(&fit.sample, *times);
        let times = (2..=MOST_REPEATED).find(is_repeated).filter(|_| fit.dialect.delimiter == b'|')?;
        return fits_with(&"|".repeat(times), 2);
    }
    RARE.into_iter().find_map(|(delimiter, width)| fits_with(delimiter, width))
}

/// Whether all cells are empty but each of so many, from the first.
fn has_only_each(sample: &RecordSample, times: usize) -> bool {
    let is_empty_between =
        |record: &Vec<String>| record.iter().enumerate().all(|(at, cell)| at % times == 0 || cell.is_empty());
    sample.records.iter().all(is_empty_between)
}

/// The same file with comments, where records that begin with `#` stand between those of the table, and have another number of cells.
fn try_comments(file: &ExaminedFile, fit: &DialectFit) -> Option<DialectFit> {
    let is_comment = |record: &&Vec<String>| record[0].starts_with('#');
    let mut lines = fit.sample.records.iter().filter(is_comment);
    if fit.width < 2 || lines.clone().next().is_none() || lines.any(|record| record.len() == fit.width) {
        return None;
    }
    let commented = DialectFit::new(file, Dialect { comment_char: Some(b'#'), ..fit.dialect.clone() });
    (commented.width == fit.width && commented.share >= fit.share).then_some(commented)
}

/// The same file in MySQL's form, where cells are `\N` and nothing speaks against it.
fn try_mysql_form(file: &ExaminedFile, fit: &DialectFit) -> Option<DialectFit> {
    let escapes = Dialect { escape_char: Some(b'\\'), null_sequence: Some("\\N".into()), ..fit.dialect.clone() };
    let mysql = best_delimiter(file, &escapes);
    let plain = Dialect { escape_char: None, null_sequence: None, ..mysql.dialect.clone() };
    let plain = DialectFit::new(file, plain);
    plain.sample.records.iter().flatten().find(|cell| *cell == "\\N")?;
    (mysql.sample.faults <= fit.sample.faults && mysql.share >= fit.share).then_some(mysql)
}

/// The ways of quoting, the usual one first.
fn quote_dialects() -> [Dialect; 4] {
    let usual = Dialect::default();
    [
        usual.clone(),
        Dialect { escape_char: Some(b'\\'), ..usual.clone() },
        Dialect { quote_char: Some(b'\''), ..usual.clone() },
        Dialect { quote_char: None, ..usual },
    ]
}

/// Whether another way of quoting is clearly better than one that comes before it. A broken quote or two are mistakes in
/// the data, which the load rejects.
fn is_better_fit(best: &DialectFit, next: &DialectFit) -> bool {
    let (faults, all) = (best.sample.faults, best.sample.records.len() + best.sample.faults);
    let better = next.is_table() && next.sample.faults < faults && next.share > best.share;
    match next.dialect.quote_char {
        Some(b'\'') => next.is_table() && next.sample.faults == 0 && has_quoted_cells(&best.sample),
        Some(_) => better,
        None => better && faults * ONE_IN > all,
    }
}

/// Whether cells, cut without regard to apostrophes, look as if those were quotes: as many begin with one as end with one,
/// and there are many.
fn has_quoted_cells(sample: &RecordSample) -> bool {
    let cells = || sample.records.iter().flatten();
    let begin = cells().filter(|cell| cell.starts_with('\'')).count();
    let end = cells().filter(|cell| cell.ends_with('\'')).count();
    begin == end && begin > 0 && begin * 2 >= sample.records.len()
}

fn best_delimiter(file: &ExaminedFile, quotes: &Dialect) -> DialectFit {
    let fit = |delimiter: u8| DialectFit::new(file, Dialect { delimiter: delimiter.into(), ..quotes.clone() });
    if let Some(delimiter) = named_separator(&file.prefix) {
        return fit(delimiter);
    }
    let mut fits: Vec<DialectFit> = DELIMITERS.into_iter().map(fit).collect();
    let most = fits.iter().filter(|fit| fit.is_table()).map(|fit| fit.share).max();
    let as_good = |fit: &DialectFit| most.is_some_and(|most| fit.is_table() && fit.share + AS_GOOD >= most);
    let few = fits.iter().all(|fit| fit.sample.records.len() < 3);
    let chosen = match few {
        true => (0..fits.len()).filter(|&at| as_good(&fits[at])).max_by_key(|&at| fits[at].width),
        false => fits.iter().position(as_good),
    };
    fits.swap_remove(chosen.unwrap_or(DELIMITERS.len() - 1))
}

#[cfg(test)]
mod tests {
    use landfall_core::schema::Encoding;

    use super::*;

    fn found(text: &str) -> (char, Option<u8>, Option<u8>, usize) {
        let file = ExaminedFile {
            encoding: Encoding::Utf8,
            ascii: true,
            faults: 0,
            prefix: text.as_bytes().to_vec(),
            cut: false,
        };
        let fit = find(&file);
        (
            fit.dialect.delimiter.as_character().map_or('?', char::from),
            fit.dialect.quote_char,
            fit.dialect.escape_char,
            fit.width,
        )
    }

    #[test]
    fn the_delimiter_is_the_one_that_gives_even_records() {
        let quote = Some(b'"');
        assert_eq!(found("a,b\n1,2\n3,4\n"), (',', quote, None, 2));
        assert_eq!(found("a;b\n1,5;2,5\n3,5;4,5\n0,5;7,5\n"), (';', quote, None, 2));
        assert_eq!(found("a\tb, c\n1\t2, 3\n4\t5\n"), ('\t', quote, None, 2));
        assert_eq!(found("a|b|c\n1|2|3\n"), ('|', quote, None, 3));
        assert_eq!(found("name\nAl, B\nCo\nDi\nEd\nFi\n"), (',', quote, None, 1));
        assert_eq!(found(""), (',', quote, None, 0));
    }

    #[test]
    fn quotes_are_found() {
        assert_eq!(found("a,b\n'1,2',3\n'3,4',5\n'5,6',7\n"), (',', Some(b'\''), None, 2));
        assert_eq!(found("a,b\n\"x\" of y,2\n\"y\" of z,4\n\"z\",5\n"), (',', None, None, 2));
        assert_eq!(found("a,b\n\"x \\\" y, z\",2\n\"y\",4\n"), (',', Some(b'"'), Some(b'\\'), 2));
        assert_eq!(found("a,b\n\"1\n2\",3\n\"x,\"\"y\",2\n").3, 2);
    }

    #[test]
    fn mysql_s_form_is_found_by_its_null() {
        let quote = Some(b'"');
        assert_eq!(found("1\tx\\ty\n2\t\\N\n3\ta\\\nb\n"), ('\t', quote, Some(b'\\'), 2));
        assert_eq!(found("1,\\N\n2,C:\\New\n3,x\n").2, Some(b'\\'));
        assert_eq!(found("1,C:\\New\n2,C:\\N x\n3,x\n").2, None);
    }

    #[test]
    fn spaces_behind_delimiters_may_not_belong_to_cells() {
        let fit = |text: &str| {
            let prefix = text.as_bytes().to_vec();
            find(&ExaminedFile { encoding: Encoding::Utf8, ascii: true, faults: 0, prefix, cut: false })
        };
        let spaced = fit("id, name\n1, \"Al, B\"\n2, \"Bo, C\"\n3, Di\n");
        assert!(spaced.dialect.skip_initial_space);
        assert_eq!((spaced.width, spaced.share), (2, 100));
        assert!(!fit("id,name\n1, Al\n2,Bo\n").dialect.skip_initial_space);
        assert!(fit("id,sum\n  1, 5 \n 22,17\n333, 4 \n").dialect.trim);
        assert!(!fit("id,sum\n1,5\n22,17\n333,4\n").dialect.trim);
    }

    #[test]
    fn rare_delimiters_are_found_where_no_other_is() {
        assert_eq!(found("1\u{1}a\n2\u{1}b\n3\u{1}c\n").0, '\u{1}');
        assert_eq!(found("a:x:1:/home\nb:x:2:/home\nc:x:3:/root\n").0, ':');
        assert_eq!(found("12:30\n12:40\n12:50\n").3, 1);
        assert_eq!(found("sep=|\r\na|b;c\r\n1|2;3\r\n").0, '|');
        let text = "id||name||note\n1||a|b||x\n2||c||y\n3||d||\n";
        let file = ExaminedFile { encoding: Encoding::Utf8, ascii: true, faults: 0, prefix: text.into(), cut: false };
        assert_eq!(find(&file).dialect.delimiter.as_str(), "||");
        let text = "id|||name|||note\n1|||a|||x\n2|||c|||y\n3|||d|||\n";
        let file = ExaminedFile { encoding: Encoding::Utf8, ascii: true, faults: 0, prefix: text.into(), cut: false };
        assert_eq!(find(&file).dialect.delimiter.as_str(), "|||");
        assert_eq!(found("1,,x\n2,,y\n3,,z\n"), (',', Some(b'"'), None, 3));
    }

    #[test]
    fn comments_may_stand_between_records() {
        let text = "id,name\n1,Al\n# checked\n2,Bo\n3,Cy\n";
        let file = ExaminedFile { encoding: Encoding::Utf8, ascii: true, faults: 0, prefix: text.into(), cut: false };
        assert_eq!(find(&file).dialect.comment_char, Some(b'#'));
        assert_eq!(found("#,name\n1,Al\n2,Bo\n").3, 2);
    }

    #[test]
    fn comments_at_the_beginning_are_no_records() {
        assert_eq!(found("# made by hand\n# \"x\n\nid,name\n1,Al\n").3, 2);
    }
}
