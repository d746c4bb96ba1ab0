//! `cargo xtask bench http`: rows sent to `landfall serve` and to a service of FastAPI, in turn, into the same constrained
//! tables; and what two `psql \copy` side by side reach there.

mod client;
mod reports;
mod service;

pub(super) use reports::ReportsBench;

use std::{fs, time::Duration};

use anyhow::Result;
use clap::{Args, ValueEnum};

use self::{
    client::{HttpConnection, HttpLoad, HttpMeasures},
    service::{PACKAGES, RunningService},
};
use super::{
    BenchOptions,
    ground::{BenchProject, DatabaseSystem, LoadCase},
    landfall::find_binary,
    machine, mariadb, postgres,
    python::prepare_environment,
    series::Series,
    sqlite,
};

/// What is sent, and where.
#[derive(Debug, Args)]
pub(crate) struct HttpBench {
    /// The database system; servers are started for the bench, with default settings
    #[arg(long, value_enum, default_value_t = HttpTarget::Postgres)]
    target: HttpTarget,
    /// Seconds of each run
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Runs of each; the median counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Clients that send batches of 1,000 rows
    #[arg(long, default_value_t = 8)]
    batch_clients: usize,
    /// Clients that send single rows
    #[arg(long, default_value_t = 64)]
    single_clients: usize,
    /// Measure Landfall alone
    #[arg(long)]
    ours_only: bool,
    /// The binary; without it, a release build is made
    #[arg(long)]
    bin: Option<std::path::PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum HttpTarget {
    Sqlite,
    Postgres,
    Mysql,
}

/// Open connections while memory is measured.
const CONNECTIONS: usize = 1000;

/// How rows go in at the yardstick.
const WAYS: [&str; 2] = ["executemany", "unnest"];

/// All runs of one side.
#[derive(Default)]
struct HttpSide {
    batches: Vec<HttpMeasures>,
    singles: Vec<HttpMeasures>,
    /// MiB at most, and with many connections open.
    peak: u64,
    open: u64,
}

impl HttpBench {
    /// Measures, and gives the report.
    pub(super) fn run_bench(&self) -> Result<String> {
        match self.target {
            HttpTarget::Sqlite => self.run_bench_on(&sqlite::SqliteSystem),
            HttpTarget::Postgres => self.run_bench_on(&postgres::PostgresSystem::start_server()?),
            HttpTarget::Mysql => self.run_bench_on(&mariadb::MariadbSystem::start_server()?),
        }
    }

    fn run_bench_on<G: DatabaseSystem>(&self, ground: &G) -> Result<String> {
        let binary = find_binary(self.bin.clone())?;
        let bench = BenchOptions { rows: Vec::new(), dirty: Vec::new(), runs: self.runs, bin: self.bin.clone() };
        let project = bench.prepare_project(1_000_000, 0.0, 0)?;
        let python = (self.target == HttpTarget::Postgres && !self.ours_only)
            .then(|| prepare_environment(&bench.data_folder(), "fastapi", &PACKAGES))
            .transpose()?;
        let case = LoadCase { project, held: None };
        let (mut ours, mut theirs, mut copies) =
            (HttpSide::default(), [HttpSide::default(), HttpSide::default()], Vec::new());
        for run in 1..=self.runs {
            eprintln!("run {run} of {}", self.runs);
            let database = ground.create_database(&case)?;
            let service = RunningService::start_landfall(&binary, &case.project.folder, &ground.target_url(&database))?;
            self.measure_service(&service, &mut ours)?;
            ours.open = ours.open.max(self.open_crowd(&service)?);
            ours.peak = ours.peak.max(service.memory_use()?.1);
            drop(service);
            ground.remove(database)?;
            let Some(python) = &python else { continue };
            let database = ground.create_database(&case)?;
            let copy = &ground.list_yardsticks(false)[1];
            (copy.prepare)(&database, &case)?;
            ground.wait_until_idle(&database)?;
            copies.push(1e6 / (copy.run)(&database, &case)?.seconds);
            ground.remove(database)?;
            for (rows_by, side) in WAYS.iter().zip(&mut theirs) {
                let database = ground.create_database(&case)?;
                create_empty_tables(ground, &database, &case)?;
                let log = case.project.folder.join("yardstick.log");
                let service = RunningService::start_yardstick(python, &ground.target_url(&database), rows_by, &log)?;
                self.measure_service(&service, side)?;
                drop(service);
                ground.remove(database)?;
            }
        }
        let facts = format!("{} · {}", machine::describe_machine(&["rustc"]), ground.describe_system()?);
        Ok(self.render_report(&facts, &ours, &theirs, &copies))
    }

