//! All that the database holds at one moment. A copy is cheap, and shares what was not changed since.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use landfall_core::{
    keys::Scalar,
    schema::{Field, FieldIndex, ForeignKey, TableSchema},
};

use super::{
    Difference, Table,
    jobs::JobStore,
    mismatch_error,
    quarantine::MemoryQuarantine,
    rows::{MemoryRows, key_values},
};
use crate::{
    document::Document,
    error::{Result, TargetError, TargetErrorKind},
    ledger::LoadEntry,
    targets::{
        describe_orphans,
        sql::made_tables::{self, TableCatalogue},
    },
};

/// Tables, ledger and quarantine.
#[derive(Debug, Clone, Default)]
pub(super) struct MemoryState {
    tables: BTreeMap<Arc<str>, Arc<MemoryRows>>,
    aside: BTreeMap<Arc<str>, Arc<StagedTable>>,
    pub(super) loads: Arc<Vec<LoadEntry>>,
    pub(super) documents: Arc<BTreeMap<(String, String), Document>>,
    pub(super) jobs: Arc<JobStore>,
    pub(super) quarantine: Arc<MemoryQuarantine>,
}

/// A table that is being built, and the parents that its rows name.
#[derive(Debug, Clone)]
struct StagedTable {
    rows: MemoryRows,
    held: HashSet<RequiredRow>,
}

/// A row that must stay: its table, and the values of its fields at these positions.
type RequiredRow = (Arc<str>, Vec<FieldIndex>, Vec<Scalar>);

impl MemoryState {
    pub(super) fn find_rows(&self, table: &str) -> Option<&MemoryRows> {
        self.tables.get(table).map(|rows| &**rows)
    }

    /// The rows of a table that is being built.
    pub(super) fn find_staged_rows(&self, table: &str) -> Option<&MemoryRows> {
        self.aside.get(table).map(|aside| &aside.rows)
    }

    /// The rows of a table, whole or being built, to be changed.
    pub(super) fn table_rows_mut(&mut self, table: &Table) -> Result<&mut MemoryRows> {
        if let Some(aside) = self.aside.get_mut(&table.name) {
            return Ok(&mut Arc::make_mut(aside).rows);
        }
        let rows = self.tables.get_mut(&table.name).map(Arc::make_mut);
        let gone = || format!("there is no table {:?}", &*table.name);
        rows.ok_or_else(|| TargetError::new(TargetErrorKind::Statement, gone()).into())
    }

    /// Makes or finishes the tables that are not there, and checks those that are.
    pub(super) fn prepare_tables(&mut self, tables: &[Table]) -> Result<()> {
        for table in tables {
            // Whoever prepares a table wants it whole, so a building that was left behind ends here.
            if self.aside.contains_key(&table.name) {
                self.finish_staging(table)?;
            }
            match self.find_rows(&table.name) {
                Some(rows) => check_table(&rows.table, table)?,
                None => drop(self.tables.insert(table.name.clone(), Arc::new(MemoryRows::new(table)))),
            }
        }
        Ok(())
    }

    /// Does `change` to the rows of a table that is there.
    pub(super) fn change_rows(&mut self, table: &str, change: impl FnOnce(&mut MemoryRows)) {
        if let Some(rows) = self.tables.get_mut(table) {
            change(Arc::make_mut(rows));
        }
    }

    /// Begins to build a table, or goes on with it.
    pub(super) fn build(&mut self, table: &Table) -> Result<()> {
        let aside = || Arc::new(StagedTable { rows: MemoryRows::without_keys(table), held: HashSet::new() });
        check_table(&self.aside.entry(table.name.clone()).or_insert_with(aside).rows.table, table)
    }

