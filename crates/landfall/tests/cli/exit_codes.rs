//! The exit codes that depend on the world: sources and databases that cannot be used.

use crate::support::Project;

#[test]
fn a_source_that_is_missing_or_contradicts_the_dictionary_ends_with_4() {
    let project = Project::people("");
    let error = project.run(&["load", "people=gone.csv"]).fails(4);
    assert!(error.contains("gone.csv"), "{error}");
    project.write("people.csv", "id,nmae,age\n1,Ann,30\n");
    let error = project.run(&["load"]).fails(4);
    assert!(error.contains("nmae"), "{error}");
}

#[test]
fn a_file_that_is_no_database_ends_with_5() {
    let project = Project::people("1,Ann,30\n");
    project.write(
        "landfall.db",
        "this is a letter, and it is long enough to be looked at as if it were a database".repeat(99),
    );
    project.run(&["load"]).fails(5);
}

#[test]
fn a_locked_database_ends_with_6() {
    let project = Project::people("1,Ann,30\n");
    project.run(&["load", "-q"]).exits(0);
    let other = project.database();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    project.write("more.csv", "id,name,age\n2,Bob,\n");
    let error = project.run(&["load", "people=more.csv"]).fails(6);
    assert!(error.contains("lock"), "{error}");
    other.execute_batch("ROLLBACK").unwrap();
    project.run(&["load", "people=more.csv"]).exits(0);
}

#[test]
fn a_database_that_may_not_be_written_ends_with_7() {
    let project = Project::people("1,Ann,30\n");
    project.run(&["load", "-q"]).exits(0);
    project.database().execute_batch("PRAGMA journal_mode = DELETE").unwrap();
    let path = project.path().join("landfall.db");
    let mut permissions = std::fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&path, permissions).unwrap();
    if std::fs::File::options().append(true).open(&path).is_ok() {
        eprintln!("not run: this user may write files that are read-only");
        return;
    }
    project.write("more.csv", "id,name,age\n2,Bob,\n");
    project.run(&["load", "people=more.csv"]).fails(7);
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_ends_with_8() {
    let project = Project::people("1,Ann,30\n");
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = project.command(&["load", "--json"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(8));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("error: "));
}

#[test]
fn a_database_of_a_newer_version_ends_with_9() {
    let project = Project::people("1,Ann,30\n");
    project.run(&["load", "-q"]).exits(0);
    project.database().execute_batch("INSERT INTO landfall_migrations VALUES (999, 'later')").unwrap();
    for arguments in [&["load"][..], &["rejects"], &["loads"]] {
        let error = project.run(arguments).fails(9);
        assert!(error.contains("newer version"), "{error}");
    }
}

#[test]
fn a_table_that_differs_from_the_dictionary_ends_with_12() {
    let project = Project::people("1,Ann,30\n");
    project.run(&["load", "-q"]).exits(0);
    project.write("datapackage.yaml", project.read("datapackage.yaml").replace("name: age", "name: height"));
    let error = project.run(&["load"]).fails(12);
    assert!(error.contains("people"), "{error}");
}

/// A server that is being started refuses connections for a moment: a script may try again.
#[test]
fn a_refused_connection_is_13_for_load_and_push_alike() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let project = Project::people("1,Ann,30\n");
    for scheme in ["postgres", "mysql"] {
        project.write("landfall.yaml", format!("target: {scheme}://nobody@127.0.0.1:{port}/none\n"));
        for command in ["load", "check", "verify", "loads"] {
            let error = project.run(&[command]).fails(13);
            assert!(error.contains("refused"), "{scheme} {command}: {error}");
        }
    }
    let service = format!("http://127.0.0.1:{port}");
    let words = ["push", "people.csv", "--to", &service, "--table", "people", "--retries", "0"];
    assert!(project.run(&words).fails(13).contains("refused"));
}
