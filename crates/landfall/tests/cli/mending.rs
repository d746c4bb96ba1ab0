//! Rejects are exported, mended in the file, and tried again: what passes becomes a row with a trace.

use crate::support::{
    Project,
    audit::{audit, cells, number, rows},
};
use rusqlite::types::Value;

/// Eight records, of which six are bad: types, missing, keys, cells, quotes and bytes.
const RECORDS: &str = "1,Ann,30\n2,,old\n3,Bob,young\n1,Eve,31\n4,\"Cle\"o,1\n5,Dan,1,more\n6,Fay\n7,Gus,\n";

fn loaded() -> Project {
    let project = Project::people(RECORDS);
    project.run(&["load", "-q"]).exits(0);
    project
}

/// The exported file, as a program that knows CSV sees it.
struct Sheet(Vec<Vec<String>>);

impl Sheet {
    fn of(project: &Project) -> Self {
        Self(cells(&project.run(&["rejects", "export", "--table", "people"]).exits(0).stdout))
    }

    /// The row of the record that stood at `line` of the source.
    fn row(&mut self, line: u64) -> &mut Vec<String> {
        let at = self.0[0].iter().position(|label| label == "landfall_line").unwrap();
        self.0.iter_mut().find(|row| row[at] == line.to_string()).unwrap()
    }

    fn set(&mut self, line: u64, column: &str, text: &str) {
        let at = self.0[0].iter().position(|label| label == column).unwrap();
        self.row(line)[at] = text.to_owned();
    }

    /// Written with all cells in quotes and CRLF, as some programs do.
    fn write(&self, project: &Project) {
        let cell = |text: &String| format!("\"{}\"", text.replace('"', "\"\""));
        let row = |row: &Vec<String>| row.iter().map(cell).collect::<Vec<_>>().join(",") + "\r\n";
        project.write("mended.csv", self.0.iter().map(row).collect::<String>());
    }
}

/// Read, inserted, updated, unchanged and rejected of a retry from the mended file.
fn retry(project: &Project, sheet: &Sheet) -> [u64; 5] {
    sheet.write(project);
    let counts = project.run(&["rejects", "retry", "--from", "mended.csv", "--json"]).exits(0).counts("people");
    audit(project, &[("people.csv", 8)].into());
    counts
}

fn open_lines(project: &Project) -> Vec<u64> {
    let lines = project.run(&["rejects", "list", "--json"]).exits(0).json_list();
    lines.iter().map(|line| line["line"].as_u64().unwrap()).collect()
}

#[test]
fn mended_rows_are_inserted_and_the_rest_stays() {
    let project = loaded();
    let mut sheet = Sheet::of(&project);
    assert_eq!(sheet.0.len(), 7, "{:?}", sheet.0);
    sheet.set(3, "name", "Bea, \"the\"\nsecond");
    sheet.set(3, "age", "40");
    sheet.set(4, "age", "");
    sheet.set(5, "id", "8");
    assert_eq!(retry(&project, &sheet), [6, 3, 0, 0, 3]);
    let people = rows(&project.database(), "SELECT name, age FROM people WHERE id IN (2, 3, 8) ORDER BY id");
    let text = |text: &str| Value::Text(text.into());
    let expected = [
        [text("Bea, \"the\"\nsecond"), Value::Integer(40)],
        [text("Bob"), Value::Null],
        [text("Eve"), Value::Integer(31)],
    ];
    assert_eq!(people, expected);
    assert_eq!(open_lines(&project), [6, 7, 8]);
}

#[test]
fn records_that_were_no_cells_can_be_mended_too() {
    let project = loaded();
    let mut sheet = Sheet::of(&project);
    for (column, text) in [("id", "4"), ("name", "Cleo"), ("age", "1")] {
        sheet.set(6, column, text);
    }
    sheet.set(7, "landfall_extra", "");
    sheet.set(8, "age", "22");
    assert_eq!(retry(&project, &sheet), [6, 3, 0, 0, 3]);
    assert_eq!(open_lines(&project), [3, 4, 5]);
    assert_eq!(number(&project.database(), "SELECT count(*) FROM people"), 5);
}

