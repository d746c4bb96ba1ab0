//! A result as JSON lines (NDJSON): an object on each line.

use std::io::Write;

use super::{json::ObjectRows, output_error};
use crate::{
    error::Result,
    targets::{Cell, QueryRows},
};

pub(super) struct JsonLinesWriter<'a> {
    out: &'a mut dyn Write,
    object: ObjectRows,
    rows: u64,
}

impl<'a> JsonLinesWriter<'a> {
    pub(super) fn new(out: &'a mut dyn Write) -> Self {
        Self { out, object: ObjectRows::default(), rows: 0 }
    }
}

impl QueryRows for JsonLinesWriter<'_> {
    fn take_columns(&mut self, names: &[String]) -> Result<()> {
        self.object = ObjectRows::for_columns(names)?;
        Ok(())
    }

    fn take_row(&mut self, cells: &[Cell]) -> Result<()> {
        self.object.write(cells, self.out).and_then(|()| self.out.write_all(b"\n")).map_err(output_error)?;
        self.rows += 1;
        Ok(())
    }
}

impl super::ResultWriter for JsonLinesWriter<'_> {
    fn finish_output(self) -> Result<u64> {
        self.out.flush().map_err(output_error)?;
        Ok(self.rows)
    }
}
