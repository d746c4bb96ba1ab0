//! Promise 7: a replace takes effect in one step or not at all.

use crate::support::{
    Project,
    audit::{audit, content},
    staff::{self, File, Rule, Staff, expect, held},
};

/// Teams and 500 rows of staff, loaded; the file of staff is now `next`.
fn loaded(next: &File) -> Project {
    let project = staff::project();
    project.write("staff.csv", File::clean(1, 1, 500).bytes);
    project.run(&["load", "-q"]).exits(0);
    project.write("staff.csv", &next.bytes);
    project
}

#[test]
fn a_replace_with_too_many_rejects_leaves_the_table_as_it_was() {
    for options in
        [&["--max-rejects", "3"][..], &["--max-rejects", "1%"], &["--max-rejects", "0", "--chunk-records", "1"]]
    {
        let project = loaded(&File::dirty(2, 1, 1200));
        let before = held(&project);
        let run = project.run(&[&["load", "staff", "--mode", "replace", "--json"], options].concat()).exits(10);
        assert_eq!(run.json()["loads"][0]["inserted"], 0, "{}", run.stdout);
        assert!(run.stderr.contains("the tables were left as they were"), "{}", run.stderr);
        assert_eq!(held(&project), before, "{options:?}");
        let listed = project.run(&["rejects", "list", "--json"]).exits(0).json_list();
        assert!(!listed.is_empty(), "the reasons are kept");
        audit(&project, &[].into());
        project.run(&["load", "staff", "--mode", "replace", "-q"]).exits(0);
        assert_ne!(held(&project), before, "without the limit it takes effect");
        audit(&project, &[].into());
    }
}

#[test]
fn an_atomic_replace_with_a_reject_leaves_the_table_as_it_was() {
    let project = loaded(&File::dirty(3, 1, 300));
    let before = held(&project);
    project.run(&["load", "staff", "--mode", "replace", "--atomic", "--json"]).exits(11);
    assert_eq!(held(&project), before);
    assert!(!project.run(&["rejects", "list", "--json"]).exits(0).json_list().is_empty(), "the reasons are kept");
    audit(&project, &[].into());
}

#[test]
fn a_replace_that_takes_parents_away_leaves_all_tables_as_they_were() {
    let project = loaded(&File::clean(1, 1, 500));
    project.write("fewer.csv", "id,name\n1,Team 1\n2,Team 2\n");
    for options in [&[][..], &["--atomic"], &["--on-conflict", "update"]] {
        let before = (content(&project, "teams"), held(&project));
        let error = project.run(&[&["load", "teams=fewer.csv", "--mode", "replace"], options].concat()).fails(5);
        assert!(error.contains("staff") && error.contains("as they were"), "{options:?}: {error}");
        assert_eq!((content(&project, "teams"), held(&project)), before);
        project.run(&["verify"]).exits(0);
    }
}

#[test]
fn parents_and_children_are_replaced_together() {
    for rule in ["reject", "update", "keep"] {
        let project = loaded(&File::clean(4, 300, 400));
        project.write("teams.csv", format!("{}21,New\n", project.read("teams.csv").replace("Team 7", "Seventh")));
        project.run(&["load", "--mode", "replace", "-q", "--on-conflict", rule]).exits(0);
        let mut model = Staff::new();
        expect(&mut model, &File::clean(4, 300, 400).records, Rule::Reject, |_, _| false);
        assert_eq!(held(&project), model, "{rule}");
        assert_eq!(content(&project, "teams").len(), 21, "{rule}");
        audit(&project, &[].into());
    }
}

#[test]
fn a_replace_whose_second_source_cannot_be_read_leaves_the_table_as_it_was() {
    let project = loaded(&File::clean(5, 1, 100));
    project.write("wrong.csv", "id,title\n1,x\n");
    let before = held(&project);
    project.run(&["load", "staff=staff.csv", "staff=wrong.csv", "--mode", "replace"]).fails(4);
    assert_eq!(held(&project), before);
    project.assert_nothing_wrong();
}

#[test]
fn an_atomic_load_of_several_tables_is_one_step() {
    let project = staff::project();
    project.write("staff.csv", File::dirty(6, 1, 100).bytes);
    project.run(&["load", "--atomic", "-q"]).exits(11);
    assert_eq!((content(&project, "teams").len(), held(&project).len()), (0, 0));
    project.write("staff.csv", File::clean(6, 1, 100).bytes);
    project.run(&["load", "--atomic", "-q"]).exits(0);
    assert_eq!((content(&project, "teams").len(), held(&project).len()), (20, 100));
    audit(&project, &[].into());
}

