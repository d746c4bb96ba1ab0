//! A write transaction. In step, each of its calls is answered before it returns; ahead, its rows and its commit may be
//! under way while the pipeline goes on.
//!
//! While rows are being sent, its connection can be asked nothing. So a row is looked for among those under way, which are
//! kept until they are committed, and then by another connection. What cannot be answered so ends the stream, waits for the
//! chunks before, and goes on in step.

use std::{cell::RefCell, collections::HashMap, ops::Range, sync::Arc};

use arrow_array::RecordBatch;
use landfall_core::keys::{KeyColumns, RowKey, Scalar, scalars_of_row};

use super::{
    Mysql, Pace, RefusedRow, Table,
    connection::Connection,
    lane::{Closing, Flight, Stream},
    load_data::Rows,
    refusals, rows,
    server::Server,
    work::Work,
};
use crate::{
    error::Result,
    ledger::{LoadEntry, LoadId},
    quarantine::NewReject,
};

/// Bytes of rejects that wait for their chunk's end; beyond, they are written at once.
const REJECT_BYTES: u64 = 16 << 20;

/// Rows under way, with their table.
pub(super) type UnderWay = Vec<(Arc<str>, Rows)>;

/// A write transaction.
pub(super) struct Writing<'t> {
    target: &'t Mysql,
    state: RefCell<State>,
}

/// How far it has come.
enum State {
    /// Nothing was sent yet.
    Begun(Box<Work>),
    /// Rows are being sent.
    Streaming { stream: Stream, closings: Vec<Closing>, under_way: UnderWay },
    /// Nothing is sent, and what ends it is known in part.
    Closing { work: Box<Work>, closings: Vec<Closing> },
    /// All before it is committed, and each step is answered.
    InStep(Box<Work>),
    /// It has ended.
    Gone,
}

impl<'t> Writing<'t> {
    pub(super) fn new(target: &'t Mysql, work: Work, pace: Pace) -> Self {
        let work = Box::new(work);
        let state = match pace {
            Pace::Ahead => State::Begun(work),
            Pace::InStep => State::InStep(work),
        };
        Self { target, state: RefCell::new(state) }
    }

