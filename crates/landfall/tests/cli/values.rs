//! Values that another reading would change: signs, groups, missing values, and times that occur twice.

use crate::support::{Project, audit::rows, random::Random};
use rusqlite::types::Value;

/// A project with one table `t`, whose fields and dialect are given, and its file.
fn project(dialect: &str, fields: &str, csv: impl AsRef<[u8]>) -> Project {
    let project = Project::empty();
    project.write(
        "datapackage.yaml",
        format!("resources:\n  - {{name: t, path: t.csv, dialect: {dialect}, schema: {{fields: [{fields}]}}}}\n"),
    );
    project.write("t.csv", csv);
    project
}

/// Loads, and gives the values of the rows as text, and the raw bytes of the rejects.
fn outcome(project: &Project) -> (Vec<Vec<String>>, Vec<String>) {
    project.run(&["load", "-q"]).exits(0);
    project.run(&["verify"]).exits(0);
    let database = project.database();
    let text = |value: &Value| match value {
        Value::Null => "null".to_owned(),
        Value::Integer(value) => value.to_string(),
        Value::Text(text) => text.clone(),
        other => panic!("{other:?}"),
    };
    let found = rows(&database, "SELECT * FROM t ORDER BY rowid");
    let rejects = rows(&database, "SELECT CAST(raw AS TEXT) FROM landfall_rejects ORDER BY record");
    (
        found.iter().map(|row| row.iter().map(text).collect()).collect(),
        rejects.iter().map(|row| text(&row[0])).collect(),
    )
}

const TWO_INTEGERS: &str = "{name: a, type: integer}, {name: b, type: integer}";

#[test]
fn a_header_behind_comments_is_held_against_the_dictionary() {
    for start in ["# x\n", "\u{feff}# x\n# y\n", "# x\r\n\r\n", "\n\n", "#\n"] {
        let swapped = project("{commentChar: '#'}", TWO_INTEGERS, format!("{start}b,a\n1,2\n"));
        let error = swapped.run(&["load"]).exits(4).stderr;
        assert!(error.contains("incorrect-label: column 1 is \"b\" and not \"a\""), "{start:?}: {error}");
        let texts = "{name: a, type: string}, {name: b, type: string}";
        let sound = project("{commentChar: '#'}", texts, format!("{start}a,b\n1,2\n# z\n3,4\n"));
        let expected = [["1", "2"], ["3", "4"]].map(|row| row.map(String::from).to_vec()).to_vec();
        assert_eq!(outcome(&sound), (expected, Vec::new()), "{start:?}");
    }
}

#[test]
fn signs_scales_and_groups_around_numbers_are_not_lost() {
    let fields =
        "{name: n, type: number, bareNumber: false, groupChar: ','}, {name: i, type: integer, bareNumber: false}";
    let csv = "n;i\n(2.00);1\n3.00-;1\n\u{2212}5;1\n12.5 k;1\n1,5;1\n€-1,234.50;95%\n-$5;-7 EUR\n5;(3)\n";
    let (found, rejects) = outcome(&project("{delimiter: ';'}", fields, csv));
    assert_eq!(found, [["-1234.50", "95"], ["-5", "-7"]]);
    assert_eq!(rejects, ["(2.00);1", "3.00-;1", "\u{2212}5;1", "12.5 k;1", "1,5;1", "5;(3)"]);
}

#[test]
fn zeros_behind_a_whole_number_are_taken_where_the_dictionary_says_so() {
    let csv = "a,b\n8.0,8\n8,8.0\n8.5,8\n";
    let (found, rejects) =
        outcome(&project("{}", "{name: a, type: integer, decimals: zero}, {name: b, type: integer}", csv));
    assert_eq!((found, rejects), (vec![vec!["8".into(), "8".into()]], vec!["8,8.0".into(), "8.5,8".into()]));
}

