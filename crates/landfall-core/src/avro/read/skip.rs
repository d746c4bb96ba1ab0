//! Values that are left out: stepped over, with the same checks.

use super::{CursorResult, RowReader, refuse_bytes};
use crate::avro::schema::{AvroType, DEPTH, TypeId};

impl RowReader<'_> {
    /// Steps over a value.
    pub(super) fn skip_value(&mut self, id: TypeId, depth: usize) -> CursorResult<()> {
        let kind = self.schema.get(id);
        if depth > DEPTH {
            return refuse_bytes(format!("it is nested deeper than {DEPTH} levels"));
        }
        match kind {
            AvroType::Null => self.cursor.count_empty_value()?,
            AvroType::Boolean => drop(self.cursor.read_boolean()?),
            AvroType::Int
            | AvroType::Long
            | AvroType::Enum(_)
            | AvroType::Date
            | AvroType::Time(_)
            | AvroType::Timestamp { .. } => drop(self.cursor.read_long()?),
            AvroType::Float => drop(self.cursor.take_bytes(4)?),
            AvroType::Double => drop(self.cursor.take_bytes(8)?),
            AvroType::Bytes | AvroType::String | AvroType::Decimal { size: None, .. } => {
                self.cursor.read_bytes()?;
            }
            AvroType::Fixed(size) | AvroType::Decimal { size: Some(size), .. } => drop(self.take_fixed(*size)?),
            AvroType::Uuid => drop(self.cursor.take_bytes(16)?),
            AvroType::Duration => drop(self.cursor.take_bytes(12)?),
            AvroType::Union(branches) => {
                let branch = branches[self.cursor.read_position(branches.len(), "branches")?];
                self.skip_value(branch, depth)?;
            }
            AvroType::Record(record) => {
                if record.fields.is_empty() {
                    self.cursor.count_empty_value()?;
                }
                record.fields.iter().try_for_each(|field| self.skip_value(field.kind, depth + 1))?;
            }
            AvroType::Array(item) | AvroType::Map(item) => {
                self.skip_items(*item, matches!(kind, AvroType::Map(_)), depth)?
            }
        }
        Ok(())
    }

    fn skip_items(&mut self, item: TypeId, named: bool, depth: usize) -> CursorResult<()> {
        loop {
            let (count, end) = self.cursor.read_block_head()?;
            for _ in 0..count {
                if named {
                    self.cursor.read_bytes()?;
                }
                self.skip_value(item, depth + 1)?;
            }
            self.cursor.check_block_end(end)?;
            if count == 0 {
                return Ok(());
            }
        }
    }
}
