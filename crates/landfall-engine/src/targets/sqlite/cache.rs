//! How much a connection caches: less while rows are long, which take their memory on the way to the file.

use std::cell::Cell;

use arrow_array::RecordBatch;
use rusqlite::Connection;

/// Bytes of a batch beyond which its rows are long.
const LONG: usize = 4 << 20;

/// KiB of pages that are kept while rows are long.
const BESIDE_LONG_ROWS: i64 = 8192;

/// What the size of the cache is usually, as `PRAGMA cache_size` has it, where it is another now.
#[derive(Debug, Default)]
pub(super) struct CacheSize {
    usual: Cell<Option<i64>>,
}

impl CacheSize {
    /// Brings the cache of `connection` to the size that goes with `rows`.
    pub(super) fn fit_to_rows(&self, connection: &Connection, rows: &RecordBatch) -> rusqlite::Result<()> {
        let is_long = rows.get_array_memory_size() > LONG;
        match self.usual.get() {
            None if is_long => {
                let usual = connection.pragma_query_value(None, "cache_size", |row| row.get(0))?;
                connection.pragma_update(None, "cache_size", -BESIDE_LONG_ROWS)?;
                self.usual.set(Some(usual));
            }
            Some(usual) if !is_long => {
                connection.pragma_update(None, "cache_size", usual)?;
                self.usual.set(None);
            }
            _ => {}
        }
        Ok(())
    }
}
