//! The table dialect: <https://datapackage.org/standard/table-dialect/>. Its properties are a closed set.
//!
//! `escapeChar` and `quoteChar`: the standard calls them mutually exclusive and yet gives `quoteChar` a default; the
//! reference implementation applies both, and so do we.

use super::characters;
use crate::schema::document::{DescriptorProblems, DocumentNode, MapReader};
use crate::schema::{Dialect, HeaderMatch, HeaderRows, LineTerminator, Ragged, StrayQuotes, dialect::parse_name};

/// Properties for files that are no delimited text.
const OTHER_FORMATS: [&str; 6] = ["property", "itemType", "itemKeys", "sheetNumber", "sheetName", "table"];

pub(super) fn read(node: &DocumentNode, default: Dialect, problems: &DescriptorProblems) -> Dialect {
    let Some(mut reader) = node.read_map("the dialect", problems) else { return default };
    // `csvddfVersion` is from the standard before this one (CSV Dialect), which old packages still have.
    reader.accept_names(&["$schema", "csvddfVersion", "name", "title", "description"]);
    let comment = characters::read(&mut reader, "commentChar", None);
    let mut dialect = Dialect {
        header: read_header(&mut reader),
        header_join: reader.take_text("headerJoin").unwrap_or(" ").into(),
        comment_char: comment.byte,
        comment_rows: read_rows(&mut reader, "commentRows").unwrap_or_default(),
        header_match: read_name(&mut reader, "headerMatch", &HeaderMatch::NAMES).unwrap_or_default(),
        ragged: read_name(&mut reader, "ragged", &Ragged::NAMES).unwrap_or_default(),
        ..default
    };
    check_comment_rows(&reader, &dialect);
    refuse_other_formats(&mut reader);
    refuse_caseless_header(&mut reader);
    // The reference implementation writes the properties of the text into a map of their own.
    match reader.take_value("csv").and_then(|node| node.read_map("\"csv\"", problems)) {
        Some(mut csv) => {
            read_text(&mut csv, comment, &mut dialect);
            csv.refuse_unknown();
        }
        None => read_text(&mut reader, comment, &mut dialect),
    }
    reader.refuse_unknown();
    dialect
}

/// Reads what tells how records and cells are cut.
fn read_text(reader: &mut MapReader<'_>, comment: characters::CharacterRole<'_>, dialect: &mut Dialect) {
    let (text, delimiter) = characters::read_delimiter(reader, dialect.delimiter.clone());
    let quote = characters::read(reader, "quoteChar", dialect.quote_char);
    let escape = characters::read(reader, "escapeChar", None);
    characters::check_distinct(reader, &[delimiter, quote, escape, comment]);
    dialect.delimiter = text;
    dialect.quote_char = quote.byte;
    dialect.escape_char = escape.byte;
    dialect.double_quote = reader.take_flag("doubleQuote").unwrap_or(dialect.double_quote);
    dialect.null_sequence = reader.take_text("nullSequence").map(String::from);
    dialect.skip_initial_space = reader.take_flag("skipInitialSpace").unwrap_or(false);
    dialect.trim = reader.take_flag("trim").unwrap_or(false);
    dialect.stray_quotes = read_name(reader, "strayQuotes", &StrayQuotes::NAMES).unwrap_or_default();
    dialect.quoted_missing = reader.take_flag("quotedMissing").unwrap_or(true);
    // Only once all properties of the text are read, since each may contradict another one.
    if let Some(reason) = dialect.find_contradiction() {
        reader.problems().report_problem(reader.place(), reason);
    }
    dialect.line_terminator = read_line_terminator(reader, dialect);
}

