//! Backups and restores, as a person runs them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::support::{
    Project, conformance_folder,
    random::Random,
    staff::{self, File},
};
use serde_json::Value;

/// The example, loaded.
fn example() -> Project {
    let project = Project::example();
    project.run(&["load", "-q"]).exits(0);
    project
}

#[track_caller]
fn backup(project: &Project, arguments: &[&str]) -> Value {
    project.run(&[&["backup", "--json"], arguments].concat()).exits(0).json()
}

fn digest(set: &Value, table: &str) -> String {
    let tables = set["tables"].as_array().unwrap();
    let entry = tables.iter().find(|entry| entry["table"] == table).unwrap_or_else(|| panic!("no {table} in {set}"));
    entry["digest"].as_str().unwrap().to_owned()
}

fn content(project: &Project, table: &str) -> Vec<String> {
    crate::support::audit::content(project, table).into_iter().map(|row| format!("{row:?}")).collect()
}

#[test]
fn a_set_tells_what_it_holds() {
    let project = example();
    let set = backup(&project, &[]);
    let names: Vec<&str> =
        set["tables"].as_array().unwrap().iter().map(|entry| entry["table"].as_str().unwrap()).collect();
    assert_eq!(names, ["departments", "jobs", "hired_employees"]);
    for entry in set["tables"].as_array().unwrap() {
        let file =
            Path::new(set["location"].as_str().unwrap()).join(format!("{}.avro", entry["table"].as_str().unwrap()));
        assert_eq!(file.metadata().unwrap().len(), entry["bytes"].as_u64().unwrap());
        let rows: i64 = project
            .database()
            .query_row(&format!("SELECT count(*) FROM {}", entry["table"].as_str().unwrap()), [], |row| row.get(0))
            .unwrap();
        assert_eq!(entry["rows"], rows);
    }
    let name = set["set"].as_str().unwrap();
    let listed = project.run(&["backups", "list"]).exits(0).stdout;
    assert!(listed.contains(name) && listed.contains("1 backup set"), "{listed}");
    let manifest: Value = serde_json::from_str(&project.read(&format!("backups/{name}/manifest.json"))).unwrap();
    assert_eq!(manifest["tables"][0]["schema"]["primaryKey"], serde_json::json!(["id"]));
    assert!(manifest["snapshot"].as_str().unwrap().starts_with("SQLite"));
    project.run(&["backups", "verify", "latest"]).exits(0);
}

#[test]
fn what_was_changed_since_is_brought_back() {
    let project = example();
    let set = backup(&project, &[]);
    let before = content(&project, "hired_employees");
    let changes = "DELETE FROM hired_employees WHERE id % 3 = 0; UPDATE hired_employees SET name = 'x' WHERE id % 5 = 0; \
                   INSERT INTO hired_employees SELECT id + 100000, name, datetime, department_id, job_id FROM hired_employees LIMIT 7;";
    for codec in ["zstd", "deflate", "snappy", "bzip2", "xz", "none"] {
        let set = backup(&project, &["--codec", codec]);
        project.database().execute_batch(changes).unwrap();
        assert_ne!(content(&project, "hired_employees"), before);
        let run = project.run(&["restore", "hired_employees", "--json"]).exits(0);
        let [read, inserted, ..] = run.counts("hired_employees");
        assert_eq!(
            (run.json()["set"].clone(), read, inserted),
            (set["set"].clone(), before.len() as u64, read),
            "{codec}"
        );
        assert_eq!(content(&project, "hired_employees"), before, "{codec}");
    }
    assert_eq!(digest(&backup(&project, &["hired_employees"]), "hired_employees"), digest(&set, "hired_employees"));
    project.run(&["verify"]).exits(0);
}

#[test]
fn a_table_that_is_gone_is_brought_back() {
    let project = example();
    let set = backup(&project, &[]);
    let before = content(&project, "hired_employees");
    project.database().execute_batch("DROP TABLE hired_employees").unwrap();
    project.run(&["restore", "hired_employees", "-q"]).exits(0);
    assert_eq!(content(&project, "hired_employees"), before);
    project.run(&["verify"]).exits(0);
    // And all of them into an empty database.
    fs::remove_file(project.path().join("landfall.db")).unwrap();
    project.run(&["restore", "hired_employees", "jobs", "departments", "-q"]).exits(0);
    let again = backup(&project, &[]);
    for table in ["departments", "jobs", "hired_employees"] {
        assert_eq!(digest(&again, table), digest(&set, table), "{table}");
    }
}

