//! The table schema: <https://datapackage.org/standard/table-schema/>.

use super::foreign_keys::{self, DraftKey};
use super::{field, keys, missing_values, names};
use crate::schema::document::{DescriptorProblems, DocumentNode, DocumentPlace, MapReader, NodeValue, find_nearest};
use crate::schema::{Field, FieldIndex, FieldsMatch, LabelMatch, TableSchema};

/// A schema as far as it can be read without the other resources.
#[derive(Default)]
pub(super) struct DraftTable {
    pub(super) schema: TableSchema,
    /// Positions of the fields whose type could not be read.
    pub(super) broken: Vec<FieldIndex>,
    pub(super) foreign_keys: Vec<DraftKey>,
}

pub(super) fn read(node: &DocumentNode, problems: &DescriptorProblems) -> Option<DraftTable> {
    let mut reader = node.read_map("the schema", problems)?;
    reader.accept_names(&["$schema", "name", "title", "description", "profile"]);
    // The standard's default: without a declaration, the empty text is a missing value.
    let missing = missing_values::read(&mut reader).unwrap_or_else(|| vec![String::new()]);
    let mut table = read_fields(&mut reader, &missing);
    table.schema.fields_match = read_fields_match(&mut reader);
    table.schema.label_match = LabelMatch {
        titles: reader.take_flag("matchTitles").unwrap_or(false),
        ignore_case: !reader.take_flag("matchCase").unwrap_or(true),
    };
    keys::read(&mut reader, &mut table.schema);
    table.foreign_keys = foreign_keys::read(&mut reader, &table.schema);
    reader.refuse_misplaced(&["path", "encoding", "dialect"], "the resource");
    reader.refuse_misplaced(&["constraints", "required", "unique"], "a field");
    reader.refuse_misspelled();
    Some(table)
}

fn read_fields(reader: &mut MapReader<'_>, missing: &[String]) -> DraftTable {
    let problems = reader.problems();
    let mut table = DraftTable::default();
    let Some(node) = reader.require_value("fields") else { return table };
    let Some(nodes) = node.read_list("\"fields\"", problems) else { return table };
    if nodes.is_empty() {
        problems.report_problem(&node.place, "the schema has no fields");
    }
    let mut placed: Vec<(Field, &DocumentPlace)> = Vec::new();
    for draft in nodes.iter().filter_map(|node| field::read(node, missing, problems)) {
        if draft.broken {
            table.broken.push(placed.len().into());
        }
        placed.push((draft.field, draft.name_place));
    }
    names::check_distinct(placed.iter().map(|(field, place)| (&*field.name, *place)), "field", problems);
    table.schema.fields = placed.into_iter().map(|(field, _)| field).collect();
    table
}

const FIELDS_MATCH: [(&str, FieldsMatch); 5] = [
    ("exact", FieldsMatch::Exact),
    ("equal", FieldsMatch::Equal),
    ("subset", FieldsMatch::Subset),
    ("superset", FieldsMatch::Superset),
    ("partial", FieldsMatch::Partial),
];

/// A text, or a list of one text as in the profile of the first version 2.
fn read_fields_match(reader: &mut MapReader<'_>) -> FieldsMatch {
    let Some(mut node) = reader.take_value("fieldsMatch") else { return FieldsMatch::Exact };
    if let NodeValue::List(nodes) = &node.value
        && let [one] = nodes.as_slice()
    {
        node = one;
    }
    read_named_choice(node, "\"fieldsMatch\"", &FIELDS_MATCH, reader.problems()).unwrap_or_default()
}

/// The choice that a text names; an error with the near or all names where it names none.
pub(super) fn read_named_choice<T: Copy>(
    node: &DocumentNode,
    what: &str,
    choices: &[(&str, T)],
    problems: &DescriptorProblems,
) -> Option<T> {
    let text = node.read_text(what, problems)?;
    if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == text) {
        return Some(*choice);
    }
    match find_nearest(text, choices.iter().map(|(name, _)| *name)) {
        Some(near) => {
            problems.report_problem(&node.place, format!("{what} cannot be \"{text}\"; did you mean \"{near}\"?"))
        }
        None => {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            let mend = format!("write one of: {}", names.join(", "));
            problems.report_with_mend(&node.place, format!("{what} cannot be \"{text}\""), mend);
        }
    }
    None
}
