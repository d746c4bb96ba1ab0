//! Memory stays bounded whatever the input is: the most that the program holds, for inputs that are made to take more.

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
