//! The dictionary as descriptors: a table's schema, dialect and encoding as the Data Package standard writes them.

use serde_json::{Map, Value, json};

use super::{
    Ambiguous, BooleanWords, Constraints, Dialect, Encoding, Field, FieldIndex, FieldType, FieldsMatch, ForeignKey,
    GeoFormat, GeopointFormat, HeaderMatch, HeaderRows, LineTerminator, ListItem, Ragged, StrayQuotes, StringFormat,
    TableSchema, TemporalFormat, dialect::name_of,
};

/// The Table Schema of a table.
#[must_use]
pub fn write_schema(schema: &TableSchema) -> Value {
    let names = |key: &[FieldIndex]| key.iter().map(|&field| json!(&*schema[field].name)).collect::<Vec<_>>();
    let mut out = Map::new();
    out.insert("fields".into(), schema.fields.iter().map(write_field).collect());
    let ways = [
        (FieldsMatch::Equal, "equal"),
        (FieldsMatch::Subset, "subset"),
        (FieldsMatch::Superset, "superset"),
        (FieldsMatch::Partial, "partial"),
    ];
    if let Some((_, way)) = ways.iter().find(|(way, _)| *way == schema.fields_match) {
        out.insert("fieldsMatch".into(), json!(way));
    }
    if schema.label_match.titles {
        out.insert("matchTitles".into(), json!(true));
    }
    if schema.label_match.ignore_case {
        out.insert("matchCase".into(), json!(false));
    }
    if !schema.primary_key.is_empty() {
        out.insert("primaryKey".into(), names(&schema.primary_key).into());
    }
    if !schema.unique_keys.is_empty() {
        out.insert("uniqueKeys".into(), schema.unique_keys.iter().map(|key| Value::from(names(key))).collect());
    }
    if !schema.foreign_keys.is_empty() {
        let foreign = |key: &ForeignKey| {
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
#[must_use]
pub fn write_field(field: &Field) -> Value {
    let mut out = Map::new();
    out.insert("name".into(), json!(&*field.name));
    out.insert("type".into(), json!(field.kind.name()));
    out.extend(write_type_properties(&field.kind));
    if let Some(title) = &field.title {
        out.insert("title".into(), json!(title));
    }
    if let Some(description) = &field.description {
        out.insert("description".into(), json!(description));
    }
    let constraints = write_constraints(&field.constraints);
    if !constraints.is_empty() {
        out.insert("constraints".into(), constraints.into());
    }
    // Always written: without it, a reader would fall back on the list of the schema, which is not written.
    out.insert("missingValues".into(), json!(field.missing_values));
    Value::Object(out)
}

/// What a type has beside its name, where it is not the default.
fn write_type_properties(kind: &FieldType) -> Map<String, Value> {
    let mut out = Map::new();
    let mut add = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            out.insert(name.to_owned(), value);
        }
    };
    let bare = |bare: bool| (!bare).then_some(json!(false));
    let texts = |texts: &[String], default: &[String]| (texts != default).then(|| json!(texts));
    match kind {
        FieldType::String(format) => add("format", string_format(*format)),
        FieldType::Integer { bare_number, group_char, zero_decimals } => {
            add("bareNumber", bare(*bare_number));
            add("groupChar", group_char.as_ref().map(|text| json!(text)));
            add("decimals", zero_decimals.then_some(json!("zero")));
        }
        FieldType::Number(format) => {
            add("decimalChar", (format.decimal_char != ".").then(|| json!(format.decimal_char)));
            add("bareNumber", bare(format.bare_number));
            add("groupChar", format.group_char.as_ref().map(|text| json!(text)));
        }
        FieldType::Boolean(words) => {
            let default = BooleanWords::default();
            add("trueValues", texts(&words.true_values, &default.true_values));
            add("falseValues", texts(&words.false_values, &default.false_values));
        }
        FieldType::Date(format) | FieldType::Time(format) => add("format", temporal_format(format)),
        FieldType::Datetime { format, timezone, ambiguous } => {
            add("format", temporal_format(format));
            add("timezone", timezone.as_ref().map(|zone| json!(zone)));
            add("ambiguous", (*ambiguous != Ambiguous::Reject).then(|| json!(ambiguous.name())));
        }
        FieldType::List { delimiter, item } => {
            add("delimiter", (delimiter != ",").then(|| json!(delimiter)));
            add("itemType", write_list_item(*item));
        }
        FieldType::Geopoint(GeopointFormat::Array) => add("format", Some(json!("array"))),
        FieldType::Geopoint(GeopointFormat::Object) => add("format", Some(json!("object"))),
        FieldType::Geojson(GeoFormat::Topojson) => add("format", Some(json!("topojson"))),
        FieldType::Geopoint(GeopointFormat::Default) | FieldType::Geojson(GeoFormat::Default) => {}
        FieldType::Year
        | FieldType::YearMonth
        | FieldType::Duration
        | FieldType::Object
        | FieldType::Array
        | FieldType::Any => {}
    }
    out
}

fn string_format(format: StringFormat) -> Option<Value> {
    match format {
        StringFormat::Default => None,
        StringFormat::Email => Some(json!("email")),
        StringFormat::Uri => Some(json!("uri")),
        StringFormat::Binary => Some(json!("binary")),
        StringFormat::Uuid => Some(json!("uuid")),
    }
}

fn temporal_format(format: &TemporalFormat) -> Option<Value> {
    match format {
        TemporalFormat::Default => None,
        TemporalFormat::Any => Some(json!("any")),
        TemporalFormat::Pattern(pattern) => Some(json!(pattern)),
    }
}

fn write_list_item(item: ListItem) -> Option<Value> {
    match item {
        ListItem::String => None,
        ListItem::Integer => Some(json!("integer")),
        ListItem::Number => Some(json!("number")),
        ListItem::Boolean => Some(json!("boolean")),
        ListItem::Datetime => Some(json!("datetime")),
        ListItem::Date => Some(json!("date")),
        ListItem::Time => Some(json!("time")),
    }
}

fn write_constraints(rules: &Constraints) -> Map<String, Value> {
    let mut out = Map::new();
    let mut add = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            out.insert(name.to_owned(), value);
        }
    };
    add("required", rules.required.then_some(json!(true)));
    add("unique", rules.unique.then_some(json!(true)));
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

