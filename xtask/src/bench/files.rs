//! `cargo xtask bench files`: many small files in one command. The cost of a file must not grow with the files that were loaded before.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde_json::{Value, json};
use testbed::{Postgres, ServerOptions};

use super::{
    child::{ProcessRun, run, run_for_output},
    landfall, machine,
    sqlite::remove_database,
};

/// How many files, and where to.
#[derive(Debug, Args)]
pub(crate) struct FilesBench {
    /// Numbers of files, of two records each
    #[arg(long, value_delimiter = ',', default_value = "300,1200,4800,10000")]
    files: Vec<u64>,
    /// The binary; without it, a release build is made
    #[arg(long)]
    bin: Option<PathBuf>,
}

const TABLE: &str = "CREATE TABLE readings (id bigint PRIMARY KEY, reading text NOT NULL)";

const HEAD: &str = "\
| database | files | yardstick, ms a file | new, ms a file | ratio | to the fewest | known, ms a file | to the fewest |
|---|--:|--:|--:|--:|--:|--:|--:|
";

/// A database that files are loaded into.
struct LoadPlace<'p> {
    name: &'static str,
    target: String,
    /// Loads all files into the constrained table without Landfall.
    yardstick: &'p dyn Fn(&Path) -> Result<ProcessRun>,
}

/// Milliseconds for each file.
struct FileCosts {
    yardstick: f64,
    new: f64,
    known: f64,
}

impl FilesBench {
    /// Measures every number of files and gives the report.
    pub(super) fn run_bench(&self) -> Result<String> {
        let binary = landfall::find_binary(self.bin.clone())?;
        let server = Postgres::start_with(&ServerOptions::stock_settings())?;
        let folder = crate::workspace_root().join("target/bench/files");
        let mut report = format!("{}\n\n{HEAD}", machine::describe_machine(&["rustc", "sqlite3"]));
        let mut fewest: [Option<FileCosts>; 2] = [None, None];
        for &count in &self.files {
            eprintln!("{count} files …");
            write_project(&folder, count)?;
            let own = folder.join("own.db");
            let theirs = folder.join("theirs.db");
            remove_database(&own)?;
            remove_database(&theirs)?;
            let [database, other] = [server.fresh_database()?, server.fresh_database()?];
            let places = [
                LoadPlace {
                    name: "SQLite",
                    target: format!("sqlite:{}", own.display()),
                    yardstick: &|folder| import_by_shell(folder, &theirs),
                },
                LoadPlace {
                    name: "PostgreSQL",
                    target: database.url(),
                    yardstick: &|folder| copy_by_psql(folder, &other.url()),
                },
            ];
            for (place, fewest) in places.iter().zip(&mut fewest) {
                let costs = measure_files(&binary, &folder, count, place)?;
                let first = fewest.get_or_insert(FileCosts { ..costs });
                let FileCosts { yardstick, new, known } = costs;
                writeln!(
                    report,
                    "| {} | {count} | {yardstick:.2} | {new:.2} | **{:.2}** | {:.2} | {known:.2} | {:.2} |",
                    place.name,
                    new / yardstick,
                    new / first.new,
                    known / first.known
                )?;
            }
            server.drop_database(&database)?;
            server.drop_database(&other)?;
        }
        Ok(report)
    }
}

/// Writes `count` files with two records each, and their data package.
fn write_project(folder: &Path, count: u64) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder.join("data"))?;
    let package = json!({"resources": [{"name": "readings", "path": "data/*.csv", "schema": {
        "primaryKey": ["id"],
        "fields": [{"name": "id", "type": "integer"}, {"name": "reading", "type": "string", "constraints": {"required": true}}],
    }}]});
    fs::write(folder.join("datapackage.json"), package.to_string())?;
    for at in 0..count {
        let (one, other) = (2 * at, 2 * at + 1);
        fs::write(folder.join(format!("data/{at:06}.csv")), format!("id,reading\n{one},low\n{other},high\n"))?;
    }
    Ok(())
}

/// The costs of `count` files at `place`: the yardstick's, of files that are new, and of the same files again.
fn measure_files(binary: &Path, folder: &Path, count: u64, place: &LoadPlace<'_>) -> Result<FileCosts> {
    let each = |run: &ProcessRun| run.seconds * 1000.0 / count as f64;
    let yardstick = (place.yardstick)(folder)?;
    ensure!(yardstick.success, "the yardstick failed: {}", yardstick.error_tail());
    fs::write(folder.join("landfall.yaml"), json!({"target": place.target}).to_string())?;
    let mut measured = Vec::new();
    for (state, read) in [("complete", 2), ("known", 0)] {
        let mut command = Command::new(binary);
        command.args(["load", "--json", "--project"]).arg(folder);
        let load = run(command, folder)?;
        let document: Value = serde_json::from_slice(&fs::read(&load.stdout)?)
            .with_context(|| format!("load printed no JSON document: {}", load.error_tail()))?;
        let loads = document["loads"].as_array().context("the document has no `loads`")?;
        let right = loads.iter().filter(|load| load["state"] == state && load["read"] == read).count();
        ensure!(right as u64 == count, "{right} of {count} files are {state}");
        measured.push(each(&load));
    }
    Ok(FileCosts { yardstick: each(&yardstick), new: measured[0], known: measured[1] })
}

/// The data files, each in quotes as SQL has them.
fn quoted_files(folder: &Path) -> Result<Vec<String>> {
    let mut files: Vec<String> = fs::read_dir(folder.join("data"))?
        .map(|entry| Ok(format!("'{}'", entry?.path().display())))
        .collect::<Result<_>>()?;
    files.sort();
    Ok(files)
}

/// All files by the shell of SQLite, a transaction for each.
fn import_by_shell(folder: &Path, database: &Path) -> Result<ProcessRun> {
    let mut script = format!("PRAGMA journal_mode=WAL;\nPRAGMA synchronous=NORMAL;\n{TABLE};\n");
    for file in quoted_files(folder)? {
        writeln!(script, ".import --csv --skip 1 {file} readings")?;
    }
    fs::write(folder.join("import.sql"), script)?;
    let mut command = Command::new("sqlite3");
    command.arg(database).arg(format!(".read '{}'", folder.join("import.sql").display()));
    run(command, folder)
}

/// All files by psql, a transaction for each.
fn copy_by_psql(folder: &Path, url: &str) -> Result<ProcessRun> {
    run_for_output(Command::new("psql").args(["--quiet", url, "-c", TABLE]))?;
    let mut script = String::new();
    for file in quoted_files(folder)? {
        writeln!(script, "\\copy readings FROM {file} (FORMAT csv, HEADER)")?;
    }
    fs::write(folder.join("copy.sql"), script)?;
    let mut command = Command::new("psql");
    command.args(["--quiet", "-v", "ON_ERROR_STOP=1", url, "-f"]).arg(folder.join("copy.sql"));
    run(command, folder)
}
