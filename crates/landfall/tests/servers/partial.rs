//! Sources that have only some of the fields: rows that are there keep the rest, whatever the source and the database.

use super::{cells::Form, place::Kind, site::Site};
use crate::support::Project;

const COLUMNS: [(&str, Form); 4] =
    [("id", Form::Plain), ("name", Form::Plain), ("age", Form::Plain), ("mail", Form::Plain)];

/// People of whom a name is required, two of them there.
fn site(kind: Kind) -> Site {
    let project = Project::empty();
    project.write(
        "datapackage.yaml",
        "resources:
  - name: people
    path: people.csv
    schema:
      fields:
        - {name: id, type: integer}
        - {name: name, type: string, constraints: {required: true}}
        - {name: age, type: integer}
        - {name: mail, type: string}
      primaryKey: id
      fieldsMatch: [superset]
",
    );
    project.write("people.csv", "id,name,age,mail\n1,Ann,30,a@x\n2,Bob,40,b@x\n");
    let site = Site::new(project, kind);
    site.run(&["load", "-q"]).exits(0);
    site
}

/// An Avro file of people with number and age alone.
fn avro() -> (Project, String) {
    let project = Project::empty();
    project.write(
        "datapackage.yaml",
        "resources: [{name: people, path: people.csv, schema: {fields: [{name: id, type: integer}, {name: age, type: integer}], primaryKey: id}}]",
    );
    project.write("people.csv", PARTIAL);
    project.run(&["load", "-q"]).exits(0);
    let set = project.run(&["backup", "--json"]).exits(0).json();
    let file = format!("{}/people.avro", set["location"].as_str().unwrap());
    let path = project.path().join(file).to_str().unwrap().to_owned();
    (project, path)
}

/// An update, one to a missing value, and a row that is not there and lacks its name.
const PARTIAL: &str = "id,age\n1,31\n2,\n9,50\n";

#[track_caller]
fn assert_updated(site: &Site, what: &str) {
    let text = |text: &str| Some(text.to_owned());
    let expected = [[text("1"), text("Ann"), text("31"), text("a@x")], [text("2"), text("Bob"), None, text("b@x")]];
    assert_eq!(site.content("people", &COLUMNS), expected, "{what}");
    let rejects = site.run(&["rejects", "list", "--json"]).exits(0).json_list();
    assert_eq!(rejects.len(), 1, "{what}: {rejects:?}");
    assert_eq!(rejects[0]["errors"][0]["field"], "name", "{what}");
    site.assert_nothing_wrong();
}

#[test]
fn an_avro_file_without_a_required_field_was_refused_where_csv_updates() {
    let (_project, avro) = avro();
    for kind in [Kind::Sqlite, Kind::Postgres, Kind::Pooled, Kind::Mariadb] {
        let by_csv = site(kind);
        by_csv.write("partial.csv", PARTIAL);
        by_csv.run(&["load", "-q", "people=partial.csv", "--mode", "upsert"]).exits(0);
        assert_updated(&by_csv, &format!("{kind:?}, CSV"));
        let by_avro = site(kind);
        let run = by_avro.run(&["restore", "people", "--from", &avro, "--mode", "upsert", "--json"]).exits(0);
        assert_eq!(run.counts("people"), [3, 0, 2, 0, 1], "{kind:?}");
        assert_updated(&by_avro, &format!("{kind:?}, Avro"));
        // Where rows are only added, none of them could have its name.
        let error = by_avro.run(&["restore", "people", "--from", &avro, "--mode", "append"]).fails(4);
        assert!(error.contains("\"name\", and each row must have them"), "{error}");
    }
}
