//! The yardstick of `check`: DuckDB's typed read of the same file, which keeps the records that it cannot read
//! (`store_rejects`). It checks types alone: no keys, no constraints.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::child::{ProcessRun, run, run_for_output};
use crate::bench_data::DataTally;

/// The version that was compared with last. Another one is another yardstick.
const VERSION: &str = "2.0.0";

/// DuckDB, in a Python environment of its own.
#[derive(Debug)]
pub(super) struct DuckDb {
    python: PathBuf,
    script: PathBuf,
    threads: usize,
}

impl DuckDb {
    /// Installs DuckDB below `folder`, where it is not there yet.
    pub(super) fn install(folder: &Path, threads: usize) -> Result<Self> {
        let environment = folder.join(format!("venv-duckdb-{VERSION}"));
        let python = environment.join("bin/python");
        if !environment.join("complete").exists() {
            eprintln!("installing DuckDB {VERSION} …");
            run_for_output(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
            let package = format!("duckdb=={VERSION}");
            run_for_output(Command::new(&python).args(["-m", "pip", "install", "--quiet", &package]))?;
            fs::write(environment.join("complete"), "")?;
        }
        let script = crate::workspace_root().join("benches/yardsticks/duckdb_typed_read.py");
        Ok(Self { python, script, threads })
    }

    /// A measured read; the second value is the time of the query alone, without the start of Python.
    pub(super) fn read(&self, project: &Path, tally: DataTally) -> Result<(ProcessRun, f64)> {
        let file = project.join("data/hired_employees.csv");
        let threads = self.threads.to_string();
        let mut command = Command::new(&self.python);
        command.arg(&self.script).arg(file).arg(threads);
        let run = run(command, project)?;
        ensure!(run.success, "DuckDB failed: {}", run.error_tail());
        let document: Value = serde_json::from_slice(&fs::read(&run.stdout)?)?;
        let rows = document["rows"].as_u64().context("no count of rows")?;
        ensure!(tally.rejected > 0 || rows == tally.read, "DuckDB read {rows} rows of {}", tally.read);
        Ok((run, document["seconds"].as_f64().context("no time")?))
    }

    /// Name and version.
    pub(super) fn name(&self) -> String {
        format!("DuckDB {VERSION}, {} threads", self.threads)
    }
}
