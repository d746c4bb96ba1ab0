//! The same project gives the same on all databases: rows, rejects, ledger, reports.

use super::{
    place::Kind,
    site::{Column, HR, STAFF, Site, assert_same},
    things::{self, THINGS},
};
use crate::support::{
    Project, conformance_folder,
    staff::{self, File, Rule, Staff, expect},
};

/// What one command printed, without how long it took.
#[track_caller]
fn printed(site: &Site, arguments: &[&str]) -> String {
    let run = site.run(arguments);
    // A load that was stopped does not cover its source.
    assert!(run.code == 0 || arguments == ["verify"] && run.code == 1, "{arguments:?}: {} {}", run.code, run.stdout);
    assert_eq!(run.stderr, "", "{arguments:?}");
    run.stdout
}

/// Everything that a user can see: what stands in the database, and what the commands print.
fn seen(site: &Site, tables: &[(&str, &[Column])]) -> Vec<String> {
    let mut lines = site.outcome(tables);
    lines.extend(site.rejects().into_iter().map(|line| format!("listed: {line}")));
    for arguments in [&["rejects", "group", "--json"][..], &["verify"]] {
        lines.extend(printed(site, arguments).lines().map(|line| format!("{arguments:?}: {line}")));
    }
    lines
}

/// Runs `steps` on every kind of database and compares what is seen after each of them with what SQLite shows.
fn compare(tables: &[(&str, &[Column])], make: &dyn Fn() -> Project, steps: &[&dyn Fn(&Site)]) {
    let reference = Site::new(make(), Kind::Sqlite);
    let sites = Kind::SERVERS.map(|kind| Site::new(make(), kind));
    for (number, step) in (1..).zip(steps) {
        step(&reference);
        let wanted = seen(&reference, tables);
        for site in &sites {
            step(site);
            assert_same(&seen(site, tables), &wanted, &format!("step {number} on {:?}", site.place.kind));
            site.audit_counts(&[]);
        }
    }
}

fn load(site: &Site, options: &[&str]) {
    let cut = ["--chunk-records=40", "--block-bytes=3000"];
    site.run(&[&["load", "-q"], &cut[..], options].concat()).exits(0);
}

#[test]
fn the_example_is_the_same_on_all_targets() {
    let reports = |site: &Site| -> Vec<String> {
        let names = ["hires_by_quarter", "departments_above_mean"];
        let each = names.iter().flat_map(|name| ["csv", "json", "table"].map(|form| (*name, form)));
        each.map(|(name, form)| printed(site, &["report", name, "--param", "year=2021", "--format", form])).collect()
    };
    let reference = Site::new(Project::example(), Kind::Sqlite);
    reference.run(&["load", "-q"]).exits(0);
    let (wanted, wanted_reports) = (seen(&reference, &HR), reports(&reference));
    for kind in Kind::SERVERS {
        let site = Site::new(Project::example(), kind);
        let first = site.run(&["load", "--json"]).exits(0);
        assert_eq!(first.counts("hired_employees"), [2000, 1911, 0, 6, 83], "{kind:?}");
        assert_same(&seen(&site, &HR), &wanted, &format!("{kind:?}"));
        assert_eq!(reports(&site), wanted_reports, "{kind:?}");
        let again = site.run(&["load", "--json"]).exits(0);
        assert_eq!(again.counts("hired_employees"), [0; 5], "{kind:?}");
        assert_same(&seen(&site, &HR), &wanted, &format!("{kind:?}, loaded again"));
        site.audit(&[("data/hired_employees.csv", 2000), ("data/jobs.csv", 183), ("data/departments.csv", 12)]);
    }
}

#[test]
fn the_real_data_gives_the_expected_reports_on_all_targets() {
    let Some(folder) = conformance_folder() else { return };
    let expected = |name: &str| std::fs::read_to_string(folder.join("hr/expected").join(name)).unwrap();
    let names = ["hires_by_quarter", "departments_above_mean"];
    for kind in Kind::SERVERS {
        let site = Site::new(Project::real().unwrap(), kind);
        let run = site.run(&["load", "--json"]).exits(0);
        assert_eq!(run.counts("departments")[..2], [12, 12], "{kind:?}");
        assert_eq!(run.counts("jobs")[..2], [183, 183], "{kind:?}");
        assert_eq!(run.counts("hired_employees"), [1999, 1929, 0, 0, 70], "{kind:?}");
        for name in names {
            let report = printed(&site, &["report", name, "--param", "year=2021", "--format", "csv"]);
            assert_eq!(report, expected(&format!("{name}_2021.csv")), "{kind:?}");
        }
        site.audit(&[]);
    }
}

#[test]
fn records_of_every_type_are_the_same_on_all_targets() {
    for seed in [1, 2] {
        compare(
            &THINGS,
            &|| things::project(seed, 150),
            &[
                &|site| load(site, &[]),
                &|site| load(site, &[]),
                &|site| {
                    things::write_files(site, seed + 10, 170);
                    load(site, &["--on-conflict", "keep"]);
                },
                &|site| {
                    things::write_files(site, seed + 20, 120);
                    load(site, &["--mode", "upsert"]);
                },
                &|site| drop(site.run(&["rejects", "retry"]).exits(0)),
            ],
        );
    }
}

#[test]
fn a_replace_is_the_same_on_all_targets() {
    compare(
        &THINGS,
        &|| things::project(3, 150),
        &[
            &|site| load(site, &[]),
            &|site| {
                things::write_files(site, 4, 100);
                load(site, &["--mode", "replace"]);
            },
            &|site| load(site, &["--mode", "replace", "--force"]),
        ],
    );
}

