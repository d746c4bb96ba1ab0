//! A write transaction. In step, each of its calls is answered before it returns; ahead, its rows and its commit may be
//! under way while the pipeline goes on.
//!
//! While rows are being sent, its connection can be asked nothing. So a row is looked for among those under way, which are
//! kept until they are committed, and then by another connection. What cannot be answered so ends the stream, waits for the
//! chunks before, and goes on in step.

use std::{cell::RefCell, collections::HashMap, ops::Range, sync::Arc};

use arrow_array::RecordBatch;
use landfall_core::{
    keys::{KeyColumns, RowKey, Scalar, scalars_of_row},
    schema::FieldIndex,
};

use super::{
    Mysql, Pace, RefusedRow, Table, Transaction,
    connection::MysqlConnection,
    lane::{CommitFlight, LastStep, RowStream},
    load_data::RowsToSend,
    own_tables::MysqlOwnConnection,
    refusals, rows,
    server::MysqlServer,
    work::MysqlWork,
};
use crate::{
    error::Result,
    ledger::{LoadEntry, LoadId},
    quarantine::NewReject,
    targets::sql::{self, OwnTables, WritesOwnTables},
};

/// Bytes of rejects that wait for their chunk's end; beyond, they are written at once.
const REJECT_BYTES: u64 = 16 << 20;

/// Rows under way, with their table.
pub(super) type PendingRows = Vec<(Arc<str>, RowsToSend)>;

/// A write transaction.
pub(super) struct MysqlTransaction<'t> {
    target: &'t Mysql,
    state: RefCell<WriteState>,
}

/// How far it has come.
enum WriteState {
    /// Nothing was sent yet.
    Begun(Box<MysqlWork>),
    /// Rows are being sent.
    Streaming { stream: RowStream, closings: Vec<LastStep>, under_way: PendingRows },
    /// Nothing is sent, and what ends it is known in part.
    Closing { work: Box<MysqlWork>, closings: Vec<LastStep> },
    /// All before it is committed, and each step is answered.
    InStep(Box<MysqlWork>),
    /// It has ended.
    Gone,
}

impl<'t> MysqlTransaction<'t> {
    pub(super) fn new(target: &'t Mysql, work: MysqlWork, pace: Pace) -> Self {
        let work = Box::new(work);
        let state = match pace {
            Pace::Ahead => WriteState::Begun(work),
            Pace::InStep => WriteState::InStep(work),
        };
        Self { target, state: RefCell::new(state) }
    }

