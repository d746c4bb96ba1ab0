//! Our side of the benches: the binary, and what its JSON says.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::{
    child::{ProcessRun, run, run_for_output},
    ground::{BenchProject, LoadCase},
    sqlite::remove_database,
};
use crate::bench_data::DataTally;

/// The binary to measure: the one that is named, or a release build made now.
pub(super) fn find_binary(named: Option<PathBuf>) -> Result<PathBuf> {
    let binary = match named {
        Some(binary) => binary,
        None => {
            build()?;
            crate::workspace_root().join("target/release/landfall")
        }
    };
    binary.canonicalize().with_context(|| format!("there is no binary {}", binary.display()))
}

fn build() -> Result<()> {
    eprintln!("building the release binary …");
    let arguments = ["build", "--release", "--locked", "--package", "landfall"];
    run_for_output(Command::new("cargo").args(arguments).current_dir(crate::workspace_root())).map(drop)
}

/// The binary, as a loader.
#[derive(Debug)]
pub(super) struct LandfallLoader {
    binary: PathBuf,
}

impl LandfallLoader {
    /// This binary.
    pub(super) const fn new(binary: PathBuf) -> Self {
        Self { binary }
    }

    /// Loads what the tables hold before. Not measured.
    pub(super) fn load_before(&self, case: &LoadCase, target: &str) -> Result<()> {
        let Some(held) = &case.held else { return Ok(()) };
        let run = run(self.load_command(held, target)?, &held.folder)?;
        assert_counts(&read_document(&run)?, held.tally)
    }

    /// A measured load of all tables, or of the employees alone where the parents are there before; with the document that
    /// it printed.
    pub(super) fn measure_load(&self, case: &LoadCase, target: &str) -> Result<(ProcessRun, Value)> {
        let mut command = self.load_command(&case.project, target)?;
        if case.held.is_some() {
            command.arg("hired_employees");
        }
        let run = run(command, &case.project.folder)?;
        let document = read_document(&run)?;
        assert_counts(&document, case.project.tally)?;
        Ok((run, document))
    }

    /// The command for a project with another target: one whose data package is that of `project`.
    fn load_command(&self, project: &BenchProject, target: &str) -> Result<Command> {
        let folder = project.folder.join("elsewhere");
        fs::create_dir_all(&folder)?;
        let configuration = json!({"target": target, "package": "../datapackage.yaml"});
        fs::write(folder.join("landfall.yaml"), configuration.to_string())?;
        let mut command = Command::new(&self.binary);
        command.args(["load", "--json", "--project"]).arg(folder);
        Ok(command)
    }
}

/// A measured `landfall check` of all tables, against a database that does not exist: with one, each row is looked for in it.
pub(super) fn measure_check(binary: &Path, project: &Path, tally: DataTally) -> Result<ProcessRun> {
    remove_database(&project.join("landfall.db"))?;
    let mut command = Command::new(binary);
    command.args(["check", "--json", "--project"]).arg(project);
    let run = run(command, project)?;
    // Each reject has a line, between the first of the document and the last.
    let rejects = count_lines(&run.stdout)?.saturating_sub(2);
    ensure!(rejects == tally.rejected, "check found {rejects} rejects of {}: {}", tally.rejected, run.error_tail());
    ensure!(run.success || rejects > 0, "check failed: {}", run.error_tail());
    Ok(run)
}

fn read_document(run: &ProcessRun) -> Result<Value> {
    let text = fs::read(&run.stdout)?;
    serde_json::from_slice(&text).with_context(|| format!("load printed no JSON document: {}", run.error_tail()))
}

fn count_lines(file: &Path) -> Result<u64> {
    use std::io::BufRead as _;
    let reader = std::io::BufReader::new(fs::File::open(file)?);
    Ok(reader.split(b'\n').count() as u64)
}

fn assert_counts(document: &Value, tally: DataTally) -> Result<()> {
    let loads = document["loads"].as_array().context("the document has no `loads`")?;
    let load = loads.iter().find(|load| load["table"] == "hired_employees").context("no load of hired_employees")?;
    let DataTally { read, inserted, unchanged, rejected, .. } = tally;
    for (key, expected) in [("read", read), ("inserted", inserted), ("unchanged", unchanged), ("rejected", rejected)] {
        if load[key] != expected {
            bail!("{key} is {}, but the generator wrote {expected}", load[key]);
        }
    }
    Ok(())
}

/// The profile by stage as a table, where the document has one: `stages` is an object of seconds.
pub(super) fn profile_stages(document: &Value) -> Option<String> {
    let stages = document.get("stages")?.as_object()?;
    let total: f64 = stages.values().filter_map(Value::as_f64).sum();
    let mut table = String::from("| stage | seconds | share |\n|---|--:|--:|\n");
    for (stage, seconds) in stages {
        let seconds = seconds.as_f64()?;
        writeln!(table, "| {stage} | {seconds:.2} | {:.0}% |", 100.0 * seconds / total).ok()?;
    }
    Some(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_become_a_table() {
        let table = profile_stages(&json!({"stages": {"decode": 1.0, "write": 3.0}})).unwrap_or_default();
        assert!(table.ends_with("| decode | 1.00 | 25% |\n| write | 3.00 | 75% |\n"), "{table}");
    }

    #[test]
    fn a_wrong_count_is_an_error() {
        let tally = DataTally { read: 3, inserted: 3, ..DataTally::default() };
        let load =
            |read| json!({"table": "hired_employees", "read": read, "inserted": 3, "unchanged": 0, "rejected": 0});
        assert!(assert_counts(&json!({"loads": [load(3)]}), tally).is_ok());
        assert!(assert_counts(&json!({"loads": [load(2)]}), tally).is_err());
    }
}
