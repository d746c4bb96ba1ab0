//! The keys of a table while records are read into it: what was seen, and which parents there are.
//!
//! To be changed together: a row is inserted without a question if `seen` says "no" to its keys. So `seen` holds what the table held when it was
//! read, and each key that was accepted or deferred since. A parent that is taken for there goes into `touched`, which the fence asks for.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use landfall_core::{
    keys::{KeyColumns, ParentSet, RowKey, RowSketches, Scalar, SeenKeys},
    reject::ErrorCode,
    schema::{FieldIndex, FieldType},
};

use crate::{
    error::Result,
    targets::{Table, TargetRead},
};

/// A table with more rows than this many times the records to come is not read for its keys, but asked for each.
const ASK_FROM: u64 = 8;
/// How long a parent that was not there is not asked for again.
const ABSENT: Duration = Duration::from_secs(1);
/// So many of them are kept.
const MOST_ABSENT: usize = 100_000;
/// Parents beyond this many are asked for one by one.
const MOST_PARENTS: u64 = 20_000_000;

/// The keys of one table.
#[derive(Debug)]
pub(super) struct TableKeys {
    pub(super) table: Table,
    /// The primary key first, where there is one, then the unique keys.
    pub(super) uniques: Vec<UniqueKeyState>,
    pub(super) foreigns: Vec<ForeignKeyState>,
    /// Whether accepted rows' keys are added to what was seen.
    pub(super) learns: bool,
    /// What the rows accepted by this process look like, by their primary key, where that is one integer, the only unique key,
    /// and rows cannot be looked for.
    pub(super) sketches: Option<RowSketches>,
}

/// A key whose values occur once.
#[derive(Debug)]
pub(super) struct UniqueKeyState {
    pub(super) positions: Vec<FieldIndex>,
    pub(super) name: Arc<str>,
    pub(super) primary: bool,
    pub(super) seen: SeenKeys,
}

impl UniqueKeyState {
    /// The code of a clash.
    pub(super) const fn code(&self) -> ErrorCode {
        if self.primary { ErrorCode::PrimaryKey } else { ErrorCode::UniqueError }
    }
}

/// A foreign key.
#[derive(Debug)]
pub(super) struct ForeignKeyState {
    pub(super) positions: Vec<FieldIndex>,
    pub(super) name: Arc<str>,
    pub(super) parent: Table,
    pub(super) parent_positions: Vec<FieldIndex>,
    pub(super) parents: ParentKnowledge,
    /// Whether the parents that rows name are held until the commit.
    pub(super) is_held: bool,
    /// Parents that the chunk's rows name, and that were there.
    pub(super) touched: TouchedParents,
    /// Parents that the database was asked for in vain of late.
    pub(super) absent: AbsentParents,
}

/// The parents of a foreign key.
#[derive(Debug)]
pub(super) enum ParentKnowledge {
    /// Rows of another table, as they stood when the load began.
    Other(ParentSet),
    /// Rows of the same table: its unique key of this number.
    Own(usize),
}

/// Distinct parents that records of a chunk name.
#[derive(Debug, Default)]
pub(super) struct TouchedParents {
    prints: HashSet<u128>,
    integers: landfall_core::keys::IntegerSet,
    /// Their values.
    pub(super) values: Vec<Vec<Scalar>>,
}

impl TouchedParents {
    /// Notes the parent that `row` names.
    #[inline]
    pub(super) fn note_parent(&mut self, columns: &KeyColumns<'_>, row: usize) {
        let new = match columns.row_key(row) {
            RowKey::Null => false,
            RowKey::Integer(value) => self.integers.insert(value),
            RowKey::Hash(_) => columns.row_fingerprint(row).is_some_and(|print| self.prints.insert(print)),
        };
        if new {
            self.values.push(columns.row_values(row));
        }
    }

    /// Whether the parent that `row` names is among them.
    pub(super) fn contains_parent(&self, columns: &KeyColumns<'_>, row: usize) -> bool {
        match columns.row_key(row) {
            RowKey::Null => false,
            RowKey::Integer(value) => self.integers.contains(value),
            RowKey::Hash(_) => columns.row_fingerprint(row).is_some_and(|print| self.prints.contains(&print)),
        }
    }

    /// Forgets all.
    pub(super) fn forget_all(&mut self) {
        *self = Self::default();
    }
}

/// Parents that were not there when they were last asked for. Others may bring them meanwhile: so they are asked for again after
/// a while.
#[derive(Debug, Default)]
pub(super) struct AbsentParents {
    parents: TouchedParents,
    since: Option<Instant>,
}

