//! How far a command has come: a bar on a terminal, plain lines elsewhere, events where the log is JSON.

use std::{
    io::{IsTerminal as _, Write as _, stderr, stdout},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use landfall_engine::{
    escape_controls,
    pipeline::{LoadOutcome, LoadProgress, Observer},
};

use crate::{
    counts::{count_noun, format_equation},
    globals::{Globals, LogFormat},
};

/// Tells of progress on standard error.
#[derive(Debug)]
pub(crate) struct ProgressReporter {
    form: ProgressForm,
    flow: DataFlow,
    current: Mutex<CurrentSource>,
    finished: Mutex<Vec<LoadOutcome>>,
}

#[derive(Debug)]
enum ProgressForm {
    Silent,
    Bar(ProgressBar),
    Lines,
    Events,
}

/// Which way the data goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DataFlow {
    /// Records of a source become rows of a table.
    IntoTable,
    /// Rows of a table are written to a file.
    OutOfTable,
}

impl DataFlow {
    const fn arrow(self) -> &'static str {
        match self {
            Self::IntoTable => "←",
            Self::OutOfTable => "→",
        }
    }

    const fn noun(self) -> &'static str {
        match self {
            Self::IntoTable => "record",
            Self::OutOfTable => "row",
        }
    }
}

/// Columns of a terminal that does not tell how many it has.
const DEFAULT_WIDTH: usize = 80;

/// Whether the terminal says that it can do nothing but print lines.
fn is_dumb_terminal() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// The source that is read.
#[derive(Debug)]
struct CurrentSource {
    table: String,
    source: String,
    begun: Instant,
    told: Instant,
}

impl CurrentSource {
    /// `people ← people.csv`.
    fn describe_source(&self, flow: DataFlow) -> String {
        format!("{} {} {}", self.table, flow.arrow(), self.source)
    }
}

impl ProgressForm {
    /// A bar is redrawn this often, and lines are written this often.
    const fn interval(&self) -> Duration {
        match self {
            Self::Bar(_) => Duration::from_millis(100),
            _ => Duration::from_secs(5),
        }
    }
}

impl ProgressReporter {
    /// Tells of a command that prints its results when it has ended.
    pub(crate) fn new(globals: &Globals) -> Self {
        Self::with(globals, DataFlow::IntoTable, stderr().is_terminal())
    }

    /// Tells of a command that writes tables to files.
    pub(crate) fn of_backup(globals: &Globals) -> Self {
        Self::with(globals, DataFlow::OutOfTable, stderr().is_terminal())
    }

    /// Tells of a command that prints results all the time: a bar would be torn on the same terminal.
    pub(crate) fn beside_results(globals: &Globals) -> Self {
        Self::with(globals, DataFlow::IntoTable, stderr().is_terminal() && !stdout().is_terminal())
    }

    fn with(globals: &Globals, flow: DataFlow, terminal: bool) -> Self {
        let form = match globals {
            Globals { quiet: true, .. } => ProgressForm::Silent,
            Globals { log: LogFormat::Json, .. } => ProgressForm::Events,
            // Lines of the log would tear a bar, and a dumb terminal cannot take one back.
            _ if terminal && globals.verbose == 0 && !is_dumb_terminal() => ProgressForm::Bar(make_bar()),
            _ => ProgressForm::Lines,
        };
        let now = Instant::now();
        let current = CurrentSource { table: String::new(), source: String::new(), begun: now, told: now };
        Self { form, flow, current: Mutex::new(current), finished: Mutex::default() }
    }

    /// Takes the bar away.
    pub(crate) fn clear_bar(&self) {
        if let ProgressForm::Bar(bar) = &self.form {
            bar.finish_and_clear();
        }
    }

    /// The loads that have ended.
    pub(crate) fn finished_loads(&self) -> Vec<LoadOutcome> {
        lock_state(&self.finished).clone()
    }

