//! How the fields of a file become those of a table: decided before any row is read.

use std::collections::HashSet;

use super::{
    bytes::MOST_ROW,
    fits::{Conversion, check_type_fits},
    json::push_string,
    schema::{AvroField, AvroSchema, AvroType, RecordFields, TimeUnit, TypeId},
};
use crate::{
    OptionStyle,
    schema::{Field, FieldIndex, TableSchema},
};

/// What is said of the fields beside their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldMapping {
    /// Pairs of a field of the file and the field of the table that it becomes.
    pub renames: Vec<(String, String)>,
    /// Whether fields of the file that the table has not are left out.
    pub ignore_extra: bool,
    /// Whether rows that are there are updated. They keep what they have in a field that the file lacks, also in one that is required.
    pub updates: bool,
    /// How options are named in what is said of a fault.
    pub option_style: OptionStyle,
}

impl FieldMapping {
    /// The option that says which field of the file becomes which.
    fn map_option(&self) -> String {
        self.option_style.name_option("map")
    }
}

/// How rows of a file are read into a table: immutable, to be shared by threads.
#[derive(Debug)]
pub struct RowMapping {
    pub(super) schema: AvroSchema,
    pub(super) steps: Vec<FieldStep>,
    pub(super) most_row: usize,
    ignored: Vec<String>,
    missing: Vec<String>,
}

/// What is done with a field of the file.
#[derive(Debug)]
pub(super) struct FieldStep {
    /// Its name in the file.
    pub(super) name: Box<str>,
    pub(super) what: FieldAction,
}

#[derive(Debug)]
pub(super) enum FieldAction {
    /// It is left out.
    Skip(TypeId),
    /// It becomes a member of the row.
    Keep {
        /// What stands before its value.
        prefix: Box<str>,
        /// The branch that means null, of a union of that and one other.
        null: Option<u8>,
        shape: ValueShape,
    },
}

/// The shapes of most values, which have a path of their own.
#[derive(Debug)]
pub(super) enum ValueShape {
    Long,
    Text,
    Micros,
    Other(TypeId, Conversion),
}

impl RowMapping {
    /// The fields of the file that are left out.
    #[must_use]
    pub fn ignored_fields(&self) -> &[String] {
        &self.ignored
    }

    /// The fields of the table that the file has not.
    #[must_use]
    pub fn missing_fields(&self) -> &[String] {
        &self.missing
    }

    /// The most bytes of a row, in the file and as JSON.
    #[must_use]
    pub fn max_row_bytes(&self) -> usize {
        self.most_row
    }

    /// The same, for rows of at most so many bytes.
    #[must_use]
    pub fn with_rows_of(self, most_row: usize) -> Self {
        Self { most_row, ..self }
    }

    /// The schema of the file.
    #[must_use]
    pub fn file_schema(&self) -> &AvroSchema {
        &self.schema
    }
}