    pub(super) const fn target(&self) -> &'t Mysql {
        self.target
    }

    pub(super) const fn server(&self) -> &Server {
        &self.target.server
    }

    /// Runs `ask` on the transaction's own connection, once nothing is under way.
    pub(super) fn in_step<R>(&self, ask: impl FnOnce(&mut Work) -> Result<R>) -> Result<R> {
        let mut state = self.state.borrow_mut();
        if !matches!(*state, State::InStep(_)) {
            let (mut work, outcome, closings) = settled(state.take());
            *state = State::Gone;
            let outcome = outcome.and_then(|()| self.target.land_all());
            let outcome = outcome.and_then(|()| closings.into_iter().try_for_each(|closing| closing.run(&mut work)));
            *state = State::InStep(work);
            outcome?;
        }
        let State::InStep(work) = &mut *state else { unreachable!("it was just put there") };
        ask(work)
    }

    /// Runs `ask` on the transaction's own connection where that is free, else on another.
    pub(super) fn beside<R>(&self, ask: impl FnOnce(&mut Connection) -> Result<R>) -> Result<R> {
        match &mut *self.state.borrow_mut() {
            State::InStep(work) => ask(&mut work.connection),
            _ => self.target.with(ask),
        }
    }

    pub(super) fn enter(&self, entry: &LoadEntry) -> Result<LoadId> {
        if let State::Begun(work) = &mut *self.state.borrow_mut() {
            return work.add_load(entry);
        }
        self.in_step(|work| work.add_load(entry))
    }

    pub(super) fn send(
        &self,
        table: &Table,
        batch: &RecordBatch,
        selected: &[Range<usize>],
    ) -> Result<Vec<RefusedRow>> {
        if selected.iter().all(Range::is_empty) {
            return Ok(Vec::new());
        }
        if self.is_watched(table)? {
            return self.in_step(|work| refusals::insert(work, table, batch, selected));
        }
        self.begin_stream(table);
        if let State::Streaming { stream, under_way, .. } = &mut *self.state.borrow_mut()
            && *stream.table.name == *table.name
        {
            let rows = Rows { batch: batch.clone(), selected: selected.to_vec() };
            under_way.push((table.name.clone(), rows.clone()));
            // Where the thread has given up, what ends the transaction tells why.
            stream.send(rows);
            return Ok(Vec::new());
        }
        self.in_step(|work| refusals::insert(work, table, batch, selected))
    }

    /// Whether rows of `table` must be read back. While rows are being sent that is known of theirs.
    fn is_watched(&self, table: &Table) -> Result<bool> {
        match &mut *self.state.borrow_mut() {
            State::Begun(work) | State::Closing { work, .. } | State::InStep(work) => work.is_watched(table),
            State::Streaming { .. } | State::Gone => Ok(false),
        }
    }

    fn begin_stream(&self, table: &Table) {
        let mut state = self.state.borrow_mut();
        *state = match state.take() {
            State::Begun(work) => begun(*work, table, Vec::new()),
            State::Closing { work, closings } => begun(*work, table, closings),
            other => other,
        };
    }

    /// Rows are looked for among those under way, and then by another connection.
    pub(super) fn look_for(
        &self,
        table: &Table,
        positions: &[usize],
        values: &[Vec<Scalar>],
    ) -> Result<Vec<Option<Vec<Scalar>>>> {
        let mut found = match &mut *self.state.borrow_mut() {
            State::InStep(work) => return rows::find_all(&mut work.connection, table, positions, values),
            State::Streaming { under_way, .. } => self.target.under_way(under_way, table, positions, values),
            _ => self.target.under_way(&Vec::new(), table, positions, values),
        };
        let open: Vec<usize> = (0..values.len()).filter(|&at| found[at].is_none()).collect();
        let wanted: Vec<Vec<Scalar>> = open.iter().map(|&at| values[at].clone()).collect();
        let answers = self.target.with(|connection| rows::find_all(connection, table, positions, &wanted))?;
        for (at, answer) in open.into_iter().zip(answers) {
            found[at] = answer;
        }
        Ok(found)
    }

    /// Puts off what can wait for the transaction's end.
    fn later(&self, closing: Closing) -> Result<()> {
        let mut state = self.state.borrow_mut();
        match &mut *state {
            State::InStep(work) => closing.run(work),
            State::Streaming { closings, .. } | State::Closing { closings, .. } => {
                closings.push(closing);
                Ok(())
            }
            State::Begun(_) => {
                if let State::Begun(work) = state.take() {
                    *state = State::Closing { work, closings: vec![closing] };
                }
                Ok(())
            }
            State::Gone => unreachable!("a transaction ends once"),
        }
    }

    pub(super) fn reject(&self, load: LoadId, table: &Table, rejects: &[NewReject]) -> Result<()> {
        if rejects.is_empty() {
            return Ok(());
        }
        self.later(Closing::Rejects { load, table: table.clone(), rejects: rejects.to_vec() })?;
        if self.waiting_bytes() > REJECT_BYTES { self.in_step(|_| Ok(())) } else { Ok(()) }
    }

    /// Bytes of rejects that wait for the transaction's end.
    fn waiting_bytes(&self) -> u64 {
        let state = self.state.borrow();
        let (State::Streaming { closings, .. } | State::Closing { closings, .. }) = &*state else { return 0 };
        let bytes = closings.iter().flat_map(|closing| match closing {
            Closing::Rejects { rejects, .. } => rejects.as_slice(),
            _ => &[],
        });
        bytes.map(|reject| reject.raw.len()).sum()
    }

    pub(super) fn hold(&self, parent: &Table, positions: &[usize], values: &[Vec<Scalar>]) -> Result<()> {
        self.later(Closing::Hold { parent: parent.clone(), positions: positions.to_vec(), values: values.to_vec() })
    }

    pub(super) fn save(&self, entry: &LoadEntry, was_at: u64) -> Result<()> {
        self.later(Closing::Save { entry: Box::new(entry.clone()), was_at })
    }

    /// Lets the transaction end by itself.
    pub(super) fn end(&self) -> Result<()> {
        let state = self.state.borrow_mut().take();
        let mut flights = self.target.flights.borrow_mut();
        let earlier = flights.back_mut().map(|(flight, _)| flight);
        let flight = match state {
            State::Begun(work) => (Flight::of(*work, Vec::new(), earlier), Vec::new()),
            State::Closing { work, closings } => (Flight::of(*work, closings, earlier), Vec::new()),
            State::Streaming { stream, closings, under_way } => (stream.end(closings, earlier), under_way),
            State::InStep(work) => return self.target.ended(work.commit()),
            State::Gone => unreachable!("a transaction ends once"),
        };
        flights.push_back(flight);
        Ok(())
    }
}

fn begun(work: Work, table: &Table, closings: Vec<Closing>) -> State {
    State::Streaming { stream: Stream::begin(work, table), closings, under_way: Vec::new() }
}

/// A transaction of which nothing is under way, what was wrong, and what was put off.
fn settled(state: State) -> (Box<Work>, Result<()>, Vec<Closing>) {
    match state {
        State::Begun(work) | State::InStep(work) => (work, Ok(()), Vec::new()),
        State::Closing { work, closings } => (work, Ok(()), closings),
        State::Streaming { stream, closings, .. } => {
            let (work, outcome) = stream.settle();
            (Box::new(work), outcome, closings)
        }
        State::Gone => unreachable!("a transaction ends once"),
    }
}

impl State {
    fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Gone)
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        let state = self.state.get_mut().take();
        if !matches!(state, State::Gone) {
            let (work, ..) = settled(state);
            self.target.give_back(work.roll_back());
        }
    }
}

/// The rows among `under_way` that have `row_values` in the fields at `positions`.
pub(super) fn find_under_way<'u>(
    under_way: impl Iterator<Item = &'u (Arc<str>, Rows)>,
    table: &Table,
    positions: &[usize],
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
