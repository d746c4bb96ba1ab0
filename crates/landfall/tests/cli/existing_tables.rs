//! Tables that exist are held against the data package: what differs is told, and what stops loads stops them.

use crate::support::{
    Project,
    teams::{PACKAGE, differences, loads, people_with, project, with_database},
};

#[test]
fn a_column_of_another_type_stops_loads() {
    let project = people_with(&[("\"born\" TEXT", "\"born\" INTEGER")]);
    assert_eq!(differences(&project), ["people: has the column \"born\" as INTEGER and not TEXT (stops loads)"]);
    let run = project.run(&["schema", "apply"]).exits(12);
    insta::assert_snapshot!("other-type", format!("{}{}", run.stdout, run.stderr));
    let quiet = project.run(&["schema", "apply", "-q"]).exits(12);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr), ("", run.stderr));
    let error = project.run(&["load"]).fails(12);
    assert!(error.contains("as INTEGER and not TEXT. Nothing was altered: rename the table"), "{error}");
}

#[test]
fn types_that_hold_the_same_are_told_and_used() {
    let project = with_database(
        "CREATE TABLE teams (id BIGINT NOT NULL PRIMARY KEY, title VARCHAR(20));
         CREATE TABLE people (id INTEGER PRIMARY KEY, name CHARACTER(10) NOT NULL, mail CLOB UNIQUE, born DATE,
             team INT REFERENCES teams, UNIQUE (born, name));",
    );
    assert_eq!(
        differences(&project),
        [
            "teams: has the column \"id\" as BIGINT and not INTEGER, which holds the same values",
            "teams: has the column \"title\" as VARCHAR(20) and not TEXT, which holds the same values",
            "people: has the column \"name\" as CHARACTER(10) and not TEXT, which holds the same values",
            "people: has the column \"mail\" as CLOB and not TEXT, which holds the same values",
            "people: has the column \"born\" as DATE and not TEXT, which holds the same values",
            "people: has the column \"team\" as INT and not INTEGER, which holds the same values",
        ]
    );
    project.run(&["schema", "apply"]).exits(0);
    loads(&project);
    let (born, kind): (String, String) = project
        .database()
        .query_row("SELECT born, typeof(born) FROM people WHERE id = 1", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    assert_eq!((born.as_str(), kind.as_str()), ("2001-02-03", "text"));
}

#[test]
fn a_column_that_would_turn_texts_into_numbers_stops_loads() {
    let end = "REFERENCES \"teams\" (\"id\") DEFERRABLE INITIALLY DEFERRED\n) STRICT";
    let project = people_with(&[("\"mail\" TEXT", "\"mail\" DECIMAL(5)"), (end, "REFERENCES teams (id))")]);
    assert_eq!(differences(&project), ["people: has the column \"mail\" as DECIMAL(5) and not TEXT (stops loads)"]);
}

#[test]
fn another_key_stops_loads() {
    let project = people_with(&[("PRIMARY KEY (\"id\"),\n  UNIQUE", "PRIMARY KEY (\"name\"),\n  UNIQUE")]);
    assert_eq!(differences(&project), ["people: has the primary key (name) and not (id) (stops loads)"]);
    project.run(&["schema", "apply", "-q"]).exits(12);
    let project = people_with(&[("PRIMARY KEY (\"id\"),\n  UNIQUE", "UNIQUE")]);
    let expected = "people: has no primary key, and the data package has (id) (stops loads)";
    assert_eq!(differences(&project), [expected]);
}

#[test]
fn a_primary_key_may_be_kept_by_a_unique_key() {
    let project = with_database(
        "CREATE TABLE teams (id INTEGER PRIMARY KEY, title TEXT);
         CREATE TABLE people (own INTEGER PRIMARY KEY, id INTEGER NOT NULL UNIQUE, name TEXT NOT NULL, mail TEXT UNIQUE,
             born TEXT, team INTEGER REFERENCES teams (id), UNIQUE (born, name)) STRICT;",
    );
    assert_eq!(
        differences(&project),
        [
            "people: has the column \"own\", which is not in the data package: loads leave it alone",
            "people: has the primary key (own) and not (id)",
        ]
    );
    loads(&project);
}

#[test]
fn a_key_that_folds_texts_stops_loads() {
    let project = people_with(&[("\"mail\" TEXT", "\"mail\" TEXT COLLATE NOCASE")]);
    assert_eq!(
        differences(&project),
        [
            "people: compares the column \"mail\" by NOCASE and not byte by byte (stops loads)",
            "people: has no unique key (mail): Landfall checks it (schema apply adds it)",
        ]
    );
}

#[test]
fn another_order_of_text_is_told() {
    let project = people_with(&[("\"title\" TEXT", "\"title\" TEXT COLLATE NOCASE")]);
    let expected = "teams: compares the column \"title\" by NOCASE and not byte by byte, which holds the same values";
    assert_eq!(differences(&project), [expected]);
    loads(&project);
}

#[test]
fn missing_keys_are_told_and_harmless() {
    let foreign = ",\n  FOREIGN KEY (\"team\") REFERENCES \"teams\" (\"id\") DEFERRABLE INITIALLY DEFERRED";
    let project = people_with(&[(",\n  UNIQUE (\"mail\")", ""), (foreign, "")]);
    let missing = [
        "people: has no unique key (mail): Landfall checks it (schema apply adds it)",
        "people: has no foreign key (team) to teams (id): Landfall checks it",
    ];
    assert_eq!(differences(&project), missing);
    loads(&project);
    let run = project.run(&["schema", "apply"]).exits(0);
    assert!(
        run.stdout.starts_with("CREATE UNIQUE INDEX \"people_mail_key\" ON \"people\" (\"mail\");\n"),
        "{}",
        run.stdout
    );
    assert_eq!(differences(&project), missing[1..]);
}

#[test]
fn a_missing_key_that_others_refer_to_stops_loads_until_it_is_added() {
    let project = Project::empty();
    project.write(
        "datapackage.yaml",
        "resources:
  - name: places
    path: places.csv
    schema: {fields: [{name: id, type: integer}, {name: code, type: string}], primaryKey: [id], uniqueKeys: [[code]]}
  - name: people
    path: people.csv
    schema:
      fields: [{name: id, type: integer}, {name: place, type: string}]
      primaryKey: [id]
      foreignKeys: [{fields: [place], reference: {resource: places, fields: [code]}}]
",
    );
    project.write("places.csv", "id,code\n1,x\n");
    project.write("people.csv", "id,place\n1,x\n2,y\n");
    project.database().execute_batch("CREATE TABLE places (id INTEGER PRIMARY KEY, code TEXT)").unwrap();
    let error = project.run(&["load"]).fails(12);
    assert!(error.contains("it has no unique key (code). Nothing was altered: `landfall schema apply`"), "{error}");
    project.run(&["schema", "apply", "-q"]).exits(0);
    assert_eq!(project.run(&["load", "--json"]).exits(0).counts("people"), [2, 1, 0, 0, 1]);
    project.write("places.csv", "id,code\n1,x\n2,y\n");
    project.run(&["load", "-q", "places", "--on-conflict", "update"]).exits(0);
    assert_eq!(differences(&project), [""; 0]);
}

#[test]
fn other_keys_and_columns_are_told_and_left_alone() {
    let project = with_database(
        "CREATE TABLE teams (id INTEGER PRIMARY KEY, title TEXT, UNIQUE (title));
         CREATE TABLE boss (name TEXT PRIMARY KEY);
         INSERT INTO boss VALUES ('Ann');
         CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL REFERENCES boss, mail TEXT UNIQUE, born TEXT,
             team INTEGER REFERENCES teams (id), note TEXT, seen TEXT NOT NULL DEFAULT 'never', UNIQUE (name, born));",
    );
    assert_eq!(
        differences(&project),
        [
            "teams: has the unique key (title), which is not in the data package: rows that break it are rejected",
            "people: has the column \"note\", which is not in the data package: loads leave it alone",
            "people: has the column \"seen\", which is not in the data package: loads leave it alone",
            "people: has the foreign key (name) to boss (name), which is not in the data package: rows that break it are \
             rejected",
        ]
    );
    assert_eq!(
        project.run(&["load", "--json"]).exits(0).counts("people"),
        [2, 1, 0, 0, 1],
        "nobody is the boss of Bob"
    );
}

