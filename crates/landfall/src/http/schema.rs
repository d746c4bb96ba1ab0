//! A table's schema, dialect and encoding as the Data Package standard writes them.

use landfall_core::schema::{Constraints, Dialect, Encoding, Field, HeaderRows, LineTerminator, Resource};
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

/// A dialect as the standard writes it; every property stands there, so that nobody needs to know a default.
pub(super) fn dialect_of(dialect: &Dialect) -> Value {
    let text = |byte: u8| char::from(byte).to_string();
    let mut out = json!({
        "delimiter": text(dialect.delimiter),
        "quoteChar": dialect.quote_char.map(text).unwrap_or_default(),
        "doubleQuote": dialect.double_quote,
        "skipInitialSpace": dialect.skip_initial_space,
        "header": dialect.header != HeaderRows::None,
        "headerJoin": dialect.header_join,
    });
    if let HeaderRows::At(rows) = &dialect.header {
        out["headerRows"] = json!(rows);
    }
    if let Some(byte) = dialect.escape_char {
        out["escapeChar"] = json!(text(byte));
    }
    if let Some(byte) = dialect.comment_char {
        out["commentChar"] = json!(text(byte));
    }
    if !dialect.comment_rows.is_empty() {
        out["commentRows"] = json!(dialect.comment_rows);
    }
    if let Some(text) = &dialect.null_sequence {
        out["nullSequence"] = json!(text);
    }
    if let LineTerminator::Custom(end) = &dialect.line_terminator {
        out["lineTerminator"] = json!(end);
    }
    out
}

/// The label of an encoding, as the standard writes it.
pub(super) fn label_of(encoding: Encoding) -> String {
    match encoding {
        Encoding::Utf8 => "utf-8".into(),
        Encoding::Utf16 => "utf-16".into(),
        Encoding::Utf16Le => "utf-16le".into(),
        Encoding::Utf16Be => "utf-16be".into(),
        Encoding::Latin1 => "iso-8859-1".into(),
        Encoding::SingleByte(encoding) => encoding.name().to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use landfall_core::schema::Package;

    use super::*;

    /// What is told of a resource, read again.
    fn again(resource: &Resource) -> Resource {
        let package = json!({"resources": [{
            "name": "t", "path": "t.csv", "dialect": dialect_of(&resource.dialect), "encoding": label_of(resource.encoding),
            "schema": {"fields": [{"name": "a", "type": "string"}]},
        }]});
        Package::from_json(&package.to_string(), "told").expect("a package").resources.remove(0)
    }

    #[test]
    fn a_dialect_and_an_encoding_are_told_so_that_they_can_be_read() {
        for (dialect, encoding) in [
            ("{}", "utf-8"),
            ("{delimiter: ';', header: false, quoteChar: ''}", "iso-8859-1"),
            ("{delimiter: '|', headerRows: [2, 3], headerJoin: '_', commentRows: [1], commentChar: '#'}", "utf-16"),
            (r"{escapeChar: '\', doubleQuote: false, nullSequence: 'NULL', lineTerminator: '~'}", "windows-1252"),
            ("{skipInitialSpace: true, quoteChar: \"'\"}", "koi8-r"),
        ] {
            let package = format!(
                "resources: [{{name: t, path: t.csv, dialect: {dialect}, encoding: {encoding}, schema: {{fields: [{{name: a, type: string}}]}}}}]"
            );
            let told = Package::from_yaml(&package, "declared").expect(dialect).resources.remove(0);
            assert_eq!(again(&told), told, "{dialect} {encoding}");
        }
    }
}
