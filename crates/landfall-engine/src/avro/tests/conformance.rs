//! Files that other programs wrote, from the conformance folder.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use landfall_core::{
    decode::json::JsonDecoder,
    reject::ErrorCode,
    validate::{ColumnMap, RejectedRecord, Validator},
};

use super::{
    super::{check_file, read_schema},
    *,
};

fn folder() -> Option<PathBuf> {
    let shared = std::env::var_os("LANDFALL_CONFORMANCE");
    if shared.is_none() {
        eprintln!("skipped: LANDFALL_CONFORMANCE does not name the conformance folder");
    }
    shared.map(PathBuf::from)
}

/// How the rows of a file are read into a table with these fields; all faults otherwise.
fn resolved(path: &Path, fields: &str) -> Result<(Arc<RowMapping>, TableSchema), String> {
    let schema = read_schema(File::open(path).unwrap()).unwrap();
    let table = table(fields);
    let mapping = FieldMapping { ignore_extra: true, ..FieldMapping::default() };
    match resolve_fields(&schema, &table, &mapping) {
        Ok(reading) => Ok((Arc::new(reading), table)),
        Err(faults) => Err(faults.join("\n")),
    }
}

/// The lines of a file, all of which the table takes.
fn rows(path: &Path, fields: &str) -> Vec<String> {
    let (reading, table) = resolved(path, fields).unwrap();
    let mut text = String::new();
    AvroInput::new(File::open(path).unwrap(), reading.clone()).unwrap().read_to_string(&mut text).unwrap();
    let checked = check_file(File::open(path).unwrap(), reading, None).unwrap();
    assert_eq!(checked.bytes, text.len() as u64);
    let records = JsonDecoder::new(&table).decode_lines(text.clone(), usize::MAX).unwrap();
    let map = ColumnMap::identity(table.fields.len());
    let validated = Validator::new(Arc::new(table), map).unwrap().validate_records(&records);
    let refused = |reject: &&RejectedRecord| reject.errors.iter().any(|error| error.code != ErrorCode::BlankRow);
    assert_eq!(validated.rejects.iter().find(refused), None, "{}", path.display());
    assert_eq!(checked.rows, records.len() as u64);
    text.lines().map(str::to_owned).collect()
}

