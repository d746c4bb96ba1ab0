//! Dictionaries that do not fit their files: one line says what to correct.

use crate::support::Project;

/// A table `people` without a header, with these fields and this dialect.
fn project(dialect: &str, types: [&str; 3], csv: &str) -> Project {
    let project = Project::empty();
    let [id, name, born] = types;
    project.write(
        "datapackage.yaml",
        format!(
            "resources:\n  - name: people\n    path: people.csv\n    dialect: {{header: false, {dialect}}}\n    schema:\n      fields:\n        \
             - {{name: id, type: {id}}}\n        - {{name: name, type: {name}}}\n        - {{name: born, type: {born}}}\n"
        ),
    );
    project.write("people.csv", csv);
    project
}

#[test]
fn a_wrong_delimiter_is_one_line_and_not_a_thousand() {
    let csv: String = (0..1000).map(|id| format!("{id};Ann;2001-02-03\n")).collect();
    let project = project("delimiter: ','", ["string", "string", "string"], &csv);
    let words = "all 1,000 records are rejected for one cause: they have another number of cells than the table has fields. \
                 The file has the delimiter \";\"";
    let load = project.run(&["load"]).exits(0).stdout;
    assert!(load.contains(words), "{load}");
    let check = project.run(&["check"]).exits(1).stdout;
    assert!(check.contains(words), "{check}");
}

#[test]
fn a_wrong_type_of_all_records_is_told() {
    let project = project("delimiter: ';'", ["integer", "string", "date"], "1;Ann;03.02.2001\n2;Bob;17.05.1999\n");
    let load = project.run(&["load"]).exits(0).stdout;
    assert!(load.contains("all 2 records are rejected for one cause: no value of born fits its type"), "{load}");
}

#[test]
fn some_rejects_have_no_one_cause() {
    let project = project("delimiter: ';'", ["integer", "string", "date"], "1;Ann;03.02.2001\n2;Bob;1999-05-17\n");
    assert!(!project.run(&["load"]).exits(0).stdout.contains("one cause"));
    let project = self::project("delimiter: ';'", ["integer", "string", "date"], "1;Ann;x\ny;Bob;1999-05-17\n");
    assert!(!project.run(&["load"]).exits(0).stdout.contains("one cause"));
}

#[test]
fn a_header_that_differs_tells_the_correction() {
    for (header, words) in [
        ("born,id,name", "write fieldsMatch: equal to the schema"),
        ("ID,Name,Born", "write matchCase: false to the schema"),
        ("id;name;born", "write delimiter: \";\" to the dialect"),
        ("7,Ann,2001-02-03", "write header: false to the dialect"),
    ] {
        let project = project("delimiter: ','", ["integer", "string", "string"], &format!("{header}\n"));
        let package = project.read("datapackage.yaml").replace("header: false, ", "");
        project.write("datapackage.yaml", package);
        for command in ["load", "check"] {
            let error = project.run(&[command]).stderr;
            assert!(error.contains(words), "{command}: {error}");
        }
    }
}

#[test]
fn init_takes_a_single_file() {
    let project = Project::empty();
    project.write("data/ships.csv", "id,name\n1,A\n2,B\n3,C\n");
    project.write("data/other.csv", "x,y\n1,2\n");
    project.run(&["init", "data/ships.csv"]).exits(0);
    let package = project.read("datapackage.yaml");
    assert!(package.contains("path: data/ships.csv") && !package.contains("other"), "{package}");
    project.run(&["load", "-q"]).exits(0);
    // A file outside of the project's folder has a project of its own, beside it.
    project.write("elsewhere/boats.csv", "id,name\n1,A\n2,B\n3,C\n");
    project.run(&["init", "elsewhere/boats.csv", "--project", "data"]).exits(0);
    assert!(project.read("elsewhere/datapackage.yaml").contains("path: boats.csv"));
    project.write("page.csv", "<html><body>login</body></html>");
    let error = project.run(&["init", "page.csv", "--force"]).fails(2);
    assert!(error.contains("page.csv is left out: it is an HTML page"), "{error}");
}
