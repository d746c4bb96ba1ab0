use std::io;

use super::{errors, messages, package, resource, resource_messages, resource_text};
use crate::schema::{CodePage, Encoding, FieldIndex, FieldType, Package, SourcePath, TableIndex};

const YAML: &str = r##"
$schema: https://datapackage.org/profiles/2.0/datapackage.json
name: staff
title: Staff
contributors: [{title: A}]
x-team: data
resources:
  - name: departments
    type: table
    path: departments.csv
    title: Departments
    description: Who is where
    schema:
      fields:
        - {name: id, type: integer}
        - {name: department, type: string, constraints: {required: true, unique: true}}
      primaryKey: id
  - name: hired
    path: [a.csv, b.csv]
    encoding: latin1
    dialect: {header: false, delimiter: ";"}
    schema:
      missingValues: ["", "-"]
      fields:
        - {name: id, type: integer}
        - {name: pay, type: number, constraints: {minimum: 9007199254740993.10}}
        - {name: department_id, type: integer, missingValues: []}
      primaryKey: [id]
      foreignKeys:
        - fields: department_id
          reference: {resource: departments, fields: id}
"##;

const JSON: &str = r#"{
  "name": "staff",
  "resources": [
    {"name": "departments", "path": "departments.csv", "title": "Departments", "description": "Who is where",
     "schema": {"fields": [
       {"name": "id", "type": "integer"},
       {"name": "department", "type": "string", "constraints": {"required": true, "unique": true}}],
       "primaryKey": ["id"]}},
    {"name": "hired", "path": ["a.csv", "b.csv"], "encoding": "ISO-8859-1",
     "dialect": {"header": false, "delimiter": ";"},
     "schema": {"missingValues": ["", "-"], "fields": [
       {"name": "id", "type": "integer"},
       {"name": "pay", "type": "number", "constraints": {"minimum": 9007199254740993.10}},
       {"name": "department_id", "type": "integer", "missingValues": []}],
       "primaryKey": "id",
       "foreignKeys": [{"fields": ["department_id"], "reference": {"resource": "departments", "fields": ["id"]}}]}}
  ]
}"#;

#[test]
fn yaml_and_json_give_the_same_package() {
    assert_eq!(package(YAML), Package::from_json(JSON, "datapackage.json").unwrap());
}

#[test]
fn a_package_is_read_whole() {
    let package = package(YAML);
    assert_eq!(package.name.as_deref(), Some("staff"));
    let [departments, hired] = package.resources.as_slice() else { panic!("not two") };
    assert_eq!(departments.title.as_deref(), Some("Departments"));
    assert_eq!(hired.paths, [SourcePath("a.csv".into()), SourcePath("b.csv".into())]);
    assert_eq!(hired.encoding, Encoding::Latin1);
    assert_eq!(hired.dialect.delimiter, b';');
    assert_eq!(hired.schema.fields[1].constraints.minimum.as_deref(), Some("9007199254740993.10"));
    assert_eq!(hired.schema.fields[1].missing_values, ["", "-"]);
    assert!(hired.schema.fields[2].missing_values.is_empty());
    assert!(hired.schema.fields[0].constraints.required, "a primary key is required");
    assert_eq!(departments.schema.unique_keys, [[FieldIndex::from(1)]]);
    assert_eq!(&*hired.schema.foreign_keys[0].parent, "departments");
    assert_eq!(package.load_order(), [[TableIndex::from(0)], [TableIndex::from(1)]]);
}

