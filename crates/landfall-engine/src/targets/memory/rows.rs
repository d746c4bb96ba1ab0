//! The rows of one table, and its keys.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use landfall_core::{keys::Scalar, schema::FieldIndex};

use super::Table;

/// The values of a row, one for each field.
pub(super) type MemoryRow = Arc<[Scalar]>;

/// The rows of a table in the order in which they were inserted.
#[derive(Debug, Clone)]
pub(super) struct MemoryRows {
    /// The table as it was made.
    pub(super) table: Table,
    rows: BTreeMap<u64, MemoryRow>,
    /// The keys; none while the table is built aside.
    keys: Vec<UniqueKey>,
}

/// A primary or unique key: which row holds which values. Keys with a missing value are held by none.
#[derive(Debug, Clone)]
struct UniqueKey {
    positions: Vec<FieldIndex>,
    holders: HashMap<Vec<Scalar>, u64>,
}

/// The values of `row` at `positions`; none where one of them is missing.
pub(super) fn key_values(row: &[Scalar], positions: &[FieldIndex]) -> Option<Vec<Scalar>> {
    let values: Vec<Scalar> = positions.iter().map(|at| row[at.get()].clone()).collect();
    // As in SQL, NULL equals nothing: a key with one clashes with no other.
    (!values.contains(&Scalar::Null)).then_some(values)
}

impl MemoryRows {
    /// An empty table with its keys.
    pub(super) fn new(table: &Table) -> Self {
        let keys = unique_keys(table).map(|positions| UniqueKey { positions, holders: HashMap::new() }).collect();
        Self { keys, ..Self::without_keys(table) }
    }

    /// An empty table that has no keys yet.
    pub(super) fn without_keys(table: &Table) -> Self {
        Self { table: table.clone(), rows: BTreeMap::new(), keys: Vec::new() }
    }

    /// The same rows with their keys; what stands against that otherwise.
    pub(super) fn with_keys(&self) -> Result<Self, String> {
        let mut keyed = Self::new(&self.table);
        for row in self.rows.values() {
            keyed.insert(row.clone())?;
        }
        Ok(keyed)
    }

    pub(super) fn len(&self) -> u64 {
        self.rows.len() as u64
    }

    /// All rows, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &MemoryRow> {
        self.rows.values()
    }

    /// Adds a row; the constraint that stands against it otherwise.
    pub(super) fn insert(&mut self, row: MemoryRow) -> Result<(), String> {
        self.check_row(&row, None)?;
        // Never a number that was in use below: the order of insertion is what a scan gives.
        let at = self.rows.last_key_value().map_or(0, |(last, _)| last + 1);
        self.put_row(at, row);
        Ok(())
    }

    /// Gives the row with the primary key of `row` its content in the fields at `fields`; what stands against that otherwise.
    pub(super) fn update_row(&mut self, row: &MemoryRow, fields: &[FieldIndex]) -> Result<(), String> {
        let holder = self.keys.first().and_then(|key| key.holders.get(&key_values(row, &key.positions)?));
        let Some(&at) = holder else { return Err("no row has its primary key any more".into()) };
        let mut content = self.rows[&at].to_vec();
        fields.iter().for_each(|field| content[field.get()] = row[field.get()].clone());
        let row: MemoryRow = content.into();
        // Before anything is taken out: a row that is refused must stay as it was.
        self.check_row(&row, Some(at))?;
        self.remove(at);
        self.put_row(at, row);
        Ok(())
    }

    /// Takes out the rows whose fields at `positions` have `values`.
    pub(super) fn delete_rows(&mut self, positions: &[FieldIndex], values: &[Scalar]) {
        let named =
            |(&at, row): (&u64, &MemoryRow)| (key_values(row, positions).as_deref() == Some(values)).then_some(at);
        let doomed: Vec<u64> = self.rows.iter().filter_map(named).collect();
        doomed.into_iter().for_each(|at| self.remove(at));
    }

    /// Takes out all rows.
    pub(super) fn delete_all(&mut self) -> u64 {
        let removed = self.rows.len() as u64;
        self.rows.clear();
        self.keys.iter_mut().for_each(|key| key.holders.clear());
        removed
    }

    /// For each of `values` the row whose fields at `positions` have them.
    pub(super) fn find_rows(&self, positions: &[FieldIndex], values: &[Vec<Scalar>]) -> Vec<Option<&MemoryRow>> {
        if let Some(key) = self.keys.iter().find(|key| key.positions == positions) {
            return values.iter().map(|values| key.holders.get(values).map(|at| &self.rows[at])).collect();
        }
        let mut first: HashMap<Vec<Scalar>, &MemoryRow> = HashMap::new();
        for row in self.rows.values() {
            if let Some(key) = key_values(row, positions) {
                // The oldest of equal rows: without a key there may be several.
                first.entry(key).or_insert(row);
            }
        }
        values.iter().map(|values| first.get(values).copied()).collect()
    }

    /// Whether a row of the table has a key of `row`.
    pub(super) fn has_clash(&self, row: &[Scalar], other: &[Scalar]) -> bool {
        let shares = |key: &UniqueKey| {
            let values = key_values(row, &key.positions);
            values.is_some() && values == key_values(other, &key.positions)
        };
        self.keys.iter().any(shares)
    }

    /// What stands against `row`, which is to take the place `own` where it replaces another.
    fn check_row(&self, row: &[Scalar], own: Option<u64>) -> Result<(), String> {
        let name = &self.table.name;
        for (field, value) in self.table.schema.fields.iter().zip(row) {
            if field.constraints.required && *value == Scalar::Null {
                return Err(format!("the field {:?} of the table {name:?} must have a value", &*field.name));
            }
        }
        for key in &self.keys {
            let holder = key_values(row, &key.positions).and_then(|values| key.holders.get(&values));
            if holder.is_some_and(|holder| Some(*holder) != own) {
                let fields = self.table.schema.key_name(&key.positions);
                return Err(format!("another row of the table {name:?} has the same key ({fields})"));
            }
        }
        Ok(())
    }

    fn put_row(&mut self, at: u64, row: MemoryRow) {
        for key in &mut self.keys {
            key.holders.extend(key_values(&row, &key.positions).map(|values| (values, at)));
        }
        self.rows.insert(at, row);
    }

    fn remove(&mut self, at: u64) {
        let Some(row) = self.rows.remove(&at) else { return };
        for key in &mut self.keys {
            if let Some(values) = key_values(&row, &key.positions) {
                key.holders.remove(&values);
            }
        }
    }
}

/// The fields of each key, the primary key first.
fn unique_keys(table: &Table) -> impl Iterator<Item = Vec<FieldIndex>> {
    let schema = &table.schema;
    let primary = (!schema.primary_key.is_empty()).then(|| schema.primary_key.clone());
    primary.into_iter().chain(schema.unique_keys.iter().cloned())
}
