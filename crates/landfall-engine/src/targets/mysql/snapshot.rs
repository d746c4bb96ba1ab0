//! All tables as they were at one moment: a consistent read of InnoDB.

use landfall_core::schema::FieldIndex;

use super::{Mysql, connection::MysqlConnection, failure::MysqlContext as _, rows};
use crate::{
    error::Result,
    targets::{
        Snapshot, Table,
        batch::{OnForeignValue, VisitBatch},
    },
    timestamp,
};

/// A transaction that only reads, and sees what was committed when it began.
struct MysqlSnapshot<'t> {
    target: &'t Mysql,
    connection: Option<MysqlConnection>,
    moment: String,
}

pub(super) fn begin_snapshot(target: &Mysql, mut connection: MysqlConnection) -> Result<Box<dyn Snapshot + '_>> {
    let doing = || format!("cannot read {}", target.settings);
    // The level is that of the next transaction alone.
    connection.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").context(doing)?;
    connection.run("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY").context(doing)?;
    let moment = format!("InnoDB, consistent snapshot of {}", timestamp::now_utc());
    Ok(Box::new(MysqlSnapshot { target, connection: Some(connection), moment }))
}

impl Snapshot for MysqlSnapshot<'_> {
    fn describe_moment(&self) -> String {
        self.moment.clone()
    }

    fn has_table(&mut self, table: &Table) -> Result<bool> {
        self.with(|connection| rows::has_table(connection, &table.name))
    }

    fn row_count(&mut self, table: &Table) -> Result<u64> {
        self.with(|connection| rows::row_count(connection, table, u64::MAX))
    }

    fn visit_rows(&mut self, table: &Table, positions: &[FieldIndex], visit: VisitBatch<'_>) -> Result<()> {
        self.with(|connection| rows::scan_rows(connection, table, positions, OnForeignValue::Refused, visit))
    }
}

impl MysqlSnapshot<'_> {
    fn with<R>(&mut self, work: impl FnOnce(&mut MysqlConnection) -> Result<R>) -> Result<R> {
        match &mut self.connection {
            Some(connection) => work(connection),
            None => Err(super::mismatch_error("the snapshot has ended")),
        }
    }
}

impl Drop for MysqlSnapshot<'_> {
    fn drop(&mut self) {
        if let Some(mut connection) = self.connection.take()
            && connection.run("ROLLBACK").is_ok()
        {
            self.target.return_connection(Some(connection));
        }
    }
}