#[test]
fn an_hour_that_occurs_twice_is_told_apart_by_its_offset_or_by_the_dictionary() {
    let fields = |ambiguous: &str| {
        format!("{{name: at, type: datetime, format: '%d.%m.%Y %H:%M', timezone: Europe/Berlin{ambiguous}}}")
    };
    let csv = "at\n31.10.2021 02:30\n31.10.2021 02:30+02:00\n31.10.2021 02:30 +01:00\n28.03.2021 02:30\n";
    let given = ["2021-10-31T00:30:00Z", "2021-10-31T01:30:00Z"];
    for (ambiguous, read) in
        [("", None), (", ambiguous: earlier", Some(given[0])), (", ambiguous: later", Some(given[1]))]
    {
        let project = project("{}", &fields(ambiguous), csv);
        let (found, rejects) = outcome(&project);
        assert_eq!(found.concat(), read.into_iter().chain(given).collect::<Vec<_>>(), "{ambiguous}");
        let twice = read.is_none().then_some("31.10.2021 02:30");
        assert_eq!(rejects, twice.into_iter().chain(["28.03.2021 02:30"]).collect::<Vec<_>>(), "{ambiguous}");
        // A backup brings each of them back, whichever the dictionary means.
        let before = crate::support::audit::content(&project, "t");
        project.run(&["backup", "-q"]).exits(0);
        project.run(&["restore", "t", "-q"]).exits(0);
        assert_eq!(crate::support::audit::content(&project, "t"), before, "{ambiguous}");
    }
}