    pub(super) const fn target(&self) -> &'t Mysql {
        self.target
    }

    pub(super) const fn server(&self) -> &MysqlServer {
        &self.target.server
    }

    /// Runs `ask` on the transaction's own connection, once nothing is under way.
    pub(super) fn ask_in_step<R>(&self, ask: impl FnOnce(&mut MysqlWork) -> Result<R>) -> Result<R> {
        let mut state = self.state.borrow_mut();
        if !matches!(*state, WriteState::InStep(_)) {
            let (mut work, outcome, closings) = finish_sending(state.take_state());
            *state = WriteState::Gone;
            // The chunks before come first: what was put off here must stand behind theirs in the books.
            let outcome = outcome.and_then(|()| self.target.finish_all_commits());
            let outcome = outcome.and_then(|()| closings.into_iter().try_for_each(|closing| closing.run(&mut work)));
            // Kept also after an error, so that the transaction is rolled back on its own connection.
            *state = WriteState::InStep(work);
            outcome?;
        }
        let WriteState::InStep(work) = &mut *state else { unreachable!("it was just put there") };
        ask(work)
    }

    /// Runs `ask` on the transaction's own connection where that is free, else on another.
    pub(super) fn ask_beside<R>(&self, ask: impl FnOnce(&mut MysqlConnection) -> Result<R>) -> Result<R> {
        match &mut *self.state.borrow_mut() {
            WriteState::InStep(work) => ask(&mut work.connection),
            _ => self.target.with(ask),
        }
    }

    pub(super) fn enter_load(&self, entry: &LoadEntry) -> Result<LoadId> {
        if let WriteState::Begun(work) = &mut *self.state.borrow_mut() {
            return work.add_load(entry);
        }
        self.ask_in_step(|work| work.add_load(entry))
    }

    pub(super) fn send_rows(
        &self,
        table: &Table,
        batch: &RecordBatch,
        selected: &[Range<usize>],
    ) -> Result<Vec<RefusedRow>> {
        if selected.iter().all(Range::is_empty) {
            return Ok(Vec::new());
        }
        // A trigger may alter rows as they come, which shows only if each is read back.
        if self.is_watched(table)? {
            return self.ask_in_step(|work| refusals::insert(work, table, batch, selected));
        }
        self.begin_stream(table);
        if let WriteState::Streaming { stream, under_way, .. } = &mut *self.state.borrow_mut()
            && *stream.table.name == *table.name
        {
            let rows = RowsToSend { batch: batch.clone(), selected: selected.to_vec() };
            under_way.push((table.name.clone(), rows.clone()));
            // Where the thread has given up, what ends the transaction tells why.
            stream.send_rows(rows);
            return Ok(Vec::new());
        }
        self.ask_in_step(|work| refusals::insert(work, table, batch, selected))
    }

    /// Whether rows of `table` must be read back. While rows are being sent that is known of theirs.
    fn is_watched(&self, table: &Table) -> Result<bool> {
        match &mut *self.state.borrow_mut() {
            WriteState::Begun(work) | WriteState::Closing { work, .. } | WriteState::InStep(work) => {
                work.is_watched(table)
            }
            WriteState::Streaming { .. } | WriteState::Gone => Ok(false),
        }
    }

    fn begin_stream(&self, table: &Table) {
        let mut state = self.state.borrow_mut();
        *state = match state.take_state() {
            WriteState::Begun(work) => begin_sending(*work, table, Vec::new()),
            WriteState::Closing { work, closings } => begin_sending(*work, table, closings),
            other => other,
        };
    }

    /// Rows are looked for among those under way, and then by another connection.
    pub(super) fn look_for_rows(
        &self,
        table: &Table,
        positions: &[FieldIndex],
        values: &[Vec<Scalar>],
    ) -> Result<Vec<Option<Vec<Scalar>>>> {
        let mut found = match &mut *self.state.borrow_mut() {
            WriteState::InStep(work) => return rows::find_rows(&mut work.connection, table, positions, values),
            WriteState::Streaming { under_way, .. } => {
                self.target.find_pending_rows(under_way, table, positions, values)
            }
            _ => self.target.find_pending_rows(&Vec::new(), table, positions, values),
        };
        let open: Vec<usize> = (0..values.len()).filter(|&at| found[at].is_none()).collect();
        let wanted: Vec<Vec<Scalar>> = open.iter().map(|&at| values[at].clone()).collect();
        let answers = self.target.with(|connection| rows::find_rows(connection, table, positions, &wanted))?;
        for (at, answer) in open.into_iter().zip(answers) {
            found[at] = answer;
        }
        Ok(found)
    }

    /// Puts off what can wait for the transaction's end.
    fn put_off(&self, closing: LastStep) -> Result<()> {
        let mut state = self.state.borrow_mut();
        match &mut *state {
            WriteState::InStep(work) => closing.run(work),
            WriteState::Streaming { closings, .. } | WriteState::Closing { closings, .. } => {
                closings.push(closing);
                Ok(())
            }
            WriteState::Begun(_) => {
                if let WriteState::Begun(work) = state.take_state() {
                    *state = WriteState::Closing { work, closings: vec![closing] };
                }
                Ok(())
            }
            WriteState::Gone => unreachable!("a transaction ends once"),
        }
    }

    pub(super) fn store_rejects(&self, load: LoadId, table: &Table, rejects: &[NewReject]) -> Result<()> {
        if rejects.is_empty() {
            return Ok(());
        }
        self.put_off(LastStep::Rejects { load, table: table.clone(), rejects: rejects.to_vec() })?;
        // They are in memory until the chunk ends, and the bound of memory holds for every input.
        if self.waiting_bytes() > REJECT_BYTES { self.ask_in_step(|_| Ok(())) } else { Ok(()) }
    }

    /// Bytes of rejects that wait for the transaction's end.
    fn waiting_bytes(&self) -> u64 {
        let state = self.state.borrow();
        let (WriteState::Streaming { closings, .. } | WriteState::Closing { closings, .. }) = &*state else { return 0 };
        let bytes = closings.iter().flat_map(|closing| match closing {
            LastStep::Rejects { rejects, .. } => rejects.as_slice(),
            _ => &[],
        });
        bytes.map(|reject| reject.raw.len()).sum()
    }

    pub(super) fn lock_parents(&self, parent: &Table, positions: &[FieldIndex], values: &[Vec<Scalar>]) -> Result<()> {
        self.put_off(LastStep::Hold { parent: parent.clone(), positions: positions.to_vec(), values: values.to_vec() })
    }

    pub(super) fn put_off_save(&self, entry: &LoadEntry, was_at: u64) -> Result<()> {
        self.put_off(LastStep::Save { entry: Box::new(entry.clone()), was_at })
    }

    /// Lets the transaction end by itself.
    pub(super) fn end_later(&self) -> Result<()> {
        let state = self.state.borrow_mut().take_state();
        let mut flights = self.target.flights.borrow_mut();
        // Each chunk waits for the one before, so that they commit in their order.
        let earlier = flights.back_mut().map(|(flight, _)| flight);
        let flight = match state {
            WriteState::Begun(work) => (CommitFlight::without_rows(*work, Vec::new(), earlier), Vec::new()),
            WriteState::Closing { work, closings } => {
                (CommitFlight::without_rows(*work, closings, earlier), Vec::new())
            }
            WriteState::Streaming { stream, closings, under_way } => (stream.end_stream(closings, earlier), under_way),
            WriteState::InStep(work) => return self.target.note_end(work.commit_now()),
            WriteState::Gone => unreachable!("a transaction ends once"),
        };
        flights.push_back(flight);
        Ok(())
    }
}

