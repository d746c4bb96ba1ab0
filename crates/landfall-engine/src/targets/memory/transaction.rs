//! A write transaction: a copy of the database that takes its place when it commits.

use std::{collections::HashSet, ops::Range, sync::Arc, time::Duration};

use arrow_array::RecordBatch;
use jiff::Timestamp;
use landfall_core::{
    keys::{Scalar, ScalarRef, scalars_of_row},
    reject::CellError,
    schema::FieldIndex,
};
use serde_json::Value;

use super::{
    Fence, Interference, Pace, RefusedRow, Table, Transaction,
    database::{HandleNumber, PendingCommit, SharedDatabase},
    rows::MemoryRow,
    state::MemoryState,
};
use crate::{
    document::{Document, NewDocument},
    error::{Error, Result, TargetError, TargetErrorKind},
    job::{JobClaim, JobEnd, JobEntry, NewJob},
    ledger::{LoadEntry, LoadId},
    quarantine::{ClosingRule, NewReject, RejectId},
    targets::{WriteBooks, WriteJobs, parent_gone_error},
    timestamp,
};

/// A write transaction of an in-memory database.
pub(super) struct MemoryTransaction {
    pub(super) shared: Arc<SharedDatabase>,
    pub(super) owner: HandleNumber,
    pub(super) pace: Pace,
    pub(super) fence: Fence,
    pub(super) remote: bool,
    /// The tables that the handle is building.
    pub(super) building: HashSet<Arc<str>>,
    pub(super) before: MemoryState,
    pub(super) state: MemoryState,
    /// What stands against the commit: with [`Pace::Ahead`] it is told then.
    pub(super) failure: Option<TargetError>,
    pub(super) meanwhile: Vec<Interference>,
}

impl Drop for MemoryTransaction {
    fn drop(&mut self) {
        let mut database = self.shared.lock_database();
        // The other program's deeds stay although this transaction leaves no trace.
        self.meanwhile.iter().for_each(|deed| database.committed.apply_interference(deed));
        // `end_write` takes the same lock.
        drop(database);
        self.shared.end_write();
    }
}

impl MemoryTransaction {
    /// Notes or tells that `table` has something against row `row`.
    fn refuse_row(&mut self, refused: &mut Vec<RefusedRow>, row: usize, message: String) {
        match self.pace {
            Pace::InStep => refused.push(RefusedRow { row, message }),
            Pace::Ahead => self.fail_with(TargetErrorKind::Again, message),
        }
    }

    fn fail_with(&mut self, kind: TargetErrorKind, message: String) {
        // The first thing that went wrong explains the others.
        self.failure.get_or_insert(TargetError::new(kind, message));
    }

    /// Lets another program act, where `meant` picks its deed. In step it is seen at once; ahead it is noticed when the
    /// transaction commits.
    fn let_interfere(&mut self, meant: impl Fn(&Self, &Interference) -> bool) {
        let shared = self.shared.clone();
        let mut database = shared.lock_database();
        let deeds = database.take_interferences(|deed| meant(self, deed));
        for deed in deeds {
            if self.pace == Pace::InStep {
                [&mut database.committed, &mut self.before, &mut self.state]
                    .into_iter()
                    .for_each(|state| state.apply_interference(&deed));
            } else {
                self.fail_with(TargetErrorKind::Again, "another program was there first".into());
                self.meanwhile.push(deed);
            }
        }
    }

    fn find_entry(&self, load: LoadId) -> Result<&LoadEntry> {
        let found = self.state.loads.iter().find(|entry| entry.id == load);
        found.ok_or_else(|| TargetError::new(TargetErrorKind::Statement, format!("there is no load {load}")).into())
    }

    /// What is to be committed, and what stands against it.
    fn check_commit(&mut self) -> PendingCommit {
        let violation = self.state.find_violation(&self.before, self.fence == Fence::Database);
        let kind = |error: TargetError| match self.pace {
            // Ahead nobody can be told which row it was; in step the load finds out.
            Pace::Ahead => TargetError::new(TargetErrorKind::Again, error.message),
            Pace::InStep => error,
        };
        PendingCommit {
            owner: self.owner,
            state: std::mem::take(&mut self.state),
            failure: self.failure.take().or(violation.map(kind)),
            meanwhile: std::mem::take(&mut self.meanwhile),
        }
    }
}

