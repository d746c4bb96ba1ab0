//! Primary keys of several fields: no two records have the same values in all of them.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use super::{
    ProposedTable,
    measure::{build_validator, record_of_row},
    records::{FilePart, FileReading, LocatedRecords},
    relation::{names_amount, names_key, names_key_part},
};
use crate::error::Result;

/// The most fields that are tried with each other.
const MOST_FIELDS: usize = 8;
/// The most values of all sets of fields that are held: about 40 MiB.
const MOST_HELD: usize = 2_000_000;
/// Longer texts tell records apart by accident.
const MOST_CHARACTERS: usize = 24;
/// With fewer records than this, any fields may differ by accident.
const LEAST: u64 = 4;

/// A set of fields whose values may tell records apart.
struct FieldSet {
    fields: Vec<usize>,
    seen: HashSet<u64>,
}

/// The fields of a key of several fields: whether names or foreign keys say so, too.
pub(super) struct CompositeKey {
    pub(super) fields: Vec<usize>,
    pub(super) sure: bool,
}

/// The first two or three fields that tell the records of `table` apart; those that look like parts of a key before others.
///
/// # Errors
/// A source that cannot be read.
pub(super) fn find_composite_key(table: &ProposedTable, reading: FileReading<'_>) -> Result<Option<CompositeKey>> {
    if table.measured.fine < LEAST || table.keys.unknown.is_some() || !table.keys.possible.is_empty() {
        return Ok(None);
    }
    let candidates = list_part_candidates(table);
    let mut possible = None;
    for size in [2, 3] {
        let sets = keep_distinct(table, choose_sets(&candidates, size), reading)?;
        let parts = |set: &[usize]| set.iter().filter(|&&at| is_sure_part(table, at)).count();
        // Two dates are no key of anything.
        let named = |set: &[usize]| set.iter().any(|&at| is_named_part(table, at));
        if let Some(fields) = sets.iter().find(|set| parts(set) == size && named(set)) {
            return Ok(Some(CompositeKey { fields: sort_positions(fields.clone()), sure: true }));
        }
        possible = possible.or_else(|| sets.into_iter().find(|set| parts(set) + 1 == size));
    }
    Ok(possible.map(|fields| CompositeKey { fields: sort_positions(fields), sure: false }))
}

fn sort_positions(mut fields: Vec<usize>) -> Vec<usize> {
    fields.sort_unstable();
    fields
}

/// The fields that may be parts of a key, the likely ones first; never missing, and neither amounts nor long texts.
fn list_part_candidates(table: &ProposedTable) -> Vec<usize> {
    let fits = |at: &usize| {
        let field = &table.fields[*at];
        let kind = field.kind.name();
        let column = &table.columns[*at];
        let text = kind == "string" && (column.longest > MOST_CHARACTERS || column.spaced) && !is_sure_part(table, *at);
        let constant = column.few.as_ref().is_some_and(|values| values.len() == 1);
        let alone = table.keys.unique.contains(at);
        field.constraints.required && kind != "number" && kind != "boolean" && !text && !alone && !constant
    };
    let all = || (0..table.fields.len()).filter(fits);
    let likely = all().filter(|&at| is_sure_part(table, at));
    let others = all().filter(|&at| !is_sure_part(table, at) && !names_amount(&table.fields[at].name));
    likely.chain(others).take(MOST_FIELDS).collect()
}

/// Whether a field refers to another table, or is called a key.
fn is_named_part(table: &ProposedTable, at: usize) -> bool {
    let foreign = table.links.keys.iter().any(|link| link.field == at);
    foreign || (table.head.first.has_names() && names_key(&table.fields[at].name))
}

/// Whether something besides the values says that a field is a part of a key.
fn is_sure_part(table: &ProposedTable, at: usize) -> bool {
    let time = matches!(table.fields[at].kind.name(), "date" | "datetime");
    let named = table.head.first.has_names() && names_key_part(&table.fields[at].name);
    (is_named_part(table, at) || time || named) && !names_amount(&table.fields[at].name)
}

/// All sets of `size` fields of `candidates`, in their order.
fn choose_sets(candidates: &[usize], size: usize) -> Vec<Vec<usize>> {
    match (size, candidates.split_first()) {
        (0, _) => vec![Vec::new()],
        (_, None) => Vec::new(),
        (_, Some((first, rest))) => {
            let with = choose_sets(rest, size - 1).into_iter().map(|set| [&[*first], set.as_slice()].concat());
            with.chain(choose_sets(rest, size)).collect()
        }
    }
}

/// Those of `sets` whose values differ in all records that pass. All of them give up where they are too many to hold.
fn keep_distinct(table: &ProposedTable, sets: Vec<Vec<usize>>, reading: FileReading<'_>) -> Result<Vec<Vec<usize>>> {
    if sets.is_empty() {
        return Ok(Vec::new());
    }
    let validator = build_validator(&table.fields)?;
    let mut left: Vec<FieldSet> = sets.into_iter().map(|fields| FieldSet { fields, seen: HashSet::new() }).collect();
    reading.read_records(&table.sources, &table.form, table.fields.len(), &mut |part| {
        let FilePart::Block(block) = part else { return };
        if left.is_empty() {
            return;
        }
        let validated = validator.validate_records(&block.records);
        let records: Vec<usize> = (0..validated.rows.num_rows()).map(|row| record_of_row(&validated, row)).collect();
        left.retain_mut(|set| records.iter().all(|&record| set.seen.insert(hash_cells(&block, record, &set.fields))));
        if left.iter().map(|set| set.seen.len()).sum::<usize>() > MOST_HELD {
            left.clear();
        }
    })?;
    Ok(left.into_iter().map(|set| set.fields).collect())
}

/// A hash of the texts of these cells. Two texts of one value count as two values: a proposal may err there, a load does not.
fn hash_cells(block: &LocatedRecords, record: usize, fields: &[usize]) -> u64 {
    let mut hasher = DefaultHasher::new();
    fields.iter().for_each(|&at| block.records.cell_text(record, at).hash(&mut hasher));
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::choose_sets;

    #[test]
    fn sets_of_fields_keep_their_order() {
        assert_eq!(choose_sets(&[4, 0, 2], 2), [vec![4, 0], vec![4, 2], vec![0, 2]]);
        assert_eq!(choose_sets(&[1], 2), Vec::<Vec<usize>>::new());
    }
}
