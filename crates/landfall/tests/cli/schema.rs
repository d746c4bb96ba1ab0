//! `landfall schema`: the tables as SQL, how the database differs from the data package, and what adding mends.

use crate::support::{
    Project, permissions,
    teams::{PACKAGE, differences, loads, people_with, project, tables, with_database},
};
use serde_json::{Value, json};

fn has_database(project: &Project) -> bool {
    project.path().join("landfall.db").exists()
}

#[test]
fn a_fresh_project_shows_its_tables_and_makes_no_database() {
    let project = project();
    let run = project.run(&["schema"]).exits(0);
    insta::assert_snapshot!("fresh", run.stdout);
    assert_eq!(run.stderr, "");
    insta::assert_snapshot!("fresh-diff", project.run(&["schema", "diff"]).exits(1).stdout);
    insta::assert_snapshot!("fresh-dry-run", project.run(&["schema", "apply", "--dry-run"]).exits(0).stdout);
    assert!(!has_database(&project), "nothing is made by looking");
    insta::assert_snapshot!("fresh-apply", project.run(&["schema", "apply"]).exits(0).stdout);
    assert_eq!(differences(&project), [""; 0]);
    loads(&project);
}

#[test]
fn what_is_printed_runs_as_it_stands_and_makes_what_a_load_makes() {
    let (by_hand, by_load) = (project(), project());
    let script = by_hand.run(&["schema"]).exits(0).stdout;
    by_hand.database().execute_batch(&script).unwrap();
    by_load.run(&["load", "-q"]).exits(0);
    for project in [&by_hand, &by_load] {
        assert_eq!(project.run(&["schema", "diff"]).exits(0).stdout.lines().count(), 1);
        let shown = project.run(&["schema"]).exits(0).stdout;
        assert!(shown.ends_with("-- sqlite:./landfall.db has the tables as the data package says.\n"), "{shown}");
        assert!(shown.starts_with("CREATE TABLE \"teams\""), "parents come first: {shown}");
    }
    assert_eq!(tables(&by_hand), tables(&by_load));
}

#[test]
fn a_missing_table_is_added() {
    let project = project();
    project.run(&["load", "-q", "teams"]).exits(0);
    project.database().execute_batch("DROP TABLE people").unwrap();
    assert_eq!(differences(&project), ["people: does not exist (schema apply adds it)"]);
    project.run(&["schema", "apply", "-q"]).exits(0);
    assert_eq!(differences(&project), [""; 0]);
    loads(&project);
}

#[test]
fn a_missing_column_is_added_with_its_keys() {
    let project = project();
    let before = PACKAGE
        .replace("        - {name: mail, type: string}\n", "")
        .replace("        - {name: team, type: integer}\n", "")
        .replace("[mail], ", "")
        .replace("      foreignKeys: [{fields: [team], reference: {resource: teams, fields: [id]}}]\n", "");
    project.write("datapackage.yaml", before);
    project.write("old.csv", "id,name,born\n7,Eve,\n");
    project.run(&["load", "-q", "people=old.csv"]).exits(0);
    project.write("datapackage.yaml", PACKAGE);
    let error = project.run(&["load"]).fails(12);
    assert!(error.ends_with("Nothing was altered: `landfall schema apply` adds what is missing"), "{error}");
    insta::assert_snapshot!("missing-columns", project.run(&["schema", "apply"]).exits(0).stdout);
    assert_eq!(differences(&project), [""; 0]);
    project.write("people.csv", "id,name,mail,born,team\n1,Ann,a@x,,1\n2,Bob,a@x,,\n3,Cid,,,9\n");
    let counts = project.run(&["load", "--json"]).exits(0).counts("people");
    assert_eq!(counts, [3, 1, 0, 0, 2], "the new keys hold");
    let database = project.database();
    let refused = database.execute_batch("INSERT INTO people (id, name, mail) VALUES (99, 'X', 'a@x')").unwrap_err();
    assert!(refused.to_string().contains("UNIQUE"), "{refused}");
    let refused = database.execute_batch("PRAGMA foreign_keys = 1; INSERT INTO people VALUES (99, 'X', NULL, NULL, 9)");
    assert!(refused.unwrap_err().to_string().contains("FOREIGN KEY"));
}

