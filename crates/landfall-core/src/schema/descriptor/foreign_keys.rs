//! Foreign keys: <https://datapackage.org/standard/table-schema/#foreignKeys>. They are read with their table, and
//! checked once all tables are known.

use std::sync::Arc;

use super::keys;
use crate::schema::document::{DescriptorProblems, DocumentNode, DocumentPlace, MapReader, find_nearest};
use crate::schema::{FieldIndex, FieldType, ForeignKey, Resource, TableSchema};

/// A name in a descriptor and where it stands.
pub(super) struct NamedNode {
    name: String,
    place: DocumentPlace,
}

/// A foreign key whose parent has not been looked up yet.
pub(super) struct DraftKey {
    place: DocumentPlace,
    fields: Vec<FieldIndex>,
    /// Absent for a table that refers to itself.
    parent: Option<NamedNode>,
    parent_fields: Vec<NamedNode>,
}

/// A resource whose foreign keys are not checked yet.
pub(super) struct DraftResource {
    pub(super) resource: Resource,
    pub(super) name_place: DocumentPlace,
    /// Positions of the fields whose type could not be read.
    pub(super) broken: Vec<FieldIndex>,
    pub(super) keys: Vec<DraftKey>,
}

pub(super) fn read(reader: &mut MapReader<'_>, schema: &TableSchema) -> Vec<DraftKey> {
    let problems = reader.problems();
    let nodes = reader.take_list("foreignKeys").unwrap_or_default();
    nodes.iter().filter_map(|node| read_foreign_key(node, schema, problems)).collect()
}

fn read_foreign_key(node: &DocumentNode, schema: &TableSchema, problems: &DescriptorProblems) -> Option<DraftKey> {
    let mut reader = node.read_map("a foreign key", problems)?;
    let fields =
        reader.require_value("fields").and_then(|node| keys::read_key(node, "a foreign key", schema, problems));
    let reference = reader.require_value("reference").and_then(|node| read_reference(node, problems));
    reader.refuse_misspelled();
    let (fields, (parent, parent_fields)) = (fields?, reference?);
    if fields.len() != parent_fields.len() || fields.is_empty() {
        let message = format!("{} fields refer to {} fields of the parent", fields.len(), parent_fields.len());
        problems.report_with_mend(&node.place, message, "write as many fields as the parent's key has");
        return None;
    }
    Some(DraftKey { place: node.place.clone(), fields, parent, parent_fields })
}

fn read_reference(node: &DocumentNode, problems: &DescriptorProblems) -> Option<(Option<NamedNode>, Vec<NamedNode>)> {
    let mut reader = node.read_map("a reference", problems)?;
    let parent = reader.take_value("resource").and_then(|node| read_named_node(node, "\"resource\"", problems));
    let fields = reader.require_value("fields").and_then(|node| keys::read_name_nodes(node, "\"fields\"", problems));
    if let Some(entry) = reader.entries().iter().find(|entry| entry.key == "package") {
        problems.report_problem(&entry.key_place, "references to another package are not supported");
    }
    reader.refuse_misspelled();
    let fields = fields?;
    let named: Vec<NamedNode> =
        fields.iter().filter_map(|node| read_named_node(node, "a parent's field", problems)).collect();
    // Version 1 of the standard writes an empty name for a table that refers to itself.
    (named.len() == fields.len()).then(|| (parent.filter(|parent| !parent.name.is_empty()), named))
}

fn read_named_node(node: &DocumentNode, what: &str, problems: &DescriptorProblems) -> Option<NamedNode> {
    node.read_text(what, problems).map(|name| NamedNode { name: name.into(), place: node.place.clone() })
}

/// Looks up the parents, and gives the resources their foreign keys.
pub(super) fn resolve_foreign_keys(drafts: Vec<DraftResource>, problems: &DescriptorProblems) -> Vec<Resource> {
    // All keys are resolved before any draft is taken apart, since each may refer to any other.
    let keys_of = |child: &DraftResource| -> Vec<ForeignKey> {
        child.keys.iter().filter_map(|key| resolve_key(key, child, &drafts, problems)).collect()
    };
    let keys: Vec<Vec<ForeignKey>> = drafts.iter().map(keys_of).collect();
    let with_keys = |(draft, keys): (DraftResource, Vec<ForeignKey>)| {
        let mut resource = draft.resource;
        resource.schema.foreign_keys = keys;
        resource
    };
    drafts.into_iter().zip(keys).map(with_keys).collect()
}

