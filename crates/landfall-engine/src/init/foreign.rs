//! Foreign keys that the data support: fields whose values are keys of another table. `evidence` weighs what they and their names say.

use std::collections::HashSet;

use super::{
    ProposedTable,
    distinct::{DistinctValues, KeyValue, key_value_at},
    evidence::{LinkVerdict, weigh_link},
    measure::{build_validator, record_of_row},
    records::{FilePart, FileReading, LocatedRecords, PlaceTally},
    relation::{NameRelation, names_key_of, names_parent, relate_names},
};
use crate::error::Result;

/// Distinct keys of a parent that are counted.
const MOST_COUNTED: usize = 100_000;
/// The most possible foreign keys of a table that are counted at once.
const MOST_LINKS: usize = 400;

/// A field that may refer to another table, and what its values say.
#[derive(Debug, Clone)]
pub(super) struct PossibleLink {
    /// The position of the field in the child.
    pub(super) field: usize,
    /// The position of the parent among the tables.
    pub(super) parent: usize,
    /// The position of the key in the parent.
    pub(super) key: usize,
    /// Whether the key is the primary key, or the parent has none that it could be.
    pub(super) primary: bool,
    /// Whether the key is the primary key for other reasons than this foreign key.
    pub(super) settled: bool,
    /// Whether values of the key have white space in them.
    pub(super) spaced: bool,
    /// What the names say.
    pub(super) relation: NameRelation,
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
    /// Possible, and not sure: nothing but a comment.
    pub(super) possible: Vec<PossibleLink>,
    /// The name says so, and the values do not.
    pub(super) contradicted: Vec<PossibleLink>,
}

/// The foreign keys of the table at `child`.
///
/// # Errors
/// A source that cannot be read.
pub(super) fn find_links(tables: &[ProposedTable], child: usize, reading: FileReading<'_>) -> Result<TableLinks> {
    let mut links = find_possible_links(tables, child);
    if !links.is_empty() {
        count_link_values(tables, child, &mut links, reading)?;
    }
    let mut found = TableLinks::default();
    for field in 0..tables[child].fields.len() {
        let of_field: Vec<&PossibleLink> = links.iter().filter(|link| link.field == field).collect();
        found.add_field(&of_field, &tables[child], tables);
    }
    Ok(found)
}

impl TableLinks {
    /// Adds what is known of a field that may refer to several parents: the best of them is declared, if there is one.
    fn add_field(&mut self, links: &[&PossibleLink], child: &ProposedTable, tables: &[ProposedTable]) {
        let with = |verdict: LinkVerdict| -> Vec<&PossibleLink> {
            links.iter().copied().filter(|link| weigh_link(link, child, tables) == verdict).collect()
        };
        let declared = with(LinkVerdict::Declared);
        let covers_all =
            |link: &PossibleLink| link.parent_keys(tables).is_some_and(|keys| keys.len() == link.covered_count());
        let rank = |link: &PossibleLink| (link.relation, link.primary, covers_all(link));
        let best = declared.iter().map(|link| rank(link)).max();
        let best: Vec<&PossibleLink> = declared.iter().copied().filter(|link| Some(rank(link)) == best).collect();
        match best.as_slice() {
            [one] => self.keys.push((*one).clone()),
            [] => {
                self.possible.extend(with(LinkVerdict::Possible).into_iter().cloned());
                self.contradicted.extend(with(LinkVerdict::Contradicted).into_iter().cloned());
            }
            several => self.possible.extend(several.iter().map(|link| (*link).clone())),
        }
    }
}

/// The links that types and names allow; those by name first, where there are too many.
fn find_possible_links(tables: &[ProposedTable], child: usize) -> Vec<PossibleLink> {
    let mut links: Vec<PossibleLink> = Vec::new();
    for field in 0..tables[child].fields.len() {
        for parent in 0..tables.len() {
            let targets = list_targets(&tables[parent]).into_iter();
            links.extend(targets.filter_map(|key| possible_link(tables, child, field, parent, key)));
        }
    }
    links.sort_by_key(|link| std::cmp::Reverse(link.relation));
    links.truncate(MOST_LINKS);
    links.sort_by_key(|link| (link.field, link.parent, link.key));
    links
}