    /// Gives a table that is being built its keys and its place.
    pub(super) fn finish_staging(&mut self, table: &Table) -> Result<()> {
        let Some(aside) = self.aside.get(&table.name) else { return Ok(()) };
        let keyed = aside.rows.with_keys();
        let rows = keyed.map_err(|words| constraint_error(format!("cannot finish {:?}: {words}", &*table.name)))?;
        // On a copy: if a parent is missing, the table goes on being built.
        let mut whole = self.clone();
        whole.aside.remove(&table.name);
        whole.tables.insert(table.name.clone(), Arc::new(rows));
        if let Some(words) = whole.find_orphans(&[table]).into_iter().next() {
            return Err(constraint_error(words));
        }
        *self = whole;
        Ok(())
    }

    /// Removes those of `tables` that can be made anew without a loss, also where they are still being built.
    pub(super) fn remove_unused(&mut self, tables: &[Table]) -> Result<()> {
        for table in tables {
            let is_unused = |aside: &Arc<StagedTable>| {
                // Rows that were loaded are never thrown away, however much the dictionary has changed.
                aside.rows.len() == 0 && !compare_tables(&aside.rows.table, table).is_empty()
            };
            if self.aside.get(&table.name).is_some_and(is_unused) {
                self.aside.remove(&table.name);
            }
        }
        for table in made_tables::find_remakable(self, tables)? {
            self.tables.remove(&table.name);
        }
        Ok(())
    }

    /// How the tables differ from `tables`.
    pub(super) fn find_differences(&self, tables: &[Table]) -> Vec<Difference> {
        let mut found = Vec::new();
        for table in tables {
            let difference =
                |message, harmless| Difference { table: table.name.clone(), message, addition: None, harmless };
            match self.find_rows(&table.name) {
                None => found.push(difference("does not exist".to_owned(), true)),
                Some(rows) => {
                    found.extend(compare_tables(&rows.table, table).into_iter().map(|words| difference(words, false)))
                }
            }
        }
        found
    }

    /// Sees to it that parents of a table that is being built stay until it is finished.
    pub(super) fn require_parents(
        &mut self,
        child: &Table,
        parent: &Table,
        positions: &[FieldIndex],
        values: &[Vec<Scalar>],
    ) {
        if let Some(aside) = self.aside.get_mut(&child.name) {
            let held = values.iter().map(|values| (parent.name.clone(), positions.to_vec(), values.clone()));
            Arc::make_mut(aside).held.extend(held);
        }
    }

    /// Rows of `tables` that name a parent which does not exist, as sentences.
    pub(super) fn find_orphans(&self, tables: &[&Table]) -> Vec<String> {
        let mut found = Vec::new();
        for table in tables {
            let Some(rows) = self.find_rows(&table.name) else { continue };
            let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
            for key in &table.schema.foreign_keys {
                *counts.entry(&key.parent).or_default() += self.count_orphans(rows, key);
            }
            for (parent, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
                found.push(describe_orphans(count, &table.name, parent));
            }
        }
        found.truncate(10);
        found
    }

    fn count_orphans(&self, rows: &MemoryRows, key: &ForeignKey) -> u64 {
        let named: Vec<Vec<Scalar>> = rows.iter().filter_map(|row| key_values(row, &key.fields)).collect();
        // Without its parent table every row that names one is an orphan.
        let Some(parents) = self.find_rows(&key.parent) else { return named.len() as u64 };
        let schema = &parents.table.schema;
        let positions: Vec<FieldIndex> =
            key.parent_fields.iter().filter_map(|name| schema.field_position(name)).collect();
        parents.find_rows(&positions, &named).iter().filter(|parent| parent.is_none()).count() as u64
    }

    /// What stands against committing this state after `before`; `fenced` where every foreign key is to be checked.
    pub(super) fn find_violation(&self, before: &Self, fenced: bool) -> Option<TargetError> {
        let changed = |name: &Arc<str>| match (self.tables.get(name), before.tables.get(name)) {
            // Copies share what was not changed, so that the address tells whether a table was.
            (Some(now), Some(then)) => !Arc::ptr_eq(now, then),
            (now, then) => now.is_some() != then.is_some(),
        };
        let affected =
            |table: &&Table| changed(&table.name) || table.schema.foreign_keys.iter().any(|key| changed(&key.parent));
        let tables: Vec<&Table> = self.tables.values().map(|rows| &rows.table).filter(affected).collect();
        // Otherwise the pipeline has checked each parent, and a scan of all rows would prove it again.
        let orphans = if fenced { self.find_orphans(&tables) } else { Vec::new() };
        let words = orphans.into_iter().next().or_else(|| self.find_missing_parent(&changed))?;
        Some(TargetError::new(TargetErrorKind::Constraint, words))
    }

