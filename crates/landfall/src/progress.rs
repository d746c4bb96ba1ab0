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
    counts::{format_equation, group_thousands},
    globals::{Globals, LogFormat},
};

/// Tells of progress on standard error.
#[derive(Debug)]
pub(crate) struct ProgressReporter {
    form: ProgressForm,
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

/// The source that is read.
#[derive(Debug)]
struct CurrentSource {
    table: String,
    source: String,
    begun: Instant,
    told: Instant,
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
        Self::with(globals, stderr().is_terminal())
    }

    /// Tells of a command that prints results all the time: a bar would be torn on the same terminal.
    pub(crate) fn beside_results(globals: &Globals) -> Self {
        Self::with(globals, stderr().is_terminal() && !stdout().is_terminal())
    }

    fn with(globals: &Globals, terminal: bool) -> Self {
        let form = match globals {
            Globals { quiet: true, .. } => ProgressForm::Silent,
            Globals { log: LogFormat::Json, .. } => ProgressForm::Events,
            // Lines of the log would tear a bar.
            _ if terminal && globals.verbose == 0 => ProgressForm::Bar(make_bar()),
            _ => ProgressForm::Lines,
        };
        let now = Instant::now();
        let current = CurrentSource { table: String::new(), source: String::new(), begun: now, told: now };
        Self { form, current: Mutex::new(current), finished: Mutex::default() }
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
        match &self.form {
            ProgressForm::Silent => {}
            // A table, of which nobody knows how long it is.
            ProgressForm::Bar(bar) if progress.total_bytes == 0 => {
                bar.set_style(row_style());
                bar.set_message(format!(
                    "{} rows, {} rows/s",
                    group_thousands(progress.records),
                    group_thousands(rate.records)
                ));
                bar.tick();
            }
            ProgressForm::Lines if progress.total_bytes == 0 => print_line(&format!(
                "{} → {}: {} rows, {} rows/s",
                current.table,
                current.source,
                group_thousands(progress.records),
                group_thousands(rate.records)
            )),
            ProgressForm::Bar(bar) => {
                bar.set_length(progress.total_bytes);
                bar.set_position(progress.bytes);
                bar.set_message(format!("{}, {rate}", format_progress(progress)));
            }
            ProgressForm::Lines => print_line(&format!(
                "{} ← {}: {}%, {}, {rate}",
                current.table,
                current.source,
                percent_done(progress),
                format_progress(progress)
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
        match &self.form {
            ProgressForm::Bar(bar) => {
                bar.reset();
                bar.set_prefix(format!("{} ← {}", escape_controls(table), escape_controls(source)));
            }
            ProgressForm::Events => tracing::info!(table, source, "begins"),
            _ => {}
        }
    }

    fn report_progress(&self, progress: LoadProgress) {
        let mut current = lock_state(&self.current);
        if current.told.elapsed() >= self.form.interval() {
            current.told = Instant::now();
            self.tell_progress(&current, progress);
        }
    }

    fn source_ends(&self, outcome: &LoadOutcome) {
        if let ProgressForm::Events = &self.form {
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
        }
        lock_state(&self.finished).push(outcome.clone());
    }
}

fn make_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix}\n{bar:24} {bytes}/{total_bytes}  {msg}");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn row_style() -> ProgressStyle {
    ProgressStyle::with_template("{prefix}\n{msg}").unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// A line on standard error. Where that is closed there is nobody to tell.
fn print_line(line: &str) {
    let _ = writeln!(stderr(), "{}", escape_controls(line));
}

/// A thread that panicked while it told of progress has not harmed what it told.
fn lock_state<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn format_progress(progress: LoadProgress) -> String {
    format!("{} records, {} rejects", group_thousands(progress.records), group_thousands(progress.rejected))
}

fn percent_done(progress: LoadProgress) -> u64 {
    progress.bytes.saturating_mul(100).checked_div(progress.total_bytes).unwrap_or(100)
}

/// Records a second, and the time left.
struct ProgressRate {
    records: u64,
    left: u64,
}

impl ProgressRate {
    fn from_progress(progress: LoadProgress, elapsed: Duration) -> Self {
        let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
        let bytes_left = progress.total_bytes.saturating_sub(progress.bytes);
        let left = bytes_left.saturating_mul(millis).checked_div(progress.bytes).unwrap_or(0) / 1000;
        Self { records: progress.records.saturating_mul(1000) / millis, left }
    }
}

impl std::fmt::Display for ProgressRate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (minutes, seconds) = (self.left / 60, self.left % 60);
        write!(f, "{} records/s, {minutes}:{seconds:02} left", group_thousands(self.records))
    }
}
