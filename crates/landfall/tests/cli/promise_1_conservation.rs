//! Promise 1: read = inserted + updated + unchanged + rejected, for every load, counted afresh after every command.

use std::collections::BTreeMap;

use crate::support::{
    Project,
    audit::{audit, number},
    staff::{self, File, Rule, Staff, expect, held},
};

/// Never stops.
const ON: fn(u64, u64) -> bool = |_, _| false;

/// Two dirty files that share keys, in a project whose teams are loaded.
struct Two {
    project: Project,
    first: File,
    second: File,
}

impl Two {
    fn new(seed: u64) -> Self {
        let project = staff::project();
        project.run(&["load", "teams", "-q"]).exits(0);
        let (first, second) = (File::dirty(seed, 1, 1500), File::dirty(seed + 1, 1000, 1500));
        project.write("first.csv", &first.bytes);
        project.write("second.csv", &second.bytes);
        Self { project, first, second }
    }

    /// Counts everything afresh.
    #[track_caller]
    fn audit(&self) {
        let counts = [("first.csv", self.first.records.len()), ("second.csv", self.second.records.len())];
        audit(&self.project, &counts.map(|(name, count)| (name, count as u64)).into());
    }
}

#[test]
fn the_example_is_conserved_through_loads_and_retries() {
    let project = Project::example();
    let records: BTreeMap<&str, u64> =
        [("data/departments.csv", 12), ("data/jobs.csv", 183), ("data/hired_employees.csv", 2000)].into();
    for arguments in [
        &["load", "-q"][..],
        &["load", "-q"],
        &["rejects", "retry"],
        &["load", "--force", "--on-conflict", "keep"],
        &["load", "--mode", "upsert"],
        &["load", "--mode", "replace"],
        &["rejects", "retry", "--code", "foreign-key"],
    ] {
        project.run(arguments).exits(0);
        audit(&project, &records);
    }
}

#[test]
fn every_mode_and_conflict_rule_does_what_the_plain_rules_say() {
    for (at, (options, rule, replaces)) in [
        (&[][..], Rule::Reject, false),
        (&["--on-conflict", "update"], Rule::Update, false),
        (&["--on-conflict", "keep"], Rule::Keep, false),
        (&["--mode", "upsert"], Rule::Update, false),
        (&["--mode", "replace"], Rule::Reject, true),
        (&["--mode", "replace", "--on-conflict", "update"], Rule::Update, true),
        (&["--mode", "replace", "--on-conflict", "keep"], Rule::Keep, true),
    ]
    .into_iter()
    .enumerate()
    {
        let two = Two::new(100 * at as u64);
        let mut model = Staff::new();
        for (name, file) in [("first.csv", &two.first), ("second.csv", &two.second)] {
            let source = format!("staff={name}");
            let run = two.project.run(&[&["load", &source, "--json", "--chunk-records", "100"], options].concat());
            if replaces {
                model.clear();
            }
            let expected = expect(&mut model, &file.records, rule, ON);
            assert_eq!(run.exits(0).counts("staff"), expected, "{options:?} {name}");
            assert_eq!(held(&two.project), model, "{options:?} {name}");
            two.audit();
        }
    }
}

#[test]
fn forced_loads_count_afresh() {
    let two = Two::new(7);
    let mut model = Staff::new();
    for rule in [Rule::Reject, Rule::Reject, Rule::Keep, Rule::Update] {
        let word = format!("{rule:?}").to_lowercase();
        let arguments = ["load", "staff=first.csv", "--force", "--json", "--on-conflict", &word];
        let run = two.project.run(&arguments).exits(0);
        assert_eq!(run.counts("staff"), expect(&mut model, &two.first.records, rule, ON), "{rule:?}");
        assert_eq!(held(&two.project), model);
        two.audit();
    }
}

#[test]
fn stopped_loads_are_conserved_and_go_on_where_they_stopped() {
    for (limit, too_many) in [
        ("5", (|rejected, _| rejected > 5) as fn(u64, u64) -> bool),
        ("0", |rejected, _| rejected > 0),
        ("2%", |rejected, read| read >= 1000 && rejected * 100 > read * 2),
    ] {
        let two = Two::new(11);
        let mut model = Staff::new();
        let arguments = ["load", "staff=first.csv", "--json", "--max-rejects", limit, "--chunk-records", "64"];
        let run = two.project.run(&arguments).exits(10);
        let stopped = expect(&mut model, &two.first.records, Rule::Reject, too_many);
        assert_eq!(run.counts("staff"), stopped, "{limit}");
        assert_eq!(held(&two.project), model, "{limit}");
        two.audit();
        let run = two.project.run(&arguments).exits(10);
        assert_eq!(run.counts("staff"), stopped, "nothing is read while the limit is what it was");
        two.audit();
        let run = two.project.run(&["load", "staff=first.csv", "--json"]).exits(0);
        model.clear();
        assert_eq!(run.counts("staff"), expect(&mut model, &two.first.records, Rule::Reject, ON), "{limit}");
        assert_eq!(held(&two.project), model, "{limit}");
        two.audit();
    }
}

