//! Several programs at once on one database: loads of the same file, loads with clashing keys, and others who write.

use std::{
    collections::BTreeSet,
    process::{Child, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use super::{
    place::Kind,
    site::{STAFF, Site, assert_same},
};
use crate::support::{
    Project, Run, rounds,
    staff::{self, File, Made, Staff},
};

/// Chunks that are small enough for others to come between.
const CUT: [&str; 4] = ["--chunk-records=100", "--block-bytes=2000", "--threads=1", "-q"];

/// How often a command is run again that another one was in the way of.
const TRIES: u32 = 20;

fn start(site: &Site, arguments: &[&str]) -> Child {
    let arguments = [arguments, &CUT].concat();
    site.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The end of a command: done, or one message that says that another program is in the way.
#[track_caller]
fn end(child: Child) -> Run {
    let run = Run::of(&child.wait_with_output().unwrap());
    if run.code != 0 {
        assert_eq!(run.code, 6, "{}", run.stderr);
        assert_eq!(run.stderr.lines().filter(|line| line.starts_with("error: ")).count(), 1, "{}", run.stderr);
    }
    run
}

/// Runs all commands at once, and those again that something was in the way of, until all are done.
fn all_at_once(site: &Site, commands: &[Vec<&str>]) {
    let children: Vec<Child> = commands.iter().map(|command| start(site, command)).collect();
    let runs: Vec<Run> = children.into_iter().map(end).collect();
    for (command, run) in commands.iter().zip(runs) {
        if run.code != 0 {
            site.run(&[command, &CUT[..]].concat()).exits(0);
        }
    }
}

/// A project whose teams are loaded where `with_tables` says so.
fn site(kind: Kind, with_tables: bool) -> Site {
    let site = Site::new(staff::project(), kind);
    if with_tables {
        site.run(&["load", "-q"]).exits(0);
    }
    site
}

#[test]
fn of_two_loads_of_the_same_file_one_does_the_work() {
    for kind in Kind::SERVERS {
        for with_tables in [false, true] {
            for round in 0..rounds(2) {
                let file = File::dirty(300 + round, 1, 1500);
                let undisturbed = site(kind, with_tables);
                undisturbed.write("staff.csv", &file.bytes);
                undisturbed.run(&["load", "-q"]).exits(0);
                let site = site(kind, with_tables);
                site.write("staff.csv", &file.bytes);
                all_at_once(&site, &[vec!["load"], vec!["load"], vec!["load"]]);
                let what = format!("{kind:?}, tables {with_tables}");
                assert_same(&site.outcome(&STAFF), &undisturbed.outcome(&STAFF), &what);
                site.audit(&[]);
            }
        }
    }
}

#[test]
fn of_two_loads_of_the_same_file_into_a_table_without_keys_one_does_the_work() {
    let package = "resources:\n  - {name: notes, path: notes.csv, schema: {fields: [{name: text, type: string}]}}\n";
    for kind in [Kind::Sqlite, Kind::Postgres, Kind::Pooled, Kind::Mariadb] {
        for _ in 0..rounds(3) {
            let project = Project::empty();
            project.write("datapackage.yaml", package);
            let lines: String = (0..4000).map(|at| format!("note {at}\n")).collect();
            project.write("notes.csv", format!("text\n{lines}"));
            let site = Site::new(project, kind);
            all_at_once(&site, &[vec!["load"], vec!["load"], vec!["load"]]);
            assert_eq!(site.count("notes"), 4000, "{kind:?}: {:?}", site.ledger());
            site.audit(&[("notes.csv", 4000)]);
        }
    }
}

/// The rows of `files`, by which each row in the table must be found.
fn rows_of(files: &[&File]) -> BTreeSet<String> {
    let records = files.iter().flat_map(|file| &file.records);
    let rows = records.filter_map(|record| match record {
        Made::Row(id, person) => Some(format!("{id} {person:?}")),
        Made::Broken => None,
    });
    rows.collect()
}

#[test]
fn loads_of_files_with_clashing_keys_are_conserved() {
    for kind in Kind::SERVERS {
        for with_tables in [false, true] {
            for round in 0..rounds(2) {
                let files = [
                    File::dirty(310 + round, 1, 1500),
                    File::dirty(320 + round, 1, 1500),
                    File::dirty(330 + round, 700, 1500),
                ];
                let site = site(kind, with_tables);
                let names = ["a.csv", "b.csv", "c.csv"];
                names.iter().zip(&files).for_each(|(name, file)| site.write(name, &file.bytes));
                let sources = names.map(|name| format!("staff={name}"));
                // Whoever is first makes the tables, and fills the one of the parents.
                let commands: Vec<Vec<&str>> = sources.iter().map(|source| vec!["load", "teams", source]).collect();
                all_at_once(&site, &commands);
                let known = rows_of(&[&files[0], &files[1], &files[2]]);
                let held: Staff = site.held();
                assert!(held.len() > 1700, "{kind:?}: {} rows", held.len());
                for (id, person) in &held {
                    let row = format!("{id} {person:?}");
                    assert!(known.contains(&row), "{kind:?}: {row} is in no file");
                }
                site.audit(&names.map(|name| (name, 1500)));
                for source in &sources {
                    assert_eq!(site.run(&["load", source, "--json"]).exits(0).counts("staff"), [0; 5], "{kind:?}");
                }
            }
        }
    }
}

#[test]
fn upserts_of_files_with_the_same_keys_at_once_are_conserved() {
    for kind in Kind::SERVERS {
        let site = site(kind, true);
        let files = [File::dirty(340, 1, 900), File::dirty(341, 1, 900)];
        let names = ["a.csv", "b.csv"];
        names.iter().zip(&files).for_each(|(name, file)| site.write(name, &file.bytes));
        let sources = names.map(|name| format!("staff={name}"));
        let commands: Vec<Vec<&str>> = sources.iter().map(|source| vec!["load", source, "--mode", "upsert"]).collect();
        all_at_once(&site, &commands);
        site.audit_counts(&names.map(|name| (name, 900)));
    }
}

/// Runs `work` again and again, beside `load`, until that has ended; how the load ended.
fn beside(site: &Site, arguments: &[&str], work: &(dyn Fn(u64) + Sync)) -> Run {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0;
            while !over.load(Ordering::Relaxed) {
                work(number);
                number += 1;
            }
        });
        let run = end(start(site, arguments));
        over.store(true, Ordering::Relaxed);
        run
    })
}