/// How rows by `schema` are read into `table`.
///
/// # Errors
/// Every reason why they cannot be, each as a sentence that says what to do.
pub fn resolve_fields(
    schema: &AvroSchema,
    table: &TableSchema,
    mapping: &FieldMapping,
) -> Result<RowMapping, Vec<String>> {
    let AvroType::Record(record) = schema.row_type() else {
        let noun = schema.row_type().describe_values();
        return Err(vec![format!(
            "the file holds {noun} where rows are expected: the type of its values must be a record"
        )]);
    };
    let mut faults = Vec::new();
    // All faults are collected, so that a person can mend them in one go.
    let taken = FieldMatching::new(record, table, mapping, &mut faults).taken;
    let extra = collect_extra_fields(record, &taken, mapping, &mut faults);
    let missing = collect_missing_fields(table, &taken, mapping, &mut faults);
    for (avro, field) in record.fields.iter().zip(&taken) {
        if let Some(at) = field {
            faults.extend(describe_misfit(schema, avro, &table[*at]));
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    if taken.iter().all(Option::is_none) {
        let map = mapping.map_option();
        return Err(vec![format!(
            "the file has none of the table's fields; say with {map} which of them becomes which"
        )]);
    }
    let steps = plan_steps(schema, record, table, &taken);
    Ok(RowMapping { schema: schema.clone(), steps, most_row: MOST_ROW, ignored: extra, missing })
}

/// Which field of the table each field of the file becomes.
struct FieldMatching<'m> {
    map_option: String,
    record: &'m RecordFields,
    table: &'m TableSchema,
    taken: Vec<Option<FieldIndex>>,
}

impl<'m> FieldMatching<'m> {
    /// The fields matched by what is surest first: what the mapping says, what the file says, names, aliases, and at last names
    /// that differ only in how they are written.
    fn new(record: &'m RecordFields, table: &'m TableSchema, mapping: &FieldMapping, faults: &mut Vec<String>) -> Self {
        let taken = vec![None; record.fields.len()];
        let mut matching = Self { map_option: mapping.map_option(), record, table, taken };
        matching.apply_renames(mapping, faults);
        let others = &record.fields;
        matching.match_fields(&|avro, at| others[avro].own_name.as_deref() == Some(&*table[at].name), faults);
        // A field that says its own name is not taken for another one which is called as it is in the file.
        matching
            .match_fields(&|avro, at| others[avro].own_name.is_none() && *others[avro].name == *table[at].name, faults);
        matching.match_fields(&|avro, at| others[avro].aliases.iter().any(|alias| **alias == *table[at].name), faults);
        let names: Vec<String> = table.fields.iter().map(|field| fold_name(&field.name)).collect();
        let folded: Vec<String> = others.iter().map(|avro| fold_name(&avro.name)).collect();
        matching.match_fields(&|avro, at| folded[avro] == names[at.get()], faults);
        matching
    }

    fn apply_renames(&mut self, mapping: &FieldMapping, faults: &mut Vec<String>) {
        let (map, mut named) = (self.map_option.clone(), HashSet::new());
        for (from, to) in &mapping.renames {
            let avro = self.record.fields.iter().position(|avro| avro.name == *from);
            let field = self.table.field_position(to);
            if avro.is_none() {
                let names = list_names(self.record.fields.iter().map(|avro| avro.name.as_str()));
                faults.push(format!("{map} names {from:?}, which the file has not; it has {names}"));
            }
            if field.is_none() {
                let names = list_names(self.table.fields.iter().map(|field| &*field.name));
                faults.push(format!("{map} names {to:?}, which the table has not; it has {names}"));
            }
            if let (Some(avro), Some(field)) = (avro, field) {
                if self.taken[avro].is_some() || !named.insert(field) {
                    faults.push(format!("{map} names {from:?} or {to:?} twice; name each field once"));
                }
                self.taken[avro] = Some(field);
            }
        }
    }

    /// Matches fields that have no other yet where `alike` says so of a field of the file and one of the table.
    fn match_fields(&mut self, alike: &dyn Fn(usize, FieldIndex) -> bool, faults: &mut Vec<String>) {
        // First all are found, then taken: within a step, no match may depend on the order of the fields.
        let given: HashSet<FieldIndex> = self.taken.iter().copied().flatten().collect();
        let mut found: Vec<(usize, FieldIndex)> = Vec::new();
        for at in self.table.field_positions().filter(|at| !given.contains(at)) {
            let free = (0..self.record.fields.len()).filter(|&avro| self.taken[avro].is_none());
            let fields: Vec<usize> = free.filter(|&avro| alike(avro, at)).collect();
            if fields.len() > 1 {
                let names = list_names(fields.iter().map(|&avro| self.record.fields[avro].name.as_str()));
                let name = &*self.table[at].name;
                let map = &self.map_option;
                faults.push(format!("the field {name:?} could be {names} of the file; say which with {map}"));
            }
            found.extend(fields.first().map(|&avro| (avro, at)));
        }
        for &(avro, at) in &found {
            match self.taken[avro] {
                Some(other) => {
                    let names = [other, at].map(|at| &*self.table[at].name);
                    let (name, names) = (&self.record.fields[avro].name, list_names(names.into_iter()));
                    let map = &self.map_option;
                    faults.push(format!("the file's {name:?} could be {names} of the table; say which with {map}"));
                }
                None => self.taken[avro] = Some(at),
            }
        }
    }
}

/// A name without what may be written in several ways: case, and what stands between words.
fn fold_name(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-' | ' ' | '.')).flat_map(char::to_lowercase).collect()
}

/// Names in quotes, the first of them where they are many.
fn list_names<'n>(names: impl Iterator<Item = &'n str>) -> String {
    const MOST: usize = 20;
    let names: Vec<&str> = names.collect();
    let mut text = names.iter().take(MOST).map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
    if names.len() > MOST {
        text.push_str(&format!(" and {} more", names.len() - MOST));
    }
    text
}

/// The fields of the file that nothing takes: a fault, unless they are to be left out.
fn collect_extra_fields(
    record: &RecordFields,
    taken: &[Option<FieldIndex>],
    mapping: &FieldMapping,
    faults: &mut Vec<String>,
) -> Vec<String> {
    let extra = record.fields.iter().zip(taken).filter(|(_, taken)| taken.is_none());
    let extra: Vec<String> = extra.map(|(avro, _)| avro.name.clone()).collect();
    if !extra.is_empty() && !mapping.ignore_extra {
        let names = list_names(extra.iter().map(String::as_str));
        let (map, ignore) = (mapping.map_option(), mapping.option_style.name_option("ignore-extra"));
        faults.push(format!(
            "the file has fields that the table has not: {names}; say with {map} which they become, or leave them out with {ignore}"
        ));
    }
    extra
}

