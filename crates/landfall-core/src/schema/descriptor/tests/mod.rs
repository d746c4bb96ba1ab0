#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod dialects;
mod fields;
mod keys;
mod packages;

use proptest::prelude::{ProptestConfig, proptest};

use crate::schema::{Field, Package, Resource};

/// The package of a YAML text.
fn package(text: &str) -> Package {
    Package::from_yaml(text, "datapackage.yaml").unwrap_or_else(|errors| panic!("{errors}"))
}

/// Everything wrong with a YAML text.
fn errors(text: &str) -> String {
    Package::from_yaml(text, "datapackage.yaml").unwrap_err().to_string()
}

/// The messages and mends of the errors, without places.
fn messages(text: &str) -> Vec<String> {
    let errors = Package::from_yaml(text, "datapackage.yaml").unwrap_err();
    let one = |error: &crate::schema::DescriptorError| match &error.mend {
        Some(mend) => format!("{} | {mend}", error.message),
        None => error.message.clone(),
    };
    errors.as_slice().iter().map(one).collect()
}

/// A package of one resource with the given lines, each a property of the resource.
fn resource_text(lines: &str) -> String {
    let lines = lines.replace('\n', "\n    ");
    format!("resources:\n  - name: t\n    path: t.csv\n    {lines}\n")
}

fn resource(lines: &str) -> Resource {
    package(&resource_text(&format!("{lines}\nschema: {{fields: [{{name: a}}]}}"))).resources.remove(0)
}

fn resource_messages(lines: &str) -> Vec<String> {
    messages(&resource_text(&format!("{lines}\nschema: {{fields: [{{name: a}}]}}")))
}

/// The field `a` with the given properties, in YAML's flow form.
fn field(properties: &str) -> Field {
    package(&field_text(properties)).resources.remove(0).schema.fields.remove(0)
}

fn field_messages(properties: &str) -> Vec<String> {
    messages(&field_text(properties))
}

fn field_text(properties: &str) -> String {
    resource_text(&format!("schema:\n  fields:\n    - {{name: a, {properties}}}"))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_value_in_a_descriptor_makes_it_panic(
        key in "name|path|schema|dialect|encoding|fields|primaryKey|foreignKeys|uniqueKeys|type|constraints|format|missingValues|categories",
        value in "[\\[\\]{}:,\"a1.~ -]{0,12}|\\[a, a\\]|\\{fields: \\[a\\], reference: \\{fields: \\[a, b\\]\\}\\}",
        at in 0..3_usize,
    ) {
        let mut slots = [String::new(), String::new(), String::new()];
        slots[at] = format!("{key}: {value}");
        let [a, b, c] = slots;
        let text = format!("resources:\n  - name: t\n    {a}\n    schema:\n      {b}\n      fields:\n        - name: a\n          {c}\n");
        let _ = Package::from_yaml(&text, "datapackage.yaml");
        let _ = Package::from_json(&text, "datapackage.json");
    }
}