#[test]
fn all_errors_are_told_at_once_with_place_and_mend() {
    let text = "resources:
  - name: t
    pth: t.csv
    schema:
      fields:
        - name: id
          type: integr
        - name: ID
          type: string
          constraints:
            requred: true
            minimum: 3
      primaryKey: idd
";
    let expected = "\
datapackage.yaml:2:5: a resource needs the property \"path\"
  2 |   - name: t
    |     ^

datapackage.yaml:3:5: unknown property \"pth\"; did you mean \"path\"?
  3 |     pth: t.csv
    |     ^^^

datapackage.yaml:7:17: unknown type \"integr\"; did you mean \"integer\"?
  7 |           type: integr
    |                 ^^^^^^

datapackage.yaml:8:17: the field \"ID\" differs only in case from \"id\" in line 6: databases take both as one
  8 |         - name: ID
    |                 ^^
  mend: write another name

datapackage.yaml:11:13: unknown property \"requred\"; did you mean \"required\"?
  11 |             requred: true
     |             ^^^^^^^

datapackage.yaml:12:13: \"minimum\" does not fit a field of type \"string\"
  12 |             minimum: 3
     |             ^^^^^^^
  mend: remove it; it fits integer, number, date, time, datetime, duration, year, yearmonth

datapackage.yaml:13:19: unknown field \"idd\"; did you mean \"id\"?
  13 |       primaryKey: idd
     |                   ^^^";
    assert_eq!(errors(text), expected);
}

#[test]
fn text_that_yaml_takes_for_a_number_is_refused_with_the_mend() {
    let expected = ["\"name\" must be text, not a number | write it in quotes: \"2020\""];
    assert_eq!(messages("name: 2020\nresources: [{name: t, path: t, schema: {fields: [{name: a}]}}]"), expected);
}

#[test]
fn a_package_needs_resources() {
    assert_eq!(messages("name: x"), ["the package needs the property \"resources\""]);
    assert_eq!(messages("resources: []"), ["the package has no resources; a resource is a table to load"]);
    assert_eq!(messages("- a"), ["the package must be a map of properties, not a list"]);
}

#[test]
fn custom_properties_may_stand_unless_they_look_misspelled() {
    resource("x-owner: me\ndate: 2020-01-01\ndescription_fr: des\ncreator: me\ntitle@de: T\nlicense: MIT");
    assert_eq!(resource_messages("desciption: x"), ["unknown property \"desciption\"; did you mean \"description\"?"]);
    assert_eq!(resource_messages("Encoding: x"), ["unknown property \"Encoding\"; did you mean \"encoding\"?"]);
}

#[test]
fn names_of_resources_are_sound_identifiers() {
    let table = |name: &str| format!("resources: [{{name: {name}, path: t, schema: {{fields: [{{name: a}}]}}}}]");
    for (name, message) in [
        ("''", "the name of a resource must not be empty"),
        ("\"a\\0\"", "the name of this resource has a control character"),
        ("Landfall_x", "names of resources must not begin with \"landfall_\": they are reserved"),
        ("sqlite_x", "names of resources must not begin with \"sqlite_\": they are reserved"),
    ] {
        assert_eq!(messages(&table(name)), [message]);
    }
    let long = "ü".repeat(32);
    let expected = "the name of this resource has 64 bytes, and databases cut names | write a name of at most 63 bytes";
    assert_eq!(messages(&table(&long)), [expected]);
    package(&table(&"x".repeat(63)));
}

#[test]
fn resources_have_different_names() {
    let text = |a: &str, b: &str| {
        let table = |name: &str| format!("  - {{name: {name}, path: t, schema: {{fields: [{{name: a}}]}}}}\n");
        format!("resources:\n{}{}", table(a), table(b))
    };
    let two = |a: &str, b: &str| messages(&text(a, b));
    assert_eq!(two("a", "a"), ["the resource \"a\" occurs twice, first in line 2 | write another name"]);
    for (a, b) in [("a", "A"), ("été", "ÉTÉ"), ("ΟΔΟΣ", "οδοσ")] {
        let expected = format!("the resource \"{b}\" differs only in case from \"{a}\" in line 2");
        assert!(two(a, b)[0].starts_with(&expected));
    }
    package(&text("ete", "été"));
}

#[test]
fn paths_stay_within_the_folder() {
    let with =
        |path: &str| messages(&format!("resources: [{{name: t, path: {path}, schema: {{fields: [{{name: a}}]}}}}]"));
    for (path, reason) in [
        ("/etc/passwd", "is absolute"),
        ("C:\\x.csv", "is absolute"),
        ("a/../../b.csv", "leaves the folder with \"..\""),
        ("https://example.org/a.csv", "is a URL, and URLs are not supported"),
        ("''", "is empty"),
    ] {
        assert!(with(path)[0].contains(reason), "{path}: {:?}", with(path));
    }
    assert_eq!(with("[]"), ["\"path\" names no file"]);
}

