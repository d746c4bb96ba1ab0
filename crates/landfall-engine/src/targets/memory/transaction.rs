//! A write transaction: a copy of the database that takes its place when it commits.

use std::{collections::HashSet, ops::Range, sync::Arc, time::Duration};

use arrow_array::RecordBatch;
use jiff::Timestamp;
use landfall_core::{
    keys::{Scalar, ScalarRef, scalars_of_row},
    reject::CellError,
};
use serde_json::Value;

use super::{
    Fence, Interference, Pace, RefusedRow, Table, Transaction,
    database::{Handle, Shared, UnderWay},
    rows::Row,
    state::State,
};
use crate::{
    document::{Document, NewDocument},
    error::{Error, Result, TargetError, TargetErrorKind},
    job::{JobClaim, JobEnd, JobEntry, NewJob},
    ledger::{LoadEntry, LoadId},
    quarantine::{ClosingRule, NewReject, RejectId},
    targets::{WriteBooks, WriteJobs, parent_gone},
    timestamp,
};

/// A write transaction of an in-memory database.
pub(super) struct MemoryTransaction {
    pub(super) shared: Arc<Shared>,
    pub(super) owner: Handle,
    pub(super) pace: Pace,
    pub(super) fence: Fence,
    pub(super) remote: bool,
    /// The tables that the handle is building.
    pub(super) building: HashSet<Arc<str>>,
    pub(super) before: State,
    pub(super) state: State,
    /// What stands against the commit: with [`Pace::Ahead`] it is told then.
    pub(super) failure: Option<TargetError>,
    pub(super) meanwhile: Vec<Interference>,
}

impl Drop for MemoryTransaction {
    fn drop(&mut self) {
        let mut database = self.shared.lock();
        self.meanwhile.iter().for_each(|deed| database.committed.apply(deed));
        drop(database);
        self.shared.end();
    }
}

impl MemoryTransaction {
    /// Notes or tells that `table` has something against row `row`.
    fn refuse(&mut self, refused: &mut Vec<RefusedRow>, row: usize, message: String) {
        match self.pace {
            Pace::InStep => refused.push(RefusedRow { row, message }),
            Pace::Ahead => self.fail(TargetErrorKind::Again, message),
        }
    }

    fn fail(&mut self, kind: TargetErrorKind, message: String) {
        self.failure.get_or_insert(TargetError::new(kind, message));
    }

    /// Lets another program act, where `meant` picks its deed. In step it is seen at once; ahead it is noticed when the
    /// transaction commits.
    fn disturb(&mut self, meant: impl Fn(&Self, &Interference) -> bool) {
        let shared = self.shared.clone();
        let mut database = shared.lock();
        let deeds = database.deeds(|deed| meant(self, deed));
        for deed in deeds {
            if self.pace == Pace::InStep {
                [&mut database.committed, &mut self.before, &mut self.state]
                    .into_iter()
                    .for_each(|state| state.apply(&deed));
            } else {
                self.fail(TargetErrorKind::Again, "another program was there first".into());
                self.meanwhile.push(deed);
            }
        }
    }

    fn entry(&self, load: LoadId) -> Result<&LoadEntry> {
        let found = self.state.loads.iter().find(|entry| entry.id == load);
        found.ok_or_else(|| TargetError::new(TargetErrorKind::Statement, format!("there is no load {load}")).into())
    }

    /// What is to be committed, and what stands against it.
    fn checked(&mut self) -> UnderWay {
        let violation = self.state.violation(&self.before, self.fence == Fence::Database);
        let kind = |error: TargetError| match self.pace {
            Pace::Ahead => TargetError::new(TargetErrorKind::Again, error.message),
            Pace::InStep => error,
        };
        UnderWay {
            owner: self.owner,
            state: std::mem::take(&mut self.state),
            failure: self.failure.take().or(violation.map(kind)),
            meanwhile: std::mem::take(&mut self.meanwhile),
        }
    }
}

fn owned(rows: &RecordBatch, row: usize) -> Row {
    scalars_of_row(rows, row).into_iter().map(ScalarRef::to_owned).collect()
}

/// Writes how far a load has come into what the ledger has of it.
fn go_on(held: &mut LoadEntry, entry: &LoadEntry) {
    let LoadEntry { table, source, origin, mode, on_conflict, record_bytes, rules, layout, started_at, .. } =
        std::mem::replace(held, entry.clone());
    *held = LoadEntry {
        table,
        source,
        origin,
        mode,
        on_conflict,
        record_bytes,
        rules,
        layout,
        started_at,
        ..entry.clone()
    };
}

