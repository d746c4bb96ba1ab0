//! The tables as they were at one moment.

use arrow_array::RecordBatch;
use landfall_core::schema::FieldIndex;

use super::Table;
use crate::error::Result;

/// The tables as they were at one moment, while others go on writing: what a backup reads.
pub trait Snapshot {
    /// Which moment that is, in the database's own terms.
    fn describe_moment(&self) -> String;

    /// Whether `table` was there.
    fn has_table(&mut self, table: &Table) -> Result<bool>;

    /// The number of rows of `table`, counted by the database: what is held against the rows that it hands over.
    fn row_count(&mut self, table: &Table) -> Result<u64>;

    /// Hands all rows of `table`, with the fields at `positions`, to `visit` in batches of a few thousand. It ends early with an
    /// error of `visit`.
    ///
    /// # Errors
    /// A value that its field cannot hold: another program has stored it. Nothing is left out.
    fn visit_rows(
        &mut self,
        table: &Table,
        positions: &[FieldIndex],
        visit: &mut dyn FnMut(RecordBatch) -> Result<()>,
    ) -> Result<()>;
}
