//! What is read outside of a write transaction. It waits for all transactions under way, so that it finds their rows.

use std::cell::RefCell;

use arrow_array::RecordBatch;
use landfall_core::{keys::Scalar, schema::FieldIndex, validate::TargetLimits};

use super::{Postgres, RowFilter, Table, TargetRead, VisitPageRow, own_tables::PostgresOwnConnection, rows};
use crate::{
    error::Result,
    targets::{
        batch::{OnForeignValue, visit_only},
        sql::{self, OwnTables},
    },
};

impl TargetRead for Postgres {
    fn has_table(&self, table: &Table) -> Result<bool> {
        self.finish_commits()?;
        // A table that is built aside is not there for anybody else, and not yet for its own load.
        Ok(self.table_seat(table)?.is_some_and(|seat| seat.heap.is_none()))
    }

    fn row_count_within(&self, table: &Table, most: u64) -> Result<u64> {
        self.finish_commits()?;
        let Some(seat) = self.table_seat(table)? else { return Ok(0) };
        self.read_table(table, &seat, |connection| rows::count_rows(connection, &seat.place, most))
    }

    fn table_limits(&self, table: &Table) -> TargetLimits {
        self.server_limits(table)
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn can_find_rows(&self, table: &Table) -> bool {
        !self.table_seat(table).is_ok_and(|seat| seat.is_some_and(|seat| seat.is_bare))
    }

    fn is_staged(&self, table: &Table) -> Result<bool> {
        self.finish_commits()?;
        self.read_in_transaction(|connection| self.is_building(connection, table))
    }

    fn find_rows(
        &self,
        table: &Table,
        positions: &[FieldIndex],
        values: &[Vec<Scalar>],
    ) -> Result<Vec<Option<Vec<Scalar>>>> {
        self.finish_commits()?;
        let Some(seat) = self.table_seat(table)? else { return Ok(vec![None; values.len()]) };
        self.read_table(table, &seat, |connection| rows::find_rows(connection, table, &seat.place, positions, values))
    }

    fn read_page(&self, table: &Table, filter: &RowFilter, visit: VisitPageRow<'_>) -> Result<()> {
        self.finish_commits()?;
        let Some(seat) = self.table_seat(table)? else { return Ok(()) };
        self.read_table(table, &seat, |connection| rows::read_page(connection, table, &seat.place, filter, visit))
    }

    fn scan_rows(&self, table: &Table, positions: &[FieldIndex], visit: &mut dyn FnMut(&RecordBatch)) -> Result<()> {
        self.finish_commits()?;
        let Some(seat) = self.table_seat(table)? else { return Ok(()) };
        self.read_table(table, &seat, |connection| {
            rows::scan_rows(connection, table, &seat.place, positions, OnForeignValue::Missing, &mut visit_only(visit))
        })
    }
}

impl OwnTables for Postgres {
    fn with_own_tables<R>(&self, work: impl FnOnce(&dyn sql::SqlConnection) -> Result<R>) -> Result<R> {
        self.finish_commits()?;
        let is_there = self.has_own.get();
        self.read_in_transaction(|connection| {
            work(&PostgresOwnConnection {
                session: &self.session,
                connection: RefCell::new(connection),
                is_there,
                is_current: self.is_current,
            })
        })
    }
}
