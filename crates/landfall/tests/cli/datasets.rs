//! Small data sets of many kinds and languages, as people have them: what `init` proposes for each, and what `check` and `load` make of
//! that. A person has read each snapshot as a careful data engineer would: is this what the files mean?
//!
//! A data set is a text file: `=== NAME [ENCODING] [crlf]` begins each of its files. What stands before the first one says what is odd.

use std::{fmt::Write as _, path::PathBuf};

use crate::support::{Project, repository};

/// A file of a data set.
struct DataFile {
    name: String,
    bytes: Vec<u8>,
}

fn fixture_folder() -> PathBuf {
    repository().join("crates/landfall/tests/cli/fixtures/datasets")
}

/// The files of a data set.
fn parse_files(text: &str) -> Vec<DataFile> {
    let mut files = Vec::new();
    for part in text.split("\n=== ").skip(1) {
        let (head, content) = part.split_once('\n').unwrap_or((part, ""));
        let mut words = head.split_whitespace();
        let name = words.next().unwrap().to_owned();
        let lines = content.trim_end_matches('\n');
        let mut content = if lines.is_empty() { String::new() } else { format!("{lines}\n") };
        let mut encoding = "utf-8";
        for word in words {
            match word {
                "crlf" => content = content.replace('\n', "\r\n"),
                other => encoding = other,
            }
        }
        files.push(DataFile { name, bytes: encode(&content, encoding) });
    }
    files
}

fn encode(text: &str, encoding: &str) -> Vec<u8> {
    match encoding {
        "utf-8" => text.into(),
        "utf-8-mark" => format!("\u{feff}{text}").into(),
        "utf-16" => format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect(),
        label => {
            let (bytes, _, lost) = encoding_rs::Encoding::for_label(label.as_bytes()).unwrap().encode(text);
            assert!(!lost, "a character that {label} does not have in {text}");
            bytes.into_owned()
        }
    }
}

/// What `init`, `check` and `load` make of a data set.
fn tell_outcome(text: &str) -> String {
    let project = Project::empty();
    parse_files(text).into_iter().for_each(|file| project.write(&format!("set/{}", file.name), file.bytes));
    let init = project.run(&["init", "set"]);
    let mut told = format!("$ landfall init set\n{}{}", init.stdout, init.stderr);
    if init.code != 0 {
        return told + &format!("(exit code {})\n", init.code);
    }
    told += "\n# datapackage.yaml\n";
    // What every proposal begins with is told by other tests.
    let package = project.read("set/datapackage.yaml");
    told += package.split_once("resources:\n").unwrap().1;
    let check = project.run(&["check", "--project", "set"]);
    write!(told, "\n$ landfall check\n{}{}(exit code {})\n", check.stdout, check.stderr, check.code).unwrap();
    assert!([0, 1].contains(&check.code), "a check refuses what init proposes: {told}");
    let load = project.run(&["load", "--json", "--project", "set"]);
    assert_eq!(load.code, 0, "a load refuses what init proposes: {told}{}", load.stderr);
    told += "\n$ landfall load\n";
    for load in load.json()["loads"].as_array().unwrap() {
        let (table, source) = (load["table"].as_str().unwrap(), load["source"].as_str().unwrap());
        let count = |name: &str| load[name].as_u64().unwrap();
        let (read, inserted, unchanged, rejected) =
            (count("read"), count("inserted"), count("unchanged"), count("rejected"));
        writeln!(
            told,
            "{table} ← {source}: {read} read = {inserted} inserted + {unchanged} unchanged + {rejected} rejected"
        )
        .unwrap();
    }
    let verify = project.run(&["verify", "--project", "set"]);
    assert_eq!(verify.code, 0, "{}{}", verify.stdout, verify.stderr);
    told
}

/// Runs the data sets of a domain.
fn run_domain(domain: &str) {
    let mut names: Vec<String> = std::fs::read_dir(fixture_folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(&format!("{domain}-")))
        .collect();
    names.sort();
    assert_eq!(names.len(), 5, "{names:?}");
    for name in names {
        let text = std::fs::read_to_string(fixture_folder().join(&name)).unwrap();
        let snapshot = format!("dataset-{}", name.trim_end_matches(".txt"));
        insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true, snapshot_path => "snapshots/datasets"}, {
            insta::assert_snapshot!(snapshot, tell_outcome(&text));
        });
    }
}

macro_rules! domains {
    ($($domain:ident)*) => {
        $(#[test]
        fn $domain() {
            run_domain(stringify!($domain));
        })*

        #[test]
        fn every_data_set_is_run() {
            let sets = std::fs::read_dir(fixture_folder()).unwrap().count();
            assert_eq!(sets, 5 * [$(stringify!($domain)),*].len());
        }
    };
}

domains! { banking elections energy health hr library logistics realestate retail school sport weather }
