//! `landfall load`: what is printed, and what is kept.

use crate::support::Project;

/// `text` without what differs from run to run.
fn steady(text: &str) -> String {
    let second = |word: &str| word.parse::<f64>().is_ok() && word.contains('.');
    let words =
        |line: &str| line.split(' ').map(|word| if second(word) { "…" } else { word }).collect::<Vec<_>>().join(" ");
    text.lines().map(|line| words(line) + "\n").collect()
}

#[test]
fn the_summary_has_the_equation_the_reasons_and_what_to_do_next() {
    let project = Project::people("1,Ann,30\n2,,\n3,Bob,old\n1,Ann,30\n1,Eve,30\n");
    let run = project.run(&["load"]).exits(0);
    let expected = "people
  people.csv: load 1, … s
  5 read = 1 inserted + 0 updated + 1 unchanged + 3 rejected
    age   type-error               1
    name  constraint-error         1
    id    primary-key              1

Nothing is lost: rejected records are in the quarantine, with every reason.
  landfall rejects list
  landfall rejects group
To mend them in a file, and try them again:
  landfall rejects export --table people --out people-rejects.csv
  landfall rejects retry --from people-rejects.csv
";
    assert_eq!(steady(&run.stdout), expected);
    assert_eq!(run.stderr, "");
}

#[test]
fn the_same_command_twice_reads_nothing_the_second_time() {
    let project = Project::people("1,Ann,30\n");
    project.run(&["load"]).exits(0);
    let again = project.run(&["load"]).exits(0).stdout;
    assert!(again.contains("people.csv: known since load 1, 2"), "{again}");
    assert!(again.ends_with("not read again (--force reads it)\nNothing new to read.\n"), "{again}");
    let forced = project.run(&["load", "--force", "--json"]).exits(0);
    assert_eq!(forced.counts("people"), [1, 0, 0, 1, 0]);
}

#[test]
fn json_is_one_document_with_the_agreed_keys() {
    let project = Project::people("1,Ann,30\n2,,\n");
    let document = project.run(&["load", "--json"]).exits(0).json();
    let load = document["loads"][0].as_object().unwrap();
    let keys: Vec<&str> = load.keys().map(String::as_str).collect();
    let agreed = [
        "load_id",
        "table",
        "source",
        "state",
        "read",
        "inserted",
        "updated",
        "unchanged",
        "rejected",
        "seconds",
        "reasons",
    ];
    assert_eq!(keys, agreed);
    assert_eq!(load["state"], "complete");
    assert_eq!(load["reasons"], serde_json::json!([{"code": "constraint-error", "field": "name", "count": 1}]));
}

#[test]
fn quiet_says_nothing_and_still_does_it() {
    let project = Project::people("1,Ann,30\n");
    let run = project.run(&["load", "-q"]).exits(0);
    assert_eq!((&*run.stdout, &*run.stderr), ("", ""));
    assert_eq!(project.run(&["loads", "--json"]).exits(0).counts("people"), [1, 1, 0, 0, 0]);
}

#[test]
fn a_source_may_be_typed_or_come_from_standard_input() {
    let project = Project::people("1,Ann,30\n");
    project.write("more.csv", "id,name,age\n2,Bob,\n");
    project.run(&["load", "people=more.csv"]).exits(0);
    let run = project.run_with_input(&["load", "people=-", "--json"], b"id,name,age\n3,Eve,\n").exits(0);
    assert_eq!(run.counts("people"), [1, 1, 0, 0, 0]);
}

#[test]
fn an_upsert_updates_and_conflicts_follow_the_rule() {
    let project = Project::people("1,Ann,30\n");
    project.run(&["load"]).exits(0);
    project.write("new.csv", "id,name,age\n1,Ann,31\n2,Bob,\n");
    let kept = project.run(&["load", "people=new.csv", "--on-conflict", "keep", "--json"]).exits(0);
    assert_eq!(kept.counts("people"), [2, 1, 0, 1, 0]);
    let updated = project.run(&["load", "people=new.csv", "--mode", "upsert", "--force", "--json"]).exits(0);
    assert_eq!(updated.counts("people"), [2, 0, 1, 1, 0]);
}

#[test]
fn too_many_rejects_end_with_10_and_an_atomic_load_with_11() {
    let project = Project::people("1,Ann,30\n2,,\n3,,\n");
    let run = project.run(&["load", "--max-rejects", "1"]).exits(10);
    assert!(run.stderr.starts_with("error: stopped: "), "{}", run.stderr);
    assert!(run.stdout.contains("stopped: too many rejects"), "{}", run.stdout);
    let project = Project::people("1,Ann,30\n2,,\n");
    let run = project.run(&["load", "--atomic"]).exits(11);
    assert!(run.stderr.starts_with("error: rolled back: "), "{}", run.stderr);
    assert!(run.stdout.contains("rolled back"), "{}", run.stdout);
}

#[test]
fn the_example_loads_as_its_readme_says() {
    let run = Project::example().run(&["load", "--json"]).exits(0);
    assert_eq!(run.counts("departments"), [12, 12, 0, 0, 0]);
    assert_eq!(run.counts("jobs"), [183, 183, 0, 0, 0]);
    assert_eq!(run.counts("hired_employees"), [2000, 1911, 0, 6, 83]);
}

#[test]
fn the_real_data_loads_as_expected() {
    let Some(project) = Project::real() else { return };
    let run = project.run(&["load", "--json"]).exits(0);
    assert_eq!(run.counts("departments"), [12, 12, 0, 0, 0]);
    assert_eq!(run.counts("jobs"), [183, 183, 0, 0, 0]);
    assert_eq!(run.counts("hired_employees"), [1999, 1929, 0, 0, 70]);
}

#[test]
fn a_json_log_tells_of_progress_in_json_lines_only() {
    let project = Project::people("1,Ann,30\n2,,\n");
    let run = project.run(&["load", "--log", "json", "--json"]).exits(0);
    let events: Vec<serde_json::Value> =
        run.stderr.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let ends = events.iter().find(|event| event["message"] == "ends").unwrap();
    assert_eq!((&ends["table"], &ends["rejected"]), (&"people".into(), &1.into()));
    assert!(!run.stderr.contains("Ann"), "values of the data are not logged");
}

#[test]
fn loads_that_ended_before_an_error_are_told() {
    let project = Project::example();
    std::fs::remove_file(project.path().join("data/hired_employees.csv")).unwrap();
    let run = project.run(&["load"]).exits(4);
    assert!(run.stderr.contains("hired_employees.csv"), "{}", run.stderr);
    assert_eq!(run.stdout, "");
}
