//! Foreign keys that the data support: a field whose values are keys of another table, and whose name says so.

use std::collections::HashSet;

use landfall_core::schema::Field;

use super::{
    Table,
    choice::are_mistakes,
    distinct::{Distinct, KeyValue, value_at},
    measure::{record_of, validator},
    names::{names_parent, refers_to, snake},
    records::{Located, Part, Tally, read},
};
use crate::error::Result;

/// Without names, a parent has at least so many keys, and the child so many values.
const LEAST_KEYS: u64 = 5;
const LEAST_VALUES: u64 = 20;
/// Distinct keys of a parent that are counted.
const MOST_COUNTED: usize = 100_000;

/// A field that may refer to another table, and what its values say.
#[derive(Debug, Clone)]
pub(super) struct Link {
    /// The position of the field in the child.
    pub(super) field: usize,
    /// The position of the parent among the tables.
    pub(super) parent: usize,
    /// Whether the name of the field says so.
    pub(super) named: bool,
    /// Values of the child.
    pub(super) values: u64,
    /// Values that are no key of the parent.
    pub(super) orphans: Tally,
    /// Different keys of the parent that occur; no more than are counted.
    covered: HashSet<u64>,
}

/// What is known of the foreign keys of a table.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// To be declared.
    pub(super) keys: Vec<Link>,
    /// Several parents are as likely.
    pub(super) ambiguous: Vec<Link>,
    /// The name says so, and the values do not.
    pub(super) doubtful: Vec<Link>,
}

/// The foreign keys of the table at `child`.
///
/// # Errors
/// A source that cannot be read.
pub(super) fn find(tables: &[Table], child: usize) -> Result<Links> {
    let mut links = possible(tables, child);
    if !links.is_empty() {
        count(tables, child, &mut links)?;
    }
    let mut found = Links::default();
    for field in 0..tables[child].fields.len() {
        let of_field: Vec<&Link> = links.iter().filter(|link| link.field == field).collect();
        let held: Vec<&Link> = of_field.iter().copied().filter(|link| link.is_held(tables)).collect();
        match held.as_slice() {
            [one] => found.keys.push((*one).clone()),
            [] => found.doubtful.extend(of_field.into_iter().filter(|link| link.named && link.values > 0).cloned()),
            several => found.ambiguous.extend(several.iter().map(|link| (*link).clone())),
        }
    }
    Ok(found)
}

/// The links that types and names allow.
fn possible(tables: &[Table], child: usize) -> Vec<Link> {
    let table = &tables[child];
    let fields = table.fields.iter().enumerate().filter(|(at, _)| table.keys.primary != Some(*at));
    let links = |(at, field)| {
        let parents = (0..tables.len()).filter_map(move |parent| link(tables, child, at, field, parent));
        let parents: Vec<Link> = parents.collect();
        let named = parents.iter().any(|link| link.named);
        parents.into_iter().filter(move |link| link.named || !named)
    };
    fields.flat_map(links).collect()
}

fn link(tables: &[Table], child: usize, at: usize, field: &Field, parent: usize) -> Option<Link> {
    let above = &tables[parent];
    let key = &above.fields[above.keys.primary?];
    let keys = parent_keys(above)?;
    let named = fits_by_name(field, &tables[child], above, key);
    let by_values = !tables[child].header.has_names() && parent != child && keys.len() >= LEAST_KEYS;
    let same_type = key.kind.name() == field.kind.name();
    let none = || Link { field: at, parent, named, values: 0, orphans: Tally::default(), covered: HashSet::new() };
    (same_type && (named || by_values)).then(none)
}

fn fits_by_name(field: &Field, child: &Table, parent: &Table, key: &Field) -> bool {
    if !child.header.has_names() {
        return false;
    }
    if std::ptr::eq(child, parent) {
        return names_parent(&field.name);
    }
    let own = snake(&key.name);
    let same = own == snake(&field.name) && own.contains('_') && parent.header.has_names();
    same || refers_to(&field.name, &parent.name)
}

/// The values of the primary key of `table`, where they are held.
pub(super) fn parent_keys(table: &Table) -> Option<&Distinct> {
    let values = table.measured.fields[table.keys.primary?].values.as_ref()?;
    values.is_known().then_some(values)
}

/// Counts the values of all `links` of the table at `child`.
fn count(tables: &[Table], child: usize, links: &mut [Link]) -> Result<()> {
    let table = &tables[child];
    let validator = validator(&table.fields)?;
    read(&table.sources, &table.form, table.fields.len(), &mut |part| {
        let Part::Block(block) = part else { return };
        let validated = validator.validate_records(&block.records);
        for link in &mut *links {
            let Some(keys) = parent_keys(&tables[link.parent]) else { continue };
            let column = validated.rows.column(link.field);
            for row in 0..column.len() {
                if let Some(value) = value_at(column, row) {
                    link.count(value, keys, &block, record_of(&validated, row));
                }
            }
        }
    })
}

impl Link {
    fn count(&mut self, value: KeyValue, keys: &Distinct, block: &Located, record: usize) {
        self.values += 1;
        if !keys.contains(value) {
            self.orphans.add(block.place(record));
        } else if self.covered.len() < MOST_COUNTED {
            self.covered.insert(match value {
                KeyValue::Integer(value) => value.cast_unsigned(),
                KeyValue::Text(hash) => hash,
            });
        }
    }

    /// Whether the values hold the link; without a name, they must cover at least half of the parent.
    fn is_held(&self, tables: &[Table]) -> bool {
        let contained = self.values > 0 && are_mistakes(self.orphans.count, self.values);
        let keys = parent_keys(&tables[self.parent]).map_or(0, Distinct::len);
        let covered = self.covered() * 2 >= keys.min(2 * MOST_COUNTED as u64);
        contained && (self.named || (covered && self.values >= LEAST_VALUES))
    }

    /// Different keys of the parent that occur.
    pub(super) fn covered(&self) -> u64 {
        self.covered.len() as u64
    }
}
