//! `landfall verify` and `landfall loads`.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod support;

use support::Project;

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    let project = Project::example();
    project.run(&["load", "-q"]).exits(0);
    let run = project.run(&["verify"]).exits(0);
    assert!(run.stdout.ends_with("Every record is accounted for.\n"), "{}", run.stdout);
    assert_eq!(project.run(&["verify", "--json"]).exits(0).json()["findings"], serde_json::json!([]));
}

#[test]
fn a_source_that_is_gone_is_not_called_accounted_for() {
    let project = Project::people("1,Ann,30\n");
    project.run(&["load", "-q"]).exits(0);
    std::fs::remove_file(project.path().join("people.csv")).unwrap();
    let text = project.run(&["verify"]).exits(0).stdout;
    let end = "Every record that could be looked for is accounted for.\nThe records of 1 load were not looked for: the reason stands with each.\n";
    assert!(text.ends_with(end), "{text}");
}

#[test]
fn a_row_that_was_deleted_is_found() {
    let project = Project::people("1,Ann,30\n2,Bob,\n");
    project.run(&["load", "-q"]).exits(0);
    project.database().execute_batch("DELETE FROM people WHERE id = 2").unwrap();
    let run = project.run(&["verify"]).exits(1);
    assert!(run.stdout.contains("WRONG  people"), "{}", run.stdout);
}

#[test]
fn the_ledger_is_listed() {
    let project = Project::people("1,Ann,30\n2,,\n");
    assert_eq!(project.run(&["loads"]).exits(0).stdout, "Nothing was loaded yet: landfall load\n");
    project.run(&["load", "-q"]).exits(0);
    let text = project.run(&["loads"]).exits(0).stdout;
    assert!(text.contains("complete  people ← people.csv  (append)\n"), "{text}");
    assert!(text.contains("  2 read = 1 inserted + 0 updated + 0 unchanged + 1 rejected\n"), "{text}");
    let load = &project.run(&["loads", "--json"]).exits(0).json()["loads"][0];
    assert_eq!((&load["load_id"], &load["state"], &load["mode"]), (&1.into(), &"complete".into(), &"append".into()));
}