#[test]
fn chunks_and_blocks_and_threads_do_not_matter_on_any_target() {
    let reference = Site::new(things::project(5, 120), Kind::Sqlite);
    reference.run(&["load", "-q"]).exits(0);
    let wanted = reference.outcome(&THINGS);
    for kind in Kind::SERVERS {
        for cut in [["1000", "524288", "2"], ["25", "700", "3"], ["7", "4096", "1"]] {
            let options = ["--chunk-records", cut[0], "--block-bytes", cut[1], "--threads", cut[2]];
            let site = Site::new(things::project(5, 120), kind);
            site.run(&[&["load", "-q"], &options[..]].concat()).exits(0);
            assert_same(&site.outcome(&THINGS), &wanted, &format!("{kind:?} {options:?}"));
        }
    }
}

fn staff_of(file: &File) -> Project {
    let project = staff::project();
    project.write("staff.csv", &file.bytes);
    project
}

#[test]
fn every_mode_does_what_the_plain_rules_say_on_every_target() {
    let (first, second) = (File::dirty(71, 1, 900), File::dirty(72, 600, 900));
    for kind in Kind::SERVERS {
        for (options, rule, replaces) in [
            (&[][..], Rule::Reject, false),
            (&["--on-conflict", "keep"], Rule::Keep, false),
            (&["--mode", "upsert"], Rule::Update, false),
            (&["--mode", "replace"], Rule::Reject, true),
        ] {
            let site = Site::new(staff_of(&first), kind);
            let mut model = Staff::new();
            for file in [&first, &second] {
                site.write("staff.csv", &file.bytes);
                let run = site.run(&[&["load", "--json", "--chunk-records", "100"], options].concat());
                if replaces {
                    model.clear();
                }
                let expected = expect(&mut model, &file.records, rule, |_, _| false);
                assert_eq!(run.exits(0).counts("staff"), expected, "{kind:?} {options:?}");
                assert_eq!(site.held(), model, "{kind:?} {options:?}");
            }
            site.audit(&[]);
        }
    }
}

#[test]
fn an_atomic_load_is_all_or_nothing_on_every_target() {
    let (dirty, clean) = (File::dirty(73, 1, 700), File::clean(74, 5000, 700));
    let atomic = ["load", "--atomic", "--json", "--chunk-records", "100"];
    for kind in Kind::SERVERS {
        let site = Site::new(staff_of(&dirty), kind);
        let run = site.run(&atomic).exits(11);
        assert_eq!(run.counts("staff"), [700, 0, 0, 0, 700], "{kind:?}");
        assert_eq!(site.count("staff"), 0, "{kind:?}");
        site.write("staff.csv", &clean.bytes);
        assert_eq!(site.run(&atomic).exits(0).counts("staff"), [700, 700, 0, 0, 0], "{kind:?}");
        site.write("staff.csv", &dirty.bytes);
        site.run(&atomic).exits(11);
        assert_eq!(site.count("staff"), 700, "{kind:?}");
        site.audit(&[]);
    }
}

#[test]
fn a_load_that_is_stopped_by_its_rejects_goes_on_on_every_target() {
    let stopped = ["load", "-q", "--max-rejects", "20", "--chunk-records", "10"];
    compare(
        &STAFF,
        &|| staff_of(&File::dirty(75, 1, 700)),
        &[&|site| drop(site.run(&stopped).exits(10)), &|site| drop(site.run(&stopped).exits(10)), &|site| {
            load(site, &[])
        }],
    );
}

#[test]
fn rejects_are_mended_and_released_alike_on_every_target() {
    compare(
        &STAFF,
        &|| staff_of(&File::dirty(76, 1, 700)),
        &[
            &|site| load(site, &[]),
            // Parents that were waited for.
            &|site| {
                site.write("teams.csv", format!("{}21,New\n22,Newer\n", site.read("teams.csv")));
                load(site, &[]);
            },
            // Records that were mended in a file.
            &|site| {
                let export = ["rejects", "export", "--table", "staff", "--code", "type-error", "--out", "mended.csv"];
                site.run(&export).exits(0);
                let mended = site.read("mended.csv").replace(",old,", ",33,");
                site.write("mended.csv", mended);
                site.run(&["rejects", "retry", "--from", "mended.csv"]).exits(0);
            },
            // A rule that was loosened.
            &|site| {
                let rules = site.read("datapackage.yaml").replace("maximum: 150", "maximum: 300");
                site.write("datapackage.yaml", rules);
                site.run(&["rejects", "retry"]).exits(0);
            },
        ],
    );
}

#[test]
fn a_table_without_keys_is_the_same_on_every_target() {
    let make = || {
        let project = Project::empty();
        let package = "resources:
  - {name: notes, path: notes.csv, schema: {fields: [{name: text, type: string}, {name: n, type: number}]}}\n";
        project.write("datapackage.yaml", package);
        project.write("notes.csv", "text,n\na,1\na,1.0\nb,x\n,\n");
        project
    };
    compare(
        &[("notes", &[("text", super::cells::Form::Plain), ("n", super::cells::Form::Number)])],
        &make,
        &[&|site| load(site, &[]), &|site| load(site, &[]), &|site| load(site, &["--force"]), &|site| {
            site.write("notes.csv", "text,n\na,1\na,1.0\nb,x\n,\nlast,7\n");
            load(site, &[]);
        }],
    );
}
