//! What broke once, by name.

use landfall_core::keys::Scalar;
use landfall_engine::{
    Error, TargetErrorKind,
    ledger::{LoadState, Mode, OnConflict},
    pipeline::{LoadOptions, LoadOutcome, MaxRejects, Selection, SilentObserver, WorkLimits, load_tables},
    quarantine::{Reject, RejectFilter, RejectState},
    targets::{Interference, MemoryOptions},
};

use super::{
    answer::{Answer, verified},
    project::Files,
};
use crate::{
    ground::Ground,
    tables::{fields_at, resource, row},
};

const TEAMS: &str = "{fields: [{name: id, type: integer}], primaryKey: id}";
const PEOPLE: &str = "{fields: [{name: id, type: integer}, {name: mail, type: string}, {name: team, type: integer}], \
                      primaryKey: id, uniqueKeys: [[mail]], \
                      foreignKeys: [{fields: team, reference: {resource: teams, fields: id}}]}";

/// Teams 1 and 2, and people as in `records`.
fn people(records: &str) -> Files {
    let files = Files::of(&format!("{}{}", resource("teams", TEAMS), resource("people", PEOPLE)));
    files.write("teams.csv", "id\n1\n2\n");
    files.write("people.csv", &format!("id,mail,team\n{records}"));
    files
}

/// Small chunks, so that much happens between them.
fn small() -> LoadOptions {
    let work = WorkLimits { threads: 1, chunk_records: 1, block_bytes: 16, ..WorkLimits::default() };
    LoadOptions { work, ..LoadOptions::default() }
}

/// Loads these tables, by one command.
fn run_all(ground: &Ground, files: &Files, tables: &[&str], options: &LoadOptions) -> Result<Vec<LoadOutcome>, Error> {
    let selection = |table: &&str| {
        let path = files.path().join(format!("{table}.csv")).to_string_lossy().into_owned();
        Selection { table: (*table).into(), source: Some(landfall_core::schema::SourcePath(path)) }
    };
    let selections: Vec<Selection> = tables.iter().map(selection).collect();
    load_tables(&mut *ground.open(), &files.project, &selections, options, &SilentObserver)
}

fn run(ground: &Ground, files: &Files, table: &str, options: &LoadOptions) -> Result<Vec<LoadOutcome>, Error> {
    run_all(ground, files, &[table], options)
}

fn rejects(ground: &Ground) -> Vec<Reject> {
    ground.open().find_rejects(&RejectFilter { any_state: true, ..RejectFilter::default() }).unwrap()
}

fn codes(reject: &Reject) -> Vec<&'static str> {
    reject.errors.iter().map(|error| error.code.as_str()).collect()
}

/// Loads teams and people, goes on while commits are lost, and compares with a plain load.
fn alike(files: &Files, ways: MemoryOptions, options: &LoadOptions) -> Ground {
    let (ground, plain) = (Ground::in_memory(ways), Ground::memory());
    let both = ["teams", "people"];
    while let Err(Error::Target(error)) = run_all(&ground, files, &both, options) {
        assert_eq!(error.kind, TargetErrorKind::Lost, "{}", error.message);
    }
    run_all(&plain, files, &both, &LoadOptions { work: WorkLimits::default(), ..options.clone() }).unwrap();
    let answer = |ground: &Ground| Answer::of(&*ground.open(), &files.project, &Ok(Vec::new()));
    answer(&ground).compare(&answer(&plain), "the same in the end");
    verified(&*ground.open(), &files.project, "the same in the end");
    ground
}

fn builds() -> MemoryOptions {
    MemoryOptions { builds: true, ..MemoryOptions::default() }
}

#[test]
fn a_record_put_aside_that_lacked_a_parent_failed_its_load() {
    let ground = alike(&people("1,a,1\n1,b,99\n2,c,2\n"), builds(), &small());
    assert_eq!(codes(&rejects(&ground)[0]), ["primary-key", "foreign-key"]);
}

#[test]
fn a_reject_put_aside_did_not_claim_its_keys() {
    // The second record is put aside for its number; the third has its address, and came later.
    let ground = alike(&people("1,a,1\n1,b,x\n2,b,2\n"), builds(), &small());
    assert_eq!(codes(&rejects(&ground)[0]), ["type-error", "primary-key"]);
}

#[test]
fn a_load_that_went_on_forgot_the_keys_of_what_was_put_aside() {
    // The second record is put aside for its address, and claims the number 7 before the third.
    for commit in 2..10 {
        let failing_commits = vec![(commit, TargetErrorKind::Lost)];
        alike(&people("1,a,1\n7,a,1\n7,b,1\n8,c,1\n"), MemoryOptions { failing_commits, ..builds() }, &small());
    }
}

