//! What became of a push, as text and as JSON.

use std::fmt::Write as _;

use landfall_engine::{
    escape_controls,
    ledger::{Counts, LoadState},
    pipeline::RejectReason,
};
use serde::Serialize;

use crate::counts::{count_noun, format_equation, group_thousands};
use crate::push::{BatchEntry, PushOutcome, RejectExample};

/// The most batches that are listed one by one; of more, the slowest are, and those that needed something.
const LISTED: usize = 20;

/// The slowest batches that are listed of many.
const SLOWEST: usize = 5;

/// A push, in the shape of a load where it is one.
#[derive(Serialize)]
struct PushDocument<'p> {
    table: &'p str,
    source: &'p str,
    /// The service.
    to: &'p str,
    state: LoadState,
    #[serde(flatten)]
    counts: Counts,
    seconds: f64,
    rows_per_second: u64,
    reasons: Vec<RejectReason>,
    examples: Vec<&'p RejectExample>,
    batches: usize,
    replayed: usize,
    retries: u64,
}

/// The push of `source` into `render_table` of the service `to`.
pub(crate) struct PushSummary<'p> {
    pub(crate) table: &'p str,
    pub(crate) source: &'p str,
    pub(crate) to: &'p str,
    pub(crate) pushed: &'p PushOutcome,
}

impl PushSummary<'_> {
    fn load_state(&self) -> LoadState {
        // Not stopped, since the same command goes on.
        if self.pushed.failure.is_none() { LoadState::Complete } else { LoadState::Running }
    }

    fn retry_count(&self) -> u64 {
        self.pushed.entries.iter().map(|entry| u64::from(entry.attempts.saturating_sub(1))).sum()
    }

    fn replayed_count(&self) -> usize {
        self.pushed.entries.iter().filter(|entry| entry.replayed).count()
    }

    /// Rows a second, over all that was answered.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rate is not exact"
    )]
    fn rows_per_second(&self) -> u64 {
        (self.pushed.tally.counts.read as f64 / self.pushed.seconds.max(0.001)) as u64
    }

    /// `{"loads": [{…}]}`.
    ///
    /// # Errors
    /// None that could occur.
    pub(crate) fn render_json(&self) -> serde_json::Result<String> {
        let reasons = self.pushed.tally.ranked_reasons();
        let document = PushDocument {
            table: self.table,
            source: self.source,
            to: self.to,
            state: self.load_state(),
            counts: self.pushed.tally.counts,
            seconds: self.pushed.seconds,
            rows_per_second: self.rows_per_second(),
            examples: reasons.iter().flat_map(|reason| self.pushed.tally.examples_of(reason)).collect(),
            reasons,
            batches: self.pushed.entries.len(),
            replayed: self.replayed_count(),
            retries: self.retry_count(),
        };
        Ok(format!("{}\n", serde_json::to_string(&serde_json::json!({ "loads": [document] }))?))
    }

    /// For a person.
    pub(crate) fn render_text(&self) -> String {
        let PushOutcome { tally, entries, seconds, .. } = self.pushed;
        let mut text = format!(
            "{}\n  {} to {}: ",
            escape_controls(self.table),
            escape_controls(self.source),
            escape_controls(self.to)
        );
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{}, {} sent again, {} known before, {seconds:.2} s, {}/s",
            count_noun(entries.len() as u64, "batch"),
            group_thousands(self.retry_count()),
            group_thousands(self.replayed_count() as u64),
            count_noun(self.rows_per_second(), "row")
        );
        let _ = writeln!(text, "  {}", format_equation(tally.counts));
        for reason in tally.ranked_reasons() {
            let place =
                reason.field.as_deref().map_or_else(|| "(record)".into(), |field| escape_controls(field).into_owned());
            let _ = writeln!(text, "    {place}  {}  {}", reason.code, group_thousands(reason.count));
            if let Some(example) = tally.examples_of(&reason).first() {
                let line = example.line.map(|line| format!(", line {line}")).unwrap_or_default();
                let _ = writeln!(text, "      record {}{line}: {}", example.record, escape_controls(&example.message));
            }
        }
        text + &render_table(entries)
    }
}

/// The batches, or those of many that one would look for.
fn render_table(entries: &[BatchEntry]) -> String {
    let mut text = String::new();
    let mut listed: Vec<&BatchEntry> = entries.iter().collect();
    if entries.len() > LISTED {
        listed.sort_by_key(|entry| std::cmp::Reverse(entry.milliseconds));
        let (slowest, rest) = listed.split_at(SLOWEST);
        let notable = rest.iter().filter(|entry| entry.attempts > 1 || entry.counts.is_none()).take(LISTED - SLOWEST);
        listed = slowest.iter().chain(notable).copied().collect();
        listed.sort_by_key(|entry| entry.first);
        let _ =
            writeln!(text, "  the slowest of {} batches, and those that were sent again or refused:", entries.len());
    }
    if !listed.is_empty() {
        let _ = writeln!(
            text,
            "  {:>23}  {:>8}  {:>6}  {:>8}  {:>8}  {:>7}  {:>9}  {:>8}  {:>6}",
            "records", "attempts", "status", "load", "inserted", "updated", "unchanged", "rejected", "ms"
        );
    }
    listed.iter().for_each(|entry| text.push_str(&format_entry(entry)));
    text
}

fn format_entry(entry: &BatchEntry) -> String {
    let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".into());
    let count = |of: fn(&Counts) -> u64| or_dash(entry.counts.as_ref().map(|counts| of(counts).to_string()));
    format!(
        "  {:>23}  {:>8}  {:>6}  {:>8}  {:>8}  {:>7}  {:>9}  {:>8}  {:>6}{}\n",
        format!("{}-{}", entry.first, entry.last_record()),
        entry.attempts,
        or_dash(entry.status.map(|status| status.to_string())),
        or_dash(entry.load_id.map(|id| id.to_string())),
        count(|counts| counts.inserted),
        count(|counts| counts.updated),
        count(|counts| counts.unchanged),
        count(|counts| counts.rejected),
        entry.milliseconds,
        if entry.replayed { "  known before" } else { "" }
    )
}