fn begin_sending(work: MysqlWork, table: &Table, closings: Vec<LastStep>) -> WriteState {
    WriteState::Streaming { stream: RowStream::begin_stream(work, table), closings, under_way: Vec::new() }
}

/// A transaction of which nothing is under way, what was wrong, and what was put off.
fn finish_sending(state: WriteState) -> (Box<MysqlWork>, Result<()>, Vec<LastStep>) {
    match state {
        WriteState::Begun(work) | WriteState::InStep(work) => (work, Ok(()), Vec::new()),
        WriteState::Closing { work, closings } => (work, Ok(()), closings),
        WriteState::Streaming { stream, closings, .. } => {
            let (work, outcome) = stream.finish_stream();
            (Box::new(work), outcome, closings)
        }
        WriteState::Gone => unreachable!("a transaction ends once"),
    }
}

impl WriteState {
    fn take_state(&mut self) -> Self {
        std::mem::replace(self, Self::Gone)
    }
}

impl OwnTables for MysqlTransaction<'_> {
    fn with_own_tables<R>(&self, work: impl FnOnce(&dyn sql::SqlConnection) -> Result<R>) -> Result<R> {
        self.ask_in_step(|lane| work(&MysqlOwnConnection::new(&mut lane.connection)))
    }
}

impl WritesOwnTables for MysqlTransaction<'_> {}

impl Transaction for MysqlTransaction<'_> {
    fn insert_rows(&mut self, table: &Table, rows: &RecordBatch, selected: &[Range<usize>]) -> Result<Vec<RefusedRow>> {
        self.send_rows(table, rows, selected)
    }

    fn update_rows(
        &mut self,
        table: &Table,
        rows: &RecordBatch,
        selected: &[usize],
        fields: &[FieldIndex],
    ) -> Result<Vec<RefusedRow>> {
        self.ask_in_step(|work| refusals::update_rows(work, table, rows, selected, fields))
    }

    fn hold_parents(
        &mut self,
        _child: &Table,
        parent: &Table,
        positions: &[FieldIndex],
        values: &[Vec<Scalar>],
    ) -> Result<()> {
        self.lock_parents(parent, positions, values)
    }

    fn delete_rows(&mut self, table: &Table) -> Result<u64> {
        self.ask_in_step(|work| work.delete_rows(table))
    }

    fn find_orphans(&self, tables: &[&Table], sound: &[&Table]) -> Result<Vec<String>> {
        self.ask_in_step(|work| rows::find_orphans(&mut work.connection, tables, sound))
    }

    fn add_load(&mut self, entry: &LoadEntry) -> Result<LoadId> {
        self.enter_load(entry)
    }

    fn save_load(&mut self, entry: &LoadEntry, was_at: u64) -> Result<()> {
        self.put_off_save(entry, was_at)
    }

    fn add_rejects(&mut self, load: LoadId, table: &Table, rejects: &[NewReject]) -> Result<()> {
        self.store_rejects(load, table, rejects)
    }

    fn commit_now(self: Box<Self>) -> Result<()> {
        self.end_later()?;
        self.target().finish_all_commits()
    }

    fn commit_later(self: Box<Self>) -> Result<()> {
        self.end_later()
    }
}

impl Drop for MysqlTransaction<'_> {
    fn drop(&mut self) {
        let state = self.state.get_mut().take_state();
        if !matches!(state, WriteState::Gone) {
            let (work, ..) = finish_sending(state);
            self.target.return_connection(work.roll_back());
        }
    }
}

/// The rows among `under_way` that have `row_values` in the fields at `positions`.
pub(super) fn find_under_way<'u>(
    under_way: impl Iterator<Item = &'u (Arc<str>, RowsToSend)>,
    table: &Table,
    positions: &[FieldIndex],
    values: &[Vec<Scalar>],
) -> Vec<Option<Vec<Scalar>>> {
    let mut found = vec![None; values.len()];
    let mut wanted: HashMap<u64, Vec<usize>> = HashMap::new();
    for (at, values) in values.iter().enumerate() {
        if let Some(mark) = mark(RowKey::from_values(values)) {
            wanted.entry(mark).or_default().push(at);
        }
    }
    if wanted.is_empty() {
        return found;
    }
    for (_, rows) in under_way.filter(|(name, _)| **name == *table.name) {
        let columns = KeyColumns::new(&rows.batch, positions);
        for row in rows.selected.iter().cloned().flatten() {
            // The mark is quick and may be the same for two keys, so that the values are compared too.
            let Some(places) = mark(columns.row_key(row)).and_then(|mark| wanted.get(&mark)) else { continue };
            let key = columns.row_values(row);
            for &at in places.iter().filter(|&&at| values[at] == key) {
                found[at] = Some(scalars_of_row(&rows.batch, row).into_iter().map(|value| value.to_owned()).collect());
            }
        }
    }
    found
}

/// A number by which keys are told apart quickly.
const fn mark(key: RowKey) -> Option<u64> {
    match key {
        RowKey::Null => None,
        RowKey::Integer(value) => Some(value.cast_unsigned()),
        RowKey::Hash(hash) => Some(hash),
    }
}
