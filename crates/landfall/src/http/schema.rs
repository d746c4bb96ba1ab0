//! A table's schema as the Data Package standard writes it.

use landfall_core::schema::{Constraints, Field, Resource};
use serde_json::{Map, Value, json};

/// The Table Schema of a resource.
pub(super) fn schema_of(resource: &Resource) -> Value {
    let schema = &resource.schema;
    let names = |positions: &[usize]| positions.iter().map(|&at| json!(&*schema.fields[at].name)).collect::<Vec<_>>();
    let mut out = Map::new();
    out.insert("fields".into(), schema.fields.iter().map(field).collect());
    if !schema.primary_key.is_empty() {
        out.insert("primaryKey".into(), names(&schema.primary_key).into());
    }
    if !schema.unique_keys.is_empty() {
        out.insert("uniqueKeys".into(), schema.unique_keys.iter().map(|key| Value::from(names(key))).collect());
    }
    if !schema.foreign_keys.is_empty() {
        let foreign = |key: &landfall_core::schema::ForeignKey| {
            json!({
                "fields": names(&key.fields),
                "reference": {"resource": &*key.parent, "fields": key.parent_fields.iter().map(|name| &**name).collect::<Vec<_>>()},
            })
        };
        out.insert("foreignKeys".into(), schema.foreign_keys.iter().map(foreign).collect());
    }
    Value::Object(out)
}

/// A field as the standard writes it.
pub(super) fn field(field: &Field) -> Value {
    let mut out = Map::new();
    out.insert("name".into(), json!(&*field.name));
    out.insert("type".into(), json!(field.kind.name()));
    if let Some(title) = &field.title {
        out.insert("title".into(), json!(title));
    }
    if let Some(description) = &field.description {
        out.insert("description".into(), json!(description));
    }
    let constraints = constraints(&field.constraints);
    if !constraints.is_empty() {
        out.insert("constraints".into(), constraints.into());
    }
    out.insert("missingValues".into(), json!(field.missing_values));
    Value::Object(out)
}

fn constraints(rules: &Constraints) -> Map<String, Value> {
    let mut out = Map::new();
    let mut add = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            out.insert(name.to_owned(), value);
        }
    };
    add("required", rules.required.then_some(json!(true)));
    add("minLength", rules.min_length.map(|length| json!(length)));
    add("maxLength", rules.max_length.map(|length| json!(length)));
    add("pattern", rules.pattern.as_ref().map(|text| json!(text)));
    add("minimum", rules.minimum.as_ref().map(|text| json!(text)));
    add("maximum", rules.maximum.as_ref().map(|text| json!(text)));
    add("exclusiveMinimum", rules.exclusive_minimum.as_ref().map(|text| json!(text)));
    add("exclusiveMaximum", rules.exclusive_maximum.as_ref().map(|text| json!(text)));
    add("enum", rules.enumeration.as_ref().map(|texts| json!(texts)));
    out
}
