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

/// `3 in the table` and `2 rows` looked like a loss.
#[test]
fn records_that_made_no_row_of_their_own_are_explained() {
    let project = Project::people("1,Ann,30\n2,Bob,\n1,Ann,30\n");
    project.run(&["load", "-q"]).exits(0);
    let text = project.run(&["verify"]).exits(0).stdout;
    assert!(
        text.contains("3 in the source = 3 in the table (2 inserted + 1 unchanged) + 0 in the quarantine\n"),
        "{text}"
    );
    assert!(text.contains("table people: 2 rows, 2 inserted by loads\n"), "{text}");
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

/// Nothing was loaded at all, or not this file: `verify` was content all the same.
#[test]
fn a_source_that_no_complete_load_covers_is_named() {
    let project = Project::people("1,Ann,30\n");
    let text = project.run(&["verify"]).exits(1).stdout;
    assert!(text.contains("WRONG  people: people.csv: not loaded\n1 discrepancy.\n"), "{text}");
    project.run(&["load", "-q"]).exits(0);
    project.run(&["verify"]).exits(0);
    // Under another name it is the same content.
    std::fs::rename(project.path().join("people.csv"), project.path().join("other.csv")).unwrap();
    std::fs::copy(project.path().join("other.csv"), project.path().join("people.csv")).unwrap();
    project.run(&["verify"]).exits(0);
    for more in ["2,Bob,\n", "2,Bob,31\n"] {
        project.write("people.csv", format!("id,name,age\n1,Ann,30\n{more}"));
        let run = project.run(&["verify", "--json"]).exits(1).json();
        let finding = &run["findings"][0];
        assert_eq!((&finding["kind"], &finding["source"]), (&"not-loaded".into(), &"people.csv".into()), "{run}");
        assert!(finding["message"].as_str().unwrap().contains("it has changed since load 1"), "{finding}");
    }
}

#[test]
fn a_load_that_was_rolled_back_or_stopped_covers_nothing() {
    for (options, code, words) in [
        (&["--atomic"][..], 11, "not loaded: load 1 was rolled back"),
        (&["--max-rejects", "0"], 10, "not loaded completely: load 1 has not ended"),
    ] {
        let project = Project::people("1,Ann,30\n2,,\n");
        project.run(&[&["load", "-q"], options].concat()).fails(code);
        let text = project.run(&["verify"]).exits(1).stdout;
        assert!(text.contains(words), "{text}");
    }
}

/// A table that takes rows over HTTP alone has a path that names no file.
#[test]
fn a_path_without_a_file_is_noted() {
    let project = Project::people("1,Ann,30\n");
    std::fs::remove_file(project.path().join("people.csv")).unwrap();
    let text = project.run(&["verify"]).exits(0).stdout;
    assert!(text.contains("no load has read it"), "{text}");
}

#[test]
fn a_receipt_is_held_against_the_ledger() {
    let project = Project::people("1,Ann,30\n2,,\n");
    project.run(&["load", "-q", "--receipt", "receipt.json"]).exits(0);
    let receipt: serde_json::Value = serde_json::from_str(&project.read("receipt.json")).unwrap();
    let counts = serde_json::json!({"read": 2, "inserted": 1, "updated": 0, "unchanged": 0, "rejected": 1});
    let load = serde_json::json!({"load_id": 1, "table": "people", "source": "people.csv", "counts": counts});
    assert_eq!(
        (&receipt["receipt"], &receipt["command"], &receipt["loads"]),
        (&1.into(), &"load".into(), &serde_json::json!([load]))
    );
    project.run(&["verify", "--receipt", "receipt.json"]).exits(0);
    // Content that is known is acknowledged as the ledger has it.
    project.run(&["load", "-q", "--receipt", "again.json"]).exits(0);
    project.run(&["verify", "--receipt", "receipt.json", "--receipt", "again.json"]).exits(0);
    project
        .database()
        .execute_batch("PRAGMA foreign_keys = OFF; DELETE FROM landfall_loads; DELETE FROM people")
        .unwrap();
    let text = project.run(&["verify", "--receipt", "receipt.json"]).exits(1).stdout;
    let words = "WRONG  people ← people.csv: load 1 was acknowledged, and the ledger has no such load\n";
    assert!(text.contains(words), "{text}");
}

/// The error about the receipt hid why the load itself had failed.
#[test]
fn a_receipt_that_cannot_be_written_hid_why_the_load_failed() {
    let project = Project::people("1,Ann,30\n2,,\n");
    let nowhere = "nowhere/receipt.json";
    let error = project.run(&["load", "-q", "--receipt", nowhere]).fails(2);
    assert!(error.contains(nowhere), "the load was complete, so that this is the error: {error}");
    let run = project.run(&["load", "--force", "--receipt", nowhere]).exits(2);
    assert!(run.stdout.contains("2 read = "), "what was loaded is told all the same: {}", run.stdout);
    for (more, exit) in [(&["--max-rejects", "0"][..], 10), (&["--atomic"], 11)] {
        let run = project.run(&[&["load", "-q", "--force", "--receipt", nowhere], more].concat()).exits(exit);
        assert!(run.stderr.contains(nowhere), "{}", run.stderr);
    }
    project.write("people.csv.gz", [0x1f, 0x8b, 8, 0]);
    let run = project.run(&["load", "-q", "people=people.csv.gz", "--receipt", nowhere]).exits(4);
    assert!(run.stderr.contains("people.csv.gz") && run.stderr.contains(nowhere), "{}", run.stderr);
}

#[test]
fn what_is_no_receipt_is_refused() {
    let project = Project::people("1,Ann,30\n");
    project.run(&["load", "-q"]).exits(0);
    project.write("other.json", "{}");
    project.write("newer.json", r#"{"receipt": 2, "command": "load", "written_at": "", "loads": []}"#);
    for (file, words) in [("none.json", "none.json"), ("other.json", "not a receipt"), ("newer.json", "version 2")] {
        let error = project.run(&["verify", "--receipt", file]).fails(4);
        assert!(error.contains(words), "{error}");
    }
}
