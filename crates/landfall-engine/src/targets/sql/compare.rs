//! How a table that exists differs from the dictionary: what stops loads, what does not, and what adding can mend.

#[cfg(test)]
mod tests;

use landfall_core::schema::{Field, FieldIndex, ForeignKey};

use super::existing_table::{ColumnFit, ExistingColumn, ExistingForeignKey, ExistingTable, SqlDialect};
use crate::{
    error::{Result, TargetError, TargetErrorKind},
    targets::{Difference, Table},
};

/// How the table that `existing` describes differs from `table`. Columns come before keys, so that additions can be
/// carried out in this order.
pub(in crate::targets) fn compare_table(
    table: &Table,
    existing: &ExistingTable,
    dialect: &dyn SqlDialect,
) -> Vec<Difference> {
    let mut comparison = TableComparison { table, existing, dialect, found: Vec::new() };
    comparison.name();
    comparison.compare_fields();
    comparison.other_columns();
    comparison.compare_primary_key();
    comparison.compare_unique_keys();
    comparison.foreign_keys();
    comparison.found
}

/// That `table` does not exist, and the statement that makes it.
pub(in crate::targets) fn missing_table(table: &Table, addition: String) -> Difference {
    new_difference(table, "does not exist".into(), Some(addition), true)
}

/// That something else has the name of `table`: `what` it is, such as `a view`.
pub(in crate::targets) fn not_a_table(table: &Table, what: &str) -> Difference {
    new_difference(table, format!("is {what} and not a table"), None, false)
}

/// Whether `existing` has a foreign key that is not in the dictionary, so that only the database can check it.
pub(in crate::targets) fn has_other_foreign_key(
    table: &Table,
    existing: &ExistingTable,
    dialect: &dyn SqlDialect,
) -> bool {
    let comparison = TableComparison { table, existing, dialect, found: Vec::new() };
    existing.foreign_keys.iter().any(|key| !comparison.is_declared_key(key))
}

/// Refuses a table whose `differences` stop loads.
///
/// # Errors
/// What stops them, and what to do.
pub(in crate::targets) fn refuse_differences(table: &Table, differences: &[Difference]) -> Result<()> {
    let serious: Vec<&Difference> = differences.iter().filter(|found| !found.harmless).collect();
    if serious.is_empty() {
        return Ok(());
    }
    // If only one of them cannot be added, `schema apply` would leave a table that still cannot be loaded.
    let mend = if serious.iter().all(|found| found.addition.is_some()) {
        "`landfall schema apply` adds what is missing"
    } else {
        "rename the table, or mend the data package; `landfall schema` shows every difference"
    };
    let messages: Vec<&str> = serious.iter().map(|found| &*found.message).collect();
    let message = format!(
        "the table {:?} exists and differs from the data package: it {}. Nothing was altered: {mend}",
        &*table.name,
        messages.join("; it ")
    );
    Err(TargetError::new(TargetErrorKind::Mismatch, message).into())
}

fn new_difference(table: &Table, message: String, addition: Option<String>, harmless: bool) -> Difference {
    Difference { table: table.name.clone(), message, addition, harmless }
}

struct TableComparison<'c> {
    table: &'c Table,
    existing: &'c ExistingTable,
    dialect: &'c dyn SqlDialect,
    found: Vec<Difference>,
}

impl<'c> TableComparison<'c> {
    /// Something that stops loads until it is added or mended.
    fn add_serious(&mut self, message: String, addition: Option<String>) {
        self.found.push(new_difference(self.table, message, addition, false));
    }

    /// Something with which rows can be loaded all the same.
    fn add_harmless(&mut self, message: String, addition: Option<String>) {
        self.found.push(new_difference(self.table, message, addition, true));
    }

    fn name(&mut self) {
        let name = &self.existing.name;
        if **name != *self.table.name {
            self.add_harmless(format!("is called {name:?} there, which the database takes as the same name"), None);
        }
    }

    fn compare_fields(&mut self) {
        for (at, field) in self.table.schema.positioned_fields() {
            match self.find_column(&field.name) {
                None => self.missing_column(at, field),
                Some(column) => self.present_column(at, field, column),
            }
        }
    }

    fn missing_column(&mut self, at: FieldIndex, field: &Field) {
        let name = &*field.name;
        // A column that is never NULL needs a value for each of the rows, and nobody knows one.
        if field.constraints.required && self.existing.has_rows {
            return self.add_serious(format!("has no column {name:?}, which is required, and already has rows"), None);
        }
        // A primary key cannot be widened by a column; it would have to be made anew.
        let in_key = self.table.schema.primary_key.contains(&at);
        let addition = if in_key { None } else { self.dialect.add_column(self.table, at) };
        self.add_serious(format!("has no column {name:?}"), addition);
    }

