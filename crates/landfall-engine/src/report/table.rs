//! A result as aligned columns for a person: numbers to the right, control characters escaped.

use std::io::{self, Write};

use super::output_error;
use crate::{
    error::Result,
    escape_controls,
    targets::{Cell, QueryRows},
};

pub(super) struct TableWriter<'a> {
    out: &'a mut dyn Write,
    columns: Vec<TableColumn>,
    rows: Vec<Vec<String>>,
}

struct TableColumn {
    name: String,
    width: usize,
    numeric: bool,
}

impl<'a> TableWriter<'a> {
    pub(super) fn new(out: &'a mut dyn Write) -> Self {
        Self { out, columns: Vec::new(), rows: Vec::new() }
    }

    fn write(&mut self) -> io::Result<()> {
        let names: Vec<String> = self.columns.iter().map(|column| column.name.clone()).collect();
        let rules: Vec<String> = self.columns.iter().map(|column| "─".repeat(column.width)).collect();
        self.write_line(&names)?;
        self.write_line(&rules)?;
        for row in &std::mem::take(&mut self.rows) {
            self.write_line(row)?;
        }
        self.out.flush()
    }

    fn write_line(&mut self, cells: &[String]) -> io::Result<()> {
        let mut line = String::new();
        for (column, cell) in self.columns.iter().zip(cells) {
            let blanks = " ".repeat(column.width.saturating_sub(cell.chars().count()));
            let (before, after) = if column.numeric { (&*blanks, "") } else { ("", &*blanks) };
            line.extend([before, cell, after, "  "]);
        }
        writeln!(self.out, "{}", line.trim_end())
    }
}

impl QueryRows for TableWriter<'_> {
    fn take_columns(&mut self, names: &[String]) -> Result<()> {
        let column = |name: &String| {
            let name = escape_controls(name).into_owned();
            TableColumn { width: name.chars().count(), name, numeric: true }
        };
        self.columns = names.iter().map(column).collect();
        Ok(())
    }

    fn take_row(&mut self, cells: &[Cell]) -> Result<()> {
        let texts: Vec<String> = cells.iter().map(cell_text).collect();
        for (column, (cell, text)) in self.columns.iter_mut().zip(cells.iter().zip(&texts)) {
            column.width = column.width.max(text.chars().count());
            // NULL says nothing about the type of its column.
            column.numeric &= !matches!(cell, Cell::Text(_));
        }
        self.rows.push(texts);
        Ok(())
    }
}

fn cell_text(cell: &Cell) -> String {
    match cell {
        Cell::Null => String::new(),
        Cell::Integer(value) => value.to_string(),
        Cell::Real(value) => format!("{value:?}"),
        Cell::Text(text) => escape_controls(text).into_owned(),
    }
}

impl super::ResultWriter for TableWriter<'_> {
    fn finish_output(mut self) -> Result<u64> {
        let rows = self.rows.len() as u64;
        for column in self.columns.iter_mut().filter(|_| rows == 0) {
            // Without rows nothing shows what a column holds, so that names stand to the left.
            column.numeric = false;
        }
        self.write().map_err(output_error)?;
        Ok(rows)
    }
}
