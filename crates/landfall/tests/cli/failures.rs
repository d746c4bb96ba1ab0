//! What can go wrong around a load: one clear message, its exit code, nothing half done, and the same command succeeds
//! once the cause is gone.

use std::{
    io::Write as _,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::support::{
    Project, Run,
    audit::{audit, content},
    permissions::{read_only, run, unprivileged},
    staff::{self, File, Rule, Staff, expect, held},
};
use rusqlite::types::Value;

/// What the database holds, Landfall's own tables included.
fn everything(project: &Project) -> Vec<Vec<Vec<Value>>> {
    ["teams", "staff", "landfall_loads", "landfall_rejects"].map(|table| content(project, table)).into()
}

/// A project with its teams and 50 of staff loaded, whose next load has 300 more.
fn ready() -> Project {
    let project = staff::project();
    project.write("staff.csv", File::clean(1, 1, 50).bytes);
    project.run(&["load", "-q"]).exits(0);
    project.write("staff.csv", File::dirty(2, 1000, 300).bytes);
    project
}

/// `load` fails with `code` and one message that has `words`, and leaves everything as it was.
#[track_caller]
fn refused(project: &Project, code: i32, words: &str) {
    let before = everything(project);
    let error = project.run(&["load"]).fails(code);
    assert!(error.contains(words), "{words:?} is not in {error:?}");
    assert_eq!(error.lines().filter(|line| line.starts_with("error")).count(), 0, "one message: {error}");
    assert!(everything(project) == before, "nothing is half done");
}

/// The cause is gone: the same command does its work.
#[track_caller]
fn succeeds(project: &Project) {
    assert_eq!(project.run(&["load", "--json"]).exits(0).counts("staff")[0], 300);
    audit(project, &[].into());
}

#[test]
fn an_unknown_table_or_option_ends_with_2() {
    let project = ready();
    let before = everything(&project);
    for arguments in [&["load", "stuff"][..], &["load", "--force-it"], &["load", "--mode", "merge"], &["loadd"]] {
        let error = project.run(arguments).fails(2);
        assert!(error.contains("staff") || error.contains(arguments[arguments.len() - 1]), "{error}");
    }
    assert!(everything(&project) == before);
    succeeds(&project);
}

#[test]
fn a_broken_descriptor_ends_with_3_and_shows_the_line() {
    let project = ready();
    let good = project.read("datapackage.yaml");
    for (from, to, line) in [
        ("type: integer", "type: integr", 6),
        ("primaryKey: [id]", "primaryKey: [ident]", 8),
        ("resource: teams", "resource: team", 19),
        ("  - name: teams", "  - name: [teams", 3),
    ] {
        project.write("datapackage.yaml", good.replacen(from, to, 1));
        refused(&project, 3, "datapackage.yaml:");
        let error = project.run(&["check"]).fails(3);
        assert!(error.contains(&format!("datapackage.yaml:{line}:")), "{error}");
    }
    project.write("datapackage.yaml", good);
    succeeds(&project);
}

#[test]
fn a_source_that_is_missing_or_a_folder_ends_with_4() {
    let project = ready();
    let path = project.path().join("staff.csv");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    refused(&project, 4, "staff.csv");
    std::fs::create_dir(&path).unwrap();
    refused(&project, 4, "staff.csv");
    std::fs::remove_dir(&path).unwrap();
    project.write("staff.csv", bytes);
    succeeds(&project);
}

#[test]
fn a_compressed_source_that_is_cut_off_ends_with_4() {
    let project = ready();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&File::clean(3, 2000, 400).bytes).unwrap();
    let whole = encoder.finish().unwrap();
    let zstd = zstd::encode_all(&*File::clean(4, 5000, 400).bytes, 1).unwrap();
    for (name, whole) in [("staff.csv.gz", whole), ("staff.csv.zst", zstd)] {
        project.write(name, &whole[..whole.len() - 20]);
        let source = format!("staff={name}");
        let error = project.run(&["load", &source]).fails(4);
        assert!(error.contains(name), "{error}");
        project.assert_nothing_wrong();
        project.write(name, whole);
        let counts = project.run(&["load", &source, "--json"]).exits(0).counts("staff");
        assert_eq!(counts[0], counts[1] + counts[3]);
        audit(&project, &[(name, 400)].into());
    }
}

#[test]
fn a_locked_database_ends_with_6_after_a_bounded_time() {
    let project = ready();
    let other = project.database();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let begun = Instant::now();
    let error = project.run(&["load"]).fails(6);
    assert!(error.contains("lock") && begun.elapsed() < Duration::from_secs(30), "{error}");
    other.execute_batch("ROLLBACK").unwrap();
    succeeds(&project);
}

#[test]
fn a_file_that_is_no_database_ends_with_5_and_is_left_alone() {
    let project = Project::people("1,Ann,30\n");
    let letter = "this is a letter, and long enough to be looked at as if it were a database. ".repeat(99);
    project.write("landfall.db", &letter);
    for arguments in [&["load"][..], &["loads"], &["rejects"], &["verify"]] {
        let error = project.run(arguments).fails(5);
        assert!(error.contains("landfall.db"), "{error}");
        assert_eq!(project.read("landfall.db"), letter);
    }
    std::fs::remove_file(project.path().join("landfall.db")).unwrap();
    project.run(&["load", "-q"]).exits(0);
}

#[test]
fn a_database_of_a_newer_version_ends_with_9() {
    let project = ready();
    project.database().execute_batch("INSERT INTO landfall_migrations VALUES (999, 'later')").unwrap();
    refused(&project, 9, "newer version");
    project.database().execute_batch("DELETE FROM landfall_migrations WHERE version = 999").unwrap();
    succeeds(&project);
}