#[test]
fn a_replace_of_the_same_content_twice_keeps_the_rows() {
    let project = loaded(&File::dirty(7, 1, 300));
    project.run(&["load", "--mode", "replace", "-q"]).exits(0);
    let before = held(&project);
    let again = project.run(&["load", "--mode", "replace", "--json"]).exits(0);
    assert_eq!(again.counts("staff"), [0; 5]);
    assert_eq!(held(&project), before);
    let forced = project.run(&["load", "--mode", "replace", "--json", "--force"]).exits(0);
    assert_eq!(forced.counts("staff")[0], 300);
    assert_eq!(held(&project), before);
    audit(&project, &[].into());
}

#[test]
fn a_replace_from_several_sources_twice_keeps_the_rows_of_all() {
    let project = staff::project();
    project.run(&["load", "teams", "-q"]).exits(0);
    for (name, seed, first) in [("a.csv", 1, 1), ("b.csv", 2, 1000)] {
        project.write(name, File::clean(seed, first, 100).bytes);
    }
    let both = ["load", "staff=a.csv", "staff=b.csv", "--mode", "replace", "--json"];
    assert_eq!(project.run(&both).exits(0).counts("staff"), [200, 200, 0, 0, 0]);
    assert_eq!(project.run(&both).exits(0).counts("staff"), [0; 5]);
    assert_eq!(held(&project).len(), 200);
    audit(&project, &[].into());
    let one = ["load", "staff=b.csv", "--mode", "replace", "--json"];
    assert_eq!(project.run(&one).exits(0).counts("staff"), [100, 100, 0, 0, 0]);
    assert_eq!(held(&project).len(), 100);
    audit(&project, &[].into());
    project.run(&both).exits(0);
    assert_eq!(held(&project).len(), 200);
    project.database().execute_batch("DELETE FROM staff WHERE id = 1").unwrap();
    project.run(&["verify"]).exits(1);
}

#[test]
fn a_replace_does_not_go_on_where_an_interrupted_load_was() {
    let file = File::dirty(8, 1, 1500);
    let project = staff::project();
    project.write("staff.csv", &file.bytes);
    project.run(&["load", "-q", "--max-rejects", "20", "--chunk-records", "10"]).exits(10);
    assert!(held(&project).len() > 50, "some rows were loaded");
    project.run(&["load", "--mode", "replace", "-q"]).exits(0);
    let mut model = Staff::new();
    expect(&mut model, &file.records, Rule::Reject, |_, _| false);
    assert_eq!(held(&project), model);
    audit(&project, &[("staff.csv", 1500)].into());
}

#[test]
fn an_atomic_load_does_not_go_on_where_an_interrupted_load_was() {
    let file = File::dirty(9, 1, 1500);
    let project = staff::project();
    project.write("staff.csv", &file.bytes);
    project.run(&["load", "-q", "--max-rejects", "20", "--chunk-records", "10"]).exits(10);
    let before = held(&project);
    let run = project.run(&["load", "staff", "--atomic", "--json"]).exits(11);
    assert_eq!(run.counts("staff"), [1500, 0, 0, 0, 1500]);
    assert_eq!(held(&project), before);
    audit(&project, &[("staff.csv", 1500)].into());
    project.run(&["load", "staff", "-q"]).exits(0);
    let mut model = Staff::new();
    expect(&mut model, &file.records, Rule::Reject, |_, _| false);
    assert_eq!(held(&project), model);
}

#[test]
fn no_row_of_a_load_that_was_rolled_back_is_released_later() {
    let project = staff::project();
    project.run(&["load", "teams", "-q"]).exits(0);
    project.write("staff.csv", "id,name,age,team\n1,Ann,30,1\n2,Bob,30,21\n");
    project.run(&["load", "staff", "--atomic", "-q"]).exits(11);
    project.write("teams.csv", format!("{}21,New\n", project.read("teams.csv")));
    project.run(&["load", "teams", "-q"]).exits(0);
    assert_eq!(held(&project), Staff::new());
    project.run(&["load", "staff", "--atomic", "-q"]).exits(0);
    assert_eq!(held(&project).len(), 2);
    assert!(project.run(&["rejects", "list", "--json"]).exits(0).json_list().is_empty());
    audit(&project, &[].into());
}