#[test]
fn a_required_column_is_added_only_while_there_are_no_rows() {
    let project =
        people_with(&[("  \"name\" TEXT NOT NULL,\n", ""), ("UNIQUE (\"name\", \"born\")", "UNIQUE (\"born\")")]);
    let lines = differences(&project);
    assert_eq!(lines[0], "people: has no column \"name\" (schema apply adds it)");
    project.database().execute_batch("INSERT INTO people (id) VALUES (5)").unwrap();
    let lines = differences(&project);
    assert_eq!(lines[0], "people: has no column \"name\", which is required, and already has rows (stops loads)");
    let error = project.run(&["schema", "apply"]).exits(12).stderr;
    assert!(error.contains("which is required"), "{error}");
    project.database().execute_batch("DELETE FROM people").unwrap();
    project.run(&["schema", "apply"]).exits(0);
    loads(&project);
}

#[test]
fn a_key_that_the_rows_break_is_not_added_and_nothing_is_half_done() {
    let project = people_with(&[
        (",\n  UNIQUE (\"mail\")", ""),
        (",\n  \"born\" TEXT", ""),
        (",\n  UNIQUE (\"name\", \"born\")", ""),
    ]);
    project
        .database()
        .execute_batch("INSERT INTO people (id, name, mail) VALUES (8, 'E', 'e'), (9, 'F', 'e')")
        .unwrap();
    let before = (tables(&project), differences(&project));
    let run = project.run(&["schema", "apply", "--json"]);
    let error = run.fails(5);
    assert!(error.contains("people") && error.contains("UNIQUE"), "{error}");
    assert_eq!((tables(&project), differences(&project)), before);
}

/// Names that need their quotes: keywords, quotes, spaces, letters beyond ASCII.
const ODD: &str = r#"resources:
  - name: order
    path: order.csv
    schema:
      fields: [{name: 'group', type: integer}, {name: 'a "b" c', type: string}, {name: "l'été -- ; x", type: string}]
      primaryKey: [group]
      uniqueKeys: [['a "b" c', "l'été -- ; x"]]
  - name: 'se"lect'
    path: select.csv
    schema:
      fields: [{name: 'from', type: integer}]
      primaryKey: ['from']
      foreignKeys: [{fields: ['from'], reference: {resource: order, fields: ['group']}}]
"#;

#[test]
fn names_are_quoted() {
    let project = Project::empty();
    project.write("datapackage.yaml", ODD);
    project.write("order.csv", "group,\"a \"\"b\"\" c\",l'été -- ; x\n1,x,y\n");
    project.write("select.csv", "from\n1\n");
    insta::assert_snapshot!("odd-names", project.run(&["schema"]).exits(0).stdout);
    let script = project.run(&["schema", "apply", "--dry-run"]).exits(0).stdout;
    project.database().execute_batch(&script).unwrap();
    assert_eq!(differences(&project), [""; 0]);
    project.run(&["load", "-q"]).exits(0);
    project
        .database()
        .execute_batch(
            "DROP TABLE \"se\"\"lect\"; ALTER TABLE \"order\" RENAME TO o;
        CREATE TABLE \"order\" (\"group\" INTEGER NOT NULL PRIMARY KEY)",
        )
        .unwrap();
    project.run(&["schema", "apply", "-q"]).exits(0);
    assert_eq!(differences(&project), [""; 0]);
    project.run(&["load", "-q", "--force"]).exits(0);
}

#[test]
fn a_name_of_the_database_cannot_leave_its_comment() {
    let project = people_with(&[("\"mail\" TEXT", "\"mail\" TEXT, \"x\nDROP TABLE people; --\u{1b}\" TEXT")]);
    let script = project.run(&["schema"]).exits(0).stdout;
    let last: Vec<&str> = script.lines().skip_while(|line| !line.starts_with("--")).collect();
    assert!(!last.is_empty() && last.iter().all(|line| line.starts_with("-- ")), "{script}");
    assert!(!script.contains('\u{1b}'), "{script}");
}

#[test]
fn keys_whose_names_are_taken_get_others() {
    let project = people_with(&[(",\n  UNIQUE (\"mail\")", "")]);
    project.database().execute_batch("CREATE INDEX people_MAIL_key ON people (name)").unwrap();
    let run = project.run(&["schema", "apply"]).exits(0);
    assert!(run.stdout.contains("CREATE UNIQUE INDEX \"people_mail_key_2\""), "{}", run.stdout);
}

