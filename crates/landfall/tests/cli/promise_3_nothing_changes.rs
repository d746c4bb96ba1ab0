//! Promise 3: what goes in comes out byte for byte, or it is a reject that keeps the record's bytes.

use crate::support::{Project, audit::rows, conformance_folder};
use rusqlite::types::Value;

/// One table `t` with an id and fields as given; CSV with a header.
fn project(fields: &str, csv: impl AsRef<[u8]>) -> Project {
    table("", fields, csv)
}

fn table(also: &str, fields: &str, csv: impl AsRef<[u8]>) -> Project {
    let project = Project::empty();
    let package = format!(
        "resources:\n  - name: t\n    path: t.csv\n{also}    schema:\n      fields:\n        - {{name: id, type: integer}}\n{fields}      primaryKey: [id]\n"
    );
    project.write("datapackage.yaml", package);
    project.write("t.csv", csv);
    project
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// Writes a report over the table.
fn report(project: &Project, format: &str) -> String {
    project.write("landfall.yaml", "reports: {all: {sql: all.sql}}\n");
    project.write("all.sql", "SELECT id, v FROM t ORDER BY id");
    project.run(&["report", "all", "--format", format]).exits(0).stdout
}

#[test]
fn naughty_strings_come_out_as_they_went_in() {
    let Some(folder) = conformance_folder() else { return };
    let text = std::fs::read_to_string(folder.join("conformance/strings/blns.json")).unwrap();
    let strings: Vec<String> = serde_json::from_str(&text).unwrap();
    assert!(strings.len() > 400);
    let csv: String = strings.iter().enumerate().map(|(id, text)| format!("{id},{}\n", quoted(text))).collect();
    // An empty cell is a missing value, unless the dictionary says that none is.
    let project = project("        - {name: v, type: string, missingValues: []}\n", format!("id,v\n{csv}"));
    let counts = project.run(&["load", "--json", "--block-bytes", "100"]).exits(0).counts("t");
    let all = strings.len() as u64;
    assert_eq!(counts, [all, all, 0, 0, 0]);
    let stored = rows(&project.database(), "SELECT v FROM t ORDER BY id");
    for (stored, text) in stored.iter().zip(&strings) {
        assert_eq!(stored[0], Value::Text(text.clone()));
    }
    let rows: Vec<serde_json::Value> = serde_json::from_str(&report(&project, "json")).unwrap();
    for (row, text) in rows.iter().zip(&strings) {
        assert_eq!(row["v"], **text);
    }
    let out = report(&project, "csv");
    let again = crate::support::audit::cells(&out);
    assert_eq!(again.len(), strings.len() + 1);
    for (row, text) in again[1..].iter().zip(&strings) {
        assert_eq!(row[1], *text);
    }
}

#[test]
fn rejects_keep_their_bytes_whatever_they_are() {
    let records: [&[u8]; 7] = [
        b"x,\xff\xfe\x80 not utf-8",
        b"x,nul \0 within",
        b"x,\"two\r\nlines, and a \"\"quote\"\"\"",
        b"x, blanks \t stay ",
        b"x,\"wrong\" quote",
        b"x,one,two,three",
        "x,\u{feff}\u{202e}zero\u{200b}width".as_bytes(),
    ];
    let csv = [b"id,v\r\n".to_vec(), records.join(&b"\r\n"[..]), b"\r\n1,good\r\n".to_vec()].concat();
    let project = project("        - {name: v, type: string}\n", csv);
    assert_eq!(project.run(&["load", "--json"]).exits(0).counts("t"), [8, 1, 0, 0, 7]);
    let stored = rows(&project.database(), "SELECT raw, length FROM landfall_rejects ORDER BY record");
    for (at, (stored, raw)) in stored.iter().zip(records).enumerate() {
        assert_eq!(stored[0], Value::Blob(raw.to_vec()), "record {at}");
        assert_eq!(stored[1], Value::Integer(raw.len() as i64));
    }
    let output = project.command(&["rejects", "show", "1", "--raw"]).output().unwrap();
    assert_eq!(output.stdout, records[0]);
}

#[test]
fn rejects_of_utf_16_keep_the_bytes_of_the_source() {
    let encode = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let csv = [b"\xff\xfe".to_vec(), encode("id,v\nx,häß\n1,größer 漢字\n")].concat();
    let project = table("    encoding: utf-16\n", "        - {name: v, type: string}\n", csv);
    assert_eq!(project.run(&["load", "--json"]).exits(0).counts("t"), [2, 1, 0, 0, 1]);
    let database = project.database();
    assert_eq!(rows(&database, "SELECT v FROM t"), [[Value::Text("größer 漢字".into())]]);
    assert_eq!(rows(&database, "SELECT raw FROM landfall_rejects"), [[Value::Blob(encode("x,häß"))]]);
    assert_eq!(rows(&database, "SELECT byte_offset FROM landfall_rejects"), [[Value::Integer(12)]]);
}

#[test]
fn decimals_keep_every_digit() {
    let numbers = [
        "9007199254740993",
        "0.1",
        "0.10",
        "1.000000000000000000000",
        "123456789012345678901234567890.123456789012345678901234567890",
        "-0.00000000000000000000000000000000000001",
        "100",
        "79228162514264337593543950336",
    ];
    let csv: String = numbers.iter().enumerate().map(|(id, text)| format!("{id},{text}\n")).collect();
    let project = project("        - {name: v, type: number}\n", format!("id,v\n{csv}"));
    assert_eq!(project.run(&["load", "--json"]).exits(0).counts("t")[1], numbers.len() as u64);
    let digits = |text: &str| {
        let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text };
        text.to_owned()
    };
    let stored = rows(&project.database(), "SELECT v FROM t ORDER BY id");
    for (stored, text) in stored.iter().zip(numbers) {
        let Value::Text(held) = &stored[0] else { panic!("{stored:?} is not text") };
        assert_eq!(digits(held), digits(text), "{held}");
    }
    let out = report(&project, "csv");
    for text in numbers {
        assert!(out.contains(&digits(text)), "{text} in {out}");
    }
}

