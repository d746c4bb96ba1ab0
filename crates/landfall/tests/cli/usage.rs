//! Command lines that make no sense, and projects at fault: one clear message each, and its exit code.

use crate::support::Project;

#[test]
fn mistakes_of_the_command_line_end_with_2() {
    let project = Project::people("1,Ann,\n");
    for (arguments, words) in [
        (&["lod"][..], "some similar subcommands exist: 'loads', 'load'"),
        (&["load", "peple"], "the data package has no table \"peple\"; did you mean people?"),
        (&["load", "people="], "there is no source after \"=\""),
        (&["load", "--mode", "upsert", "--on-conflict", "reject"], "contradicts the mode upsert"),
        (&["load", "--max-rejects", "101%"], "neither a number of records nor a share"),
        (&["load", "--threads", "0"], "0 is not in 1.."),
        (&["load", "--max-record-bytes", "1 furlong"], "is not a size"),
        (&["load", "-q", "-v"], "cannot be used with"),
        (&["check", "--atomic"], "unexpected argument '--atomic'"),
        (&["rejects", "list", "--code", "typo-error"], "invalid value 'typo-error'"),
        (&["rejects", "list", "--table", "nobody"], "the data package has no table \"nobody\""),
        (&["rejects", "--table", "people", "list"], "write the options after the name of the command"),
        (&["rejects", "retry", "--from", "a.csv", "--id", "1"], "cannot be used with"),
        (&["rejects", "show", "1"], "there is no reject 1 in the quarantine"),
        (&["report", "r"], "there is no report \"r\"; landfall.yaml declares none"),
        (&["report", "--param", "a=1"], "required arguments were not provided"),
        (&["report", "r", "--guard-formulas"], "--guard-formulas is for --format csv"),
        (&["init"], "exists; --force replaces it"),
    ] {
        let error = project.run(arguments).fails(2);
        assert!(error.contains(words), "{arguments:?}: {error}");
    }
    assert!(!project.path().join("landfall.db").exists(), "nothing is made by a command that makes no sense");
}

#[test]
fn no_command_shows_the_help() {
    let run = Project::empty().run(&[]).exits(2);
    assert!(run.stderr.contains("Usage: landfall"));
    assert_eq!(run.stdout, "");
}

#[test]
fn a_folder_that_is_no_project_ends_with_3_and_names_init() {
    let error = Project::empty().run(&["load"]).fails(3);
    let expected = ". is no project: it has neither landfall.yaml nor a data package (datapackage.yaml, datapackage.yml, \
                    datapackage.json); name the project's folder with --project, or make one from CSV files with \
                    `landfall init .`";
    assert_eq!(error, expected);
    assert_eq!(Project::empty().run(&["load", "--project", "no"]).fails(3), "there is no folder no");
}

#[test]
fn a_mistake_in_the_project_file_is_pointed_at() {
    let project = Project::people("");
    project.write("landfall.yaml", "target: sqlite:a.db\nreport: {}\n");
    let expected =
        "landfall.yaml:2:1: unknown property \"report\"; did you mean \"reports\"?\n  2 | report: {}\n    | ^^^^^^";
    assert_eq!(project.run(&["check"]).fails(3), expected);
}

#[test]
fn a_mistake_in_the_data_package_is_pointed_at() {
    let project = Project::people("");
    project.write("datapackage.yaml", project.read("datapackage.yaml").replace("type: string", "type: strng"));
    let error = project.run(&["check"]).fails(3);
    assert!(error.starts_with("datapackage.yaml:7:") && error.contains("string"), "{error}");
}

#[test]
fn the_project_may_be_named_before_or_after_the_command() {
    let project = Project::people("1,Ann,\n");
    let folder = project.path().to_str().unwrap_or_default().to_owned();
    let elsewhere = Project::empty();
    for arguments in [
        &["--project", &folder, "check"][..],
        &["check", "--project", &folder],
        &["rejects", "--project", &folder, "list"],
    ] {
        elsewhere.run(arguments).exits(0);
    }
}

#[test]
fn errors_are_json_lines_where_the_log_is() {
    let project = Project::empty();
    for arguments in [&["--log", "json", "load"][..], &["lod", "--log=json"]] {
        let run = project.run(arguments);
        let line: serde_json::Value = serde_json::from_str(&run.stderr).unwrap_or_default();
        assert_eq!((line["level"].as_str(), line["exit_code"].as_i64()), (Some("ERROR"), Some(i64::from(run.code))));
        assert_eq!(run.stdout, "");
    }
}

#[test]
fn color_is_for_terminals_or_on_request() {
    let project = Project::empty();
    assert!(!project.run(&["load"]).stderr.contains('\u{1b}'));
    assert!(project.run(&["load", "--color", "always"]).stderr.contains('\u{1b}'));
}

#[test]
fn the_error_about_an_address_repeated_its_password() {
    let project = Project::people("1,Ann,30\n");
    let passwords =
        ["secret", "se@secret", "se?secret", "se&secret", "se#secret", "se/secret", "se cret secret", "s:e%secret"];
    for password in passwords {
        for scheme in ["https://", "ftp://", "s3://", "az://", "postgres://", ""] {
            for url in [format!("{scheme}me:{password}@host/x"), format!("{scheme}host/x?token={password}@")] {
                for command in [
                    &["push", "people.csv", "--table", "people", "--to", &url][..],
                    &["push", "people.csv", "--table", "people", "--retries", "0", &format!("--to={url}")],
                    &["backup", "--to", &url],
                    &["backups", "list", "--in", &url],
                    &["restore", "people", "--in", &url],
                    &["loads", &url],
                    &["load", "--log", &url],
                    &["rejects", &url],
                    &[&url],
                    &[&format!("--{url}")],
                ] {
                    let run = project.run(command);
                    // Without a scheme a place is a folder.
                    assert!(run.code != 0 || !url.contains("://"), "{command:?}: {}", run.stdout);
                    let told = if scheme.is_empty() && command.contains(&"--in") { String::new() } else { run.stderr };
                    assert!(!told.contains("secret"), "{command:?}: {told}");
                }
            }
        }
    }
}

#[test]
fn the_error_about_a_storage_repeated_its_password() {
    let project = Project::people("1,Ann,30\n");
    for password in ["secret", "se@secret", "se?secret", "se&secret"] {
        for line in [
            format!("backup: {{to: 's3://me:{password}@bucket'}}\n"),
            format!("storage: {{endpoint: 'https://me:{password}@host'}}\n"),
            format!("storage: {{endpoint: 'me:{password}@host'}}\n"),
            format!("target: 'mysql://me:{password}@host:x/b'\n"),
            format!("oidc: {{issuer: 'https://me:{password}@host', audience: a}}\n"),
        ] {
            project.write("landfall.yaml", &line);
            let run = project.run(&["backup"]);
            assert!(run.code != 0 && !run.stderr.contains("secret"), "{line}: {}", run.stderr);
        }
    }
}
