//! What every command has in common for whoever reads it: JSON documents, plurals, hints that can be typed, and names that a shell completes.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::Project;

/// A project with a load, a reject, a backup set, a report and a token.
fn project_with_everything() -> Project {
    let project = Project::people("1,Ann,30\n2,,old\n");
    project.write("reports/ages.sql", "SELECT id, name FROM people ORDER BY id\n");
    project
        .write("landfall.yaml", "target: sqlite:landfall.db\nreports:\n  ages: {title: Ages, sql: reports/ages.sql}\n");
    project.run(&["load"]).exits(0);
    project.run(&["backup"]).exits(0);
    project.run(&["token", "create", "--name", "first", "--role", "reader"]).exits(0);
    project
}

#[test]
fn every_command_prints_one_object_with_json() {
    let project = project_with_everything();
    let set = project.run(&["backups", "list", "--json"]).exits(0).json()["sets"][0]["set"].clone();
    let token = project.run(&["token", "list", "--json"]).exits(0).json()["tokens"][0]["id"].clone();
    let (set, token) = (set.as_str().unwrap(), token.as_str().unwrap());
    std::fs::create_dir(project.path().join("other")).unwrap();
    project.write("other/things.csv", "id,what\n1,a\n");
    for (words, code, keys) in [
        (&["check", "--mode", "replace"][..], 1, &["rejects", "loads"][..]),
        (&["load"], 0, &["loads"]),
        (&["load", "--dry-run", "--force"], 0, &["loads", "dry_run"]),
        (&["rejects"], 0, &["rejects"]),
        (&["rejects", "list"], 0, &["rejects"]),
        (&["rejects", "group"], 0, &["groups"]),
        (&["rejects", "show", "1"], 0, &["reject", "events"]),
        (&["rejects", "export", "--out", "bad.csv"], 0, &["exported", "file"]),
        (&["rejects", "retry"], 0, &["loads"]),
        (&["rejects", "discard", "--all", "--reason", "a trial"], 0, &["discarded"]),
        (&["loads"], 0, &["loads", "next"]),
        (&["verify"], 0, &["loads", "tables", "findings"]),
        (&["backup"], 0, &["set", "tables"]),
        (&["backups", "list"], 0, &["location", "sets"]),
        (&["backups", "verify", set], 0, &["location", "sets"]),
        (&["backups", "prune", "--keep-last", "5", "--dry-run"], 0, &["kept", "removed"]),
        (&["restore", "people", "--dry-run"], 0, &["set", "tables", "loads"]),
        (&["report"], 0, &["reports"]),
        (&["report", "ages"], 0, &["report", "rows"]),
        (&["schema"], 0, &["target", "statements", "differences"]),
        (&["schema", "diff"], 0, &["target", "differences"]),
        (&["schema", "apply"], 0, &["target", "statements", "remaining"]),
        (&["token", "create", "--name", "second", "--role", "writer"], 0, &["token", "secret"]),
        (&["token", "list"], 0, &["tokens"]),
        (&["token", "revoke", token], 0, &["revoked"]),
        (&["token", "revoke-links"], 0, &["links_revoked"]),
        (&["init", "other"], 0, &["files", "notes"]),
        (&["completions", "bash"], 0, &["shell", "script"]),
        (&["man"], 0, &["page"]),
        (&["man", "--out", "pages"], 0, &["folder"]),
    ] {
        let run = project.run(&[words, &["--json"]].concat()).exits(code);
        let document = run.json();
        let object = document.as_object().unwrap_or_else(|| panic!("{words:?}: {document}"));
        assert!(keys.iter().all(|key| object.contains_key(*key)), "{words:?} lacks one of {keys:?}: {document}");
        assert!(!has_load_zero(&document), "{words:?}: {document}");
        let before = project.run(&[&["--json"], words].concat());
        assert!(
            before.code != 2 || words[0] == "init" || words[1..].contains(&"--out") || words[0] == "token",
            "{words:?}"
        );
    }
}

/// Whether a load has the number 0, which none has.
fn has_load_zero(value: &Value) -> bool {
    match value {
        Value::Object(map) => {
            map.iter().any(|(key, value)| key == "load_id" && *value == json!(0) || has_load_zero(value))
        }
        Value::Array(items) => items.iter().any(has_load_zero),
        _ => false,
    }
}

#[test]
fn a_list_in_json_has_a_line_for_each_item() {
    let project = Project::people("1,Ann,old\n2,Ben,older\n");
    let run = project.run(&["check", "--json"]).exits(1);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!((lines[0], lines.len()), ("{\"rejects\":[", 4), "{}", run.stdout);
    let first: Value = serde_json::from_str(lines[1].trim_end_matches(',')).unwrap();
    assert_eq!(first["line"], 2);
    assert_eq!(run.json()["loads"][0]["rejected"], 2);
}

#[test]
fn options_that_json_cannot_hold_are_refused() {
    let project = project_with_everything();
    for (words, said) in [
        (&["rejects", "show", "1", "--raw"][..], "--raw prints bytes"),
        (&["rejects", "export"], "name a file for them with --out"),
        (&["report", "ages", "--format", "csv"], "--json and --format contradict each other"),
    ] {
        let error = project.run(&[words, &["--json"]].concat()).fails(2);
        assert!(error.contains(said), "{words:?}: {error}");
    }
}

