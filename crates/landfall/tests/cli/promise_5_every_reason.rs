//! Promise 5: a record that breaks many rules lists them all, at every door.

use std::collections::BTreeSet;

use crate::support::Project;
use serde_json::Value;

const PACKAGE: &str = "resources:
  - name: towns
    path: towns.csv
    schema:
      fields: [{name: id, type: integer}]
      primaryKey: [id]
  - name: people
    path: people.csv
    schema:
      fields:
        - {name: id, type: integer, constraints: {required: true}}
        - {name: email, type: string, format: email, constraints: {maxLength: 10, pattern: '[a-z@.]+'}}
        - {name: name, type: string, constraints: {required: true}}
        - {name: age, type: integer, constraints: {minimum: 18, maximum: 99}}
        - {name: born, type: date}
        - {name: color, type: string, constraints: {enum: [red, green], minLength: 4}}
        - {name: town, type: integer}
        - {name: badge, type: integer}
      primaryKey: [id]
      uniqueKeys: [[badge]]
      foreignKeys: [{fields: [town], reference: {resource: towns, fields: [id]}}]
";

fn project(records: &str) -> Project {
    let project = Project::empty();
    project.write("datapackage.yaml", PACKAGE);
    project.write("towns.csv", "id\n1\n");
    project.write("people.csv", format!("id,email,name,age,born,color,town,badge\n{records}"));
    project
}

/// The (code, field) of every error of the first record in `lines`.
fn reasons(lines: &[Value]) -> BTreeSet<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let errors = lines[0]["errors"].as_array().unwrap();
    errors.iter().map(|error| (text(&error["code"]), text(&error["field"]))).collect()
}

/// What both doors say of the first bad record.
fn both(project: &Project) -> BTreeSet<(String, String)> {
    let checked = project.run(&["check", "--json"]).exits(1).json_list();
    project.run(&["load", "-q"]).exits(0);
    let listed = project.run(&["rejects", "list", "--json"]).exits(0).json_list();
    assert_eq!(checked[0]["errors"], listed[0]["errors"], "the same errors with the same values and messages");
    reasons(&listed)
}

fn set(expected: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    expected.iter().map(|(code, field)| ((*code).into(), (*field).into())).collect()
}

const GOOD: &str = "1,a@b.co,Ann,30,2001-02-03,green,1,7\n";

#[test]
fn types_constraints_keys_and_parents_are_told_at_once() {
    let project = project(&format!("{GOOD}1,NOT AN EMAIL AT ALL,,7,2001-02-30,pink!,2,7\n"));
    let expected = set(&[
        ("type-error", "email"),
        ("constraint-error", "name"),
        ("constraint-error", "age"),
        ("type-error", "born"),
        ("constraint-error", "color"),
        ("foreign-key", "town"),
        ("primary-key", "id"),
        ("unique-error", "badge"),
    ]);
    assert_eq!(both(&project), expected);
}

#[test]
fn several_constraints_of_one_field_are_told_each() {
    let project = project("2,ABCDE@FGHIJ.KL,Bob,30,2001-02-03,red,1,8\n");
    let listed = project.run(&["check", "--json"]).exits(1).json_list();
    let errors = listed[0]["errors"].as_array().unwrap();
    let of = |field: &str| errors.iter().filter(|error| error["field"] == field).count();
    assert_eq!((of("email"), of("color")), (2, 1), "maxLength and pattern; minLength: {errors:?}");
}

#[test]
fn a_record_with_missing_cells_tells_what_else_is_wrong() {
    let found = both(&project(&format!("{GOOD}1,a@b.co,,5\n")));
    let expected = set(&[
        ("primary-key", "id"),
        ("constraint-error", "name"),
        ("constraint-error", "age"),
        ("missing-cell", "born"),
        ("missing-cell", "color"),
        ("missing-cell", "town"),
        ("missing-cell", "badge"),
    ]);
    assert_eq!(found, expected);
}

#[test]
fn a_record_with_extra_cells_tells_what_else_is_wrong() {
    let found = both(&project("x,a@b.co,Ann,30,2001-02-03,green,9,7,more\n"));
    assert_eq!(found, set(&[("type-error", "id"), ("foreign-key", "town"), ("extra-cell", "-")]));
}

#[test]
fn each_error_has_code_field_value_and_message() {
    let project = project(&format!("{GOOD}1,a@b.co,Ann,7,2001-02-30,green,2,7\n"));
    project.run(&["load", "-q"]).exits(0);
    let listed = project.run(&["rejects", "list", "--json"]).exits(0).json_list();
    let errors = listed[0]["errors"].as_array().unwrap();
    let value = |field: &str| {
        let error = errors.iter().find(|error| error["field"] == field).unwrap();
        assert!(error["message"].as_str().unwrap().len() > 10);
        error["value"].as_str().unwrap().to_owned()
    };
    let values = ["id", "age", "born", "town", "badge"].map(value);
    assert_eq!(values, ["1", "7", "2001-02-30", "2", "7"]);
}