#[test]
fn a_table_that_differs_from_the_dictionary_ends_with_12() {
    let project = ready();
    let good = project.read("datapackage.yaml");
    for (from, to, word) in [
        ("name: age, type: integer", "name: age, type: number", "age"),
        (
            "        - {name: team, type: integer",
            "        - {name: x, type: date}\n        - {name: team, type: integer",
            "x",
        ),
        ("name: age, type", "name: years, type", "years"),
    ] {
        project.write("datapackage.yaml", good.replacen(from, to, 1));
        refused(&project, 12, word);
    }
    project.write("datapackage.yaml", good);
    succeeds(&project);
}

#[test]
fn a_source_that_changes_while_it_is_read_is_not_called_complete() {
    let project = staff::project();
    project.write("staff.csv", File::clean(5, 1, 60_000).bytes);
    let mut child = project
        .command(&["load", "--chunk-records", "50", "--block-bytes", "2000", "--json"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(20) && started(&project) == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut file = std::fs::File::options().append(true).open(project.path().join("staff.csv")).unwrap();
    file.write_all(b"70000,Late,1,1\n").unwrap();
    drop(file);
    let still = child.try_wait().unwrap().is_none();
    let output = child.wait_with_output().unwrap();
    assert!(still, "the load was too quick for this test");
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{error}");
    assert!(error.contains("changed while it was read"), "{error}");
    project.assert_nothing_wrong();
    let counts = project.run(&["load", "--json"]).exits(0).counts("staff");
    assert_eq!((counts[0], counts[1] + counts[3]), (60_001, 60_001));
    audit(&project, &[("staff.csv", 60_001)].into());
}

/// Rows of staff that others see.
fn started(project: &Project) -> usize {
    if !project.path().join("landfall.db").exists() {
        return 0;
    }
    let database = project.database();
    let count = database.query_row("SELECT count(*) FROM staff", [], |row| row.get(0));
    count.unwrap_or(0)
}

#[test]
fn a_database_that_may_not_be_written_ends_with_7() {
    let project = ready();
    let Some(command) = unprivileged(&project, &["load"]) else { return };
    project.database().execute_batch("PRAGMA journal_mode = DELETE").unwrap();
    let before = everything(&project);
    let database = project.path().join("landfall.db");
    read_only(&database, true);
    let error = run(command).fails(7);
    assert!(error.contains("landfall.db"), "{error}");
    read_only(&database, false);
    assert!(everything(&project) == before);
    succeeds(&project);
}

#[test]
fn a_source_that_may_not_be_read_ends_with_4() {
    let project = ready();
    let Some(command) = unprivileged(&project, &["load"]) else { return };
    let path = project.path().join("staff.csv");
    let mut permissions = std::fs::metadata(&path).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0);
    std::fs::set_permissions(&path, permissions).unwrap();
    let error = run(command).fails(4);
    assert!(error.contains("staff.csv") && error.to_lowercase().contains("permission"), "{error}");
    read_only(&path, false);
    succeeds(&project);
}

/// Runs `script` in the project's folder, on a disk of its own with room for `kibibytes`, and brings the database back
/// to where the project was; none where this user cannot have such a disk.
fn on_small_disk(project: &Project, kibibytes: u32, script: &str) -> Option<Run> {
    let mount = format!("mount -t tmpfs -o size={kibibytes}k tmpfs disk");
    let probe = |options: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(options).args(["sh", "-c", &mount]).current_dir(project.path());
        command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    std::fs::create_dir_all(project.path().join("disk")).unwrap();
    let ways: [&[&str]; 2] = [&["--mount"], &["--user", "--map-root-user", "--mount"]];
    let Some(options) = ways.into_iter().find(|options| probe(options)) else {
        eprintln!("not run: this user cannot mount a small disk");
        return None;
    };
    let script = format!(
        "{mount} && mkdir disk/tmp && cp landfall.db *.yaml *.csv disk/ && cd disk && export TMPDIR=$PWD/tmp
         {script}
         code=$?; cp landfall.db* ..; exit $code"
    );
    let mut command = Command::new("unshare");
    command.args(options).args(["sh", "-c", &script, env!("CARGO_BIN_EXE_landfall")]).current_dir(project.path());
    Some(run(command))
}

#[test]
fn a_full_disk_ends_with_8_and_leaves_whole_chunks() {
    let file = File::dirty(6, 1, 20_000);
    let project = staff::project();
    project.run(&["load", "teams", "-q"]).exits(0);
    project.write("staff.csv", &file.bytes);
    for options in ["--mode replace", "--atomic", "--chunk-records 500 --block-bytes 4096"] {
        let script = format!("\"$0\" load staff {options}");
        let Some(failed) = on_small_disk(&project, 1400, &script) else { return };
        let failed = failed.exits(8);
        assert_eq!(failed.stderr.lines().filter(|line| line.starts_with("error: ")).count(), 1, "{}", failed.stderr);
        let rows = content(&project, "staff").len();
        assert_eq!(rows > 0, options.contains("chunk"), "{options}: {rows} rows");
        project.assert_nothing_wrong();
    }
    project.run(&["load", "-q"]).exits(0);
    audit(&project, &[("staff.csv", 20_000)].into());
    let mut model = Staff::new();
    expect(&mut model, &file.records, Rule::Reject, |_, _| false);
    assert!(held(&project) == model);
}
