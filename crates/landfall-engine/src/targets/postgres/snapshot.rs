//! All tables as they were at one moment: a transaction that only reads, in REPEATABLE READ.

use super::{
    Postgres,
    connection::{Connection, Format},
    failure::Context as _,
    parameters::Parameters,
    reading, rows,
};
use crate::{
    error::Result,
    targets::{
        Snapshot, Table,
        batch::{EachBatch, Foreign},
    },
};

struct PostgresSnapshot<'t> {
    target: &'t Postgres,
    connection: Option<Connection>,
    moment: String,
}

/// The snapshot of a transaction that has just begun.
pub(super) fn of(target: &Postgres, mut connection: Connection) -> Result<Box<dyn Snapshot + '_>> {
    let mut name = String::new();
    // The first statement fixes the moment.
    let asked = connection.query(
        "SELECT txid_current_snapshot()::text",
        &Parameters::default(),
        Format::Text,
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
    fn connection(&mut self) -> Result<&mut Connection> {
        self.connection.as_mut().ok_or_else(|| super::mismatch("the snapshot has ended"))
    }
}

impl Snapshot for PostgresSnapshot<'_> {
    fn moment(&self) -> String {
        self.moment.clone()
    }

    fn has_table(&mut self, table: &Table) -> Result<bool> {
        let target = self.target;
        let seat = target.find_seat(self.connection()?, table)?;
        Ok(seat.is_some_and(|seat| seat.heap.is_none()))
    }

    fn row_count(&mut self, table: &Table) -> Result<u64> {
        let place = self.target.place(&table.name);
        rows::count(self.connection()?, &place, u64::MAX).context(|| reading(table))
    }

    fn rows(&mut self, table: &Table, positions: &[usize], visit: EachBatch<'_>) -> Result<()> {
        let place = self.target.place(&table.name);
        let read = rows::scan(self.connection()?, table, &place, (positions, Foreign::Refused), visit);
        read.context(|| reading(table))
    }
}

impl Drop for PostgresSnapshot<'_> {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        connection.roll_back();
        self.target.keep(Some(connection));
    }
}
