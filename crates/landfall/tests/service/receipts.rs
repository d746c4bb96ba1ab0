//! What a push was told, kept outside the database; and files that have only some of the fields.

use serde_json::{Value, json};

use super::{place::Kind, served::Served};

const THINGS: &str = "resources: [{name: things, path: t.csv, schema: {fields: [{name: a, type: integer}]}}]";

fn served() -> Served {
    let served = Served::package(Kind::Sqlite, THINGS, "");
    served.project.write("pushed.csv", "a\n1\nx\n3\n4\n5\n");
    served
}

fn push<'a>(url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["push", "pushed.csv", "--to", url, "--table", "things", "--batch", "2", "--parallel", "1"][..], more].concat()
}

fn receipt(served: &Served) -> Value {
    serde_json::from_str(&served.project.read("receipt.json")).unwrap()
}

#[test]
fn the_receipt_of_a_push_is_held_against_the_ledger() {
    let served = served();
    let url = served.url();
    for _ in 0..2 {
        // What was answered before is acknowledged as it was then.
        served.run(&push(&url, &["-q", "--receipt", "receipt.json"])).exits(0);
        let receipt = receipt(&served);
        assert_eq!(receipt["command"], "push");
        let loads: Vec<[Value; 3]> = receipt["loads"]
            .as_array()
            .unwrap()
            .iter()
            .map(|load| [load["table"].clone(), load["counts"]["inserted"].clone(), load["counts"]["rejected"].clone()])
            .collect();
        assert_eq!(json!(loads), json!([["things", 1, 1], ["things", 2, 0], ["things", 1, 0]]));
        served.run(&["verify", "--receipt", "receipt.json"]).exits(0);
    }
    let lost = receipt(&served)["loads"][1]["load_id"].as_u64().unwrap();
    served.project.database().execute("DELETE FROM landfall_loads WHERE load_id = ?", [lost]).unwrap();
    let text = served.run(&["verify", "--receipt", "receipt.json"]).exits(1).stdout;
    let words = format!("WRONG  things ← pushed.csv: load {lost} was acknowledged, and the ledger has no such load\n");
    assert!(text.contains(&words), "{text}");
}

#[test]
fn the_receipt_of_a_push_that_failed_has_what_was_answered() {
    let served = served();
    let url = served.url();
    served.project.write("pushed.csv", format!("a\n1\n2\n{}\n", "9".repeat(20 << 20)));
    served.run(&push(&url, &["-q", "--receipt", "receipt.json"])).exits(4);
    let receipt = receipt(&served);
    assert_eq!(
        (receipt["loads"].as_array().unwrap().len(), &receipt["loads"][0]["counts"]["inserted"]),
        (1, &json!(2))
    );
    served.run(&["verify", "--receipt", "receipt.json"]).exits(0);
}

#[test]
fn a_receipt_that_cannot_be_written_hid_why_the_push_failed() {
    let served = served();
    let url = served.url();
    let nowhere = "nowhere/receipt.json";
    let run = served.run(&push(&url, &["--receipt", nowhere])).exits(2);
    assert!(run.stdout.contains("5 read = ") && run.stderr.contains(nowhere), "{}{}", run.stdout, run.stderr);
    let run = served.run(&push(&url, &["-q", "--again", "--atomic", "--receipt", nowhere])).exits(11);
    assert!(run.stderr.contains("rolled back") && run.stderr.contains(nowhere), "{}", run.stderr);
    let run = served.run(&push("http://127.0.0.1:1", &["-q", "--retries", "0", "--receipt", nowhere])).exits(13);
    assert!(run.stderr.contains("cannot ask"), "{}", run.stderr);
}

#[test]
fn a_push_of_some_of_the_fields_leaves_the_others_as_they_are() {
    let package = "resources:
  - name: people
    path: people.csv
    schema:
      fields:
        - {name: id, type: integer}
        - {name: name, type: string, constraints: {required: true}}
        - {name: age, type: integer}
      primaryKey: id
      fieldsMatch: [superset]
";
    for kind in [Kind::Sqlite, Kind::Postgres, Kind::Mariadb] {
        let served = Served::package(kind, package, "");
        served.project.write("people.csv", "id,name,age\n1,Ann,30\n2,Bob,40\n");
        served.run(&["load", "-q"]).exits(0);
        served.project.write("partial.csv", "id,age\n1,31\n2,\n9,50\n");
        let url = served.url();
        let words = ["push", "partial.csv", "--to", &url, "--table", "people", "--on-conflict", "update", "--json"];
        let push = &served.run(&words).exits(0).json()["loads"][0];
        assert_eq!([&push["updated"], &push["rejected"]], [&json!(2), &json!(1)], "{kind:?}: {push}");
        let rows = served.place.rows("SELECT id, name, coalesce(age, -1) FROM people ORDER BY id");
        assert_eq!(rows, [["1", "Ann", "31"], ["2", "Bob", "-1"]], "{kind:?}");
        served.verifies();
    }
}
