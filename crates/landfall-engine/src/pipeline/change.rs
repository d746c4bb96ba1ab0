//! What an update makes of a row: fields that the source leaves out stay as they are.

use arrow_array::RecordBatch;
use landfall_core::{
    keys::{Scalar, scalar_at},
    schema::FieldIndex,
    validate::{FieldPresence, ValidatedBlock},
};

use crate::targets::Table;

/// What an update makes of one row of a table.
#[derive(Debug, Clone)]
pub(super) struct RowChange {
    /// The fields that get the values of the source's row; those of the primary key are not among them.
    pub(super) fields: Vec<FieldIndex>,
    /// The whole row as it will be.
    pub(super) content: Vec<Scalar>,
}

impl RowChange {
    /// What row `row` of `validated` makes of `held`, the row of `table` that has its primary key.
    pub(super) fn new(table: &Table, validated: &ValidatedBlock, row: usize, held: &[Scalar]) -> Self {
        let record = validated.row_records.record_at(row);
        let is_given =
            |at: &FieldIndex| validated.presence.has_field(record, *at) && !table.schema.primary_key.contains(at);
        let fields: Vec<FieldIndex> = table.schema.field_positions().filter(is_given).collect();
        let mut content = held.to_vec();
        fields.iter().for_each(|at| content[at.get()] = scalar_at(&validated.rows, at.get(), row).to_owned());
        Self { fields, content }
    }

    /// Whether the source's row tells what `field` of `table` will be; the primary key is its own.
    pub(super) fn gives_field(&self, table: &Table, field: FieldIndex) -> bool {
        self.fields.contains(&field) || table.schema.primary_key.contains(&field)
    }

    /// The values of the fields at `positions`.
    pub(super) fn values_at(&self, positions: &[FieldIndex]) -> Vec<Scalar> {
        positions.iter().map(|at| self.content[at.get()].clone()).collect()
    }
}

/// Whether row `row` of `batch`, which is that of `record`, says nothing else than `held`.
pub(super) fn agrees_with_stored(
    batch: &RecordBatch,
    row: usize,
    presence: &FieldPresence,
    record: u32,
    held: &[Scalar],
) -> bool {
    held.len() == batch.num_columns()
        && (held.iter().enumerate())
            .all(|(at, held)| !presence.has_field(record, at.into()) || held.as_ref() == scalar_at(batch, at, row))
}

/// Rows to update, as few groups as may be of rows that get values in the same fields. Where rows may clash by a unique key,
/// their order counts, and only neighbours are grouped.
pub(super) fn group_updates(
    table: &Table,
    updates: Vec<(usize, Vec<FieldIndex>)>,
) -> Vec<(Vec<FieldIndex>, Vec<usize>)> {
    let any_order = table.schema.unique_keys.is_empty();
    let mut groups: Vec<(Vec<FieldIndex>, Vec<usize>)> = Vec::new();
    for (row, fields) in updates {
        let open = if any_order { 0 } else { groups.len().saturating_sub(1) };
        match groups[open..].iter_mut().find(|(others, _)| *others == fields) {
            Some((_, rows)) => rows.push(row),
            None => groups.push((fields, vec![row])),
        }
    }
    groups
}
