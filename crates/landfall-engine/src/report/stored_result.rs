//! Results that are kept, and written again in any format.

use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    targets::{Cell, QueryRows},
};

/// The result of a report.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct StoredResult {
    columns: Vec<String>,
    rows: Vec<Vec<StoredCell>>,
}

/// A value as it is kept: a floating-point number as its shortest text, which is read back as just that number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
// The order matters to serde: the first form that fits is taken, so that a number never becomes a text.
#[serde(untagged)]
enum StoredCell {
    Null,
    Integer(i64),
    Text(String),
    Real { real: String },
}

impl StoredResult {
    /// The number of rows.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.rows.len()
    }

    /// Hands columns and rows over, as the query did.
    ///
    /// # Errors
    /// Those of who takes them.
    pub fn replay_rows(&self, rows: &mut dyn QueryRows) -> Result<()> {
        rows.take_columns(&self.columns)?;
        for row in &self.rows {
            let cells: Vec<Cell> = row.iter().map(restore_cell).collect();
            rows.take_row(&cells)?;
        }
        Ok(())
    }
}

fn restore_cell(kept: &StoredCell) -> Cell {
    match kept {
        StoredCell::Null => Cell::Null,
        StoredCell::Integer(value) => Cell::Integer(*value),
        StoredCell::Text(text) => Cell::Text(text.clone()),
        StoredCell::Real { real } => real.parse().map_or_else(|_| Cell::Text(real.clone()), Cell::Real),
    }
}

fn store_cell(cell: &Cell) -> StoredCell {
    match cell {
        Cell::Null => StoredCell::Null,
        Cell::Integer(value) => StoredCell::Integer(*value),
        Cell::Text(text) => StoredCell::Text(text.clone()),
        Cell::Real(value) => StoredCell::Real { real: format!("{value:?}") },
    }
}

/// Collects a result of at most so many bytes, roughly.
#[derive(Debug)]
pub(super) struct ResultCollector {
    result: StoredResult,
    bytes: usize,
    most: usize,
}

impl ResultCollector {
    pub(super) fn new(most: usize) -> Self {
        Self { result: StoredResult::default(), bytes: 0, most }
    }

    pub(super) fn into_result(self) -> StoredResult {
        self.result
    }
}

impl QueryRows for ResultCollector {
    fn take_columns(&mut self, names: &[String]) -> Result<()> {
        self.result.columns = names.to_vec();
        Ok(())
    }

    fn take_row(&mut self, cells: &[Cell]) -> Result<()> {
        // Each cell costs its `Value` in memory beside the text, also one that is NULL.
        let bytes = |cell: &Cell| if let Cell::Text(text) = cell { text.len() + 8 } else { 16 };
        self.bytes += cells.iter().map(bytes).sum::<usize>();
        if self.bytes > self.most {
            return Err(Error::Usage(format!("the result has more than {} bytes", self.most)));
        }
        self.result.rows.push(cells.iter().map(store_cell).collect());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    #[test]
    fn a_result_is_kept_as_it_was() {
        let cells = [
            Cell::Null,
            Cell::Integer(i64::MIN),
            Cell::Integer(9_007_199_254_740_993),
            Cell::Real(0.1 + 0.2),
            Cell::Real(-1e300),
            Cell::Real(f64::INFINITY),
            Cell::Text("\u{0}ä\"".into()),
            Cell::Text("12".into()),
            Cell::Text(String::new()),
        ];
        let mut collector = ResultCollector::new(1000);
        collector.take_columns(&["a".into()]).unwrap();
        collector.take_row(&cells).unwrap();
        let text = serde_json::to_string(&collector.into_result()).unwrap();
        let again: StoredResult = serde_json::from_str(&text).unwrap();
        let mut collected = ResultCollector::new(1000);
        again.replay_rows(&mut collected).unwrap();
        assert_eq!(again.rows[0].iter().map(restore_cell).collect::<Vec<_>>(), cells);
        assert_eq!(collected.into_result(), again);
    }

    #[test]
    fn a_result_that_is_too_large_is_not_kept() {
        let mut collector = ResultCollector::new(100);
        collector.take_row(&[Cell::Text("x".repeat(50))]).unwrap();
        assert!(collector.take_row(&[Cell::Text("x".repeat(50))]).is_err());
    }
}
