//! `cargo xtask bench reports`: the example's reports over many rows of PostgreSQL, asked over HTTP and in psql in turn; and from
//! stored results.

use std::{fs, path::Path, thread, time::Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use serde_json::json;
use testbed::TestDatabase;

use super::{client::HttpConnection, service::RunningService};
use crate::bench::{
    BenchOptions,
    child::run_for_output,
    ground::{DatabaseSystem as _, LoadCase},
    landfall::find_binary,
    machine, postgres,
    series::Series,
};

/// What is asked, and how often.
#[derive(Debug, Args)]
pub(crate) struct ReportsBench {
    /// Employees
    #[arg(long, default_value_t = 10_000_000)]
    rows: u64,
    /// Runs of each; the median counts
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Requests for stored results, of 4 clients together
    #[arg(long, default_value_t = 20_000)]
    requests: usize,
    /// The binary; without it, a release build is made
    #[arg(long)]
    bin: Option<std::path::PathBuf>,
}

const NAMES: [&str; 2] = ["hires_by_quarter", "departments_above_mean"];
const CLIENTS: usize = 4;

impl ReportsBench {
    /// Measures, and gives the report.
    pub(in crate::bench) fn run_bench(&self) -> Result<String> {
        let binary = find_binary(self.bin.clone())?;
        let bench = BenchOptions { rows: Vec::new(), dirty: Vec::new(), runs: self.runs, bin: self.bin.clone() };
        let case = LoadCase { project: bench.prepare_project(self.rows, 0.0, 0)?, held: None };
        let server = postgres::PostgresSystem::start_server()?;
        let database = server.create_database(&case)?;
        let folder = case.project.folder.join("reports");
        write_project(&folder, &server.target_url(&database))?;
        eprintln!("loading {} rows …", self.rows);
        let mut load = std::process::Command::new(&binary);
        run_for_output(load.args(["load", "--quiet", "--project"]).arg(&folder))?;
        server.wait_until_idle(&database)?;
        let service = RunningService::start_in_folder(&binary, &folder)?;
        let facts = format!("{} · {}", machine::describe_machine(&["rustc"]), server.describe_system()?);
        let mut text = format!(
            "{facts}\n\n{} employees, median (least–greatest) of {} runs taken in turn, milliseconds; {CLIENTS} clients ask for stored \
             results\n\n| report | psql, the query alone | landfall serve | more | stored: p50 | p99 |\n|---|--:|--:|--:|--:|--:|\n",
            self.rows, self.runs
        );
        for name in NAMES {
            let (psql, ours) = self.measure_in_turn(&database, &service, &folder, name)?;
            let (p50, p99) = self.measure_stored(&service, name)?;
            let more = ours.median_value() - psql.median_value();
            text += &format!("| {name} | {psql} | {ours} | **{more:.1}** | {p50:.2} | **{p99:.2}** |\n");
        }
        text += &format!("\nMemory of landfall: {} MiB at most\n", service.memory_use()?.1);
        drop(service);
        server.remove(database)?;
        Ok(text)
    }

    fn measure_in_turn(
        &self,
        database: &TestDatabase,
        service: &RunningService,
        folder: &Path,
        name: &str,
    ) -> Result<(Series, Series)> {
        let mut connection = HttpConnection::open(service.address)?;
        let path = format!("/v1/reports/{name}?year=2021");
        // Both begin warm.
        time_in_psql(database, folder, name)?;
        time_request(&mut connection, &path)?;
        let (mut theirs, mut ours) = (Vec::new(), Vec::new());
        for _ in 0..self.runs {
            theirs.push(time_in_psql(database, folder, name)?);
            ours.push(time_request(&mut connection, &path)?);
        }
        Ok((Series::new(theirs), Series::new(ours)))
    }

    fn measure_stored(&self, service: &RunningService, name: &str) -> Result<(f64, f64)> {
        let path = format!("/v1/reports/{name}_stored?year=2021");
        time_request(&mut HttpConnection::open(service.address)?, &path)?;
        let client = || -> Result<Vec<f64>> {
            let mut connection = HttpConnection::open(service.address)?;
            (0..self.requests / CLIENTS).map(|_| time_request(&mut connection, &path)).collect()
        };
        let times: Vec<Vec<f64>> = thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
            clients
                .into_iter()
                .map(|client| client.join().unwrap_or_else(|_| bail!("a client panicked")))
                .collect::<Result<_>>()
        })?;
        let mut times: Vec<f64> = times.into_iter().flatten().collect();
        times.sort_by(f64::total_cmp);
        ensure!(!times.is_empty(), "no request was answered");
        Ok((times[times.len() / 2], times[times.len() * 99 / 100]))
    }
}

/// A project with the example's reports, each run and stored.
fn write_project(folder: &Path, target: &str) -> Result<()> {
    fs::create_dir_all(folder)?;
    let mut reports = serde_json::Map::new();
    for name in NAMES {
        let file = format!("{name}.sql");
        fs::copy(crate::workspace_root().join("examples/hr/reports").join(&file), folder.join(&file))?;
        let year = json!([{"name": "year", "type": "integer"}]);
        reports.insert(name.into(), json!({"sql": file, "parameters": year}));
        reports.insert(format!("{name}_stored"), json!({"sql": file, "parameters": year, "refresh": "on_load"}));
    }
    let settings = json!({"target": target, "package": "../datapackage.yaml", "reports": reports});
    Ok(fs::write(folder.join("landfall.yaml"), settings.to_string())?)
}

/// Milliseconds of a request, to the end of its answer.
fn time_request(connection: &mut HttpConnection, path: &str) -> Result<f64> {
    let begun = Instant::now();
    let status = connection.get(path)?;
    let time = begun.elapsed().as_secs_f64() * 1000.0;
    ensure!(status == 200, "the service answered {status}: {}", connection.answer_text());
    Ok(time)
}

/// Milliseconds of the same SQL in psql, as it measures them itself: without its start and its connection.
fn time_in_psql(database: &TestDatabase, folder: &Path, name: &str) -> Result<f64> {
    let sql = fs::read_to_string(folder.join(format!("{name}.sql")))?;
    let script = folder.join("psql.sql");
    fs::write(&script, format!("\\timing on\n\\o /dev/null\n{};\n", sql.trim_end().trim_end_matches(';')))?;
    let mut psql = database.client_command()?;
    let told = run_for_output(psql.args(["-v", "year=2021", "-f"]).arg(&script))?;
    let time = told.lines().find_map(|line| line.strip_prefix("Time: ")?.split(' ').next()?.parse().ok());
    time.with_context(|| format!("psql told no time: {told}"))
}