    /// Before an error: tells which loads had ended, since there will be no summary.
    pub(crate) fn tell_finished(&self) {
        self.clear_bar();
        if matches!(self.form, ProgressForm::Silent | ProgressForm::Events) {
            return;
        }
        for outcome in lock_state(&self.finished).iter() {
            let equation = format_equation(outcome.counts);
            print_line(&format!("{} ← {}: {}, {equation}", outcome.table, outcome.source, outcome.state.as_str()));
        }
    }

    fn tell_progress(&self, current: &CurrentSource, progress: LoadProgress) {
        let rate = ProgressRate::from_progress(progress, current.begun.elapsed());
        let (source, flow) = (current.describe_source(self.flow), self.flow);
        match &self.form {
            ProgressForm::Silent => {}
            ProgressForm::Bar(bar) => {
                let width =
                    console::Term::stderr().size_checked().map_or(DEFAULT_WIDTH, |(_, columns)| usize::from(columns));
                bar.set_message(render_progress(&source, flow, progress, rate, width));
                bar.tick();
            }
            // A table, of which nobody knows how long it is.
            ProgressForm::Lines if progress.total_bytes == 0 => {
                print_line(&format!("{source}: {}, {}", format_records(flow, progress), rate.per_second(flow)));
            }
            ProgressForm::Lines => print_line(&format!(
                "{source}: {}%, {}, {}, {}",
                percent_done(progress),
                format_records(flow, progress),
                rate.per_second(flow),
                rate.time_left(),
            )),
            ProgressForm::Events => tracing::info!(
                table = current.table,
                source = current.source,
                bytes = progress.bytes,
                total_bytes = progress.total_bytes,
                records = progress.records,
                rejected = progress.rejected,
                "progress"
            ),
        }
    }
}

impl Observer for ProgressReporter {
    fn source_begins(&self, table: &str, source: &str) {
        let now = Instant::now();
        *lock_state(&self.current) =
            CurrentSource { table: table.into(), source: source.into(), begun: now, told: now };
        tracing::info!(table, source, "begins");
        if let ProgressForm::Bar(bar) = &self.form {
            bar.reset();
        }
    }

    fn report_progress(&self, progress: LoadProgress) {
        // One lock for the look and the note, so that two threads do not both tell.
        let mut current = lock_state(&self.current);
        if current.told.elapsed() >= self.form.interval() {
            current.told = Instant::now();
            self.tell_progress(&current, progress);
        }
    }

    fn source_ends(&self, outcome: &LoadOutcome) {
        tracing::info!(
            table = outcome.table,
            source = outcome.source,
            load_id = %outcome.load_id,
            state = outcome.state.as_str(),
            read = outcome.counts.read,
            inserted = outcome.counts.inserted,
            updated = outcome.counts.updated,
            unchanged = outcome.counts.unchanged,
            rejected = outcome.counts.rejected,
            seconds = outcome.seconds,
            "ends"
        );
        lock_state(&self.finished).push(outcome.clone());
    }
}

/// The bar's lines are ours alone: [`render_progress`] fits them to the terminal, since a line that is wrapped stays when the bar is redrawn.
fn make_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new_spinner().with_style(style)
}

/// A line on standard error. Where that is closed there is nobody to tell.
fn print_line(line: &str) {
    let _ = writeln!(stderr(), "{}", escape_controls(line));
}

/// A thread that panicked while it told of progress has not harmed what it told.
fn lock_state<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `1,000 records, 3 rejects`; the rejects only where there are some.
fn format_records(flow: DataFlow, progress: LoadProgress) -> String {
    let records = count_noun(progress.records, flow.noun());
    match progress.rejected {
        0 => records,
        rejected => format!("{records}, {}", count_noun(rejected, "reject")),
    }
}

