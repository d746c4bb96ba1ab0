//! `cargo xtask bench load`: `landfall load` against the SQLite shell's `.import`.

use std::{fmt::Write as _, path::Path};

use anyhow::{Result, ensure};
use serde_json::Value;

use super::{Bench, child::Run, landfall, machine, series::Series, series::peak_mib, sqlite};
use crate::bench_data::Tally;

const HEAD: &str = "\
| rows | dirty | sqlite3 .import, s | landfall load, s | ratio | landfall, rows/s | CPU s | peak MiB: sqlite3 | landfall |
|--:|--:|--:|--:|--:|--:|--:|--:|--:|
";

/// All runs of one size.
struct Measured {
    rows: u64,
    dirty: f64,
    yardstick: Vec<Run>,
    ours: Vec<Run>,
    document: Value,
}

/// Measures every size and gives the report.
pub(super) fn report(bench: &Bench) -> Result<String> {
    let binary = landfall::binary(bench.bin.clone())?;
    let mut report = format!("{}\n\n{HEAD}", machine::facts(&["sqlite3", "rustc"]));
    let mut all = Vec::new();
    for (rows, dirty) in bench.sizes() {
        let measured = measure(bench, &binary, rows, dirty)?;
        report += &measured.line();
        all.push(measured);
    }
    report += &dirty_ratios(&all);
    Ok(report + &profiles(&all))
}

fn measure(bench: &Bench, binary: &Path, rows: u64, dirty: f64) -> Result<Measured> {
    let (project, tally) = bench.project(rows, dirty)?;
    let mut measured = Measured { rows, dirty, yardstick: Vec::new(), ours: Vec::new(), document: Value::Null };
    // The two alternate, so that a slow minute of the machine hits both.
    for run in 1..=bench.runs {
        eprintln!("{rows} rows, {dirty}% dirty: run {run} of {}", bench.runs);
        measured.yardstick.push(sqlite::import(&project, tally)?);
        measured.run(binary, &project, tally)?;
    }
    Ok(measured)
}

impl Measured {
    fn run(&mut self, binary: &Path, project: &Path, tally: Tally) -> Result<()> {
        let (run, document) = landfall::load(binary, project, tally)?;
        let rows = sqlite::count(&project.join("landfall.db"))?;
        ensure!(rows == tally.inserted, "the database holds {rows} rows of {}", tally.inserted);
        self.ours.push(run);
        self.document = document;
        Ok(())
    }

    fn seconds(&self) -> Series {
        Series::of(&self.ours, |run| run.seconds)
    }

    fn line(&self) -> String {
        let yardstick = Series::of(&self.yardstick, |run| run.seconds);
        let ours = self.seconds();
        let ratio = ours.median() / yardstick.median();
        let rate = self.rows as f64 / ours.median();
        let cpu = Series::of(&self.ours, |run| run.cpu_seconds).median();
        let [theirs_peak, ours_peak] = [&self.yardstick, &self.ours].map(|runs| peak_mib(runs));
        let Self { rows, dirty, .. } = self;
        format!(
            "| {rows} | {dirty}% | {yardstick} | {ours} | **{ratio:.2}** | {rate:.0} | {cpu:.2} | {theirs_peak} | {ours_peak} |\n"
        )
    }
}

/// How much longer dirty files take than clean ones of the same size.
fn dirty_ratios(all: &[Measured]) -> String {
    let mut text = String::new();
    for dirty in all.iter().filter(|measured| measured.dirty > 0.0) {
        let Some(clean) = all.iter().find(|clean| clean.rows == dirty.rows && clean.dirty == 0.0) else { continue };
        let ratio = dirty.seconds().median() / clean.seconds().median();
        // Writing to a String cannot fail.
        let _ = write!(text, "\n{} rows, {}% dirty to clean: {ratio:.2}\n", dirty.rows, dirty.dirty);
    }
    text
}

/// Where the last run of each size spent its time, as far as the binary tells.
fn profiles(all: &[Measured]) -> String {
    let profile = |measured: &Measured| {
        let table = landfall::stages(&measured.document)?;
        Some(format!("\nStages, {} rows, {}% dirty:\n\n{table}", measured.rows, measured.dirty))
    };
    all.iter().filter_map(profile).collect()
}