/// A dialect as the standard writes it; each property of the standard stands there, so that nobody needs to know a default. Those of
/// Landfall's own stand there where they are not the default, so that earlier versions read what does not need them.
#[must_use]
pub fn write_dialect(dialect: &Dialect) -> Value {
    let text = |byte: u8| char::from(byte).to_string();
    let mut out = json!({
        "delimiter": dialect.delimiter.as_str(),
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
    write_own_properties(dialect, &mut out);
    out
}

/// Writes what the standard does not have, where it is not the default.
fn write_own_properties(dialect: &Dialect, out: &mut Value) {
    let default = Dialect::default();
    if dialect.trim != default.trim {
        out["trim"] = json!(dialect.trim);
    }
    if dialect.ragged != default.ragged {
        out["ragged"] = json!(name_of(&Ragged::NAMES, &dialect.ragged));
    }
    if dialect.stray_quotes != default.stray_quotes {
        out["strayQuotes"] = json!(name_of(&StrayQuotes::NAMES, &dialect.stray_quotes));
    }
    if dialect.quoted_missing != default.quoted_missing {
        out["quotedMissing"] = json!(dialect.quoted_missing);
    }
    if dialect.header_match != default.header_match {
        out["headerMatch"] = json!(name_of(&HeaderMatch::NAMES, &dialect.header_match));
    }
}

/// The label of an encoding, as the standard writes it.
#[must_use]
pub fn encoding_label(encoding: Encoding) -> String {
    match encoding {
        Encoding::Utf8 => "utf-8".into(),
        Encoding::Utf16 => "utf-16".into(),
        Encoding::Utf16Le => "utf-16le".into(),
        Encoding::Utf16Be => "utf-16be".into(),
        Encoding::Latin1 => "iso-8859-1".into(),
        Encoding::SingleByte(encoding) | Encoding::MultiByte(encoding) => encoding.name().to_ascii_lowercase(),
        Encoding::CodePage(page) => page.name().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Package, Resource};

    /// What is told of a resource, read again.
    fn again(resource: &Resource) -> Resource {
        let package = json!({"resources": [{
            "name": "t", "path": "t.csv", "dialect": write_dialect(&resource.dialect), "encoding": encoding_label(resource.encoding),
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
            ("{delimiter: '||', ragged: pad, strayQuotes: reject, headerMatch: position}", "shift_jis"),
            ("{delimiter: '§', trim: true, quotedMissing: false, ragged: pad-or-truncate-empty}", "cp437"),
        ] {
            let package = format!(
                "resources: [{{name: t, path: t.csv, dialect: {dialect}, encoding: {encoding}, schema: {{fields: [{{name: a, type: string}}]}}}}]"
            );
            let told = Package::from_yaml(&package, "declared").expect(dialect).resources.remove(0);
            assert_eq!(again(&told), told, "{dialect} {encoding}");
        }
    }

    #[test]
    fn a_schema_is_told_so_that_it_can_be_read() {
        let package = r#"
resources:
  - name: people
    path: people.csv
    schema:
      fieldsMatch: subset
      missingValues: ["", "-"]
      primaryKey: [id]
      uniqueKeys: [[mail, born]]
      foreignKeys:
        - {fields: [boss], reference: {resource: "", fields: [id]}}
      fields:
        - {name: id, type: integer, groupChar: "'", bareNumber: false, title: Number, description: "Of a person"}
        - {name: boss, type: integer}
        - {name: mail, type: string, format: email, constraints: {required: true, maxLength: 80, minLength: 3}}
        - {name: code, type: string, constraints: {unique: true, pattern: "[A-Z]+", enum: [A, B]}}
        - {name: born, type: date, format: "%d/%m/%Y", constraints: {minimum: "01/01/1900"}}
        - {name: at, type: time, format: any}
        - {name: hired, type: datetime, timezone: Europe/Berlin}
        - {name: left, type: datetime, timezone: Europe/Berlin, ambiguous: later}
        - {name: floor, type: integer, decimals: zero}
        - {name: pay, type: number, decimalChar: ",", groupChar: ".", constraints: {exclusiveMinimum: "0"}}
        - {name: active, type: boolean, trueValues: [yes], falseValues: [no]}
        - {name: tags, type: list, delimiter: ";", itemType: integer}
        - {name: place, type: geopoint, format: object}
        - {name: area, type: geojson, format: topojson}
        - {name: key, type: string, format: uuid}
        - {name: year, type: year}
        - {name: rest, type: any, missingValues: [none]}
"#;
        let declared = Package::from_yaml(package, "declared").expect("a package").resources.remove(0);
        let told =
            json!({"resources": [{"name": "people", "path": "people.csv", "schema": write_schema(&declared.schema)}]});
        let read = Package::from_json(&told.to_string(), "told").expect("a package").resources.remove(0);
        assert_eq!(read.schema, declared.schema, "{told:#}");
    }
}
