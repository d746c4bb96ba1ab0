//! How far a command has come: a bar on a terminal, plain lines elsewhere, events where the log is JSON.

use std::{
    io::{IsTerminal as _, Write as _, stderr, stdout},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use landfall_engine::{
    escape_controls,
    pipeline::{LoadOutcome, Observer, Progress},
};

use crate::{
    counts::{equation, thousands},
    globals::{Globals, LogFormat},
};

/// Tells of progress on standard error.
#[derive(Debug)]
pub(crate) struct Reporter {
    form: Form,
    current: Mutex<Current>,
    finished: Mutex<Vec<LoadOutcome>>,
}

#[derive(Debug)]
enum Form {
    Silent,
    Bar(ProgressBar),
    Lines,
    Events,
}

/// The source that is read.
#[derive(Debug)]
struct Current {
    table: String,
    source: String,
    begun: Instant,
    told: Instant,
}

impl Form {
    /// A bar is redrawn this often, and lines are written this often.
    const fn interval(&self) -> Duration {
        match self {
            Self::Bar(_) => Duration::from_millis(100),
            _ => Duration::from_secs(5),
        }
    }
}

impl Reporter {
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
            Globals { quiet: true, .. } => Form::Silent,
            Globals { log: LogFormat::Json, .. } => Form::Events,
            // Lines of the log would tear a bar.
            _ if terminal && globals.verbose == 0 => Form::Bar(bar()),
            _ => Form::Lines,
        };
        let now = Instant::now();
        let current = Current { table: String::new(), source: String::new(), begun: now, told: now };
        Self { form, current: Mutex::new(current), finished: Mutex::default() }
    }

    /// Takes the bar away.
    pub(crate) fn clear(&self) {
        if let Form::Bar(bar) = &self.form {
            bar.finish_and_clear();
        }
    }

    /// The loads that have ended.
    pub(crate) fn finished(&self) -> Vec<LoadOutcome> {
        lock(&self.finished).clone()
    }

    /// Before an error: tells which loads had ended, since there will be no summary.
    pub(crate) fn tell_finished(&self) {
        self.clear();
        if matches!(self.form, Form::Silent | Form::Events) {
            return;
        }
        for outcome in lock(&self.finished).iter() {
            let equation = equation(outcome.counts);
            tell(&format!("{} ← {}: {}, {equation}", outcome.table, outcome.source, outcome.state.as_str()));
        }
    }

    fn tell_progress(&self, current: &Current, progress: Progress) {
        let rate = Rate::of(progress, current.begun.elapsed());
        match &self.form {
            Form::Silent => {}
            // A table, of which nobody knows how long it is.
            Form::Bar(bar) if progress.total_bytes == 0 => {
                bar.set_style(of_rows());
                bar.set_message(format!("{} rows, {} rows/s", thousands(progress.records), thousands(rate.records)));
                bar.tick();
            }
            Form::Lines if progress.total_bytes == 0 => tell(&format!(
                "{} → {}: {} rows, {} rows/s",
                current.table,
                current.source,
                thousands(progress.records),
                thousands(rate.records)
            )),
            Form::Bar(bar) => {
                bar.set_length(progress.total_bytes);
                bar.set_position(progress.bytes);
                bar.set_message(format!("{}, {rate}", counted(progress)));
            }
            Form::Lines => tell(&format!(
                "{} ← {}: {}%, {}, {rate}",
                current.table,
                current.source,
                percent(progress),
                counted(progress)
            )),
            Form::Events => tracing::info!(
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

impl Observer for Reporter {
    fn begins(&self, table: &str, source: &str) {
        let now = Instant::now();
        *lock(&self.current) = Current { table: table.into(), source: source.into(), begun: now, told: now };
        match &self.form {
            Form::Bar(bar) => {
                bar.reset();
                bar.set_prefix(format!("{} ← {}", escape_controls(table), escape_controls(source)));
            }
            Form::Events => tracing::info!(table, source, "begins"),
            _ => {}
        }
    }

    fn progress(&self, progress: Progress) {
        let mut current = lock(&self.current);
        if current.told.elapsed() >= self.form.interval() {
            current.told = Instant::now();
            self.tell_progress(&current, progress);
        }
    }

    fn ends(&self, outcome: &LoadOutcome) {
        if let Form::Events = &self.form {
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
        lock(&self.finished).push(outcome.clone());
    }
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix}\n{bar:24} {bytes}/{total_bytes}  {msg}");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn of_rows() -> ProgressStyle {
    ProgressStyle::with_template("{prefix}\n{msg}").unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// A line on standard error. Where that is closed there is nobody to tell.
fn tell(line: &str) {
    let _ = writeln!(stderr(), "{}", escape_controls(line));
}

/// A thread that panicked while it told of progress has not harmed what it told.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn counted(progress: Progress) -> String {
    format!("{} records, {} rejects", thousands(progress.records), thousands(progress.rejected))
}

fn percent(progress: Progress) -> u64 {
    progress.bytes.saturating_mul(100).checked_div(progress.total_bytes).unwrap_or(100)
}

/// Records a second, and the time left.
struct Rate {
    records: u64,
    left: u64,
}

impl Rate {
    fn of(progress: Progress, elapsed: Duration) -> Self {
        let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
        let bytes_left = progress.total_bytes.saturating_sub(progress.bytes);
        let left = bytes_left.saturating_mul(millis).checked_div(progress.bytes).unwrap_or(0) / 1000;
        Self { records: progress.records.saturating_mul(1000) / millis, left }
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (minutes, seconds) = (self.left / 60, self.left % 60);
        write!(f, "{} records/s, {minutes}:{seconds:02} left", thousands(self.records))
    }
}
