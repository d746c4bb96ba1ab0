//! `cargo xtask bench http`: rows sent to `landfall serve` and to a service of FastAPI, in turn, into the same constrained
//! tables; and what two `psql \copy` side by side reach there.

mod client;
mod reports;
mod service;

pub(super) use reports::Reports;

use std::{fs, time::Duration};

use anyhow::Result;
use clap::{Args, ValueEnum};

use self::{
    client::{Connection, Load, Measured},
    service::{PACKAGES, Service},
};
use super::{
    Bench,
    ground::{Case, Ground, Project},
    landfall::binary,
    machine, mariadb, postgres,
    python::python,
    series::Series,
    sqlite,
};

/// What is sent, and where.
#[derive(Debug, Args)]
pub(crate) struct Http {
    /// The database system; servers are started for the bench, with default settings
    #[arg(long, value_enum, default_value_t = Target::Postgres)]
    target: Target,
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
enum Target {
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
struct Side {
    batches: Vec<Measured>,
    singles: Vec<Measured>,
    /// MiB at most, and with many connections open.
    peak: u64,
    open: u64,
}

impl Http {
    /// Measures, and gives the report.
    pub(super) fn report(&self) -> Result<String> {
        match self.target {
            Target::Sqlite => self.report_on(&sqlite::Sqlite),
            Target::Postgres => self.report_on(&postgres::Server::start()?),
            Target::Mysql => self.report_on(&mariadb::Server::start()?),
        }
    }

    fn report_on<G: Ground>(&self, ground: &G) -> Result<String> {
        let binary = binary(self.bin.clone())?;
        let bench = Bench { rows: Vec::new(), dirty: Vec::new(), runs: self.runs, bin: self.bin.clone() };
        let project = bench.project(1_000_000, 0.0, 0)?;
        let python = (self.target == Target::Postgres && !self.ours_only)
            .then(|| python(&bench.folder(), "fastapi", &PACKAGES))
            .transpose()?;
        let case = Case { project, held: None };
        let (mut ours, mut theirs, mut copies) = (Side::default(), [Side::default(), Side::default()], Vec::new());
        for run in 1..=self.runs {
            eprintln!("run {run} of {}", self.runs);
            let database = ground.fresh(&case)?;
            let service = Service::landfall(&binary, &case.project.folder, &ground.target(&database))?;
            self.measure(&service, &mut ours)?;
            ours.open = ours.open.max(self.crowd(&service)?);
            ours.peak = ours.peak.max(service.memory()?.1);
            drop(service);
            ground.remove(database)?;
            let Some(python) = &python else { continue };
            let database = ground.fresh(&case)?;
            let copy = &ground.yardsticks(false)[1];
            (copy.prepare)(&database, &case)?;
            ground.settle(&database)?;
            copies.push(1e6 / (copy.run)(&database, &case)?.seconds);
            ground.remove(database)?;
            for (rows_by, side) in WAYS.iter().zip(&mut theirs) {
                let database = ground.fresh(&case)?;
                empty(ground, &database, &case)?;
                let log = case.project.folder.join("yardstick.log");
                let service = Service::yardstick(python, &ground.target(&database), rows_by, &log)?;
                self.measure(&service, side)?;
                drop(service);
                ground.remove(database)?;
            }
        }
        let facts = format!("{} · {}", machine::facts(&["rustc"]), ground.facts()?);
        Ok(self.text(&facts, &ours, &theirs, &copies))
    }

    fn measure(&self, service: &Service, side: &mut Side) -> Result<()> {
        let time = Duration::from_secs(self.seconds);
        let warm = Load { clients: 2, rows: 100, time: Duration::from_secs(1) };
        client::run(service.address, warm)?;
        let batches = client::run(service.address, Load { clients: self.batch_clients, rows: 1000, time })?;
        eprintln!("  batches: {:.0} rows/s, p99 {:.0} ms", batches.rows_per_second, batches.p99);
        let singles = client::run(service.address, Load { clients: self.single_clients, rows: 1, time })?;
        eprintln!("  single rows: {:.0} requests/s, p99 {:.1} ms", singles.requests_per_second, singles.p99);
        side.batches.push(batches);
        side.singles.push(singles);
        Ok(())
    }

    /// Opens many connections, each of which asks once, and gives the memory that the service holds then.
    fn crowd(&self, service: &Service) -> Result<u64> {
        let mut connections = Vec::with_capacity(CONNECTIONS);
        for _ in 0..CONNECTIONS {
            let mut connection = Connection::open(service.address)?;
            connection.get("/healthz")?;
            connections.push(connection);
        }
        Ok(service.memory()?.0)
    }

    fn text(&self, facts: &str, ours: &Side, theirs: &[Side; 2], copies: &[f64]) -> String {
        let series = |side: &[Measured], of: fn(&Measured) -> f64| Series::new(side.iter().map(of).collect());
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
                whole(&batch(|m| m.rows_per_second)),
                batch(|m| m.p50),
                batch(|m| m.p99),
                whole(&single(|m| m.requests_per_second)),
                single(|m| m.p50),
                single(|m| m.p99)
            );
        }
        let rows = series(&ours.batches, |m| m.rows_per_second).median();
        let requests = series(&ours.singles, |m| m.requests_per_second).median();
        for (way, side) in WAYS.iter().zip(theirs).filter(|(_, side)| !side.batches.is_empty()) {
            let their_rows = series(&side.batches, |m| m.rows_per_second).median();
            let their_requests = series(&side.singles, |m| m.requests_per_second).median();
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
                whole(&copies),
                rows / copies.median()
            );
        }
        text + &format!(
            "Memory of landfall: {} MiB at most; {} MiB with {CONNECTIONS} open connections\n",
            ours.peak, ours.open
        )
    }
}

/// A series of big numbers, without fractions.
fn whole(series: &Series) -> String {
    format!("{:.0}", series.median())
}

/// Makes the tables with their parents, and no employees.
fn empty<G: Ground>(ground: &G, database: &G::Database, case: &Case) -> Result<()> {
    let folder = case.project.folder.join("nobody");
    fs::create_dir_all(folder.join("data"))?;
    for table in ["departments", "jobs"] {
        fs::copy(case.project.file(table), folder.join(format!("data/{table}.csv")))?;
    }
    fs::write(folder.join("data/hired_employees.csv"), "")?;
    fs::copy(case.project.folder.join("datapackage.yaml"), folder.join("datapackage.yaml"))?;
    let nobody = Case { project: Project { folder, tally: case.project.tally }, held: None };
    (ground.yardsticks(false)[0].prepare)(database, &nobody)
}
