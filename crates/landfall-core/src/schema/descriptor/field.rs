//! A field: <https://datapackage.org/standard/table-schema/#field>.

use super::{constraints, field_type, missing_values, names, rules};
use crate::schema::document::{DescriptorProblems, DocumentNode, DocumentPlace, MapReader};
use crate::schema::{Constraints, Field, FieldType};

/// A field as far as it could be read.
pub(super) struct DraftField<'a> {
    pub(super) field: Field,
    pub(super) name_place: &'a DocumentPlace,
    /// The type could not be read.
    pub(super) broken: bool,
}

/// Reads a field; `missing` are the schema's missing values.
pub(super) fn read<'a>(
    node: &'a DocumentNode,
    missing: &[String],
    problems: &'a DescriptorProblems,
) -> Option<DraftField<'a>> {
    let before = problems.problem_count();
    let mut reader = node.read_map("a field", problems)?;
    let name = reader.require_value("name").and_then(|name| Some((name.read_text("\"name\"", problems)?, &name.place)));
    if let Some((name, place)) = name {
        names::check_name(name, place, "field", problems);
    }
    let (title, description) = (reader.take_text("title"), reader.take_text("description"));
    reader.accept_names(&["example", "rdfType"]);
    let kind = field_type::read(&mut reader);
    let missing_values = missing_values::read(&mut reader).unwrap_or_else(|| missing.to_vec());
    let constraints = read_constraints(&mut reader, kind.as_ref());
    reader.refuse_misplaced(&["primaryKey", "foreignKeys", "uniqueKeys"], "\"schema\"");
    reader.refuse_misspelled();
    // Only here, after everything else of the field was read: all its errors are told in one run.
    let (name, name_place) = name?;
    let (title, description) = (title.map(String::from), description.map(String::from));
    let broken = kind.is_none();
    // A stand-in, so that keys can name the field. `broken` keeps its type from being compared.
    let kind = kind.unwrap_or(FieldType::Any);
    let field = Field { name: name.into(), title, description, kind, constraints, missing_values };
    // On a field with other errors, the trial compilation would report consequences of those.
    if !broken && problems.problem_count() == before {
        rules::check_field_rules(&field, node, problems);
    }
    Some(DraftField { field, name_place, broken })
}

fn read_constraints(reader: &mut MapReader<'_>, kind: Option<&FieldType>) -> Constraints {
    let problems = reader.problems();
    refuse_stray_constraints(reader);
    let categories = constraints::read_categories(reader, kind);
    let node = reader.take_value("constraints");
    let mut read = node.and_then(|node| constraints::read(node, kind, problems)).unwrap_or_default();
    if let (Some(enumeration), Some(categories), Some(node)) = (&read.enumeration, &categories, node) {
        for value in enumeration.iter().filter(|value| !categories.contains(value)) {
            let message = format!("the value \"{}\" of \"enum\" is not among the categories", value.escape_debug());
            problems.report_problem(&node.place, message);
        }
    }
    // Where both are there, the enum is the narrower one, which was checked above.
    read.enumeration = read.enumeration.or(categories);
    read
}

/// A constraint beside `constraints` would do nothing.
fn refuse_stray_constraints(reader: &MapReader<'_>) {
    for entry in reader.entries().iter().filter(|entry| constraints::is_constraint(&entry.key)) {
        let name = &entry.key;
        let message = format!("\"{name}\" is a constraint and belongs into \"constraints\"");
        let mend = format!("write \"constraints\": {{\"{name}\": {}}}", entry.node.to_json());
        reader.problems().report_with_mend(&entry.key_place, message, mend);
    }
}
