//! Messy input: each kind has a defined result, only the bad record is lost to the load, and its bytes are kept.

use std::{
    io::{BufWriter, Write as _},
    process::Stdio,
};

use crate::support::{
    Project,
    audit::{number, rows},
    peak_memory, soak,
};
use rusqlite::types::Value;

/// Loads `csv` (with its header) into `people`, and tells its ids and the raw bytes and first code of each reject.
fn outcome(csv: impl AsRef<[u8]>, options: &[&str]) -> (Vec<i64>, Vec<(Vec<u8>, String)>) {
    let project = Project::people("");
    project.write("people.csv", csv);
    project.run(&[&["load", "-q"], options].concat()).exits(0);
    project.run(&["verify"]).exits(0);
    told(&project)
}

fn told(project: &Project) -> (Vec<i64>, Vec<(Vec<u8>, String)>) {
    let database = project.database();
    let ids = rows(&database, "SELECT id FROM people ORDER BY id").into_iter().map(|row| match row[0] {
        Value::Integer(id) => id,
        _ => panic!("{row:?}"),
    });
    let sql = "SELECT raw, errors ->> '$[0].code' FROM landfall_rejects ORDER BY record";
    let rejects = rows(&database, sql).into_iter().map(|row| match &row[..] {
        [Value::Blob(raw), Value::Text(code)] => (raw.clone(), code.clone()),
        _ => panic!("{row:?}"),
    });
    (ids.collect(), rejects.collect())
}

/// One bad record between two good ones is rejected with `code` and all its bytes, however the work is cut.
#[track_caller]
fn only_this_one(bad: impl AsRef<[u8]>, code: &str) {
    let bad = bad.as_ref();
    for line_end in [&b"\n"[..], b"\r\n"] {
        for options in [&[][..], &["--block-bytes", "64", "--threads", "4"]] {
            let csv = [b"id,name,age", &b"1,Ann,30"[..], bad, b"3,Eve,", b""].join(line_end);
            let (ids, rejects) = outcome(csv, options);
            assert_eq!(ids, [1, 3], "the neighbours of {:?}", String::from_utf8_lossy(bad));
            assert_eq!(rejects, [(bad.to_vec(), code.to_owned())]);
        }
    }
}

#[test]
fn one_bad_record_costs_one_record() {
    only_this_one("2,Bob", "missing-cell");
    only_this_one("2,Bob,1,2,3", "extra-cell");
    only_this_one("", "blank-row");
    only_this_one(",,", "blank-row");
    only_this_one("2,\"Bob,1", "source-error");
    only_this_one("\"2,Bob,1", "source-error");
    only_this_one("2,\"Bob\"by,1", "source-error");
    only_this_one("2,\"B\"o\"b\",1", "source-error");
    only_this_one(b"2,\xff\xfe,1", "encoding-error");
    only_this_one(b"2,\xed\xa0\x80,1", "encoding-error");
    only_this_one(b"2,cut\xe6\xbc,1", "encoding-error");
}

#[test]
fn a_quote_within_a_plain_cell_is_text() {
    let (ids, rejects) = outcome("id,name,age\n1,O\"Hara,1\n2,6\" nail,2\n3,\"\",\n", &[]);
    assert_eq!((ids, rejects.len()), (vec![1, 2], 1), "an empty quoted name is missing");
}

