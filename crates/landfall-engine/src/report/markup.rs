//! A result as a table of Markdown (GitHub's) or of HTML, row by row.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use super::unwritable;
use crate::{
    error::Result,
    escape_controls,
    targets::{Cell, QueryRows},
};

/// The language of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Markdown,
    Html,
}

pub(super) struct Writer<'a> {
    out: &'a mut dyn Write,
    language: Language,
    title: String,
    rows: u64,
}

impl<'a> Writer<'a> {
    pub(super) fn new(out: &'a mut dyn Write, language: Language, title: &str) -> Self {
        Self { out, language, title: title.to_owned(), rows: 0 }
    }

    fn head(&mut self, names: &[String]) -> io::Result<()> {
        if self.language == Language::Markdown {
            let cells: Vec<String> = names.iter().map(|name| markdown(name)).collect();
            let rule = vec!["---"; names.len()].join(" | ");
            return writeln!(self.out, "| {} |\n| {rule} |", cells.join(" | "));
        }
        let title = html(&self.title);
        write!(
            self.out,
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title></head>\n"
        )?;
        write!(self.out, "<body><table><caption>{title}</caption>\n<thead><tr>")?;
        names.iter().try_for_each(|name| write!(self.out, "<th>{}</th>", html(name)))?;
        writeln!(self.out, "</tr></thead>\n<tbody>")
    }

    fn line(&mut self, cells: &[Cell]) -> io::Result<()> {
        if self.language == Language::Markdown {
            let cells: Vec<String> = cells.iter().map(|cell| markdown(&text(cell))).collect();
            return writeln!(self.out, "| {} |", cells.join(" | "));
        }
        write!(self.out, "<tr>")?;
        cells.iter().try_for_each(|cell| write!(self.out, "<td>{}</td>", html(&text(cell))))?;
        writeln!(self.out, "</tr>")
    }
}

fn text(cell: &Cell) -> Cow<'_, str> {
    match cell {
        Cell::Null => Cow::Borrowed(""),
        Cell::Integer(value) => Cow::Owned(value.to_string()),
        Cell::Real(value) => Cow::Owned(format!("{value:?}")),
        Cell::Text(text) => Cow::Borrowed(text),
    }
}

/// A text in a cell of Markdown: nothing in it has a meaning there.
fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in escape_controls(text).chars() {
        if "\\`*_{}[]()<>#+-.!|~&".contains(char) && !char.is_alphanumeric() {
            match char {
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '&' => out.push_str("&amp;"),
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

fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

impl QueryRows for Writer<'_> {
    fn columns(&mut self, names: &[String]) -> Result<()> {
        self.head(names).map_err(unwritable)
    }

    fn row(&mut self, cells: &[Cell]) -> Result<()> {
        self.rows += 1;
        self.line(cells).map_err(unwritable)
    }
}

impl super::Writer for Writer<'_> {
    fn finish(self) -> Result<u64> {
        let end: &[u8] = if self.language == Language::Html { b"</tbody></table></body></html>\n" } else { b"" };
        self.out.write_all(end).and_then(|()| self.out.flush()).map_err(unwritable)?;
        Ok(self.rows)
    }
}