    fn present_column(&mut self, at: FieldIndex, field: &Field, column: &ExistingColumn) {
        let name = &*field.name;
        if column.computed {
            return self.add_serious(format!("computes the column {name:?} itself, so that it takes no values"), None);
        }
        if column.name != name {
            let theirs = &column.name;
            self.add_harmless(format!("has {name:?} as {theirs:?}, which the database takes as the same name"), None);
        }
        self.compare_type(at, name, column);
        self.compare_collation(at, name, column);
        if field.constraints.required && !column.required {
            self.add_harmless(
                format!("lets {name:?} be empty, which the data package does not: Landfall sees to it"),
                None,
            );
        } else if column.required && !field.constraints.required {
            let message = format!("requires {name:?}, which the data package does not: rows without it are rejected");
            self.add_harmless(message, None);
        }
    }

    fn compare_type(&mut self, at: FieldIndex, name: &str, column: &ExistingColumn) {
        let fit = self.dialect.column_fit(self.table, at, column);
        let words =
            format!("has the column {name:?} as {} and not {}", column.sql_type, self.dialect.sql_type(self.table, at));
        self.note_misfit(fit, words);
    }

    fn compare_collation(&mut self, at: FieldIndex, name: &str, column: &ExistingColumn) {
        let Some(collation) = &column.collation else { return };
        let fit = self.dialect.fit_of_collation(self.table, at, column);
        self.note_misfit(fit, format!("compares the column {name:?} by {collation} and not byte by byte"));
    }

    /// Notes `words` where a column does not fit.
    fn note_misfit(&mut self, fit: ColumnFit, words: String) {
        match fit {
            ColumnFit::Same => {}
            ColumnFit::Alike => self.add_harmless(format!("{words}, which holds the same values"), None),
            ColumnFit::Other => self.add_serious(words, None),
        }
    }

    /// Columns that are not in the dictionary: rows leave them to the database.
    fn other_columns(&mut self) {
        for column in &self.existing.columns {
            let name = &column.name;
            if self.table.schema.fields.iter().any(|field| self.dialect.are_same_column(&field.name, name)) {
                continue;
            }
            if column.required && !column.filled && !column.computed {
                self.add_serious(
                    format!("asks for a value of the column {name:?}, which is not in the data package"),
                    None,
                );
            } else {
                let message =
                    format!("has the column {name:?}, which is not in the data package: loads leave it alone");
                self.add_harmless(message, None);
            }
        }
    }

    fn compare_primary_key(&mut self) {
        let (schema, existing) = (&self.table.schema, self.existing);
        let (is, wanted) = (&existing.primary_key, &schema.primary_key);
        if self.same_columns(wanted, is) {
            return;
        }
        // What matters is that the fields of the key are unique there, by whatever name.
        let kept = wanted.is_empty() || existing.unique_keys.iter().any(|key| self.same_columns(wanted, key));
        // A key that the database fills in by itself, such as a serial number, stands in no row's way.
        let tolerable =
            self.is_filled_by_database(is) || schema.unique_keys.iter().any(|key| self.same_columns(key, is));
        let addition = if is.is_empty() { self.dialect.add_primary_key(self.table) } else { None };
        let message = describe_key(is, &self.field_names(wanted));
        if kept && tolerable { self.add_harmless(message, addition) } else { self.add_serious(message, addition) }
    }

    /// A key that the database lacks. The pipeline checks it too, which may be enough.
    fn add_missing_key(&mut self, words: String, addition: Option<String>, needed: bool) {
        if needed {
            self.add_serious(words, addition);
        } else {
            self.add_harmless(format!("{words}: Landfall checks it"), addition);
        }
    }

    fn compare_unique_keys(&mut self) {
        let (schema, existing) = (&self.table.schema, self.existing);
        for wanted in &schema.unique_keys {
            let has = |key: &Vec<String>| self.same_columns(wanted, key);
            if !existing.unique_keys.iter().chain([&existing.primary_key]).any(has) {
                let names = self.field_names(wanted).join(", ");
                let addition = self.dialect.add_unique_key(self.table, wanted);
                let needed = self.dialect.needs_unique_key(self.table, wanted);
                self.add_missing_key(format!("has no unique key ({names})"), addition, needed);
            }
        }
        // Such a key is the user's own. Rows that break it are told by the database, one by one.
        for key in &existing.unique_keys {
            let declared = |wanted: &Vec<FieldIndex>| self.same_columns(wanted, key);
            if !schema.unique_keys.iter().chain([&schema.primary_key]).any(declared) {
                let names = key.join(", ");
                let message = format!(
                    "has the unique key ({names}), which is not in the data package: rows that break it are rejected"
                );
                self.add_harmless(message, None);
            }
        }
    }