#[test]
fn what_is_no_table_of_delimited_text_is_refused() {
    let inline = messages("resources: [{name: t, data: [[1]], schema: {fields: [{name: a}]}}]");
    let expected =
        "records within the descriptor are not supported | put the records into a file, and write its name as \"path\"";
    assert_eq!(inline, [expected]);
    assert!(resource_messages("format: xlsx")[0].starts_with("the format \"xlsx\" is not supported"));
    assert!(resource_messages("type: json")[0].starts_with("a resource of type \"json\" is not supported"));
    let none = messages(&resource_text("title: x"));
    assert_eq!(none, ["the resource does not declare its fields | write \"schema\" with \"fields\""]);
}

#[test]
fn tsv_has_tabs() {
    assert_eq!(resource("format: tsv").dialect.delimiter, b'\t');
    assert_eq!(resource("format: tsv\ndialect: {delimiter: ';'}").dialect.delimiter, b';');
    let by_name = "resources: [{name: t, path: a.TSV.gz, schema: {fields: [{name: a}]}}]";
    assert_eq!(package(by_name).resources[0].dialect.delimiter, b'\t');
}

#[test]
fn encodings_are_known_by_many_labels() {
    for (label, encoding) in [
        ("utf-8", Encoding::Utf8),
        ("UTF8", Encoding::Utf8),
        ("utf_8_sig", Encoding::Utf8),
        ("us-ascii", Encoding::Utf8),
        ("utf-16", Encoding::Utf16),
        ("UTF-16LE", Encoding::Utf16Le),
        ("utf-16be", Encoding::Utf16Be),
        ("iso-8859-1", Encoding::Latin1),
        ("latin_1", Encoding::Latin1),
        ("l1", Encoding::Latin1),
        ("windows-1252", Encoding::SingleByte(encoding_rs::WINDOWS_1252)),
        ("cp1250", Encoding::SingleByte(encoding_rs::WINDOWS_1250)),
        ("iso8859_15", Encoding::SingleByte(encoding_rs::ISO_8859_15)),
        ("koi8-r", Encoding::SingleByte(encoding_rs::KOI8_R)),
        ("mac_roman", Encoding::SingleByte(encoding_rs::MACINTOSH)),
        ("Shift_JIS", Encoding::MultiByte(encoding_rs::SHIFT_JIS)),
        ("windows-31j", Encoding::MultiByte(encoding_rs::SHIFT_JIS)),
        ("cp932", Encoding::MultiByte(encoding_rs::SHIFT_JIS)),
        ("EUC-JP", Encoding::MultiByte(encoding_rs::EUC_JP)),
        ("euc-kr", Encoding::MultiByte(encoding_rs::EUC_KR)),
        ("CP949", Encoding::MultiByte(encoding_rs::EUC_KR)),
        ("x-windows-949", Encoding::MultiByte(encoding_rs::EUC_KR)),
        ("Big5", Encoding::MultiByte(encoding_rs::BIG5)),
        ("gb2312", Encoding::MultiByte(encoding_rs::GBK)),
        ("GB18030", Encoding::MultiByte(encoding_rs::GB18030)),
        ("cp866", Encoding::SingleByte(encoding_rs::IBM866)),
        ("cp850", Encoding::CodePage(CodePage::from_label("ibm850").expect("is known"))),
        ("IBM437", Encoding::CodePage(CodePage::from_label("437").expect("is known"))),
    ] {
        assert_eq!(resource(&format!("encoding: {label}")).encoding, encoding, "{label}");
    }
}

#[test]
fn an_encoding_that_is_not_read_is_refused_with_the_command_that_converts() {
    for label in ["iso-2022-jp", "utf-32", "klingon", "x-user-defined", "hz-gb-2312", "cp037"] {
        let message = &resource_messages(&format!("encoding: {label}"))[0];
        assert!(message.starts_with(&format!("Landfall does not read the encoding {label:?}")), "{message}");
        assert!(message.contains(&format!("iconv -f {label} -t UTF-8 old.csv > new.csv")), "{message}");
        assert!(message.contains("utf-8, utf-16"), "{message}");
    }
}

