//! All that the database holds at one moment. A copy is cheap, and shares what was not changed since.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use landfall_core::{
    keys::Scalar,
    schema::{Field, ForeignKey, TableSchema},
};

use super::{
    Difference, Table,
    jobs::Jobs,
    mismatch,
    quarantine::Quarantine,
    rows::{Rows, key_of},
};
use crate::{
    document::Document,
    error::{Result, TargetError, TargetErrorKind},
    ledger::LoadEntry,
    targets::sql::made::{self, Tables},
};

/// Tables, ledger and quarantine.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    tables: BTreeMap<Arc<str>, Arc<Rows>>,
    aside: BTreeMap<Arc<str>, Arc<Aside>>,
    pub(super) loads: Arc<Vec<LoadEntry>>,
    pub(super) documents: Arc<BTreeMap<(String, String), Document>>,
    pub(super) jobs: Arc<Jobs>,
    pub(super) quarantine: Arc<Quarantine>,
}

/// A table that is being built, and the parents that its rows name.
#[derive(Debug, Clone)]
struct Aside {
    rows: Rows,
    held: HashSet<Held>,
}

/// A row that must stay: its table, and the values of its fields at these positions.
type Held = (Arc<str>, Vec<usize>, Vec<Scalar>);

impl State {
    pub(super) fn rows(&self, table: &str) -> Option<&Rows> {
        self.tables.get(table).map(|rows| &**rows)
    }

    /// The rows of a table that is being built.
    pub(super) fn rows_aside(&self, table: &str) -> Option<&Rows> {
        self.aside.get(table).map(|aside| &aside.rows)
    }

    /// The rows of a table, whole or being built, to be changed.
    pub(super) fn rows_mut(&mut self, table: &Table) -> Result<&mut Rows> {
        if let Some(aside) = self.aside.get_mut(&table.name) {
            return Ok(&mut Arc::make_mut(aside).rows);
        }
        let rows = self.tables.get_mut(&table.name).map(Arc::make_mut);
        let gone = || format!("there is no table {:?}", &*table.name);
        rows.ok_or_else(|| TargetError::new(TargetErrorKind::Statement, gone()).into())
    }

    /// Makes or finishes the tables that are not there, and checks those that are.
    pub(super) fn prepare(&mut self, tables: &[Table]) -> Result<()> {
        for table in tables {
            if self.aside.contains_key(&table.name) {
                self.finish(table)?;
            }
            match self.rows(&table.name) {
                Some(rows) => check(&rows.table, table)?,
                None => drop(self.tables.insert(table.name.clone(), Arc::new(Rows::new(table)))),
            }
        }
        Ok(())
    }

    /// Does `change` to the rows of a table that is there.
    pub(super) fn change(&mut self, table: &str, change: impl FnOnce(&mut Rows)) {
        if let Some(rows) = self.tables.get_mut(table) {
            change(Arc::make_mut(rows));
        }
    }

    /// Begins to build a table, or goes on with it.
    pub(super) fn build(&mut self, table: &Table) -> Result<()> {
        let aside = || Arc::new(Aside { rows: Rows::without_keys(table), held: HashSet::new() });
        check(&self.aside.entry(table.name.clone()).or_insert_with(aside).rows.table, table)
    }

    /// Gives a table that is being built its keys and its place.
    pub(super) fn finish(&mut self, table: &Table) -> Result<()> {
        let Some(aside) = self.aside.get(&table.name) else { return Ok(()) };
        let keyed = aside.rows.with_keys();
        let rows = keyed.map_err(|words| constraint(format!("cannot finish {:?}: {words}", &*table.name)))?;
        let mut whole = self.clone();
        whole.aside.remove(&table.name);
        whole.tables.insert(table.name.clone(), Arc::new(rows));
        if let Some(words) = whole.orphans(&[table]).into_iter().next() {
            return Err(constraint(words));
        }
        *self = whole;
        Ok(())
    }

    /// Removes those of `tables` that can be made anew without a loss, also where they are still being built.
    pub(super) fn remove_unused(&mut self, tables: &[Table]) -> Result<()> {
        for table in tables {
            let is_unused = |aside: &Arc<Aside>| aside.rows.len() == 0 && !compare(&aside.rows.table, table).is_empty();
            if self.aside.get(&table.name).is_some_and(is_unused) {
                self.aside.remove(&table.name);
            }
        }
        for table in made::unused(self, tables)? {
            self.tables.remove(&table.name);
        }
        Ok(())
    }

    /// How the tables differ from `tables`.
    pub(super) fn differences(&self, tables: &[Table]) -> Vec<Difference> {
        let mut found = Vec::new();
        for table in tables {
            let difference =
                |message, harmless| Difference { table: table.name.clone(), message, addition: None, harmless };
            match self.rows(&table.name) {
                None => found.push(difference("does not exist".to_owned(), true)),
                Some(rows) => {
                    found.extend(compare(&rows.table, table).into_iter().map(|words| difference(words, false)))
                }
            }
        }
        found
    }

