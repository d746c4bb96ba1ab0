//! Whether rows are in a table as they were sent. A trigger or a rule of the database may skip a row, or give it another value,
//! and the database calls that a success.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use arrow_array::RecordBatch;
use landfall_core::{
    keys::{Scalar, scalar_at, scalars_of_row},
    schema::FieldIndex,
};

use super::{RefusedRow, Table};

/// What is said of a row that is not in the table although the database took it.
pub(super) const SKIPPED: &str = "a trigger or a rule of its table skipped it, so that it is not stored";

/// What is said of a row whose `field` has another value in the table than was sent.
fn altered_value_message(field: &str) -> String {
    format!("a trigger or a rule of its table gave the field {field:?} another value than was sent")
}

/// The field, of those at `fields`, in which `found` differs from row `row` of `rows`.
pub(super) fn altered_field<'t>(
    table: &'t Table,
    rows: &RecordBatch,
    row: usize,
    fields: &[FieldIndex],
    found: &[Scalar],
) -> Option<&'t str> {
    let differs =
        |at: &&FieldIndex| found.get(at.get()).is_none_or(|value| value.as_ref() != scalar_at(rows, at.get(), row));
    fields.iter().find(differs).map(|&at| &*table.schema[at].name)
}

/// What stands against row `row` of `rows`, of which the table holds `found` now; only the fields at `fields` were sent.
pub(super) fn check_stored_row(
    table: &Table,
    rows: &RecordBatch,
    row: usize,
    fields: &[FieldIndex],
    found: Option<&[Scalar]>,
) -> Option<String> {
    let Some(found) = found else { return Some(SKIPPED.to_owned()) };
    altered_field(table, rows, row, fields, found).map(altered_value_message)
}

/// Those of the rows of `rows` at `selected` that are not in the table as they were sent; `found` are the rows that it holds by
/// their primary keys.
pub(super) fn find_altered_rows(
    table: &Table,
    rows: &RecordBatch,
    selected: &[usize],
    fields: &[FieldIndex],
    found: &[Option<Vec<Scalar>>],
) -> Vec<RefusedRow> {
    let refused = |(&row, found): (&usize, &Option<Vec<Scalar>>)| {
        let message = check_stored_row(table, rows, row, fields, found.as_deref())?;
        Some(RefusedRow { row, message })
    };
    selected.iter().zip(found).filter_map(refused).collect()
}

/// The rows of a table that has no primary key, as a number and a sum of hashes: by which it can be told whether just the rows that
/// were sent came to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Census {
    rows: u64,
    sum: u64,
}

impl Census {
    /// Counts the row `row` of `batch`.
    pub(super) fn add_row(&mut self, batch: &RecordBatch, row: usize) {
        let mut hasher = DefaultHasher::new();
        scalars_of_row(batch, row).iter().for_each(|value| value.hash(&mut hasher));
        self.rows += 1;
        // A sum does not depend on the order of rows, which a table without a key does not have.
        self.sum = self.sum.wrapping_add(hasher.finish());
    }

    /// Counts all rows of `batch`.
    pub(super) fn add_batch(&mut self, batch: &RecordBatch) {
        (0..batch.num_rows()).for_each(|row| self.add_row(batch, row));
    }

    /// What is said where the table, of which this was the census before `sent` was sent, has the census `now`.
    pub(super) fn compare_with(mut self, sent: &Self, now: &Self) -> Option<String> {
        self.rows += sent.rows;
        self.sum = self.sum.wrapping_add(sent.sum);
        (self != *now).then(|| if now.rows < self.rows { SKIPPED.to_owned() } else { altered_rows() })
    }
}

fn altered_rows() -> String {
    "a trigger or a rule of its table stored other values than were sent".to_owned()
}
