//! Headers that are broken themselves: a delimiter too many, or a quote that is not doubled. A record that is broken so is a reject,
//! but without its header a file has no names for its fields.

use landfall_core::schema::{Dialect, StrayQuotes};

use super::{dialect::DialectFit, encoding::ExaminedFile};

/// The labels of a header with one cell more than the `width` of the records, where just one of them is empty: a delimiter stands there
/// twice.
pub(super) fn drop_surplus_label(labels: &[String], width: usize) -> Option<Vec<String>> {
    let filled: Vec<String> = labels.iter().filter(|label| !label.is_empty()).cloned().collect();
    (labels.len() == width + 1 && filled.len() == width && width > 1).then_some(filled)
}

/// The labels of a header with one cell less than the `width` of the records, where just one of them has a quote between two words: there, a
/// delimiter is missing.
pub(super) fn split_glued_label(labels: &[String], width: usize) -> Option<Vec<String>> {
    let glued = || labels.iter().enumerate().filter(|(_, label)| label.contains('"'));
    let (at, label) = glued().next().filter(|_| glued().count() == 1 && labels.len() + 1 == width && width > 2)?;
    let (first, second) = label
        .split_once('"')
        .filter(|(first, second)| [first, second].iter().all(|part| !part.trim().is_empty() && !part.contains('"')))?;
    let mut split = labels.to_vec();
    split.splice(at..=at, [first.to_owned(), second.to_owned()]);
    Some(split)
}

/// The same file with its bare quotes as text, where one of them stands in the first record, which has as many cells as the others then,
/// or where no record is broken then.
pub(super) fn try_literal_quotes(file: &ExaminedFile, fit: &DialectFit) -> Option<DialectFit> {
    if fit.sample.faults == 0 || !fit.is_table() {
        return None;
    }
    let literal = DialectFit::new(file, Dialect { stray_quotes: StrayQuotes::Literal, ..fit.dialect.clone() });
    let first = literal.sample.records.first().is_some_and(|first| first.len() == fit.width);
    let heals_all = literal.sample.faults == 0 && literal.share >= fit.share;
    let heals = if fit.sample.sound_start { heals_all } else { first && literal.sample.sound_start };
    (heals && literal.width == fit.width).then_some(literal)
}

/// The same file with spaces between its cells, where those are in quotes: without them, words of a text would be cells.
pub(super) fn try_spaces(file: &ExaminedFile, fit: &DialectFit) -> Option<DialectFit> {
    let between = memchr::memmem::find_iter(&file.prefix, b"\" \"").count();
    let records = fit.sample.records.len() + fit.sample.faults;
    if fit.is_table() || records < 3 || between < records {
        return None;
    }
    let spaced = DialectFit::new(file, Dialect { delimiter: b' '.into(), ..Dialect::default() });
    (spaced.is_table() && spaced.sample.faults * 20 <= records).then_some(spaced)
}

#[cfg(test)]
mod tests {
    use landfall_core::schema::{HeaderMatch, StrayQuotes};

    use super::super::{header::FirstRecord, table_head::head_of};
    use super::*;

    fn labels(names: &[&str]) -> FirstRecord {
        FirstRecord::Labels(names.iter().map(ToString::to_string).collect())
    }

    fn fit(text: &str) -> DialectFit {
        let encoding = landfall_core::schema::Encoding::Utf8;
        let prefix = text.as_bytes().to_vec();
        super::super::dialect::find(&ExaminedFile { encoding, ascii: true, faults: 0, prefix, cut: false })
    }

    #[test]
    fn a_delimiter_too_many_in_the_header_costs_no_name() {
        for header in [",id,name,born", "id,,name,born", "id,name,,born"] {
            let head = head_of(&format!("{header}\n1,Al,2001-02-03\n2,Bo,2002-03-04\n3,Cy,2003-04-05\n"));
            assert_eq!(head.first, labels(&["id", "name", "born"]), "{header}");
            let mut dialect = Dialect::default();
            head.set(&mut dialect, 1);
            assert_eq!(dialect.header_match, HeaderMatch::Position);
        }
    }

    #[test]
    fn a_delimiter_that_lacks_in_the_header_costs_no_name() {
        let head = head_of("\"id\"\"name\",\"born\"\n1,Al,2001-02-03\n2,Bo,2002-03-04\n3,Cy,2003-04-05\n");
        assert_eq!(head.first, labels(&["id", "name", "born"]));
        let split =
            |all: &[&str], width| split_glued_label(&all.iter().map(ToString::to_string).collect::<Vec<_>>(), width);
        assert_eq!(split(&["id", "12\""], 3), None, "inches");
        assert_eq!(split(&["id\"name", "born"], 2), None);
    }

    #[test]
    fn a_bare_quote_in_the_header_costs_no_name() {
        // With fewer records, one that is broken may mean that quotes mean nothing.
        let records: String = (1..80).map(|id| format!("\"{id}\",\"Al, {id}\"\n")).collect();
        let text = format!("\"\"id\",\"name\"\n{records}");
        assert_eq!(head_of(&text).first, labels(&["\"id", "name"]));
        assert_eq!(fit(&text).dialect.stray_quotes, StrayQuotes::Literal);
        let record = format!("\"id\",\"name\"\n{records}\"\"80\",\"Bo\"\n");
        assert_eq!(fit(&record).dialect.stray_quotes, StrayQuotes::Literal, "the cell is in the file as it is told");
        let broken = format!("\"id\",\"name\"\n{records}\"\"80\",\"Bo\n");
        assert_eq!(fit(&broken).dialect.stray_quotes, StrayQuotes::Keep, "a record that stays broken is a reject");
    }

    #[test]
    fn spaces_delimit_cells_that_are_in_quotes() {
        assert_eq!(fit("\"id\" \"full name\"\n\"1\" \"Al B\"\n\"2\" \"Bo, C\"\n").dialect.delimiter, b' ');
        assert_eq!(fit("Main Street 12\nMain Street 14\nHigh Street 3\n").dialect.delimiter, b',');
    }
}