/// The fields of the table that nothing gives: a fault where there must be a value. A row that is there may keep its own, but is known by
/// its key.
fn collect_missing_fields(
    table: &TableSchema,
    taken: &[Option<FieldIndex>],
    mapping: &FieldMapping,
    faults: &mut Vec<String>,
) -> Vec<String> {
    let given: HashSet<FieldIndex> = taken.iter().copied().flatten().collect();
    let missing: Vec<FieldIndex> = table.field_positions().filter(|at| !given.contains(at)).collect();
    let may_lack = |at: FieldIndex| !table[at].constraints.required || mapping.updates;
    let needed = |at: &&FieldIndex| !may_lack(**at) || table.primary_key.contains(*at);
    let needed: Vec<&str> = missing.iter().filter(needed).map(|&at| &*table[at].name).collect();
    if !needed.is_empty() {
        let names = list_names(needed.into_iter());
        let map = mapping.map_option();
        faults.push(format!(
            "the file has not the fields {names}, and each row must have them; say with {map} what they are in the file"
        ));
    }
    missing.into_iter().map(|at| table[at].name.to_string()).collect()
}

/// Why `field` cannot take the values of `avro`, where it can take none of them.
fn describe_misfit(schema: &AvroSchema, avro: &AvroField, field: &Field) -> Option<String> {
    let kinds: Vec<&AvroType> = schema.union_branches(avro.kind).into_iter().map(|id| schema.get(id)).collect();
    let others: Vec<&AvroType> = kinds.into_iter().filter(|kind| **kind != AvroType::Null).collect();
    let answers: Vec<Result<(), &str>> = others.iter().map(|kind| check_type_fits(field, avro, kind)).collect();
    // One branch that fits is enough. A row with a value of another one is rejected by itself.
    if others.is_empty() || answers.iter().any(Result::is_ok) {
        return None;
    }
    let nouns: Vec<&str> = others.iter().map(|kind| kind.describe_values()).collect();
    let hint = answers.iter().find_map(|answer| answer.err().filter(|hint| !hint.is_empty()));
    let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
    let (name, kind) = (&*field.name, field.kind.name());
    let article = if kind.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
    Some(format!(
        "the field {name:?} is {article} {kind}, and the file's {:?} is {}{hint}",
        avro.name,
        nouns.join(" or ")
    ))
}

fn plan_steps(
    schema: &AvroSchema,
    record: &RecordFields,
    table: &TableSchema,
    taken: &[Option<FieldIndex>],
) -> Vec<FieldStep> {
    let mut opened = false;
    let step = |(avro, taken): (&AvroField, &Option<FieldIndex>)| {
        let name = avro.name.as_str().into();
        let Some(field) = taken.map(|at| &table[at]) else {
            return FieldStep { name, what: FieldAction::Skip(avro.kind) };
        };
        let mut prefix = String::from(if std::mem::replace(&mut opened, true) { "," } else { "{" });
        push_string(&field.name, &mut prefix);
        prefix.push(':');
        let (null, kind) = without_null(schema, avro.kind);
        let shape = choose_shape(schema, kind, Conversion::new(field, avro));
        FieldStep { name, what: FieldAction::Keep { prefix: prefix.into(), null, shape } }
    };
    record.fields.iter().zip(taken).map(step).collect()
}

/// For a union of null and one other type, the position of null and that type.
fn without_null(schema: &AvroSchema, kind: TypeId) -> (Option<u8>, TypeId) {
    let AvroType::Union(branches) = schema.get(kind) else { return (None, kind) };
    let null = |id: &TypeId| *schema.get(*id) == AvroType::Null;
    match branches[..] {
        [first, second] if null(&first) && !null(&second) => (Some(0), second),
        [first, second] if null(&second) && !null(&first) => (Some(1), first),
        _ => (None, kind),
    }
}

fn choose_shape(schema: &AvroSchema, kind: TypeId, take: Conversion) -> ValueShape {
    match (schema.get(kind), &take) {
        (AvroType::Long, _) => ValueShape::Long,
        (AvroType::String, Conversion::Plain | Conversion::Text | Conversion::Base64) => ValueShape::Text,
        (AvroType::Timestamp { unit: TimeUnit::Micros, local: false }, Conversion::Plain) => ValueShape::Micros,
        _ => ValueShape::Other(kind, take),
    }
}
