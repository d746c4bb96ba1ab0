//! How the columns of a source lie: its header held against the schema.

use landfall_core::{
    schema::{Dialect, DialectOverrides, Encoding, FieldIndex, FieldsMatch, HeaderMatch, Resource, TableSchema},
    validate::ColumnMap,
};
use serde::{Deserialize, Serialize};

use super::header_correction::suggest_correction;
use crate::{
    error::{Error, Result, TargetError},
    ledger::{LoadFilter, LoadId},
    targets::TargetRead,
};

/// How the columns of a source lie: what is needed, beside the dictionary, to read one of its records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SourceLayout {
    /// For each field its column.
    columns: Vec<Option<usize>>,
    /// The cells of a record.
    width: usize,
    /// Whether a source in UTF-16 is big-endian.
    // Layouts are kept in the ledger, and those of earlier versions lack this and what follows.
    #[serde(default)]
    big_endian: bool,
    /// The header's labels, where there is one.
    #[serde(default)]
    labels: Option<Vec<String>>,
    /// Whether the records are JSON rows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    json: bool,
    /// Whether a text is never a missing value.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    verbatim: bool,
    /// In what the source was written otherwise than declared.
    #[serde(default, skip_serializing_if = "DialectOverrides::is_empty")]
    pub(super) overrides: DialectOverrides,
}

impl SourceLayout {
    /// The layout of a source with these `labels`, or with none where it has no header.
    ///
    /// # Errors
    /// Every way in which the header contradicts the schema, as one sentence.
    pub(super) fn from_labels(
        schema: &TableSchema,
        labels: Option<&[String]>,
        encoding: Encoding,
    ) -> Result<Self, String> {
        let map = match labels {
            None => ColumnMap::identity(schema.fields.len()),
            Some(labels) => ColumnMap { columns: match_columns(schema, labels)?, width: labels.len() },
        };
        Ok(Self {
            columns: map.columns,
            width: map.width,
            // Only the byte order mark of a source tells it, and a reject's bytes are read without that.
            big_endian: encoding == Encoding::Utf16Be,
            labels: labels.map(<[String]>::to_vec),
            json: false,
            verbatim: false,
            overrides: DialectOverrides::default(),
        })
    }

    /// The layout of a source of `resource` with these `labels`, or with none where it has no header or its dialect passes the header by.
    ///
    /// # Errors
    /// As [`SourceLayout::from_labels`].
    pub(super) fn for_source(
        resource: &Resource,
        labels: Option<&[String]>,
        encoding: Encoding,
    ) -> Result<Self, String> {
        // Without labels the columns go by their places.
        let labels = labels.filter(|_| resource.dialect.header_match == HeaderMatch::Labels);
        Self::from_labels(&resource.schema, labels, encoding)
    }

    /// The layout of JSON rows, whose cells are the fields of `schema`.
    pub(super) fn for_json_rows(schema: &TableSchema) -> Self {
        let ColumnMap { columns, width } = ColumnMap::identity(schema.fields.len());
        let overrides = DialectOverrides::default();
        Self { columns, width, big_endian: false, labels: None, json: true, verbatim: false, overrides }
    }

    /// The same for rows whose texts stand for themselves, where they do.
    pub(super) fn with_verbatim(self, verbatim: bool) -> Self {
        Self { verbatim, ..self }
    }

    /// `resource` as the source was written.
    ///
    /// # Errors
    /// A dialect that the resource, which has changed since, cannot take.
    pub(super) fn written_resource(&self, resource: &Resource) -> Result<Resource> {
        apply_overrides(&self.overrides, resource)
    }

    /// The same columns in a file that a person has mended: CSV, also where the records were JSON rows.
    /// Where a text in quotes is never a missing value in a source of `dialect`, no text is one here: a missing value has its own form
    /// ([`NullCellForm`](super::null_cells::NullCellForm)).
    pub(super) fn for_mended_file(&self, dialect: &Dialect) -> Self {
        let verbatim = !dialect.quoted_missing;
        Self { json: false, verbatim, overrides: DialectOverrides::default(), ..self.clone() }
    }

    /// Whether the records are JSON rows.
    pub(super) const fn is_json(&self) -> bool {
        self.json
    }

    /// Whether a text is never a missing value.
    pub(super) const fn is_verbatim(&self) -> bool {
        self.verbatim
    }

    /// The map for the validator.
    pub(super) fn column_map(&self) -> ColumnMap {
        ColumnMap { columns: self.columns.clone(), width: self.width }
    }