#[test]
fn a_project_that_is_lost_is_brought_back_from_a_set() {
    let project = example();
    let (set, sets) = (backup(&project, &[]), project.path().join("backups"));
    let sets = sets.to_str().unwrap();
    let lost = Project::empty();
    let run = lost.run(&["init", ".", "--from-backup", sets]).exits(0);
    let name = set["set"].as_str().unwrap();
    assert!(run.stdout.contains(&format!("restore departments jobs hired_employees --set {name}")), "{}", run.stdout);
    assert!(lost.read("landfall.yaml").contains(sets));
    lost.run(&["restore", "departments", "jobs", "hired_employees", "-q"]).exits(0);
    let again = backup(&lost, &["--to", "own"]);
    for table in ["departments", "jobs", "hired_employees"] {
        assert_eq!(digest(&again, table), digest(&set, table), "{table}");
        assert_eq!(content(&lost, table), content(&project, table), "{table}");
    }
    lost.run(&["schema", "diff"]).exits(0);
    let (before, after) = (project.run(&["schema"]).exits(0).stdout, lost.run(&["schema"]).exits(0).stdout);
    assert_eq!(after, before);
    // What is there stays, unless it is to be replaced; landfall.yaml stays in any case.
    let run = lost.run(&["init", ".", "--from-backup", sets]).exits(2);
    assert!(run.stderr.contains("datapackage.json exists"), "{}", run.stderr);
    lost.write("landfall.yaml", "target: sqlite:another.db\n");
    backup(&project, &["hired_employees"]);
    let run = lost.run(&["init", ".", "--from-backup", sets, "--force"]).exits(0);
    assert!(run.stdout.contains("hired_employees: its foreign key to departments is left out"), "{}", run.stdout);
    assert_eq!(lost.read("landfall.yaml"), "target: sqlite:another.db\n");
    lost.run(&["restore", "hired_employees", "-q", "--in", sets]).exits(0);
    assert_eq!(lost.run(&["init", "--from-backup", sets, "--set", "nonsense", "--force"]).code, 2);
    // What is written would not be read where the other form stands beside it.
    let run = project.run(&["init", "--from-backup", sets, "--force"]).exits(2);
    assert!(run.stderr.contains("datapackage.yaml exists, and would be read instead"), "{}", run.stderr);
    assert_eq!(lost.run(&["init", "--set", name]).code, 2);
}

/// Another program has stored them: in a file they would stand for a missing value.
#[test]
fn a_text_that_stands_for_a_missing_value_became_one_when_it_was_restored() {
    let project = Project::empty();
    let fields = "[{name: id, type: integer}, {name: word, type: string, missingValues: ['', 'NA']}]";
    project.write(
        "datapackage.yaml",
        format!("resources: [{{name: words, path: words.csv, schema: {{fields: {fields}, primaryKey: id}}}}]"),
    );
    project.write("words.csv", "id,word\n1,NA\n2,x\n");
    project.run(&["load", "-q"]).exits(0);
    project.database().execute_batch("INSERT INTO words VALUES (3, ''), (4, 'NA'), (5, NULL)").unwrap();
    let (set, before) = (backup(&project, &[]), content(&project, "words"));
    project.run(&["restore", "words", "-q"]).exits(0);
    assert_eq!(content(&project, "words"), before);
    assert_eq!(digest(&backup(&project, &[]), "words"), digest(&set, "words"));
    // A file from elsewhere is under the rules of the dictionary.
    let file = Path::new(set["location"].as_str().unwrap()).join("words.avro");
    project.run(&["restore", "words", "-q", "--from", file.to_str().unwrap()]).exits(0);
    let missing = "SELECT count(*) FROM words WHERE word IS NULL";
    assert_eq!(project.database().query_row(missing, [], |row| row.get::<_, u64>(0)).unwrap(), 4);
    // What is rejected is tried again as it stood there.
    project.write(
        "datapackage.yaml",
        project.read("datapackage.yaml").replace("type: string,", "type: string, constraints: {pattern: '|NA'},"),
    );
    project.run(&["restore", "words", "-q", "--max-rejects", "5", "--set", set["set"].as_str().unwrap()]).exits(0);
    assert_eq!(project.run(&["rejects", "list", "--json"]).exits(0).json_list().len(), 1);
    project.write("datapackage.yaml", project.read("datapackage.yaml").replace("'|NA'", "'|NA|x'"));
    project.run(&["rejects", "retry", "-q"]).exits(0);
    assert_eq!(content(&project, "words"), before);
}

