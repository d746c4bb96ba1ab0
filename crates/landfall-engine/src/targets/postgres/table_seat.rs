//! Where a table is, and how rows may be written to it.

use std::sync::Arc;

use super::{
    Postgres,
    catalog::{self, ExistingRelation, PlacedObject},
    connection::PostgresConnection,
    ddl::RelationPlace,
    dialect::PostgresDialect,
    failure::{PostgresContext as _, PostgresFailure, PostgresResult},
    read_description,
    staging_heap::{self, HeapLock, StagingHeap},
};
use crate::{
    error::{Error, Result, TargetError, TargetErrorKind},
    targets::Table,
};

/// The SQLSTATE for a table that does not exist.
const UNDEFINED_TABLE: &str = "42P01";

/// Where a table is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TableSeat {
    pub(super) place: RelationPlace,
    /// The heap, where the table is being built aside.
    pub(super) heap: Option<StagingHeap>,
    /// Whether it has no keys yet, so that its rows cannot be looked for.
    pub(super) is_bare: bool,
    /// Whether rows set off triggers that must run.
    pub(super) has_triggers: bool,
    /// Whether the role may lock its rows.
    pub(super) may_lock: bool,
}

impl TableSeat {
    /// A table that is there, whole.
    pub(super) fn whole_table(place: RelationPlace, has_triggers: bool, may_lock: bool) -> Self {
        Self { place, heap: None, is_bare: false, has_triggers, may_lock }
    }

    /// A table that is made anew within a transaction, and takes the place of the old one at its end.
    pub(super) fn replacement_table(place: RelationPlace) -> Self {
        Self { place, heap: None, is_bare: true, has_triggers: false, may_lock: false }
    }

    /// A table that is being built.
    pub(super) fn staged_table(place: RelationPlace, heap: StagingHeap) -> Self {
        Self { place, heap: Some(heap), is_bare: true, has_triggers: false, may_lock: false }
    }

    /// The error for a failure to read `table` here. A heap that is gone has become the table, by another process.
    pub(super) fn to_read_error(&self, failure: PostgresFailure, table: &Table) -> Error {
        if self.heap.is_none() || failure.sql_state() != Some(UNDEFINED_TABLE) {
            return failure.into_error(&read_description(table));
        }
        let message = format!("another process has finished the table {:?} meanwhile", &*table.name);
        TargetError::new(TargetErrorKind::Again, message).into()
    }
}

/// Refuses a table of which the role may not see every row: what is counted, looked for or backed up would not be whole.
pub(super) fn refuse_filtered(table: &Table, standing: &ExistingRelation) -> Result<()> {
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
    pub(super) fn forget_seats(&self) {
        self.seats.borrow_mut().clear();
        self.recent.borrow_mut().clear();
    }

    /// Where `table` belongs.
    pub(super) fn table_place(&self, table: &str) -> RelationPlace {
        RelationPlace::new(&self.session.settings.schema, table)
    }

    /// Where `table` is: whole, or being built by this process. None where it is not.
    pub(super) fn table_seat(&self, table: &Table) -> Result<Option<Arc<TableSeat>>> {
        self.table_seat_by(table, |find| self.read_in_transaction(|connection| find(connection)))
    }

    /// The same; where it is not known, it is looked for on the connection that `ask` gives.
    pub(super) fn table_seat_by(
        &self,
        table: &Table,
        ask: impl FnOnce(&dyn Fn(&mut PostgresConnection) -> Result<Option<TableSeat>>) -> Result<Option<TableSeat>>,
    ) -> Result<Option<Arc<TableSeat>>> {
        if let Some(seat) = self.seats.borrow().get(&table.name) {
            return Ok(Some(seat.clone()));
        }
        let found = ask(&|connection| self.find_seat(connection, table))?;
        Ok(found.map(|seat| self.note_seat(table, seat)))
    }

    pub(super) fn find_seat(&self, connection: &mut PostgresConnection, table: &Table) -> Result<Option<TableSeat>> {
        let doing = || format!("cannot look for the table {:?}", &*table.name);
        let place = self.table_place(&table.name);
        if let PlacedObject::Table(standing) = catalog::read(connection, &place).context(doing)? {
            refuse_filtered(table, &standing)?;
            let dialect = PostgresDialect { tables: std::slice::from_ref(table), schema: &place.schema };
            let has_triggers = dialect.needs_server_check(table, &standing);
            return Ok(Some(TableSeat::whole_table(place, has_triggers, standing.may_lock)));
        }
        // Without Landfall's own tables there is none that says what is being built.
        if !self.has_own.get() {
            return Ok(None);
        }
        // What another process builds is not there yet.
        let heap = staging_heap::find(&self.session, connection, &table.name, HeapLock::None).context(doing)?;
        let own = heap.filter(|heap| heap.is_owned_by(&self.owner));
        Ok(own.map(|heap| TableSeat::staged_table(heap.heap_place(&self.session), heap)))
    }

    /// Whether `table` is being built, by whomever.
    pub(super) fn is_building(&self, connection: &mut PostgresConnection, table: &Table) -> Result<bool> {
        let doing = || format!("cannot look for the table {:?}", &*table.name);
        Ok(self.has_own.get()
            && staging_heap::find(&self.session, connection, &table.name, HeapLock::None).context(doing)?.is_some())
    }

    pub(super) fn note_seat(&self, table: &Table, seat: TableSeat) -> Arc<TableSeat> {
        let seat = Arc::new(seat);
        self.seats.borrow_mut().insert(table.name.clone(), seat.clone());
        seat
    }

    /// Reads `table`, which is at `seat`. Where that fails, it is looked for anew the next time.
    pub(super) fn read_table<R>(
        &self,
        table: &Table,
        seat: &TableSeat,
        work: impl FnOnce(&mut PostgresConnection) -> PostgresResult<R>,
    ) -> Result<R> {
        let outcome = self
            .read_in_transaction(|connection| work(connection).map_err(|failure| seat.to_read_error(failure, table)));
        // The table may have been finished, moved or replaced by another process.
        if outcome.is_err() {
            self.forget_seats();
        }
        outcome
    }
}
