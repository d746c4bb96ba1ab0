//! What a replace would leave is looked at before it takes effect; what it closes is told.

use crate::support::{
    Project,
    audit::{content, number},
};

/// Three people, loaded.
fn people() -> Project {
    let project = Project::people("1,Ann,20\n2,Bob,30\n3,Cid,40\n");
    project.run(&["load", "-q"]).exits(0);
    project
}

/// Teams, and people who name one.
fn teams_and_people() -> Project {
    let project = Project::empty();
    project.write(
        "datapackage.yaml",
        "resources:
  - name: teams
    path: teams.csv
    schema: {fields: [{name: id, type: integer}, {name: name, type: string}], primaryKey: id}
  - name: people
    path: people.csv
    schema:
      fields: [{name: id, type: integer}, {name: born, type: date}, {name: team, type: integer}]
      primaryKey: id
      foreignKeys: [{fields: team, reference: {resource: teams, fields: id}}]
",
    );
    project.write("teams.csv", "id,name\n1,Deck\n2,Galley\n");
    project.write("people.csv", "id,born,team\n1,2000-01-01,1\n2,2000-01-02,2\n");
    project
}

fn open_rejects(project: &Project) -> usize {
    project.run(&["rejects", "list", "--json"]).exits(0).json_list().len()
}

