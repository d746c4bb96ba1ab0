//! `landfall report`: listing, parameters, forms.

use crate::support::Project;

#[test]
fn reports_are_listed_with_their_parameters() {
    let listing = Project::example().run(&["report"]).exits(0).stdout;
    assert!(
        listing.starts_with("hires_by_quarter\n  Employees hired for each department and job, by quarter\n"),
        "{listing}"
    );
    assert!(listing.contains("  --param year (integer, default 2021): "), "{listing}");
}

#[test]
fn parameters_are_checked_by_their_type_and_constraints() {
    let project = Project::example();
    for (parameter, words) in [
        ("year=x", "parameter year: \"x\" is not an integer"),
        ("year=0", "parameter year: "),
        ("yaer=1", "report hires_by_quarter has no parameter \"yaer\"; its parameter is year (integer, default 2021)"),
        ("year", "write NAME=VALUE"),
    ] {
        let error = project.run(&["report", "hires_by_quarter", "--param", parameter]).fails(2);
        assert!(error.contains(words), "{parameter}: {error}");
    }
    let error = project.run(&["report", "hires_by_quater"]).fails(2);
    assert_eq!(error, "there is no report \"hires_by_quater\"; did you mean hires_by_quarter?");
}

#[test]
fn a_value_never_becomes_sql() {
    let project = Project::people("1,Ann,30\n");
    project.write("landfall.yaml", "reports: {r: {sql: r.sql, parameters: [{name: n, type: string}]}}\n");
    project.write("r.sql", "SELECT :n AS n");
    project.run(&["load", "-q"]).exits(0);
    let nasty = "n='; DROP TABLE people; --";
    let csv = project.run(&["report", "r", "--param", nasty, "--format", "csv"]).exits(0).stdout;
    assert_eq!(csv, "n\n'; DROP TABLE people; --\n");
    let error = project.run(&["report", "r"]).fails(2);
    assert_eq!(error, "report r needs a value for n; its parameter is n (string)");
}

#[test]
fn the_formats() {
    let project = Project::people("1,Ann,30\n2,=Bob,\n");
    project.write("landfall.yaml", "reports: {r: {sql: r.sql}}\n");
    project.write("r.sql", "SELECT id, name, age FROM people ORDER BY id");
    project.run(&["load", "-q"]).exits(0);
    let run = |more: &[&str]| project.run(&[&["report", "r"], more].concat()).exits(0).stdout;
    assert_eq!(run(&[]), "id  name  age\n──  ────  ───\n 1  Ann    30\n 2  =Bob\n");
    assert_eq!(run(&["--format", "csv"]), "id,name,age\n1,Ann,30\n2,=Bob,\n");
    assert_eq!(run(&["--format", "csv", "--guard-formulas"]), "id,name,age\n1,Ann,30\n2,'=Bob,\n");
    let json = "[\n{\"id\":1,\"name\":\"Ann\",\"age\":30},\n{\"id\":2,\"name\":\"=Bob\",\"age\":null}\n]\n";
    assert_eq!(run(&["--format", "json"]), json);
    let lines = "{\"id\":1,\"name\":\"Ann\",\"age\":30}\n{\"id\":2,\"name\":\"=Bob\",\"age\":null}\n";
    assert_eq!(run(&["--format", "ndjson"]), lines);
    assert!(run(&["--format", "markdown"]).starts_with("| id | name | age |\n| --- |"));
    assert!(run(&["--format", "html"]).starts_with("<!DOCTYPE html>"));
    assert_eq!(run(&["--format", "json", "--out", "r.json"]), "");
    assert_eq!(project.read("r.json"), json);
}

#[test]
fn sql_at_fault_is_the_projects_fault() {
    let project = Project::people("1,Ann,30\n");
    project.write("landfall.yaml", "reports: {r: {sql: r.sql}, gone: {sql: gone.sql}}\n");
    project.run(&["load", "-q"]).exits(0);
    for (sql, words) in [("SELEC 1", "report r: "), ("DELETE FROM people", "may only read"), ("SELECT :x", ":x")] {
        project.write("r.sql", sql);
        let error = project.run(&["report", "r"]).fails(3);
        assert!(error.contains(words), "{sql}: {error}");
    }
    assert!(project.run(&["report", "gone"]).fails(3).starts_with("cannot read gone.sql: "));
    assert_eq!(project.run(&["loads", "--json"]).exits(0).counts("people"), [1, 1, 0, 0, 0]);
}

#[test]
fn the_reports_of_the_real_data_equal_the_expected_files() {
    let Some(project) = Project::real() else { return };
    project.run(&["load", "-q"]).exits(0);
    let expected = crate::support::conformance_folder().unwrap_or_default().join("hr/expected");
    for (name, file) in [
        ("hires_by_quarter", "hires_by_quarter_2021.csv"),
        ("departments_above_mean", "departments_above_mean_2021.csv"),
    ] {
        let csv = project.run(&["report", name, "--param", "year=2021", "--format", "csv"]).exits(0).stdout;
        assert_eq!(csv, std::fs::read_to_string(expected.join(file)).unwrap_or_default());
    }
}