#[test]
fn an_atomic_load_rejects_every_record_or_none() {
    let two = Two::new(13);
    let clean = File::clean(14, 5000, 300);
    two.project.write("clean.csv", &clean.bytes);
    let run = two.project.run(&["load", "staff=clean.csv", "--atomic", "--json"]).exits(0);
    assert_eq!(run.counts("staff"), [300, 300, 0, 0, 0]);
    let before = held(&two.project);
    let run = two.project.run(&["load", "staff=first.csv", "--atomic", "--json"]).exits(11);
    let read = two.first.records.len() as u64;
    assert_eq!(run.counts("staff"), [read, 0, 0, 0, read]);
    assert_eq!(held(&two.project), before);
    two.audit();
    let run = two.project.run(&["load", "staff=first.csv", "--json"]).exits(0);
    assert_eq!(run.counts("staff"), expect(&mut before.clone(), &two.first.records, Rule::Reject, ON));
    two.audit();
}

#[test]
fn retries_and_releases_are_conserved() {
    let two = Two::new(17);
    two.project.run(&["load", "staff=first.csv", "-q"]).exits(0);
    two.project.write("teams.csv", format!("{}21,New\n22,Newer\n", two.project.read("teams.csv")));
    let waiting = number(&two.project.database(), "SELECT count(*) FROM landfall_rejects WHERE waiting = 1");
    let run = two.project.run(&["load", "teams", "--json"]).exits(0);
    let [read, inserted, updated, unchanged, rejected] = run.counts("staff");
    assert!(inserted > 5, "rows of team 21 and 22 were released: {}", run.stdout);
    assert_eq!((read, updated), (inserted + unchanged + rejected, 0));
    assert!(read < waiting, "those of team 23 wait on");
    two.audit();
    let rules = two.project.read("datapackage.yaml").replace("maximum: 150", "maximum: 300");
    two.project.write("datapackage.yaml", rules);
    for _ in 0..2 {
        two.project.run(&["rejects", "retry", "--json"]).exits(0);
        two.audit();
    }
    two.project.run(&["load", "staff=second.csv", "-q"]).exits(0);
    two.audit();
}

#[test]
fn verify_names_a_row_that_was_deleted() {
    let two = Two::new(19);
    two.project.run(&["load", "staff=first.csv", "-q"]).exits(0);
    two.project.database().execute_batch("DELETE FROM staff WHERE id = (SELECT max(id) FROM staff)").unwrap();
    let findings = two.project.run(&["verify", "--json"]).exits(1).json()["findings"].to_string();
    assert!(findings.contains("\"table\":\"staff\"") && findings.contains("rows were deleted"), "{findings}");
    assert!(findings.contains("neither in the table nor in the quarantine, the first at line"), "{findings}");
}

#[test]
fn verify_names_a_row_in_whose_place_another_stands() {
    let two = Two::new(23);
    two.project.run(&["load", "staff=first.csv", "-q"]).exits(0);
    two.project.database().execute_batch("UPDATE staff SET id = 123456 WHERE id = 1").unwrap();
    let findings = two.project.run(&["verify", "--json"]).exits(1).json()["findings"].to_string();
    assert!(findings.contains("1 record is neither in the table nor in the quarantine"), "{findings}");
}

#[test]
fn verify_names_a_reject_that_was_deleted() {
    let two = Two::new(29);
    two.project.run(&["load", "staff=first.csv", "-q"]).exits(0);
    two.project.database().execute_batch("DELETE FROM landfall_rejects WHERE reject_id = 3").unwrap();
    let run = two.project.run(&["verify"]).exits(1);
    assert!(run.stdout.contains("WRONG") && run.stdout.contains("first.csv"), "{}", run.stdout);
    let findings = two.project.run(&["verify", "--json"]).exits(1).json()["findings"].to_string();
    assert!(findings.contains("\"load_id\":2") && findings.contains("the quarantine holds"), "{findings}");
}
