//! A database that version 0.1.0 wrote: what that version has loaded is known, and what it has begun goes on.
//!
//! `fixtures/ledger_0_1_0.sql` is the dump of such a database. Its last process was killed after 30 of 100 records.

use std::process::Stdio;

use crate::support::Project;

const PACKAGE: &str = "
resources:
  - name: teams
    path: teams.csv
    schema: {primaryKey: [code], fields: [{name: code, type: string}]}
  - name: staff
    path: staff.csv
    schema:
      primaryKey: [id]
      foreignKeys: [{fields: [team], reference: {resource: teams, fields: [code]}}]
      fields:
        - {name: id, type: integer}
        - {name: team, type: string}
        - {name: hired, type: datetime}
  - name: notes
    path: notes.csv
    schema: {fields: [{name: text, type: string}]}
";

/// The small chunks of the process that was killed.
const CUT: [&str; 3] = ["--chunk-records=10", "--block-bytes=64", "--threads=1"];

/// The project as version 0.1.0 left it.
fn project() -> Project {
    let project = Project::empty();
    project.write("datapackage.yaml", PACKAGE);
    project.write("teams.csv", "code\na\nb\n");
    let team = |id: usize| ["a", "b", "c"][id % 3];
    let staff: String =
        (1..=100).map(|id| format!("{id},{},2026-01-{:02}T08:00:00Z\n", team(id), 1 + id % 28)).collect();
    project.write("staff.csv", format!("id,team,hired\n{staff}"));
    project.write("notes.csv", "text\none\n");
    project.database().execute_batch(include_str!("fixtures/ledger_0_1_0.sql")).unwrap();
    project
}

#[test]
fn a_database_of_version_0_1_0_is_read_as_it_is() {
    let project = project();
    let loads = project.run(&["loads", "--json"]).exits(0).json();
    let told: Vec<_> =
        loads["loads"].as_array().unwrap().iter().map(|load| (&load["table"], &load["origin"])).collect();
    assert_eq!(format!("{told:?}").replace("String(", "").replace(')', ""), {
        r#"[("notes", "standard-input", ("teams", "file", ("staff", "file"]"#
    });
    let columns = "SELECT count(*) FROM pragma_table_info('landfall_loads') WHERE name = 'origin'";
    let columns: u64 = project.database().query_row(columns, [], |row| row.get(0)).unwrap();
    assert_eq!(columns, 0, "a command that only reads alters nothing");
}

#[test]
fn a_load_that_version_0_1_0_began_goes_on() {
    let project = project();
    let run = project.run(&["load", "--json"]).exits(0);
    let loads = run.json();
    let of =
        |table: &str| loads["loads"].as_array().unwrap().iter().find(|load| load["table"] == table).unwrap().clone();
    assert_eq!(of("teams")["state"], "known", "{loads}");
    assert_eq!((&of("staff")["resumed"], &of("staff")["load_id"]), (&30.into(), &3.into()), "{loads}");
    assert_eq!(run.counts("staff"), [100, 67, 0, 0, 33]);
    project.assert_nothing_wrong();
    assert_eq!(project.run(&["load", "--json"]).exits(0).json()["loads"][1]["state"], "known");
    // The rejects that the old version wrote are released like others.
    project.write("more.csv", "code\nc\n");
    project.run(&["load", "teams=more.csv", "-q"]).exits(0);
    let rows: u64 = project.database().query_row("SELECT count(*) FROM staff", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 100);
}

#[test]
fn a_load_that_is_killed_across_the_upgrade_loses_and_doubles_nothing() {
    for delay in [1, 3, 6, 10, 15] {
        let project = project();
        let mut child = project
            .command(&[&["load", "-q"], &CUT[..]].concat())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(delay));
        child.kill().unwrap();
        child.wait().unwrap();
        let code = project.run(&["load", "-q"]).code;
        assert!(matches!(code, 0 | 1), "{code}");
        let count = |sql: &str| project.database().query_row(sql, [], |row| row.get::<_, u64>(0)).unwrap();
        assert_eq!((count("SELECT count(*) FROM staff"), count("SELECT count(*) FROM notes")), (67, 2), "{delay} ms");
        assert_eq!(count("SELECT count(*) FROM landfall_rejects WHERE state = 'open'"), 33);
        project.assert_nothing_wrong();
    }
}
