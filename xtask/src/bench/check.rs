//! `cargo xtask bench check`: `landfall check` against DuckDB's typed read.

use std::path::Path;

use anyhow::Result;

use super::{Bench, duckdb::DuckDb, ground::Project, landfall, machine, series::Series, series::peak_mib};

const THREADS: usize = 2;

const HEAD: &str = "\
| rows | dirty | DuckDB query alone, s | DuckDB process, s | landfall check, s | ratio to the query | peak MiB: DuckDB | landfall |
|--:|--:|--:|--:|--:|--:|--:|--:|
";

/// Measures every size and gives the report.
pub(super) fn report(bench: &Bench) -> Result<String> {
    let binary = landfall::binary(bench.bin.clone())?;
    let duckdb = DuckDb::installed(&bench.folder(), THREADS)?;
    let mut report = format!("{} · {}\n\n{HEAD}", machine::facts(&["rustc"]), duckdb.name());
    for (rows, dirty) in bench.sizes() {
        report += &line(bench, &binary, &duckdb, rows, dirty)?;
    }
    Ok(report)
}

fn line(bench: &Bench, binary: &Path, duckdb: &DuckDb, rows: u64, dirty: f64) -> Result<String> {
    let Project { folder: project, tally } = bench.project(rows, dirty, 0)?;
    let (mut theirs, mut queries, mut ours) = (Vec::new(), Vec::new(), Vec::new());
    for run in 1..=bench.runs {
        eprintln!("{rows} rows, {dirty}% dirty: run {run} of {}", bench.runs);
        let (process, query) = duckdb.read(&project, tally)?;
        theirs.push(process);
        queries.push(query);
        ours.push(landfall::check(binary, &project, tally)?);
    }
    let [process, check] = [&theirs, &ours].map(|runs| Series::of(runs, |run| run.seconds));
    let query = Series::new(queries);
    let ratio = check.median() / query.median();
    let [theirs_peak, ours_peak] = [&theirs, &ours].map(|runs| peak_mib(runs));
    Ok(format!(
        "| {rows} | {dirty}% | {query} | {process} | {check} | **{ratio:.2}** | {theirs_peak} | {ours_peak} |\n"
    ))
}
