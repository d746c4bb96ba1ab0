//! Promise 2: the program is killed at random points and run again until it is done. What stands in the database then
//! is what an undisturbed run leaves there: nothing is lost, nothing is doubled.
//!
//! `LANDFALL_SOAK=1` kills `LANDFALL_SOAK_ROUNDS` times (1000 by default) in each test.

use std::{
    io::Write as _,
    process::Stdio,
    time::{Duration, Instant},
};

use crate::support::{
    Project,
    audit::{audit, content, quarantine, rows},
    random::Random,
    rounds,
    staff::{self, File},
};
use rusqlite::types::Value;

/// What must be the same whatever happened on the way, as lines.
fn outcome(project: &Project) -> Vec<String> {
    let ledger = "SELECT table_name, source, mode, state, records_read, rows_inserted, rows_updated, rows_unchanged,
                      records_rejected, source_offset, source_lines, source_digest
                  FROM landfall_loads ORDER BY load_id";
    let parts = [
        ("teams", content(project, "teams")),
        ("staff", content(project, "staff")),
        ("quarantine", quarantine(project)),
        ("ledger", rows(&project.database(), ledger)),
    ];
    let lines = |(name, rows): (&str, Vec<Vec<Value>>)| -> Vec<String> {
        rows.iter().map(|row| format!("{name}: {row:?}")).collect()
    };
    parts.into_iter().flat_map(lines).collect()
}

/// Fails with the lines that are in one of the two only.
#[track_caller]
fn assert_same(found: &[String], wanted: &[String], what: &str) {
    let only = |in_these: &[String], not_in: &[String]| -> Vec<String> {
        let held: std::collections::HashSet<&String> = not_in.iter().collect();
        in_these.iter().filter(|line| !held.contains(line)).take(10).cloned().collect()
    };
    let (more, less) = (only(found, wanted), only(wanted, found));
    assert!(found == wanted, "{what}\nonly after kills: {more:#?}\nonly undisturbed: {less:#?}");
}

