//! What a dialect says beyond the standard: ragged records, stray quotes, missing values in quotes, blanks, long delimiters, headers
//! that no field can be named after.

use crate::support::{Project, audit::rows};
use rusqlite::types::Value;

/// A project with one table `t` of three fields, whose dialect is given, and its file.
fn project(dialect: &str, csv: impl AsRef<[u8]>) -> Project {
    let fields = "{name: id, type: integer}, {name: name, type: string}, {name: note, type: string}";
    with_fields(dialect, fields, csv)
}

fn with_fields(dialect: &str, fields: &str, csv: impl AsRef<[u8]>) -> Project {
    let project = Project::empty();
    project.write(
        "datapackage.yaml",
        format!("resources:\n  - {{name: t, path: t.csv, dialect: {dialect}, schema: {{fields: [{fields}]}}}}\n"),
    );
    project.write("t.csv", csv);
    project
}

/// The cells of the rows in the database, with `null` for a missing value.
fn stored(project: &Project) -> Vec<Vec<String>> {
    let text = |value: Value| match value {
        Value::Null => "null".to_owned(),
        Value::Integer(value) => value.to_string(),
        Value::Text(text) => text,
        other => panic!("{other:?}"),
    };
    let rows = rows(&project.database(), "SELECT * FROM t ORDER BY rowid");
    rows.into_iter().map(|row| row.into_iter().map(text).collect()).collect()
}

/// The raw text and the code of the first error of each reject.
fn rejected(project: &Project) -> Vec<(String, String)> {
    let sql = "SELECT CAST(raw AS TEXT), errors ->> '$[0].code' FROM landfall_rejects ORDER BY record";
    let text = |value: &Value| match value {
        Value::Text(text) => text.clone(),
        other => panic!("{other:?}"),
    };
    rows(&project.database(), sql).iter().map(|row| (text(&row[0]), text(&row[1]))).collect()
}

/// Checks and loads; the cells of the rows, and the rejects. The check must count what the load counts.
#[track_caller]
fn outcome(project: &Project) -> (Vec<Vec<String>>, Vec<(String, String)>) {
    let checked = project.run(&["check", "--json"]).json_list();
    project.run(&["load", "-q"]).exits(0);
    project.run(&["verify"]).exits(0);
    let (stored, rejected) = (stored(project), rejected(project));
    assert_eq!(checked.len(), rejected.len(), "{checked:?}");
    (stored, rejected)
}

const RAGGED: &str = "id,name,note\n1,a,x\n2,b\n3\n4,d,y,\n5,e,z,,,\n6,f,w,,more\n\n7,,\n";

#[test]
fn ragged_records_are_what_the_dialect_says() {
    let short = [("2,b", "missing-cell"), ("3", "missing-cell")];
    let long = [("4,d,y,", "extra-cell"), ("5,e,z,,,", "extra-cell")];
    let wrong = [("6,f,w,,more", "extra-cell"), ("", "blank-row")];
    let of = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    for (dialect, ids, rejects) in [
        ("{}", of(&["1", "7"]), [&short[..], &long, &wrong].concat()),
        ("{ragged: pad}", of(&["1", "2", "3", "7"]), [&long[..], &wrong].concat()),
        ("{ragged: truncate-empty}", of(&["1", "4", "5", "7"]), [&short[..], &wrong].concat()),
        ("{ragged: pad-or-truncate-empty}", of(&["1", "2", "3", "4", "5", "7"]), wrong.to_vec()),
    ] {
        let (found, rejected) = outcome(&project(dialect, RAGGED));
        assert_eq!(found.iter().map(|row| row[0].clone()).collect::<Vec<_>>(), ids, "{dialect}");
        let rejects: Vec<_> = rejects.iter().map(|(raw, code)| ((*raw).to_owned(), (*code).to_owned())).collect();
        assert_eq!(rejected, rejects, "{dialect}");
    }
    let (found, _) = outcome(&project("{ragged: pad}", RAGGED));
    assert_eq!(found[1..3], [["2", "b", "null"], ["3", "null", "null"]]);
}