#[test]
fn what_mysql_writes_into_an_outfile_is_read_as_it_was() {
    let fields = "{name: a, type: string}, {name: b, type: string}, {name: c, type: integer}";
    let csv = "x\\ty\tl\\nm\t\\N\n\\N\ta\\\nb\t1\nC:\\\\N\tq\\\"r\\0\t2\n\\\\N\ta\\Nb\\Z\\b\\r\t3\nt\\\tu\t\\N\t4\n\"\\N\"\tz\t5\n";
    let dialect = r#"{delimiter: "\t", header: false, escapeChar: '\', nullSequence: '\N'}"#;
    let (found, rejects) = outcome(&project(dialect, fields, csv));
    let expected: [[&str; 3]; 5] = [
        ["x\ty", "l\nm", "null"],
        ["null", "a\nb", "1"],
        ["\\N", "aNb\u{1a}\u{8}\r", "3"],
        ["t\tu", "null", "4"],
        ["N", "z", "5"],
    ];
    assert_eq!(found, expected);
    assert_eq!(rejects, ["C:\\\\N\tq\\\"r\\0\t2"], "a NUL character is stored by no database");
    // Without the null sequence, an escape character takes the meaning from the next one, as the standard says.
    let plain = project(r#"{delimiter: "\t", header: false, escapeChar: '\'}"#, fields, "x\\ty\t\\N\t1\n");
    assert_eq!(outcome(&plain).0, [["xty", "N", "1"]]);
}

#[test]
fn a_missing_value_of_mysql_is_exported_mended_and_refused_as_one() {
    let fields = "{name: a, type: string, constraints: {required: true}}, {name: b, type: integer}";
    let dialect = r#"{delimiter: "\t", header: false, escapeChar: '\', nullSequence: '\N'}"#;
    let project = project(dialect, fields, "\\N\t1\nx\t\\N\ny\tz\n");
    assert_eq!(outcome(&project).1.len(), 2);
    let exported = project.run(&["rejects", "export"]).exits(0).stdout;
    assert!(exported.contains("\n\\N,1,1,") && exported.contains("the value is missing"), "{exported}");
    project.write("mended.csv", exported.replace("y,z,", "y,\\N,"));
    project.run(&["rejects", "retry", "--from", "mended.csv"]).exits(0);
    assert_eq!(rows(&project.database(), "SELECT * FROM t WHERE a = 'y' AND b IS NULL").len(), 1);
}

/// `text` as MySQL writes it into an OUTFILE.
fn outfile(text: Option<&str>) -> String {
    let Some(text) = text else { return "\\N".into() };
    let escaped = text.replace('\\', "\\\\").replace('\t', "\\\t").replace('\n', "\\\n");
    escaped.replace('"', "\\\"")
}

#[test]
fn the_text_of_a_missing_value_of_mysql_became_one_when_its_reject_was_mended() {
    let fields = "{name: a, type: string}, {name: b, type: string}, {name: n, type: integer}";
    let dialect = r#"{delimiter: "\t", header: false, escapeChar: '\', nullSequence: '\N'}"#;
    let mut random = Random::new(11);
    let parts = ["\\", "\\", "N", "N", "n", "x", ",", "\"", "\t", "\n", " ", ";", "é"];
    let mut texts: Vec<Option<String>> =
        ["\\N", "\\\\N", "\\\\\\N", "C:\\Next", "N"].map(|text| Some(text.to_owned())).to_vec();
    texts.push(None);
    for _ in 0..200 {
        let length = 1 + random.below(5);
        texts.push(Some((0..length).map(|_| parts[random.below(parts.len() as u64) as usize]).collect()));
    }
    let csv: String = texts.iter().map(|text| format!("{}\tb\tmuch\n", outfile(text.as_deref()))).collect();
    let project = project(dialect, fields, csv);
    assert_eq!(outcome(&project).1.len(), texts.len());
    let exported = project.run(&["rejects", "export"]).exits(0).stdout;
    project.write("mended.csv", exported.replace(",b,much,", ",b,1,"));
    project.run(&["rejects", "retry", "-q", "--from", "mended.csv"]).exits(0);
    let expected: Vec<Vec<Value>> = texts.into_iter().map(|text| vec![text.map_or(Value::Null, Value::Text)]).collect();
    assert_eq!(rows(&project.database(), "SELECT a FROM t WHERE n = 1 ORDER BY rowid"), expected);
    project.assert_nothing_wrong();
}

#[test]
fn tables_whose_names_avro_takes_for_types_come_back_from_a_backup() {
    for name in ["null", "string", "record", "union"] {
        let project = Project::empty();
        let field = format!("{{name: {name}, type: string}}");
        let package = format!("resources:\n  - {{name: \"{name}\", path: t.csv, schema: {{fields: [{field}]}}}}\n");
        project.write("datapackage.yaml", package.replace("name: null", "name: \"null\""));
        project.write("t.csv", format!("{name}\nx\n"));
        project.run(&["load", "-q"]).exits(0);
        project.run(&["backup", "-q"]).exits(0);
        project.run(&["backups", "verify", "latest"]).exits(0);
        project.database().execute_batch(&format!("DELETE FROM \"{name}\"")).unwrap();
        project.run(&["restore", name, "-q"]).exits(0);
        assert_eq!(rows(&project.database(), &format!("SELECT * FROM \"{name}\"")).len(), 1, "{name}");
    }
}

#[test]
fn init_reads_comments_before_a_header_and_what_mysql_writes() {
    let project = Project::empty();
    project.write("people.csv", "# made by hand\n# \"twice\n\nid,name\n1,Al\n2,Bo\n");
    project.write("outfile.tsv", "1\tx\\\ty\n2\t\\N\n3\tz\n");
    project.run(&["init", "."]).exits(0);
    let package = project.read("datapackage.yaml");
    assert!(package.contains("headerRows: [4]") && package.contains("nullSequence:"), "{package}");
    project.run(&["load", "-q"]).exits(0);
    let found = rows(&project.database(), "SELECT id, name FROM people ORDER BY id");
    assert_eq!(found[0], [Value::Integer(1), Value::Text("Al".into())]);
    let found = rows(&project.database(), "SELECT * FROM outfile ORDER BY 1");
    assert_eq!((&found[0][1], &found[1][1]), (&Value::Text("x\ty".into()), &Value::Null));
}

#[test]
fn a_long_reject_keeps_so_many_bytes_and_says_so() {
    let project = Project::people(&format!("1,Ann,1\n2,{},x\n3,{},3\n4,Eve,4\n", "b".repeat(5000), "c".repeat(20_000)));
    let options = ["load", "-q", "--max-record-bytes", "10000", "--max-rejected-record-bytes", "1000"];
    project.run(&options).exits(0);
    project.run(&["verify"]).exits(0);
    let kept = rows(&project.database(), "SELECT length, length(raw) FROM landfall_rejects ORDER BY record");
    assert_eq!(kept, [[5004, 1000], [20_004, 1000]].map(|row| row.map(Value::Integer).to_vec()));
    for (id, record) in [(1, format!("2,{},x", "b".repeat(5000))), (2, format!("3,{},3", "c".repeat(20_000)))] {
        let shown = project.run(&["rejects", "show", &id.to_string()]).exits(0).stdout;
        let digest = blake3::hash(record.as_bytes());
        assert!(
            shown.contains(&format!("BLAKE3 of all: {digest}")) && shown.contains("keeps the first 1000 of its"),
            "{shown}"
        );
    }
    let listed = project.run(&["rejects", "list", "--json"]).exits(0).stdout;
    assert!(listed.contains("\"raw_length\":20004") && listed.contains("BLAKE3 of all"), "{listed}");
    let exported = project.run(&["rejects", "export"]).exits(0).stdout;
    assert!(exported.contains("BLAKE3 of all"), "{exported}");
    project.run(&["rejects", "retry"]).exits(0);
    assert_eq!(rows(&project.database(), "SELECT * FROM landfall_rejects WHERE state = 'open'").len(), 2);
}