fn resolve_key(
    key: &DraftKey,
    child: &DraftResource,
    drafts: &[DraftResource],
    problems: &DescriptorProblems,
) -> Option<ForeignKey> {
    let parent = match &key.parent {
        None => child,
        Some(named) => find_parent(named, drafts, problems)?,
    };
    let parent_fields = find_fields(key, parent, problems)?;
    check_types(key, child, parent, &parent_fields, problems);
    check_parent_key(key, parent, &parent_fields, problems);
    let name = |at: &FieldIndex| Arc::clone(&parent.resource.schema[*at].name);
    Some(ForeignKey {
        fields: key.fields.clone(),
        parent: Arc::clone(&parent.resource.name),
        parent_fields: parent_fields.iter().map(name).collect(),
    })
}

fn find_parent<'d>(
    named: &NamedNode,
    drafts: &'d [DraftResource],
    problems: &DescriptorProblems,
) -> Option<&'d DraftResource> {
    let parent = drafts.iter().find(|draft| *draft.resource.name == *named.name);
    if parent.is_none() {
        let name = &named.name;
        let message = match find_nearest(name, drafts.iter().map(|draft| &*draft.resource.name)) {
            Some(near) => format!("unknown resource \"{name}\"; did you mean \"{near}\"?"),
            None => format!("unknown resource \"{name}\""),
        };
        problems.report_problem(&named.place, message);
    }
    parent
}

fn find_fields(key: &DraftKey, parent: &DraftResource, problems: &DescriptorProblems) -> Option<Vec<FieldIndex>> {
    let schema = &parent.resource.schema;
    // The fields themselves were wrong, which is reported already.
    if schema.fields.is_empty() {
        return None;
    }
    let find = |named: &NamedNode| {
        let at = schema.field_position(&named.name);
        if at.is_none() {
            let message =
                format!("{} in resource \"{}\"", keys::unknown_field(&named.name, schema), parent.resource.name);
            problems.report_problem(&named.place, message);
        }
        at
    };
    // Collected twice, so that every unknown field is reported and not only the first one.
    let found: Vec<Option<FieldIndex>> = key.parent_fields.iter().map(find).collect();
    found.into_iter().collect()
}

fn check_parent_key(key: &DraftKey, parent: &DraftResource, fields: &[FieldIndex], problems: &DescriptorProblems) {
    let schema = &parent.resource.schema;
    // Databases refuse a foreign key to fields that are no key.
    let is_key = |known: &Vec<FieldIndex>| !known.is_empty() && keys::have_same_fields(known, fields);
    if is_key(&schema.primary_key) || schema.unique_keys.iter().any(is_key) {
        return;
    }
    let names: Vec<String> = key.parent_fields.iter().map(|named| format!("\"{}\"", named.name)).collect();
    let names = names.join(", ");
    let name = &parent.resource.name;
    let message = format!("{names} is neither the primary key nor a unique key of resource \"{name}\"");
    let mend =
        format!("declare it in the schema of \"{name}\": \"primaryKey\": [{names}] or \"uniqueKeys\": [[{names}]]");
    problems.report_with_mend(&key.place, message, mend);
}

fn check_types(
    key: &DraftKey,
    child: &DraftResource,
    parent: &DraftResource,
    above: &[FieldIndex],
    problems: &DescriptorProblems,
) {
    for ((&from, &to), named) in key.fields.iter().zip(above).zip(&key.parent_fields) {
        let (field, other) = (&child.resource.schema[from], &parent.resource.schema[to]);
        let unread = child.broken.contains(&from) || parent.broken.contains(&to);
        if !unread && stored_type(&field.kind) != stored_type(&other.kind) {
            let message = format!(
                "the field \"{}\" of type \"{}\" refers to \"{}\" of type \"{}\"",
                field.name,
                field.kind.name(),
                other.name,
                other.kind.name()
            );
            problems.report_with_mend(&named.place, message, "give both fields the same type");
        }
    }
}

/// `any` and `string` hold the same values here.
fn stored_type(kind: &FieldType) -> &'static str {
    match kind {
        FieldType::Any => "string",
        other => other.name(),
    }
}