#[test]
fn a_trace_tells_what_was_changed_and_when() {
    let project = loaded();
    let mut sheet = Sheet::of(&project);
    sheet.set(4, "age", "44");
    sheet.set(3, "name", "Bea");
    retry(&project, &sheet);
    let sql = "SELECT e.action, e.mended, e.happened_at, e.load_id, r.state, r.raw FROM landfall_reject_events AS e
               JOIN landfall_rejects AS r USING (reject_id) WHERE r.line = 4";
    let trace = rows(&project.database(), sql);
    assert_eq!(trace.len(), 1);
    assert_eq!(trace[0][0], Value::Text("released".into()));
    assert_eq!(trace[0][1], Value::Blob(b"3,Bob,44".to_vec()), "what was tried");
    assert!(matches!(&trace[0][2], Value::Text(at) if at.starts_with("20") && at.ends_with('Z')));
    assert_eq!(trace[0][3], Value::Integer(2), "which load did it");
    assert_eq!(trace[0][4], Value::Text("released".into()));
    assert_eq!(trace[0][5], Value::Blob(b"3,Bob,young".to_vec()), "the bytes of the source stay");
    let shown = project.run(&["rejects", "show", "1"]).exits(0).stdout;
    assert!(shown.contains("(open)") && shown.contains("2,Bea,old"), "a failed attempt leaves a trace too: {shown}");
    let listed = project.run(&["rejects", "list", "--state", "released", "--json"]).exits(0).json_list();
    assert_eq!(listed.len(), 1);
}

#[test]
fn a_mended_row_that_breaks_another_rule_stays_with_the_new_reason() {
    let project = loaded();
    let mut sheet = Sheet::of(&project);
    sheet.set(3, "name", "Bea");
    sheet.set(3, "age", "20");
    sheet.set(3, "id", "7");
    sheet.write(&project);
    // The id had no error.
    let words = ["rejects", "retry", "--from", "mended.csv", "--allow-other-changes", "--json"];
    assert_eq!(project.run(&words).exits(0).counts("people"), [6, 0, 0, 0, 6]);
    let listed = project.run(&["rejects", "list", "--id", "1", "--json"]).exits(0).json_list();
    let errors = listed[0]["errors"].as_array().unwrap();
    assert_eq!((errors.len(), &errors[0]["code"], &errors[0]["value"]), (1, &"primary-key".into(), &"7".into()));
    assert_eq!(listed[0]["raw"], "2,,old", "the bytes are those of the source");
}

#[test]
fn an_untouched_file_changes_nothing_but_the_trace() {
    let project = loaded();
    let before = project.run(&["rejects", "list", "--json"]).exits(0).stdout;
    let sheet = Sheet::of(&project);
    assert_eq!(retry(&project, &sheet), [6, 0, 0, 0, 6]);
    assert_eq!(project.run(&["rejects", "list", "--json"]).exits(0).stdout, before);
}

#[test]
fn the_same_mended_file_twice_inserts_once() {
    let project = loaded();
    let mut sheet = Sheet::of(&project);
    sheet.set(4, "age", "44");
    assert_eq!(retry(&project, &sheet)[1], 1);
    let run = project.run(&["rejects", "retry", "--from", "mended.csv", "--json"]).exits(0);
    assert_eq!(run.counts("people"), [5, 0, 0, 0, 5]);
    assert_eq!(number(&project.database(), "SELECT count(*) FROM people"), 3);
    audit(&project, &[("people.csv", 8)].into());
}

#[test]
fn rows_that_a_person_took_out_of_the_file_stay_in_the_quarantine() {
    let project = loaded();
    let mut sheet = Sheet::of(&project);
    sheet.set(4, "age", "44");
    sheet.0.truncate(3);
    assert_eq!(retry(&project, &sheet), [2, 1, 0, 0, 1]);
    assert_eq!(open_lines(&project), [3, 5, 6, 7, 8]);
}

