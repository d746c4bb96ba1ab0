//! A project of two tables with every kind of key, and databases that differ from it.

use super::Project;

/// Teams and their people, with every kind of key.
pub(crate) const PACKAGE: &str = "resources:
  - name: people
    path: people.csv
    schema:
      fields:
        - {name: id, type: integer}
        - {name: name, type: string, constraints: {required: true}}
        - {name: mail, type: string}
        - {name: born, type: date}
        - {name: team, type: integer}
      primaryKey: [id]
      uniqueKeys: [[mail], [name, born]]
      foreignKeys: [{fields: [team], reference: {resource: teams, fields: [id]}}]
  - name: teams
    path: teams.csv
    schema: {fields: [{name: id, type: integer}, {name: title, type: string}], primaryKey: [id]}
";

/// A project of these tables, with a row of teams and two of people.
pub(crate) fn project() -> Project {
    let project = Project::empty();
    project.write("datapackage.yaml", PACKAGE);
    project.write("teams.csv", "id,title\n1,Red\n");
    project.write("people.csv", "id,name,mail,born,team\n1,Ann,a@x,2001-02-03,1\n2,Bob,,,\n");
    project
}

/// A project whose database `statements` have made.
pub(crate) fn with_database(statements: &str) -> Project {
    let project = project();
    project.database().execute_batch(statements).unwrap();
    project
}

/// What the dictionary's tables are made by.
pub(crate) fn made(project: &Project) -> String {
    let document = project.run(&["schema", "--json"]).exits(0).json();
    let statements = document["statements"].as_array().unwrap().iter();
    statements.map(|statement| format!("{};\n", statement.as_str().unwrap())).collect()
}

/// A project whose database is right but for what `changes` make of the statements.
#[track_caller]
pub(crate) fn people_with(changes: &[(&str, &str)]) -> Project {
    let project = project();
    let statements = changes.iter().fold(made(&project), |statements, (from, to)| {
        assert!(statements.contains(from), "{from:?} is not in {statements}");
        statements.replacen(from, to, 1)
    });
    project.database().execute_batch(&statements).unwrap();
    project
}

/// The differences that `schema diff` lists, but for what follows from them.
#[track_caller]
pub(crate) fn differences(project: &Project) -> Vec<String> {
    let run = project.run(&["schema", "diff"]);
    let run = if run.stdout.contains("as the data package says") { run.exits(0) } else { run.exits(1) };
    assert_eq!(run.stderr, "");
    let mut lines: Vec<String> = run.stdout.lines().map(String::from).collect();
    lines.pop();
    lines
}

/// Loads work, twice, and what they did can be verified.
#[track_caller]
pub(crate) fn loads(project: &Project) {
    project.run(&["load", "-q", "--force"]).exits(0);
    let again = project.run(&["load", "--json", "--force"]).exits(0);
    assert_eq!((again.counts("people")[1], again.counts("people")[3]), (0, 2), "the rows are found again");
    project.run(&["verify"]).exits(0);
}

/// The statements that the dictionary's tables were made by, as the database keeps them.
pub(crate) fn tables(project: &Project) -> Vec<String> {
    let database = project.database();
    let mut statement = database
        .prepare("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'landfall\\_%' ESCAPE '\\' ORDER BY name")
        .unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}