    /// A parent that a table being built needs, and that is gone.
    fn find_missing_parent(&self, changed: &dyn Fn(&Arc<str>) -> bool) -> Option<String> {
        let gone = |(parent, positions, values): &RequiredRow| {
            let found = |rows: &MemoryRows| rows.find_rows(positions, std::slice::from_ref(values))[0].is_some();
            changed(parent) && !self.find_rows(parent).is_some_and(found)
        };
        let (name, _) = self.aside.iter().find(|(_, aside)| aside.held.iter().any(gone))?;
        Some(format!("rows of {name:?}, which is being built, name a row that would be gone"))
    }
}

impl TableCatalogue for MemoryState {
    fn empty_differs(&mut self, table: &Table) -> Result<Option<bool>> {
        let rows = self.find_rows(&table.name).filter(|rows| rows.len() == 0);
        Ok(rows.map(|rows| !compare_tables(&rows.table, table).is_empty()))
    }

    /// Nobody else makes or changes tables here.
    fn is_as_made(&mut self, _table: &Table) -> Result<bool> {
        Ok(true)
    }

    fn referring_tables(&mut self, table: &Table) -> Result<Vec<String>> {
        let refers =
            |rows: &&Arc<MemoryRows>| rows.table.schema.foreign_keys.iter().any(|key| key.parent == table.name);
        Ok(self.tables.values().filter(refers).map(|rows| rows.table.name.to_string()).collect())
    }
}

/// Checks a table that exists against the dictionary.
fn check_table(existing: &Table, wanted: &Table) -> Result<()> {
    let found = compare_tables(existing, wanted);
    if found.is_empty() {
        return Ok(());
    }
    Err(mismatch_error(format!(
        "the table {:?} exists and differs from the data package: it {}. Nothing was altered: rename the table, or mend \
         the data package",
        &*wanted.name,
        found.join("; it ")
    )))
}

/// How a table that exists differs from the dictionary.
fn compare_tables(existing: &Table, wanted: &Table) -> Vec<String> {
    let mut found = Vec::new();
    let (is, wants) = (&existing.schema, &wanted.schema);
    for field in &wants.fields {
        let held = is.fields.iter().find(|held| held.name == field.name);
        match held {
            None => found.push(format!("has no column {:?}", &*field.name)),
            Some(held) if kind(held) != kind(field) => {
                found.push(format!("has the column {:?} as {} and not {}", &*field.name, kind(held), kind(field)))
            }
            Some(_) => {}
        }
    }
    for field in is.fields.iter().filter(|field| wants.field_position(&field.name).is_none()) {
        found.push(format!("has the column {:?}, which is not in the data package", &*field.name));
    }
    let names = |schema: &TableSchema| schema.fields.iter().map(|field| field.name.clone()).collect::<Vec<_>>();
    // Columns that are missing or new also shift the order, which would only say it twice.
    if found.is_empty() && names(is) != names(wants) {
        found.push("has its columns in another order".into());
    }
    let (key, wanted_key) = (is.key_name(&is.primary_key), wants.key_name(&wants.primary_key));
    if key != wanted_key {
        found.push(format!("has the primary key ({key}) and not ({wanted_key})"));
    }
    found
}

fn kind(field: &Field) -> &'static str {
    field.kind.name()
}

/// The error of a constraint that stands against a whole step.
pub(super) fn constraint_error(words: impl Into<String>) -> crate::Error {
    TargetError::new(TargetErrorKind::Constraint, words).into()
}
