//! The benches (`cargo xtask bench`): Landfall and a yardstick, measured in the same run, so that the ratio holds on any
//! machine.

mod backup;
mod check;
mod child;
mod duckdb;
mod files;
mod ground;
mod http;
mod landfall;
mod load;
mod machine;
mod mariadb;
mod postgres;
mod python;
mod series;
mod sqlite;

use std::{
    io::{self, Write as _},
    path::PathBuf,
};

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::bench_data;
use ground::BenchProject;

/// What to measure.
#[derive(Debug, Subcommand)]
pub(crate) enum BenchKind {
    /// `landfall load` against what the database system's own programs do
    Load(load::LoadBench),
    /// `landfall serve` against a service of FastAPI
    Http(http::HttpBench),
    /// Reports of `landfall serve` against psql
    Reports(http::ReportsBench),
    /// `landfall backup` against fastavro, `pg_dump` and COPY
    Backup(backup::BackupBench),
    /// `landfall check` against the typed read of `DuckDB`
    Check(BenchOptions),
    /// `landfall load` of many small files against the shells of SQLite and PostgreSQL
    Files(files::FilesBench),
}

/// How to measure.
#[derive(Debug, Args)]
pub(crate) struct BenchOptions {
    /// Numbers of employee records
    #[arg(long, value_delimiter = ',', default_value = "1000000,10000000")]
    rows: Vec<u64>,
    /// How many of 100 records are bad
    #[arg(long, value_delimiter = ',', default_value = "0,3")]
    dirty: Vec<f64>,
    /// Runs of each; the median counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// The binary; without it, a release build is made
    #[arg(long)]
    bin: Option<PathBuf>,
}

impl BenchKind {
    /// Measures, and prints a report in Markdown.
    pub(crate) fn run(&self) -> Result<()> {
        let report = match self {
            Self::Load(load) => load.run_bench()?,
            Self::Http(http) => http.run_bench()?,
            Self::Reports(reports) => reports.run_bench()?,
            Self::Backup(backup) => backup.run_bench()?,
            Self::Check(bench) => check::run_bench(bench)?,
            Self::Files(files) => files.run_bench()?,
        };
        Ok(io::stdout().write_all(report.as_bytes())?)
    }
}

impl BenchOptions {
    /// Every number of rows with every share of dirt.
    fn sizes_and_dirt(&self) -> impl Iterator<Item = (u64, f64)> {
        self.rows.iter().flat_map(|&rows| self.dirty.iter().map(move |&dirty| (rows, dirty)))
    }

    /// Where data, databases and tools of the benches are kept.
    #[expect(clippy::unused_self, reason = "an option may move it")]
    fn data_folder(&self) -> PathBuf {
        crate::workspace_root().join("target/bench")
    }

    /// The project of this size, with ids from `after` + 1 upward. It is written once, and kept.
    fn prepare_project(&self, rows: u64, dirty: f64, after: u64) -> Result<BenchProject> {
        let after_name = if after > 0 { format!("-after-{after}") } else { String::new() };
        let folder = self.data_folder().join(format!("{rows}-{dirty}{after_name}"));
        if let Some(tally) = bench_data::read_tally(&folder) {
            return Ok(BenchProject { folder, tally });
        }
        eprintln!("writing {rows} rows, {dirty}% dirty …");
        let tally = bench_data::write(&folder, rows, dirty, after)?;
        Ok(BenchProject { folder, tally })
    }
}