#[test]
fn nul_is_kept_or_rejected_and_never_cut_off() {
    let csv = b"id,name,age\n1,a\0b,1\n2,Bob,2\n3,c,\0\n";
    let (ids, rejects) = outcome(csv, &[]);
    assert!(ids.contains(&2) && ids.len() + rejects.len() == 3);
    let project = Project::people("");
    project.write("people.csv", csv);
    project.run(&["load", "-q"]).exits(0);
    if ids.contains(&1) {
        assert_eq!(number(&project.database(), "SELECT length(CAST(name AS BLOB)) FROM people WHERE id = 1"), 3);
    } else {
        assert_eq!(rejects[0].0, b"1,a\0b,1");
    }
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_cell() {
    let (ids, rejects) = outcome("\u{feff}id,name,age\n1,Ann,\n", &[]);
    assert_eq!((ids, rejects), (vec![1], vec![]));
    let (ids, rejects) = outcome("\u{feff}\"id\",name,age\n1,\u{feff}Ann,\n", &["--block-bytes", "1"]);
    assert_eq!((ids, rejects), (vec![1], vec![]));
}

#[test]
fn line_ends_may_be_mixed_and_the_last_may_be_missing() {
    let (ids, rejects) = outcome("id,name,age\r\n1,Ann,1\n2,Bob,2\r\n3,Eve,3", &["--block-bytes", "3"]);
    assert_eq!((ids, rejects), (vec![1, 2, 3], vec![]));
    let (ids, rejects) = outcome("id,name,age\n1,Ann,1\n2,\"Bob", &[]);
    assert_eq!((ids, rejects), (vec![1], vec![(b"2,\"Bob".to_vec(), "source-error".to_owned())]));
}

#[test]
fn a_file_without_records_is_a_load_of_none() {
    for text in ["id,name,age\n", "id,name,age", "\u{feff}id,name,age\r\n"] {
        let project = Project::people("");
        project.write("people.csv", text);
        assert_eq!(project.run(&["load", "--json"]).exits(0).counts("people"), [0; 5], "{text:?}");
        project.run(&["verify"]).exits(0);
    }
}

#[test]
fn an_empty_file_has_no_header_and_is_told_so() {
    for text in ["", "\u{feff}"] {
        let project = Project::people("");
        project.write("people.csv", text);
        let run = project.run(&["load", "--json"]);
        if run.code == 0 {
            assert_eq!(run.counts("people"), [0; 5]);
        } else {
            let error = run.fails(4);
            assert!(error.contains("people.csv") && error.contains("header"), "{error}");
        }
    }
    let project = Project::example();
    project.write("data/departments.csv", "");
    assert_eq!(project.run(&["load", "departments", "--json"]).exits(0).counts("departments"), [0; 5]);
}

#[test]
fn a_header_that_contradicts_the_schema_is_an_error_and_not_a_row() {
    for header in ["id,nmae,age", "name,id,age", "id,name", "id,name,age,more", "1,Ann,30", "id;name;age"] {
        let project = Project::people("");
        project.write("people.csv", format!("{header}\n1,Ann,30\n"));
        let error = project.run(&["load"]).fails(4);
        assert!(error.contains("people.csv") && error.contains("header"), "{header}: {error}");
        assert_eq!(project.run(&["check"]).fails(4), error);
        project.write("people.csv", "id,name,age\n1,Ann,30\n");
        assert_eq!(project.run(&["load", "--json"]).exits(0).counts("people"), [1, 1, 0, 0, 0]);
    }
}

#[test]
fn ten_thousand_columns_are_one_reject() {
    let wide = format!("2,Bob,1{}", ",x".repeat(10_000));
    only_this_one(&wide, "extra-cell");
}

#[test]
fn a_record_longer_than_allowed_is_one_reject_with_all_its_bytes() {
    let long = format!("2,{},1", "x".repeat(5000));
    let quoted = format!("2,\"{}\",1", "two\nlines,".repeat(500));
    for bad in [&long, &quoted] {
        let csv = format!("id,name,age\n1,Ann,30\n{bad}\n3,Eve,\n");
        for block in ["64", "1000", "65536"] {
            let options = ["--max-record-bytes", "1000", "--block-bytes", block];
            let (ids, rejects) = outcome(&csv, &options);
            if *bad == long {
                assert_eq!((ids, rejects.len()), (vec![1, 3], 1), "{block}");
                assert!(rejects[0] == (bad.as_bytes().to_vec(), "record-too-long".into()), "{block}");
            } else {
                assert!(ids.starts_with(&[1]) && ids.ends_with(&[3]), "{block}: {ids:?}");
                let kept: Vec<u8> = rejects.iter().flat_map(|(raw, _)| [raw.as_slice(), b"\n"].concat()).collect();
                assert_eq!(String::from_utf8(kept).unwrap(), format!("{bad}\n"), "every byte is in the quarantine");
            }
        }
    }
}

#[test]
fn a_quote_that_is_never_closed_does_not_swallow_the_file() {
    let rest: String = (3..5000).map(|id| format!("{id},Name {id},30\n")).collect();
    let csv = format!("id,name,age\n1,Ann,30\n2,\"Bob,30\n{rest}");
    for options in [&[][..], &["--block-bytes", "64"], &["--max-record-bytes", "2000"]] {
        let (ids, rejects) = outcome(&csv, options);
        assert_eq!((ids.len(), rejects), (4998, vec![(b"2,\"Bob,30".to_vec(), "source-error".to_owned())]));
    }
}

#[test]
fn a_huge_field_is_one_reject_in_bounded_memory_and_space() {
    let mebibytes: usize = if soak() { 1024 } else { 64 };
    let project = Project::people("");
    let mut file = BufWriter::new(std::fs::File::create(project.path().join("people.csv")).unwrap());
    file.write_all(b"id,name,age\n1,Ann,30\n2,").unwrap();
    for part in 0..mebibytes {
        file.write_all(&vec![b'a' + u8::try_from(part % 26).unwrap(); 1 << 20]).unwrap();
    }
    file.write_all(b",30\n3,Eve,\n").unwrap();
    drop(file);
    let length = (mebibytes << 20) + 5;
    for (arguments, exit) in [
        (&["check", "--json", "--threads", "8"][..], 1),
        (&["load", "--json"], 0),
        (&["verify"], 0),
        (&["rejects", "list", "--json"], 0),
        (&["rejects", "export"], 0),
        (&["rejects", "retry"], 0),
    ] {
        match peak_memory(project.command(arguments), exit) {
            Some(peak) => assert!(peak < 256, "{arguments:?} held {peak} MiB"),
            None => eprintln!("not measured: there is no /proc"),
        }
    }
    let database = project.database();
    assert_eq!(number(&database, "SELECT count(*) FROM people"), 2);
    assert_eq!(number(&database, "SELECT length FROM landfall_rejects"), length as u64);
    let parts = "SELECT sum(length(bytes)) FROM (SELECT raw AS bytes FROM landfall_rejects
                 UNION ALL SELECT bytes FROM landfall_reject_parts)";
    // Of a record that is longer, 16 MiB are kept, and the length and digest of all.
    let kept = length.min(16 << 20);
    assert_eq!(number(&database, parts), kept as u64);
    let mut child = project.command(&["rejects", "show", "1", "--raw"]).stdout(Stdio::piped()).spawn().unwrap();
    let shown = child.stdout.take().unwrap();
    let file = std::fs::File::open(project.path().join("people.csv")).unwrap();
    assert!(same_bytes(shown, file, 21, kept), "the quarantine has the bytes of the source");
    assert!(child.wait().unwrap().success());
}

