//! What a person reads before anything runs: help, version, completions, man pages.

use crate::support::Project;

#[test]
fn help_of_every_command() {
    let project = Project::empty();
    for command in [
        "",
        "load",
        "check",
        "rejects",
        "rejects list",
        "rejects group",
        "rejects show",
        "rejects export",
        "rejects retry",
        "rejects discard",
        "loads",
        "verify",
        "backup",
        "backups",
        "backups list",
        "backups verify",
        "backups prune",
        "restore",
        "report",
        "serve",
        "worker",
        "push",
        "token",
        "token create",
        "token list",
        "token revoke",
        "schema",
        "schema diff",
        "schema apply",
        "init",
        "completions",
        "man",
    ] {
        let mut words: Vec<&str> = command.split_whitespace().collect();
        words.push("--help");
        let run = project.run(&words).exits(0);
        assert_eq!(run.stderr, "");
        let name = format!("help {command}").trim().replace(' ', "-");
        insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!(name, run.stdout);
        });
    }
}

#[test]
fn short_help_names_every_exit_code() {
    let help = Project::empty().run(&["-h"]).exits(0).stdout;
    let codes: Vec<u8> = help
        .lines()
        .skip_while(|line| *line != "Exit codes:")
        .filter_map(|line| line.split_whitespace().next()?.parse().ok())
        .collect();
    assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 70]);
}

#[test]
fn version() {
    let run = Project::empty().run(&["--version"]).exits(0);
    assert_eq!(run.stdout, format!("landfall {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn completions_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = Project::empty().run(&["completions", shell]).exits(0);
        assert!(run.stdout.contains("LANDFALL_COMPLETE") && run.stdout.contains("landfall"), "{shell}: {}", run.stdout);
    }
}

#[test]
fn manual_pages() {
    let project = Project::empty();
    let page = project.run(&["man"]).exits(0).stdout;
    assert!(page.contains(".TH landfall 1") && page.contains("Exit codes"), "{page}");
    project.run(&["man", "--out", "pages"]).exits(0);
    let names: Vec<_> =
        std::fs::read_dir(project.path().join("pages")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.contains(&"landfall-rejects-retry.1".into()), "{names:?}");
}
