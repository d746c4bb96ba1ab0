//! What a write transaction reads: its own rows and entries among those of others.

use arrow_array::RecordBatch;
use landfall_core::{keys::Scalar, schema::FieldIndex, validate::TargetLimits};

use super::{
    super::{RowFilter, Table, TargetRead, VisitPageRow, rows},
    PostgresTransaction,
};
use crate::{
    error::Result,
    targets::batch::{OnForeignValue, visit_only},
};

impl TargetRead for PostgresTransaction<'_> {
    fn has_table(&self, table: &Table) -> Result<bool> {
        Ok(self.table_seat(table)?.is_some_and(|seat| seat.heap.is_none()))
    }

    fn row_count_within(&self, table: &Table, most: u64) -> Result<u64> {
        self.read_rows(table, |connection, place| rows::count_rows(connection, place, most))
            .map(Option::unwrap_or_default)
    }

    fn table_limits(&self, table: &Table) -> TargetLimits {
        self.target.server_limits(table)
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn can_find_rows(&self, table: &Table) -> bool {
        !self.table_seat(table).is_ok_and(|seat| seat.is_some_and(|seat| seat.is_bare))
    }

    fn checks_parents(&self, table: &Table) -> bool {
        self.row_destination(table).is_ok_and(|destination| !destination.unchecked && !destination.seat.is_bare)
    }

    fn find_rows(
        &self,
        table: &Table,
        positions: &[FieldIndex],
        values: &[Vec<Scalar>],
    ) -> Result<Vec<Option<Vec<Scalar>>>> {
        if !values.is_empty() {
            self.index(table, positions)?;
        }
        let found =
            self.read_rows(table, |connection, place| rows::find_rows(connection, table, place, positions, values))?;
        Ok(found.unwrap_or_else(|| vec![None; values.len()]))
    }

    fn read_page(&self, table: &Table, filter: &RowFilter, visit: VisitPageRow<'_>) -> Result<()> {
        self.read_rows(table, |connection, place| rows::read_page(connection, table, place, filter, visit)).map(drop)
    }

    fn scan_rows(&self, table: &Table, positions: &[FieldIndex], visit: &mut dyn FnMut(&RecordBatch)) -> Result<()> {
        self.read_rows(table, |connection, place| {
            rows::scan_rows(connection, table, place, positions, OnForeignValue::Missing, &mut visit_only(visit))
        })
        .map(drop)
    }
}
