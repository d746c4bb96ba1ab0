//! Memory stays bounded whatever the input is: the most that the program holds, for inputs that are made to take more.

use std::io::Write as _;

use crate::support::{Project, measured, random::Random};

/// The most memory of a command, in MiB.
const MOST: u64 = 256;

const MIB: usize = 1 << 20;

/// One table `t` with so many fields of a type.
fn package(fields: usize, kind: &str, more: &str) -> String {
    let fields: Vec<String> = (0..fields).map(|at| format!("{{name: f{at}, type: {kind}}}")).collect();
    format!("resources:\n  - {{name: t, path: 't.csv*', {more} schema: {{fields: [{}]}}}}\n", fields.join(", "))
}

/// A header of so many fields, and `text` below it.
fn below(fields: usize, text: &str) -> Vec<u8> {
    let labels: Vec<String> = (0..fields).map(|at| format!("f{at}")).collect();
    format!("{}\n{text}", labels.join(",")).into_bytes()
}

fn repeated(text: &str, bytes: usize) -> String {
    text.repeat(bytes / text.len())
}

/// The same text compressed, with the ending of its file's name.
fn gz(text: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(text).unwrap();
    out.finish().unwrap()
}

/// Measures a check, a load and a proposal for a folder with this package and file.
#[track_caller]
fn holds(what: &str, package: &str, file: &str, content: &[u8]) {
    let project = Project::empty();
    project.write("datapackage.yaml", package);
    project.write(file, content);
    let folder = Project::empty();
    folder.write(file, content);
    for (command, name) in [
        (project.command(&["check", "--threads", "4"]), "check"),
        // A load that stops early has read as far ahead as any other.
        (project.command(&["load", "-q", "--threads", "4", "--max-rejects", "5000"]), "load"),
        (folder.command(&["init", "."]), "init"),
    ] {
        let (code, peak) = measured(command);
        assert!(code.is_some_and(|code| code < 100), "{name} of {what} ended with {code:?}");
        match peak {
            Some(peak) => assert!(peak < MOST, "{name} of {what} held {peak} MiB"),
            None => eprintln!("not measured: there is no /proc"),
        }
    }
}

#[test]
fn very_short_records() {
    let two = package(2, "integer", "");
    for text in ["\n", "\r\n", "\r", ",\n", "x\n", "\"\"\n", "\"x\"\r\n"] {
        holds(&format!("{text:?}"), &two, "t.csv", &below(2, &repeated(text, 200_000 * text.len().min(2))));
    }
    let commented = package(2, "integer", "dialect: {commentChar: '#'},");
    holds("comments", &commented, "t.csv", &below(2, &repeated("#\n", MIB)));
    let blank = repeated("\n", 300_000);
    holds("blank lines in gzip", &two, "t.csv.gz", &gz(&below(2, &blank)));
    holds("blank lines in Zstandard", &two, "t.csv.zst", &zstd::encode_all(&below(2, &blank)[..], 3).unwrap());
    let utf16: Vec<u8> = blank.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let wide = package(2, "integer", "encoding: utf-16le, dialect: {header: false},");
    holds("blank lines in UTF-16", &wide, "t.csv", &utf16);
}

#[test]
fn very_long_records() {
    let three = package(3, "string", "");
    let long = |part: &str, mebibytes: usize| below(3, &format!("a,b,{}\nc,d,e\n", repeated(part, mebibytes * MIB)));
    holds("a long field", &three, "t.csv", &long("x", 15));
    holds("doubled quotes", &three, "t.csv", &below(3, &format!("a,b,\"{}\"\n", repeated("\"\"", 15 * MIB))));
    holds("delimiters", &three, "t.csv", &long(",", 8));
    holds("too long a record", &three, "t.csv", &long("x", 24));
    holds("an unclosed quote", &three, "t.csv", &below(3, &format!("a,\"{}", repeated("x\n", MIB))));
    holds("unclosed quotes", &three, "t.csv", &below(3, &repeated("a,\"\n", MIB)));
    holds("several long fields", &three, "t.csv", &long("x", 14).repeat(2));
    let lines: String = format!("a,b,{}\n", repeated("x", 15 * MIB)).repeat(8);
    holds("long fields on each line", &three, "t.csv", &below(3, &lines));
    holds("a long header", &three, "t.csv", repeated("x", 15 * MIB).as_bytes());
    holds("a header of delimiters", &three, "t.csv", repeated(",", 15 * MIB).as_bytes());
    holds("a bomb without lines", &three, "t.csv.gz", &gz(&vec![b'x'; 100 * MIB]));
    let latin = package(3, "string", "encoding: windows-1252,");
    let mut bytes = below(3, "a,b,");
    bytes.extend(vec![0xe4; 15 * MIB]);
    holds("a long field in another encoding", &latin, "t.csv", &bytes);
    holds("bytes that are no text", &three, "t.csv", &[below(3, ""), vec![0xff; 8 * MIB]].concat());
    holds("NUL characters", &three, "t.csv", &[below(3, ""), vec![0; 8 * MIB]].concat());
}

#[test]
fn very_many_fields_and_errors() {
    let many = package(200, "integer", "");
    holds("many errors of a record", &many, "t.csv", &below(200, &format!("{}\n", ["x"; 200].join(",")).repeat(4000)));
    holds("many missing cells", &many, "t.csv", &below(200, &repeated("x\n", MIB / 4)));
    holds("many superfluous cells", &many, "t.csv", &below(200, &format!("{}\n", ",".repeat(2000)).repeat(1000)));
    let wide = package(1500, "string", "");
    holds("wide records", &wide, "t.csv", &below(1500, &format!("{}\n", ["ab"; 1500].join(",")).repeat(800)));
    let wider = below(10_000, &format!("{}\n", ["1"; 10_000].join(",")).repeat(20));
    holds("very many columns", &package(1500, "integer", ""), "t.csv", &wider);
}

#[test]
fn values_that_are_read_again() {
    let deep = format!("\"{}\"\n", repeated("[", 6 * MIB));
    holds("deep JSON", &package(1, "array", ""), "t.csv", &below(1, &deep));
    let lists = format!("\"{}\"\n", repeated(",", 6 * MIB));
    holds("a long list", &package(1, "list", ""), "t.csv", &below(1, &lists));
    let objects = format!("\"[{}1]\"\n", repeated("1,", 6 * MIB));
    holds("a long JSON array", &package(1, "array", ""), "t.csv", &below(1, &objects));
    let mut random = Random::new(7);
    let keyed = |kind: &str| package(1, kind, "").replace("fields:", "primaryKey: f0, fields:");
    let numbers: String = (0..100_000).map(|_| format!("{}\n", random.number() >> 1)).collect();
    holds("scattered integers as keys", &keyed("integer"), "t.csv", &below(1, &numbers));
    let texts: String = (0..100_000).map(|at| format!("key number {at}\n")).collect();
    holds("many texts as keys", &keyed("string"), "t.csv", &below(1, &texts));
}