#[test]
fn schema_and_dialect_may_be_files() {
    let text = "resources: [{name: t, path: t.csv, schema: s/t.json, dialect: d.yaml}]";
    let load = |path: &str| match path {
        "s/t.json" => Ok(r#"{"fields": [{"name": "a", "type": "date"}]}"#.to_owned()),
        "d.yaml" => Ok("delimiter: '|'".to_owned()),
        _ => Err(io::Error::from(io::ErrorKind::NotFound)),
    };
    let package = Package::from_yaml_with(text, "in/datapackage.yaml", &load).unwrap();
    assert_eq!(package.resources[0].dialect.delimiter, b'|');
    assert!(matches!(package.resources[0].schema.fields[0].kind, FieldType::Date(_)));
}

#[test]
fn errors_in_a_file_of_its_own_name_that_file() {
    let text = "resources: [{name: t, path: t.csv, schema: s/t.json}]";
    let load = |_: &str| Ok("{\"fields\": [\n {\"name\": 1}]}".to_owned());
    let errors = Package::from_yaml_with(text, "in/datapackage.yaml", &load).unwrap_err().to_string();
    assert!(errors.starts_with("in/s/t.json:2:11: \"name\" must be text, not a number"), "{errors}");
}

#[test]
fn files_that_cannot_be_read_or_must_not_be_are_refused() {
    let missing = |_: &str| Err(io::Error::from(io::ErrorKind::NotFound));
    let with = |schema: &str| {
        let text = format!("resources: [{{name: t, path: t.csv, schema: {schema}}}]");
        Package::from_yaml_with(&text, "datapackage.yaml", &missing).unwrap_err().as_slice()[0].message.clone()
    };
    assert_eq!(with("t.json"), "cannot read \"t.json\": entity not found");
    assert_eq!(with("../t.json"), "the path \"../t.json\" leaves the folder with \"..\"");
    assert_eq!(with("https://x.org/t.json"), "the path \"https://x.org/t.json\" is a URL, and URLs are not supported");
    let inline = messages("resources: [{name: t, path: t.csv, schema: t.json}]");
    assert_eq!(inline, ["\"schema\" refers to a file, and files cannot be read here: write it inline"]);
}

/// As `frictionless describe --type package --json` writes it.
#[test]
fn a_package_of_the_reference_implementation_is_read() {
    let of_reference = "type: table\nscheme: file\nformat: csv\nmediatype: text/csv\nencoding: utf-8\nstats: {bytes: 1}\n\
                        dialect: {csv: {delimiter: ';'}}";
    assert_eq!(resource(of_reference).dialect.delimiter, b';');
    let other = resource_messages("scheme: https\ninnerpath: a.csv");
    assert_eq!(other.len(), 2, "{other:?}");
    assert!(other[0].contains("the scheme \"https\" is not supported"), "{other:?}");
    assert!(other[1].contains("unpack the archive"), "{other:?}");
}

#[test]
fn properties_at_the_wrong_level_say_where_they_belong() {
    let of_resource = resource_messages("primaryKey: [a]\ndelimiter: ';'\ndialect: {}");
    assert_eq!(
        of_resource,
        [
            "\"primaryKey\" belongs into \"schema\", not here | move it into \"schema\"",
            "\"delimiter\" belongs into \"dialect\", not here | move it into \"dialect\"",
        ]
    );
    let of_field =
        messages(&resource_text("schema: {fields: [{name: a, primaryKey: a}], dialect: {}, required: true}"));
    let homes = [
        "\"primaryKey\" belongs into \"schema\"",
        "\"dialect\" belongs into the resource",
        "\"required\" belongs into a field",
    ];
    assert_eq!(of_field.len(), 3, "{of_field:?}");
    for (message, home) in of_field.iter().zip(homes) {
        assert!(message.starts_with(home), "{message}");
    }
    let of_package = messages(
        "schema: {fields: [{name: a}]}\nresources:\n  - {name: t, path: t.csv, schema: {fields: [{name: a}]}}\n",
    );
    assert!(of_package[0].starts_with("\"schema\" belongs into a resource"), "{of_package:?}");
}
