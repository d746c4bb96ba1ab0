//! The package: <https://datapackage.org/standard/data-package/>.

use super::{Context, foreign_keys, names, resource};
use crate::schema::Package;
use crate::schema::document::Node;

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

pub(super) fn read(root: &Node, context: Context<'_>) -> Option<Package> {
    let problems = context.problems;
    let mut reader = root.map("the package", problems)?;
    let name = reader.text("name").map(String::from);
    reader.accept(&DESCRIPTIVE);
    let resources = reader.require("resources");
    let nodes = resources.and_then(|node| node.list("\"resources\"", problems)).unwrap_or_default();
    if let Some(node) = resources.filter(|_| nodes.is_empty() && problems.count() == 0) {
        problems.report(&node.place, "the package has no resources; a resource is a table to load");
    }
    let drafts: Vec<_> = nodes.iter().filter_map(|node| resource::read(node, context)).collect();
    reader.finish_open();
    names::check_distinct(drafts.iter().map(|draft| (&*draft.resource.name, &draft.name_place)), "resource", problems);
    Some(Package { name, resources: foreign_keys::resolve(drafts, problems) })
}