#[test]
fn the_weather_is_that_of_its_oracle() {
    let Some(folder) = folder().map(|folder| folder.join("conformance/avro")) else { return };
    let oracle = std::fs::read_to_string(folder.join("weather.json")).unwrap();
    let oracle: Vec<String> = oracle.lines().map(str::to_owned).collect();
    let fields = "[{name: station, type: string}, {name: time, type: integer}, {name: temp, type: integer}]";
    for name in ["weather", "weather-deflate", "weather-snappy", "weather-zstd", "weather-sorted"] {
        let mut found = rows(&folder.join(name).with_extension("avro"), fields);
        let mut expected = oracle.clone();
        if name == "weather-sorted" {
            found.sort();
            expected.sort();
        }
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn all_types_by_all_codecs() {
    let Some(folder) = folder().map(|folder| folder.join("conformance/avro")) else { return };
    let fields = "[{name: id, type: integer}, {name: bool_col, type: boolean}, {name: tinyint_col, type: integer}, \
        {name: smallint_col, type: integer}, {name: int_col, type: integer}, {name: bigint_col, type: integer}, \
        {name: float_col, type: number}, {name: double_col, type: number}, {name: date_string_col, type: string}, \
        {name: string_col, type: string}, {name: timestamp_col, type: datetime}]";
    for codec in ["", ".bzip2", ".snappy", ".xz", ".zstandard"] {
        let found = rows(&folder.join(format!("alltypes_plain{codec}.avro")), fields);
        assert_eq!(found.len(), 8, "{codec}");
        assert_eq!(
            found[1],
            "{\"id\":5,\"bool_col\":false,\"tinyint_col\":1,\"smallint_col\":1,\"int_col\":1,\"bigint_col\":10,\
             \"float_col\":1.1,\"double_col\":10.1,\"date_string_col\":\"03/01/09\",\"string_col\":\"1\",\
             \"timestamp_col\":\"2009-03-01T00:01:00Z\"}",
            "{codec}"
        );
    }
    assert_eq!(rows(&folder.join("alltypes_dictionary.avro"), fields).len(), 2);
    let nulls = "[{name: string_col, type: string}, {name: int_col, type: integer}, {name: bytes_col, type: string, format: binary}, \
        {name: id, type: integer}]";
    let (reading, _) = resolved(&folder.join("alltypes_nulls_plain.avro"), nulls).unwrap();
    assert_eq!(reading.missing_fields(), ["id"]);
    assert_eq!(reading.ignored_fields(), ["bool_col", "bigint_col", "float_col", "double_col"]);
}

#[test]
fn logical_types_of_other_programs() {
    let Some(folder) = folder().map(|folder| folder.join("conformance/avro")) else { return };
    let decimal = "[{name: value, type: number}]";
    for (name, first, last) in [
        ("fixed256_decimal", "1.0000000000", "24.0000000000"),
        ("fixed_length_decimal", "1.00", "24.00"),
        ("fixed_length_decimal_legacy", "1.00", "24.00"),
        ("fixed_length_decimal_legacy_32", "1.00", "24.00"),
        ("int128_decimal", "1.00", "24.00"),
        ("int256_decimal", "1.0000000000", "24.0000000000"),
        ("int32_decimal", "1.00", "24.00"),
        ("int64_decimal", "1.00", "24.00"),
    ] {
        let found = rows(&folder.join(name).with_extension("avro"), decimal);
        assert_eq!(
            (found.len(), &found[0], &found[23]),
            (24, &format!("{{\"value\":{first}}}"), &format!("{{\"value\":{last}}}")),
            "{name}"
        );
    }
    let counted = |name: &str, fields: &str| rows(&folder.join(name).with_extension("avro"), fields).len();
    assert_eq!(counted("syncInMeta", "[{name: ID, type: integer}, {name: Phone, type: string}]"), 6001);
    assert_eq!(counted("binary", "[{name: foo, type: string, format: binary}]"), 12);
    assert_eq!(counted("dict-page-offset-zero", "[{name: l_partkey, type: integer}]"), 39);
}

#[test]
fn each_row_of_small_files() {
    let Some(folder) = folder().map(|folder| folder.join("conformance/avro")) else { return };
    for (name, fields, expected) in [
        (
            "timestamp_logical_types",
            "[{name: id, type: integer}, {name: ts_millis, type: datetime}, {name: ts_nanos, type: datetime}, \
                {name: local_ts_micros, type: datetime, timezone: Europe/Berlin}]",
            "{\"id\":1,\"ts_millis\":\"1970-01-01T00:00:00Z\",\"ts_nanos\":\"1970-01-01T00:00:00Z\",\"local_ts_micros\":\"1970-01-01T00:00:00\"}\n\
                {\"id\":2,\"ts_millis\":\"1970-01-01T00:00:01Z\",\"ts_nanos\":\"1970-01-01T00:00:01Z\",\"local_ts_micros\":\"1970-01-01T00:00:01\"}",
        ),
        (
            "duration_uuid",
            "[{name: duration_field, type: duration}, {name: uuid_field, type: string, format: uuid}]",
            "{\"duration_field\":\"P1M15DT0.5S\",\"uuid_field\":\"fe7bc30b-4ce8-4c5e-b67c-2234a2d38e66\"}\n\
                {\"duration_field\":\"P5DT2.5S\",\"uuid_field\":\"b33f2ad7-97b4-4de1-8bfe-94941d60156e\"}\n\
                {\"duration_field\":\"P2M\",\"uuid_field\":\"5f749264-074b-4005-84bf-115ea84ed20a\"}\n\
                {\"duration_field\":\"P12M31DT0.999S\",\"uuid_field\":\"0826cc06-d2e3-4599-b4ad-af5fa6905cdb\"}",
        ),
        ("single_nan", "[{name: mycol, type: number}]", "{\"mycol\":null}"),
        ("zero_byte", "[{name: data, type: string}]", "{\"data\":null}\n{\"data\":\"\"}\n{\"data\":\"some bytes\"}"),
        (
            "simple",
            "[{name: text, type: string}]",
            "{\"text\":\"hello\"}\n{\"text\":\"bonjour\"}\n{\"text\":\"guten tag\"}",
        ),
        (
            "simple_enum",
            "[{name: f1, type: string}, {name: f3, type: string}]",
            "{\"f1\":\"a\",\"f3\":\"j\"}\n{\"f1\":\"b\",\"f3\":\"k\"}\n{\"f1\":\"c\",\"f3\":null}\n{\"f1\":\"d\",\"f3\":\"i\"}",
        ),
        (
            "simple_fixed",
            "[{name: f1, type: string, format: binary}, {name: f3, type: string}]",
            "{\"f1\":\"YWJjZGU=\",\"f3\":\"ABCDEF\"}\n{\"f1\":\"MTIzNDU=\",\"f3\":null}",
        ),
    ] {
        let found = rows(&folder.join(name).with_extension("avro"), fields).join("\n");
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn nested_values_of_other_programs() {
    let Some(folder) = folder().map(|folder| folder.join("conformance/avro")) else { return };
    for (name, fields, count, last) in [
        (
            "nested_records",
            "[{name: f1, type: object}, {name: f2, type: array}, {name: f3, type: object}, {name: f4, type: array}]",
            2,
            r#"{"f1":{"f1_1":"bbb","f1_2":20,"f1_3":{"f1_3_1":3.14}},"f2":[{"f2_1":false,"f2_2":10.2}],"f3":null,"f4":[null,{"f4_1":300}]}"#,
        ),
        (
            "list_columns",
            "[{name: int64_list, type: array}, {name: utf8_list, type: array}]",
            3,
            r#"{"int64_list":[4],"utf8_list":["efg",null,"hij","xyz"]}"#,
        ),
        (
            "nested_lists.snappy",
            "[{name: a, type: array}, {name: b, type: integer}]",
            3,
            r#"{"a":[[["a","b"],["c","d"],["e"]],[null,["f"]]],"b":1}"#,
        ),
        (
            "nonnullable.impala",
            "[{name: ID, type: integer}, {name: Int_Array, type: array}, {name: Int_Map, type: object}, \
                {name: nested_Struct, type: object}]",
            1,
            r#"{"ID":8,"Int_Array":[-1],"Int_Map":{"k1":-1},"nested_Struct":{"a":-1,"B":[-1],"c":{"D":[[{"e":-1,"f":"nonnullable"}]]},"G":{}}}"#,
        ),
        (
            "nullable.impala",
            "[{name: id, type: integer}, {name: int_array, type: array}, {name: int_Map_Array, type: array}, \
                {name: nested_struct, type: object}]",
            7,
            r#"{"id":7,"int_array":null,"int_Map_Array":null,"nested_struct":{"A":7,"b":[2,3,null],"C":{"d":[[],[null],null]},"g":null}}"#,
        ),
        ("nulls.snappy", "[{name: b_struct, type: object}]", 8, r#"{"b_struct":{"b_c_int":null}}"#),
        (
            "repeated_no_annotation",
            "[{name: id, type: integer}, {name: phoneNumbers, type: object}]",
            6,
            r#"{"id":6,"phoneNumbers":{"phone":[{"number":1111111111,"kind":"home"},{"number":2222222222,"kind":null},{"number":3333333333,"kind":"mobile"}]}}"#,
        ),
        (
            "datapage_v2.snappy",
            "[{name: a, type: string}, {name: b, type: integer}, {name: c, type: number}, {name: d, type: boolean}, \
                {name: e, type: list, itemType: integer}]",
            5,
            r#"{"a":"abc","b":5,"c":2,"d":true,"e":[1,2]}"#,
        ),
        (
            "with-union",
            "[{name: data1, type: any}, {name: data2, type: object}]",
            3,
            r#"{"data1":3,"data2":{"d1":"text value"}}"#,
        ),
    ] {
        let found = rows(&folder.join(format!("{name}.avro")), fields);
        assert_eq!((found.len(), found.last().unwrap().as_str()), (count, last), "{name}");
    }
}

#[test]
fn fields_that_a_table_cannot_take_are_told_with_the_file() {
    let Some(folder) = folder().map(|folder| folder.join("conformance/avro")) else { return };
    let fault = |name: &str, fields: &str| resolved(&folder.join(name), fields).unwrap_err();
    assert_eq!(
        fault("nested_records.avro", "[{name: f1, type: string}, {name: f2, type: list, itemType: string}]"),
        "the field \"f1\" is a string, and the file's \"f1\" is a record"
    );
    assert!(
        fault("weather.avro", "[{name: station, type: integer}]")
            .contains("is an integer, and the file's \"station\" is a string")
    );
    assert!(fault("timestamp_logical_types.avro", "[{name: local_ts_nanos, type: datetime}]").contains("timezone"));
}

#[test]
fn the_challenge_of_the_example_is_read() {
    let Some(folder) = folder().map(|folder| folder.join("avro")) else { return };
    let hired = "[{name: id, type: integer}, {name: name, type: string}, {name: datetime, type: datetime}, \
        {name: department_id, type: integer}, {name: job_id, type: integer}]";
    for (name, fields, count) in [
        ("departments", "[{name: id, type: integer}, {name: department, type: string}]", 12),
        ("jobs", "[{name: id, type: integer}, {name: job, type: string}]", 183),
        ("hired_employees", hired, 1929),
    ] {
        let (reading, _) = resolved(&folder.join(name).with_extension("avro"), fields).unwrap();
        let checked = check_file(File::open(folder.join(name).with_extension("avro")).unwrap(), reading, None).unwrap();
        assert_eq!(checked.rows, count, "{name}");
    }
}