impl WriteBooks for MemoryTransaction {
    fn add_ended_loads(&mut self, entries: &[LoadEntry]) -> Result<Vec<LoadId>> {
        entries.iter().map(|entry| self.add_load(entry)).collect()
    }

    fn add_reject(&mut self, load: LoadId, table: &Table, reject: &NewReject) -> Result<RejectId> {
        let entry = self.entry(load)?.clone();
        Ok(Arc::make_mut(&mut self.state.quarantine).add(&entry, table, reject))
    }

    fn append_raw(&mut self, reject: RejectId, part: u64, bytes: &[u8]) -> Result<()> {
        Arc::make_mut(&mut self.state.quarantine).append(reject, part, bytes);
        Ok(())
    }

    fn release(&mut self, reject: RejectId, load: LoadId, mended: Option<&[u8]>) -> Result<()> {
        Ok(Arc::make_mut(&mut self.state.quarantine).release(reject, load, mended)?)
    }

    fn discard(&mut self, reject: RejectId, load: LoadId, reason: &str) -> Result<bool> {
        Ok(Arc::make_mut(&mut self.state.quarantine).discard(reject, load, reason))
    }

    fn withdraw(&mut self, rejects: &[RejectId]) -> Result<()> {
        Arc::make_mut(&mut self.state.quarantine).withdraw(rejects);
        Ok(())
    }

    fn confirm(&mut self, rejects: &[(RejectId, Vec<CellError>)]) -> Result<()> {
        Arc::make_mut(&mut self.state.quarantine).confirm(rejects);
        Ok(())
    }

    fn retry_failed(
        &mut self,
        reject: RejectId,
        load: LoadId,
        errors: &[CellError],
        mended: Option<&[u8]>,
    ) -> Result<()> {
        Arc::make_mut(&mut self.state.quarantine).retry_failed(reject, load, errors, mended);
        Ok(())
    }

    fn supersede(&mut self, load: &LoadEntry, closing: ClosingRule) -> Result<u64> {
        let loads = self.state.loads.clone();
        Ok(Arc::make_mut(&mut self.state.quarantine).supersede(load, closing, &loads))
    }

    fn add_documents(&mut self, documents: &[NewDocument]) -> Result<()> {
        let held = Arc::make_mut(&mut self.state.documents);
        for NewDocument { kind, name, body } in documents {
            let (kind, name, body) = ((*kind).to_owned(), name.clone(), body.clone());
            let document = Document { kind, name, version: 1, body, changed_at: timestamp::now_utc() };
            let key = (document.kind.clone(), document.name.clone());
            if held.insert(key, document).is_some() {
                let message = "there is a document of this kind and name already";
                return Err(TargetError::new(TargetErrorKind::Overtaken, message).into());
            }
        }
        Ok(())
    }

    fn change_document(&mut self, document: &Document, body: Option<&[u8]>) -> Result<bool> {
        let held = Arc::make_mut(&mut self.state.documents);
        let key = (document.kind.clone(), document.name.clone());
        let Some(found) = held.get_mut(&key).filter(|found| found.version == document.version) else {
            return Ok(false);
        };
        match body {
            None => drop(held.remove(&key)),
            Some(body) => {
                (found.version, found.changed_at) = (found.version + 1, timestamp::now_utc());
                body.clone_into(&mut found.body);
            }
        }
        Ok(true)
    }

    fn forget_documents(&mut self, kind: &str, before: &str) -> Result<u64> {
        let held = Arc::make_mut(&mut self.state.documents);
        let count = held.len();
        held.retain(|_, document| document.kind != kind || document.changed_at.as_str() >= before);
        Ok((count - held.len()) as u64)
    }
}

impl WriteJobs for MemoryTransaction {
    fn add_jobs(&mut self, jobs: &[NewJob]) -> Result<()> {
        Arc::make_mut(&mut self.state.jobs).add(jobs)
    }

    fn take_job(&mut self, kinds: &[&str], worker: &str, lease: Duration) -> Result<Option<JobEntry>> {
        Ok(Arc::make_mut(&mut self.state.jobs).take(kinds, worker, lease))
    }

    fn renew_lease(&mut self, claim: &JobClaim, lease: Duration) -> Result<Option<bool>> {
        Ok(Arc::make_mut(&mut self.state.jobs).renew(claim, lease))
    }

    fn note_request(&mut self, claim: &JobClaim, request: &Value) -> Result<bool> {
        Ok(Arc::make_mut(&mut self.state.jobs).note_request(claim, request))
    }

    fn end_job(&mut self, claim: &JobClaim, end: &JobEnd) -> Result<bool> {
        Ok(Arc::make_mut(&mut self.state.jobs).end(claim, end))
    }