impl AbsentParents {
    /// Notes that the parent that `row` names is not there.
    pub(super) fn note_absent(&mut self, columns: &KeyColumns<'_>, row: usize) {
        // Of the first one: all are forgotten together, so that none is older than `ABSENT`.
        self.since.get_or_insert_with(Instant::now);
        self.parents.note_parent(columns, row);
    }

    /// Whether the parent that `row` names was not there of late.
    pub(super) fn contains_parent(&self, columns: &KeyColumns<'_>, row: usize) -> bool {
        self.parents.contains_parent(columns, row)
    }

    /// Forgets what was noted too long ago, or is too much.
    pub(super) fn expire_entries(&mut self) {
        if self.since.is_some_and(|since| since.elapsed() > ABSENT) || self.parents.values.len() > MOST_ABSENT {
            *self = Self::default();
        }
    }
}

/// Whether a table with `held` rows is rather asked for each key of `expected` records than read.
fn is_rather_asked(held: u64, expected: u64) -> bool {
    held > expected.saturating_mul(ASK_FROM)
}

/// Whether the rows of `table` will be looked for by the keys of about `expected` records.
pub(super) fn will_be_asked(read: &dyn TargetRead, table: &Table, expected: u64) -> Result<bool> {
    // One more than is needed for the answer: to count a large table to its end takes seconds.
    let most = expected.saturating_mul(ASK_FROM).saturating_add(1);
    Ok(is_rather_asked(read.row_count_within(table, most)?, expected))
}

impl TableKeys {
    /// The keys of `table`, with what the target holds; about `expected` records are to come.
    pub(super) fn open(read: &dyn TargetRead, table: &Table, tables: &[Table], expected: u64) -> Result<Self> {
        let held = read.row_count_within(table, expected.saturating_mul(ASK_FROM).saturating_add(1))?;
        let mut uniques = unique_key_states(table);
        for unique in &mut uniques {
            unique.seen = read_seen_keys(read, table, &unique.positions, held, expected)?;
        }
        let mut foreigns = foreign_key_states(table, tables, &uniques);
        for foreign in &mut foreigns {
            // Rows of the same table can only vanish where others write at the same time.
            foreign.is_held = matches!(foreign.parents, ParentKnowledge::Other(_)) || read.is_remote();
            if let ParentKnowledge::Other(set) = &mut foreign.parents {
                *set = read_parents(read, &foreign.parent, &foreign.parent_positions, expected)?;
            }
        }
        Ok(Self { table: table.clone(), uniques, foreigns, learns: true, sketches: None })
    }

    /// The keys of `table` without any knowledge: every key is asked for.
    pub(super) fn without_knowledge(table: &Table, tables: &[Table]) -> Self {
        let mut uniques = unique_key_states(table);
        uniques.iter_mut().for_each(|unique| unique.seen = SeenKeys::Unknown);
        let foreigns = foreign_key_states(table, tables, &uniques);
        Self { table: table.clone(), uniques, foreigns, learns: false, sketches: None }
    }

    /// The keys of `table`, of which nothing is known yet; rows that come are noted.
    pub(super) fn for_new_rows(table: &Table, tables: &[Table], read: &dyn TargetRead) -> Self {
        let uniques = unique_key_states(table);
        let mut foreigns = foreign_key_states(table, tables, &uniques);
        let checked = read.checks_parents(table);
        for foreign in &mut foreigns {
            foreign.is_held = !checked && (matches!(foreign.parents, ParentKnowledge::Other(_)) || read.is_remote());
            if let ParentKnowledge::Other(set) = &mut foreign.parents {
                *set = ParentSet::default();
            }
        }
        Self { table: table.clone(), uniques, foreigns, learns: true, sketches: None }
    }

    /// Notes from here on what accepted rows look like, where that can be done. No row that was accepted may be refused later
    /// without the rows and rejects after it being undone too.
    pub(super) fn start_sketches(&mut self) {
        if let [unique] = &self.uniques[..]
            && unique.primary
            && is_integer_key(&self.table, &unique.positions)
        {
            self.sketches = Some(RowSketches::default());
        }
    }

    /// Whether the table refers to itself.
    pub(super) fn refers_to_itself(&self) -> bool {
        self.foreigns.iter().any(|foreign| matches!(foreign.parents, ParentKnowledge::Own(_)))
    }
}