#[test]
fn a_padded_cell_is_a_missing_value_under_the_rules_of_its_field() {
    let fields = "{name: id, type: integer}, {name: name, type: string, missingValues: [NA]}, \
                  {name: note, type: string, constraints: {required: true}}";
    let project = with_fields("{ragged: pad}", fields, "id,name,note\n1,a,x\n2\n3,,y\n4,NA,z\n");
    let (found, rejects) = outcome(&project);
    assert_eq!(found, [["1", "a", "x"], ["3", "", "y"], ["4", "null", "z"]]);
    assert_eq!(rejects, [("2".to_owned(), "constraint-error".to_owned())]);
    // What is exported and mended means the same: the cell that was not there is still missing.
    let exported = project.run(&["rejects", "export"]).exits(0).stdout;
    assert!(exported.contains("\n2,NA,,"), "{exported}");
    project.write("mended.csv", exported.replace("\n2,NA,,", "\n2,NA,there,"));
    project.run(&["rejects", "retry", "-q", "--from", "mended.csv"]).exits(0);
    assert_eq!(stored(&project)[3], ["2", "null", "there"]);
}

#[test]
fn superfluous_empty_cells_do_not_hinder_mending() {
    let project = project("{ragged: truncate-empty}", "id,name,note\nx,a,b,,\n2,c,d\n");
    assert_eq!(outcome(&project).1.len(), 1);
    let exported = project.run(&["rejects", "export"]).exits(0).stdout;
    project.write("mended.csv", exported.replace("\nx,a,b,", "\n1,a,b,"));
    project.run(&["rejects", "retry", "-q", "--from", "mended.csv"]).exits(0);
    assert_eq!(stored(&project)[1], ["1", "a", "b"]);
}

const STRAY: &str = "id,name,note\n1,6\" nail,a\n2,\"x, y\",b\n3, \"z\",5'4\"\n4,\"u\"v,c\n5,w,d\n";

#[test]
fn stray_quotes_are_kept_and_counted() {
    let project = project("{}", STRAY);
    let run = project.run(&["load"]).exits(0);
    let words = "3 cells hold a quote and do not begin with one: the quotes are part of their text (see strayQuotes)";
    assert!(run.stdout.contains(words), "{}", run.stdout);
    assert_eq!(stored(&project)[2], ["3", " \"z\"", "5'4\""]);
    assert_eq!(rejected(&project).len(), 1, "text behind a closing quote is no stray quote");
    let again = project.run(&["load", "--force", "--json"]).exits(0).json();
    assert_eq!(again["loads"][0]["stray_quotes"], 3, "{again}");
    let checked = project.run(&["check"]).exits(1).stdout;
    assert!(checked.contains(words), "{checked}");
}

#[test]
fn stray_quotes_are_rejected_where_the_dialect_says_so() {
    let project = project("{strayQuotes: reject}", STRAY);
    let (found, rejects) = outcome(&project);
    assert_eq!(found.iter().map(|row| row[0].clone()).collect::<Vec<_>>(), ["2", "5"]);
    let raws: Vec<&str> = rejects.iter().map(|(raw, _)| raw.as_str()).collect();
    assert_eq!(raws, ["1,6\" nail,a", "3, \"z\",5'4\"", "4,\"u\"v,c"]);
    let listed = project.run(&["rejects", "list"]).exits(0).stdout;
    assert!(listed.contains("a quote stands within cell 2, which does not begin with one"), "{listed}");
    assert!(!project.run(&["load", "--force", "--json"]).exits(0).stdout.contains("stray_quotes"));
}

#[test]
fn quotes_that_are_not_doubled_are_text_where_the_dialect_says_so() {
    let csv = "id,name,note\n1,\"6\" nail\",a\n2,\"\"Oar\",\"say \"\"x\"\"\"\n3,\"x\" y,b\nx,\"\"z\",c\n";
    for block in ["1", "100000"] {
        let project = project("{strayQuotes: literal}", csv);
        let run = project.run(&["load", "--block-bytes", block]).exits(0);
        assert!(run.stdout.contains("\n  3 cells hold a quote"), "{}", run.stdout);
        assert_eq!(stored(&project), [["1", "6\" nail", "a"], ["2", "\"Oar", "say \"x\""]]);
        let raws: Vec<String> = rejected(&project).into_iter().map(|(raw, _)| raw).collect();
        assert_eq!(raws, ["3,\"x\" y,b", "x,\"\"z\",c"]);
        project.run(&["verify"]).exits(0);
        // The cells of the last one are exported, and mended.
        let exported = project.run(&["rejects", "export"]).exits(0).stdout;
        project.write("mended.csv", exported.replace("\nx,", "\n4,"));
        project.run(&["rejects", "retry", "-q", "--from", "mended.csv"]).exits(0);
        assert_eq!(stored(&project)[2], ["4", "\"z", "c"]);
    }
}