    fn measure_service(&self, service: &RunningService, side: &mut HttpSide) -> Result<()> {
        let time = Duration::from_secs(self.seconds);
        let warm = HttpLoad { clients: 2, rows: 100, time: Duration::from_secs(1) };
        client::run(service.address, warm)?;
        let batches = client::run(service.address, HttpLoad { clients: self.batch_clients, rows: 1000, time })?;
        eprintln!("  batches: {:.0} rows/s, p99 {:.0} ms", batches.rows_per_second, batches.p99);
        let singles = client::run(service.address, HttpLoad { clients: self.single_clients, rows: 1, time })?;
        eprintln!("  single rows: {:.0} requests/s, p99 {:.1} ms", singles.requests_per_second, singles.p99);
        side.batches.push(batches);
        side.singles.push(singles);
        Ok(())
    }

    /// Opens many connections, each of which asks once, and gives the memory that the service holds then.
    fn open_crowd(&self, service: &RunningService) -> Result<u64> {
        let mut connections = Vec::with_capacity(CONNECTIONS);
        for _ in 0..CONNECTIONS {
            let mut connection = HttpConnection::open(service.address)?;
            connection.get("/healthz")?;
            connections.push(connection);
        }
        Ok(service.memory_use()?.0)
    }

    fn render_report(&self, facts: &str, ours: &HttpSide, theirs: &[HttpSide; 2], copies: &[f64]) -> String {
        let series = |side: &[HttpMeasures], of: fn(&HttpMeasures) -> f64| Series::new(side.iter().map(of).collect());
        let mut text = format!(
            "{facts}\n\n{} clients with batches of 1,000 rows, {} clients with single rows, {} s each, median (least–greatest) of {} \
             runs\n\n| | rows/s in batches | p50 ms | p99 ms | single rows/s | p50 ms | p99 ms |\n|---|--:|--:|--:|--:|--:|--:|\n",
            self.batch_clients, self.single_clients, self.seconds, self.runs
        );
        let [executemany, unnest] = theirs;
        for (name, side) in
            [("landfall serve", ours), ("FastAPI, executemany", executemany), ("FastAPI, one statement", unnest)]
        {
            if side.batches.is_empty() {
                continue;
            }
            let batch = |of| series(&side.batches, of);
            let single = |of| series(&side.singles, of);
            text += &format!(
                "| {name} | {} | {} | {} | {} | {} | {} |\n",
                format_series(&batch(|m| m.rows_per_second)),
                batch(|m| m.p50),
                batch(|m| m.p99),
                format_series(&single(|m| m.requests_per_second)),
                single(|m| m.p50),
                single(|m| m.p99)
            );
        }
        let rows = series(&ours.batches, |m| m.rows_per_second).median_value();
        let requests = series(&ours.singles, |m| m.requests_per_second).median_value();
        for (way, side) in WAYS.iter().zip(theirs).filter(|(_, side)| !side.batches.is_empty()) {
            let their_rows = series(&side.batches, |m| m.rows_per_second).median_value();
            let their_requests = series(&side.singles, |m| m.requests_per_second).median_value();
            text += &format!(
                "\nLandfall to FastAPI ({way}): **{:.2}** in batches, **{:.2}** with single rows\n",
                rows / their_rows,
                requests / their_requests
            );
        }
        if !copies.is_empty() {
            let copies = Series::new(copies.to_vec());
            text += &format!(
                "Two psql \\copy side by side: {} rows/s; Landfall in batches: **{:.2}** of that\n",
                format_series(&copies),
                rows / copies.median_value()
            );
        }
        text + &format!(
            "Memory of landfall: {} MiB at most; {} MiB with {CONNECTIONS} open connections\n",
            ours.peak, ours.open
        )
    }
}

/// A series of big numbers, without fractions.
fn format_series(series: &Series) -> String {
    format!("{:.0}", series.median_value())
}

/// Makes the tables with their parents, and no employees.
fn create_empty_tables<G: DatabaseSystem>(ground: &G, database: &G::Database, case: &LoadCase) -> Result<()> {
    let folder = case.project.folder.join("nobody");
    fs::create_dir_all(folder.join("data"))?;
    for table in ["departments", "jobs"] {
        fs::copy(case.project.csv_file(table), folder.join(format!("data/{table}.csv")))?;
    }
    fs::write(folder.join("data/hired_employees.csv"), "")?;
    fs::copy(case.project.folder.join("datapackage.yaml"), folder.join("datapackage.yaml"))?;
    let nobody = LoadCase { project: BenchProject { folder, tally: case.project.tally }, held: None };
    (ground.list_yardsticks(false)[0].prepare)(database, &nobody)
}