/// The unique keys of `table`, nothing seen.
fn unique_key_states(table: &Table) -> Vec<UniqueKeyState> {
    let schema = &table.schema;
    let primary = (!schema.primary_key.is_empty()).then_some((&schema.primary_key, true));
    primary
        .into_iter()
        .chain(schema.unique_keys.iter().map(|key| (key, false)))
        .map(|(positions, primary)| UniqueKeyState {
            positions: positions.clone(),
            name: schema.key_name(positions),
            primary,
            seen: SeenKeys::new(is_integer_key(table, positions)),
        })
        .collect()
}

fn foreign_key_states(table: &Table, tables: &[Table], uniques: &[UniqueKeyState]) -> Vec<ForeignKeyState> {
    let foreign = |key: &landfall_core::schema::ForeignKey| {
        let parent = tables.iter().find(|parent| parent.name == key.parent)?.clone();
        let mut parent_positions: Vec<FieldIndex> =
            key.parent_fields.iter().filter_map(|name| parent.schema.field_position(name)).collect();
        let mut fields = key.fields.clone();
        let own = |unique: &UniqueKeyState| {
            parent.name == table.name && have_same_fields(&unique.positions, &parent_positions)
        };
        let parents = match uniques.iter().position(own) {
            Some(at) => {
                // A key may name its parent's fields in another order than the parent's own key.
                let place = |wanted: &FieldIndex| parent_positions.iter().position(|position| position == wanted);
                let order: Vec<usize> = uniques[at].positions.iter().filter_map(place).collect();
                fields = order.iter().map(|&place| key.fields[place]).collect();
                parent_positions.clone_from(&uniques[at].positions);
                ParentKnowledge::Own(at)
            }
            None => ParentKnowledge::Other(ParentSet::without_knowledge()),
        };
        let name = table.schema.key_name(&fields);
        Some(ForeignKeyState {
            positions: fields,
            name,
            parent,
            parent_positions,
            parents,
            is_held: false,
            touched: TouchedParents::default(),
            absent: AbsentParents::default(),
        })
    };
    table.schema.foreign_keys.iter().filter_map(foreign).collect()
}

/// Whether two keys have the same fields, in whatever order.
fn have_same_fields(one: &[FieldIndex], other: &[FieldIndex]) -> bool {
    one.len() == other.len() && one.iter().all(|at| other.contains(at))
}

/// Whether a key is one integer.
fn is_integer_key(table: &Table, positions: &[FieldIndex]) -> bool {
    let kind = |at: &FieldIndex| &table.schema[*at].kind;
    matches!(positions, [at] if matches!(kind(at), FieldType::Integer { .. } | FieldType::Year))
}

/// What `table` holds of the key at `positions`.
fn read_seen_keys(
    read: &dyn TargetRead,
    table: &Table,
    positions: &[FieldIndex],
    held: u64,
    expected: u64,
) -> Result<SeenKeys> {
    if is_rather_asked(held, expected) {
        return Ok(SeenKeys::Unknown);
    }
    let mut seen = SeenKeys::new(is_integer_key(table, positions));
    if held > 0 {
        read.scan_rows(table, positions, &mut |batch| {
            let columns = KeyColumns::from_whole_batch(batch);
            (0..batch.num_rows()).for_each(|row| seen.insert(columns.row_key(row)));
        })?;
    }
    Ok(seen)
}

/// The keys of a parent table.
pub(super) fn read_parents(
    read: &dyn TargetRead,
    parent: &Table,
    positions: &[FieldIndex],
    expected: u64,
) -> Result<ParentSet> {
    // At least 10,000: so few are read in one question, even for a file of one record.
    let most = expected.saturating_mul(ASK_FROM).clamp(10_000, MOST_PARENTS);
    if read.row_count_within(parent, most + 1)? > most {
        return Ok(ParentSet::without_knowledge());
    }
    fill_parents(read, parent, positions, ParentSet::default())
}

/// The keys of a parent table, however many there are.
pub(super) fn read_all_parents(read: &dyn TargetRead, parent: &Table, positions: &[FieldIndex]) -> Result<ParentSet> {
    fill_parents(read, parent, positions, ParentSet::without_bound())
}

fn fill_parents(
    read: &dyn TargetRead,
    parent: &Table,
    positions: &[FieldIndex],
    mut set: ParentSet,
) -> Result<ParentSet> {
    read.scan_rows(parent, positions, &mut |batch| set.insert_rows(batch))?;
    Ok(set)
}