#[test]
fn an_extra_column_that_asks_for_a_value_stops_loads() {
    let project = people_with(&[("\"mail\" TEXT", "\"mail\" TEXT, code TEXT NOT NULL")]);
    let expected = "people: asks for a value of the column \"code\", which is not in the data package (stops loads)";
    assert_eq!(differences(&project), [expected]);
    project.run(&["schema", "apply", "-q"]).exits(12);
    project.run(&["load"]).fails(12);
}

#[test]
fn a_column_that_the_database_computes_stops_loads() {
    let project = people_with(&[("\"mail\" TEXT", "\"mail\" TEXT AS (name || '@x')")]);
    let expected = "people: computes the column \"mail\" itself, so that it takes no values (stops loads)";
    assert_eq!(differences(&project), [expected]);
}

#[test]
fn what_must_not_be_empty_is_compared() {
    let project =
        people_with(&[("\"name\" TEXT NOT NULL", "\"name\" TEXT"), ("\"born\" TEXT", "\"born\" TEXT NOT NULL")]);
    assert_eq!(
        differences(&project),
        [
            "people: lets \"name\" be empty, which the data package does not: Landfall sees to it",
            "people: requires \"born\", which the data package does not: rows without it are rejected",
        ]
    );
    assert_eq!(project.run(&["load", "--json"]).exits(0).counts("people"), [2, 1, 0, 0, 1], "Bob has no birthday");
}

