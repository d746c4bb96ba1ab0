//! Avro files that claim much, or become much: what a restore of them holds at most.

use std::io::Write as _;

use crate::support::{Project, measured};

/// The most memory of a command, in MiB.
const MOST: u64 = 256;

const MIB: usize = 1 << 20;

const SYNC: [u8; 16] = *b"0123456789abcdef";

/// A number as Avro writes it.
fn long(value: i64) -> Vec<u8> {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    let mut bytes = Vec::new();
    while rest > 0x7f {
        bytes.push(u8::try_from(rest & 0x7f).unwrap() | 0x80);
        rest >>= 7;
    }
    bytes.push(u8::try_from(rest).unwrap());
    bytes
}

fn text(bytes: &[u8]) -> Vec<u8> {
    [long(i64::try_from(bytes.len()).unwrap()), bytes.to_vec()].concat()
}

/// The beginning of a file of rows with these fields, in this codec.
fn header(fields: &str, codec: &str) -> Vec<u8> {
    let schema = format!(r#"{{"type":"record","name":"t","fields":[{fields}]}}"#);
    let entries = [("avro.schema", schema.as_str()), ("avro.codec", codec)];
    let entries: Vec<u8> =
        entries.iter().flat_map(|(name, value)| [text(name.as_bytes()), text(value.as_bytes())].concat()).collect();
    [b"Obj\x01".to_vec(), long(2), entries, long(0), SYNC.to_vec()].concat()
}

/// A block that says that it has so many rows and bytes.
fn block(rows: i64, bytes: i64, content: &[u8]) -> Vec<u8> {
    [long(rows), long(bytes), content.to_vec(), SYNC.to_vec()].concat()
}

fn honest(rows: i64, content: &[u8]) -> Vec<u8> {
    block(rows, i64::try_from(content.len()).unwrap(), content)
}

const A: &str = r#"{"name":"a","type":"string"}"#;
const NULL: &str = r#"{"name":"a","type":"null"}"#;

fn deflate(content: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(content).unwrap();
    out.finish().unwrap()
}

fn compressed(codec: &str, content: &[u8]) -> Vec<u8> {
    match codec {
        "deflate" => deflate(content),
        "zstandard" => zstd::encode_all(content, 3).unwrap(),
        _ => content.to_vec(),
    }
}

/// Measures restores from this file: tried out, and done.
#[track_caller]
fn holds(what: &str, file: &[Vec<u8>]) {
    let project = Project::empty();
    project
        .write("datapackage.yaml", "resources: [{name: t, path: t.csv, schema: {fields: [{name: a, type: string}]}}]");
    project.write("t.avro", file.concat());
    for more in [&["--dry-run"][..], &[]] {
        let words = ["restore", "t", "-q", "--from", "t.avro", "--mode", "append", "--threads", "4"];
        let (code, peak) = measured(project.command(&[&words, more].concat()));
        assert!(code.is_some_and(|code| code < 100), "{what} {more:?} ended with {code:?}");
        match peak {
            Some(peak) => assert!(peak < MOST, "{what} {more:?} held {peak} MiB"),
            None => eprintln!("not measured: there is no /proc"),
        }
    }
}

#[test]
fn blocks_that_claim_much() {
    let (text_file, nulls) = (header(A, "null"), header(NULL, "null"));
    for claimed in [1 << 31, 1 << 40, i64::MAX, i64::MIN, -1] {
        holds("rows that are not there", &[text_file.clone(), block(claimed, 4, b"\x02x\x02y")]);
        holds("bytes that are not there", &[text_file.clone(), block(2, claimed, b"\x02x\x02y")]);
        holds("rows without bytes", &[nulls.clone(), block(claimed, 0, b"")]);
        holds("a long text", &[text_file.clone(), honest(1, &[long(claimed), b"x".to_vec()].concat())]);
        holds("a long name in the header", &[b"Obj\x01".to_vec(), long(1), long(claimed), b"avro.schema".to_vec()]);
        holds("a long header", &[b"Obj\x01".to_vec(), long(claimed), text(b"a"), text(b"b")]);
    }
    holds("a million rows without bytes", &[nulls, block(900_000, 0, b"")]);
    holds("many blocks of nothing", &[text_file, block(0, 0, b"").repeat(200_000)]);
}

#[test]
fn blocks_that_become_much() {
    for codec in ["deflate", "zstandard"] {
        let file = |rows: i64, content: &[u8]| [header(A, codec), honest(rows, &compressed(codec, content))];
        holds("one text", &file(1, &text(&vec![b'x'; 300 * MIB])));
        holds("long texts", &file(8, &text(&vec![b'x'; 15 * MIB]).repeat(8)));
        holds("texts that grow as JSON", &file(8, &text(&vec![1; 2 * MIB]).repeat(8)));
        holds("a text that grows beyond a record", &file(1, &text(&vec![1; 15 * MIB])));
        holds("short texts", &file(1_000_000, &text(b"").repeat(1_000_000)));
        holds("more than its rows", &file(1, &text(b"").repeat(64 * MIB)));
    }
}

#[test]
fn schemas_that_are_much() {
    let fields: Vec<String> = (0..10_000).map(|at| format!(r#"{{"name":"f{at}","type":["null","string"]}}"#)).collect();
    holds("many fields", &[header(&fields.join(","), "null"), honest(1, &vec![0; 10_000])]);
    let deep = format!("{}\"int\"{}", r#"{"type":"array","items":"#.repeat(100_000), "}".repeat(100_000));
    holds("a deep type", &[header(&format!(r#"{{"name":"a","type":{deep}}}"#), "null")]);
    holds("a long name", &[header(&format!(r#"{{"name":"{}","type":"int"}}"#, "n".repeat(12 * MIB)), "null")]);
}
