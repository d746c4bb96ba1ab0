//! What tests of the program share: a project in a folder of its own, and the program run on it.
#![allow(dead_code, clippy::unwrap_used, reason = "each test program uses a part; a test stops at the first surprise")]

pub(crate) mod audit;
pub(crate) mod hostile;
pub(crate) mod permissions;
pub(crate) mod random;
pub(crate) mod small_disk;
pub(crate) mod staff;
pub(crate) mod teams;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

/// A project in a folder of its own, which goes with it.
pub(crate) struct Project {
    folder: TempDir,
    environment: Vec<(String, String)>,
}

/// One table `people` with the fields id (primary key), name (required) and age.
const PEOPLE: &str = "resources:
  - name: people
    path: people.csv
    schema:
      fields:
        - {name: id, type: integer, constraints: {required: true}}
        - {name: name, type: string, constraints: {required: true}}
        - {name: age, type: integer}
      primaryKey: [id]
";

impl Project {
    /// An empty folder.
    pub(crate) fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), environment: Vec::new() }
    }

    /// One table `people` (id, name, age), whose file is `csv` below a header.
    pub(crate) fn people(csv: &str) -> Self {
        let project = Self::empty();
        project.write("datapackage.yaml", PEOPLE);
        project.write("people.csv", format!("id,name,age\n{csv}"));
        project
    }

    /// A copy of the example.
    pub(crate) fn example() -> Self {
        let project = Self::empty();
        copy(&repository().join("examples/hr"), project.path());
        project
    }

    /// The example with the real data in the place of its own, where the environment names their folder.
    pub(crate) fn real() -> Option<Self> {
        let folder = conformance_folder()?.join("hr");
        let project = Self::example();
        for name in ["departments.csv", "jobs.csv", "hired_employees.csv"] {
            std::fs::copy(folder.join(name), project.path().join("data").join(name)).unwrap();
        }
        Some(project)
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A variable of the environment that the program is run with from now on.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(set, _)| set != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Writes a file of the project.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Reads a file of the project.
    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap()
    }

    /// The project's database, as another program sees it.
    pub(crate) fn database(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.path().join("landfall.db")).unwrap()
    }

    /// The program with `arguments`, not started yet; the project's folder is the current one.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        for variable in ["RUST_BACKTRACE", "NO_COLOR", "COLUMNS", "CLICOLOR_FORCE"] {
            command.env_remove(variable);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        Run::of(&self.command(arguments).output().unwrap())
    }

    /// `verify` finds nothing wrong with what was loaded. That a file was not loaded, or not to its end, is another matter.
    #[track_caller]
    pub(crate) fn assert_nothing_wrong(&self) {
        let run = self.run(&["verify", "--json"]);
        assert!([0, 1].contains(&run.code), "{}{}", run.stdout, run.stderr);
        let verification = run.json();
        let findings: Vec<&Value> = verification["findings"].as_array().unwrap().iter().collect();
        assert!(findings.iter().all(|finding| finding["kind"] == "not-loaded"), "{findings:?}");
    }

    /// Runs the program to its end with `input` on its standard input.
    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Run {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        Run::of(&child.wait_with_output().unwrap())
    }
}

/// How the program ended, and what it said.
#[derive(Debug)]
pub(crate) struct Run {
    /// The exit code.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
}

impl Run {
    /// What came of a program that has ended.
    pub(crate) fn of(output: &std::process::Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout.clone()).unwrap(),
            stderr: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }

    /// The run, which must have ended with `code`.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "standard output:\n{}\nstandard error:\n{}", self.stdout, self.stderr);
        self
    }

    /// The run, which must have ended with `code`, one error and nothing on standard output; the error.
    #[track_caller]
    pub(crate) fn fails(self, code: i32) -> String {
        let run = self.exits(code);
        assert_eq!(run.stdout, "", "an error leaves standard output empty");
        // With -v, the log stands before the error.
        let log = run.stderr.lines().take_while(|line| line.starts_with("20"));
        let error = &run.stderr[log.map(|line| line.len() + 1).sum::<usize>()..];
        error.strip_prefix("error: ").unwrap_or_else(|| panic!("no error in {:?}", run.stderr)).trim_end().into()
    }

    /// Standard output as one JSON document.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {}", self.stdout))
    }

    /// The items of the one list that standard output has in a JSON document.
    #[track_caller]
    pub(crate) fn json_list(&self) -> Vec<Value> {
        let document = self.json();
        let named = ["rejects", "groups", "tokens"].map(|name| document[name].as_array().cloned());
        named.into_iter().flatten().next().unwrap_or_else(|| panic!("no list in {}", self.stdout))
    }

    /// The counts (read, inserted, updated, unchanged, rejected) of `table` in the summary of `load --json`.
    #[track_caller]
    pub(crate) fn counts(&self, table: &str) -> [u64; 5] {
        let document = self.json();
        let loads = document["loads"].as_array().unwrap();
        let mut counts = [0; 5];
        for load in loads.iter().filter(|load| load["table"] == table) {
            for (sum, key) in counts.iter_mut().zip(["read", "inserted", "updated", "unchanged", "rejected"]) {
                *sum += load[key].as_u64().unwrap();
            }
        }
        counts
    }
}

/// The folder of the repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The folder with data that may not be committed, where the environment names it; says so where it does not.
pub(crate) fn conformance_folder() -> Option<PathBuf> {
    let folder = std::env::var_os("LANDFALL_CONFORMANCE").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("not run: LANDFALL_CONFORMANCE does not name the folder of the conformance data");
    }
    folder
}

/// Copies a project, without what Landfall has made in its folder: somebody may have tried things out there.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if ["backups", ".landfall"].iter().any(|made| name == *made) {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(name));
        } else if !name.to_string_lossy().starts_with("landfall.db") {
            std::fs::copy(entry.path(), to.join(name)).unwrap();
        }
    }
}

/// Runs the program and gives its exit code and the most memory that it held, in MiB: none where the system does not tell.
pub(crate) fn measured(mut command: Command) -> (Option<i32>, Option<u64>) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = None;
    loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let held =
            text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB")?.trim().parse().ok());
        peak = peak.max(held.map(|kib: u64| kib >> 10));
        if let Some(status) = child.try_wait().unwrap() {
            return (status.code(), peak);
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}

/// Runs the program, which must end with `exit`, and gives the most memory that it held, in MiB.
#[track_caller]
pub(crate) fn peak_memory(command: Command, exit: i32) -> Option<u64> {
    let (code, peak) = measured(command);
    assert_eq!(code, Some(exit));
    peak
}

/// How often a test that may run for as long as one likes does so: `few` times, or more where a soak is asked for.
pub(crate) fn rounds(few: u64) -> u64 {
    if !soak() {
        return few;
    }
    std::env::var("LANDFALL_SOAK_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1000)
}

/// Whether long tests are asked for.
pub(crate) fn soak() -> bool {
    std::env::var_os("LANDFALL_SOAK").is_some_and(|value| value != "0")
}
