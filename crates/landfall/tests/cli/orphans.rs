//! Records whose parents come later: in the same source, in another table, in a circle.

use crate::support::{
    Project,
    audit::{audit, content, number},
    random::Random,
};

fn project(package: &str, files: &[(&str, &str)]) -> Project {
    let project = Project::empty();
    project.write("datapackage.yaml", package);
    for (name, text) in files {
        project.write(name, text);
    }
    project
}

/// Employees with managers who are employees.
const MANAGERS: &str = "resources:
  - name: employees
    path: employees.csv
    schema:
      fields:
        - {name: id, type: integer, constraints: {required: true}}
        - {name: manager_id, type: integer}
      primaryKey: [id]
      foreignKeys: [{fields: [manager_id], reference: {resource: '', fields: [id]}}]
";

fn managers(lines: &str) -> Project {
    project(MANAGERS, &[("employees.csv", &format!("id,manager_id\n{lines}"))])
}

#[test]
fn an_employee_is_released_when_the_department_comes() {
    let project = Project::example();
    let departments = project.read("data/departments.csv");
    let (kept, late): (Vec<&str>, Vec<&str>) = departments.lines().partition(|line| !line.starts_with("5,"));
    assert_eq!(late.len(), 1);
    project.write("data/departments.csv", kept.join("\n") + "\n");
    project.run(&["load", "-q"]).exits(0);
    let waiting = number(&project.database(), "SELECT count(*) FROM landfall_rejects WHERE waiting = 1");
    project.write("late.csv", format!("{}\n", late[0]));
    let run = project.run(&["load", "departments=late.csv", "--json"]).exits(0);
    let released = run.counts("hired_employees");
    assert!(released[1] > 50 && released[0] <= waiting, "{released:?} of {waiting}");
    let all = Project::example();
    all.run(&["load", "-q"]).exits(0);
    assert_eq!(content(&project, "hired_employees"), content(&all, "hired_employees"));
    let left = |project: &Project| project.run(&["rejects", "list", "--json"]).exits(0).json_list().len();
    assert_eq!(left(&project), left(&all));
    let events = "SELECT count(*) FROM landfall_reject_events WHERE action = 'released' AND happened_at LIKE '20%Z'";
    assert_eq!(number(&project.database(), events), released[1] + released[3], "each with a trace");
    audit(&project, &[].into());
}

#[test]
fn nobody_is_released_where_the_parent_is_rejected() {
    let project = Project::example();
    project.write("data/departments.csv", "1,One\n");
    project.run(&["load", "-q"]).exits(0);
    let before = content(&project, "hired_employees").len();
    project.write("late.csv", "5,\n");
    project.run(&["load", "departments=late.csv", "-q"]).exits(0);
    assert_eq!(content(&project, "hired_employees").len(), before);
    audit(&project, &[].into());
}

#[test]
fn a_chain_of_references_may_stand_in_any_order() {
    let mut random = Random::new(1);
    let mut lines: Vec<String> = (2..=300).map(|id| format!("{id},{}\n", id - 1)).chain(["1,\n".into()]).collect();
    for chunk in ["1", "7", "1000"] {
        for at in (1..lines.len()).rev() {
            lines.swap(at, usize::try_from(random.below(at as u64 + 1)).unwrap());
        }
        let project = managers(&lines.concat());
        let options = ["--json", "--chunk-records", chunk, "--block-bytes", "64"];
        project.run(&["check"]).exits(0);
        let run = project.run(&[&["load"], &options[..]].concat()).exits(0);
        assert_eq!(run.counts("employees"), [300, 300, 0, 0, 0]);
        audit(&project, &[("employees.csv", 300)].into());
    }
}

#[test]
fn a_circle_of_references_is_whole_or_rejected() {
    let project = managers("1,2\n2,3\n3,1\n4,4\n5,6\n6,7\n7,99\n8,5\n");
    let checked = project.run(&["check", "--json"]).exits(1).json_list();
    let run = project.run(&["load", "--json", "--chunk-records", "1", "--block-bytes", "64"]).exits(0);
    assert_eq!(run.counts("employees"), [8, 4, 0, 0, 4], "who depends on 99 in the end is an orphan");
    let listed = project.run(&["rejects", "list", "--json"]).exits(0).json_list();
    let records = |lines: &[serde_json::Value]| lines.iter().map(|line| line["record"].clone()).collect::<Vec<_>>();
    assert_eq!(records(&listed), [5, 6, 7, 8].map(serde_json::Value::from));
    assert_eq!(records(&checked), records(&listed));
    project.write("late.csv", "id,manager_id\n99,1\n");
    let run = project.run(&["load", "employees=late.csv", "--json"]).exits(0);
    assert_eq!(run.counts("employees"), [5, 5, 0, 0, 0], "{}", run.stdout);
    audit(&project, &[("employees.csv", 8)].into());
}

