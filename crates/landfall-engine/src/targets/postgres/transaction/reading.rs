//! What a write transaction reads: its own rows and entries among those of others.

use arrow_array::RecordBatch;
use landfall_core::{keys::Scalar, validate::TargetLimits};

use super::{
    super::{Read, RowFilter, Table, VisitRow, rows},
    PostgresTransaction,
};
use crate::{
    error::Result,
    targets::batch::{Foreign, shown},
};

impl Read for PostgresTransaction<'_> {
    fn has_table(&self, table: &Table) -> Result<bool> {
        Ok(self.seat(table)?.is_some_and(|seat| seat.heap.is_none()))
    }

    fn row_count_within(&self, table: &Table, most: u64) -> Result<u64> {
        self.read_rows(table, |connection, place| rows::count(connection, place, most)).map(Option::unwrap_or_default)
    }

    fn limits(&self, table: &Table) -> TargetLimits {
        self.target.limits_of(table)
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn finds(&self, table: &Table) -> bool {
        !self.seat(table).is_ok_and(|seat| seat.is_some_and(|seat| seat.is_bare))
    }

    fn checks_parents(&self, table: &Table) -> bool {
        self.destination(table).is_ok_and(|destination| !destination.unchecked && !destination.seat.is_bare)
    }

    fn find_all(&self, table: &Table, positions: &[usize], values: &[Vec<Scalar>]) -> Result<Vec<Option<Vec<Scalar>>>> {
        if !values.is_empty() {
            self.index(table, positions)?;
        }
        let found =
            self.read_rows(table, |connection, place| rows::find_all(connection, table, place, positions, values))?;
        Ok(found.unwrap_or_else(|| vec![None; values.len()]))
    }

    fn page(&self, table: &Table, filter: &RowFilter, visit: VisitRow<'_>) -> Result<()> {
        self.read_rows(table, |connection, place| rows::page(connection, table, place, filter, visit)).map(drop)
    }

    fn scan(&self, table: &Table, positions: &[usize], visit: &mut dyn FnMut(&RecordBatch)) -> Result<()> {
        self.read_rows(table, |connection, place| {
            rows::scan(connection, table, place, (positions, Foreign::Missing), &mut shown(visit))
        })
        .map(drop)
    }
}