/// The value that the property `name` calls by one of `names`.
fn read_name<T: Copy>(reader: &mut MapReader<'_>, name: &'static str, names: &[(&'static str, T)]) -> Option<T> {
    let problems = reader.problems();
    let node = reader.take_value(name)?;
    let text = node.read_text(&format!("\"{name}\""), problems)?;
    match parse_name(names, text) {
        Ok(value) => Some(value),
        Err(reason) => {
            problems.report_problem(&node.place, format!("\"{name}\" {reason}"));
            None
        }
    }
}

fn read_line_terminator(reader: &mut MapReader<'_>, dialect: &Dialect) -> LineTerminator {
    let problems = reader.problems();
    let Some(node) = reader.take_value("lineTerminator") else { return LineTerminator::Any };
    let text = node.read_text("\"lineTerminator\"", problems).unwrap_or("\n");
    let roles = [dialect.delimiter.as_character(), dialect.quote_char, dialect.escape_char];
    let delimiter = dialect.delimiter.as_str();
    // The cutter could not tell a delimiter from a line end where one is part of the other.
    let overlaps = text.contains(delimiter) || delimiter.contains(text);
    if text.is_empty() {
        problems.report_with_mend(&node.place, "\"lineTerminator\" must not be empty", "write \"\\n\"");
    } else if text.bytes().any(|byte| roles.contains(&Some(byte))) || overlaps {
        problems
            .report_problem(&node.place, "\"lineTerminator\" holds the delimiter, the quote or the escape character");
    }
    match text {
        // Whatever of these is declared, files have others: many were written on one system and edited on another.
        "\r\n" | "\n" | "\r" | "" => LineTerminator::Any,
        other => LineTerminator::Custom(other.into()),
    }
}

fn read_header(reader: &mut MapReader<'_>) -> HeaderRows {
    let header = reader.take_flag("header").unwrap_or(true);
    let declared = reader.take_value("headerRows").map(|node| &node.place);
    let rows = read_rows(reader, "headerRows");
    match (header, rows, declared) {
        // An empty list beside `header: false` says the same thing twice, and is fine.
        (false, Some(rows), Some(place)) if !rows.is_empty() => {
            let mend = "remove one of the two";
            reader.problems().report_with_mend(place, "\"headerRows\" contradicts \"header\": false", mend);
            HeaderRows::None
        }
        (true, Some(rows), Some(place)) if rows.is_empty() => {
            let mend = "write \"header\": false where the file has no header";
            reader.problems().report_with_mend(place, "\"headerRows\" names no row", mend);
            HeaderRows::None
        }
        (true, rows, _) => HeaderRows::At(rows.unwrap_or_else(|| vec![1])),
        (false, ..) => HeaderRows::None,
    }
}

/// The row numbers of `name`: from 1, each greater than the one before.
fn read_rows(reader: &mut MapReader<'_>, name: &'static str) -> Option<Vec<u64>> {
    let problems = reader.problems();
    let nodes = reader.take_list(name)?;
    let mut rows = Vec::new();
    for node in nodes {
        let Some(row) = node.read_whole_number("a row number", problems) else { continue };
        if row <= rows.last().copied().unwrap_or(0) {
            problems.report_problem(&node.place, "row numbers count from 1, and each is greater than the one before");
        }
        rows.push(row);
    }
    Some(rows)
}

fn check_comment_rows(reader: &MapReader<'_>, dialect: &Dialect) {
    let HeaderRows::At(header) = &dialect.header else { return };
    for row in dialect.comment_rows.iter().filter(|row| header.contains(row)) {
        let message = format!("row {row} is both in \"headerRows\" and in \"commentRows\"");
        reader.problems().report_problem(reader.place(), message);
    }
}

fn refuse_other_formats(reader: &mut MapReader<'_>) {
    for name in OTHER_FORMATS {
        let entry = reader.entries().iter().find(|entry| entry.key == name);
        if let Some(entry) = entry {
            reader.accept_names(&[name]);
            let message = format!("\"{name}\" is not for delimited text, which is all that Landfall reads");
            reader.problems().report_with_mend(&entry.key_place, message, "remove it");
        }
    }
}

/// Of version 1 of the standard. Whether case counts is said where the columns are matched with the fields: in the schema.
fn refuse_caseless_header(reader: &mut MapReader<'_>) {
    let entry = reader.entries().iter().find(|entry| entry.key == "caseSensitiveHeader");
    let Some(entry) = entry else { return };
    if reader.take_flag("caseSensitiveHeader") == Some(false) {
        let message = "whether upper and lower case count is a property of the schema here";
        reader.problems().report_with_mend(
            &entry.key_place,
            message,
            "remove it, and write \"matchCase\": false to the schema",
        );
    }
}
