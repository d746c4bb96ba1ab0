//! SQLite, and the yardstick there: the shell's own `.import` into the same constrained tables. It gives no reasons for
//! what it drops.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use super::{
    child::{run, run_for_output},
    ground::{BenchProject, DatabaseSystem, LoadCase, Yardstick},
    machine,
};

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

/// The SQLite that the shell has.
#[derive(Debug)]
pub(super) struct SqliteSystem;

impl DatabaseSystem for SqliteSystem {
    type Database = PathBuf;

    fn describe_system(&self) -> Result<String> {
        machine::tool_version("sqlite3").context("there is no sqlite3: install the Debian package sqlite3")
    }

    fn create_database(&self, case: &LoadCase) -> Result<PathBuf> {
        let database = case.project.folder.join("bench.db");
        remove_database(&database)?;
        Ok(database)
    }

    fn target_url(&self, database: &PathBuf) -> String {
        format!("sqlite:{}", database.display())
    }

    fn wait_until_idle(&self, _: &PathBuf) -> Result<()> {
        Ok(())
    }

    fn count_employees(&self, database: &PathBuf) -> Result<u64> {
        let text = run_for_output(Command::new("sqlite3").arg(database).arg("SELECT count(*) FROM hired_employees"))?;
        Ok(text.trim().parse()?)
    }

    fn remove(&self, database: PathBuf) -> Result<()> {
        remove_database(&database)
    }

    fn list_yardsticks(&self, _: bool) -> Vec<Yardstick<PathBuf>> {
        vec![Yardstick {
            name: "sqlite3 .import",
            prepare: Box::new(|database, case| prepare_tables(database, case)),
            run: Box::new(|database, case| {
                let run = run(import_command(&case.project, database, "hired_employees"), &case.project.folder)?;
                ensure!(run.success, "sqlite3 failed: {}", run.error_tail());
                Ok(run)
            }),
        }]
    }
}

fn prepare_tables(database: &Path, case: &LoadCase) -> Result<()> {
    run_for_output(Command::new("sqlite3").arg(database).arg(TABLES))?;
    for table in ["departments", "jobs"] {
        run_for_output(&mut import_command(&case.project, database, table))?;
    }
    if let Some(held) = &case.held {
        run_for_output(&mut import_command(held, database, "hired_employees"))?;
    }
    Ok(())
}

/// The shell, about to import one file.
fn import_command(project: &BenchProject, database: &Path, table: &str) -> Command {
    let mut shell = Command::new("sqlite3");
    shell.arg(database).args(["PRAGMA foreign_keys=ON", ".mode csv"]).stderr(Stdio::inherit());
    shell.arg(format!(".import '{}' {table}", project.csv_file(table).display()));
    shell
}

/// Removes a database with its side files.
pub(super) fn remove_database(database: &Path) -> Result<()> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut file = database.as_os_str().to_owned();
        file.push(suffix);
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}
