//! A result as JSON lines (NDJSON): an object on each line.

use std::io::Write;

use super::{json::Object, unwritable};
use crate::{
    error::Result,
    targets::{Cell, QueryRows},
};

pub(super) struct Writer<'a> {
    out: &'a mut dyn Write,
    object: Object,
    rows: u64,
}

impl<'a> Writer<'a> {
    pub(super) fn new(out: &'a mut dyn Write) -> Self {
        Self { out, object: Object::default(), rows: 0 }
    }
}

impl QueryRows for Writer<'_> {
    fn columns(&mut self, names: &[String]) -> Result<()> {
        self.object = Object::of(names)?;
        Ok(())
    }

    fn row(&mut self, cells: &[Cell]) -> Result<()> {
        self.object.write(cells, self.out).and_then(|()| self.out.write_all(b"\n")).map_err(unwritable)?;
        self.rows += 1;
        Ok(())
    }
}

impl super::Writer for Writer<'_> {
    fn finish(self) -> Result<u64> {
        self.out.flush().map_err(unwritable)?;
        Ok(self.rows)
    }
}
