//! `cargo xtask bench check`: `landfall check` against DuckDB's typed read.

use std::path::Path;

use anyhow::Result;

use super::{BenchOptions, duckdb::DuckDb, ground::BenchProject, landfall, machine, series::Series, series::peak_mib};

const THREADS: usize = 2;

const HEAD: &str = "\
| rows | dirty | DuckDB query alone, s | DuckDB process, s | landfall check, s | ratio to the query | peak MiB: DuckDB | landfall |
|--:|--:|--:|--:|--:|--:|--:|--:|
";

/// Measures every size and gives the report.
pub(super) fn run_bench(bench: &BenchOptions) -> Result<String> {
    let binary = landfall::find_binary(bench.bin.clone())?;
    let duckdb = DuckDb::install(&bench.data_folder(), THREADS)?;
    let mut report = format!("{} · {}\n\n{HEAD}", machine::describe_machine(&["rustc"]), duckdb.name());
    for (rows, dirty) in bench.sizes_and_dirt() {
        report += &measure_size(bench, &binary, &duckdb, rows, dirty)?;
    }
    Ok(report)
}

fn measure_size(bench: &BenchOptions, binary: &Path, duckdb: &DuckDb, rows: u64, dirty: f64) -> Result<String> {
    let BenchProject { folder: project, tally } = bench.prepare_project(rows, dirty, 0)?;
    let (mut theirs, mut queries, mut ours) = (Vec::new(), Vec::new(), Vec::new());
    for run in 1..=bench.runs {
        eprintln!("{rows} rows, {dirty}% dirty: run {run} of {}", bench.runs);
        let (process, query) = duckdb.read(&project, tally)?;
        theirs.push(process);
        queries.push(query);
        ours.push(landfall::measure_check(binary, &project, tally)?);
    }
    let [process, check] = [&theirs, &ours].map(|runs| Series::from_runs(runs, |run| run.seconds));
    let query = Series::new(queries);
    let ratio = check.median_value() / query.median_value();
    let [theirs_peak, ours_peak] = [&theirs, &ours].map(|runs| peak_mib(runs));
    Ok(format!(
        "| {rows} | {dirty}% | {query} | {process} | {check} | **{ratio:.2}** | {theirs_peak} | {ours_peak} |\n"
    ))
}