#[test]
fn integers_beyond_64_bits_are_rejects() {
    let csv = "id,v\n1,9223372036854775807\n2,-9223372036854775808\n3,9223372036854775808\n4,-9223372036854775809\n5,18446744073709551616\n6,99999999999999999999999999999999999999999\n";
    let project = project("        - {name: v, type: integer}\n", csv);
    assert_eq!(project.run(&["load", "--json"]).exits(0).counts("t"), [6, 2, 0, 0, 4]);
    let stored = rows(&project.database(), "SELECT v FROM t ORDER BY id");
    assert_eq!(stored, [[Value::Integer(i64::MAX)], [Value::Integer(i64::MIN)]]);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&report(&project, "json")).unwrap();
    assert_eq!(rows[0]["v"].to_string(), "9223372036854775807");
}

#[test]
fn text_is_not_trimmed_padded_or_taken_for_a_number() {
    let texts = ["007", "1e5", " x ", "\t", "TRUE", "NaN", "0x1F", "1.0", "+1", "2021-01-01", "'", "\\N", "NULL", "-"];
    let csv: String = texts.iter().enumerate().map(|(id, text)| format!("{id},{text}\n")).collect();
    let project = project("        - {name: v, type: string}\n", format!("id,v\n{csv}"));
    project.run(&["load", "-q"]).exits(0);
    let stored = rows(&project.database(), "SELECT v, typeof(v) FROM t ORDER BY id");
    let expected = texts.map(|text| vec![Value::Text(text.into()), Value::Text("text".into())]);
    assert_eq!(stored, expected);
}

#[test]
fn missing_is_null_and_never_a_default() {
    let fields =
        "        - {name: v, type: string}\n        - {name: n, type: number}\n        - {name: d, type: date}\n";
    let project = project(fields, "id,v,n,d\n1,,,\n");
    project.run(&["load", "-q"]).exits(0);
    let stored = rows(&project.database(), "SELECT v, n, d FROM t");
    assert_eq!(stored, [[Value::Null, Value::Null, Value::Null]]);
}
