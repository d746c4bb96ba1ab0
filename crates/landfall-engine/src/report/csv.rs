//! A result as CSV: <https://www.rfc-editor.org/rfc/rfc4180>, with LF at the end of lines.
//!
//! NULL is an empty cell, and empty text is `""`, so that both can be told apart.

use std::io::{self, Write};

use super::output_error;
use crate::{
    csv_text::{is_formula, push_csv_cell},
    error::Result,
    targets::{Cell, QueryRows},
};

pub(super) struct CsvWriter<'a> {
    out: &'a mut dyn Write,
    guard_formulas: bool,
    line: String,
    rows: u64,
}

impl<'a> CsvWriter<'a> {
    pub(super) fn new(out: &'a mut dyn Write, guard_formulas: bool) -> Self {
        Self { out, guard_formulas, line: String::new(), rows: 0 }
    }

    fn write_row(&mut self, cells: &[Cell]) -> io::Result<()> {
        self.line.clear();
        for (at, cell) in cells.iter().enumerate() {
            if at > 0 {
                self.line.push(',');
            }
            match cell {
                // A line with nothing on it would be read as no record at all.
                Cell::Null if cells.len() == 1 => self.line.push_str("\"\""),
                Cell::Null => {}
                Cell::Integer(value) => self.line.push_str(&value.to_string()),
                // `{:?}` is the shortest text that reads back as the same number, and keeps `.0` on whole ones.
                Cell::Real(value) => self.line.push_str(&format!("{value:?}")),
                Cell::Text(text) => self.push_text(text),
            }
        }
        self.line.push('\n');
        self.out.write_all(self.line.as_bytes())
    }

    fn push_text(&mut self, text: &str) {
        if text.is_empty() {
            self.line.push_str("\"\"");
        // After the empty text, which no spreadsheet runs. Numbers never get here, so a negative one stays a number.
        } else if self.guard_formulas && is_formula(text) {
            push_csv_cell(&mut self.line, &format!("'{text}"));
        } else {
            push_csv_cell(&mut self.line, text);
        }
    }
}

impl QueryRows for CsvWriter<'_> {
    fn take_columns(&mut self, names: &[String]) -> Result<()> {
        let cells: Vec<Cell> = names.iter().cloned().map(Cell::Text).collect();
        self.write_row(&cells).map_err(output_error)
    }

    fn take_row(&mut self, cells: &[Cell]) -> Result<()> {
        self.rows += 1;
        self.write_row(cells).map_err(output_error)
    }
}

impl super::ResultWriter for CsvWriter<'_> {
    fn finish_output(self) -> Result<u64> {
        self.out.flush().map_err(output_error)?;
        Ok(self.rows)
    }
}
