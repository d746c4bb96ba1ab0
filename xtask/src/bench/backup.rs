//! `cargo xtask bench backup`: a table of PostgreSQL to Avro and back, against fastavro, `pg_dump` and the server's own COPY into a file.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, ensure};
use clap::Args;
use serde_json::json;
use testbed::TestDatabase;

use super::{
    BenchOptions,
    child::{ProcessRun, run, run_for_output},
    ground::{DatabaseSystem as _, LoadCase},
    landfall::find_binary,
    machine, postgres,
    python::prepare_environment,
    series::{Series, peak_mib},
};

/// What is backed up, and how often.
#[derive(Debug, Args)]
pub(crate) struct BackupBench {
    /// Employees
    #[arg(long, default_value_t = 10_000_000)]
    rows: u64,
    /// Runs of each; the median counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Measure Landfall and the server alone, without fastavro
    #[arg(long)]
    without_fastavro: bool,
    /// The binary; without it, a release build is made
    #[arg(long)]
    bin: Option<PathBuf>,
}

/// The yardstick's packages. Other versions are another yardstick.
const PACKAGES: [&str; 3] = ["fastavro==1.13.1", "psycopg[binary]==3.3.9", "backports.zstd==1.8.0"];
const TABLE: &str = "hired_employees";
const EMPTY: &str = "TRUNCATE hired_employees";
const HEAP: &str = "TRUNCATE hired_employees;
    ALTER TABLE hired_employees DROP CONSTRAINT hired_employees_department_id_fkey, DROP CONSTRAINT hired_employees_job_id_fkey,
        DROP CONSTRAINT hired_employees_pkey";

/// Something that is measured.
struct BackupSide<'b> {
    name: &'static str,
    run: Box<dyn Fn() -> Result<ProcessRun> + 'b>,
    runs: Vec<ProcessRun>,
}

impl BackupBench {
    /// Measures, and gives the report.
    pub(super) fn run_bench(&self) -> Result<String> {
        let binary = find_binary(self.bin.clone())?;
        let bench = BenchOptions { rows: Vec::new(), dirty: Vec::new(), runs: self.runs, bin: self.bin.clone() };
        let case = LoadCase { project: bench.prepare_project(self.rows, 0.0, 0)?, held: None };
        let python = (!self.without_fastavro)
            .then(|| prepare_environment(&bench.data_folder(), "fastavro", &PACKAGES))
            .transpose()?;
        let server = postgres::PostgresSystem::start_server()?;
        let database = server.create_database(&case)?;
        let folder = case.project.folder.join("backup");
        fs::create_dir_all(&folder)?;
        let settings = json!({"target": server.target_url(&database), "package": "../datapackage.yaml"});
        fs::write(folder.join("landfall.yaml"), settings.to_string())?;
        eprintln!("loading {} rows …", self.rows);
        run_for_output(Command::new(&binary).args(["load", "--quiet", "--project"]).arg(&folder))?;
        server.wait_until_idle(&database)?;
        let facts = format!("{} · {}", machine::describe_machine(&["rustc"]), server.describe_system()?);
        let url = server.target_url(&database);
        let superuser = server.as_superuser(&database);
        let mut sides = measure_backups(&binary, &folder, &database, superuser, &url, python.as_deref());
        for at in 1..=self.runs {
            eprintln!("run {at} of {}", self.runs);
            for side in &mut sides {
                let run = (side.run)()?;
                ensure!(run.success, "{} failed: {}", side.name, run.error_tail());
                eprintln!("  {}: {:.2} s", side.name, run.seconds);
                side.runs.push(run);
            }
        }
        let mut text = self.render_report(&facts, &sides);
        drop(sides);
        run_for_output(
            Command::new(&binary)
                .args(["backup", "--quiet", "--to"])
                .arg(folder.join("all"))
                .arg("--project")
                .arg(&folder),
        )?;
        server.remove(database)?;
        text += &self.measure_restores(&server, &case, &binary, &folder, python.as_deref())?;
        Ok(text)
    }

