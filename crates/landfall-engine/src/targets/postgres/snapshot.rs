//! All tables as they were at one moment: a transaction that only reads, in REPEATABLE READ.

use landfall_core::schema::FieldIndex;

use super::{
    Postgres,
    connection::{PostgresConnection, ValueFormat},
    failure::PostgresContext as _,
    parameters::BoundParameters,
    read_description, rows,
};
use crate::{
    error::Result,
    targets::{
        Snapshot, Table,
        batch::{OnForeignValue, VisitBatch},
    },
};

struct PostgresSnapshot<'t> {
    target: &'t Postgres,
    connection: Option<PostgresConnection>,
    moment: String,
}

/// The snapshot of a transaction that has just begun.
pub(super) fn begin_snapshot(target: &Postgres, mut connection: PostgresConnection) -> Result<Box<dyn Snapshot + '_>> {
    let mut name = String::new();
    // The first statement fixes the moment.
    let asked = connection.run_query(
        "SELECT txid_current_snapshot()::text",
        &BoundParameters::default(),
        ValueFormat::Text,
        &mut |_, row| {
            name = String::from_utf8_lossy(row.first().copied().flatten().unwrap_or_default()).into_owned();
            Ok(())
        },
    );
    asked.context(|| format!("cannot read {}", target.session.settings))?;
    let moment = format!("PostgreSQL, snapshot {name}");
    Ok(Box::new(PostgresSnapshot { target, connection: Some(connection), moment }))
}

impl PostgresSnapshot<'_> {
    fn snapshot_connection(&mut self) -> Result<&mut PostgresConnection> {
        self.connection.as_mut().ok_or_else(|| super::mismatch_error("the snapshot has ended"))
    }
}

impl Snapshot for PostgresSnapshot<'_> {
    fn describe_moment(&self) -> String {
        self.moment.clone()
    }

    fn has_table(&mut self, table: &Table) -> Result<bool> {
        let target = self.target;
        let seat = target.find_seat(self.snapshot_connection()?, table)?;
        Ok(seat.is_some_and(|seat| seat.heap.is_none()))
    }

    fn row_count(&mut self, table: &Table) -> Result<u64> {
        let place = self.target.table_place(&table.name);
        rows::count_rows(self.snapshot_connection()?, &place, u64::MAX).context(|| read_description(table))
    }

    fn visit_rows(&mut self, table: &Table, positions: &[FieldIndex], visit: VisitBatch<'_>) -> Result<()> {
        let place = self.target.table_place(&table.name);
        let read =
            rows::scan_rows(self.snapshot_connection()?, table, &place, positions, OnForeignValue::Refused, visit);
        read.context(|| read_description(table))
    }
}

impl Drop for PostgresSnapshot<'_> {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        // A snapshot that stays open keeps the server from clearing away old rows.
        connection.roll_back();
        self.target.keep_connection(Some(connection));
    }
}
