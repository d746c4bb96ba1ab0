//! A target as it would be without the rows of some tables.

use std::{collections::HashSet, sync::Arc};

use arrow_array::RecordBatch;
use landfall_core::{keys::Scalar, schema::FieldIndex, validate::TargetLimits};

use crate::{
    document::{Document, DocumentFilter},
    error::Result,
    ledger::{LoadEntry, LoadFilter},
    quarantine::{Reject, RejectEvent, RejectFilter, RejectGroup, RejectId},
    targets::{ReadBooks, RowFilter, Table, TargetRead, VisitPageRow},
};

/// What `read` holds, but for the rows of the tables called `names`.
pub(in crate::pipeline) struct WithoutRows<'r> {
    pub(in crate::pipeline) read: &'r dyn TargetRead,
    pub(in crate::pipeline) names: HashSet<Arc<str>>,
}

impl WithoutRows<'_> {
    fn has_rows(&self, table: &Table) -> bool {
        !self.names.contains(&table.name)
    }
}

impl ReadBooks for WithoutRows<'_> {
    fn find_loads(&self, filter: &LoadFilter) -> Result<Vec<LoadEntry>> {
        self.read.find_loads(filter)
    }

    fn find_documents(&self, filter: &DocumentFilter) -> Result<Vec<Document>> {
        self.read.find_documents(filter)
    }

    fn find_rejects(&self, filter: &RejectFilter) -> Result<Vec<Reject>> {
        self.read.find_rejects(filter)
    }

    fn reject_count(&self, filter: &RejectFilter) -> Result<u64> {
        self.read.reject_count(filter)
    }

    fn open_reject_bytes(&self) -> Result<u64> {
        self.read.open_reject_bytes()
    }

    fn reject_groups(&self, filter: &RejectFilter) -> Result<Vec<RejectGroup>> {
        self.read.reject_groups(filter)
    }

    fn read_reject_bytes(&self, reject: RejectId, visit: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        self.read.read_reject_bytes(reject, visit)
    }

    fn reject_events(&self, reject: RejectId) -> Result<Vec<RejectEvent>> {
        self.read.reject_events(reject)
    }
}

impl TargetRead for WithoutRows<'_> {
    fn has_table(&self, table: &Table) -> Result<bool> {
        self.read.has_table(table)
    }

    fn row_count_within(&self, table: &Table, most: u64) -> Result<u64> {
        if self.has_rows(table) { self.read.row_count_within(table, most) } else { Ok(0) }
    }

    fn table_limits(&self, table: &Table) -> TargetLimits {
        self.read.table_limits(table)
    }

    fn is_remote(&self) -> bool {
        self.read.is_remote()
    }

    fn find_rows(
        &self,
        table: &Table,
        positions: &[FieldIndex],
        values: &[Vec<Scalar>],
    ) -> Result<Vec<Option<Vec<Scalar>>>> {
        if self.has_rows(table) { self.read.find_rows(table, positions, values) } else { Ok(vec![None; values.len()]) }
    }

    fn read_page(&self, table: &Table, filter: &RowFilter, visit: VisitPageRow<'_>) -> Result<()> {
        if self.has_rows(table) { self.read.read_page(table, filter, visit) } else { Ok(()) }
    }

    fn scan_rows(&self, table: &Table, positions: &[FieldIndex], visit: &mut dyn FnMut(&RecordBatch)) -> Result<()> {
        if self.has_rows(table) { self.read.scan_rows(table, positions, visit) } else { Ok(()) }
    }
}
