//! What the service counts, in the text format of Prometheus.

use std::fmt::Write as _;

use landfall_engine::{
    ledger::Counts,
    pipeline::{LoadOutcome, RowsOutcome},
};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

use crate::http::desk::Desk;

/// A table and what became of its rows.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RowsLabels {
    table: String,
    outcome: &'static str,
}

/// A table and the code of an error.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RejectLabels {
    table: String,
    code: &'static str,
}

/// How a backup ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BackupLabels {
    outcome: &'static str,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TableLabels {
    table: String,
}

/// A route, by the path as it is declared, so that no value gets into a label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: String,
    route: String,
    status: u16,
}

/// A route.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

/// What is counted.
pub(crate) struct ServiceMetrics {
    registry: Registry,
    rows: Family<RowsLabels, Counter>,
    rejects: Family<RejectLabels, Counter>,
    loads: Family<TableLabels, Counter>,
    requests: Family<RequestLabels, Counter>,
    seconds: Family<RouteLabels, Histogram, fn() -> Histogram>,
    pub(in crate::http) connections: Gauge,
    waiting: Gauge,
    readers: Gauge,
    tasks: Gauge,
    backups: Family<BackupLabels, Counter>,
    backed_up: Gauge,
}

impl ServiceMetrics {
    pub(in crate::http) fn new() -> Self {
        // From half a millisecond to 16 seconds.
        let latency: fn() -> Histogram = || Histogram::new(exponential_buckets(0.0005, 2.0, 16));
        let metrics = Self {
            registry: Registry::with_prefix("landfall"),
            rows: Family::default(),
            rejects: Family::default(),
            loads: Family::default(),
            requests: Family::default(),
            seconds: Family::new_with_constructor(latency),
            connections: Gauge::default(),
            waiting: Gauge::default(),
            readers: Gauge::default(),
            tasks: Gauge::default(),
            backups: Family::default(),
            backed_up: Gauge::default(),
        };
        metrics.register_all()
    }

    fn register_all(mut self) -> Self {
        let Self {
            registry,
            rows,
            rejects,
            loads,
            requests,
            seconds,
            connections,
            waiting,
            readers,
            tasks,
            backups,
            backed_up,
        } = &mut self;
        registry.register("rows", "Rows sent to the service, by what became of them", rows.clone());
        registry.register("reject_errors", "Errors of rejected rows", rejects.clone());
        registry.register("loads", "Entries made in the ledger", loads.clone());
        registry.register("http_requests", "Requests answered", requests.clone());
        registry.register_with_unit("http_request", "Time to the answer's head", Unit::Seconds, seconds.clone());
        registry.register("http_connections", "Open connections", connections.clone());
        registry.register("writer_queue", "Requests that wait for the writer", waiting.clone());
        registry.register("readers_busy", "Connections that read, of the pool", readers.clone());
        registry.register("tasks_under_way", "Tasks that this process does", tasks.clone());
        registry.register("backups", "Backups, by how they ended", backups.clone());
        let words = "When this process last made a backup, in seconds since 1970";
        registry.register_with_unit("backup_last_success_timestamp", words, Unit::Seconds, backed_up.clone());
        self
    }

    /// Counts what became of rows.
    pub(in crate::http) fn count_rows(&self, outcome: &RowsOutcome) {
        for load in &outcome.loads {
            self.add_counts(&load.table, load.counts);
            for (_, error) in &load.errors {
                let labels = RejectLabels { table: load.table.clone(), code: error.code.as_str() };
                self.rejects.get_or_create(&labels).inc();
            }
            self.loads.get_or_create(&TableLabels { table: load.table.clone() }).inc();
        }
    }

    /// Counts a backup.
    pub(in crate::http) fn count_backup(&self, is_made: bool) {
        let outcome = if is_made { "made" } else { "failed" };
        self.backups.get_or_create(&BackupLabels { outcome }).inc();
        if is_made {
            // Only a success moves it: an alarm on its age also catches backups that were never begun.
            self.backed_up.set(jiff::Timestamp::now().as_second());
        }
    }