/// The two lines of the bar on a terminal of `width` columns. What does not fit is left out: first the time left, then the rate.
fn render_progress(source: &str, flow: DataFlow, progress: LoadProgress, rate: ProgressRate, width: usize) -> String {
    // A cursor in the last column makes some terminals begin another line.
    let room = width.saturating_sub(1).max(1);
    let mut line = if progress.total_bytes == 0 {
        String::new()
    } else {
        let bar = render_bar(progress, (room / 4).clamp(8, 40));
        format!("{bar} {:>3}%  ", percent_done(progress))
    };
    let mut parts = vec![format_records(flow, progress), rate.per_second(flow)];
    if progress.bytes > 0 && progress.total_bytes > 0 {
        parts.push(rate.time_left());
    }
    for (at, part) in parts.iter().enumerate() {
        let comma = if at == 0 { "" } else { ", " };
        if line.chars().count() + comma.len() + part.chars().count() > room {
            break;
        }
        line.push_str(comma);
        line.push_str(part);
    }
    format!("{}\n{line}", shorten_line(&escape_controls(source), room))
}

/// A bar of `cells` characters: empty before the first byte, and full only behind the last.
fn render_bar(progress: LoadProgress, cells: usize) -> String {
    let share = u128::from(progress.bytes) * cells as u128 / u128::from(progress.total_bytes.max(1));
    let full = usize::try_from(share).map_or(cells, |full| full.min(cells));
    format!("{}{}", "█".repeat(full), "░".repeat(cells - full))
}

/// `text` in `room` characters at most: its end is left out.
fn shorten_line(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    text.chars().take(room - 1).chain(['…']).collect()
}

fn percent_done(progress: LoadProgress) -> u64 {
    progress.bytes.saturating_mul(100).checked_div(progress.total_bytes).unwrap_or(0)
}

/// Records a second, and the time left.
#[derive(Debug, Clone, Copy)]
struct ProgressRate {
    records: u64,
    seconds_left: u64,
}

impl ProgressRate {
    fn from_progress(progress: LoadProgress, elapsed: Duration) -> Self {
        let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
        let bytes_left = progress.total_bytes.saturating_sub(progress.bytes);
        let seconds_left = bytes_left.saturating_mul(millis).checked_div(progress.bytes).unwrap_or(0) / 1000;
        Self { records: progress.records.saturating_mul(1000) / millis, seconds_left }
    }

    fn per_second(self, flow: DataFlow) -> String {
        format!("{}/s", count_noun(self.records, flow.noun()))
    }

    fn time_left(self) -> String {
        format!("{}:{:02} left", self.seconds_left / 60, self.seconds_left % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "hired_employees ← data/2021/hired_employees-with-a-long-name.csv.zst";

    fn render_halfway(width: usize) -> String {
        let progress = LoadProgress { bytes: 512, total_bytes: 1024, records: 1_234_567, rejected: 1 };
        let rate = ProgressRate::from_progress(progress, Duration::from_secs(100));
        render_progress(SOURCE, DataFlow::IntoTable, progress, rate, width)
    }

    #[test]
    fn the_bar_fits_terminals_of_40_to_300_columns() {
        for width in 1..=300 {
            let text = render_halfway(width);
            assert_eq!(text.lines().count(), 2, "{width}");
            let longest = text.lines().map(|line| line.chars().count()).max().unwrap_or_default();
            assert!(longest < width.max(16), "{longest} of {width}: {text}");
        }
        assert_eq!(render_halfway(40), "hired_employees ← data/2021/hired_empl…\n████░░░░░  50%  ");
        assert!(render_halfway(120).ends_with("50%  1,234,567 records, 1 reject, 12,345 records/s, 1:40 left"));
    }

    #[test]
    fn no_bar_is_full_before_the_end() {
        let at = |bytes, total_bytes| render_bar(LoadProgress { bytes, total_bytes, records: 0, rejected: 0 }, 4);
        assert_eq!([at(0, 0), at(0, 10), at(9, 10), at(10, 10)], ["░░░░", "░░░░", "███░", "████"]);
        let nothing = LoadProgress { bytes: 0, total_bytes: 0, records: 0, rejected: 0 };
        let rate = ProgressRate::from_progress(nothing, Duration::ZERO);
        assert_eq!(render_progress("a → b", DataFlow::OutOfTable, nothing, rate, 80), "a → b\n0 rows, 0 rows/s");
    }
}