#[test]
fn json_for_scripts() {
    let project = people_with(&[("\"born\" TEXT", "\"born\" INTEGER"), (",\n  UNIQUE (\"mail\")", "")]);
    let addition = "CREATE UNIQUE INDEX \"people_mail_key\" ON \"people\" (\"mail\")";
    let born = json!({
        "table": "people", "message": "has the column \"born\" as INTEGER and not TEXT", "addition": null, "harmless": false,
    });
    let mail = json!({
        "table": "people", "message": "has no unique key (mail): Landfall checks it", "addition": addition, "harmless": true,
    });
    let target = "sqlite:./landfall.db";
    let shown = project.run(&["schema", "--json"]).exits(0).json();
    assert_eq!(shown["differences"], json!([born, mail]));
    assert_eq!((&shown["target"], shown["statements"].as_array().unwrap().len()), (&Value::from(target), 2));
    let diff = project.run(&["schema", "diff", "--json"]).exits(1).json();
    assert_eq!(diff, json!({"target": target, "differences": [born, mail]}));
    for dry_run in [true, false] {
        let mut arguments = vec!["schema", "apply", "--json"];
        arguments.extend(dry_run.then_some("--dry-run"));
        let applied = project.run(&arguments).exits(12).json();
        let expected = json!({"target": target, "dry_run": dry_run, "statements": [addition], "remaining": [born]});
        assert_eq!(applied, expected);
    }
    assert_eq!(project.run(&["schema", "diff", "--json"]).exits(1).json()["differences"], json!([born]));
}

#[test]
fn mistakes_of_the_command_line_end_with_2() {
    let project = project();
    for (arguments, words) in [
        (&["schema", "aply"][..], "a similar subcommand exists: 'apply'"),
        (&["schema", "--dry-run"], "unexpected argument '--dry-run'"),
        (&["schema", "diff", "--dry-run"], "unexpected argument '--dry-run'"),
        (&["schema", "apply", "people"], "unexpected argument 'people'"),
    ] {
        let error = project.run(arguments).fails(2);
        assert!(error.contains(words), "{arguments:?}: {error}");
    }
    assert!(!has_database(&project));
}

#[test]
fn looking_alters_nothing_in_a_database_of_another_program() {
    let project = with_database("CREATE TABLE teams (id INTEGER PRIMARY KEY); INSERT INTO teams VALUES (1)");
    let before = std::fs::read(project.path().join("landfall.db")).unwrap();
    project.run(&["schema"]).exits(0);
    project.run(&["schema", "diff"]).exits(1);
    project.run(&["schema", "apply", "--dry-run"]).exits(0);
    assert!(std::fs::read(project.path().join("landfall.db")).unwrap() == before);
    let files = std::fs::read_dir(project.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(files.filter(|name| name.to_string_lossy().starts_with("landfall.db")).count(), 1);
}

#[test]
fn two_that_apply_at_once_both_succeed() {
    let project = project();
    let mut children: Vec<_> = (0..4).map(|_| project.command(&["schema", "apply", "-q"]).spawn().unwrap()).collect();
    let codes: Vec<_> = children.iter_mut().map(|child| child.wait().unwrap().code()).collect();
    assert_eq!(codes, [Some(0); 4]);
    assert_eq!(differences(&project), [""; 0]);
}

#[test]
fn a_database_that_may_not_be_written_is_shown_and_not_applied_to() {
    let project = with_database("CREATE TABLE teams (id INTEGER PRIMARY KEY, title TEXT)");
    let Some(apply) = permissions::unprivileged(&project, &["schema", "apply", "-q"]) else { return };
    let show = permissions::unprivileged(&project, &["schema", "diff"]).unwrap();
    let database = project.path().join("landfall.db");
    permissions::read_only(&database, true);
    let shown = permissions::run(show).exits(1);
    assert!(shown.stdout.starts_with("people: does not exist (schema apply adds it)\n"), "{}", shown.stdout);
    let error = permissions::run(apply).fails(7);
    assert!(error.contains("landfall.db"), "{error}");
    permissions::read_only(&database, false);
    assert_eq!(tables(&project), ["CREATE TABLE teams (id INTEGER PRIMARY KEY, title TEXT)"]);
}
