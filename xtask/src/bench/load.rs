//! `cargo xtask bench load`: `landfall load` against what the database system's own programs do.

mod report;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use serde_json::Value;

use super::{
    BenchOptions,
    child::ProcessRun,
    ground::{DatabaseSystem, LoadCase, Yardstick},
    landfall::{self, LandfallLoader},
    mariadb, postgres, sqlite,
};

/// What to load, and where.
#[derive(Debug, Args)]
pub(crate) struct LoadBench {
    #[command(flatten)]
    bench: BenchOptions,
    /// The database system; servers are started for the bench, with default settings
    #[arg(long, value_enum, default_value_t = LoadTarget::Sqlite)]
    target: LoadTarget,
    /// The rows that the table holds before, in a database whose constraints stay
    #[arg(long, default_value_t = 0)]
    held: u64,
    /// Measure the yardsticks, and not Landfall
    #[arg(long)]
    yardsticks_only: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LoadTarget {
    Sqlite,
    Postgres,
    Mysql,
}

/// All runs of one size.
struct SizeRuns {
    rows: u64,
    dirty: f64,
    /// The runs of each yardstick; none where the file is dirty.
    yardsticks: Vec<Vec<ProcessRun>>,
    ours: Vec<ProcessRun>,
    document: Value,
}

impl LoadBench {
    /// Measures every size and gives the report.
    pub(super) fn run_bench(&self) -> Result<String> {
        match self.target {
            LoadTarget::Sqlite => self.run_bench_on(&sqlite::SqliteSystem),
            LoadTarget::Postgres => self.run_bench_on(&postgres::PostgresSystem::start_server()?),
            LoadTarget::Mysql => self.run_bench_on(&mariadb::MariadbSystem::start_server()?),
        }
    }

    fn run_bench_on<G: DatabaseSystem>(&self, ground: &G) -> Result<String> {
        let landfall = if self.yardsticks_only { None } else { Some(landfall::find_binary(self.bench.bin.clone())?) };
        let landfall = landfall.map(LandfallLoader::new);
        let yardsticks = ground.list_yardsticks(self.held > 0);
        let mut all = Vec::new();
        for (rows, dirty) in self.bench.sizes_and_dirt() {
            all.push(self.measure_size(ground, landfall.as_ref(), &yardsticks, rows, dirty)?);
        }
        let names: Vec<&str> = yardsticks.iter().map(|yardstick| yardstick.name).collect();
        Ok(report::render_report(&ground.describe_system()?, self.held, &names, &all))
    }

    fn measure_size<G: DatabaseSystem>(
        &self,
        ground: &G,
        landfall: Option<&LandfallLoader>,
        yardsticks: &[Yardstick<G::Database>],
        rows: u64,
        dirty: f64,
    ) -> Result<SizeRuns> {
        let case = self.make_case(rows, dirty)?;
        // A yardstick tells nothing on a dirty file: it stops at the first bad record, or takes what it should not.
        let yardsticks = if case.project.tally.rejected == 0 { yardsticks } else { &[] };
        let runs = yardsticks.iter().map(|_| Vec::new()).collect();
        let mut measured = SizeRuns { rows, dirty, yardsticks: runs, ours: Vec::new(), document: Value::Null };
        // All alternate, so that a slow minute of the machine hits each of them.
        for run in 1..=self.bench.runs {
            eprintln!("{rows} rows, {dirty}% dirty: run {run} of {}", self.bench.runs);
            for (yardstick, runs) in yardsticks.iter().zip(&mut measured.yardsticks) {
                runs.push(of_yardstick(ground, yardstick, &case)?);
            }
            if let Some(landfall) = landfall {
                let (run, document) = measure_landfall(ground, landfall, &case)?;
                measured.ours.push(run);
                measured.document = document;
            }
        }
        Ok(measured)
    }

    fn make_case(&self, rows: u64, dirty: f64) -> Result<LoadCase> {
        let held = if self.held > 0 { Some(self.bench.prepare_project(self.held, 0.0, 0)?) } else { None };
        Ok(LoadCase { project: self.bench.prepare_project(rows, dirty, self.held)?, held })
    }
}

fn of_yardstick<G: DatabaseSystem>(
    ground: &G,
    yardstick: &Yardstick<G::Database>,
    case: &LoadCase,
) -> Result<ProcessRun> {
    let database = ground.create_database(case)?;
    (yardstick.prepare)(&database, case)?;
    ground.wait_until_idle(&database)?;
    let run = (yardstick.run)(&database, case)?;
    eprintln!("  {}: {:.2} s", yardstick.name, run.seconds);
    check_and_drop(ground, database, case)?;
    Ok(run)
}

fn measure_landfall<G: DatabaseSystem>(
    ground: &G,
    landfall: &LandfallLoader,
    case: &LoadCase,
) -> Result<(ProcessRun, Value)> {
    let database = ground.create_database(case)?;
    let target = ground.target_url(&database);
    landfall.load_before(case, &target)?;
    ground.wait_until_idle(&database)?;
    let (run, document) = landfall.measure_load(case, &target)?;
    eprintln!("  landfall load: {:.2} s", run.seconds);
    check_and_drop(ground, database, case)?;
    Ok((run, document))
}

/// Asserts that a database holds what it should, and removes it.
fn check_and_drop<G: DatabaseSystem>(ground: &G, database: G::Database, case: &LoadCase) -> Result<()> {
    let rows = ground.count_employees(&database)?;
    ensure!(rows == case.row_count(), "the database holds {rows} rows of {}", case.row_count());
    ground.remove(database)
}
