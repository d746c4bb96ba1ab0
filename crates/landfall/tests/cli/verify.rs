//! `landfall verify` and `landfall loads`.

use crate::support::Project;

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

/// The whole ledger was read and printed, however many requests for rows it had.
#[test]
fn the_ledger_is_listed_page_by_page() {
    let project = Project::people("1,Ann,30\n");
    for (id, name) in ["a", "b", "c"].iter().enumerate() {
        project.write(&format!("{name}.csv"), format!("id,name,age\n{id},Ann,30\n"));
        project.run(&["load", "-q", &format!("people={name}.csv")]).exits(0);
    }
    let list = |more: &[&str]| project.run(&[&["loads", "--json"], more].concat()).exits(0).json();
    let ids = |more: &[&str]| -> Vec<i64> {
        list(more)["loads"].as_array().unwrap().iter().map(|load| load["load_id"].as_i64().unwrap()).collect()
    };
    assert_eq!((ids(&[]), &list(&[])["next"]), (vec![1, 2, 3], &serde_json::Value::Null));
    assert_eq!((ids(&["--limit", "2"]), &list(&["--limit", "2"])["next"]), (vec![2, 3], &2.into()));
    assert_eq!(ids(&["--limit", "2", "--before", "2"]), [1]);
    assert_eq!(ids(&["--table", "people", "--state", "complete", "--source", "files"]), [1, 2, 3]);
    assert_eq!((ids(&["--state", "running"]), ids(&["--source", "rows"])), (vec![], vec![]));
    let run = project.run(&["loads", "--limit", "2"]).exits(0);
    assert!(run.stdout.starts_with("load 2 ") && run.stderr.contains("--before 2"), "{}{}", run.stdout, run.stderr);
    assert_eq!(project.run(&["loads", "--source", "rows"]).exits(0).stderr, "No such loads.\n");
    for wrong in [["--table", "peple"], ["--limit", "0"], ["--state", "done"]] {
        project.run(&["loads", wrong[0], wrong[1]]).fails(2);
    }
}
