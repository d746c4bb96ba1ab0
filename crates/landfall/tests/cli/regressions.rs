//! What broke once: each test is named after it.

use crate::support::{Project, audit::number};

/// Parents `p`, children `c` with a key, and a `log` without one.
const PACKAGE: &str = "resources:
  - name: p
    path: p.csv
    schema: {fields: [{name: id, type: integer}], primaryKey: [id]}
  - name: c
    path: c.csv
    schema:
      fields: [{name: id, type: integer}, {name: pid, type: integer}, {name: v, type: string}]
      primaryKey: [id]
      foreignKeys: [{fields: [pid], reference: {resource: p, fields: [id]}}]
  - name: log
    path: [a.csv, b.csv]
    schema: {fields: [{name: ts, type: string}, {name: v, type: integer}]}
";

fn project() -> Project {
    let project = Project::empty();
    project.write("datapackage.yaml", PACKAGE);
    project.write("p.csv", "id\n1\n");
    project.write("p2.csv", "id\n2\n");
    project.write("c.csv", "id,pid,v\n1,1,a\n2,2,b\n");
    project.write("c2.csv", "id,pid,v\n1,1,new\n");
    project.write("a.csv", "ts,v\na,1\n");
    project.write("b.csv", "ts,v\na,1\n");
    project
}

/// A file of the project, as it is typed.
fn file(project: &Project, table: &str, name: &str) -> String {
    format!("{table}={}", project.path().join(name).display())
}

#[test]
fn a_reject_of_another_source_was_closed_by_a_replace_while_it_waited_for_its_parent() {
    let project = project();
    project.run(&["load", "-q"]).exits(0);
    project.run(&["load", "-q", "--mode", "replace", &file(&project, "c", "c2.csv")]).exits(0);
    project.run(&["load", "-q", &file(&project, "p", "p2.csv")]).exits(0);
    assert_eq!(number(&project.database(), "SELECT count(*) FROM c"), 2);
    project.run(&["verify"]).exits(0);
}

#[test]
fn a_rolled_back_record_came_in_when_its_parent_arrived() {
    let project = project();
    project.run(&["load", "-q", "p"]).exits(0);
    project.run(&["load", "-q", "c", "--atomic"]).exits(11);
    project.run(&["load", "-q", "c", "--atomic"]).exits(11);
    project.run(&["load", "-q", &file(&project, "p", "p2.csv")]).exits(0);
    let database = project.database();
    assert_eq!(number(&database, "SELECT count(*) FROM c"), 0);
    let open = "SELECT count(*) FROM landfall_rejects WHERE state = 'open'";
    assert_eq!(number(&database, open), 1, "the second attempt stands for the first");
}

#[test]
fn a_second_file_with_the_same_bytes_was_not_loaded_into_a_table_without_a_key() {
    let project = project();
    let run = project.run(&["load", "log", "--json"]).exits(0);
    assert_eq!(run.json()["loads"].as_array().unwrap().len(), 2);
    assert_eq!(number(&project.database(), "SELECT count(*) FROM log"), 2);
    project.run(&["load", "log", "-q"]).exits(0);
    assert_eq!(number(&project.database(), "SELECT count(*) FROM log"), 2);
}

#[test]
fn an_empty_source_emptied_the_table_that_it_was_to_replace() {
    let project = project();
    project.run(&["load", "-q"]).exits(0);
    project.write("empty.csv", "");
    let said = project.run(&["load", "--mode", "replace", &file(&project, "log", "empty.csv")]).fails(4);
    assert!(said.contains("it is empty"), "{said}");
    assert_eq!(number(&project.database(), "SELECT count(*) FROM log"), 2);
}

#[test]
fn one_reject_that_occurs_twice_in_a_mended_file_became_two_rows() {
    let project = project();
    project.write("a.csv", "ts,v\na,x\n");
    project.run(&["load", "-q", "log"]).exits(0);
    let mended = project.path().join("mended.csv").display().to_string();
    project.run(&["rejects", "export", "--table", "log", "--out", &mended]).exits(0);
    let text = project.read("mended.csv").replace("a,x,", "a,7,");
    let line = text.lines().nth(1).unwrap();
    project.write("mended.csv", format!("{text}{line}\n"));
    let said = project.run(&["rejects", "retry", "--from", &mended]).fails(4);
    assert!(said.contains("occurs twice"), "{said}");
    assert_eq!(number(&project.database(), "SELECT count(*) FROM log"), 1);
}

#[test]
fn verify_took_a_row_that_another_program_changed_for_an_updated_one() {
    let project = project();
    project.run(&["load", "-q"]).exits(0);
    project.database().execute("UPDATE c SET v = 'tampered' WHERE id = 1", []).unwrap();
    let said = project.run(&["verify", "--json"]).exits(1).json();
    assert!(said["findings"][0]["message"].as_str().unwrap().contains("other content"), "{said}");
}

#[test]
fn verify_did_not_miss_a_reject_that_was_marked_as_released() {
    let project = project();
    project.run(&["load", "-q"]).exits(0);
    project.database().execute("UPDATE landfall_rejects SET state = 'released'", []).unwrap();
    project.run(&["verify"]).exits(1);
}

#[test]
fn an_identical_row_that_breaks_a_new_rule_was_said_to_clash_with_itself() {
    let project = project();
    project.run(&["load", "-q"]).exits(0);
    let stricter = PACKAGE.replace("{name: v, type: string}", "{name: v, type: string, constraints: {minLength: 2}}");
    project.write("datapackage.yaml", stricter);
    let lines = project.run(&["check", "c", "--json"]).exits(1).json_list();
    let codes: Vec<&str> =
        lines[0]["errors"].as_array().unwrap().iter().map(|error| error["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["constraint-error"]);
}

#[test]
fn standard_input_was_taken_for_two_tables() {
    let project = project();
    let said = project.run_with_input(&["load", "p=-", "c=-"], b"id\n1\n").fails(2);
    assert!(said.contains("one table only"), "{said}");
}

#[test]
fn changed_rules_doubled_the_rows_of_a_table_without_a_key() {
    let project = project();
    project.run(&["load", "-q", "log"]).exits(0);
    project.write("datapackage.yaml", PACKAGE.replace("{name: ts, type: string}", "{name: ts, type: any}"));
    let said = project.run(&["load", "log"]).fails(4);
    assert!(said.contains("no key"), "{said}");
    assert_eq!(number(&project.database(), "SELECT count(*) FROM log"), 2);
    project.run(&["load", "-q", "log", "--mode", "replace"]).exits(0);
    assert_eq!(number(&project.database(), "SELECT count(*) FROM log"), 2);
}
