use super::{messages, package};
use crate::schema::{FieldIndex, FieldsMatch, TableSchema};

/// A table `child` with the fields `id`, `a`, `b` and `text`, and the given properties of its schema.
fn text(properties: &str) -> String {
    let fields =
        "[{name: id, type: integer}, {name: a, type: integer}, {name: b, type: integer}, {name: text, type: string}]";
    let parent = "{fields: [{name: id, type: integer}, {name: code}], primaryKey: id, uniqueKeys: [[id, code]]}";
    format!(
        "resources:\n  - {{name: child, path: t, schema: {{fields: {fields}, {properties}}}}}\n  - {{name: parent, path: t, schema: {parent}}}"
    )
}

fn schema(properties: &str) -> TableSchema {
    package(&text(properties)).resources.remove(0).schema
}

fn key_messages(properties: &str) -> Vec<String> {
    messages(&text(properties))
}

#[test]
fn primary_keys_have_one_or_more_fields() {
    assert_eq!(schema("primaryKey: id").primary_key, [0].map(FieldIndex::from));
    let schema = schema("primaryKey: [b, a]");
    assert_eq!(schema.primary_key, [2, 1].map(FieldIndex::from));
    let required: Vec<bool> = schema.fields.iter().map(|field| field.constraints.required).collect();
    assert_eq!(required, [false, true, true, false]);
}

#[test]
fn keys_name_known_fields_once() {
    assert_eq!(key_messages("primaryKey: texts"), ["unknown field \"texts\"; did you mean \"text\"?"]);
    assert_eq!(key_messages("primaryKey: [a, a]"), ["the field \"a\" occurs twice in \"primaryKey\""]);
    assert_eq!(key_messages("uniqueKeys: [[zzz]]"), ["unknown field \"zzz\""]);
    assert_eq!(key_messages("uniqueKeys: [a]"), ["a unique key must be a list, not text | write [\"a\"]"]);
}

#[test]
fn unique_keys_are_told_once() {
    let fields = "[{name: id, constraints: {unique: true}}, {name: a, constraints: {unique: true}}, {name: b}]";
    let text = format!(
        "resources: [{{name: t, path: t, schema: {{fields: {fields}, primaryKey: [id], uniqueKeys: [[a], [a, b], [b, a], [id]]}}}}]"
    );
    let schema = package(&text).resources.remove(0).schema;
    assert_eq!(schema.unique_keys, [vec![1.into()], vec![1.into(), 2.into()]]);
}

#[test]
fn foreign_keys_are_read_in_all_forms() {
    let key = "foreignKeys: [{fields: a, reference: {resource: parent, fields: id}}]";
    let list = "foreignKeys: [{fields: [a], reference: {resource: parent, fields: [id]}}]";
    assert_eq!(schema(key).foreign_keys, schema(list).foreign_keys);
    let two = schema("foreignKeys: [{fields: [text, a], reference: {resource: parent, fields: [code, id]}}]");
    assert_eq!(two.foreign_keys[0].fields, [3, 1].map(FieldIndex::from));
    assert_eq!(two.foreign_keys[0].parent_fields.iter().map(|name| &**name).collect::<Vec<_>>(), ["code", "id"]);
}

#[test]
fn a_table_may_refer_to_itself() {
    for reference in ["{fields: id}", "{resource: '', fields: [id]}"] {
        let schema = schema(&format!("primaryKey: id, foreignKeys: [{{fields: a, reference: {reference}}}]"));
        assert_eq!(&*schema.foreign_keys[0].parent, "child");
    }
}

#[test]
fn foreign_keys_fit_their_parent() {
    let with = |fields: &str, reference: &str| {
        key_messages(&format!("foreignKeys: [{{fields: {fields}, reference: {reference}}}]"))
    };
    assert_eq!(
        with("a", "{resource: parents, fields: id}"),
        ["unknown resource \"parents\"; did you mean \"parent\"?"]
    );
    let field = with("a", "{resource: parent, fields: idd}");
    assert_eq!(field, ["unknown field \"idd\"; did you mean \"id\"? in resource \"parent\""]);
    let arity = "2 fields refer to 1 fields of the parent | write as many fields as the parent's key has";
    assert_eq!(with("[a, b]", "{resource: parent, fields: id}"), [arity]);
    assert_eq!(
        with("text", "{resource: parent, fields: id}"),
        ["the field \"text\" of type \"string\" refers to \"id\" of type \"integer\" | give both fields the same type"]
    );
    assert_eq!(
        with("text", "{resource: parent, fields: code}"),
        ["\"code\" is neither the primary key nor a unique key of resource \"parent\" | declare it in the schema of \
          \"parent\": \"primaryKey\": [\"code\"] or \"uniqueKeys\": [[\"code\"]]"]
    );
    let package = with("a", "{package: other, resource: parent, fields: id}");
    assert_eq!(package, ["references to another package are not supported"]);
    assert_eq!(with("a", "{resource: parent}"), ["a reference needs the property \"fields\""]);
}

#[test]
fn a_broken_type_is_told_once() {
    let text = "resources:
  - name: a
    path: a
    schema: {fields: [{name: id, type: integr}], primaryKey: id}
  - name: b
    path: b
    schema: {fields: [{name: a, type: integer}], foreignKeys: [{fields: a, reference: {resource: a, fields: id}}]}";
    assert_eq!(messages(text), ["unknown type \"integr\"; did you mean \"integer\"?"]);
}

#[test]
fn fields_match_is_a_text_or_a_list_of_one() {
    assert_eq!(schema("primaryKey: id").fields_match, FieldsMatch::Exact);
    assert_eq!(schema("fieldsMatch: subset").fields_match, FieldsMatch::Subset);
    assert_eq!(schema("fieldsMatch: [partial]").fields_match, FieldsMatch::Partial);
    assert_eq!(key_messages("fieldsMatch: suset"), ["\"fieldsMatch\" cannot be \"suset\"; did you mean \"subset\"?"]);
}

#[test]
fn missing_values_are_texts_or_maps() {
    let schema = schema("missingValues: [{value: '', label: none}, {value: '-99'}]");
    assert_eq!(schema.fields[0].missing_values, ["", "-99"]);
    assert_eq!(key_messages("missingValues: ['', '']"), ["the missing value \"\" occurs twice"]);
    let number = "a missing value must be text, not a number | write it in quotes: \"-99\"";
    assert_eq!(key_messages("missingValues: [-99]"), [number]);
}

#[test]
fn a_schema_has_fields_with_different_names() {
    let with = |fields: &str| {
        messages(&format!("resources: [{{name: t, path: t, schema: {{fields: {fields}, primaryKey: a}}}}]"))
    };
    assert_eq!(with("[]"), ["the schema has no fields"]);
    assert_eq!(with("[{name: a}, {name: a}]"), ["the field \"a\" occurs twice, first in line 1 | write another name"]);
    assert_eq!(with("[{name: a}, {title: x}]"), ["a field needs the property \"name\""]);
    assert_eq!(with("[{name: a}, {name: ''}]"), ["the name of a field must not be empty"]);
}