/// Runs the command beside `work` until it is done.
fn beside_until_done(site: &Site, arguments: &[&str], work: &(dyn Fn(u64) + Sync)) {
    for _ in 0..TRIES {
        if beside(site, arguments, work).code == 0 {
            return;
        }
    }
    panic!("{:?}: another program was in the way {TRIES} times", site.place.kind);
}

#[test]
fn rows_that_another_program_inserts_meanwhile_become_rejects_of_their_records() {
    for kind in Kind::SERVERS {
        let site = site(kind, true);
        let count = 12_000;
        site.write("staff.csv", File::clean(350, 1, count).bytes);
        let database = site.place.database().clone();
        let work = |number: u64| {
            // From the end, so that many of them come before the load is there.
            let ids = (0..20).map(|at| count.unsigned_abs() - (number * 20 + at) % count.unsigned_abs());
            let rows: Vec<String> = ids.map(|id| format!("({id}, 'intruder', 1, 1)")).collect();
            // Where the load was first, the other program has to live with it.
            drop(database.run_sql(&format!("INSERT INTO staff (id, name, age, team) VALUES {}", rows.join(", "))));
        };
        beside_until_done(&site, &["load", "staff"], &work);
        let intruders = site.place.number("SELECT count(*) FROM staff WHERE name = 'intruder'");
        let loads = site.run(&["loads", "--json"]).exits(0).json();
        let load = loads["loads"].as_array().unwrap().iter().find(|load| load["table"] == "staff" && load["read"] != 0);
        let number = |key: &str| load.unwrap()[key].as_u64().unwrap();
        assert!(intruders > 0, "{kind:?}: the other program was too slow for this test");
        assert_eq!(number("read"), count.unsigned_abs());
        assert_eq!(number("inserted") + number("rejected"), number("read"), "{kind:?}");
        assert_eq!(number("rejected"), intruders, "{kind:?}: each row of the other program stands in the way of one");
        assert_eq!(site.count("staff"), count.unsigned_abs(), "{kind:?}");
        let codes = site.run(&["rejects", "group", "--json"]).exits(0);
        assert!(codes.stdout.contains("primary-key"), "{kind:?}: {}", codes.stdout);
    }
}