#[test]
fn a_load_that_went_on_counted_reasons_of_what_was_put_aside_twice() {
    let files = people("1,a,1\n1,b,x\n2,c,2\n3,d,2\n");
    let mut resumed = 0;
    for commit in 2..10 {
        let failing_commits = vec![(commit, TargetErrorKind::Lost)];
        let ground = Ground::in_memory(MemoryOptions { failing_commits, ..builds() });
        if run_all(&ground, &files, &["teams", "people"], &small()).is_err() {
            let outcome = run_all(&ground, &files, &["teams", "people"], &small()).unwrap().remove(1);
            assert!(outcome.reasons.iter().all(|reason| reason.count == 1), "{commit}: {outcome:?}");
            resumed += outcome.resumed;
        }
    }
    assert!(resumed > 0);
}

#[test]
fn a_load_that_stopped_behind_a_record_of_several_lines_lost_those_lines() {
    let files = people("1,a,1\n2,\"b\nb\",x\n3,c,x\n");
    let ground = Ground::memory();
    run(&ground, &files, "teams", &small()).unwrap();
    let stopped = LoadOptions { max_rejects: Some(MaxRejects::Count(0)), ..small() };
    assert_eq!(run(&ground, &files, "people", &stopped).unwrap()[0].state, LoadState::Stopped);
    run(&ground, &files, "people", &small()).unwrap();
    assert_eq!(rejects(&ground).iter().map(|reject| reject.line).collect::<Vec<_>>(), [3, 5]);
}

#[test]
fn a_load_that_went_on_in_step_said_that_an_earlier_command_had_begun_it() {
    let files = people("1,a,1\n2,b,1\n3,c,1\n4,d,1\n5,e,1\n");
    for commit in 4..8 {
        let failing_commits = vec![(commit, TargetErrorKind::Again)];
        let ground = Ground::in_memory(MemoryOptions { ahead: 2, failing_commits, ..MemoryOptions::default() });
        run(&ground, &files, "teams", &small()).unwrap();
        let outcome = run(&ground, &files, "people", &small()).unwrap().remove(0);
        assert_eq!((outcome.resumed, outcome.counts.inserted), (0, 5), "{commit}");
    }
}

/// A server on which another program inserts people just before us.
fn rivals(rows: &[Vec<Scalar>]) -> Ground {
    let meets = |row: &Vec<Scalar>| Interference::Insert { table: "people".into(), row: row.clone() };
    let interferences = rows.iter().map(meets).collect();
    Ground::in_memory(MemoryOptions { remote: true, interferences, ..MemoryOptions::default() })
}

/// The counts (inserted, updated, unchanged, rejected) of people.
fn counts(ground: &Ground, files: &Files, options: &LoadOptions) -> (u64, u64, u64, u64) {
    run(ground, files, "teams", &LoadOptions::default()).unwrap();
    let counts = run(ground, files, "people", options).unwrap()[0].counts;
    verified(&*ground.open(), &files.project, "met by another program");
    (counts.inserted, counts.updated, counts.unchanged, counts.rejected)
}

#[test]
fn a_row_of_another_program_was_a_clash_although_rows_were_to_be_kept_or_updated() {
    let files = people("1,a,1\n2,b,1\n3,c,1\n");
    let other = row![2, "z", 2];
    for (on_conflict, expected, mail) in [
        (OnConflict::Reject, (2, 0, 0, 1), "z"),
        (OnConflict::Keep, (2, 0, 1, 0), "z"),
        (OnConflict::Update, (2, 1, 0, 0), "b"),
    ] {
        let ground = rivals(std::slice::from_ref(&other));
        let options = LoadOptions { on_conflict, ..LoadOptions::default() };
        assert_eq!(counts(&ground, &files, &options), expected, "{on_conflict:?}");
        let people = &files.project.target_tables()[1];
        let held = ground.open().find_row(people, &fields_at([0]), &row![2]).unwrap().unwrap();
        assert_eq!(held[1], Scalar::Text(mail.into()), "{on_conflict:?}");
    }
}

#[test]
fn a_row_that_repeated_a_refused_one_was_said_to_be_there() {
    let files = people("1,a,1\n2,b,1\n2,b,1\n2,b,1\n");
    let ground = rivals(&[row![2, "z", 2]]);
    assert_eq!(counts(&ground, &files, &LoadOptions::default()), (1, 0, 0, 3));
    let ground = rivals(&[row![2, "b", 1]]);
    assert_eq!(counts(&ground, &files, &LoadOptions::default()), (1, 0, 3, 0));
}

#[test]
fn a_load_that_stopped_for_a_row_refused_late_lost_count() {
    let files = people("1,a,1\n2,b,1\n2,c,1\n3,d,1\n4,e,1\n");
    let options = LoadOptions { max_rejects: Some(MaxRejects::Count(1)), ..LoadOptions::default() };
    let ground = rivals(&[row![1, "z", 2], row![3, "y", 2]]);
    run(&ground, &files, "teams", &LoadOptions::default()).unwrap();
    let outcome = run(&ground, &files, "people", &options).unwrap().remove(0);
    assert_eq!(outcome.state, LoadState::Stopped);
    assert!(outcome.counts.conserved(), "{:?}", outcome.counts);
    let outcome = run(&ground, &files, "people", &LoadOptions::default()).unwrap().remove(0);
    assert_eq!((outcome.state, outcome.counts.read, outcome.counts.rejected), (LoadState::Complete, 5, 3));
    verified(&*ground.open(), &files.project, "stopped, and gone on with");
}

