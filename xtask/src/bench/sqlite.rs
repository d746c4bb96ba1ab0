//! The yardstick of `load`: the SQLite shell's own `.import` into the same constrained tables. It gives no reasons for
//! what it drops.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Result, ensure};

use super::{
    child::{Run, output, run},
    landfall::remove_database,
};
use crate::bench_data::Tally;

const TABLES: &str = "
PRAGMA journal_mode=WAL;
CREATE TABLE departments (id INTEGER PRIMARY KEY, department TEXT NOT NULL) STRICT;
CREATE TABLE jobs (id INTEGER PRIMARY KEY, job TEXT NOT NULL) STRICT;
CREATE TABLE hired_employees (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  datetime TEXT NOT NULL,
  department_id INTEGER NOT NULL REFERENCES departments (id),
  job_id INTEGER NOT NULL REFERENCES jobs (id)
) STRICT;";

/// A measured import of the employees; departments and jobs are there already.
pub(super) fn import(project: &Path, tally: Tally) -> Result<Run> {
    let database = prepared(project)?;
    let run = run(&mut shell(project, &database, "hired_employees"), project)?;
    let rows = count(&database)?;
    // With dirty records the two cannot be equal: the yardstick does not check types, and keeps records with extra cells.
    ensure!(tally.rejected > 0 || rows == tally.inserted, "the yardstick holds {rows} rows of {}", tally.inserted);
    Ok(run)
}

fn prepared(project: &Path) -> Result<PathBuf> {
    let database = project.join("yardstick.db");
    remove_database(&database)?;
    output(Command::new("sqlite3").arg(&database).arg(TABLES))?;
    for table in ["departments", "jobs"] {
        output(&mut shell(project, &database, table))?;
    }
    Ok(database)
}

/// The shell, about to import one file.
fn shell(project: &Path, database: &Path, table: &str) -> Command {
    let file = project.join(format!("data/{table}.csv"));
    let mut shell = Command::new("sqlite3");
    shell.arg(database).args(["PRAGMA foreign_keys=ON", ".mode csv"]).stderr(Stdio::inherit());
    shell.arg(format!(".import '{}' {table}", file.display()));
    shell
}

/// The employees in a database.
pub(super) fn count(database: &Path) -> Result<u64> {
    let text = output(Command::new("sqlite3").arg(database).arg("SELECT count(*) FROM hired_employees"))?;
    Ok(text.trim().parse()?)
}