    fn foreign_keys(&mut self) {
        for wanted in &self.table.schema.foreign_keys {
            let present = self.existing.foreign_keys.iter().any(|key| self.same_foreign_key(wanted, key));
            // SQLite can add a foreign key only together with its column.
            if present || self.comes_with_its_column(wanted) {
                continue;
            }
            let words = foreign_words(&self.field_names(&wanted.fields), &wanted.parent, &wanted.parent_fields);
            let addition = self.dialect.add_foreign_key(self.table, wanted);
            let needed = self.dialect.needs_foreign_key(wanted);
            self.add_missing_key(format!("has no foreign key {words}"), addition, needed);
        }
        for key in &self.existing.foreign_keys {
            if !self.is_declared_key(key) {
                let words = foreign_words(&key.fields, &key.parent, &key.parent_fields);
                let message = format!(
                    "has the foreign key {words}, which is not in the data package: rows that break it are rejected"
                );
                self.add_harmless(message, None);
            }
        }
    }

    /// Whether the foreign key is made together with a column that is still to be added.
    fn comes_with_its_column(&self, key: &ForeignKey) -> bool {
        let missing = |at: &FieldIndex| self.find_column(&self.table.schema[*at].name).is_none();
        key.fields.iter().all(missing) && self.dialect.comes_with_its_column(key)
    }

    /// Whether the dictionary has the foreign key `key` of the database.
    fn is_declared_key(&self, key: &ExistingForeignKey) -> bool {
        self.table.schema.foreign_keys.iter().any(|wanted| self.same_foreign_key(wanted, key))
    }

    /// The column called `name`: by the very name first, since another may differ in case alone.
    fn find_column(&self, name: &str) -> Option<&'c ExistingColumn> {
        let columns = &self.existing.columns;
        let exact = columns.iter().find(|column| column.name == name);
        exact.or_else(|| columns.iter().find(|column| self.dialect.are_same_column(&column.name, name)))
    }

    /// Whether the database fills in every column of a key, or there is none.
    fn is_filled_by_database(&self, key: &[String]) -> bool {
        key.iter().all(|name| {
            let declared = self.table.schema.fields.iter().any(|field| self.dialect.are_same_column(&field.name, name));
            !declared && self.find_column(name).is_some_and(|column| column.filled || column.computed)
        })
    }

    /// Whether the fields at `positions` are `columns`, in whatever order.
    fn same_columns(&self, positions: &[FieldIndex], columns: &[String]) -> bool {
        // The order of columns in a key does not matter to what is unique.
        let has = |name: &str| columns.iter().any(|column| self.dialect.are_same_column(column, name));
        positions.len() == columns.len() && positions.iter().all(|&at| has(&self.table.schema[at].name))
    }

    fn same_foreign_key(&self, wanted: &ForeignKey, key: &ExistingForeignKey) -> bool {
        let pairs: Vec<(&String, &String)> = key.fields.iter().zip(&key.parent_fields).collect();
        let same = |a: &str, b: &str| self.dialect.are_same_column(a, b);
        let has = |(&at, parent): (&FieldIndex, &std::sync::Arc<str>)| {
            let field = &self.table.schema[at].name;
            pairs.iter().any(|(mine, theirs)| same(mine, field) && same(theirs, parent))
        };
        self.dialect.are_same_table(&key.parent, &wanted.parent)
            && pairs.len() == wanted.fields.len()
            && wanted.fields.iter().zip(&wanted.parent_fields).all(has)
    }

    fn field_names(&self, positions: &[FieldIndex]) -> Vec<String> {
        positions.iter().map(|&at| self.table.schema[at].name.to_string()).collect()
    }
}

fn describe_key(is: &[String], wanted: &[String]) -> String {
    match (is.join(", "), wanted.join(", ")) {
        (is, wanted) if is.is_empty() => format!("has no primary key, and the data package has ({wanted})"),
        (is, wanted) if wanted.is_empty() => format!("has the primary key ({is}), and the data package has none"),
        (is, wanted) => format!("has the primary key ({is}) and not ({wanted})"),
    }
}

/// `(department_id) to departments (id)`.
fn foreign_words(fields: &[impl AsRef<str>], parent: &str, parent_fields: &[impl AsRef<str>]) -> String {
    let list = |names: Vec<&str>| names.join(", ");
    let fields = list(fields.iter().map(AsRef::as_ref).collect());
    let parent_fields = list(parent_fields.iter().map(AsRef::as_ref).collect());
    format!("({fields}) to {parent} ({parent_fields})")
}
