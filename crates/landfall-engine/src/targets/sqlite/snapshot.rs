//! All tables as they were at one moment: a transaction that only reads, beside which others write to the log.

use landfall_core::schema::FieldIndex;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::{failure::SqliteContext as _, rows};
use crate::{
    error::Result,
    targets::{
        Snapshot, Table,
        batch::{OnForeignValue, VisitBatch},
    },
    timestamp,
};

struct SqliteSnapshot<'c> {
    transaction: Transaction<'c>,
    moment: String,
}

pub(super) fn begin_snapshot<'c>(connection: &'c mut Connection, location: &str) -> Result<Box<dyn Snapshot + 'c>> {
    let doing = || format!("cannot read the database {location}");
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Deferred).context(doing)?;
    // The first thing that is read fixes the moment.
    let version: i64 = transaction.query_row("PRAGMA schema_version", [], |row| row.get(0)).context(doing)?;
    transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).context(doing)?;
    let moment = format!("SQLite, read transaction of {}, schema version {version}", timestamp::now_utc());
    Ok(Box::new(SqliteSnapshot { transaction, moment }))
}

impl Snapshot for SqliteSnapshot<'_> {
    fn describe_moment(&self) -> String {
        self.moment.clone()
    }

    fn has_table(&mut self, table: &Table) -> Result<bool> {
        rows::has_table(&self.transaction, &table.name)
    }

    fn row_count(&mut self, table: &Table) -> Result<u64> {
        rows::row_count(&self.transaction, table, u64::MAX)
    }

    fn visit_rows(&mut self, table: &Table, positions: &[FieldIndex], visit: VisitBatch<'_>) -> Result<()> {
        rows::scan_rows(&self.transaction, table, positions, OnForeignValue::Refused, visit)
    }
}