fn owned_row(rows: &RecordBatch, row: usize) -> MemoryRow {
    scalars_of_row(rows, row).into_iter().map(ScalarRef::to_owned).collect()
}

/// Writes how far a load has come into what the ledger has of it.
fn update_progress(held: &mut LoadEntry, entry: &LoadEntry) {
    // What a load began with never changes: the entry that is given may come from another version of these.
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
        let entry = self.find_entry(load)?.clone();
        Ok(Arc::make_mut(&mut self.state.quarantine).add_reject(&entry, table, reject))
    }

    fn append_reject_bytes(&mut self, reject: RejectId, part: u64, bytes: &[u8]) -> Result<()> {
        Arc::make_mut(&mut self.state.quarantine).append_bytes(reject, part, bytes);
        Ok(())
    }

    fn release_reject(&mut self, reject: RejectId, load: LoadId, mended: Option<&[u8]>) -> Result<()> {
        Ok(Arc::make_mut(&mut self.state.quarantine).release_reject(reject, load, mended)?)
    }

    fn discard_reject(&mut self, reject: RejectId, load: LoadId, reason: &str) -> Result<bool> {
        Ok(Arc::make_mut(&mut self.state.quarantine).discard_reject(reject, load, reason))
    }

    fn withdraw_rejects(&mut self, rejects: &[RejectId]) -> Result<()> {
        Arc::make_mut(&mut self.state.quarantine).withdraw_rejects(rejects);
        Ok(())
    }

    fn confirm_rejects(&mut self, rejects: &[(RejectId, Vec<CellError>)]) -> Result<()> {
        Arc::make_mut(&mut self.state.quarantine).confirm_rejects(rejects);
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

    fn supersede_rejects(&mut self, load: &LoadEntry, closing: ClosingRule) -> Result<u64> {
        let loads = self.state.loads.clone();
        Ok(Arc::make_mut(&mut self.state.quarantine).supersede_rejects(load, closing, &loads))
    }

    fn add_documents(&mut self, documents: &[NewDocument]) -> Result<()> {
        let held = Arc::make_mut(&mut self.state.documents);
        for NewDocument { kind, name, body } in documents {
            let (kind, name, body) = ((*kind).to_owned(), name.clone(), body.clone());
            let document = Document { kind, name, version: 1, body, changed_at: timestamp::now_utc() };
            let key = (document.kind.clone(), document.name.clone());
            // This state is a copy that is thrown away on an error, so that the old document is not lost.
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
        // The version is what two writers who read the same document are told apart by.
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
        Arc::make_mut(&mut self.state.jobs).add_jobs(jobs)
    }

    fn take_job(&mut self, kinds: &[&str], worker: &str, lease: Duration) -> Result<Option<JobEntry>> {
        Ok(Arc::make_mut(&mut self.state.jobs).take_job(kinds, worker, lease))
    }

    fn renew_lease(&mut self, claim: &JobClaim, lease: Duration) -> Result<Option<bool>> {
        Ok(Arc::make_mut(&mut self.state.jobs).renew_lease(claim, lease))
    }

    fn note_request(&mut self, claim: &JobClaim, request: &Value) -> Result<bool> {
        Ok(Arc::make_mut(&mut self.state.jobs).note_request(claim, request))
    }

    fn end_job(&mut self, claim: &JobClaim, end: &JobEnd) -> Result<bool> {
        Ok(Arc::make_mut(&mut self.state.jobs).end_job(claim, end))
    }

    fn retry_job(&mut self, id: &str) -> Result<Option<JobEntry>> {
        Ok(Arc::make_mut(&mut self.state.jobs).retry_job(id))
    }

    fn cancel_job(&mut self, id: &str) -> Result<Option<JobEntry>> {
        Ok(Arc::make_mut(&mut self.state.jobs).cancel_job(id))
    }

    fn forget_jobs(&mut self, ended_before: Timestamp) -> Result<Vec<String>> {
        Ok(Arc::make_mut(&mut self.state.jobs).forget_jobs(&timestamp::format_utc(ended_before)))
    }
}

impl Transaction for MemoryTransaction {
    fn insert_rows(&mut self, table: &Table, rows: &RecordBatch, selected: &[Range<usize>]) -> Result<Vec<RefusedRow>> {
        let mut refused = Vec::new();
        for at in selected.iter().cloned().flatten() {
            let row = owned_row(rows, at);
            self.let_interfere(|own, deed| {
                let held = own.state.find_rows(&table.name);
                matches!(deed, Interference::Insert { table: other, row: rival }
                    if **other == *table.name && held.is_some_and(|held| held.has_clash(&row, rival)))
            });
            if let Err(words) = self.state.table_rows_mut(table)?.insert(row) {
                self.refuse_row(&mut refused, at, words);
            }
        }
        Ok(refused)
    }

    fn update_rows(
        &mut self,
        table: &Table,
        rows: &RecordBatch,
        selected: &[usize],
        fields: &[FieldIndex],
    ) -> Result<Vec<RefusedRow>> {
        let mut refused = Vec::new();
        for &at in selected {
            if let Err(words) = self.state.table_rows_mut(table)?.update_row(&owned_row(rows, at), fields) {
                self.refuse_row(&mut refused, at, words);
            }
        }
        Ok(refused)
    }

    fn hold_parents(
        &mut self,
        child: &Table,
        parent: &Table,
        positions: &[FieldIndex],
        values: &[Vec<Scalar>],
    ) -> Result<()> {
        self.let_interfere(|_, deed| {
            matches!(deed, Interference::Delete { table, positions: at, values: of }
                if **table == *parent.name && at == positions && values.contains(of))
        });
        let found = self.state.find_rows(&parent.name).map(|rows| rows.find_rows(positions, values));
        if found.is_none_or(|found| found.contains(&None)) {
            let gone = parent_gone_error(parent);
            match self.pace {
                Pace::InStep => return Err(gone.into()),
                Pace::Ahead => self.fail_with(TargetErrorKind::Again, gone.message),
            }
        }
        self.state.require_parents(child, parent, positions, values);
        Ok(())
    }

    fn delete_rows(&mut self, table: &Table) -> Result<u64> {
        Ok(self.state.table_rows_mut(table)?.delete_all())
    }

    fn find_orphans(&self, tables: &[&Table], _sound: &[&Table]) -> Result<Vec<String>> {
        Ok(self.state.find_orphans(tables))
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
            // The offset fences off a process that was thought dead: it may not write over its successor's progress.
            .find(|held| held.id == entry.id && held.position.offset == was_at && held.state.is_resumable());
        if let Some(held) = held {
            update_progress(held, entry);
            return Ok(());
        }
        let message = format!(
            "another process loads {} into {:?} and has gone on with it; this one stops, and nothing is doubled",
            entry.source, entry.table
        );
        match self.pace {
            Pace::InStep => return Err(TargetError::new(TargetErrorKind::Overtaken, message).into()),
            Pace::Ahead => self.fail_with(TargetErrorKind::Overtaken, message),
        }
        Ok(())
    }

    fn add_rejects(&mut self, load: LoadId, table: &Table, rejects: &[NewReject]) -> Result<()> {
        rejects.iter().try_for_each(|reject| self.add_reject(load, table, reject).map(drop))
    }

    fn commit_now(mut self: Box<Self>) -> Result<()> {
        let commit = self.check_commit();
        let owner = self.owner;
        let mut database = self.shared.lock_database();
        // Commits keep their order: those that were sent ahead come first.
        database.finish_commits(0);
        let told = database.report_failure(owner);
        let outcome = told.and_then(|()| database.commit_now(commit.state, commit.failure).map_err(Error::from));
        if outcome.is_err() {
            commit.meanwhile.iter().for_each(|deed| database.committed.apply_interference(deed));
        }
        outcome
    }

    fn commit_later(mut self: Box<Self>) -> Result<()> {
        if self.pace == Pace::InStep {
            return self.commit_now();
        }
        let commit = self.check_commit();
        let mut database = self.shared.lock_database();
        database.commit_later(commit);
        Ok(())
    }
}
