//! A result as a table of Markdown (GitHub's) or of HTML, row by row.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use super::output_error;
use crate::{
    error::Result,
    escape_controls,
    targets::{Cell, QueryRows},
};

/// The language of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MarkupLanguage {
    Markdown,
    Html,
}

pub(super) struct MarkupWriter<'a> {
    out: &'a mut dyn Write,
    language: MarkupLanguage,
    title: String,
    rows: u64,
}

impl<'a> MarkupWriter<'a> {
    pub(super) fn new(out: &'a mut dyn Write, language: MarkupLanguage, title: &str) -> Self {
        Self { out, language, title: title.to_owned(), rows: 0 }
    }

    fn write_head(&mut self, names: &[String]) -> io::Result<()> {
        if self.language == MarkupLanguage::Markdown {
            let cells: Vec<String> = names.iter().map(|name| escape_markdown(name)).collect();
            let rule = vec!["---"; names.len()].join(" | ");
            return writeln!(self.out, "| {} |\n| {rule} |", cells.join(" | "));
        }
        let title = escape_html(&self.title);
        write!(
            self.out,
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title></head>\n"
        )?;
        write!(self.out, "<body><table><caption>{title}</caption>\n<thead><tr>")?;
        names.iter().try_for_each(|name| write!(self.out, "<th>{}</th>", escape_html(name)))?;
        writeln!(self.out, "</tr></thead>\n<tbody>")
    }

    fn write_line(&mut self, cells: &[Cell]) -> io::Result<()> {
        if self.language == MarkupLanguage::Markdown {
            let cells: Vec<String> = cells.iter().map(|cell| escape_markdown(&cell_text(cell))).collect();
            return writeln!(self.out, "| {} |", cells.join(" | "));
        }
        write!(self.out, "<tr>")?;
        cells.iter().try_for_each(|cell| write!(self.out, "<td>{}</td>", escape_html(&cell_text(cell))))?;
        writeln!(self.out, "</tr>")
    }
}

fn cell_text(cell: &Cell) -> Cow<'_, str> {
    match cell {
        Cell::Null => Cow::Borrowed(""),
        Cell::Integer(value) => Cow::Owned(value.to_string()),
        Cell::Real(value) => Cow::Owned(format!("{value:?}")),
        Cell::Text(text) => Cow::Borrowed(text),
    }
}

/// A text in a cell of Markdown: nothing in it has a meaning there.
fn escape_markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in escape_controls(text).chars() {
        if "\\`*_{}[]()<>#+-.!|~&".contains(char) && !char.is_alphanumeric() {
            match char {
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '&' => out.push_str("&amp;"),
                // Harmless within a cell: they mean something at the start of a line, or behind a bracket, which is
                // escaped.
                '-' | '.' | '(' | ')' | '+' | '{' | '}' => out.push(char),
                _ => {
                    out.push('\\');
                    out.push(char);
                }
            }
        } else {
            out.push(char);
        }
    }
    out
}

fn escape_html(text: &str) -> String {
    // The ampersand first, or those of the other escapes would be escaped again.
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

impl QueryRows for MarkupWriter<'_> {
    fn take_columns(&mut self, names: &[String]) -> Result<()> {
        self.write_head(names).map_err(output_error)
    }

    fn take_row(&mut self, cells: &[Cell]) -> Result<()> {
        self.rows += 1;
        self.write_line(cells).map_err(output_error)
    }
}

impl super::ResultWriter for MarkupWriter<'_> {
    fn finish_output(self) -> Result<u64> {
        let end: &[u8] = if self.language == MarkupLanguage::Html { b"</tbody></table></body></html>\n" } else { b"" };
        self.out.write_all(end).and_then(|()| self.out.flush()).map_err(output_error)?;
        Ok(self.rows)
    }
}
