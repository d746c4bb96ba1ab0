//! What `bench load` prints.

use std::fmt::Write as _;

use super::{
    super::{landfall, machine, series::Series, series::peak_mib},
    Measured,
};
use crate::bench::child::Run;

/// The report on all sizes.
pub(super) fn text(facts: &str, held: u64, yardsticks: &[&str], all: &[Measured]) -> String {
    let mut text = format!("{} · {facts}\n\n", machine::facts(&["rustc"]));
    if held > 0 {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "The table holds {held} rows before.\n");
    }
    text += &head(yardsticks);
    text.extend(all.iter().map(|measured| measured.line(yardsticks.len())));
    text + &dirty_ratios(all) + &profiles(all)
}

fn head(yardsticks: &[&str]) -> String {
    let theirs: String = yardsticks.iter().map(|name| format!(" {name}, s |")).collect();
    let ratios: String = yardsticks.iter().map(|name| format!(" ratio to {name} |")).collect();
    let rule = "--:|".repeat(6 + 2 * yardsticks.len());
    format!(
        "| rows | dirty |{theirs} landfall load, s |{ratios} landfall, rows/s | CPU s | peak MiB: landfall |\n|{rule}\n"
    )
}

impl Measured {
    fn line(&self, yardsticks: usize) -> String {
        let theirs: Vec<Option<Series>> =
            (0..yardsticks).map(|at| self.yardsticks.get(at).and_then(|runs| seconds(runs))).collect();
        let ours = seconds(&self.ours);
        let ratio = |theirs: &Option<Series>| Some(ours.as_ref()?.median() / theirs.as_ref()?.median());
        let cell =
            |series: &Option<Series>| series.as_ref().map_or(" – |".to_owned(), |series| format!(" {series} |"));
        let ratio_cell = |theirs| ratio(theirs).map_or("  |".to_owned(), |ratio| format!(" **{ratio:.2}** |"));
        let mut line = format!("| {} | {}% |", self.rows, self.dirty);
        line.extend(theirs.iter().map(cell));
        line += &cell(&ours);
        line.extend(theirs.iter().map(ratio_cell));
        line + &self.effort() + "\n"
    }

    /// Speed, processor time and memory of our runs.
    fn effort(&self) -> String {
        let Some(ours) = seconds(&self.ours) else { return " – | – | – |".to_owned() };
        let rate = self.rows as f64 / ours.median();
        let cpu = Series::of(&self.ours, |run| run.cpu_seconds).median();
        format!(" {rate:.0} | {cpu:.2} | {} |", peak_mib(&self.ours))
    }
}

fn seconds(runs: &[Run]) -> Option<Series> {
    (!runs.is_empty()).then(|| Series::of(runs, |run| run.seconds))
}

/// How much longer dirty files take than clean ones of the same size.
fn dirty_ratios(all: &[Measured]) -> String {
    let mut text = String::new();
    for dirty in all.iter().filter(|measured| measured.dirty > 0.0) {
        let clean = all.iter().find(|clean| clean.rows == dirty.rows && clean.dirty == 0.0);
        let series = |measured: &Measured| seconds(&measured.ours);
        if let (Some(clean), Some(ours)) = (clean.and_then(series), series(dirty)) {
            let ratio = ours.median() / clean.median();
            // Writing to a String cannot fail.
            let _ = write!(text, "\n{} rows, {}% dirty to clean: {ratio:.2}\n", dirty.rows, dirty.dirty);
        }
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
