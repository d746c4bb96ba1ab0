//! A result as CSV: <https://www.rfc-editor.org/rfc/rfc4180>, with LF at the end of lines.
//!
//! NULL is an empty cell, and empty text is `""`, so that both can be told apart.

use std::io::{self, Write};

use super::unwritable;
use crate::{
    error::Result,
    target::{Cell, QueryRows},
};

pub(super) struct Writer<'a> {
    out: &'a mut dyn Write,
    guard_formulas: bool,
    rows: u64,
}

impl<'a> Writer<'a> {
    pub(super) fn new(out: &'a mut dyn Write, guard_formulas: bool) -> Self {
        Self { out, guard_formulas, rows: 0 }
    }

    fn write_row(&mut self, cells: &[Cell]) -> io::Result<()> {
        for (at, cell) in cells.iter().enumerate() {
            if at > 0 {
                self.out.write_all(b",")?;
            }
            match cell {
                // A line with nothing on it would be read as no record at all.
                Cell::Null if cells.len() == 1 => self.out.write_all(b"\"\"")?,
                Cell::Null => {}
                Cell::Integer(value) => write!(self.out, "{value}")?,
                Cell::Real(value) => write!(self.out, "{value:?}")?,
                Cell::Text(text) => self.write_text(text)?,
            }
        }
        self.out.write_all(b"\n")
    }

    fn write_text(&mut self, text: &str) -> io::Result<()> {
        let guard = self.guard_formulas && text.starts_with(['=', '+', '-', '@', '\t', '\r']);
        let quote = text.is_empty() || text.contains([',', '"', '\n', '\r']) || text.starts_with('\u{feff}');
        let around = if quote { "\"" } else { "" };
        let guard = if guard { "'" } else { "" };
        write!(self.out, "{around}{guard}{}{around}", text.replace('"', "\"\""))
    }
}

impl QueryRows for Writer<'_> {
    fn columns(&mut self, names: &[String]) -> Result<()> {
        let cells: Vec<Cell> = names.iter().cloned().map(Cell::Text).collect();
        self.write_row(&cells).map_err(unwritable)
    }

    fn row(&mut self, cells: &[Cell]) -> Result<()> {
        self.rows += 1;
        self.write_row(cells).map_err(unwritable)
    }
}

impl super::Writer for Writer<'_> {
    fn finish(self) -> Result<u64> {
        self.out.flush().map_err(unwritable)?;
        Ok(self.rows)
    }
}