#[test]
fn the_set_of_a_time_is_taken() {
    let project = example();
    let first = backup(&project, &["jobs"]);
    project.database().execute_batch("UPDATE jobs SET job = job || '!'").unwrap();
    let second = backup(&project, &["jobs"]);
    backup(&project, &["departments"]);
    let restored = |arguments: &[&str]| {
        let run = project.run(&[&["restore", "jobs", "--json", "--mode", "upsert"], arguments].concat());
        run.exits(0).json()["set"].clone()
    };
    // The last set has no jobs.
    assert_eq!(restored(&[]), second["set"]);
    assert_eq!(restored(&["--set", first["set"].as_str().unwrap()]), first["set"]);
    let name = first["set"].as_str().unwrap();
    let time =
        format!("{}-{}-{}T{}:{}:{}Z", &name[..4], &name[4..6], &name[6..8], &name[9..11], &name[11..13], &name[13..22]);
    assert_eq!(restored(&["--at", &time]), first["set"]);
    let error = project.run(&["restore", "jobs", "--at", "2020-01-01T00:00:00Z"]).fails(4);
    assert!(error.contains("no sound backup set of 2020-01-01T00:00:00Z or before"), "{error}");
}

#[test]
fn rows_that_break_a_rule_of_now_go_to_the_quarantine() {
    let project = Project::people("1,Ann,20\n2,Bob,30\n3,Cid,40\n");
    project.run(&["load", "-q"]).exits(0);
    backup(&project, &[]);
    let package = project
        .read("datapackage.yaml")
        .replace("{name: age, type: integer}", "{name: age, type: integer, constraints: {maximum: 35}}");
    project.write("datapackage.yaml", package);
    let held = content(&project, "people");
    let run = project.run(&["restore", "people", "--json"]).exits(11);
    assert!(
        run.stderr.contains("it would remove 3 rows and put 2 in their place, and 1 record is rejected"),
        "{}",
        run.stderr
    );
    assert_eq!(content(&project, "people"), held, "a restore that replaces takes all rows or none");
    let run = project.run(&["restore", "people", "--json", "--max-rejects", "1"]).exits(0);
    assert_eq!(run.counts("people"), [3, 2, 0, 0, 1]);
    let rejects = project.run(&["rejects", "list", "--json"]).exits(0).json_list();
    assert_eq!(rejects.len(), 1);
    assert_eq!(rejects[0]["raw"], r#"{"id":3,"name":"Cid","age":40}"#);
    project.run(&["verify"]).exits(0);
    // It is mended like other JSON rows.
    let package = project.read("datapackage.yaml").replace("maximum: 35", "maximum: 45");
    project.write("datapackage.yaml", package);
    project.run(&["rejects", "retry", "-q"]).exits(0);
    assert_eq!(content(&project, "people").len(), 3);
}

#[test]
fn a_trial_changes_nothing() {
    let project = example();
    backup(&project, &[]);
    project.database().execute_batch("DELETE FROM hired_employees").unwrap();
    let run = project.run(&["restore", "hired_employees", "--dry-run"]).exits(0);
    assert!(run.stdout.contains("would pass"), "{}", run.stdout);
    assert!(content(&project, "hired_employees").is_empty());
}

#[test]
fn children_that_would_lose_their_parents_stop_it_unless_they_are_restored_too() {
    let project = staff::project();
    project.write("staff.csv", File::clean(1, 1, 100).bytes);
    project.write("teams-before.csv", "id,name\n1,Team 1\n");
    let teams = project.read("teams.csv");
    project.write("teams.csv", "id,name\n1,Team 1\n");
    project.write("none.csv", "id,name,age,team\n");
    project.run(&["load", "-q", "teams", "staff=none.csv"]).exits(0);
    let before = backup(&project, &[]);
    project.write("teams.csv", teams);
    project.run(&["load", "-q"]).exits(0);
    let held = (content(&project, "teams"), content(&project, "staff"));
    let error = project.run(&["restore", "teams"]).fails(5);
    assert!(error.contains("rows of \"staff\"") && error.contains("--with-dependents"), "{error}");
    assert_eq!((content(&project, "teams"), content(&project, "staff")), held);
    let run = project.run(&["restore", "teams", "--with-dependents", "--json", "--allow-empty"]).exits(0);
    assert_eq!(run.json()["tables"].as_array().unwrap().len(), 2);
    let after = backup(&project, &[]);
    for table in ["teams", "staff"] {
        assert_eq!(digest(&after, table), digest(&before, table), "{table}");
    }
}

#[test]
fn a_named_table_that_the_set_has_not_is_told_also_with_its_dependents() {
    let project = example();
    let set = backup(&project, &["hired_employees"]);
    let arguments = ["restore", "jobs", "--with-dependents", "--set", set["set"].as_str().unwrap()];
    let error = project.run(&arguments).fails(4);
    assert!(error.contains("it has no table \"jobs\""), "{error}");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Whatever becomes of a file of a set, it is found before the table is touched.
#[test]
fn damage_is_found_before_a_table_is_touched() {
    let project = example();
    let set = backup(&project, &["--codec", "none"]);
    let folder = PathBuf::from(set["location"].as_str().unwrap());
    let file = folder.join("jobs.avro");
    let whole = fs::read(&file).unwrap();
    let held = content(&project, "jobs");
    let mut random = Random::new(7);
    let refused = |what: &str| {
        let error = project.run(&["restore", "jobs"]).fails(4);
        assert!(error.contains("nothing was touched"), "{what}: {error}");
        assert_eq!(content(&project, "jobs"), held, "{what}");
        let verified = project.run(&["backups", "verify"]).exits(1).stdout;
        assert!(verified.contains("jobs.avro: it is not what was written"), "{verified}");
    };
    for round in 0..20u64 {
        let mut bytes = whole.clone();
        if round % 2 == 0 {
            let bit = usize::try_from(random.below(bytes.len() as u64 * 8)).unwrap();
            bytes[bit / 8] ^= 1 << (bit % 8);
        } else {
            bytes.truncate(usize::try_from(random.below(bytes.len() as u64)).unwrap());
        }
        fs::write(&file, &bytes).unwrap();
        refused(&format!("round {round}"));
    }
    fs::copy(folder.join("departments.avro"), &file).unwrap();
    refused("a swapped file");
    fs::write(&file, &whole).unwrap();
    // A manifest that was changed is none.
    let manifest = fs::read_to_string(folder.join("manifest.json")).unwrap();
    fs::write(folder.join("manifest.json"), manifest.replacen("\"rows\": 1", "\"rows\": 2", 1)).unwrap();
    let error = project.run(&["restore", "jobs", "--set", set["set"].as_str().unwrap()]).fails(4);
    assert!(error.contains("damaged"), "{error}");
    project.run(&["backups", "verify"]).exits(1);
    fs::write(folder.join("manifest.json"), manifest).unwrap();
    project.run(&["restore", "jobs", "-q"]).exits(0);
    assert_eq!(files(&folder).len(), 4);
}

#[test]
fn a_name_from_outside_never_leaves_the_folder() {
    let project = example();
    let set = backup(&project, &[]);
    let name = set["set"].as_str().unwrap();
    for outside in ["..", "../backups", "/etc", "%2e%2e", "a/b", "", &format!("../backups/{name}"), &format!("{name}/")]
    {
        let error = project.run(&["restore", "jobs", "--set", outside]).fails(2);
        assert!(error.contains("not the name of a backup set"), "{outside}: {error}");
    }
    // A link in the place of a set, or of a file, is not followed.
    let other = format!("{}{}", &name[..name.len() - 2], if name.ends_with("00") { "11" } else { "00" });
    std::os::unix::fs::symlink(project.path().join("backups").join(name), project.path().join("backups").join(&other))
        .unwrap();
    let listed = project.run(&["backups", "list"]).exits(0).stdout;
    assert!(!listed.contains(&other), "{listed}");
    project.run(&["restore", "jobs", "--set", &other]).fails(4);
    let file = project.path().join("backups").join(name).join("jobs.avro");
    let moved = project.path().join("jobs.avro");
    fs::rename(&file, &moved).unwrap();
    std::os::unix::fs::symlink(&moved, &file).unwrap();
    let error = project.run(&["restore", "jobs", "--set", name]).fails(4);
    assert!(error.contains("not there"), "{error}");
}

#[test]
fn sets_that_no_rule_keeps_are_removed() {
    let project = example();
    let sets: Vec<String> = (0..4).map(|_| backup(&project, &["jobs"])["set"].as_str().unwrap().to_owned()).collect();
    let error = project.run(&["backups", "prune"]).fails(2);
    assert!(error.contains("landfall.yaml"), "{error}");
    let run = project.run(&["backups", "prune", "--keep-last", "2", "--dry-run", "--json"]).exits(0).json();
    assert_eq!(run["removed"], serde_json::json!(sets[..2]));
    project.run(&["backups", "prune", "--keep-last", "2"]).exits(0);
    let left = project.run(&["backups", "list", "--json"]).exits(0).json();
    let left: Vec<&str> = left["sets"].as_array().unwrap().iter().map(|set| set["set"].as_str().unwrap()).collect();
    assert_eq!(left, sets[2..].iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(files(&project.path().join("backups")).len(), 2);
    // The rules of the project.
    let settings = project.read("landfall.yaml");
    project.write("landfall.yaml", format!("{settings}\nbackup:\n  keep: {{daily: 1}}\n"));
    project.run(&["backups", "prune"]).exits(0);
    assert_eq!(files(&project.path().join("backups")).len(), 1);
}

#[test]
fn an_interrupted_backup_leaves_nothing_that_looks_like_one() {
    let project = example();
    for round in 0..6u64 {
        let mut child = project.command(&["backup", "-q", "--codec", "none"]).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(round * 2));
        let _ = child.kill();
        child.wait().unwrap();
        project.run(&["backups", "verify"]).exits(0);
    }
    backup(&project, &[]);
    // What was left is cleared away.
    let left: Vec<String> = files(&project.path().join("backups"))
        .iter()
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    let folder = project.path().join("backups");
    assert!(left.iter().all(|name| !name.starts_with('.') || !folder.join(name).join("lock").exists()), "{left:?}");
}

#[test]
fn mistakes_are_told() {
    let project = example();
    for (arguments, code, words) in [
        (&["backup", "job"][..], 2, "did you mean jobs?"),
        (&["restore", "jobs"], 4, "there is no sound backup set with jobs"),
        (&["restore", "jobs", "--from", "nowhere.avro"], 4, "nowhere.avro"),
        (&["restore", "jobs", "departments", "--from", "data/jobs.csv"], 2, "name just one"),
        (&["restore", "jobs", "--from", "data/jobs.csv"], 4, "Avro"),
        (&["backups", "verify", "latest"], 2, "there is no backup set"),
        (&["backup", "--to", "ftp://host/backups"], 2, "its scheme is not one of file://, s3://, gs:// and az://"),
        (&["backups", "list", "--in", "s3://bucket/../other"], 2, "may not have . or .. as a part"),
    ] {
        let error = project.run(arguments).fails(code);
        assert!(error.contains(words), "{arguments:?}: {error}");
    }
    let settings = project.read("landfall.yaml");
    project.write(
        "landfall.yaml",
        format!("{settings}\nbackup: {{codec: zip, keep: {{lst: 1}}, cron: often, to: 's4://bucket'}}\n"),
    );
    let error = project.run(&["backup"]).fails(3);
    for words in ["\"codec\" cannot be \"zip\"", "lst", "five fields of cron", "its scheme is not one of"] {
        assert!(error.contains(words), "{error}");
    }
}

/// Files that another program wrote.
#[test]
fn files_of_another_program_are_restored() {
    let Some(folder) = conformance_folder() else { return };
    let Some(project) = Project::real() else { return };
    project.run(&["load", "-q"]).exits(0);
    for table in ["departments", "jobs", "hired_employees"] {
        let file = folder.join(format!("avro/{table}.avro"));
        let run = project.run(&["restore", table, "--from", &file.display().to_string(), "--mode", "upsert", "--json"]);
        assert!(run.code == 0, "{table}: {}{}", run.stdout, run.stderr);
        let [read, inserted, updated, unchanged, rejected] = run.counts(table);
        eprintln!("{table}: {:?}", run.counts(table));
        assert!(read > 0 && read == inserted + updated + unchanged + rejected, "{}", run.stdout);
    }
    project.run(&["verify"]).exits(0);
}
