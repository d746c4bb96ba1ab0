//! Which fields of a file become which of a table, and what is said where that cannot be.

use super::*;

fn two() -> TableSchema {
    table(vec![field("user id", INTEGER), field("name", STRING)])
}

fn faults(schema: &AvroSchema, table: &TableSchema, mapping: &FieldMapping) -> Vec<String> {
    resolve_fields(schema, table, mapping).unwrap_err()
}

fn renames(pairs: &[(&str, &str)]) -> FieldMapping {
    let renames = pairs.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect();
    FieldMapping { renames, ..FieldMapping::default() }
}

/// The line of the row of a long 1 and a text "a", by fields of these names.
fn row(fields: &[(&str, &str)], table: &TableSchema, mapping: &FieldMapping) -> String {
    line(&resolve_fields(&record(fields), table, mapping).unwrap(), &[2, 2, b'a']).unwrap().unwrap()
}

#[test]
fn fields_are_matched_by_what_is_surest() {
    let expected = "{\"user id\":1,\"name\":\"a\"}\n";
    let none = FieldMapping::default();
    let long = "\"long\"";
    for fields in [
        [("user id", long), ("name", "\"string\"")],
        [("User_ID", long), ("NAME", "\"string\"")],
        [("x", "\"long\" & \"landfall.field\":\"user id\""), ("name", "\"string\"")],
        [("x", "\"long\" & \"aliases\":[\"user id\"]"), ("name", "\"string\"")],
    ] {
        assert_eq!(row(&fields, &two(), &none), expected, "{fields:?}");
    }
    assert_eq!(row(&[("x", long), ("name", "\"string\"")], &two(), &renames(&[("x", "user id")])), expected);
    // What the mapping says goes before what the names say.
    let swapped = table(vec![field("a", STRING), field("b", INTEGER)]);
    let mapping = renames(&[("a", "b"), ("b", "a")]);
    assert_eq!(row(&[("a", long), ("b", "\"string\"")], &swapped, &mapping), "{\"b\":1,\"a\":\"a\"}\n");
    // And what the file says of its fields goes before their names.
    let own = [("a", "\"long\" & \"landfall.field\":\"b\""), ("b", "\"string\" & \"landfall.field\":\"a\"")];
    assert_eq!(row(&own, &swapped, &none), "{\"b\":1,\"a\":\"a\"}\n");
}

#[test]
fn names_that_could_be_two_are_a_fault() {
    let schema = record(&[("user_id", "\"long\""), ("UserId", "\"long\""), ("name", "\"string\"")]);
    let found = faults(&schema, &two(), &FieldMapping::default());
    assert_eq!(found[0], "the field \"user id\" could be \"user_id\", \"UserId\" of the file; say which with --map");
    let both = table(vec![field("a b", INTEGER), field("a_b", INTEGER)]);
    let found = faults(&record(&[("AB", "\"long\"")]), &both, &FieldMapping::default());
    assert_eq!(found, ["the file's \"AB\" could be \"a b\", \"a_b\" of the table; say which with --map"]);
}

#[test]
fn fields_without_a_counterpart() {
    let schema = record(&[("name", "\"string\""), ("z", "\"long\"")]);
    let found = faults(&schema, &two(), &FieldMapping::default());
    assert_eq!(
        found,
        [
            "the file has fields that the table has not: \"z\"; say with --map which they become, or leave them out with --ignore-extra"
        ]
    );
    let ignore = FieldMapping { ignore_extra: true, ..FieldMapping::default() };
    let reading = resolve_fields(&schema, &two(), &ignore).unwrap();
    assert_eq!(
        (reading.ignored_fields(), reading.missing_fields()),
        (&["z".to_owned()][..], &["user id".to_owned()][..])
    );
    let mut keyed = two();
    keyed.primary_key = vec![0.into()];
    let found = faults(&schema, &keyed, &ignore);
    assert_eq!(
        found,
        [
            "the file has not the fields \"user id\", and each row must have them; say with --map what they are in the file"
        ]
    );
    let nothing = faults(&record(&[("z", "\"long\"")]), &two(), &ignore);
    assert!(nothing[0].contains("none of the table's fields"), "{nothing:?}");
}