#[test]
fn a_reject_by_another_rule_breaks_the_chain() {
    let project = managers("1,2\n2,x\n3,1\n");
    let run = project.run(&["load", "--json"]).exits(0);
    assert_eq!(run.counts("employees"), [3, 0, 0, 0, 3]);
    project.run(&["rejects", "export", "--id", "1", "--out", "bad.csv"]).exits(0);
    let exported = project.run(&["rejects", "export"]).exits(0).stdout;
    project.write("bad.csv", exported.replace("2,x,", "2,,"));
    project.run(&["rejects", "retry", "--from", "bad.csv"]).exits(0);
    assert_eq!(content(&project, "employees").len(), 3, "{exported}");
    audit(&project, &[("employees.csv", 3)].into());
}

#[test]
fn a_composite_foreign_key_waits_for_the_whole_of_its_parent() {
    let package = "resources:
  - name: rooms
    path: rooms.csv
    schema:
      fields: [{name: house, type: string}, {name: number, type: integer}]
      primaryKey: [house, number]
  - name: guests
    path: guests.csv
    schema:
      fields:
        - {name: name, type: string}
        - {name: house, type: string}
        - {name: number, type: integer}
      primaryKey: [name]
      foreignKeys: [{fields: [house, number], reference: {resource: rooms, fields: [house, number]}}]
";
    let guests = "name,house,number\nAnn,A,1\nBob,A,2\nCleo,B,1\nDan,,1\nEve,B,\n";
    let project = project(package, &[("rooms.csv", "house,number\nA,1\nB,2\n"), ("guests.csv", guests)]);
    let run = project.run(&["load", "--json"]).exits(0);
    let [read, inserted, .., rejected] = run.counts("guests");
    assert_eq!((read, inserted + rejected), (5, 5));
    let orphans: Vec<u64> = project
        .run(&["rejects", "list", "--code", "foreign-key", "--json"])
        .json_list()
        .iter()
        .map(|line| line["record"].as_u64().unwrap())
        .collect();
    assert!(orphans.starts_with(&[2, 3]), "{orphans:?}");
    project.write("more.csv", "house,number\nA,2\n");
    let run = project.run(&["load", "rooms=more.csv", "--json"]).exits(0);
    assert_eq!(run.counts("guests")[1], 1, "Bob only");
    project.write("more.csv", "house,number\nB,1\n");
    let run = project.run(&["load", "rooms=more.csv", "--json"]).exits(0);
    assert_eq!(run.counts("guests")[1], 1, "Cleo only");
    audit(&project, &[("guests.csv", 5)].into());
}

/// Tables that refer to each other.
const CIRCLE: &str = "resources:
  - name: teams
    path: teams.csv
    schema:
      fields: [{name: id, type: integer}, {name: lead, type: integer}]
      primaryKey: [id]
      foreignKeys: [{fields: [lead], reference: {resource: people, fields: [id]}}]
  - name: people
    path: people.csv
    schema:
      fields: [{name: id, type: integer}, {name: team, type: integer}]
      primaryKey: [id]
      foreignKeys: [{fields: [team], reference: {resource: teams, fields: [id]}}]
";

#[test]
fn tables_that_refer_to_each_other_load_in_one_command_or_in_two() {
    let files = [("teams.csv", "id,lead\n1,10\n2,11\n3,99\n"), ("people.csv", "id,team\n10,1\n11,2\n12,3\n13,1\n")];
    let together = project(CIRCLE, &files);
    together.run(&["load", "-q"]).exits(0);
    assert_eq!((content(&together, "teams").len(), content(&together, "people").len()), (2, 3));
    audit(&together, &[].into());
    for order in [["teams", "people"], ["people", "teams"]] {
        let apart = project(CIRCLE, &files);
        for table in order {
            apart.run(&["load", table, "-q"]).exits(0);
        }
        for table in order {
            assert_eq!(content(&apart, table), content(&together, table), "{order:?}");
        }
        audit(&apart, &[].into());
    }
    together.write("late.csv", "id,team\n99,3\n");
    together.run(&["load", "people=late.csv", "-q"]).exits(0);
    assert_eq!((content(&together, "teams").len(), content(&together, "people").len()), (3, 5));
    audit(&together, &[].into());
}