#[test]
fn a_parent_that_another_program_deletes_meanwhile_is_not_named_by_any_row() {
    for kind in Kind::SERVERS {
        for with_tables in [true, false] {
            let site = Site::new(staff::project(), kind);
            site.write("teams.csv", format!("{}21,Soon gone\n22,Soon gone too\n23,And this\n", site.read("teams.csv")));
            site.run(&["load", if with_tables { "staff" } else { "teams" }, "teams", "-q"]).exits(0);
            // Team 21 and 22 are named at the end of the file only.
            let mut text = String::from_utf8(File::clean(360, 1, 3000).bytes).unwrap();
            (0..900).for_each(|at| text += &format!("{},Last {at},1,{}\n", 50_000 + at, 21 + at % 3));
            site.write("staff.csv", text);
            let database = site.place.database().clone();
            let work = |number: u64| {
                let team = 21 + number % 3;
                thread::sleep(Duration::from_millis(20));
                drop(database.run_sql(&format!("DELETE FROM teams WHERE id = {team}")));
            };
            beside_until_done(&site, &["load", "staff"], &work);
            let orphans = "SELECT count(*) FROM staff WHERE team NOT IN (SELECT id FROM teams)";
            assert_eq!(site.place.number(orphans), 0, "{kind:?}");
            let gone = 3 - (site.count("teams") - 20);
            let run = site.run(&["loads", "--json"]).exits(0).json();
            let load = run["loads"].as_array().unwrap().iter().rfind(|load| load["source"] == "staff.csv").unwrap();
            assert_eq!(load["rejected"], gone * 300, "{kind:?}: {load}");
            assert_eq!(site.count("staff"), 3900 - gone * 300, "{kind:?}");
        }
    }
}

#[test]
fn readers_see_the_rows_that_the_ledger_tells_of_and_no_others() {
    for kind in Kind::SERVERS {
        for with_tables in [true, false] {
            let site = site(kind, true);
            if !with_tables {
                site.place.run("DROP TABLE staff");
            }
            site.write("staff.csv", File::clean(370, 1, 2000).bytes);
            let loads = site.place.own("loads");
            let agree = format!(
                "SELECT (SELECT count(*) FROM staff), coalesce((SELECT sum(rows_inserted) FROM {loads} WHERE table_name = 'staff'), 0)"
            );
            let seen = Mutex::new(BTreeSet::new());
            let work = |_| {
                if with_tables || site.place.has_table("staff") {
                    seen.lock().unwrap().insert(site.place.rows(&agree).concat());
                }
            };
            assert_eq!(beside(&site, &["load", "staff"], &work).code, 0);
            let seen = seen.into_inner().unwrap();
            assert!(seen.iter().all(|counts| counts[0] == counts[1]), "{kind:?}: {seen:?}");
            assert_eq!(site.count("staff"), 2000);
        }
    }
}

#[test]
fn two_programs_that_start_at_once_make_landfalls_tables_once() {
    for kind in Kind::SERVERS {
        for _ in 0..3 {
            let site = Site::new(staff::project(), kind);
            let children: Vec<Child> = (0..4).map(|_| start(&site, &["load", "teams"])).collect();
            let runs: Vec<Run> = children.into_iter().map(end).collect();
            assert!(runs.iter().any(|run| run.code == 0), "{runs:?}");
            site.run(&["load", "-q"]).exits(0);
            assert_eq!(site.count("teams"), 20, "{kind:?}");
            let migrations = site.place.own("migrations");
            let twice = format!("SELECT count(*) - count(DISTINCT version) FROM {migrations}");
            assert_eq!(site.place.number(&twice), 0, "{kind:?}");
            site.audit(&[("teams.csv", 20)]);
        }
    }
}

/// Each overlooked the rows of the other, which was about to commit: they stayed, and all of its own were rejected.
#[test]
fn of_two_replaces_at_once_the_rows_of_one_are_left_and_no_others() {
    for kind in [Kind::Sqlite, Kind::Postgres, Kind::Pooled, Kind::Mariadb] {
        for round in 0..rounds(3) {
            let site = site(kind, true);
            let files = [File::clean(350 + round, 1, 1500), File::clean(360 + round, 1, 1500)];
            let names = ["a.csv", "b.csv"];
            names.iter().zip(&files).for_each(|(name, file)| site.write(name, &file.bytes));
            let sources = names.map(|name| format!("staff={name}"));
            let commands: Vec<Vec<&str>> =
                sources.iter().map(|source| vec!["load", source, "--mode", "replace"]).collect();
            all_at_once(&site, &commands);
            let held: Staff = site.held();
            let rows: BTreeSet<String> = held.iter().map(|(id, person)| format!("{id} {person:?}")).collect();
            let whole = files.iter().any(|file| rows == rows_of(&[file]));
            assert!(whole, "{kind:?}: {} rows of both files", rows.len());
        }
    }
}
