//! `cargo xtask bench load`: `landfall load` against what the database system's own programs do.

mod report;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use serde_json::Value;

use super::{
    Bench,
    child::Run,
    ground::{Case, Ground, Yardstick},
    landfall::{self, Landfall},
    mariadb, postgres, sqlite,
};

/// What to load, and where.
#[derive(Debug, Args)]
pub(crate) struct Load {
    #[command(flatten)]
    bench: Bench,
    /// The database system; servers are started for the bench, with default settings
    #[arg(long, value_enum, default_value_t = Target::Sqlite)]
    target: Target,
    /// The rows that the table holds before, in a database whose constraints stay
    #[arg(long, default_value_t = 0)]
    held: u64,
    /// Measure the yardsticks, and not Landfall
    #[arg(long)]
    yardsticks_only: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Target {
    Sqlite,
    Postgres,
    Mysql,
}

/// All runs of one size.
struct Measured {
    rows: u64,
    dirty: f64,
    /// The runs of each yardstick; none where the file is dirty.
    yardsticks: Vec<Vec<Run>>,
    ours: Vec<Run>,
    document: Value,
}

impl Load {
    /// Measures every size and gives the report.
    pub(super) fn report(&self) -> Result<String> {
        match self.target {
            Target::Sqlite => self.report_on(&sqlite::Sqlite),
            Target::Postgres => self.report_on(&postgres::Server::start()?),
            Target::Mysql => self.report_on(&mariadb::Server::start()?),
        }
    }

    fn report_on<G: Ground>(&self, ground: &G) -> Result<String> {
        let landfall = if self.yardsticks_only { None } else { Some(landfall::binary(self.bench.bin.clone())?) };
        let landfall = landfall.map(Landfall::new);
        let yardsticks = ground.yardsticks(self.held > 0);
        let mut all = Vec::new();
        for (rows, dirty) in self.bench.sizes() {
            all.push(self.measure(ground, landfall.as_ref(), &yardsticks, (rows, dirty))?);
        }
        let names: Vec<&str> = yardsticks.iter().map(|yardstick| yardstick.name).collect();
        Ok(report::text(&ground.facts()?, self.held, &names, &all))
    }

    fn measure<G: Ground>(
        &self,
        ground: &G,
        landfall: Option<&Landfall>,
        yardsticks: &[Yardstick<G::Database>],
        (rows, dirty): (u64, f64),
    ) -> Result<Measured> {
        let case = self.case(rows, dirty)?;
        // A yardstick tells nothing on a dirty file: it stops at the first bad record, or takes what it should not.
        let yardsticks = if case.project.tally.rejected == 0 { yardsticks } else { &[] };
        let runs = yardsticks.iter().map(|_| Vec::new()).collect();
        let mut measured = Measured { rows, dirty, yardsticks: runs, ours: Vec::new(), document: Value::Null };
        // All alternate, so that a slow minute of the machine hits each of them.
        for run in 1..=self.bench.runs {
            eprintln!("{rows} rows, {dirty}% dirty: run {run} of {}", self.bench.runs);
            for (yardstick, runs) in yardsticks.iter().zip(&mut measured.yardsticks) {
                runs.push(of_yardstick(ground, yardstick, &case)?);
            }
            if let Some(landfall) = landfall {
                let (run, document) = of_landfall(ground, landfall, &case)?;
                measured.ours.push(run);
                measured.document = document;
            }
        }
        Ok(measured)
    }

    fn case(&self, rows: u64, dirty: f64) -> Result<Case> {
        let held = if self.held > 0 { Some(self.bench.project(self.held, 0.0, 0)?) } else { None };
        Ok(Case { project: self.bench.project(rows, dirty, self.held)?, held })
    }
}

fn of_yardstick<G: Ground>(ground: &G, yardstick: &Yardstick<G::Database>, case: &Case) -> Result<Run> {
    let database = ground.fresh(case)?;
    (yardstick.prepare)(&database, case)?;
    ground.settle(&database)?;
    let run = (yardstick.run)(&database, case)?;
    eprintln!("  {}: {:.2} s", yardstick.name, run.seconds);
    finish(ground, database, case)?;
    Ok(run)
}

fn of_landfall<G: Ground>(ground: &G, landfall: &Landfall, case: &Case) -> Result<(Run, Value)> {
    let database = ground.fresh(case)?;
    let target = ground.target(&database);
    landfall.prepare(case, &target)?;
    ground.settle(&database)?;
    let (run, document) = landfall.load(case, &target)?;
    eprintln!("  landfall load: {:.2} s", run.seconds);
    finish(ground, database, case)?;
    Ok((run, document))
}

/// Asserts that a database holds what it should, and removes it.
fn finish<G: Ground>(ground: &G, database: G::Database, case: &Case) -> Result<()> {
    let rows = ground.count(&database)?;
    ensure!(rows == case.rows(), "the database holds {rows} rows of {}", case.rows());
    ground.remove(database)
}
