//! Decimal numbers are one content and one key where their values are equal, however many zeros they end in.

use crate::support::{Project, audit::content};
use rusqlite::types::Value;

/// The tables `rates` (key `step`) and `uses`, which refers to it.
const PACKAGE: &str = "resources:
  - name: rates
    path: rates.csv
    schema:
      fields: [{name: step, type: number}, {name: rate, type: number}]
      primaryKey: [step]
  - name: uses
    path: uses.csv
    schema:
      fields: [{name: id, type: integer}, {name: step, type: number}]
      primaryKey: [id]
      foreignKeys: [{fields: [step], reference: {resource: rates, fields: [step]}}]
";

fn project(rates: &str, uses: &str) -> Project {
    let project = Project::empty();
    project.write("datapackage.yaml", PACKAGE);
    project.write("rates.csv", format!("step,rate\n{rates}"));
    project.write("uses.csv", format!("id,step\n{uses}"));
    project
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

#[test]
fn equal_numbers_are_one_key_and_one_content() {
    let project = project("1.0,0.50\n1.00,0.5\n1e0,.5000\n+1,0.51\n2.50,1\n", "");
    let run = project.run(&["load", "rates", "--json"]).exits(0);
    assert_eq!(run.counts("rates"), [5, 2, 0, 2, 1]);
    // The rate keeps the digits of the first row; the key has one text for each value, as the database compares text.
    assert_eq!(content(&project, "rates"), [[text("1"), text("0.50")], [text("2.5"), text("1")]]);
    project.assert_nothing_wrong();
}

#[test]
fn equal_numbers_of_a_later_file_are_unchanged() {
    let project = project("1.0,0.50\n-0,7\n", "");
    project.run(&["load", "rates", "-q"]).exits(0);
    project.write("rates.csv", "step,rate\n1.000,0.5\n0.0,7.00\n0,8\n");
    assert_eq!(project.run(&["load", "rates", "--json"]).exits(0).counts("rates"), [3, 0, 0, 2, 1]);
}

#[test]
fn a_foreign_key_finds_its_parent_by_value() {
    let project = project("1.0,1\n2,1\n", "1,1\n2,2.0\n3,3\n");
    assert_eq!(project.run(&["load", "--json"]).exits(0).counts("uses"), [3, 2, 0, 0, 1]);
    let orphans = "SELECT count(*) FROM pragma_foreign_key_check";
    assert_eq!(project.database().query_row(orphans, [], |row| row.get::<_, u64>(0)), Ok(0));
    project.write("rates.csv", "step,rate\n3.00,1\n");
    project.run(&["load", "rates", "-q"]).exits(0);
    assert_eq!(content(&project, "uses").len(), 3, "the third was waiting for its parent");
}

#[test]
fn a_check_counts_as_the_load_does() {
    let project = project("1.0,0.50\n1.00,0.5\n1,0.51\n", "1,1.000\n2,4\n");
    let check = project.run(&["check"]).exits(1).stdout;
    assert!(check.contains("rates: 3 read = 2 would pass + 1 would be rejected"), "{check}");
    assert!(check.contains("primary-key") && check.contains("foreign-key"), "{check}");
}
