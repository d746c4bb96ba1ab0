//! `landfall check`: every reason with its place, and nothing written.

use crate::support::Project;
use serde_json::json;

#[test]
fn every_reason_is_told_with_its_place_and_nothing_is_written() {
    let project = Project::people("1,Ann,30\n2,,old\n");
    let run = project.run(&["check"]).exits(1);
    let expected = "people.csv:3: people.name: constraint-error: the value is missing, and the field is required
people.csv:3: people.age: type-error: \"old\" is not an integer; write it with digits only, like 1234 or -5
people: 2 read = 1 would pass + 1 would be rejected
    age   type-error               1
    name  constraint-error         1
";
    assert_eq!(run.stdout, expected);
    assert!(!project.path().join("landfall.db").exists());
}

#[test]
fn nothing_found_ends_with_0() {
    let run = Project::people("1,Ann,30\n").run(&["check"]).exits(0);
    assert_eq!(run.stdout, "people: 1 read = 1 would pass + 0 would be rejected\n");
}

#[test]
fn json_is_a_line_for_each_rejected_record() {
    let lines = Project::people("1,Ann,30\n2,,old\n").run(&["check", "--json"]).exits(1).json_list();
    assert_eq!(lines.len(), 1);
    let keys: Vec<&String> = lines[0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["table", "source", "record", "line", "offset", "raw", "raw_length", "errors"]);
    let place = json!([lines[0]["record"], lines[0]["line"], lines[0]["offset"], lines[0]["raw"]]);
    assert_eq!(place, json!([2, 3, 21, "2,,old"]));
    let keys: Vec<&String> = lines[0]["errors"][0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["code", "field", "value", "message"]);
}

#[test]
fn values_cannot_act_on_a_terminal() {
    let run = Project::people("1,Ann,\u{1b}[2Jx\n").run(&["check"]).exits(1);
    assert!(!run.stdout.contains('\u{1b}') && run.stdout.contains("\\u{1b}[2Jx"), "{}", run.stdout);
}

#[test]
fn check_and_load_find_the_same_rejects_in_the_example() {
    let project = Project::example();
    let checked = project.run(&["check", "--json"]).exits(1).json_list();
    project.run(&["load", "-q"]).exits(0);
    let mut listed = project.run(&["rejects", "list", "--json"]).exits(0).json_list();
    for reject in &mut listed {
        let reject = reject.as_object_mut().unwrap();
        for key in ["id", "load_id", "state"] {
            reject.shift_remove(key).unwrap();
        }
    }
    assert_eq!(checked.len(), 83);
    assert_eq!(checked, listed);
}

#[test]
fn a_reader_that_stops_early_is_no_failure() {
    let many: String = (0..50_000).map(|id| format!("{id},,\n")).collect();
    let project = Project::people(&many);
    let mut child = project.command(&["check"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