/// Runs the program and kills it at a random moment, again and again until it ends by itself; how often it was killed.
/// After each kill `between` looks at what is there.
fn run_killed(
    project: &Project,
    arguments: &[&str],
    random: &mut Random,
    usual: Duration,
    between: &mut dyn FnMut(&Project),
) -> u64 {
    let mut kills = 0;
    loop {
        let cut = some_cut(random);
        let arguments: Vec<&str> = arguments.iter().copied().chain(cut.iter().map(String::as_str)).collect();
        let mut child = project.command(&arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let longest = u64::try_from(usual.as_micros()).unwrap() * 3 / 2;
        std::thread::sleep(Duration::from_micros(random.below(longest)));
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        if let Some(code) = output.status.code() {
            assert_eq!(code, 0, "{}", String::from_utf8_lossy(&output.stderr));
            return kills;
        }
        kills += 1;
        between(project);
    }
}

/// Options that must not matter; none for commands that do not have them.
fn some_cut(random: &mut Random) -> Vec<String> {
    let mut pick = |name: &str, values: [u64; 4]| {
        let value = values[usize::try_from(random.below(4)).unwrap()];
        [format!("--{name}"), value.to_string()]
    };
    [
        pick("chunk-records", [1, 7, 50, 500]),
        pick("block-bytes", [64, 300, 4096, 1 << 19]),
        pick("threads", [1, 2, 3, 4]),
    ]
    .concat()
}

/// Prepares a project, runs the command undisturbed and killed, and compares, until enough kills were made.
fn compare(
    seed: u64,
    share: u64,
    prepare: &dyn Fn(u64) -> Project,
    arguments: &[&str],
    between: &mut dyn FnMut(&Project),
) {
    let mut random = Random::new(seed);
    let wanted = rounds(share);
    let mut kills = 0;
    while kills < wanted {
        let made = random.below(1 << 20);
        let undisturbed = prepare(made);
        let begun = Instant::now();
        undisturbed.run(&[arguments, &["--chunk-records", "50", "--block-bytes", "300"]].concat()).exits(0);
        let usual = begun.elapsed();
        let project = prepare(made);
        kills += run_killed(&project, arguments, &mut random, usual, between);
        assert_same(&outcome(&project), &outcome(&undisturbed), &format!("{arguments:?}, data of {made}"));
        audit(&project, &[].into());
        assert_eq!(project.run(&[arguments, &["--json"]].concat()).exits(0).counts("staff")[1], 0, "run once more");
    }
    eprintln!("{arguments:?}: killed {kills} times");
}

fn dirty(seed: u64) -> Project {
    let project = staff::project();
    project.write("staff.csv", File::dirty(seed, 1, 1500).bytes);
    project
}

#[test]
fn a_killed_load_goes_on_where_it_was() {
    compare(1, 60, &dirty, &["load"], &mut |_| {});
}

#[test]
fn a_killed_upsert_goes_on_where_it_was() {
    let prepare = |seed| {
        let project = dirty(seed);
        project.run(&["load", "-q"]).exits(0);
        project.write("staff.csv", File::dirty(seed + 1, 800, 1200).bytes);
        project
    };
    compare(2, 20, &prepare, &["load", "--mode", "upsert"], &mut |_| {});
}

/// A killed command that is all or nothing leaves the table as it was before.
fn as_before_or_after(seed: u64, prepare: &dyn Fn(u64) -> Project, arguments: &[&str], before: usize, after: usize) {
    compare(seed, 15, prepare, arguments, &mut |project| {
        let rows = content(project, "staff").len();
        assert!(rows == before || rows == after, "{rows} rows, neither {before} nor {after}");
    });
}

#[test]
fn a_killed_atomic_load_is_nothing_yet_or_everything() {
    let prepare = |seed| {
        let project = staff::project();
        project.write("staff.csv", File::clean(seed, 1, 2500).bytes);
        project
    };
    as_before_or_after(3, &prepare, &["load", "--atomic"], 0, 2500);
}

#[test]
fn a_killed_replace_leaves_the_table_as_before_or_after() {
    let prepare = |seed| {
        let project = staff::project();
        project.write("staff.csv", File::clean(seed, 1, 1000).bytes);
        project.run(&["load", "-q"]).exits(0);
        project.write("staff.csv", File::clean(seed + 1, 500, 2500).bytes);
        project
    };
    as_before_or_after(4, &prepare, &["load", "--mode", "replace"], 1000, 2500);
}

/// A project in which staff waits for teams that have come into the file since.
fn waiting(seed: u64) -> Project {
    let project = dirty(seed);
    project.run(&["load", "-q"]).exits(0);
    project.write("teams.csv", format!("{}21,New\n22,Newer\n", project.read("teams.csv")));
    project
}

#[test]
fn rejects_are_released_although_the_load_of_their_parents_was_killed() {
    compare(5, 20, &waiting, &["load"], &mut |_| {});
}

#[test]
fn a_killed_retry_of_rejects_is_nothing_or_everything() {
    let mut random = Random::new(6);
    let (mut kills, wanted) = (0, rounds(15));
    while kills < wanted {
        let seed = random.below(1 << 20);
        let prepare = || {
            let project = dirty(seed);
            project.run(&["load", "-q"]).exits(0);
            let rules = project
                .read("datapackage.yaml")
                .replace("name: age, type: integer", "name: age, type: integer, missingValues: ['', old]");
            project.write("datapackage.yaml", rules);
            project.database().execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
            project
        };
        let undisturbed = prepare();
        let begun = Instant::now();
        undisturbed.run(&["rejects", "retry"]).exits(0);
        let usual = begun.elapsed();
        let project = prepare();
        let before = content(&project, "staff").len();
        let after = content(&undisturbed, "staff").len();
        assert!(after > before, "some pass now");
        loop {
            let mut child = project.command(&["rejects", "retry"]).stdout(Stdio::null()).spawn().unwrap();
            std::thread::sleep(usual * u32::try_from(random.below(150)).unwrap() / 100);
            child.kill().unwrap();
            if let Some(code) = child.wait().unwrap().code() {
                assert_eq!(code, 0);
                break;
            }
            kills += 1;
            let rows = content(&project, "staff").len();
            assert!(rows == before || rows == after, "{rows} rows, neither {before} nor {after}");
        }
        // Each attempt has an entry of its own.
        let kept =
            |project| outcome(project).into_iter().filter(|line| !line.starts_with("ledger")).collect::<Vec<_>>();
        assert_same(&kept(&project), &kept(&undisturbed), &format!("data of {seed}"));
        audit(&project, &[].into());
    }
}

#[test]
fn rejects_are_released_although_the_command_failed_after_the_load_of_their_parents() {
    let project = dirty(9);
    project.run(&["load", "-q"]).exits(0);
    let before = content(&project, "staff").len();
    project.write("teams.csv", format!("{}21,New\n22,Newer\n", project.read("teams.csv")));
    // The end of the file is missing: its beginning is sound.
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut random = Random::new(1);
    let rows: String = (0..20_000u64).map(|at| format!("{},{},30,1\n", 900_000 + at, random.below(1 << 40))).collect();
    encoder.write_all(format!("id,name,age,team\n{rows}").as_bytes()).unwrap();
    let bytes = encoder.finish().unwrap();
    project.write("cut.csv", &bytes[..bytes.len() - 100]);
    project.run(&["load", "teams", "staff=cut.csv", "-q", "--block-bytes", "4096"]).exits(4);
    assert_eq!(content(&project, "teams").len(), 22, "the teams were loaded");
    assert_eq!(content(&project, "staff").len(), before, "and nobody was released");
    project.write("more.csv", "id,name,age,team\n");
    project.run(&["load", "teams", "staff=more.csv", "-q"]).exits(0);
    assert!(content(&project, "staff").len() > before + 10);
    project.run(&["verify"]).exits(0);
}