#[test]
fn neither_a_report_nor_an_export_overwrites_a_file_unasked() {
    let project = project_with_everything();
    for words in [&["report", "ages", "--out", "out.txt"][..], &["rejects", "export", "--out", "out.txt"]] {
        project.write("out.txt", "precious");
        let error = project.run(words).fails(2);
        assert_eq!(error, "out.txt exists; --force replaces it");
        assert_eq!(project.read("out.txt"), "precious");
        project.run(&[words, &["--force"]].concat()).exits(0);
        assert_ne!(project.read("out.txt"), "precious");
    }
}

#[test]
fn verify_of_a_project_that_was_never_loaded_says_so() {
    let project = Project::people("1,Ann,30\n");
    let said = project.run(&["verify"]).exits(1).stdout;
    assert!(said.ends_with("Nothing was loaded yet: landfall load\n"), "{said}");
    project.run(&["load", "-q"]).exits(0);
    assert!(project.run(&["verify"]).exits(0).stdout.ends_with("Every record is accounted for.\n"));
}

#[test]
fn one_thing_is_told_in_the_singular_everywhere() {
    let project = project_with_everything();
    let plural_of_one = |text: &str| {
        let words: Vec<&str> = text.split_whitespace().collect();
        let nouns = [
            "rows",
            "records",
            "rejects",
            "tables",
            "bytes",
            "loads",
            "sets",
            "batches",
            "discrepancies",
            "statements",
        ];
        words.windows(2).any(|pair| pair[0] == "1" && nouns.contains(&pair[1].trim_end_matches([',', '.', ':', ';'])))
    };
    for words in [
        &["load", "--force"][..],
        &["check"],
        &["verify"],
        &["backup"],
        &["backups", "list"],
        &["backups", "verify"],
        &["rejects", "show", "1"],
        &["rejects", "export", "--out", "one.csv"],
        &["restore", "people", "--max-rejects", "3"],
        &["load", "--mode", "replace", "--force"],
        &["schema", "diff"],
    ] {
        let run = project.run(words);
        let told = format!("{}{}", run.stdout, run.stderr);
        assert!(!plural_of_one(&told), "{words:?}: {told}");
    }
}

#[test]
fn hints_can_be_typed_whatever_a_table_is_called() {
    let project = Project::empty();
    project.write("landfall.yaml", "target: sqlite:landfall.db\n");
    project.write(
        "datapackage.yaml",
        "resources:\n  - name: \"order items; rm -rf $HOME\"\n    path: a.csv\n    schema: {fields: [{name: id, type: integer}]}\n",
    );
    project.write("a.csv", "id\n1\nx\n");
    let said = project.run(&["load"]).exits(0).stdout;
    let hint = said.lines().find(|line| line.contains("rejects export")).unwrap().trim().to_owned();
    assert_eq!(
        hint,
        "landfall rejects export --table 'order items; rm -rf $HOME' --out 'order items; rm -rf $HOME-rejects.csv'"
    );
    let shell = Command::new("sh")
        .args(["-c", &hint])
        .current_dir(project.path())
        .env("PATH", path_with_landfall())
        .status()
        .unwrap();
    assert!(shell.success());
    assert!(project.path().join("order items; rm -rf $HOME-rejects.csv").exists());
}

/// The PATH with the program's folder in front.
fn path_with_landfall() -> String {
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_landfall"));
    format!("{}:{}", binary.parent().unwrap().display(), std::env::var("PATH").unwrap())
}

/// What bash offers for the last of `words`, with the script that `landfall completions bash` prints.
fn complete_in_bash(project: &Project, words: &[&str]) -> Vec<String> {
    let script = project.run(&["completions", "bash"]).exits(0).stdout;
    project.write("completions.bash", script);
    let listed: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let program = format!(
        "source ./completions.bash; COMP_WORDS=({}); COMP_CWORD={}; COMP_TYPE=9\n\
         name=$(complete -p landfall | sed 's/.*-F \\([^ ]*\\).*/\\1/'); $name landfall \"${{COMP_WORDS[-1]}}\" \"\"\n\
         printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        listed.join(" "),
        words.len() - 1
    );
    let run = Command::new("bash")
        .args(["--norc", "-c", &program])
        .current_dir(project.path())
        .env("PATH", path_with_landfall())
        .output()
        .unwrap();
    let said = String::from_utf8(run.stdout).unwrap();
    said.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

#[test]
fn a_shell_completes_the_names_of_tables_reports_and_sets() {
    let project = project_with_everything();
    let sets = project.run(&["backups", "list", "--json"]).exits(0).json();
    let set = sets["sets"][0]["set"].as_str().unwrap();
    for (words, offered) in [
        (&["landfall", "load", "pe"][..], "people"),
        (&["landfall", "backup", ""], "people"),
        (&["landfall", "rejects", "list", "--table", ""], "people"),
        (&["landfall", "report", "a"], "ages"),
        (&["landfall", "restore", "people", "--set", ""], set),
        (&["landfall", "backups", "verify", ""], "latest"),
        (&["landfall", "rejects", "re"], "retry"),
    ] {
        let found = complete_in_bash(&project, words);
        assert!(found.iter().any(|word| word == offered), "{words:?}: {found:?}");
    }
    assert!(complete_in_bash(&Project::empty(), &["landfall", "load", "pe"]).iter().all(|word| word != "people"));
}

#[test]
fn verbose_tells_what_happens() {
    let project = Project::people("1,Ann,30\n");
    assert_eq!(project.run(&["load", "--force"]).exits(0).stderr, "");
    let told = project.run(&["load", "--force", "-v"]).exits(0).stderr;
    for words in ["the project is read", "the database is open", "begins", "ends"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let told = project.run(&["load", "--force", "-vv"]).exits(0).stderr;
    assert!(told.contains("a chunk is committed"), "{told}");
}
