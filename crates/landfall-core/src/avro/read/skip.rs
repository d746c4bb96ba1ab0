//! Values that are left out: stepped over, with the same checks.

use super::{Result, Row, bad};
use crate::avro::schema::{AvroType, DEPTH, TypeId};

impl Row<'_> {
    /// Steps over a value.
    pub(super) fn skip(&mut self, id: TypeId, depth: usize) -> Result<()> {
        let kind = self.schema.get(id);
        if depth > DEPTH {
            return bad(format!("it is nested deeper than {DEPTH} levels"));
        }
        match kind {
            AvroType::Null => self.cursor.nothing()?,
            AvroType::Boolean => drop(self.cursor.boolean()?),
            AvroType::Int
            | AvroType::Long
            | AvroType::Enum(_)
            | AvroType::Date
            | AvroType::Time(_)
            | AvroType::Timestamp { .. } => drop(self.cursor.long()?),
            AvroType::Float => drop(self.cursor.take(4)?),
            AvroType::Double => drop(self.cursor.take(8)?),
            AvroType::Bytes | AvroType::String | AvroType::Decimal { size: None, .. } => drop(self.cursor.bytes()?),
            AvroType::Fixed(size) | AvroType::Decimal { size: Some(size), .. } => drop(self.fixed(*size)?),
            AvroType::Uuid => drop(self.cursor.take(16)?),
            AvroType::Duration => drop(self.cursor.take(12)?),
            AvroType::Union(branches) => {
                let branch = branches[self.cursor.position(branches.len(), "branches")?];
                self.skip(branch, depth)?;
            }
            AvroType::Record(record) => {
                if record.fields.is_empty() {
                    self.cursor.nothing()?;
                }
                record.fields.iter().try_for_each(|field| self.skip(field.kind, depth + 1))?;
            }
            AvroType::Array(item) | AvroType::Map(item) => {
                self.skip_items(*item, matches!(kind, AvroType::Map(_)), depth)?
            }
        }
        Ok(())
    }

    fn skip_items(&mut self, item: TypeId, named: bool, depth: usize) -> Result<()> {
        loop {
            let (count, end) = self.cursor.block()?;
            for _ in 0..count {
                if named {
                    self.cursor.bytes()?;
                }
                self.skip(item, depth + 1)?;
            }
            self.cursor.ends(end)?;
            if count == 0 {
                return Ok(());
            }
        }
    }
}
