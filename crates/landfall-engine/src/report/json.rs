//! A result as JSON: an array of objects, one a line. Integers are numbers with all their digits, exact decimals text.

use std::{
    collections::HashSet,
    io::{self, Write},
};

use super::output_error;
use crate::{
    error::{Error, Result},
    targets::{Cell, QueryRows},
};

pub(super) struct JsonWriter<'a> {
    out: &'a mut dyn Write,
    object: ObjectRows,
    rows: u64,
}

/// Writes rows as objects.
#[derive(Debug, Default)]
pub(super) struct ObjectRows {
    /// The names of the columns, as JSON.
    names: Vec<String>,
}

impl ObjectRows {
    /// For columns with these names.
    ///
    /// # Errors
    /// Two columns of one name.
    pub(super) fn for_columns(names: &[String]) -> Result<Self> {
        let mut seen = HashSet::new();
        // Most readers of JSON keep one of two equal names, so that a column would be lost without a word.
        if let Some(twice) = names.iter().find(|name| !seen.insert(*name)) {
            let mend = "name the columns apart with AS, or write the report as csv";
            return Err(Error::Usage(format!("the report has two columns {twice:?}: {mend}")));
        }
        Ok(Self { names: names.iter().map(|name| serde_json::Value::from(name.as_str()).to_string()).collect() })
    }

    /// Writes one row.
    pub(super) fn write(&self, cells: &[Cell], out: &mut dyn Write) -> io::Result<()> {
        out.write_all(b"{")?;
        for (at, (name, cell)) in self.names.iter().zip(cells).enumerate() {
            let comma = if at > 0 { "," } else { "" };
            write!(out, "{comma}{name}:{}", cell_to_json(cell))?;
        }
        out.write_all(b"}")
    }
}

impl<'a> JsonWriter<'a> {
    pub(super) fn new(out: &'a mut dyn Write) -> Self {
        Self { out, object: ObjectRows::default(), rows: 0 }
    }

    fn write_row(&mut self, cells: &[Cell]) -> io::Result<()> {
        // The bracket comes with the first row: an error before it leaves no half array behind.
        self.out.write_all(if self.rows == 0 { b"[\n" } else { b",\n" })?;
        self.object.write(cells, self.out)
    }
}

fn cell_to_json(cell: &Cell) -> serde_json::Value {
    match cell {
        Cell::Null => serde_json::Value::Null,
        Cell::Integer(value) => (*value).into(),
        // JSON has no infinity: it is written as text.
        Cell::Real(value) if !value.is_finite() => value.to_string().into(),
        Cell::Real(value) => (*value).into(),
        Cell::Text(text) => text.as_str().into(),
    }
}

impl QueryRows for JsonWriter<'_> {
    fn take_columns(&mut self, names: &[String]) -> Result<()> {
        self.object = ObjectRows::for_columns(names)?;
        Ok(())
    }

    fn take_row(&mut self, cells: &[Cell]) -> Result<()> {
        self.write_row(cells).map_err(output_error)?;
        self.rows += 1;
        Ok(())
    }
}

impl super::ResultWriter for JsonWriter<'_> {
    fn finish_output(self) -> Result<u64> {
        let end: &[u8] = if self.rows == 0 { b"[]\n" } else { b"\n]\n" };
        self.out.write_all(end).and_then(|()| self.out.flush()).map_err(output_error)?;
        Ok(self.rows)
    }
}
