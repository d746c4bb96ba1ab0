//! All tables as they were at one moment: a consistent read of InnoDB.

use super::{Mysql, connection::Connection, failure::Context as _, rows};
use crate::{
    error::Result,
    targets::{
        Snapshot, Table,
        batch::{EachBatch, Foreign},
    },
    timestamp,
};

/// A transaction that only reads, and sees what was committed when it began.
struct MysqlSnapshot<'t> {
    target: &'t Mysql,
    connection: Option<Connection>,
    moment: String,
}

pub(super) fn begin(target: &Mysql, mut connection: Connection) -> Result<Box<dyn Snapshot + '_>> {
    let doing = || format!("cannot read {}", target.settings);
    // The level is that of the next transaction alone.
    connection.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").context(doing)?;
    connection.run("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY").context(doing)?;
    let moment = format!("InnoDB, consistent snapshot of {}", timestamp::now_utc());
    Ok(Box::new(MysqlSnapshot { target, connection: Some(connection), moment }))
}

impl Snapshot for MysqlSnapshot<'_> {
    fn moment(&self) -> String {
        self.moment.clone()
    }

    fn has_table(&mut self, table: &Table) -> Result<bool> {
        self.with(|connection| rows::has_table(connection, &table.name))
    }

    fn row_count(&mut self, table: &Table) -> Result<u64> {
        self.with(|connection| rows::row_count(connection, table, u64::MAX))
    }

    fn rows(&mut self, table: &Table, positions: &[usize], visit: EachBatch<'_>) -> Result<()> {
        self.with(|connection| rows::scan(connection, table, (positions, Foreign::Refused), visit))
    }
}

impl MysqlSnapshot<'_> {
    fn with<R>(&mut self, work: impl FnOnce(&mut Connection) -> Result<R>) -> Result<R> {
        match &mut self.connection {
            Some(connection) => work(connection),
            None => Err(super::mismatch("the snapshot has ended")),
        }
    }
}

impl Drop for MysqlSnapshot<'_> {
    fn drop(&mut self) {
        if let Some(mut connection) = self.connection.take()
            && connection.run("ROLLBACK").is_ok()
        {
            self.target.give_back(Some(connection));
        }
    }
}
