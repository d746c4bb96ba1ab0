//! Foreign keys that the data support: a field whose values are keys of another table, and whose name says so.

use std::collections::HashSet;

use landfall_core::schema::Field;

use super::{
    ProposedTable,
    choice::are_mistakes,
    distinct::{DistinctValues, KeyValue, key_value_at},
    measure::{build_validator, record_of_row},
    names::{names_parent, refers_to, to_snake_case},
    records::{FilePart, LocatedRecords, PlaceTally, read},
};
use crate::error::Result;

/// Without names, a parent has at least so many keys, and the child so many values.
const LEAST_KEYS: u64 = 5;
const LEAST_VALUES: u64 = 20;
/// Distinct keys of a parent that are counted.
const MOST_COUNTED: usize = 100_000;

/// A field that may refer to another table, and what its values say.
#[derive(Debug, Clone)]
pub(super) struct PossibleLink {
    /// The position of the field in the child.
    pub(super) field: usize,
    /// The position of the parent among the tables.
    pub(super) parent: usize,
    /// Whether the name of the field says so.
    pub(super) named: bool,
    /// Values of the child.
    pub(super) values: u64,
    /// Values that are no key of the parent.
    pub(super) orphans: PlaceTally,
    /// Different keys of the parent that occur; no more than are counted.
    covered: HashSet<u64>,
}

/// What is known of the foreign keys of a table.
#[derive(Debug, Default)]
pub(super) struct TableLinks {
    /// To be declared.
    pub(super) keys: Vec<PossibleLink>,
    /// Several parents are as likely.
    pub(super) ambiguous: Vec<PossibleLink>,
    /// The name says so, and the values do not.
    pub(super) doubtful: Vec<PossibleLink>,
}

/// The foreign keys of the table at `child`.
///
/// # Errors
/// A source that cannot be read.
pub(super) fn find(tables: &[ProposedTable], child: usize) -> Result<TableLinks> {
    let mut links = find_possible_links(tables, child);
    if !links.is_empty() {
        count_link_values(tables, child, &mut links)?;
    }
    let mut found = TableLinks::default();
    for field in 0..tables[child].fields.len() {
        let of_field: Vec<&PossibleLink> = links.iter().filter(|link| link.field == field).collect();
        let held: Vec<&PossibleLink> = of_field.iter().copied().filter(|link| link.is_supported(tables)).collect();
        match held.as_slice() {
            [one] => found.keys.push((*one).clone()),
            [] => found.doubtful.extend(of_field.into_iter().filter(|link| link.named && link.values > 0).cloned()),
            several => found.ambiguous.extend(several.iter().map(|link| (*link).clone())),
        }
    }
    Ok(found)
}

/// The links that types and names allow.
fn find_possible_links(tables: &[ProposedTable], child: usize) -> Vec<PossibleLink> {
    let table = &tables[child];
    let fields = table.fields.iter().enumerate().filter(|(at, _)| table.keys.primary != Some(*at));
    let links = |(at, field)| {
        let parents = (0..tables.len()).filter_map(move |parent| possible_link(tables, child, at, field, parent));
        let parents: Vec<PossibleLink> = parents.collect();
        let named = parents.iter().any(|link| link.named);
        parents.into_iter().filter(move |link| link.named || !named)
    };
    fields.flat_map(links).collect()
}

fn possible_link(
    tables: &[ProposedTable],
    child: usize,
    at: usize,
    field: &Field,
    parent: usize,
) -> Option<PossibleLink> {
    let above = &tables[parent];
    let key = &above.fields[above.keys.primary?];
    let keys = parent_keys(above)?;
    let named = fits_by_name(field, &tables[child], above, key);
    let by_values = !tables[child].header.has_names() && parent != child && keys.len() >= LEAST_KEYS;
    let same_type = key.kind.name() == field.kind.name();
    let none = || PossibleLink {
        field: at,
        parent,
        named,
        values: 0,
        orphans: PlaceTally::default(),
        covered: HashSet::new(),
    };
    (same_type && (named || by_values)).then(none)
}

fn fits_by_name(field: &Field, child: &ProposedTable, parent: &ProposedTable, key: &Field) -> bool {
    if !child.header.has_names() {
        return false;
    }
    if std::ptr::eq(child, parent) {
        return names_parent(&field.name);
    }
    let own = to_snake_case(&key.name);
    let same = own == to_snake_case(&field.name) && own.contains('_') && parent.header.has_names();
    same || refers_to(&field.name, &parent.name)
}

/// The values of the primary key of `table`, where they are held.
pub(super) fn parent_keys(table: &ProposedTable) -> Option<&DistinctValues> {
    let values = table.measured.fields[table.keys.primary?].values.as_ref()?;
    values.is_known().then_some(values)
}

/// Counts the values of all `links` of the table at `child`.
fn count_link_values(tables: &[ProposedTable], child: usize, links: &mut [PossibleLink]) -> Result<()> {
    let table = &tables[child];
    let validator = build_validator(&table.fields)?;
    read(&table.sources, &table.form, table.fields.len(), &mut |part| {
        let FilePart::Block(block) = part else { return };
        let validated = validator.validate_records(&block.records);
        for link in &mut *links {
            let Some(keys) = parent_keys(&tables[link.parent]) else { continue };
            let column = validated.rows.column(link.field);
            for row in 0..column.len() {
                if let Some(value) = key_value_at(column, row) {
                    link.count_value(value, keys, &block, record_of_row(&validated, row));
                }
            }
        }
    })
}

impl PossibleLink {
    fn count_value(&mut self, value: KeyValue, keys: &DistinctValues, block: &LocatedRecords, record: usize) {
        self.values += 1;
        if !keys.contains_value(value) {
            self.orphans.add_place(block.place_of(record));
        } else if self.covered.len() < MOST_COUNTED {
            self.covered.insert(match value {
                KeyValue::Integer(value) => value.cast_unsigned(),
                KeyValue::Text(hash) => hash,
            });
        }
    }

    /// Whether the values hold the link; without a name, they must cover at least half of the parent.
    fn is_supported(&self, tables: &[ProposedTable]) -> bool {
        let contained = self.values > 0 && are_mistakes(self.orphans.count, self.values);
        let keys = parent_keys(&tables[self.parent]).map_or(0, DistinctValues::len);
        let covered = self.covered_count() * 2 >= keys.min(2 * MOST_COUNTED as u64);
        contained && (self.named || (covered && self.values >= LEAST_VALUES))
    }

    /// Different keys of the parent that occur.
    pub(super) fn covered_count(&self) -> u64 {
        self.covered.len() as u64
    }
}