#[test]
fn a_file_that_is_no_export_is_refused_and_nothing_is_done() {
    let project = loaded();
    let mut sheet = Sheet::of(&project);
    let before = project.run(&["rejects", "list", "--json"]).exits(0).stdout;
    sheet.set(3, "landfall_reject", "first");
    sheet.write(&project);
    project.write("other.csv", "id,name,age\n2,Bea,1\n");
    project.write("empty.csv", "");
    for file in ["mended.csv", "other.csv", "gone.csv"] {
        let error = project.run(&["rejects", "retry", "--from", file]).fails(4);
        assert!(error.contains(file), "{error}");
    }
    let run = project.run(&["rejects", "retry", "--from", "empty.csv"]);
    assert!(run.code == 0 || run.code == 4, "{run:?}");
    assert_eq!(project.run(&["rejects", "list", "--json"]).exits(0).stdout, before);
    assert_eq!(number(&project.database(), "SELECT count(*) FROM people"), 2);
}

#[test]
fn rejects_are_filtered_grouped_and_shown() {
    let project = loaded();
    let listed =
        |filter: &[&str]| project.run(&[&["rejects", "list", "--json"], filter].concat()).exits(0).json_list().len();
    assert_eq!(listed(&[]), 6);
    assert_eq!(listed(&["--code", "type-error"]), 2);
    assert_eq!(listed(&["--code", "type-error", "--field", "age"]), 2);
    assert_eq!(listed(&["--code", "type-error", "--field", "name"]), 0, "code and field of the same error");
    assert_eq!(listed(&["--code", "primary-key"]), 1);
    assert_eq!(listed(&["--load", "1", "--table", "people"]), 6);
    let groups = project.run(&["rejects", "group", "--json"]).exits(0).json_list();
    let count = |code: &str, field: &str| {
        let found = groups.iter().find(|group| group["code"] == code && group["field"] == field);
        found.map_or(0, |group| group["count"].as_u64().unwrap())
    };
    assert_eq!([count("type-error", "age"), count("constraint-error", "name"), count("primary-key", "id")], [2, 1, 1]);
    let raw = project.run(&["rejects", "show", "4", "--raw"]).exits(0).stdout;
    assert_eq!(raw, "4,\"Cle\"o,1");
    project.run(&["rejects", "show", "99"]).fails(2);
}

/// Nothing was tried, and the message says why.
#[track_caller]
fn refused(project: &Project, bytes: &[u8], words: &str) {
    let before = project.run(&["rejects", "list", "--json"]).exits(0).stdout;
    project.write("mended.csv", bytes);
    let error = project.run(&["rejects", "retry", "--from", "mended.csv"]).fails(4);
    assert!(error.contains(words), "{words:?} is not in {error}");
    assert_eq!(project.run(&["rejects", "list", "--json"]).exits(0).stdout, before);
}

/// The export with the age of record 4 mended, as text.
fn mended_text(project: &Project) -> String {
    let mut sheet = Sheet::of(project);
    sheet.set(4, "age", "44");
    sheet.write(project);
    project.read("mended.csv")
}

#[test]
fn a_file_that_a_spreadsheet_saved_in_its_own_form_is_read() {
    for (what, form) in [
        ("semicolons", (|text| text.replace("\",\"", "\";\"").into_bytes()) as fn(&str) -> Vec<u8>),
        ("tabs", |text| text.replace("\",\"", "\"\t\"").into_bytes()),
        ("a byte order mark", |text| format!("\u{feff}{text}").into_bytes()),
        ("UTF-16 and tabs", |text| {
            let text = format!("\u{feff}{}", text.replace("\",\"", "\"\t\""));
            text.encode_utf16().flat_map(u16::to_le_bytes).collect()
        }),
    ] {
        let project = loaded();
        let text = mended_text(&project);
        project.write("mended.csv", form(&text));
        let run = project.run(&["rejects", "retry", "--from", "mended.csv", "--json"]).exits(0);
        assert_eq!(run.counts("people"), [6, 1, 0, 0, 5], "{what}");
    }
}