#[test]
fn a_parent_that_vanished_failed_the_load_of_the_rows_that_name_it() {
    let files = people("1,a,1\n2,b,2\n3,c,1\n");
    let deletion = Interference::Delete { table: "teams".into(), positions: vec![0.into()], values: row![2] };
    for ahead in [0, 2] {
        let interferences = vec![deletion.clone()];
        let ground = Ground::in_memory(MemoryOptions { ahead, interferences, ..MemoryOptions::default() });
        run(&ground, &files, "teams", &small()).unwrap();
        let outcome = run(&ground, &files, "people", &small()).unwrap().remove(0);
        assert_eq!((outcome.counts.inserted, outcome.counts.rejected), (2, 1));
        assert_eq!(codes(&rejects(&ground)[0]), ["foreign-key"]);
    }
}

/// People with a boss, and notes about them.
fn bosses() -> Files {
    let people = "{fields: [{name: id, type: integer}, {name: boss, type: integer}], primaryKey: id, \
                  foreignKeys: [{fields: boss, reference: {fields: id}}]}";
    let notes = "{fields: [{name: n, type: integer}, {name: person, type: integer}], primaryKey: n, \
                 foreignKeys: [{fields: person, reference: {resource: people, fields: id}}]}";
    let people = resource("people", people).replace("path: data.csv", "path: [one.csv, two.csv]");
    let notes = resource("notes", notes).replace("data.csv", "notes.csv");
    let files = Files::of(&format!("{people}{notes}"));
    files.write("one.csv", "id,boss\n1,2\n");
    files.write("two.csv", "id,boss\n2,\n");
    files.write("notes.csv", "n,person\n1,1\n");
    files
}

#[test]
fn a_row_whose_boss_stands_in_the_next_file_waited_for_another_command() {
    let (files, ground) = (bosses(), Ground::memory());
    load_tables(&mut *ground.open(), &files.project, &[], &LoadOptions::default(), &SilentObserver).unwrap();
    let states: Vec<RejectState> = rejects(&ground).iter().map(|reject| reject.state).collect();
    assert_eq!(states, [RejectState::Released; 2], "the person, and the note that names it");
}

#[test]
fn a_load_that_stopped_and_was_rolled_back_superseded_rejects_that_it_had_not_met() {
    let files = people("1,a,x\n2,b,1\n3,c,x\n");
    let ground = Ground::memory();
    for options in [
        LoadOptions::default(),
        LoadOptions { force: true, atomic: true, max_rejects: Some(MaxRejects::Count(0)), ..LoadOptions::default() },
    ] {
        run(&ground, &files, "teams", &LoadOptions::default()).unwrap();
        run(&ground, &files, "people", &options).unwrap();
    }
    let open = rejects(&ground).iter().filter(|reject| reject.state == RejectState::Open).count();
    assert_eq!(open, 3, "two of the first load, and that at which the second stopped");
}

#[test]
fn rejects_of_a_load_read_again_by_other_rules_stayed_beside_the_new_ones() {
    let files = people("1,a,x\n2,b,1\n3,c,x\n4,d,1\n");
    let ground = Ground::memory();
    run(&ground, &files, "teams", &small()).unwrap();
    let stopped = LoadOptions { max_rejects: Some(MaxRejects::Count(0)), ..small() };
    run(&ground, &files, "people", &stopped).unwrap();
    run(&ground, &files, "people", &LoadOptions { mode: Mode::Upsert, ..small() }).unwrap();
    let states: Vec<RejectState> = rejects(&ground).iter().map(|reject| reject.state).collect();
    assert_eq!(states, [RejectState::Superseded, RejectState::Open, RejectState::Open]);
}

#[test]
fn a_key_that_names_its_own_table_in_another_order_found_no_parents_in_its_file() {
    let schema = "{fields: [{name: a, type: integer}, {name: b, type: integer}, {name: x, type: integer}, \
                  {name: y, type: integer}], primaryKey: [a, b], \
                  foreignKeys: [{fields: [y, x], reference: {fields: [b, a]}}]}";
    let files = Files::of(&resource("parts", schema));
    files.write("parts.csv", "a,b,x,y\n1,2,3,4\n3,4,,\n5,6,4,3\n");
    let ground = Ground::memory();
    let outcome = run(&ground, &files, "parts", &LoadOptions::default()).unwrap().remove(0);
    assert_eq!((outcome.counts.inserted, outcome.counts.rejected), (2, 1));
    assert_eq!(rejects(&ground)[0].record, 3);
}