    fn cancel_job(&mut self, id: &str) -> Result<Option<JobEntry>> {
        Ok(Arc::make_mut(&mut self.state.jobs).cancel(id))
    }

    fn forget_jobs(&mut self, ended_before: Timestamp) -> Result<Vec<String>> {
        Ok(Arc::make_mut(&mut self.state.jobs).forget(&timestamp::format_utc(ended_before)))
    }
}

impl Transaction for MemoryTransaction {
    fn insert(&mut self, table: &Table, rows: &RecordBatch, selected: &[Range<usize>]) -> Result<Vec<RefusedRow>> {
        let mut refused = Vec::new();
        for at in selected.iter().cloned().flatten() {
            let row = owned(rows, at);
            self.disturb(|own, deed| {
                let held = own.state.rows(&table.name);
                matches!(deed, Interference::Insert { table: other, row: rival }
                    if **other == *table.name && held.is_some_and(|held| held.clashes(&row, rival)))
            });
            if let Err(words) = self.state.rows_mut(table)?.insert(row) {
                self.refuse(&mut refused, at, words);
            }
        }
        Ok(refused)
    }

    fn update(
        &mut self,
        table: &Table,
        rows: &RecordBatch,
        selected: &[usize],
        fields: &[usize],
    ) -> Result<Vec<RefusedRow>> {
        let mut refused = Vec::new();
        for &at in selected {
            if let Err(words) = self.state.rows_mut(table)?.update(&owned(rows, at), fields) {
                self.refuse(&mut refused, at, words);
            }
        }
        Ok(refused)
    }

    fn hold_parents(
        &mut self,
        child: &Table,
        parent: &Table,
        positions: &[usize],
        values: &[Vec<Scalar>],
    ) -> Result<()> {
        self.disturb(|_, deed| {
            matches!(deed, Interference::Delete { table, positions: at, values: of }
                if **table == *parent.name && at == positions && values.contains(of))
        });
        let found = self.state.rows(&parent.name).map(|rows| rows.find_all(positions, values));
        if found.is_none_or(|found| found.contains(&None)) {
            let gone = parent_gone(parent);
            match self.pace {
                Pace::InStep => return Err(gone.into()),
                Pace::Ahead => self.fail(TargetErrorKind::Again, gone.message),
            }
        }
        self.state.hold(child, parent, positions, values);
        Ok(())
    }

    fn clear(&mut self, table: &Table) -> Result<u64> {
        Ok(self.state.rows_mut(table)?.clear())
    }

    fn orphans(&self, tables: &[&Table], _sound: &[&Table]) -> Result<Vec<String>> {
        Ok(self.state.orphans(tables))
    }

    fn add_load(&mut self, entry: &LoadEntry) -> Result<LoadId> {
        let loads = Arc::make_mut(&mut self.state.loads);
        let id = LoadId::from(loads.last().map_or(0, |last| last.id.into()) + 1);
        loads.push(LoadEntry { id, ..entry.clone() });
        Ok(id)
    }

    fn save_load(&mut self, entry: &LoadEntry, was_at: u64) -> Result<()> {
        let loads = Arc::make_mut(&mut self.state.loads);
        let held = loads
            .iter_mut()
            .find(|held| held.id == entry.id && held.position.offset == was_at && held.state.is_resumable());
        if let Some(held) = held {
            go_on(held, entry);
            return Ok(());
        }
        let message = format!(
            "another process loads {} into {:?} and has gone on with it; this one stops, and nothing is doubled",
            entry.source, entry.table
        );
        match self.pace {
            Pace::InStep => return Err(TargetError::new(TargetErrorKind::Overtaken, message).into()),
            Pace::Ahead => self.fail(TargetErrorKind::Overtaken, message),
        }
        Ok(())
    }

    fn add_rejects(&mut self, load: LoadId, table: &Table, rejects: &[NewReject]) -> Result<()> {
        rejects.iter().try_for_each(|reject| self.add_reject(load, table, reject).map(drop))
    }

    fn commit(mut self: Box<Self>) -> Result<()> {
        let commit = self.checked();
        let owner = self.owner;
        let mut database = self.shared.lock();
        database.land(0);
        let told = database.tell(owner);
        let outcome = told.and_then(|()| database.commit(commit.state, commit.failure).map_err(Error::from));
        if outcome.is_err() {
            commit.meanwhile.iter().for_each(|deed| database.committed.apply(deed));
        }
        outcome
    }

    fn commit_later(mut self: Box<Self>) -> Result<()> {
        if self.pace == Pace::InStep {
            return self.commit();
        }
        let commit = self.checked();
        let mut database = self.shared.lock();
        database.send(commit);
        Ok(())
    }
}
