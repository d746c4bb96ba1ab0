//! The same content again, and content that grew or changed: nothing is doubled, nothing is lost.

use crate::support::{
    Project,
    audit::{audit, content, quarantine},
    staff::{self, File, Rule, Staff, expect, held},
};

const ON: fn(u64, u64) -> bool = |_, _| false;

/// What a second load must not change.
fn everything(project: &Project) -> impl PartialEq + std::fmt::Debug {
    (content(project, "staff"), content(project, "teams"), quarantine(project), content(project, "landfall_loads"))
}

fn loaded(file: &File) -> Project {
    let project = staff::project();
    project.write("staff.csv", &file.bytes);
    project.run(&["load", "-q"]).exits(0);
    project
}

#[test]
fn the_same_command_twice_changes_nothing_at_all() {
    for options in [&[][..], &["--mode", "upsert"], &["--on-conflict", "keep"], &["--mode", "replace"]] {
        let project = staff::project();
        project.write("staff.csv", File::dirty(31, 1, 1500).bytes);
        let command = [&["load", "--json"], options].concat();
        project.run(&command).exits(0);
        let before = everything(&project);
        for _ in 0..2 {
            assert_eq!(project.run(&command).exits(0).counts("staff"), [0; 5], "{options:?}");
            assert_eq!(everything(&project), before, "{options:?}");
        }
    }
}

#[test]
fn the_same_content_under_another_name_is_known() {
    let file = File::dirty(32, 1, 800);
    let project = loaded(&file);
    let before = everything(&project);
    project.write("copy.csv", &file.bytes);
    let run = project.run(&["load", "staff=copy.csv", "--json"]).exits(0);
    assert_eq!(run.json()["loads"][0]["state"], "known");
    let run = project.run_with_input(&["load", "staff=-", "--json"], &file.bytes).exits(0);
    assert_eq!(run.json()["loads"][0]["state"], "known");
    assert_eq!(everything(&project), before);
}

#[test]
fn a_file_that_grew_adds_its_new_rows() {
    let mut file = File::dirty(33, 1, 800);
    let project = loaded(&file);
    let mut model = Staff::new();
    expect(&mut model, &file.records, Rule::Reject, ON);
    file.add_dirty(34, 5000, 200);
    project.write("staff.csv", &file.bytes);
    let run = project.run(&["load", "--json"]).exits(0);
    assert_eq!(run.counts("staff"), expect(&mut model, &file.records, Rule::Reject, ON));
    assert_eq!(held(&project), model);
    audit(&project, &[].into());
}

#[test]
fn a_file_that_grew_after_an_interrupted_load_is_read_on() {
    let mut file = File::dirty(35, 1, 1500);
    let project = staff::project();
    project.write("staff.csv", &file.bytes);
    project.run(&["load", "-q", "--max-rejects", "50", "--chunk-records", "10"]).exits(10);
    file.add_dirty(36, 5000, 200);
    project.write("staff.csv", &file.bytes);
    let run = project.run(&["load", "--json", "--block-bytes", "500"]).exits(0);
    let mut model = Staff::new();
    assert_eq!(run.counts("staff"), expect(&mut model, &file.records, Rule::Reject, ON));
    assert_eq!(held(&project), model);
    audit(&project, &[("staff.csv", 1700)].into());
    assert_eq!(project.run(&["loads", "--json"]).json()["loads"].as_array().unwrap().len(), 2, "one load, resumed");
}

#[test]
fn a_file_that_changed_after_an_interrupted_load_is_read_afresh() {
    let file = File::dirty(37, 1, 1500);
    let project = staff::project();
    project.write("staff.csv", &file.bytes);
    project.run(&["load", "-q", "--max-rejects", "50", "--chunk-records", "10"]).exits(10);
    let mut model = held(&project);
    let changed = File::dirty(38, 1, 900);
    project.write("staff.csv", &changed.bytes);
    let run = project.run(&["load", "--json"]).exits(0);
    assert_eq!(run.counts("staff"), expect(&mut model, &changed.records, Rule::Reject, ON));
    assert_eq!(held(&project), model);
    let loads = project.run(&["loads", "--json"]).exits(0).json();
    let states: Vec<&str> =
        loads["loads"].as_array().unwrap().iter().map(|load| load["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["complete", "abandoned", "complete"]);
    audit(&project, &[].into());
}

#[test]
fn rejects_of_content_that_is_loaded_again_are_not_listed_twice() {
    let project = loaded(&File::dirty(39, 1, 800));
    let list = || {
        let lines = project.run(&["rejects", "list", "--json"]).exits(0).json_list();
        let places: Vec<(u64, String)> =
            lines.iter().map(|line| (line["record"].as_u64().unwrap(), line["raw"].to_string())).collect();
        places
    };
    let before = list();
    project.run(&["load", "--force", "-q"]).exits(0);
    assert_eq!(list(), before);
    audit(&project, &[("staff.csv", 800)].into());
}

#[test]
fn a_table_without_keys_is_not_given_its_rows_twice() {
    let project = Project::empty();
    project.write(
        "datapackage.yaml",
        "resources:\n  - {name: notes, path: notes.csv, schema: {fields: [{name: text, type: string}]}}\n",
    );
    project.write("notes.csv", "text\na\na\nb\n");
    assert_eq!(project.run(&["load", "--json"]).exits(0).counts("notes"), [3, 3, 0, 0, 0]);
    assert_eq!(project.run(&["load", "--json"]).exits(0).counts("notes"), [0; 5]);
    assert_eq!(content(&project, "notes").len(), 3);
    assert_eq!(project.run(&["load", "--json", "--force"]).exits(0).counts("notes"), [3, 3, 0, 0, 0]);
    project.run(&["verify"]).exits(0);
}
