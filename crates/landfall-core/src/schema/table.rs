//! A table schema: fields and keys.
//!
//! Standard: <https://datapackage.org/standard/table-schema/>.

use std::sync::Arc;

use super::{Field, FieldIndex, fold_case};

/// The fields of a table and its keys. Keys name fields by their position in [`TableSchema::fields`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TableSchema {
    /// The columns, in order.
    pub fields: Vec<Field>,
    /// How the source's columns are matched with the fields.
    pub fields_match: FieldsMatch,
    /// Which labels of a header stand for a field, beside its name.
    pub label_match: LabelMatch,
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

/// Which labels of a header stand for a field, beside its name. Both are properties of Landfall's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LabelMatch {
    /// The field's title, too (`matchTitles`).
    pub titles: bool,
    /// Upper and lower case are the same (`matchCase: false`).
    pub ignore_case: bool,
}

impl TableSchema {
    /// The labels of a header with the name of the field in the place of each label that stands for it. A label that is a name is that
    /// of its field, whatever the titles of others are; one that could stand for several fields stands for none.
    #[must_use]
    pub fn rename_labels(&self, labels: &[String]) -> Vec<String> {
        let rename = |label: &String| self.field_of_label(label).map_or(label.clone(), |field| field.name.to_string());
        labels.iter().map(rename).collect()
    }

    fn field_of_label(&self, label: &str) -> Option<&Field> {
        let LabelMatch { titles, ignore_case } = self.label_match;
        let same = |text: &str| text == label || (ignore_case && fold_case(text) == fold_case(label));
        let by_name = self.fields.iter().find(|field| &*field.name == label);
        let by_name = by_name.or_else(|| self.fields.iter().find(|field| same(&field.name)));
        let mut titled = self.fields.iter().filter(|field| titles && field.title.as_deref().is_some_and(same));
        by_name.or_else(|| titled.next().filter(|_| titled.next().is_none()))
    }
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