#[test]
fn a_file_in_another_encoding_is_told_as_such() {
    let project = Project::people("1,Zo\u{eb},x\n");
    project.run(&["load", "-q"]).exits(0);
    let text = project.run(&["rejects", "export", "--table", "people"]).exits(0).stdout;
    let ansi: Vec<u8> = text.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap()).collect();
    refused(&project, &ansi, "line 2 is not UTF-8");
}

#[test]
fn a_header_that_was_changed_is_told_as_such() {
    let project = loaded();
    let text = mended_text(&project);
    refused(&project, text.replace("landfall_raw", "raw").as_bytes(), "its column landfall_raw is missing");
    refused(&project, b"id,name\n1,x\n", "it is not an export of rejects");
}

/// Zeros lost, letters garbled, numbers with an exponent: spreadsheets do that to cells that nobody has touched.
#[test]
fn cells_without_an_error_that_a_spreadsheet_changed_are_not_taken_in() {
    let package = "resources:\n  - name: people\n    path: people.csv\n    schema:\n      fields:\n\
                   \x20       - {name: code, type: string}\n        - {name: name, type: string}\n        - {name: age, type: integer}\n";
    let project = Project::people("");
    project.write("datapackage.yaml", package);
    project.write("people.csv", "code,name,age\n007,Zo\u{eb},x\n1234567890123456,Bob,y\n");
    project.run(&["load", "-q"]).exits(0);
    let text = project.run(&["rejects", "export", "--table", "people"]).exits(0).stdout;
    for (from, to, words) in [
        ("007", "7", "line 2, \"code\", which lost zeros at its front"),
        ("Zo\u{eb}", "Zo\u{c3}\u{ab}", "line 2, \"name\", whose characters differ"),
        ("1234567890123456", "1.23457E+15", "line 3, \"code\", whose number is written otherwise"),
    ] {
        let changed = text.replacen(from, to, 1).replacen(",x,", ",30,", 1);
        refused(&project, changed.as_bytes(), words);
    }
    project.write("mended.csv", text.replacen("007", "7", 1).replacen(",x,", ",30,", 1));
    let words = ["rejects", "retry", "--from", "mended.csv", "--allow-other-changes", "--json"];
    assert_eq!(project.run(&words).exits(0).counts("people"), [2, 1, 0, 0, 1]);
}

#[test]
fn a_record_that_was_mended_as_a_whole_is_tried() {
    let project = loaded();
    let mut sheet = Sheet::of(&project);
    sheet.set(6, "landfall_raw", "4,\"Cleo\",1");
    assert_eq!(retry(&project, &sheet), [6, 1, 0, 0, 5]);
    let name = rows(&project.database(), "SELECT name FROM people WHERE id = 4");
    assert_eq!(name, [[Value::Text("Cleo".into())]]);
    for (raw, name, words) in [
        ("4,\"Cle\"o,2", "", "landfall_raw still cannot be split"),
        ("4,Cleo,2", "Cleo", "landfall_raw was changed, and cells too"),
    ] {
        let project = loaded();
        let mut sheet = Sheet::of(&project);
        sheet.set(6, "landfall_raw", raw);
        sheet.set(6, "name", name);
        sheet.write(&project);
        refused(&project, project.read("mended.csv").as_bytes(), words);
    }
}

/// The export had a name that the glob of the source matches, and the next load stopped.
#[test]
fn an_export_that_matches_the_glob_of_the_source_is_not_loaded() {
    let project = Project::people("1,Ann,30\n2,,\n");
    let package = project.read("datapackage.yaml").replace("path: people.csv", "path: \"*.csv\"");
    project.write("datapackage.yaml", package);
    project.run(&["load", "-q"]).exits(0);
    project.run(&["rejects", "export", "--table", "people", "--out", "people-rejects.csv"]).exits(0);
    let run = project.run(&["load"]).exits(0);
    assert!(run.stderr.contains("an export of rejects"), "{}", run.stderr);
    project.run(&["verify"]).exits(0);
    let error = project.run(&["load", "people=people-rejects.csv"]).fails(4);
    assert!(error.contains("rejects retry --from"), "{error}");
}
