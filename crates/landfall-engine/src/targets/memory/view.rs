//! What is read of one state of the database.

use std::{cmp::Ordering, collections::HashSet, sync::Arc};

use landfall_core::{keys::Scalar, schema::FieldIndex};

use super::{rows::MemoryRows, state::MemoryState};
use crate::{
    document::{Document, DocumentFilter},
    error::Result,
    ledger::{LoadEntry, LoadFilter},
    quarantine::{Reject, RejectFilter},
    targets::{
        ComparisonOperator, RowCondition, RowFilter, Table,
        batch::{BatchBuilder, OnForeignValue, VisitBatch},
    },
};

/// A state as it is read: with the tables that the reader is building.
pub(super) struct StateView<'v> {
    pub(super) state: &'v MemoryState,
    pub(super) building: &'v HashSet<Arc<str>>,
}

impl StateView<'_> {
    pub(super) fn find_table_rows(&self, table: &Table) -> Option<&MemoryRows> {
        // Only whoever builds a table sees its rows, as with a server's table under another name.
        let aside = || self.state.find_staged_rows(&table.name).filter(|_| self.building.contains(&table.name));
        self.state.find_rows(&table.name).or_else(aside)
    }

    pub(super) fn find_rows(
        &self,
        table: &Table,
        positions: &[FieldIndex],
        values: &[Vec<Scalar>],
    ) -> Vec<Option<Vec<Scalar>>> {
        let Some(rows) = self.find_table_rows(table) else { return vec![None; values.len()] };
        rows.find_rows(positions, values).into_iter().map(|row| row.map(|row| row.to_vec())).collect()
    }

    pub(super) fn scan_rows(&self, table: &Table, positions: &[FieldIndex], visit: VisitBatch<'_>) -> Result<()> {
        // Nobody else writes here, so that a value of another type is a mistake of ours.
        let mut batch = BatchBuilder::new(table, positions, OnForeignValue::Refused);
        for row in self.find_table_rows(table).into_iter().flat_map(MemoryRows::iter) {
            for (column, &at) in positions.iter().enumerate() {
                batch.push(column, row[at.get()].as_ref())?;
            }
            if batch.finish_row() {
                batch.hand_over_batch(visit)?;
            }
        }
        batch.hand_over_batch(visit)
    }

    pub(super) fn read_page(&self, table: &Table, filter: &RowFilter) -> Vec<Vec<Scalar>> {
        let Some(rows) = self.find_table_rows(table) else { return Vec::new() };
        let key = |row: &[Scalar]| table.schema.primary_key.iter().map(|at| row[at.get()].clone()).collect::<Vec<_>>();
        let behind = |row: &[Scalar]| {
            filter.after.as_ref().is_none_or(|after| compare_keys(&key(row), after) == Ordering::Greater)
        };
        let wanted =
            |row: &[Scalar]| filter.conditions.iter().all(|condition| meets_condition(condition, row)) && behind(row);
        let mut found: Vec<Vec<Scalar>> = rows.iter().filter(|row| wanted(row)).map(|row| row.to_vec()).collect();
        found.sort_by(|one, other| compare_keys(&key(one), &key(other)));
        take_limited(found, false, Some(filter.limit))
    }

    pub(super) fn find_rejects(&self, filter: &RejectFilter) -> Vec<Reject> {
        let most = filter.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        self.state.quarantine.select_rejects(filter, &self.state.loads).take(most).cloned().collect()
    }

    pub(super) fn find_loads(&self, filter: &LoadFilter) -> Vec<LoadEntry> {
        let wanted = self.state.loads.iter().filter(|entry| filter.wants_load(entry)).cloned();
        take_limited(wanted.collect(), filter.newest_first, filter.limit)
    }

    pub(super) fn find_documents(&self, filter: &DocumentFilter) -> Vec<Document> {
        let after = |name: &String| {
            filter.after.as_ref().is_none_or(|after| if filter.last_first { name < after } else { name > after })
        };
        let named = |name: &String| filter.names.as_ref().is_none_or(|names| names.contains(name));
        let of_kind = self.state.documents.values().filter(|document| document.kind == filter.kind);
        let wanted = of_kind.filter(|document| named(&document.name) && after(&document.name)).cloned();
        take_limited(wanted.collect(), filter.last_first, filter.limit)
    }

    pub(super) fn can_find_rows(&self, table: &Table) -> bool {
        self.state.find_staged_rows(&table.name).is_none()
    }
}

/// The order of two keys, value by value.
fn compare_keys(one: &[Scalar], other: &[Scalar]) -> Ordering {
    one.iter()
        .zip(other)
        .map(|(one, other)| compare_values(one, other))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// The order of two values of one type; a missing one is the least.
fn compare_values(one: &Scalar, other: &Scalar) -> Ordering {
    match (one, other) {
        (Scalar::Integer(one), Scalar::Integer(other)) => one.cmp(other),
        (Scalar::Boolean(one), Scalar::Boolean(other)) => one.cmp(other),
        (Scalar::Date(one), Scalar::Date(other)) => one.cmp(other),
        (Scalar::Time(one), Scalar::Time(other)) | (Scalar::Datetime(one), Scalar::Datetime(other)) => one.cmp(other),
        // Byte for byte, as the other targets are told to compare text.
        (Scalar::Text(one) | Scalar::Number(one), Scalar::Text(other) | Scalar::Number(other)) => one.cmp(other),
        (Scalar::Null, Scalar::Null) => Ordering::Equal,
        (Scalar::Null, _) => Ordering::Less,
        _ => Ordering::Greater,
    }
}

/// Whether a row meets a condition.
fn meets_condition(condition: &RowCondition, row: &[Scalar]) -> bool {
    let held = &row[condition.position.get()];
    let order = compare_values(held, &condition.value);
    match condition.comparison {
        ComparisonOperator::Equal => order.is_eq(),
        ComparisonOperator::NotEqual => order.is_ne(),
        // As in SQL, NULL is neither less nor greater than anything.
        _ if *held == Scalar::Null => false,
        ComparisonOperator::Less => order.is_lt(),
        ComparisonOperator::AtMost => order.is_le(),
        ComparisonOperator::Greater => order.is_gt(),
        ComparisonOperator::AtLeast => order.is_ge(),
    }
}

/// The first of `found`, or the last ones, from the end.
fn take_limited<T>(mut found: Vec<T>, from_end: bool, limit: Option<u64>) -> Vec<T> {
    if from_end {
        found.reverse();
    }
    found.truncate(limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX)));
    found
}