#[test]
fn what_is_no_table_stops_loads() {
    for (statement, what) in [
        ("CREATE VIEW people AS SELECT 1 AS id", "a view"),
        ("CREATE TABLE x (y); CREATE INDEX People ON x (y)", "an index"),
    ] {
        let project = with_database(statement);
        assert_eq!(differences(&project)[1..], [format!("people: is {what} and not a table (stops loads)")]);
        project.run(&["schema", "apply", "-q"]).exits(12);
        let error = project.run(&["load"]).fails(12);
        assert!(error.contains(&format!("it is {what} and not a table")), "{error}");
    }
}

#[test]
fn names_that_differ_in_case_are_the_same_to_sqlite() {
    let project = with_database(
        "CREATE TABLE Teams (ID INTEGER PRIMARY KEY, Title TEXT);
         CREATE TABLE people (id INTEGER PRIMARY KEY, NAME TEXT NOT NULL, mail TEXT UNIQUE, born TEXT,
             team INTEGER REFERENCES TEAMS (Id), UNIQUE (born, name));",
    );
    let same = "which the database takes as the same name";
    assert_eq!(
        differences(&project),
        [
            format!("teams: is called \"Teams\" there, {same}"),
            format!("teams: has \"id\" as \"ID\", {same}"),
            format!("teams: has \"title\" as \"Title\", {same}"),
            format!("people: has \"name\" as \"NAME\", {same}"),
        ]
    );
    loads(&project);
}

/// A project whose teams have titles that the data package takes for numbers.
fn mistaken() -> Project {
    let project = project();
    project.write("datapackage.yaml", PACKAGE.replace("{name: title, type: string}", "{name: title, type: integer}"));
    project
}

#[test]
fn an_empty_table_of_a_load_that_kept_nothing_stopped_the_mended_package() {
    for (arguments, exit) in [(&["load", "-q", "teams"][..], 0), (&["load", "-q", "--atomic", "teams"], 11)] {
        let project = mistaken();
        project.run(arguments).exits(exit);
        project.write("datapackage.yaml", PACKAGE);
        // People refer to them, and are as empty.
        let anew = |table| {
            format!("{table}: is empty, as Landfall made it for another data package: the next load makes it anew")
        };
        assert_eq!(differences(&project), ["teams", "people"].map(anew));
        assert_eq!(project.run(&["load", "--json", "--dry-run"]).exits(0).counts("teams"), [1, 1, 0, 0, 0]);
        project.run(&["schema", "apply", "-q"]).exits(0);
        assert_eq!(project.run(&["load", "--json"]).exits(0).counts("teams"), [1, 1, 0, 0, 0]);
        assert_eq!(differences(&project), [""; 0]);
        loads(&project);
    }
}

#[test]
fn rejects_were_not_tried_again_by_the_mended_package() {
    let project = mistaken();
    project.run(&["load", "-q", "teams"]).exits(0);
    project.write("datapackage.yaml", PACKAGE);
    assert_eq!(project.run(&["rejects", "retry", "--json"]).exits(0).counts("teams"), [1, 1, 0, 0, 0]);
    project.assert_nothing_wrong();
}

#[test]
fn an_empty_table_that_somebody_changed_stays() {
    let project = mistaken();
    project.run(&["load", "-q", "teams"]).exits(0);
    project.database().execute_batch("CREATE INDEX titles ON teams (title)").unwrap();
    project.write("datapackage.yaml", PACKAGE);
    let error = project.run(&["load"]).fails(12);
    assert!(error.contains("has the column \"title\" as INTEGER and not TEXT"), "{error}");
}

#[test]
fn what_schema_apply_adds_to_an_empty_table_changes_nothing_of_whose_it_is() {
    let project = mistaken();
    project.run(&["schema", "apply", "-q"]).exits(0);
    let more = "{name: title, type: integer}, {name: more, type: string}";
    project.write("datapackage.yaml", PACKAGE.replace("{name: title, type: string}", more));
    project.run(&["schema", "apply", "-q"]).exits(0);
    project.write("datapackage.yaml", PACKAGE);
    loads(&project);
}
