//! `docs/dictionary.md` has an example for every property that the descriptor's reader knows.

use std::{collections::BTreeSet, fs};

use regex::Regex;

use crate::support::repository;

/// Properties that are known only to be refused, or to be passed over since another form is meant.
const REFUSED: [&str; 4] = ["caseSensitiveHeader", "csv", "innerpath", "scheme"];

/// The properties that the source of the reader names: `reader.take_flag("header")`, `read_mark(reader, "groupChar")`.
fn properties() -> BTreeSet<String> {
    let call = Regex::new(r#"\b(?:take|require)_\w+\("([a-zA-Z]+)"\)"#).unwrap();
    let passed = Regex::new(r#"\((?:&mut )?reader, "([a-zA-Z]+)""#).unwrap();
    let folder = repository().join("crates/landfall-core/src/schema/descriptor");
    let mut properties = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "rs") {
            let source = fs::read_to_string(path).unwrap();
            properties.extend(call.captures_iter(&source).map(|found| found[1].to_owned()));
            properties.extend(passed.captures_iter(&source).map(|found| found[1].to_owned()));
        }
    }
    properties.retain(|name| !REFUSED.contains(&&**name));
    properties
}

/// The descriptors of the page: fences such as ```` ```yaml people/datapackage.yaml ````.
fn descriptors() -> String {
    let page = fs::read_to_string(repository().join("docs/dictionary.md")).unwrap();
    let fences = page.split("\n```").filter(|fence| fence.starts_with("yaml ") || fence.starts_with("json "));
    fences.collect()
}

#[test]
fn every_property_has_an_example() {
    let (properties, descriptors) = (properties(), descriptors());
    assert!(properties.len() >= 40, "only {properties:?} were found in the reader");
    let is_shown = |name: &str| Regex::new(&format!(r#"\b{name}"?:\s"#)).unwrap().is_match(&descriptors);
    let missing: Vec<&String> = properties.iter().filter(|name| !is_shown(name)).collect();
    assert!(missing.is_empty(), "docs/dictionary.md has no example of {missing:?}");
}