/// The fields of a parent that foreign keys may refer to: its primary key, and others whose values all differ.
fn list_targets(parent: &ProposedTable) -> Vec<usize> {
    let unique = parent.keys.unique.iter().copied().filter(|&at| parent.fields[at].constraints.required);
    let targets = parent.keys.single().into_iter().chain(unique);
    targets.filter(|&at| parent.key_values(at).is_some()).collect()
}

fn possible_link(tables: &[ProposedTable], child: usize, at: usize, parent: usize, key: usize) -> Option<PossibleLink> {
    let (below, above) = (&tables[child], &tables[parent]);
    let (field, target) = (&below.fields[at], &above.fields[key]);
    // Where a table has no key, its first column may be one, as foreign keys show.
    let primary = above.keys.single() == Some(key) || (above.keys.primary.is_empty() && key < 2);
    let relation = relate_fields(below, at, above, key);
    let own_key = below.keys.single() == Some(at);
    let possible = match (parent == child, own_key) {
        (true, _) => primary && key != at && below.head.first.has_names() && names_parent(&field.name),
        // A table that has further columns of another one has the same key.
        (false, true) => primary && relation == NameRelation::Same && !names_key_of(&field.name, &below.name),
        (false, false) => true,
    };
    let fits = target.kind.name() == field.kind.name() && possible;
    fits.then(|| PossibleLink {
        field: at,
        parent,
        key,
        primary,
        settled: above.keys.single() == Some(key),
        spaced: above.columns[key].spaced,
        relation,
        values: 0,
        orphans: PlaceTally::default(),
        covered: HashSet::new(),
    })
}

/// What the names of a field and of a key of another table say.
fn relate_fields(below: &ProposedTable, at: usize, above: &ProposedTable, key: usize) -> NameRelation {
    if !below.head.first.has_names() {
        return NameRelation::None;
    }
    let field = &below.fields[at].name;
    if std::ptr::eq(below, above) {
        return if names_parent(field) { NameRelation::Same } else { NameRelation::None };
    }
    let key = above.head.first.has_names().then(|| &*above.fields[key].name);
    relate_names(field, &above.name, key)
}

impl ProposedTable {
    /// The values of the field at `at`, where they are held.
    pub(super) fn key_values(&self, at: usize) -> Option<&DistinctValues> {
        self.measured.fields[at].values.as_ref().filter(|values| values.is_known())
    }
}

/// Counts the values of all `links` of the table at `child`.
fn count_link_values(
    tables: &[ProposedTable],
    child: usize,
    links: &mut [PossibleLink],
    reading: FileReading<'_>,
) -> Result<()> {
    let table = &tables[child];
    let validator = build_validator(&table.fields)?;
    reading.read_records(&table.sources, &table.form, table.fields.len(), &mut |part| {
        let FilePart::Block(block) = part else { return };
        let validated = validator.validate_records(&block.records);
        for link in &mut *links {
            let Some(keys) = link.parent_keys(tables).filter(|_| !link.is_hopeless()) else { continue };
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

    /// Whether so many values are no keys that the others need not be counted.
    const fn is_hopeless(&self) -> bool {
        self.values > 1000 && self.orphans.count * 2 > self.values
    }

    /// The keys that it may refer to.
    pub(super) fn parent_keys<'t>(&self, tables: &'t [ProposedTable]) -> Option<&'t DistinctValues> {
        tables[self.parent].key_values(self.key)
    }

    /// Different keys of the parent that occur.
    pub(super) fn covered_count(&self) -> u64 {
        self.covered.len() as u64
    }
}

/// Makes keys of the fields that declared foreign keys refer to.
pub(super) fn declare_parent_keys(tables: &mut [ProposedTable]) {
    let links: Vec<(usize, usize)> =
        tables.iter().flat_map(|table| &table.links.keys).map(|link| (link.parent, link.key)).collect();
    for (parent, key) in links {
        let keys = &mut tables[parent].keys;
        if keys.primary.is_empty() {
            keys.primary = vec![key];
            keys.unique.retain(|at| *at != key);
            keys.unknown = None;
            keys.possible.clear();
        } else if keys.primary != [key] && !keys.referred.contains(&key) {
            keys.referred.push(key);
        }
    }
}