    /// The labels of the source's columns; where it has no header, the names of the fields that they hold.
    pub(super) fn labels_for(&self, schema: &TableSchema) -> Vec<String> {
        let name = |column: usize| {
            let field = self.columns.iter().position(|at| *at == Some(column)).map(FieldIndex::from);
            field.map_or_else(|| format!("column{}", column + 1), |field| schema[field].name.to_string())
        };
        self.labels.clone().unwrap_or_else(|| (0..self.width).map(name).collect())
    }

    /// The encoding of the source's records, given the one declared.
    pub(super) const fn encoding(&self, declared: Encoding) -> Encoding {
        match declared {
            Encoding::Utf16 if self.big_endian => Encoding::Utf16Be,
            Encoding::Utf16 => Encoding::Utf16Le,
            other => other,
        }
    }
}

/// How the columns of the sources of `load` lie.
pub(super) fn layout_of_load(read: &dyn TargetRead, load: LoadId) -> Result<SourceLayout> {
    let entry = read.find_loads(&LoadFilter { id: Some(load), ..LoadFilter::default() })?.pop();
    entry.and_then(|entry| serde_json::from_str(&entry.layout).ok()).ok_or_else(|| {
        let message =
            format!("the ledger does not say how the columns of load {load} lie; its rejects cannot be read again");
        TargetError::damaged_books(message).into()
    })
}

/// Whether `layout`, as the ledger keeps it, is that of JSON rows.
pub(crate) fn is_json_layout(layout: &str) -> bool {
    serde_json::from_str(layout).is_ok_and(|layout: SourceLayout| layout.is_json())
}

/// `resource` as a source is written that differs from it in `overrides`.
///
/// # Errors
/// A dialect that the resource cannot take.
pub(super) fn apply_overrides(overrides: &DialectOverrides, resource: &Resource) -> Result<Resource> {
    let words =
        |reason| Error::Usage(format!("the dialect cannot be that of the table {:?}: {reason}", &*resource.name));
    overrides.apply_to(resource).map_err(words)
}

/// For each field the column whose label is its name, as `fieldsMatch` allows.
fn match_columns(schema: &TableSchema, labels: &[String]) -> Result<Vec<Option<usize>>, String> {
    let file_labels = labels;
    let labels = &schema.rename_labels(labels);
    let mut faults = labels_at_fault(labels);
    let names: Vec<&str> = schema.fields.iter().map(|field| &*field.name).collect();
    let columns: Vec<Option<usize>> = names.iter().map(|name| labels.iter().position(|label| label == name)).collect();
    let missing: Vec<&str> =
        names.iter().zip(&columns).filter(|(_, column)| column.is_none()).map(|(name, _)| *name).collect();
    let extra = labels.iter().filter(|label| !names.contains(&label.as_str()));
    let extra: Vec<String> = extra.take(8).map(|label| shorten_label(label)).collect();
    match schema.fields_match {
        FieldsMatch::Exact if labels.iter().map(String::as_str).ne(names.iter().copied()) => {
            faults.extend(exact_faults(&names, labels));
        }
        FieldsMatch::Equal | FieldsMatch::Subset if !missing.is_empty() => {
            faults.push(format!("missing-label: it lacks {}", missing.join(", ")));
        }
        FieldsMatch::Partial if missing.len() == names.len() => {
            faults.push("missing-label: it has none of the fields".into());
        }
        _ => {}
    }
    if matches!(schema.fields_match, FieldsMatch::Equal | FieldsMatch::Superset) && !extra.is_empty() {
        faults.push(format!("extra-label: it has {} beside the fields", extra.join(", ")));
    }
    // A file of another kind would have a fault for each column, and the message no end.
    faults.truncate(8);
    if faults.is_empty() {
        return Ok(columns);
    }
    faults.extend(suggest_correction(schema, file_labels));
    Err(faults.join("; "))
}

/// A label as it is told: shortened where it is long.
fn shorten_label(label: &str) -> String {
    const MOST: usize = 60;
    if label.len() <= MOST {
        format!("{label:?}")
    } else {
        format!("{:?}…", &label[..label.floor_char_boundary(MOST)])
    }
}

/// Labels that are blank or occur twice.
fn labels_at_fault(labels: &[String]) -> Vec<String> {
    let mut faults = Vec::new();
    for (at, label) in labels.iter().enumerate() {
        if label.trim().is_empty() {
            faults.push(format!("blank-label: column {} has no label", at + 1));
        } else if labels[..at].contains(label) {
            faults.push(format!("duplicate-label: {} occurs twice", shorten_label(label)));
        }
    }
    faults
}