    /// Restores of all tables, into an empty database and in the place of the same rows, against a load of them from CSV.
    fn measure_restores(
        &self,
        server: &postgres::PostgresSystem,
        case: &LoadCase,
        binary: &Path,
        folder: &Path,
        python: Option<&Path>,
    ) -> Result<String> {
        let into = folder.join("into");
        fs::create_dir_all(&into)?;
        let mut runs: [Vec<ProcessRun>; 5] = Default::default();
        let whole = |command: Command, database: &TestDatabase| -> Result<ProcessRun> {
            let run = run(command, folder)?;
            ensure!(run.success, "it failed: {}", run.error_tail());
            ensure!(server.count_employees(database)? == self.rows, "rows are missing");
            Ok(run)
        };
        let command = |words: &[&str]| {
            let mut command = Command::new(binary);
            command.args(words).args(["--quiet", "--project"]).arg(&into);
            command
        };
        let sets = folder.join("all");
        let restore = || {
            let mut command = command(&["restore", "departments", "jobs", TABLE]);
            command.arg("--in").arg(&sets);
            command
        };
        for at in 1..=self.runs {
            eprintln!("restore {at} of {}", self.runs);
            for is_load in [true, false] {
                let database = server.create_database(case)?;
                let settings = json!({"target": server.target_url(&database), "package": "../../datapackage.yaml"});
                fs::write(into.join("landfall.yaml"), settings.to_string())?;
                server.wait_until_idle(&database)?;
                if is_load {
                    runs[0].push(whole(command(&["load"]), &database)?);
                } else {
                    runs[1].push(whole(restore(), &database)?);
                    server.wait_until_idle(&database)?;
                    runs[2].push(whole(restore(), &database)?);
                    // Once, since it takes many times as long.
                    for (at, ready) in [(3, EMPTY), (4, HEAP)].into_iter().filter(|_| at == 1) {
                        let Some(python) = python else { continue };
                        database.run_sql(ready)?;
                        server.wait_until_idle(&database)?;
                        let mut command = Command::new(python);
                        command
                            .arg(crate::workspace_root().join("benches/yardsticks/fastavro_tables.py"))
                            .arg("restore");
                        command.arg(folder.join("fastavro.avro")).env("DATABASE_URL", server.target_url(&database));
                        runs[at].push(whole(command, &database)?);
                    }
                }
                server.remove(database)?;
            }
            let last: Vec<String> =
                runs.iter().filter_map(|runs| Some(format!("{:.2} s", runs.last()?.seconds))).collect();
            eprintln!("  load, restore, restore over it: {}", last.join(", "));
        }
        let seconds = runs.each_ref().map(|runs| Series::from_runs(runs, |run| run.seconds));
        let names = [
            "landfall load into an empty database, from CSV",
            "landfall restore into an empty database, from Avro (zstd)",
            "landfall restore in the place of the same rows",
            "fastavro, the employees alone, into the empty table with its keys",
            "fastavro, the employees alone, into a table without keys",
        ];
        let mut text = "\n| all tables | s | peak MiB |\n|---|--:|--:|\n".to_owned();
        let measured = names.iter().zip(&seconds).zip(&runs).filter(|(_, runs)| !runs.is_empty());
        for ((name, seconds), runs) in measured {
            text += &format!("| {name} | {seconds} | {} |\n", peak_mib(runs));
        }
        let [load, empty, over] = [0, 1, 2].map(|at: usize| seconds[at].median_value());
        text += &format!(
            "\nA restore takes **{:.2}** of the time of a load, and **{:.2}** in the place of rows.\n",
            empty / load,
            over / load
        );
        Ok(text)
    }

    fn render_report(&self, facts: &str, sides: &[BackupSide<'_>]) -> String {
        let mut text = format!(
            "{facts}\n\n{} employees, median (least–greatest) of {} runs taken in turn\n\n| | s | processor s of the program | peak \
             MiB |\n|---|--:|--:|--:|\n",
            self.rows, self.runs
        );
        let median = |name: &str| {
            let side = sides.iter().find(|side| side.name == name);
            side.map(|side| Series::from_runs(&side.runs, |run| run.seconds).median_value())
        };
        for side in sides {
            let (seconds, cpu) = (
                Series::from_runs(&side.runs, |run| run.seconds),
                Series::from_runs(&side.runs, |run| run.cpu_seconds),
            );
            text += &format!("| {} | {seconds} | {:.2} | {} |\n", side.name, cpu.median_value(), peak_mib(&side.runs));
        }
        text.push('\n');
        for (ours, theirs) in [
            ("landfall backup --codec none", "COPY TO a file, binary"),
            ("landfall backup --codec deflate", "pg_dump -Fc (gzip)"),
            ("landfall backup (zstd)", "pg_dump -Fc (gzip)"),
            ("landfall backup (zstd)", "fastavro, zstandard"),
            ("landfall backup --codec none", "fastavro, no compression"),
        ] {
            if let (Some(ours_at), Some(theirs_at)) = (median(ours), median(theirs)) {
                text += &format!("{ours} to {theirs}: **{:.2}** of its time\n", ours_at / theirs_at);
            }
        }
        text
    }
}

/// All that is measured.
fn measure_backups<'b>(
    binary: &'b Path,
    folder: &'b Path,
    database: &'b TestDatabase,
    superuser: TestDatabase,
    url: &'b str,
    python: Option<&'b Path>,
) -> Vec<BackupSide<'b>> {
    let ours = |name, codec: &'static str| {
        let measured = move || {
            let sets = folder.join("sets");
            let _ = fs::remove_dir_all(&sets);
            let mut command = Command::new(binary);
            command
                .args(["backup", TABLE, "--quiet", "--codec", codec, "--to"])
                .arg(&sets)
                .arg("--project")
                .arg(folder);
            run(command, folder)
        };
        BackupSide { name, run: Box::new(measured), runs: Vec::new() }
    };
    let copy = move || {
        // The server writes it, under its own user.
        let file = std::env::temp_dir().join(format!("landfall-bench-{}.bin", std::process::id()));
        let mut command = superuser.client_command()?;
        command.args(["-c", &format!("COPY {TABLE} TO '{}' (FORMAT binary)", file.display())]);
        let copied = run(command, folder);
        let _ = fs::remove_file(&file);
        copied
    };
    let dump = move || {
        let mut command = database.dump_command()?;
        command.args(["-Fc", "-t", TABLE, "-f"]).arg(folder.join("dump.pg"));
        run(command, folder)
    };
    let mut sides = vec![
        ours("landfall backup --codec none", "none"),
        BackupSide { name: "COPY TO a file, binary", run: Box::new(copy), runs: Vec::new() },
        ours("landfall backup (zstd)", "zstd"),
        ours("landfall backup --codec deflate", "deflate"),
        BackupSide { name: "pg_dump -Fc (gzip)", run: Box::new(dump), runs: Vec::new() },
    ];
    for (name, codec) in [("fastavro, zstandard", "zstandard"), ("fastavro, no compression", "null")] {
        let Some(python) = python else { continue };
        let measured = move || {
            let mut command = Command::new(python);
            command.arg(crate::workspace_root().join("benches/yardsticks/fastavro_tables.py")).arg("backup");
            command.arg(folder.join("fastavro.avro")).arg(codec).env("DATABASE_URL", url);
            run(command, folder)
        };
        sides.push(BackupSide { name, run: Box::new(measured), runs: Vec::new() });
    }
    sides
}
