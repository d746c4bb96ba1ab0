//! The same tables through `check` and through the reference validator, frictionless: the set of (record, field, code) is equal.
//! `make test` installs it below `target/tools`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use serde_json::Value;

use crate::support::{Project, repository, soak};

/// Tables that one package has; more of them cost the reference validator more memory.
const TABLES: usize = 250;

/// An error: the record, the field (none for the whole record or a key), and the code.
type Found = (u64, Option<String>, String);

fn python() -> PathBuf {
    let program = repository().join("target/tools/frictionless/bin/python");
    assert!(program.exists(), "there is no {}; `make needs` installs it", program.display());
    program
}

fn error_of(record: &Value, field: &Value, code: &Value) -> Found {
    let code = code.as_str().unwrap().to_owned();
    // The reference validator names no field for the error of a key.
    let is_key = matches!(code.as_str(), "primary-key" | "foreign-key");
    (record.as_u64().unwrap(), field.as_str().filter(|_| !is_key).map(str::to_owned), code)
}

/// What the reference validator says of each table of the package in `folder`, which it also writes.
fn expected(folder: &Path, seed: usize) -> BTreeMap<String, BTreeSet<Found>> {
    let script = repository().join("crates/landfall/tests/cli/reference.py");
    let numbers = [seed.to_string(), TABLES.to_string()];
    let run = Command::new(python()).arg(script).arg(folder).args(numbers).output().unwrap();
    assert!(run.status.success(), "seed {seed}: {}", String::from_utf8_lossy(&run.stderr));
    let told: BTreeMap<String, Vec<[Value; 3]>> =
        serde_json::from_str(&fs::read_to_string(folder.join("expected.json")).unwrap()).unwrap();
    let errors =
        |list: Vec<[Value; 3]>| list.iter().map(|[record, field, code]| error_of(record, field, code)).collect();
    told.into_iter().map(|(table, list)| (table, errors(list))).collect()
}

/// What `check` says of them.
fn found(project: &Project) -> BTreeMap<String, BTreeSet<Found>> {
    let mut found: BTreeMap<String, BTreeSet<Found>> = BTreeMap::new();
    for reject in project.run(&["check", "--json", "-q"]).exits(1).json_list() {
        let errors = found.entry(reject["table"].as_str().unwrap().to_owned()).or_default();
        for error in reject["errors"].as_array().unwrap() {
            errors.insert(error_of(&reject["record"], &error["field"], &error["code"]));
        }
    }
    found
}

/// Compares the tables of a seed; how many errors they have.
fn compare(seed: usize) -> usize {
    let project = Project::empty();
    let expected = expected(project.path(), seed);
    let mut found = found(&project);
    let mut count = 0;
    for (table, expected) in expected {
        let found = found.remove(&table).unwrap_or_default();
        let missed: Vec<_> = expected.difference(&found).collect();
        let made_up: Vec<_> = found.difference(&expected).collect();
        let text = fs::read_to_string(project.path().join(format!("{table}.csv"))).unwrap();
        assert!(
            missed.is_empty() && made_up.is_empty(),
            "seed {seed}, table {table}: only the reference validator has {missed:?}, only check has {made_up:?}\n{text}"
        );
        count += found.len();
    }
    assert!(found.is_empty(), "{found:?}");
    count
}

#[test]
fn check_finds_what_the_reference_validator_finds() {
    let packages = if soak() { 800 } else { 8 };
    let half = |seeds: Vec<usize>| seeds.into_iter().map(compare).sum::<usize>();
    let (odd, even): (Vec<usize>, Vec<usize>) = (1..=packages).partition(|seed| seed % 2 == 1);
    let errors: usize = thread::scope(|scope| {
        let halves = [odd, even].map(|seeds| scope.spawn(move || half(seeds)));
        halves.into_iter().map(|half| half.join().unwrap()).sum()
    });
    // Tables without errors would prove nothing.
    assert!(errors > packages * TABLES * 4, "{errors}");
}