/// Where labels and names differ when both their number and order count.
fn exact_faults(names: &[&str], labels: &[String]) -> Vec<String> {
    let mut faults: Vec<String> = names
        .iter()
        .zip(labels)
        .enumerate()
        .filter(|(_, (name, label))| label != name)
        .map(|(at, (name, label))| {
            format!("incorrect-label: column {} is {} and not {name:?}", at + 1, shorten_label(label))
        })
        .collect();
    faults.extend(names.iter().skip(labels.len()).map(|name| format!("missing-label: it lacks {name:?}")));
    faults.extend(
        labels
            .iter()
            .skip(names.len())
            .map(|label| format!("extra-label: it has {} beside the fields", shorten_label(label))),
    );
    faults.truncate(8);
    faults
}

#[cfg(test)]
mod tests {
    use landfall_core::schema::{Encoding, Field, FieldType, FieldsMatch, LabelMatch, StringFormat, TableSchema};

    use super::SourceLayout;

    fn text_field(name: &str) -> Field {
        Field {
            name: name.into(),
            title: None,
            description: None,
            kind: FieldType::String(StringFormat::Default),
            constraints: Default::default(),
            missing_values: vec![String::new()],
        }
    }

    fn layout(fields_match: FieldsMatch, labels: &[&str]) -> Result<Vec<Option<usize>>, String> {
        let fields = vec![text_field("a"), text_field("b")];
        let schema = TableSchema { fields, fields_match, ..TableSchema::default() };
        let labels: Vec<String> = labels.iter().map(ToString::to_string).collect();
        SourceLayout::from_labels(&schema, Some(&labels), Encoding::Utf8).map(|layout| layout.columns)
    }

    #[test]
    fn each_way_of_matching_takes_what_the_standard_says() {
        assert_eq!(layout(FieldsMatch::Exact, &["a", "b"]), Ok(vec![Some(0), Some(1)]));
        assert_eq!(layout(FieldsMatch::Equal, &["b", "a"]), Ok(vec![Some(1), Some(0)]));
        assert_eq!(layout(FieldsMatch::Subset, &["c", "b", "a"]), Ok(vec![Some(2), Some(1)]));
        assert_eq!(layout(FieldsMatch::Superset, &["b"]), Ok(vec![None, Some(0)]));
        assert_eq!(layout(FieldsMatch::Partial, &["b", "c"]), Ok(vec![None, Some(0)]));
    }

    #[test]
    fn titles_and_case_count_as_the_schema_says() {
        let schema = |titles, ignore_case| {
            let field = |name: &str, title: &str| Field { title: Some(title.into()), ..text_field(name) };
            let fields = vec![field("a", "First"), field("b", "a")];
            let label_match = LabelMatch { titles, ignore_case };
            TableSchema { fields, label_match, ..TableSchema::default() }
        };
        let found = |schema: &TableSchema, labels: [&str; 2]| {
            let labels = labels.map(String::from);
            SourceLayout::from_labels(schema, Some(&labels), Encoding::Utf8).map(|layout| layout.columns)
        };
        let both = Ok(vec![Some(0), Some(1)]);
        assert_eq!(found(&schema(true, false), ["First", "b"]), both);
        assert_eq!(found(&schema(false, true), ["A", "B"]), both);
        assert_eq!(found(&schema(true, true), ["FIRST", "b"]), both);
        assert_eq!(found(&schema(true, false), ["a", "b"]), both, "a name comes before the title of another field");
        assert!(found(&schema(false, false), ["First", "b"]).is_err());
        assert!(found(&schema(true, false), ["first", "b"]).is_err());
        assert!(found(&schema(true, true), ["First", "a"]).is_err(), "one field twice");
    }

    #[test]
    fn a_header_that_contradicts_the_schema_is_an_error_that_lists_all() {
        for (way, labels, words) in [
            (FieldsMatch::Exact, vec!["b", "a"], "incorrect-label: column 1 is \"b\" and not \"a\""),
            (FieldsMatch::Exact, vec!["a"], "missing-label: it lacks \"b\""),
            (FieldsMatch::Exact, vec!["a", "b", "c"], "extra-label"),
            (FieldsMatch::Equal, vec!["a"], "missing-label: it lacks b"),
            (FieldsMatch::Equal, vec!["a", "b", "c"], "extra-label: it has \"c\""),
            (FieldsMatch::Superset, vec!["a", "c"], "extra-label: it has \"c\""),
            (FieldsMatch::Partial, vec!["c"], "none of the fields"),
            (FieldsMatch::Subset, vec!["a", "b", "a"], "duplicate-label"),
        ] {
            let fault = layout(way, &labels).expect_err(words);
            assert!(fault.contains(words), "{fault}");
        }
    }
}
