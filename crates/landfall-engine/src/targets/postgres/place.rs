//! Where a table is, and how rows may be written to it.

use std::sync::Arc;

use super::{
    Postgres,
    building::{self, Heap, Lock},
    catalog::{self, Found, Standing},
    connection::Connection,
    ddl::Place,
    dialect::PostgresDialect,
    failure::{Context as _, Failure, Outcome},
    reading,
};
use crate::{
    error::{Error, Result, TargetError, TargetErrorKind},
    targets::Table,
};

/// The SQLSTATE for a table that does not exist.
const UNDEFINED_TABLE: &str = "42P01";

/// Where a table is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seat {
    pub(super) place: Place,
    /// The heap, where the table is being built aside.
    pub(super) heap: Option<Heap>,
    /// Whether it has no keys yet, so that its rows cannot be looked for.
    pub(super) is_bare: bool,
    /// Whether rows set off triggers that must run.
    pub(super) has_triggers: bool,
    /// Whether the role may lock its rows.
    pub(super) may_lock: bool,
}

impl Seat {
    /// A table that is there, whole.
    pub(super) fn whole(place: Place, has_triggers: bool, may_lock: bool) -> Self {
        Self { place, heap: None, is_bare: false, has_triggers, may_lock }
    }

    /// A table that is made anew within a transaction, and takes the place of the old one at its end.
    pub(super) fn anew(place: Place) -> Self {
        Self { place, heap: None, is_bare: true, has_triggers: false, may_lock: false }
    }

    /// A table that is being built.
    pub(super) fn heap(place: Place, heap: Heap) -> Self {
        Self { place, heap: Some(heap), is_bare: true, has_triggers: false, may_lock: false }
    }

    /// The error for a failure to read `table` here. A heap that is gone has become the table, by another process.
    pub(super) fn told(&self, failure: Failure, table: &Table) -> Error {
        if self.heap.is_none() || failure.code() != Some(UNDEFINED_TABLE) {
            return failure.told(&reading(table));
        }
        let message = format!("another process has finished the table {:?} meanwhile", &*table.name);
        TargetError::new(TargetErrorKind::Again, message).into()
    }
}

/// Refuses a table of which the role may not see every row: what is counted, looked for or backed up would not be whole.
pub(super) fn refuse_filtered(table: &Table, standing: &Standing) -> Result<()> {
    if !standing.is_filtered {
        return Ok(());
    }
    let message = format!(
        "row-level security keeps rows of the table {:?} from the target's user; use its owner, or a user with BYPASSRLS",
        &*table.name
    );
    Err(TargetError::new(TargetErrorKind::Denied, message).into())
}

impl Postgres {
    /// Forgets where tables are: another process may have moved them.
    pub(super) fn forget(&self) {
        self.seats.borrow_mut().clear();
        self.recent.borrow_mut().clear();
    }

    /// Where `table` belongs.
    pub(super) fn place(&self, table: &str) -> Place {
        Place::new(&self.session.settings.schema, table)
    }

    /// Where `table` is: whole, or being built by this process. None where it is not.
    pub(super) fn seat(&self, table: &Table) -> Result<Option<Arc<Seat>>> {
        self.seat_by(table, |find| self.reading(|connection| find(connection)))
    }

    /// The same; where it is not known, it is looked for on the connection that `ask` gives.
    pub(super) fn seat_by(
        &self,
        table: &Table,
        ask: impl FnOnce(&dyn Fn(&mut Connection) -> Result<Option<Seat>>) -> Result<Option<Seat>>,
    ) -> Result<Option<Arc<Seat>>> {
        if let Some(seat) = self.seats.borrow().get(&table.name) {
            return Ok(Some(seat.clone()));
        }
        let found = ask(&|connection| self.find_seat(connection, table))?;
        Ok(found.map(|seat| self.note(table, seat)))
    }

    pub(super) fn find_seat(&self, connection: &mut Connection, table: &Table) -> Result<Option<Seat>> {
        let doing = || format!("cannot look for the table {:?}", &*table.name);
        let place = self.place(&table.name);
        if let Found::Table(standing) = catalog::read(connection, &place).context(doing)? {
            refuse_filtered(table, &standing)?;
            let dialect = PostgresDialect { tables: std::slice::from_ref(table), schema: &place.schema };
            let has_triggers = dialect.must_check(table, &standing);
            return Ok(Some(Seat::whole(place, has_triggers, standing.may_lock)));
        }
        if !self.has_own.get() {
            return Ok(None);
        }
        // What another process builds is not there yet.
        let heap = building::find(&self.session, connection, &table.name, Lock::None).context(doing)?;
        let own = heap.filter(|heap| heap.is_of(&self.owner));
        Ok(own.map(|heap| Seat::heap(heap.place(&self.session), heap)))
    }

    /// Whether `table` is being built, by whomever.
    pub(super) fn is_building(&self, connection: &mut Connection, table: &Table) -> Result<bool> {
        let doing = || format!("cannot look for the table {:?}", &*table.name);
        Ok(self.has_own.get()
            && building::find(&self.session, connection, &table.name, Lock::None).context(doing)?.is_some())
    }

    pub(super) fn note(&self, table: &Table, seat: Seat) -> Arc<Seat> {
        let seat = Arc::new(seat);
        self.seats.borrow_mut().insert(table.name.clone(), seat.clone());
        seat
    }

    /// Reads `table`, which is at `seat`. Where that fails, it is looked for anew the next time.
    pub(super) fn read_table<R>(
        &self,
        table: &Table,
        seat: &Seat,
        work: impl FnOnce(&mut Connection) -> Outcome<R>,
    ) -> Result<R> {
        let outcome = self.reading(|connection| work(connection).map_err(|failure| seat.told(failure, table)));
        if outcome.is_err() {
            self.forget();
        }
        outcome
    }
}
