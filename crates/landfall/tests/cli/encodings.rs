//! Files in the encodings of East Asia and the code pages of DOS: the bytes that look like delimiters, what is malformed, and the
//! places that are told.

use crate::support::{Project, audit::rows};
use rusqlite::types::Value;

fn project(encoding: &str, dialect: &str, csv: &[u8]) -> Project {
    let project = Project::empty();
    project.write(
        "datapackage.yaml",
        format!(
            "resources:\n  - name: t\n    path: t.csv\n    encoding: {encoding}\n    dialect: {dialect}\n    schema: \
             {{fields: [{{name: id, type: integer}}, {{name: name, type: string}}]}}\n"
        ),
    );
    project.write("t.csv", csv);
    project
}

fn names(project: &Project) -> Vec<String> {
    let text = |row: Vec<Value>| match &row[0] {
        Value::Text(text) => text.clone(),
        other => panic!("{other:?}"),
    };
    rows(&project.database(), "SELECT name FROM t ORDER BY id").into_iter().map(text).collect()
}

/// Ids and names in each encoding, where a second byte of a character is that of `\`, `|` or a letter.
const FILES: [(&str, &[u8], [&str; 2]); 8] = [
    ("shift_jis", b"id,name\n1,\x83\x5C\x95\x5C\xB1\n2,\"\x83\x7C,\"\"\x94\x5C\"\n", ["ソ表ｱ", "ポ,\"能"]),
    ("cp932", b"id,name\n1,\x87\x40\n2,\xFB\xFC\n", ["①", "髙"]),
    ("euc-jp", b"id,name\n1,\xC9\xBD\x8E\xB1\n2,\x8F\xB0\xA1\n", ["表ｱ", "丂"]),
    ("gb18030", b"id,name\n1,\x81\x30\x81\x30\xD6\xD0\n2,\x84\x5C\n", ["\u{80}中", "刓"]),
    ("gbk", b"id,name\n1,\xD6\xD0\x81\x7C\n2,\x80\n", ["中亅", "€"]),
    ("cp949", b"id,name\n1,\xB0\xA1\x81\x41\n2,\xC7\xD1\n", ["가갂", "한"]),
    ("big5", b"id,name\n1,\xA4\x40\xB3\x5C\n2,\x88\x62\n", ["一許", "Ê\u{304}"]),
    ("cp850", b"id,name\n1,M\x81ller\n2,\xD5\xF3\n", ["Müller", "ı¾"]),
];

#[test]
fn characters_are_read_before_cells_are_cut() {
    for (encoding, csv, expected) in FILES {
        for block in ["1", "5", "100000"] {
            let project = project(encoding, "{}", csv);
            project.run(&["load", "-q", "--block-bytes", block]).exits(0);
            assert_eq!(names(&project), expected, "{encoding} {block}");
            project.run(&["verify"]).exits(0);
        }
    }
}

#[test]
fn malformed_bytes_are_rejected_with_their_place_and_nothing_becomes_another_character() {
    // A first byte without its second stands before a line end, a delimiter and a quote.
    let csv = b"id,name\n1,\x95\x5C\n2,a\x95\n3,\x95,x\n4,\"\x95\"\n5,\x85\x7F\n6,\xFF\n7,\x83\x5C\n";
    for block in ["1", "9", "100000"] {
        let project = project("shift_jis", "{}", csv);
        project.run(&["load", "-q", "--block-bytes", block]).exits(0);
        assert_eq!(names(&project), ["表", "ソ"], "{block}");
        let sql = "SELECT line, byte_offset, raw, errors ->> '$[0].code' FROM landfall_rejects ORDER BY record";
        let mut offset = 13;
        for (row, raw) in rows(&project.database(), sql).into_iter().zip([
            &b"2,a\x95"[..],
            b"3,\x95,x",
            b"4,\"\x95\"",
            b"5,\x85\x7F",
            b"6,\xFF",
        ]) {
            assert_eq!(row[1], Value::Integer(offset), "{row:?}");
            assert_eq!((&row[2], &row[3]), (&Value::Blob(raw.to_vec()), &Value::Text("encoding-error".into())));
            offset += raw.len() as i64 + 1;
        }
        project.run(&["verify"]).exits(0);
    }
}

#[test]
fn a_load_that_was_stopped_goes_on_at_a_character() {
    let lines: Vec<u8> =
        (1..=400).flat_map(|id| [format!("{id},").as_bytes(), b"\x95\x5C\x83\x7C\n"].concat()).collect();
    let csv = [b"id,name\nx,\x95\x5C\n", &lines[..], b"y,\x83\x5C\n", b"401,\x83\x5C\n"].concat();
    let project = project("shift_jis", "{}", &csv);
    project.run(&["load", "-q", "--max-rejects", "0", "--block-bytes", "64"]).exits(10);
    let before = names(&project).len();
    project.run(&["load", "-q", "--max-rejects", "5", "--block-bytes", "50"]).exits(0);
    let names = names(&project);
    assert!(before < names.len() && names[..400].iter().all(|name| name == "表ポ"), "{before}");
    assert_eq!((names.len(), names[400].as_str()), (401, "ソ"));
    project.run(&["verify"]).exits(0);
}

#[test]
fn a_reject_in_such_an_encoding_is_exported_and_mended() {
    let project = project("shift_jis", "{}", b"id,name\nx,\x95\x5C\n2,\x83\x5C\n");
    project.run(&["load", "-q"]).exits(0);
    let exported = project.run(&["rejects", "export"]).exits(0).stdout;
    assert!(exported.contains("\nx,表,"), "{exported}");
    project.write("mended.csv", exported.replace("\nx,", "\n1,"));
    project.run(&["rejects", "retry", "-q", "--from", "mended.csv"]).exits(0);
    assert_eq!(names(&project), ["表", "ソ"]);
}

#[test]
fn a_long_delimiter_beyond_ascii_is_found_in_every_encoding() {
    for (encoding, csv) in [
        ("utf-8", "id、name\n1、a,b\n".as_bytes().to_vec()),
        ("shift_jis", b"id\x81\x41name\n1\x81\x41a,b\n".to_vec()),
        ("gb18030", b"id\xA1\xA2name\n1\xA1\xA2a,b\n".to_vec()),
        ("utf-16le", "id、name\n1、a,b\n".encode_utf16().flat_map(u16::to_le_bytes).collect()),
    ] {
        let project = project(encoding, "{delimiter: '、'}", &csv);
        project.run(&["load", "-q"]).exits(0);
        assert_eq!(names(&project), ["a,b"], "{encoding}");
    }
}

#[test]
fn an_encoding_that_is_not_read_is_refused_with_the_command_that_converts() {
    let refused = project("iso-2022-jp", "{}", b"id,name\n").run(&["load"]).exits(3).stderr;
    assert!(refused.contains("iconv -f iso-2022-jp -t UTF-8 old.csv > new.csv"), "{refused}");
}