/// Whether `left` is just the `length` bytes of `right` from `skip`.
fn same_bytes(left: impl std::io::Read, mut right: impl std::io::Read, skip: u64, length: usize) -> bool {
    std::io::copy(&mut std::io::Read::take(&mut right, skip), &mut std::io::sink()).unwrap();
    let mut left = std::io::BufReader::with_capacity(1 << 20, left);
    let mut right = std::io::BufReader::with_capacity(1 << 20, right);
    let mut compared = 0;
    loop {
        use std::io::BufRead as _;
        let (a, b) = (left.fill_buf().unwrap(), right.fill_buf().unwrap());
        let most = a.len().min(b.len());
        if most == 0 {
            return compared == length;
        }
        if a[..most] != b[..most] {
            return false;
        }
        compared += most;
        left.consume(most);
        right.consume(most);
    }
}

#[test]
fn a_load_that_goes_on_with_another_limit_begins_afresh() {
    let project = Project::people(&format!("1,,1\n2,{},2\n3,,3\n4,Eve,\n", "x".repeat(2000)));
    let limit = ["--max-record-bytes", "1000", "--chunk-records", "1", "--block-bytes", "64"];
    project.run(&[&["load", "-q", "--max-rejects", "2"], &limit[..]].concat()).exits(10);
    project.assert_nothing_wrong();
    project.run(&["load", "-q"]).exits(0);
    assert_eq!(told(&project).0, [2, 4]);
    project.assert_nothing_wrong();
}
