//! Measures of the same thing, taken several times.

use std::fmt;

use super::child::ProcessRun;

/// Measures, in ascending order; at least one.
#[derive(Debug, Clone)]
pub(super) struct Series(Vec<f64>);

impl Series {
    /// One measure of each run.
    pub(super) fn from_runs(runs: &[ProcessRun], measure: impl Fn(&ProcessRun) -> f64) -> Self {
        Self::new(runs.iter().map(measure).collect())
    }

    /// These measures.
    pub(super) fn new(mut measures: Vec<f64>) -> Self {
        measures.sort_by(f64::total_cmp);
        Self(measures)
    }

    /// The one in the middle (the lower of two).
    pub(super) fn median_value(&self) -> f64 {
        self.0[(self.0.len() - 1) / 2]
    }
}

impl fmt::Display for Series {
    /// `1.23 (1.20–1.31)`: median, least, greatest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} ({:.2}–{:.2})", self.median_value(), self.0[0], self.0[self.0.len() - 1])
    }
}

/// The greatest peak of memory of all runs, in MiB.
pub(super) fn peak_mib(runs: &[ProcessRun]) -> u64 {
    runs.iter().map(|run| run.peak_bytes).max().unwrap_or_default().div_ceil(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::Series;

    #[test]
    fn shows_median_and_range() {
        assert_eq!(Series::new(vec![3.0, 1.0, 2.0]).to_string(), "2.00 (1.00–3.00)");
        assert_eq!(Series::new(vec![4.0, 1.0]).median_value(), 1.0);
    }
}