#[test]
fn all_faults_are_told_at_once() {
    let schema = record(&[("user_id", "\"string\""), ("y", "\"long\"")]);
    let found = faults(&schema, &two(), &renames(&[("no", "user id"), ("y", "such"), ("y", "name"), ("y", "name")]));
    let expected = [
        "--map names \"no\", which the file has not; it has \"user_id\", \"y\"",
        "--map names \"such\", which the table has not; it has \"user id\", \"name\"",
        "--map names \"y\" or \"name\" twice; name each field once",
        "the field \"user id\" is an integer, and the file's \"user_id\" is a string",
        "the field \"name\" is a string, and the file's \"y\" is a long",
    ];
    assert_eq!(found, expected);
}

#[test]
fn rows_must_be_records() {
    let found = faults(&AvroSchema::parse("\"long\"").unwrap(), &two(), &FieldMapping::default());
    assert_eq!(found, ["the file holds a long where rows are expected: the type of its values must be a record"]);
}

#[test]
fn types_that_no_value_can_pass_are_refused_before_a_row_is_read() {
    let logical = |base: &str, name: &str| format!("{{\"type\":\"{base}\",\"logicalType\":\"{name}\"}}");
    let object = r#"{"type":"record","name":"O","fields":[]}"#;
    let pattern = |zone: Option<&str>| FieldType::Datetime {
        format: TemporalFormat::Pattern("%Y%m%d%H".into()),
        timezone: zone.map(Into::into),
        ambiguous: Default::default(),
    };
    for (kind, avro, words) in [
        (INTEGER, "[\"null\",\"string\"]".to_owned(), "is an integer, and the file's \"v\" is a string"),
        (INTEGER, logical("int", "date"), "is a date"),
        (FieldType::Year, "\"boolean\"".into(), "is a year, and the file's \"v\" is a boolean"),
        (number(), "\"string\"".into(), "is a string"),
        (boolean(), "[\"int\",\"string\"]".into(), "is an int or a string"),
        (STRING, logical("long", "timestamp-micros"), "is a timestamp; declare it as a date"),
        (STRING, "\"double\"".into(), "is a double"),
        (DATE, logical("long", "timestamp-micros"), "is a timestamp"),
        (TIME, "\"long\"".into(), "is a long"),
        (DATETIME, logical("long", "local-timestamp-micros"), "the property timezone"),
        (pattern(None), logical("long", "timestamp-micros"), "declare a timezone"),
        (FieldType::YearMonth, logical("int", "date"), "is a yearmonth"),
        (FieldType::Object, "\"string\"".into(), "is an object, and the file's \"v\" is a string"),
        (FieldType::Object, "\"string\" & \"landfall.type\":\"array\"".into(), "is a string"),
        (FieldType::Array, object.into(), "is an array, and the file's \"v\" is a record"),
        (list(), "\"string\"".into(), "is a list"),
        (GEOPOINT, object.into(), "is a geopoint"),
        (FieldType::Geopoint(GeopointFormat::Array), "\"string\"".into(), "is a geopoint"),
        (GEOJSON, "\"bytes\"".into(), "is a geojson"),
    ] {
        let found = reading(kind, &avro).unwrap_err();
        assert!(found.len() == 1 && found[0].contains(words), "{avro}: {found:?}");
    }
    for (kind, avro) in [
        (FieldType::Any, "[\"null\",\"double\"]".to_owned()),
        (INTEGER, "[\"string\",\"long\"]".into()),
        (pattern(Some("UTC")), logical("long", "timestamp-micros")),
        (FieldType::Geopoint(GeopointFormat::Object), object.into()),
        (GEOPOINT, "\"string\"".into()),
        (FieldType::Object, "{\"type\":\"map\",\"values\":\"int\"}".into()),
        (DATETIME, "\"null\"".into()),
    ] {
        assert!(reading(kind, &avro).is_ok(), "{avro}");
    }
}

#[test]
fn a_row_that_is_updated_may_keep_a_required_field_and_has_its_key() {
    let required = |mut field: crate::schema::Field| {
        field.constraints.required = true;
        field
    };
    let mut table = table(vec![field("id", INTEGER), required(field("name", STRING)), field("age", INTEGER)]);
    table.primary_key = vec![0.into()];
    let updates = FieldMapping { updates: true, ..FieldMapping::default() };
    let reading = resolve_fields(&record(&[("id", "\"long\""), ("age", "\"long\"")]), &table, &updates).unwrap();
    assert_eq!(reading.missing_fields(), ["name"]);
    assert_eq!(faults(&record(&[("id", "\"long\"")]), &table, &FieldMapping::default()).len(), 1);
    let found = faults(&record(&[("name", "\"string\"")]), &table, &updates);
    assert!(found[0].contains("\"id\", and each row must have them"), "{found:?}");
}