    /// Sees to it that parents of a table that is being built stay until it is finished.
    pub(super) fn hold(&mut self, child: &Table, parent: &Table, positions: &[usize], values: &[Vec<Scalar>]) {
        if let Some(aside) = self.aside.get_mut(&child.name) {
            let held = values.iter().map(|values| (parent.name.clone(), positions.to_vec(), values.clone()));
            Arc::make_mut(aside).held.extend(held);
        }
    }

    /// Rows of `tables` that name a parent which does not exist, as sentences.
    pub(super) fn orphans(&self, tables: &[&Table]) -> Vec<String> {
        let mut found = Vec::new();
        for table in tables {
            let Some(rows) = self.rows(&table.name) else { continue };
            let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
            for key in &table.schema.foreign_keys {
                *counts.entry(&key.parent).or_default() += self.orphans_of(rows, key);
            }
            for (parent, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
                found.push(format!("{count} rows of {:?} name rows of {parent:?} that would be gone", &*table.name));
            }
        }
        found.truncate(10);
        found
    }

    fn orphans_of(&self, rows: &Rows, key: &ForeignKey) -> u64 {
        let named: Vec<Vec<Scalar>> = rows.iter().filter_map(|row| key_of(row, &key.fields)).collect();
        let Some(parents) = self.rows(&key.parent) else { return named.len() as u64 };
        let schema = &parents.table.schema;
        let positions: Vec<usize> = key.parent_fields.iter().filter_map(|name| schema.field_position(name)).collect();
        parents.find_all(&positions, &named).iter().filter(|parent| parent.is_none()).count() as u64
    }

    /// What stands against committing this state after `before`; `fenced` where every foreign key is to be checked.
    pub(super) fn violation(&self, before: &Self, fenced: bool) -> Option<TargetError> {
        let changed = |name: &Arc<str>| match (self.tables.get(name), before.tables.get(name)) {
            (Some(now), Some(then)) => !Arc::ptr_eq(now, then),
            (now, then) => now.is_some() != then.is_some(),
        };
        let affected =
            |table: &&Table| changed(&table.name) || table.schema.foreign_keys.iter().any(|key| changed(&key.parent));
        let tables: Vec<&Table> = self.tables.values().map(|rows| &rows.table).filter(affected).collect();
        let orphans = if fenced { self.orphans(&tables) } else { Vec::new() };
        let words = orphans.into_iter().next().or_else(|| self.unheld(&changed))?;
        Some(TargetError::new(TargetErrorKind::Constraint, words))
    }

    /// A parent that a table being built needs, and that is gone.
    fn unheld(&self, changed: &dyn Fn(&Arc<str>) -> bool) -> Option<String> {
        let gone = |(parent, positions, values): &Held| {
            let found = |rows: &Rows| rows.find_all(positions, std::slice::from_ref(values))[0].is_some();
            changed(parent) && !self.rows(parent).is_some_and(found)
        };
        let (name, _) = self.aside.iter().find(|(_, aside)| aside.held.iter().any(gone))?;
        Some(format!("rows of {name:?}, which is being built, name a row that would be gone"))
    }
}

impl Tables for State {
    fn empty_differs(&mut self, table: &Table) -> Result<Option<bool>> {
        let rows = self.rows(&table.name).filter(|rows| rows.len() == 0);
        Ok(rows.map(|rows| !compare(&rows.table, table).is_empty()))
    }

    /// Nobody else makes or changes tables here.
    fn is_as_made(&mut self, _table: &Table) -> Result<bool> {
        Ok(true)
    }

    fn referring(&mut self, table: &Table) -> Result<Vec<String>> {
        let refers = |rows: &&Arc<Rows>| rows.table.schema.foreign_keys.iter().any(|key| key.parent == table.name);
        Ok(self.tables.values().filter(refers).map(|rows| rows.table.name.to_string()).collect())
    }
}

/// Checks a table that exists against the dictionary.
fn check(existing: &Table, wanted: &Table) -> Result<()> {
    let found = compare(existing, wanted);
    if found.is_empty() {
        return Ok(());
    }
    Err(mismatch(format!(
        "the table {:?} exists and differs from the data package: it {}. Nothing was altered: rename the table, or mend \
         the data package",
        &*wanted.name,
        found.join("; it ")
    )))
}

/// How a table that exists differs from the dictionary.
fn compare(existing: &Table, wanted: &Table) -> Vec<String> {
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
pub(super) fn constraint(words: impl Into<String>) -> crate::Error {
    TargetError::new(TargetErrorKind::Constraint, words).into()
}
