//! A table schema: fields and keys.
//!
//! Standard: <https://datapackage.org/standard/table-schema/>.

use std::sync::Arc;

use super::{Field, FieldIndex};

/// The fields of a table and its keys. Keys name fields by their position in [`TableSchema::fields`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TableSchema {
    /// The columns, in order.
    pub fields: Vec<Field>,
    /// How the source's columns are matched with the fields.
    pub fields_match: FieldsMatch,
    /// The fields of the primary key; empty where there is none.
    pub primary_key: Vec<FieldIndex>,
    /// Every set of fields whose values occur once: `uniqueKeys`, and each field with the constraint `unique`.
    pub unique_keys: Vec<Vec<FieldIndex>>,
    /// The foreign keys.
    pub foreign_keys: Vec<ForeignKey>,
}

impl TableSchema {
    /// Whether `field` is part of a key: primary, unique or foreign.
    #[must_use]
    pub fn is_in_key(&self, field: FieldIndex) -> bool {
        let foreign = self.foreign_keys.iter().map(|key| &key.fields);
        std::iter::once(&self.primary_key).chain(&self.unique_keys).chain(foreign).any(|key| key.contains(&field))
    }

    /// The names of the fields of `key`, joined by `,`: how errors name a composite key.
    #[must_use]
    pub fn key_name(&self, key: &[FieldIndex]) -> Arc<str> {
        let names: Vec<&str> = key.iter().map(|&field| &*self[field].name).collect();
        names.join(",").into()
    }
}

/// A foreign key: fields whose values must occur in a parent table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    /// Positions of the fields in this schema.
    pub fields: Vec<FieldIndex>,
    /// The parent resource. Its own name for a table that refers to itself.
    pub parent: Arc<str>,
    /// The names of the parent's fields, in the order of `fields`. They are the parent's primary key or a unique key.
    pub parent_fields: Vec<Arc<str>>,
}

/// How the columns of a source are matched with the fields of the schema (`fieldsMatch`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FieldsMatch {
    /// The same number of columns, in the same order.
    #[default]
    Exact,
    /// The same columns by name, in any order.
    Equal,
    /// The source has all the fields and may have more.
    Subset,
    /// The source may lack fields, and has no others.
    Superset,
    /// At least one field in common.
    Partial,
}