    /// Counts a load.
    pub(in crate::http) fn count_load(&self, load: &LoadOutcome) {
        self.add_counts(&load.table, load.counts);
        for reason in &load.reasons {
            let labels = RejectLabels { table: load.table.clone(), code: reason.code.as_str() };
            self.rejects.get_or_create(&labels).inc_by(reason.count);
        }
        self.loads.get_or_create(&TableLabels { table: load.table.clone() }).inc();
    }

    fn add_counts(&self, table: &str, counts: Counts) {
        let outcomes = [
            ("inserted", counts.inserted),
            ("updated", counts.updated),
            ("unchanged", counts.unchanged),
            ("rejected", counts.rejected),
        ];
        for (outcome, count) in outcomes.into_iter().filter(|(_, count)| *count > 0) {
            self.rows.get_or_create(&RowsLabels { table: table.to_owned(), outcome }).inc_by(count);
        }
    }

    /// Counts an answer.
    pub(in crate::http) fn count_request(&self, method: &str, route: &str, status: u16, seconds: f64) {
        let (method, route) = (method.to_owned(), route.to_owned());
        self.seconds.get_or_create(&RouteLabels { route: route.clone() }).observe(seconds);
        self.requests.get_or_create(&RequestLabels { method, route, status }).inc();
    }

    /// Everything as text, but for the numbers of tables that `sees` does not see.
    pub(in crate::http) fn render_text(&self, desk: &Desk, tasks: usize, sees: &dyn Fn(&str) -> bool) -> String {
        let gauges =
            [(&self.waiting, desk.waiting_requests()), (&self.readers, desk.reading_threads()), (&self.tasks, tasks)];
        for (gauge, value) in gauges {
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        }
        let mut text = String::new();
        if encode(&mut text, &self.registry).is_err() {
            let _ = writeln!(text, "# EOF");
        }
        filter_tables(&text, sees)
    }
}

/// The lines of `text` that are of no table, or of one that `sees` sees.
fn filter_tables(text: &str, sees: &dyn Fn(&str) -> bool) -> String {
    // The library writes all families at once, so that what a caller may not see is taken out of the text.
    text.split_inclusive('\n').filter(|line| table_label(line).is_none_or(|table| sees(&table))).collect()
}

/// The table that a line of the text is of: its first label.
fn table_label(line: &str) -> Option<String> {
    let (_, label) = line.split_once("{table=\"").filter(|_| !line.starts_with('#'))?;
    let mut table = String::new();
    let mut chars = label.chars();
    loop {
        match chars.next()? {
            '"' => return Some(table),
            // A name may have quotes or line ends, which stand escaped in a label.
            '\\' => table.push(chars.next().map(|char| if char == 'n' { '\n' } else { char })?),
            char => table.push(char),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A token that is limited to a table saw the numbers of the others.
    #[test]
    fn lines_of_tables_that_are_not_seen_are_left_out() {
        let metrics = ServiceMetrics::new();
        for table in ["jobs", "a \"b\" \\ \n{table=\"jobs\"}", "jobs2"] {
            metrics.add_counts(table, Counts { inserted: 1, rejected: 2, ..Counts::default() });
            metrics.loads.get_or_create(&TableLabels { table: table.to_owned() }).inc();
        }
        metrics.count_request("GET", "/v1/tables/{table}", 200, 0.1);
        let mut text = String::new();
        encode(&mut text, &metrics.registry).unwrap_or_default();
        let named = |text: &str| text.lines().filter(|line| table_label(line).is_some()).count();
        assert_eq!(named(&text), 9);
        assert_eq!(filter_tables(&text, &|_| true), text);
        let only = filter_tables(&text, &|table| table == "jobs");
        assert_eq!(named(&only), 3);
        assert!(!only.contains("jobs2") && !only.contains("a \\\"b"), "{only}");
        assert!(only.contains("/v1/tables/{table}") && only.ends_with("# EOF\n"), "{only}");
        assert_eq!(text.lines().count() - only.lines().count(), 6);
    }
}
