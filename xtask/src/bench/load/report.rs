//! What `bench load` prints.

use std::fmt::Write as _;

use super::{
    super::{landfall, machine, series::Series, series::peak_mib},
    SizeRuns,
};
use crate::bench::child::ProcessRun;

/// The report on all sizes.
pub(super) fn render_report(facts: &str, held: u64, yardsticks: &[&str], all: &[SizeRuns]) -> String {
    let mut text = format!("{} · {facts}\n\n", machine::describe_machine(&["rustc"]));
    if held > 0 {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "The table holds {held} rows before.\n");
    }
    text += &render_head(yardsticks);
    text.extend(all.iter().map(|measured| measured.render_line(yardsticks.len())));
    text + &dirty_ratios(all) + &render_profiles(all)
}

fn render_head(yardsticks: &[&str]) -> String {
    let theirs: String = yardsticks.iter().map(|name| format!(" {name}, s |")).collect();
    let ratios: String = yardsticks.iter().map(|name| format!(" ratio to {name} |")).collect();
    let rule = "--:|".repeat(6 + 2 * yardsticks.len());
    format!(
        "| rows | dirty |{theirs} landfall load, s |{ratios} landfall, rows/s | CPU s | peak MiB: landfall |\n|{rule}\n"
    )
}

impl SizeRuns {
    fn render_line(&self, yardsticks: usize) -> String {
        let theirs: Vec<Option<Series>> =
            (0..yardsticks).map(|at| self.yardsticks.get(at).and_then(|runs| elapsed_series(runs))).collect();
        let ours = elapsed_series(&self.ours);
        let ratio = |theirs: &Option<Series>| Some(ours.as_ref()?.median_value() / theirs.as_ref()?.median_value());
        let cell =
            |series: &Option<Series>| series.as_ref().map_or(" – |".to_owned(), |series| format!(" {series} |"));
        let ratio_cell = |theirs| ratio(theirs).map_or("  |".to_owned(), |ratio| format!(" **{ratio:.2}** |"));
        let mut line = format!("| {} | {}% |", self.rows, self.dirty);
        line.extend(theirs.iter().map(cell));
        line += &cell(&ours);
        line.extend(theirs.iter().map(ratio_cell));
        line + &self.describe_effort() + "\n"
    }

    /// Speed, processor time and memory of our runs.
    fn describe_effort(&self) -> String {
        let Some(ours) = elapsed_series(&self.ours) else { return " – | – | – |".to_owned() };
        let rate = self.rows as f64 / ours.median_value();
        let cpu = Series::from_runs(&self.ours, |run| run.cpu_seconds).median_value();
        format!(" {rate:.0} | {cpu:.2} | {} |", peak_mib(&self.ours))
    }
}

fn elapsed_series(runs: &[ProcessRun]) -> Option<Series> {
    (!runs.is_empty()).then(|| Series::from_runs(runs, |run| run.seconds))
}

/// How much longer dirty files take than clean ones of the same size.
fn dirty_ratios(all: &[SizeRuns]) -> String {
    let mut text = String::new();
    for dirty in all.iter().filter(|measured| measured.dirty > 0.0) {
        let clean = all.iter().find(|clean| clean.rows == dirty.rows && clean.dirty == 0.0);
        let series = |measured: &SizeRuns| elapsed_series(&measured.ours);
        if let (Some(clean), Some(ours)) = (clean.and_then(series), series(dirty)) {
            let ratio = ours.median_value() / clean.median_value();
            // Writing to a String cannot fail.
            let _ = write!(text, "\n{} rows, {}% dirty to clean: {ratio:.2}\n", dirty.rows, dirty.dirty);
        }
    }
    text
}

/// Where the last run of each size spent its time, as far as the binary tells.
fn render_profiles(all: &[SizeRuns]) -> String {
    let profile = |measured: &SizeRuns| {
        let table = landfall::profile_stages(&measured.document)?;
        Some(format!("\nStages, {} rows, {}% dirty:\n\n{table}", measured.rows, measured.dirty))
    };
    all.iter().filter_map(profile).collect()
}