#[test]
fn postgres_empty_cells_are_missing_only_without_quotes() {
    let csv = "1,,\"\"\n2,\"\",\n3,\"NULL\",NULL\nx,,\"\"\ny,\"\",\\N\n";
    let project = project("{header: false, quotedMissing: false, nullSequence: 'NULL'}", csv);
    let (found, rejects) = outcome(&project);
    assert_eq!(found, [["1", "null", ""], ["2", "", "null"], ["3", "NULL", "null"]]);
    assert_eq!(rejects.len(), 2);
    // A spreadsheet shows both alike. So in an export a missing value has its own form, and what is left alone stays what it was.
    let exported = project.run(&["rejects", "export"]).exits(0).stdout;
    assert!(exported.contains("\nx,\\N,,") && exported.contains("\ny,,\\\\N,"), "{exported}");
    project.write("mended.csv", exported.replace("\nx,", "\n4,").replace("\ny,", "\n5,"));
    project.run(&["rejects", "retry", "-q", "--from", "mended.csv"]).exits(0);
    assert_eq!(stored(&project)[3..], [["4", "null", ""], ["5", "", "\\N"]]);
}

#[test]
fn blanks_around_cells_are_no_part_of_them_where_the_dialect_says_so() {
    let csv = "id , name\t, note\n 1 , \tAnn Lee  , \" x \" \n2,\"\" \t,\t\n";
    let (found, rejects) = outcome(&project("{trim: true}", csv));
    assert_eq!(
        (found, rejects),
        (
            vec![["1", "Ann Lee", " x "].map(String::from).to_vec(), ["2", "null", "null"].map(String::from).to_vec()],
            vec![]
        )
    );
    let (found, _) = outcome(&project("{trim: true, quotedMissing: false}", csv));
    assert_eq!(found[1], ["2", "", "null"]);
}

#[test]
fn delimiters_may_have_several_characters() {
    for (delimiter, csv) in [
        ("||", "id||name||note\n1||a|b||\"c||d\"\n2|||x||y\n"),
        ("§", "id§name§note\n1§a|b§\"c||d\"\n2§|x§y\n"),
        (", ", "id, name, note\n1, a|b, \"c||d\"\n2, |x, y\n"),
        ("::=::", "id::=::name::=::note\n1::=::a|b::=::\"c||d\"\n2::=::|x::=::y\n"),
    ] {
        for block in ["1", "7", "100000"] {
            let project = project(&format!("{{delimiter: '{delimiter}'}}"), csv);
            project.run(&["load", "-q", "--block-bytes", block]).exits(0);
            assert_eq!(stored(&project), [["1", "a|b", "c||d"], ["2", "|x", "y"]], "{delimiter} {block}");
            project.run(&["verify"]).exits(0);
        }
    }
}

#[test]
fn a_header_that_no_field_is_named_after_is_passed_by() {
    for header in [",,", "name,name,name", "a\u{7}b,\"x\ny\",", "id", "1,2,3,4,5", &"long".repeat(50_000)] {
        let csv = format!("{header}\n1,a,b\n2,c\n");
        let project = project("{headerMatch: position}", &csv);
        let (found, rejects) = outcome(&project);
        assert_eq!(found, [["1", "a", "b"]], "{header:?}");
        assert_eq!(rejects, [("2,c".to_owned(), "missing-cell".to_owned())]);
        let exported = project.run(&["rejects", "export"]).exits(0).stdout;
        assert!(exported.starts_with("id,name,note,landfall_reject"), "{exported}");
    }
}