#[test]
fn a_replace_whose_records_were_all_rejected_emptied_the_table() {
    let project = people();
    let held = content(&project, "people");
    project.write("people.csv", "id,name,age\nx,Ann,20\ny,Bob,30\nz,Cid,40\n");
    let run = project.run(&["load", "--mode", "replace"]).exits(14);
    assert!(
        run.stderr.contains("would remove 3 rows and leave the table empty, since 3 records are rejected"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("--allow-empty"), "{}", run.stderr);
    assert_eq!(content(&project, "people"), held);
    assert_eq!(open_rejects(&project), 3, "the reasons are kept");
    project.run(&["load", "--mode", "replace", "-q"]).exits(14);
    assert_eq!(open_rejects(&project), 3, "and not doubled");
    // To say how many rejects there may be does not allow an empty table.
    project.run(&["load", "--mode", "replace", "-q", "--max-rejects", "3"]).exits(14);
    let run = project.run(&["load", "--mode", "replace", "--json"]).exits(14);
    let refusal = &run.json()["loads"][0]["refusal"];
    assert_eq!(*refusal, serde_json::json!({"reason": "leaves-empty", "removes": 3, "keeps": 0, "rejects": 3}));
    project.assert_nothing_wrong();
    let run = project.run(&["load", "--mode", "replace", "--allow-empty"]).exits(0);
    assert!(run.stdout.contains("replaced: 3 rows were removed"), "{}", run.stdout);
    assert!(content(&project, "people").is_empty());
    project.run(&["verify"]).exits(0);
}

#[test]
fn a_replace_by_a_header_alone_emptied_the_table() {
    let project = people();
    let held = content(&project, "people");
    project.write("people.csv", "id,name,age\n");
    project.write("more.csv", "id,name,age\n");
    for arguments in
        [&["people"][..], &["people=people.csv", "people=more.csv"], &["people=*.csv"], &["people", "--atomic"]]
    {
        let run = project.run(&[&["load", "--mode", "replace"], arguments].concat()).exits(14);
        assert!(run.stderr.contains("would remove 3 rows and leave the table empty"), "{arguments:?}: {}", run.stderr);
        assert_eq!(content(&project, "people"), held, "{arguments:?}");
    }
    project.write("people.csv", "");
    project.run(&["load", "--mode", "replace"]).fails(4);
    let run = project.run(&["load", "--mode", "replace", "--json", "people=more.csv", "--allow-empty"]).exits(0);
    assert_eq!(run.json()["loads"][0]["removed"], 3);
    assert!(content(&project, "people").is_empty());
}

#[test]
fn a_replace_that_kept_fewer_rows_than_it_rejected_took_effect() {
    let project = people();
    let held = content(&project, "people");
    project.write("good.csv", "id,name,age\n7,Gil,20\n");
    project.write("bad.csv", "id,name,age\nx,Ann,20\ny,Bob,30\n");
    let both = ["load", "people=good.csv", "people=bad.csv", "--mode", "replace"];
    let run = project.run(&both).exits(14);
    assert!(
        run.stderr.contains("would remove 3 rows and keep only 1 row, since 2 records are rejected"),
        "{}",
        run.stderr
    );
    assert_eq!(content(&project, "people"), held);
    // What the project allows each load does not allow this.
    let settings = "target: sqlite:landfall.db\nload: {maxRejects: 2}\n";
    project.write("landfall.yaml", settings);
    project.run(&both).exits(14);
    project.run(&[&both[..], &["--max-rejects", "1"]].concat()).exits(10);
    assert_eq!(content(&project, "people"), held);
    let run = project.run(&[&both[..], &["--max-rejects", "2", "--json"]].concat()).exits(0);
    assert_eq!(run.counts("people"), [3, 1, 0, 0, 2]);
    project.run(&["verify"]).exits(0);
}

#[test]
fn one_table_that_would_be_empty_stops_the_replace_of_all() {
    let project = teams_and_people();
    project.run(&["load", "-q"]).exits(0);
    let held = (content(&project, "teams"), content(&project, "people"));
    project.write("teams.csv", "id,name\n1,Deck\n2,Bridge\n");
    project.write("people.csv", "id,born,team\n");
    let run = project.run(&["load", "--mode", "replace"]).exits(14);
    assert!(run.stderr.contains("\"people\"") && run.stderr.contains("would remove 2 rows"), "{}", run.stderr);
    assert_eq!((content(&project, "teams"), content(&project, "people")), held);
}

#[test]
fn a_restore_of_an_empty_set_emptied_the_table() {
    let project = Project::people("");
    project.run(&["load", "-q"]).exits(0);
    project.run(&["backup", "-q"]).exits(0);
    project.write("people.csv", "id,name,age\n1,Ann,20\n2,Bob,30\n");
    project.run(&["load", "-q"]).exits(0);
    for dry_run in [&["--dry-run"][..], &[]] {
        let run = project.run(&[&["restore", "people"], dry_run].concat()).exits(14);
        assert!(run.stderr.contains("would remove 2 rows and leave the table empty"), "{}", run.stderr);
        assert_eq!(content(&project, "people").len(), 2);
    }
    project.run(&["restore", "people", "-q", "--allow-empty"]).exits(0);
    assert!(content(&project, "people").is_empty());
}

#[test]
fn a_restore_is_all_or_nothing_in_every_mode_where_that_is_asked_for() {
    let project = people();
    project.run(&["backup", "-q"]).exits(0);
    let package = project.read("datapackage.yaml");
    project.write(
        "datapackage.yaml",
        package.replace("{name: age, type: integer}", "{name: age, type: integer, constraints: {maximum: 35}}"),
    );
    project.database().execute_batch("DELETE FROM people WHERE id = 1").unwrap();
    for mode in ["append", "upsert", "replace"] {
        project.run(&["restore", "people", "-q", "--mode", mode, "--atomic"]).exits(11);
        assert_eq!(content(&project, "people").len(), 2, "{mode}");
    }
    project.run(&["restore", "people", "-q", "--mode", "append", "--max-rejects", "0"]).exits(10);
    project.run(&["restore", "people", "-q", "--mode", "append"]).exits(0);
    assert_eq!(content(&project, "people").len(), 3);
}

#[test]
fn a_dry_run_of_a_restore_was_held_against_rows_that_it_would_replace() {
    let project = people();
    project.run(&["backup", "-q"]).exits(0);
    project.database().execute_batch("UPDATE people SET name = name || '!'").unwrap();
    let held = content(&project, "people");
    let loads = number(&project.database(), "SELECT count(*) FROM landfall_loads");
    let run = project.run(&["restore", "people", "--dry-run"]).exits(0);
    assert!(run.stdout.contains("3 read = 3 would pass + 0 would be rejected"), "{}", run.stdout);
    assert!(run.stdout.contains("replaced: 3 rows would be removed"), "{}", run.stdout);
    let json = project.run(&["restore", "people", "--dry-run", "--json"]).exits(0).json();
    assert_eq!((&json["loads"][0]["inserted"], &json["loads"][0]["removed"]), (&3.into(), &3.into()));
    for (mode, counts) in [("append", [3, 0, 0, 0, 3]), ("upsert", [3, 0, 3, 0, 0])] {
        let run = project.run(&["restore", "people", "--dry-run", "--json", "--mode", mode]).exits(0);
        assert_eq!(run.counts("people"), counts, "{mode}");
    }
    assert_eq!(content(&project, "people"), held);
    assert_eq!(number(&project.database(), "SELECT count(*) FROM landfall_loads"), loads);
    assert_eq!(open_rejects(&project), 0);
}

#[test]
fn a_dry_run_ends_as_the_real_run_does() {
    let project = teams_and_people();
    project.write("landfall.yaml", "target: sqlite:landfall.db\n");
    // Nothing is made where no table is there yet.
    let run = project.run(&["load", "--dry-run", "--json"]).exits(0);
    assert_eq!((run.counts("teams"), run.counts("people")), ([2, 2, 0, 0, 0], [2, 2, 0, 0, 0]));
    assert!(!project.path().join("landfall.db").exists());
    project.run(&["load", "-q"]).exits(0);
    project.run(&["backup", "-q"]).exits(0);
    project.write("fewer.csv", "id,name\n1,Deck\n");
    project.write("bad.csv", "id,born,team\n1,2000-01-01,1\n2,x,2\n");
    project.write("worse.csv", "id,born,team\n1,2000-01-01,1\nx,2000-01-01,1\ny,2000-01-01,1\n");
    for arguments in [
        &["load", "teams=fewer.csv", "--mode", "replace"][..],
        &["load", "people=bad.csv", "--mode", "replace"],
        &["load", "people=bad.csv", "--mode", "replace", "--atomic"],
        &["load", "people=worse.csv", "--mode", "replace"],
        &["load", "people=worse.csv", "--atomic"],
        &["load", "people=worse.csv", "--max-rejects", "0"],
        &["load", "people=worse.csv", "--mode", "upsert"],
        &["restore", "teams", "--mode", "append"],
        &["restore", "people"],
    ] {
        let loads = number(&project.database(), "SELECT count(*) FROM landfall_loads");
        let held = (content(&project, "teams"), content(&project, "people"), open_rejects(&project));
        let dry = project.run(&[arguments, &["--json", "--dry-run"]].concat());
        assert_eq!(
            (content(&project, "teams"), content(&project, "people"), open_rejects(&project)),
            held,
            "{arguments:?}"
        );
        assert_eq!(number(&project.database(), "SELECT count(*) FROM landfall_loads"), loads, "{arguments:?}");
        let real = project.run(&[arguments, &["--json"]].concat());
        assert_eq!((dry.code, &dry.stderr), (real.code, &real.stderr), "{arguments:?}");
        for table in ["teams", "people"] {
            if dry.code != 5 {
                assert_eq!(dry.counts(table), real.counts(table), "{arguments:?}");
            }
        }
        project.run(&["restore", "people", "teams", "-q"]).exits(0);
    }
}

#[test]
fn a_replace_closed_rejects_of_other_sources() {
    let project = teams_and_people();
    project.write("first.csv", "id,born,team\n7,2000-01-01,9\n8,x,1\n");
    project.write("people.csv", "id,born,team\n1,2000-01-01,1\n2,y,1\n");
    project.run(&["load", "teams", "people=first.csv", "people=people.csv", "-q"]).exits(0);
    assert_eq!(open_rejects(&project), 3);
    project.write("people.csv", "id,born,team\n1,2000-01-01,1\n2,2000-01-02,1\n3,z,1\n");
    let run = project.run(&["load", "people", "--mode", "replace"]).exits(0);
    assert!(run.stdout.contains("1 earlier reject closed: the replace has read their source again"), "{}", run.stdout);
    assert_eq!(open_rejects(&project), 3, "two of the other source, and the new one");
    let json = project.run(&["load", "people", "--mode", "replace", "--force", "--json"]).exits(0).json();
    assert_eq!(json["loads"][0]["closed_rejects"], serde_json::json!({"same_content": 1, "same_source": 0}));
    // One that waits for its parent is still released when it comes.
    project.write("teams.csv", "id,name\n1,Deck\n2,Galley\n9,Bridge\n");
    project.run(&["load", "teams", "-q"]).exits(0);
    assert_eq!(content(&project, "people").len(), 3);
    project.run(&["verify"]).exits(0);
}

#[test]
fn a_restore_closed_the_rejects_of_all_files() {
    let project = Project::people("1,Ann,20\nx,Bob,30\n");
    project.run(&["load", "-q"]).exits(0);
    project.run(&["backup", "-q"]).exits(0);
    project.run(&["restore", "people", "-q"]).exits(0);
    assert_eq!(open_rejects(&project), 1);
}

#[test]
fn an_atomic_load_closed_rejects_that_wait_for_a_parent() {
    let project = teams_and_people();
    project.write("people.csv", "id,born,team\n1,2000-01-01,9\n2,2000-01-02,1\n");
    project.run(&["load", "-q"]).exits(0);
    project.run(&["load", "people", "-q", "--atomic", "--force"]).exits(11);
    project.write("teams.csv", "id,name\n1,Deck\n2,Galley\n9,Bridge\n");
    project.run(&["load", "teams", "-q"]).exits(0);
    assert_eq!(content(&project, "people").len(), 2);
}

#[test]
fn a_mistake_in_a_later_table_was_found_when_its_parents_were_loaded() {
    for (field, words) in [
        ("{name: born, type: date, format: '%d/%m'}", "does not say year, month and day"),
        ("{name: born, type: date, format: '%d/%m/%Q'}", "%Q"),
        ("{name: born, type: date, constraints: {minimum: yesterday}}", "\"minimum\""),
        ("{name: born, type: date, constraints: {enum: ['2000-01-01', never]}}", "\"enum\""),
        ("{name: born, type: time, format: '%M:%S'}", "does not say the hour"),
        ("{name: born, type: datetime, format: '%d/%m/%Y'}", "does not say the hour"),
    ] {
        let project = teams_and_people();
        project.write("datapackage.yaml", project.read("datapackage.yaml").replace("{name: born, type: date}", field));
        for command in [&["load"][..], &["check"], &["load", "teams"], &["load", "--mode", "replace"], &["schema"]] {
            let error = project.run(command).fails(3);
            assert!(error.contains(words) && error.contains("datapackage.yaml:8:"), "{command:?} {field}: {error}");
        }
        assert!(content(&project, "teams").is_empty(), "{field}");
    }
}

#[test]
fn a_load_that_failed_on_its_header_left_an_empty_table() {
    let broken: [(&str, &[u8]); 5] = [
        ("a header", b"id,date,team\n1,2000-01-01,1\n"),
        ("a quote", b"id,\"born,team\n1,2000-01-01,1\n"),
        ("an encoding", b"id,b\xffrn,team\n1,2000-01-01,1\n"),
        ("gzip that ends early", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x4b"),
        ("Zstandard that is none", b"\x28\xb5\x2f\xfdxxxx"),
    ];
    for (what, bytes) in broken {
        for options in [&[][..], &["--atomic"], &["--mode", "replace"], &["--dry-run"]] {
            let project = teams_and_people();
            project.write("people.csv", bytes);
            project.run(&[&["load"], options].concat()).exits(4);
            let tables = "SELECT count(*) FROM sqlite_schema WHERE name IN ('teams', 'people')";
            if project.path().join("landfall.db").exists() {
                assert_eq!(number(&project.database(), tables), 0, "{what} {options:?}");
            }
            let other =
                project.read("datapackage.yaml").replace("{name: born, type: date}", "{name: date, type: string}");
            project.write("datapackage.yaml", other);
            project.write("people.csv", "id,date,team\n1,2000-01-01,1\n");
            project.run(&["load", "-q"]).exits(0);
        }
    }
}

#[test]
fn a_check_held_rows_against_those_that_the_load_would_replace_or_update() {
    let project = people();
    project.write("people.csv", "id,name,age\n1,Anna,20\n2,Bob,30\n2,Bobby,30\n");
    assert_eq!(project.run(&["check", "--json"]).exits(1).json_list().len(), 2);
    assert_eq!(project.run(&["check", "--json", "--mode", "replace"]).exits(1).json_list().len(), 1, "within the file");
    project.run(&["check", "--mode", "upsert"]).exits(0);
    project.run(&["check", "--on-conflict", "keep"]).exits(0);
    // As the project says.
    project.write("landfall.yaml", "target: sqlite:landfall.db\nload: {mode: upsert}\n");
    project.run(&["check"]).exits(0);
    assert_eq!(project.run(&["load", "--json"]).exits(0).counts("people")[4], 0);
}
