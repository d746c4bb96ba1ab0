//! The package: <https://datapackage.org/standard/data-package/>.

use super::{DescriptorContext, foreign_keys, names, resource};
use crate::schema::Package;
use crate::schema::document::DocumentNode;

/// Properties that describe the package for people and say nothing about loading it.
const DESCRIPTIVE: [&str; 14] = [
    "$schema",
    "id",
    "title",
    "description",
    "homepage",
    "version",
    "created",
    "keywords",
    "contributors",
    "licenses",
    "license",
    "sources",
    "image",
    "profile",
];

pub(super) fn read(root: &DocumentNode, context: DescriptorContext<'_>) -> Option<Package> {
    let problems = context.problems;
    let mut reader = root.read_map("the package", problems)?;
    let name = reader.take_text("name").map(String::from);
    reader.accept_names(&DESCRIPTIVE);
    let resources = reader.require_value("resources");
    let nodes = resources.and_then(|node| node.read_list("\"resources\"", problems)).unwrap_or_default();
    // An error in the list itself also leaves no nodes, and needs no second message.
    if let Some(node) = resources.filter(|_| nodes.is_empty() && problems.problem_count() == 0) {
        problems.report_problem(&node.place, "the package has no resources; a resource is a table to load");
    }
    let drafts: Vec<_> = nodes.iter().filter_map(|node| resource::read(node, context)).collect();
    reader.refuse_misplaced(&["path", "schema", "dialect", "encoding", "fields", "primaryKey"], "a resource");
    reader.refuse_misspelled();
    names::check_distinct(drafts.iter().map(|draft| (&*draft.resource.name, &draft.name_place)), "resource", problems);
    Some(Package { name, resources: foreign_keys::resolve_foreign_keys(drafts, problems) })
}
